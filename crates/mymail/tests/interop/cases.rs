//! The programs, and what each of them does.

use crate::program::Task::{Checks, Composes, Receives, Sends};
use crate::program::{Case, Program, Task};

pub(crate) const fn case(task: Task, does: &'static str, script: &'static str, arguments: &'static str) -> Case {
    Case { does, task, script, arguments }
}

pub(crate) const PROGRAMS: &[Program] = &[
    Program {
        name: "swaks",
        version: &["swaks", "--version"],
        cases: &[
            case(Sends, "sends, STARTTLS, AUTH PLAIN", "swaks.sh", "starttls PLAIN"),
            case(Sends, "sends, STARTTLS, AUTH LOGIN, pipelining", "swaks.sh", "starttls LOGIN --pipeline"),
            case(Sends, "sends, TLS from the start, AUTH PLAIN, pipelining", "swaks.sh", "implicit PLAIN --pipeline"),
            case(Sends, "sends, TLS from the start, AUTH LOGIN", "swaks.sh", "implicit LOGIN"),
            case(Sends, "submits, STARTTLS, AUTH PLAIN", "swaks.sh", "submission PLAIN"),
        ],
    },
    Program {
        name: "curl",
        version: &["curl", "--version"],
        cases: &[
            case(Sends, "sends, smtp with STARTTLS, AUTH PLAIN", "curl-smtp.sh", "smtp PLAIN"),
            case(Sends, "sends, smtp with STARTTLS, AUTH LOGIN", "curl-smtp.sh", "smtp LOGIN"),
            case(Sends, "sends, smtps, AUTH PLAIN", "curl-smtp.sh", "smtps PLAIN"),
            case(Receives, "receives, pop3 with STLS, USER and PASS", "curl-pop3.sh", "pop3 USER"),
            case(Receives, "receives, pop3 with STLS, AUTH PLAIN", "curl-pop3.sh", "pop3 PLAIN"),
            case(Receives, "receives, pop3s, USER and PASS", "curl-pop3.sh", "pop3s USER"),
            case(Receives, "receives, pop3s, AUTH LOGIN", "curl-pop3.sh", "pop3s LOGIN"),
        ],
    },
    Program {
        name: "msmtp",
        version: &["msmtp", "--version"],
        cases: &[
            case(Sends, "sends, STARTTLS, AUTH PLAIN", "msmtp.sh", "starttls plain"),
            case(Sends, "sends, STARTTLS, AUTH LOGIN", "msmtp.sh", "starttls login"),
            case(Sends, "sends, STARTTLS, AUTH SCRAM-SHA-256", "msmtp.sh", "starttls scram-sha-256"),
            case(Sends, "sends, TLS from the start, AUTH SCRAM-SHA-256", "msmtp.sh", "implicit scram-sha-256"),
            case(
                Checks(Some("report.py")),
                "wants a report and gets it (DSN): NOTIFY, RET",
                "msmtp.sh",
                "starttls plain --dsn-notify=success --dsn-return=headers",
            ),
        ],
    },
    Program {
        name: "mpop",
        version: &["mpop", "--version"],
        cases: &[
            case(Receives, "receives, STLS, USER and PASS, pipelining", "mpop.sh", "starttls user on"),
            case(Receives, "receives, STLS, AUTH PLAIN", "mpop.sh", "starttls plain off"),
            case(Receives, "receives, STLS, AUTH LOGIN, pipelining", "mpop.sh", "starttls login on"),
            case(Receives, "receives, STLS, AUTH SCRAM-SHA-256, pipelining", "mpop.sh", "starttls scram-sha-256 on"),
            case(
                Receives,
                "receives, TLS from the start, AUTH SCRAM-SHA-256",
                "mpop.sh",
                "implicit scram-sha-256 auto",
            ),
        ],
    },
    Program {
        name: "fetchmail",
        version: &["fetchmail", "--version"],
        cases: &[
            case(Receives, "receives, STLS, USER and PASS", "fetchmail.sh", "starttls"),
            case(Receives, "receives, TLS from the start, USER and PASS", "fetchmail.sh", "implicit"),
        ],
    },
    Program {
        name: "getmail6",
        version: &["getmail", "--version"],
        cases: &[
            case(
                Receives,
                "receives in clear on the same computer, USER and PASS (it has no STLS)",
                "getmail.sh",
                "clear",
            ),
            case(Receives, "receives, TLS from the start, USER and PASS", "getmail.sh", "implicit"),
        ],
    },
    Program {
        name: "s-nail",
        version: &["s-nail", "--version"],
        cases: &[
            case(Composes, "composes and sends, STARTTLS, AUTH PLAIN", "s-nail-send.sh", "smtp plain"),
            case(Composes, "composes and sends, STARTTLS, AUTH LOGIN", "s-nail-send.sh", "smtp login"),
            case(Composes, "composes and sends, TLS from the start, AUTH PLAIN", "s-nail-send.sh", "smtps plain"),
            case(Receives, "receives, STLS, USER and PASS", "s-nail-receive.sh", "pop3"),
            case(Receives, "receives, TLS from the start, USER and PASS", "s-nail-receive.sh", "pop3s"),
        ],
    },
    Program {
        name: "mutt, in a terminal",
        version: &["mutt", "-v"],
        cases: &[
            case(Composes, "composes and sends, STARTTLS, AUTH SCRAM-SHA-256", "mutt.expect", "smtp scram-sha-256"),
            case(Composes, "composes and sends, TLS from the start, AUTH PLAIN", "mutt.expect", "smtps plain"),
            case(Receives, "reads and files, STLS, AUTH SCRAM-SHA-256", "mutt.expect", "pop3 scram-sha-256"),
            case(Receives, "reads and files, TLS from the start, USER and PASS", "mutt.expect", "pop3s user"),
        ],
    },
    Program {
        name: "Python, smtplib and poplib",
        version: &["python3", "--version"],
        cases: &[
            case(Sends, "sends, STARTTLS, AUTH PLAIN", "smtp.py", "starttls PLAIN"),
            case(Sends, "sends, TLS from the start, AUTH LOGIN", "smtp.py", "implicit LOGIN"),
            case(Receives, "receives, STLS, USER and PASS; CAPA, STAT, LIST, UIDL, TOP agree", "pop3.py", "starttls"),
            case(Receives, "receives, TLS from the start, USER and PASS", "pop3.py", "implicit"),
            case(Checks(None), "sends 8BITMIME in chunks, all at once (CHUNKING, pipelining)", "chunks.py", "8BITMIME"),
            case(
                Checks(None),
                "sends every octet there is (BINARYMIME), and reads it over POP3",
                "chunks.py",
                "BINARYMIME",
            ),
            case(
                Checks(Some("report.py")),
                "wants a report and gets it (DSN): NOTIFY, ORCPT, RET, ENVID",
                "smtp.py",
                "starttls PLAIN envelope",
            ),
            case(
                Checks(Some("utf8.py")),
                "sends to a name beyond ASCII (SMTPUTF8), and reads it (UTF8)",
                "smtputf8.py",
                "",
            ),
            case(Checks(None), "submits what lacks Date and Message-ID, after a login alone", "submission.py", ""),
            case(
                Checks(None),
                "says the verbs that no mail needs: HELP, VRFY, EXPN, and ours with an X",
                "verbs.py",
                "",
            ),
        ],
    },
    Program {
        name: "nodemailer",
        version: &["node", "-p", "require('nodemailer/package.json').version"],
        cases: &[
            case(Sends, "sends, STARTTLS, AUTH PLAIN", "nodemailer.js", "starttls PLAIN"),
            case(Sends, "sends, STARTTLS, AUTH LOGIN", "nodemailer.js", "starttls LOGIN"),
            case(Sends, "sends, TLS from the start, AUTH PLAIN", "nodemailer.js", "implicit PLAIN"),
            case(
                Checks(Some("report.py")),
                "wants a report and gets it (DSN): NOTIFY, ORCPT, RET, ENVID",
                "nodemailer.js",
                "starttls PLAIN envelope",
            ),
            case(
                Checks(Some("utf8.py")),
                "logs in and sends as a name beyond ASCII, to itself (SMTPUTF8)",
                "nodemailer-utf8.js",
                "own",
            ),
        ],
    },
    Program {
        name: "Perl, Net::SMTP",
        version: &["perl", "-MNet::SMTP", "-MAuthen::SASL", "-MIO::Socket::SSL", "-e", "print Net::SMTP->VERSION"],
        cases: &[
            case(Sends, "sends, STARTTLS, AUTH PLAIN", "net-smtp.pl", "starttls PLAIN"),
            case(Sends, "sends, STARTTLS, AUTH LOGIN", "net-smtp.pl", "starttls LOGIN"),
            case(Sends, "sends, TLS from the start, AUTH PLAIN", "net-smtp.pl", "implicit PLAIN"),
        ],
    },
    Program {
        name: "Perl, Net::POP3",
        version: &["perl", "-MNet::POP3", "-MIO::Socket::SSL", "-e", "print Net::POP3->VERSION"],
        cases: &[
            case(Receives, "receives, STLS, USER and PASS", "net-pop3.pl", "starttls"),
            case(Receives, "receives, TLS from the start, USER and PASS", "net-pop3.pl", "implicit"),
        ],
    },
    Program {
        name: "openssl s_client",
        version: &["openssl", "version"],
        cases: &[
            case(Sends, "sends what a person types, smtp with STARTTLS", "s_client.bash", "smtp"),
            case(Sends, "sends what a person types, smtps", "s_client.bash", "smtps"),
            case(Receives, "receives what a person asks for, pop3 with STLS", "s_client.bash", "pop3"),
            case(Receives, "receives what a person asks for, pop3s", "s_client.bash", "pop3s"),
        ],
    },
];
