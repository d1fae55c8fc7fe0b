//! A server whose system fails it while it starts: it says so and does not run, or it runs; and nothing is lost.

use std::io::{self, BufRead, BufReader};
use std::process::{Child, Stdio};
use std::{fs, thread};

use rustix::process::{Pid, Signal, kill_process};

use crate::host::Host;
use crate::life::Life;
use crate::strace::{Fault, count, wrapped};

/// More calls than a start makes.
const CALLS_MAX: u32 = 1000;

const UNAVAILABLE: i32 = 69;
const CONFIG: i32 = 78;

/// What it says when it does not start.
const SENTENCES: [&str; 3] = [
    "mymail: cannot open the store in ",
    "mymail: cannot prepare the store: ",
    "mymail: cannot keep the server's own certificate in ",
];

/// Starts the server of this host, which must not run, with a fault. How many calls have failed.
fn start_with(host: &Host, fault: &Fault) -> usize {
    let trace = host.path("trace");
    let mut command = wrapped(&host.start_command(), fault, &trace);
    let mut strace = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut errors = strace.stderr.take().unwrap();
    // Read as it comes: a full pipe would stop it.
    let said = thread::spawn(move || io::read_to_string(&mut errors).unwrap());
    let mut line = String::new();
    BufReader::new(strace.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let runs = line.starts_with("listening ");
    if runs {
        kill_process(child_of(&strace), Signal::KILL).unwrap();
    }
    let status = strace.wait().unwrap();
    let said = said.join().unwrap();
    assert!(!said.contains("panicked"), "{fault}: {said}");
    if !runs {
        assert!(matches!(status.code(), Some(UNAVAILABLE | CONFIG)), "{fault}: {status}, {said}");
        assert!(SENTENCES.iter().any(|sentence| said.contains(sentence)), "{fault}: {said}");
    }
    count(&fs::read_to_string(trace).unwrap())
}

/// The server beneath strace.
fn child_of(strace: &Child) -> Pid {
    let id = strace.id();
    let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap();
    Pid::from_raw(children.trim().parse().unwrap()).unwrap()
}

const SYNCS: &str = "fsync,fdatasync";
const WRITES: &str = "pwrite64,pwritev,pwritev2,ftruncate";

/// Faults of which each is met at its first call, then at the next one, and so on.
fn faults(calls: &'static str, error: &'static str, is_single: bool) -> impl Iterator<Item = Fault> {
    (1..CALLS_MAX).map(move |first| Fault { calls, files: Vec::new(), error, first, is_single })
}

/// Lets each of such calls fail when the server first starts.
async fn fail_each_of_the_first(faults: impl Iterator<Item = Fault>) -> io::Result<()> {
    let mut host = Host::new("");
    for fault in faults {
        host.kill();
        fs::remove_dir_all(host.path("data"))?;
        let failed = start_with(&host, &fault);
        host.start_again();
        let mut client = host.registered("alice").await?;
        assert_eq!(client.send(&["alice@mymailserver"], b"at last\r\n").await?, "250 OK");
        if failed == 0 {
            println!("{fault}: there is no such call");
            return Ok(());
        }
    }
    panic!("there is no end of calls")
}

/// Lets each of such calls fail when the server starts again, having been ended in the midst of its work.
async fn fail_each_of_another(faults: impl Iterator<Item = Fault>) -> io::Result<()> {
    let mut life = Life::begin().await?;
    for fault in faults {
        life.host.kill();
        let failed = start_with(&life.host, &fault);
        life.come_back().await?;
        if failed == 0 {
            println!("{fault}: there is no such call");
            return Ok(());
        }
    }
    panic!("there is no end of calls")
}

#[tokio::test]
#[ignore = "it needs strace and root; CI runs it"]
async fn a_first_start_without_syncs() -> io::Result<()> {
    fail_each_of_the_first(faults(SYNCS, "EIO", true)).await
}

#[tokio::test]
#[ignore = "it needs strace and root; CI runs it"]
async fn a_first_start_without_room() -> io::Result<()> {
    fail_each_of_the_first(faults(WRITES, "ENOSPC", false)).await
}

#[tokio::test]
#[ignore = "it needs strace and root; CI runs it"]
async fn another_start_without_syncs() -> io::Result<()> {
    fail_each_of_another(faults(SYNCS, "EIO", true)).await?;
    fail_each_of_another(faults(SYNCS, "EIO", false)).await
}

#[tokio::test]
#[ignore = "it needs strace and root; CI runs it"]
async fn another_start_without_room() -> io::Result<()> {
    fail_each_of_another(faults(WRITES, "EIO", true)).await?;
    fail_each_of_another(faults(WRITES, "ENOSPC", false)).await
}
