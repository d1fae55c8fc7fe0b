//! `mymail admin`: what the operator does while the server runs.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::{fs, thread};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::client::Client;
use crate::common::{Home, Server};

/// Exit codes, as docs/interface.md promises them.
const DONE: i32 = 0;
const USAGE: i32 = 64;
const DATA: i32 = 65;
const NO_USER: i32 = 67;
const UNAVAILABLE: i32 = 69;
const NO_PERMISSION: i32 = 77;

/// How many accounts come in one answer.
const PAGE: usize = 1000;

/// A server that its operator looks after.
struct Operated {
    server: Server,
    pop3: String,
    home: Home,
    data: PathBuf,
}

/// How a command ended.
#[derive(Debug)]
struct Outcome {
    code: i32,
    stdout: String,
    stderr: String,
}

impl Outcome {
    /// Standard output of a command that must have succeeded.
    fn done(self) -> String {
        assert_eq!(self.code, DONE, "{self:?}");
        self.stdout
    }

    /// The objects that such a command printed, one a line.
    fn objects(self) -> Vec<Value> {
        self.done().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

impl Operated {
    fn new(config: &str) -> Self {
        Self::with_data(config, "data")
    }

    fn with_data(config: &str, data: &str) -> Self {
        let home = Home::new();
        fs::write(home.path("config.toml"), config).unwrap();
        let data = home.path(data);
        let (server, pop3) = start(&home, &data);
        Self { server, pop3, home, data }
    }

    /// Runs `mymail admin` with this on standard input.
    fn admin_reading(&self, arguments: &[&str], input: &str) -> Outcome {
        admin(&self.home, &self.data, arguments, input)
    }

    fn admin(&self, arguments: &[&str]) -> Outcome {
        self.admin_reading(arguments, "")
    }

    /// Makes an account; its password.
    fn add(&self, name: &str) -> String {
        self.admin(&["add", name]).done().trim_end().to_owned()
    }

    /// The only object that the command prints.
    fn object(&self, arguments: &[&str]) -> Value {
        let mut objects = self.admin(&[arguments, &["--json"]].concat()).objects();
        assert_eq!(objects.len(), 1, "{objects:?}");
        objects.remove(0)
    }

    /// What is said on its socket, in answer to this.
    fn socket(&self, request: &str) -> io::Result<String> {
        let mut stream = UnixStream::connect(self.data.join("admin"))?;
        stream.write_all(request.as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }

    /// Everything that it wrote into its data folder and its log.
    fn traces(&self) -> Vec<u8> {
        let mut traces = fs::read(self.home.path("log")).unwrap();
        for entry in fs::read_dir(&self.data).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_file() {
                traces.extend(fs::read(entry.path()).unwrap());
            }
        }
        traces
    }

    /// The server's answers to a POP3 session.
    fn pop3(&self, commands: &[&str]) -> Vec<String> {
        let mut stream = TcpStream::connect(&self.pop3).unwrap();
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let mut line = || {
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            line
        };
        assert!(line().starts_with("+OK"));
        let mut answers = Vec::new();
        for command in commands {
            stream.write_all(format!("{command}\r\n").as_bytes()).unwrap();
            answers.push(line().trim_end().to_owned());
        }
        answers
    }
}

fn start(home: &Home, data: &Path) -> (Server, String) {
    let mut command = home.command(&["serve", "--config", "config.toml", "--data"]);
    let log = fs::File::options().append(true).create(true).open(home.path("log")).unwrap();
    command.arg(data).args(["--listen", "smtp=127.0.0.1:0", "--listen", "pop3=127.0.0.1:0"]);
    let mut server = Server::start(command.env("RUST_LOG", "trace").stderr(log));
    let pop3 = server.next_listener();
    (server, pop3)
}

fn admin(home: &Home, data: &Path, arguments: &[&str], input: &str) -> Outcome {
    let mut command = home.command(&["admin", "--data"]);
    command.arg(data).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // Who does not read its input may close it before all is written.
    child.stdin.take().unwrap().write_all(input.as_bytes()).ok();
    let output = child.wait_with_output().unwrap();
    let [stdout, stderr] = [output.stdout, output.stderr].map(|octets| String::from_utf8(octets).unwrap());
    Outcome { code: output.status.code().unwrap(), stdout, stderr }
}

fn contains(octets: &[u8], text: &str) -> bool {
    octets.windows(text.len()).any(|window| window == text.as_bytes())
}

#[tokio::test]
async fn an_account_is_made_and_its_password_told_once() -> io::Result<()> {
    let operated = Operated::new("");
    let outcome = operated.admin(&["add", "alice"]);
    assert_eq!((outcome.code, outcome.stderr.as_str()), (DONE, ""));
    let password = outcome.stdout.strip_suffix('\n').unwrap();
    assert!(password.len() == 19 && password.split('-').all(|group| group.len() == 4), "{password}");
    let mut alice = Client::logged_in(&operated.server.address, "alice@mymailserver", password).await?;
    assert_eq!(alice.send(&["alice@mymailserver"], b"hello\r\n").await?, "250 OK");
    let session = operated.pop3(&["USER alice", &format!("PASS {password}"), "STAT"]);
    assert!(session[1].starts_with("+OK") && session[2].starts_with("+OK 1 "), "{session:?}");
    assert!(!contains(&operated.traces(), password));

    let bob = operated.object(&["add", "Bob@mymailserver"]);
    assert_eq!(bob["address"], "Bob@mymailserver");
    let session = operated.pop3(&["USER bob", &format!("PASS {}", bob["password"].as_str().unwrap())]);
    assert!(session[1].starts_with("+OK"), "{session:?}");
    Ok(())
}

#[tokio::test]
async fn the_operator_may_bring_a_password() -> io::Result<()> {
    const PASSWORD: &str = "correct horse battery";
    let operated = Operated::new("");
    let outcome = operated.admin_reading(&["add", "alice", "--password-stdin"], &format!("{PASSWORD}\nmore\n"));
    assert_eq!((outcome.code, outcome.stdout.as_str(), outcome.stderr.as_str()), (DONE, "alice@mymailserver\n", ""));
    Client::logged_in(&operated.server.address, "alice", PASSWORD).await?;

    let arguments = ["password", "alice", "--password-stdin", "--json"];
    let changed = operated.admin_reading(&arguments, "another one").objects();
    assert_eq!(changed, [json!({"address": "alice@mymailserver"})]);
    Client::logged_in(&operated.server.address, "alice", "another one").await?;
    assert!(operated.pop3(&["USER alice", &format!("PASS {PASSWORD}")])[1].starts_with("-ERR"));

    for (bad, reason) in [("", "empty"), ("secret7\n", "8 characters"), ("tab\tand more\n", "control character")] {
        let outcome = operated.admin_reading(&["password", "alice", "--password-stdin"], bad);
        assert_eq!((outcome.code, outcome.stdout.as_str()), (DATA, ""), "{bad:?}");
        assert!(outcome.stderr.contains(reason), "{outcome:?}");
    }
    Client::logged_in(&operated.server.address, "alice", "another one").await?;
    let traces = operated.traces();
    assert!(!contains(&traces, PASSWORD) && !contains(&traces, "another one"));
    Ok(())
}

#[test]
fn what_cannot_be_an_account_is_refused() {
    let operated = Operated::new("[aliases]\nsales = \"alice\"\nalice = [\"alice\", \"abuse\"]\n");
    operated.add("alice");
    operated.add("abuse");
    for (arguments, code, reason) in [
        (&["add", "alice"][..], DATA, "alice@mymailserver is taken"),
        (&["add", "ALICE"], DATA, "ALICE@mymailserver is taken"),
        (&["add", "postmaster"], DATA, "taken"),
        (&["add", "7"], DATA, "7 is not allowed"),
        (&["add", "a+b"], DATA, "not allowed"),
        (&["add", "a b"], DATA, "no address"),
        (&["add", "bob@example.org"], DATA, "@mymailserver"),
        (&["add", "Sales"], DATA, "Sales@mymailserver is an alias"),
        (&["show", "sales"], NO_USER, "no account sales@mymailserver"),
        (&["show", "bob"], NO_USER, "no account bob@mymailserver"),
        (&["show", "alice+x"], NO_USER, "no account alice+x@mymailserver"),
        (&["show", ""], DATA, "no address"),
        (&["remove", "bob", "--yes"], NO_USER, "no account bob@mymailserver"),
        (&["password", "bob"], NO_USER, "no account"),
        (&["quota", "bob"], NO_USER, "no account"),
        (&["quota", "bob", "--default"], NO_USER, "no account"),
        (&["remove", "postmaster", "--yes"], NO_PERMISSION, "postmaster@mymailserver cannot be removed"),
        (&["quota", "alice", "--size", "10EB"], DATA, "at most"),
        (&["quota", "alice", "--size", "much"], USAGE, "--size"),
        (&["quota", "alice", "--size", "1GB", "--default"], USAGE, "--default"),
        (&["registration", "shut"], USAGE, "hold"),
        (&["token", "add", "two words"], DATA, "not allowed"),
        (&["token", "remove", "none"], DATA, "no token none"),
        (&["token"], USAGE, "add"),
        (&[], USAGE, "list"),
    ] {
        let outcome = operated.admin(arguments);
        assert_eq!((outcome.code, outcome.stdout.as_str()), (code, ""), "{arguments:?} {outcome:?}");
        assert!(outcome.stderr.contains(reason), "{arguments:?} {outcome:?}");
    }
    let addresses: Vec<_> =
        operated.admin(&["list", "--json"]).objects().iter().map(|a| a["address"].clone()).collect();
    assert_eq!(addresses, ["abuse@mymailserver", "alice@mymailserver", "postmaster@mymailserver"]);
}

#[tokio::test]
async fn accounts_are_listed_and_shown() -> io::Result<()> {
    let operated = Operated::new("limits.mailbox_size = \"1 MiB\"\nlimits.mailbox_messages = 500");
    operated.add("alice");
    let mut bob = Client::registered(&operated.server.address, "bob").await?;
    assert_eq!(bob.send(&["alice@mymailserver"], format!("{}\r\n", "x".repeat(1022)).as_bytes()).await?, "250 OK");

    let alice = operated.object(&["show", "alice"]);
    let quota = json!({"octets": 1 << 20, "messages": 500, "default": true});
    let expected = json!({"address": "alice@mymailserver", "messages": 1, "octets": 1024, "quota": quota,
                          "last_use": alice["last_use"], "password": true});
    assert_eq!(alice, expected);
    let last_use = alice["last_use"].as_str().unwrap();
    assert!(last_use.len() == 20 && last_use.starts_with("20") && last_use.ends_with('Z'), "{last_use}");
    assert_eq!(
        operated.admin(&["show", "alice@mymailserver"]).done(),
        format!(
            "address: alice@mymailserver\nmessages: 1\nsize: 1.0 KiB\n\
             quota: 1.0 MiB, 500 messages, the default\nlast use: {last_use}\npassword: yes\n"
        )
    );
    let objects = operated.admin(&["list", "--json"]).objects();
    assert_eq!(objects.len(), 3);
    assert_eq!(objects[0], alice);
    assert_eq!((&objects[1]["address"], &objects[1]["password"]), (&json!("bob@mymailserver"), &json!(false)));
    let list = operated.admin(&["list"]).done();
    let line = format!(
        "alice@mymailserver 1 message, 1.0 KiB (quota: 1.0 MiB, 500 messages, the default), last use {last_use}\n"
    );
    assert!(list.starts_with(&line), "{list}");
    assert!(list.contains("\nbob@mymailserver 0 messages, 0 B ") && list.contains(", no password\n"), "{list}");
    Ok(())
}

#[test]
fn more_accounts_than_a_page_are_all_listed() {
    const AT_ONCE: usize = 8;
    let operated = Operated::new("");
    thread::scope(|scope| {
        for part in 0..AT_ONCE {
            let operated = &operated;
            scope.spawn(move || {
                for number in (part..=PAGE).step_by(AT_ONCE) {
                    let request = format!("{{\"add\":{{\"name\":\"u{number:04}\",\"password\":null}}}}\n");
                    assert!(operated.socket(&request).unwrap().ends_with("\n\"done\"\n"));
                }
            });
        }
    });
    let list = operated.admin(&["list", "--json"]).objects();
    let addresses: Vec<_> = list.iter().map(|account| account["address"].as_str().unwrap()).collect();
    let names = (0..=PAGE).map(|number| format!("u{number:04}@mymailserver"));
    assert_eq!(addresses, [String::from("postmaster@mymailserver")].into_iter().chain(names).collect::<Vec<_>>());
    let page = operated.socket("{\"list\":{\"after\":null}}\n").unwrap();
    assert_eq!(page.lines().count(), PAGE + 1);
    assert!(page.ends_with("\n\"more\"\n"));
}

#[tokio::test]
async fn a_removed_account_is_lost_to_its_sessions_at_once() -> io::Result<()> {
    let operated = Operated::new("");
    let password = operated.add("alice");
    let mut alice = Client::logged_in(&operated.server.address, "alice@mymailserver", &password).await?;
    let mut bob = Client::registered(&operated.server.address, "bob").await?;
    assert_eq!(bob.send(&["alice@mymailserver"], b"hello\r\n").await?, "250 OK");

    let outcome = operated.admin(&["remove", "alice"]);
    assert_eq!((outcome.code, outcome.stdout.as_str()), (USAGE, ""), "there is no terminal to ask on");
    assert!(outcome.stderr.contains("--yes"), "{outcome:?}");
    alice.expect("XRETRIEVE", "250 1 messages").await?;
    drop(alice);
    let mut alice = Client::logged_in(&operated.server.address, "alice@mymailserver", &password).await?;

    let removed = operated.object(&["remove", "alice", "--yes"]);
    assert_eq!(removed, json!({"address": "alice@mymailserver"}));
    alice.expect("MAIL FROM:<alice@mymailserver>", "530 ").await?;
    alice.expect("XRETRIEVE", "530 ").await?;
    assert!(operated.pop3(&["USER alice", &format!("PASS {password}")])[1].starts_with("-ERR"));
    assert!(bob.recipient("alice@mymailserver").await?.starts_with("550 "));
    let outcome = operated.admin(&["add", "alice"]);
    assert_eq!(outcome.code, DATA, "nobody gets the address so soon: {outcome:?}");
    assert_eq!(operated.admin(&["remove", "bob", "--yes"]).done(), "bob@mymailserver\n");
    bob.expect("MAIL FROM:<bob@mymailserver>", "530 ").await?;
    Ok(())
}

#[tokio::test]
async fn a_quota_is_for_one_account() -> io::Result<()> {
    let operated = Operated::new("limits.mailbox_size = \"1 MiB\"\nlimits.mailbox_messages = 500");
    operated.add("alice");
    operated.add("bob");
    for (arguments, octets, messages, default) in [
        (&[][..], 1_u64 << 20, 500, true),
        (&["--size", "2GiB"], 2 << 30, 500, false),
        (&["--messages", "1"], 2 << 30, 1, false),
        (&["--size", "65536", "--messages", "2"], 64 << 10, 2, false),
        (&[], 64 << 10, 2, false),
        (&["--default"], 1 << 20, 500, true),
        (&["--messages", "1"], 1 << 20, 1, false),
    ] {
        let quota = json!({"octets": octets, "messages": messages, "default": default});
        assert_eq!(operated.object(&[&["quota", "alice"], arguments].concat())["quota"], quota, "{arguments:?}");
        assert_eq!(operated.object(&["show", "alice"])["quota"], quota, "{arguments:?}");
    }
    assert_eq!(operated.admin(&["quota", "alice"]).done(), "1.0 MiB, 1 message\n");
    assert_eq!(operated.object(&["quota", "bob"])["quota"]["default"], true);

    let mut client = Client::registered(&operated.server.address, "").await?;
    for (to, last) in [("alice@mymailserver", "552 "), ("bob@mymailserver", "250 ")] {
        assert!(client.send(&[to], b"hello\r\n").await?.starts_with("250 "));
        assert!(client.recipient(to).await?.starts_with(last), "{to}");
    }
    Ok(())
}

#[tokio::test]
async fn the_mail_of_postmaster_can_be_read() -> io::Result<()> {
    let operated = Operated::new("");
    let mut client = Client::registered(&operated.server.address, "").await?;
    assert_eq!(client.send(&["postmaster@mymailserver"], b"help\r\n").await?, "250 OK");
    let password = operated.admin(&["password", "postmaster"]).done();
    let session = operated.pop3(&["USER postmaster", &format!("PASS {}", password.trim_end()), "STAT"]);
    assert!(session[2].starts_with("+OK 1 "), "{session:?}");
    Ok(())
}

#[tokio::test]
async fn registration_is_opened_and_shut() -> io::Result<()> {
    let mut operated = Operated::new("");
    let state = |mode, in_force| json!({"mode": mode, "in_force": in_force, "tokens": 0, "configured_tokens": 0});
    assert_eq!(operated.object(&["registration"]), state("open", "open"));
    assert_eq!(operated.admin(&["registration"]).done(), "open\n");
    assert_eq!(operated.object(&["registration", "hold"]), state("hold", "hold"));
    let mut client = Client::greeted(&operated.server.address).await?;
    client.expect("XREGISTER alice", "550 ").await?;
    let outcome = operated.admin(&["registration", "token"]);
    assert!(outcome.stderr.contains("nobody can register"), "{outcome:?}");
    assert_eq!(outcome.done(), "token\n");
    client.expect("XREGISTER alice", "535 ").await?;

    // What was set lasts.
    let Operated { server, home, data, .. } = operated;
    drop(server);
    let (server, pop3) = start(&home, &data);
    operated = Operated { server, pop3, home, data };
    assert_eq!(operated.object(&["registration"]), state("token", "token"));
    assert_eq!(operated.object(&["registration", "open"]), state("open", "open"));
    Client::registered(&operated.server.address, "alice").await?;
    Ok(())
}

#[test]
fn what_is_configured_stands_behind_an_open_registration() {
    for (config, in_force, said) in [
        ("registration.tokens = [\"sesame\"]", "token", "takes a token"),
        ("registration.open = false", "hold", "nobody can register"),
    ] {
        let operated = Operated::new(config);
        let outcome = operated.admin(&["registration", "--json"]);
        assert!(outcome.stderr.contains(said), "{outcome:?}");
        let state = outcome.objects().remove(0);
        assert_eq!((&state["mode"], &state["in_force"]), (&json!("open"), &json!(in_force)));
        let outcome = operated.admin(&["token", "add"]);
        assert!(!outcome.stderr.contains("everybody"), "{outcome:?}");
        assert_eq!(operated.object(&["registration"])["in_force"], in_force, "a token opens nothing that is shut");
    }
}

#[tokio::test]
async fn a_token_is_told_once() -> io::Result<()> {
    let operated = Operated::new("");
    let outcome = operated.admin(&["token", "add"]);
    assert_eq!(outcome.code, DONE);
    assert!(outcome.stderr.contains("called invite-1,") && outcome.stderr.contains("everybody"), "{outcome:?}");
    let first = outcome.stdout.strip_suffix('\n').unwrap();
    assert!(first.len() == 19 && !outcome.stderr.contains(first), "{outcome:?}");
    let outcome = operated.admin(&["token", "add", "friends", "--json"]);
    assert!(!outcome.stderr.contains("everybody"), "it is said once: {outcome:?}");
    let second = outcome.objects().remove(0);
    assert_eq!(second["name"], "friends");
    let second = second["token"].as_str().unwrap();
    assert_eq!(operated.admin(&["token", "add", "friends"]).code, DATA);

    let list = operated.admin(&["token", "list"]).done();
    let names: Vec<_> = list.lines().map(|line| line.split_once(' ').unwrap().0).collect();
    assert_eq!(names, ["friends", "invite-1"]);
    assert_eq!(operated.admin(&["token", "list", "--json"]).objects()[1]["name"], "invite-1");
    let traces = operated.traces();
    assert!(contains(&traces, "invite-1"), "the token's name is known");
    assert!(!contains(&traces, first) && !contains(&traces, second), "the token is not");

    let mut client = Client::greeted(&operated.server.address).await?;
    client.expect("XREGISTER alice", "535 ").await?;
    client.expect(&format!("XREGISTER alice TOKEN={second}"), "250 ").await?;
    assert_eq!(operated.admin(&["token", "remove", "friends"]).stderr, "");
    let mut client = Client::greeted(&operated.server.address).await?;
    client.expect(&format!("XREGISTER bob TOKEN={second}"), "535 ").await?;
    client.expect(&format!("XREGISTER bob TOKEN={first}"), "250 ").await?;
    let outcome = operated.admin(&["token", "remove", "invite-1"]);
    assert!(outcome.stderr.contains("nobody can register"), "{outcome:?}");
    assert_eq!(operated.object(&["registration"])["mode"], "token", "the last one changes no mode");
    assert_eq!(operated.admin(&["token", "list"]).done(), "");
    Ok(())
}

#[test]
fn the_socket_is_private_and_there_while_the_server_is() {
    let mut operated = Operated::new("");
    let socket = operated.data.join("admin");
    let metadata = fs::symlink_metadata(&socket).unwrap();
    assert!(metadata.file_type().is_socket());
    assert_eq!(metadata.permissions().mode() & 0o777, 0o600);

    // A server that was killed leaves one behind, which the next one replaces.
    operated.server.process.kill().unwrap();
    operated.server.process.wait().unwrap();
    assert!(socket.exists());
    let outcome = operated.admin(&["list"]);
    assert_eq!((outcome.code, outcome.stdout.as_str()), (UNAVAILABLE, ""), "{outcome:?}");
    (operated.server, operated.pop3) = start(&operated.home, &operated.data);
    operated.admin(&["list"]).done();

    kill_process(Pid::from_child(&operated.server.process), Signal::TERM).unwrap();
    operated.server.process.wait().unwrap();
    assert!(!socket.exists());
}

#[test]
fn the_server_is_found_by_its_data_folder() {
    let operated = Operated::new("");
    let wrong = operated.home.path("elsewhere");
    for folder in [&wrong, operated.home.path("config.toml").as_path()].map(Path::to_path_buf) {
        let outcome = admin(&operated.home, &folder, &["list"], "");
        assert_eq!((outcome.code, outcome.stdout.as_str()), (UNAVAILABLE, ""), "{outcome:?}");
        for part in [folder.to_str().unwrap(), "mymail serve", "--data"] {
            assert!(outcome.stderr.contains(part), "{outcome:?}");
        }
    }
    assert!(!wrong.exists(), "looking makes nothing");

    let run = |arguments: &[&str]| operated.home.command(arguments).output().unwrap();
    assert_eq!(run(&["admin", "list"]).status.code(), Some(UNAVAILABLE), "the default folder has no server");
    fs::write(operated.home.path("named.toml"), "data = \"data\"").unwrap();
    let named = run(&["admin", "list", "--config", "named.toml", "--json"]);
    assert!(named.status.success(), "{named:?}");
}

#[test]
fn a_data_folder_may_have_a_long_path() {
    let operated = Operated::with_data("", &format!("{}/data", "long".repeat(50)));
    assert!(operated.data.as_os_str().len() > 200);
    operated.add("alice");
    assert_eq!(operated.object(&["show", "alice"])["address"], "alice@mymailserver");
}

#[test]
fn what_is_no_request_does_nothing() {
    let operated = Operated::new("");
    for request in ["\n", "hello\n", "\"show\"\n", "{\"remove\":{\"name\":\"postmaster\",\"force\":true}}\n"] {
        assert_eq!(operated.socket(request).unwrap(), "{\"refused\":\"bad_request\"}\n", "{request}");
    }
    // Nothing is done for one that is not whole, or too long.
    let mut cut = UnixStream::connect(operated.data.join("admin")).unwrap();
    cut.write_all(b"{\"add\":{\"name\":\"eve\",\"password\":null}}").unwrap();
    cut.shutdown(std::net::Shutdown::Write).unwrap();
    let mut answer = String::new();
    cut.read_to_string(&mut answer).unwrap();
    assert_eq!(answer, "");
    let long = format!("{{\"add\":{{\"name\":\"eve\",\"password\":\"{}\"}}}}\n", "x".repeat(1 << 20));
    assert!(!operated.socket(&long).is_ok_and(|answer| answer.contains("eve")));
    assert_eq!(operated.admin(&["show", "eve"]).code, NO_USER);
}
