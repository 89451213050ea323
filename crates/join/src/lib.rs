//! How a node that has nothing yet is let into a cluster: the only words between nodes that do not go over the ring.
//!
//! An invitation is a [`Code`] of 128 random bits, which somebody copies from one host to the other. Both sides derive
//! two Ed25519 keys from it, one for the host and one for the guest. The connection is TLS 1.3 with raw public keys
//! (RFC 7250) on both sides: each side proves its key by the handshake's own signature, and each side believes exactly
//! one key. So neither a certificate nor a password protocol is needed, whoever stands in between can prove nothing, and
//! what was recorded stays closed even if the code becomes known later. A code that a person could read out would be
//! too short: whoever opens a connection sees the host's key and could try all codes at home.
//!
//! ```text
//!  guest                                          host
//!  Ask (who I am, what I know)            ──►
//!                                         ◄──     Probe (tokens); both send datagrams, three each way
//!  Probed (what has come)                 ──►
//!                                         ◄──     Welcome (id, configuration, key)  after the cluster has agreed
//!  Stored, or Failed (why)                ──►
//!                                         ◄──     Waiting (for what), each second
//!                                         ◄──     Member
//!                                         ◄──     Refused (why), instead of any of these
//! ```

mod code;
mod frame;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod tls;

pub use code::{Code, CodeError};
pub use frame::{
    Ask, FRAME_MAX, FRAMES_MAX, FromGuest, FromHost, PATIENCE, Probe, Secret, Trouble, Welcome, read, write,
};
pub use rustls::pki_types::ServerName;
pub use tls::{ALPN, acceptor, connector};
pub use tokio_rustls::{TlsAcceptor, TlsConnector, client, server};
