//! `mymail config-for`: what another mail program needs to use an account, ready to paste.

mod mail_programs;
mod scripts;
mod setup;

use clap::ValueEnum;
use client::{KnownServers, ServerAddress};
use serde::Serialize;

use crate::client_options::{ClientOptions, accounts_path, pop3_server};
use crate::exit::{Exit, Failure};
use crate::output::note;
use setup::Setup;

/// Print what another mail program needs to use your account
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Standard output has exactly the lines for the program's file, or for its dialogue; standard error says
where they go. Some hold the password. Nothing is changed, and no server is asked.
Where mail is retrieved is what the account says, or --pop3. Without both it is port 1110 beside SMTP's
2525, port 995 beside smtps://, and else port 110.

Examples:
  mymail config-for msmtp >> ~/.msmtprc
  mymail config-for mutt --account alice@mymailserver
  mymail config-for thunderbird
  mymail config-for fetchmail --pop3 pop3s://mail.example.org")]
pub(crate) struct Args {
    /// The program
    #[arg(value_enum)]
    program: Program,

    /// Where mail is retrieved: pop3s://HOST or pop3://HOST
    #[arg(long, value_name = "URL", value_parser = pop3_server)]
    pop3: Option<ServerAddress>,

    #[command(flatten)]
    client: ClientOptions,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
enum Program {
    /// Sends mail for other programs
    Msmtp,
    /// Retrieves mail into a file
    Mpop,
    /// Mutt and NeoMutt
    Mutt,
    /// Retrieves mail for this computer's users
    Fetchmail,
    /// Retrieves mail into a Maildir
    Getmail,
    /// The values for its dialogue
    Thunderbird,
    /// Python's smtplib
    Smtplib,
    /// Sends and retrieves single mails
    Curl,
    /// Tests servers
    Swaks,
    /// The server's certificate, for programs that want it in a file
    Certificate,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<Exit> {
    #[derive(Serialize)]
    struct Configuration<'a> {
        program: Program,
        place: &'a str,
        text: &'a str,
    }
    let account = args.client.account()?;
    let known = KnownServers::load(&KnownServers::default_path()?)?;
    let setup = Setup::new(&account, args.pop3.as_ref(), &known, &accounts_path()?)?;
    let text = args.program.lines(&setup)?;
    let place = args.program.place();
    args.client.results().print(text.trim_end(), &Configuration { program: args.program, place, text: &text })?;
    args.program.tell(&setup, &text);
    Ok(Exit::Done)
}

impl Program {
    fn lines(self, setup: &Setup) -> Result<String, Failure> {
        Ok(match self {
            Self::Msmtp => mail_programs::msmtp(setup),
            Self::Mpop => mail_programs::mpop(setup),
            Self::Mutt => mail_programs::mutt(setup),
            Self::Fetchmail => mail_programs::fetchmail(setup),
            Self::Getmail => mail_programs::getmail(setup)?,
            Self::Thunderbird => mail_programs::thunderbird(setup),
            Self::Smtplib => scripts::smtplib(setup),
            Self::Curl => scripts::curl(setup),
            Self::Swaks => scripts::swaks(setup),
            Self::Certificate => setup.certificates()?,
        })
    }

    /// Where the lines go.
    fn place(self) -> &'static str {
        match self {
            Self::Msmtp => "~/.msmtprc",
            Self::Mpop => "~/.mpoprc",
            Self::Mutt => "~/.muttrc, or ~/.neomuttrc",
            Self::Fetchmail => "~/.fetchmailrc",
            Self::Getmail => "~/.config/getmail/getmailrc",
            Self::Thunderbird => "Account Settings, New Account, Configure manually",
            Self::Smtplib => "a script",
            Self::Curl => "~/.config/mymail/curlrc",
            Self::Swaks => "~/.swaksrc",
            Self::Certificate => "a file",
        }
    }

    /// Says what to do with the lines.
    fn tell(self, setup: &Setup, text: &str) {
        let place = self.place();
        match self {
            Self::Certificate => {}
            Self::Thunderbird => note(&format!("these go into {place}; the password is asked for there")),
            Self::Smtplib => note("the script holds the password: nobody else should be able to read it (chmod 600)"),
            _ => {
                note(&format!("these go into {place}; they hold the password: nobody else should read it (chmod 600)"))
            }
        }
        if self == Self::Getmail && !setup.pop3.is_implicit() {
            note("getmail does not encrypt this connection, which does not leave this computer: it cannot do STLS");
        }
        let file = setup.certificate_file();
        if text.contains(file) {
            note(&format!("they need the server's certificate: mymail config-for certificate > '{file}'"));
        }
    }
}
