//! A store that moves is never in memory whole, neither a big message nor many small ones. Alone in its process, whose memory it
//! measures.

#![allow(clippy::unwrap_used, reason = "a test that can't go on must fail")]

use std::fs;
use std::ops::ControlFlow;

use store::embedded::Embedded;
use store::transfer::{PART_OCTETS, export, import};
use store::{Body, MessageId, NewMessage, PUT_BACK_MAX, Progress, Store};
use tempfile::TempDir;

mod common;

const CHUNK: usize = 64 << 10;
/// Of the big message.
const CHUNKS: u64 = 2400;
/// Of the small ones, each with a trace that is as long as itself.
const MESSAGES: i64 = 30_000;
const OCTETS: usize = 1000;
/// A third of what there is: two pages of envelopes, a batch of messages, and what SQLite keeps of its pages.
const GROWTH_KIB_MAX: u64 = 70 << 10;

#[tokio::test]
async fn two_hundred_mebioctets_move_through_little_memory() {
    let dir = TempDir::new().unwrap();
    let from = Embedded::open(&dir.path().join("from")).unwrap();
    let alice = common::register(&from, "alice@example.org").await;
    let envelope = NewMessage { trace: "x".repeat(OCTETS), ..common::message(&[alice]) };
    let ids = Vec::from_iter(1..=MESSAGES);
    for ids in ids.chunks(PUT_BACK_MAX) {
        let mut messages = Vec::new();
        for id in ids {
            let body = common::body(&from, &common::noise(*id as u64, OCTETS)).await;
            messages.push((MessageId(*id), envelope.clone(), body));
        }
        from.put_back(messages).await.unwrap();
    }
    let mut body = from.body();
    for seed in 0..CHUNKS {
        body.write(&seed.to_le_bytes().repeat(CHUNK / 8)).await.unwrap();
    }
    from.deliver(envelope, body, Vec::new()).await.unwrap();

    // To have all of the code in memory, and the caches.
    let folder = dir.path().join("folder");
    let mut begin = |_: Progress| ControlFlow::Break(());
    export(&from, &folder, &[0; 32], PART_OCTETS, &mut begin).await.unwrap_err();
    let before = peak_kib();
    let mut go_on = |_: Progress| ControlFlow::Continue(());
    let moved = export(&from, &folder, &[0; 32], PART_OCTETS, &mut go_on).await.unwrap();
    assert_eq!(moved.messages, MESSAGES as u64 + 1);
    let exported = peak_kib();
    let to = Embedded::open(&dir.path().join("to")).unwrap();
    assert_eq!(import(&to, &folder, &mut go_on).await.unwrap(), moved);
    let imported = peak_kib();
    assert!(exported - before < GROWTH_KIB_MAX, "export: from {before} to {exported} KiB");
    assert!(imported - exported < GROWTH_KIB_MAX, "import: from {exported} to {imported} KiB");
}

/// The most memory that this process ever had.
fn peak_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}
