//! Our parser of command lines beside that of the crate `smtp-proto`, which the Stalwart mail server is built on.
//!
//! Of every line both say the same: it is refused, or it is this command with this address and these parameters. Or they differ,
//! for one of the reasons below; any other difference fails the test. "They" is `smtp-proto`.
//!
//! | class | we | they | why |
//! | --- | --- | --- | --- |
//! | `Control` | refuse | skip or keep it | nothing but text stands in a command, and tabs part no words |
//! | `EightBit` | as SMTPUTF8 says, domains as A-labels | take any octets | RFC 6531 §3.3 |
//! | `Spacing` | one space behind a verb, none in `FROM:<`; more where people type them | skip spaces anywhere, or want none | RFC 5321 §4.1.1.2 |
//! | `NoBrackets` | take `MAIL FROM: 9@mymailserver` | refuse | the requirement has it |
//! | `LooseAddress` | refuse | take | they look for an `@`, not at labels, literals, lengths and quoting |
//! | `SourceRoute` | check its domains | pass over it | RFC 5321 appendix C |
//! | `NoRecipient` | refuse `RCPT TO:<>` | take | RFC 5321 §4.1.1.3 wants a recipient |
//! | `PostmasterSends` | refuse `MAIL FROM:<postmaster>` | take it for `<>` | RFC 5321 §4.1.1.2: only RCPT has it without a domain |
//! | `Twice` | refuse a parameter that is said twice | take the last | which one would count? |
//! | `NotOffered` | refuse what EHLO does not list | parse it | RFC 5321 §4.1.1.11 |
//! | `Value` | refuse values that their RFC does not allow, and sizes that are too large | take more | RFC 3461 §4, RFC 4954 §5, RFC 1870 |
//! | `OriginalType` | take any type of ORCPT, 500 characters | `rfc822` alone, 256 | RFC 3461 §4.2, RFC 6533 §3 |
//! | `Argument` | refuse an argument to DATA, RSET, QUIT, STARTTLS, and a bad one to BDAT | pass over it | RFC 5321 §4.1.1.4 to §4.1.1.10 |
//! | `Hello` | `HELO` without a name; a name of any text | want one word | the requirement has it; RFC 5321 §4.1.4 lets it pass |
//! | `Login` | refuse mechanisms that are not offered here and responses that are none | parse them | RFC 4954 §4 |
//! | `Query` | answer EXPN, VRFY and HELP by what is asked for | parse them | who decides is the session |
#![allow(clippy::panic, clippy::unwrap_used, reason = "a test that can't go on must fail")]

use proptest::prelude::*;
use proto::Address;
use proto::smtp::dsn::{Notify, Return};
use proto::smtp::server::Body;
use proto::{ForwardPath, ReversePath};
use smtp_proto::{
    MAIL_BODY_8BITMIME, MAIL_BODY_BINARYMIME, MAIL_RET_FULL, MAIL_RET_HDRS, MAIL_SMTPUTF8, RCPT_NOTIFY_DELAY,
    RCPT_NOTIFY_FAILURE, RCPT_NOTIFY_NEVER, RCPT_NOTIFY_SUCCESS, Request,
};
use testkit::properties::{Moment, Understood, understand};

/// Why both may differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
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

/// What a line means, as far as both can say it.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Meaning {
    Refused,
    Mail { from: String, size: u64, body: Body, utf8: bool, give_back: Option<Return>, id: Option<String> },
    Rcpt { to: String, notify: Option<Notify>, original: Option<String> },
    Other,
}

fn ours(line: &str) -> Meaning {
    let verb = verb(line);
    let moment = match verb.as_str() {
        "RCPT" => Moment::InTransaction,
        "DATA" | "BDAT" => Moment::WithRecipient,
        _ => Moment::Greeted,
    };
    match understand(moment, line.as_bytes()) {
        Understood::Mail(path, parameters) => Meaning::Mail {
            from: match &path {
                ReversePath::Null => String::new(),
                ReversePath::Address(address) => plain(address),
            },
            size: parameters.octets.unwrap_or_default(),
            body: parameters.body,
            utf8: parameters.utf8,
            give_back: parameters.give_back,
            id: parameters.envelope_id.map(|id| id.as_str().to_owned()),
        },
        Understood::Recipient(path, notify, original) => Meaning::Rcpt {
            to: match &path {
                ForwardPath::Postmaster => String::new(),
                ForwardPath::Address(address) => plain(address),
            },
            notify,
            original: original.map(|original| original.address().to_owned()),
        },
        // A chunk that is dropped is awaited first.
        Understood::Nothing => Meaning::Refused,
        Understood::Replied(code) if code >= 400 => Meaning::Refused,
        _ => Meaning::Other,
    }
}

fn theirs(line: &str) -> Meaning {
    let wire = format!("{line}\r\n");
    match Request::parse(&mut wire.as_bytes().iter()) {
        Err(_) => Meaning::Refused,
        Ok(Request::Mail { from }) => Meaning::Mail {
            from: in_small(&from.address),
            size: from.size as u64,
            body: match from.flags {
                flags if flags & MAIL_BODY_BINARYMIME != 0 => Body::Binary,
                flags if flags & MAIL_BODY_8BITMIME != 0 => Body::EightBit,
                _ => Body::SevenBit,
            },
            utf8: from.flags & MAIL_SMTPUTF8 != 0,
            give_back: match from.flags {
                flags if flags & MAIL_RET_FULL != 0 => Some(Return::Full),
                flags if flags & MAIL_RET_HDRS != 0 => Some(Return::Headers),
                _ => None,
            },
            id: from.env_id.map(Into::into),
        },
        Ok(Request::Rcpt { to }) => {
            Meaning::Rcpt { to: in_small(&to.address), notify: notify(to.flags), original: to.orcpt.map(Into::into) }
        }
        Ok(_) => Meaning::Other,
    }
}

fn notify(flags: u64) -> Option<Notify> {
    let has = |flag: u64| flags & flag != 0;
    let (success, failure, delay) = (has(RCPT_NOTIFY_SUCCESS), has(RCPT_NOTIFY_FAILURE), has(RCPT_NOTIFY_DELAY));
    (success || failure || delay || has(RCPT_NOTIFY_NEVER)).then_some(Notify { success, failure, delay })
}

/// Without quotes, as they have it.
fn plain(address: &Address) -> String {
    format!("{}@{}", address.local_part().as_str(), address.domain())
}

/// Domains know no letter case.
fn in_small(address: &str) -> String {
    address
        .rsplit_once('@')
        .map_or_else(|| address.to_owned(), |(local, domain)| format!("{local}@{}", domain.to_ascii_lowercase()))
}

fn verb(line: &str) -> String {
    line.split(' ').find(|word| !word.is_empty()).unwrap_or_default().to_ascii_uppercase()
}

/// The reason for a difference, if there is one.
fn class(line: &str) -> Option<Class> {
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
            "AUTH" => (value != "<>" && !is_address(value)).then_some(Class::Value),
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

/// Both, and the class of the difference if there is one.
fn compared(line: &str) -> Result<Meaning, Class> {
    let (ours, theirs) = (ours(line), theirs(line));
    if ours == theirs {
        return Ok(ours);
    }
    Err(class(line).unwrap_or_else(|| panic!("{line:?}: we {ours:?}, they {theirs:?}")))
}

#[test]
fn both_take_these_and_mean_the_same() {
    for line in [
        "EHLO client.example",
        "HELO client.example",
        "MAIL FROM:<>",
        "mail from:<Alice@Example.ORG> size=7 Body=8BITMIME SMTPUTF8 ret=HDRS ENVID=a+20b",
        "MAIL FROM:<alice+x@example.org> BODY=BINARYMIME AUTH=<>",
        "RCPT TO:<Postmaster>",
        "RCPT TO:<bob@example.org> NOTIFY=SUCCESS,delay ORCPT=rfc822;a+2Bb@example.org",
        "RCPT TO:<bob@example.org> NOTIFY=NEVER",
        "DATA",
        "BDAT 7",
        "BDAT 7 last",
        "RSET",
        "NOOP",
        "NOOP hello",
        "QUIT",
        "STARTTLS",
        "AUTH PLAIN",
        "HELP",
    ] {
        let meaning = compared(line);
        assert!(matches!(&meaning, Ok(meaning) if *meaning != Meaning::Refused), "{line}: {meaning:?}");
    }
}

#[test]
fn both_refuse_these() {
    for line in [
        "",
        "MAIL",
        "MAIL FROM:",
        "MAIL FROM:<a@b",
        "MAIL FROM:<a.@@b>",
        "MAIL FROM:<a@b> BODY=9BIT",
        "MAIL FROM:<a@b> RET=ALL",
        "RCPT TO:<@>",
        "RCPT TO:<a@b> NOTIFY=ALWAYS",
        "BDAT",
        "BDAT x",
        "AUTH",
        "EHLO",
        "FROB",
    ] {
        assert_eq!(compared(line), Ok(Meaning::Refused), "{line}");
    }
}

#[test]
fn each_class_has_its_differences() {
    for (line, class) in [
        ("NOOP\t", Class::Control),
        ("MAIL FROM:<jürgen@example.org>", Class::EightBit),
        ("MAIL FROM : <a@b>", Class::Spacing),
        ("MAIL FROM:<a@b>SIZE=1", Class::Spacing),
        ("MAIL FROM: 9@mymailserver", Class::NoBrackets),
        ("RCPT TO:9@mymailserver", Class::NoBrackets),
        ("RCPT TO:<a@-b-.example>", Class::LooseAddress),
        ("RCPT TO:<a@b_c.example>", Class::LooseAddress),
        ("RCPT TO:<@-a:b@c.example>", Class::SourceRoute),
        ("RCPT TO:<>", Class::NoRecipient),
        ("MAIL FROM:<postmaster>", Class::PostmasterSends),
        ("MAIL FROM:<a@b> SIZE=1 SIZE=2", Class::Twice),
        ("MAIL FROM:<a@b> HOLDFOR=9", Class::NotOffered),
        ("MAIL FROM:<a@b> REQUIRETLS", Class::NotOffered),
        ("RCPT TO:<a@b> CONNEG", Class::NotOffered),
        ("ETRN example.org", Class::NotOffered),
        ("LHLO a", Class::NotOffered),
        ("XREGISTER", Class::NotOffered),
        ("MAIL FROM:<a@b> SIZE=99999999999", Class::Value),
        ("MAIL FROM:<a@b> ENVID=a+0A", Class::Value),
        ("MAIL FROM:<a@b> AUTH=x", Class::Value),
        ("RCPT TO:<a@b> NOTIFY=NEVER,SUCCESS", Class::Value),
        ("RCPT TO:<a@b> ORCPT=x400;a", Class::OriginalType),
        ("DATA now", Class::Argument),
        ("RSET it", Class::Argument),
        ("HELO", Class::Hello),
        ("AUTH PLAIN !", Class::Login),
        ("AUTH CRAM-MD5", Class::Login),
        ("EXPN list", Class::Query),
        ("HELP frob", Class::Query),
    ] {
        assert_eq!(compared(line), Err(class), "{line}");
    }
}

fn word() -> impl Strategy<Value = String> {
    let paths =
        ["<a@b.example>", "<>", "<Postmaster>", "<a.b+c@d>", "9@m", "<\"a b\"@c>", "<@x,@y:a@b>", "<a@[1.2.3.4]>"];
    let parameters = [
        " SIZE=1",
        " SIZE=",
        " BODY=8BITMIME",
        " BODY=7BIT",
        " BODY=BINARYMIME",
        " SMTPUTF8",
        " AUTH=<>",
        " AUTH=a@b",
        " RET=FULL",
        " RET=HDRS",
        " ENVID=a+2Bb",
        " NOTIFY=NEVER",
        " NOTIFY=SUCCESS,FAILURE",
        " NOTIFY=DELAY",
        " ORCPT=rfc822;a@b",
        " ORCPT=utf-8;a@b",
        " BY=1;R",
        " HOLDFOR=1",
    ];
    prop_oneof![
        6 => proptest::sample::select(paths.to_vec()).prop_map(str::to_owned),
        6 => proptest::sample::select(parameters.to_vec()).prop_map(str::to_owned),
        1 => proptest::sample::select(vec![" ", "<", ">", "@", ".", ",", "=", "+", ";", ":", "\"", "\\", "-", "a", "LAST", "+7F"])
            .prop_map(str::to_owned),
        1 => "[ -~]{0,5}",
        1 => "\\PC{0,3}",
    ]
}

fn line() -> impl Strategy<Value = String> {
    let verbs = [
        "MAIL FROM:",
        "RCPT TO:",
        "MAIL FROM:",
        "RCPT TO:",
        "mail from: ",
        "EHLO ",
        "HELO",
        "DATA",
        "BDAT 3",
        "BDAT ",
        "RSET",
        "NOOP",
        "QUIT",
        "VRFY ",
        "EXPN ",
        "HELP",
        "STARTTLS",
        "AUTH PLAIN",
        "AUTH ",
        "",
    ];
    (proptest::sample::select(verbs.to_vec()), proptest::collection::vec(word(), 0..5))
        .prop_map(|(verb, words)| verb.to_owned() + &words.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]
    #[test]
    fn every_difference_is_of_a_class(line in line()) {
        // What is said, or why it differs: a panic says that there is no reason.
        prop_assert!(compared(&line).is_ok() || class(&line).is_some());
    }
}
