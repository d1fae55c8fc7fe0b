//! A session whose client has not logged in (RFC 1939 §4).

use thiserror::Error;

use super::wire::Wire;
use super::{Capabilities, Login, Quit, StartTls};
use crate::sasl::Mechanism;
use crate::sasl::client::Exchange as Sasl;
use crate::sasl::plain::Credentials;

/// A session at rest, before the login.
#[derive(Debug)]
pub struct Authorization {
    pub(super) wire: Wire,
    pub(super) capabilities: Capabilities,
}

/// The credentials can't be said in POP3. They are not shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a user name or password is empty or has control characters")]
pub struct Unsayable;

impl Authorization {
    pub(super) fn new(wire: Wire, capabilities: Capabilities) -> Self {
        Self { wire, capabilities }
    }

    /// What the server lists.
    pub fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    /// Whether clients may log in by this SASL mechanism.
    pub fn has_mechanism(&self, mechanism: Mechanism) -> bool {
        self.capabilities.has_mechanism(mechanism)
    }

    /// Asks that the connection be encrypted.
    pub fn starttls(self) -> StartTls {
        StartTls::new(self)
    }

    /// Logs in by SASL (RFC 5034).
    pub fn log_in(self, exchange: Sasl) -> Login {
        Login::by_sasl(self, exchange)
    }

    /// Logs in by USER and PASS, for servers that have no mechanism that we know, over connections that nobody overhears.
    pub fn log_in_with_password(self, credentials: &Credentials) -> Result<Login, Unsayable> {
        let is_sayable = |text: &str| !text.is_empty() && !text.contains(char::is_control);
        if is_sayable(&credentials.user) && is_sayable(&credentials.password) {
            Ok(Login::by_password(self, credentials))
        } else {
            Err(Unsayable)
        }
    }

    /// Says goodbye.
    pub fn quit(self) -> Quit {
        Quit::new(self.wire)
    }
}
