//! How the server starts, or says why it can't.

use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::{fs, io};

use rustix::process::{Pid, Signal, kill_process};

use crate::client::Client;
use crate::common::{Home, Server};

/// Exit codes, as docs/interface.md promises them.
const DONE: i32 = 0;
const UNAVAILABLE: i32 = 69;
const CONFIG: i32 = 78;

/// Runs a command that ends by itself: its exit code, standard output and standard error.
fn run(home: &Home, arguments: &[&str]) -> (i32, String, String) {
    let output = home.command(arguments).output().unwrap();
    let [stdout, stderr] = [output.stdout, output.stderr].map(|octets| String::from_utf8(octets).unwrap());
    (output.status.code().unwrap(), stdout, stderr)
}

#[tokio::test]
async fn every_listener_is_told_of_in_order() -> io::Result<()> {
    let home = Home::new();
    let mut command = home.command(&["serve", "--listen", "smtp=127.0.0.2:0", "--listen", "smtp=127.0.0.1:0"]);
    let mut server = Server::start(&mut command);
    let second = server.next_listener();
    assert!(server.address.starts_with("127.0.0.2:") && second.starts_with("127.0.0.1:"));
    for address in [&server.address, &second] {
        assert!(!address.ends_with(":0"), "{address} is not the port really bound");
    }
    let mut client = Client::registered(&second, "").await?;
    let mut sender = Client::registered(&server.address, "").await?;
    assert_eq!(sender.send(&[&client.address], b"one server\r\n").await?, "250 OK");
    assert_eq!(client.retrieve().await?.len(), 1);
    assert!(home.path("share/mymail").is_dir(), "data is in the user's data directory");
    Ok(())
}

#[test]
fn listeners_of_every_protocol_are_told_of() {
    let home = Home::new();
    let listeners = ["submission=127.0.0.1:0", "submissions=127.0.0.1:0", "lmtp=127.0.0.1:0", "lmtp=unix:lmtp"];
    let mut command = home.command(&["serve"]);
    let mut server = Server::start(command.args(listeners.iter().flat_map(|listen| ["--listen", listen])));
    server.next_listener();
    server.next_listener();
    assert_eq!(server.next_listener(), "unix:lmtp");
    UnixStream::connect(home.path("lmtp")).unwrap();
    // Left by one that was killed, it is in nobody's way.
    drop(server);
    let mut server = Server::start(&mut home.command(&["serve", "--listen", "lmtp=unix:lmtp"]));
    let (code, stdout, stderr) = run(&home, &["serve", "--data", "other", "--listen", "lmtp=unix:lmtp"]);
    assert_eq!((code, stdout.as_str()), (UNAVAILABLE, ""), "{stderr}");
    assert!(stderr.contains("lmtp=unix:lmtp"), "{stderr}");
    kill_process(Pid::from_child(&server.process), Signal::TERM).unwrap();
    assert_eq!(server.process.wait().unwrap().code(), Some(DONE));
    assert!(!home.path("lmtp").exists());
}

#[tokio::test]
async fn the_command_line_goes_before_the_configuration() -> io::Result<()> {
    let home = Home::new();
    let config = "hostname = \"a.example\"\ndata = \"/proc/nowhere\"\n\
                  [[listen]]\nprotocol = \"smtp\"\naddress = \"192.0.2.1:25\"\n";
    fs::write(home.path("config.toml"), config).unwrap();
    let arguments = ["serve", "--config", "config.toml", "--hostname", "b.example", "--data", "here"];
    let server = Server::start(home.command(&arguments).args(["--listen", "smtp=127.0.0.1:0"]));
    let mut client = Client::connect(&server.address).await?;
    assert_eq!(client.reply().await?, "220 b.example ESMTP Service Ready");
    assert!(home.path("here").is_dir());
    Ok(())
}

#[test]
fn a_data_folder_has_one_server() {
    let home = Home::new();
    let arguments = ["serve", "--listen", "smtp=127.0.0.1:0", "--data", "data"];
    let server = Server::start(&mut home.command(&arguments));
    let (code, stdout, stderr) = run(&home, &arguments);
    assert_eq!((code, stdout.as_str()), (CONFIG, ""), "{stderr}");
    assert!(stderr.contains("in use"), "{stderr}");
    drop(server);
    Server::start(&mut home.command(&arguments));
}

#[test]
fn an_address_that_is_taken_is_named() {
    let home = Home::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = format!("smtp={}", taken.local_addr().unwrap());
    let (code, stdout, stderr) = run(&home, &["serve", "--listen", "smtp=127.0.0.1:0", "--listen", &listen]);
    assert_eq!((code, stdout.as_str()), (UNAVAILABLE, ""), "{stderr}");
    assert!(stderr.contains(&listen), "{stderr}");
}

#[test]
fn what_is_wrong_with_a_configuration_is_told_with_line_and_key() {
    let home = Home::new();
    for (config, line, key) in [
        ("hostnam = \"x\"", "line 1", "hostnam"),
        ("hostname = \"mail.example\"\n\n[limits]\nrecipients = 0", "line 4", "recipients"),
        ("[registration]\nlease = \"soon\"", "line 2", "lease"),
        ("[[listen]]\nprotocol = \"smtp\"\naddress = \"localhost\"", "line 3", "address"),
        ("[registration]\ntokens = \"sesame\"", "line 2", "tokens"),
        ("[[listen]]\nprotocol = \"smtp\"\naddress = \"unix:here\"", "line 3", "address"),
        ("[aliases]\n\"info+x\" = \"bob\"", "line 2", "info+x"),
        ("[store]\nurl = \"postgres://mymail:sesame@db/mymail\"", "line 1", "url is for engine = \"postgres\" alone"),
    ] {
        fs::write(home.path("bad.toml"), config).unwrap();
        for arguments in [&["check-config", "bad.toml"][..], &["serve", "--config", "bad.toml"]] {
            let (code, stdout, stderr) = run(&home, arguments);
            assert_eq!((code, stdout.as_str()), (CONFIG, ""), "{config:?}: {stderr}");
            for part in ["bad.toml", line, key] {
                assert!(stderr.contains(part), "{part} is missing in\n{stderr}");
            }
            assert!(!stderr.contains("sesame"), "a secret is shown:\n{stderr}");
        }
    }
    let (code, _, stderr) = run(&home, &["serve", "--config", "none.toml"]);
    assert_eq!(code, CONFIG);
    assert!(stderr.contains("none.toml"), "{stderr}");
}

#[test]
fn an_alias_that_leads_nowhere_is_named() {
    let home = Home::new();
    let run_with = |config: &str, arguments: &[&str]| {
        fs::write(home.path("aliases.toml"), config).unwrap();
        run(&home, arguments)
    };
    let (check, serve) = (&["check-config", "aliases.toml"][..], &["serve", "--config", "aliases.toml"][..]);
    for arguments in [check, serve] {
        let (code, stdout, stderr) = run_with("[aliases]\ninfo = \"sales\"\nsales = \"info\"", arguments);
        assert_eq!((code, stdout.as_str()), (CONFIG, ""), "{stderr}");
        assert!(stderr.contains("[aliases], info: leads in a circle"), "{stderr}");
    }
    // The command line may say what the host is called.
    let elsewhere = "[aliases]\ninfo = \"bob@b.example\"";
    assert_eq!(run_with(elsewhere, check).0, CONFIG);
    let mut command = home.command(serve);
    Server::start(command.args(["--hostname", "b.example", "--listen", "smtp=127.0.0.1:0"]));
    let (code, resolved, stderr) = run_with(&format!("hostname = \"b.example\"\n{elsewhere}"), check);
    assert_eq!((code, stderr.as_str()), (DONE, ""));
    assert!(resolved.contains("info = \"bob@b.example\""), "{resolved}");
}

#[test]
fn what_is_for_the_data_folder_leaves_it_alone_where_a_database_is_configured() {
    let home = Home::new();
    Server::start(&mut home.command(&["serve", "--data", "data", "--listen", "smtp=127.0.0.1:0"]));
    let url = "postgres://mymail:sesame@db.example/mymail";
    fs::write(home.path("db.toml"), format!("data = \"data\"\n[store]\nengine = \"postgres\"\nurl = \"{url}\""))
        .unwrap();
    let (code, stdout, stderr) = run(&home, &["check", "--mend", "--config", "db.toml"]);
    assert_eq!((code, stdout.as_str()), (CONFIG, ""), "{stderr}");
    assert!(stderr.contains("in a database, postgres://mymail:***@db.example/mymail: "), "{stderr}");
}

#[test]
fn check_config_prints_everything_but_secrets() {
    let home = Home::new();
    let url = "postgres://mymail:sesame@db.example/mymail";
    fs::write(home.path("db.toml"), format!("[store]\nengine = \"postgres\"\nurl = \"{url}\"")).unwrap();
    let (code, resolved, stderr) = run(&home, &["check-config", "db.toml"]);
    assert_eq!((code, stderr.as_str()), (DONE, ""));
    let url = "url = \"postgres://mymail:***@db.example/mymail\"";
    assert!(resolved.lines().any(|line| line == url) && !resolved.contains("sesame"), "{resolved}");

    fs::write(home.path("config.toml"), "[registration]\ntokens = [\"sesame\"]\n[limits]\nrecipients = 7\n").unwrap();
    let (code, resolved, stderr) = run(&home, &["check-config", "config.toml"]);
    assert_eq!((code, stderr.as_str()), (DONE, ""));
    for line in ["hostname = \"mymailserver\"", "recipients = 7", "lease = \"1day\"", "message_size = \"50 MiB\""] {
        assert!(resolved.lines().any(|other| other == line), "{line} is missing in\n{resolved}");
    }
    assert!(!resolved.contains("sesame"), "{resolved}");

    // As it stands it is no configuration: taken for one, it would open the server to everybody.
    fs::write(home.path("resolved.toml"), &resolved).unwrap();
    assert_eq!(run(&home, &["check-config", "resolved.toml"]).0, CONFIG);
    let complete = resolved.replace("\"1, not shown\"", "[\"sesame\"]");
    fs::write(home.path("resolved.toml"), complete).unwrap();
    assert_eq!(run(&home, &["check-config", "resolved.toml"]), (DONE, resolved, String::new()));
}
