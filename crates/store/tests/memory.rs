//! A big message never is in memory whole. Alone in its process, whose memory it measures.

#![allow(clippy::unwrap_used, reason = "a test that can't go on must fail")]

use std::fs;

use store::embedded::Embedded;
use store::{Body, Reader, Store};
use tempfile::TempDir;

mod common;

const CHUNK: usize = 64 << 10;
const CHUNKS: u64 = 800;
/// A fifth of the message, and far more than is needed.
const GROWTH_KIB_MAX: u64 = 10 << 10;

#[tokio::test]
async fn fifty_mebioctets_go_through_little_memory() {
    let dir = TempDir::new().unwrap();
    let store = Embedded::open(dir.path()).unwrap();
    let alice = common::register(&store, "alice@example.org").await;
    common::deliver(&store, &[alice], b"to have all of the code in memory").await;
    let before = peak_kib();

    let mut body = store.body();
    for seed in 0..CHUNKS {
        body.write(&chunk(seed)).await.unwrap();
    }
    store.deliver(common::message(&[alice]), body, Vec::new()).await.unwrap();
    let entry = common::entries(&store, alice).await[1];
    let (message, mut reader) = store.open(alice, entry).await.unwrap().unwrap();
    assert_eq!(message.octets, CHUNKS * CHUNK as u64);
    let (mut expected, mut octets) = (Vec::new(), 0);
    for seed in 0..CHUNKS {
        expected.extend(chunk(seed));
        while !expected.is_empty() {
            let chunk = reader.next().await.unwrap().unwrap();
            octets += chunk.len();
            assert!(expected.drain(..chunk.len()).eq(chunk), "differs before octet {octets}");
        }
    }
    assert_eq!(reader.next().await.unwrap(), None);
    assert!(peak_kib() - before < GROWTH_KIB_MAX, "from {before} to {} KiB", peak_kib());
}

/// Each is different.
fn chunk(seed: u64) -> Vec<u8> {
    seed.to_le_bytes().repeat(CHUNK / 8)
}

/// The most memory that this process ever had.
fn peak_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}
