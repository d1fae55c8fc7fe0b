//! A session that sends, as a mail program does: what is refused for now is tried again.

use std::io;

use testkit::client::{Client, is_wrong_reply, stuffed};

use crate::ledger::Ledger;
use crate::load::Reader;
use crate::owners::{Claim, Owners};

/// A session with an account that ends with it.
pub(crate) struct Writer {
    client: Client,
    claim: Claim,
}

/// Why something was not done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The server says that it may be done later. The session goes on.
    Later,
    /// The account is no more. The session goes on.
    NoAccount,
    /// The session is no more.
    Lost,
}

impl From<io::Error> for Failure {
    /// Any other answer is a wrong one.
    fn from(error: io::Error) -> Self {
        let said = error.to_string();
        let code = said.split_once("gets \"").map_or("", |(_, reply)| &reply[..3]);
        match code {
            _ if !is_wrong_reply(&error) => Self::Lost,
            "421" => Self::Lost,
            "451" => Self::Later,
            "530" => Self::NoAccount,
            _ => panic!("{error}"),
        }
    }
}

impl Writer {
    pub(crate) async fn register(server: &str, owners: &Owners) -> io::Result<Self> {
        let client = Client::registered(server, "").await?;
        let claim = owners.claim(&client.address);
        Ok(Self { client, claim })
    }

    /// Sends a message to these readers, once.
    pub(crate) async fn send(
        &mut self,
        to: &[(usize, &Reader)],
        owners: &Owners,
        ledger: &Ledger,
    ) -> Result<(), Failure> {
        let sent = self.try_to_send(to, owners, ledger).await.map_err(Failure::from);
        if sent == Err(Failure::Later) {
            self.client.expect("RSET", "250 ").await?;
        }
        sent
    }

    async fn try_to_send(&mut self, to: &[(usize, &Reader)], owners: &Owners, ledger: &Ledger) -> io::Result<()> {
        let Self { client, claim } = self;
        let is_its_own = owners.stands(claim);
        client.expect(&format!("MAIL FROM:<{}>", client.address), "250 ").await?;
        assert!(is_its_own, "{} is the address of two", client.address);
        for (_, reader) in to {
            client.expect(&format!("RCPT TO:<{}>", reader.address), "250 ").await?;
        }
        client.expect("DATA", "354 ").await?;
        let numbers: Vec<_> = to.iter().map(|(number, _)| *number).collect();
        let (seed, text) = ledger.send(&client.address, &numbers);
        client.write_octets(&[&stuffed(&text), &b".\r\n"[..]].concat()).await?;
        client.expect_reply("the end of data", "250 ").await?;
        ledger.accepted(seed);
        Ok(())
    }

    pub(crate) async fn quit(self) -> io::Result<()> {
        self.client.quit().await
    }
}
