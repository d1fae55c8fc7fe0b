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

mod class;

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

use class::{Class, class, verb};

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

const PATHS: &[&str] =
    &["<a@b.example>", "<>", "<Postmaster>", "<a.b+c@d>", "9@m", "<\"a b\"@c>", "<@x,@y:a@b>", "<a@[1.2.3.4]>"];
const OF_MAIL: &[&str] = &[
    " SIZE=7",
    " BODY=8BITMIME",
    " BODY=7BIT",
    " BODY=BINARYMIME",
    " SMTPUTF8",
    " AUTH=<>",
    " AUTH=a@b",
    " RET=FULL",
    " RET=HDRS",
    " ENVID=a+2Bb",
    " BY=1;R",
    " HOLDFOR=1",
];
const OF_RCPT: &[&str] = &[
    " NOTIFY=NEVER",
    " NOTIFY=SUCCESS,FAILURE",
    " NOTIFY=DELAY",
    " ORCPT=rfc822;a+2Bb@c",
    " ORCPT=utf-8;a@b",
    " CONNEG",
];
const MARKS: &[&str] =
    &[" ", "<", ">", "@", ".", ",", "=", "+", ";", ":", "\"", "\\", "-", "a", "LAST", "+7F", " SIZE="];
const VERBS: &[&str] = &[
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

fn one_of(words: &'static [&'static str]) -> impl Strategy<Value = String> {
    proptest::sample::select(words).prop_map(str::to_owned)
}

/// A line of an envelope, good but for some mark that may stand somewhere.
fn envelope_line(verb: &'static str, parameters: &'static [&'static str]) -> impl Strategy<Value = String> {
    let mark = proptest::option::weighted(0.3, (any::<proptest::sample::Index>(), one_of(MARKS)));
    (one_of(PATHS), proptest::collection::vec(one_of(parameters), 0..4), mark).prop_map(
        move |(path, parameters, mark)| {
            let mut line = format!("{verb}{path}{}", parameters.concat());
            if let Some((at, mark)) = mark {
                line.insert_str(at.index(line.len()), &mark);
            }
            line
        },
    )
}

fn line() -> impl Strategy<Value = String> {
    let word =
        prop_oneof![4 => one_of(PATHS), 4 => one_of(OF_MAIL), 1 => one_of(MARKS), 1 => "[ -~]{0,5}", 1 => "\\PC{0,3}"];
    let any_line = (one_of(VERBS), proptest::collection::vec(word, 0..5));
    prop_oneof![
        envelope_line("MAIL FROM:", OF_MAIL),
        envelope_line("RCPT TO:", OF_RCPT),
        any_line.prop_map(|(verb, words)| verb + &words.concat()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]
    #[test]
    fn every_difference_is_of_a_class(line in line()) {
        // What is said, or why it differs: a panic says that there is no reason.
        prop_assert!(compared(&line).is_ok() || class(&line).is_some());
    }
}
