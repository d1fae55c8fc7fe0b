//! Which difference is of which class: told by the line alone, by the letter of the RFCs.

/// Why both may differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    Control,
    EightBit,
    Spacing,
    NoBrackets,
    LooseAddress,
    SourceRoute,
    NoRecipient,
    PostmasterSends,
    Twice,
    NotOffered,
    Value,
    OriginalType,
    Argument,
    Hello,
    Login,
    Query,
}

pub(super) fn verb(line: &str) -> String {
    line.split(' ').find(|word| !word.is_empty()).unwrap_or_default().to_ascii_uppercase()
}

/// The reason for a difference, if there is one.
pub(super) fn class(line: &str) -> Option<Class> {
    let words: Vec<&str> = line.split(' ').filter(|word| !word.is_empty()).collect();
    let verb = verb(line);
    let classes = [
        (Class::Control, line.contains(char::is_control)),
        (Class::EightBit, !line.is_ascii()),
        (Class::Hello, matches!(verb.as_str(), "HELO" | "EHLO") && words.len() != 2),
        (Class::NotOffered, matches!(verb.as_str(), "LHLO" | "ETRN" | "ATRN" | "BURL")),
        (Class::NotOffered, verb.starts_with('X')),
        (Class::Query, matches!(verb.as_str(), "EXPN" | "VRFY" | "HELP")),
        (Class::Login, verb == "AUTH"),
        (Class::Argument, matches!(verb.as_str(), "DATA" | "RSET" | "QUIT" | "STARTTLS") && words.len() > 1),
        (Class::Argument, verb == "BDAT" && !is_chunk(&words)),
    ];
    let found = classes.into_iter().find(|(_, applies)| *applies).map(|(class, _)| class);
    found.or_else(|| class_of_envelope(line, &verb))
}

fn is_chunk(words: &[&str]) -> bool {
    let is_number = |text: &str| text.len() < 19 && text.bytes().all(|octet| octet.is_ascii_digit());
    match words {
        [_, octets] => is_number(octets),
        [_, octets, last] => is_number(octets) && last.eq_ignore_ascii_case("LAST"),
        _ => false,
    }
}

fn class_of_envelope(line: &str, verb: &str) -> Option<Class> {
    let keyword = if verb == "RCPT" { "RCPT TO:" } else { "MAIL FROM:" };
    let Some((_, rest)) = line.split_at_checked(keyword.len()).filter(|(head, _)| head.eq_ignore_ascii_case(keyword))
    else {
        return Some(Class::Spacing);
    };
    let Some(inner) = rest.strip_prefix('<') else {
        return Some(if rest.starts_with(' ') && rest.contains('<') { Class::Spacing } else { Class::NoBrackets });
    };
    let Some((path, parameters)) = inner.split_once('>') else { return Some(Class::LooseAddress) };
    let parameters: Vec<&str> = match parameters {
        "" => Vec::new(),
        text if !text.starts_with(' ') => return Some(Class::Spacing),
        text => text.split(' ').filter(|word| !word.is_empty()).collect(),
    };
    match path {
        "" if verb == "RCPT" => return Some(Class::NoRecipient),
        "" => {}
        path if path.eq_ignore_ascii_case("postmaster") && verb == "MAIL" => return Some(Class::PostmasterSends),
        path if path.eq_ignore_ascii_case("postmaster") => {}
        path if path.starts_with('@') => return Some(Class::SourceRoute),
        path if !is_address(path) => return Some(Class::LooseAddress),
        _ => {}
    }
    class_of_parameters(&parameters, verb)
}

/// A plain address by the letter of RFC 5321 §4.1.2.
fn is_address(text: &str) -> bool {
    let atext = |octet: u8| octet.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&octet);
    let is_atom = |atom: &str| !atom.is_empty() && atom.bytes().all(atext);
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|octet| octet.is_ascii_alphanumeric() || octet == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
            && !label.to_ascii_lowercase().starts_with("xn--")
    };
    text.split_once('@').is_some_and(|(local, domain)| {
        local.len() <= 64 && local.split('.').all(is_atom) && domain.len() <= 255 && domain.split('.').all(is_label)
    })
}

fn class_of_parameters(parameters: &[&str], verb: &str) -> Option<Class> {
    let keywords: Vec<String> = parameters
        .iter()
        .map(|word| word.split_once('=').map_or(*word, |(keyword, _)| keyword).to_ascii_uppercase())
        .collect();
    let offered: &[&str] =
        if verb == "RCPT" { &["NOTIFY", "ORCPT"] } else { &["SIZE", "BODY", "SMTPUTF8", "AUTH", "RET", "ENVID"] };
    if keywords.iter().any(|keyword| !offered.contains(&keyword.as_str())) {
        return Some(Class::NotOffered);
    }
    if (1..keywords.len()).any(|at| keywords[..at].contains(&keywords[at])) {
        return Some(Class::Twice);
    }
    for (word, keyword) in parameters.iter().zip(&keywords) {
        let value = word.split_once('=').map_or("", |(_, value)| value);
        let class = match keyword.as_str() {
            // They look for it behind spaces.
            _ if word.ends_with('=') => Some(Class::Spacing),
            "SIZE" => value
                .parse()
                .is_ok_and(|octets: u64| octets > 50 << 20 || value.starts_with('+'))
                .then_some(Class::Value),
            "ENVID" => (!is_xtext(value, 100)).then_some(Class::Value),
            "AUTH" => (value != "<>" && !(is_xtext(value, 500) && is_address(value))).then_some(Class::Value),
            "ORCPT" => match value.split_once(';') {
                Some((kind, address)) if kind.eq_ignore_ascii_case("rfc822") => {
                    (!is_xtext(address, 256)).then_some(Class::Value)
                }
                _ => Some(Class::OriginalType),
            },
            // They take NEVER with others behind it.
            "NOTIFY" => (value.len() > 5 && value.to_ascii_uppercase().contains("NEVER")).then_some(Class::Value),
            _ => None,
        };
        if class.is_some() {
            return class;
        }
    }
    None
}

/// RFC 3461 §4, of printable characters alone.
fn is_xtext(text: &str, octets_max: usize) -> bool {
    let mut pieces = text.split('+');
    let is_plain = |text: &str| text.bytes().all(|octet| octet.is_ascii_graphic() && octet != b'=');
    let is_printable = |hex: &str| {
        let is_upper = !hex.contains(|c: char| c.is_ascii_lowercase());
        is_upper && u8::from_str_radix(hex, 16).is_ok_and(|octet| (b' '..=b'~').contains(&octet))
    };
    let is_begun = pieces.next().is_some_and(is_plain);
    (1..=octets_max).contains(&text.len())
        && is_begun
        && pieces.all(|piece| piece.split_at_checked(2).is_some_and(|(hex, rest)| is_printable(hex) && is_plain(rest)))
}
