//! `mymail serve`: the server.
//!
//! It begins with one thread, takes what it may need root's rights for, and gives up all power that it does not need: as whom it
//! runs is in `user.rs`, what it can do in `confine/`. Then come the store and the threads.

mod confine;
mod database;
mod supervisor;
pub(super) mod user;

use std::error::Error;
use std::io::{self, ErrorKind, Write};
use std::iter;
use std::path::{Path, PathBuf, absolute};

use anyhow::Context;
use nix::unistd::{User, geteuid};
use proto::Domain;
use server::config::{Database, Listen};
use server::{BindError, Config, ConfigError, Handle, Prepared, Server};
use store::Store;
use store::embedded::Embedded;
use store::postgres::Options;
use tokio::signal::unix::{SignalKind, signal};

use crate::exit::{Exit, Failure};
use crate::log::{LogFormat, log_to_standard_error};
use crate::runtime::{block_on_by, workers};
use confine::{Files, GivenUp, Reach, confine};

/// Run the server
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "\
With no option at all it serves this computer: SMTP on 127.0.0.1:2525, POP3 on 127.0.0.1:1110,
registration open, data in $XDG_DATA_HOME/mymail or ~/.local/share/mymail. Where no certificate
is configured it makes one, tls/certificate.pem in the data folder. Once ready it prints a line
for each listener. Logs go to standard error; RUST_LOG=debug says more. SIGTERM stops it in
order, SIGHUP makes it read its configuration and certificate again.

It gives up what it does not need, and says so in its log. Started as root it has to be told as
whom it shall run; what only root can read it can't read again then.

PROTOCOL is smtp, submission, lmtp or pop3, which encrypt when a client asks for it, or smtps,
submissions or pop3s, which encrypt from the start. lmtp may have a socket in the place of an
address, unix: and its path.

Examples:
  mymail serve
  mymail serve --listen smtp=0.0.0.0:25 --listen pop3s=0.0.0.0:995 --data /var/lib/mymail
  mymail serve --listen submissions=0.0.0.0:465 --listen lmtp=unix:/run/mymail/lmtp
  mymail serve --config /etc/mymail/mymail.toml --user mymail")]
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
    /// Whom root becomes, once it listens
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// Where to listen, instead of the configured listeners; may repeat
    #[arg(long, value_name = "PROTOCOL=ADDRESS")]
    listen: Vec<Listen>,
    /// How logs are written
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    log_format: LogFormat,
}

pub(crate) fn run(args: Args) -> anyhow::Result<Exit> {
    log_to_standard_error(args.log_format);
    let config = configure(&args).map_err(|error| Failure::new(Exit::Config, error.to_string()))?;
    let descriptors = server::raise_descriptor_limit().context("cannot raise the limit of descriptors")?;
    tracing::debug!(?descriptors, "descriptors at most");

    let data = absolute(data_folder(&config)?).context("cannot find the data folder")?;
    let user = user::to_become(config.user.as_deref())?;
    user::prepare_folder(&data, user.as_ref())?;
    let database = config.store.database().map(Database::options).transpose();
    let database = database.map_err(|error| Failure::new(Exit::Config, error.to_string()))?;
    let reach = database.as_ref().map(|options| database::reach(&options.url));
    let (files, workers) = (files(&args, &config, &data, reach.as_ref()), workers());
    let prepared = Prepared::new(config, supervisor::inherited()?).map_err(|error| failure(&error))?;
    let given_up = give_up_power(user.as_ref(), &files, reach.as_ref())?;
    block_on_by(workers, open_and_serve(args, prepared, &data, database, &given_up))
}

/// The files that are needed while it runs.
fn files(args: &Args, config: &Config, data: &Path, reach: Option<&Reach>) -> Files {
    let tls = config.tls.iter().flat_map(|tls| [&tls.certificate, &tls.key]);
    let mut read = folders_of(args.config.iter().chain(tls));
    read.extend(reach.map(database::read_for).unwrap_or_default());
    read.sort();
    read.dedup();
    let sockets = folders_of(config.listen.iter().filter_map(|listen| listen.address.unix()));
    Files { data: data.to_owned(), read, sockets }
}

/// The folders that files are in, as they are named and as they are.
fn folders_of<'a>(files: impl Iterator<Item = &'a PathBuf>) -> Vec<PathBuf> {
    let ways = files.flat_map(|file| [Some(file.clone()), file.canonicalize().ok()]).flatten();
    let folder = |file: PathBuf| absolute(file).ok()?.parent()?.canonicalize().ok();
    let mut folders: Vec<_> = ways.filter_map(folder).collect();
    folders.sort();
    folders.dedup();
    folders
}

/// The process has one thread yet.
fn give_up_power(user: Option<&User>, files: &Files, reach: Option<&Reach>) -> Result<GivenUp, Failure> {
    let mut given_up = GivenUp::default();
    if let Some(user) = user {
        user::become_user(user)?;
        given_up.note(format!("root (it is {} now)", user.name));
    }
    if geteuid().is_root() {
        given_up.note_kept("root", "no other user is named, by `user` in the configuration or --user");
    }
    match user::give_up_capabilities() {
        Ok(()) if geteuid().is_root() => given_up.note("capabilities but those over files"),
        Ok(()) => given_up.note("capabilities"),
        Err(error) => given_up.note_kept("capabilities", error),
    }
    confine(files, reach, &mut given_up);
    Ok(given_up)
}

/// With what keeps accounts and mail: the store in the data folder, unless they are in a database.
async fn open_and_serve(
    args: Args,
    prepared: Prepared,
    data: &Path,
    database: Option<Options>,
    given_up: &GivenUp,
) -> anyhow::Result<Exit> {
    if given_up.is_in_part() {
        tracing::warn!("{given_up}");
    } else {
        tracing::info!("{given_up}");
    }
    if let Some(options) = database {
        let _lock = database::take_folder(data)?;
        let store = database::connect(&options).await?;
        tracing::info!(url = %options.url, "accounts and mail are in a database");
        return serve(args, prepared, data, store).await;
    }
    let store = Embedded::open(data)
        .map_err(|error| Failure::new(Exit::Config, format!("cannot open the store in {}: {error}", data.display())))?;
    serve(args, prepared, data, store).await
}

async fn serve<S: Store>(args: Args, prepared: Prepared, data: &Path, store: S) -> anyhow::Result<Exit> {
    let server = Server::new(prepared, data, store).await.map_err(|error| failure(&error))?;
    // Signals first: whoever reads the announcement may send one at once.
    let stop = asked_to_stop()?;
    let listeners = listeners(&server)?;
    let reload = reload_on_hangup(server.handle(), args, listeners.join(", "))?;
    announce(&listeners)?;
    supervisor::tell_ready(&listeners.join(", "));

    let reload = tokio::spawn(reload);
    let watch = tokio::spawn(supervisor::watch(server.handle()));
    let stop = async {
        stop.await;
        supervisor::tell_stopping();
    };
    server.run(stop).await.map_err(|error| Failure::new(Exit::Unavailable, error.to_string()))?;
    reload.abort();
    watch.abort();
    tracing::info!("stopped");
    Ok(Exit::Done)
}

/// The file, or nothing, and what the command line puts in its place.
fn configure(args: &Args) -> Result<Config, ConfigError> {
    let mut config = match &args.config {
        Some(file) => Config::read(file)?,
        None => Config::default(),
    };
    if let Some(data) = &args.data {
        config.data = Some(data.clone());
    }
    if let Some(hostname) = &args.hostname {
        config.hostname = hostname.clone();
    }
    if let Some(user) = &args.user {
        config.user = Some(user.clone());
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

fn failure(error: &BindError) -> Failure {
    Failure::new(exit_of(error), error.to_string())
}

fn exit_of(error: &BindError) -> Exit {
    match error {
        BindError::Listen { source, .. } | BindError::Admin { source, .. }
            if source.kind() == io::ErrorKind::PermissionDenied =>
        {
            Exit::NoPermission
        }
        BindError::Tls(_) | BindError::Aliases(_) | BindError::Inherited(_) => Exit::Config,
        BindError::Listen { .. } | BindError::Admin { .. } | BindError::Store(_) => Exit::Unavailable,
    }
}

/// What it listens on, a line each.
fn listeners<S: Store>(server: &Server<S>) -> io::Result<Vec<String>> {
    let addresses = server.addresses()?;
    Ok(addresses.iter().map(|(listen, address)| format!("listening {} {address}", listen.protocol)).collect())
}

/// Says on standard output that it is ready, and where; whoever started it may be waiting for that.
fn announce(listeners: &[String]) -> anyhow::Result<()> {
    let lines: String = listeners.iter().map(|line| format!("{line}\n")).collect();
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
fn reload_on_hangup<S: Store>(handle: Handle<S>, args: Args, status: String) -> io::Result<impl Future<Output = ()>> {
    let mut hangup = signal(SignalKind::hangup())?;
    Ok(async move {
        while hangup.recv().await.is_some() {
            supervisor::tell_reloading();
            reload(&handle, &args);
            supervisor::tell_ready(&status);
        }
    })
}

fn reload<S: Store>(handle: &Handle<S>, args: &Args) {
    match configure(args) {
        Ok(config) => match handle.reload(config) {
            Ok(true) => tracing::info!("configuration and certificate read again"),
            Ok(false) => tracing::warn!(
                "configuration and certificate read again; another hostname, data folder, store, user or listener needs a new start"
            ),
            Err(error) => {
                let hint = hint(&error);
                tracing::error!(%error, "the configuration is of no use: nothing changes{hint}");
            }
        },
        Err(error) => {
            let hint = hint(&error);
            tracing::error!(%error, "the configuration is wrong: nothing changes{hint}");
        }
    }
}

/// What may help where a file can't be read.
fn hint(error: &(dyn Error + 'static)) -> &'static str {
    let causes = iter::successors(Some(error), |error| (*error).source());
    let is_denied = |error: &io::Error| error.kind() == ErrorKind::PermissionDenied;
    if causes.filter_map(|error| error.downcast_ref()).any(is_denied) {
        "; what the server gave up at its start it can't read any more: let its user read the file, and start it anew if it is in another folder than before"
    } else {
        ""
    }
}
