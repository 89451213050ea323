//! Operations: their names and how they end.

use serde::{Deserialize, Serialize};

/// `RSC_TASK_INTERVALms`.
#[must_use]
pub fn operation_key(resource: &str, task: &str, interval_ms: u64) -> String {
    format!("{resource}_{task}_{interval_ms}")
}

/// How an operation ended, aside from its exit code.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ExecStatus {
    /// Not yet.
    Pending,
    /// The agent gave an exit code.
    #[default]
    Done,
    /// It was cancelled.
    Cancelled,
    /// It did not end in time.
    Timeout,
    /// The agent does not know the operation.
    NotSupported,
    /// It could not be run or ended by a signal.
    Error,
    /// Not to be tried again on this node.
    HardError,
    /// Not to be tried again anywhere.
    FatalError,
    /// There is no such agent, or what it needs is not there.
    NotInstalled,
    /// The connection to who runs it was lost.
    NotConnected,
    /// It cannot be run at present.
    Invalid,
}

impl ExecStatus {
    /// The number of the CIB.
    #[must_use]
    pub const fn code(self) -> i32 {
        match self {
            Self::Pending => -1,
            Self::Done => 0,
            Self::Cancelled => 1,
            Self::Timeout => 2,
            Self::NotSupported => 3,
            Self::Error => 4,
            Self::HardError => 5,
            Self::FatalError => 6,
            Self::NotInstalled => 7,
            Self::NotConnected => 8,
            Self::Invalid => 9,
        }
    }
}
