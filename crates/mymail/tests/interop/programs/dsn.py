"""smtplib: a message that a report is wanted on (RFC 3461), of every parameter that there is."""

import os
import smtplib
import ssl

env = os.environ
smtp = smtplib.SMTP(env["HOST"], int(env["SMTP"]), timeout=60)
smtp.set_debuglevel(1)
smtp.starttls(context=ssl.create_default_context(cafile=env["CA"]))
smtp.login(env["LOGIN"], env["PASSWORD"])
assert smtp.has_extn("DSN"), smtp.esmtp_features
with open(env["MESSAGE"], "rb") as message:
    refused = smtp.sendmail(
        env["ADDRESS"],
        [env["TO"]],
        message.read(),
        mail_options=["BODY=8BITMIME", "RET=HDRS", "ENVID=envelope+2B1"],
        rcpt_options=["NOTIFY=SUCCESS,FAILURE", "ORCPT=rfc822;first+2Bname@example.org"],
    )
assert not refused, refused
smtp.quit()
