//! A store on its way out.
//!
//! Who has an account is written anew by each run, which takes little time. The mail is written to one file after the other; one
//! that the manifest names is whole and is not written again.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use thiserror::Error;
use xxhash_rust::xxh3::xxh3_128;

use super::file::Writer;
use super::folder::{Folder, FolderError, MailFile, Manifest};
use super::record::{Account, Message, Octets, Record, Text};
use super::{Moved, Watch, goes_on, pages};
use crate::{AccountId, AccountSummary, EntryId, KeptMessage, MessageId, Progress, Reader, Store, StoreError};

/// A file of mail is ended when it has so many octets.
pub const PART_OCTETS: u64 = 256 << 20;
/// The file of all but the mail.
const ACCOUNTS: &str = "accounts";

/// Why a store was not exported. What is whole by then stays, and the next attempt goes on there.
#[derive(Debug, Error)]
pub enum ExportError {
    /// The folder can't be used.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// Something else is in the folder.
    #[error("{} is not empty: name a folder that is not there, or is empty", folder.display())]
    Taken {
        /// Which one.
        folder: PathBuf,
    },
    /// There is nothing to go on with.
    #[error("{} has a whole export already: name another folder", folder.display())]
    Whole {
        /// Which one.
        folder: PathBuf,
    },
    /// It was begun with another store.
    #[error("{} has a part of an export of another store: name another folder", folder.display())]
    OtherStore {
        /// Which one.
        folder: PathBuf,
    },
    /// A message can't be read. What is damaged does not move.
    #[error("message {} cannot be read: {error}", message.0)]
    Unreadable {
        /// Which one.
        message: MessageId,
        /// Why not.
        #[source]
        error: StoreError,
    },
    /// The store does not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Whoever watched it has stopped it.
    #[error("the export was broken off")]
    Stopped,
}

/// Writes a whole store to a folder, or what is missing there of one that was begun. Nobody else should change the store meanwhile:
/// what comes in then may be left out, and what is flushed may be there again after the import.
///
/// `new_secret` is for a store that has no [secret](Store::keep_secret) yet. A file of mail gets about `part_octets`, which
/// [`PART_OCTETS`] is good for.
pub async fn export<S: Store>(
    store: &S,
    folder: &Path,
    new_secret: &[u8; 32],
    part_octets: u64,
    watch: Watch<'_>,
) -> Result<Moved, ExportError> {
    let secret = store.keep_secret(new_secret).await?;
    let folder = Folder::create(folder)?;
    let manifest = begin(&folder, &secret)?;
    let mut export = Export { store, folder, manifest, part_octets, octets_total: 0, watch };
    let accounts = export.accounts(secret).await?;
    export.mail(&accounts).await?;
    export.manifest.is_whole = true;
    export.folder.write_manifest(&export.manifest)?;
    Ok(export.manifest.moved)
}

/// The manifest to go on with.
fn begin(folder: &Folder, secret: &[u8; 32]) -> Result<Manifest, ExportError> {
    let store = format!("{:032x}", xxh3_128(secret));
    let path = || folder.path.clone();
    match folder.manifest()? {
        Some(manifest) if manifest.store != store => Err(ExportError::OtherStore { folder: path() }),
        Some(manifest) if manifest.is_whole => Err(ExportError::Whole { folder: path() }),
        Some(manifest) => Ok(manifest),
        None if folder.is_empty()? => {
            let manifest = Manifest::new(store);
            folder.write_manifest(&manifest)?;
            Ok(manifest)
        }
        None => Err(ExportError::Taken { folder: path() }),
    }
}

struct Export<'a, S> {
    store: &'a S,
    folder: Folder,
    manifest: Manifest,
    part_octets: u64,
    /// As far as is known: a message counts for each of its mailboxes.
    octets_total: u64,
    watch: Watch<'a>,
}

/// A file of mail that is being written.
struct Part {
    file: Writer,
    /// How much has moved with it.
    moved: Moved,
}

impl<S: Store> Export<'_, S> {
    /// Writes all but the mail. Whose mail moves.
    async fn accounts(&mut self, secret: [u8; 32]) -> Result<HashSet<AccountId>, ExportError> {
        let mut file = Writer::begin(&self.folder.path, ACCOUNTS.to_owned())?;
        file.write(&Record::Secret(Octets(secret)))?;
        file.write(&Record::Registration(self.store.registration_mode().await?.into()))?;
        for token in self.store.tokens().await? {
            file.write(&Record::Token(token.into()))?;
        }
        let (mut moving, mut left_behind, mut holds) = (HashSet::new(), 0, 0);
        let mut living = pages::accounts(self.store);
        while let Some(summary) = living.next().await? {
            let (id, octets) = (summary.account.id, summary.octets);
            match to_record(summary) {
                Some(account) => {
                    file.write(&Record::Account(account))?;
                    moving.insert(id);
                    self.octets_total += octets;
                }
                None => left_behind += 1,
            }
            self.tell(0).await?;
        }
        let mut held = pages::holds(self.store);
        while let Some(held) = held.next().await? {
            file.write(&Record::Hold(held.into()))?;
            holds += 1;
            self.tell(0).await?;
        }
        let accounts = moving.len() as u64;
        self.manifest.moved = Moved { accounts, holds, left_behind, ..self.manifest.moved };
        self.manifest.accounts = Some(file.finish().await?);
        self.folder.write_manifest(&self.manifest)?;
        Ok(moving)
    }

    /// Writes the mail that no file has yet.
    async fn mail(&mut self, moving: &HashSet<AccountId>) -> Result<(), ExportError> {
        let mut last = self.manifest.mail.last().map(|mail| mail.last);
        let mut listed = pages::messages(self.store, last);
        let mut part = None;
        while let Some(mut kept) = listed.next().await? {
            last = Some(kept.id.0);
            kept.message.recipients.retain(|to| moving.contains(&to.account));
            let Some(reader) = self.open(&kept).await? else { continue };
            let mut to = match part.take() {
                Some(part) => part,
                None => self.begin_part()?,
            };
            self.message(kept, reader, &mut to).await?;
            match last.filter(|_| to.file.octets() >= self.part_octets) {
                Some(last) => self.end_part(to, last).await?,
                None => part = Some(to),
            }
        }
        match part.zip(last) {
            Some((part, last)) => self.end_part(part, last).await,
            None => Ok(()),
        }
    }

    /// The bytes of a message, which may be gone from some of its places by now, or from all.
    async fn open(&self, kept: &KeptMessage) -> Result<Option<S::Reader>, ExportError> {
        let message = kept.id;
        for place in &kept.message.recipients {
            let opened = self.store.open(place.account, EntryId(message.0)).await;
            if let Some((_, reader)) = opened.map_err(|error| ExportError::Unreadable { message, error })? {
                return Ok(Some(reader));
            }
        }
        Ok(None)
    }

    async fn message(&mut self, kept: KeptMessage, mut reader: S::Reader, part: &mut Part) -> Result<(), ExportError> {
        let KeptMessage { id, octets, message } = kept;
        let unreadable = |error| ExportError::Unreadable { message: id, error };
        part.file.begin_record(&Record::Message(Message::new(id, message)), octets)?;
        let mut done = 0;
        while let Some(chunk) = reader.next().await.map_err(unreadable)? {
            part.file.bytes(&chunk)?;
            done += chunk.len() as u64;
            self.tell(part.moved.octets + done).await?;
        }
        if done != octets {
            return Err(unreadable(StoreError::Failed("it has not as many octets as it should".into())));
        }
        part.file.end_record()?;
        part.moved.messages += 1;
        part.moved.octets += octets;
        Ok(())
    }

    fn begin_part(&self) -> Result<Part, ExportError> {
        let name = format!("mail-{}", self.manifest.mail.len() + 1);
        Ok(Part { file: Writer::begin(&self.folder.path, name)?, moved: self.manifest.moved })
    }

    async fn end_part(&mut self, part: Part, last: i64) -> Result<(), ExportError> {
        let Part { file, moved } = part;
        self.manifest.mail.push(MailFile { file: file.finish().await?, last });
        self.manifest.moved = moved;
        Ok(self.folder.write_manifest(&self.manifest)?)
    }

    async fn tell(&mut self, octets: u64) -> Result<(), ExportError> {
        let progress = Progress { octets, octets_total: self.octets_total.max(octets) };
        if goes_on(self.watch, progress).await { Ok(()) } else { Err(ExportError::Stopped) }
    }
}

/// `None` for one without a password.
fn to_record(AccountSummary { account, quota, .. }: AccountSummary) -> Option<Account> {
    Some(Account {
        id: account.id.0,
        address: Text(account.address),
        verifier: Text(account.verifier?),
        used_at: account.used_at.0,
        quota_octets: quota.octets,
        quota_messages: quota.messages,
    })
}
