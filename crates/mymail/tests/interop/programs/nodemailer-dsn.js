// nodemailer: a message that a report is wanted on, of every parameter that there is.
const fs = require('node:fs');
const nodemailer = require('nodemailer');

const { HOST, SMTP, CA, ADDRESS, TO, LOGIN, PASSWORD, MESSAGE } = process.env;
const transport = nodemailer.createTransport({
    host: HOST,
    port: SMTP,
    requireTLS: true,
    tls: { ca: fs.readFileSync(CA) },
    auth: { user: LOGIN, pass: PASSWORD },
    logger: true,
    debug: true,
});
transport.sendMail({
    envelope: { from: ADDRESS, to: [TO], use8BitMime: true },
    raw: fs.readFileSync(MESSAGE),
    dsn: { id: 'envelope+1', return: 'headers', notify: ['success', 'failure'], recipient: 'first+name@example.org' },
});
