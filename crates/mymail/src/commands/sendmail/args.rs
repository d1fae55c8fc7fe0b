//! What programs write behind `sendmail`.

use clap::ArgAction;

use client::{EnvelopeId, Notify, Return};

use crate::client_options::ClientOptions;
use crate::commands::send::notify;

/// Send a message as programs hand it to sendmail
#[derive(Debug, clap::Args)]
#[command(
    override_usage = "mymail sendmail [OPTIONS] [RECIPIENTS]...",
    disable_help_flag = true,
    disable_version_flag = true,
    args_override_self = true,
    after_help = "\
Takes the options of sendmail that cron, git, PHP, mailx and others use, glued or apart; those
that say nothing here are passed over. A symbolic link to this program named sendmail does the same.
The message comes from standard input. It gets From, Date and Message-ID if it has none, and loses
Bcc. Recipients are those of the command line and, with -t, those of To, Cc and Bcc too (or of
Resent-To, Resent-Cc and Resent-Bcc, if there are any). A name without a domain is of the account's.
-N, -R and -V ask for reports, if the server offers them (DSN); the mail goes in any case.
Nothing is queued: when the server cannot be reached or has no time, the exit code is 75.

Examples:
  printf 'Subject: backup\\n\\nall done\\n' | mymail sendmail alice@mymailserver
  mymail sendmail -t < message.eml
  ln -s \"$(command -v mymail)\" /usr/local/sbin/sendmail
  git send-email --sendmail-cmd 'mymail sendmail -i' --to bob@example.org HEAD~1"
)]
pub(crate) struct Args {
    /// Recipients
    #[arg(value_name = "RECIPIENTS")]
    pub(super) recipients: Vec<String>,

    /// Take recipients from the message's To, Cc and Bcc as well
    #[arg(short = 't')]
    pub(super) recipients_from_header: bool,

    /// The sender: to whom reports go; the account of that address is used if you have it
    #[arg(short = 'f', short_alias = 'r', value_name = "ADDRESS")]
    pub(super) sender: Option<String>,

    /// The sender's name, for a message without a From
    #[arg(short = 'F', value_name = "NAME")]
    pub(super) name: Option<String>,

    /// When to report on each recipient: success, failure and delay, or never
    #[arg(short = 'N', value_name = "WHEN", value_parser = notify)]
    pub(super) notify: Option<Notify>,

    /// How much of the mail a report of failure gives back: full or hdrs
    #[arg(short = 'R', value_name = "HOW-MUCH", value_parser = ret)]
    pub(super) ret: Option<Return>,

    /// What the program knows this mail by, for the reports to repeat, in xtext (RFC 3461)
    #[arg(short = 'V', value_name = "ID", value_parser = envelope_id)]
    pub(super) envelope_id: Option<EnvelopeId>,

    /// A line with one dot does not end the message; -oi says the same
    #[arg(short = 'i')]
    ignores_dots: bool,

    /// Options of sendmail's own; only -oi means something here
    #[arg(short = 'o', value_name = "OPTION", action = ArgAction::Append)]
    settings: Vec<String>,

    /// -bm, to send a message, is the only mode
    #[arg(short = 'b', value_name = "MODE", value_parser = only_sending)]
    mode: Option<()>,

    /// There is no queue and no file of aliases
    #[arg(short = 'q', short_alias = 'I', num_args = 0..=1, default_missing_value = "", value_parser = no_queue, hide = true)]
    queue: Option<()>,

    /// Another configuration is not read
    #[arg(short = 'C', value_parser = no_configuration, hide = true)]
    configuration: Option<()>,

    /// They say nothing here, and programs pass them all the same
    #[arg(short = 'B', short_aliases = ['A', 'L', 'O', 'X', 'd', 'e', 'h', 'p'], action = ArgAction::Append)]
    #[arg(hide = true, allow_hyphen_values = true)]
    passed_over: Vec<String>,

    /// As those above
    #[arg(short = 'm', short_aliases = ['G', 'U', 'c', 'n'], action = ArgAction::Count, hide = true)]
    flags_passed_over: u8,

    /// Print help
    #[arg(long, action = ArgAction::Help)]
    help: Option<bool>,

    #[command(flatten)]
    pub(super) client: ClientOptions,
}

impl Args {
    /// Whether a line with one dot is one like any other.
    pub(super) fn ignores_dots(&self) -> bool {
        self.ignores_dots || self.settings.iter().any(|setting| setting == "i")
    }
}

fn ret(text: &str) -> Result<Return, &'static str> {
    text.parse().map_err(|_| "write full or hdrs")
}

fn envelope_id(text: &str) -> Result<EnvelopeId, &'static str> {
    text.parse()
        .map_err(|_| "it has up to 100 characters of printable ASCII without space, with +2B for + and +3D for =")
}

fn only_sending(mode: &str) -> Result<(), &'static str> {
    match mode {
        "m" => Ok(()),
        "s" => Err("this program does not speak SMTP on standard input; the account's server does"),
        "p" => Err("nothing is ever queued here, so there is no queue to show"),
        "v" => Err("addresses are verified by sending to them"),
        "d" | "D" => Err("`mymail serve` runs a server"),
        _ => Err("-bm, to send a message, is the only mode"),
    }
}

fn no_queue(_: &str) -> Result<(), &'static str> {
    Err("there is no queue and no file of aliases here: every mail is sent at once")
}

fn no_configuration(_: &str) -> Result<(), &'static str> {
    Err("another configuration is not read here; --account names an account")
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::{Cli, Command};

    fn parsed(arguments: &str) -> Result<Args, clap::Error> {
        // `_` stands for an empty argument.
        let words = arguments.split_whitespace().map(|word| if word == "_" { "" } else { word });
        match Cli::try_parse_from(["mymail", "sendmail"].into_iter().chain(words))?.command {
            Command::Sendmail(args) => Ok(args),
            other => panic!("{other:?}"),
        }
    }

    /// Recipients, sender, name; `t` for recipients from the header, `i` for dots that are ignored.
    fn meaning(arguments: &str) -> String {
        let args = parsed(arguments).unwrap_or_else(|error| panic!("{arguments}: {error}"));
        let flag = |letter, is_set| if is_set { letter } else { "-" };
        format!(
            "{} {} {} {}{}",
            args.recipients.join(","),
            args.sender.as_deref().unwrap_or("-"),
            args.name.as_deref().unwrap_or("-"),
            flag("t", args.recipients_from_header),
            flag("i", args.ignores_dots()),
        )
    }

    #[test]
    fn programs_are_understood_as_they_speak() {
        for (program, arguments, expected) in [
            ("cron of Debian", "-i -FCronDaemon -B8BITMIME -oem root", "root - CronDaemon -i"),
            ("cronie", "-FCronDaemon -i -odi -oem -oi -t -f root", " root CronDaemon ti"),
            ("git send-email", "-f a@x -i b@x c@x", "b@x,c@x a@x - -i"),
            ("git send-email", "-i -- b@x", "b@x - - -i"),
            ("PHP", "-t -i", " - - ti"),
            ("PHP with its fifth parameter", "-t -i -fme@x", " me@x - ti"),
            ("mailx", "-i -r me@x b@x", "b@x me@x - -i"),
            ("Python", "-t -oi", " - - ti"),
            ("at", "-i root", "root - - -i"),
            ("mutt", "-oem -oi -f me@x -- b@x", "b@x me@x - -i"),
            ("mutt with DSN", "-oem -oi -N failure -R hdrs -- b@x", "b@x - - -i"),
            ("logwatch", "-t", " - - t-"),
            ("flags in one", "-ti", " - - ti"),
            ("flags and a value in one", "-tifme@x", " me@x - ti"),
            ("options behind recipients", "b@x -i", "b@x - - -i"),
            ("twice", "-f a@x -f b@x -F A -F B c@x", "c@x b@x B --"),
            ("modes and what says nothing", "-bm -G -U -n -m -V id -L tag -X log -h 3 -e m -p SMTP b@x", "b@x - - --"),
            ("another client option", "--account alice --tls required b@x", "b@x - - --"),
            ("the null reverse-path", "-f <> b@x", "b@x <> - --"),
            ("the null reverse-path", "-f _ b@x", "b@x  - --"),
            ("an address that looks like an option", "-- -b@x", "-b@x - - --"),
        ] {
            assert_eq!(meaning(arguments), expected, "{program}");
        }
    }

    #[test]
    fn reports_are_asked_for_as_the_wire_has_it() {
        for (arguments, expected) in [
            ("b@x", "- - -"),
            ("-N failure -R hdrs -- b@x", "FAILURE HDRS -"),
            ("-Nsuccess,delay,failure -Rfull -VQQ+2B314 b@x", "SUCCESS,FAILURE,DELAY FULL QQ+2B314"),
            ("-N never b@x", "NEVER - -"),
            ("-N FAILURE -N success b@x", "SUCCESS - -"),
        ] {
            let args = parsed(arguments).unwrap();
            let word = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
            let (notify, ret) = (args.notify.map(|it| it.to_string()), args.ret.map(|it| it.to_string()));
            let id = args.envelope_id.map(|id| id.to_string());
            assert_eq!(format!("{} {} {}", word(notify), word(ret), word(id)), expected, "{arguments}");
        }
    }

    #[test]
    fn what_cannot_be_done_is_told() {
        for (arguments, reason) in [
            ("-bs", "does not speak SMTP"),
            ("-bp", "no queue to show"),
            ("-bd", "mymail serve"),
            ("-bv a@x", "verified by sending"),
            ("-bt", "the only mode"),
            ("-q", "no queue"),
            ("-q30m", "no queue"),
            ("-I", "no file of aliases"),
            ("-C other.cf a@x", "another configuration"),
            ("-Z", "unexpected argument"),
            ("-f", "a value is required"),
            ("-N success,never a@x", "success, failure, delay"),
            ("-N always a@x", "or never"),
            ("-R headers a@x", "full or hdrs"),
            ("-V a=b a@x", "+3D for ="),
            ("-V _ a@x", "printable ASCII"),
        ] {
            let error = parsed(arguments).unwrap_err();
            assert!(error.use_stderr() && error.to_string().contains(reason), "{arguments}: {error}");
        }
    }
}
