//! A client that knows SMTP as docs/wire.md has it and nothing of our own client.
//!
//! Its methods fail when the connection breaks, which some tests want, and with [`is_wrong_reply`] when the server says something
//! else than it should. No reply at all is a panic.

use std::future::Future;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::until::PATIENCE;

/// One connection.
pub struct Client {
    stream: BufReader<TcpStream>,
    /// Its address, once it has one.
    pub address: String,
}

/// A message as its reader gets it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mail {
    /// The reverse-path.
    pub from: String,
    /// The recipient's address.
    pub to: String,
    /// The message, its lines ending in CRLF.
    pub text: Vec<u8>,
}

impl Client {
    /// Connects; the greeting is still to come.
    pub async fn connect(server: &str) -> io::Result<Self> {
        let stream = in_time("connecting", TcpStream::connect(server)).await?;
        Ok(Self { stream: BufReader::new(stream), address: String::new() })
    }

    /// Connects, is greeted, and says HELO as the requirement has it.
    pub async fn greeted(server: &str) -> io::Result<Self> {
        let mut client = Self::connect(server).await?;
        client.expect_reply("the connection", "220 mymailserver ESMTP Service Ready").await?;
        client.expect("HELO", "250 OK").await?;
        Ok(client)
    }

    /// Connects and registers; with a number unless there is a name.
    pub async fn registered(server: &str, name: &str) -> io::Result<Self> {
        let mut client = Self::greeted(server).await?;
        client.register(name).await?;
        Ok(client)
    }

    /// Connects and proves who it is.
    pub async fn logged_in(server: &str, address: &str, password: &str) -> io::Result<Self> {
        let mut client = Self::greeted(server).await?;
        client.expect(&auth_plain(address, password), "235 ").await?;
        client.address = address.to_owned();
        Ok(client)
    }

    /// Its own end of the connection.
    pub fn local_address(&self) -> SocketAddr {
        self.stream.get_ref().local_addr().unwrap()
    }

    /// Sends a command, or several, without waiting for a reply.
    pub async fn write(&mut self, text: &str) -> io::Result<()> {
        self.write_octets(format!("{text}\r\n").as_bytes()).await
    }

    /// Sends these octets and no others.
    pub async fn write_octets(&mut self, octets: &[u8]) -> io::Result<()> {
        in_time("writing", self.stream.write_all(octets)).await
    }

    /// A whole reply, its lines parted by LF.
    pub async fn reply(&mut self) -> io::Result<String> {
        let mut reply = String::new();
        loop {
            let line = String::from_utf8(self.line().await?).unwrap();
            reply.push_str(&line);
            if line.as_bytes().get(3) != Some(&b'-') {
                return Ok(reply);
            }
            reply.push('\n');
        }
    }

    /// Sends a command and takes its reply.
    pub async fn say(&mut self, command: &str) -> io::Result<String> {
        self.write(command).await?;
        self.reply().await
    }

    /// Sends a command and takes its reply, which must begin like this.
    pub async fn expect(&mut self, command: &str, begin: &str) -> io::Result<String> {
        self.write(command).await?;
        self.expect_reply(command, begin).await
    }

    /// Takes the reply to a command, which must begin like this.
    pub async fn expect_reply(&mut self, command: &str, begin: &str) -> io::Result<String> {
        let reply = self.reply().await?;
        if reply.starts_with(begin) { Ok(reply) } else { Err(wrong_reply(command, &reply, begin)) }
    }

    /// Gets an address: a number unless there is a name.
    pub async fn register(&mut self, name: &str) -> io::Result<()> {
        let reply = self.expect(format!("XREGISTER {name}").trim_end(), "250 ").await?;
        self.address = reply.rsplit(' ').next().unwrap().to_owned();
        Ok(())
    }

    /// The number of its address.
    pub fn number(&self) -> u32 {
        self.address.strip_suffix("@mymailserver").unwrap().parse().unwrap()
    }

    /// Asks for a password.
    pub async fn password(&mut self) -> io::Result<String> {
        Ok(self.expect("XPASSWD", "250 ").await?.rsplit(' ').next().unwrap().to_owned())
    }

    /// The reply for one recipient, outside a transaction.
    pub async fn recipient(&mut self, address: &str) -> io::Result<String> {
        self.expect(&format!("MAIL FROM:<{}>", self.address), "250 ").await?;
        let reply = self.say(&format!("RCPT TO:<{address}>")).await?;
        self.expect("RSET", "250 ").await?;
        Ok(reply)
    }

    /// A transaction up to its data.
    pub async fn begin(&mut self, to: &[&str]) -> io::Result<()> {
        self.expect(&format!("MAIL FROM:<{}>", self.address), "250 ").await?;
        for address in to {
            self.expect(&format!("RCPT TO:<{address}>"), "250 ").await?;
        }
        self.expect("DATA", "354 ").await.map(drop)
    }

    /// Sends a message whose lines end in CRLF, and takes the last reply.
    pub async fn send(&mut self, to: &[&str], text: &[u8]) -> io::Result<String> {
        self.begin(to).await?;
        let mut data = stuffed(text);
        data.extend(b".\r\n");
        self.write_octets(&data).await?;
        self.reply().await
    }

    /// All its mail. It stays in the mailbox until the next command.
    pub async fn retrieve(&mut self) -> io::Result<Vec<Mail>> {
        self.write("XRETRIEVE").await?;
        self.maildrop().await
    }

    /// The reply to XRETRIEVE.
    pub async fn maildrop(&mut self) -> io::Result<Vec<Mail>> {
        let mut mails = Vec::new();
        for _ in 0..self.maildrop_count().await? {
            mails.push(self.mail().await?);
        }
        Ok(mails)
    }

    /// The first line of the reply to XRETRIEVE.
    pub async fn maildrop_count(&mut self) -> io::Result<usize> {
        let reply = self.reply().await?;
        let count = reply.strip_prefix("250 ").and_then(|rest| rest.split_once(" messages")?.0.parse().ok());
        count.ok_or_else(|| wrong_reply("XRETRIEVE", &reply, "250 N messages"))
    }

    async fn mail(&mut self) -> io::Result<Mail> {
        let (from, to) = self.block().await?;
        Ok(Mail { from, to, text: self.text().await? })
    }

    /// Lines up to one with a dot alone, without the dots that were added.
    pub async fn text(&mut self) -> io::Result<Vec<u8>> {
        let mut text = Vec::new();
        loop {
            let line = self.line().await?;
            match line.strip_prefix(b".") {
                Some([]) => return Ok(text),
                Some(rest) => text.extend(rest),
                None => text.extend(line),
            }
            text.extend(b"\r\n");
        }
    }

    /// What stands before a message: from whom and to whom it is.
    pub async fn block(&mut self) -> io::Result<(String, String)> {
        let mut paths = [String::new(), String::new()];
        for begin in ["*****", "From: ", "To: ", "MIME-Version: 1.0", "Content-Type: text", "*****"] {
            let line = String::from_utf8(self.line().await?).unwrap();
            let rest = line.strip_prefix(begin).unwrap_or_else(|| panic!("{line:?} instead of {begin:?}"));
            match begin {
                "From: " => paths[0] = rest.to_owned(),
                "To: " => paths[1] = rest.to_owned(),
                _ => assert_eq!(rest, ""),
            }
        }
        Ok(paths.into())
    }

    /// A line without its end.
    pub async fn line(&mut self) -> io::Result<Vec<u8>> {
        let mut line = Vec::new();
        in_time("a line", self.stream.read_until(b'\n', &mut line)).await?;
        match line.strip_suffix(b"\n") {
            Some(text) => Ok(text.strip_suffix(b"\r").unwrap().to_owned()),
            None => Err(ErrorKind::UnexpectedEof.into()),
        }
    }

    /// So many octets, as they come.
    pub async fn octets(&mut self, octets: &mut [u8]) -> io::Result<()> {
        in_time("octets", self.stream.read_exact(octets)).await.map(drop)
    }

    /// The server closes, and says nothing more.
    pub async fn closed(&mut self) -> io::Result<()> {
        let mut rest = String::new();
        in_time("the end", self.stream.read_to_string(&mut rest)).await?;
        assert_eq!(rest, "");
        Ok(())
    }

    /// Says good-bye, and sees the server close.
    pub async fn quit(mut self) -> io::Result<()> {
        self.expect("QUIT", "221 ").await?;
        self.closed().await
    }
}

/// Whether the server said something else than it should.
pub fn is_wrong_reply(error: &io::Error) -> bool {
    error.kind() == ErrorKind::InvalidData
}

/// What is said of such a reply.
pub fn wrong_reply(command: &str, reply: &str, wanted: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, format!("{command:?} gets {reply:?} instead of {wanted:?}"))
}

/// The command that logs in (RFC 4616 §2).
pub fn auth_plain(user: &str, password: &str) -> String {
    format!("AUTH PLAIN {}", STANDARD.encode(format!("\0{user}\0{password}")))
}

/// As lines go over the wire (RFC 5321 §4.5.2).
pub fn stuffed(text: &[u8]) -> Vec<u8> {
    let mut data = Vec::with_capacity(text.len() + 8);
    for line in text.split_inclusive(|octet| *octet == b'\n') {
        if line.starts_with(b".") {
            data.push(b'.');
        }
        data.extend(line);
    }
    data
}

async fn in_time<T>(what: &str, work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    timeout(PATIENCE, work).await.unwrap_or_else(|_| panic!("waited in vain for {what}"))
}
