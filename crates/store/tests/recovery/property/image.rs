//! A store as a crash leaves it: some mail that the tables know, some that stands in the journal alone.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::LazyLock;

use proto::ReversePath;
use store::embedded::{Embedded, JOURNAL_OCTETS_MAX};
use store::{AccountId, Body, Form, NewMessage, Recipient, Store, Timestamp};
use tempfile::TempDir;

/// What is in each file.
pub(super) type Files = BTreeMap<String, Vec<u8>>;

/// How many zeros stay behind the last record.
const ZEROS: usize = 64;
const NOW: Timestamp = Timestamp(1_800_000_000);

pub(super) static IMAGE: LazyLock<Image> = LazyLock::new(|| super::RUNTIME.block_on(Image::make()));

pub(super) struct Image {
    pub(super) files: Files,
    pub(super) accounts: [AccountId; 2],
    pub(super) letters: Vec<Letter>,
}

/// A message that was acknowledged, in one of the mailboxes.
pub(super) struct Letter {
    pub(super) account: AccountId,
    pub(super) octets: Vec<u8>,
    /// The journal's segment that tells of it, and up to where its record goes there.
    pub(super) segment: String,
    pub(super) ends_at: usize,
}

impl Image {
    async fn make() -> Self {
        let home = TempDir::new().expect("a folder");
        let dir = home.path().join("store");
        let store = Embedded::open(&dir).expect("a new store");
        let alice = store.register(&address("alice"), None, NOW).await.expect("a new account");
        let bob = store.register(&address("bob"), None, NOW).await.expect("a new account");
        let mut sent = Vec::new();
        for (to, octets) in
            [(&[alice][..], b"the first".to_vec()), (&[alice, bob], b"Subject: 2\r\n\r\nboth\r\n".to_vec())]
        {
            deliver(&store, to, &octets).await;
            sent.push((to.to_vec(), octets));
        }
        drop(store);
        let store = Embedded::open(&dir).expect("the same store");
        let tables =
            ["mail.db", "mail.db-wal"].map(|name| (name.to_owned(), fs::read(dir.join(name)).unwrap_or_default()));
        let big = b"0123456789abcdef".repeat(JOURNAL_OCTETS_MAX / 16 + 1);
        let late = [
            (&[bob][..], b"in the journal".to_vec()),
            (&[alice, bob], vec![b'x'; 300]),
            (&[bob], big),
            (&[alice], b"last".to_vec()),
        ];
        for (to, octets) in late {
            deliver(&store, to, &octets).await;
            sent.push((to.to_vec(), octets));
        }
        let mut files = names_and_octets(&dir);
        drop(store);
        files.extend(tables);
        files.retain(|name, _| name != "mail.db-shm");
        files.iter_mut().filter(|(name, _)| name.starts_with("journal/")).for_each(|(_, octets)| without_zeros(octets));
        let letters =
            sent.iter().flat_map(|(to, octets)| to.iter().map(|account| Letter::find(&files, *account, octets)));
        let letters = letters.collect();
        Self { letters, files, accounts: [alice, bob] }
    }
}

impl Letter {
    fn find(files: &Files, account: AccountId, octets: &[u8]) -> Self {
        let holds = |file: &[u8]| file.windows(octets.len()).position(|window| window == octets);
        let in_journal = files.iter().filter(|(name, _)| name.starts_with("journal/"));
        let place = in_journal.filter_map(|(name, file)| Some((name.clone(), holds(file)? + octets.len()))).next();
        // A record without octets stands behind the one before it, and the next one's end is farther than its own.
        let last = files.keys().rfind(|name| name.starts_with("journal/")).cloned().unwrap_or_default();
        let (segment, ends_at) = place.unwrap_or((last, usize::MAX));
        Self { account, octets: octets.to_vec(), segment, ends_at }
    }
}

async fn deliver(store: &Embedded, to: &[AccountId], octets: &[u8]) {
    let mut body = store.body();
    body.write(octets).await.expect("room");
    let recipient = |account: &AccountId| Recipient { account: *account, address: address("somebody") };
    let message = NewMessage {
        reverse_path: ReversePath::Null,
        recipients: to.iter().map(recipient).collect(),
        trace: "Received: by test\r\n".to_owned(),
        received_at: NOW,
        form: Form::Text,
    };
    store.deliver(message, body, Vec::new()).await.expect("room");
}

fn address(local: &str) -> proto::Address {
    format!("{local}@example.org").parse().expect("an address")
}

/// The zeros at the end tell nothing.
fn without_zeros(octets: &mut Vec<u8>) {
    let end = octets.iter().rposition(|octet| *octet != 0).map_or(0, |at| at + 1);
    octets.truncate(octets.len().min(end + ZEROS));
}

/// What is in a folder, and in those in it.
pub(super) fn names_and_octets(folder: &Path) -> Files {
    let mut files = Files::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("a file").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        if path.is_dir() {
            files
                .extend(names_and_octets(&path).into_iter().map(|(inner, octets)| (format!("{name}/{inner}"), octets)));
        } else {
            files.insert(name, fs::read(&path).expect("a readable file"));
        }
    }
    files
}

/// Puts the files into a new folder, as private as a store's are.
pub(super) fn write(files: &Files, folder: &Path) {
    for inner in ["", "journal", "bodies"] {
        let inner = folder.join(inner);
        fs::create_dir_all(&inner).expect("a folder");
        fs::set_permissions(&inner, Permissions::from_mode(0o700)).expect("a folder of ours");
    }
    for (name, octets) in files {
        fs::write(folder.join(name), octets).expect("room");
        fs::set_permissions(folder.join(name), Permissions::from_mode(0o600)).expect("a file of ours");
    }
}
