"""smtplib: starttls or implicit, the mechanism; with envelope, a report is wanted (RFC 3461). The message goes as octets."""

import os
import smtplib
import ssl
import sys

env = os.environ
context = ssl.create_default_context(cafile=env["CA"])
if sys.argv[1] == "starttls":
    smtp = smtplib.SMTP(env["HOST"], int(env["SMTP"]), timeout=60)
    smtp.set_debuglevel(1)
    smtp.starttls(context=context)
else:
    smtp = smtplib.SMTP_SSL(env["HOST"], int(env["SMTPS"]), context=context, timeout=60)
    smtp.set_debuglevel(1)
smtp.ehlo()
smtp.user, smtp.password = env["LOGIN"], env["PASSWORD"]
mechanism = sys.argv[2]
smtp.auth(mechanism, getattr(smtp, "auth_" + mechanism.lower()))
mail_options, rcpt_options = ["BODY=8BITMIME"], []
if "envelope" in sys.argv:
    mail_options += ["RET=HDRS", "ENVID=envelope+2B1"]
    rcpt_options += ["NOTIFY=SUCCESS,FAILURE", "ORCPT=rfc822;first+2Bname@example.org"]
with open(env["MESSAGE"], "rb") as message:
    refused = smtp.sendmail(env["ADDRESS"], [env["TO"]], message.read(), mail_options, rcpt_options)
assert not refused, refused
smtp.quit()
