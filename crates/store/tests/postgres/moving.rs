//! A store moves from one engine to the other and back.

use std::path::Path;

use store::Store;
use store::embedded::Embedded;
use store::transfer::{ExportError, ImportError, Moved, PART_OCTETS, export, import};
use tempfile::TempDir;
use testkit::postgres::fresh_database;

use crate::common::{address, deliver, later, noise};
use crate::connect;
use crate::contract::model;
use crate::moving_contents::{SECRET, SMALL_PART, contents_of, fill, stop_after};

#[tokio::test]
#[ignore = "needs Debian's package postgresql"]
async fn a_store_moves_from_engine_to_engine_and_back() {
    let dir = TempDir::new().unwrap();
    let from = Embedded::open(&dir.path().join("from")).unwrap();
    model::any_history_leaves_what_it_should(&from).await;
    fill(&from).await;
    from.end_unclaimed(later(1_000_000)).await.unwrap();
    let before = contents_of(&from).await;

    let there = connect(&fresh_database()).await;
    let moved = move_store(&from, &there, &dir.path().join("there")).await;
    assert!(contents_of(&there).await == before);
    let back = Embedded::open(&dir.path().join("back")).unwrap();
    assert_eq!(move_store(&there, &back, &dir.path().join("back-again")).await, moved);
    assert!(contents_of(&back).await == before);

    // Those that come later have greater ids.
    let last = from.messages(None, usize::MAX).await.unwrap().last().unwrap().id;
    let alice = there.mailbox(&address("alice@example.org")).await.unwrap().unwrap().account;
    assert!(deliver(&there, &[alice], &noise(1, 5)).await.message > last);
}

/// Moves all, broken off again and again.
async fn move_store(from: &impl Store, to: &impl Store, folder: &Path) -> Moved {
    let mut steps = 10;
    let exported = loop {
        match export(from, folder, &SECRET, SMALL_PART, &mut stop_after(steps)).await {
            Ok(moved) => break moved,
            Err(ExportError::Stopped) => steps += 40,
            Err(error) => panic!("{error}"),
        }
    };
    let mut steps = 1;
    let imported = loop {
        match import(to, folder, &mut stop_after(steps)).await {
            Ok(moved) => break moved,
            Err(ImportError::Stopped) => steps += 20,
            Err(error) => panic!("{error}"),
        }
    };
    assert!(exported == imported && steps > 100, "{exported:?} {imported:?} in {steps} steps");
    imported
}

#[tokio::test]
#[ignore = "needs Debian's package postgresql"]
async fn a_database_in_use_takes_no_import() {
    let dir = TempDir::new().unwrap();
    let from = Embedded::open(&dir.path().join("from")).unwrap();
    fill(&from).await;
    let folder = dir.path().join("folder");
    export(&from, &folder, &SECRET, PART_OCTETS, &mut stop_after(usize::MAX)).await.unwrap();
    let to = connect(&fresh_database()).await;
    let bob = crate::common::register(&to, "bob@example.org").await;
    deliver(&to, &[bob], b"hello").await;
    let before = contents_of(&to).await;
    let refused = import(&to, &folder, &mut stop_after(usize::MAX)).await;
    assert!(
        matches!(&refused, Err(ImportError::InUse { what }) if what == "the account bob@example.org"),
        "{refused:?}"
    );
    assert!(contents_of(&to).await == before);
}
