use std::sync::LazyLock;

use mail_parser::{Message, MessageParser, MimeHeaders, PartType};
use proptest::prelude::*;

use super::*;

fn fate(recipient: &str, action: Action, status: Enhanced) -> Fate {
    Fate {
        recipient: recipient.parse().unwrap(),
        original: None,
        action,
        status,
        diagnostic: None,
        will_retry_until: None,
    }
}

/// A report as RFC 3464's examples have them; `change` makes it another.
fn written<'a>(recipients: &'a [Fate], change: impl FnOnce(&mut Report<'a>)) -> Vec<u8> {
    static HOST: LazyLock<Domain> = LazyLock::new(|| "cs.utk.edu".parse().unwrap());
    static TO: LazyLock<Address> = LazyLock::new(|| "owner@cs.utk.edu".parse().unwrap());
    let mut report = Report {
        reporting_mta: &HOST,
        to: &TO,
        date: "Thu, 7 Jul 1994 17:16:05 -0400",
        id: "RAA14128.773615765",
        arrived: "Sat, 2 Jul 1994 17:10:28 -0400",
        envelope_id: None,
        recipients,
        utf8: false,
        returned: Returned::Headers(b"Subject: hello\r\n\r\nText\r\n"),
    };
    change(&mut report);
    report.write()
}

fn text(report: Vec<u8>) -> String {
    String::from_utf8(report).unwrap().replace("\r\n", "\n")
}

#[test]
fn a_message_that_failed() {
    let failed = Fate {
        original: Some("rfc822;louis+2Bl@larry.slip.umd.edu".parse().unwrap()),
        diagnostic: Some(Reply::new(426, None, "connection timed out")),
        ..fate("louisl@larry.slip.umd.edu", Action::Failed, Enhanced(4, 0, 0))
    };
    let id = EnvelopeId::new("QQ 314159").unwrap();
    let failed = [failed];
    let report = written(&failed, |report| {
        report.envelope_id = Some(&id);
        report.returned = Returned::Message(b"Subject: hello\r\n\r\nText\r\n");
    });
    assert_eq!(
        text(report),
        "\
From: Mail Delivery System <postmaster@cs.utk.edu>
To: <owner@cs.utk.edu>
Date: Thu, 7 Jul 1994 17:16:05 -0400
Message-ID: <RAA14128.773615765@cs.utk.edu>
Subject: Your message could not be delivered
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status;
 boundary=\"=_RAA14128773615765_0\"

--=_RAA14128773615765_0
Content-Type: text/plain; charset=us-ascii

This is the mail system at cs.utk.edu.
Your message came here on Sat, 2 Jul 1994 17:10:28 -0400.

<louisl@larry.slip.umd.edu>: your message could not be delivered, and will not
be tried again. Send it again later.
    The answer was: 426 connection timed out

What follows is the same for programs, and your message.

--=_RAA14128773615765_0
Content-Type: message/delivery-status

Original-Envelope-Id: QQ 314159
Reporting-MTA: dns; cs.utk.edu
Arrival-Date: Sat, 2 Jul 1994 17:10:28 -0400

Original-Recipient: rfc822;louis+l@larry.slip.umd.edu
Final-Recipient: rfc822;louisl@larry.slip.umd.edu
Action: failed
Status: 4.0.0
Diagnostic-Code: smtp; 426 connection timed out

--=_RAA14128773615765_0
Content-Type: message/rfc822

Subject: hello

Text

--=_RAA14128773615765_0--
"
    );
}

#[test]
fn several_recipients() {
    let gateway =
        Reply::new(550, None, "'arathib@vnet.IBM.COM' is not a\nregistered gateway user, nor is he anybody else");
    let until = Some("Wed, 13 Jul 1994 09:21:47 -0400".to_owned());
    let fates = [
        Fate { diagnostic: Some(gateway), ..fate("arathib@vnet.ibm.com", Action::Failed, Enhanced(5, 1, 1)) },
        Fate { will_retry_until: until, ..fate("johnh@hpnjld.njd.hp.com", Action::Delayed, Enhanced(4, 0, 0)) },
        fate("wsnell@sdcc13.ucsd.edu", Action::Expanded, Enhanced(2, 1, 5)),
    ];
    let report = text(written(&fates, |_| ()));
    assert!(report.contains("\nSubject: What became of your message\n"), "{report}");
    let parts: Vec<&str> = report.split("--=_RAA14128773615765_0").collect();
    assert_eq!(
        parts[1..],
        [
            "
Content-Type: text/plain; charset=us-ascii

This is the mail system at cs.utk.edu.
Your message came here on Sat, 2 Jul 1994 17:10:28 -0400.

<arathib@vnet.ibm.com>: your message could not be delivered, and will not be
tried again. Check the address, and send the message again if it was wrong.
    The answer was: 550 'arathib@vnet.IBM.COM' is not a registered gateway
    user, nor is he anybody else

<johnh@hpnjld.njd.hp.com>: your message could not be delivered so far. It is
tried again until Wed, 13 Jul 1994 09:21:47 -0400. You need not send it again.

<wsnell@sdcc13.ucsd.edu>: your message was delivered, and passed on to all
whom this address stands for. This does not say that anybody has read it.

What follows is the same for programs, and your message's header.

",
            "
Content-Type: message/delivery-status

Reporting-MTA: dns; cs.utk.edu
Arrival-Date: Sat, 2 Jul 1994 17:10:28 -0400

Final-Recipient: rfc822;arathib@vnet.ibm.com
Action: failed
Status: 5.1.1
Diagnostic-Code: smtp; 550 'arathib@vnet.IBM.COM' is not a registered gateway
 user, nor is he anybody else

Final-Recipient: rfc822;johnh@hpnjld.njd.hp.com
Action: delayed
Status: 4.0.0
Will-Retry-Until: Wed, 13 Jul 1994 09:21:47 -0400

Final-Recipient: rfc822;wsnell@sdcc13.ucsd.edu
Action: expanded
Status: 2.1.5

",
            "
Content-Type: text/rfc822-headers

Subject: hello

",
            "--\n"
        ]
    );
}

#[test]
fn an_internationalized_report() {
    let failed = Fate {
        original: Some(r"utf-8;j\x{FC}rgen@example.com".parse().unwrap()),
        diagnostic: Some(Reply::new(550, Some(Enhanced(5, 1, 1)), "jürgen ist unbekannt")),
        ..fate("jürgen@bücher.example", Action::Failed, Enhanced(5, 1, 1))
    };
    let to = "δοκιμή@example.com".parse().unwrap();
    let failed = [failed];
    let report = text(written(&failed, |report| {
        report.to = &to;
        report.utf8 = true;
        report.returned = Returned::Message("Subject: Grüße\r\n\r\nText\r\n".as_bytes());
    }));
    let (header, rest) = report.split_once("\n\n--=_RAA14128773615765_0").unwrap();
    assert!(header.contains("\nTo: <δοκιμή@example.com>\n"), "{header}");
    assert!(header.contains("multipart/report; report-type=global-delivery-status;\n"), "{header}");
    assert!(header.ends_with("\nContent-Transfer-Encoding: 8bit"), "{header}");
    let parts: Vec<&str> = rest.split("--=_RAA14128773615765_0").collect();
    assert!(parts[0].starts_with("\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n"));
    assert!(parts[0].contains("\n<jürgen@xn--bcher-kva.example>: "), "{}", parts[0]);
    assert_eq!(
        parts[1..3],
        [
            "
Content-Type: message/global-delivery-status
Content-Transfer-Encoding: 8bit

Reporting-MTA: dns; cs.utk.edu
Arrival-Date: Sat, 2 Jul 1994 17:10:28 -0400

Original-Recipient: utf-8;jürgen@example.com
Final-Recipient: utf-8;jürgen@xn--bcher-kva.example
Action: failed
Status: 5.1.1
Diagnostic-Code: smtp; 550 5.1.1 jürgen ist unbekannt

",
            "
Content-Type: message/global
Content-Transfer-Encoding: 8bit

Subject: Grüße

Text

",
        ]
    );
    let headers = text(written(&[], |report| report.utf8 = true));
    assert!(headers.contains("\nContent-Type: message/global-headers\nContent-Transfer-Encoding: 8bit\n"), "{headers}");
}

#[test]
fn only_what_has_8_bits_is_called_so() {
    let delivered = [Fate {
        diagnostic: Some(Reply::new(250, None, "Grüße")),
        ..fate("a@bücher.example", Action::Delivered, Enhanced(2, 0, 0))
    }];
    let report = written(&delivered, |report| report.returned = Returned::Message(b"Subject: a\r\n\r\nText\r\n"));
    assert!(report.is_ascii() && !text(report.clone()).contains("8bit"));
    assert!(text(report).contains("\nDiagnostic-Code: smtp; 250 Gr??e\n"));
    let report = text(written(&delivered, |report| report.returned = Returned::Message("\r\nGrüße\r\n".as_bytes())));
    assert_eq!(report.matches("\nContent-Transfer-Encoding: 8bit\n").count(), 2);
    assert!(
        report.contains("\nContent-Type: message/rfc822\nContent-Transfer-Encoding: 8bit\n\n\nGrüße\n\n--"),
        "{report}"
    );
}

#[test]
fn the_boundary_is_in_no_part() {
    let message =
        b"\r\n--=_RAA14128773615765_0\r\nContent-Type: message/delivery-status\r\n\r\n--=_RAA14128773615765_10--\r\n";
    let answer = Reply::new(550, None, "--=_RAA14128773615765_2");
    let failed = Fate { diagnostic: Some(answer), ..fate("a@b.example", Action::Failed, Enhanced(5, 0, 0)) };
    let report = text(written(&[failed], |report| report.returned = Returned::Message(message)));
    assert!(report.ends_with("\n--=_RAA14128773615765_3--\n"), "{report}");
    assert_eq!(report.matches("\n--=_RAA14128773615765_3").count(), 4);
}

#[test]
fn a_long_answer_is_cut() {
    let answer = Reply::new(550, None, "Nö\n".repeat(1 << 17));
    let failed = [Fate { diagnostic: Some(answer), ..fate("a@b.example", Action::Failed, Enhanced(5, 70, 60_000)) }];
    let report = text(written(&failed, |report| report.utf8 = true));
    assert!(report.len() < 8000 && report.contains("\nStatus: 5.70.999\n"), "{report}");
}

/// The fields of the second part, unfolded, its groups parted by an empty one.
fn fields(message: &Message<'_>) -> Vec<String> {
    let octets = message.parts[2].contents();
    let text = String::from_utf8(octets.to_vec()).unwrap().replace("\r\n ", " ");
    text.trim_end_matches("\r\n").split("\r\n").map(str::to_owned).collect()
}

fn any_fate() -> impl Strategy<Value = Fate> {
    let recipient = "[a-zü\"\\\\]{1,9}|[ -~ü😀]{1,20}".prop_map(|local| {
        let quoted = local.replace('\\', "\\\\").replace('"', "\\\"");
        format!("\"{quoted}\"@a.example").parse::<Address>()
    });
    let original = proptest::option::of("(rfc822;[!-~]{1,300}|utf-8;[!-~ü€]{1,120}|x;(\\+20|\\+0D|\\+0A|a){1,90})");
    let action = proptest::sample::select(vec![
        Action::Failed,
        Action::Delayed,
        Action::Delivered,
        Action::Relayed,
        Action::Expanded,
    ]);
    let will_retry_until = proptest::option::of(Just("Thu, 7 Jul 1994 17:16:05 -0400".to_owned()));
    let reply = proptest::option::of(
        ("(?s).{0,200}|[a-z]{990,3000}|(\r\n|\n|--=_x_0| |ü|Action: failed){0,30}")
            .prop_map(|t| Reply::new(550, None, t)),
    );
    let fates = (recipient, original, action, reply, will_retry_until);
    fates.prop_filter_map("no address", |(recipient, original, action, diagnostic, will_retry_until)| {
        let (recipient, original) = (recipient.ok()?, original.and_then(|original| original.parse().ok()));
        Some(Fate { recipient, original, action, status: Enhanced(5, 1, 2), diagnostic, will_retry_until })
    })
}

proptest! {
    #[test]
    fn whatever_peers_say_a_report_has_three_parts_and_its_fields(
        id in "[a-z0-9.]{0,60}|x",
        envelope_id in "[ -~]{1,90}",
        recipients in proptest::collection::vec(any_fate(), 1..4),
        utf8: bool,
        whole: bool,
        octets in prop_oneof![
            "(?s).{0,300}".prop_map(String::into_bytes),
            "([a-zA-Z-]{1,9}: [a-zü]{0,60}\r\n){0,9}(\r\n(--=_x_[01](--)?\r\n|Content-Type: text/plain\r\n|\r\n|a){0,30})?".prop_map(String::into_bytes),
            proptest::collection::vec(any::<u8>(), 0..300),
        ],
    ) {
        let envelope_id = EnvelopeId::new(&envelope_id);
        let report = written(&recipients, |report| {
            report.id = &id;
            report.envelope_id = envelope_id.as_ref();
            report.utf8 = utf8;
            report.returned = if whole { Returned::Message(&octets) } else { Returned::Headers(&octets) };
        });
        for line in report.strip_suffix(b"\r\n").unwrap().split(|&octet| octet == b'\n') {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            prop_assert!(line.len() <= 998 && !line.contains(&b'\r'));
        }

        let message = MessageParser::default().parse(&report).unwrap();
        let PartType::Multipart(parts) = &message.parts[0].body else { panic!("no multipart") };
        prop_assert_eq!(parts.len(), 3);
        prop_assert_eq!(message.parts.len(), 4);
        let media_type = |part: usize| message.parts[part].content_type().map(|t| format!("{}/{}", t.c_type, t.c_subtype.as_deref().unwrap_or_default()));
        prop_assert!(media_type(2).is_some_and(|media_type| media_type.ends_with("delivery-status")));
        if media_type(3).is_some_and(|media_type| matches!(&*media_type, "message/rfc822" | "message/global")) {
            let boundary = message.content_type().and_then(|t| t.attribute("boundary")).unwrap();
            let end = format!("\r\n--{boundary}--\r\n");
            prop_assert!(report.ends_with(&[&octets, end.as_bytes()].concat()));
        }

        let mut wanted = vec![];
        if let Some(id) = &envelope_id {
            wanted.push(format!("Original-Envelope-Id: {}", id.as_str()));
        }
        wanted.extend(["Reporting-MTA: dns; cs.utk.edu".to_owned(), "Arrival-Date: Sat, 2 Jul 1994 17:10:28 -0400".to_owned()]);
        for fate in &recipients {
            wanted.push(String::new());
            wanted.extend(fate.original.as_ref().map(|o| format!("Original-Recipient: {};{}", o.address_type(), o.address())));
            let address_type = if fate.recipient.is_ascii() { "rfc822" } else { "utf-8" };
            wanted.push(format!("Final-Recipient: {address_type};{}", fate.recipient));
            wanted.push(format!("Action: {}", format!("{:?}", fate.action).to_lowercase()));
            wanted.push("Status: 5.1.2".to_owned());
            wanted.extend(fate.diagnostic.as_ref().map(|_| "Diagnostic-Code".to_owned()));
            if let (Action::Delayed, Some(until)) = (fate.action, &fate.will_retry_until) {
                wanted.push(format!("Will-Retry-Until: {until}"));
            }
        }
        let found: Vec<String> = fields(&message)
            .into_iter()
            .map(|field| if field.starts_with("Diagnostic-Code: smtp; 550") { "Diagnostic-Code".to_owned() } else { field })
            .collect();
        prop_assert_eq!(found, wanted);
    }
}
