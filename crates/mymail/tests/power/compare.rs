//! Reads everything that is there after a cut, and looks whether it is what it must be.

use std::collections::BTreeSet;
use std::io;

use anyhow::{Context, ensure};

use crate::ledger::{Counts, Ledger, Mailboxes};
use crate::letter::{self, Item};
use crate::machine::{Listed, Machine};
use crate::pop3::Pop3;

/// Compares the mailboxes with what clients had been told. Nobody else may be at work.
pub(crate) async fn compare(machine: &Machine, ledger: &mut Ledger) -> io::Result<Counts> {
    let mut listed = machine.list()?;
    let logins = ledger.logins();
    for account in listed.iter().filter(|account| account.address != "postmaster@mymailserver") {
        let address = &account.address;
        assert!(account.has_password, "{address} has no password and outlived the cut");
        let is_known = logins.iter().any(|(known, _)| known == address);
        assert!(is_known || ledger.is_unheard(address), "account {address} had ended, or was never there");
    }
    let mut found = Mailboxes::new();
    for (address, password) in logins {
        let Some(account) = listed.iter().find(|account| account.address == address) else { continue };
        match read(machine, ledger, account, &password).await {
            Ok(items) => {
                found.insert(address, items);
            }
            Err(wrong) => {
                // If its lease has run out meanwhile, so have those of others.
                listed = machine.list()?;
                assert!(listed.iter().all(|account| account.address != address), "{address}: {wrong}");
            }
        }
    }
    Ok(ledger.settle(&found))
}

/// What is in a mailbox.
async fn read(machine: &Machine, ledger: &Ledger, account: &Listed, password: &str) -> anyhow::Result<BTreeSet<Item>> {
    let reader = Pop3::logged_in(&machine.pop3, &account.address, password).await?;
    let mut reader = reader.context("the password is wrong")?;
    let mut items = BTreeSet::new();
    let mut octets = 0;
    for text in reader.retrieve().await? {
        let letter = letter::read(&text).map_err(anyhow::Error::msg)?;
        ensure!(items.insert(letter.item), "{:?} is there twice", letter.item);
        let from = ledger.reverse_path(letter.item);
        ensure!(from == Some(letter.from.as_str()), "{:?} is from {} instead of {from:?}", letter.item, letter.from);
        octets += letter.octets;
    }
    reader.quit().await?;
    let (messages, listed) = (items.len() as u64, (account.messages, account.octets));
    ensure!(listed == (messages, octets), "{listed:?} are listed, {:?} are there", (messages, octets));
    Ok(items)
}
