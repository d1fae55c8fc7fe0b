"""smtplib: a message to a name beyond ASCII, with a header in UTF-8 (RFC 6531, RFC 6532)."""

import email.message
import email.policy
import os
import smtplib
import ssl

env = os.environ
message = email.message.EmailMessage(policy=email.policy.SMTPUTF8)
message["From"] = env["ADDRESS"]
message["To"] = env["UTF8"]
message["Subject"] = "Grüße"
message.set_content("Hallo")
smtp = smtplib.SMTP(env["HOST"], int(env["SMTP"]), timeout=60)
smtp.set_debuglevel(1)
smtp.starttls(context=ssl.create_default_context(cafile=env["CA"]))
smtp.login(env["LOGIN"], env["PASSWORD"])
refused = smtp.send_message(message)
assert not refused, refused
smtp.quit()
