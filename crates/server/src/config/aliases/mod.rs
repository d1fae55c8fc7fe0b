//! Aliases: addresses that stand for accounts, and catch-alls for those that nobody has.
//!
//! [`Aliases`] is what the file says. What it means depends on the hostname, which the command line may set, so that is worked out
//! later: [`Aliases::resolve`] follows every chain to its end and refuses what leads nowhere, in a circle or to another server.

mod table;
#[cfg(test)]
mod tests;

use proto::{Address, AddressError, Domain, LocalPart};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use thiserror::Error;

pub(crate) use table::AliasTable;

/// What stands for every name that nobody has.
const CATCH_ALL: &str = "*";

/// The table `[aliases]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Aliases {
    entries: BTreeMap<Name, Targets>,
}

impl Aliases {
    /// Follows all of them to the accounts that they stand for under this hostname.
    pub(crate) fn resolve(&self, hostname: &Domain) -> Result<AliasTable, AliasError> {
        AliasTable::new(self, hostname)
    }
}

/// An alias, in words that name its key.
#[derive(Debug, Error)]
#[error("[aliases], {key}: {fault}")]
pub struct AliasError {
    key: String,
    fault: Fault,
}

/// What is wrong with an alias.
#[derive(Debug, Error)]
enum Fault {
    #[error("{0} is no address: {1}")]
    Address(String, AddressError),
    #[error("{0} has a +detail, which makes no difference to where mail goes: leave it out")]
    Detail(String),
    #[error("{0} is at an address literal: mail can be addressed to it under the hostname alone")]
    Literal(String),
    #[error("must name somebody")]
    Nobody,
    #[error("a number belongs to its client")]
    Number,
    #[error("the same address is there twice, in another form")]
    Twice,
    #[error("leads in a circle")]
    Circle,
    #[error("{0} is not here, and nothing is sent to other servers")]
    Foreign(Address),
    #[error("leads to {0}, a number, which may be somebody else's tomorrow")]
    LeadsToNumber(Address),
    #[error("leads over more than {} others", table::CHAIN_MAX)]
    Long,
    #[error("leads to more than {} accounts", table::ACCOUNTS_MAX)]
    Crowd,
}

/// A key: as it was written, and what it means.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
struct Name {
    written: String,
    local: Option<LocalPart>,
    /// `None`: the hostname, whatever that is.
    domain: Option<Domain>,
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        name.written
    }
}

/// Where an alias leads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "Written", try_from = "Written")]
struct Targets {
    written: Written,
    addresses: Vec<Target>,
}

impl From<Targets> for Written {
    fn from(targets: Targets) -> Self {
        targets.written
    }
}

/// A value as it stands in the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, expecting = "must be a name or an address, or a list of them")]
enum Written {
    One(String),
    Several(Vec<String>),
}

/// An account or another alias.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Target {
    local: LocalPart,
    /// `None`: the hostname, whatever that is.
    domain: Option<Domain>,
}

impl TryFrom<String> for Name {
    type Error = Fault;

    fn try_from(written: String) -> Result<Self, Fault> {
        let of_all = match written.strip_prefix(CATCH_ALL) {
            Some("") => Some(None),
            Some(rest) => rest.strip_prefix('@').map(Some),
            None => None,
        };
        let (local, domain) = match of_all {
            Some(domain) => (None, domain.map(|domain| parse_domain(domain, &written)).transpose()?),
            None => {
                let Target { local, domain } = Target::parse(&written)?;
                (Some(local), domain)
            }
        };
        Ok(Self { written, local, domain })
    }
}

impl TryFrom<Written> for Targets {
    type Error = Fault;

    fn try_from(written: Written) -> Result<Self, Fault> {
        let texts = match &written {
            Written::One(text) => std::slice::from_ref(text),
            Written::Several(texts) => texts,
        };
        if texts.is_empty() {
            return Err(Fault::Nobody);
        }
        let addresses = texts.iter().map(|text| Target::parse(text)).collect::<Result<_, _>>()?;
        Ok(Self { written, addresses })
    }
}

impl Target {
    fn parse(text: &str) -> Result<Self, Fault> {
        let bad = |error| Fault::Address(text.to_owned(), error);
        // A local part alone may hold an @ in quotes.
        let (local, domain) = match text.parse::<LocalPart>() {
            Ok(_) if text == CATCH_ALL => return Err(bad(AddressError::LocalPart)),
            Ok(local) => (local, None),
            Err(error) if !text.contains('@') => return Err(bad(error)),
            Err(_) => {
                let address: Address = text.parse().map_err(bad)?;
                (address.local_part().clone(), Some(parse_domain(address.domain().as_str(), text)?))
            }
        };
        if local.base() == local { Ok(Self { local, domain }) } else { Err(Fault::Detail(text.to_owned())) }
    }

    fn at(&self, hostname: &Domain) -> Address {
        Address::new(self.local.clone(), self.domain.as_ref().unwrap_or(hostname).clone())
    }
}

fn parse_domain(domain: &str, text: &str) -> Result<Domain, Fault> {
    let domain: Domain = domain.parse().map_err(|error| Fault::Address(text.to_owned(), error))?;
    match domain.as_str().starts_with('[') {
        true => Err(Fault::Literal(text.to_owned())),
        false => Ok(domain),
    }
}
