//! `cargo xtask conformance`: our scheduler beside Pacemaker's, over any checkout of its scheduler cases.
//!
//! A case is a state of a cluster with the report that Pacemaker's own simulator printed for it. Three levels are
//! compared, each holding only if the ones before it hold:
//!
//! * L1: where everything ends up ("Revised Cluster Status", line by line)
//! * L2: what will be done and why ("Transition Summary", in any order)
//! * L3: the same operations, none of them before something that the stored graph puts first
//!
//! A plan of ours that breaks a rule which no plan may break agrees at no level.

mod graph;
mod report;
mod suite;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context as _, bail};

use crate::options::Options;
use crate::project::{Profile, Project};
use suite::{Case, Level, Verdict};

/// Environment variable that names a checkout of the suite.
const SUITE_VARIABLE: &str = "PACEMAKER_CTS";

/// Where the suite is looked for beside the project.
const SUITE_BESIDE: &str = "../shared/pacemaker-cts";

/// How many cases must agree at L3, so that what once agreed goes on agreeing. Raised as the scheduler grows.
const FLOOR_FILE: &str = "tests/scheduler/conformance-floor";

/// The result over a suite.
pub(crate) struct Score {
    /// Cases in all.
    pub(crate) total: usize,
    /// Cases that agree at L1, at L2, at L3.
    pub(crate) levels: [usize; 3],
    differing: Vec<(String, Verdict)>,
}

impl Score {
    /// One line: how many cases agree at each level.
    pub(crate) fn line(&self) -> String {
        let [l1, l2, l3] = self.levels;
        format!("{} cases: {l1} agree at L1, {l2} at L2, {l3} at L3", self.total)
    }

    /// The first cases that do not agree at every level, a line each with what differs.
    pub(crate) fn differing(&self, most: usize) -> Vec<String> {
        self.differing.iter().take(most).map(|(name, verdict)| format!("{name}: {}", verdict.reason())).collect()
    }
}

/// Builds `hacctl` in release, or takes another program with the same options, and compares.
pub(crate) fn run(project: &Project, arguments: &[String]) -> anyhow::Result<ExitCode> {
    let options = Options::parse(arguments, &[], &["--suite", "--level", "--only", "--show", "--tool"])?;
    options.no_words()?;
    let folder = match options.value("--suite") {
        Some(folder) => PathBuf::from(folder),
        None => find(project).context("say where the suite is: cargo xtask conformance --suite DIR")?,
    };
    let level = match options.value("--level").unwrap_or("L3") {
        "L1" => Level::Status,
        "L2" => Level::Summary,
        "L3" => Level::Execution,
        other => bail!("--level takes L1, L2 or L3, not {other}"),
    };
    let cases = suite::cases(&folder)?;
    let tool = match options.value("--tool") {
        Some(tool) => PathBuf::from(tool),
        None => project.build(Profile::Release, &["hacctl"])?.join("hacctl"),
    };
    let score = judge(cases, &tool, options.value("--only"));
    let show = usize::try_from(options.number("--show")?.unwrap_or(5)).unwrap_or(usize::MAX);
    for (name, verdict) in score.differing.iter().filter(|(_, verdict)| !verdict.agrees(level)).take(show) {
        println!("{name}: {}", verdict.reason());
    }
    println!("{}", score.line());
    let agreeing = score.levels[level as usize];
    println!("{agreeing} passed, {} failed", score.total - agreeing);
    Ok(if agreeing == score.total { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The suite on this machine, if there is one.
pub(crate) fn find(project: &Project) -> Option<PathBuf> {
    let named = std::env::var_os(SUITE_VARIABLE).map(PathBuf::from);
    let beside = project.root.join(SUITE_BESIDE);
    named.or_else(|| beside.is_dir().then_some(beside))
}

/// How many cases must agree at L3; 0 where nothing was written down yet.
///
/// # Errors
/// The file does not hold a number.
pub(crate) fn floor(root: &Path) -> anyhow::Result<usize> {
    match std::fs::read_to_string(root.join(FLOOR_FILE)) {
        Ok(text) => text.trim().parse().with_context(|| format!("{FLOOR_FILE} holds no number")),
        Err(_) => Ok(0),
    }
}

/// Runs the tool over all cases, on all processors.
///
/// # Errors
/// There are no cases in the folder.
pub(crate) fn compare(folder: &Path, tool: &Path) -> anyhow::Result<Score> {
    Ok(judge(suite::cases(folder)?, tool, None))
}

/// Runs the tool over these cases, or those of them whose name holds a text.
fn judge(mut cases: Vec<Case>, tool: &Path, only: Option<&str>) -> Score {
    cases.retain(|case| only.is_none_or(|text| case.name.contains(text)));
    let verdicts = judge_all(&cases, tool);
    let mut score = Score { total: cases.len(), levels: [0; 3], differing: Vec::new() };
    for (case, verdict) in cases.iter().zip(verdicts) {
        for level in [Level::Status, Level::Summary, Level::Execution] {
            score.levels[level as usize] += usize::from(verdict.agrees(level));
        }
        if !verdict.agrees(Level::Execution) {
            score.differing.push((case.name.clone(), verdict));
        }
    }
    score
}

/// One verdict a case, in the order of the cases.
fn judge_all(cases: &[Case], tool: &Path) -> Vec<Verdict> {
    let next = AtomicUsize::new(0);
    let verdicts = Mutex::new(Vec::with_capacity(cases.len()));
    let lawful = suite::looks_at_plans(tool);
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while let Some((index, case)) = {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    cases.get(index).map(|case| (index, case))
                } {
                    let verdict = case.judge(tool, lawful);
                    let mut all = verdicts.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                    all.push((index, verdict));
                }
            });
        }
    });
    let mut all = verdicts.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    all.sort_by_key(|(index, _)| *index);
    all.into_iter().map(|(_, verdict)| verdict).collect()
}
