//! Many seeds on several threads: what came of each, and what all of them together did.

use std::any::Any;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Instant;

use crate::check::Violation;
use crate::options::Options;
use crate::run::{self, Kind, Verdict};

/// A run of so many seeds must have looked at every property.
const MANY: u64 = 100;
/// A run of so many seeds must have met everything that is interesting.
const ENOUGH: u64 = 500;
/// Of a run of more seeds than this every [`SOME`]th is run again: what makes runs differ makes many differ.
const ALL_AGAIN: u64 = 1000;
const SOME: u64 = 4;
/// Properties that are looked at only where there are fence devices or watchdogs.
const OF_FENCING: [&str; 8] = ["DOG-1", "DOG-2", "FENCE-1", "FENCE-2", "FENCE-3", "P-6", "P-8", "P-14"];
/// Lines of the timeline that a failing seed shows.
const LINES: usize = 60;

/// Which seeds to run, and how.
#[derive(Clone, Debug)]
pub struct Sweep {
    /// What is simulated.
    pub kind: Kind,
    /// The first seed.
    pub from: u64,
    /// How many.
    pub seeds: u64,
    /// Hosts, instead of as many as the seed says.
    pub nodes: Option<u32>,
    /// Some clusters have fence devices.
    pub fencing: bool,
    /// Each seed is run again (of many, some), and the second run must be equal.
    pub twice: bool,
    /// Threads.
    pub jobs: usize,
    /// Print everything that happened, also where all is well.
    pub trace: bool,
    /// The deliberate bug that is switched on.
    pub mutant: Option<&'static str>,
    /// Seeds that stand for anything else are passed over.
    pub only: fn(&Options) -> bool,
}

/// What came of one seed.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The seed.
    pub seed: u64,
    /// The first promise that was broken.
    pub violation: Option<Violation>,
    /// The run; none if it panicked.
    pub verdict: Option<Verdict>,
    /// What happened, where something is wrong or it was asked for.
    pub timeline: Option<String>,
}

impl Sweep {
    fn options(&self, seed: u64) -> Options {
        let options = run::options(self.kind, seed, self.nodes);
        Options { fencing: options.fencing.filter(|_| self.fencing), ..options }
    }

    /// Runs all seeds and writes the report; whether all is well.
    ///
    /// # Errors
    ///
    /// The report cannot be written.
    pub fn run(&self, out: &mut impl Write) -> io::Result<bool> {
        let begin = Instant::now();
        let mut totals = Totals::default();
        let mut written = Ok(());
        self.each(|outcome| {
            totals.add(&outcome);
            written = self.write(&outcome, out);
            written.is_ok()
        });
        written?;
        totals.write(self, begin.elapsed().as_secs_f64(), out)
    }

    /// Runs seeds until `take` has enough of them.
    pub fn each(&self, mut take: impl FnMut(Outcome) -> bool) {
        let next = AtomicU64::new(0);
        let (sender, receiver) = mpsc::channel();
        thread::scope(|scope| {
            for _ in 0..self.jobs.max(1) {
                let sender = sender.clone();
                scope.spawn(|| {
                    let sender = sender;
                    #[cfg(feature = "mutants")]
                    hac_types::switch_mutant(self.mutant);
                    loop {
                        let index = next.fetch_add(1, Ordering::Relaxed);
                        let seed = self.from.wrapping_add(index);
                        if index >= self.seeds {
                            return;
                        }
                        if (self.only)(&self.options(seed)) && sender.send(self.one(seed)).is_err() {
                            return;
                        }
                    }
                });
            }
            drop(sender);
            while let Ok(outcome) = receiver.recv() {
                if !take(outcome) {
                    // Nobody takes what the threads are still at: they end with their present seeds.
                    return drop(receiver);
                }
            }
        });
    }

    /// Runs one seed.
    #[must_use]
    pub fn one(&self, seed: u64) -> Outcome {
        let options = self.options(seed);
        let run = |recording| {
            let options = options.clone();
            panic::catch_unwind(AssertUnwindSafe(|| run::run(self.kind, options, recording)))
        };
        let mut verdict = match run(self.trace) {
            Ok(verdict) => verdict,
            Err(payload) => {
                // Where it was, and the way there, has been printed when it happened.
                let violation = Some(Violation::new("I-1", format!("a panic: {}", words(&*payload))));
                return Outcome { seed, violation, verdict: None, timeline: None };
            }
        };
        let mut violation = verdict.violation.take();
        let again = self.seeds <= ALL_AGAIN || seed.is_multiple_of(SOME);
        if violation.is_none() && self.twice && again {
            *verdict.executed.entry("DET-1").or_default() += 1;
            let again = panic::catch_unwind(|| run::again(self.kind, options.clone())).ok();
            if again != Some(verdict.hash) {
                violation = Some(Violation::new("DET-1", "two runs of this seed differ"));
            }
        }
        let mut timeline = verdict.timeline.take().filter(|_| self.trace);
        if violation.is_some() && timeline.is_none() && self.mutant.is_none() {
            timeline = run(true).ok().and_then(|again| again.timeline).map(|text| last_lines(&text, LINES));
        }
        Outcome { seed, violation, verdict: Some(verdict), timeline }
    }

    /// What was broken, what the seed stands for, the command that runs it again, and what happened.
    fn write(&self, outcome: &Outcome, out: &mut impl Write) -> io::Result<()> {
        if let Some(violation) = &outcome.violation {
            writeln!(out, "seed {}: {violation}", outcome.seed)?;
            writeln!(out, "  {:?}", self.options(outcome.seed))?;
            let mut nodes = self.nodes.map(|n| format!(" --nodes {n}")).unwrap_or_default();
            if !self.fencing {
                nodes.push_str(" --no-fencing");
            }
            let (kind, seed) = (self.kind.word(), outcome.seed);
            writeln!(out, "  replay: cargo xtask sim --only {kind} --seeds 1 --from {seed}{nodes} --once --trace")?;
        }
        match &outcome.timeline {
            Some(timeline) => writeln!(out, "{timeline}"),
            None => Ok(()),
        }
    }
}

/// What a panic said.
fn words(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("without a word")
}

fn last_lines(text: &str, lines: usize) -> String {
    let mut all = text.lines();
    let head = all.next().unwrap_or_default();
    let rest: Vec<&str> = all.collect();
    let from = rest.len().saturating_sub(lines);
    let tail = rest.get(from..).unwrap_or_default().join("\n");
    if from == 0 { format!("{head}\n{tail}") } else { format!("{head}\n  ({from} lines before)\n{tail}") }
}

/// What all runs together did.
#[derive(Default)]
struct Totals {
    runs: u64,
    failed: Vec<u64>,
    events: u64,
    most: (u64, u64),
    executed: BTreeMap<&'static str, u64>,
    sometimes: BTreeMap<&'static str, u64>,
}

impl Totals {
    fn add(&mut self, outcome: &Outcome) {
        self.runs += 1;
        if outcome.violation.is_some() {
            self.failed.push(outcome.seed);
        }
        let Some(verdict) = &outcome.verdict else { return };
        self.events += verdict.events;
        self.most = self.most.max((verdict.events, outcome.seed));
        for (name, count) in &verdict.executed {
            *self.executed.entry(name).or_default() += count;
        }
        for (name, count) in &verdict.sometimes {
            *self.sometimes.entry(name).or_default() += count;
        }
    }

    /// The summary; whether all is well. In a run of many seeds every property must have been looked at, in one of even
    /// more everything interesting must have happened.
    fn write(&mut self, sweep: &Sweep, seconds: f64, out: &mut impl Write) -> io::Result<bool> {
        let kind = sweep.kind.word();
        let Self { runs, events, most, .. } = self;
        writeln!(out, "{kind}: {runs} seeds, {events} events, {seconds:.1} s; most in seed {}: {}", most.1, most.0)?;
        let list = |counts: &BTreeMap<&str, u64>| {
            counts.iter().map(|(name, n)| format!("{name} {n}")).collect::<Vec<_>>().join(", ")
        };
        writeln!(out, "  checked: {}", list(&self.executed))?;
        writeln!(out, "  happened: {}", list(&self.sometimes))?;
        let missing = |names: &[&'static str], there: &BTreeMap<&str, u64>, least: u64| -> Vec<&str> {
            let absent = names.iter().copied().filter(|name| !there.contains_key(name));
            let is_due = |name: &&str| match OF_FENCING.contains(name) {
                true => sweep.fencing && *runs >= ENOUGH,
                false => *runs >= least,
            };
            absent.filter(is_due).collect()
        };
        let unchecked = missing(run::properties(kind), &self.executed, MANY);
        let unseen = missing(run::coverage(kind), &self.sometimes, ENOUGH);
        if !unchecked.is_empty() {
            writeln!(out, "  never checked: {}", unchecked.join(", "))?;
        }
        if !unseen.is_empty() {
            writeln!(out, "  never happened: {}", unseen.join(", "))?;
        }
        self.failed.sort_unstable();
        let failed: Vec<String> = self.failed.iter().map(ToString::to_string).collect();
        if !failed.is_empty() {
            writeln!(out, "  failed seeds: {}", failed.join(" "))?;
        }
        Ok(failed.is_empty() && unchecked.is_empty() && unseen.is_empty())
    }
}
