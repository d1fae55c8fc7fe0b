//! The accounts that this user holds, with their passwords.

use std::fmt;
use std::path::{Path, PathBuf};

use proto::Address;
use serde::{Deserialize, Serialize};

use crate::ServerAddress;
use crate::user_file::{self, Content, FileError};

/// Longest accounts file, in octets.
pub const ACCOUNTS_OCTETS_MAX: u64 = 1 << 20;

/// An account on a server, and the password that opens it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoredAccount {
    /// The account's address: its user name too.
    #[serde(with = "address_text")]
    pub address: Address,
    /// The server that takes its mail, and hands it out unless `pop3` names another one.
    pub server: ServerAddress,
    /// The password that the server issued; never printed, not in debug output either.
    #[serde(deserialize_with = "password_text")]
    pub password: String,
    /// Where its mail is retrieved if the server itself does not hand it out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pop3: Option<ServerAddress>,
    /// The user name for logging in, if that is not the address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
}

impl StoredAccount {
    /// An account of a server that takes its address for a user name and hands out its mail itself.
    pub fn new(address: Address, server: ServerAddress, password: String) -> Self {
        Self { address, server, password, pop3: None, user: None }
    }

    /// The user name to log in with.
    pub fn user(&self) -> String {
        self.user.clone().unwrap_or_else(|| self.address.to_string())
    }

    /// Whether this is its address, or the part before the `@`; large and small letters are the same, as on the server.
    pub fn is_called(&self, address_or_local_part: &str) -> bool {
        match address_or_local_part.parse::<Address>() {
            Ok(address) => address.key() == self.address.key(),
            Err(_) => self.address.local_part().as_str().to_lowercase() == address_or_local_part.to_lowercase(),
        }
    }

    /// Two servers may well have given one and the same address.
    fn is_same_account(&self, other: &Self) -> bool {
        self.address.key() == other.address.key() && self.server == other.server
    }
}

impl fmt::Debug for StoredAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredAccount")
            .field("address", &self.address)
            .field("server", &self.server)
            .finish_non_exhaustive()
    }
}

/// The accounts that this user holds. The first is the default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Accounts {
    #[serde(default, rename = "account")]
    list: Vec<StoredAccount>,
}

impl Content for Accounts {
    const OCTETS_MAX: u64 = ACCOUNTS_OCTETS_MAX;
}

impl Accounts {
    /// `$XDG_CONFIG_HOME/mymail/accounts.toml`, or under `~/.config` where that is not set.
    pub fn default_path() -> Result<PathBuf, FileError> {
        user_file::config_path("accounts.toml")
    }

    /// Reads the accounts. A file that is not there is an empty list.
    pub fn load(path: &Path) -> Result<Self, FileError> {
        user_file::load(path)
    }

    /// Changes the accounts, and nobody else does so meanwhile. Returns what `change` does, when it is safely on disk.
    pub fn update<T>(path: &Path, change: impl FnOnce(&mut Self) -> T) -> Result<T, FileError> {
        user_file::update(path, change)
    }

    /// All of them, the default first.
    pub fn list(&self) -> &[StoredAccount] {
        &self.list
    }

    /// The account to use when none is named.
    pub fn default(&self) -> Option<&StoredAccount> {
        self.list.first()
    }

    /// The accounts with this address, or this local part: one on each server at most that gave it.
    pub fn called<'a>(&'a self, address_or_local_part: &str) -> impl Iterator<Item = &'a StoredAccount> {
        self.list.iter().filter(|account| account.is_called(address_or_local_part))
    }

    /// Adds an account behind the others, or puts it in the place of an earlier one with its address on its server.
    pub fn add(&mut self, account: StoredAccount) {
        match self.list.iter_mut().find(|other| other.is_same_account(&account)) {
            Some(earlier) => *earlier = account,
            None => self.list.push(account),
        }
    }

    /// Forgets an account. Says whether it was there. The next one becomes the default if it was that.
    pub fn remove(&mut self, account: &StoredAccount) -> bool {
        let before = self.list.len();
        self.list.retain(|other| !other.is_same_account(account));
        self.list.len() < before
    }

    /// Makes an account the default. Says whether it was there.
    pub fn set_default(&mut self, account: &StoredAccount) -> bool {
        match self.list.iter().position(|other| other.is_same_account(account)) {
            Some(at) => {
                self.list[..=at].rotate_right(1);
                true
            }
            None => false,
        }
    }
}

mod address_text {
    use proto::Address;
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(address: &Address, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(address)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Address, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(Error::custom)
    }
}

/// Takes a text alone and, unlike serde's own message, does not repeat what else it found: it may be a password.
fn password_text<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    match toml::Value::deserialize(deserializer)? {
        toml::Value::String(password) => Ok(password),
        _ => Err(serde::de::Error::custom("a password must be a text in quotes")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(address: &str, server: &str) -> StoredAccount {
        let (address, server) = (address.parse().unwrap(), server.parse().unwrap());
        StoredAccount::new(address, server, "vqk4-7t2m".into())
    }

    fn three() -> Accounts {
        let mut accounts: Accounts = Default::default();
        accounts.add(account("9@mymailserver", "a.example"));
        accounts.add(account("Alice@mymailserver", "a.example"));
        accounts.add(account("9@mymailserver", "b.example"));
        accounts
    }

    #[test]
    fn accounts_are_found_by_address_and_by_local_part() {
        let accounts = three();
        let found = |text: &str| -> Vec<String> {
            accounts.called(text).map(|account| format!("{} {}", account.address, account.server)).collect()
        };
        assert_eq!(found("9"), ["9@mymailserver a.example:2525", "9@mymailserver b.example:2525"]);
        assert_eq!(found("alice"), ["Alice@mymailserver a.example:2525"]);
        assert_eq!(found("alice+lists@MYMAILSERVER"), ["Alice@mymailserver a.example:2525"]);
        assert!(found("alice@elsewhere.example").is_empty() && found("bob").is_empty());
    }

    #[test]
    fn the_first_is_the_default_until_another_is_chosen_or_it_goes() {
        let mut accounts = three();
        let [nine, alice, nine_on_b] = accounts.list().to_vec().try_into().unwrap();
        assert_eq!(accounts.default(), Some(&nine));
        assert!(accounts.set_default(&nine_on_b));
        assert_eq!(accounts.list(), [nine_on_b.clone(), nine.clone(), alice.clone()]);
        assert!(accounts.remove(&nine_on_b));
        assert_eq!(accounts.default(), Some(&nine));
        assert!(!accounts.remove(&nine_on_b) && !accounts.set_default(&nine_on_b));
    }

    #[test]
    fn registering_anew_replaces_the_password() {
        let mut accounts = three();
        accounts.add(StoredAccount { password: "new".into(), ..account("alice@mymailserver", "a.example:2525") });
        assert_eq!(accounts.list().len(), 3);
        assert_eq!(accounts.called("alice").next().unwrap().password, "new");
    }

    #[test]
    fn passwords_are_not_in_debug_output() {
        assert!(!format!("{:?}", three()).contains("vqk4"));
    }
}
