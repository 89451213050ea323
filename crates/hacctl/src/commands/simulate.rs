//! `hacctl simulate`: what would happen to a stored cluster state. Needs no daemon.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::{Args, ValueEnum};
use hac_api::ErrorCode;
use hac_pacemaker::cib_xml;
use hac_pacemaker::simulate::{Clock, Simulation, simulate};
use hac_types::WallTime;

use crate::failure::Failure;
use crate::terminal;

/// Options of `simulate`.
#[derive(Debug, Args)]
pub(crate) struct SimulateArgs {
    /// The cluster state: the XML of a CIB, `-` for standard input
    #[arg(short = 'x', long, value_name = "FILE")]
    xml_file: PathBuf,
    /// Decide as if it were this time: ISO 8601, UTC unless it says otherwise
    #[arg(short = 't', long, value_name = "TIME")]
    now: Option<String>,
    /// Stop after the transition summary
    #[arg(long)]
    schedule_only: bool,
    /// Write the transition graph there, as Pacemaker's XML
    #[arg(short = 'G', long, value_name = "FILE")]
    graph: Option<PathBuf>,
    /// Write the graph there for Graphviz, with the actions that are blocked
    #[arg(short = 'D', long, value_name = "FILE")]
    dot: Option<PathBuf>,
    /// Write the assignment scores there
    #[arg(long, value_name = "FILE")]
    scores: Option<PathBuf>,
    /// How to print
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

/// How a simulation is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// The report of `crm_simulate`
    Text,
    /// Plan, reasons and both states
    Json,
}

/// Carries out `simulate`.
pub(crate) fn run(args: &SimulateArgs, json: bool) -> Result<ExitCode, Failure> {
    let clock = match &args.now {
        Some(text) => Clock::given(text).ok_or_else(|| {
            Failure::usage(format!("--now: '{}' is no time", terminal::harmless(text)))
                .with_remedy("Write it as 2026-11-22 07:36:07, or with a T between, or as @ and seconds since 1970.")
        })?,
        None => Clock::Present(present()),
    };
    let text = read(&args.xml_file)?;
    let cib = cib_xml::read(&text)
        .map_err(|error| Failure::new(ErrorCode::Invalid, format!("{}: {error}", args.xml_file.display())))?;
    let simulation = simulate(&cib, &clock, args.schedule_only);
    for warning in &simulation.outcome.plan.warnings {
        eprintln!("WARNING: {}", terminal::harmless(warning));
    }
    if let Some(file) = &args.graph {
        write(file, &simulation.graph_xml(&cib))?;
    }
    if let Some(file) = &args.dot {
        write(file, &simulation.dot())?;
    }
    if let Some(file) = &args.scores {
        write(file, &simulation.outcome.scores.join("\n"))?;
    }
    if json || args.format == Format::Json {
        terminal::print_json(&as_json(&simulation))?;
    } else {
        terminal::print(&simulation.report())?;
    }
    Ok(ExitCode::SUCCESS)
}

fn as_json(simulation: &Simulation) -> serde_json::Value {
    serde_json::json!({
        "current": simulation.outcome.view,
        "plan": simulation.outcome.plan,
        "executed": simulation.executed,
        "revised": simulation.after.as_ref().map(|(_, view)| view),
    })
}

fn present() -> WallTime {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    WallTime(i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX))
}

fn read(file: &Path) -> Result<String, Failure> {
    // One byte more than is accepted, so that the reader can say that it is too long.
    let limit = cib_xml::MAX_BYTES as u64 + 1;
    let read = if file.as_os_str() == "-" {
        limited(std::io::stdin(), limit)
    } else {
        fs::File::open(file).and_then(|file| limited(file, limit))
    };
    let bytes = read.map_err(|error| Failure::system(&format!("could not read {}", file.display()), &error))?;
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        Failure::new(ErrorCode::Invalid, format!("{}: byte {at} is not UTF-8", file.display()))
    })
}

fn limited(from: impl std::io::Read, limit: u64) -> std::io::Result<Vec<u8>> {
    use std::io::Read as _;
    let mut bytes = Vec::new();
    from.take(limit).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn write(file: &Path, text: &str) -> Result<(), Failure> {
    fs::write(file, text).map_err(|error| Failure::system(&format!("could not write {}", file.display()), &error))
}
