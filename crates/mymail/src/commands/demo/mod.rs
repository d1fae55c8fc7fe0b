//! `mymail demo`: the story that this project began with, on real sockets.
//!
//! A, B and D register, C does not. A writes one mail to B, C and D; C is refused; B and D retrieve it; then their mailboxes
//! are empty. Each client speaks its own lines as a person with `nc` would, so that what is printed is what was said, and
//! every reply must be the expected one.

mod peer;

use std::cell::RefCell;
use std::net::SocketAddr;

use anstream::AutoStream;
use anyhow::Context;

use crate::exit::Exit;
use crate::output;
use crate::throwaway::start_throwaway_server;
use peer::{Peer, Screen};

/// See it work: a throw-away server, three clients, one mail
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Shows what server (S:) and clients (C:) say. Nothing is left behind.
The exit code is 0 only when every reply was the expected one.")]
pub(crate) struct Args {}

pub(crate) async fn run(_args: Args) -> anyhow::Result<Exit> {
    let (server, _stops_when_dropped) = start_throwaway_server().await?;
    let stdout = output::stdout().context(output::cant_print())?;
    tell_story(server, &RefCell::new(AutoStream::auto(stdout))).await?;
    Ok(Exit::Done)
}

const TEXT: [&str; 2] = ["Hello B and D,", "this one mail is for both of you."];

async fn tell_story(server: SocketAddr, screen: &Screen<'_>) -> anyhow::Result<()> {
    let (mut a, from) = register("A", server, screen).await?;
    let (mut b, b_address) = register("B", server, screen).await?;
    let (mut d, d_address) = register("D", server, screen).await?;
    let c_address = nobody(&[&from, &b_address, &d_address]);

    a.exchange(&format!("MAIL FROM: {from}"), "250 OK").await?;
    a.exchange(&format!("RCPT TO: {b_address}"), "250 OK").await?;
    a.exchange(&format!("RCPT TO: {c_address}"), "550 No such user here").await?;
    a.exchange(&format!("RCPT TO: {d_address}"), "250 OK").await?;
    a.exchange("DATA", "354 Start mail input; end with <CRLF>.<CRLF>").await?;
    for line in TEXT {
        a.say(line).await?;
    }
    a.exchange(".", "250 OK").await?;

    for (peer, to) in [(&mut b, &b_address), (&mut d, &d_address)] {
        retrieve(peer, &from, to).await?;
        peer.exchange("XRETRIEVE", "250 0 messages").await?;
    }
    for peer in [a, b, d] {
        peer.quit().await?;
    }
    Ok(())
}

/// A client that has just got its address.
async fn register<'a>(
    name: &'static str,
    server: SocketAddr,
    screen: &'a Screen<'a>,
) -> anyhow::Result<(Peer<'a>, String)> {
    let mut peer = Peer::connect(name, server, screen).await?;
    peer.expect("220 mymailserver ESMTP Service Ready").await?;
    peer.exchange("HELO", "250 OK").await?;
    peer.say("XREGISTER").await?;
    let number = peer.expect_between("250 ", "@mymailserver").await?;
    if number.is_empty() || !number.bytes().all(|b| b.is_ascii_digit()) {
        return Err(peer.deviation("250 <number>@mymailserver", &format!("250 {number}@mymailserver")));
    }
    Ok((peer, format!("{number}@mymailserver")))
}

/// An address that nobody registered: the number behind all that somebody has.
fn nobody(addresses: &[&str]) -> String {
    let number = |address: &&str| address.split('@').next()?.parse::<u64>().ok();
    let highest = addresses.iter().filter_map(number).max().unwrap_or_default();
    format!("{}@mymailserver", highest.saturating_add(1))
}

async fn retrieve(peer: &mut Peer<'_>, from: &str, to: &str) -> anyhow::Result<()> {
    peer.exchange("XRETRIEVE", "250 1 messages; each ends with <CRLF>.<CRLF>").await?;
    let block =
        ["*****", &format!("From: {from}"), &format!("To: {to}"), "MIME-Version: 1.0", "Content-Type: text", "*****"];
    for line in block.into_iter().chain(TEXT).chain(["."]) {
        peer.expect(line).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::sync::{Arc, Mutex};

    use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;

    type Mailboxes = Arc<Mutex<HashMap<String, Vec<String>>>>;
    /// A line that the server should say, and what it says instead.
    type Slip = (&'static str, &'static str);

    /// A server that knows just this story, and may slip once.
    async fn serve(stream: TcpStream, number: usize, mailboxes: Mailboxes, slip: Option<Slip>) -> Option<()> {
        let mut stream = BufReader::new(stream);
        let me = format!("{number}@mymailserver");
        let (mut to, mut replies) = (Vec::new(), vec!["220 mymailserver ESMTP Service Ready".to_owned()]);
        loop {
            for reply in replies.drain(..) {
                let said = slip.filter(|(should, _)| reply.contains(should)).map_or(reply.clone(), |s| s.1.to_owned());
                stream.write_all(format!("{said}\r\n").as_bytes()).await.ok()?;
            }
            let mut line = String::new();
            stream.read_line(&mut line).await.ok().filter(|&octets| octets > 0)?;
            let mut mailboxes = mailboxes.lock().ok()?;
            replies = match line.trim_end().split_once(": ").unwrap_or((line.trim_end(), "")) {
                ("XREGISTER", _) => {
                    mailboxes.insert(me.clone(), Vec::new());
                    vec![format!("250 {me}")]
                }
                ("RCPT TO", address) if !mailboxes.contains_key(address) => vec!["550 No such user here".to_owned()],
                ("RCPT TO", address) => {
                    to.push(address.to_owned());
                    vec!["250 OK".to_owned()]
                }
                ("DATA", _) => vec!["354 Start mail input; end with <CRLF>.<CRLF>".to_owned()],
                (".", _) => {
                    to.drain(..).for_each(|address| mailboxes.entry(address).or_default().push(me.clone()));
                    vec!["250 OK".to_owned()]
                }
                ("XRETRIEVE", _) => match mailboxes.get_mut(&me)?.pop() {
                    None => vec!["250 0 messages".to_owned()],
                    Some(from) => format!(
                        "250 1 messages; each ends with <CRLF>.<CRLF>\n*****\nFrom: {from}\nTo: {me}\n\
                         MIME-Version: 1.0\nContent-Type: text\n*****\n{}\n{}\n.",
                        TEXT[0], TEXT[1]
                    )
                    .lines()
                    .map(str::to_owned)
                    .collect(),
                },
                ("QUIT", _) => vec!["221 mymailserver Connection Closed".to_owned()],
                ("HELO" | "MAIL FROM", _) => vec!["250 OK".to_owned()],
                _ => Vec::new(),
            };
        }
    }

    /// Tells the story with a server that slips; what is on the screen, and how it ended.
    async fn told(slip: Option<Slip>) -> (String, anyhow::Result<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = listener.local_addr().unwrap();
        let mailboxes = Mailboxes::default();
        let serving = tokio::spawn(async move {
            for number in 9.. {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(serve(stream, number, mailboxes.clone(), slip));
            }
        });
        let screen = RefCell::new(anstream::StripStream::new(Vec::new()));
        let ended = tell_story(server, &screen).await;
        serving.abort();
        (String::from_utf8(screen.into_inner().into_inner()).unwrap(), ended)
    }

    #[tokio::test]
    async fn the_story_is_told_in_full() {
        let (screen, ended) = told(None).await;
        ended.unwrap();
        for line in [
            "A C: MAIL FROM: 9@mymailserver",
            "A C: RCPT TO: 12@mymailserver\nA S: 550 No such user here",
            "D S: From: 9@mymailserver\nD S: To: 11@mymailserver",
            "B C: XRETRIEVE\nB S: 250 0 messages",
            "D S: 221 mymailserver Connection Closed",
        ] {
            assert!(screen.contains(line), "{line} is missing in\n{screen}");
        }
    }

    #[tokio::test]
    async fn every_deviation_is_found() {
        for slip in [
            ("220 ", "220 mymailserver ready"),
            ("250 OK", "250 ok"),
            ("@mymailserver", "250 alice@mymailserver"),
            ("@mymailserver", "250 @mymailserver"),
            ("550 ", "250 OK"),
            ("354 ", "354 go"),
            ("250 1 ", "250 0 messages"),
            ("To: ", "To: somebody@mymailserver"),
            ("Content-Type", "Content-Type: text/plain"),
            (TEXT[0], "Hello?"),
            ("250 0 ", "250 1 messages; each ends with <CRLF>.<CRLF>"),
            ("221 ", "221 bye"),
        ] {
            let (screen, ended) = told(Some(slip)).await;
            let message = ended.expect_err(slip.1).to_string();
            assert!(message.contains(slip.1), "{message}\n{screen}");
        }
    }
}
