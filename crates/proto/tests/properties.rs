//! What holds of any input, tried with pieces of dialogues and with noise, and with each input that once made it fail. The
//! fuzzers of `fuzz/` try the same with inputs that they find themselves.
#![allow(clippy::panic, clippy::unwrap_used, reason = "a test that can't go on must fail")]

mod pieces;

use std::fmt;
use std::path::Path;

use proptest::prelude::*;
use testkit::properties;

/// Tries a property of this name with so many octets of choices and these pieces, and with what once made it fail.
macro_rules! hold {
    ($($name:ident: $choices:literal, $pieces:ident, $cases:literal;)*) => {
        $(
            mod $name {
                use super::*;

                proptest! {
                    #![proptest_config(ProptestConfig::with_cases($cases))]
                    #[test]
                    fn holds(input in inputs($choices, pieces::$pieces)) {
                        properties::$name(&input.0);
                    }
                }

                #[test]
                fn holds_again() {
                    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/regressions");
                    properties::replay(&folder, stringify!($name), properties::$name);
                }
            }
        )*
    };
}

hold! {
    addresses: 0, ADDRESSES, 2000;
    carriable: 4, MESSAGES, 1000;
    command_parser: 1, SMTP, 1000;
    data_reader: 2, MAIL_DATA, 2000;
    pop3_client: 2, POP3_SERVER, 1000;
    pop3_session: 16, POP3, 1000;
    sasl: 1, LOGINS, 300;
    smtp_client: 8, SMTP_SERVER, 1000;
    smtp_session: 16, SMTP, 1000;
}

/// The login of RFC 7677 §3, and with other choices one for which the password is another.
#[test]
fn a_login_of_the_rfc_holds_with_every_choice() {
    let [first, last] = ["n,,n=user,r=rOpr", "c=biws,r=rOpr"].map(|begin| {
        let line = pieces::LOGINS.iter().find(|piece| piece.starts_with(begin));
        line.unwrap().as_bytes()
    });
    for who in 0..32 {
        properties::sasl(&[&[who], first, last, b"\n"].concat());
    }
}

/// So many octets of choices, then pieces of what may be said, and some noise.
fn inputs(choices: usize, pieces: &'static [&'static str]) -> impl Strategy<Value = Input> {
    // A driver says yes to a 4, and a session comes farther with it.
    let yes = proptest::collection::vec(prop_oneof![3 => Just(4), 1 => any::<u8>()], choices);
    let choices = prop_oneof![yes, proptest::collection::vec(any::<u8>(), choices)];
    let piece = prop_oneof![
        9 => proptest::sample::select(pieces).prop_map(|piece| piece.as_bytes().to_vec()),
        1 => proptest::collection::vec(any::<u8>(), 0..20),
    ];
    let said = proptest::collection::vec(piece, 0..40);
    (choices, said).prop_map(|(choices, said)| Input([choices, said.concat()].concat()))
}

/// It is printed as text, as far as it is one.
struct Input(Vec<u8>);

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.escape_ascii())
    }
}
