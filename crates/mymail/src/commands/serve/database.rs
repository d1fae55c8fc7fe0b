//! A server whose accounts and mail are in a database: what it needs to get there, and how it begins.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use store::embedded::{Lock, check};
use store::postgres::{Options, Place, Postgres, Url};
use tokio::time::{Instant, sleep};

use super::confine::Reach;
use crate::commands::opened::{exit_of_connecting, unusable};
use crate::exit::{Exit, Failure};

/// How long a database that is not there is waited for at the start.
const CONNECT_MAX: Duration = Duration::from_secs(10);
/// The time between two attempts.
const PAUSE: Duration = Duration::from_secs(2);

/// Where the C library finds out which address a host has: its files, which are replaced when the network changes, and the libraries
/// that they name.
const NAMES: [&str; 5] = ["/etc", "/lib", "/usr/lib", "/lib64", "/usr/lib64"];
/// Often a link to a file that is made anew with each network.
const RESOLVER: &str = "/etc/resolv.conf";

/// What a server connects to that uses this database.
pub(super) fn reach(url: &Url) -> Reach {
    let mut reach = Reach::default();
    for place in url.places() {
        match place {
            Place::Host(host, port) => {
                reach.ports.push(port);
                reach.names |= host.parse::<IpAddr>().is_err();
            }
            Place::Socket(_) => {}
        }
    }
    reach.ports.sort();
    reach.ports.dedup();
    reach
}

/// The folders that it reads in for that.
pub(super) fn read_for(reach: &Reach) -> Vec<PathBuf> {
    if !reach.names {
        return Vec::new();
    }
    let resolver = Path::new(RESOLVER).canonicalize().ok();
    let folders = resolver.as_deref().and_then(Path::parent).into_iter().chain(NAMES.map(Path::new));
    folders.filter_map(|folder| folder.canonicalize().ok()).collect()
}

/// Takes the data folder, in which there is no store.
pub(super) fn take_folder(data: &Path) -> Result<Lock, Failure> {
    if check::is_there(data) {
        tracing::warn!(folder = %data.display(), "there is a store in the data folder too, which is not used: accounts and mail are in the database");
    }
    Lock::of(data)
        .map_err(|error| Failure::new(Exit::Config, format!("cannot use the data folder {}: {error}", data.display())))
}

/// Connects. A database that is not there may be starting too.
pub(super) async fn connect(options: &Options) -> Result<Postgres, Failure> {
    let until = Instant::now() + CONNECT_MAX;
    loop {
        let error = match Postgres::connect(options).await {
            Ok(store) => return Ok(store),
            Err(error) => error,
        };
        if exit_of_connecting(&error) == Exit::Config || Instant::now() + PAUSE > until {
            return Err(unusable(options, &error));
        }
        tracing::debug!(%error, "the database can't be used yet: trying again");
        sleep(PAUSE).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_connects_to_where_the_database_is_and_looks_up_names_only() {
        for (url, ports, names) in [
            ("postgres://m@db1,db2:6432,db3:6432/m", &[5432, 6432][..], true),
            ("postgres://m@192.0.2.1,[2001:db8::1]:5433/m", &[5432, 5433], false),
            ("postgres://m@db/m?hostaddr=192.0.2.1", &[5432], false),
            ("postgres://m@%2Frun%2Fpostgresql/m", &[], false),
            ("postgres://m@%2Frun%2Fpostgresql,localhost:7000/m", &[7000], true),
        ] {
            let reach = reach(&url.parse().unwrap());
            assert_eq!((reach.ports.as_slice(), reach.names), (ports, names), "{url}");
            assert_eq!(read_for(&reach).is_empty(), !names, "{url}");
        }
    }
}
