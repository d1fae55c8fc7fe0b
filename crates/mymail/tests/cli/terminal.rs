//! The program in the hands of a person at a terminal.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use crate::common::Home;
use crate::exit::*;

/// How long a program may show nothing before it counts as stuck.
const SILENCE_MAX: Timespec = Timespec { tv_sec: 60, tv_nsec: 0 };

/// A program at a terminal of its own.
struct Terminal {
    keyboard_and_screen: File,
    shown: String,
    process: Child,
}

impl Terminal {
    fn run(command: &mut Command) -> Self {
        let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&ours).unwrap();
        unlockpt(&ours).unwrap();
        let name = ptsname(&ours, Vec::new()).unwrap();
        let theirs = || {
            let file = OpenOptions::new().read(true).write(true).open(name.to_str().unwrap()).unwrap();
            Stdio::from(file)
        };
        let process = command.env("TERM", "xterm").stdin(theirs()).stdout(theirs()).stderr(theirs()).spawn().unwrap();
        // The command holds the other end as well until it gets new ones.
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Self { keyboard_and_screen: ours.into(), shown: String::new(), process }
    }

    fn type_line(&mut self, line: &str) {
        self.type_keys(&format!("{line}\r"));
    }

    fn type_keys(&mut self, keys: &str) {
        self.keyboard_and_screen.write_all(keys.as_bytes()).unwrap();
    }

    /// What a terminal does at Ctrl-C.
    fn interrupt(&self) {
        kill_process(Pid::from_child(&self.process), Signal::INT).unwrap();
    }

    /// Waits until this is on the screen, and takes all up to there off it.
    fn expect(&mut self, text: &str) {
        loop {
            if let Some(at) = self.shown.find(text) {
                self.shown.drain(..at + text.len());
                return;
            }
            assert!(self.read(), "{text} is missing in\n{}", self.shown);
        }
    }

    /// Waits for the program's end. What has come to the screen and was not expected, and the exit code.
    fn end(mut self) -> (String, i32) {
        while self.read() {}
        let code = self.process.wait().unwrap().code().unwrap();
        (std::mem::take(&mut self.shown), code)
    }

    /// Whether something came before the program's end.
    fn read(&mut self) -> bool {
        let mut ready = [PollFd::new(&self.keyboard_and_screen, PollFlags::IN)];
        assert_eq!(poll(&mut ready, Some(&SILENCE_MAX)), Ok(1), "nothing more comes after\n{}", self.shown);
        let mut octets = [0; 4096];
        // A terminal whose program has ended fails to read.
        let count = self.keyboard_and_screen.read(&mut octets).unwrap_or(0);
        self.shown.push_str(&String::from_utf8_lossy(&octets[..count]));
        count > 0
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

#[test]
fn colour_is_for_terminals_that_want_it() {
    let home = Home::new();
    let (screen, code) = Terminal::run(&mut home.command(&["retrieve"])).end();
    assert_eq!(code, CONFIG);
    assert!(screen.contains("\x1b["), "{screen:?}");
    let (screen, _) = Terminal::run(home.command(&["retrieve"]).env("NO_COLOR", "1")).end();
    assert!(screen.starts_with("mymail: ") && !screen.contains('\x1b'), "{screen:?}");
}

#[test]
fn an_operator_is_asked_before_an_account_goes() {
    let (home, _server) = Home::with_server();
    home.run(&["admin", "--data", "data", "add", "alice"], "").done();
    home.run(&["admin", "--data", "data", "add", "bob"], "").done();
    for (name, keys, code, said) in [
        ("alice", "\r", NO_PERMISSION, "alice@mymailserver stays"),
        ("alice", "n\r", NO_PERMISSION, "alice@mymailserver stays"),
        // Ctrl-D.
        ("alice", "\x04", NO_PERMISSION, "\nmymail: alice@mymailserver stays"),
        ("alice", "y\r", 0, "\nalice@mymailserver"),
        ("bob", "Yes\r", 0, "\nbob@mymailserver"),
    ] {
        let mut command = home.command(&["admin", "--data", "data", "remove", name]);
        let mut terminal = Terminal::run(command.env("NO_COLOR", "1"));
        terminal.expect(&format!("Remove {name}@mymailserver with its 0 messages? [y/N] "));
        terminal.type_keys(keys);
        let (screen, exit) = terminal.end();
        assert_eq!(exit, code, "{keys:?} {screen:?}");
        assert!(screen.contains(said), "{keys:?} {screen:?}");
    }
    for name in ["alice", "bob"] {
        assert_eq!(home.run(&["admin", "--data", "data", "show", name], "").code, NO_USER);
    }
    let (screen, exit) = Terminal::run(&mut home.command(&["admin", "--data", "data", "remove", "Postmaster"])).end();
    assert_eq!(exit, NO_PERMISSION, "{screen:?}");
    assert!(screen.contains("cannot be removed") && !screen.contains('?'), "who stays is not asked about: {screen:?}");
}

#[test]
fn an_operator_types_a_password_unseen() {
    let (home, _server) = Home::with_server();
    let arguments = ["admin", "--data", "data", "add", "alice", "--password-stdin"];
    for (keys, again, code, said) in [
        ("correct horse\r", "correct house\r", DATA, "not the same twice"),
        ("correct horse\r", "\x03", NO_PERMISSION, "no password was typed"),
        ("correct horse\r", "correct horse\r", 0, "alice@mymailserver"),
    ] {
        let mut terminal = Terminal::run(&mut home.command(&arguments));
        terminal.expect("New password of alice: ");
        terminal.type_keys(keys);
        terminal.expect("The same again: ");
        terminal.type_keys(again);
        let (screen, exit) = terminal.end();
        assert_eq!(exit, code, "{again:?} {screen:?}");
        assert!(screen.contains(said) && !screen.contains("correct"), "{again:?} {screen:?}");
    }
}

#[test]
fn a_new_password_may_be_typed_ahead() {
    let (home, _server) = Home::with_server();
    let arguments = ["admin", "--data", "data", "password", "postmaster", "--password-stdin"];
    let mut terminal = Terminal::run(&mut home.command(&arguments));
    terminal.expect("New password of postmaster: ");
    terminal.type_keys("correct horse\rcorrect horse\r");
    let (screen, code) = terminal.end();
    assert!(screen.contains("postmaster@mymailserver") && !screen.contains("correct"), "{screen:?}");
    assert_eq!(code, 0);
}

#[test]
fn a_person_has_a_session() {
    let (home, server) = Home::with_server();
    let mut terminal = Terminal::run(&mut home.command(&["session", "-v", "--server", &server.address]));
    for (prompt, line) in [
        ("mymail> ", "register carol"),
        ("mymail> ", "send"),
        ("To: ", "carol"),
        ("Subject: ", "hi"),
        ("Ctrl-C cancels", "hello"),
        ("hello", "."),
        ("carol@mymailserver: 250", "retrieve"),
        ("Subject: hi", "quit"),
    ] {
        terminal.expect(prompt);
        terminal.type_line(line);
    }
    terminal.expect("S: 221");
    assert_eq!(terminal.end().1, 0);
    let history = fs::read_to_string(home.path("state/mymail/history")).unwrap();
    assert!(history.contains("register carol") && !history.contains("hello"), "{history}");
}

#[test]
fn what_is_typed_ahead_is_not_lost() {
    let (home, server) = Home::with_server();
    let mut terminal = Terminal::run(&mut home.command(&["session", "--server", &server.address]));
    terminal.expect("mymail> ");
    terminal.type_line("register carol\rsend carol\rhi\rfirst\rsecond\r.\rretrieve\rquit");
    terminal.expect("\r\n\r\nfirst\r\nsecond\r\n");
    assert_eq!(terminal.end().1, 0);
}

#[test]
fn a_person_writes_in_an_editor() {
    let (home, _server) = Home::with_accounts(&["alice"]);
    fs::write(home.path("editor"), "#!/bin/sh\nprintf 'by hand\\n' > \"$2\"\n").unwrap();
    let mut command = home.command(&["send", "alice@mymailserver"]);
    command.env("PATH", "/usr/bin:/bin").env("VISUAL", "sh ./editor --wait");
    let (screen, code) = Terminal::run(&mut command).end();
    assert_eq!(code, 0, "{screen}");
    assert!(home.run(&["retrieve"], "").done().ends_with("\nby hand\n"));

    command.env("VISUAL", "true");
    let (screen, code) = Terminal::run(&mut command).end();
    assert_eq!(code, DATA);
    assert!(screen.contains("nothing was sent"), "{screen}");
}

#[test]
fn a_text_that_could_not_be_sent_is_kept() {
    let home = Home::new();
    home.write_account("9@mymailserver", "127.0.0.1:1", 0o600);
    for (editor, text, exit) in [
        ("echo precious > \"$1\"", "precious\n", UNAVAILABLE),
        ("echo precious > \"$1\"; exit 1", "precious\n", DATA),
        ("printf 'caf\\351' > \"$1\"", "caf\u{fffd}", DATA),
    ] {
        fs::write(home.path("editor"), editor).unwrap();
        let mut command = home.command(&["send", "10@mymailserver"]);
        command.env("PATH", "/usr/bin:/bin").env("TMPDIR", home.path("")).env("EDITOR", "sh ./editor");
        let (screen, code) = Terminal::run(&mut command).end();
        assert_eq!(code, exit, "{screen}");
        let path = screen.split("your text is kept in ").nth(1).expect(&screen).split('\r').next().unwrap();
        assert_eq!(String::from_utf8_lossy(&fs::read(path).unwrap()), text);
    }
}

#[test]
fn ctrl_c_is_the_editors_own() {
    let (home, _server) = Home::with_accounts(&["alice"]);
    fs::write(home.path("editor"), "trap '' INT; echo editing; read text; echo \"$text\" > \"$1\"").unwrap();
    let mut command = home.command(&["send", "alice@mymailserver"]);
    let mut terminal = Terminal::run(command.env("PATH", "/usr/bin:/bin").env("EDITOR", "sh ./editor"));
    terminal.expect("editing");
    terminal.interrupt();
    terminal.type_line("still here");
    assert_eq!(terminal.end().1, 0);
    assert!(home.run(&["retrieve"], "").done().ends_with("\nstill here\n"));
}

#[test]
fn one_ctrl_c_ends_no_session() {
    let (home, server) = Home::with_accounts(&["alice"]);
    let mut terminal = Terminal::run(&mut home.command(&["session", "-v", "--server", &server.address]));
    for line in ["register carol", "retrieve 300"] {
        terminal.expect("mymail> ");
        terminal.type_line(line);
    }
    terminal.expect("C: XRETRIEVE WAIT=300");
    terminal.interrupt();
    terminal.expect("Ctrl-C again ends the session");
    home.run(&["send", "carol@mymailserver", "--raw"], "at last\n").done();
    terminal.expect("at last");

    terminal.expect("mymail> ");
    terminal.type_line("retrieve 300");
    terminal.expect("C: XRETRIEVE WAIT=300");
    terminal.interrupt();
    terminal.expect("Ctrl-C again ends the session");
    terminal.interrupt();
    let (screen, code) = terminal.end();
    assert!(screen.contains("interrupted"), "{screen}");
    assert_eq!(code, TEMP_FAIL);
}

#[test]
fn a_password_that_is_typed_is_not_shown() {
    let home = Home::new();
    let add = ["accounts", "--add", "alice@example.org", "--server", "smtps://mail.example.org"];
    let mut terminal = Terminal::run(&mut home.command(&add));
    terminal.expect("Password of alice@example.org: ");
    terminal.type_line("hush-hush");
    let (screen, code) = terminal.end();
    assert_eq!(code, 0, "{screen}");
    assert!(!screen.contains("hush"), "{screen}");
    let accounts = fs::read_to_string(home.path("config/mymail/accounts.toml")).unwrap();
    assert!(accounts.contains("password = \"hush-hush\""), "{accounts}");

    let mut terminal = Terminal::run(&mut home.command(&add));
    terminal.expect("Password of");
    terminal.type_line("hus\x03");
    let (screen, code) = terminal.end();
    assert_eq!(code, CONFIG, "{screen}");
    assert!(screen.contains("no password was typed"), "{screen}");
}

#[test]
fn a_mail_can_do_nothing_to_a_terminal() {
    let (home, _server) = Home::with_accounts(&["alice"]);
    let octets = b"\x1b]0;owned\x07 \xc2\x9b2J caf\xe9\n";
    let shown = "\u{fffd}]0;owned\u{fffd} \u{fffd}2J caf\u{fffd}\r\n";
    for (format, before) in [("text", "Content-Type: text\r\n*****\r\n"), ("raw", "")] {
        assert_eq!(home.run_with_octets(&["send", "alice@mymailserver", "--raw"], octets).code, 0);
        let mut terminal = Terminal::run(home.command(&["retrieve", "--format", format]).env("NO_COLOR", "1"));
        terminal.expect(before);
        assert_eq!(terminal.end(), (shown.to_owned(), 0));
    }
}
