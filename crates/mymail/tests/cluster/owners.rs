//! Whose an address is, of an account without a password: that of the session that was given it last.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// What is known of all sessions.
#[derive(Default)]
pub(crate) struct Owners {
    sessions: Mutex<HashMap<String, u64>>,
    next: AtomicU64,
}

/// That a session was told that an address is its own.
pub(crate) struct Claim {
    address: String,
    session: u64,
}

impl Owners {
    /// A session was given this address just now, and nobody else may have the use of it any more.
    pub(crate) fn claim(&self, address: &str) -> Claim {
        let session = self.next.fetch_add(1, Ordering::Relaxed);
        self.sessions.lock().unwrap().insert(address.to_owned(), session);
        Claim { address: address.to_owned(), session }
    }

    /// Whether nobody else was given the address since.
    pub(crate) fn stands(&self, claim: &Claim) -> bool {
        self.sessions.lock().unwrap()[&claim.address] == claim.session
    }
}
