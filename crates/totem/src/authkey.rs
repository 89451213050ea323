//! The cluster's secret: the key itself, its name that may be shown, and the next key on its way to everybody.

use std::fmt;

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::hmac;
use zeroize::Zeroizing;

use crate::ConfigError;
use crate::crypto::{expand, extract};

/// Smallest key, bytes.
const MIN: usize = 32;
/// Largest key, bytes.
const MAX: usize = 4096;
/// Bytes of the salt in front of a sealed key.
const SALT: usize = 16;
/// What a sealed key is bound to, so that nothing else can be taken for one.
const SEALED: &[u8] = b"hacd next authkey";

/// The cluster's shared secret, `authkey`: wiped from memory when dropped, never printed.
#[derive(Clone)]
pub struct AuthKey(Zeroizing<Vec<u8>>);

/// Names a key without telling anything of it: 64 bits derived from it one way. `Display` is 16 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fingerprint(pub [u8; 8]);

/// A key that only holders of another key can read: salt, ciphertext, tag. It may lie on a disk or go over a network
/// that is not encrypted.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedKey(Vec<u8>);

impl AuthKey {
    /// Takes the raw bytes of the key file, which corosync-keygen or `hacctl keygen` wrote.
    ///
    /// # Errors
    /// [`ConfigError::AuthKeyLength`] unless there are 32 to 4096 bytes.
    pub fn new(bytes: Vec<u8>) -> Result<Self, ConfigError> {
        let bytes = Zeroizing::new(bytes);
        if (MIN..=MAX).contains(&bytes.len()) { Ok(Self(bytes)) } else { Err(ConfigError::AuthKeyLength(bytes.len())) }
    }

    /// The raw bytes, for the key file and nothing else.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// The name of this key that may be shown.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        let derived = expand(&extract(self), b"fingerprint", &[]);
        let mut name = [0; 8];
        name.copy_from_slice(&derived[..8]);
        Fingerprint(name)
    }

    /// Seals `next` for holders of this key. `salt` must come from the operating system's random source and never be
    /// used twice.
    #[must_use]
    pub fn seal(&self, next: &Self, salt: [u8; SALT]) -> SealedKey {
        let mut sealed = salt.to_vec();
        let mut body = Zeroizing::new(next.0.to_vec());
        if let Some(key) = self.sealing_key(&salt)
            && let Ok(tag) = key.seal_in_place_separate_tag(nonce(), Aad::from(SEALED), &mut body)
        {
            sealed.extend_from_slice(&body);
            sealed.extend_from_slice(tag.as_ref());
        }
        SealedKey(sealed)
    }

    /// Opens what was sealed under this key; `None` if it was sealed under another one or was changed.
    #[must_use]
    pub fn unseal(&self, sealed: &SealedKey) -> Option<Self> {
        let (salt, body) = sealed.0.split_at_checked(SALT)?;
        let mut body = Zeroizing::new(body.to_vec());
        let plain = self.sealing_key(salt)?.open_in_place(nonce(), Aad::from(SEALED), &mut body).ok()?;
        Self::new(plain.to_vec()).ok()
    }

    fn sealing_key(&self, salt: &[u8]) -> Option<LessSafeKey> {
        let secret = expand(&extract(self), b"next-key", &[salt]);
        // A 32-byte key is always accepted; without one nothing could be opened, which fails closed.
        UnboundKey::new(&AES_256_GCM, secret.as_ref()).ok().map(LessSafeKey::new)
    }
}

/// Every salt makes a key of its own, with which one thing is sealed.
fn nonce() -> Nonce {
    Nonce::assume_unique_for_key([0; 12])
}

impl PartialEq for AuthKey {
    fn eq(&self, other: &Self) -> bool {
        let mac = |key: &Self| hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, b"same key"), key.bytes());
        mac(self).as_ref() == mac(other).as_ref()
    }
}

impl Eq for AuthKey {}

impl fmt::Debug for AuthKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AuthKey(..)")
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl SealedKey {
    /// Takes the bytes as they were stored or received; whether they are a sealed key shows when it is opened.
    #[must_use]
    pub const fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The bytes to store or to send.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for SealedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealedKey({} bytes)", self.0.len())
    }
}

#[cfg(test)]
mod tests;
