//! Accounts on our server, and what is done with them before and after a program has its turn: raw SMTP and POP3 in clear.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;

use anyhow::{Context, ensure};

use crate::letter::{with_crlf, with_lf};
use crate::server::Ports;
use crate::until::PATIENCE;

/// An account with a password.
pub(crate) struct Account {
    pub(crate) address: String,
    pub(crate) password: String,
}

impl Account {
    /// Registers it by name.
    pub(crate) fn register(ports: Ports, name: &str) -> anyhow::Result<Self> {
        let mut smtp = Dialogue::smtp(ports.smtp)?;
        let address = last_word(&smtp.say(&format!("XREGISTER {name}"), "250 ")?);
        let password = last_word(&smtp.say("XPASSWD", "250 ")?);
        smtp.say("QUIT", "221 ")?;
        Ok(Self { address, password })
    }

    /// The user name that the programs log in with.
    pub(crate) fn name(&self) -> &str {
        self.address.split('@').next().unwrap()
    }

    /// Sends itself a message. Lines end in LF.
    pub(crate) fn deliver(&self, ports: Ports, message: &str) -> anyhow::Result<()> {
        let mut smtp = Dialogue::smtp(ports.smtp)?;
        smtp.say(&auth_plain(self.name(), &self.password), "235 ")?;
        smtp.say(&format!("MAIL FROM:<{}>", self.address), "250 ")?;
        smtp.say(&format!("RCPT TO:<{}>", self.address), "250 ")?;
        smtp.data(message)
    }

    /// Takes all its mail, as POP3 gives it, out of the mailbox. Lines end in LF.
    pub(crate) fn mailbox(&self, ports: Ports) -> anyhow::Result<Vec<String>> {
        let mut pop3 = Dialogue::open(ports.pop3)?;
        pop3.reply("+OK")?;
        pop3.say(&format!("USER {}", self.name()), "+OK")?;
        pop3.say(&format!("PASS {}", self.password), "+OK")?;
        let count: usize = pop3.say("STAT", "+OK ")?.split(' ').nth(1).unwrap().parse()?;
        let mut mailbox = Vec::new();
        for number in 1..=count {
            pop3.say(&format!("RETR {number}"), "+OK")?;
            mailbox.push(pop3.message()?);
            pop3.say(&format!("DELE {number}"), "+OK")?;
        }
        pop3.say("QUIT", "+OK")?;
        Ok(mailbox)
    }
}

/// The keywords of everything that a mail server offers.
pub(crate) fn keywords(port: u16) -> anyhow::Result<Vec<String>> {
    let (_smtp, lines) = Dialogue::greeted(port)?;
    Ok(lines.iter().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect())
}

/// A connection without TLS.
pub(crate) struct Dialogue {
    stream: BufReader<TcpStream>,
}

impl Dialogue {
    fn open(port: u16) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Self { stream: BufReader::new(stream) })
    }

    /// To a mail server, which knows the client's name then.
    pub(crate) fn smtp(port: u16) -> anyhow::Result<Self> {
        Ok(Self::greeted(port)?.0)
    }

    /// To a mail server, with what it offers: the lines behind the first of its answer to EHLO.
    fn greeted(port: u16) -> anyhow::Result<(Self, Vec<String>)> {
        let mut smtp = Self::open(port)?;
        smtp.reply("220 ")?;
        let reply = smtp.say("EHLO client.example", "250 ")?;
        Ok((smtp, reply.lines().skip(1).map(|line| line[4..].to_owned()).collect()))
    }

    /// Hands over a message for which the server has the envelope. Lines end in LF.
    pub(crate) fn data(&mut self, message: &str) -> anyhow::Result<()> {
        self.say("DATA", "354 ")?;
        self.write(&with_crlf(message).replace("\r\n.", "\r\n.."))?;
        self.say(".", "250 ")?;
        self.say("QUIT", "221 ").map(drop)
    }

    /// Sends a command and takes its reply, which must begin so.
    pub(crate) fn say(&mut self, command: &str, begin: &str) -> anyhow::Result<String> {
        self.write(&format!("{command}\r\n"))?;
        self.reply(begin).with_context(|| format!("answer to {}", command.split(' ').next().unwrap()))
    }

    fn write(&mut self, text: &str) -> anyhow::Result<()> {
        Ok(self.stream.get_mut().write_all(text.as_bytes())?)
    }

    fn reply(&mut self, begin: &str) -> anyhow::Result<String> {
        let goes_on = begin.replace(' ', "-");
        let mut text = String::new();
        loop {
            let line = self.line()?;
            text.push_str(&line);
            if line.starts_with(begin) {
                return Ok(with_lf(text.trim_end()));
            }
            ensure!(line.starts_with(&goes_on), "{line:?} instead of {begin:?}");
        }
    }

    /// The lines up to the last dot.
    fn message(&mut self) -> anyhow::Result<String> {
        let mut message = String::new();
        loop {
            let line = self.line()?;
            match line.strip_prefix('.') {
                Some("\r\n") => return Ok(with_lf(&message)),
                Some(rest) => message.push_str(rest),
                None => message.push_str(&line),
            }
        }
    }

    fn line(&mut self) -> anyhow::Result<String> {
        let mut line = String::new();
        self.stream.read_line(&mut line)?;
        ensure!(line.ends_with("\r\n"), "the server breaks off at {line:?}");
        Ok(line)
    }
}

fn last_word(reply: &str) -> String {
    reply.rsplit(' ').next().unwrap().to_owned()
}

/// The command that logs in (RFC 4616 §2).
fn auth_plain(user: &str, password: &str) -> String {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    format!("AUTH PLAIN {}", STANDARD.encode(format!("\0{user}\0{password}")))
}
