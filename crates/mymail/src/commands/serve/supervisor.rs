//! systemd, or whatever else supervises the server in its way: sockets that are handed over, and what is told of its state. Where
//! nothing does, all of this is nothing.

use std::time::Duration;

use listenfd::ListenFd;
use sd_notify::{NotifyState, notify, watchdog_enabled};
use server::{Handle, Inherited};
use store::Store;
use tokio::time::interval;

use crate::exit::{Exit, Failure};

/// The sockets that the process was started with (sd_listen_fds(3)).
pub(super) fn inherited() -> Result<Vec<Inherited>, Failure> {
    let mut handed = ListenFd::from_env();
    (0..handed.len())
        .map(|place| {
            let tcp = handed.take_tcp_listener(place).map(|socket| socket.map(Inherited::Tcp));
            let socket = tcp.or_else(|_| Ok(handed.take_unix_listener(place)?.map(Inherited::Unix)));
            match socket {
                Ok(Some(socket)) => Ok(socket),
                Ok(None) => Err("it is gone".to_owned()),
                Err::<_, std::io::Error>(error) => Err(error.to_string()),
            }
            .map_err(|why| Failure::new(Exit::Config, format!("cannot use socket {place} that was handed over: {why}")))
        })
        .collect()
}

/// It serves, as this text tells.
pub(super) fn tell_ready(status: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// It reads its configuration again, and then says that it is ready.
pub(super) fn tell_reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(error) => tracing::warn!(%error, "cannot read the clock for the supervisor"),
    }
}

/// It stops.
pub(super) fn tell_stopping() {
    tell(&[NotifyState::Stopping]);
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = notify(states) {
        tracing::warn!(%error, "cannot tell the supervisor how it is");
    }
}

/// Tells the watchdog, twice in its time, that the server is alive; but not before its store has answered.
pub(super) async fn watch<S: Store>(handle: Handle<S>) {
    let Some(patience) = watchdog_enabled().filter(|patience| *patience > Duration::ZERO) else { return };
    let mut ticks = interval(patience / 2);
    loop {
        ticks.tick().await;
        handle.store_answers().await;
        tell(&[NotifyState::Watchdog]);
    }
}
