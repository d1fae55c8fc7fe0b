//! The primary is killed, or stands still, while a quorum of standbys has all that was acknowledged.

use std::io;

use testkit::postgres::Cluster;

use crate::load::Load;
use crate::node::{LONG, Node};

const NODES: usize = 2;
const STANDBYS: usize = 2;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "it needs PostgreSQL; CI runs it"]
async fn nothing_is_lost_with_a_killed_primary() -> io::Result<()> {
    let mut cluster = Cluster::with_standbys(STANDBYS);
    let mut nodes = Node::start_all(NODES, &cluster.fresh_database(), LONG);
    let load = Load::start(&nodes).await?;
    load.flows().await?;

    cluster.primary().kill();
    load.is_postponed().await?;
    cluster.promote();
    load.flows().await?;

    expect_nobody_lost(&load, &mut nodes);
    load.end().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "it needs PostgreSQL; CI runs it"]
async fn nothing_is_lost_with_a_primary_that_comes_back_when_there_is_another() -> io::Result<()> {
    let mut cluster = Cluster::with_standbys(STANDBYS);
    let mut nodes = Node::start_all(NODES, &cluster.fresh_database(), LONG);
    let load = Load::start(&nodes).await?;
    load.flows().await?;

    cluster.primary().freeze();
    cluster.promote();
    load.flows().await?;
    // It says that it takes writes, but can't keep any: nobody follows it. Then it learns that it is not the primary.
    cluster.server(0).thaw();
    load.flows().await?;
    cluster.server(0).kill();
    load.flows().await?;

    expect_nobody_lost(&load, &mut nodes);
    load.end().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "it needs PostgreSQL; CI runs it"]
async fn nothing_is_lost_with_a_primary_that_stands_still_for_a_while() -> io::Result<()> {
    let cluster = Cluster::with_standbys(STANDBYS);
    let mut nodes = Node::start_all(NODES, &cluster.fresh_database(), LONG);
    let load = Load::start(&nodes).await?;
    load.flows().await?;

    cluster.primary().freeze();
    load.is_postponed().await?;
    cluster.primary().thaw();
    load.flows().await?;

    expect_nobody_lost(&load, &mut nodes);
    load.end().await
}

/// Nodes and sessions are the same as before.
fn expect_nobody_lost(load: &Load, nodes: &mut [Node]) {
    assert_eq!(load.sessions_lost(), 0);
    assert!(nodes.iter_mut().all(Node::is_running));
}
