//! Message bytes, few and many.

use store::{Body, Store};

use crate::common::{deliver, entries, message, noise, read, read_all, register};

/// Where engines may treat bodies differently.
const LENGTHS: [usize; 10] =
    [0, 1, 1000, (64 << 10) - 1, 64 << 10, (64 << 10) + 1, (256 << 10) - 1, 256 << 10, (256 << 10) + 1, 1_000_000];

pub(crate) async fn any_length_comes_back_the_same(store: &impl Store) {
    let alice = register(store, "alice@example.org").await;
    for length in LENGTHS {
        for chunk in [1 << 10, 64 << 10, usize::MAX] {
            let bytes = noise(length as u64, length);
            let mut body = store.body();
            for piece in bytes.chunks(chunk) {
                body.write(piece).await.unwrap();
            }
            assert_eq!(body.octets(), length as u64);
            store.deliver(message(&[alice]), body, Vec::new()).await.unwrap();

            let entry = store.maildrop(alice).await.unwrap().entries[0];
            assert_eq!(entry.octets, length as u64);
            assert!(read(store, alice, entry.id).await.unwrap() == bytes, "{length} octets in chunks of {chunk}");
            store.flush(alice, &[entry.id]).await.unwrap();
        }
    }
}

pub(crate) async fn a_reader_outlives_its_message(store: &impl Store) {
    let alice = register(store, "alice@example.org").await;
    for length in [1000, 1_000_000] {
        let bytes = noise(1, length);
        deliver(store, &[alice], &bytes).await;
        let entry = entries(store, alice).await[0];
        let (_, reader) = store.open(alice, entry).await.unwrap().unwrap();
        store.flush(alice, &[entry]).await.unwrap();
        assert_eq!(read(store, alice, entry).await, None);
        assert!(read_all(reader).await == bytes, "{length} octets");
    }
}
