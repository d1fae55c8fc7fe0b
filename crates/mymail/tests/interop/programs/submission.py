"""smtplib on the port for mail programs (RFC 6409): nothing without a login, and what a message lacks is added."""

import email
import email.policy
import os
import poplib
import smtplib
import ssl

env = os.environ
context = ssl.create_default_context(cafile=env["CA"])
smtp = smtplib.SMTP(env["HOST"], int(env["SUBMISSION"]), timeout=60)
smtp.set_debuglevel(1)
smtp.starttls(context=context)
smtp.ehlo()
assert smtp.mail(env["ADDRESS"])[0] == 530
assert not smtp.has_extn("XREGISTER") and smtp.docmd("XREGISTER")[0] == 500
smtp.login(env["LOGIN"], env["PASSWORD"])
assert smtp.mail(env["TO"])[0] == 550, "another's address"
BODY = "Subject: bare\r\n\r\nneither Date nor Message-ID\r\n"
refused = smtp.sendmail(env["ADDRESS"], [env["TO"]], BODY)
assert not refused, refused
smtp.quit()

pop3 = poplib.POP3(env["HOST"], int(env["POP3"]), timeout=60)
pop3.stls(context=context)
pop3.user(env["TO_LOGIN"])
pop3.pass_(env["TO_PASSWORD"])
size = int(pop3.list(1).split()[2])
got = b"\r\n".join(pop3.retr(1)[1]) + b"\r\n"
assert len(got) == size, (len(got), size)
pop3.quit()
assert got.endswith(BODY.encode()), got
message = email.message_from_bytes(got, policy=email.policy.default)
assert " with ESMTPSA " in message["Received"], message["Received"]
assert message["Date"].datetime and message["Message-ID"].endswith("@mymailserver>"), got
