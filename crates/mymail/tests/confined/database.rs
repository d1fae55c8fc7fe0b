//! A server whose accounts and mail are in a PostgreSQL database: it gets there, and no further.

use std::fs::{self, Permissions};
use std::io;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;

use rustix::process::{Pid, Signal, kill_process};
use testkit::postgres::Cluster;

use crate::client::Client;
use crate::common::{Home, Server};
use crate::host::Host;
use crate::threads::{CONFINED, expect_of_all_threads};
use crate::until::until;
use crate::user::{POWERLESS, USER, open_home};

const CONFIG: i32 = 78;
const UNAVAILABLE: i32 = 69;

/// A configuration of the database at this place.
fn config(url: &str) -> String {
    format!("[store]\nengine = \"postgres\"\nurl = \"{url}\"\n")
}

#[tokio::test]
#[ignore = "it needs root and Debian's package postgresql; CI runs it"]
async fn a_confined_server_reads_the_password_as_root_and_finds_the_database_by_its_name_each_time() -> io::Result<()> {
    let mut cluster = Cluster::start();
    let url = cluster.fresh_database();
    let (user, rest) = url.split_once("://").unwrap().1.split_once(':').unwrap();
    let (password, place) = rest.split_once('@').unwrap();
    // Which address that is, it has to look up.
    let place = place.replace("127.0.0.1", "localhost");
    let port = place.split([':', '/']).nth(1).unwrap();

    let home = open_home();
    fs::write(home.path("password"), format!("{password}\n"))?;
    fs::set_permissions(home.path("password"), Permissions::from_mode(0o600))?;
    let file = home.path("password").display().to_string();
    let store = config(&format!("postgres://{user}@{place}"));
    fs::write(home.path("mymail.toml"), format!("user = \"{USER}\"\n{store}password_file = \"{file}\"\n"))?;
    let log = fs::File::create(home.path("log"))?;
    let mut command = home.command(&["serve", "--config", "mymail.toml", "--data", "data"]);
    let mut server = Server::start(command.args(["--listen", "smtp=127.0.0.1:0"]).env("RUST_LOG", "info").stderr(log));
    let pid = Pid::from_child(&server.process);
    let log = || fs::read_to_string(home.path("log")).unwrap();

    let mut client = Client::registered(&server.address, "").await?;
    let own = client.address.clone();
    assert_eq!(client.send(&[&own], &b"A line\r\n".repeat(40_000)).await?, "250 OK");
    assert_eq!(client.retrieve().await?.len(), 1);
    expect_of_all_threads(pid, &CONFINED);
    expect_of_all_threads(pid, &POWERLESS);
    let reach = format!("outgoing connections (but to TCP port {port}, TCP port 53, UDP, sockets of this machine)");
    assert!(log().contains(&reach), "{}", log());
    assert!(!log().contains(password), "{}", log());

    // With all of its connections gone it makes new ones.
    cluster.primary().kill();
    cluster.restart();
    until("mail is taken again", async || Ok(client.send(&[&own], b"again\r\n").await? == "250 OK")).await?;

    kill_process(pid, Signal::TERM).unwrap();
    assert_eq!(server.process.wait()?.code(), Some(0));
    let nodes = cluster.psql(place.split(['/', '?']).nth(1).unwrap(), "SELECT count(*) FROM node");
    assert_eq!(nodes.trim(), "0", "it has said that it stops");
    assert!(!fs::exists(home.path("data/mail.db"))?, "the store is elsewhere");
    Ok(())
}

#[test]
fn a_database_that_is_not_there_is_named() {
    let home = Home::new();
    // Nobody listens there any more.
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let here = home.path("").display().to_string().replace('/', "%2F");
    let url = format!("postgres://mymail:sesame@{address},{here}:{}/mymail", address.port());
    fs::write(home.path("mymail.toml"), config(&url)).unwrap();
    let arguments = ["serve", "--config", "mymail.toml", "--data", "data", "--listen", "smtp=127.0.0.1:0"];
    let output = home.command(&arguments).output().unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), output.stdout), (Some(UNAVAILABLE), Vec::new()), "{errors}");
    let socket = home.path(&format!(".s.PGSQL.{}", address.port())).display().to_string();
    let sentence = format!("cannot use the database postgres://mymail:***@{address},");
    for part in [&sentence, &address.to_string(), &socket] {
        assert!(errors.contains(part), "{part} is missing in\n{errors}");
    }
    assert!(!errors.contains("sesame"), "{errors}");
}

#[test]
fn a_password_that_can_not_be_read_is_told() {
    let home = Home::new();
    fs::write(home.path("mymail.toml"), config("postgres://mymail@127.0.0.1/mymail") + "password_file = \"none\"\n")
        .unwrap();
    let arguments = ["serve", "--config", "mymail.toml", "--data", "data", "--listen", "smtp=127.0.0.1:0"];
    let output = home.command(&arguments).output().unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), output.stdout), (Some(CONFIG), Vec::new()), "{errors}");
    assert!(errors.contains("cannot read the password of the database in none: "), "{errors}");
}

#[tokio::test]
async fn another_store_needs_a_new_start() -> io::Result<()> {
    let host = Host::new("");
    fs::write(host.path("config.toml"), config("postgres://mymail@127.0.0.1/mymail"))?;
    host.signal(Signal::HUP);
    let told = "another hostname, data folder, store, user or listener needs a new start";
    until(told, async || Ok(host.log().contains(told))).await
}
