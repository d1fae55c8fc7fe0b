//! The server's side: it reads who logs in, challenges them with what it keeps of the password, and checks the proof.
//!
//! A wrong proof, another channel and a downgrade look alike from outside, and are counted alike.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use subtle::ConstantTimeEq;

use super::super::server::Secret;
use super::super::{Channel, Mechanism};
use super::Verifier;
use super::messages::{self, BindingFlag, ClientFinal, ClientFirst, ServerFirst};
use super::verifier::Key;

/// What a client has said first: its password is to be looked up.
#[derive(Debug)]
pub(in crate::sasl) struct First {
    channel: Channel,
    user: String,
    header: String,
    bare: String,
    nonce: String,
    /// The client took the server for one without channel binding, which it is not: somebody has changed the list of
    /// mechanisms (RFC 5802 §6).
    is_downgraded: bool,
}

/// A client that owes its proof.
#[derive(Debug)]
pub(in crate::sasl) struct Challenged {
    first: First,
    /// As it was said.
    server_first: String,
    nonce: String,
    verifier: Verifier,
}

/// A proof that has been checked.
#[derive(Debug)]
pub(in crate::sasl) struct Checked {
    pub(in crate::sasl) user: String,
    pub(in crate::sasl) verifier: Verifier,
    /// The server's own proof, in base64, for one who has proved to know the password.
    pub(in crate::sasl) server_final: Option<String>,
}

impl First {
    /// Reads the client's first message; `None` if it is malformed or not fit for the mechanism.
    pub(in crate::sasl) fn read(mechanism: Mechanism, channel: Channel, response: &[u8]) -> Option<Self> {
        let message = messages::decode(response)?;
        let ClientFirst { flag, header, on_behalf_of, bare, user, nonce } = ClientFirst::parse(&message)?;
        let is_bound = mechanism == Mechanism::ScramSha256Plus;
        let fits = match flag {
            BindingFlag::Unknown | BindingFlag::Unoffered => !is_bound,
            BindingFlag::Used(name) => is_bound && channel.binding(name).is_some(),
        };
        let for_itself = on_behalf_of.is_none_or(|other| other == user);
        // RFC 5802 §5.1: the server prepares the name too, and refuses one that can't be.
        let user = stringprep::saslprep(&user).ok().filter(|user| !user.is_empty())?.into_owned();
        (fits && for_itself).then(|| Self {
            is_downgraded: flag == BindingFlag::Unoffered && Mechanism::ScramSha256Plus.fits(&channel),
            user,
            header: header.to_owned(),
            bare: bare.to_owned(),
            nonce: nonce.to_owned(),
            channel,
        })
    }

    pub(in crate::sasl) fn user(&self) -> &str {
        &self.user
    }

    /// Challenges the client. The challenge is in base64.
    pub(in crate::sasl) fn challenge(self, secret: Secret) -> (Challenged, String) {
        let Secret { verifier, nonce } = secret;
        let nonce = format!("{}{nonce}", self.nonce);
        let server_first =
            ServerFirst { nonce: &nonce, salt: verifier.salt().to_vec(), iterations: verifier.iterations() }.print();
        let challenge = STANDARD.encode(&server_first);
        (Challenged { first: self, server_first, nonce, verifier }, challenge)
    }

    /// What a client over this channel says of it: the header, and what binds the channel.
    fn binding(&self) -> Vec<u8> {
        let name = self.header.strip_prefix("p=").and_then(|rest| rest.split(',').next());
        let bound_to = name.and_then(|name| self.channel.binding(name)).unwrap_or_default();
        [self.header.as_bytes(), bound_to].concat()
    }
}

impl Challenged {
    /// Checks the client's last message; `None` if it is malformed.
    pub(in crate::sasl) fn check(self, response: &[u8]) -> Option<Checked> {
        let message = messages::decode(response)?;
        let ClientFinal { binding, nonce, without_proof, proof } = ClientFinal::parse(&message)?;
        let proof = Key::try_from(proof).ok()?;
        let auth_message = messages::auth_message(&self.first.bare, &self.server_first, without_proof);
        let is_valid = self.verifier.is_proved(&proof, auth_message.as_bytes())
            & nonce.as_bytes().ct_eq(self.nonce.as_bytes())
            & binding.ct_eq(&self.first.binding());
        let is_valid = bool::from(is_valid) && !self.first.is_downgraded;
        let signature = self.verifier.signature(auth_message.as_bytes());
        let server_final = is_valid.then(|| STANDARD.encode(format!("v={}", STANDARD.encode(signature))));
        Some(Checked { user: self.first.user, verifier: self.verifier, server_final })
    }
}
