//! `mymail session` as a script pipes into it.

use crate::common::Home;
use crate::exit::*;

#[test]
fn a_session_is_a_script_too() {
    let (home, server) = Home::with_server();
    let script = "register\nwhoami\nsend\n9999 \nnobody\ntext\n.\nretrieve\nquit\n";
    let outcome = home.run(&["session", "--server", &server.address], script);
    let address = outcome.stdout.lines().next().unwrap();
    assert!(address.ends_with("@mymailserver"), "{outcome:?}");
    assert_eq!(outcome.stdout.lines().nth(1), Some(address));
    assert!(outcome.stdout.contains("9999@mymailserver: 550"), "{outcome:?}");
    assert!(outcome.stderr.contains("no mail"), "{outcome:?}");
    assert!(!outcome.stdout.contains("mymail>") && !outcome.stdout.contains("Subject:"), "{outcome:?}");
    assert_eq!(outcome.code, NO_USER);

    let script = "register carol\nsend carol\nhi\n.hello\n.\nretrieve\nunregister\nwhoami\nfrobnicate\n";
    let outcome = home.run(&["session", "-v", "--server", &server.address], script);
    assert!(outcome.stdout.contains("carol@mymailserver: 250"), "{outcome:?}");
    assert!(outcome.stdout.contains("\nSubject: hi\n") && outcome.stdout.contains("\n.hello\n"), "{outcome:?}");
    assert!(outcome.stderr.contains("no address yet") && outcome.stderr.contains("no such command"), "{outcome:?}");
    assert!(outcome.stderr.contains("C: XREGISTER carol") && outcome.stderr.contains("C: QUIT"), "{outcome:?}");
    assert_eq!(outcome.code, NO_PERMISSION);
}

#[test]
fn a_session_keeps_a_password_for_later() {
    let (home, server) = Home::with_server();
    let outcome = home.run(&["session", "--server", &server.address], "register carol\npasswd\nsend carol\n\nhi\n.\n");
    assert_eq!(outcome.code, 0, "{outcome:?}");
    assert!(home.run(&["retrieve"], "").done().ends_with("\nhi\n"));
    let outcome = home.run(&["session", "--account", "carol"], "whoami\nunregister\n");
    assert_eq!(outcome.done(), "carol@mymailserver\n");
    assert_eq!(home.run(&["accounts"], "").done(), "");
}

#[test]
fn the_lines_of_a_mail_are_never_commands() {
    let (home, server) = Home::with_accounts(&["alice"]);
    let too_long = format!("{}\n", "x".repeat(1023)).repeat(1025);
    for (send, code) in [
        ("send a@@b\nSubj\nunregister\n.\n", USAGE),
        ("send\na@@b\nSubj\nunregister\n.\n", USAGE),
        ("send\n\nSubj\nunregister\n.\n", USAGE),
        ("send nobody\nSubj\nunregister\n.\n", NO_USER),
        (&format!("send alice\nSubj\n{too_long}unregister\n.\n"), DATA),
        ("send alice\nSubj\nunregister\n", DATA),
    ] {
        let outcome = home.run(&["session", "--account", "alice"], &format!("{send}whoami\n"));
        assert_eq!(outcome.code, code, "{outcome:?}");
        assert!(!outcome.stderr.contains("is ended"), "{outcome:?}");
    }
    let outcome = home.run(&["session", "--server", &server.address], "send alice\nSubj\nregister eve\n.\nwhoami\n");
    assert_eq!((outcome.code, outcome.stdout.as_str()), (NO_PERMISSION, ""));
    assert_eq!(outcome.stderr.matches("you have no address yet").count(), 2, "{outcome:?}");

    let latin = b"send alice\nSubj\ncaf\xe9\nunregister\n.\n";
    let outcome = home.run_with_octets(&["session", "--account", "alice"], latin);
    assert_eq!((outcome.code, outcome.stdout.as_str()), (DATA, ""));
    assert!(outcome.stderr.contains("cannot read what is typed"), "{outcome:?}");
    home.run(&["retrieve"], "").done();
}

#[test]
fn a_command_in_a_wrong_form_is_shown_its_right_one() {
    let (home, server) = Home::with_server();
    for (line, hint) in [
        ("register bad name", "register [NAME]"),
        ("whoami now", "form: whoami\n"),
        ("retrieve 301", "0 to 300 seconds"),
        ("retrieve soon", "0 to 300 seconds"),
        ("mymail", "no such command"),
        ("Commands:", "no such command"),
    ] {
        let outcome = home.run(&["session", "--server", &server.address], line);
        assert_eq!((outcome.code, outcome.stdout.as_str()), (USAGE, ""), "{outcome:?}");
        assert!(outcome.stderr.contains(hint), "{line}: {outcome:?}");
    }
}
