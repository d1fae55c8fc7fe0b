//! Passwords that the server makes: 80 random bits in 16 characters that are hard to mistake for one another.

use ring::error::Unspecified;
use ring::rand::{SecureRandom, SystemRandom};

/// 32 characters, so that each stands for 5 bits: no `l` and `o`, no `0` and `1`.
const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
const CHARACTERS: usize = 16;
const GROUP: usize = 4;

/// A new password, such as `vqk4-7t2m-p3xa-c9rd`.
pub(crate) fn generate() -> Result<String, Unspecified> {
    let octets: [u8; CHARACTERS] = random()?;
    let mut password = String::with_capacity(CHARACTERS + CHARACTERS / GROUP);
    for (at, octet) in octets.iter().enumerate() {
        if at > 0 && at % GROUP == 0 {
            password.push('-');
        }
        password.push(char::from(ALPHABET[usize::from(octet % 32)]));
    }
    Ok(password)
}

/// Random octets, from the operating system.
pub(super) fn random<const N: usize>() -> Result<[u8; N], Unspecified> {
    let mut octets = [0; N];
    SystemRandom::new().fill(&mut octets)?;
    Ok(octets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_has_four_groups_and_never_repeats() {
        let (first, second) = (generate().unwrap(), generate().unwrap());
        assert_eq!(first.len(), 19);
        assert!(first.split('-').all(|group| group.len() == 4 && group.bytes().all(|b| ALPHABET.contains(&b))));
        assert_ne!(first, second);
    }
}
