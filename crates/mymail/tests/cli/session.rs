//! `mymail session` as a script pipes into it.

use crate::exit::*;
use crate::typed::Home;

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
