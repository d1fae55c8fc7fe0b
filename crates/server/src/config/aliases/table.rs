//! The aliases under one hostname, each followed to the accounts that it stands for.

use std::collections::{BTreeMap, HashMap, HashSet};

use proto::{Address, Domain, LocalPart};

use super::{AliasError, Aliases, Fault, Name, Targets};

/// The most aliases that one leads over, itself included.
pub(super) const CHAIN_MAX: usize = 20;
/// The most accounts that an alias stands for.
pub(super) const ACCOUNTS_MAX: usize = 1000;

/// Which accounts mail for an address goes to. All that it gives are addresses at the hostname that are no numbers; whether there is
/// an account, it does not know.
#[derive(Debug)]
pub(crate) struct AliasTable {
    hostname: Domain,
    /// Those whose mail is taken, beside the hostname.
    domains: HashSet<Domain>,
    /// By the address's key.
    accounts: HashMap<String, Vec<Address>>,
    catch_alls: HashMap<Domain, Vec<Address>>,
}

impl AliasTable {
    pub(super) fn new(aliases: &Aliases, hostname: &Domain) -> Result<Self, AliasError> {
        let graph = Graph::new(aliases, hostname)?;
        let mut table = Self {
            hostname: hostname.clone(),
            domains: graph.domains().cloned().collect(),
            accounts: HashMap::new(),
            catch_alls: HashMap::new(),
        };
        for (source, entry) in &graph.entries {
            let accounts = graph.accounts_of(entry).map_err(|fault| entry.wrong(fault))?;
            match source {
                Source::Name(key) => {
                    table.accounts.insert(key.clone(), accounts);
                }
                Source::CatchAll(domain) => {
                    table.catch_alls.insert(domain.clone(), accounts);
                }
            }
        }
        Ok(table)
    }

    /// Whether mail for addresses there is for us.
    pub(crate) fn is_local(&self, domain: &Domain) -> bool {
        *domain == self.hostname || self.domains.contains(domain)
    }

    /// The accounts that an alias stands for, whatever its detail. `None`: it is no alias. In another domain than the hostname the
    /// postmaster always is one (RFC 5321 §4.5.1).
    pub(crate) fn expand(&self, address: &Address) -> Option<Vec<Address>> {
        if self.accounts.is_empty() && self.domains.is_empty() {
            return None;
        }
        if let Some(accounts) = self.accounts.get(&address.key()) {
            return Some(accounts.clone());
        }
        if !self.domains.contains(address.domain()) || address.key() != Address::postmaster(address.domain()).key() {
            return None;
        }
        let postmaster = Address::postmaster(&self.hostname);
        Some(self.accounts.get(&postmaster.key()).cloned().unwrap_or_else(|| vec![postmaster]))
    }

    /// The accounts that get what nobody else does. `None`: nobody gets it. Never those of a number: mail for it is for its
    /// client alone.
    pub(crate) fn catch_all(&self, address: &Address) -> Option<Vec<Address>> {
        let accounts = self.catch_alls.get(address.domain())?;
        let is_number = address.local_part().is_like_number();
        if is_number && *address.domain() == self.hostname { None } else { Some(accounts.clone()) }
    }

    /// The accounts that aliases and catch-alls lead to, some of them more than once.
    pub(crate) fn targets(&self) -> impl Iterator<Item = &Address> {
        self.accounts.values().chain(self.catch_alls.values()).flatten()
    }

    /// Whether nobody may have this name: an alias has it that leads to others alone.
    pub(crate) fn reserves(&self, local: &LocalPart) -> bool {
        let key = Address::new(local.clone(), self.hostname.clone()).key();
        self.accounts.get(&key).is_some_and(|accounts| accounts.iter().all(|account| account.key() != key))
    }
}

/// What leads to accounts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Source {
    /// An address, by its key.
    Name(String),
    /// The rest of a domain.
    CatchAll(Domain),
}

/// An alias as it was written.
#[derive(Clone, Copy)]
struct Entry<'a> {
    name: &'a Name,
    targets: &'a Targets,
}

impl Entry<'_> {
    fn wrong(self, fault: Fault) -> AliasError {
        AliasError { key: self.name.written.clone(), fault }
    }

    fn is(self, other: Entry<'_>) -> bool {
        self.name == other.name
    }
}

/// All aliases, as they lead to one another.
struct Graph<'a> {
    hostname: &'a Domain,
    entries: BTreeMap<Source, Entry<'a>>,
}

/// Where a target leads.
enum Step<'a> {
    Account,
    Alias(Entry<'a>),
    /// The postmaster of the hostname, in whose place the other domain has nobody.
    Postmaster,
    Foreign,
}

impl<'a> Graph<'a> {
    fn new(aliases: &'a Aliases, hostname: &'a Domain) -> Result<Self, AliasError> {
        let mut entries = BTreeMap::new();
        for (name, targets) in &aliases.entries {
            let entry = Entry { name, targets };
            let domain = name.domain.as_ref().unwrap_or(hostname);
            let source = match &name.local {
                Some(local) if local.is_like_number() && domain == hostname => return Err(entry.wrong(Fault::Number)),
                Some(local) => Source::Name(Address::new(local.clone(), domain.clone()).key()),
                None => Source::CatchAll(domain.clone()),
            };
            if entries.insert(source, entry).is_some() {
                return Err(entry.wrong(Fault::Twice));
            }
        }
        Ok(Self { hostname, entries })
    }

    fn domains(&self) -> impl Iterator<Item = &'a Domain> {
        self.entries.values().filter_map(|entry| entry.name.domain.as_ref())
    }

    fn accounts_of(&self, entry: &Entry<'a>) -> Result<Vec<Address>, Fault> {
        let mut walk =
            Walk { graph: self, path: Vec::new(), done: HashSet::new(), seen: HashSet::new(), found: Vec::new() };
        walk.follow(*entry)?;
        Ok(walk.found)
    }

    fn step(&self, target: &Address) -> Step<'a> {
        if let Some(entry) = self.entries.get(&Source::Name(target.key())) {
            return Step::Alias(*entry);
        }
        if target.domain() == self.hostname {
            return Step::Account;
        }
        let is_postmaster = target.key() == Address::postmaster(target.domain()).key();
        if is_postmaster && self.domains().any(|domain| domain == target.domain()) {
            return Step::Postmaster;
        }
        self.entries.get(&Source::CatchAll(target.domain().clone())).map_or(Step::Foreign, |entry| Step::Alias(*entry))
    }
}

/// The way from one alias to its accounts.
struct Walk<'a, 'g> {
    graph: &'g Graph<'a>,
    /// Those that are being followed.
    path: Vec<Entry<'a>>,
    /// Those that have been followed, as they were written.
    done: HashSet<&'a str>,
    /// The keys of what was found.
    seen: HashSet<String>,
    found: Vec<Address>,
}

impl<'a> Walk<'a, '_> {
    fn follow(&mut self, entry: Entry<'a>) -> Result<(), Fault> {
        if self.path.iter().any(|earlier| earlier.is(entry)) {
            return Err(Fault::Circle);
        }
        if !self.done.insert(&entry.name.written) {
            return Ok(());
        }
        if self.path.len() == CHAIN_MAX {
            return Err(Fault::Long);
        }
        self.path.push(entry);
        for target in &entry.targets.addresses {
            self.take(target.at(self.graph.hostname), entry)?;
        }
        self.path.pop();
        Ok(())
    }

    fn take(&mut self, target: Address, from: Entry<'a>) -> Result<(), Fault> {
        match self.graph.step(&target) {
            Step::Account => self.add(target),
            // One that names itself keeps its mail in the account of its name as well.
            Step::Alias(entry) if entry.is(from) && target.domain() == self.graph.hostname => self.add(target),
            Step::Alias(entry) => self.follow(entry),
            Step::Postmaster => self.take(Address::postmaster(self.graph.hostname), from),
            Step::Foreign => Err(Fault::Foreign(target)),
        }
    }

    fn add(&mut self, account: Address) -> Result<(), Fault> {
        if account.local_part().is_like_number() {
            return Err(Fault::LeadsToNumber(account));
        }
        if self.seen.insert(account.key()) {
            self.found.push(account);
        }
        if self.found.len() > ACCOUNTS_MAX { Err(Fault::Crowd) } else { Ok(()) }
    }
}
