//! Whatever happens to the files of a store: nothing panics, no octet is handed over that nobody sent, what was acknowledged
//! before the damage can be read, and what is said to be mended is well.

mod damage;
mod image;

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::LazyLock;

use store::embedded::Embedded;
use store::embedded::check::{Report, check};
use store::{AccountId, Reader, Store};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

use self::damage::Damage;
use self::image::{Files, IMAGE, Image};

static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_current_thread().enable_all().build().expect("a runtime"));

/// An input says what is damaged: see [`Damage`].
pub(crate) fn store_recovery(input: &[u8]) {
    let folder = TempDir::new().expect("a folder");
    let mut files = IMAGE.files.clone();
    let damage = Damage::strike(input, &mut files);
    looked_at(folder.path(), &files, &damage);
    let opened = folder.path().join("opened");
    image::write(&files, &opened);
    let had = read(&opened);
    if let Some(had) = &had {
        is_what_was_sent(had, &damage);
    }
    // It is mended as it was found, or as the opening has left it: both take their time.
    if input.len().is_multiple_of(2) {
        let unopened = folder.path().join("unopened");
        image::write(&files, &unopened);
        mended(&unopened, &damage);
    } else {
        mended(&opened, &damage);
    }
}

/// A look changes nothing.
fn looked_at(folder: &Path, files: &Files, damage: &Damage) {
    let looked = folder.join("looked");
    image::write(files, &looked);
    let report = look(&looked, false);
    assert_eq!(image::names_and_octets(&looked), *files, "a look has changed the store");
    if damage.is_none() {
        assert!(report.expect("a store").is_well());
    }
}

fn look(store: &Path, mend: bool) -> Option<Report> {
    check(store, mend, &mut |_| ControlFlow::Continue(())).ok()
}

/// What is mended is well: it can be looked at and opened.
fn mended(store: &Path, damage: &Damage) {
    let Some(report) = look(store, true) else { return };
    if !report.is_mended() {
        return;
    }
    let again = look(store, false);
    assert!(again.as_ref().is_some_and(Report::is_mended), "{report:?} is mended, and then {again:?}");
    let had = read(store);
    assert!(had.is_some(), "what is mended can't be opened");
    is_what_was_sent(&had.unwrap_or_default(), damage);
}

/// All that can be read, of all accounts; `None` if the store can't be opened.
fn read(folder: &Path) -> Option<Vec<(AccountId, Vec<u8>)>> {
    RUNTIME.block_on(async {
        let store = Embedded::open(folder).ok()?;
        let mut had = Vec::new();
        for account in IMAGE.accounts {
            let Ok(maildrop) = store.maildrop(account).await else { continue };
            for entry in maildrop.entries {
                if let Ok(Some((_, reader))) = store.open(account, entry.id).await
                    && let Some(octets) = read_all(reader).await
                {
                    had.push((account, octets));
                }
            }
        }
        Some(had)
    })
}

/// `None`: what came before the failure does not count.
async fn read_all(mut reader: impl Reader) -> Option<Vec<u8>> {
    let mut octets = Vec::new();
    while let Some(chunk) = reader.next().await.ok()? {
        octets.extend_from_slice(&chunk);
    }
    Some(octets)
}

fn is_what_was_sent(had: &[(AccountId, Vec<u8>)], damage: &Damage) {
    let Image { letters, .. } = &*IMAGE;
    // Who can write records with a checksum that is right can write mail.
    if !damage.is_forged {
        for (_, octets) in had {
            assert!(letters.iter().any(|letter| letter.octets == *octets), "{} octets that nobody sent", octets.len());
        }
    }
    for letter in letters {
        let is_there = had.iter().any(|(account, octets)| (*account, octets) == (letter.account, &letter.octets));
        assert!(is_there || damage.may_reach(letter), "a message before the damage is lost");
    }
}
