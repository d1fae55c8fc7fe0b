//! Clients from everywhere: the server takes the word of a proxy on this machine for their addresses.

use std::fmt;
use std::io;
use std::net::Ipv4Addr;

use testkit::client::Client;

/// Where a client says that it comes from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(Ipv4Addr);

impl Peer {
    /// One of so many attackers.
    pub(crate) fn hostile(number: u64, of: u64) -> Self {
        Self(Ipv4Addr::from_bits(0x0a00_0001 + u32::try_from(number % of).unwrap()))
    }

    /// An honest one.
    pub(crate) fn honest(number: u64) -> Self {
        Self(Ipv4Addr::from_bits(0xc612_0001 + u32::try_from(number % 1000).unwrap()))
    }

    /// Connects, without having heard anything.
    pub(crate) async fn connect(self, server: &str) -> io::Result<Client> {
        let mut client = Client::connect(server).await?;
        client.write(&format!("PROXY TCP4 {self} 127.0.0.1 1000 25")).await?;
        Ok(client)
    }

    /// Connects and is greeted.
    pub(crate) async fn greeted(self, server: &str) -> io::Result<Client> {
        let mut client = self.connect(server).await?;
        client.expect_reply("the connection", "220 ").await?;
        client.expect("EHLO client.example", "250").await?;
        Ok(client)
    }

    /// Has an address as well, a number unless there is a name, and hears replies without enhanced codes.
    pub(crate) async fn registered(self, server: &str, name: &str) -> io::Result<Client> {
        let mut client = self.greeted(server).await?;
        client.expect("HELO", "250 ").await?;
        client.register(name).await?;
        Ok(client)
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
