//! `cargo xtask bench scheduler`: how long the scheduler takes for generated clusters, and what memory, beside Pacemaker's.
//!
//! Whole programs are measured, each reading the same file: `hacctl simulate` and, where it is installed, `crm_simulate`.
//! `decide` stops after the decision, `simulate` carries it out in the mind and looks again. Time is the processor's, so
//! that other work on the machine counts little; memory is the most that was resident.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};

use super::states::{NODES, Phase, Shape};
use crate::options::Options;
use crate::project::{Profile, Project};

/// How long a program may take for one state.
const LIMIT: Duration = Duration::from_secs(60);
/// How often a running program is looked at.
const LOOK: Duration = Duration::from_millis(1);
/// Pacemaker's program.
const PEER: &str = "crm_simulate";
/// The least time by which a time is divided, in seconds.
const LEAST: f64 = 0.001;
/// Times each state is measured, unless told otherwise; the best counts.
const REPS: u64 = 3;

/// What is measured: primitives, clones.
const SIZES: &[(usize, usize)] = &[(500, 0), (2_000, 0), (10_000, 0), (0, 500)];

/// What a run took.
#[derive(Clone, Copy, Debug)]
struct Cost {
    seconds: f64,
    megabytes: f64,
}

/// A run that ended, or took too long.
#[derive(Clone, Copy, Debug)]
enum Run {
    Ended(Cost),
    TooLong,
    NotThere,
}

/// Measures and prints the table.
pub(super) fn run(project: &Project, arguments: &[String]) -> anyhow::Result<ExitCode> {
    let options = Options::parse(arguments, &["--simulate"], &["--tool", "--reps", "--only"])?;
    options.no_words()?;
    let tool = match options.value("--tool") {
        Some(tool) => PathBuf::from(tool),
        None => project.build(Profile::Release, &["hacctl"])?.join("hacctl"),
    };
    let reps = options.number("--reps")?.unwrap_or(REPS).max(1);
    let simulate = options.has("--simulate");
    let folder = std::env::temp_dir().join(format!("hacd-bench-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let done = table(&tool, &folder, reps, simulate, options.value("--only").unwrap_or_default());
    std::fs::remove_dir_all(&folder)?;
    done?;
    Ok(ExitCode::SUCCESS)
}

fn table(tool: &Path, folder: &Path, reps: u64, simulate: bool, only: &str) -> anyhow::Result<()> {
    let what = if simulate { "simulate" } else { "decide" };
    let peer = Command::new(PEER).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    let peer = peer.is_ok_and(|status| status.success());
    println!("{what}, {NODES} nodes, best of {reps}{}", if peer { "" } else { " (crm_simulate is not installed)" });
    println!("{:<26} {:>20} {:>20} {:>9} {:>9}", "", "hacctl", PEER, "faster", "memory");
    for &(primitives, clones) in SIZES {
        for phase in [Phase::Start, Phase::Steady, Phase::NodeLoss] {
            let shape = Shape { primitives, clones, phase };
            if !shape.name().contains(only) {
                continue;
            }
            let file = folder.join("state.xml");
            std::fs::write(&file, shape.xml())?;
            let mut ours = Command::new(tool);
            ours.arg("simulate").arg("--xml-file").arg(&file);
            if !simulate {
                ours.arg("--schedule-only");
            }
            let ours = best(&mut ours, reps)?;
            let theirs = if peer {
                let mut command = Command::new(PEER);
                command.arg("--xml-file").arg(&file).arg(if simulate { "--simulate" } else { "--run" });
                best(command.env("CIB_shadow_dir", folder), reps)?
            } else {
                Run::NotThere
            };
            println!("{:<26} {:>20} {:>20} {}", shape.name(), told(ours), told(theirs), ratios(ours, theirs));
        }
    }
    Ok(())
}

fn told(run: Run) -> String {
    match run {
        Run::Ended(cost) => format!("{:.3} s {:>5.0} MB", cost.seconds, cost.megabytes),
        Run::TooLong => format!("over {} s", LIMIT.as_secs()),
        Run::NotThere => "-".to_owned(),
    }
}

fn ratios(ours: Run, theirs: Run) -> String {
    match (ours, theirs) {
        (Run::Ended(ours), Run::Ended(theirs)) => format!(
            "{:>8.1}x {:>8.2}x",
            theirs.seconds / ours.seconds.max(LEAST),
            ours.megabytes / theirs.megabytes.max(0.1)
        ),
        (Run::Ended(ours), Run::TooLong) => {
            format!("{:>8}", format!(">{:.0}x", LIMIT.as_secs_f64() / ours.seconds.max(LEAST)))
        }
        _ => String::new(),
    }
}

/// The cheapest of several runs. One that takes too long is not repeated.
fn best(command: &mut Command, reps: u64) -> anyhow::Result<Run> {
    let mut best: Option<Cost> = None;
    for _ in 0..reps {
        let Run::Ended(cost) = measure(command)? else { return Ok(Run::TooLong) };
        if best.is_none_or(|best| cost.seconds < best.seconds) {
            best = Some(cost);
        }
    }
    Ok(best.map_or(Run::NotThere, Run::Ended))
}

/// Runs a program and looks at it until it ends. What it was last seen to have used counts.
fn measure(command: &mut Command) -> anyhow::Result<Run> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .with_context(|| format!("cannot run {command:?}"))?;
    let begin = Instant::now();
    let mut cost = Cost { seconds: 0.0, megabytes: 0.0 };
    let process = PathBuf::from(format!("/proc/{}", child.id()));
    loop {
        // A process that has ended still tells its time until someone has asked how it ended.
        let (seconds, over) = processor_time(&process)?;
        cost.seconds = cost.seconds.max(seconds);
        cost.megabytes = cost.megabytes.max(resident(&process).unwrap_or(0.0));
        if over {
            break;
        }
        if begin.elapsed() > LIMIT {
            child.kill()?;
            child.wait()?;
            return Ok(Run::TooLong);
        }
        std::thread::sleep(LOOK);
    }
    let status = child.wait()?;
    ensure!(status.success(), "{command:?} ended with {status}");
    Ok(Run::Ended(cost))
}

/// Seconds of the processor that a process's first thread (it has no other that works) has used, and whether it has ended.
fn processor_time(process: &Path) -> anyhow::Result<(f64, bool)> {
    let stat = std::fs::read_to_string(process.join("stat"))?;
    // The name in parentheses may hold anything.
    let Some((_, rest)) = stat.rsplit_once(") ") else { bail!("{}: what is this: {stat}", process.display()) };
    let used = std::fs::read_to_string(process.join("schedstat"))?;
    let nanoseconds: f64 = used.split(' ').next().unwrap_or_default().parse()?;
    Ok((nanoseconds / 1e9, rest.starts_with('Z')))
}

/// The most memory that a process has had resident, in megabytes.
fn resident(process: &Path) -> Option<f64> {
    let status = std::fs::read_to_string(process.join("status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes / 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_measured_and_compared() {
        let Run::Ended(cost) = measure(Command::new("sleep").arg("0.05")).unwrap() else { panic!("it ended") };
        assert!(cost.megabytes > 0.0);
        let ours = Run::Ended(Cost { seconds: 0.1, megabytes: 10.0 });
        let theirs = Run::Ended(Cost { seconds: 1.0, megabytes: 100.0 });
        assert_eq!(ratios(ours, theirs), "    10.0x     0.10x");
        assert_eq!(ratios(ours, Run::TooLong).trim(), ">600x");
    }
}
