//! A peer gets no more of several nodes than of one.

use std::{fs, io};

use testkit::client::Client;
use testkit::postgres::fresh_database;
use testkit::until::until;

use crate::common::{Home, Server};

/// How many unknown recipients a peer may ask for.
const UNKNOWN_MAX: usize = 3;

const TOO_OFTEN: &str = "450 Too many unknown recipients, try again later";

fn node(home: &Home, url: &str) -> Server {
    let text = format!(
        r#"
limits.unknown_recipients_per_peer_per_hour = {UNKNOWN_MAX}
store = {{ engine = "postgres", url = "{url}" }}

[[listen]]
protocol = "smtp"
address = "127.0.0.1:0"
proxied_by = ["127.0.0.1"]
"#
    );
    fs::write(home.path("config.toml"), text).unwrap();
    Server::start(&mut home.command(&["serve", "--config", "config.toml"]))
}

/// A client that a balancer tells of, with an address of its own and a mail begun.
async fn client(node: &Server, peer: &str) -> io::Result<Client> {
    let mut client = Client::connect(&node.address).await?;
    client.write(&format!("PROXY TCP4 {peer} 192.0.2.1 1025 25")).await?;
    client.expect_reply("the connection", "220 ").await?;
    client.expect("HELO client.example", "250 ").await?;
    client.register("").await?;
    let from = format!("MAIL FROM:<{}>", client.address);
    client.expect(&from, "250 OK").await?;
    Ok(client)
}

#[tokio::test]
#[ignore = "needs Debian's package postgresql; CI runs it"]
async fn a_peer_that_asked_too_often_at_one_node_is_known_to_the_others() -> io::Result<()> {
    let (url, homes) = (fresh_database(), [Home::new(), Home::new()]);
    let [one, two] = homes.each_ref().map(|home| node(home, &url));
    let (mut asking, mut moving, mut other) =
        (client(&one, "198.51.100.7").await?, client(&two, "198.51.100.7").await?, client(&two, "198.51.100.8").await?);
    for number in 0..=UNKNOWN_MAX {
        asking.expect(&format!("RCPT TO:<nobody{number}@mymailserver>"), "550 ").await?;
    }
    let postmaster = "RCPT TO:<postmaster@mymailserver>";
    asking.expect(postmaster, TOO_OFTEN).await?;
    until("the other node has heard of it", async || Ok(moving.say(postmaster).await? == TOO_OFTEN)).await?;
    other.expect(postmaster, "250 OK").await.map(drop)
}
