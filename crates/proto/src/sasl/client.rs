//! The client's side of a login: one [`Exchange`], the same for SMTP's AUTH (RFC 4954) and POP3's (RFC 5034).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use thiserror::Error;

use super::plain::Credentials;
use super::scram::client::Login;
use super::{Channel, Mechanism};

/// A login under way.
#[derive(Debug)]
pub struct Exchange {
    mechanism: Mechanism,
    state: State,
}

#[derive(Debug)]
enum State {
    Plain(Credentials),
    LoginUser(Credentials),
    LoginPassword(Credentials),
    LoginSaid,
    Scram(Login),
}

/// The server does not keep to the mechanism, or does not know the password itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the server breaks the rules of the login, or can't show that it knows the account's password")]
pub struct Unproved;

impl Exchange {
    /// Begins a login by the best mechanism that the server offers and the channel allows; `None` if there is none. `nonce` is
    /// printable ASCII without a comma, never the same again.
    pub fn begin(
        credentials: &Credentials,
        channel: &Channel,
        offers: impl Fn(Mechanism) -> bool,
        nonce: &str,
    ) -> Option<Self> {
        let mechanism = Mechanism::ALL.into_iter().find(|it| it.fits(channel) && offers(*it))?;
        let state = match mechanism {
            Mechanism::ScramSha256Plus | Mechanism::ScramSha256 => {
                State::Scram(Login::begin(mechanism, credentials, channel, nonce))
            }
            Mechanism::Plain => State::Plain(credentials.clone()),
            Mechanism::Login => State::LoginUser(credentials.clone()),
        };
        Some(Self { mechanism, state })
    }

    /// Its mechanism.
    pub fn mechanism(&self) -> Mechanism {
        self.mechanism
    }

    /// What to say with the command, in base64; `None`: the server speaks first. Where the line has no room for it, it is the
    /// response to an empty challenge.
    pub fn initial(&self) -> Option<String> {
        match &self.state {
            State::Plain(credentials) => Some(credentials.encode()),
            State::Scram(login) => Some(login.first()),
            State::LoginUser(_) | State::LoginPassword(_) | State::LoginSaid => None,
        }
    }

    /// The response to a challenge, both in base64. With SCRAM this takes as much work as the server asks for, within
    /// [`SERVER_ITERATIONS_MAX`](super::scram::SERVER_ITERATIONS_MAX).
    pub fn respond(&mut self, challenge: &str) -> Result<String, Unproved> {
        let (state, said) = match &mut self.state {
            State::Scram(login) => return login.respond(challenge),
            State::LoginUser(credentials) => {
                (State::LoginPassword(credentials.clone()), STANDARD.encode(&credentials.user))
            }
            State::LoginPassword(credentials) => (State::LoginSaid, STANDARD.encode(&credentials.password)),
            State::Plain(_) | State::LoginSaid => return Err(Unproved),
        };
        self.state = state;
        Ok(said)
    }

    /// The server says that the login succeeded: has it proved that it knows the password, where the mechanism wants that?
    pub fn finish(self) -> Result<(), Unproved> {
        match self.state {
            State::Scram(login) if !login.is_proved() => Err(Unproved),
            _ => Ok(()),
        }
    }
}
