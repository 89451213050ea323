//! What host and guest say to each other: a length of four bytes (big endian) and JSON.

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use zeroize::Zeroizing;

/// Largest frame, bytes.
pub const FRAME_MAX: usize = 64 << 10;

/// Most frames from a guest in one connection; a host says a little more, while it waits.
pub const FRAMES_MAX: usize = 8;

/// How long the other side may take for a frame.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// What a guest says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum FromGuest {
    /// I want to be a node.
    Ask(Ask),
    /// So many of the host's datagrams have come to me, by link.
    Probed {
        /// How many, for each link.
        heard: Vec<u32>,
    },
    /// Configuration and key are on my disk.
    Stored,
    /// They are not, and why.
    Failed {
        /// One sentence.
        sentence: String,
    },
}

/// Who wants to be a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ask {
    /// Version of these words: 1.
    pub protocol: u32,
    /// Its release.
    pub release: String,
    /// The lowest level that its daemon knows.
    pub level_min: u16,
    /// The highest.
    pub level_max: u16,
    /// The name that it would have.
    pub name: String,
    /// Its address on each link.
    pub addresses: Vec<IpAddr>,
}

/// What a host says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum FromHost {
    /// Let us see whether datagrams pass.
    Probe(Probe),
    /// The cluster has taken you in; this is what you need.
    Welcome(Box<Welcome>),
    /// It is not done yet, and what is waited for.
    Waiting {
        /// One sentence.
        sentence: String,
    },
    /// You are a member that counts.
    Member,
    /// No, and why.
    Refused {
        /// One sentence on what is wrong.
        sentence: String,
        /// One sentence on what to do.
        remedy: String,
    },
}

/// How it is found out whether datagrams pass: the guest receives on `ports` and sends from the port below.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Probe {
    /// The host's address on each link.
    pub addresses: Vec<IpAddr>,
    /// The port of each link.
    pub ports: Vec<u16>,
    /// What the host's datagrams begin with.
    pub token: String,
}

/// What makes a host a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Welcome {
    /// Its id.
    pub nodeid: u32,
    /// Its name.
    pub name: String,
    /// Name of the cluster.
    pub cluster_name: String,
    /// The configuration file.
    pub hacd_toml: String,
    /// The key, in hexadecimal digits.
    pub authkey: Secret,
    /// Where the configuration says that the key is; beside it if nothing is said.
    pub authkey_file: Option<String>,
}

/// A text that is shown nowhere.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(pub String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("********")
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        drop(Zeroizing::new(std::mem::take(&mut self.0)));
    }
}

/// Why no frame could be had or given.
#[derive(Debug, Error)]
pub enum Trouble {
    /// Nothing came in time.
    #[error("the other side does not answer")]
    Silent,
    /// The connection is over.
    #[error("the connection broke: {0}")]
    Broken(#[from] io::Error),
    /// Too long.
    #[error("the other side says more than {FRAME_MAX} bytes at once")]
    TooLong,
    /// Not what it should be.
    #[error("the other side says something that is not understood here")]
    Malformed,
}

/// Reads a frame, at most `patience` long.
///
/// # Errors
/// See [`Trouble`]; the connection is of no use any more.
pub async fn read<T: DeserializeOwned>(
    stream: &mut (impl AsyncRead + Unpin),
    patience: Duration,
) -> Result<T, Trouble> {
    let whole = async {
        let length = usize::try_from(stream.read_u32().await?).unwrap_or(usize::MAX);
        if length > FRAME_MAX {
            return Err(Trouble::TooLong);
        }
        let mut bytes = Zeroizing::new(vec![0; length]);
        stream.read_exact(&mut bytes).await?;
        decode(&bytes)
    };
    tokio::time::timeout(patience, whole).await.unwrap_or(Err(Trouble::Silent))
}

/// What a frame says.
pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Trouble> {
    serde_json::from_slice(bytes).map_err(|_| Trouble::Malformed)
}

/// Writes a frame.
///
/// # Errors
/// See [`Trouble`]; the connection is of no use any more.
pub async fn write(stream: &mut (impl AsyncWrite + Unpin), what: &impl Serialize) -> Result<(), Trouble> {
    let bytes = Zeroizing::new(serde_json::to_vec(what).map_err(|_| Trouble::Malformed)?);
    let length = u32::try_from(bytes.len()).ok().filter(|_| bytes.len() <= FRAME_MAX).ok_or(Trouble::TooLong)?;
    let whole = async {
        stream.write_all(&length.to_be_bytes()).await?;
        stream.write_all(&bytes).await?;
        stream.flush().await
    };
    tokio::time::timeout(PATIENCE, whole).await.map_err(|_| Trouble::Silent)?.map_err(Trouble::from)
}

#[cfg(test)]
mod tests;
