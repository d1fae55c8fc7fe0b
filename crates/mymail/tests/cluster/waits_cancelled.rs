//! Waits for the standbys that are cancelled: PostgreSQL commits then, and says with no more than a warning that nobody but itself
//! has it.

use std::io;

use testkit::postgres::Cluster;
use testkit::until::until;

use crate::load::Load;
use crate::node::{LONG, Node};

const STANDBYS: usize = 2;
/// Cancels all waits that there are. How many.
const CANCEL: &str = "SELECT count(pg_cancel_backend(pid)) FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
/// So many are cancelled: more than all writers have at once, so that some are what follows of the first.
const CANCELLED: u64 = 30;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "it needs PostgreSQL; CI runs it"]
async fn what_no_standby_has_is_not_acknowledged() -> io::Result<()> {
    let mut cluster = Cluster::with_standbys(STANDBYS);
    let nodes = Node::start_all(2, &cluster.fresh_database(), LONG);
    // That mail was handed over would be forgotten with the primary, too.
    let load = Load::start_unread(&nodes).await?;
    load.flows().await?;

    // The standbys come back, and have it all.
    freeze_standbys(&cluster);
    cancel_waits(&cluster).await?;
    thaw_standbys(&cluster);
    load.flows().await?;

    // They end as the primary does, and never hear of it.
    freeze_standbys(&cluster);
    cancel_waits(&cluster).await?;
    cluster.primary().kill();
    restart_standbys(&cluster);
    cluster.promote();
    load.flows().await?;
    load.end().await
}

async fn cancel_waits(cluster: &Cluster) -> io::Result<()> {
    let mut cancelled = 0;
    until("waits are cancelled", async || {
        cancelled += cluster.psql("postgres", CANCEL).parse::<u64>().unwrap();
        Ok(cancelled >= CANCELLED)
    })
    .await
}

fn freeze_standbys(cluster: &Cluster) {
    (1..=STANDBYS).for_each(|number| cluster.server(number).freeze());
}

fn thaw_standbys(cluster: &Cluster) {
    (1..=STANDBYS).for_each(|number| cluster.server(number).thaw());
}

/// What had come to them, and was not read, is lost.
fn restart_standbys(cluster: &Cluster) {
    (1..=STANDBYS).for_each(|number| cluster.server(number).kill());
    (1..=STANDBYS).for_each(|number| cluster.server(number).start());
}
