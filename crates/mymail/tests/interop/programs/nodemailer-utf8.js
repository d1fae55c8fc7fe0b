// nodemailer: a name beyond ASCII logs in and sends to itself. It composes the message.
const fs = require('node:fs');
const nodemailer = require('nodemailer');

const { HOST, SMTP, CA, UTF8, UTF8_LOGIN, UTF8_PASSWORD } = process.env;
const transport = nodemailer.createTransport({
    host: HOST,
    port: SMTP,
    requireTLS: true,
    tls: { ca: fs.readFileSync(CA) },
    auth: { user: UTF8_LOGIN, pass: UTF8_PASSWORD },
    logger: true,
    debug: true,
});
transport
    .sendMail({ from: UTF8, to: UTF8, subject: 'Grüße', text: 'Hallo' })
    .then(({ accepted, rejected }) => {
        if (accepted.length !== 1 || rejected.length !== 0) throw new Error(`${accepted} ${rejected}`);
    });
