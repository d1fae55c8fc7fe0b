//! When mail may leave the server, and what becomes of it if it must not.

use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;

use rustix::process::{Pid, Signal, kill_process};

use crate::common::Home;
use crate::exit::*;

/// More than sockets and buffers hold between a server that has sent it and a client that has to file it.
const FLOOD_OCTETS: usize = 64 << 20;

/// The program without a standard output, as a shell closes it.
fn without_stdout(home: &Home, arguments: &[&str]) -> Command {
    in_shell(home, "exec \"$0\" \"$@\" >&-", arguments)
}

/// The program as this script starts it.
pub(crate) fn in_shell(home: &Home, script: &str, arguments: &[&str]) -> Command {
    let program = home.command(arguments);
    let mut command = Command::new("/bin/sh");
    command.args(["-c", script]).arg(program.get_program()).args(program.get_args());
    command.env_clear().envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.current_dir(home.path("")).stdin(Stdio::null());
    command
}

fn refuses_to_print(command: &mut Command) {
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(CANT_CREATE), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("cannot write to standard output"), "{output:?}");
}

#[test]
fn a_file_that_may_not_grow_is_cut_back() {
    let (home, _server) = Home::with_accounts(&["alice"]);
    home.run(&["send", "alice@mymailserver", "--raw"], &format!("{}\n", "x".repeat(900)).repeat(300)).done();
    fs::write(home.path("mbox"), "From here on\n\n").unwrap();
    // In blocks of 512 octets.
    let mut command = in_shell(&home, "ulimit -f 100; exec \"$0\" \"$@\"", &["retrieve", "--mbox", "mbox"]);
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(CANT_CREATE), "{output:?}");
    assert_eq!(fs::read_to_string(home.path("mbox")).unwrap(), "From here on\n\n");
    home.run(&["retrieve", "--mbox", "mbox"], "").done();
    assert!(fs::metadata(home.path("mbox")).unwrap().len() > 250_000);
}

#[test]
fn mail_that_cannot_be_written_stays() {
    let (home, _server) = Home::with_accounts(&["alice"]);
    home.run(&["send", "alice@mymailserver", "--raw"], "keep me\n").done();

    let (reader, pipe_without_reader) = std::io::pipe().unwrap();
    drop(reader);
    for stdout in [
        Stdio::from(OpenOptions::new().write(true).open("/dev/full").unwrap()),
        Stdio::from(pipe_without_reader),
        Stdio::from(File::open("/dev/null").unwrap()),
        Stdio::from(File::open("/proc/self/status").unwrap()),
    ] {
        refuses_to_print(home.command(&["retrieve"]).stdout(stdout));
    }
    refuses_to_print(&mut without_stdout(&home, &["retrieve"]));
    refuses_to_print(&mut without_stdout(&home, &["retrieve", "--json"]));

    for mbox in ["/no/such/folder/mbox", "/dev/full"] {
        let outcome = home.run(&["retrieve", "--mbox", mbox], "");
        assert_eq!((outcome.code, outcome.stdout.as_str()), (CANT_CREATE, ""), "{outcome:?}");
        assert!(outcome.stderr.contains("stays on the server"), "{outcome:?}");
    }
    assert!(home.run(&["retrieve"], "").done().ends_with("keep me\n"));
}

#[test]
fn mail_may_be_thrown_away() {
    let (home, _server) = Home::with_accounts(&["alice"]);
    home.run(&["send", "alice@mymailserver", "--raw"], "not me\n").done();
    let away = home.command(&["retrieve"]).stdout(Stdio::null()).output().unwrap();
    assert_eq!(away.status.code(), Some(0), "{away:?}");
    assert_eq!(home.run(&["retrieve"], "").stderr, "no mail\n");
}

#[test]
fn no_result_is_lost_in_silence() {
    let home = Home::new();
    fs::write(home.path("mymail.toml"), "").unwrap();
    for arguments in [&["check-config", "mymail.toml"][..], &["demo"]] {
        refuses_to_print(home.command(arguments).stdout(File::open("/dev/null").unwrap()));
    }
}

#[test]
fn one_who_does_not_care_for_results_may_have_none() {
    let (home, _server) = Home::with_accounts(&["alice"]);
    fs::write(home.path("text"), "hi\n").unwrap();
    let sent = without_stdout(&home, &["send", "alice@mymailserver", "text"]).output().unwrap();
    assert_eq!(sent.status.code(), Some(0), "{sent:?}");
    assert!(home.run(&["retrieve"], "").done().ends_with("hi\n"));
}

#[test]
fn another_program_gets_every_octet() {
    let (home, _server) = Home::with_accounts(&["alice"]);
    let octets = b"\x1b]0;owned\x07 \xc2\x9b2J caf\xe9\nend\n";
    assert_eq!(home.run_with_octets(&["send", "alice@mymailserver", "--raw"], octets).code, 0);
    let outcome = home.run(&["retrieve"], "");
    assert_eq!(outcome.code, 0, "{outcome:?}");
    assert!(outcome.octets.ends_with(&[b"*****\n", &octets[..]].concat()), "{outcome:?}");
}

#[test]
fn a_waiting_client_gets_mail_when_it_comes() {
    let (home, _server) = Home::with_accounts(&["alice", "bob"]);
    let mut waiting = home.command(&["retrieve", "-v", "--account", "bob", "--wait", "60"]);
    let mut waiting = waiting.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut dialogue = BufReader::new(waiting.stderr.take().unwrap()).lines().map(Result::unwrap);
    assert!(dialogue.any(|line| line == "C: XRETRIEVE WAIT=60"), "it does not wait");
    home.run(&["send", "bob@mymailserver", "--raw"], "at last\n").done();
    let mut text = String::new();
    waiting.stdout.take().unwrap().read_to_string(&mut text).unwrap();
    assert!(dialogue.any(|line| line.contains(" 1 messages")));
    dialogue.for_each(drop);
    assert_eq!(waiting.wait().unwrap().code(), Some(0));
    assert!(text.ends_with("at last\n"), "{text}");
}

/// A server that has one endless mail for whoever logs in. Says so when it has sent enough of it to be sure that some was
/// filed.
fn endless_server() -> (String, mpsc::Receiver<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (flooded, is_flooded) = mpsc::channel();
    thread::spawn(move || {
        for stream in listener.incoming() {
            send_endlessly(stream.unwrap(), &flooded);
        }
    });
    (address, is_flooded)
}

fn send_endlessly(mut stream: TcpStream, flooded: &mpsc::Sender<()>) {
    let mut commands = BufReader::new(stream.try_clone().unwrap()).lines();
    stream.write_all(b"220 liar ESMTP Service Ready\r\n").unwrap();
    for reply in [
        "250-liar\r\n250-AUTH PLAIN\r\n250 XRETRIEVE\r\n",
        "235 2.7.0 OK\r\n",
        "250 1 messages; each ends with <CRLF>.<CRLF>\r\n\
         *****\r\nFrom: a@x\r\nTo: b@x\r\nMIME-Version: 1.0\r\nContent-Type: text\r\n*****\r\nSubject: endless\r\n\r\n",
    ] {
        commands.next().unwrap().unwrap();
        stream.write_all(reply.as_bytes()).unwrap();
    }
    let lines = "x".repeat(62) + "\r\n";
    stream.write_all(lines.repeat(FLOOD_OCTETS / lines.len()).as_bytes()).unwrap();
    flooded.send(()).unwrap();
    // It ends when the client does.
    assert!(!matches!(commands.next(), Some(Ok(_))), "the client says something in the middle of a mail");
}

fn interrupt(process: &Child, signal: Signal) {
    kill_process(Pid::from_child(process), signal).unwrap();
}

#[test]
fn an_interrupted_retrieval_leaves_no_half_mail() {
    let home = Home::new();
    let (server, is_flooded) = endless_server();
    home.write_account("b@x", &server, 0o600);
    let (mbox, maildir) = (home.path("mbox"), home.path("Maildir"));
    let before = "From old\n\ntext\n";
    fs::write(&mbox, before).unwrap();
    for (option, path, signal) in [("--mbox", &mbox, Signal::INT), ("--maildir", &maildir, Signal::TERM)] {
        let mut command = home.command(&["retrieve", option, path.to_str().unwrap()]);
        let mut process = command.stderr(Stdio::piped()).spawn().unwrap();
        is_flooded.recv().unwrap();
        let half = match option {
            "--mbox" => fs::read_to_string(&mbox).unwrap().len() > before.len(),
            _ => fs::read_dir(maildir.join("tmp")).unwrap().count() == 1,
        };
        assert!(half, "nothing was filed yet");
        interrupt(&process, signal);
        let mut stderr = String::new();
        process.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        assert_eq!(process.wait().unwrap().code(), Some(TEMP_FAIL), "{stderr}");
        assert!(stderr.contains("interrupted: the mail stays on the server"), "{stderr}");
    }
    assert_eq!(fs::read_to_string(&mbox).unwrap(), before);
    for part in ["tmp", "new"] {
        assert_eq!(fs::read_dir(maildir.join(part)).unwrap().count(), 0);
    }
}
