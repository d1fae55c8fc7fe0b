//! Numbers that look random and are the same in every run, and mail made of them.

/// A number from a number (SplitMix64).
pub fn noise(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A message that tells its own seed, of about so many octets: lines of all octets that mail may have, many dots among them.
pub fn message(seed: u64, octets: usize) -> Vec<u8> {
    let mut text = format!("{seed}\r\n").into_bytes();
    let mut state = seed;
    while text.len() < octets {
        state = noise(state);
        let line_octets = state as usize % 70;
        for _ in 0..line_octets.div_ceil(8) {
            state = noise(state);
            text.extend(state.to_le_bytes().map(|octet| if matches!(octet, 0..32) { b'.' } else { octet }));
        }
        text.extend(b"\r\n");
    }
    text
}

/// The seed that a message tells.
pub fn seed_of(text: &[u8]) -> u64 {
    let line = text.split(|octet| *octet == b'\r').next().unwrap();
    str::from_utf8(line).unwrap().parse().unwrap()
}
