//! What clients do, and how they write down what they are told.

use std::io;

use testkit::client::{Client, Mail, stuffed, wrong_reply};

use crate::ledger::Notes;
use crate::letter::{Item, content, read, read_mail, read_report};
use crate::pop3::Pop3;

/// How a message is sent.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Manner {
    /// All commands up to DATA at once.
    pub(crate) pipelined: bool,
    /// With a report of success to its sender.
    pub(crate) report: bool,
}

/// Gets an account with a password.
pub(crate) async fn register(server: &str, name: &str, notes: &Notes) -> io::Result<Client> {
    let mut client = Client::registered(server, name).await?;
    let address = client.address.clone();
    notes.told().asking(&address);
    let password = client.password().await?;
    notes.told().registered(&address, &password);
    Ok(client)
}

/// Gives an account with a password up.
pub(crate) async fn unregister(mut client: Client, notes: &Notes) -> io::Result<()> {
    notes.told().ending(&client.address);
    client.expect("XUNREGISTER", "250 ").await?;
    notes.told().ended(&client.address);
    Ok(())
}

/// Sends the message of this seed.
pub(crate) async fn send(client: &mut Client, to: &[&str], seed: u64, manner: Manner, notes: &Notes) -> io::Result<()> {
    let from = client.address.clone();
    notes.told().sending(seed, &from, to, manner.report);
    let (envelope_id, notify) = match manner.report {
        true => (format!(" RET=HDRS ENVID={seed}"), " NOTIFY=SUCCESS"),
        false => (String::new(), ""),
    };
    let mut commands = vec![(format!("MAIL FROM:<{from}>{envelope_id}"), "250 ")];
    commands.extend(to.iter().map(|address| (format!("RCPT TO:<{address}>{notify}"), "250 ")));
    commands.push(("DATA".to_owned(), "354 "));
    if manner.pipelined {
        let lines: Vec<_> = commands.iter().map(|(command, _)| command.as_str()).collect();
        client.write(&lines.join("\r\n")).await?;
        for (command, reply) in &commands {
            client.expect_reply(command, reply).await?;
        }
    } else {
        for (command, reply) in &commands {
            client.expect(command, reply).await?;
        }
    }
    let mut data = stuffed(&content(seed));
    data.extend(b".\r\n");
    client.write_octets(&data).await?;
    client.expect_reply("the end of data", "250 ").await?;
    notes.told().accepted(seed);
    Ok(())
}

/// Reads all mail by XRETRIEVE, waiting so many seconds for some, and confirms that it has it.
pub(crate) async fn retrieve(client: &mut Client, seconds: u32, notes: &Notes) -> io::Result<()> {
    client.write(&format!("XRETRIEVE WAIT={seconds}")).await?;
    let mail = client.maildrop().await?;
    let items = mail.iter().map(item).collect::<Result<Vec<_>, _>>();
    let items = items.map_err(|wrong| wrong_reply("XRETRIEVE", &wrong, "whole messages"))?;
    notes.told().flushing(&client.address, &items);
    client.expect("NOOP", "250 ").await?;
    notes.told().flushed(&client.address, &items);
    Ok(())
}

fn item(mail: &Mail) -> Result<Item, String> {
    if mail.from == "<>" { read_report(&mail.text).map(Item::Report) } else { read_mail(&mail.text).map(Item::Mail) }
}

/// Reads all mail by POP3, and deletes it; if there is a number, all but each message of so many.
pub(crate) async fn pop(
    server: &str,
    login: &(String, String),
    spared: Option<usize>,
    notes: &Notes,
) -> io::Result<()> {
    let (address, password) = login;
    let reader = Pop3::logged_in(server, address, password).await?;
    let mut reader = reader.ok_or_else(|| wrong_reply("PASS", "that the password is wrong", "+OK"))?;
    let texts = reader.retrieve().await?;
    let letters = texts.iter().map(|text| read(text)).collect::<Result<Vec<_>, _>>();
    let letters = letters.map_err(|wrong| wrong_reply("RETR", &wrong, "whole messages"))?;
    let is_spared = |number: usize| spared.is_some_and(|spared| number.is_multiple_of(spared));
    let deleted: Vec<_> = (1..=letters.len()).filter(|number| !is_spared(*number)).collect();
    reader.delete(deleted.iter().copied()).await?;
    let items: Vec<_> = deleted.iter().map(|number| letters[number - 1].item).collect();
    notes.told().flushing(address, &items);
    reader.quit().await?;
    notes.told().flushed(address, &items);
    Ok(())
}
