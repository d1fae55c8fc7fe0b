//! What `/proc` tells of each thread of a server.

use std::collections::BTreeSet;
use std::fs;

use rustix::process::Pid;

/// What a line of the status says, of all threads: one value, if they are alike.
pub(crate) fn of_all_threads(server: Pid, key: &str) -> BTreeSet<String> {
    let tasks = fs::read_dir(format!("/proc/{}/task", server.as_raw_nonzero())).unwrap();
    // A thread that has ended since says nothing.
    let statuses = tasks.filter_map(|task| fs::read_to_string(task.unwrap().path().join("status")).ok());
    statuses
        .map(|status| {
            let line = status.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':')).unwrap();
            line.split_whitespace().collect::<Vec<_>>().join(" ")
        })
        .collect()
}

/// Says of each key what all threads have to be.
pub(crate) fn expect_of_all_threads(server: Pid, expected: &[(&str, &str)]) {
    for (key, value) in expected {
        assert_eq!(of_all_threads(server, key), BTreeSet::from([(*value).to_owned()]), "{key}");
    }
}

/// No new privileges, and a filter of system calls.
pub(crate) const CONFINED: [(&str, &str); 2] = [("NoNewPrivs", "1"), ("Seccomp", "2")];
