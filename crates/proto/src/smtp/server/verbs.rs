//! The verbs, in one table: what each is called, when it may come, and what handles it.

use super::core::{Core, Hello};
use super::handover::xretrieve;
use super::mail::{Envelope, data, mail, rcpt};
use super::starttls::starttls;
use super::{State, account, auth, extensions};
use crate::smtp::{Enhanced, Reply, replies};

struct Verb<R> {
    name: &'static str,
    form: &'static str,
    /// Whether its arguments may be UTF-8 (RFC 6531 §3.3).
    utf8: bool,
    /// Whether it must be the last of a pipelined group (RFC 2920 §3.1).
    ends_group: bool,
    run: Run<R>,
}

/// When a verb may come, and what handles it then.
enum Run<R> {
    /// Whenever a command may; a transaction goes on.
    Anytime(fn(&mut Core, &str)),
    /// Whenever a command may; ends a transaction, unless it is refused.
    Reset(fn(&mut Core, &str) -> Result<State<R>, Reply>),
    /// Outside a transaction.
    Outside(fn(&mut Core, &str) -> State<R>),
    /// Outside a transaction, from a client that is nobody yet.
    Stranger(fn(&mut Core, &str) -> State<R>),
    /// Outside a transaction, from a client with an account.
    Owner(fn(&mut Core, &str) -> State<R>),
    /// Inside a transaction.
    Inside(fn(&mut Core, Envelope<R>, &str) -> State<R>),
}

impl<R: 'static> Verb<R> {
    const TABLE: &'static [Self] = &[
        Self::new("HELO", "HELO [name]", Run::Reset(helo)).ends_group(),
        Self::new("EHLO", "EHLO name", Run::Reset(ehlo)).ends_group(),
        Self::new("MAIL", "MAIL FROM:<address> [SIZE=octets] [BODY=8BITMIME] [SMTPUTF8]", Run::Outside(mail)).utf8(),
        Self::new("RCPT", "RCPT TO:<address>", Run::Inside(rcpt)).utf8(),
        Self::new("DATA", "DATA", Run::Inside(data)).ends_group(),
        Self::new("RSET", "RSET", Run::Reset(rset)),
        Self::new("NOOP", "NOOP", Run::Anytime(noop)).ends_group(),
        Self::new("VRFY", "VRFY address", Run::Anytime(vrfy)).utf8().ends_group(),
        Self::new("EXPN", "EXPN list", Run::Anytime(expn)).utf8().ends_group(),
        Self::new("HELP", "HELP [verb]", Run::Anytime(help::<R>)),
        Self::new("QUIT", "QUIT", Run::Reset(quit)).ends_group(),
        Self::new("STARTTLS", "STARTTLS", Run::Outside(starttls)).ends_group(),
        Self::new("AUTH", "AUTH mechanism [initial-response]", Run::Stranger(auth::auth)).ends_group(),
        Self::new("XREGISTER", "XREGISTER [name] [TOKEN=token]", Run::Stranger(account::xregister)).ends_group(),
        Self::new("XPASSWD", "XPASSWD [VERIFIER=verifier]", Run::Owner(account::xpasswd)).ends_group(),
        Self::new("XUNREGISTER", "XUNREGISTER", Run::Owner(account::xunregister)).ends_group(),
        Self::new("XRETRIEVE", "XRETRIEVE [WAIT=seconds]", Run::Owner(xretrieve)).ends_group(),
    ];

    const fn new(name: &'static str, form: &'static str, run: Run<R>) -> Self {
        Self { name, form, utf8: false, ends_group: false, run }
    }

    const fn utf8(self) -> Self {
        Self { utf8: true, ..self }
    }

    const fn ends_group(self) -> Self {
        Self { ends_group: true, ..self }
    }

    fn find(name: &str) -> Option<&'static Self> {
        Self::TABLE.iter().find(|verb| verb.name.eq_ignore_ascii_case(name))
    }
}

/// The greeting, or its refusal where nobody may speak before it.
pub(super) fn greet<R>(core: &mut Core) -> State<R> {
    if core.config.from_outside && !core.flow.input.is_empty() {
        return out_of_turn(core);
    }
    core.reply(&Reply::new(220, None, format!("{} ESMTP Service Ready", core.config.hostname)));
    State::Command(None)
}

/// Runs one command line.
pub(super) fn command<R: 'static>(core: &mut Core, line: &[u8], transaction: Option<Envelope<R>>) -> State<R> {
    let (verb, args) = match parse(line) {
        Ok(parsed) => parsed,
        Err(reply) => {
            core.error(&reply);
            return State::Command(transaction);
        }
    };
    if verb.ends_group && core.config.from_outside && !core.flow.input.is_empty() {
        return out_of_turn(core);
    }
    match (&verb.run, transaction) {
        (Run::Anytime(run), transaction) => {
            run(core, args);
            State::Command(transaction)
        }
        (Run::Reset(run), transaction) => run(core, args).unwrap_or_else(|reply| {
            core.error(&reply);
            State::Command(transaction)
        }),
        (Run::Outside(run), None) => run(core, args),
        (Run::Stranger(run), None) if !core.bound => run(core, args),
        (Run::Owner(run), None) if core.bound => run(core, args),
        (Run::Inside(run), Some(envelope)) => run(core, envelope, args),
        (run, transaction) => {
            core.error(&match run {
                _ if transaction.is_some() => replies::IN_TRANSACTION,
                Run::Stranger(_) => replies::HAS_IDENTITY,
                Run::Owner(_) => replies::REGISTER_FIRST,
                _ => replies::MAIL_FIRST,
            });
            State::Command(transaction)
        }
    }
}

/// The verb and its arguments, without the spaces at their ends.
fn parse<R: 'static>(line: &[u8]) -> Result<(&'static Verb<R>, &str), Reply> {
    let name = &line[..line.iter().position(|octet| *octet == b' ').unwrap_or(line.len())];
    let verb = std::str::from_utf8(name).ok().and_then(Verb::find).ok_or(replies::UNRECOGNIZED)?;
    let args = std::str::from_utf8(&line[name.len()..]).map_err(|_| replies::BAD_CHARACTERS)?;
    if args.contains(char::is_control) || !(verb.utf8 || args.is_ascii()) {
        return Err(replies::BAD_CHARACTERS);
    }
    Ok((verb, args.trim_matches(' ')))
}

fn out_of_turn<R>(core: &mut Core) -> State<R> {
    core.reply(&replies::OUT_OF_TURN);
    State::Closing
}

/// `HELO [name]`; without a name it gets the texts of the requirement, word for word.
fn helo<R>(core: &mut Core, args: &str) -> Result<State<R>, Reply> {
    core.hello = Hello::Helo((!args.is_empty()).then(|| args.to_owned()));
    let text = if args.is_empty() { "OK".to_owned() } else { core.config.hostname.to_string() };
    core.reply(&Reply::new(250, None, text));
    Ok(State::Command(None))
}

fn ehlo<R>(core: &mut Core, args: &str) -> Result<State<R>, Reply> {
    if args.is_empty() {
        return Err(replies::syntax("EHLO name"));
    }
    let list = extensions::list(core);
    core.reply(&Reply::new(250, None, list));
    core.hello = Hello::Ehlo(args.to_owned());
    Ok(State::Command(None))
}

fn rset<R>(core: &mut Core, args: &str) -> Result<State<R>, Reply> {
    if !args.is_empty() {
        return Err(replies::NO_ARGUMENT_ALLOWED);
    }
    core.reply(&replies::OK);
    Ok(State::Command(None))
}

fn noop(core: &mut Core, _: &str) {
    core.reply(&replies::OK);
}

/// Answers as RFC 5321 §7.3 allows a server that does not tell strangers who its users are.
fn vrfy(core: &mut Core, args: &str) {
    if args.is_empty() { core.error(&replies::syntax("VRFY address")) } else { core.reply(&replies::CANNOT_VERIFY) }
}

fn expn(core: &mut Core, _: &str) {
    core.reply(&replies::NO_EXPN);
}

fn help<R: 'static>(core: &mut Core, args: &str) {
    let text = match (args, Verb::<R>::find(args)) {
        ("", _) => {
            let names: Vec<&str> = Verb::<R>::TABLE.iter().map(|verb| verb.name).collect();
            format!("Commands: {}\nHELP verb tells the form of one", names.join(" "))
        }
        (_, Some(verb)) => format!("Form: {}", verb.form),
        (_, None) => return core.error(&replies::UNRECOGNIZED),
    };
    core.reply(&Reply::new(214, Some(Enhanced(2, 0, 0)), text));
}

fn quit<R>(core: &mut Core, args: &str) -> Result<State<R>, Reply> {
    if !args.is_empty() {
        return Err(replies::NO_ARGUMENT_ALLOWED);
    }
    core.reply(&Reply::new(221, Some(Enhanced(2, 0, 0)), format!("{} Connection Closed", core.config.hostname)));
    Ok(State::Closing)
}
