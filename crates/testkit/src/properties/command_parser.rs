//! One command line: what a session understands of it.

use std::sync::Arc;
use std::time::Instant;

use proto::sasl::Channel;
use proto::smtp::dsn::{Notify, OriginalRecipient};
use proto::smtp::server::{Body, Config, Limits, Parameters, Role, Session, Step, Timeouts};
use proto::{Address, ForwardPath, ReversePath};

use super::{parted, replies};
use crate::world::hostname;

/// Where in a session a line comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// After EHLO.
    Greeted,
    /// After MAIL, with `SMTPUTF8`.
    InTransaction,
    /// After RCPT.
    WithRecipient,
}

/// What is understood: a question to the driver, or a reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Understood {
    /// `MAIL`
    Mail(ReversePath, Parameters),
    /// `RCPT`
    Recipient(ForwardPath, Option<Notify>, Option<OriginalRecipient>),
    /// `VRFY`
    Verify(ForwardPath),
    /// `DATA`, or a `BDAT` whose content is wanted.
    Content,
    /// `XREGISTER`, with a name and a token.
    Register(Option<String>, Option<String>),
    /// A login that goes on: what is said to it.
    Login,
    /// TLS is to begin.
    StartTls,
    /// A reply, by its code.
    Replied(u16),
    /// Nothing yet: the line has no end, or a chunk is awaited.
    Nothing,
}

/// An input is a choice of the moment and a line.
pub fn command_parser(input: &[u8]) {
    let ([moment], line) = parted(input);
    let moment = [Moment::Greeted, Moment::InTransaction, Moment::WithRecipient][usize::from(moment % 3)];
    let line = line.split(|octet| matches!(octet, b'\r' | b'\n')).next().unwrap_or_default();
    let understood = understand(moment, line);
    // A chunk is answered when its octets have come, even one that is not wanted.
    let is_chunk = line.get(..4).is_some_and(|verb| verb.eq_ignore_ascii_case(b"BDAT"));
    assert!(understood != Understood::Nothing || is_chunk, "a line that nobody answers");
    let shouted: Vec<u8> = match line.iter().position(|octet| *octet == b' ') {
        Some(end) => [&line[..end].to_ascii_uppercase(), &line[end..]].concat(),
        None => line.to_ascii_uppercase(),
    };
    assert_eq!(understand(moment, &shouted), understood, "verbs know no letter case");
    match &understood {
        Understood::Mail(path, parameters) => {
            assert_eq!(path.to_string().parse(), Ok(path.clone()));
            said_again(path, parameters);
        }
        Understood::Recipient(path, notify, original) => said_to_again(path, *notify, original.as_ref()),
        Understood::Verify(path) => {
            assert_eq!(address_of(path).map(|address| address.to_string().parse()), address_of(path).cloned().map(Ok));
        }
        _ => {}
    }
}

/// What a session understands of this line, which has no line end in it, at this moment.
pub fn understand(moment: Moment, line: &[u8]) -> Understood {
    let config = Config {
        hostname: hostname(),
        role: Role::Clients,
        starttls: true,
        reports: true,
        limits: Limits::default(),
        timeouts: Timeouts::default(),
    };
    let mut session = Session::<()>::new(Arc::new(config), Channel::Local, Instant::now());
    session.receive(b"EHLO client.example\r\n");
    if moment != Moment::Greeted {
        session.receive(b"MAIL FROM:<x@client.example> SMTPUTF8\r\n");
    }
    if moment == Moment::WithRecipient {
        session.receive(b"RCPT TO:<y@server.example>\r\n");
    }
    run(&mut session, true);
    session.receive(line);
    session.receive(b"\r\n");
    run(&mut session, false)
}

/// Runs a session until it needs more; with all said yes to, or until something is understood.
fn run(session: &mut Session<()>, says_yes: bool) -> Understood {
    let mut replied = Understood::Nothing;
    loop {
        let understood = match session.next(Instant::now()) {
            Step::NeedInput | Step::Close => return replied,
            Step::Poll | Step::Abandon | Step::Content(_) => continue,
            Step::Send(octets) => {
                replies::assert_lines(octets);
                let codes = replies::codes(octets);
                replied = Understood::Replied(*codes.last().expect("a reply"));
                if !says_yes {
                    assert_eq!(codes.len(), 1, "one reply for one command");
                }
                continue;
            }
            Step::Mail(ask) if says_yes => {
                ask.answer(Ok(()));
                continue;
            }
            Step::Recipient(ask) if says_yes => {
                ask.answer(Ok(()));
                continue;
            }
            Step::Mail(ask) => Understood::Mail(ask.question.reverse_path.clone(), ask.question.parameters.clone()),
            Step::Recipient(ask) => Understood::Recipient(
                ask.question.forward_path.clone(),
                ask.question.notify,
                ask.question.original.clone(),
            ),
            Step::Verify(ask) => Understood::Verify(ask.question.mailbox.clone()),
            Step::BeginData(_) => Understood::Content,
            Step::Register(ask) => Understood::Register(
                ask.question.name.as_ref().map(|name| name.as_str().to_owned()),
                ask.question.token.clone(),
            ),
            Step::LookUp(_) | Step::Authenticate(_) => Understood::Login,
            Step::StartTls(_) => Understood::StartTls,
            _ => panic!("nobody has an account here"),
        };
        return understood;
    }
}

fn address_of(path: &ForwardPath) -> Option<&Address> {
    match path {
        ForwardPath::Postmaster => None,
        ForwardPath::Address(address) => Some(address),
    }
}

/// What was understood of MAIL is understood again when it is said as our client says it.
fn said_again(path: &ReversePath, parameters: &Parameters) {
    let mut line = match path {
        ReversePath::Null => "MAIL FROM:<>".to_owned(),
        ReversePath::Address(address) => format!("MAIL FROM:<{address}>"),
    };
    if let Some(octets) = parameters.octets {
        line += &format!(" SIZE={octets}");
    }
    line += match parameters.body {
        Body::SevenBit => " BODY=7BIT",
        Body::EightBit => " BODY=8BITMIME",
        Body::Binary => " BODY=BINARYMIME",
    };
    if parameters.utf8 {
        line += " SMTPUTF8";
    }
    if let Some(give_back) = parameters.give_back {
        line += &format!(" RET={give_back}");
    }
    if let Some(id) = &parameters.envelope_id {
        assert!(!id.as_str().contains(char::is_control), "a control in {id:?}");
        line += &format!(" ENVID={id}");
    }
    let again = understand(Moment::Greeted, line.as_bytes());
    assert_eq!(again, Understood::Mail(path.clone(), parameters.clone()), "{line}");
}

/// The same for RCPT.
fn said_to_again(path: &ForwardPath, notify: Option<Notify>, original: Option<&OriginalRecipient>) {
    let mut line = match path {
        ForwardPath::Postmaster => "RCPT TO:<Postmaster>".to_owned(),
        ForwardPath::Address(address) => format!("RCPT TO:<{address}>"),
    };
    if let Some(notify) = notify {
        line += &format!(" NOTIFY={notify}");
    }
    if let Some(original) = original {
        assert!(!original.address().contains(char::is_control), "a control in {original:?}");
        // Encoded anew it may be longer than it came, and longer than may be said.
        let encoded = original.to_string();
        if encoded.len() <= proto::smtp::dsn::ORIGINAL_RECIPIENT_OCTETS_MAX {
            line += &format!(" ORCPT={encoded}");
        } else {
            return;
        }
    }
    let again = understand(Moment::InTransaction, line.as_bytes());
    assert_eq!(again, Understood::Recipient(path.clone(), notify, original.cloned()), "{line}");
}
