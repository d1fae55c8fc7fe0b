//! A configuration file in which anything may stand: tried with lines of real ones, and with each input that once made it fail.
//! The fuzzer `config` of `fuzz/` tries the same.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that can't go on must fail")]

mod property;

use std::path::Path;

use proptest::prelude::*;

use property::config;

/// Lines of configurations, and pieces of lines.
const PIECES: &[&str] = &[
    "hostname = \"mail.example.org\"\n",
    "data = \"/var/lib/mymail\"\n",
    "[[listen]]\nprotocol = \"smtp\"\naddress = \"0.0.0.0:25\"\n",
    "[[listen]]\nprotocol = \"lmtp\"\naddress = \"/run/lmtp\"\n",
    "[[listen]]\nprotocol = \"pop3\"\naddress = \"[::]:110\"\ntls = \"implicit\"\n",
    "from_outside = true\n",
    "proxy = true\n",
    "tls = \"off\"\n",
    "[tls]\ncertificate = \"c\"\nkey = \"k\"\n",
    "[store]\n",
    "engine = \"postgres\"\n",
    "url = \"postgres://mymail:sesame@db1,[::1]:6432/mymail?sslmode=require\"\n",
    "url = \"postgres://mymail@%2Frun%2Fpostgresql/mymail\"\n",
    "password_file = \"p\"\n",
    "connections = 7\nnode_lease = \"1m\"\n",
    "[aliases]\n",
    "info = \"alice\"\n",
    "\"*\" = \"alice\"\n",
    "\"*@other.example\" = [\"alice\", \"bob@mymailserver\"]\n",
    "alice = [\"info\"]\n",
    "bob = []\n",
    "j\u{fc}rgen = \"9\"\n",
    "[registration]\n",
    "[registration]\ntokens = [\"sesame\"]\nlease = \"24h\"\n",
    "tokens = [\"sesame\"]\n",
    "lease = \"24h\"\n",
    "[limits]\n",
    "message_size = \"10 MiB\"\n",
    "recipients = 7\n",
    "reserve = 0\n",
    "[timeouts]\n",
    "command = \"5m\"\n",
    "99999999999999999999",
    "\u{fc}",
    "\"",
    "=",
    "\0",
    "\n",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]
    #[test]
    fn holds(pieces in proptest::collection::vec(proptest::sample::select(PIECES), 0..12)) {
        config(pieces.concat().as_bytes());
    }
}

#[test]
fn holds_again() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/regressions");
    testkit::properties::replay(&folder, "config", config);
}
