//! Honest clients: mail servers elsewhere that send one message on a connection each, and users here who read.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use testkit::client::{Client, stuffed};
use testkit::until::until;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::figures::Latencies;
use crate::ledger::Ledger;
use crate::peer::Peer;
use crate::stage::{SINK, Stage};

const READERS: usize = 8;
const WRITERS: usize = 4;
/// Between two messages of a writer.
const PAUSE: Duration = Duration::from_millis(20);

/// All of them.
pub(crate) struct Friends {
    stage: Arc<Stage>,
    ledger: Arc<Ledger>,
    latencies: Arc<Mutex<Latencies>>,
    /// Connections that were made so far.
    connections: Arc<AtomicU64>,
    all_is_sent: Arc<AtomicBool>,
    readers: JoinSet<io::Result<()>>,
}

impl Friends {
    /// The readers have their addresses, and begin to wait for mail.
    pub(crate) async fn begin(stage: &Arc<Stage>) -> io::Result<Self> {
        let ledger = Arc::new(Ledger::default());
        let all_is_sent = Arc::new(AtomicBool::new(false));
        let mut readers = JoinSet::new();
        for number in 0..READERS {
            let client = Peer::honest(number as u64).registered(&stage.smtp, &reader(number)).await?;
            readers.spawn(read(client, number, ledger.clone(), all_is_sent.clone()));
        }
        let sink = Peer::honest(READERS as u64).registered(&stage.smtp, SINK).await?;
        readers.spawn(throw_away(sink, all_is_sent.clone()));
        let (latencies, connections) = Default::default();
        Ok(Self { stage: stage.clone(), ledger, latencies, connections, all_is_sent, readers })
    }

    /// Writers write for so long.
    pub(crate) async fn write_for(&self, duration: Duration) {
        let end = Instant::now() + duration;
        let mut writers = JoinSet::new();
        for _ in 0..WRITERS {
            let (stage, ledger) = (self.stage.clone(), self.ledger.clone());
            let (latencies, connections) = (self.latencies.clone(), self.connections.clone());
            writers.spawn(async move {
                while Instant::now() < end {
                    let number = connections.fetch_add(1, Ordering::Relaxed);
                    let begin = Instant::now();
                    write(&stage, &ledger, number).await.unwrap_or_else(|error| panic!("honest mail: {error}"));
                    latencies.lock().unwrap().add(begin.elapsed());
                    sleep(PAUSE).await;
                }
            });
        }
        while let Some(written) = writers.join_next().await {
            written.unwrap();
        }
    }

    /// How long it took since this was last asked.
    pub(crate) fn take_latencies(&self) -> Latencies {
        std::mem::take(&mut self.latencies.lock().unwrap())
    }

    /// Everything arrives.
    pub(crate) async fn end(mut self) -> io::Result<()> {
        until("all mail that was accepted is read", async || Ok(self.ledger.under_way() == 0)).await?;
        self.all_is_sent.store(true, Ordering::Relaxed);
        while let Some(ended) = self.readers.join_next().await {
            ended.unwrap()?;
        }
        println!("{} honest messages: none lost, doubled or crossed", self.ledger.accepted_count());
        Ok(())
    }
}

fn reader(number: usize) -> String {
    format!("reader{number}")
}

/// One message, on a connection of its own, from a mail server elsewhere.
async fn write(stage: &Stage, ledger: &Ledger, number: u64) -> io::Result<()> {
    let to = number as usize % READERS;
    let mut client = Peer::honest(number).greeted(&stage.outside).await?;
    client.expect("MAIL FROM:<friend@elsewhere.example>", "250 ").await?;
    client.expect(&format!("RCPT TO:<{}@mymailserver>", reader(to)), "250 ").await?;
    client.expect("DATA", "354 ").await?;
    let (seed, text) = ledger.send(to);
    client.write_octets(&[&stuffed(&text), &b".\r\n"[..]].concat()).await?;
    client.expect_reply("a message", "250 ").await?;
    ledger.accepted(seed);
    client.expect("QUIT", "221 ").await.map(drop)
}

async fn read(mut client: Client, number: usize, ledger: Arc<Ledger>, all_is_sent: Arc<AtomicBool>) -> io::Result<()> {
    while !all_is_sent.load(Ordering::Relaxed) {
        client.write("XRETRIEVE WAIT=1").await?;
        for mail in client.maildrop().await.unwrap_or_else(|error| panic!("reader {number}: {error}")) {
            ledger.read(number, &mail.text);
        }
    }
    client.quit().await
}

async fn throw_away(mut client: Client, all_is_sent: Arc<AtomicBool>) -> io::Result<()> {
    while !all_is_sent.load(Ordering::Relaxed) {
        client.write("XRETRIEVE WAIT=1").await?;
        client.maildrop().await?;
    }
    client.quit().await
}
