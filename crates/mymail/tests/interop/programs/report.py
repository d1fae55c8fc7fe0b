"""The report in a sender's mailbox (RFC 3464, RFC 6522), read by poplib and taken apart by Python's email package.

With envelope, the sender has given an envelope id and the recipient's original name besides.
"""

import email
import email.policy
import os
import poplib
import ssl
import sys

env = os.environ
poplib._MAXLINE = 1 << 20  # Its own limit on lines is 2,048 octets.


def mailbox(login, password):
    pop3 = poplib.POP3(env["HOST"], int(env["POP3"]), timeout=60)
    pop3.stls(context=ssl.create_default_context(cafile=env["CA"]))
    pop3.user(login)
    pop3.pass_(password)
    messages = [b"\r\n".join(pop3.retr(number + 1)[1]) + b"\r\n" for number in range(pop3.stat()[0])]
    pop3.quit()
    return messages


with open(env["MESSAGE"], "rb") as file:
    sent = file.read()
(arrived,) = mailbox(env["TO_LOGIN"], env["TO_PASSWORD"])
assert arrived.endswith(sent)
(report,) = mailbox(env["LOGIN"], env["PASSWORD"])
sys.stdout.write(report.decode())
assert report.startswith(b"Return-Path: <>\r\n")
report = email.message_from_bytes(report, policy=email.policy.default)
assert report.get_content_type() == "multipart/report" and report.get_param("report-type") == "delivery-status"
assert not report.defects, report.defects
assert report["To"].addresses[0].addr_spec == env["ADDRESS"], report["To"]
assert report["Date"].datetime and report["Message-ID"] and report["From"] and report["Subject"]
assert report["Auto-Submitted"].startswith("auto-"), report["Auto-Submitted"]
people, status, returned = report.iter_parts()
assert people.get_content_type() == "text/plain" and env["TO"] in people.get_content()
assert status.get_content_type() == "message/delivery-status"
message, recipient = status.get_payload()
assert message["Reporting-MTA"].replace(" ", "") == "dns;mymailserver", message["Reporting-MTA"]
assert recipient["Final-Recipient"].replace(" ", "") == "rfc822;" + env["TO"], recipient["Final-Recipient"]
assert recipient["Action"] == "delivered" and recipient["Status"].startswith("2."), recipient
original = recipient["Original-Recipient"]
if "envelope" in sys.argv:
    assert message["Original-Envelope-Id"] == "envelope+1", message["Original-Envelope-Id"]
    assert original.replace(" ", "") == "rfc822;first+name@example.org", original
assert returned.get_content_type() == "text/rfc822-headers", returned.get_content_type()
header = email.message_from_string(returned.get_content(), policy=email.policy.default)
assert header["Message-ID"] == email.message_from_bytes(sent, policy=email.policy.default)["Message-ID"], header
