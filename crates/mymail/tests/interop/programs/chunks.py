"""A message in chunks (RFC 3030), all commands at once: 8BITMIME, or BINARYMIME with every octet there is. Then poplib."""

import email
import email.policy
import os
import poplib
import smtplib
import ssl
import sys

env = os.environ
body = sys.argv[1]
context = ssl.create_default_context(cafile=env["CA"])
poplib._MAXLINE = 1 << 20  # Its own limit on lines is 2,048 octets.

HEADER = b"From: <%s>\r\nTo: <%s>\r\nSubject: chunks\r\nMIME-Version: 1.0\r\n" % (
    env["ADDRESS"].encode(),
    env["TO"].encode(),
)
if body == "BINARYMIME":
    octets = bytes(range(256)) * 40 + b"\r\n.\r\n\n\r\r\n.\n"
    message = (
        HEADER
        + b"Content-Type: multipart/mixed; boundary=part\r\n\r\n"
        + b"--part\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
        + "Grüße\r\n.\r\n".encode()
        + b"--part\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: binary\r\n\r\n"
        + octets
        + b"\r\n--part--\r\n"
    )
else:
    with open(env["MESSAGE"], "rb") as file:
        message = file.read()

smtp = smtplib.SMTP(env["HOST"], int(env["SMTP"]), timeout=60)
smtp.starttls(context=context)
smtp.login(env["LOGIN"], env["PASSWORD"])
assert smtp.has_extn("CHUNKING") and smtp.has_extn("PIPELINING") and smtp.has_extn(body), smtp.esmtp_features
# One chunk ends in the middle of a line end, one is empty, and the last one says nothing but that it is the last.
cut = message.index(b"\r\n", len(message) // 2) + 1
chunks = [message[:cut], b"", message[cut:]]
commands = b"MAIL FROM:<%s> SIZE=%d BODY=%s\r\nRCPT TO:<%s>\r\n" % (
    env["ADDRESS"].encode(),
    len(message),
    body.encode(),
    env["TO"].encode(),
)
for chunk in chunks:
    commands += b"BDAT %d\r\n" % len(chunk) + chunk
smtp.send(commands + b"BDAT 0 LAST\r\n")
for _ in range(2 + len(chunks) + 1):
    code, text = smtp.getreply()
    assert code == 250, (code, text)
smtp.quit()

pop3 = poplib.POP3(env["HOST"], int(env["POP3"]), timeout=60)
pop3.stls(context=context)
pop3.user(env["TO_LOGIN"])
pop3.pass_(env["TO_PASSWORD"])
count, octets_in_all = pop3.stat()
assert count == 1, count
size = int(pop3.list(1).split()[2])
got = b"".join(line + b"\r\n" for line in pop3.retr(1)[1])
assert len(got) == size == octets_in_all, (len(got), size, octets_in_all)
pop3.quit()
if body == "BINARYMIME":
    parsed = email.message_from_bytes(got, policy=email.policy.default)
    assert not parsed.defects, parsed.defects
    text, attachment = parsed.iter_parts()
    assert text.get_content().replace("\r\n", "\n") == "Grüße\n.", text
    assert attachment.get_payload(decode=True) == octets, attachment
else:
    # Return-Path and Received stand before it, in four lines.
    assert got.endswith(message) and got[: -len(message)].count(b"\r\n") == 4, got
