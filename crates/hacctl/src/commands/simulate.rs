//! `hacctl simulate`: decides about the running cluster or a stored state, and about what would be if something failed.

mod what_if;

use std::fs;
use std::io::Read as _;
use std::mem;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::{Args, ValueEnum};
use hac_model::Cib;
use hac_pacemaker::cib_xml;
use hac_pacemaker::simulate::{Clock, Extras, Simulation, Stuck, simulate_with};
use hac_scheduler::plan::check::check;
use hac_types::WallTime;

use what_if::WhatIf;
pub(crate) use what_if::{crm, without};

use super::Context;
use crate::failure::Failure;
use crate::terminal;

/// Most warnings that are printed.
const WARNINGS_MAX: usize = 20;

/// Options of `simulate`.
#[derive(Clone, Debug, Args)]
pub(crate) struct SimulateArgs {
    /// The state, as CIB XML; `-` is standard input. Without it the running cluster is asked
    #[arg(short = 'x', long, value_name = "FILE")]
    pub(crate) xml_file: Option<PathBuf>,
    /// As crm_simulate: the running cluster, which is what is asked without --xml-file
    #[arg(short = 'L', long, conflicts_with = "xml_file")]
    live_check: bool,
    #[command(flatten)]
    what_if: WhatIf,
    /// Decide as if it were this time: @ and seconds since 1970, or a date such as 2026-01-31 12:00:00
    #[arg(short = 't', long, value_name = "TIME")]
    now: Option<String>,
    /// Stop after the transition summary
    #[arg(long)]
    schedule_only: bool,
    /// Write the graph as XML
    #[arg(short = 'G', long, value_name = "FILE")]
    graph: Option<PathBuf>,
    /// Write the graph for Graphviz
    #[arg(short = 'D', long, value_name = "FILE")]
    dot: Option<PathBuf>,
    /// How to print
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Look whether the plan breaks a rule that no plan may break; say which, and fail
    #[arg(long)]
    check: bool,
    /// Print the assignment scores too
    #[arg(short = 's', long)]
    scores: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    Text,
    Json,
}

/// Decides about a stored state.
pub(crate) fn stored(arguments: &SimulateArgs, file: &Path, json: bool) -> Result<ExitCode, Failure> {
    run(arguments, load(file)?, json)
}

/// Decides about the running cluster, with its secrets: masked ones would look like changed parameters.
pub(crate) async fn live(context: &Context, arguments: &SimulateArgs) -> Result<ExitCode, Failure> {
    let cib = super::impact::state(context).await?;
    run(arguments, cib, context.json)
}

/// Prints what would be done and what would come of it.
fn run(arguments: &SimulateArgs, mut cib: Cib, json: bool) -> Result<ExitCode, Failure> {
    arguments.what_if.apply(&mut cib)?;
    let extras = Extras { scores: arguments.scores, drawing: arguments.dot.is_some() };
    let simulation = simulate_with(&cib, &clock(arguments.now.as_deref())?, arguments.schedule_only, extras);
    warn(&simulation.outcome.plan.warnings);
    if let Some(file) = &arguments.graph {
        write(file, &simulation.graph_xml(&cib))?;
    }
    if let Some(file) = &arguments.dot {
        write(file, &simulation.dot())?;
    }
    if arguments.check {
        lawful(&cib, &simulation)?;
    }
    if json || arguments.format == Format::Json {
        terminal::print_json(&as_json(&simulation))?;
    } else {
        terminal::print(&simulation.report())?;
        if arguments.scores {
            terminal::print(&simulation.outcome.scores.join("\n"))?;
        }
    }
    let stuck = simulation.stuck();
    // The program ends here. To give all this back piece by piece would take a tenth of its time.
    mem::forget((cib, simulation));
    match stuck {
        Some(stuck) => Err(unfinished(&stuck)),
        None => Ok(ExitCode::SUCCESS),
    }
}

/// Fails where the plan breaks a rule.
fn lawful(cib: &Cib, simulation: &Simulation) -> Result<(), Failure> {
    let violations = check(cib, &simulation.outcome.view, &simulation.outcome.plan);
    if violations.is_empty() {
        return Ok(());
    }
    let lines: Vec<String> = violations.iter().map(|violation| format!("\n  {violation}")).collect();
    let message = format!("the plan breaks {} rules:{}", violations.len(), lines.concat());
    Err(Failure {
        exit_code: 70,
        message,
        remedy: Some("This is a fault of hacctl: please report the file.".to_owned()),
    })
}

/// How packed files begin, by what they are packed, and what unpacks them. Pacemaker keeps its states packed by bzip2.
const PACKED: &[(&[u8], &str, &str)] = &[
    (b"BZh", "bzip2", "bunzip2 --keep"),
    (&[0x1f, 0x8b], "gzip", "gunzip --keep"),
    (&[0xfd, b'7', b'z', b'X', b'Z', 0], "xz", "unxz --keep"),
    (&[0x28, 0xb5, 0x2f, 0xfd], "zstd", "unzstd"),
];

/// Reads the state. What is wrong with the file ends with 65 (`EX_DATAERR`), what is wrong with the configuration in it
/// with 78 (`EX_CONFIG`), as with `crm_simulate`.
pub(super) fn load(file: &Path) -> Result<Cib, Failure> {
    let name = file.display();
    let bytes = read(file).map_err(|error| {
        Failure::unread(&name, &error).with_remedy(
            "Name a file with a CIB in it, as 'cibadmin -Q' or 'hacctl configure save xml FILE' writes one.",
        )
    })?;
    let refused = |exit_code: u8, message: String, remedy: &str| Failure {
        exit_code,
        message: format!("{name}: {message}"),
        remedy: Some(format!("{remedy} Nothing was decided.")),
    };
    if let Some((packed_by, unpack)) =
        PACKED.iter().find(|(magic, ..)| bytes.starts_with(magic)).map(|found| (found.1, found.2))
    {
        let remedy = format!("Unpack it first: '{unpack} {name}'.");
        return Err(refused(65, format!("it is compressed by {packed_by}"), &remedy));
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let right = String::from_utf8_lossy(&error.as_bytes()[..error.utf8_error().valid_up_to()]);
        let (line, column) = cib_xml::place(&right, right.len());
        let message = format!("line {line}, column {column}: not UTF-8");
        refused(65, message, "Save the CIB as UTF-8 ('iconv -t UTF-8').")
    })?;
    cib_xml::read_valid(&text).map_err(|error| {
        let exit_code = if error.problem.is_about_configuration() { 78 } else { 65 };
        refused(exit_code, error.to_string(), error.problem.remedy())
    })
}

/// The bytes of a file or of standard input; at most one more than a CIB may have.
fn read(file: &Path) -> std::io::Result<Vec<u8>> {
    let limit = u64::try_from(cib_xml::MAX_BYTES).unwrap_or(u64::MAX).saturating_add(1);
    let mut bytes = Vec::new();
    if file == Path::new("-") {
        std::io::stdin().take(limit).read_to_end(&mut bytes)?;
    } else {
        let opened = fs::File::open(file)?;
        let expected = opened.metadata()?.len().min(limit);
        // Room for all of it, and for the read that finds the end.
        bytes.reserve_exact(usize::try_from(expected).unwrap_or(0).saturating_add(1));
        opened.take(limit).read_to_end(&mut bytes)?;
    }
    Ok(bytes)
}

/// What the scheduler passed over.
fn warn(warnings: &[String]) {
    for warning in warnings.iter().take(WARNINGS_MAX) {
        eprintln!("WARNING: {}", terminal::harmless(warning));
    }
    if warnings.len() > WARNINGS_MAX {
        eprintln!("WARNING: and {} more", warnings.len() - WARNINGS_MAX);
    }
}

/// A plan in which actions wait for each other, as `crm_simulate` ends with 1.
fn unfinished(stuck: &Stuck) -> Failure {
    let message = format!(
        "{} of the actions are never carried out, because they wait for each other: {}",
        stuck.actions,
        terminal::harmless(&stuck.circle.join(", then "))
    );
    Failure { exit_code: 1, message, remedy: None }.with_remedy("Look for orderings that form a circle and remove one.")
}

/// The time to decide at.
pub(super) fn clock(given: Option<&str>) -> Result<Clock, Failure> {
    let Some(words) = given else {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        return Ok(Clock::Present(WallTime(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))));
    };
    Clock::given(words).ok_or_else(|| {
        Failure::usage(format!("--now: '{}' is no time", terminal::harmless(words)))
            .with_remedy("Write @ and seconds since 1970, or a date such as '2026-01-31 12:00:00'.")
    })
}

fn write(file: &Path, text: &str) -> Result<(), Failure> {
    fs::write(file, text).map_err(|error| {
        Failure { exit_code: 73, ..Failure::system(&format!("could not write {}", file.display()), &error) }
            .with_remedy("Name a file in a folder that exists and that you may write to.")
    })
}

pub(super) fn as_json(simulation: &Simulation) -> serde_json::Value {
    let outcome = &simulation.outcome;
    serde_json::json!({
        "status": outcome.view,
        "plan": outcome.plan,
        "executed": simulation.executed,
        "revised_status": simulation.after.as_ref().map(|(_, view)| view),
    })
}
