//! The verbs, in one table: what each is called, when it may come, and what handles it.

use super::core::Core;
use super::login::{Authorization, auth, pass, refuse, user};
use super::maildrop::{Maildrop, Message, dele, noop, rset, stat};
use super::message::{retr, top};
use super::stls::stls;
use super::{Stage, State, capabilities, listing, update};
use crate::pop3::{Response, responses};

struct Verb<M> {
    name: &'static str,
    /// What its arguments may be.
    arguments: Arguments,
    run: Run<M>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Arguments {
    /// ASCII; spaces around them are none of them.
    Ascii,
    /// The same, with UTF-8 (RFC 6856 §2.2).
    Utf8,
    /// UTF-8, in which every space counts.
    Verbatim,
}

/// When a verb may come, and what handles it then.
enum Run<M> {
    /// Whenever a command may.
    Anytime(fn(&mut Core, Stage<M>, &str) -> State<M>),
    /// Before the login.
    Before(fn(&mut Core, Authorization, &str) -> State<M>),
    /// Behind the login.
    Behind(fn(&mut Core, Maildrop<M>, &str) -> State<M>),
}

impl<M: Message> Verb<M> {
    const TABLE: &'static [Self] = &[
        Self::new("CAPA", Arguments::Ascii, Run::Anytime(capabilities::capa)),
        Self::new("QUIT", Arguments::Ascii, Run::Anytime(update::quit)),
        Self::new("STLS", Arguments::Ascii, Run::Before(stls)),
        Self::new("UTF8", Arguments::Ascii, Run::Before(utf8)),
        Self::new("USER", Arguments::Utf8, Run::Before(user)),
        Self::new("PASS", Arguments::Verbatim, Run::Before(pass)),
        Self::new("AUTH", Arguments::Ascii, Run::Before(auth)),
        Self::new("STAT", Arguments::Ascii, Run::Behind(stat)),
        Self::new("LIST", Arguments::Ascii, Run::Behind(listing::list)),
        Self::new("UIDL", Arguments::Ascii, Run::Behind(listing::uidl)),
        Self::new("RETR", Arguments::Ascii, Run::Behind(retr)),
        Self::new("TOP", Arguments::Ascii, Run::Behind(top)),
        Self::new("DELE", Arguments::Ascii, Run::Behind(dele)),
        Self::new("NOOP", Arguments::Ascii, Run::Behind(noop)),
        Self::new("RSET", Arguments::Ascii, Run::Behind(rset)),
    ];

    const fn new(name: &'static str, arguments: Arguments, run: Run<M>) -> Self {
        Self { name, arguments, run }
    }

    fn find(name: &str) -> Option<&'static Self> {
        Self::TABLE.iter().find(|verb| verb.name.eq_ignore_ascii_case(name))
    }
}

/// Runs one command line.
pub(super) fn command<M: Message>(core: &mut Core, line: &[u8], stage: Stage<M>) -> State<M> {
    let (verb, args) = match parse(line) {
        Ok(parsed) => parsed,
        Err(response) => {
            core.error(&response);
            return State::Command(stage);
        }
    };
    match (&verb.run, stage) {
        (Run::Anytime(run), stage) => run(core, stage, args),
        (Run::Before(run), Stage::Authorization(authorization)) => run(core, authorization, args),
        (Run::Behind(run), Stage::Transaction(maildrop)) => run(core, maildrop, args),
        (Run::Before(_), Stage::Transaction(maildrop)) => maildrop.refuse(core, &responses::LOGGED_IN_ALREADY),
        (Run::Behind(_), Stage::Authorization(authorization)) => refuse(core, authorization, &responses::LOG_IN_FIRST),
    }
}

/// The verb and its arguments.
fn parse<M: Message>(line: &[u8]) -> Result<(&'static Verb<M>, &str), Response> {
    let name = &line[..line.iter().position(|octet| *octet == b' ').unwrap_or(line.len())];
    let verb = std::str::from_utf8(name).ok().and_then(Verb::find).ok_or(responses::UNRECOGNIZED)?;
    let args = std::str::from_utf8(&line[name.len()..]).map_err(|_| responses::BAD_CHARACTERS)?;
    if args.contains(char::is_control) || (verb.arguments == Arguments::Ascii && !args.is_ascii()) {
        return Err(responses::BAD_CHARACTERS);
    }
    Ok(match verb.arguments {
        Arguments::Verbatim => (verb, args.strip_prefix(' ').unwrap_or(args)),
        Arguments::Ascii | Arguments::Utf8 => (verb, args.trim_matches(' ')),
    })
}

/// `UTF8` (RFC 6856 §2.1). Messages go out as they are in either mode, so there is nothing to switch.
fn utf8<M>(core: &mut Core, authorization: Authorization, args: &str) -> State<M> {
    if !args.is_empty() {
        return refuse(core, authorization, &responses::NO_ARGUMENT_ALLOWED);
    }
    core.respond(&responses::UTF8_IS_ON);
    State::Command(Stage::Authorization(authorization))
}
