//! `hacctl simulate`: decides about a stored cluster state, without a daemon.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::{Args, ValueEnum};
use hac_api::ErrorCode;
use hac_crm::model::Cib;
use hac_crm::plan::check::check;
use hac_pacemaker::cib_xml;
use hac_pacemaker::simulate::{Clock, Simulation, simulate, simulate_with_scores};
use hac_types::WallTime;

use crate::failure::Failure;
use crate::terminal;

/// Options of `simulate`.
#[derive(Debug, Args)]
pub(crate) struct SimulateArgs {
    /// The state, as CIB XML; `-` is standard input
    #[arg(short = 'x', long, value_name = "FILE")]
    xml_file: PathBuf,
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

/// Prints what would be done and what would come of it.
pub(crate) fn run(arguments: &SimulateArgs, json: bool) -> Result<ExitCode, Failure> {
    let cib = load(&arguments.xml_file)?;
    let decide = if arguments.scores { simulate_with_scores } else { simulate };
    let simulation = decide(&cib, &clock(arguments.now.as_deref())?, arguments.schedule_only);
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
    Ok(ExitCode::SUCCESS)
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

fn load(file: &Path) -> Result<Cib, Failure> {
    let name = file.display();
    let read = if file == Path::new("-") {
        let mut text = String::new();
        let limit = u64::try_from(cib_xml::MAX_BYTES).unwrap_or(u64::MAX).saturating_add(1);
        std::io::stdin().take(limit).read_to_string(&mut text).map(|_| text)
    } else {
        // Too long a file is refused before it is read.
        match fs::metadata(file) {
            Ok(meta) if meta.len() > cib_xml::MAX_BYTES as u64 => {
                let what =
                    format!("{name} has {} bytes, more than the {} that are read", meta.len(), cib_xml::MAX_BYTES);
                return Err(Failure::new(ErrorCode::Invalid, what).with_remedy("Is it a CIB? See 'cibadmin -Q'."));
            }
            _ => fs::read_to_string(file),
        }
    };
    let text = read.map_err(|error| {
        Failure { exit_code: 66, ..Failure::system(&format!("could not read {name}"), &error) }.with_remedy(
            "Name a file with a CIB in it, as 'cibadmin -Q' or 'hacctl configure save xml FILE' writes one.",
        )
    })?;
    cib_xml::read(&text).map_err(|error| Failure {
        exit_code: 65,
        message: format!("{name}: {error}"),
        remedy: Some("Put that place right; nothing was decided.".to_owned()),
    })
}

/// The time to decide at.
fn clock(given: Option<&str>) -> Result<Clock, Failure> {
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
    fs::write(file, text).map_err(|error| Failure::system(&format!("could not write {}", file.display()), &error))
}

fn as_json(simulation: &Simulation) -> serde_json::Value {
    let outcome = &simulation.outcome;
    serde_json::json!({
        "status": outcome.view,
        "plan": outcome.plan,
        "executed": simulation.executed,
        "revised_status": simulation.after.as_ref().map(|(_, view)| view),
    })
}
