//! Results that cannot be printed, or that nobody reads.

use std::fs::OpenOptions;

use super::*;

impl Operated {
    /// Runs `mymail admin` with its results going there.
    fn admin_printing_to(&self, arguments: &[&str], stdout: Stdio) -> Outcome {
        let mut command = self.home.command(&["admin", "--data"]);
        let child = command.arg(&self.data).args(arguments).stdout(stdout).stderr(Stdio::piped()).spawn().unwrap();
        let output = child.wait_with_output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        Outcome { code: output.status.code().unwrap(), stdout: String::new(), stderr }
    }
}

/// A closed one, as the program finds it: Rust opens this in its place.
fn closed() -> Stdio {
    OpenOptions::new().read(true).write(true).open("/dev/null").unwrap().into()
}

fn full() -> Stdio {
    OpenOptions::new().write(true).open("/dev/full").unwrap().into()
}

fn without_reader() -> Stdio {
    std::io::pipe().unwrap().1.into()
}

#[test]
fn a_secret_that_nobody_would_be_told_is_not_made() {
    let operated = Operated::new("");
    let password = operated.add("alice");
    for arguments in [&["add", "bob"][..], &["password", "alice"], &["token", "add"]] {
        let outcome = operated.admin_printing_to(arguments, closed());
        assert_eq!(outcome.code, CANT_CREATE, "{arguments:?} {outcome:?}");
    }
    assert_eq!(operated.admin(&["show", "bob"]).code, NO_USER);
    assert!(operated.pop3(&["USER alice", &format!("PASS {password}")])[1].starts_with("+OK"));
    assert_eq!(operated.object(&["registration"])["tokens"], 0);
}

#[test]
fn a_secret_that_is_lost_is_told_of() {
    let operated = Operated::new("");
    for (arguments, stdout, remedy) in [
        (&["add", "alice"][..], full(), "mymail admin password alice@mymailserver"),
        (&["password", "alice"], without_reader(), "mymail admin password alice@mymailserver"),
        (&["token", "add", "friends"], full(), "mymail admin token remove friends"),
    ] {
        let outcome = operated.admin_printing_to(arguments, stdout);
        assert_eq!(outcome.code, CANT_CREATE, "{arguments:?} {outcome:?}");
        assert!(outcome.stderr.contains(remedy) && !outcome.stderr.contains("shown again"), "{outcome:?}");
    }
    assert_eq!(operated.object(&["show", "alice"])["password"], true);
    assert_eq!(operated.object(&["registration"])["tokens"], 1);
}

#[test]
fn a_list_may_be_read_in_part() {
    let operated = Operated::new("");
    operated.admin(&["token", "add"]).done();
    for arguments in [&["list"][..], &["list", "--json"], &["token", "list"]] {
        let outcome = operated.admin_printing_to(arguments, without_reader());
        assert_eq!((outcome.code, outcome.stderr.as_str()), (DONE, ""), "{arguments:?}");
        assert_eq!(operated.admin_printing_to(arguments, full()).code, CANT_CREATE, "{arguments:?}");
    }
}
