//! A client's end of a connection, for what is said line by line.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, ensure};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;

/// How long a server may keep silent.
const SILENCE_MAX: Duration = Duration::from_secs(120);
/// The longest line.
const LINE_OCTETS_MAX: u64 = 64 << 10;
/// Read at a time: little for each of many connections that say little.
const BUFFER_OCTETS: usize = 256;
const BUFFER_OCTETS_LARGE: usize = 256 << 10;

pub(crate) struct Dialogue {
    stream: BufReader<TcpStream>,
    line: Vec<u8>,
}

impl Dialogue {
    /// Connects and waits for the greeting.
    pub(crate) fn new(address: SocketAddr) -> anyhow::Result<Self> {
        Self::with_buffer(address, BUFFER_OCTETS)
    }

    /// The same, for whoever reads much.
    pub(crate) fn for_reading(address: SocketAddr) -> anyhow::Result<Self> {
        Self::with_buffer(address, BUFFER_OCTETS_LARGE)
    }

    fn with_buffer(address: SocketAddr, octets: usize) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(SILENCE_MAX))?;
        stream.set_write_timeout(Some(SILENCE_MAX))?;
        let mut dialogue = Self { stream: BufReader::with_capacity(octets, stream), line: Vec::new() };
        dialogue.hear("")?;
        Ok(dialogue)
    }

    /// Logs in at an SMTP server.
    pub(crate) fn authenticate(&mut self, user: &str, password: &str) -> anyhow::Result<()> {
        self.say("EHLO client.example", "250")?;
        let response = BASE64_STANDARD.encode(format!("\0{user}\0{password}"));
        self.say(&format!("AUTH PLAIN {response}"), "235").map(drop)
    }

    /// Logs in at a POP3 server. The number of messages there.
    pub(crate) fn open_maildrop(&mut self, user: &str, password: &str) -> anyhow::Result<u32> {
        self.say(&format!("USER {user}"), "+OK")?;
        self.say(&format!("PASS {password}"), "+OK")?;
        number_in(&self.say("STAT", "+OK")?)
    }

    /// Says a line, and hears the answer.
    pub(crate) fn say(&mut self, command: &str, wanted: &str) -> anyhow::Result<String> {
        self.write(format!("{command}\r\n").as_bytes())?;
        self.hear(wanted)
    }

    pub(crate) fn write(&mut self, octets: &[u8]) -> anyhow::Result<()> {
        Ok(self.stream.get_mut().write_all(octets)?)
    }

    /// A connection for another thread to write on meanwhile.
    pub(crate) fn writer(&self) -> anyhow::Result<TcpStream> {
        Ok(self.stream.get_ref().try_clone()?)
    }

    /// Hears an answer that begins so; its last line.
    pub(crate) fn hear(&mut self, wanted: &str) -> anyhow::Result<String> {
        loop {
            let line = self.line()?;
            ensure!(line.starts_with(wanted.as_bytes()), "the server says {:?}", String::from_utf8_lossy(line));
            // SMTP goes on behind a hyphen.
            if line.get(3) != Some(&b'-') {
                return Ok(String::from_utf8_lossy(line).into_owned());
            }
        }
    }

    /// Reads on to the line with one dot.
    pub(crate) fn skip_message(&mut self) -> anyhow::Result<()> {
        while self.line()? != b".\r\n" {}
        Ok(())
    }

    fn line(&mut self) -> anyhow::Result<&[u8]> {
        self.line.clear();
        (&mut self.stream).take(LINE_OCTETS_MAX).read_until(b'\n', &mut self.line).context("waiting for an answer")?;
        ensure!(self.line.ends_with(b"\n"), "the server has broken off");
        Ok(&self.line)
    }
}

/// The number that is the second or third word of an answer.
pub(crate) fn number_in(answer: &str) -> anyhow::Result<u32> {
    let mut words = answer.split_whitespace().skip(1);
    words.find_map(|word| word.parse().ok()).with_context(|| format!("no number in {answer:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn an_answer_may_have_lines_and_a_message_ends_with_a_dot() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            stream
                .write_all(b"220 hello\r\n250-one\r\n250 2.0.0 7 messages\r\n..\r\n.\r\n+OK 3 120\r\n500 no\r\n")
                .unwrap();
        });
        let mut dialogue = Dialogue::new(address).unwrap();
        assert_eq!(number_in(&dialogue.hear("250").unwrap()).unwrap(), 7);
        dialogue.skip_message().unwrap();
        assert_eq!(number_in(&dialogue.hear("+OK").unwrap()).unwrap(), 3);
        assert!(dialogue.hear("250").is_err());
        assert!(dialogue.hear("250").is_err());
        server.join().unwrap();
    }
}
