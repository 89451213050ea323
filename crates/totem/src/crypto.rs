//! Keys: from the cluster's `authkey` to one key for each direction of each session (HKDF-SHA256).

use hac_types::{Incarnation, NodeId};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, Tag, UnboundKey};
use ring::{digest, hmac};
use zeroize::Zeroizing;

use crate::{AuthKey, Cipher};

#[cfg(test)]
pub(crate) mod tests;

/// Bytes of an AES-GCM tag.
pub(crate) const TAG_LEN: usize = 16;

/// What a process contributes to the freshness of its sessions.
pub(crate) type SessionNonce = [u8; 16];

/// A 256-bit secret, wiped when dropped.
pub(crate) type Secret = Zeroizing<[u8; 32]>;

/// What is derived from the key file alone.
#[derive(Debug)]
pub(crate) struct ClusterKeys {
    prk: hmac::Key,
    hello: hmac::Key,
    cluster: [u8; 4],
}

/// One end of a session: who and with which contribution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct End {
    pub(crate) node: NodeId,
    pub(crate) incarnation: Incarnation,
    pub(crate) nonce: SessionNonce,
}

/// The keys of one direction of a session.
#[derive(Debug)]
pub(crate) struct DirectionKeys {
    pub(crate) mac: hmac::Key,
    aead: Option<LessSafeKey>,
}

impl ClusterKeys {
    pub(crate) fn new(authkey: &AuthKey, cluster_name: &str) -> Self {
        let prk = extract(authkey);
        let hello = expand(&prk, b"hello", &[cluster_name.as_bytes()]);
        let id = expand(&prk, b"cluster-id", &[cluster_name.as_bytes()]);
        let cluster = [id[0], id[1], id[2], id[3]];
        Self { hello: hmac::Key::new(hmac::HMAC_SHA256, hello.as_ref()), prk, cluster }
    }

    /// Authenticates hello frames.
    pub(crate) fn hello(&self) -> &hmac::Key {
        &self.hello
    }

    /// Names cluster and key in every header: a cheap way to refuse, no secret.
    pub(crate) fn cluster(&self) -> [u8; 4] {
        self.cluster
    }

    /// The keys for what `from` sends to `to` in the session these two ends make.
    pub(crate) fn direction(&self, from: &End, to: &End, cipher: Cipher) -> DirectionKeys {
        let sid = session_id(from, to);
        let (source, destination) = (from.node.0.to_le_bytes(), to.node.0.to_le_bytes());
        let context: [&[u8]; 3] = [&sid, &source, &destination];
        let mac = expand(&self.prk, b"mac", &context);
        let aead = match cipher {
            Cipher::None => None,
            Cipher::Aes256Gcm => {
                let secret = expand(&self.prk, b"enc", &context);
                // A 32-byte key is always accepted; without one nothing could be opened, which fails closed.
                UnboundKey::new(&AES_256_GCM, secret.as_ref()).ok().map(LessSafeKey::new)
            }
        };
        DirectionKeys { mac: hmac::Key::new(hmac::HMAC_SHA256, mac.as_ref()), aead }
    }
}

impl DirectionKeys {
    /// Encrypts in place and returns the tag; `None` if this direction is not encrypted.
    pub(crate) fn encrypt(&self, nonce: [u8; 12], header: &[u8], body: &mut [u8]) -> Option<Tag> {
        let key = self.aead.as_ref()?;
        key.seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), Aad::from(header), body).ok()
    }

    /// Decrypts `body` (ciphertext and tag) in place and returns the length of the plaintext.
    pub(crate) fn decrypt(&self, nonce: [u8; 12], header: &[u8], body: &mut [u8]) -> Option<usize> {
        let key = self.aead.as_ref()?;
        let plain = key.open_in_place(Nonce::assume_unique_for_key(nonce), Aad::from(header), body).ok()?;
        Some(plain.len())
    }
}

/// Names a session; both ends compute the same.
fn session_id(one: &End, other: &End) -> [u8; 32] {
    let (lower, upper) = if one.node < other.node { (one, other) } else { (other, one) };
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(&lower.nonce);
    context.update(&upper.nonce);
    context.update(&lower.node.0.to_le_bytes());
    context.update(&upper.node.0.to_le_bytes());
    context.update(&lower.incarnation.0.to_le_bytes());
    context.update(&upper.incarnation.0.to_le_bytes());
    to_array(context.finish().as_ref())
}

/// HKDF-Extract: the secret from which everything else is derived.
pub(crate) fn extract(authkey: &AuthKey) -> hmac::Key {
    let salt = hmac::Key::new(hmac::HMAC_SHA256, b"hacd/1");
    let prk = Zeroizing::new(to_array(hmac::sign(&salt, authkey.bytes()).as_ref()));
    hmac::Key::new(hmac::HMAC_SHA256, prk.as_ref())
}

/// HKDF-Expand for at most one block, with the label `"hacd/1 " purpose 0x00 context`.
pub(crate) fn expand(prk: &hmac::Key, purpose: &[u8], context: &[&[u8]]) -> Secret {
    let mut signing = hmac::Context::with_key(prk);
    signing.update(b"hacd/1 ");
    signing.update(purpose);
    signing.update(&[0]);
    for part in context {
        signing.update(part);
    }
    signing.update(&[1]);
    Zeroizing::new(to_array(signing.sign().as_ref()))
}

/// What nonces are made of from now on: of `pool`, and of `fresh`, which nobody has seen.
pub(crate) fn stirred(pool: &[u8; 32], fresh: &[u8; 32]) -> [u8; 32] {
    to_array(hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, pool), fresh).as_ref())
}

/// The contribution of this process to its session number `generation` with `peer`, from the entropy given at the start.
pub(crate) fn session_nonce(entropy: &[u8; 32], peer: NodeId, generation: u32) -> SessionNonce {
    let key = hmac::Key::new(hmac::HMAC_SHA256, entropy);
    let mut signing = hmac::Context::with_key(&key);
    signing.update(b"session nonce");
    signing.update(&peer.0.to_le_bytes());
    signing.update(&generation.to_le_bytes());
    let tag = signing.sign();
    let mut nonce = [0; 16];
    nonce.copy_from_slice(&tag.as_ref()[..16]);
    nonce
}

fn to_array(bytes: &[u8]) -> [u8; 32] {
    let mut array = [0; 32];
    array.copy_from_slice(&bytes[..32]);
    array
}
