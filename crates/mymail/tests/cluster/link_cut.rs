//! The link between one node and the database is cut, and the node's clients are not.

use std::io;

use testkit::client::Client;
use testkit::postgres::Cluster;
use testkit::until::until;

use crate::cable::{Cable, THEIRS};
use crate::link::{DATABASE, Link};
use crate::load::Load;
use crate::node::{LONG, Leases, Node};

/// Short enough to be over while the link is cut.
const SHORT: Leases = Leases { registration: "20s", node: "3s" };

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "it needs PostgreSQL, root and iproute2; CI runs it"]
async fn mail_flows_again_when_the_link_is_mended() -> io::Result<()> {
    let cable = Cable::lay();
    let link = Link::lay(&cable);
    let cluster = Cluster::listening(DATABASE);
    cut_for_a_moment(&cable, &link, &cluster).await?;
    cut_for_longer_than_a_lease(&cable, &link, &cluster).await
}

/// A node here, and one at the other end of the link.
fn nodes(cable: &Cable, cluster: &Cluster, leases: Leases) -> Vec<Node> {
    let url = cluster.fresh_database();
    vec![Node::start(&url, leases), Node::start_at(THEIRS, &url, leases, |command| cable.far(&command))]
}

async fn cut_for_a_moment(cable: &Cable, link: &Link<'_>, cluster: &Cluster) -> io::Result<()> {
    let mut nodes = nodes(cable, cluster, LONG);
    let load = Load::start(&nodes).await?;
    load.flows().await?;

    link.cut();
    load.is_postponed().await?;
    link.mend();
    load.flows().await?;

    assert_eq!(load.sessions_lost(), 0);
    assert!(nodes.iter_mut().all(Node::is_running));
    load.end().await
}

async fn cut_for_longer_than_a_lease(cable: &Cable, link: &Link<'_>, cluster: &Cluster) -> io::Result<()> {
    let mut nodes = nodes(cable, cluster, SHORT);
    let load = Load::start(&nodes).await?;
    let distant = Client::registered(&nodes[1].smtp, "").await?;
    let mut asker = Client::registered(&nodes[0].smtp, "").await?;
    load.flows().await?;

    link.cut();
    let has_ended = async || Ok(asker.recipient(&distant.address).await?.starts_with("550 "));
    until("the node is thought dead", has_ended).await?;
    link.mend();
    load.flows().await?;

    assert!(nodes.iter_mut().all(Node::is_running));
    load.end().await
}
