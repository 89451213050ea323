//! One seed, from its options to its verdict.

use std::collections::BTreeMap;

use crate::check::{self, Violation};
use crate::options::Options;
use crate::{cluster, model, ring};

/// What is simulated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The ring alone.
    Ring,
    /// Whole nodes.
    Cluster,
    /// Small worlds, searched from end to end: the seed says which.
    Model,
}

impl Kind {
    /// Its word on the command line.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Ring => "ring",
            Self::Cluster => "cluster",
            Self::Model => "model",
        }
    }
}

/// The properties that are checked in runs of the kind with this word.
#[must_use]
pub fn properties(kind: &str) -> &'static [&'static str] {
    match kind {
        "cluster" => check::PROPERTIES,
        "model" => model::PROPERTIES,
        _ => check::ring::PROPERTIES,
    }
}

/// What must have happened in a run of many seeds of the kind with this word: otherwise the world is too kind.
#[must_use]
pub fn coverage(kind: &str) -> &'static [&'static str] {
    match kind {
        "cluster" => check::coverage::COVERAGE,
        "model" => model::COVERAGE,
        _ => ring::COVERAGE,
    }
}

/// What a seed stands for. `nodes` overrides the number of hosts.
#[must_use]
pub fn options(kind: Kind, seed: u64, nodes: Option<u32>) -> Options {
    match kind {
        Kind::Cluster | Kind::Model => Options::of(seed, nodes),
        Kind::Ring => Options::of_ring(seed, nodes),
    }
}

/// Runs a seed.
#[must_use]
pub fn run(kind: Kind, options: Options, recording: bool) -> Verdict {
    match kind {
        Kind::Cluster => run_cluster(options, recording),
        Kind::Ring => run_ring(options, recording),
        Kind::Model => run_model(options, recording),
    }
}

/// Runs a seed again to compare it: only what liveness needs is checked. Gives the hash.
#[must_use]
pub fn again(kind: Kind, options: Options) -> u64 {
    match kind {
        Kind::Cluster => run_cluster(options, false).hash,
        Kind::Model => run_model(options, false).hash,
        Kind::Ring => {
            let seed = options.seed;
            let mut world = ring::World::new(options, false);
            world.checking = false;
            // What is wrong with the run was found by the first.
            let _ = ring::Chaos::new(seed).run(&mut world);
            world.trace.hash()
        }
    }
}

/// What came of a run.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// What the seed stood for.
    pub options: Options,
    /// The first promise that was broken.
    pub violation: Option<Violation>,
    /// Equal for equal runs.
    pub hash: u64,
    /// Events that happened.
    pub events: u64,
    /// How often each property was looked at.
    pub executed: BTreeMap<&'static str, u64>,
    /// How often something interesting happened.
    pub sometimes: BTreeMap<&'static str, u64>,
    /// What happened, if it was recorded.
    pub timeline: Option<String>,
}

/// Runs whole nodes under a seed.
fn run_cluster(options: Options, recording: bool) -> Verdict {
    let mut world = cluster::World::new(options.clone(), recording);
    let violation = cluster::Chaos::new(options.seed).run(&mut world).err();
    let timeline = recording.then(|| world.trace.timeline(options.nodes, usize::MAX));
    Verdict {
        options,
        violation,
        hash: world.trace.hash(),
        events: world.trace.events(),
        executed: world.checks.executed,
        sometimes: world.checks.sometimes,
        timeline,
    }
}

/// Searches the small world of this number.
fn run_model(options: Options, recording: bool) -> Verdict {
    let model::Found { states, violation, counts, hash } = model::of_number(options.seed);
    let way = violation.as_ref().map_or_else(|| format!("{states} states"), |(_, way)| way.join("\n"));
    Verdict {
        options,
        violation: violation.map(|(violation, _)| violation),
        hash,
        events: states,
        executed: counts.executed,
        sometimes: counts.sometimes,
        timeline: recording.then_some(way),
    }
}

/// Runs the ring alone under a seed.
fn run_ring(options: Options, recording: bool) -> Verdict {
    let mut world = ring::World::new(options.clone(), recording);
    let violation = ring::Chaos::new(options.seed).run(&mut world).err();
    let timeline = recording.then(|| world.trace.timeline(options.nodes, usize::MAX));
    Verdict {
        options,
        violation,
        hash: world.trace.hash(),
        events: world.trace.events(),
        executed: world.executed,
        sometimes: world.sometimes.counts,
        timeline,
    }
}
