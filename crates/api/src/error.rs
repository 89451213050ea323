//! What a client gets instead of an answer.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Body of every response whose status is not 2xx.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorBody {
    /// What kind of failure.
    pub code: ErrorCode,
    /// One sentence: what happened.
    pub message: String,
    /// One sentence: what to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

impl ErrorBody {
    /// An error without remedy.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), remedy: None }
    }

    /// The same error with what to do about it.
    #[must_use]
    pub fn with_remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }
}

impl fmt::Display for ErrorBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        self.remedy.as_ref().map_or(Ok(()), |remedy| write!(f, " ({remedy})"))
    }
}

impl std::error::Error for ErrorBody {}

/// Kinds of failure, with the exit codes that Pacemaker's tools give for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// The request makes no sense: malformed JSON, unknown path.
    Usage,
    /// The change was understood and refused; nothing was changed.
    Invalid,
    /// An object, node or agent of that name does not exist.
    NoSuch,
    /// An object of that name exists already.
    Exists,
    /// The configuration is newer than the one the request was made from.
    Old,
    /// The caller may not do this.
    NotPermitted,
    /// The partition has no quorum and the request needs it.
    Quorum,
    /// The change would harm something that runs; force it if it is meant.
    Unsafe,
    /// Not every member would understand it yet: the level of the cluster must be raised first.
    Level,
    /// A member could not store the change; nothing was changed.
    Storage,
    /// Too much is going on; try again.
    Busy,
    /// It was not done in time. It may be done later.
    Timeout,
    /// The daemon leaves or has not joined yet.
    Unavailable,
    /// The daemon failed.
    Internal,
    /// A code of a later version.
    #[serde(other)]
    Unknown,
}

impl ErrorCode {
    /// Exit code of a program that ends because of it.
    #[must_use]
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Usage => 64,
            Self::Invalid | Self::Level => 78,
            Self::NoSuch => 105,
            Self::Exists => 108,
            Self::Old => 103,
            Self::NotPermitted => 4,
            Self::Quorum => 106,
            Self::Unsafe => 107,
            Self::Storage => 74,
            Self::Busy => 75,
            Self::Timeout => 124,
            Self::Unavailable => 69,
            Self::Internal => 70,
            Self::Unknown => 1,
        }
    }

    /// HTTP status that carries it.
    #[must_use]
    pub const fn http_status(self) -> u16 {
        match self {
            Self::Usage => 400,
            Self::Invalid => 422,
            Self::NoSuch => 404,
            Self::Exists | Self::Old | Self::Unsafe | Self::Level => 409,
            Self::NotPermitted => 403,
            Self::Storage => 507,
            Self::Busy => 429,
            Self::Timeout => 504,
            Self::Quorum | Self::Unavailable => 503,
            Self::Internal | Self::Unknown => 500,
        }
    }
}
