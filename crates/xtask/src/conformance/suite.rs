//! The cases of a suite, and the judgement of one of them.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};

use super::graph;
use super::report::Report;

/// Option of our own tool that looks whether the plan breaks a rule.
const LAWFUL: &str = "--check";

/// Whether the tool can look at its own plans.
pub(super) fn looks_at_plans(tool: &Path) -> bool {
    let help = Command::new(tool).args(["simulate", "--help"]).stdin(Stdio::null()).output();
    help.is_ok_and(|help| String::from_utf8_lossy(&help.stdout).contains(LAWFUL))
}

/// How long the tool may take for a case.
const LIMIT: Duration = Duration::from_secs(60);

/// A case: the paths of its files.
pub(super) struct Case {
    pub(super) name: String,
    input: PathBuf,
    summary: PathBuf,
    graph: PathBuf,
}

/// What is compared; the number is the index in a score.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    Status = 0,
    Summary = 1,
    Execution = 2,
}

/// The outcome of a case: the first level that differs, and in what.
pub(super) struct Verdict(Option<(Level, String)>);

impl Verdict {
    /// Whether the case agrees at this level and the ones before it.
    pub(super) fn agrees(&self, level: Level) -> bool {
        self.0.as_ref().is_none_or(|(differing, _)| *differing > level)
    }

    /// What differs.
    pub(super) fn reason(&self) -> &str {
        self.0.as_ref().map_or("agrees", |(_, reason)| reason)
    }
}

/// Finds the cases in a folder of the suite or in a checkout of Pacemaker.
///
/// # Errors
/// There are none.
pub(super) fn cases(folder: &Path) -> anyhow::Result<Vec<Case>> {
    let places = ["", "cases", "cts/scheduler", "scheduler"];
    let data = places.iter().map(|place| folder.join(place)).find(|data| data.join("xml").is_dir());
    let data = data.with_context(|| format!("no folder xml with cases in {}", folder.display()))?;
    let mut cases = Vec::new();
    for entry in std::fs::read_dir(data.join("xml"))? {
        let input = entry?.path();
        let Some(name) = input.file_stem().and_then(|stem| stem.to_str()).map(str::to_owned) else {
            continue;
        };
        let summary = data.join(format!("summary/{name}.summary"));
        let graph = data.join(format!("exp/{name}.exp"));
        if input.extension().is_some_and(|extension| extension == "xml") && summary.is_file() {
            cases.push(Case { name, input, summary, graph });
        }
    }
    ensure!(!cases.is_empty(), "no cases in {}", data.display());
    cases.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(cases)
}

impl Case {
    /// Runs the tool and compares its report with the stored one. With `lawful` the tool also looks whether its plan
    /// breaks a rule, and a plan that does agrees with nothing.
    pub(super) fn judge(&self, tool: &Path, lawful: bool) -> Verdict {
        match self.differs(tool, lawful) {
            Ok(difference) => Verdict(difference),
            Err(error) => Verdict(Some((Level::Status, format!("{error:#}")))),
        }
    }

    fn differs(&self, tool: &Path, lawful: bool) -> anyhow::Result<Option<(Level, String)>> {
        let wanted = std::fs::read_to_string(&self.summary)?;
        // The time at which a case was evaluated stands in its report when it was given by hand.
        let now = wanted.lines().find_map(|line| line.strip_prefix("Setting effective cluster time: "));
        let mut command = Command::new(tool);
        command.arg("simulate").arg("--xml-file").arg(&self.input);
        if lawful {
            command.arg(LAWFUL);
        }
        if let Some(now) = now {
            command.args(["--now", now.trim()]);
        }
        let given = limited(command.env("LC_ALL", "C").env("TZ", "UTC"))?;
        let (wanted, given) = (Report::parse(&wanted), Report::parse(&given));
        if let Some(reason) = wanted.revised.same_lines(&given.revised) {
            return Ok(Some((Level::Status, format!("status: {reason}"))));
        }
        if let Some(reason) = wanted.summary.same_set(&given.summary) {
            return Ok(Some((Level::Summary, format!("summary: {reason}"))));
        }
        if let Some(reason) = wanted.executing.same_set(&given.executing) {
            return Ok(Some((Level::Execution, format!("execution: {reason}"))));
        }
        if wanted.executing == given.executing {
            return Ok(None);
        }
        let graph = graph::parse(&std::fs::read_to_string(&self.graph)?);
        let early = graph::violation(&given.executing.lines, &graph);
        Ok(early.map(|reason| (Level::Execution, format!("order: {reason}"))))
    }
}

/// What a command prints, if it ends well and in time.
fn limited(command: &mut Command) -> anyhow::Result<String> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .context("cannot run the tool")?;
    let mut pipe = child.stdout.take().context("no standard output")?;
    let reader = std::thread::spawn(move || {
        let mut bytes = Vec::new();
        pipe.read_to_end(&mut bytes).map(|_| bytes)
    });
    let started = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if started.elapsed() > LIMIT {
            child.kill()?;
            child.wait()?;
            anyhow::bail!("no answer within {} s", LIMIT.as_secs());
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    let bytes = reader.join().map_err(|_| anyhow::anyhow!("the reader panicked"))??;
    ensure!(status.success(), "the tool ended with {status}");
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
