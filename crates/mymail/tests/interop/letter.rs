//! The messages that programs send and receive, and what they must come to.

use anyhow::{Context, ensure};

/// What a program that composes messages is given: each line here has spoilt mail somewhere.
pub(crate) const TEXT: &str = "Grüße, 你好, 😀!\n\
    .\n\
    ..\n\
    ...and so on\n\
    .x\n\
    \n\
    two spaces behind  \n\
    \ta tab\t\n\
    =3D= %FROM% $HOME\n\
    -- \n\
    not a signature\n";

/// Longest line of RFC 5322 §2.1.1, without its end.
const LINE_OCTETS: usize = 998;
/// Longer than any line should be, and shorter than the buffer of every program here.
const LONG_LINE_OCTETS: usize = 1_900;

/// A whole message for programs that send it as it is. Lines end in LF.
pub(crate) fn letter(from: &str, to: &str, number: u32) -> String {
    let wide = "ä".repeat(LINE_OCTETS / "ä".len());
    let long = "x".repeat(LONG_LINE_OCTETS);
    format!(
        "From: <{from}>\n\
         To: <{to}>\n\
         Subject: =?utf-8?Q?Gr=C3=BC=C3=9Fe?= {number}\n\
         Date: Mon, 01 Jan 2024 12:00:00 +0000\n\
         Message-ID: <{number}.interop@mymailserver>\n\
         MIME-Version: 1.0\n\
         Content-Type: text/plain; charset=utf-8\n\
         Content-Transfer-Encoding: 8bit\n\
         X-Folded: one\n\
         \ttwo\n\
         \x20 three\n\
         \n\
         {TEXT}\
         From the start\n\
         {wide}\n\
         {long}\n\
         \n\
         .\n\
         the end\n"
    )
}

/// A letter that is sent in many pieces, of so many lines more.
pub(crate) fn long_letter(from: &str, to: &str, lines: u32) -> String {
    let mut letter = letter(from, to, 1);
    for line in 0..lines {
        letter.push_str(&format!(".{line} Grüße aus der Mitte eines langen Briefes, der nicht auf einmal ankommt\n"));
    }
    letter
}

/// Line ends as they go over the wire.
pub(crate) fn with_crlf(text: &str) -> String {
    text.replace('\n', "\r\n")
}

/// Line ends as programs file them.
pub(crate) fn with_lf(text: &str) -> String {
    text.replace("\r\n", "\n")
}

/// A message without the trace lines that our server puts before it, and the protocol that they say it came by. Lines end
/// in LF.
pub(crate) fn without_trace<'a>(message: &'a str, from: &str) -> anyhow::Result<(&'a str, &'a str)> {
    let path = format!("Return-Path: <{from}>\n");
    let rest = message.strip_prefix(path.as_str()).context("there is no Return-Path at the start")?;
    ensure!(rest.starts_with("Received: from "), "there is no Received behind Return-Path");
    let end = rest.match_indices('\n').find(|(at, _)| !rest[at + 1..].starts_with([' ', '\t']));
    let (received, message) = rest.split_at(end.context("the message ends in its trace lines")?.0 + 1);
    let mut words = received.split_whitespace().skip_while(|word| *word != "with");
    let protocol = words.nth(1).context("Received does not say with which protocol")?;
    Ok((protocol, message))
}

/// Fails unless a text ends in the message; what stands before it are the lines of those who have passed it on.
pub(crate) fn ensure_ends_in(text: &str, message: &str) -> anyhow::Result<()> {
    let at = text.len().checked_sub(message.len()).context("it is too short")?;
    ensure_same(text.get(at..).context("it ends in another text")?, message)
}

/// Fails where they differ, and says where.
pub(crate) fn ensure_same(got: &str, expected: &str) -> anyhow::Result<()> {
    let mut lines = got.split_inclusive('\n').zip(expected.split_inclusive('\n')).enumerate();
    if let Some((at, (got, expected))) = lines.find(|(_, (got, expected))| got != expected) {
        anyhow::bail!("line {} is {:?} instead of {:?}", at + 1, shortened(got), shortened(expected));
    }
    ensure!(got.len() == expected.len(), "there are {} octets instead of {}", got.len(), expected.len());
    Ok(())
}

fn shortened(line: &str) -> String {
    line.chars().take(100).collect()
}
