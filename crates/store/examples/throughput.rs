//! How many messages a second the embedded store takes durably on this machine's disk.
//!
//! `cargo run --release -p mymail-store --example throughput -- [FOLDER]`

use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use proto::ReversePath;
use store::embedded::Embedded;
use store::{AccountId, Body, Form, NewMessage, Recipient, Store, Timestamp};
use tokio::task::JoinSet;

type Failure = Box<dyn Error + Send + Sync>;

const CALLERS: [u64; 4] = [1, 20, 64, 256];
const ACCOUNTS: u64 = 100;
const OCTETS: usize = 1024;
const SECONDS: u64 = 5;
const NOW: Timestamp = Timestamp(1_800_000_000);

#[tokio::main(worker_threads = 2)]
async fn main() -> Result<(), Failure> {
    let (_temporary, folder) = match std::env::args_os().nth(1) {
        Some(folder) => (None, PathBuf::from(folder)),
        None => {
            let temporary = tempfile::tempdir()?;
            let folder = temporary.path().to_owned();
            (Some(temporary), folder)
        }
    };
    let store = Arc::new(Embedded::open(&folder)?);
    for number in 0..ACCOUNTS {
        store.register(&format!("user{number}@example.org").parse()?, None, NOW).await?;
    }
    for callers in CALLERS {
        deliveries(&store, callers).await?;
    }
    lookups(&store).await?;
    big_maildrop(&store).await
}

async fn deliveries(store: &Arc<Embedded>, callers: u64) -> Result<(), Failure> {
    let end = Instant::now() + Duration::from_secs(SECONDS);
    let mut tasks = JoinSet::new();
    for caller in 0..callers {
        let store = Arc::clone(store);
        tasks.spawn(async move {
            let mut taken = Vec::new();
            while Instant::now() < end {
                let begun = Instant::now();
                let address = format!("user{}@example.org", (caller * 7919 + taken.len() as u64) % ACCOUNTS).parse()?;
                let account = store.mailbox(&address).await?.ok_or("no mailbox")?.account;
                let mut body = store.body();
                body.write(&[b'x'; OCTETS]).await?;
                store.deliver(message(account)?, body, Vec::new()).await?;
                taken.push(begun.elapsed());
            }
            Ok::<_, Failure>(taken)
        });
    }
    let mut taken = Vec::new();
    while let Some(task) = tasks.join_next().await {
        taken.extend(task??);
    }
    taken.sort_unstable();
    let percentile = |percent: usize| taken.get(taken.len() * percent / 100).copied().unwrap_or_default();
    println!(
        "{callers:4} callers: {:6} messages/s of {OCTETS} octets; p50 {:?}, p99 {:?}, longest {:?}",
        taken.len() as u64 / SECONDS,
        percentile(50),
        percentile(99),
        taken.last().copied().unwrap_or_default(),
    );
    Ok(())
}

async fn lookups(store: &Arc<Embedded>) -> Result<(), Failure> {
    let (count, mut tasks) = (Arc::new(AtomicU64::new(0)), JoinSet::new());
    let end = Instant::now() + Duration::from_secs(1);
    for _ in 0..20 {
        let (store, count) = (Arc::clone(store), Arc::clone(&count));
        tasks.spawn(async move {
            let address = "user7@example.org".parse()?;
            while Instant::now() < end {
                store.mailbox(&address).await?;
                count.fetch_add(1, Ordering::Relaxed);
                tokio::task::yield_now().await;
            }
            Ok::<_, Failure>(())
        });
    }
    while let Some(task) = tasks.join_next().await {
        task??;
    }
    println!("  20 callers: {:6} mailbox look-ups/s", count.load(Ordering::Relaxed));
    Ok(())
}

/// Fills one mailbox with 100,000 messages, lists it and empties it at once.
async fn big_maildrop(store: &Arc<Embedded>) -> Result<(), Failure> {
    const MESSAGES: u64 = 100_000;
    const SENDERS: u64 = 100;
    let account = store.register(&"big@example.org".parse()?, None, NOW).await?;
    let mut tasks = JoinSet::new();
    for _ in 0..SENDERS {
        let store = Arc::clone(store);
        tasks.spawn(async move {
            for _ in 0..MESSAGES / SENDERS {
                let mut body = store.body();
                body.write(&[b'x'; OCTETS]).await?;
                store.deliver(message(account)?, body, Vec::new()).await?;
            }
            Ok::<_, Failure>(())
        });
    }
    while let Some(task) = tasks.join_next().await {
        task??;
    }
    let begun = Instant::now();
    let entries: Vec<_> = store.maildrop(account).await?.entries.iter().map(|entry| entry.id).collect();
    println!("maildrop of {}: {:?}", entries.len(), begun.elapsed());
    let begun = Instant::now();
    store.flush(account, &entries).await?;
    println!("flush of {}: {:?}", entries.len(), begun.elapsed());
    Ok(())
}

fn message(account: AccountId) -> Result<NewMessage, Failure> {
    Ok(NewMessage {
        reverse_path: ReversePath::Address("sender@example.org".parse()?),
        recipients: vec![Recipient { account, address: "user@example.org".parse()? }],
        trace: "Received: from example.net by example.org with ESMTP; Fri, 1 Jan 2027 00:00:00 +0000\r\n".to_owned(),
        received_at: NOW,
        form: Form::Text,
    })
}
