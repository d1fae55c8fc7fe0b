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
Standard output has exactly the lines for the program's file, or for its dialogue; standard
error says where they go. Some hold the password. Nothing is changed, and no server is asked.
Where mail is retrieved is what --pop3 or the account says. Without both it is port 1110 beside
SMTP's 2525, port 995 beside smtps://, and else port 110.

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
            Self::Mutt => mail_programs::mutt(setup)?,
            Self::Fetchmail => mail_programs::fetchmail(setup),
            Self::Getmail => mail_programs::getmail(setup)?,
            Self::Thunderbird => mail_programs::thunderbird(setup),
            Self::Smtplib => scripts::smtplib(setup),
            Self::Curl => scripts::curl(setup)?,
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

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::path::Path;

    use client::StoredAccount;

    use super::*;

    /// For each account and program: what is printed. The lines were tried with the programs.
    const EXPECTED: &str = include_str!("expected.txt");
    /// The certificate of 127.0.0.1:2525, as the client keeps it.
    const KNOWN: &str = include_str!("known-servers.toml");

    fn known() -> KnownServers {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(KNOWN.as_bytes()).unwrap();
        KnownServers::load(file.path()).unwrap()
    }

    fn account(server: &str) -> StoredAccount {
        let address = "alice@mymailserver".parse().unwrap();
        StoredAccount::new(address, server.parse().unwrap(), "vqk4-7t2m".into())
    }

    fn setup(account: &StoredAccount, pop3: Option<&str>) -> Result<Setup, Failure> {
        let pop3 = pop3.map(|pop3| pop3.parse().unwrap());
        Setup::new(account, pop3.as_ref(), &known(), Path::new("/home/alice/.config/mymail/accounts.toml"))
    }

    #[test]
    fn every_program_gets_its_lines() {
        let mut printed = String::new();
        let tunnel = Some("pop3://127.0.0.1:1111");
        for (title, server, pop3) in [
            ("a certificate that was trusted when first seen", "127.0.0.1:2525", None),
            ("an authority", "smtps://mail.example.org", None),
            ("in clear on this computer", "127.0.0.1:2526", tunnel),
            ("an authority, and in clear on this computer", "smtp://mail.example.org", tunnel),
        ] {
            let setup = setup(&account(server), pop3).unwrap();
            for program in Program::value_variants().iter().filter(|program| **program != Program::Certificate) {
                let lines = program.lines(&setup).unwrap_or_else(|failure| format!("refused: {failure}\n"));
                printed.push_str(&format!("======== {program:?}: {title}\n{lines}"));
            }
        }
        for (at, (line, expected)) in printed.lines().zip(EXPECTED.lines()).enumerate() {
            assert_eq!(line, expected, "line {}", at + 1);
        }
        assert_eq!(printed.len(), EXPECTED.len());
    }

    #[test]
    fn text_is_quoted_as_each_program_reads_it() {
        let password = r#"a b"c\d$e`f'#;"#;
        let setup = setup(&StoredAccount { password: password.into(), ..account("127.0.0.1:2525") }, None).unwrap();
        for (program, line) in [
            (Program::Msmtp, r#"password "a b"c\d$e`f'#;""#),
            (Program::Mpop, r#"password "a b"c\d$e`f'#;""#),
            (Program::Mutt, r#"set pop_pass = "a b\"c\\d\$e\`f'#;""#),
            (Program::Fetchmail, r#"    user "alice@mymailserver" password "a b\x22c\\d$e`f'#;""#),
            (Program::Getmail, r#"password = a b"c\d$e`f'#;"#),
            (Program::Smtplib, r#"    server.login("alice@mymailserver", "a b\"c\\d$e`f'#;")"#),
            (Program::Curl, r#"user = "alice@mymailserver:a b\"c\\d$e`f'#;""#),
            (Program::Swaks, r#"--auth-password a b"c\d$e`f'#;"#),
        ] {
            let lines = program.lines(&setup).unwrap();
            assert!(lines.lines().any(|found| found == line), "{line} is missing in\n{lines}");
        }
        assert!(!format!("{setup:?}").contains(password));
        let two_lines = StoredAccount { password: "a\nb".into(), ..account("127.0.0.1:2525") };
        assert!(super::tests::setup(&two_lines, None).is_err());
    }

    #[test]
    fn mail_is_retrieved_where_the_user_or_the_account_says_or_where_it_mostly_is() {
        let with_pop3 = |server| StoredAccount { pop3: "pop3s://pop.example".parse().ok(), ..account(server) };
        for (account, pop3, expected) in [
            (account("127.0.0.1:2525"), None, "127.0.0.1:1110 false"),
            (account("[2001:db8::1]:2525"), None, "[2001:db8::1]:1110 false"),
            (account("mail.example:25"), None, "mail.example:110 false"),
            (account("smtp://mail.example"), None, "mail.example:110 false"),
            (account("smtps://mail.example"), None, "mail.example:995 true"),
            (with_pop3("smtps://mail.example"), None, "pop.example:995 true"),
            (with_pop3("smtps://mail.example"), Some("pop3://b.example:1"), "b.example:1 false"),
        ] {
            let pop3 = setup(&account, pop3).unwrap().pop3;
            assert_eq!(format!("{} {}", pop3.endpoint(), pop3.is_implicit()), expected);
        }
        assert!(setup(&account("pop3s://mail.example"), None).is_err());
    }

    #[test]
    fn the_certificate_is_for_those_who_need_it() {
        let certificates = |server, pop3| setup(&account(server), pop3).unwrap().certificates();
        let pem = certificates("127.0.0.1:2525", None).unwrap();
        assert!(pem.starts_with("-----BEGIN CERTIFICATE-----\n") && KNOWN.contains(&pem), "{pem}");
        assert_eq!(certificates("smtps://mail.example", Some("pop3://127.0.0.1:2525")).unwrap(), pem);
        assert!(certificates("smtps://mail.example", None).is_err());
    }

    #[test]
    fn one_switch_for_both_servers_lets_none_in_clear_that_has_tls() {
        let lines = |program: Program, server, pop3| program.lines(&setup(&account(server), Some(pop3)).unwrap());
        for (program, on) in [(Program::Mutt, "\nset ssl_force_tls = yes\n"), (Program::Curl, "\nssl-reqd\n")] {
            for (server, pop3, is_on) in [
                ("smtp://mail.example", "pop3://mail.example", true),
                ("smtps://mail.example", "pop3://mail.example", true),
                ("smtp://mail.example", "pop3s://mail.example", true),
                ("127.0.0.1:2525", "pop3s://mail.example", true),
                ("smtps://mail.example", "pop3://127.0.0.1:1111", false),
                ("127.0.0.1:2526", "pop3s://mail.example", false),
                ("127.0.0.1:2526", "pop3://127.0.0.1:1111", false),
            ] {
                let lines = lines(program, server, pop3).unwrap();
                assert_eq!(lines.contains(on), is_on, "{server} {pop3}: {lines}");
            }
            for (server, pop3, cure) in [
                ("smtp://m.example", "pop3://[::1]:1111", "--server smtps://m.example --pop3 pop3://[::1]:1111"),
                ("127.0.0.1:2525", "pop3://127.0.0.2:1111", "--server smtps://127.0.0.1 --pop3 pop3://127.0.0.2:1111"),
                ("127.0.0.1:2526", "pop3://m.example", "--pop3 pop3s://m.example"),
            ] {
                let refusal = lines(program, server, pop3).unwrap_err().to_string();
                assert!(refusal.ends_with(cure), "{refusal}");
            }
        }
    }

    #[test]
    fn getmail_says_no_password_in_clear_over_a_network() {
        let lines = |pop3| Program::Getmail.lines(&setup(&account("mail.example:25"), Some(pop3)).unwrap());
        assert!(lines("pop3://mail.example").unwrap_err().to_string().contains("--pop3 pop3s://mail.example"));
        assert!(lines("pop3s://mail.example").unwrap().contains("SimplePOP3SSLRetriever"));
    }
}
