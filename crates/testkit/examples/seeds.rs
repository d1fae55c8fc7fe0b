//! Makes what the fuzzers begin with (`fuzz/run`): what is said in the dialogues, with choices that let it succeed.
//!
//! ```text
//! seeds FOLDER        writes FOLDER/TARGET/NAME for each target and dialogue
//! ```
#![allow(clippy::expect_used, reason = "a tool of the project's own, that has no way on without its files")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use proto::smtp::server::Role;
use testkit::{Dialogue, Event, Over};

fn main() {
    let folder = std::env::args_os().nth(1).map(PathBuf::from).expect("a folder to write to");
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("../proto/tests");
    for dialogue in Dialogue::all_in(&tests.join("dialogues"), Over::Clear) {
        let name = name(&dialogue.path);
        for (client, said) in said_in(&dialogue) {
            write(&folder, "smtp_session", &format!("{name}{client}"), &[&smtp_choices(&dialogue), &said]);
            for (at, line) in said.split(|octet| *octet == b'\n').enumerate() {
                write(&folder, "command_parser", &format!("{name}{client}{at}"), &[&[1], line]);
            }
            write(&folder, "data_reader", &format!("{name}{client}"), &[&[0, 3], &said]);
        }
    }
}

/// What each client says.
fn said_in(dialogue: &Dialogue) -> BTreeMap<&str, Vec<u8>> {
    let mut said: BTreeMap<&str, Vec<u8>> = BTreeMap::new();
    for event in &dialogue.events {
        if let Event::Client(client, text) = event {
            said.entry(client).or_default().extend(text.bytes());
        }
    }
    said
}

/// The listener's role, a private channel, TLS where it is asked for, and a driver that says yes.
fn smtp_choices(dialogue: &Dialogue) -> [u8; 16] {
    let role = match dialogue.role {
        Role::Clients => 0,
        Role::Exchanger => 1,
        Role::Submission => 2,
        Role::Lmtp => 3,
    };
    let offers_tls = dialogue.events.iter().any(|event| matches!(event, Event::StartTls(_)));
    let mut choices = [4; 16];
    choices[0] = role | if offers_tls { 0x10 } else { 0 } | 0x20;
    choices
}

fn name(path: &Path) -> String {
    path.file_stem().expect("a dialogue").to_string_lossy().into_owned()
}

fn write(folder: &Path, target: &str, name: &str, parts: &[&[u8]]) {
    let folder = folder.join(target);
    fs::create_dir_all(&folder).expect("a folder that can be made");
    fs::write(folder.join(name), parts.concat()).expect("a file that can be written");
}
