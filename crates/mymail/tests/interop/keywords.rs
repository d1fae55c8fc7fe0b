//! What our server's EHLO lists, and who of those that ran makes use of it.

use anyhow::{Context, ensure};

use crate::account::keywords;
use crate::server::MailServer;
use crate::table::Table;

/// What our server offers, and words of rows in which it is used: of the program, and of what it did.
const USED: &[(&str, &[(&str, &str)])] = &[
    (
        "PIPELINING",
        &[("Postfix, a mail server", "SMTP in clear"), ("Exim", "LMTP in clear"), ("Python", "8BITMIME in chunks")],
    ),
    ("SIZE", &[("Postfix, a mail server", "SMTP in clear"), ("Python", "verbs")]),
    ("8BITMIME", &[("Postfix, a mail server", "SMTP in clear"), ("Python", "8BITMIME in chunks")]),
    (
        "SMTPUTF8",
        &[
            ("Postfix, a mail server", "SMTPUTF8"),
            ("Exim", "SMTPUTF8"),
            ("nodemailer", "SMTPUTF8"),
            ("Python", "SMTPUTF8"),
        ],
    ),
    ("CHUNKING", &[("Exim", "SMTP in clear"), ("Exim", "LMTP in clear"), ("Python", "8BITMIME in chunks")]),
    ("BINARYMIME", &[("Python", "BINARYMIME")]),
    ("DSN", &[("msmtp", "report"), ("nodemailer", "report"), ("Python", "report")]),
    ("ENHANCEDSTATUSCODES", &[("Postfix, a mail server", "SMTP in clear"), ("Python", "verbs")]),
    (
        "STARTTLS",
        &[("Postfix, a mail server", "SMTP with STARTTLS"), ("Exim", "SMTP with STARTTLS"), ("curl", "STARTTLS")],
    ),
    ("AUTH", &[("curl", "AUTH PLAIN"), ("swaks", "AUTH LOGIN"), ("msmtp", "AUTH SCRAM-SHA-256")]),
    ("LIMITS", &[("mymail send", "LIMITS")]),
    ("HELP", &[("Python", "verbs")]),
    ("XREGISTER", &[("Python", "verbs")]),
    ("XPASSWD", &[("Python", "verbs")]),
    ("XRETRIEVE", &[("Python", "verbs")]),
    ("XUNREGISTER", &[("Python", "verbs")]),
];

/// Lists who uses what is offered; there is a row that fails if nobody does.
pub(crate) fn run(server: &MailServer, table: &mut Table) {
    let result = keywords(server.ports.smtp).and_then(|offered| list(&offered, table));
    match result {
        Ok(list) => table.keywords = list,
        Err(error) => table.row("EHLO", "", "every keyword is used by a program", Err(error)),
    }
}

fn list(offered: &[String], table: &Table) -> anyhow::Result<Vec<(String, String)>> {
    offered.iter().map(|keyword| Ok((keyword.clone(), users(keyword, table)?))).collect()
}

/// The rows in which a keyword is used; there must be one for all the words.
fn users(keyword: &str, table: &Table) -> anyhow::Result<String> {
    let (_, words) =
        USED.iter().find(|(name, _)| *name == keyword).with_context(|| format!("nobody uses {keyword}"))?;
    let mut users = Vec::new();
    for (program, did) in *words {
        let row = table.find(program, did).with_context(|| format!("{keyword}: no {program} with {did}"))?;
        users.push(row);
    }
    ensure!(!users.is_empty(), "nobody uses {keyword}");
    Ok(users.join("; "))
}
