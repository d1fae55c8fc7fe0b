//! Programs that others have written work with our server, mail servers and proxies too, and our client works with servers that
//! others have written.
//!
//! Each case has two accounts of its own and a folder of its own, runs one program in it, and compares octets. The table of
//! what passed is printed, and written to the file that `MYMAIL_INTEROP_TABLE` names, if any. A program that is missing
//! fails its rows.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod account;
mod cases;
#[path = "../common/mod.rs"]
mod common;
mod dovecot;
mod keywords;
mod letter;
mod lettre_client;
mod neighbours;
mod ours;
mod postfix;
mod program;
mod proxies;
mod script;
mod server;
mod table;
mod until;

use server::MailServer;
use table::Table;

#[test]
#[ignore = "needs programs that .ci/run installs"]
fn every_program_sends_and_receives() {
    let mut table = Table::default();
    let server = MailServer::start();
    for program in cases::PROGRAMS {
        program.run(&server, &mut table);
    }
    lettre_client::run(&server, &mut table);
    proxies::run(&server, &mut table);
    neighbours::run(&server, &mut table);
    ours::run(&server, &mut table);
    keywords::run(&server, &mut table);
    table.publish();
}
