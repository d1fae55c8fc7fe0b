//! Cuts the power under the real server, and looks whether the mail that it has accepted is there afterwards.
//!
//! The server's data are on a disk of their own ([`testkit::power`]); clients write down outside of it what they are told
//! ([`ledger`]). After each cut the disk is mounted, the server started, and every mailbox read by POP3. What must be so:
//!
//! - A message that was accepted is in each mailbox that it was sent to, octet for octet, and so is the report about it, unless
//!   its flush was acknowledged, or asked for. Acknowledged, it is gone.
//! - A message that was not is in all of them, or in none.
//! - No message is torn, there twice, or in the mailbox of somebody else.
//! - An account whose password was told can be logged in to, and one that was given up is gone.
//! - `mymail admin list` counts the messages and octets that are there.
//!
//! Nothing here knows how the data are kept, but for the stores of earlier versions: all of it goes over SMTP, POP3 and `mymail
//! admin`. `MYMAIL_POWER_CUTS` says how many cuts there shall be in all, `MYMAIL_POWER_SEED` which ones. A disk whose comparison
//! fails is kept, as the cut left it. If the run itself may be killed, `unshare --mount --pid --fork --mount-proc --kill-child`
//! before the command lets it take its mounts, loop devices and servers along.

#![allow(clippy::panic, clippy::unwrap_used, reason = "a test that can't go on must fail")]

mod clients;
#[path = "../common/mod.rs"]
mod common;
mod compare;
mod disk;
mod ledger;
mod letter;
mod load;
mod machine;
mod moments;
mod old_store;
mod phases;
mod pop3;
mod settings;
mod syncs;
