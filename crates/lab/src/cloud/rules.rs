//! Faults for chosen requests.

use serde::{Deserialize, Serialize};

/// When a fault cuts the line: before or after the request took effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum When {
    /// The request is lost.
    Before,
    /// The request takes effect, its answer is lost.
    After,
}

/// What is done to a request. The default does nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Fault {
    /// Waits this long before anything is done, in milliseconds.
    pub delay_ms: u64,
    /// Waits this long between the effect and the answer, in milliseconds.
    pub reply_delay_ms: u64,
    /// Answers this status instead of doing anything.
    pub status: Option<u16>,
    /// With `status`: the slug in the answer instead of the usual one.
    pub id: Option<String>,
    /// With `status`: the message in the answer instead of the usual one.
    pub message: Option<String>,
    /// With `status`: a `retry-after` header, in seconds.
    pub retry_after: Option<u64>,
    /// This text instead of the answer's body.
    pub raw: Option<String>,
    /// Closes the connection without an answer.
    pub drop: Option<When>,
    /// Keeps the connection open and never answers.
    pub hang: Option<When>,
    /// For the action that this request begins: time until its effect, in milliseconds.
    pub apply_ms: Option<u64>,
    /// For that action: its last status. `errored` and `never` (in progress for ever) have no
    /// effect, any other word has.
    pub end: Option<String>,
}

/// A fault and the requests that it strikes: those that match everything that is given, after the
/// first `skip`, and `times` in number (all, if absent).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rule {
    /// The method; any, if absent.
    pub method: Option<String>,
    /// Part of path and query.
    pub path: String,
    /// Part of the body.
    pub body: String,
    /// The calling host's number; any caller, if absent.
    pub from: Option<usize>,
    /// So many matching requests are let through first.
    pub skip: u32,
    /// So many are struck after these.
    pub times: Option<u32>,
    /// What happens to them.
    pub fault: Fault,
    /// Matching requests so far.
    #[serde(skip_deserializing)]
    pub(super) seen: u32,
}

impl Rule {
    /// Strikes requests with this method whose path and query contain `path`.
    pub fn new(method: &str, path: &str) -> Self {
        Self { method: (method != "*").then(|| method.to_owned()), path: path.to_owned(), ..Self::default() }
    }

    /// Strikes the requests that assign the address.
    pub fn assign() -> Self {
        Self { body: "\"assign\"".to_owned(), ..Self::new("POST", "_ips/") }
    }

    /// Strikes only this many requests.
    #[must_use]
    pub fn times(self, times: u32) -> Self {
        Self { times: Some(times), ..self }
    }

    /// Strikes only requests of this host.
    #[must_use]
    pub fn from_host(self, host: usize) -> Self {
        Self { from: Some(host), ..self }
    }

    /// Does this to them.
    #[must_use]
    pub fn fault(self, fault: Fault) -> Self {
        Self { fault, ..self }
    }

    /// Answers with this status.
    #[must_use]
    pub fn answer(self, status: u16) -> Self {
        self.fault(Fault { status: Some(status), ..Fault::default() })
    }

    /// How many requests it has struck.
    pub(super) fn struck(&self) -> u32 {
        let after_skip = self.seen.saturating_sub(self.skip);
        self.times.map_or(after_skip, |times| after_skip.min(times))
    }

    fn matches(&self, method: &str, path: &str, body: &str, from: Option<usize>) -> bool {
        self.method.as_deref().is_none_or(|wanted| wanted == method)
            && path.contains(&self.path)
            && body.contains(&self.body)
            && self.from.is_none_or(|host| from == Some(host))
    }

    /// Counts a request if it matches, and says whether it is struck.
    fn strikes(&mut self, method: &str, path: &str, body: &str, from: Option<usize>) -> bool {
        if !self.matches(method, path, body, from) {
            return false;
        }
        self.seen = self.seen.saturating_add(1);
        self.seen > self.skip && self.times.is_none_or(|times| self.seen - self.skip <= times)
    }
}

/// The fault of the first rule that strikes a request.
pub(super) fn fault_for(
    rules: &mut [Rule],
    method: &str,
    path: &str,
    body: &str,
    from: Option<usize>,
) -> Option<Fault> {
    rules.iter_mut().find_map(|rule| rule.strikes(method, path, body, from).then(|| rule.fault.clone()))
}
