//! A second cable to the namespace, for the database alone, and what it is like when it is cut: nothing comes through, and nobody
//! says so.

use crate::cable::{Cable, ip};

/// This end, where the database is.
pub(crate) const DATABASE: &str = "203.0.113.5";
/// The end in the namespace.
const NODE: &str = "203.0.113.6";
/// Nobody has it.
const NOBODY: &str = "02:00:00:00:00:01";

pub(crate) struct Link<'c> {
    cable: &'c Cable,
    end: String,
}

impl<'c> Link<'c> {
    pub(crate) fn lay(cable: &'c Cable) -> Self {
        let (name, end) = (&cable.namespace, format!("md{}", std::process::id()));
        ip(&format!("link add {end} type veth peer name eth1 netns {name}"));
        ip(&format!("address add {DATABASE}/30 dev {end}"));
        ip(&format!("link set {end} up"));
        ip(&format!("-n {name} address add {NODE}/30 dev eth1"));
        ip(&format!("-n {name} link set eth1 up"));
        Self { cable, end }
    }

    /// Whatever one end sends goes to nobody.
    pub(crate) fn cut(&self) {
        let (name, end) = (&self.cable.namespace, &self.end);
        ip(&format!("neighbour replace {NODE} lladdr {NOBODY} dev {end} nud permanent"));
        ip(&format!("-n {name} neighbour replace {DATABASE} lladdr {NOBODY} dev eth1 nud permanent"));
    }

    /// Both ends look for each other again.
    pub(crate) fn mend(&self) {
        let (name, end) = (&self.cable.namespace, &self.end);
        ip(&format!("neighbour delete {NODE} dev {end}"));
        ip(&format!("-n {name} neighbour delete {DATABASE} dev eth1"));
    }
}
