//! Whom a message goes to, from the command line and from header fields.
//!
//! `mail-parser` reads the lists: display names, comments, groups, folded lines, encoded words.

use client::Address;
use mail_parser::{Addr, HeaderValue, MessageParser};
use proto::{AddressError, Domain};

use crate::exit::{Exit, Failure};
use crate::recipients::with_domain;

/// The addresses of these lists, each once. A name without a domain is one of `domain`. If one of them can't be read, the
/// mail goes to nobody: half of the recipients is no guess to make.
pub(super) fn addresses(lists: &[String], domain: &Domain) -> Result<Vec<Address>, Failure> {
    let mut addresses = Vec::new();
    for (list, recipient) in lists.iter().flat_map(|list| listed(list).into_iter().map(move |text| (list, text))) {
        let address = with_domain(&recipient, domain).parse();
        let address = address.map_err(|error| unreadable(as_written(list, &recipient), &error))?;
        if !addresses.iter().any(|known: &Address| known == &address) {
            addresses.push(address);
        }
    }
    Ok(addresses)
}

fn unreadable(written: &str, error: &AddressError) -> Failure {
    let is_several = written.contains(char::is_whitespace) && written.contains('@');
    let problem = if is_several { "commas part one from the next".to_owned() } else { error.to_string() };
    Failure::new(Exit::Data, format!("{written} is no address: {problem}"))
}

/// What stands in a list for a recipient that can't be read: the parser runs the words together.
fn as_written<'a>(list: &'a str, recipient: &'a str) -> &'a str {
    let is_meant = |part: &&str| listed(part).iter().any(|text| text == recipient);
    list.split(',').find(is_meant).map_or(recipient, str::trim)
}

/// The addresses and bare names in a list.
fn listed(list: &str) -> Vec<String> {
    // The parser reads fields; what ends one must not stand in a list.
    let field = format!("To: {}\r\n", list.replace(['\r', '\n'], " "));
    let parsed = MessageParser::new().with_address_headers().parse_headers(field.as_bytes());
    let headers = parsed.iter().flat_map(|message| message.headers());
    let lists = headers.filter_map(|header| match &header.value {
        HeaderValue::Address(list) => Some(list),
        _ => None,
    });
    lists.flat_map(|list| list.iter()).filter_map(written).collect()
}

/// What stands for one recipient. The parser takes a bare `root` for a display name, and the local part of `"a b"@x` too.
fn written(recipient: &Addr<'_>) -> Option<String> {
    match (recipient.name.as_deref(), recipient.address.as_deref()) {
        (Some(local), Some(domain)) if domain.starts_with('@') && !domain.contains(':') => {
            Some(format!("\"{}\"{domain}", local.replace('\\', r"\\").replace('"', "\\\"")))
        }
        // A source route is passed over (RFC 5321 §4.1.1.3).
        (_, Some(route)) if route.starts_with('@') => Some(route.split_once(':')?.1.to_owned()),
        (name, address) => address.or(name).map(str::to_owned),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(list: &str) -> Result<String, String> {
        let domain = "mymailserver".parse().unwrap();
        let addresses = addresses(&[list.to_owned()], &domain).map_err(|failure| failure.to_string())?;
        Ok(addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn lists_are_read_as_people_and_programs_write_them() {
        for (list, expected) in [
            ("bob@x", "bob@x"),
            ("root", "root@mymailserver"),
            ("root, alice", "root@mymailserver alice@mymailserver"),
            ("Bob <bob@x>", "bob@x"),
            ("Bob B. <bob>", "bob@mymailserver"),
            ("<alice>", "alice@mymailserver"),
            ("bob@x (Bob B.)", "bob@x"),
            ("root (Cron Daemon)", "root@mymailserver"),
            ("(one, with comma) a@x", "a@x"),
            ("\"Doe, John\" <john@x>, jim@y", "john@x jim@y"),
            ("A: a@x, \"b, c\" <b@y>; , d@z", "a@x b@y d@z"),
            ("undisclosed-recipients:;", ""),
            ("=?utf-8?q?Gr=C3=BC=C3=9Fe=2C?= <g@x>,\r\n\tfoo@bar", "g@x foo@bar"),
            ("a@x,,b@y", "a@x b@y"),
            ("\"a b\"@x", "\"a b\"@x"),
            ("<@relay:jim@y>", "jim@y"),
            ("a@x, A <a@x>", "a@x"),
            ("10@mymailserver, 10", "10@mymailserver"),
            ("", ""),
        ] {
            assert_eq!(read(list).as_deref(), Ok(expected), "{list}");
        }
    }

    #[test]
    fn what_is_no_address_is_told() {
        for list in ["Bob Smith", "a@@b", "a@x b@y", "bob@", "ok@x, not ok"] {
            assert!(read(list).unwrap_err().contains("is no address"), "{list}: {:?}", read(list));
        }
        for (list, problem) in [
            ("<a@x> <b@y>", "<a@x> <b@y> is no address: commas part one from the next"),
            ("c@z, a@x b@y", "a@x b@y is no address: commas part one from the next"),
            ("\"a,b\"@-", "\"a,b\"@- is no address: Bad domain"),
        ] {
            assert!(read(list).unwrap_err().starts_with(problem), "{:?}", read(list));
        }
    }
}
