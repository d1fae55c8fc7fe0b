//! A program with all its child processes: started, measured by what `/proc` tells of them, and ended.

use std::collections::BTreeMap;
use std::fs;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};

/// How long a program may go on working by itself, and how long it may take to end.
const SETTLING_MAX: Duration = Duration::from_secs(60);
/// A program that uses no processor for so long has nothing left to do.
const QUIET: Duration = Duration::from_millis(100);
const POLL: Duration = Duration::from_millis(2);

/// A running program, ended with its children when dropped.
pub(crate) struct Processes {
    main: Child,
}

/// What its processes hold of the machine's memory, in octets.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Memory {
    /// Resident set sizes; what several processes share counts once for each.
    pub(crate) rss: u64,
    /// Proportional set sizes; what several processes share counts once.
    pub(crate) pss: u64,
}

/// A line of `/proc/PID/stat`, as far as it matters here.
struct Stat {
    parent: u32,
    /// Of the process itself and of its children that have ended, in clock ticks.
    ticks: u64,
}

impl Processes {
    /// Starts it in the foreground; what it says goes where `command` says.
    pub(crate) fn start(command: &mut Command) -> anyhow::Result<Self> {
        let main = command.stdin(Stdio::null()).spawn();
        Ok(Self { main: main.with_context(|| format!("cannot start {}", command.get_program().display()))? })
    }

    pub(crate) fn main(&mut self) -> &mut Child {
        &mut self.main
    }

    /// The time on processors of all of its processes so far, once it has nothing left to do. It is known in clock ticks,
    /// mostly 10 ms.
    pub(crate) fn settled_cpu(&self) -> anyhow::Result<Duration> {
        let since = Instant::now();
        let mut cpu = self.cpu()?;
        while since.elapsed() < SETTLING_MAX {
            sleep(QUIET);
            let before = std::mem::replace(&mut cpu, self.cpu()?);
            if cpu == before {
                return Ok(cpu);
            }
        }
        bail!("a server does not come to rest")
    }

    fn cpu(&self) -> anyhow::Result<Duration> {
        cpu_of(self.main.id())
    }

    pub(crate) fn memory(&self) -> anyhow::Result<Memory> {
        let mut memory = Memory::default();
        for pid in tree(self.main.id())?.keys() {
            // Unless it has ended meanwhile.
            if let Ok(rollup) = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")) {
                memory.rss += octets_of(&rollup, "Rss:");
                memory.pss += octets_of(&rollup, "Pss:");
            }
        }
        ensure!(memory.rss > 0, "nothing tells the memory of a server");
        Ok(memory)
    }

    /// Lets it end in order.
    pub(crate) fn stop(&mut self) -> anyhow::Result<()> {
        if self.main.try_wait()?.is_none() {
            kill_process(Pid::from_child(&self.main), Signal::TERM)?;
        }
        self.wait()
    }

    /// Waits until it has ended.
    pub(crate) fn wait(&mut self) -> anyhow::Result<()> {
        until("a server has ended", || Ok(self.main.try_wait()?.is_some()))
    }
}

impl Drop for Processes {
    fn drop(&mut self) {
        if self.stop().is_err() {
            // Nothing more can be done about it.
            self.main.kill().ok();
            self.main.wait().ok();
        }
    }
}

impl Stat {
    /// The name, in brackets, may hold anything; the numbers are behind it.
    fn parse(line: &str) -> Option<Self> {
        let (_, numbers) = line.rsplit_once(')')?;
        let numbers: Vec<&str> = numbers.split_whitespace().collect();
        // proc_pid_stat(5): the state, the third field, comes first here. utime, stime, cutime and cstime are 14 to 17.
        let ticks = numbers.get(11..15)?.iter().map(|ticks| ticks.parse::<u64>());
        Some(Self { parent: numbers.get(1)?.parse().ok()?, ticks: ticks.sum::<Result<_, _>>().ok()? })
    }
}

/// The time on processors of a process and all that descend from it, so far.
pub(crate) fn cpu_of(root: u32) -> anyhow::Result<Duration> {
    let ticks: u64 = tree(root)?.values().map(|stat| stat.ticks).sum();
    Ok(Duration::from_secs_f64(ticks as f64 / rustix::param::clock_ticks_per_second() as f64))
}

/// A process and what descends from it, by their numbers.
fn tree(root: u32) -> anyhow::Result<BTreeMap<u32, Stat>> {
    let mut others = BTreeMap::new();
    for entry in fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        if let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) {
            others.insert(pid, Stat::parse(&stat).context("cannot read /proc/PID/stat")?);
        }
    }
    let mut tree = BTreeMap::from([(root, others.remove(&root).context("a server has ended by itself")?)]);
    loop {
        let children: Vec<u32> =
            others.iter().filter(|(_, stat)| tree.contains_key(&stat.parent)).map(|(pid, _)| *pid).collect();
        if children.is_empty() {
            return Ok(tree);
        }
        tree.extend(children.into_iter().filter_map(|pid| Some((pid, others.remove(&pid)?))));
    }
}

/// The number of kilobytes behind this name, in octets.
fn octets_of(rollup: &str, name: &str) -> u64 {
    let line = rollup.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok()).unwrap_or(0) * 1024
}

/// Waits until it is so.
pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> anyhow::Result<bool>) -> anyhow::Result<()> {
    let since = Instant::now();
    while !is_so()? {
        ensure!(since.elapsed() < SETTLING_MAX, "waited in vain until {what}");
        sleep(POLL);
    }
    Ok(())
}

/// Runs a command to its end; what it prints.
pub(crate) fn output_of(command: &mut Command) -> anyhow::Result<String> {
    let name = command.get_program().display().to_string();
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("cannot start {name}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{name}: {}: {}", output.status, said.trim());
    Ok(String::from_utf8(output.stdout)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_of_a_process_are_found_behind_any_name() {
        let line = "42 (a) b (c) S 7 42 42 0 -1 4194560 1 2 3 4 100 20 3 4 20 0 1 0 99 1000 10 0";
        let stat = Stat::parse(line).unwrap();
        assert_eq!((stat.parent, stat.ticks), (7, 127));
        assert!(Stat::parse("42 (short) S 7").is_none());
    }

    #[test]
    fn time_and_memory_count_children_that_live_and_that_have_ended() {
        // The first child spins and ends, the second one lives on.
        let script = "sh -c 'i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done'; sleep 60 & wait";
        let mut command = Command::new("sh");
        let mut processes = Processes::start(command.args(["-c", script])).unwrap();
        until("both are there", || Ok(tree(processes.main.id())?.len() == 2 && processes.cpu()? > Duration::ZERO))
            .unwrap();
        let memory = processes.memory().unwrap();
        assert!(memory.pss > 0 && memory.pss <= memory.rss);
        processes.stop().unwrap();
    }
}
