//! Logins: both ends of every mechanism, the forms of their messages, and what is kept of a password.

use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use proto::sasl::plain::Credentials;
use proto::sasl::scram::{self, Verifier};
use proto::sasl::server::{Attempt, Exchange, Secret, Turn};
use proto::sasl::{AUTH_OCTETS_MAX, Channel, Mechanism, client};

use super::answers::PENCIL;
use super::parted;
use crate::world::{NONCE, encrypted};

/// The client's nonce in the example of RFC 7677 §3.
const CLIENT_NONCE: &str = "rOprNGfwEbeRWgbNEkqO";
/// A password that no input tells.
const UNTOLD: &str = "0hX-told-to-nobody";
/// How much work a server may ask of the client here.
const ITERATIONS_MAX: u32 = 5000;

static KEPT_OF_UNTOLD: LazyLock<Verifier> =
    LazyLock::new(|| Verifier::derive(UNTOLD, &[7; scram::SALT_OCTETS], scram::ITERATIONS));

/// An input is a choice of mechanism, channel and more, and lines that one end says.
pub fn sasl(input: &[u8]) {
    let ([who], said) = parted(input);
    let mechanism = Mechanism::ALL[usize::from(who % 4)];
    let channel = if who & 4 == 0 { encrypted() } else { Channel::Local };
    let in_base64 = who & 8 != 0;
    let lines: Vec<Vec<u8>> = said
        .split(|octet| *octet == b'\n')
        .map(|line| if in_base64 { STANDARD.encode(line).into_bytes() } else { line.to_vec() })
        .collect();
    server(mechanism, &channel, &lines, who & 16 != 0);
    client(mechanism, &channel, &lines);
    let text = String::from_utf8_lossy(said);
    if let Ok(verifier) = text.parse::<Verifier>() {
        assert_eq!(verifier.to_string().parse(), Ok(verifier), "{text:?}");
    }
    if let Some(credentials) = Credentials::decode(&lines[0]) {
        assert!(!credentials.user.contains('\0') && !credentials.password.contains('\0'));
        assert_eq!(Credentials::decode(credentials.encode().as_bytes()), Some(credentials));
    }
}

/// A client says it: a proof holds only if the password may have been told.
fn server(mechanism: Mechanism, channel: &Channel, lines: &[Vec<u8>], is_untold: bool) {
    let verifier = if is_untold { &*KEPT_OF_UNTOLD } else { &*PENCIL };
    let mut lines = lines.iter();
    let mut turn = Exchange::begin(mechanism, channel, lines.next().filter(|line| !line.is_empty()).map(Vec::as_slice));
    loop {
        turn = match turn {
            Turn::Challenge(exchange, challenge) => {
                assert!(STANDARD.decode(&challenge).is_ok() && challenge.len() < AUTH_OCTETS_MAX, "{challenge:?}");
                let Some(line) = lines.next() else { return };
                exchange.respond(line)
            }
            Turn::LookUp(question) => {
                assert!(!question.user().is_empty() && !question.user().contains('\0'));
                question.answer(Secret { verifier: verifier.clone(), nonce: NONCE.to_owned() })
            }
            Turn::Judge(claim) => match claim.attempt() {
                Attempt::Proof { is_valid, user, .. } => {
                    assert!(!(*is_valid && is_untold), "a proof of a password that was told to nobody");
                    assert!(!user.is_empty());
                    if !is_valid {
                        return;
                    }
                    claim.grant()
                }
                Attempt::Password(credentials) => {
                    assert!(!credentials.user.is_empty() && !credentials.password.is_empty());
                    claim.grant()
                }
            },
            Turn::Done | Turn::Over(_) => return,
        };
    }
}

/// A server says it: the client says no password over SCRAM, and takes nobody for proved who does not know it.
fn client(mechanism: Mechanism, channel: &Channel, lines: &[Vec<u8>]) {
    let credentials = Credentials { user: "user".to_owned(), password: UNTOLD.to_owned() };
    let Some(mut exchange) = client::Exchange::begin(&credentials, channel, |it| it == mechanism, CLIENT_NONCE) else {
        return assert!(!mechanism.fits(channel));
    };
    let is_scram = matches!(mechanism, Mechanism::ScramSha256 | Mechanism::ScramSha256Plus);
    let mut said: Vec<String> = exchange.initial().into_iter().collect();
    for line in lines {
        let challenge = String::from_utf8_lossy(line);
        if asks_for_too_much(line) {
            break;
        }
        match exchange.respond(&challenge) {
            Ok(response) => said.push(response),
            Err(_) => break,
        }
    }
    for response in said {
        let plain = STANDARD.decode(response).expect("base64");
        let tells = plain.windows(UNTOLD.len()).any(|window| window == UNTOLD.as_bytes());
        assert!(!(is_scram && tells), "the password is said");
    }
    assert!(!(is_scram && exchange.finish().is_ok()), "a server that proved nothing");
}

/// Many rounds take their time and show nothing new.
fn asks_for_too_much(challenge: &[u8]) -> bool {
    let plain = STANDARD.decode(challenge).unwrap_or_default();
    let text = String::from_utf8_lossy(&plain);
    let iterations = text.split(',').find_map(|attribute| attribute.strip_prefix("i="));
    iterations.is_some_and(|iterations| iterations.parse().is_ok_and(|iterations: u32| iterations > ITERATIONS_MAX))
}
