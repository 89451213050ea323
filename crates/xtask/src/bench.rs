//! `cargo xtask bench`: measurements, each printed as a table by the program that can make it.

mod scheduler;
mod states;

use std::process::{Command, ExitCode};

use anyhow::{Context as _, bail};

use crate::project::{Profile, Project};

/// The measurement that is made here.
const SCHEDULER: &str = "scheduler";

/// A measurement.
struct Bench {
    name: &'static str,
    /// The programs that make it, one after the other, each with its own arguments in front; none where it is
    /// made here.
    programs: &'static [(&'static str, &'static [&'static str])],
    /// What is to be built.
    packages: &'static [&'static str],
}

const fn bench(
    name: &'static str,
    programs: &'static [(&'static str, &'static [&'static str])],
    packages: &'static [&'static str],
) -> Bench {
    Bench { name, programs, packages }
}

const DAEMONS: &[&str] = &["hacd", "hacctl", "hac-lab"];

const BENCHES: &[Bench] = &[
    bench("failover", &[("hac-lab", &["bench", "failover"])], DAEMONS),
    bench("coldstart", &[("hac-lab", &["bench", "coldstart"])], DAEMONS),
    bench("many", &[("hac-lab", &["bench", "many"])], DAEMONS),
    bench("page", &[("hac-lab", &["bench", "page"])], DAEMONS),
    bench("idle", &[("hac-lab", &["bench", "idle"])], DAEMONS),
    bench("databases", &[("hac-lab", &["bench", "databases"])], DAEMONS),
    bench("messaging", &[("hac-lab", &["bench", "messaging"])], &["hac-lab"]),
    bench(
        "detection",
        &[("hac-detection", &[]), ("hac-lab", &["bench", "detection"])],
        &["hacd", "hacctl", "hac-lab", "hac-sim"],
    ),
    bench(SCHEDULER, &[], &[]),
];

/// Which of two programs makes the measurement, where two do: in simulated time, or on real daemons.
const PARTS: [(&str, &str); 2] = [("--simulated", "hac-detection"), ("--real", "hac-lab")];

/// Builds in release and hands over to the programs. Arguments are for the only one, or for the one that is chosen.
pub(crate) fn run(project: &Project, arguments: &[String]) -> anyhow::Result<ExitCode> {
    let names = BENCHES.iter().map(|bench| bench.name).collect::<Vec<_>>().join("|");
    let Some((name, mut rest)) = arguments.split_first() else {
        bail!("say which one: cargo xtask bench {names}");
    };
    let Some(bench) = BENCHES.iter().find(|bench| bench.name == name) else {
        bail!("there is no bench {name}; there are {names}");
    };
    if bench.name == SCHEDULER {
        return scheduler::run(project, rest);
    }
    let mut chosen = None;
    if bench.programs.len() > 1
        && let Some((first, others)) = rest.split_first()
    {
        let Some((_, program)) = PARTS.iter().find(|(word, _)| word == first) else {
            bail!("bench {name} has two parts: choose --simulated or --real first, or give no arguments");
        };
        (chosen, rest) = (Some(*program), others);
    }
    let folder = project.build(Profile::Release, bench.packages)?;
    let mut well = true;
    for (program, words) in bench.programs.iter().filter(|(program, _)| chosen.is_none_or(|chosen| chosen == *program))
    {
        let path = folder.join(program);
        let mut command = Command::new(&path);
        command.args(*words).args(rest).current_dir(&project.root);
        well &= command.status().with_context(|| format!("cannot run {}", path.display()))?.success();
    }
    Ok(if well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
