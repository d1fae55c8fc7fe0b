//! The POP3 server's session, spoken to as the text files in `pop3_dialogues/` say, whole and byte by byte.

use std::path::Path;

use testkit::{Dialogue, Over, Pop3World};

fn run_all(chunk_octets: usize) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pop3_dialogues");
    for channel in [Over::Clear, Over::Tls] {
        for dialogue in Dialogue::all_in(&folder, channel) {
            let chunk_octets = if dialogue.whole { usize::MAX } else { chunk_octets };
            dialogue.run(&mut Pop3World::new(&dialogue, chunk_octets));
        }
    }
}

#[test]
fn whole() {
    run_all(usize::MAX);
}

#[test]
fn byte_by_byte() {
    run_all(1);
}
