//! A store as an earlier version of the program has left it.

use std::num::NonZeroU32;
use std::path::Path;
use std::{fs, io};

use proto::sasl::scram::{SALT_OCTETS, Verifier};
use rusqlite::{Connection, params};

use crate::ledger::Ledger;
use crate::letter::{Size, content};
use crate::load::address;

/// The steps that led to each version. What has been released does not change.
pub(crate) const STEPS: [&str; 3] = [
    include_str!("../../../store/src/embedded/schema/1.sql"),
    include_str!("../../../store/src/embedded/schema/2.sql"),
    include_str!("../../../store/src/embedded/schema/3.sql"),
];
/// "mYml".
const APPLICATION_ID: i32 = 0x6d59_6d6c;
const NAMES: [&str; 2] = ["alice", "bob"];
const PASSWORD: &str = "an old password";
const ITERATIONS: NonZeroU32 = NonZeroU32::new(4096).unwrap();
/// Whenever that was, in seconds since 1970.
const RECEIVED_AT: i64 = 1_795_000_000;
/// The empty line parts it from a message without a header.
const TRACE: &str = "Received: from unknown ([127.0.0.1])\r\n\tby mymailserver with SMTP id 1;\r\n\tlong ago\r\n\r\n";

/// Makes a store of this version, with two accounts and a message of each size to both.
pub(crate) fn make(data: &Path, version: usize, ledger: &mut Ledger) -> io::Result<()> {
    fs::create_dir_all(data.join("bodies"))?;
    let database = Connection::open(data.join("mail.db")).unwrap();
    database.pragma_update(None, "journal_mode", "WAL").unwrap();
    database.execute_batch(STEPS[0]).unwrap();
    for name in NAMES {
        add_account(&database, name);
        ledger.registered(&address(name), PASSWORD);
    }
    for (number, size) in (1..).zip([Size::Small, Size::Middle, Size::Big, Size::Huge]) {
        let seed = size.seed(number);
        add_message(&database, data, seed)?;
        ledger.sending(seed, &address(NAMES[0]), &NAMES.map(address).each_ref().map(String::as_str), false);
        ledger.accepted(seed);
    }
    for step in &STEPS[1..version] {
        database.execute_batch(step).unwrap();
    }
    database.pragma_update(None, "application_id", APPLICATION_ID).unwrap();
    database.pragma_update(None, "user_version", version as u32).unwrap();
    Ok(())
}

fn add_account(database: &Connection, name: &str) {
    let verifier = Verifier::derive(PASSWORD, &[7; SALT_OCTETS], ITERATIONS).to_string();
    let sql = "INSERT INTO account (key, address, domain, verifier, used_at) VALUES (?1, ?1, 'mymailserver', ?2, ?3)";
    database.execute(sql, params![address(name), verifier, RECEIVED_AT]).unwrap();
}

/// Short bodies are in the database, others in files.
fn add_message(database: &Connection, data: &Path, seed: u64) -> io::Result<()> {
    let content = content(seed);
    let (octets, from) = (content.len() as i64, address(NAMES[0]));
    let (file, body) = match Size::of(seed) {
        Size::Small | Size::Middle => (None, Some(content)),
        Size::Big | Size::Huge => {
            fs::write(data.join(format!("bodies/{seed}")), content)?;
            (Some(seed as i64), None)
        }
    };
    let sql =
        "INSERT INTO message (reverse_path, trace, received_at, octets, file, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    database.execute(sql, params![from, TRACE, RECEIVED_AT, octets, file, body]).unwrap();
    let message = database.last_insert_rowid();
    let sql = "INSERT INTO entry (account, message, recipient, octets) SELECT id, ?1, address, ?2 FROM account";
    database.execute(sql, params![message, octets]).unwrap();
    database.execute("UPDATE account SET octets = octets + ?1", params![octets]).unwrap();
    Ok(())
}
