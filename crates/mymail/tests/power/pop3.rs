//! A client that knows POP3 as docs/wire.md has it and nothing of our own client.

use std::io;

use testkit::client::{Client, wrong_reply};

/// A session behind its login.
pub(crate) struct Pop3 {
    wire: Client,
}

impl Pop3 {
    /// Connects and logs in; `None` if there is no such account with such a password.
    pub(crate) async fn logged_in(server: &str, user: &str, password: &str) -> io::Result<Option<Self>> {
        let mut session = Self { wire: Client::connect(server).await? };
        session.ok("the connection").await?;
        session.say(&format!("USER {user}")).await?;
        session.wire.write(&format!("PASS {password}")).await?;
        let response = session.line().await?;
        match response.as_str() {
            "-ERR [AUTH] authentication credentials invalid" => Ok(None),
            response if response.starts_with("+OK") => Ok(Some(session)),
            response => Err(wrong_reply("PASS", response, "+OK")),
        }
    }

    /// The octets of each message.
    pub(crate) async fn sizes(&mut self) -> io::Result<Vec<usize>> {
        self.say("LIST").await?;
        let listing = String::from_utf8(self.wire.text().await?).unwrap();
        Ok(listing.lines().map(|line| line.split_once(' ').unwrap().1.parse().unwrap()).collect())
    }

    /// The messages with their trace lines; of each one the octets that the listing has.
    pub(crate) async fn retrieve(&mut self) -> io::Result<Vec<Vec<u8>>> {
        let sizes = self.sizes().await?;
        let mut messages = Vec::new();
        for (number, octets) in (1..).zip(sizes) {
            self.say(&format!("RETR {number}")).await?;
            let text = self.wire.text().await?;
            if text.len() != octets {
                let wanted = format!("{octets} octets, as it is listed");
                return Err(wrong_reply(&format!("RETR {number}"), &format!("{} octets", text.len()), &wanted));
            }
            messages.push(text);
        }
        Ok(messages)
    }

    /// Marks these for deletion, the first of which is 1.
    pub(crate) async fn delete(&mut self, numbers: impl IntoIterator<Item = usize>) -> io::Result<()> {
        for number in numbers {
            self.say(&format!("DELE {number}")).await?;
        }
        Ok(())
    }

    /// Deletes what is marked.
    pub(crate) async fn quit(mut self) -> io::Result<()> {
        self.say("QUIT").await
    }

    async fn say(&mut self, command: &str) -> io::Result<()> {
        self.wire.write(command).await?;
        self.ok(command).await
    }

    async fn ok(&mut self, command: &str) -> io::Result<()> {
        let response = self.line().await?;
        if response.starts_with("+OK") { Ok(()) } else { Err(wrong_reply(command, &response, "+OK")) }
    }

    async fn line(&mut self) -> io::Result<String> {
        Ok(String::from_utf8(self.wire.line().await?).unwrap())
    }
}
