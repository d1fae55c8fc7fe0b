//! What is said on the admin socket: one [`Request`] on a line, then [`Answer`]s, a line each, in JSON.
//!
//! The last answer is [`Answer::Done`], [`Answer::More`], [`Answer::Held`] or [`Answer::Refused`]. Where none of them comes, the server has broken
//! off, and what came before is not all.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::refusal::Refusal;

/// The longest request, in octets, the line's end included.
pub(super) const REQUEST_OCTETS_MAX: usize = 16 << 10;
/// The longest answer. It may have to repeat what was asked for.
pub(super) const ANSWER_OCTETS_MAX: usize = 64 << 10;
/// The most accounts of one answer.
pub(super) const PAGE_ACCOUNTS_MAX: usize = 1000;

/// The least characters of a password that the operator brings.
pub const PASSWORD_CHARACTERS_MIN: usize = 8;
/// Its most octets: it has to fit into a command line, together with a name.
pub const PASSWORD_OCTETS_MAX: usize = 1024;
/// The most octets of a token's name.
pub const TOKEN_NAME_OCTETS_MAX: usize = 64;

/// What the operator wants. A `name` of an account is its address or the part before the `@`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Request {
    /// The accounts in the order of their addresses, those behind `after`: [`Answer::Account`] for each of a page.
    List { after: Option<String> },
    /// One account: [`Answer::Account`].
    Show { name: String },
    /// Make an account with this password, or one that is made: [`Answer::Password`].
    Add { name: String, password: Option<Secret> },
    /// End an account and delete its mail: [`Answer::Removed`].
    Remove { name: String },
    /// How much a mailbox may hold: [`Answer::Account`].
    Quota { name: String, change: QuotaChange },
    /// Give an account this password, or one that is made: [`Answer::Password`].
    Password { name: String, password: Option<Secret> },
    /// Who may register, set first if a mode is given: [`Answer::Registration`].
    Registration { mode: Option<Mode> },
    /// Make a token, with this name or one that is found: [`Answer::NewToken`].
    AddToken { name: Option<String> },
    /// The tokens in the order of their names: [`Answer::Token`] for each.
    ListTokens,
    /// Take a token back: [`Answer::Registration`], as it is afterwards.
    RemoveToken { name: String },
    /// Keep all files of the store as long as the connection lasts, so that they can be copied: [`Answer::Held`] when they are
    /// kept, and nothing after it.
    Hold,
}

/// What the server says to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Answer {
    Account(AccountState),
    Password(NewPassword),
    Removed(Removed),
    Registration(RegistrationState),
    NewToken(NewToken),
    Token(TokenState),
    Held,
    /// That is all.
    Done,
    /// That is a page; the next one is behind its last account.
    More,
    /// It is not done.
    Refused(Refusal),
}

/// What an answer of one kind says.
pub(super) trait Said: Sized {
    /// `None`: it is an answer of another kind.
    fn by(answer: Answer) -> Option<Self>;
}

macro_rules! said {
    ($($variant:ident($said:ty)),+ $(,)?) => {$(
        impl Said for $said {
            fn by(answer: Answer) -> Option<Self> {
                if let Answer::$variant(said) = answer { Some(said) } else { None }
            }
        }
    )+};
}

said! {
    Account(AccountState),
    Password(NewPassword),
    Removed(Removed),
    Registration(RegistrationState),
    NewToken(NewToken),
    Token(TokenState),
}

/// An account as it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountState {
    /// Its address.
    pub address: String,
    /// How many messages it has.
    pub messages: u64,
    /// How many octets these have, as sent.
    pub octets: u64,
    /// How much it may have.
    pub quota: QuotaState,
    /// When it was last used (RFC 3339, UTC).
    pub last_use: String,
    /// Whether it has a password. Without one it ends with its connection.
    pub password: bool,
}

/// How much a mailbox may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuotaState {
    /// The most octets.
    pub octets: u64,
    /// The most messages.
    pub messages: u64,
    /// Whether it is what the configuration gives everybody.
    pub default: bool,
}

/// What becomes of a quota.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum QuotaChange {
    /// These limits, for this account alone. `None`: as it is.
    Set {
        /// The most octets.
        octets: Option<u64>,
        /// The most messages.
        messages: Option<u64>,
    },
    /// What the configuration gives everybody.
    Default,
}

/// An account that got a password.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewPassword {
    /// Whose it is.
    pub address: String,
    /// The password, if the server made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<Secret>,
}

/// An account that is no more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Removed {
    /// Its address.
    pub address: String,
}

/// Who may register.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Mode {
    /// Whoever may by the configuration: anybody, unless it says otherwise.
    Open,
    /// Whoever has a token.
    Token,
    /// Nobody.
    Hold,
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Open => "open",
            Self::Token => "token",
            Self::Hold => "hold",
        })
    }
}

/// Who may register, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegistrationState {
    /// What the operator has set.
    pub mode: Mode,
    /// What comes of it together with the configuration.
    pub in_force: Mode,
    /// How many tokens there are that the operator has made.
    pub tokens: usize,
    /// How many there are in the configuration.
    pub configured_tokens: usize,
}

impl RegistrationState {
    /// Whether a token is asked for and there is none.
    pub fn is_without_tokens(&self) -> bool {
        self.in_force == Mode::Token && self.tokens + self.configured_tokens == 0
    }
}

/// A token that was just made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewToken {
    /// What it is called.
    pub name: String,
    /// The token, which nobody can be told again.
    pub token: Secret,
    /// Whether registration, open to all before, asks for a token since.
    pub switched: bool,
    /// Who may register.
    pub in_force: Mode,
}

/// A token as far as it is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenState {
    /// What it is called.
    pub name: String,
    /// When it was made (RFC 3339, UTC).
    pub made_at: String,
}

/// A password or a token, which only its owner shall see.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// The secret itself.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("********")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_says_nothing_beside_what_is_known() {
        for text in [r#""list_tokens""#, r#"{"show":{"name":"alice"}}"#, r#"{"registration":{"mode":"hold"}}"#] {
            let request: Request = serde_json::from_str(text).unwrap();
            assert_eq!(serde_json::to_string(&request).unwrap(), text);
        }
        for text in [
            "",
            "null",
            r#""show""#,
            r#"{"show":{}}"#,
            r#"{"show":{"name":"alice","force":true}}"#,
            r#"{"show":{"name":"alice"},"remove":{"name":"bob"}}"#,
            r#"{"registration":{"mode":"shut"}}"#,
            r#"{"quota":{"name":"alice","change":{"set":{"octets":-1,"messages":null}}}}"#,
        ] {
            assert!(serde_json::from_str::<Request>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn secrets_are_not_shown() {
        let password = Some(Secret::from("open sesame".to_owned()));
        let request = Request::Add { name: "alice".to_owned(), password };
        assert!(!format!("{request:?}").contains("sesame"));
        assert!(serde_json::to_string(&request).unwrap().contains("open sesame"));
    }
}
