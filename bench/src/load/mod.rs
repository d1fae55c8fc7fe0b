//! Those who put load on a server.

mod smtp_source;

pub(crate) use smtp_source::Load;
