//! What a person sees when a command did not do what it should: one sentence on what is wrong, one on what to do.

use std::fmt::Display;

use hac_api::{ErrorBody, ErrorCode};

/// Why a command ends with another exit code than 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    /// The program's exit code.
    pub(crate) exit_code: u8,
    /// What is wrong.
    pub(crate) message: String,
    /// What to do about it.
    pub(crate) remedy: Option<String>,
}

impl Failure {
    /// A failure of a kind that the API knows.
    pub(crate) fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { exit_code: code.exit_code(), message: message.into(), remedy: None }
    }

    /// The same with what to do about it.
    #[must_use]
    pub(crate) fn with_remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }

    /// What was typed makes no sense.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::Usage, message)
    }

    /// The operating system refused something.
    pub(crate) fn system(what: &str, error: &dyn Display) -> Self {
        Self { exit_code: 71, message: format!("{what}: {error}"), remedy: None }
    }

    /// There is no daemon to talk to (Pacemaker's exit code 102).
    pub(crate) fn disconnected(message: impl Into<String>) -> Self {
        Self { exit_code: 102, message: message.into(), remedy: None }
    }

    /// Prints it to stderr, as text or as JSON.
    pub(crate) fn print(&self, json: bool) {
        if json {
            let value = serde_json::json!({
                "error": { "exit_code": self.exit_code, "message": self.message, "remedy": self.remedy }
            });
            eprintln!("{value}");
            return;
        }
        eprintln!("ERROR: {}", self.message);
        if let Some(remedy) = &self.remedy {
            eprintln!("  {remedy}");
        }
    }
}

impl From<ErrorBody> for Failure {
    fn from(body: ErrorBody) -> Self {
        Self { exit_code: body.code.exit_code(), message: body.message, remedy: body.remedy }
    }
}
