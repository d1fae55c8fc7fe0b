//! What the tables must agree on: how it is found that they do not, and how it is mended.

use std::str::FromStr;

use proto::sasl::scram::Verifier;
use proto::{Address, ReversePath};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row};

use super::look::Losses;
use super::report::{Damage, Problem, Report};
use crate::embedded::writer::TOLD_OCTETS;

struct Rule {
    /// A row for each case. `TOLD` stands for what a message counts in its segment beside its octets.
    wrong: &'static str,
    problem: fn(&Row<'_>) -> rusqlite::Result<Problem>,
    /// Ends all cases, which `WRONG` stands for.
    mend: &'static str,
}

/// In the order of mending: the later ones count what the earlier ones leave.
const RULES: [Rule; 8] = [
    Rule {
        wrong: "SELECT account, message FROM entry WHERE NOT EXISTS (SELECT 1 FROM message WHERE id = entry.message)",
        problem: |row| Ok(Problem::NoMessage { account: row.get("account")?, message: row.get("message")? }),
        mend: "DELETE FROM entry WHERE (account, message) IN (WRONG)",
    },
    Rule {
        wrong: "SELECT account, message FROM entry
                WHERE NOT EXISTS (SELECT 1 FROM account WHERE id = entry.account AND held_until IS NULL)",
        problem: |row| Ok(Problem::NoAccount { account: row.get("account")?, message: row.get("message")? }),
        mend: "DELETE FROM entry WHERE (account, message) IN (WRONG)",
    },
    Rule {
        wrong: "SELECT entry.account, entry.message, message.octets, message.carried_octets,
                    octet_length(message.trace) AS trace_octets, message.received_at
                FROM entry JOIN message ON message.id = entry.message
                WHERE (entry.octets, entry.trace_octets, entry.received_at)
                        <> (message.octets, octet_length(message.trace), message.received_at)
                    OR entry.carried_octets IS NOT message.carried_octets",
        problem: |row| Ok(Problem::WrongEntry { account: row.get("account")?, message: row.get("message")? }),
        mend: "UPDATE entry SET octets = wrong.octets, carried_octets = wrong.carried_octets,
                   trace_octets = wrong.trace_octets, received_at = wrong.received_at
               FROM (WRONG) AS wrong WHERE entry.account = wrong.account AND entry.message = wrong.message",
    },
    Rule {
        wrong: "SELECT id, mailboxes AS counted, found
                FROM message JOIN (SELECT message, count(*) AS found FROM entry GROUP BY message) ON message = id
                WHERE counted <> found",
        problem: |row| {
            let (counted, found) = (row.get("counted")?, row.get("found")?);
            Ok(Problem::WrongMailboxes { message: row.get("id")?, counted, found })
        },
        mend: "UPDATE message SET mailboxes = wrong.found FROM (WRONG) AS wrong WHERE message.id = wrong.id",
    },
    Rule {
        wrong: "SELECT account.id, address, account.octets AS counted_octets, account.messages AS counted_messages,
                    coalesce(found.octets, 0) AS octets, coalesce(found.messages, 0) AS messages
                FROM account LEFT JOIN (SELECT account AS id, sum(octets) AS octets, count(*) AS messages
                                        FROM entry GROUP BY account) AS found USING (id)
                WHERE (counted_octets, counted_messages) <> (coalesce(found.octets, 0), coalesce(found.messages, 0))",
        problem: |row| {
            Ok(Problem::WrongMailbox {
                address: text(row, "address")?,
                counted_octets: row.get("counted_octets")?,
                counted_messages: row.get("counted_messages")?,
                octets: row.get("octets")?,
                messages: row.get("messages")?,
            })
        },
        mend: "UPDATE account SET octets = wrong.octets, messages = wrong.messages
               FROM (WRONG) AS wrong WHERE account.id = wrong.id",
    },
    Rule {
        wrong: "SELECT segment, max(place + octets) AS octets, sum(octets + TOLD) AS live FROM message
                WHERE segment IS NOT NULL AND segment NOT IN (SELECT number FROM segment) GROUP BY segment",
        problem: |row| Ok(Problem::NoSegment { segment: row.get("segment")? }),
        mend: "INSERT INTO segment (number, octets, live) SELECT segment, octets, live FROM (WRONG)",
    },
    Rule {
        wrong: "SELECT segment.number, segment.live AS counted, coalesce(found.live, 0) AS found
                FROM segment LEFT JOIN (SELECT segment AS number, sum(octets + TOLD) AS live FROM message
                                        WHERE segment IS NOT NULL GROUP BY segment) AS found USING (number)
                WHERE counted <> coalesce(found.live, 0)",
        problem: |row| {
            let (counted, found) = (row.get("counted")?, row.get("found")?);
            Ok(Problem::WrongSegment { segment: row.get("number")?, counted, found })
        },
        mend: "UPDATE segment SET live = wrong.found FROM (WRONG) AS wrong WHERE segment.number = wrong.number",
    },
    Rule {
        wrong: "SELECT next_message AS next, last FROM position JOIN (SELECT max(id) AS last FROM message)
                WHERE next <= last",
        problem: |row| Ok(Problem::WrongNext { next: row.get("next")?, last: row.get("last")? }),
        mend: "UPDATE position SET next_message = wrong.last + 1 FROM (WRONG) AS wrong",
    },
];

impl Rule {
    fn wrong(&self) -> String {
        self.wrong.replace("TOLD", &TOLD_OCTETS.to_string())
    }
}

/// Adds what breaks a rule, and accounts and addresses that nobody could make sense of.
pub(super) fn look(connection: &Connection, report: &mut Report) -> rusqlite::Result<()> {
    for rule in &RULES {
        each(connection, &rule.wrong(), |row| (rule.problem)(row).map(|problem| report.add(problem)))?;
    }
    each(connection, "SELECT id, address, verifier FROM account WHERE held_until IS NULL", |row| {
        let has_verifier = row.get_ref("verifier")? != ValueRef::Null;
        let what = match () {
            () if !is::<Address>(row, "address")? => "address",
            () if has_verifier && !is::<Verifier>(row, "verifier")? => "password",
            () => return Ok(()),
        };
        report.add(Problem::UnreadableAccount { account: row.get("id")?, what });
        Ok(())
    })?;
    each(connection, "SELECT account, message, recipient FROM entry", |row| {
        if !is::<Address>(row, "recipient")? {
            report.add(Problem::WrongRecipient { account: row.get("account")?, message: row.get("message")? });
        }
        Ok(())
    })
}

/// Adds the messages that nobody can be given for what the tables say of them.
pub(super) fn look_for_losses(connection: &Connection, losses: &mut Losses) -> rusqlite::Result<()> {
    each(connection, "SELECT id FROM message WHERE id NOT IN (SELECT message FROM entry)", |row| {
        losses.add(row.get(0)?, Damage::NoMailbox);
        Ok(())
    })?;
    each(connection, "SELECT id, reverse_path FROM message", |row| {
        if !is::<ReversePath>(row, "reverse_path")? {
            losses.add(row.get("id")?, Damage::Sender);
        }
        Ok(())
    })
}

/// Makes the tables agree.
pub(super) fn mend(connection: &Connection, report: &Report) -> rusqlite::Result<()> {
    for finding in &report.findings {
        if let Problem::WrongRecipient { account, message } = finding.problem {
            connection
                .prepare_cached(
                    "UPDATE entry SET recipient = (SELECT address FROM account WHERE id = entry.account)
                     WHERE account = ?1 AND message = ?2
                         AND EXISTS (SELECT 1 FROM account WHERE id = entry.account)",
                )?
                .execute([account, message])?;
        }
    }
    for rule in &RULES {
        connection.execute(&rule.mend.replace("WRONG", &rule.wrong()), [])?;
    }
    Ok(())
}

/// Does something with each row.
pub(super) fn each(
    connection: &Connection,
    query: &str,
    mut row_found: impl FnMut(&Row<'_>) -> rusqlite::Result<()>,
) -> rusqlite::Result<()> {
    let mut statement = connection.prepare(query)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        row_found(row)?;
    }
    Ok(())
}

/// A column as text, whatever has become of it.
pub(super) fn text(row: &Row<'_>, column: &str) -> rusqlite::Result<String> {
    match row.get_ref(column)? {
        ValueRef::Text(octets) | ValueRef::Blob(octets) => Ok(String::from_utf8_lossy(octets).into_owned()),
        _ => Ok(String::new()),
    }
}

/// Whether a column's text is one of this type.
fn is<T: FromStr>(row: &Row<'_>, column: &str) -> rusqlite::Result<bool> {
    let column = row.get_ref(column)?;
    Ok(column.as_str().is_ok_and(|text| text.parse::<T>().is_ok()))
}
