//! Who may register, as the operator has set it.

use store::{AddTokenError, RegistrationMode, Store, TOKENS_MAX, Token};

use crate::common::{NOW, later};

pub(crate) async fn the_registration_mode_is_the_last_one_set(store: &impl Store) {
    assert_eq!(store.registration_mode().await.unwrap(), RegistrationMode::Configured);
    let modes =
        [RegistrationMode::Held, RegistrationMode::ByToken, RegistrationMode::ByToken, RegistrationMode::Configured];
    for mode in modes {
        store.set_registration_mode(mode).await.unwrap();
        assert_eq!(store.registration_mode().await.unwrap(), mode);
    }
}

pub(crate) async fn a_token_is_there_until_it_is_removed(store: &impl Store) {
    let token = |name: &str, octet| Token { name: name.to_owned(), digest: [octet; 32], made_at: later(octet.into()) };
    assert_eq!(store.tokens().await.unwrap(), []);
    for (name, octet) in [("carol", 0), ("alice", 255), ("bob's second", 2), ("", 3)] {
        assert!(store.add_token(&token(name, octet)).await.unwrap(), "{name}");
        assert!(!store.add_token(&token(name, 9)).await.unwrap(), "{name}");
    }
    let (alice, bob, carol) = (token("alice", 255), token("bob's second", 2), token("carol", 0));
    assert_eq!(store.tokens().await.unwrap(), [token("", 3), alice.clone(), bob, carol.clone()]);

    for (name, was_there) in [("bob's second", true), ("bob's second", false), ("Alice", false), ("", true)] {
        assert_eq!(store.remove_token(name).await.unwrap(), was_there, "{name}");
    }
    assert_eq!(store.tokens().await.unwrap(), [alice, carol]);
    assert!(store.add_token(&token("bob's second", 7)).await.unwrap());
    assert_eq!(store.tokens().await.unwrap()[1], token("bob's second", 7));
}

pub(crate) async fn a_secret_lasts(store: &impl Store) {
    let secret = std::array::from_fn(|at| at as u8 * 8);
    assert_eq!(store.keep_secret(&secret).await.unwrap(), secret);
    assert_eq!(store.keep_secret(&[1; 32]).await.unwrap(), secret);
}

pub(crate) async fn tokens_are_limited(store: &impl Store) {
    let token = |number: usize| Token { name: number.to_string(), digest: [0; 32], made_at: NOW };
    for number in 0..TOKENS_MAX {
        assert!(store.add_token(&token(number)).await.unwrap());
    }
    let beyond = store.add_token(&token(TOKENS_MAX)).await;
    assert!(matches!(beyond, Err(AddTokenError::TooMany)), "{beyond:?}");
    assert!(!store.add_token(&token(0)).await.unwrap());
    assert_eq!(store.tokens().await.unwrap().len(), TOKENS_MAX);

    assert!(store.remove_token("0").await.unwrap());
    assert!(store.add_token(&token(TOKENS_MAX)).await.unwrap());
}
