//! The verbs, in one table: what each is called, when it may come, and what handles it.

use std::time::Instant;

use super::config::Role;
use super::content::{bdat, data};
use super::core::{Core, Hello};
use super::handover::xretrieve;
use super::mail::{Envelope, Transaction, mail, rcpt};
use super::starttls::starttls;
use super::verify::vrfy;
use super::{State, account, auth, extensions};
use crate::smtp::{Enhanced, Reply, replies};

struct Verb<R> {
    name: &'static str,
    form: &'static str,
    /// What it does, in a sentence.
    about: &'static str,
    spoken: Spoken,
    /// Whether its arguments may be UTF-8 (RFC 6531 §3.3).
    utf8: bool,
    /// Whether it must be the last of a pipelined group (RFC 2920 §3.1).
    ends_group: bool,
    run: Run<R>,
}

/// Which listeners know a verb.
#[derive(Clone, Copy)]
enum Spoken {
    /// All.
    Everywhere,
    /// Those of LMTP (RFC 2033 §4.1).
    OverLmtp,
    /// All others.
    OverSmtp,
    /// Those where clients register.
    WhereClientsRegister,
}

impl Spoken {
    fn at(self, role: Role) -> bool {
        match self {
            Self::Everywhere => true,
            Self::OverLmtp => role == Role::Lmtp,
            Self::OverSmtp => role != Role::Lmtp,
            Self::WhereClientsRegister => matches!(role, Role::Clients | Role::Exchanger),
        }
    }
}

type Chunk<R> = fn(&mut Core, Option<Transaction<R>>, &str, Instant) -> State<R>;

/// When a verb may come, and what handles it then.
enum Run<R> {
    /// Whenever a command may; a transaction goes on.
    Anytime(fn(&mut Core, &str)),
    /// Whenever a command may; a transaction goes on, once its question is answered.
    Query(fn(&mut Core, Option<Transaction<R>>, &str) -> State<R>),
    /// Whenever a command may; ends a transaction, unless it is refused.
    Reset(fn(&mut Core, &str) -> Result<State<R>, Reply>),
    /// Outside a transaction.
    Outside(fn(&mut Core, &str) -> State<R>),
    /// Outside a transaction, from a client that is nobody yet.
    Stranger(fn(&mut Core, &str) -> State<R>),
    /// Outside a transaction, from a client with an account.
    Owner(fn(&mut Core, &str) -> State<R>),
    /// While the envelope grows.
    Inside(fn(&mut Core, Box<Envelope<R>>, &str) -> State<R>),
    /// Whenever a command may: content follows.
    Chunk(Chunk<R>),
}

impl<R: 'static> Verb<R> {
    const TABLE: &'static [Self] = &[
        Self::new("HELO", "HELO [name]", Run::Reset(helo)).ends_group().over(Spoken::OverSmtp).about("Says hello."),
        Self::new("EHLO", "EHLO name", Run::Reset(ehlo))
            .ends_group()
            .over(Spoken::OverSmtp)
            .about("Says hello, and asks what the server offers."),
        Self::new("LHLO", "LHLO name", Run::Reset(lhlo))
            .ends_group()
            .over(Spoken::OverLmtp)
            .about("Says hello, and asks what the server offers."),
        Self::new("MAIL", MAIL_FORM, Run::Outside(mail))
            .utf8()
            .about("Begins a message, and says where it comes from."),
        Self::new("RCPT", "RCPT TO:<address> [NOTIFY=when] [ORCPT=type;address]", Run::Inside(rcpt))
            .utf8()
            .about("Names a recipient; once for each."),
        Self::new("DATA", "DATA", Run::Inside(data))
            .ends_group()
            .about("The message follows the reply, ended by a line with one dot."),
        Self::new("BDAT", "BDAT octets [LAST]", Run::Chunk(bdat))
            .about("So many octets of the message follow at once; LAST says that they are the last."),
        Self::new("RSET", "RSET", Run::Reset(rset)).about("Forgets the message that was begun."),
        Self::new("NOOP", "NOOP", Run::Anytime(noop)).ends_group().about("Does nothing."),
        Self::new("VRFY", "VRFY address", Run::Query(vrfy))
            .utf8()
            .ends_group()
            .about("Asks whether there is such an address; those with an account are told."),
        Self::new("EXPN", "EXPN list", Run::Anytime(expn)).utf8().ends_group().about("Is not available."),
        Self::new("HELP", "HELP [verb]", Run::Anytime(help::<R>)).about("Tells the commands, or about one of them."),
        Self::new("QUIT", "QUIT", Run::Reset(quit)).ends_group().about("Says goodbye, and ends the connection."),
        Self::new("STARTTLS", "STARTTLS", Run::Outside(starttls)).ends_group().about("Encrypts the connection."),
        Self::new("AUTH", "AUTH mechanism [initial-response]", Run::Stranger(auth::auth))
            .ends_group()
            .over(Spoken::OverSmtp)
            .about("Logs in with address and password."),
        Self::new("XREGISTER", "XREGISTER [name] [TOKEN=token]", Run::Stranger(account::xregister))
            .utf8()
            .ends_group()
            .over(Spoken::WhereClientsRegister)
            .about("Gives you an address: this connection's number, or the name you ask for."),
        Self::new("XPASSWD", "XPASSWD [VERIFIER=verifier]", Run::Owner(account::xpasswd))
            .ends_group()
            .over(Spoken::WhereClientsRegister)
            .about("Gives you a password, so that your address outlives this connection."),
        Self::new("XUNREGISTER", "XUNREGISTER", Run::Owner(account::xunregister))
            .ends_group()
            .over(Spoken::WhereClientsRegister)
            .about("Deletes your address and its mail."),
        Self::new("XRETRIEVE", "XRETRIEVE [WAIT=seconds]", Run::Owner(xretrieve))
            .ends_group()
            .over(Spoken::WhereClientsRegister)
            .about("Hands over all your mail; your next command removes it from the server."),
    ];

    const fn new(name: &'static str, form: &'static str, run: Run<R>) -> Self {
        Self { name, form, about: "", spoken: Spoken::Everywhere, utf8: false, ends_group: false, run }
    }

    const fn about(self, about: &'static str) -> Self {
        Self { about, ..self }
    }

    const fn over(self, spoken: Spoken) -> Self {
        Self { spoken, ..self }
    }

    const fn utf8(self) -> Self {
        Self { utf8: true, ..self }
    }

    const fn ends_group(self) -> Self {
        Self { ends_group: true, ..self }
    }

    /// The verbs that such a listener knows.
    fn known_to(role: Role) -> impl Iterator<Item = &'static Self> {
        Self::TABLE.iter().filter(move |verb| verb.spoken.at(role))
    }

    fn find(role: Role, name: &str) -> Option<&'static Self> {
        Self::known_to(role).find(|verb| verb.name.eq_ignore_ascii_case(name))
    }
}

const MAIL_FORM: &str =
    "MAIL FROM:<address> [SIZE=octets] [BODY=7BIT|8BITMIME|BINARYMIME] [SMTPUTF8] [RET=FULL|HDRS] [ENVID=id]";

/// The greeting, or its refusal where nobody may speak before it.
pub(super) fn greet<R>(core: &mut Core) -> State<R> {
    if core.config.role.is_strict() && !core.flow.input.is_empty() {
        return out_of_turn(core);
    }
    let protocol = if core.config.role == Role::Lmtp { "LMTP" } else { "ESMTP" };
    core.reply(&Reply::new(220, None, format!("{} {protocol} Service Ready", core.config.hostname)));
    State::Command(None)
}

/// Runs one command line.
pub(super) fn command<R: 'static>(
    core: &mut Core,
    line: &[u8],
    transaction: Option<Transaction<R>>,
    now: Instant,
) -> State<R> {
    let (verb, args) = match parse(core.config.role, line) {
        Ok(parsed) => parsed,
        Err(reply) => {
            core.error(&reply);
            return if announces_chunk(line) { State::Closing } else { State::Command(transaction) };
        }
    };
    if verb.ends_group && core.config.role.is_strict() && !core.flow.input.is_empty() {
        return out_of_turn(core);
    }
    match (&verb.run, transaction) {
        (Run::Anytime(run), transaction) => {
            run(core, args);
            State::Command(transaction)
        }
        (Run::Query(run), transaction) => run(core, transaction, args),
        (Run::Chunk(run), transaction) => run(core, transaction, args, now),
        (Run::Reset(run), transaction) => run(core, args).unwrap_or_else(|reply| {
            core.error(&reply);
            State::Command(transaction)
        }),
        (Run::Outside(run), None) => run(core, args),
        (Run::Stranger(run), None) if !core.bound => run(core, args),
        (Run::Owner(run), None) if core.bound => run(core, args),
        (Run::Inside(run), Some(Transaction::Envelope(envelope))) => run(core, envelope, args),
        (run, transaction) => {
            core.error(&match run {
                Run::Inside(_) if transaction.is_some() => replies::BETWEEN_CHUNKS,
                _ if transaction.is_some() => replies::IN_TRANSACTION,
                Run::Stranger(_) => replies::HAS_IDENTITY,
                Run::Owner(_) => replies::REGISTER_FIRST,
                _ => replies::MAIL_FIRST,
            });
            State::Command(transaction)
        }
    }
}

/// Whether a line that is not understood may announce octets that are no commands. Nobody knows how many, so nobody knows where
/// the next command begins.
pub(super) fn announces_chunk(line: &[u8]) -> bool {
    let is_bdat = line.get(..4).is_some_and(|verb| verb.eq_ignore_ascii_case(b"BDAT"));
    is_bdat && !line.get(4).is_some_and(u8::is_ascii_alphanumeric)
}

/// The verb and its arguments, without the spaces at their ends.
fn parse<R: 'static>(role: Role, line: &[u8]) -> Result<(&'static Verb<R>, &str), Reply> {
    let name = &line[..line.iter().position(|octet| *octet == b' ').unwrap_or(line.len())];
    let verb = std::str::from_utf8(name).ok().and_then(|name| Verb::find(role, name)).ok_or(replies::UNRECOGNIZED)?;
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
    hello(core, args, "EHLO name", Hello::Ehlo)
}

fn lhlo<R>(core: &mut Core, args: &str) -> Result<State<R>, Reply> {
    hello(core, args, "LHLO name", Hello::Lhlo)
}

fn hello<R>(core: &mut Core, name: &str, form: &str, hello: fn(String) -> Hello) -> Result<State<R>, Reply> {
    if name.is_empty() {
        return Err(replies::syntax(form));
    }
    let list = extensions::list(core);
    core.reply(&Reply::new(250, None, list));
    core.hello = hello(name.to_owned());
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

fn expn(core: &mut Core, _: &str) {
    core.reply(&replies::NO_EXPN);
}

fn help<R: 'static>(core: &mut Core, args: &str) {
    let role = core.config.role;
    let text = match (args, Verb::<R>::find(role, args)) {
        ("", _) => {
            let names: Vec<&str> = Verb::<R>::known_to(role).map(|verb| verb.name).collect();
            format!("Commands: {}\nHELP verb tells about one of them", names.join(" "))
        }
        (_, Some(verb)) => format!("Form: {}\n{}", verb.form, verb.about),
        (_, None) => return core.error(&replies::NO_SUCH_TOPIC),
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
