//! The server's side of a login: one [`Exchange`], the same for SMTP's AUTH (RFC 4954) and POP3's (RFC 5034).
//!
//! What the client says comes as it stands on the wire, in base64, and so does what is said to it. The exchange computes; it
//! looks nobody up and decides nothing: that is asked.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::plain::Credentials;
use super::scram::Verifier;
use super::scram::server::{Challenged, Checked, First};
use super::{Channel, Mechanism};

/// A login that awaits the client's next response.
#[derive(Debug)]
pub struct Exchange(Awaiting);

#[derive(Debug)]
enum Awaiting {
    Plain,
    LoginUser,
    LoginPassword {
        user: String,
    },
    ScramFirst {
        mechanism: Mechanism,
        channel: Channel,
    },
    ScramFinal(Box<Challenged>),
    /// The server has proved itself: the client has nothing to say but that it heard.
    ScramEnd,
}

/// What comes next in a login.
#[derive(Debug)]
pub enum Turn {
    /// This challenge is to be said, in base64, and its response awaited.
    Challenge(Exchange, String),
    /// Somebody must say what is kept of a user's password.
    LookUp(LookUp),
    /// Somebody must judge.
    Judge(Claim),
    /// The login that was granted is complete.
    Done,
    /// The client has broken the mechanism's rules, or thought better of it: the login is over.
    Over(Flaw),
}

/// A claim that is to be judged. Dropped, it came to nothing.
#[derive(Debug)]
pub struct Claim {
    attempt: Box<Attempt>,
    /// The server's own proof, in base64, for a client that has proved to know the password.
    server_final: Option<String>,
}

/// What a client claims.
#[derive(Debug)]
pub enum Attempt {
    /// This is the user's password.
    Password(Credentials),
    /// It knows this user's password, and has proved it or not.
    Proof {
        /// Who logs in.
        user: String,
        /// What it was checked with: proof of an account only as long as that is kept of its password.
        verifier: Verifier,
        /// Whether the proof holds.
        is_valid: bool,
    },
}

/// Why a login came to nothing before it could be judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    /// The client sent `*`.
    Cancelled,
    /// It is no base64, or not what the mechanism wants.
    Malformed,
}

/// A user of whom it must be known what is kept of the password.
#[derive(Debug)]
pub struct LookUp(Box<First>);

/// What is needed to challenge a user.
#[derive(Debug)]
pub struct Secret {
    /// What is kept of the password. Of one who does not exist: something that looks the same every time, and that nothing
    /// proves, as [`Verifier::decoy`] makes it.
    pub verifier: Verifier,
    /// Printable ASCII without a comma, never the same again.
    pub nonce: String,
}

impl Exchange {
    /// Begins a login. `initial` is the response that came with the command, if any; `=` is an empty one.
    pub fn begin(mechanism: Mechanism, channel: &Channel, initial: Option<&[u8]>) -> Turn {
        let (awaiting, challenge) = match mechanism {
            Mechanism::ScramSha256Plus | Mechanism::ScramSha256 => {
                (Awaiting::ScramFirst { mechanism, channel: channel.clone() }, "")
            }
            Mechanism::Plain => (Awaiting::Plain, ""),
            Mechanism::Login => (Awaiting::LoginUser, "Username:"),
        };
        match initial {
            Some(b"=") => Self(awaiting).respond(b""),
            Some(response) => Self(awaiting).respond(response),
            None => Turn::challenge(awaiting, challenge),
        }
    }

    /// Takes the client's response.
    pub fn respond(self, response: &[u8]) -> Turn {
        if response == b"*" {
            return Turn::Over(Flaw::Cancelled);
        }
        self.0.take(response).unwrap_or(Turn::Over(Flaw::Malformed))
    }
}

impl Awaiting {
    /// `None` if it is not what the mechanism wants.
    fn take(self, response: &[u8]) -> Option<Turn> {
        match self {
            Self::Plain => Credentials::decode(response).map(Turn::password),
            Self::LoginUser => {
                let user = text(response)?;
                Some(Turn::challenge(Self::LoginPassword { user }, "Password:"))
            }
            Self::LoginPassword { user } => {
                let password = text(response)?;
                Some(Turn::password(Credentials { user, password }))
            }
            Self::ScramFirst { mechanism, channel } => {
                First::read(mechanism, channel, response).map(|first| Turn::LookUp(LookUp(Box::new(first))))
            }
            Self::ScramFinal(challenged) => {
                let Checked { user, verifier, server_final } = challenged.check(response)?;
                let attempt = Attempt::Proof { user, verifier, is_valid: server_final.is_some() };
                Some(Turn::Judge(Claim { attempt: Box::new(attempt), server_final }))
            }
            Self::ScramEnd => response.is_empty().then_some(Turn::Done),
        }
    }
}

impl Turn {
    fn challenge(awaiting: Awaiting, plain: &str) -> Self {
        Self::Challenge(Exchange(awaiting), STANDARD.encode(plain))
    }

    fn password(credentials: Credentials) -> Self {
        Self::Judge(Claim::of_password(credentials))
    }
}

impl LookUp {
    /// Who logs in.
    pub fn user(&self) -> &str {
        self.0.user()
    }

    /// Goes on with what is kept of the password.
    pub fn answer(self, secret: Secret) -> Turn {
        let (challenged, challenge) = self.0.challenge(secret);
        Turn::Challenge(Exchange(Awaiting::ScramFinal(Box::new(challenged))), challenge)
    }
}

impl Claim {
    /// That this is the user's password.
    pub fn of_password(credentials: Credentials) -> Self {
        Self { attempt: Box::new(Attempt::Password(credentials)), server_final: None }
    }

    /// What the client claims.
    pub fn attempt(&self) -> &Attempt {
        &self.attempt
    }

    /// It is so. Now the server proves itself, if the mechanism wants that: not before, for it would tell somebody who guesses.
    pub fn grant(self) -> Turn {
        match self.server_final {
            Some(said) => Turn::Challenge(Exchange(Awaiting::ScramEnd), said),
            None => Turn::Done,
        }
    }
}

impl Attempt {
    /// Who logs in.
    pub fn user(&self) -> &str {
        match self {
            Self::Password(credentials) => &credentials.user,
            Self::Proof { user, .. } => user,
        }
    }
}

/// What a client said for LOGIN: one text, which can't be empty.
fn text(response: &[u8]) -> Option<String> {
    let text = String::from_utf8(STANDARD.decode(response).ok()?).ok()?;
    (!text.is_empty() && !text.contains('\0')).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn challenged(turn: Turn) -> (Exchange, String) {
        match turn {
            Turn::Challenge(exchange, challenge) => (exchange, challenge),
            other => panic!("no challenge: {other:?}"),
        }
    }

    fn flaw(turn: Turn) -> Flaw {
        match turn {
            Turn::Over(flaw) => flaw,
            other => panic!("not over: {other:?}"),
        }
    }

    fn password(turn: Turn) -> Credentials {
        let Turn::Judge(Claim { attempt, .. }) = turn else { panic!("nothing to judge: {turn:?}") };
        match *attempt {
            Attempt::Password(credentials) => credentials,
            other => panic!("no password: {other:?}"),
        }
    }

    #[test]
    fn login_asks_for_both() {
        let tim = Credentials { user: "tim".into(), password: "tanstaaftanstaaf".into() };
        let (exchange, challenge) = challenged(Exchange::begin(Mechanism::Login, &Channel::Local, None));
        assert_eq!(challenge, "VXNlcm5hbWU6");
        let (exchange, challenge) = challenged(exchange.respond(b"dGlt"));
        assert_eq!(challenge, "UGFzc3dvcmQ6");
        assert_eq!(password(exchange.respond(b"dGFuc3RhYWZ0YW5zdGFhZg==")), tim);
        let (exchange, challenge) = challenged(Exchange::begin(Mechanism::Login, &Channel::Local, Some(b"dGlt")));
        assert_eq!(challenge, "UGFzc3dvcmQ6");
        assert_eq!(password(exchange.respond(b"dGFuc3RhYWZ0YW5zdGFhZg==")), tim);
        for bad in ["", "=", "tim!", "AA=="] {
            let (exchange, _) = challenged(Exchange::begin(Mechanism::Login, &Channel::Local, None));
            assert_eq!(flaw(exchange.respond(bad.as_bytes())), Flaw::Malformed, "{bad}");
        }
    }

    #[test]
    fn every_mechanism_can_be_cancelled_and_takes_no_empty_response() {
        for mechanism in Mechanism::ALL {
            assert_eq!(flaw(Exchange::begin(mechanism, &Channel::Local, Some(b"="))), Flaw::Malformed);
            let (exchange, _) = challenged(Exchange::begin(mechanism, &Channel::Local, None));
            assert_eq!(flaw(exchange.respond(b"*")), Flaw::Cancelled);
            let (exchange, _) = challenged(Exchange::begin(mechanism, &Channel::Local, None));
            assert_eq!(flaw(exchange.respond(b"=")), Flaw::Malformed);
        }
    }

    #[test]
    fn the_password_is_not_in_debug_output() {
        let turn = Exchange::begin(Mechanism::Plain, &Channel::Local, Some(b"AHRpbQB0YW5zdGFhZg=="));
        assert!(!format!("{turn:?}").contains("tanstaaf"));
    }

    proptest! {
        #[test]
        fn whatever_comes_is_answered(
            mechanism in proptest::sample::select(Mechanism::ALL.to_vec()),
            responses in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..60), 1..4),
            in_base64 in any::<bool>(),
        ) {
            let mut turn = Exchange::begin(mechanism, &Channel::Local, None);
            for response in responses {
                let response = if in_base64 { STANDARD.encode(response).into_bytes() } else { response };
                match turn {
                    Turn::Challenge(exchange, _) => turn = exchange.respond(&response),
                    _ => break,
                }
            }
        }
    }
}
