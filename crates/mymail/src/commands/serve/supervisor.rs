//! systemd, or whatever else supervises the server in its way: sockets that are handed over, and what is told of its state. Where
//! nothing does, all of this is nothing.

use std::ffi::OsStr;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;
use std::{env, io, process};

use listenfd::ListenFd;
use rustix::time::{ClockId, clock_gettime};
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
    tell(&format!("READY=1\nSTATUS={status}\n"));
}

/// It reads its configuration again, and then says that it is ready.
pub(super) fn tell_reloading() {
    let now = clock_gettime(ClockId::Monotonic);
    let microseconds = now.tv_sec * 1_000_000 + now.tv_nsec / 1000;
    tell(&format!("RELOADING=1\nMONOTONIC_USEC={microseconds}\n"));
}

/// It stops.
pub(super) fn tell_stopping() {
    tell("STOPPING=1\n");
}

fn tell(state: &str) {
    if let Some(Err(error)) = env::var_os("NOTIFY_SOCKET").map(|socket| notify(&socket, state)) {
        tracing::warn!(%error, "cannot tell the supervisor how it is");
    }
}

/// sd_notify(3), but without connect(2), which the server has given up.
fn notify(socket: &OsStr, state: &str) -> io::Result<()> {
    let address = match socket.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
        path => SocketAddr::from_pathname(OsStr::from_bytes(path))?,
    };
    UnixDatagram::unbound()?.send_to_addr(state.as_bytes(), &address).map(drop)
}

/// How long the supervisor waits for a sign of life, if this process is whom it watches (sd_watchdog_enabled(3)).
fn watchdog_patience() -> Option<Duration> {
    let number = |name| env::var(name).ok()?.parse::<u64>().ok();
    let is_watched = env::var_os("WATCHDOG_PID").is_none() || number("WATCHDOG_PID") == Some(process::id().into());
    number("WATCHDOG_USEC").filter(|microseconds| is_watched && *microseconds > 0).map(Duration::from_micros)
}

/// Tells the watchdog, twice in its time, that the server is alive; but not before its store has answered.
pub(super) async fn watch<S: Store>(handle: Handle<S>) {
    let Some(patience) = watchdog_patience() else { return };
    let mut ticks = interval(patience / 2);
    loop {
        ticks.tick().await;
        handle.store_answers().await;
        tell("WATCHDOG=1\n");
    }
}
