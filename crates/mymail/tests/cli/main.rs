//! The program as its users type it: arguments, standard streams, exit codes, files.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "../common/mod.rs"]
mod common;
mod config_for;
mod exit;
mod extensions;
mod hostile_names;
mod lying;
mod mail;
mod moving;
mod offline;
mod pop3;
mod retrieving;
mod running;
mod sendmail;
mod servers;
mod session;
mod terminal;
mod tls;

use common::Home;

#[test]
fn the_demo_tells_the_whole_story() {
    let home = Home::new();
    let stdout = home.run(&["demo"], "").done();
    for text in ["A C: HELO", "S: 550 No such user here", "B S: *****", "D S: 250 0 messages"] {
        assert!(stdout.contains(text), "{text} is missing in\n{stdout}");
    }
    assert!(!stdout.contains('\x1b'), "colour is for terminals:\n{stdout}");
}
