//! Both sides against the example of RFC 7677 §3, against each other, and against somebody in the middle.

use std::num::NonZeroU32;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;

use super::{ITERATIONS, SERVER_ITERATIONS_MAX, Verifier};
use crate::sasl::client::{self, Unproved};
use crate::sasl::plain::Credentials;
use crate::sasl::server::{Attempt, Claim, Exchange, Flaw, Secret, Turn};
use crate::sasl::{Bindings, Channel, Mechanism};

const CLIENT_NONCE: &str = "rOprNGfwEbeRWgbNEkqO";
const SERVER_NONCE: &str = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";

const CLIENT_FIRST: &str = "n,,n=user,r=rOprNGfwEbeRWgbNEkqO";
const SERVER_FIRST: &str = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
const CLIENT_FINAL: &str = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                            p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
const SERVER_FINAL: &str = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";

fn credentials(user: &str, password: &str) -> Credentials {
    Credentials { user: user.to_owned(), password: password.to_owned() }
}

fn secret(password: &str) -> Secret {
    let salt = STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap();
    Secret { verifier: Verifier::derive(password, &salt, ITERATIONS), nonce: SERVER_NONCE.to_owned() }
}

fn tls(exporter: Option<u8>, end_point: Option<u8>) -> Channel {
    let server_end_point = end_point.map(|octet| vec![octet; 48]);
    Channel::Tls(Arc::new(Bindings { exporter: exporter.map(|octet| [octet; 32]), server_end_point }))
}

fn begin(mechanism: Mechanism, channel: &Channel, message: &str) -> Turn {
    Exchange::begin(mechanism, channel, Some(STANDARD.encode(message).as_bytes()))
}

/// The challenge in plain text, and who awaits its response.
fn challenged(turn: Turn) -> (Exchange, String) {
    match turn {
        Turn::Challenge(exchange, text) => (exchange, String::from_utf8(STANDARD.decode(text).unwrap()).unwrap()),
        other => panic!("no challenge: {other:?}"),
    }
}

fn looked_up(turn: Turn, user: &str, secret: Secret) -> Turn {
    match turn {
        Turn::LookUp(question) => {
            assert_eq!(question.user(), user);
            question.answer(secret)
        }
        other => panic!("no question: {other:?}"),
    }
}

fn verdict(turn: Turn, user: &str) -> bool {
    match turn {
        Turn::Judge(claim) => {
            assert_eq!(claim.attempt().user(), user);
            is_proved(&claim)
        }
        other => panic!("no proof: {other:?}"),
    }
}

fn is_proved(claim: &Claim) -> bool {
    match claim.attempt() {
        Attempt::Proof { is_valid, .. } => *is_valid,
        other => panic!("no proof: {other:?}"),
    }
}

fn granted(turn: Turn) -> Turn {
    match turn {
        Turn::Judge(claim) if is_proved(&claim) => claim.grant(),
        other => panic!("nothing to grant: {other:?}"),
    }
}

fn is_malformed(turn: &Turn) -> bool {
    matches!(turn, Turn::Over(Flaw::Malformed))
}

/// What the server makes of a client that says this first and last.
fn serve(channel: &Channel, first: &str, last: &str) -> Turn {
    let turn = looked_up(begin(Mechanism::ScramSha256, channel, first), "user", secret("pencil"));
    challenged(turn).0.respond(STANDARD.encode(last).as_bytes())
}

fn client(channel: &Channel) -> client::Exchange {
    client::Exchange::begin(&credentials("user", "pencil"), channel, |_| true, CLIENT_NONCE).unwrap()
}

fn respond(client: &mut client::Exchange, challenge: &str) -> Result<String, Unproved> {
    let response = client.respond(&STANDARD.encode(challenge))?;
    Ok(String::from_utf8(STANDARD.decode(response).unwrap()).unwrap())
}

#[test]
fn the_server_holds_the_example() {
    let turn = looked_up(begin(Mechanism::ScramSha256, &Channel::Local, CLIENT_FIRST), "user", secret("pencil"));
    let (exchange, challenge) = challenged(turn);
    assert_eq!(challenge, SERVER_FIRST);
    let (exchange, challenge) = challenged(granted(exchange.respond(STANDARD.encode(CLIENT_FINAL).as_bytes())));
    assert_eq!(challenge, SERVER_FINAL);
    assert!(matches!(exchange.respond(b""), Turn::Done));
}

#[test]
fn the_client_holds_the_example() {
    let mut client = client(&Channel::Local);
    assert_eq!(client.mechanism(), Mechanism::ScramSha256);
    assert_eq!(client.initial(), Some(STANDARD.encode(CLIENT_FIRST)));
    assert_eq!(respond(&mut client, SERVER_FIRST).as_deref(), Ok(CLIENT_FINAL));
    assert_eq!(respond(&mut client, SERVER_FINAL).as_deref(), Ok(""));
    assert_eq!(client.finish(), Ok(()));
}

#[test]
fn the_server_takes_its_proof_for_heard_by_an_empty_response_alone() {
    let end = || challenged(granted(serve(&Channel::Local, CLIENT_FIRST, CLIENT_FINAL))).0;
    assert!(is_malformed(&end().respond(b"YQ==")));
    assert!(matches!(end().respond(b"*"), Turn::Over(Flaw::Cancelled)));
}

#[test]
fn the_server_refuses_what_proves_nothing() {
    let proof = |last: &str| verdict(serve(&Channel::Local, CLIENT_FIRST, last), "user");
    assert!(!proof(&CLIENT_FINAL.replace("p=d", "p=e")), "another proof");
    assert!(!proof(&CLIENT_FINAL.replace("k0,", "k1,")), "another nonce");
    assert!(!proof(&CLIENT_FINAL.replace("biws", "eSws")), "another header");
    assert!(!proof(&CLIENT_FINAL.replace(",p=", ",t=1,p=")), "an extension that was not signed");
    for bad in ["", "c=biws", &CLIENT_FINAL.replace("VQ=", "V"), &CLIENT_FINAL.replace(",p=", ",m=1,p=")] {
        assert!(is_malformed(&serve(&Channel::Local, CLIENT_FIRST, bad)), "{bad}");
    }
}

#[test]
fn the_server_takes_no_header_that_does_not_fit() {
    use Mechanism::{ScramSha256, ScramSha256Plus};
    for (mechanism, header, fits) in [
        (ScramSha256, "n,,", true),
        (ScramSha256, "n,a=user,", true),
        (ScramSha256, "n,a=other,", false),
        (ScramSha256, "y,,", true),
        (ScramSha256, "p=tls-exporter,,", false),
        (ScramSha256Plus, "n,,", false),
        (ScramSha256Plus, "y,,", false),
        (ScramSha256Plus, "p=tls-exporter,,", true),
        (ScramSha256Plus, "p=tls-server-end-point,,", false),
        (ScramSha256Plus, "p=tls-unique,,", false),
    ] {
        let turn = begin(mechanism, &tls(Some(1), None), &format!("{header}n=user,r=x"));
        assert_eq!(matches!(turn, Turn::LookUp(_)), fits, "{} {header}", mechanism.name());
        assert_eq!(is_malformed(&turn), !fits, "{} {header}", mechanism.name());
    }
}

/// A login of this client over these two ends of a channel; the server offers what `offers` lets through. `None`: the client
/// gives up.
fn log_in(
    (client_end, server_end): (&Channel, &Channel),
    offers: impl Fn(Mechanism) -> bool,
    credentials: &Credentials,
    secret: Secret,
) -> Option<bool> {
    let offered = |it: Mechanism| it.fits(server_end) && offers(it);
    let mut client = client::Exchange::begin(credentials, client_end, offered, CLIENT_NONCE).unwrap();
    let mut turn = Exchange::begin(client.mechanism(), server_end, Some(client.initial().unwrap().as_bytes()));
    let mut secret = Some(secret);
    loop {
        turn = match turn {
            Turn::Challenge(exchange, challenge) => exchange.respond(client.respond(&challenge).ok()?.as_bytes()),
            Turn::LookUp(question) => question.answer(secret.take()?),
            Turn::Judge(claim) if is_proved(&claim) => claim.grant(),
            Turn::Done => return client.finish().ok().map(|()| true),
            Turn::Judge(_) => {
                assert_eq!(client.finish(), Err(Unproved), "the server has proved nothing");
                return Some(false);
            }
            Turn::Over(flaw) => panic!("{flaw:?}"),
        };
    }
}

#[test]
fn a_login_over_another_connection_proves_nothing() {
    let user = credentials("user", "pencil");
    let login = |client_end: Channel, server_end: Channel| {
        log_in((&client_end, &server_end), |_| true, &user, secret("pencil"))
    };
    assert_eq!(login(tls(Some(1), Some(2)), tls(Some(1), Some(2))), Some(true));
    assert_eq!(login(tls(Some(1), Some(2)), tls(Some(3), Some(2))), Some(false));
    assert_eq!(login(tls(None, Some(2)), tls(Some(1), Some(2))), Some(true));
    assert_eq!(login(tls(None, Some(2)), tls(None, Some(3))), Some(false));
}

#[test]
fn a_list_of_mechanisms_that_was_shortened_is_found_out() {
    let (user, channel) = (credentials("user", "pencil"), tls(Some(1), None));
    let without_plus = |it: Mechanism| it != Mechanism::ScramSha256Plus;
    assert_eq!(log_in((&channel, &channel), without_plus, &user, secret("pencil")), Some(false));
    // A client that knows no bindings has nothing to find out.
    let unbound = tls(None, None);
    assert_eq!(log_in((&unbound, &channel), without_plus, &user, secret("pencil")), Some(true));
    assert_eq!(log_in((&channel, &unbound), |_| true, &user, secret("pencil")), Some(true));
}

#[test]
fn the_client_refuses_a_server_that_asks_for_too_little_or_too_much() {
    for bad in [
        "r=rOprNGfwEbeRWgbNEkqO,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096".to_owned(),
        SERVER_FIRST.replace("r=rOpr", "r=other"),
        SERVER_FIRST.replace("4096", "4095"),
        SERVER_FIRST.replace("4096", &(SERVER_ITERATIONS_MAX + 1).to_string()),
        SERVER_FIRST.replace("4096", "99999999999"),
        format!("m=1,{SERVER_FIRST}"),
        SERVER_FINAL.to_owned(),
        "e=unknown-user".to_owned(),
        String::new(),
    ] {
        assert_eq!(respond(&mut client(&Channel::Local), &bad), Err(Unproved), "{bad}");
    }
    assert_eq!(client(&Channel::Local).respond("no base64"), Err(Unproved));
}

#[test]
fn the_client_takes_no_success_without_proof() {
    assert_eq!(client(&Channel::Local).finish(), Err(Unproved));
    let proved = || {
        let mut client = client(&Channel::Local);
        respond(&mut client, SERVER_FIRST).unwrap();
        client
    };
    assert_eq!(proved().finish(), Err(Unproved));
    for bad in [SERVER_FINAL.replace("v=6", "v=7"), "v=YQ==".to_owned(), SERVER_FIRST.to_owned()] {
        let mut client = proved();
        assert_eq!(respond(&mut client, &bad), Err(Unproved), "{bad}");
        assert_eq!(respond(&mut client, SERVER_FINAL), Err(Unproved), "there is no second try");
        assert_eq!(client.finish(), Err(Unproved));
    }
    // A server that refuses is left to say so.
    let mut client = proved();
    assert_eq!(respond(&mut client, "e=invalid-proof").as_deref(), Ok(""));
    assert_eq!(respond(&mut client, SERVER_FINAL), Err(Unproved));
    assert_eq!(client.finish(), Err(Unproved));
}

#[test]
fn secrets_are_not_in_debug_output() {
    let channel = tls(Some(77), None);
    let mut client = client(&channel);
    let (exchange, challenge) = challenged(looked_up(
        begin(Mechanism::ScramSha256Plus, &channel, "p=tls-exporter,,n=user,r=rOprNGfwEbeRWgbNEkqO"),
        "user",
        secret("pencil"),
    ));
    let before = format!("{client:?}");
    respond(&mut client, &challenge).unwrap();
    for shown in [before, format!("{client:?}"), format!("{exchange:?}")] {
        assert!(!shown.contains("pencil") && !shown.contains("77"), "{shown}");
    }
}

fn channels() -> impl Strategy<Value = Channel> {
    let bindings =
        (any::<Option<u8>>(), any::<Option<u8>>()).prop_map(|(exporter, end_point)| tls(exporter, end_point));
    prop_oneof![Just(Channel::Local), bindings]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn the_right_password_logs_in_and_no_other(
        user in "[a-zäöü=,@.+]{1,20}",
        password in "[^\0]{1,20}",
        other in "[a-z]{1,20}",
        channel in channels(),
        salt in proptest::collection::vec(any::<u8>(), 1..20),
        iterations in 4096..5000u32,
    ) {
        prop_assume!(!Verifier::derive(&password, &salt, ITERATIONS).accepts(&other));
        let secret = || {
            let verifier = Verifier::derive(&password, &salt, NonZeroU32::new(iterations).unwrap());
            Secret { verifier, nonce: SERVER_NONCE.to_owned() }
        };
        let login = |password: &str| log_in((&channel, &channel), |_| true, &credentials(&user, password), secret());
        prop_assert_eq!(login(&password), Some(true));
        prop_assert_eq!(login(&other), Some(false));
    }

    #[test]
    fn whatever_changes_on_the_way_proves_nothing(
        at in any::<prop::sample::Index>(),
        octet in 0x21..0x7fu8,
        is_first in any::<bool>(),
    ) {
        let tampered = |message: &str| {
            let mut octets = message.as_bytes().to_vec();
            let at = at.index(octets.len());
            let is_changed = octets[at] != octet;
            octets[at] = octet;
            (String::from_utf8(octets).unwrap(), is_changed)
        };
        let (first, last, is_changed) = if is_first {
            let (first, is_changed) = tampered(CLIENT_FIRST);
            (first, CLIENT_FINAL.to_owned(), is_changed)
        } else {
            let (last, is_changed) = tampered(CLIENT_FINAL);
            (CLIENT_FIRST.to_owned(), last, is_changed)
        };
        prop_assume!(is_changed);
        match begin(Mechanism::ScramSha256, &Channel::Local, &first) {
            Turn::LookUp(question) => {
                let (exchange, _) = challenged(question.answer(secret("pencil")));
                match exchange.respond(STANDARD.encode(last).as_bytes()) {
                    Turn::Judge(claim) => prop_assert!(!is_proved(&claim)),
                    Turn::Over(Flaw::Malformed) => {}
                    other => prop_assert!(false, "{:?}", other),
                }
            }
            turn => prop_assert!(is_malformed(&turn)),
        }
    }

    #[test]
    fn whatever_a_server_says_is_answered(
        challenges in proptest::collection::vec(any::<String>(), 1..4),
        in_base64 in any::<bool>(),
    ) {
        for mechanism in Mechanism::ALL {
            let channel = tls(Some(1), None);
            let user = credentials("user", "pencil");
            let mut client = client::Exchange::begin(&user, &channel, |it| it == mechanism, CLIENT_NONCE).unwrap();
            for challenge in &challenges {
                let challenge = if in_base64 { STANDARD.encode(challenge) } else { challenge.clone() };
                if client.respond(&challenge).is_err() {
                    break;
                }
            }
        }
    }
}
