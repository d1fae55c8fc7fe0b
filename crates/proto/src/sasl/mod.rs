//! SASL (RFC 4422): how a client shows who it is. The same mechanisms serve SMTP (RFC 4954) and POP3 (RFC 5034).

pub mod plain;
pub mod scram;
