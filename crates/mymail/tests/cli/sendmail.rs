//! `mymail sendmail`, as programs that know only /usr/sbin/sendmail call it.

use std::io::Write;
use std::os::unix::fs::symlink;
use std::process::{Command, Output, Stdio};

use crate::common::Home;
use crate::exit::*;
use crate::servers::{Answers, server_that_answers};

/// Runs a command with this standard input.
fn feed(command: &mut Command, input: &str) -> Output {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // Who does not read its input may close it before all is written.
    child.stdin.take().unwrap().write_all(input.as_bytes()).ok();
    child.wait_with_output().unwrap()
}

impl Home {
    /// The only mail of an account, as its sender sent it, without the fields that differ from day to day.
    fn only_mail(&self, account: &str) -> String {
        let mail = self.run(&["retrieve", "--account", account, "--format", "raw"], "").done();
        let is_steady = |line: &&str| !line.starts_with("Date: ") && !line.starts_with("Message-ID: <");
        assert_eq!(mail.lines().filter(|line| !is_steady(line)).count(), 2, "{mail}");
        mail.lines().filter(is_steady).map(|line| format!("{line}\n")).collect()
    }
}

#[test]
fn cron_sends_its_report() {
    let (home, _server) = Home::with_accounts(&["alice", "bob"]);
    let report = "From: root (Cron Daemon)\nTo: bob\nSubject: Cron <root@here> backup\n\nall done\n.\nreally\n";
    let outcome = home.run(&["sendmail", "-FCronDaemon", "-i", "-odi", "-oem", "-oi", "-t", "-f", "root"], report);
    assert_eq!((outcome.code, outcome.stdout.as_str(), outcome.stderr.as_str()), (0, "", ""));
    assert_eq!(home.only_mail("bob"), report);
}

#[test]
fn a_link_named_sendmail_is_sendmail() {
    let (home, _server) = Home::with_accounts(&["alice"]);
    let link = home.path("sendmail");
    symlink(env!("CARGO_BIN_EXE_mymail"), &link).unwrap();
    let program = home.command(&[]);
    let mut command = Command::new(&link);
    command.args(["-oi", "-F", "The Shop", "alice@mymailserver"]).env_clear();
    command.envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let output = feed(&mut command, "Subject: order\n\n1 book\n");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(home.only_mail("alice"), "Subject: order\nFrom: \"The Shop\" <alice@mymailserver>\n\n1 book\n");
}

#[test]
fn recipients_come_from_the_command_line_and_with_t_from_the_message_too() {
    let (home, _server) = Home::with_accounts(&["alice", "bob", "carol", "dora"]);
    let message = "To: Friends: Bob <bob@mymailserver>, alice;\nBcc: \"Carol, C.\"\n <carol@mymailserver>\n\nhi\n";
    home.run(&["sendmail", "-t", "dora"], message).done();
    let seen = "To: Friends: Bob <bob@mymailserver>, alice;\nFrom: <alice@mymailserver>\n\nhi\n";
    for name in ["alice", "bob", "carol", "dora"] {
        assert_eq!(home.only_mail(name), seen, "{name}");
    }
    home.run(&["sendmail", "dora"], message).done();
    assert_eq!(home.only_mail("dora"), seen);
    assert_eq!(home.run(&["retrieve", "--account", "carol"], "").stderr, "no mail\n");
}

#[test]
fn the_senders_account_is_used() {
    let (home, _server) = Home::with_accounts(&["alice", "bob"]);
    home.run(&["sendmail", "-fbob@mymailserver", "alice"], "hi\n").done();
    let text = home.run(&["retrieve"], "").done();
    assert!(text.starts_with("*****\nFrom: bob@mymailserver\nTo: alice@mymailserver\n"), "{text}");
    assert!(text.contains("\nFrom: <bob@mymailserver>\n"), "{text}");
}

#[test]
fn a_sender_that_the_server_refuses_is_told_once() {
    let (home, _server) = Home::with_accounts(&["alice", "bob"]);
    for (option, sender) in [
        (&["-f", "mallory@mymailserver"][..], "mallory@mymailserver"),
        (&["-fwww@example.org"], "www@example.org"),
        (&["-f", "<>"], "<>"),
        (&["-f", ""], "<>"),
    ] {
        let outcome = home.run(&[&["sendmail"], option, &["alice", "bob"]].concat(), "hi\n");
        assert_eq!((outcome.code, outcome.stdout.as_str()), (NO_PERMISSION, ""), "{outcome:?}");
        let told = format!("the server does not let alice@mymailserver send as {sender}: leave out -f");
        assert_eq!(outcome.stderr, format!("{told} (550 5.7.1 Not your address)\n"));
    }
}

#[test]
fn a_dot_ends_the_message_and_progress_bars_get_through() {
    let (home, _server) = Home::with_accounts(&["alice"]);
    home.run(&["sendmail", "alice"], "Subject: x\n\n10%\r20%\n.\nnot me\n").done();
    assert_eq!(home.only_mail("alice"), "Subject: x\nFrom: <alice@mymailserver>\n\n10%\n20%\n");
}

#[test]
fn the_exit_code_tells_the_program_what_became_of_the_mail() {
    const BUSY: &str = "nothing was queued";
    let cases: [(Answers, i32, &[&str]); 10] = [
        (&[], 0, &[]),
        (&[("RCPT TO:<10@m>", "550 5.1.1 No such user")], NO_USER, &["10@m: 550 5.1.1 No such user\n"]),
        (&[("RCPT TO:<10@m>", "450 4.2.1 Later")], TEMP_FAIL, &["10@m: 450 4.2.1 Later\n", BUSY]),
        (&[(".", "451 4.3.0 Later")], TEMP_FAIL, &["10@m: 451", "11@m: 451", BUSY]),
        (&[(".", "554 5.6.0 Not this")], DATA, &["10@m: 554", "11@m: 554"]),
        (&[("MAIL", "552 5.3.4 Too big")], DATA, &["sender 9@m: 552 5.3.4 Too big\n"]),
        (&[("MAIL", "550 5.7.1 Not yet")], NO_PERMISSION, &["sender 9@m: 550 5.7.1 Not yet\n"]),
        (&[("MAIL", "451 4.7.1 Later")], TEMP_FAIL, &["sender 9@m: 451 4.7.1 Later\n", BUSY]),
        (&[("AUTH", "454 4.7.0 Later")], TEMP_FAIL, &[BUSY, "Later"]),
        (&[("AUTH", "535 5.7.8 No")], NO_PERMISSION, &["535 5.7.8 No"]),
    ];
    for (answers, code, told) in cases {
        let home = Home::new();
        let (server, _hears) = server_that_answers(answers);
        home.write_account("9@m", &server, 0o600);
        let outcome = home.run(&["sendmail", "10@m", "11"], "text\n");
        assert_eq!((outcome.code, outcome.stdout.as_str()), (code, ""), "{outcome:?}");
        assert_eq!(outcome.stderr.is_empty(), told.is_empty(), "{outcome:?}");
        assert!(told.iter().all(|text| outcome.stderr.contains(text)), "{outcome:?}");
        assert_eq!(outcome.stderr.contains(BUSY), told.contains(&BUSY), "{outcome:?}");
    }
}

#[test]
fn without_a_server_nothing_is_queued() {
    let home = Home::new();
    home.write_account("9@m", "127.0.0.1:1", 0o600);
    let outcome = home.run(&["sendmail", "10@m"], "hi\n");
    assert_eq!((outcome.code, outcome.stdout.as_str()), (TEMP_FAIL, ""), "{outcome:?}");
    assert!(outcome.stderr.contains("nothing was queued"), "{outcome:?}");
}

#[test]
fn a_mail_to_an_unreadable_recipient_goes_to_nobody() {
    let home = Home::new();
    let (server, hears) = server_that_answers(&[]);
    home.write_account("9@m", &server, 0o600);
    for (arguments, message, code) in [
        (&["sendmail", "10@m", "not an address"][..], "hi\n", DATA),
        (&["sendmail", "-t"], "To: <10@m> <11@m>\n\nhi\n", DATA),
        (&["sendmail", "-t"], "To: 10@m, a@@b\n\nhi\n", DATA),
        (&["sendmail", "-t"], "Subject: hi\n\nTo: 10@m\n", USAGE),
        (&["sendmail"], "To: 10@m\n\n", USAGE),
        (&["sendmail", "-bs"], "", USAGE),
        (&["sendmail", "-q"], "", USAGE),
    ] {
        let outcome = home.run(arguments, message);
        assert_eq!((outcome.code, outcome.stdout.as_str()), (code, ""), "{outcome:?}");
        assert_ne!(outcome.stderr, "");
    }
    assert_eq!(hears.try_iter().count(), 0);
}
