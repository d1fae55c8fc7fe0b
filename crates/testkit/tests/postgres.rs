//! The clusters of PostgreSQL that tests are given: what they keep, and that nothing is left of them.
#![allow(clippy::unwrap_used, reason = "a test that can't go on must fail")]

use std::env;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

use testkit::postgres::Cluster;
use testkit::until::PATIENCE;

const TABLES: &str = "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace";

#[test]
#[ignore = "it needs PostgreSQL; CI runs it"]
fn each_database_is_new_and_empty() {
    let cluster = Cluster::quick();
    let databases = [cluster.fresh_database(), cluster.fresh_database()];
    assert_ne!(databases[0], databases[1]);
    cluster.psql("test0", "CREATE TABLE t (i int)");
    assert_eq!(cluster.psql("test0", TABLES), "1");
    assert_eq!(cluster.psql("test1", TABLES), "0");
}

#[test]
#[ignore = "it needs PostgreSQL; CI runs it"]
fn what_was_acknowledged_outlives_the_primary() {
    let mut cluster = Cluster::with_standbys(2);
    cluster.psql("postgres", "CREATE TABLE t (i int)");
    cluster.psql("postgres", "INSERT INTO t SELECT generate_series(1, 1000)");
    cluster.primary().kill();
    let primary = cluster.promote();
    assert_ne!(primary, 0);
    assert_eq!(cluster.psql("postgres", "SELECT count(*) FROM t"), "1000");
    // It comes back only with the other standby.
    cluster.psql("postgres", "INSERT INTO t VALUES (1001)");
    assert_eq!(cluster.server(3 - primary).psql("postgres", "SELECT count(*) FROM t"), "1001");
}

#[test]
#[ignore = "it needs PostgreSQL; CI runs it"]
fn a_frozen_server_goes_on() {
    let cluster = Cluster::start();
    cluster.primary().freeze();
    let (sent, answer) = mpsc::channel();
    scope(|scope| {
        scope.spawn(|| sent.send(cluster.psql("postgres", "SELECT 1")).unwrap());
        assert!(answer.recv_timeout(Duration::from_millis(300)).is_err());
        cluster.primary().thaw();
        assert_eq!(answer.recv().unwrap(), "1");
    });
}

#[test]
#[ignore = "it needs PostgreSQL; CI runs it"]
fn a_killed_server_starts_again() {
    let mut cluster = Cluster::start();
    cluster.psql("postgres", "CREATE TABLE t (i int)");
    cluster.primary().kill();
    cluster.restart();
    assert_eq!(cluster.psql("postgres", "SELECT count(*) FROM t"), "0");
}

/// Whose process was killed before it could tidy up: it is this one again.
#[test]
#[ignore = "it needs PostgreSQL; CI runs it"]
fn nothing_is_left_of_a_killed_test() {
    const NAME: &str = "nothing_is_left_of_a_killed_test";
    const IS_THE_KILLED_ONE: &str = "MYMAIL_TEST_IS_KILLED";
    if env::var_os(IS_THE_KILLED_ONE).is_some() {
        let cluster = Cluster::quick();
        cluster.primary().freeze();
        println!("folder {}", cluster.primary().folder().display());
        sleep(PATIENCE);
    }
    let mut test = Command::new(env::current_exe().unwrap());
    test.args([NAME, "--exact", "--ignored", "--nocapture"]).env(IS_THE_KILLED_ONE, "").stdout(Stdio::piped());
    let mut test = test.spawn().unwrap();
    let mut lines = BufReader::new(test.stdout.take().unwrap()).lines();
    let folder = lines.find_map(|line| Some(line.unwrap().strip_prefix("folder ")?.to_owned())).unwrap();
    assert!(Path::new(&folder).exists());
    test.kill().unwrap();
    test.wait().unwrap();
    let deadline = Instant::now() + PATIENCE;
    while Path::new(&folder).exists() {
        assert!(Instant::now() < deadline, "{folder} is still there");
        sleep(Duration::from_millis(20));
    }
}
