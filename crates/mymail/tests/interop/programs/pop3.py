"""poplib: starttls or implicit. Everything that the protocol has, then all messages, to the octet."""

import os
import poplib
import ssl
import sys

env = os.environ
poplib._MAXLINE = 1 << 20  # Its own limit on lines is 2,048 octets.
context = ssl.create_default_context(cafile=env["CA"])
if sys.argv[1] == "starttls":
    pop3 = poplib.POP3(env["HOST"], int(env["POP3"]), timeout=60)
    assert "STLS" in pop3.capa()
    pop3.stls(context=context)
else:
    pop3 = poplib.POP3_SSL(env["HOST"], int(env["POP3S"]), timeout=60, context=context)
pop3.set_debuglevel(1)
pop3.user(env["LOGIN"])
pop3.pass_(env["PASSWORD"])
assert {"UIDL", "TOP"} <= pop3.capa().keys()
count, octets = pop3.stat()
sizes = [int(line.split()[1]) for line in pop3.list()[1]]
names = {line.split()[1] for line in pop3.uidl()[1]}
assert len(sizes) == len(names) == count and sum(sizes) == octets, (sizes, names, count, octets)
for number in range(1, count + 1):
    message = b"".join(line + b"\r\n" for line in pop3.retr(number)[1])
    assert len(message) == sizes[number - 1], (len(message), sizes)
    header, text = message.split(b"\r\n\r\n", 1)
    top = b"".join(line + b"\r\n" for line in pop3.top(number, 2)[1])
    assert top == header + b"\r\n\r\n" + b"".join(text.splitlines(keepends=True)[:2]), top
    with open(f"{env['INBOX']}/{number}", "wb") as file:
        file.write(message)
    pop3.dele(number)
pop3.quit()
