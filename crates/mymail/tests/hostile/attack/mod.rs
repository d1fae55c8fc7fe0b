//! The attacks, and who carries them out.

mod connections;
mod logins;
mod mail;
mod words;

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::stage::Stage;

/// One kind of attack.
#[derive(Clone, Copy)]
pub(crate) struct Attack {
    pub(crate) name: &'static str,
    /// How many strike at a time.
    workers: usize,
    /// Strikes once. The number is the strike's own.
    strike: Strike,
}

type Strike = for<'a> fn(&'a Stage, u64) -> Pin<Box<dyn Future<Output = io::Result<()>> + Send + 'a>>;

macro_rules! attacks {
    ($($name:literal $workers:literal $module:ident::$strike:ident;)*) => {
        pub(crate) const ATTACKS: [Attack; [$($name),*].len()] = [$(
            Attack { name: $name, workers: $workers, strike: |stage, number| Box::pin($module::$strike(stage, number)) },
        )*];
    };
}

attacks! {
    "silence" 2500 connections::silence;
    "storm" 16 connections::storm;
    "handshakes" 8 connections::handshake;
    "slow commands" 200 connections::slow_command;
    "slow data" 200 mail::slow_data;
    "deaf readers" 20 mail::deaf_reader;
    "recipients" 8 mail::recipients;
    "full mailbox" 4 mail::full_mailbox;
    "chunks" 8 mail::chunks;
    "bombs" 2 mail::bomb;
    "registrations" 8 logins::registration;
    "guessing" 16 logins::guess;
    "guessing POP3" 16 logins::guess_pop3;
    "harvest" 16 logins::harvest;
    "empty words" 20 words::empty_words;
    "junk" 8 words::junk;
    "long lines" 8 words::long_line;
}

/// Attacks that go on.
pub(crate) struct Onslaught {
    workers: JoinSet<()>,
    counts: Arc<Counts>,
}

#[derive(Default)]
struct Counts {
    begun: AtomicU64,
    cut_short: AtomicU64,
}

/// How often was struck.
pub(crate) struct Strikes {
    pub(crate) begun: u64,
    /// By the server, which had heard enough.
    pub(crate) cut_short: u64,
}

impl Onslaught {
    /// One attack, with all its might.
    pub(crate) fn of(attack: Attack, stage: &Arc<Stage>) -> Self {
        Self::begin(&[attack], Duration::ZERO, stage)
    }

    /// All of them, as a bad day has them: fewer strike in each, and rest a moment between two strikes.
    pub(crate) fn of_all(stage: &Arc<Stage>) -> Self {
        Self::begin(&ATTACKS, Duration::from_millis(100), stage)
    }

    fn begin(attacks: &[Attack], pause: Duration, stage: &Arc<Stage>) -> Self {
        let (counts, mut workers) = (Arc::<Counts>::default(), JoinSet::new());
        for attack in attacks {
            for _ in 0..attack.workers.div_ceil(attacks.len()) {
                workers.spawn(strike_on(stage.clone(), *attack, pause, counts.clone()));
            }
        }
        Self { workers, counts }
    }

    /// Breaks off.
    pub(crate) async fn end(mut self) -> Strikes {
        self.workers.abort_all();
        while let Some(ended) = self.workers.join_next().await {
            if let Err(error) = ended {
                assert!(error.is_cancelled(), "{error}");
            }
        }
        let count = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Strikes { begun: count(&self.counts.begun), cut_short: count(&self.counts.cut_short) }
    }
}

async fn strike_on(stage: Arc<Stage>, attack: Attack, pause: Duration, counts: Arc<Counts>) {
    loop {
        let number = counts.begun.fetch_add(1, Ordering::Relaxed);
        if (attack.strike)(&stage, number).await.is_err() {
            counts.cut_short.fetch_add(1, Ordering::Relaxed);
            // Whom the server does not even listen to costs this machine more than it.
            sleep(Duration::from_millis(5)).await;
        }
        sleep(pause).await;
    }
}
