"""smtplib says the verbs that no mail needs: HELP, VRFY, EXPN, NOOP, RSET, and the private ones."""

import os
import smtplib
import ssl

env = os.environ


def connect():
    smtp = smtplib.SMTP(env["HOST"], int(env["SMTP"]), timeout=60)
    smtp.set_debuglevel(1)
    smtp.starttls(context=ssl.create_default_context(cafile=env["CA"]))
    smtp.ehlo()
    return smtp


smtp = connect()
for keyword in ("SIZE", "HELP", "ENHANCEDSTATUSCODES", "XREGISTER", "XPASSWD", "XUNREGISTER", "XRETRIEVE"):
    assert smtp.has_extn(keyword), keyword
assert int(smtp.esmtp_features["size"]) > 0
assert b"XREGISTER" in smtp.help() and b"MAIL FROM:" in smtp.help("MAIL")
assert smtp.vrfy(env["TO"])[0] == 252, "a stranger is told nothing"
assert smtp.expn("list")[0] == 502
code, text = smtp.docmd("XREGISTER")
assert code == 250, text
own = text.split()[-1].decode()
code, text = smtp.vrfy(env["TO"])
assert (code, text) == (250, f"2.1.5 <{env['TO']}>".encode()), (code, text)
assert smtp.vrfy("nobody@mymailserver") == (550, b"5.1.1 No such user here")
code, text = smtp.docmd("XPASSWD")
assert code == 250, text
password = text.split()[-1].decode()
assert smtp.noop() == (250, b"2.0.0 OK") and smtp.rset() == (250, b"2.0.0 OK")
assert smtp.mail(own, [f"SIZE={1 << 40}"])[0] == 552
assert smtp.sendmail(own, [own], "Subject: verbs\r\n\r\nto itself\r\n") == {}
smtp.quit()

smtp = connect()
smtp.login(own, password)
assert smtp.docmd("XRETRIEVE")[1].startswith(b"2.0.0 1 message"), "one message"
lines = []
while (line := smtp.file.readline()) != b".\r\n":
    lines.append(line)
assert b"to itself\r\n" in lines, lines
assert smtp.noop()[0] == 250
assert smtp.docmd("XRETRIEVE")[1].startswith(b"2.0.0 0 messages"), "they are gone"
assert smtp.docmd("XUNREGISTER")[0] == 250
smtp.quit()
