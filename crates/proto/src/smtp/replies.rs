//! Every fixed reply of our server, by name. Codes are RFC 5321 §4.2.2's, enhanced codes RFC 3463's.
//!
//! The session says some of them by itself; with the others whoever drives it refuses.

use super::{Enhanced, Reply};
use crate::AddressError;

macro_rules! replies {
    ($($name:ident = $code:literal $class:literal $subject:literal $detail:literal $text:literal;)*) => {
        $(
            #[doc = concat!("`", $code, " ", $class, ".", $subject, ".", $detail, " ", $text, "`")]
            pub const $name: Reply = Reply::fixed($code, Enhanced($class, $subject, $detail), $text);
        )*
    };
}

replies! {
    READY_FOR_TLS = 220 2 0 0 "Ready to start TLS";
    OK = 250 2 0 0 "OK";
    SENDER_OK = 250 2 1 0 "OK";
    RECIPIENT_OK = 250 2 1 5 "OK";
    MESSAGE_OK = 250 2 6 0 "OK";
    CANNOT_VERIFY = 252 2 5 0 "Cannot verify; send the mail and see";
    LOGGED_IN = 235 2 7 0 "Authentication successful";

    TIMEOUT = 421 4 4 2 "Timeout, closing connection";
    STOPPING = 421 4 3 2 "Server is stopping, try again later";
    TOO_MANY_ERRORS = 421 4 7 0 "Too many errors";
    TOO_MANY_CONNECTIONS = 421 4 7 0 "Too many connections, try again later";
    TOO_MANY_TRANSACTIONS = 421 4 7 0 "Enough messages for one session, connect again";
    TOO_MANY_UNKNOWN = 421 4 7 0 "Too many unknown recipients";
    INTERNAL = 421 4 3 0 "Internal error, try again later";

    ASKS_TOO_OFTEN = 450 4 7 1 "Too many unknown recipients, try again later";
    REGISTERS_TOO_OFTEN = 450 4 7 1 "Too many registrations, try again later";
    STORE_FAILED = 451 4 3 0 "Local error, try again later";
    NO_NUMBER_LEFT = 452 4 3 1 "No address left, try again later";
    STORE_FULL = 452 4 3 1 "Out of storage, try again later";
    TOO_MANY_RECIPIENTS = 452 4 5 3 "Too many recipients";
    TOO_MANY_DOMAINS = 452 4 5 3 "Too many domains";

    UNRECOGNIZED = 500 5 5 1 "Command unrecognized";
    LINE_TOO_LONG = 500 5 5 6 "Line too long";
    BAD_CHARACTERS = 501 5 5 4 "Control or 8-bit characters where none are allowed";
    NO_ARGUMENT_ALLOWED = 501 5 5 4 "No argument allowed";
    NEEDS_SMTPUTF8 = 501 5 5 4 "8-bit address without SMTPUTF8";
    BAD_RESPONSE = 501 5 5 2 "Cannot make sense of the response";
    AUTH_CANCELLED = 501 5 7 0 "Authentication cancelled";
    NO_EXPN = 502 5 5 1 "EXPN is not available";
    NO_STARTTLS = 502 5 5 1 "STARTTLS is not available";
    TLS_IS_ON = 503 5 5 1 "The connection is encrypted already";
    GREET_FIRST = 503 5 5 1 "Send HELO or EHLO first";
    LHLO_FIRST = 503 5 5 1 "Send LHLO first";
    MAIL_FIRST = 503 5 5 1 "Send MAIL first";
    RCPT_FIRST = 503 5 5 1 "No recipient so far: send RCPT first";
    NEEDS_BDAT = 503 5 5 1 "BODY=BINARYMIME needs BDAT";
    BETWEEN_CHUNKS = 503 5 5 1 "The message has begun with BDAT: go on with BDAT, or send RSET";
    IN_TRANSACTION = 503 5 5 1 "Not inside a mail transaction: finish it or send RSET";
    HAS_IDENTITY = 503 5 5 1 "This session has an address already";
    NO_SUCH_TOPIC = 504 5 5 4 "No such command";
    UNKNOWN_MECHANISM = 504 5 5 4 "Unrecognized authentication mechanism";
    TOO_MANY_FAILED_LOGINS = 454 4 7 0 "Too many failed logins, try again later";
    LOG_IN_FIRST = 530 5 7 0 "Authentication required";
    REGISTER_FIRST = 530 5 7 0 "Register (XREGISTER) or authenticate first";
    BAD_CREDENTIALS = 535 5 7 8 "Authentication credentials invalid";
    BAD_TOKEN = 535 5 7 8 "Invite token missing or wrong";
    ENCRYPTION_REQUIRED = 538 5 7 11 "Encryption required";

    NO_SUCH_USER = 550 5 1 1 "No such user here";
    NAME_TAKEN = 550 5 1 1 "Name is taken";
    BARE_LINE_END = 550 5 6 11 "Bare <CR> or <LF>";
    REGISTRATION_CLOSED = 550 5 7 1 "Registration is closed";
    NOT_YOUR_ADDRESS = 550 5 7 1 "Not your address";
    RELAYING_DENIED = 550 5 7 1 "Relaying denied";
    MAILBOX_FULL = 552 5 2 2 "Mailbox full";
    MESSAGE_TOO_LARGE = 552 5 3 4 "Message too large";
    NO_NAMES = 553 5 1 3 "No names here: send XREGISTER alone";
    NAME_RESERVED = 553 5 1 3 "Name is reserved";
    NAME_NOT_ALLOWED = 553 5 1 3 "Name not allowed: use letters, digits, dot, dash and underscore, not digits alone";
    LOOP = 554 5 4 6 "Too many hops: the message goes in circles";
    NOT_SMTP = 554 5 5 0 "This is an SMTP server";
    OUT_OF_TURN = 554 5 5 0 "Sent before its turn";
    BAD_PARAMETER = 555 5 5 4 "Parameter not recognized or not implemented";
}

/// `501 5.5.4`, with the form that was expected.
pub fn syntax(form: &str) -> Reply {
    Reply::new(501, Some(Enhanced(5, 5, 4)), format!("Syntax: {form}"))
}

/// `501 5.1.7`: a bad reverse-path, and why (RFC 3463 §3.2).
pub fn bad_sender(error: AddressError) -> Reply {
    Reply::new(501, Some(Enhanced(5, 1, 7)), error.to_string())
}

/// `501 5.1.3`: a bad forward-path, and why (RFC 3463 §3.2).
pub fn bad_recipient(error: AddressError) -> Reply {
    Reply::new(501, Some(Enhanced(5, 1, 3)), error.to_string())
}
