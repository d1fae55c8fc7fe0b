//! What the tests of stores have in common.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::SystemTime;

use proto::sasl::scram::{ITERATIONS, Verifier};
use proto::{Address, Domain, ReversePath};
use store::{
    AccountId, Body, Delivered, EntryId, Form, NewMessage, Reader, Recipient, Report, Store, StoreError, Timestamp,
};

/// When things happen, unless a test is about time.
pub(crate) const NOW: Timestamp = Timestamp(1_800_000_000);

pub(crate) fn later(seconds: i64) -> Timestamp {
    Timestamp(NOW.0 + seconds)
}

pub(crate) fn address(text: &str) -> Address {
    text.parse().unwrap()
}

pub(crate) fn domain() -> Domain {
    "example.org".parse().unwrap()
}

/// A verifier, different for each salt.
pub(crate) fn verifier(salt: u8) -> Verifier {
    Verifier::derive("secret", &[salt], ITERATIONS)
}

/// Opens an account with a password.
pub(crate) async fn register(store: &impl Store, text: &str) -> AccountId {
    store.register(&address(text), Some(&verifier(1)), NOW).await.unwrap()
}

/// A body with these bytes.
pub(crate) async fn body<S: Store>(store: &S, bytes: &[u8]) -> S::Body {
    let mut body = store.body();
    for chunk in bytes.chunks(10_000) {
        body.write(chunk).await.unwrap();
    }
    body
}

/// A message from the null path to these accounts.
pub(crate) fn message(to: &[AccountId]) -> NewMessage {
    let recipient = |account: &AccountId| Recipient { account: *account, address: address("somebody@example.org") };
    NewMessage {
        reverse_path: ReversePath::Null,
        recipients: to.iter().map(recipient).collect(),
        trace: "Received: by test\r\n".to_owned(),
        received_at: NOW,
        form: Form::Text,
    }
}

/// A report to these accounts.
pub(crate) fn report(to: &[AccountId], text: &[u8]) -> Report {
    Report { message: message(to), text: text.to_vec() }
}

pub(crate) async fn try_deliver(store: &impl Store, to: &[AccountId], bytes: &[u8]) -> Result<Delivered, StoreError> {
    store.deliver(message(to), body(store, bytes).await, Vec::new()).await
}

pub(crate) async fn deliver(store: &impl Store, to: &[AccountId], bytes: &[u8]) -> Delivered {
    try_deliver(store, to, bytes).await.unwrap()
}

/// The ids of a mailbox's entries.
pub(crate) async fn entries(store: &impl Store, account: AccountId) -> Vec<EntryId> {
    store.maildrop(account).await.unwrap().entries.iter().map(|entry| entry.id).collect()
}

/// The bytes of an entry's message, if it is there.
pub(crate) async fn read(store: &impl Store, account: AccountId, entry: EntryId) -> Option<Vec<u8>> {
    let (_, reader) = store.open(account, entry).await.unwrap()?;
    Some(read_all(reader).await)
}

pub(crate) async fn read_all(mut reader: impl Reader) -> Vec<u8> {
    let mut bytes = Vec::new();
    while let Some(chunk) = reader.next().await.unwrap() {
        assert!((1..=64 << 10).contains(&chunk.len()), "a chunk of {} octets", chunk.len());
        bytes.extend_from_slice(&chunk);
    }
    bytes
}

/// All bytes of all messages of a mailbox, oldest first.
pub(crate) async fn contents(store: &impl Store, account: AccountId) -> Vec<Vec<u8>> {
    let mut contents = Vec::new();
    for entry in entries(store, account).await {
        contents.push(read(store, account, entry).await.unwrap());
    }
    contents
}

/// Octets that look like nothing, the same for the same seed.
pub(crate) fn noise(seed: u64, octets: usize) -> Vec<u8> {
    let mut state = seed;
    let mut word = || {
        // splitmix64
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)).to_le_bytes()
    };
    let mut bytes: Vec<u8> = (0..octets.div_ceil(8)).flat_map(|_| word()).collect();
    bytes.truncate(octets);
    bytes
}

/// What is in a file, its mode, and when it was changed.
pub(crate) type Trace = (Vec<u8>, u32, SystemTime);

/// Everything in a folder.
pub(crate) fn traces(dir: &Path) -> BTreeMap<String, Trace> {
    let mut traces = BTreeMap::new();
    for file in fs::read_dir(dir).unwrap().map(Result::unwrap) {
        let (name, metadata) = (file.file_name().into_string().unwrap(), file.metadata().unwrap());
        let bytes = if metadata.is_dir() {
            let inner = self::traces(&file.path());
            traces.extend(inner.into_iter().map(|(inner, trace)| (format!("{name}/{inner}"), trace)));
            Vec::new()
        } else {
            fs::read(file.path()).unwrap()
        };
        traces.insert(name, (bytes, metadata.mode(), metadata.modified().unwrap()));
    }
    traces
}
