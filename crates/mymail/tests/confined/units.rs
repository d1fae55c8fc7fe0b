//! The units of systemd: what systemd itself thinks of them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::common::Home;

/// The most that systemd may find the service exposed, of a hundred. A service that confines nothing has 96.
const EXPOSURE_MAX: u32 = 16;

/// The units, with the program that is there.
fn units(home: &Home) -> Vec<PathBuf> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packaging/systemd");
    ["mymail.service", "mymail.socket"]
        .map(|name| {
            let text = fs::read_to_string(source.join(name)).unwrap();
            let program = format!("={} ", env!("CARGO_BIN_EXE_mymail"));
            fs::write(home.path(name), text.replace("=/usr/bin/mymail ", &program)).unwrap();
            home.path(name)
        })
        .into()
}

/// What it says, of which nothing may be a complaint.
fn analyze(arguments: &[&str], units: &[PathBuf]) -> String {
    let output = Command::new("systemd-analyze").args(arguments).args(units).output().unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && errors.is_empty(), "{errors}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
#[ignore = "it needs systemd's tools; CI runs it"]
fn systemd_understands_them_and_finds_the_service_shut_in() {
    let home = Home::new();
    let units = units(&home);
    analyze(&["verify"], &units);
    let threshold = format!("--threshold={EXPOSURE_MAX}");
    let judged = analyze(&["security", "--offline=true", "--no-pager", &threshold], &units[..1]);
    println!("{}", judged.lines().last().unwrap());
}
