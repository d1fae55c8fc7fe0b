"""poplib in UTF-8 (RFC 6856): the message to a name beyond ASCII. With own, that name has sent it as well."""

import email
import email.policy
import os
import poplib
import ssl
import sys

env = os.environ
pop3 = poplib.POP3(env["HOST"], int(env["POP3"]), timeout=60)
pop3.stls(context=ssl.create_default_context(cafile=env["CA"]))
assert "UTF8" in pop3.capa()
pop3.utf8()
pop3.user(env["UTF8_LOGIN"])
pop3.pass_(env["UTF8_PASSWORD"])
assert pop3.stat()[0] == 1, pop3.stat()
got = b"\r\n".join(pop3.retr(1)[1]) + b"\r\n"
pop3.quit()
print(got)
sender = env["UTF8"] if "own" in sys.argv else env["ADDRESS"]
message = email.message_from_string(got.decode(), policy=email.policy.default)
assert got.startswith(f"Return-Path: <{sender}>\r\n".encode())
assert " with UTF8SMTPSA " in message["Received"], message["Received"]
assert message["From"].addresses[0].addr_spec == sender, message["From"]
assert message["To"].addresses[0].addr_spec == env["UTF8"], message["To"]
assert message["Subject"] == "Grüße", message["Subject"]
assert message.get_content().strip() == "Hallo"
