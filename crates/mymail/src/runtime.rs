//! The threads that do what is asynchronous: none is there before a command wants them.

use std::io;
use std::num::NonZero;
use std::thread::available_parallelism;

use anyhow::Context;
use rustix::process::Signal;
use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};

/// How many threads the machine, or the part of it that this process may use, has work for.
pub(crate) fn workers() -> usize {
    available_parallelism().map_or(1, NonZero::get)
}

/// Does some work to its end.
pub(crate) fn block_on<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    block_on_by(workers(), work)
}

/// Does some work to its end, by so many threads.
pub(crate) fn block_on_by<T>(workers: usize, work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let runtime = Builder::new_multi_thread().worker_threads(workers).enable_all().build();
    runtime.context("cannot start the runtime")?.block_on(async {
        let _heard = outlive_file_limits().context("cannot listen to signals")?;
        work.await
    })
}

/// A file that may not grow (`ulimit -f`) is then an error like a full disk, and no sudden end.
fn outlive_file_limits() -> io::Result<impl Sized> {
    signal(SignalKind::from_raw(Signal::XFSZ.as_raw()))
}
