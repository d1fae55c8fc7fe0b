//! An export beside a store: before the import, whether what is in the store came from there; after it, whether all is there.

use std::collections::{HashMap, HashSet};

use proto::Address;
use xxhash_rust::xxh3::Xxh3;

use super::file::Reader as Records;
use super::folder::{Folder, FolderError, Manifest};
use super::import::{ImportError, tell};
use super::mail::Mail;
use super::pages;
use super::record::{Account, Hold, Message, Octets, Place, Record, Token};
use super::{Moved, Watch};
use crate::{
    AccountId, AccountSummary, EntryId, HeldAddress, KeptMessage, MessageId, NewMessage, Reader, Recipient,
    RegistrationMode, Store,
};

/// The ids of accounts in a store, by those in the export.
pub(super) type Accounts = HashMap<i64, AccountId>;

/// The records of all but the mail, in their order.
pub(super) fn records(folder: &Folder, manifest: &Manifest) -> Result<Records, FolderError> {
    match &manifest.accounts {
        Some(accounts) => folder.read(accounts),
        None => Err(FolderError::Damaged { path: folder.path.clone() }),
    }
}

/// The places of a message in the store, in the order of their accounts.
pub(super) fn recipients(places: &[Place], accounts: &Accounts) -> Vec<Recipient> {
    let recipient =
        |Place(id, address): &Place| Some(Recipient { account: *accounts.get(id)?, address: address.0.clone() });
    let mut recipients: Vec<Recipient> = places.iter().filter_map(recipient).collect();
    recipients.sort_by_key(|to| to.account);
    recipients
}

/// Fails unless nothing is in the store but what an import of this export has put there, and what a server makes when it starts.
/// The last message that is there.
pub(super) async fn require_vacant<S: Store>(
    store: &S,
    folder: &Folder,
    manifest: &Manifest,
    watch: Watch<'_>,
) -> Result<Option<MessageId>, ImportError> {
    let accounts = require_own_accounts(store, folder, manifest).await?;
    let (mut there, mut mail) = (pages::messages(store, None), Mail::new(folder, manifest, None));
    let mut last = None;
    while let Some(kept) = there.next().await? {
        let exported = loop {
            tell(watch, 0, manifest).await?;
            match mail.next()? {
                Some((message, _)) if message.id < kept.id.0 => {}
                exported => break exported,
            }
        };
        // Some may have been flushed since.
        let is_own = exported.is_some_and(|(exported, octets)| {
            let recipients = recipients(&exported.places, &accounts);
            let places_are_own = kept.message.recipients.iter().all(|to| recipients.contains(to));
            is_the_same(&exported, octets, &kept) && places_are_own
        });
        if !is_own {
            return Err(ImportError::InUse { what: format!("message {}", kept.id.0) });
        }
        last = Some(kept.id);
    }
    Ok(last)
}

/// The same of all but the mail. Those accounts that are there.
async fn require_own_accounts<S: Store>(
    store: &S,
    folder: &Folder,
    manifest: &Manifest,
) -> Result<Accounts, ImportError> {
    let (mut living, mut held) = (pages::accounts(store), pages::holds(store));
    let (mut accounts, mut tokens) = (Accounts::new(), HashSet::new());
    let not_held = |held: HeldAddress| Err(ImportError::InUse { what: format!("a hold of {}", held.address) });
    let mut records = records(folder, manifest)?;
    while let Some((record, _)) = records.next()? {
        match record {
            Record::Secret(_) | Record::Registration(_) | Record::Message(_) => {}
            Record::Token(token) => {
                tokens.insert(crate::Token::from(token).name);
            }
            Record::Account(exported) => {
                let Some(there) = living.find(&exported.address.0.key(), require_nobody).await? else { continue };
                if there.account.verifier.as_ref() == Some(&exported.verifier.0) {
                    accounts.insert(exported.id, there.account.id);
                } else {
                    require_nobody(there)?;
                }
            }
            Record::Hold(exported) => drop(held.find(&exported.address.0.key(), not_held).await?),
        }
    }
    living.rest(require_nobody).await?;
    held.rest(not_held).await?;
    match store.tokens().await?.into_iter().find(|token| !tokens.contains(&token.name)) {
        Some(token) => Err(ImportError::InUse { what: format!("the token {}", token.name) }),
        None => Ok(accounts),
    }
}

/// Fails unless the account is that of a postmaster without mail, or one without a password, which no connection has any more.
fn require_nobody(there: AccountSummary) -> Result<(), ImportError> {
    let AccountSummary { account, messages, .. } = there;
    let is_postmaster = account.address.key() == Address::postmaster(account.address.domain()).key();
    if messages == 0 && (is_postmaster || account.verifier.is_none()) {
        return Ok(());
    }
    Err(ImportError::InUse { what: format!("the account {}", account.address) })
}

/// Reads all of the store and all of the export, and fails unless everything in the export is in the store. How much there is.
pub(super) async fn require_all<S: Store>(
    store: &S,
    folder: &Folder,
    manifest: &Manifest,
    accounts: &Accounts,
    watch: Watch<'_>,
) -> Result<Moved, ImportError> {
    let mut moved = require_all_accounts(store, folder, manifest, accounts).await?;
    let (mut there, mut mail) = (pages::messages(store, None), Mail::new(folder, manifest, None));
    while let Some((message, octets)) = mail.next()? {
        let (mut digest, mut done) = (Xxh3::new(), manifest.moved.octets + moved.octets);
        while let Some(chunk) = mail.chunk()? {
            digest.update(&chunk);
            done += chunk.len() as u64;
            tell(watch, done, manifest).await?;
        }
        let recipients = recipients(&message.places, accounts);
        let Some(first) = recipients.first().map(|to| to.account) else { continue };
        let kept = there.next().await?.filter(|kept| is_the_same(&message, octets, kept));
        if !kept.is_some_and(|kept| kept.message.recipients == recipients)
            || digest_of(store, first, EntryId(message.id)).await? != Some(digest.digest())
        {
            return Err(ImportError::differs(format!("message {}", message.id)));
        }
        moved.messages += 1;
        moved.octets += octets;
    }
    match there.next().await? {
        Some(more) => Err(ImportError::differs(format!("message {}", more.id.0))),
        None => Ok(moved),
    }
}

/// The same of all but the mail.
async fn require_all_accounts<S: Store>(
    store: &S,
    folder: &Folder,
    manifest: &Manifest,
    accounts: &Accounts,
) -> Result<Moved, ImportError> {
    let (mut living, mut held) = (pages::accounts(store), pages::holds(store));
    let tokens: Vec<Token> = store.tokens().await?.into_iter().map(Token::from).collect();
    let mode = store.registration_mode().await?;
    let mut moved = Moved { left_behind: manifest.moved.left_behind, ..Moved::default() };
    let mut records = records(folder, manifest)?;
    let differs = |what: String| Err(ImportError::differs(what));
    while let Some((record, _)) = records.next()? {
        match record {
            Record::Secret(Octets(_)) | Record::Message(_) => {}
            Record::Registration(exported) if RegistrationMode::from(exported) != mode => {
                return differs("who may register".to_owned());
            }
            Record::Registration(_) => {}
            Record::Token(token) if !tokens.contains(&token) => return differs(format!("the token {}", token.name)),
            Record::Token(_) => {}
            Record::Account(exported) => {
                let there = living.find(&exported.address.0.key(), |_| Ok::<_, ImportError>(())).await?;
                if !there.is_some_and(|there| is_the_account(&exported, &there, accounts)) {
                    return differs(format!("the account {}", exported.address.0));
                }
                moved.accounts += 1;
            }
            Record::Hold(exported) => {
                let there = held.find(&exported.address.0.key(), |_| Ok::<_, ImportError>(())).await?;
                if there.map(Hold::from).as_ref() != Some(&exported) {
                    return differs(format!("the hold of {}", exported.address.0));
                }
                moved.holds += 1;
            }
        }
    }
    Ok(moved)
}

fn is_the_account(exported: &Account, there: &AccountSummary, accounts: &Accounts) -> bool {
    let AccountSummary { account, quota, .. } = there;
    accounts.get(&exported.id) == Some(&account.id)
        && account.verifier.as_ref() == Some(&exported.verifier.0)
        && account.used_at.0 == exported.used_at
        && *quota == exported.quota()
}

/// Whether all but the bytes and the places is the same.
fn is_the_same(exported: &Message, octets: u64, there: &KeptMessage) -> bool {
    let envelope = NewMessage { recipients: Vec::new(), ..there.message.clone() };
    exported.id == there.id.0 && octets == there.octets && exported.envelope() == envelope
}

/// The digest of a message's bytes, if it is there.
async fn digest_of<S: Store>(store: &S, account: AccountId, entry: EntryId) -> Result<Option<u64>, ImportError> {
    let Some((_, mut reader)) = store.open(account, entry).await? else { return Ok(None) };
    let mut digest = Xxh3::new();
    while let Some(chunk) = reader.next().await? {
        digest.update(&chunk);
    }
    Ok(Some(digest.digest()))
}
