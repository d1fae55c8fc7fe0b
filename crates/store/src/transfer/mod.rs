//! Moving a whole store to another engine or another version: out into a folder ([`export`]), and from there into a store that
//! is empty ([`import`]). Both know nothing of an engine but what [`Store`](crate::Store) says of it.
//!
//! The folder (`folder.rs`) has files of records (`file.rs`, `record.rs`) and a manifest that names those which are whole. Work
//! that was broken off goes on with what is whole. `docs/moving.md` says what the files look like.

mod comparison;
mod export;
mod file;
mod folder;
mod import;
mod mail;
mod pages;
mod record;

use std::ops::ControlFlow;

pub use export::{ExportError, PART_OCTETS, export};
pub use folder::FolderError;
pub use import::{ImportError, import};
use serde::{Deserialize, Serialize};

use tokio::task::coop::consume_budget;

use crate::Progress;

/// Accounts and the like that are listed at once.
const PAGE: usize = 1000;
/// Messages that are listed at once, some kilo-octets of memory each. An engine may look at all places of all messages for it.
const PAGE_MESSAGES: usize = 10_000;

/// How much has moved.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Moved {
    /// Accounts with a password.
    pub accounts: u64,
    /// Addresses that are held.
    pub holds: u64,
    /// Messages, each counted once.
    pub messages: u64,
    /// Their octets.
    pub octets: u64,
    /// Accounts without a password, which stay behind: they end with their connection.
    pub left_behind: u64,
}

/// Hears how far the work has come, and says whether it shall go on.
pub type Watch<'a> = &'a mut (dyn FnMut(Progress) -> ControlFlow<()> + Send);

/// Tells how far the work has come. Whether it shall go on. Whoever else is on this thread has a turn now and then.
async fn goes_on(watch: Watch<'_>, progress: Progress) -> bool {
    consume_budget().await;
    watch(progress).is_continue()
}
