//! Lets system calls of a running server fail, by strace.

use std::fmt;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::host::Host;

/// Which calls fail, and how.
#[derive(Debug, Clone)]
pub(crate) struct Fault {
    /// The names of the calls.
    pub(crate) calls: &'static str,
    /// The files that they concern; all, if there are none.
    pub(crate) files: Vec<PathBuf>,
    /// The error that they end in, without having been made.
    pub(crate) error: &'static str,
    /// The first one that fails. Each thread counts its own.
    pub(crate) first: u32,
    /// Whether those behind it succeed.
    pub(crate) is_single: bool,
}

impl Fault {
    /// What strace has to be told.
    pub(crate) fn arguments(&self) -> Vec<String> {
        let Self { calls, files, error, first, is_single } = self;
        let more = if *is_single { "" } else { "+" };
        let mut arguments =
            vec![format!("--trace={calls}"), format!("--inject={calls}:error={error}:when={first}{more}")];
        arguments.extend(files.iter().map(|file| format!("--trace-path={}", file.display())));
        arguments
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { calls, error, first, is_single, .. } = self;
        let which = if *is_single { "alone" } else { "and all behind it" };
        write!(formatter, "call {first} of {calls}, {which}: {error}")
    }
}

/// A fault of a server's system, as long as this lives.
pub(crate) struct Injected {
    strace: Child,
    trace: PathBuf,
}

impl Injected {
    /// From now on calls of this server fail.
    pub(crate) fn into(host: &Host, fault: &Fault) -> Self {
        let trace = host.path("trace");
        let pid = host.pid().as_raw_nonzero().to_string();
        let mut command = Command::new("strace");
        command.args(["-f", "-p", &pid, "-o"]).arg(&trace).args(fault.arguments()).stderr(Stdio::piped());
        let mut strace = command.spawn().unwrap();
        let mut said = String::new();
        BufReader::new(strace.stderr.as_mut().unwrap()).read_line(&mut said).unwrap();
        assert!(said.contains("attached"), "strace says {said}");
        Self { strace, trace }
    }

    /// How many calls have failed so far.
    pub(crate) fn count(&self) -> usize {
        count(&fs::read_to_string(&self.trace).unwrap())
    }
}

impl Drop for Injected {
    /// The server is let go of; killed, strace would leave it stopped.
    fn drop(&mut self) {
        kill_process(Pid::from_child(&self.strace), Signal::TERM).unwrap();
        self.strace.wait().unwrap();
    }
}

/// A command whose calls fail from its beginning on, and where the trace goes.
pub(crate) fn wrapped(command: &Command, fault: &Fault, trace: &Path) -> Command {
    let mut strace = Command::new("/usr/bin/strace");
    strace
        .args(["-f", "--seccomp-bpf"])
        .arg("-o")
        .arg(trace)
        .args(fault.arguments())
        .arg(command.get_program())
        .args(command.get_args());
    let variables = command.get_envs().filter_map(|(name, value)| Some((name, value?)));
    strace.env_clear().envs(variables).current_dir(command.get_current_dir().unwrap());
    strace
}

/// How many calls have failed by a trace.
pub(crate) fn count(trace: &str) -> usize {
    trace.matches("(INJECTED)").count()
}
