//! Encrypted connections, and whom they lead to.

use std::fs;

use store::postgres::{Authorities, Options, Postgres};
use tempfile::TempDir;
use testkit::postgres::Cluster;

use super::{database, options};

/// A certificate that nobody but itself vouches for, and its key, where the server looks for them.
const MAKE: &str = "COPY (SELECT '') TO PROGRAM 'openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1 \
    -addext subjectAltName=IP:127.0.0.1 -addext basicConstraints=critical,CA:FALSE -keyout NAME.key -out NAME.crt 2>&1 \
    && chmod 600 NAME.key'";

#[tokio::test]
#[ignore = "needs Debian's packages postgresql and openssl"]
async fn a_database_proves_who_it_is_where_that_is_wanted() {
    let cluster = Cluster::quick();
    let folder = TempDir::new().unwrap();
    let mut authorities = Vec::new();
    for name in ["server", "other"] {
        cluster.psql("postgres", &MAKE.replace("NAME", name));
        let file = folder.path().join(name);
        fs::write(&file, cluster.psql("postgres", &format!("SELECT pg_read_file('{name}.crt')"))).unwrap();
        authorities.push(Some(Authorities::read(&file).unwrap()));
    }
    let url = cluster.fresh_database();
    let with = |mode: &str| format!("{url}&sslmode={mode}");
    assert!(Postgres::connect(&options(&with("require"))).await.is_err(), "it does not encrypt yet");
    cluster.psql("postgres", "ALTER SYSTEM SET ssl = on");
    cluster.psql("postgres", "SELECT pg_reload_conf()");

    let [own, other] = authorities.try_into().unwrap();
    for (mode, authorities, connects) in [
        ("require", None, true),
        ("require", own.clone(), true),
        ("verify-full", own, true),
        ("require", other.clone(), false),
        ("prefer", other, false),
        ("verify-full", None, false),
    ] {
        let what = format!("{mode}, authorities: {}", authorities.is_some());
        let connected = Postgres::connect(&Options { authorities, ..options(&with(mode)) }).await;
        assert_eq!(connected.is_ok(), connects, "{what}: {:?}", connected.err());
        let encrypted = "SELECT count(*) > 0 FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
            WHERE ssl AND application_name = 'mymail' AND datname = current_database()";
        assert!(connected.is_err() || cluster.psql(database(&url), encrypted) == "t", "{what}");
    }
}
