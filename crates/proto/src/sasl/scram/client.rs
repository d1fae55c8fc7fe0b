//! The client's side: it proves that it knows the password, and has the server prove the same.

use std::fmt;
use std::mem;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use subtle::ConstantTimeEq;

use super::super::channel::{END_POINT, EXPORTER};
use super::super::client::Unproved;
use super::super::plain::Credentials;
use super::super::{Channel, Mechanism};
use super::ITERATIONS;
use super::messages::{self, ServerFinal, ServerFirst};
use super::verifier::{self, Key, Keys};

/// The most iterations that a server may ask of a client: under a second of work.
pub const SERVER_ITERATIONS_MAX: u32 = 1_000_000;

/// A login by SCRAM.
pub(in crate::sasl) struct Login {
    header: String,
    nonce: String,
    /// The client's first message, without the header.
    bare: String,
    state: State,
}

enum State {
    /// The server owes the salt.
    First { password: String, binding: Vec<u8> },
    /// It owes this proof of its own.
    Final { signature: Key },
    /// It has given it.
    Proved,
    /// It has refused, or talked nonsense.
    Failed,
}

impl Login {
    /// Begins. `nonce` is printable ASCII without a comma.
    pub(in crate::sasl) fn begin(
        mechanism: Mechanism,
        credentials: &Credentials,
        channel: &Channel,
        nonce: &str,
    ) -> Self {
        let name = [EXPORTER, END_POINT].into_iter().find(|name| channel.binding(name).is_some());
        let (header, bound_to) = match name {
            Some(name) if mechanism == Mechanism::ScramSha256Plus => {
                (format!("p={name},,"), channel.binding(name).unwrap_or_default())
            }
            // The server should have offered -PLUS: has somebody struck it off the list? (RFC 5802 §6)
            Some(_) => ("y,,".to_owned(), [].as_slice()),
            None => ("n,,".to_owned(), [].as_slice()),
        };
        let binding = [header.as_bytes(), bound_to].concat();
        let bare = format!("n={},r={nonce}", messages::escaped(&verifier::prepared(&credentials.user)));
        let password = credentials.password.clone();
        Self { header, nonce: nonce.to_owned(), bare, state: State::First { password, binding } }
    }

    /// The first message, in base64.
    pub(in crate::sasl) fn first(&self) -> String {
        STANDARD.encode(format!("{}{}", self.header, self.bare))
    }

    /// The response to a challenge, both in base64.
    pub(in crate::sasl) fn respond(&mut self, challenge: &str) -> Result<String, Unproved> {
        let challenge = messages::decode(challenge.as_bytes()).ok_or(Unproved)?;
        let (state, response) = match mem::replace(&mut self.state, State::Failed) {
            State::First { password, binding } => self.prove(&challenge, &password, &binding).ok_or(Unproved)?,
            State::Final { signature } => match ServerFinal::parse(&challenge).ok_or(Unproved)? {
                ServerFinal::Signature(given) if bool::from(given.ct_eq(&signature)) => (State::Proved, String::new()),
                ServerFinal::Signature(_) => return Err(Unproved),
                // It goes on to say so in its protocol's own way.
                ServerFinal::Refusal => (State::Failed, String::new()),
            },
            State::Proved | State::Failed => return Err(Unproved),
        };
        self.state = state;
        Ok(response)
    }

    /// Whether the server has proved that it knows the password.
    pub(in crate::sasl) fn is_proved(&self) -> bool {
        matches!(self.state, State::Proved)
    }

    fn prove(&self, server_first: &str, password: &str, binding: &[u8]) -> Option<(State, String)> {
        let ServerFirst { nonce, salt, iterations } = ServerFirst::parse(server_first)?;
        let is_fresh = nonce.strip_prefix(self.nonce.as_str()).is_some_and(|server_nonce| !server_nonce.is_empty());
        let is_sane = (ITERATIONS.get()..=SERVER_ITERATIONS_MAX).contains(&iterations.get());
        if !(is_fresh && is_sane) {
            return None;
        }
        let without_proof = format!("c={},r={nonce}", STANDARD.encode(binding));
        let auth_message = messages::auth_message(&self.bare, server_first, &without_proof);
        let keys = Keys::derive(password, &salt, iterations);
        let proof = STANDARD.encode(keys.proof(auth_message.as_bytes()));
        let response = STANDARD.encode(format!("{without_proof},p={proof}"));
        Some((State::Final { signature: keys.signature(auth_message.as_bytes()) }, response))
    }
}

impl fmt::Debug for Login {
    /// Without password, keys and bindings.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login").field("header", &self.header).finish_non_exhaustive()
    }
}
