//! The client's dialogues of SMTP: `client_dialogues/*.txt`. `testkit::Script` says how they are written and run.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that can't go on must fail")]

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use proto::sasl::plain::Credentials;
use proto::sasl::{self, Bindings, Channel, Mechanism};
use proto::smtp::Reply;
use proto::smtp::client::{
    Ask, Begun, Content, Delivery, Envelope, Event, Failure, Message, Opening, Outcome, Reports, Retrieval, Session,
};
use testkit::Script;

#[test]
fn every_dialogue_is_held_whatever_the_split() {
    Script::hold_all_in(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/client_dialogues"), hold);
}

fn hold(script: &mut Script) -> Result<(), Failure> {
    let opening = Opening::new("client.example".parse().unwrap(), None);
    let mut session = match script.run(opening)? {
        Ok(session) => session,
        Err(refusal) => {
            script.outcome(&format!("refused {refusal}"));
            return Ok(());
        }
    };
    while let Some(action) = script.action() {
        let words: Vec<&str> = action.split(' ').collect();
        session = match words[..] {
            ["register"] => ask(script, session.register(None, None), |address| address.to_string())?,
            ["register", name] => {
                ask(script, session.register(Some(&name.parse().unwrap()), None), |address| address.to_string())?
            }
            ["register", name, token] => {
                let (name, token) = (name.parse().unwrap(), token.parse().unwrap());
                ask(script, session.register(Some(&name), Some(&token)), |address| address.to_string())?
            }
            ["password"] => ask(script, session.issue_password(), |password| password)?,
            ["unregister"] => ask(script, session.unregister(), |()| "done".into())?,
            ["starttls"] => match starttls(script, session)? {
                Some(session) => session,
                None => return Ok(()),
            },
            ["login", user, password] => log_in(script, session, &Channel::Local, user, password)?,
            ["login", user, password, "over", "tls"] => log_in(script, session, &encrypted(), user, password)?,
            ["noop"] => ask(script, session.noop(), |()| "done".into())?,
            ["quit"] => ask(script, session.quit(), |()| "done".into())?,
            ["send", from, "to", ref rest @ ..] => {
                let (recipients, wishes) = rest.split_first().unwrap_or((&"", &[]));
                match send(script, session, from, recipients, wishes)? {
                    Some(session) => session,
                    None => return Ok(()),
                }
            }
            ["retrieve"] => retrieve(script, session, None)?,
            ["retrieve", wait] => retrieve(script, session, Some(Duration::from_secs(wait.parse().unwrap())))?,
            _ => panic!("{}: unknown action", script.place()),
        };
    }
    Ok(())
}

/// `None` if there is no session under TLS.
fn starttls(script: &mut Script, session: Session) -> Result<Option<Session>, Failure> {
    let (session, answer) = script.run(session.starttls())?;
    if let Err(refusal) = answer {
        script.outcome(&format!("refused {refusal}"));
        return Ok(Some(session));
    }
    script.outcome("encrypted");
    let opening = Opening::after_tls(session, "client.example".parse().unwrap())?;
    let opened = script.run(opening)?;
    Ok(opened.map_err(|refusal| script.outcome(&format!("refused {refusal}"))).ok())
}

fn log_in(
    script: &mut Script,
    session: Session,
    channel: &Channel,
    user: &str,
    password: &str,
) -> Result<Session, Failure> {
    let credentials = Credentials { user: user.into(), password: password.into() };
    let offers = |it: Mechanism| session.extensions().has_mechanism(it.name());
    match sasl::client::Exchange::begin(&credentials, channel, offers, NONCE) {
        Some(exchange) => {
            let (session, answer) = script.run(session.log_in(exchange))?;
            script.outcome(&answer.map_or_else(|refusal| format!("refused {refusal}"), |()| "done".into()));
            Ok(session)
        }
        None => {
            script.outcome("no mechanism");
            Ok(session)
        }
    }
}

/// The client's nonce in the example of RFC 7677 §3.
const NONCE: &str = "rOprNGfwEbeRWgbNEkqO";

fn encrypted() -> Channel {
    Channel::Tls(Arc::new(Bindings { exporter: Some([1; 32]), server_end_point: Some(vec![2; 32]) }))
}

/// `None` if the message was refused on its way: there is no session any more.
fn send(
    script: &mut Script,
    session: Session,
    from: &str,
    recipients: &str,
    wishes: &[&str],
) -> Result<Option<Session>, Failure> {
    let body = script.message();
    let recipients = recipients.split(',').filter(|text| !text.is_empty()).map(|text| text.parse().unwrap()).collect();
    let reverse_path = from.parse().unwrap();
    let mut envelope = Envelope { reverse_path, recipients, reports: Reports::default() };
    let mut message = Message { octets: body.len() as u64, eight_bit: !body.is_ascii(), utf8: false };
    for wish in wishes {
        match wish.split_once('=') {
            Some(("notify", notify)) => envelope.reports.notify = Some(notify.parse().unwrap()),
            Some(("ret", ret)) => envelope.reports.ret = Some(ret.parse().unwrap()),
            Some(("envid", id)) => envelope.reports.envelope_id = Some(id.parse().unwrap()),
            // A message that is not as long as is said.
            Some(("octets", octets)) => message.octets = octets.parse().unwrap(),
            None if *wish == "utf8" => message.utf8 = true,
            _ => panic!("{}: unknown wish {wish}", script.place()),
        }
    }
    let ending = match script.run(session.transaction(envelope, message))? {
        Begun::Ending(ending) => ending,
        Begun::Content(mut content) => {
            let chunk_octets = script.chunk_octets;
            let lines = body.split_inclusive(|octet| *octet == b'\n');
            for piece in lines.flat_map(|line| line.chunks(chunk_octets)) {
                content.write(piece)?;
                if let Some(refusal) = exchange_content(script, &mut content)? {
                    tell(script, content.refused(refusal));
                    return Ok(None);
                }
            }
            content.finish()?
        }
    };
    let (session, delivery) = script.run(ending)?;
    tell(script, delivery);
    Ok(Some(session))
}

fn tell(script: &mut Script, delivery: Delivery) {
    for (address, reply) in delivery.recipients {
        script.outcome(&reply.map_or_else(|| format!("{address} left over"), |reply| format!("{address} {reply}")));
    }
    script.outcome(&match delivery.outcome {
        Outcome::Accepted(reply) => format!("accepted {reply}"),
        Outcome::Refused(reply) => format!("refused {reply}"),
        Outcome::SenderRefused(reply) => format!("sender refused {reply}"),
        Outcome::NoRecipients => "no recipients".into(),
    });
}

fn retrieve(script: &mut Script, session: Session, wait: Option<Duration>) -> Result<Session, Failure> {
    let mut retrieval = match script.run(session.retrieve(wait))? {
        Ok(retrieval) => retrieval,
        Err((session, refusal)) => {
            script.outcome(&format!("refused {refusal}"));
            return Ok(session);
        }
    };
    script.outcome(&format!("count {}", retrieval.count()));
    read_all(script, &mut retrieval)?;
    let confirmation = retrieval.confirm().expect("all was read");
    ask(script, confirmation, |()| "confirmed".into())
}

fn read_all(script: &mut Script, retrieval: &mut Retrieval) -> Result<(), Failure> {
    let mut message = Vec::new();
    loop {
        match retrieval.next_event()? {
            Event::Message(block) => script.outcome(&format!("from {} to {}", block.from, block.to)),
            Event::Content(octets) => message.extend_from_slice(&octets),
            Event::MessageEnd => {
                let text = String::from_utf8(std::mem::take(&mut message)).unwrap();
                text.split_terminator("\r\n").for_each(|line| script.outcome(&format!("| {line}")));
                assert!(text.is_empty() || text.ends_with("\r\n"), "{}", script.place());
            }
            Event::End => return Ok(()),
            Event::NeedInput => script.exchange(retrieval.wire()),
        }
    }
}

/// What comes of a command that has one reply.
fn ask<T>(script: &mut Script, ask: Ask<T>, meaning: impl Fn(T) -> String) -> Result<Session, Failure> {
    let (session, answer): (_, Result<_, Reply>) = script.run(ask)?;
    script.outcome(&answer.map_or_else(|refusal| format!("refused {refusal}"), meaning));
    Ok(session)
}

fn exchange_content(script: &mut Script, content: &mut Content) -> Result<Option<Reply>, Failure> {
    script.hear(content.wire());
    while script.has_more() {
        script.exchange(content.wire());
        if let Some(refusal) = content.listen()? {
            return Ok(Some(refusal));
        }
    }
    Ok(None)
}
