//! Retrieval: how many messages a second a reader gets, who has the server delete them.

use std::time::{Duration, Instant};

use super::{LOAD_TO_FILL, Setting, count};
use crate::figures::{Group, Wanted};
use crate::interrupt;
use crate::load::{by_pop3, by_xretrieve};
use crate::peers::{Dovecot, MailServer, Ours, PASSWORD};
use crate::processes::Processes;

const MESSAGES: u32 = 10_000;
const DOVECOT: &str = "Dovecot, POP3";
const OURS_POP3: &str = "mymail, POP3";
const OURS_XRETRIEVE: &str = "mymail, XRETRIEVE";
const RATE: &str = "messages/s";
const CPU: &str = "CPU µs/message";

pub(super) fn run(setting: &Setting) -> anyhow::Result<Vec<Group>> {
    let mut group = Group::new(
        "retrieval",
        "Retrieval",
        "One client empties a mailbox of 10,000 messages of 1 KiB, from its connection to the answer to QUIT, which tells that \
         they are deleted: by POP3 with RETR and DELE for each, pipelined, and by XRETRIEVE. Dovecot has them in a Maildir. \
         All have been written to the disk before, and are in the system's memory too.",
        &["messages", "size"],
    );
    let workshop = &setting.workshop;
    let dovecot = Dovecot::start(workshop)?;
    let mut ours = Ours::start(&setting.program, workshop)?;
    let case = [count(MESSAGES), "1 KiB".to_owned()];
    for round in 1..=setting.rounds() {
        setting.progress(&format!("retrieval: round {round}"))?;
        let mut measure = |name: &str, processes: &Processes, retrieve: &dyn Fn() -> anyhow::Result<()>| {
            interrupt::check()?;
            // What is still to be written would be written meanwhile.
            rustix::fs::sync();
            let (time, cpu) = timed(processes, retrieve)?;
            group.add(&case, name, RATE, f64::from(MESSAGES) / time.as_secs_f64());
            group.add(&case, name, CPU, cpu.as_secs_f64() * 1e6 / f64::from(MESSAGES));
            anyhow::Ok(())
        };
        dovecot.fill(workshop, MESSAGES)?;
        measure(DOVECOT, dovecot.processes(), &|| by_pop3(dovecot.pop3, PASSWORD, MESSAGES))?;
        ours.empty(workshop)?;
        LOAD_TO_FILL.send(MESSAGES, ours.smtp())?;
        measure(OURS_POP3, ours.processes(), &|| by_pop3(ours.pop3(), ours.password(), MESSAGES))?;
        ours.empty(workshop)?;
        LOAD_TO_FILL.send(MESSAGES, ours.smtp())?;
        measure(OURS_XRETRIEVE, ours.processes(), &|| by_xretrieve(ours.smtp(), ours.password(), MESSAGES))?;
    }
    let rate = |name: &str| group.median(&case, name, RATE);
    let ratio = rate(OURS_XRETRIEVE).zip(rate(DOVECOT)).map(|(ours, dovecot)| ours / dovecot);
    group.set_goal("messages/s, XRETRIEVE / Dovecot", ratio, Wanted::AtLeast(10.0));
    Ok(vec![group])
}

/// How long something takes, and how long the server works for it.
fn timed(processes: &Processes, work: impl Fn() -> anyhow::Result<()>) -> anyhow::Result<(Duration, Duration)> {
    let cpu_before = processes.settled_cpu()?;
    let since = Instant::now();
    work()?;
    let time = since.elapsed();
    Ok((time, processes.settled_cpu()? - cpu_before))
}
