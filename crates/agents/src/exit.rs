//! OCF's exit codes, and how a run of an agent ended.

use hac_model::{ExecStatus, Outcome};

/// The exit codes of the OCF resource agent API that native agents give.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done; or running, for a monitor.
    Success,
    /// Failed; trying again may help.
    Generic,
    /// The parameters do not fit this node, or what they name is not there.
    Args,
    /// The agent does not know the action.
    Unimplemented,
    /// Not allowed.
    Perm,
    /// Something it needs is not installed.
    Installed,
    /// The parameters cannot be right on any node.
    Configured,
    /// Cleanly stopped.
    NotRunning,
}

impl Exit {
    /// The number.
    pub const fn code(self) -> i32 {
        match self {
            Self::Success => 0,
            Self::Generic => 1,
            Self::Args => 2,
            Self::Unimplemented => 3,
            Self::Perm => 4,
            Self::Installed => 5,
            Self::Configured => 6,
            Self::NotRunning => 7,
        }
    }
}

/// How a run ended, before it is timed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finished {
    /// Exit code.
    pub rc: i32,
    /// Whether that can be relied on.
    pub status: ExecStatus,
    /// What the agent says about its failure.
    pub exit_reason: Option<String>,
}

impl Finished {
    /// The agent ended with `exit` and has nothing to add.
    pub const fn with(exit: Exit) -> Self {
        Self { rc: exit.code(), status: ExecStatus::Done, exit_reason: None }
    }

    /// The agent ended with `exit` because of `reason`.
    pub fn failed(exit: Exit, reason: impl Into<String>) -> Self {
        Self { rc: exit.code(), status: ExecStatus::Done, exit_reason: Some(reason.into()) }
    }

    /// The same with another status.
    #[must_use]
    pub const fn with_status(mut self, status: ExecStatus) -> Self {
        self.status = status;
        self
    }

    /// As the resource manager wants it. Control characters in the reason become blanks: it is shown to people.
    pub fn into_outcome(self) -> Outcome {
        let clean = |text: String| text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        Outcome { rc: self.rc, status: self.status, exit_reason: self.exit_reason.map(clean), ..Outcome::default() }
    }
}
