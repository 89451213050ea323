//! What every standard of agents offers.

use std::fmt;
use std::path::PathBuf;
use std::pin::Pin;

use hac_model::{Agent, Invocation, ProcessRef};

use crate::{Depth, Finished, Proof};

/// Something that is being done; dropping it gives it up.
pub type Doing<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A standard that agents follow: one class of them, such as `ocf`.
///
/// None of these blocks the thread that polls it: files and processes are looked at elsewhere. None has a limit of its
/// own: whoever waits sets it and drops what it no longer waits for.
pub trait Standard: fmt::Debug + Send + Sync {
    /// The agents of this class that this node can run.
    fn list(&self) -> Doing<'_, Vec<Listed>>;

    /// What `agent` is and its meta-data as XML; `None` if there is no such agent, or it says nothing.
    fn describe<'a>(&'a self, agent: &'a Agent) -> Doing<'a, Option<(Listed, String)>>;

    /// Runs one action to its end.
    fn run<'a>(&'a self, invocation: &'a Invocation) -> Doing<'a, Finished>;

    /// Finds out whether what `invocation` (a `validate-all`) describes could be started here, without starting it, and
    /// without looking further than `depth`.
    fn prove<'a>(&'a self, invocation: &'a Invocation, depth: Depth) -> Doing<'a, Proof>;

    /// The processes whose end means that the resource is no longer what this successful action found or made it.
    fn processes<'a>(&'a self, invocation: &'a Invocation) -> Doing<'a, Vec<ProcessRef>>;

    /// Whether all nodes of the cluster are members from now on. Where they are not, another node may believe of this one what
    /// this one believes of it.
    fn members(&self, whole: bool) {
        let _ = whole;
    }
}

/// An agent that can be run here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its name.
    pub agent: Agent,
    /// Which implementation is used.
    pub implementation: Implementation,
    /// Where its script is, if there is one.
    pub script: Option<PathBuf>,
    /// Whether it is inside as well.
    pub native: bool,
}

/// Implementations of agents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Implementation {
    /// Inside.
    Native,
    /// A program run for every action.
    Script,
}
