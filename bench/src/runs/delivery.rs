//! Delivery: how many messages a second a server takes, and what they cost it. The disk is measured among them.

use std::time::{Duration, Instant};

use super::{Setting, disk, size};
use crate::figures::{Group, Wanted};
use crate::interrupt;
use crate::load::Load;
use crate::peers::{MailServer, Ours, Postfix, SmtpSink};

/// How long one measurement should take.
const PERIOD: Duration = Duration::from_millis(1300);
/// A trial that takes less does not say how many messages that are.
const TRIAL_MIN: Duration = Duration::from_millis(200);
/// No measurement sends more than this.
const OCTETS_MAX: u64 = 128 << 20;

const RATE: &str = "messages/s";
const DELIVERED: &str = "delivered/s";
const CPU: &str = "CPU µs/message";

/// Where a server can do no better than the disk, and the disk is measured too.
const ONE_BY_ONE: Load = Load { octets: 1 << 10, sessions: 1, keeps_connection: true, recipients: 1 };
const BIG: Load = Load { octets: 100 << 10, sessions: 20, ..ONE_BY_ONE };

/// What one run shows.
struct Outcome {
    /// When the last message was accepted.
    accepted: Duration,
    /// When the last message was in its mailboxes, if that is later.
    delivered: Option<Duration>,
    /// Time on processors of all of the server's processes.
    cpu: Duration,
}

pub(super) fn run(setting: &Setting) -> anyhow::Result<Vec<Group>> {
    let mut delivery = Group::new(
        "delivery",
        "Delivery",
        "`smtp-source` sends to each server in turn: bodies of this size, over so many sessions at a time, each with one \
         connection for all of its messages or a new one for each. `smtp-sink` throws the mail away; Postfix and mymail \
         accept what they have safely on the disk. Messages are counted when they are accepted, and those of Postfix also \
         when they are in the Maildirs. The CPU time is that of all of a server's processes until it has nothing left to do.",
        &["body", "sessions", "connections", "recipients"],
    );
    let mut disk = disk::group();
    let workshop = &setting.workshop;
    let mut servers: [Box<dyn MailServer>; 3] = [
        Box::new(SmtpSink::start()?),
        Box::new(Postfix::start(workshop)?),
        Box::new(Ours::start(&setting.program, workshop)?),
    ];
    for load in loads(setting.quick) {
        let case = case(load);
        setting.progress(&format!("delivery: {}", case.join(", ")))?;
        let counts = servers.iter().map(|server| calibrate(&**server, load)).collect::<anyhow::Result<Vec<_>>>()?;
        for _ in 0..setting.rounds() {
            for (server, &messages) in servers.iter_mut().zip(&counts) {
                interrupt::check()?;
                server.empty(workshop)?;
                deliver(&**server, load, messages)?.add_to(&mut delivery, &case, server.name(), messages);
            }
            match load {
                ONE_BY_ONE => disk::measure_syncs(workshop, &mut disk)?,
                BIG => disk::measure_throughput(workshop, &mut disk)?,
                _ => {}
            }
        }
    }
    set_goals(&mut delivery, &disk);
    Ok(vec![delivery, disk])
}

fn loads(quick: bool) -> Vec<Load> {
    if quick {
        return vec![ONE_BY_ONE, small(20), small(100), BIG];
    }
    let mut loads = Vec::new();
    for octets in [1 << 10, 10 << 10, 100 << 10] {
        for sessions in [1, 20, 100] {
            for keeps_connection in [true, false] {
                for recipients in [1, 10] {
                    loads.push(Load { octets, sessions, keeps_connection, recipients });
                }
            }
        }
    }
    loads
}

fn small(sessions: u32) -> Load {
    Load { sessions, ..ONE_BY_ONE }
}

fn case(load: Load) -> Vec<String> {
    let connections = if load.keeps_connection { "kept" } else { "one each" };
    vec![size(load.octets.into()), load.sessions.to_string(), connections.to_owned(), load.recipients.to_string()]
}

/// How many messages keep a server busy for a period.
fn calibrate(server: &dyn MailServer, load: Load) -> anyhow::Result<u32> {
    let most = u32::try_from(OCTETS_MAX / u64::from(load.octets))?;
    let mut messages = load.sessions * 2;
    loop {
        let outcome = deliver(server, load, messages)?;
        let time = outcome.delivered.unwrap_or(outcome.accepted);
        if time >= TRIAL_MIN || messages == most {
            let fitting = f64::from(messages) * PERIOD.as_secs_f64() / time.as_secs_f64();
            return Ok((fitting as u32).clamp(load.sessions, most));
        }
        messages = messages.saturating_mul(8).min(most);
    }
}

fn deliver(server: &dyn MailServer, load: Load, messages: u32) -> anyhow::Result<Outcome> {
    let cpu_before = server.processes().settled_cpu()?;
    let since = Instant::now();
    load.send(messages, server.smtp())?;
    let accepted = since.elapsed();
    let delivered = server.finish()?.then(|| since.elapsed());
    Ok(Outcome { accepted, delivered, cpu: server.processes().settled_cpu()? - cpu_before })
}

impl Outcome {
    fn add_to(&self, group: &mut Group, case: &[String], name: &str, messages: u32) {
        let messages = f64::from(messages);
        group.add(case, name, RATE, messages / self.accepted.as_secs_f64());
        if let Some(delivered) = self.delivered {
            group.add(case, name, DELIVERED, messages / delivered.as_secs_f64());
        }
        group.add(case, name, CPU, self.cpu.as_secs_f64() * 1e6 / messages);
    }
}

fn set_goals(delivery: &mut Group, disk: &Group) {
    use Wanted::{AtLeast, AtMost};
    let mut goals = Vec::new();
    let median = |load: Load, name: &str, quantity: &str| delivery.median(&case(load), name, quantity);
    let to_peer = |load: Load, peer: &str, quantity: &str| {
        Some(median(load, "mymail", quantity)? / median(load, peer, quantity)?)
    };
    for load in [small(20), small(100)] {
        for (what, peer, quantity, wanted) in [
            ("messages/s, mymail / smtp-sink", "smtp-sink", RATE, AtLeast(0.6)),
            ("messages/s, mymail / Postfix", "Postfix", RATE, AtLeast(15.0)),
            ("CPU, mymail / smtp-sink", "smtp-sink", CPU, AtMost(2.0)),
        ] {
            goals.push((format!("1 KiB, {} sessions: {what}", load.sessions), to_peer(load, peer, quantity), wanted));
        }
        let cpu = to_peer(load, "Postfix", CPU).map(f64::recip);
        goals.push((format!("1 KiB, {} sessions: CPU, Postfix / mymail", load.sessions), cpu, AtLeast(25.0)));
    }
    let to_disk = |ours: Option<f64>, disk: Option<f64>| Some(ours? / disk?);
    let syncs = to_disk(median(ONE_BY_ONE, "mymail", RATE), disk::appends_per_second(disk));
    goals.push(("1 KiB, 1 session: messages/s, mymail / disk, appends".to_owned(), syncs, AtLeast(0.9)));
    let megabytes = median(BIG, "mymail", RATE).map(|rate| rate * f64::from(BIG.octets) / 1e6);
    let throughput = to_disk(megabytes, disk::megabytes_per_second(disk));
    goals.push(("100 KiB, 20 sessions: MB/s, mymail / disk".to_owned(), throughput, AtLeast(0.8)));
    let cpu = to_peer(BIG, "smtp-sink", CPU);
    goals.push(("100 KiB, 20 sessions: CPU, mymail / smtp-sink".to_owned(), cpu, AtMost(0.52)));
    for (what, is, wanted) in goals {
        delivery.set_goal(&what, is, wanted);
    }
}
