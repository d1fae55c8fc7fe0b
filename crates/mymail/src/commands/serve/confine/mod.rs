//! The process takes from itself what the server does not need, so that whoever finds a hole in it has found little: new
//! privileges, files outside the data folder (landlock), other programs, processes and connections (`calls.rs`).
//!
//! All of it is for the calling thread and those that it starts, so it comes before any other thread. An old kernel offers
//! less; what could not be given up is told, and no reason not to serve.

mod calls;

use std::fmt;
use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, NetPort, PathBeneath, PathFd, Ruleset,
    RulesetAttr, RulesetCreatedAttr, RulesetError, RulesetStatus, Scope, make_bitflags,
};

/// What is taken away where the kernel knows it. Later versions may restrict what the server does.
const KNOWN: ABI = ABI::V7;

/// Where names of hosts are asked for.
const DNS_PORT: u16 = 53;

/// SQLite begins its random numbers with it.
const RANDOM: &str = "/dev/urandom";

/// What is done with the data folder.
const DATA: BitFlags<AccessFs> = make_bitflags!(AccessFs::{
    ReadFile | ReadDir | WriteFile | Truncate | MakeReg | MakeDir | MakeSock | RemoveFile | RemoveDir | Refer
});

/// The files that a server needs while it runs.
pub(crate) struct Files {
    /// The data folder.
    pub(crate) data: PathBuf,
    /// The folders of files that are read again, and may have been replaced by then.
    pub(crate) read: Vec<PathBuf>,
    /// The folders of sockets that are removed at the end.
    pub(crate) sockets: Vec<PathBuf>,
}

/// Whom a server connects to while it runs, if it does at all. Sockets of this machine can't be told apart.
#[derive(Debug, Default)]
pub(crate) struct Reach {
    /// TCP ports, wherever they are.
    pub(crate) ports: Vec<u16>,
    /// Whether the names of hosts are looked up.
    pub(crate) names: bool,
}

impl Reach {
    /// With those for names.
    fn all_ports(&self) -> impl Iterator<Item = u16> {
        self.ports.iter().copied().chain(self.names.then_some(DNS_PORT))
    }
}

impl fmt::Display for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ports: Vec<_> = self.all_ports().map(|port| format!("TCP port {port}")).collect();
        let udp = self.names.then(|| "UDP".to_owned());
        let here = "sockets of this machine".to_owned();
        f.write_str(&ports.into_iter().chain(udp).chain([here]).collect::<Vec<_>>().join(", "))
    }
}

/// What was given up, and what could not be.
#[derive(Debug, Default)]
pub(crate) struct GivenUp {
    given_up: Vec<String>,
    kept: Vec<String>,
}

impl GivenUp {
    /// This was given up.
    pub(crate) fn note(&mut self, what: impl Into<String>) {
        self.given_up.push(what.into());
    }

    /// This could not be given up.
    pub(crate) fn note_kept(&mut self, what: &str, reason: impl fmt::Display) {
        self.kept.push(format!("{what} ({reason})"));
    }

    /// Whether there is something that could not be given up.
    pub(crate) fn is_in_part(&self) -> bool {
        !self.kept.is_empty()
    }
}

impl fmt::Display for GivenUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nothing = || "nothing".to_owned();
        write!(f, "gave up: {}", self.given_up.is_empty().then(nothing).unwrap_or(self.given_up.join(", ")))?;
        if self.kept.is_empty() { Ok(()) } else { write!(f, "; could not give up: {}", self.kept.join(", ")) }
    }
}

/// Gives it all up, for good, but for what is needed to use these files and to connect to these others.
pub(crate) fn confine(files: &Files, reach: Option<&Reach>, given_up: &mut GivenUp) {
    match rustix::thread::set_no_new_privs(true) {
        Ok(()) => given_up.note("new privileges"),
        Err(error) => given_up.note_kept("new privileges", error),
    }
    const FILES: &str = "files outside";
    let outside = format!("{FILES} {}{}", files.data.display(), reading(&files.read));
    match restrict(files, reach) {
        Ok(RulesetStatus::FullyEnforced) => given_up.note(outside),
        Ok(RulesetStatus::PartiallyEnforced) => {
            given_up.note(format!("{outside}, as far as this kernel's landlock goes"));
        }
        Ok(RulesetStatus::NotEnforced) => given_up.note_kept("other files", "this kernel has no landlock"),
        Err(error) => given_up.note_kept("other files", error),
    }
    let connections = match reach {
        None => "outgoing connections".to_owned(),
        Some(reach) => format!("outgoing connections (but to {reach})"),
    };
    let calls = format!("other programs, new processes, {connections}, the kernel's administration");
    match calls::forbid(reach) {
        Ok(()) => given_up.note(calls),
        Err(error) => given_up.note_kept(&calls, error),
    }
}

fn reading(folders: &[PathBuf]) -> String {
    let folders: Vec<_> = folders.iter().map(|folder| folder.display().to_string()).collect();
    if folders.is_empty() { String::new() } else { format!(" (but reading beneath {})", folders.join(" and ")) }
}

fn restrict(files: &Files, reach: Option<&Reach>) -> Result<RulesetStatus, RulesetError> {
    let ruleset = Ruleset::default()
        // Without it nothing could be moved from one folder to another, not even within the data folder.
        .set_compatibility(CompatLevel::HardRequirement)
        .handle_access(AccessFs::Refer)?
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(KNOWN))?
        // All is bound by now.
        .handle_access(AccessNet::from_all(KNOWN))?
        .scope(Scope::Signal)?;
    let mut rules = vec![(files.data.as_path(), DATA), (Path::new(RANDOM), AccessFs::ReadFile.into())];
    rules.extend(files.read.iter().map(|folder| (folder.as_path(), AccessFs::ReadFile.into())));
    rules.extend(files.sockets.iter().map(|folder| (folder.as_path(), AccessFs::RemoveFile.into())));
    let mut created = ruleset.create()?;
    for (path, access) in rules {
        // What can't be opened can't be used either.
        if let Ok(path) = PathFd::new(path) {
            created = created.add_rule(PathBeneath::new(path, access))?;
        }
    }
    for port in reach.into_iter().flat_map(Reach::all_ports) {
        created = created.add_rule(NetPort::new(port, AccessNet::ConnectTcp))?;
    }
    Ok(created.restrict_self()?.ruleset)
}
