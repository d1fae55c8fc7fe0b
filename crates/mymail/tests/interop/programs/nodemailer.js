// nodemailer: starttls or implicit, the mechanism; with envelope, a report is wanted. A message of our own goes as it is; dots
// are its own work.
const fs = require('node:fs');
const nodemailer = require('nodemailer');

const { HOST, SMTP, SMTPS, CA, ADDRESS, TO, LOGIN, PASSWORD, MESSAGE } = process.env;
const [tls, mechanism, envelope] = process.argv.slice(2);
const transport = nodemailer.createTransport({
    host: HOST,
    ...(tls === 'implicit' ? { port: SMTPS, secure: true } : { port: SMTP, requireTLS: true }),
    tls: { ca: fs.readFileSync(CA) },
    auth: { user: LOGIN, pass: PASSWORD },
    authMethod: mechanism,
    logger: true,
    debug: true,
});
const dsn = { id: 'envelope+1', return: 'headers', notify: ['success', 'failure'], recipient: 'first+name@example.org' };
transport
    .sendMail({
        envelope: { from: ADDRESS, to: [TO], use8BitMime: true },
        raw: fs.readFileSync(MESSAGE),
        ...(envelope && { dsn }),
    })
    .then(({ accepted, rejected }) => {
        if (accepted.length !== 1 || rejected.length !== 0) throw new Error(`${accepted} ${rejected}`);
    });
