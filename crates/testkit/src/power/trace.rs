//! Processes that are killed at one of their syncs, or of their writes, by `strace`.
//!
//! `strace` can send a signal to a thread that enters a system call. SIGKILL ends the process before the call is done. SIGSTOP
//! lets the call be done, and stops the process before it knows. It can count calls too, but does so for each thread. So a
//! process is stopped behind each sync, which is counted here; and to kill it before the next one, it gets another `strace`
//! while it stands still.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::{JoinHandle, spawn};

use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};

use super::comes_true;

/// What puts octets on the disk.
const SYNCS: &str = "fsync,fdatasync,sync_file_range,msync,syncfs,sync";
/// What changes files, or what the kernel thinks of them.
const CHANGES: &str =
    "write,writev,pwrite64,pwritev,pwritev2,ftruncate,fallocate,?unlink,unlinkat,?rename,renameat,renameat2";
/// What is done to a call that is written down alone.
const NOTHING: &str = "delay_enter=0";

/// Where a process is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Point {
    /// Its syncs are counted from 1, whatever thread they are of. This one is not done.
    BeforeSync(u32),
    /// This one is done, and the process has not heard of it.
    AfterSync(u32),
    /// The writes and other changes of each thread are counted from 1. The first thread that gets so far does not do this one.
    BeforeChange(u32),
    /// Nowhere; its syncs are written down.
    NoSync,
    /// Nowhere; the changes are written down.
    NoChange,
}

/// A system call that has been written down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The thread's id.
    pub thread: String,
    /// What it called.
    pub name: String,
    /// What it called it for: a path, as long as it is a file.
    pub path: String,
}

/// A process on its way to its point.
#[derive(Debug)]
pub struct Tracing {
    follower: JoinHandle<()>,
    log: PathBuf,
}

impl Tracing {
    /// The command with `strace` around it. It becomes the process itself, `strace` another one. To be followed by
    /// [`Tracing::follow`].
    pub fn command(command: &Command, point: Point, log: &Path) -> Command {
        let mut traced = Command::new("strace");
        traced.arg("-D").args(point.arguments(log)).arg(command.get_program()).args(command.get_args());
        traced.env_clear().envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        if let Some(folder) = command.get_current_dir() {
            traced.current_dir(folder);
        }
        traced.stdin(Stdio::null());
        traced
    }

    /// Traces a child that runs already.
    pub fn attach(child: &Child, point: Point, log: &Path) -> Self {
        attach(Pid::from_child(child), point, log);
        Self::follow(child, point, log)
    }

    /// Follows a child that is traced.
    pub fn follow(child: &Child, point: Point, log: &Path) -> Self {
        let (pid, log) = (Pid::from_child(child), log.to_owned());
        let follower = spawn({
            let log = log.clone();
            move || follow(pid, point, &log)
        });
        Self { follower, log }
    }

    /// Waits until the process is dead. What it did in the end, in order, since the last `strace` was there.
    pub fn end(self) -> Vec<Call> {
        self.follower.join().unwrap();
        let log = fs::read_to_string(&self.log).unwrap();
        log.lines().filter_map(call).collect()
    }
}

impl Point {
    fn arguments(self, log: &Path) -> Vec<String> {
        let (calls, injection) = match self {
            Self::BeforeSync(1) => (SYNCS, "signal=KILL:when=1".to_owned()),
            Self::BeforeSync(_) | Self::AfterSync(_) => (SYNCS, "signal=STOP".to_owned()),
            Self::BeforeChange(number) => (CHANGES, format!("signal=KILL:when={number}")),
            Self::NoSync => (SYNCS, NOTHING.to_owned()),
            Self::NoChange => (CHANGES, NOTHING.to_owned()),
        };
        let (traced, injected) = (format!("trace={calls}"), format!("inject={calls}:{injection}"));
        let log = log.to_str().unwrap();
        let arguments = ["-f", "-I1", "-qq", "-y", "-e", &traced, "-e", &injected, "-e", "signal=none", "-o", log];
        arguments.map(str::to_owned).into()
    }
}

/// Lets a process go on each time that it stops, up to its point.
fn follow(pid: Pid, point: Point, log: &Path) {
    let mut syncs = 0;
    while stops(pid) {
        syncs += 1;
        if point == Point::AfterSync(syncs) {
            signal(pid, Signal::KILL);
            continue;
        }
        if point == Point::BeforeSync(syncs + 1) {
            release(pid);
            attach(pid, Point::BeforeSync(1), log);
        }
        signal(pid, Signal::CONT);
    }
}

/// Waits until the process has stopped (true) or is dead.
fn stops(pid: Pid) -> bool {
    // The dead are left for whoever started them.
    let dead = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
    loop {
        match waitid(WaitId::Pid(pid), WaitIdOptions::STOPPED | dead) {
            Ok(Some(status)) => return status.stopped(),
            Ok(None) | Err(Errno::INTR) => {}
            Err(Errno::CHILD) => return false,
            Err(error) => panic!("waiting for the process: {error}"),
        }
    }
}

/// Traces a process that runs or has stopped.
fn attach(pid: Pid, point: Point, log: &Path) {
    let pid_text = pid.as_raw_nonzero().to_string();
    let mut strace = Command::new("strace")
        .args(point.arguments(log))
        .args(["-p", &pid_text])
        .stdin(Stdio::null())
        .spawn()
        .unwrap_or_else(|error| panic!("killing at a sync needs strace: {error}"));
    let has_it = comes_true(|| {
        assert!(strace.try_wait().unwrap().is_none(), "strace can't trace process {pid_text}");
        tracers(pid).iter().all(|tracer| *tracer != 0)
    });
    assert!(has_it, "strace does not get at process {pid_text}");
    // It ends with the process, or when it is asked to.
    spawn(move || strace.wait());
}

/// Ends the `strace` of a process, which stands still meanwhile.
fn release(pid: Pid) {
    let tracer = tracers(pid).into_iter().find_map(Pid::from_raw).unwrap();
    signal(tracer, Signal::TERM);
    assert!(comes_true(|| tracers(pid).iter().all(|tracer| *tracer == 0)), "strace does not let go of the process");
}

/// By whom each thread of the process is traced; 0 is nobody.
fn tracers(pid: Pid) -> Vec<i32> {
    let folder = format!("/proc/{}/task", pid.as_raw_nonzero());
    let Ok(threads) = fs::read_dir(folder) else { return Vec::new() };
    // A thread that has ended since has none.
    let statuses = threads.filter_map(|thread| fs::read_to_string(thread.ok()?.path().join("status")).ok());
    let tracer = |status: String| status.lines().find_map(|line| line.strip_prefix("TracerPid:")?.trim().parse().ok());
    statuses.filter_map(tracer).collect()
}

fn signal(pid: Pid, signal: Signal) {
    match kill_process(pid, signal) {
        Ok(()) | Err(Errno::SRCH) => {}
        Err(error) => panic!("signal {signal:?} to process {pid:?}: {error}"),
    }
}

/// A line of the log, if a call begins there: `7 fdatasync(12</data/mail.db>) = 0`.
fn call(line: &str) -> Option<Call> {
    let (begin, arguments) = line.split_once('(')?;
    let (thread, name) = begin.split_once(' ')?;
    let path = arguments.split_once('<').and_then(|(_, rest)| Some(rest.split_once('>')?.0));
    Some(Call { thread: thread.to_owned(), name: name.trim().to_owned(), path: path.unwrap_or_default().to_owned() })
}
