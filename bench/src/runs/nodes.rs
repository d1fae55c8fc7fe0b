//! Nodes: how many messages a second several servers take that are on one database, and one that has a store of its own.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::anyhow;
use testkit::postgres::Cluster;

use super::Setting;
use crate::figures::Group;
use crate::interrupt;
use crate::load::{register, send};
use crate::peers::{DOMAIN, MailServer, Ours};
use crate::processes::cpu_of;

const NODES_MAX: u32 = 3;
/// Of all nodes together.
const SESSIONS: [u32; 2] = [24, 96];
const MESSAGES: u32 = 6_000;
/// Each gets mail in its turn.
const ACCOUNTS: u32 = 1_000;
const REGISTRARS: u32 = 20;

const OURS: &str = "mymail";
const POSTGRESQL: &str = "PostgreSQL";
const RATE: &str = "messages/s";
const CPU: &str = "CPU µs/message";
const GROUP: &str = "messages/commit";

pub(super) fn run(setting: &Setting) -> anyhow::Result<Vec<Group>> {
    let workshop = &setting.workshop;
    let parent = workshop.make("postgresql")?;
    fs::set_permissions(&parent, Permissions::from_mode(0o777))?;
    let cluster = Cluster::as_installed(&parent);
    let version = cluster.psql("postgres", "SHOW server_version");
    let version = version.split(' ').next().unwrap_or_default();
    let mut group = Group::new(
        "nodes",
        "Several nodes",
        &format!(
            "A client that pipelines sends messages of 1 KiB to 1,000 accounts in turn: to one server with the embedded store, \
             and to one or several nodes on one PostgreSQL {version} as Debian has it, over so many sessions in all. A message \
             counts when it is accepted, which is when it is on the disk. The client, the nodes and the database share this \
             machine's processors and its disk: a node more takes from the others what a machine more would bring."
        ),
        &["store", "sessions"],
    );
    for round in 1..=setting.rounds() {
        for sessions in SESSIONS {
            setting.progress(&format!("nodes: {sessions} sessions, round {round}"))?;
            let embedded = [Ours::start(&setting.program, workshop)?];
            measure(&mut group, "embedded", sessions, &embedded, None)?;
            drop(embedded);
            for count in 1..=NODES_MAX {
                let url = cluster.fresh_database();
                let start = |_| Ours::on_postgresql(&setting.program, workshop, &url);
                let nodes = (0..count).map(start).collect::<anyhow::Result<Vec<_>>>()?;
                let name = if count == 1 { "1 node".to_owned() } else { format!("{count} nodes") };
                let database = Database { cluster: &cluster, url: &url };
                measure(&mut group, &format!("PostgreSQL, {name}"), sessions, &nodes, Some(database))?;
            }
        }
    }
    Ok(vec![group])
}

fn measure(
    group: &mut Group,
    store: &str,
    sessions: u32,
    nodes: &[Ours],
    database: Option<Database<'_>>,
) -> anyhow::Result<()> {
    interrupt::check()?;
    register(nodes[0].smtp(), REGISTRARS, ACCOUNTS, |number| format!("g{number}"))?;
    rustix::fs::sync();
    let cpu_of_nodes = || nodes.iter().map(|node| node.processes().settled_cpu()).sum::<anyhow::Result<Duration>>();
    let use_of_database = || database.map(Database::usage).transpose();
    let (nodes_before, database_before) = (cpu_of_nodes()?, use_of_database()?);
    let since = Instant::now();
    send_to_all(nodes, sessions)?;
    let time = since.elapsed();
    let (nodes_after, database_after) = (cpu_of_nodes()?, use_of_database()?);

    let case = [store.to_owned(), sessions.to_string()];
    let per_message = |time: Duration| time.as_secs_f64() * 1e6 / f64::from(MESSAGES);
    group.add(&case, OURS, RATE, f64::from(MESSAGES) / time.as_secs_f64());
    group.add(&case, OURS, CPU, per_message(nodes_after - nodes_before));
    if let Some((before, after)) = database_before.zip(database_after) {
        group.add(&case, POSTGRESQL, CPU, per_message(after.cpu - before.cpu));
        group.add(&case, OURS, GROUP, f64::from(MESSAGES) / (after.commits - before.commits));
    }
    Ok(())
}

/// One that nodes are on.
#[derive(Clone, Copy)]
struct Database<'c> {
    cluster: &'c Cluster,
    url: &'c str,
}

/// What it has done so far.
struct Usage {
    cpu: Duration,
    /// Those that wrote what has to last.
    commits: f64,
}

impl Database<'_> {
    fn usage(self) -> anyhow::Result<Usage> {
        let cpu = cpu_of(self.cluster.primary().process())?;
        let path = self.url.rsplit('/').next().unwrap_or_default();
        let name = path.split('?').next().unwrap_or_default();
        // Each leaves a row there.
        let commits = self.cluster.psql(name, "SELECT count(*) FROM outcome").parse()?;
        Ok(Usage { cpu, commits })
    }
}

/// Each node gets its share of messages and sessions, and other accounts at any time than its neighbours.
fn send_to_all(nodes: &[Ours], sessions: u32) -> anyhow::Result<()> {
    let count = nodes.len() as u32;
    let to_one = |(place, node): (u32, &Ours)| {
        let first = place * ACCOUNTS / count;
        let recipient = |number: u32| format!("g{}@{DOMAIN}", (first + number) % ACCOUNTS);
        send(node.smtp(), sessions / count, MESSAGES / count, recipient)
    };
    thread::scope(|scope| {
        let senders: Vec<_> = (0..count).zip(nodes).map(|node| scope.spawn(move || to_one(node))).collect();
        senders.into_iter().try_for_each(|sender| sender.join().map_err(|_| anyhow!("a client has died"))?)
    })
}
