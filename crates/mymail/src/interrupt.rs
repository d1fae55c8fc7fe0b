//! The user's wish to end, where something must be put right first.

use std::future::poll_fn;
use std::io;
use std::task::Poll;

use anyhow::{Context, bail};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::exit::{Exit, Failure};

/// What a user or a closed terminal ends a program with.
const ENDING: [SignalKind; 4] =
    [SignalKind::interrupt(), SignalKind::quit(), SignalKind::terminate(), SignalKind::hangup()];

/// Does some work unless a signal comes first. Then the work is dropped, which is its time to put things right, and
/// `message` says what that means.
///
/// From then on none of these signals ends the program by itself any more.
pub(crate) async fn unless_interrupted<T>(
    work: impl Future<Output = anyhow::Result<T>>,
    message: &str,
) -> anyhow::Result<T> {
    let mut signals = listen(&ENDING).context("cannot listen for signals")?;
    let ending = poll_fn(|context| {
        let came = signals.iter_mut().any(|signal| signal.poll_recv(context).is_ready());
        if came { Poll::Ready(()) } else { Poll::Pending }
    });
    tokio::select! {
        done = work => done,
        () = ending => bail!(Failure::new(Exit::TempFail, format!("interrupted: {message}"))),
    }
}

/// Keeps the keys that end a program from ending this one, for as long as the guard lives.
pub(crate) fn ignore_keys() -> io::Result<impl Sized> {
    listen(&[SignalKind::interrupt(), SignalKind::quit()])
}

fn listen(kinds: &[SignalKind]) -> io::Result<Vec<Signal>> {
    kinds.iter().copied().map(signal).collect()
}
