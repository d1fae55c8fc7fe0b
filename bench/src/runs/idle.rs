//! Idle connections: how much memory each of them costs the server.

use std::net::SocketAddr;

use super::{Setting, count};
use crate::figures::{Group, Wanted};
use crate::load::Dialogue;
use crate::peers::{Dovecot, MailServer, Ours, Postfix};
use crate::processes::Processes;

const CONNECTIONS: u32 = 10_000;
const CONNECTIONS_QUICK: u32 = 1_000;
/// Postfix has a process for each.
const CONNECTIONS_POSTFIX: u32 = 100;

const RSS: &str = "RSS, KiB/connection";
const PSS: &str = "PSS, KiB/connection";
/// What has been said on each connection.
const SMTP: &str = "SMTP, after EHLO";
const POP3: &str = "POP3, after the greeting";

pub(super) fn run(setting: &Setting) -> anyhow::Result<Vec<Group>> {
    let mut group = Group::new(
        "idle",
        "Idle connections",
        "By how much the memory of all of a server's processes grows with each connection that is open and says nothing: \
         resident (RSS, where memory that processes share counts for each) and proportional (PSS, where it counts once). \
         Every figure is that of a server just started. What the kernel holds for a connection is not in it. Postfix \
         has a process for each connection, and gets fewer.",
        &["connections", "protocol"],
    );
    let many = if setting.quick { CONNECTIONS_QUICK } else { CONNECTIONS };
    let workshop = &setting.workshop;
    for round in 1..=setting.rounds() {
        setting.progress(&format!("idle: round {round}"))?;
        let ours = Ours::start(&setting.program, workshop)?;
        measure(&mut group, "mymail", ours.processes(), ours.smtp(), SMTP, many)?;
        drop(ours);
        let ours = Ours::start(&setting.program, workshop)?;
        measure(&mut group, "mymail", ours.processes(), ours.pop3(), POP3, many)?;
        drop(ours);
        let dovecot = Dovecot::start(workshop)?;
        measure(&mut group, "Dovecot", dovecot.processes(), dovecot.pop3, POP3, many)?;
        drop(dovecot);
        let postfix = Postfix::start(workshop)?;
        measure(&mut group, "Postfix", postfix.processes(), postfix.smtp(), SMTP, CONNECTIONS_POSTFIX)?;
    }
    for protocol in [SMTP, POP3] {
        let is = group.median(&case(many, protocol), "mymail", RSS);
        group.set_goal(&format!("RSS, KiB/connection, mymail, {protocol}"), is, Wanted::AtMost(4.0));
    }
    Ok(vec![group])
}

fn case(connections: u32, protocol: &str) -> [String; 2] {
    [count(connections), protocol.to_owned()]
}

fn measure(
    group: &mut Group,
    name: &str,
    processes: &Processes,
    address: SocketAddr,
    protocol: &str,
    connections: u32,
) -> anyhow::Result<()> {
    let connect = || {
        let mut dialogue = Dialogue::new(address)?;
        if protocol == SMTP {
            dialogue.say("EHLO client.example", "250")?;
        }
        anyhow::Ok(dialogue)
    };
    // What the first connection brings is none of the others'.
    let _first = connect()?;
    processes.settled_cpu()?;
    let before = processes.memory()?;
    let idle = (0..connections).map(|_| connect()).collect::<anyhow::Result<Vec<_>>>()?;
    processes.settled_cpu()?;
    let after = processes.memory()?;
    drop(idle);
    for (quantity, before, after) in [(RSS, before.rss, after.rss), (PSS, before.pss, after.pss)] {
        let octets = after.saturating_sub(before) as f64 / f64::from(connections);
        group.add(&case(connections, protocol), name, quantity, octets / 1024.0);
    }
    Ok(())
}
