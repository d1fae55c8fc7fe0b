//! A store on its way in: into one that has nothing yet, or what an earlier attempt has put there.

use std::future::poll_fn;
use std::path::{Path, PathBuf};
use std::task::Poll;

use thiserror::Error;

use super::comparison::{Accounts, recipients, records, require_all, require_vacant};
use super::folder::{Folder, FolderError, Manifest};
use super::mail::Mail;
use super::record::{Account, Hold, Octets, Record};
use super::{Moved, Watch, goes_on};
use crate::{
    AccountId, AddTokenError, Body, MessageId, NewMessage, PUT_BACK_MAX, Progress, Quota, RegisterError, Store,
    StoreError, Timestamp,
};

/// Accounts and holds that are made at once, so that they may share a sync.
const AT_ONCE: usize = 64;
/// Messages are put back when they have so many octets together, or there are [`PUT_BACK_MAX`] of them.
const BATCH_OCTETS: u64 = 8 << 20;

/// Why an export was not imported, or not all of it.
#[derive(Debug, Error)]
pub enum ImportError {
    /// The folder is no export that can be read.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The export was broken off.
    #[error("the export in {} is not whole: give the same `mymail export` again first", folder.display())]
    Unfinished {
        /// Where it is.
        folder: PathBuf,
    },
    /// There is something in the store that is not of this export.
    #[error("the store is in use: it has {what}, which did not come from this export; name an empty one")]
    InUse {
        /// What there is.
        what: String,
    },
    /// After all had been put there it was not found again as it was.
    #[error("{what} is not in the store as it is in the export: import into a store that nobody uses or has used")]
    Differs {
        /// What.
        what: String,
    },
    /// The store does not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Whoever watched it has stopped it.
    #[error("the import was broken off")]
    Stopped,
}

impl ImportError {
    pub(super) fn differs(what: String) -> Self {
        Self::Differs { what }
    }
}

/// Puts an export into a store that has nothing but a postmaster without mail, or what an import of the same export has put there
/// before it was broken off. Then reads all of it again and compares it. Nobody else should use the store meanwhile.
pub async fn import<S: Store>(store: &S, folder: &Path, watch: Watch<'_>) -> Result<Moved, ImportError> {
    let folder = Folder::open(folder)?;
    let manifest = folder.manifest()?.ok_or_else(|| FolderError::NoExport { folder: folder.path.clone() })?;
    if !manifest.is_whole {
        return Err(ImportError::Unfinished { folder: folder.path });
    }
    let last = require_vacant(store, &folder, &manifest, watch).await?;
    let accounts = put_accounts(store, &folder, &manifest, watch).await?;
    put_mail(store, &folder, &manifest, &accounts, last, watch).await?;
    require_all(store, &folder, &manifest, &accounts, watch).await
}

/// Puts there all but the mail.
async fn put_accounts<S: Store>(
    store: &S,
    folder: &Folder,
    manifest: &Manifest,
    watch: Watch<'_>,
) -> Result<Accounts, ImportError> {
    let (mut accounts, mut batch) = (Accounts::new(), Vec::with_capacity(AT_ONCE));
    let mut records = records(folder, manifest)?;
    while let Some((record, _)) = records.next()? {
        batch.push(put(store, record));
        if batch.len() >= AT_ONCE {
            accounts.extend(all_of(std::mem::take(&mut batch)).await?.into_iter().flatten());
            tell(watch, 0, manifest).await?;
        }
    }
    accounts.extend(all_of(batch).await?.into_iter().flatten());
    tell(watch, 0, manifest).await?;
    Ok(accounts)
}

/// Does some work at once, until all is done.
async fn all_of<T>(works: Vec<impl Future<Output = Result<T, ImportError>>>) -> Result<Vec<T>, ImportError> {
    let mut works: Vec<_> = works.into_iter().map(|work| (Box::pin(work), None)).collect();
    poll_fn(|context| {
        for (work, done) in works.iter_mut().filter(|(_, done)| done.is_none()) {
            if let Poll::Ready(outcome) = work.as_mut().poll(context) {
                *done = Some(outcome);
            }
        }
        if works.iter().all(|(_, done)| done.is_some()) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    works.into_iter().filter_map(|(_, done)| done).collect()
}

/// Puts one thing there that is no mail. Of an account its ids, in the export and here.
async fn put<S: Store>(store: &S, record: Record) -> Result<Option<(i64, AccountId)>, ImportError> {
    match record {
        // One that a server has made here lasts: it hides from strangers which accounts there are.
        Record::Secret(Octets(secret)) => drop(store.keep_secret(&secret).await?),
        Record::Registration(mode) => store.set_registration_mode(mode.into()).await?,
        Record::Token(token) => match store.add_token(&token.into()).await {
            Ok(_) => {}
            Err(AddTokenError::Store(error)) => return Err(error.into()),
            Err(AddTokenError::TooMany) => return Err(ImportError::InUse { what: "too many tokens".to_owned() }),
        },
        Record::Account(account) => return Ok(Some((account.id, put_account(store, account).await?))),
        Record::Hold(hold) => put_hold(store, hold).await?,
        // Its file has other ones.
        Record::Message(_) => {}
    }
    Ok(None)
}

/// Makes an account, or of the one that is there what it should be.
async fn put_account<S: Store>(store: &S, account: Account) -> Result<AccountId, ImportError> {
    let (address, verifier, used_at) = (&account.address.0, &account.verifier.0, Timestamp(account.used_at));
    let (id, quota) = match store.register(address, Some(verifier), used_at).await {
        Ok(id) => (id, Quota::default()),
        Err(RegisterError::Store(error)) => return Err(error.into()),
        Err(RegisterError::Taken) => {
            let held = || ImportError::InUse { what: format!("a hold of {address}") };
            let mailbox = store.mailbox(address).await?.ok_or_else(held)?;
            let there = store.account(mailbox.account).await?.ok_or_else(held)?;
            if there.verifier.as_ref() != Some(verifier) {
                store.set_verifier(there.id, verifier).await?;
            }
            if there.used_at != used_at {
                store.touch(&[there.id], used_at).await?;
            }
            (there.id, mailbox.quota)
        }
    };
    if quota != account.quota() {
        store.set_quota(id, account.quota()).await?;
    }
    Ok(id)
}

/// Has an address held as it was: by the end of an account that nobody has.
async fn put_hold<S: Store>(store: &S, hold: Hold) -> Result<(), ImportError> {
    let address = &hold.address.0;
    let id = match store.register(address, None, Timestamp(hold.used_at)).await {
        Ok(id) => id,
        Err(RegisterError::Store(error)) => return Err(error.into()),
        Err(RegisterError::Taken) => match store.mailbox(address).await? {
            // It is held already.
            None => return Ok(()),
            // Of an attempt that was broken off here.
            Some(mailbox) => {
                let account = store.account(mailbox.account).await?;
                if account.is_some_and(|account| account.verifier.is_some()) {
                    return Err(ImportError::InUse { what: format!("the account {address}") });
                }
                store.touch(&[mailbox.account], Timestamp(hold.used_at)).await?;
                mailbox.account
            }
        },
    };
    store.end_account(id, Timestamp(hold.held_until)).await?;
    Ok(())
}

/// Puts there the mail behind this message.
async fn put_mail<S: Store>(
    store: &S,
    folder: &Folder,
    manifest: &Manifest,
    accounts: &Accounts,
    last: Option<MessageId>,
    watch: Watch<'_>,
) -> Result<(), ImportError> {
    let mut mail = Mail::new(folder, manifest, last.map(|last| last.0));
    let (mut batch, mut batch_octets, mut done) = (Vec::new(), 0, 0);
    while let Some((message, octets)) = mail.next()? {
        let recipients = recipients(&message.places, accounts);
        if recipients.is_empty() || last.is_some_and(|last| message.id <= last.0) {
            continue;
        }
        let mut body = store.body();
        while let Some(chunk) = mail.chunk()? {
            body.write(&chunk).await?;
            done += chunk.len() as u64;
            tell(watch, done, manifest).await?;
        }
        batch.push((MessageId(message.id), NewMessage { recipients, ..message.envelope() }, body));
        batch_octets += octets;
        if batch.len() >= PUT_BACK_MAX || batch_octets >= BATCH_OCTETS {
            store.put_back(std::mem::take(&mut batch)).await?;
            batch_octets = 0;
        }
    }
    Ok(store.put_back(batch).await?)
}

/// Tells how far it has come. Afterwards as much is read again.
pub(super) async fn tell(watch: Watch<'_>, octets: u64, manifest: &Manifest) -> Result<(), ImportError> {
    let progress = Progress { octets, octets_total: 2 * manifest.moved.octets };
    if goes_on(watch, progress).await { Ok(()) } else { Err(ImportError::Stopped) }
}
