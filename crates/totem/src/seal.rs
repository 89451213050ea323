//! Records that only holders of the cluster's key can read, one after the other: for what a node writes down that may
//! contain secrets.

use std::fmt;

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};

use crate::AuthKey;
use crate::crypto::{expand, extract};

/// Bytes of the salt that tells one series of records from all others.
pub const SALT_LEN: usize = 16;

/// Seals or opens a series of records, in order. A record that is missing, changed or out of place cannot be opened.
pub struct Sealer {
    key: Option<LessSafeKey>,
    next: u64,
}

impl Sealer {
    /// For a series under this key. To seal, `salt` must come from the operating system's random source and never be used
    /// twice; to open, it is the one that was sealed with.
    #[must_use]
    pub fn new(authkey: &AuthKey, salt: [u8; SALT_LEN]) -> Self {
        let secret = expand(&extract(authkey), b"records", &[&salt]);
        // A 32-byte key is always accepted; without one nothing is sealed or opened, which fails closed.
        let key = UnboundKey::new(&AES_256_GCM, secret.as_ref()).ok().map(LessSafeKey::new);
        Self { key, next: 0 }
    }

    /// The next record, sealed: ciphertext and tag.
    #[must_use]
    pub fn seal(&mut self, mut record: Vec<u8>) -> Option<Vec<u8>> {
        let nonce = self.nonce();
        let key = self.key.as_ref()?;
        key.seal_in_place_append_tag(nonce, Aad::empty(), &mut record).ok()?;
        Some(record)
    }

    /// The next record, opened.
    #[must_use]
    pub fn open(&mut self, mut sealed: Vec<u8>) -> Option<Vec<u8>> {
        let nonce = self.nonce();
        let key = self.key.as_ref()?;
        let length = key.open_in_place(nonce, Aad::empty(), &mut sealed).ok()?.len();
        sealed.truncate(length);
        Some(sealed)
    }

    /// Each place in a series has a nonce of its own, and each series a key of its own.
    fn nonce(&mut self) -> Nonce {
        let mut nonce = [0; 12];
        nonce[..8].copy_from_slice(&self.next.to_le_bytes());
        self.next += 1;
        Nonce::assume_unique_for_key(nonce)
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealer({} records)", self.next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(key: u8, salt: u8) -> Sealer {
        Sealer::new(&AuthKey::new(vec![key; 32]).expect("32 bytes are a key"), [salt; SALT_LEN])
    }

    #[test]
    fn a_series_is_opened_in_its_order_by_who_has_the_key() {
        let mut sealing = series(1, 2);
        let sealed: Vec<_> = [b"one".to_vec(), b"two".to_vec()].into_iter().filter_map(|r| sealing.seal(r)).collect();
        assert!(!sealed[0].windows(3).any(|bytes| bytes == b"one"));
        let mut opening = series(1, 2);
        assert_eq!(opening.open(sealed[0].clone()).as_deref(), Some(&b"one"[..]));
        assert_eq!(opening.open(sealed[1].clone()).as_deref(), Some(&b"two"[..]));

        assert_eq!(series(1, 2).open(sealed[1].clone()), None, "out of place");
        assert_eq!(series(3, 2).open(sealed[0].clone()), None, "another key");
        assert_eq!(series(1, 3).open(sealed[0].clone()), None, "another series");
    }
}
