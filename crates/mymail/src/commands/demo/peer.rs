//! A client that says and hears lines, and shows them.

use std::cell::RefCell;
use std::io::Write;
use std::net::SocketAddr;
use std::time::Duration;

use anstyle::Style;
use anyhow::{Context, bail};
use client::Line;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::exit::{Exit, Failure};
use crate::output::{cant_print, dialogue_line};

/// How long a server on this computer may take for a reply.
const REPLY_WAIT: Duration = Duration::from_secs(10);
/// Longest line that is taken from the server, in octets (RFC 5321 §4.5.3.1.6).
const LINE_OCTETS_MAX: u64 = 1000;

const WHO: Style = Style::new().bold();

/// Where the dialogue is shown.
pub(super) type Screen<'a> = RefCell<dyn Write + 'a>;

/// One end of a plain TCP connection.
pub(super) struct Peer<'a> {
    name: &'static str,
    stream: BufReader<TcpStream>,
    screen: &'a Screen<'a>,
}

impl<'a> Peer<'a> {
    pub(super) async fn connect(
        name: &'static str,
        server: SocketAddr,
        screen: &'a Screen<'a>,
    ) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(server).await;
        let stream = stream.context(Failure::new(Exit::Unavailable, format!("{name} cannot connect to {server}")))?;
        Ok(Self { name, stream: BufReader::new(stream), screen })
    }

    /// Says a line.
    pub(super) async fn say(&mut self, line: &str) -> anyhow::Result<()> {
        self.show(Line::Sent(line))?;
        let sent = self.stream.write_all(format!("{line}\r\n").as_bytes()).await;
        sent.with_context(|| self.broken())
    }

    /// Says a command and hears the expected reply.
    pub(super) async fn exchange(&mut self, command: &str, reply: &str) -> anyhow::Result<()> {
        self.say(command).await?;
        self.expect(reply).await
    }

    /// Hears the expected line.
    pub(super) async fn expect(&mut self, expected: &str) -> anyhow::Result<()> {
        let line = self.hear().await?;
        if line == expected { Ok(()) } else { Err(self.deviation(expected, &line)) }
    }

    /// Hears a line that begins and ends as expected, and returns what is between.
    pub(super) async fn expect_between(&mut self, begin: &str, end: &str) -> anyhow::Result<String> {
        let line = self.hear().await?;
        match line.strip_prefix(begin).and_then(|rest| rest.strip_suffix(end)) {
            Some(between) => Ok(between.to_owned()),
            None => Err(self.deviation(&format!("{begin}…{end}"), &line)),
        }
    }

    /// Ends the session. The server then closes the connection.
    pub(super) async fn quit(mut self) -> anyhow::Result<()> {
        self.exchange("QUIT", "221 mymailserver Connection Closed").await
    }

    /// The error when the server said another thing.
    pub(super) fn deviation(&self, expected: &str, line: &str) -> anyhow::Error {
        let name = self.name;
        Failure::new(Exit::Protocol, format!("{name} expected `{expected}`, but the server said `{line}`")).into()
    }

    async fn hear(&mut self) -> anyhow::Result<String> {
        let mut octets = Vec::new();
        let mut bounded = (&mut self.stream).take(LINE_OCTETS_MAX);
        match timeout(REPLY_WAIT, bounded.read_until(b'\n', &mut octets)).await {
            Ok(read) => read.with_context(|| self.broken())?,
            Err(_) => bail!(Failure::new(Exit::TempFail, format!("{} waits for a reply in vain", self.name))),
        };
        let Some(line) = octets.strip_suffix(b"\r\n") else {
            return Err(self.deviation("a line with <CRLF>", &String::from_utf8_lossy(&octets)));
        };
        let line = String::from_utf8_lossy(line).into_owned();
        self.show(Line::Received(&line))?;
        Ok(line)
    }

    fn show(&self, line: Line<'_>) -> anyhow::Result<()> {
        let shown = writeln!(self.screen.borrow_mut(), "{WHO}{}{WHO:#} {}", self.name, dialogue_line(line));
        shown.context(cant_print())
    }

    fn broken(&self) -> Failure {
        Failure::new(Exit::TempFail, format!("the connection of {} broke", self.name))
    }
}
