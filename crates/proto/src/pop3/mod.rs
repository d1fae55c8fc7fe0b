//! POP3 (RFC 1939) and the extensions we speak: CAPA (RFC 2449), STLS (RFC 2595), AUTH (RFC 5034), response codes (RFC 2449,
//! RFC 3206) and UTF8 (RFC 6856).

pub mod client;
mod response;
pub mod responses;
pub mod server;

pub use response::{Response, ResponseCode};
