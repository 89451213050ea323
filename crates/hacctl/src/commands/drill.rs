//! `hacctl test failover`: moves everything away from a node while somebody asks for the page all the time, and says what a
//! client felt.
//!
//! The node is emptied by location constraints that end by themselves at a deadline, so that whatever becomes of this
//! program, nothing is left that decides where something runs. They are in the configuration, so all nodes know that a
//! drill is under way.

mod prober;

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::{Args, Subcommand, ValueEnum};
use hac_api::{ErrorCode, MemberState, Status};
use hac_crm::cib::Change;
use hac_model::{Cib, Constraint, Resource, parse_duration_ms};
use hac_pacemaker::crm_syntax;
use hac_scheduler::view::{ClusterView, ResourceKind, ResourceView};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::macros::format_description;

use super::{Context, doctor, node};
use crate::failure::Failure;
use crate::{progress, terminal};
use prober::{Gap, Prober};

/// Between two drills, seconds.
const BETWEEN: i64 = 10 * 60;

/// In a day.
const A_DAY: usize = 3;

/// How long a drill's constraints hold after it should be over.
const MARGIN: Duration = Duration::from_secs(60);

/// How often is looked how things stand.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Longest record that is read.
const RECORD_MAX: u64 = 1 << 20;

/// `hacctl test ...`
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum TestCommand {
    /// Move everything away from a node and back, and measure what a client feels
    Failover(FailoverArgs),
    /// The tests that were made from this node
    History {
        /// The state of the daemon
        #[arg(long, value_name = "DIR", default_value = "/var/lib/hacd")]
        state: PathBuf,
    },
}

/// Options of `test failover`.
#[derive(Clone, Debug, Args)]
pub(crate) struct FailoverArgs {
    /// What is done to the node
    #[arg(long, value_enum, default_value_t = How::Standby)]
    how: How,
    /// Which node (the one that has the address if absent)
    #[arg(long, value_name = "NAME")]
    node: Option<String>,
    /// The page that is asked for (that of the floating address if absent)
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// The longest gap that passes
    #[arg(long, value_name = "DURATION", default_value = "5s")]
    max_gap: String,
    /// How long is asked before anything is done, and after it
    #[arg(long, value_name = "DURATION", default_value = "10s")]
    baseline: String,
    /// Although there was one a moment ago, or three today
    #[arg(long)]
    again: bool,
    /// Do it without asking
    #[arg(long, short = 'y')]
    yes: bool,
    /// Only say whether it could be done, and what would move
    #[arg(long)]
    dry_run: bool,
    /// The state of the daemon, beside which the result is kept
    #[arg(long, value_name = "DIR", default_value = "/var/lib/hacd")]
    state: PathBuf,
}

/// Ways to make a node fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum How {
    /// Everything is moved away from it
    Standby,
}

/// What came of a drill.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Record {
    /// Seconds since 1970.
    time: i64,
    node: String,
    how: String,
    /// The longest time without an answer, milliseconds; nothing if nobody asked.
    gap_ms: Option<u64>,
    lost: usize,
    asked: usize,
    /// From the order until all ran elsewhere, milliseconds.
    moved_ms: u64,
    passed: bool,
}

/// Carries out a test, or shows the past ones.
pub(crate) async fn run(context: &Context, command: &TestCommand) -> Result<ExitCode, Failure> {
    match command {
        TestCommand::Failover(args) => failover(context, args).await,
        TestCommand::History { state } => history(context, state),
    }
}

async fn failover(context: &Context, args: &FailoverArgs) -> Result<ExitCode, Failure> {
    let (max_gap, baseline) = (duration(&args.max_gap)?, duration(&args.baseline)?);
    let (status, view) = context.client.view().await?;
    let cib = context.client.cib(true).await?;
    let node = match &args.node {
        Some(name) => node::find(&status, Some(name))?.name.clone(),
        None => holder(&view).unwrap_or_else(|| status.node.clone()),
    };
    let records = records(&args.state);
    let past: &[Record] = if args.again { &[] } else { &records };
    if let Some(why) = interlock(&status, &view, &cib, &node, past) {
        return Err(why);
    }
    let moving = running_on(&view, &node);
    let url = args.url.clone().or_else(|| page(&cib));
    let what = format!(
        "{} would be moved away from {node} and may come back after it{}",
        moving.join(", "),
        url.as_deref().map_or_else(String::new, |url| format!("; {url} is asked for all the time"))
    );
    if args.dry_run || context.consent.dry_run {
        terminal::print(&format!("nothing is in the way; {}\n", terminal::harmless(&what)))?;
        return Ok(ExitCode::SUCCESS);
    }
    if !args.yes && !context.consent.yes {
        terminal::confirm(&what, "--yes does it without asking, --dry-run only says whether it could be done.")?;
    }
    let prober = url.as_deref().map(Prober::start).transpose()?;
    if let Some(prober) = &prober {
        progress::show("asking for the page before anything is done", tokio::time::sleep(baseline)).await;
        if let Some(why) = prober.unclean() {
            return Err(Failure::new(
                ErrorCode::Unsafe,
                format!("the page does not come steadily before the test: {why}"),
            )
            .with_remedy("See that it answers from this host, or name another one with --url; nothing was done."));
        }
    }
    let drill = Drill { context, node: &node, moving: &moving, cib: &cib, view: &view, max_gap };
    let begin = Instant::now();
    let _own = crate::interrupt::own();
    let outcome = drill.act(prober.as_ref(), baseline).await;
    // Whatever came of it, nothing of it stays.
    let undone = drill.undo().await;
    let moved = ended(outcome, undone)?;
    progress::show("waiting until all is as before", drill.settle()).await?;
    if prober.is_some() {
        tokio::time::sleep(baseline.min(Duration::from_secs(2))).await;
    }
    let gap = prober.as_ref().map(|prober| prober.gap(begin));
    let passed = gap.as_ref().is_none_or(|gap| gap.longest <= max_gap);
    let record = Record {
        time: status.now_ms / 1000,
        node: node.clone(),
        how: "standby".to_owned(),
        gap_ms: gap.as_ref().map(|gap| millis(gap.longest)),
        lost: gap.as_ref().map_or(0, |gap| gap.lost),
        asked: gap.as_ref().map_or(0, |gap| gap.asked),
        moved_ms: millis(moved.after),
        passed,
    };
    keep(&args.state, &record);
    report(context, &record, &moved, gap.as_ref(), max_gap)?;
    drill.compare().await?;
    Ok(if passed { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// What came of a drill, and with a failure whether anything of it is left.
fn ended<T>(outcome: Result<T, Failure>, undone: Result<(), Failure>) -> Result<T, Failure> {
    match (outcome, undone) {
        (Ok(moved), Ok(())) => Ok(moved),
        (Err(failure), Ok(())) => Err(failure.and("Nothing of the test is left.")),
        (Err(failure), Err(_)) | (Ok(_), Err(failure)) => Err(failure.and(
            "Constraints of the test ('drill-...' in 'hacctl configure show') may be left: they end by themselves, \
             and 'hacctl configure delete ID' ends one at once.",
        )),
    }
}

fn duration(text: &str) -> Result<Duration, Failure> {
    parse_duration_ms(text).map(Duration::from_millis).filter(|time| *time <= Duration::from_secs(600)).ok_or_else(
        || {
            Failure::usage(format!("'{}' is no time up to 10 minutes", terminal::harmless(text)))
                .with_remedy("Write 5s or 500ms.")
        },
    )
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Why the drill must not be, if there is anything.
fn interlock(status: &Status, view: &ClusterView, cib: &Cib, node: &str, past: &[Record]) -> Option<Failure> {
    let no = |sentence: String, remedy: &str| Some(Failure::new(ErrorCode::Unsafe, sentence).with_remedy(remedy));
    let away: Vec<&str> =
        status.members.nodes.iter().filter(|n| n.state != MemberState::Joined).map(|n| n.name.as_str()).collect();
    if !away.is_empty() {
        return no(format!("{} is away: there is nobody to take over", away.join(" and ")), "Start hacd there first.");
    }
    if status.members.nodes.len() < 2 {
        return no("there is only one node".to_owned(), "'hacctl invite' lets another one join.");
    }
    if !status.quorum.quorate {
        return no("this partition has no quorum".to_owned(), "'hacctl quorum' shows who is missing.");
    }
    if !status.settled {
        let what = status.waiting_for.join("; ");
        return no(
            format!("the cluster is at work: {what}"),
            "Try again when 'hacctl status' shows nothing in progress.",
        );
    }
    if let Some(drill) = cib.configuration.constraints.iter().find(|constraint| is_drill(constraint)) {
        let id = constraint_id(drill);
        let remedy = format!("If it is over and this was left behind: hacctl configure delete {id}");
        return no("another drill is under way".to_owned(), &remedy);
    }
    if let Some(failed) = view.failed.first() {
        let remedy = "See to it first; 'hacctl resource cleanup' forgets it.";
        return no(format!("something has failed: {}", hac_pacemaker::mon::failure(failed)), remedy);
    }
    if view.maintenance_mode || view.nodes.iter().any(|node| node.maintenance || node.standby) {
        return no(
            "a node is on standby or in maintenance".to_owned(),
            "End that first: 'hacctl node online', 'hacctl node ready'.",
        );
    }
    if running_on(view, node).is_empty() {
        return no(format!("nothing that could move runs on {node}"), "Name another node with --node.");
    }
    let unfit = doctor::unfit(cib, view, node, status.now_ms / 1000);
    if let Some(resource) = unfit.first() {
        let remedy = format!("'hacctl explain {resource}' says why the other nodes may not run it.");
        return no(format!("{resource} could not run anywhere but on {node}"), &remedy);
    }
    let now = status.now_ms / 1000;
    let recent = past.iter().filter(|record| now.saturating_sub(record.time) < 24 * 3600);
    if recent.clone().any(|record| now.saturating_sub(record.time) < BETWEEN) {
        return no("there was a test less than 10 minutes ago".to_owned(), "--again makes another one all the same.");
    }
    if recent.count() >= A_DAY {
        return no(format!("there were {A_DAY} tests today"), "--again makes another one all the same.");
    }
    None
}

/// The resources of their own (not copies) that run on a node.
fn running_on(view: &ClusterView, node: &str) -> Vec<String> {
    let single = |resource: &&ResourceView| {
        !matches!(resource.kind, ResourceKind::Clone { .. }) && !resource.flags.removed && resource.flags.managed
    };
    let here = view.resources.iter().filter(single).filter(|resource| resource.nodes.iter().any(|at| at == node));
    here.map(|resource| resource.name.clone()).collect()
}

/// The node with the first resource that is in one place only.
fn holder(view: &ClusterView) -> Option<String> {
    let single = view.resources.iter().filter(|resource| !matches!(resource.kind, ResourceKind::Clone { .. }));
    single.filter_map(|resource| resource.nodes.first().cloned()).next()
}

/// The page at the cluster's address.
fn page(cib: &Cib) -> Option<String> {
    let found = cib.configuration.resources.iter().find_map(|resource| {
        let Resource::Primitive(primitive) = resource else { return None };
        let names = ["floating_ip", "ip"];
        names.iter().find_map(|name| primitive.params.iter().find_map(|set| set.get(name)).map(str::to_owned))
    });
    found.map(|ip| format!("http://{ip}/"))
}

fn constraint_id(constraint: &Constraint) -> &str {
    match constraint {
        Constraint::Location(location) => &location.id,
        _ => "",
    }
}

fn is_drill(constraint: &Constraint) -> bool {
    constraint_id(constraint).starts_with("drill-")
}

/// A drill under way.
struct Drill<'d> {
    context: &'d Context,
    node: &'d str,
    moving: &'d [String],
    cib: &'d Cib,
    /// How things stood before.
    view: &'d ClusterView,
    max_gap: Duration,
}

/// That everything was moved.
struct Moved {
    after: Duration,
    /// Where what moved is now.
    to: Vec<String>,
}

impl Drill<'_> {
    /// The constraints: every resource off the node, until a deadline.
    fn bans(&self, lasts: Duration) -> Result<Vec<Change>, Failure> {
        let until = OffsetDateTime::now_utc() + lasts;
        let format = format_description!("[year]-[month]-[day] [hour]:[minute]:[second]Z");
        let until = until.format(format).map_err(|error| Failure::system("could not write a date", &error))?;
        let resources = self.cib.configuration.resources.iter().filter(|r| !matches!(r, Resource::Template(_)));
        let line = |resource: &Resource| {
            let (id, node) = (resource.id(), self.node);
            format!("location drill-{id} {id} rule -inf: #uname eq {node} and date lt \"{until}\"\n")
        };
        let text: String = resources.map(line).collect();
        crm_syntax::parse(&text)
            .map_err(|error| Failure::new(ErrorCode::Internal, format!("the drill cannot be written: {error}")))
    }

    /// Moves everything away and waits until it runs elsewhere.
    async fn act(&self, prober: Option<&Prober>, steady: Duration) -> Result<Moved, Failure> {
        let patience = self.max_gap.max(Duration::from_secs(60));
        let bans = self.bans(patience + steady + MARGIN)?;
        let begin = Instant::now();
        self.context.client.configure(&bans, None, None).await?;
        let interrupted = tokio::signal::ctrl_c();
        tokio::pin!(interrupted);
        loop {
            tokio::select! {
                _ = &mut interrupted => {
                    return Err(Failure { exit_code: 130, ..Failure::usage("the test was interrupted") }
                        .with_remedy("'hacctl status' shows how things stand."));
                }
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
            let (status, view) = self.context.client.view().await?;
            let places: Vec<(String, Vec<String>)> = self.places(&view);
            let elsewhere =
                places.iter().all(|(_, nodes)| !nodes.is_empty() && !nodes.iter().any(|at| at == self.node));
            let answers = prober.is_none_or(Prober::answers);
            if elsewhere && status.settled && answers {
                let to = places.into_iter().map(|(name, nodes)| format!("{name} to {}", nodes.join(" "))).collect();
                let after = begin.elapsed();
                tokio::time::sleep(steady.min(Duration::from_secs(5))).await;
                return Ok(Moved { after, to });
            }
            if begin.elapsed() > patience || prober.is_some_and(|prober| prober.outage() > patience) {
                let seconds = patience.as_secs();
                let what = if elsewhere && status.settled {
                    "everything runs elsewhere, but the page does not come to this host"
                } else {
                    "not everything runs elsewhere"
                };
                let text = format!("{what} after {seconds} s");
                return Err(Failure::new(ErrorCode::Timeout, text).with_remedy(
                    "'hacctl explain' says what is in the way; --url names a page that this host reaches wherever it is served.",
                ));
            }
        }
    }

    /// Where what moves is.
    fn places(&self, view: &ClusterView) -> Vec<(String, Vec<String>)> {
        let ours = view.resources.iter().filter(|resource| self.moving.contains(&resource.name));
        ours.map(|resource| (resource.name.clone(), resource.nodes.clone())).collect()
    }

    /// Takes the constraints back. If that cannot be done they end by themselves.
    async fn undo(&self) -> Result<(), Failure> {
        let cib = self.context.client.cib(false).await?;
        let drills = cib.configuration.constraints.iter().filter(|constraint| is_drill(constraint));
        let ids: Vec<String> = drills.map(|constraint| constraint_id(constraint).to_owned()).collect();
        if ids.is_empty() {
            return Ok(());
        }
        let changes: Vec<Change> = ids.into_iter().map(|id| Change::Delete { id, force: false }).collect();
        self.context.client.configure(&changes, None, None).await.map(|_| ())
    }

    async fn settle(&self) -> Result<(), Failure> {
        let settled = self.context.client.settle(Duration::from_secs(60)).await?;
        super::reached::settled(&settled)
    }

    /// Whether all runs as before; what is different is said.
    async fn compare(&self) -> Result<(), Failure> {
        let (_, after) = self.context.client.view().await?;
        let down = hac_compat::not_running(&after);
        let was = hac_compat::not_running(self.view);
        if let Some(name) = down.iter().find(|name| !was.contains(name)) {
            return Err(Failure::new(
                ErrorCode::Invalid,
                format!("{name} does not run after the test, and did before"),
            )
            .with_remedy(format!("'hacctl explain {name}' says what is in the way.")));
        }
        for (name, nodes) in self.places(&after) {
            if !nodes.iter().any(|at| at == self.node) {
                eprintln!("INFO: {} stays on {}", terminal::harmless(&name), terminal::harmless(&nodes.join(" ")));
            }
        }
        Ok(())
    }
}

fn report(
    context: &Context,
    record: &Record,
    moved: &Moved,
    gap: Option<&Gap>,
    max_gap: Duration,
) -> Result<(), Failure> {
    if context.json {
        return terminal::print_json(record);
    }
    let verdict = if record.passed { "passed" } else { "FAILED" };
    let to = terminal::harmless(&moved.to.join(", "));
    let text = match gap {
        Some(gap) => format!(
            "{to}, away from {}: the page was away for {} ms ({} requests of {})\n  moved after {} ms   limit {} ms: {verdict}\n",
            record.node,
            millis(gap.longest),
            gap.lost,
            gap.asked,
            record.moved_ms,
            millis(max_gap)
        ),
        None => format!(
            "{to}, away from {}, after {} ms; nobody asked for a page (--url): {verdict}\n",
            record.node, record.moved_ms
        ),
    };
    terminal::print(&text)
}

fn file(state: &Path) -> PathBuf {
    state.join("drill.jsonl")
}

/// The drills that were made from this node, the oldest first.
fn records(state: &Path) -> Vec<Record> {
    let Ok(about) = fs::metadata(file(state)) else { return Vec::new() };
    if !about.is_file() || about.len() > RECORD_MAX {
        return Vec::new();
    }
    let text = fs::read_to_string(file(state)).unwrap_or_default();
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// When a failover was last tested with success, seconds since 1970.
pub(crate) fn last(state: &Path) -> Option<i64> {
    records(state).iter().filter(|record| record.passed).map(|record| record.time).max()
}

/// Keeps what came of a drill. That it cannot be kept does not make it fail.
fn keep(state: &Path, record: &Record) {
    let line = serde_json::to_string(record).unwrap_or_default();
    let written = OpenOptions::new()
        .create(true)
        .append(true)
        .open(file(state))
        .and_then(|mut out| out.write_all(format!("{line}\n").as_bytes()));
    if let Err(error) = written {
        eprintln!("WARNING: {}", hac_model::plain(&format!("the result could not be kept: {error}")));
    }
}

fn history(context: &Context, state: &Path) -> Result<ExitCode, Failure> {
    let records = records(state);
    if context.json {
        terminal::print_json(&records)?;
        return Ok(ExitCode::SUCCESS);
    }
    let line = |record: &Record| {
        let gap = record.gap_ms.map_or_else(|| "not measured".to_owned(), |gap| format!("{gap} ms"));
        let verdict = if record.passed { "passed" } else { "FAILED" };
        let time = super::events::clock(record.time.saturating_mul(1000));
        let (how, node) = (terminal::harmless(&record.how), terminal::harmless(&record.node));
        format!("{time} {how} {node}: gap {gap}, moved after {} ms: {verdict}\n", record.moved_ms)
    };
    terminal::print(&records.iter().map(line).collect::<String>())?;
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests;
