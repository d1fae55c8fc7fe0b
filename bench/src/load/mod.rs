//! Those who put load on a server.

mod dialogue;
mod retrieval;
mod sender;
mod smtp_source;

pub(crate) use dialogue::Dialogue;
pub(crate) use retrieval::{by_pop3, by_xretrieve};
pub(crate) use sender::{register, send};
pub(crate) use smtp_source::Load;
