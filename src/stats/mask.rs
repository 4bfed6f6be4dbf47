//! The shown form of a key: digits that tell it from others and nothing about it. A plain hash of
//! few possible parameters could be guessed by hashing them all; without this process's secret it
//! cannot.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use uuid::Uuid;

/// A secret of this process, which nothing shows and nobody keeps.
pub(super) struct KeyMask([u8; 32]);

impl Default for KeyMask {
    /// Returns a new secret.
    fn default() -> KeyMask {
        let mut secret = [0; 32];
        let (head, tail) = secret.split_at_mut(16);
        // Each is 122 bits from the system's source of randomness.
        head.copy_from_slice(Uuid::new_v4().as_bytes());
        tail.copy_from_slice(Uuid::new_v4().as_bytes());
        KeyMask(secret)
    }
}

impl KeyMask {
    /// Returns eight hexadecimal digits.
    pub(super) fn masked_digits(&self, digest: u128) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("a secret of any length does");
        mac.update(&digest.to_le_bytes());
        let code = mac.finalize().into_bytes();
        let [a, b, c, d, ..] = <[u8; 32]>::from(code);
        format!("{:08x}", u32::from_be_bytes([a, b, c, d]))
    }
}

impl fmt::Debug for KeyMask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Mask")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_one_face_in_a_process_and_another_in_the_next() {
        let (one, other) = (KeyMask::default(), KeyMask::default());
        assert_eq!(one.masked_digits(1), one.masked_digits(1));
        assert_ne!(one.masked_digits(1), one.masked_digits(2));
        assert_ne!(one.masked_digits(1), other.masked_digits(1));
        assert!(
            one.masked_digits(1).len() == 8
                && one.masked_digits(1).bytes().all(|b| b.is_ascii_hexdigit())
        );
    }

    /// The second test case of RFC 4231.
    #[test]
    fn it_is_the_hmac_of_its_rfc() {
        let mut mac = Hmac::<Sha256>::new_from_slice(b"Jefe").expect("any length");
        mac.update(b"what do ya want for nothing?");
        let code = <[u8; 32]>::from(mac.finalize().into_bytes());
        assert_eq!(code[..4], [0x5b, 0xdc, 0xc1, 0x46]);
    }
}
