//! What a record tells, as JSON: the one place that says what an export's parts are called.

use std::fmt;

use proto::sasl::scram::Verifier;
use proto::{Address, ReversePath};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::{Form, HeldAddress, MessageId, NewMessage, Quota, RegistrationMode, Timestamp};

/// One thing that moves. Of a message the bytes follow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Record {
    Secret(Octets),
    Registration(Mode),
    Token(Token),
    Account(Account),
    Hold(Hold),
    Message(Message),
}

/// 32 octets, in hexadecimal.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Octets(pub(super) [u8; 32]);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Mode {
    Configured,
    ByToken,
    Held,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Token {
    pub(super) name: String,
    pub(super) digest: Octets,
    pub(super) made_at: i64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Account {
    /// What messages name it by.
    pub(super) id: i64,
    pub(super) address: Text<Address>,
    pub(super) verifier: Text<Verifier>,
    pub(super) used_at: i64,
    pub(super) quota_octets: Option<u64>,
    pub(super) quota_messages: Option<u64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Hold {
    pub(super) address: Text<Address>,
    pub(super) used_at: i64,
    pub(super) held_until: i64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Message {
    pub(super) id: i64,
    pub(super) reverse_path: Text<ReversePath>,
    pub(super) trace: String,
    pub(super) received_at: i64,
    /// Of a binary message.
    pub(super) carried_octets: Option<u64>,
    pub(super) places: Vec<Place>,
}

/// The id of an account, and the address that led there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Place(pub(super) i64, pub(super) Text<Address>);

/// What is written as the text that it is made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Text<T>(pub(super) T);

impl Message {
    /// A message of a store.
    pub(super) fn new(id: MessageId, message: NewMessage) -> Self {
        let NewMessage { reverse_path, recipients, trace, received_at, form } = message;
        let carried_octets = match form {
            Form::Text => None,
            Form::Binary { carried_octets } => Some(carried_octets),
        };
        let places = recipients.into_iter().map(|to| Place(to.account.0, Text(to.address))).collect();
        Self { id: id.0, reverse_path: Text(reverse_path), trace, received_at: received_at.0, carried_octets, places }
    }

    /// Its envelope, without recipients.
    pub(super) fn envelope(&self) -> NewMessage {
        NewMessage {
            reverse_path: self.reverse_path.0.clone(),
            recipients: Vec::new(),
            trace: self.trace.clone(),
            received_at: Timestamp(self.received_at),
            form: self.carried_octets.map_or(Form::Text, |carried_octets| Form::Binary { carried_octets }),
        }
    }
}

impl Account {
    pub(super) fn quota(&self) -> Quota {
        Quota { octets: self.quota_octets, messages: self.quota_messages }
    }
}

impl From<HeldAddress> for Hold {
    fn from(HeldAddress { address, used_at, held_until }: HeldAddress) -> Self {
        Self { address: Text(address), used_at: used_at.0, held_until: held_until.0 }
    }
}

impl From<crate::Token> for Token {
    fn from(crate::Token { name, digest, made_at }: crate::Token) -> Self {
        Self { name, digest: Octets(digest), made_at: made_at.0 }
    }
}

impl From<Token> for crate::Token {
    fn from(Token { name, digest, made_at }: Token) -> Self {
        Self { name, digest: digest.0, made_at: Timestamp(made_at) }
    }
}

impl From<RegistrationMode> for Mode {
    fn from(mode: RegistrationMode) -> Self {
        match mode {
            RegistrationMode::Configured => Self::Configured,
            RegistrationMode::ByToken => Self::ByToken,
            RegistrationMode::Held => Self::Held,
        }
    }
}

impl From<Mode> for RegistrationMode {
    fn from(mode: Mode) -> Self {
        match mode {
            Mode::Configured => Self::Configured,
            Mode::ByToken => Self::ByToken,
            Mode::Held => Self::Held,
        }
    }
}

impl<T: fmt::Display> Serialize for Text<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de, T: std::str::FromStr<Err: fmt::Display>> Deserialize<'de> for Text<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map(Self).map_err(de::Error::custom)
    }
}

/// They prove something to whoever has them.
impl fmt::Debug for Octets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Octets")
    }
}

impl Serialize for Octets {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.iter().map(|octet| format!("{octet:02x}")).collect::<String>().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Octets {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let mut octets = [0; 32];
        if text.len() != 2 * octets.len() || !text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(de::Error::custom("not 64 hexadecimal digits"));
        }
        for (at, octet) in octets.iter_mut().enumerate() {
            *octet = u8::from_str_radix(&text[2 * at..2 * at + 2], 16).map_err(de::Error::custom)?;
        }
        Ok(Self(octets))
    }
}
