//! A store in whose files anything may stand: tried with damage of all kinds, and with each input that once made it fail. The
//! fuzzer `store_recovery` of `fuzz/` tries the same.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that can't go on must fail")]

mod property;

use std::path::Path;

use proptest::prelude::*;

use property::store_recovery;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn holds(input in proptest::collection::vec(any::<u8>(), 0..120)) {
        store_recovery(&input);
    }
}

#[test]
fn a_store_without_damage_has_all_of_its_mail() {
    store_recovery(b"");
}

/// The next octets of each file, at places all over it: most of what is random hits nothing that matters.
#[test]
fn damage_stands_anywhere() {
    for file in 0..6 {
        for place in (0..=u8::MAX).step_by(20) {
            store_recovery(&[0, file, place, 0, 3, 0xff, b'x', 0]);
            store_recovery(&[0, file, place, 0, 2, 0xff, b'x']);
        }
    }
}

#[test]
fn holds_again() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/regressions");
    testkit::properties::replay(&folder, "store_recovery", store_recovery);
}
