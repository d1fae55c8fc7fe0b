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

/// What login messages, messages and addresses may look like, where no dialogue has them.
const MORE: &[(&str, &str)] = &[
    (
        "sasl",
        "\x18n,,n=user,r=rOprNGfwEbeRWgbNEkqO\nc=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzb",
    ),
    (
        "sasl",
        "\x0dr=rOprNGfwEbeRWgbNEkqO%hv,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096\nv=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
    ),
    ("sasl", "\x02AHVzZXIAcGVuY2ls"),
    ("sasl", "\x03dXNlcg==\ncGVuY2ls"),
    (
        "sasl",
        "\0SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=",
    ),
    (
        "carriable",
        "\x03\0\0\x05Content-Type: multipart/mixed; boundary=\"b\"\r\nContent-Transfer-Encoding: binary\r\n\r\n--b\r\nContent-Transfer-Encoding: binary\r\n\r\n\r\0\n\r\n--b--\r\n",
    ),
    (
        "carriable",
        "\x03\x01\x02\x05Content-Type: message/rfc822\r\nContent-Transfer-Encoding: binary\r\n\r\nSubject: in\r\n\r\nHello\r\n",
    ),
    ("carriable", "\x07\x02\0\x10a@b.example\r\nReceived: x\r\nDate: y\r\n\r\nHi\r\n"),
    ("addresses", "rfc822;a+2Bb@example.org"),
    ("addresses", "utf-8;j\\x{FC}rgen@example.com"),
    ("addresses", "<@a.example,@b.example:\"a b\"@[IPv6:::1]> SIZE=1"),
    ("addresses", "j\u{fc}rgen@b\u{fc}cher.example"),
    ("addresses", "SUCCESS,FAILURE"),
    ("proxy_header", "PROXY TCP4 192.0.2.1 127.0.0.1 80 25\r\n"),
    ("proxy_header", "PROXY UNKNOWN\r\n"),
    ("proxy_header", "\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\x7f\0\0\x01\x7f\0\0\x01\0\x50\0\x19"),
    ("config", "hostname = \"m.example\"\n[[listen]]\nprotocol = \"smtp\"\naddress = \"0.0.0.0:25\"\nproxy = true\n"),
    (
        "config",
        "[aliases]\ninfo = [\"alice\", \"bob@mymailserver\"]\n\"*\" = \"info\"\n[limits]\nmessage_size = \"10 MiB\"\n",
    ),
    ("config", "[registration]\ntokens = [\"t\"]\nlease = \"24h\"\n[timeouts]\ncommand = \"5m\"\n"),
    ("store_recovery", "\0\x01\x20\0\x04abcd"),
    ("store_recovery", "\x02\x02\x70\0\0"),
    ("store_recovery", "\x04\x02\x70\0\x06\0\x01\x02\x03\x04\x05"),
];

fn main() {
    let folder = std::env::args_os().nth(1).map(PathBuf::from).expect("a folder to write to");
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("../proto/tests");
    for dialogue in Dialogue::all_in(&tests.join("dialogues"), Over::Clear) {
        let name = name(&dialogue.path);
        for (client, said) in said_in(&dialogue) {
            write(&folder, "smtp_session", &format!("{name}{client}"), &[&smtp_choices(&dialogue), &said]);
            write(&folder, "data_reader", &format!("{name}{client}"), &[&[0, 3], &said]);
            for (at, line) in said.split(|octet| *octet == b'\n').enumerate() {
                write(&folder, "command_parser", &format!("{name}{client}{at}"), &[&[1], line]);
            }
        }
    }
    for dialogue in Dialogue::all_in(&tests.join("pop3_dialogues"), Over::Clear) {
        for (client, said) in said_in(&dialogue) {
            write(&folder, "pop3_session", &format!("{}{client}", name(&dialogue.path)), &[&[4; 16], &said]);
        }
    }
    for path in files_in(&tests.join("client_dialogues")) {
        // Register, log in, send, retrieve.
        write(&folder, "smtp_client", &name(&path), &[&[0, 3, 2, 0, 1, 1, 0, 8], &heard_in(&path)]);
        write(
            &folder,
            "smtp_client",
            &format!("{}-send", name(&path)),
            &[&[0, 0, 9, 18, 8, 8, 8, 8], &heard_in(&path)],
        );
    }
    for path in files_in(&tests.join("pop3_client_dialogues")) {
        write(&folder, "pop3_client", &name(&path), &[&[6, 1], &heard_in(&path)]);
    }
    for (at, (target, text)) in MORE.iter().enumerate() {
        write(&folder, target, &at.to_string(), &[text.as_bytes()]);
    }
}

fn files_in(folder: &Path) -> Vec<PathBuf> {
    folder.read_dir().expect("a folder of dialogues").map(|entry| entry.expect("a dialogue").path()).collect()
}

/// What a client hears in one of its dialogues.
fn heard_in(path: &Path) -> Vec<u8> {
    let text = fs::read_to_string(path).expect("a readable dialogue");
    text.lines()
        .filter_map(|line| line.strip_prefix("S: "))
        .flat_map(|line| format!("{line}\r\n").into_bytes())
        .collect()
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
