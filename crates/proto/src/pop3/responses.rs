//! Every fixed response of our server, by name.
//!
//! The session says some of them by itself; with the others whoever drives it refuses.

use super::{Response, ResponseCode};

macro_rules! responses {
    ($($name:ident = $indicator:ident $([$code:ident])? $text:literal;)*) => {
        $(
            #[doc = concat!("`", responses!(@indicator $indicator), " ", $("[", stringify!($code), "] ",)? $text, "`")]
            pub const $name: Response =
                Response::fixed(responses!(@is_positive $indicator), responses!(@code $($code)?), $text);
        )*
    };
    (@indicator OK) => { "+OK" };
    (@indicator ERR) => { "-ERR" };
    (@is_positive OK) => { true };
    (@is_positive ERR) => { false };
    (@code) => { None };
    (@code $code:ident) => { Some(ResponseCode::$code) };
}

responses! {
    OK = OK "";
    CAPABILITIES = OK "capability list follows";
    MECHANISMS = OK "mechanism list follows";
    READY_FOR_TLS = OK "begin TLS negotiation";
    UTF8_IS_ON = OK "UTF-8 it is";
    SEND_PASSWORD = OK "send PASS";
    UNIQUE_IDS = OK "unique-id listing follows";
    TOP_FOLLOWS = OK "top of message follows";

    NOT_POP3 = ERR "this is a POP3 server";
    UNRECOGNIZED = ERR "command unrecognized";
    LINE_TOO_LONG = ERR "line too long";
    BARE_LINE_END = ERR "bare <CR> or <LF>";
    BAD_CHARACTERS = ERR "control or 8-bit characters where none are allowed";
    NO_ARGUMENT_ALLOWED = ERR "no argument allowed";
    NO_STLS = ERR "STLS is not available";
    TLS_IS_ON = ERR "the connection is encrypted already";
    ENCRYPTION_REQUIRED = ERR "encryption required";
    UNKNOWN_MECHANISM = ERR "unrecognized authentication mechanism";
    AUTH_CANCELLED = ERR "authentication cancelled";
    BAD_RESPONSE = ERR "cannot make sense of the response";
    USER_FIRST = ERR "send USER first";
    LOG_IN_FIRST = ERR "log in first";
    LOGGED_IN_ALREADY = ERR "logged in already";
    TOO_MANY_ERRORS = ERR "too many errors";

    BAD_CREDENTIALS = ERR [Auth] "authentication credentials invalid";
    TOO_MANY_FAILED_LOGINS = ERR [SysTemp] "too many failed logins, try again later";
    TOO_MANY_CONNECTIONS = ERR [SysTemp] "too many connections, try again later";
    STOPPING = ERR [SysTemp] "server is stopping, try again later";
    INTERNAL = ERR [SysTemp] "internal error, try again later";
    STORE_FAILED = ERR [SysTemp] "local error, try again later";
    NOT_REMOVED = ERR [SysTemp] "deleted messages not removed";
    MESSAGE_GONE = ERR "message deleted by another session";
    MESSAGE_DAMAGED = ERR [SysPerm] "message damaged on the server";
}

/// `-ERR`, with the form that was expected.
pub fn syntax(form: &str) -> Response {
    Response::err(None, format!("syntax: {form}"))
}
