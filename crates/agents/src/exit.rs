//! OCF's exit codes, and how a run of an agent ended.

// Numbers from outside come in here.
#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

use std::time::Duration;

use hac_model::{ExecStatus, OUTPUT_MAX, OcfCode, Outcome};

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
            Self::Success => OcfCode::OK.0,
            Self::Generic => OcfCode::ERROR.0,
            Self::Args => OcfCode::INVALID_PARAM.0,
            Self::Unimplemented => OcfCode::UNIMPLEMENTED.0,
            Self::Perm => OcfCode::INSUFFICIENT_PRIV.0,
            Self::Installed => OcfCode::NOT_INSTALLED.0,
            Self::Configured => OcfCode::NOT_CONFIGURED.0,
            Self::NotRunning => OcfCode::NOT_RUNNING.0,
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
    /// What it wrote on its standard error.
    pub output: String,
    /// It could not ask or find out, and is to be run again, not before this has passed.
    pub retry_after: Option<Duration>,
}

impl Finished {
    /// The agent ended with `exit` and has nothing to add.
    pub const fn with(exit: Exit) -> Self {
        Self::code(exit.code())
    }

    /// A program ended with this code.
    #[must_use]
    pub const fn code(rc: i32) -> Self {
        Self { rc, status: ExecStatus::Done, exit_reason: None, output: String::new(), retry_after: None }
    }

    /// The agent ended with `exit` because of `reason`.
    pub fn failed(exit: Exit, reason: impl Into<String>) -> Self {
        Self { exit_reason: Some(reason.into()), ..Self::with(exit) }
    }

    /// The same with another status.
    #[must_use]
    pub const fn with_status(mut self, status: ExecStatus) -> Self {
        self.status = status;
        self
    }

    /// The same, to be run again after a while: nobody said no.
    #[must_use]
    pub const fn with_retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// As the resource manager wants it: at most 4 KiB of text. Control characters in the reason become blanks: it is shown to people.
    pub fn into_outcome(self) -> Outcome {
        let clean = |text: String| cut(&text).chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        Outcome {
            rc: self.rc,
            status: self.status,
            exit_reason: self.exit_reason.map(clean),
            output: tail(&self.output),
            retry_after: self.retry_after,
            ..Outcome::default()
        }
    }
}

/// Longest text of an agent that is passed on, bytes, without the mark that it was cut.
pub(crate) const TEXT_MAX: usize = 4 << 10;

/// The text, up to [`TEXT_MAX`] bytes; a longer one ends with a mark.
fn cut(text: &str) -> String {
    match text.char_indices().map(|(at, c)| at.saturating_add(c.len_utf8())).take_while(|end| *end <= TEXT_MAX).last() {
        Some(end) if end < text.len() => format!("{} [cut]", text.get(..end).unwrap_or_default()),
        _ => text.to_owned(),
    }
}

/// The end of the text, [`OUTPUT_MAX`] bytes at most, harmless to a terminal.
fn tail(text: &str) -> String {
    let clean = |c: char| if c.is_control() && c != '\n' && c != '\t' { ' ' } else { c };
    let first = text.char_indices().map(|(at, _)| at).find(|at| text.len().saturating_sub(*at) <= OUTPUT_MAX);
    text.get(first.unwrap_or(text.len())..).unwrap_or_default().chars().map(clean).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_at_the_limit_is_whole_and_one_above_it_is_cut() {
        for (length, expected) in [(TEXT_MAX, TEXT_MAX), (TEXT_MAX + 1, TEXT_MAX + 6), (5_000_000, TEXT_MAX + 6)] {
            let outcome = Finished::failed(Exit::Generic, "x".repeat(length)).into_outcome();
            assert_eq!(outcome.exit_reason.map(|text| text.len()), Some(expected));
        }
        let wide = cut(&"\u{20ac}".repeat(TEXT_MAX));
        assert!(wide.len() <= TEXT_MAX + 6 && wide.ends_with("\u{20ac} [cut]"));
    }
}
