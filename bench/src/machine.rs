//! The machine that was measured on, as far as it matters to others.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::Context;
use serde::{Deserialize, Serialize};

use crate::processes::output_of;

/// No name of a host, and no path.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Machine {
    processor: String,
    cores: usize,
    /// In GiB.
    memory: f64,
    kernel: String,
    file_system: String,
    postfix: String,
    dovecot: String,
}

impl Machine {
    /// This one; `folder` is on the disk that is measured.
    pub(crate) fn here(folder: &Path) -> anyhow::Result<Self> {
        let mounts = fs::read_to_string("/proc/self/mountinfo")?;
        let kibibytes = value_of(&fs::read_to_string("/proc/meminfo")?, "MemTotal").context("no MemTotal")?;
        let kibibytes: f64 = kibibytes.trim_end_matches(" kB").parse()?;
        Ok(Self {
            processor: value_of(&fs::read_to_string("/proc/cpuinfo")?, "model name").unwrap_or_else(|| "?".to_owned()),
            cores: std::thread::available_parallelism()?.get(),
            memory: kibibytes / f64::from(1 << 20),
            kernel: version(&fs::read_to_string("/proc/sys/kernel/osrelease")?),
            file_system: file_system(&mounts, &folder.canonicalize()?).unwrap_or_else(|| "?".to_owned()),
            postfix: output_of(Command::new("postconf").args(["-dh", "mail_version"]))?.trim().to_owned(),
            dovecot: first_word(&output_of(Command::new("dovecot").arg("--version"))?),
        })
    }

    /// In a sentence.
    pub(crate) fn describe(&self) -> String {
        let Self { processor, cores, memory, kernel, file_system, postfix, dovecot } = self;
        format!(
            "{cores} cores of {processor}, {memory:.0} GiB of memory, Linux {kernel}, {file_system}; \
             Postfix {postfix}, Dovecot {dovecot}."
        )
    }
}

/// The number alone: what follows names who built it.
fn version(release: &str) -> String {
    release.trim().split('-').next().unwrap_or("?").to_owned()
}

fn first_word(text: &str) -> String {
    text.split_whitespace().next().unwrap_or("?").to_owned()
}

/// What stands behind a name and a colon.
fn value_of(text: &str, name: &str) -> Option<String> {
    let is_named = |line: &&str| line.split(':').next().is_some_and(|before| before.trim() == name);
    Some(text.lines().find(is_named)?.split_once(':')?.1.trim().to_owned())
}

/// The type of the file system that a folder is on: that of the longest mount point above it (proc_pid_mountinfo(5)).
fn file_system(mounts: &str, folder: &Path) -> Option<String> {
    let mount = |line: &str| {
        let (place, source) = line.split_once(" - ")?;
        Some((place.split(' ').nth(4)?.to_owned(), first_word(source)))
    };
    let above = mounts.lines().filter_map(mount).filter(|(place, _)| folder.starts_with(place));
    above.max_by_key(|(place, _)| place.len()).map(|(_, kind)| kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_on_the_file_system_mounted_closest_above() {
        let mounts = "22 1 8:1 / / rw,relatime - ext4 /dev/a rw\n\
                      23 22 0:5 / /tmp rw shared:3 - tmpfs tmpfs rw\n\
                      24 22 0:6 / /tm rw - xfs /dev/b rw\n";
        assert_eq!(file_system(mounts, Path::new("/tmp/x")).as_deref(), Some("tmpfs"));
        assert_eq!(file_system(mounts, Path::new("/home")).as_deref(), Some("ext4"));
    }

    #[test]
    fn a_value_stands_behind_its_name() {
        let text = "model\t: 7\nmodel name\t: A Processor: fast\n";
        assert_eq!(value_of(text, "model name").as_deref(), Some("A Processor: fast"));
    }
}
