//! What a driver answers, chosen by an input.

use std::sync::LazyLock;

use proto::sasl::scram::{self, Verifier};

/// Choices, one after the other, and again from the first.
pub(super) struct Answers {
    choices: Vec<u8>,
    next: usize,
}

impl Answers {
    pub(super) fn new(choices: &[u8]) -> Self {
        Self { choices: choices.to_vec(), next: 0 }
    }

    /// The next choice.
    pub(super) fn choice(&mut self) -> u8 {
        let choice = self.choices[self.next % self.choices.len()];
        self.next += 1;
        choice
    }

    /// Whether the driver does not break off here.
    pub(super) fn goes_on(&mut self) -> bool {
        self.choice() != u8::MAX
    }
}

/// What is kept of the password `pencil`, with the salt in the example of RFC 7677 §3.
pub(super) static PENCIL: LazyLock<Verifier> = LazyLock::new(|| {
    let salt: [u8; scram::SALT_OCTETS] = *b"\x5b\x6d\x99\x68\x9d\x12\x35\x8e\xec\xa0\x4b\x14\x12\x36\xfa\x81";
    Verifier::derive("pencil", &salt, scram::ITERATIONS)
});
