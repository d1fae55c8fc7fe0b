//! `mymail serve`: the server.

use std::io::{self, Write};
use std::path::PathBuf;

use anyhow::Context;
use proto::Domain;
use server::config::Listen;
use server::{BindError, Config, Handle, Server};
use store::Store;
use store::embedded::Embedded;
use tokio::signal::unix::{SignalKind, signal};

use crate::exit::{Exit, Failure};
use crate::log::{LogFormat, log_to_standard_error};

/// Run the server
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "\
With no option at all it serves this computer: SMTP on 127.0.0.1:2525, POP3 on 127.0.0.1:1110,
registration open, data in $XDG_DATA_HOME/mymail or ~/.local/share/mymail. Where no certificate
is configured it makes one, tls/certificate.pem in the data folder. Once ready it prints a line
for each listener. Logs go to standard error; RUST_LOG=debug says more. SIGTERM stops it in
order, SIGHUP makes it read its configuration and certificate again.

PROTOCOL is smtp, submission, lmtp or pop3, which encrypt when a client asks for it, or smtps,
submissions or pop3s, which encrypt from the start. lmtp may have a socket in the place of an
address, unix: and its path.

Examples:
  mymail serve
  mymail serve --listen smtp=0.0.0.0:25 --listen pop3s=0.0.0.0:995 --data /var/lib/mymail
  mymail serve --listen submissions=0.0.0.0:465 --listen lmtp=unix:/run/mymail/lmtp
  mymail serve --config /etc/mymail.toml")]
pub(crate) struct Args {
    /// The configuration file (TOML)
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The folder that accounts and mail are kept in
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// The name that the server greets with, and the domain of its addresses
    #[arg(long, value_name = "NAME")]
    hostname: Option<Domain>,
    /// Where to listen, instead of the configured listeners; may repeat
    #[arg(long, value_name = "PROTOCOL=ADDRESS")]
    listen: Vec<Listen>,
    /// How logs are written
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    log_format: LogFormat,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<Exit> {
    log_to_standard_error(args.log_format);
    let config = configure(&args)?;
    let descriptors = server::raise_descriptor_limit().context("cannot raise the limit of descriptors")?;
    tracing::debug!(?descriptors, "descriptors at most");

    let data = data_folder(&config)?;
    let store = Embedded::open(&data)
        .map_err(|error| Failure::new(Exit::Config, format!("cannot open the store in {}: {error}", data.display())))?;
    let server =
        Server::bind(config, &data, store).await.map_err(|error| Failure::new(exit_of(&error), error.to_string()))?;
    // Signals first: whoever reads the announcement may send one at once.
    let stop = asked_to_stop()?;
    let reload = reload_on_hangup(server.handle(), args)?;
    announce(&server)?;

    let reload = tokio::spawn(reload);
    server.run(stop).await.map_err(|error| Failure::new(Exit::Unavailable, error.to_string()))?;
    reload.abort();
    tracing::info!("stopped");
    Ok(Exit::Done)
}

/// The file, or nothing, and what the command line puts in its place.
fn configure(args: &Args) -> Result<Config, Failure> {
    let mut config = match &args.config {
        Some(file) => Config::read(file).map_err(|error| Failure::new(Exit::Config, error.to_string()))?,
        None => Config::default(),
    };
    if let Some(data) = &args.data {
        config.data = Some(data.clone());
    }
    if let Some(hostname) = &args.hostname {
        config.hostname = hostname.clone();
    }
    if !args.listen.is_empty() {
        config.listen = args.listen.clone();
    }
    Ok(config)
}

/// The folder that is configured, or `mymail` in the user's data directory (XDG Base Directory Specification).
pub(super) fn data_folder(config: &Config) -> Result<PathBuf, Failure> {
    let hint = "there is no home directory to keep data in: name a folder with --data DIR";
    let folder = config.data.clone().or_else(|| client::user_folder("XDG_DATA_HOME", ".local/share"));
    folder.ok_or_else(|| Failure::new(Exit::Config, hint))
}

fn exit_of(error: &BindError) -> Exit {
    match error {
        BindError::Listen { source, .. } | BindError::Admin { source, .. }
            if source.kind() == io::ErrorKind::PermissionDenied =>
        {
            Exit::NoPermission
        }
        BindError::Tls(_) | BindError::Aliases(_) => Exit::Config,
        BindError::Listen { .. } | BindError::Admin { .. } | BindError::Store(_) => Exit::Unavailable,
    }
}

/// Says on standard output that it is ready, and where; whoever started it may be waiting for that.
fn announce<S: Store>(server: &Server<S>) -> anyhow::Result<()> {
    let mut lines = String::new();
    for (listen, address) in server.addresses()? {
        lines.push_str(&format!("listening {} {address}\n", listen.protocol));
    }
    let said = io::stdout().write_all(lines.as_bytes()).and_then(|()| io::stdout().flush());
    said.context(Failure::new(Exit::CantCreate, "cannot say on standard output that it is ready"))
}

/// Resolves at SIGTERM or SIGINT.
fn asked_to_stop() -> io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

/// Reads the configuration again at every SIGHUP. One that is wrong changes nothing.
fn reload_on_hangup<S: Store>(handle: Handle<S>, args: Args) -> io::Result<impl Future<Output = ()>> {
    let mut hangup = signal(SignalKind::hangup())?;
    Ok(async move {
        while hangup.recv().await.is_some() {
            match configure(&args) {
                Ok(config) => match handle.reload(config) {
                    Ok(true) => tracing::info!("configuration and certificate read again"),
                    Ok(false) => tracing::warn!(
                        "configuration and certificate read again; another hostname, data folder or listener needs a new start"
                    ),
                    Err(error) => tracing::error!(%error, "the configuration is of no use: nothing changes"),
                },
                Err(error) => tracing::error!(%error, "the configuration is wrong: nothing changes"),
            }
        }
    })
}
