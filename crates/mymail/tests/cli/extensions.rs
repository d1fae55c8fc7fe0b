//! What is made of a server's extensions: CHUNKING, DSN, SMTPUTF8, LIMITS.

use std::sync::mpsc::Receiver;

use crate::common::Home;
use crate::exit::*;
use crate::running::Outcome;
use crate::servers::{Answers, server_that_answers};

const ALL: Answers = &[(
    "EHLO",
    "250-m\r\n250-AUTH PLAIN\r\n250-PIPELINING\r\n250-SIZE\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250-DSN\r\n250 CHUNKING",
)];
const NONE: Answers = &[("EHLO", "250-m\r\n250 AUTH PLAIN")];

/// Runs a command of 9@m with a server that gives these answers; the lines that the server hears of it.
fn run(answers: Answers, arguments: &[&str], input: &str) -> (Outcome, Vec<String>) {
    let (outcome, hears) = run_as("9@m", answers, arguments, input);
    let heard = hears.iter().take_while(|line| line != "QUIT").collect();
    (outcome, heard)
}

/// Runs a command of an account, which need not come to a goodbye.
fn run_as(account: &str, answers: Answers, arguments: &[&str], input: &str) -> (Outcome, Receiver<String>) {
    let home = Home::new();
    let (server, hears) = server_that_answers(answers);
    home.write_account(account, &server, 0o600);
    (home.run(arguments, input), hears)
}

/// Those that begin so.
fn beginning(heard: &[String], words: &[&str]) -> Vec<String> {
    heard.iter().filter(|line| words.iter().any(|word| line.starts_with(word))).cloned().collect()
}

#[test]
fn a_mail_goes_in_one_chunk_and_the_dialogue_says_what_was_used() {
    let (outcome, heard) = run(ALL, &["send", "10@m", "--raw", "-v"], "X: y\n\n.dots\n.\nend\n");
    assert_eq!((outcome.code, outcome.stdout.as_str()), (0, "10@m: 250 OK\n"), "{outcome:?}");
    let from = heard.iter().position(|line| line.starts_with("MAIL")).unwrap();
    let expected =
        ["MAIL FROM:<9@m> SIZE=23 BODY=8BITMIME", "RCPT TO:<10@m>", "BDAT 23 LAST", "X: y", "", ".dots", ".", "end"];
    assert_eq!(heard[from..], expected);
    let said = "C: BDAT 23 LAST\nS: 250 OK\n* sent by PIPELINING, SIZE, 8BITMIME, CHUNKING\nC: QUIT\n";
    assert!(outcome.stderr.contains(said) && !outcome.stderr.contains("dots"), "{outcome:?}");

    let (outcome, heard) = run(NONE, &["send", "10@m", "--raw", "-v"], "X: y\n\n.dots\n.\nend\n");
    assert_eq!(outcome.code, 0, "{outcome:?}");
    assert_eq!(beginning(&heard, &["MAIL", "DATA", ".", "BDAT"]), ["MAIL FROM:<9@m>", "DATA", "..dots", "..", "."]);
    assert!(!outcome.stderr.contains("* sent by"), "{outcome:?}");
}

#[test]
fn a_refused_chunk_is_a_refused_mail() {
    const FULL: Answers = &[("BDAT", "452 4.3.1 Full"), ("EHLO", "250-m\r\n250-AUTH PLAIN\r\n250 CHUNKING")];
    let (outcome, heard) = run(FULL, &["send", "10@m", "--raw", "-v"], "hi\n");
    assert_eq!((outcome.code, outcome.stdout.as_str()), (TEMP_FAIL, "10@m: 452 4.3.1 Full\n"), "{outcome:?}");
    assert!(!outcome.stderr.contains("* sent by") && heard.last().unwrap() == "hi", "{outcome:?} {heard:?}");
}

#[test]
fn a_session_sends_in_the_same_way() {
    let (outcome, heard) = run(ALL, &["session", "--account", "9@m", "-v"], "send 10\nhi\ntext\n.\n");
    assert_eq!((outcome.code, outcome.stdout.as_str()), (0, "10@m: 250 OK\n"), "{outcome:?}");
    assert_eq!(beginning(&heard, &["BDAT"]).len(), 1, "{heard:?}");
    assert!(outcome.stderr.contains("* sent by PIPELINING, SIZE, 8BITMIME, CHUNKING\n"), "{outcome:?}");
}

#[test]
fn reports_are_asked_for() {
    let send = ["send", "10@m", "--raw", "--notify", "success,failure", "--return", "headers", "--envelope-id", "a+1"];
    let sendmail = ["sendmail", "-N", "success,failure", "-R", "hdrs", "-V", "a+2B1", "10@m"];
    for arguments in [&send[..], &sendmail] {
        let (outcome, heard) = run(ALL, arguments, "X: y\n\nhi\n");
        assert_eq!((outcome.code, outcome.stderr.as_str()), (0, ""), "{outcome:?}");
        let [mail, rcpt] = &beginning(&heard, &["MAIL", "RCPT"])[..] else { panic!("{heard:?}") };
        assert!(mail.starts_with("MAIL FROM:<9@m> SIZE=") && mail.ends_with(" RET=HDRS ENVID=a+2B1"), "{mail}");
        assert_eq!(rcpt, "RCPT TO:<10@m> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;10@m");
    }
    let (outcome, heard) = run(ALL, &["send", "10@m", "--raw", "--notify", "never", "-v"], "hi\n");
    assert_eq!(beginning(&heard, &["RCPT"]), ["RCPT TO:<10@m> NOTIFY=NEVER ORCPT=rfc822;10@m"]);
    assert!(outcome.stderr.contains(" DSN, CHUNKING\n"), "{outcome:?}");
}

#[test]
fn a_server_without_reports_gets_the_mail_and_the_user_is_told() {
    for arguments in [&["send", "10@m", "--raw", "--return", "full"][..], &["sendmail", "-N", "failure", "10@m"]] {
        let (outcome, heard) = run(NONE, arguments, "hi\n");
        assert_eq!(outcome.code, 0, "{outcome:?}");
        assert_eq!(outcome.stderr, "note: the server offers no reports (DSN): the mail goes without asking for any\n");
        assert_eq!(beginning(&heard, &["MAIL", "RCPT"]), ["MAIL FROM:<9@m>", "RCPT TO:<10@m>"]);
    }
}

#[test]
fn a_wish_that_makes_no_sense_is_told() {
    let home = Home::new();
    home.write_account("9@m", "127.0.0.1:1", 0o600);
    for (arguments, hint) in [
        (&["send", "10@m", "--notify", "always"][..], "write success, failure, delay"),
        (&["send", "10@m", "--notify", "never,success"], "write success, failure, delay"),
        (&["send", "10@m", "--return", "hdrs"], "write full or headers"),
        (&["send", "10@m", "--envelope-id", "Grüße"], "printable ASCII"),
        (&["send", "10@m", "--envelope-id", ""], "printable ASCII"),
        (&["send", "10@m", "--envelope-id", &" ".repeat(34)], "of which space, + and = count for three"),
        (&["sendmail", "-N", "always", "10@m"], "write success, failure, delay"),
        (&["sendmail", "-R", "headers", "10@m"], "write full or hdrs"),
        (&["sendmail", "-V", "a b", "10@m"], "printable ASCII"),
    ] {
        let outcome = home.run(arguments, "hi\n");
        assert_eq!((outcome.code, outcome.stdout.as_str()), (USAGE, ""), "{outcome:?}");
        assert!(outcome.stderr.contains(hint), "{outcome:?}");
    }
}

#[test]
fn addresses_other_than_ascii_are_for_servers_that_take_them() {
    let arguments = ["send", "jürgen@m", "10@m", "-s", "Grüße"];
    let (outcome, heard) = run(ALL, &arguments, "hi\n");
    assert_eq!((outcome.code, outcome.stdout.as_str()), (0, "jürgen@m: 250 OK\n10@m: 250 OK\n"), "{outcome:?}");
    let envelope = beginning(&heard, &["MAIL", "RCPT"]);
    assert!(envelope[0].ends_with(" BODY=8BITMIME SMTPUTF8"), "{envelope:?}");
    assert_eq!(envelope[1..], ["RCPT TO:<jürgen@m>", "RCPT TO:<10@m>"]);
    assert_eq!(beginning(&heard, &["To:", "Subject: =?"]).len(), 2, "{heard:?}");
    assert!(heard.contains(&"To: <jürgen@m>, <10@m>".to_owned()), "{heard:?}");

    let (outcome, heard) = run(NONE, &arguments, "hi\n");
    assert_eq!(outcome.code, NO_USER, "{outcome:?}");
    let [jürgen, other] = &outcome.stdout.lines().collect::<Vec<_>>()[..] else { panic!("{outcome:?}") };
    assert!(jürgen.starts_with("jürgen@m: 553 5.6.7 ") && jürgen.contains("SMTPUTF8"), "{outcome:?}");
    assert_eq!(*other, "10@m: 250 OK");
    assert_eq!(beginning(&heard, &["MAIL", "RCPT", "To:"]), ["MAIL FROM:<9@m>", "RCPT TO:<10@m>", "To: <10@m>"]);

    let (outcome, heard) = run(NONE, &["sendmail", "jürgen@m"], "hi\n");
    assert_eq!((outcome.code, outcome.stdout.as_str()), (NO_USER, ""), "{outcome:?}");
    assert!(outcome.stderr.starts_with("jürgen@m: 553 5.6.7 "), "{outcome:?}");
    assert!(beginning(&heard, &["MAIL", "RCPT"]).is_empty(), "{heard:?}");
}

#[test]
fn a_header_other_than_ascii_is_told_of_where_the_server_takes_it() {
    let message = "Subject: Grüße\n\nhi\n";
    for (answers, mail) in [(ALL, "MAIL FROM:<9@m> SIZE=*BODY=8BITMIME SMTPUTF8"), (NONE, "MAIL FROM:<9@m>*")] {
        let (begin, end) = mail.split_once('*').unwrap();
        let (outcome, heard) = run(answers, &["sendmail", "10@m"], message);
        assert_eq!((outcome.code, outcome.stderr.as_str()), (0, ""), "{outcome:?}");
        let said = &beginning(&heard, &["MAIL"])[0];
        assert!(said.starts_with(begin) && said.ends_with(end), "{said}");
        assert!(heard.contains(&"Subject: Grüße".to_owned()), "{heard:?}");
    }
    let (_, heard) = run(ALL, &["sendmail", "10@m"], "Subject: hi\n\nGrüße\n");
    assert!(beginning(&heard, &["MAIL"])[0].ends_with(" BODY=8BITMIME"), "{heard:?}");
}

#[test]
fn a_server_gets_no_more_recipients_at_once_than_it_announces() {
    const FEW: Answers = &[
        ("EHLO", "250-m\r\n250-AUTH PLAIN\r\n250 LIMITS MAILMAX=9 RCPTMAX=2"),
        ("RCPT TO:<1", "550 5.1.1 No such user"),
    ];
    let (outcome, heard) = run(FEW, &["send", "--raw", "1@m", "12@m", "3@m", "4@m", "5@m"], "hi\n");
    assert_eq!(outcome.code, NO_USER, "{outcome:?}");
    let expected = "1@m: 550 5.1.1 No such user\n12@m: 550 5.1.1 No such user\n3@m: 250 OK\n4@m: 250 OK\n5@m: 250 OK\n";
    assert_eq!(outcome.stdout, expected);
    let transactions = heard.join("\n").matches("MAIL FROM").count();
    assert_eq!((transactions, beginning(&heard, &["RCPT"]).len(), beginning(&heard, &["DATA"]).len()), (3, 5, 2));
}

#[test]
fn those_beyond_the_limit_have_their_turn_whatever_the_others_were_told() {
    const FULL: Answers =
        &[("EHLO", "250-m\r\n250-AUTH PLAIN\r\n250 LIMITS RCPTMAX=2"), ("RCPT TO:<full", "452 4.2.2 Mailbox full")];
    let (outcome, heard) = run(FULL, &["send", "--raw", "full1@m", "full2@m", "3@m", "4@m"], "hi\n");
    let expected = "full1@m: 452 4.2.2 Mailbox full\nfull2@m: 452 4.2.2 Mailbox full\n3@m: 250 OK\n4@m: 250 OK\n";
    assert_eq!((outcome.code, outcome.stdout.as_str()), (TEMP_FAIL, expected), "{outcome:?}");
    assert_eq!((beginning(&heard, &["MAIL"]).len(), beginning(&heard, &["RCPT"]).len()), (2, 4));
}

/// A server of one recipient at a time, which goes away with the second mail.
const GOES_AWAY: Answers =
    &[("EHLO", "250-m\r\n250-AUTH PLAIN\r\n250-CHUNKING\r\n250 LIMITS RCPTMAX=1"), ("BDAT", "250 OK"), ("BDAT", "")];
const IN_DOUBT: &str = "it is not known whether the server took the mail: the server closed the connection";

#[test]
fn nobody_is_told_that_a_further_transaction_failed_which_may_have_gone_well() {
    let (outcome, _) = run_as("9@m", GOES_AWAY, &["send", "--raw", "10@m", "11@m"], "hi\n");
    let expected = format!("10@m: 250 OK\n11@m: {IN_DOUBT}\n");
    assert_eq!((outcome.code, outcome.stdout, outcome.stderr), (TEMP_FAIL, expected, String::new()));

    let (outcome, _) = run_as("9@m", GOES_AWAY, &["send", "--json", "--raw", "10@m", "11@m"], "hi\n");
    let expected =
        format!("{{\"recipient\":\"11@m\",\"accepted\":null,\"code\":null,\"enhanced\":null,\"text\":\"{IN_DOUBT}\"}}");
    assert_eq!(outcome.stdout.lines().nth(1), Some(expected.as_str()), "{outcome:?}");

    let (outcome, _) = run_as("9@m", GOES_AWAY, &["sendmail", "10@m", "11@m"], "hi\n");
    assert_eq!((outcome.code, outcome.stderr), (TEMP_FAIL, format!("11@m: {IN_DOUBT}\n")));

    let script = "send 10 11\nhi\ntext\n.\nwhoami\n";
    let (outcome, _) = run_as("9@m", GOES_AWAY, &["session", "--account", "9@m"], script);
    let expected = format!("10@m: 250 OK\n11@m: {IN_DOUBT}\n");
    assert_eq!((outcome.code, outcome.stdout.as_str()), (TEMP_FAIL, expected.as_str()), "{outcome:?}");
    assert_eq!(outcome.stderr, "the connection is closed, and the session with it\n");
}

#[test]
fn a_further_transaction_that_certainly_failed_did_not_reach_its_recipients() {
    const AWAY: Answers = &[GOES_AWAY[0], ("RCPT TO:<11@m>", "421 4.3.2 m is stopping")];
    let (outcome, _) = run_as("9@m", AWAY, &["sendmail", "10@m", "11@m"], "hi\n");
    let expected = "11@m: the server closed the connection: 421 4.3.2 m is stopping\n\
                    whoever is named here did not get the mail, and nothing was queued\n";
    assert_eq!((outcome.code, outcome.stderr.as_str()), (TEMP_FAIL, expected));
}

#[test]
fn a_mail_that_is_refused_on_its_way_is_refused() {
    const VIRUS: Answers = &[("EHLO", "250-m\r\n250-AUTH PLAIN\r\n250 CHUNKING"), ("BDAT", "!554 5.6.0 No viruses")];
    // More than a connection holds that nobody reads from.
    let mail = format!("Subject: x\n\n{}", format!("{}\n", "x".repeat(900)).repeat(24 << 10));
    let (outcome, _) = run_as("9@m", VIRUS, &["send", "--raw", "10@m"], &mail);
    assert_eq!((outcome.code, outcome.stdout.as_str()), (DATA, "10@m: 554 5.6.0 No viruses\n"), "{outcome:?}");
    assert_eq!(outcome.stderr, "");
    let (outcome, _) = run_as("9@m", VIRUS, &["sendmail", "10@m"], &mail);
    assert_eq!((outcome.code, outcome.stderr.as_str()), (DATA, "10@m: 554 5.6.0 No viruses\n"), "{outcome:?}");
}

#[test]
fn a_sender_other_than_ascii_is_told_what_it_takes() {
    for arguments in [&["send", "--raw", "10@m"][..], &["sendmail", "10@m"]] {
        let (outcome, _) = run_as("jürgen@m", NONE, arguments, "hi\n");
        assert_eq!((outcome.code, outcome.stdout.as_str()), (UNAVAILABLE, ""), "{outcome:?}");
        let told = "the server does not offer SMTPUTF8\nthe sender's address needs that: it is not ASCII\n";
        assert!(outcome.stderr.ends_with(told), "{outcome:?}");
    }
}
