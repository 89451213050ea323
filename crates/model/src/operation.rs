//! Operations: their keys, the orders that they carry out, and how they end.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The name of an operation: `RSC_TASK_INTERVALms`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OperationKey<'a> {
    /// The resource.
    pub resource: &'a str,
    /// The word for the task.
    pub task: &'a str,
    /// Interval in milliseconds, 0 for once.
    pub interval_ms: u64,
}

impl<'a> OperationKey<'a> {
    /// Reads a key. Neither the task nor the interval may have `_` in it, so `migrate_to` and `migrate_from` are put
    /// together again.
    #[must_use]
    pub fn parse(key: &'a str) -> Option<Self> {
        let (rest, interval) = key.rsplit_once('_')?;
        let interval_ms = interval.parse().ok()?;
        for task in ["migrate_to", "migrate_from"] {
            if let Some(resource) = rest.strip_suffix(task).and_then(|resource| resource.strip_suffix('_')) {
                return Some(Self { resource, task: &rest[rest.len() - task.len()..], interval_ms });
            }
        }
        let (resource, task) = rest.rsplit_once('_')?;
        Some(Self { resource, task, interval_ms })
    }
}

impl fmt::Display for OperationKey<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_{}_{}", self.resource, self.task, self.interval_ms)
    }
}

/// The text of an [`OperationKey`].
#[must_use]
pub fn operation_key(resource: &str, task: impl AsRef<str>, interval_ms: u64) -> String {
    OperationKey { resource, task: task.as_ref(), interval_ms }.to_string()
}

/// Which order an operation carried out: `ACTION:TRANSITION:EXPECTED_RC:UUID`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TransitionKey<'a> {
    /// Place of the action in its transition.
    pub action: i64,
    /// Number of the transition.
    pub transition: i64,
    /// Exit code that means all is as expected.
    pub expected_rc: OcfCode,
    /// Who made the transition.
    pub uuid: &'a str,
}

impl<'a> TransitionKey<'a> {
    /// Reads a key; `None` if a part is missing or is no number.
    #[must_use]
    pub fn parse(key: &'a str) -> Option<Self> {
        let mut parts = key.splitn(4, ':');
        Some(Self {
            action: parts.next()?.parse().ok()?,
            transition: parts.next()?.parse().ok()?,
            expected_rc: OcfCode(parts.next()?.parse().ok()?),
            uuid: parts.next()?,
        })
    }
}

impl fmt::Display for TransitionKey<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}:{}", self.action, self.transition, self.expected_rc, self.uuid)
    }
}

/// Exit code of a resource agent, with the meanings of the OCF resource agent API. Any number may come from an agent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OcfCode(pub i32);

impl OcfCode {
    /// Done; or running, for a monitor.
    pub const OK: Self = Self(0);
    /// Failed; trying again may help.
    pub const ERROR: Self = Self(1);
    /// The parameters do not fit this node, or what they name is not there.
    pub const INVALID_PARAM: Self = Self(2);
    /// The agent does not know the operation.
    pub const UNIMPLEMENTED: Self = Self(3);
    /// Not allowed to.
    pub const INSUFFICIENT_PRIV: Self = Self(4);
    /// Something it needs is not on this node.
    pub const NOT_INSTALLED: Self = Self(5);
    /// Configured in a way that works nowhere.
    pub const NOT_CONFIGURED: Self = Self(6);
    /// Cleanly stopped.
    pub const NOT_RUNNING: Self = Self(7);
    /// Runs promoted.
    pub const PROMOTED: Self = Self(8);
    /// Promoted and failed.
    pub const FAILED_PROMOTED: Self = Self(9);
    /// Runs, but not well.
    pub const DEGRADED: Self = Self(190);
    /// Runs promoted, but not well.
    pub const DEGRADED_PROMOTED: Self = Self(191);
    /// Stands for "not known yet", in what is recorded of an operation under way. No agent gives it.
    pub const UNKNOWN: Self = Self(193);

    /// Whether a monitor that ends so found the resource up, well or not.
    #[must_use]
    pub const fn is_up(self) -> bool {
        matches!(self, Self::OK | Self::PROMOTED | Self::DEGRADED | Self::DEGRADED_PROMOTED)
    }

    /// Its name as `crm_mon` prints it for a failed operation; `None` if the number has no meaning.
    #[must_use]
    pub const fn name(self) -> Option<&'static str> {
        Some(match self {
            Self::OK => "ok",
            Self::ERROR => "error",
            Self::INVALID_PARAM => "invalid parameter",
            Self::UNIMPLEMENTED => "unimplemented feature",
            Self::INSUFFICIENT_PRIV => "insufficient privileges",
            Self::NOT_INSTALLED => "not installed",
            Self::NOT_CONFIGURED => "not configured",
            Self::NOT_RUNNING => "not running",
            Self::PROMOTED => "promoted",
            Self::FAILED_PROMOTED => "promoted (failed)",
            Self::DEGRADED => "degraded",
            Self::DEGRADED_PROMOTED => "promoted (degraded)",
            _ => return None,
        })
    }

    /// What it means, in the words of Pacemaker's programs.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::OK => "OK",
            Self::ERROR => "Error occurred",
            Self::INVALID_PARAM => "Invalid parameter",
            Self::UNIMPLEMENTED => "Unimplemented",
            Self::INSUFFICIENT_PRIV => "Insufficient privileges",
            Self::NOT_INSTALLED => "Not installed",
            Self::NOT_CONFIGURED => "Not configured",
            Self::NOT_RUNNING => "Not running",
            Self::PROMOTED => "Promoted",
            Self::FAILED_PROMOTED => "Failed in promoted role",
            _ => "Unknown exit status",
        }
    }
}

impl fmt::Display for OcfCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for OcfCode {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
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
    /// There is no device that could fence.
    NoFenceDevice,
    /// The values of secret parameters could not be had.
    NoSecrets,
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
            Self::NoFenceDevice => 10,
            Self::NoSecrets => 11,
        }
    }

    /// From the number of the CIB; `None` if it has no meaning.
    #[must_use]
    pub const fn from_code(code: i32) -> Option<Self> {
        Some(match code {
            -1 => Self::Pending,
            0 => Self::Done,
            1 => Self::Cancelled,
            2 => Self::Timeout,
            3 => Self::NotSupported,
            4 => Self::Error,
            5 => Self::HardError,
            6 => Self::FatalError,
            7 => Self::NotInstalled,
            8 => Self::NotConnected,
            9 => Self::Invalid,
            10 => Self::NoFenceDevice,
            11 => Self::NoSecrets,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_as_they_are_printed() {
        for key in ["Nginx_monitor_10000", "a_b_start_0", "vm_migrate_to_0", "vm_migrate_from_0", "g_running_0"] {
            assert_eq!(OperationKey::parse(key).map(|key| key.to_string()).as_deref(), Some(key));
        }
        let key = OperationKey::parse("a_b_migrate_to_0");
        assert_eq!(key, Some(OperationKey { resource: "a_b", task: "migrate_to", interval_ms: 0 }));
        assert_eq!(OperationKey::parse("maintenance"), None);
        assert_eq!(OperationKey::parse("load_stopped_node1"), None);
    }

    #[test]
    fn transition_keys_have_four_parts() {
        let key = "12:7:0:node1-1.4";
        assert_eq!(TransitionKey::parse(key).map(|key| key.to_string()).as_deref(), Some(key));
        for wrong in ["", "12", "12:7:0", "x:7:0:u", "12:7:zero:u"] {
            assert_eq!(TransitionKey::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn statuses_are_read_as_they_are_written() {
        let known = (-3..20).filter_map(|code| Some((code, ExecStatus::from_code(code)?)));
        assert!(known.clone().all(|(code, status)| status.code() == code));
        assert_eq!(known.count(), 13);
    }

    #[test]
    fn an_exit_code_is_stored_as_its_number() {
        assert_eq!(serde_json::to_string(&OcfCode::NOT_RUNNING).unwrap(), "7");
        assert_eq!(serde_json::from_str::<OcfCode>("190").unwrap(), OcfCode::DEGRADED);
    }
}
