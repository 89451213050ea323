//! `hac-sim`: runs seeds.

use std::io::{self, Write};
use std::process::ExitCode;
use std::thread;

use hac_sim::run::Kind;
use hac_sim::sweep::Sweep;
use hac_sim::{replay, script, stream};

const USAGE: &str =
    "usage: hac-sim [--seeds N] [--from SEED] [--only ring|cluster|model] [--nodes N] [--jobs N] [--trace] [--once]
  --seeds N    how many seeds to run (default 100)
  --from SEED  the first (default 1)
  --only KIND  whole nodes (cluster), the ring alone (ring), or the small worlds (model), which no seed changes; default all
  --nodes N    hosts, instead of as many as the seed says
  --no-fencing  no cluster has fence devices
  --jobs N     threads (default: as many as there are processors)
  --mutants    switch on each deliberate bug, until a checker finds it (a build with the feature `mutants`)
  --mutant WORD only those with this in their names
  --trace      print what happened
  --replay FILE --authkey KEYFILE  give a node what `hacd --record FILE` recorded, and compare what it does;
               with --trace print what happened
  --record-streams FOLDER  write the golden streams of this level into a folder, instead of running seeds
  --script FILE  run a directed scenario and print what really happens, instead of seeds
  --once       run each seed once; without it, it is run again and must be equal (of more than 1000, every fourth)";

struct Arguments {
    seeds: u64,
    from: u64,
    cluster: bool,
    ring: bool,
    model: bool,
    nodes: Option<u32>,
    fencing: bool,
    jobs: Option<u64>,
    trace: bool,
    once: bool,
    script: Option<String>,
    streams: Option<String>,
    replay: Option<String>,
    authkey: Option<String>,
    mutants: bool,
    mutant: Option<String>,
}

impl Arguments {
    fn sweep(&self, kind: Kind) -> Sweep {
        let jobs = self.jobs.and_then(|jobs| usize::try_from(jobs).ok());
        Sweep {
            kind,
            from: if kind == Kind::Model { 1 } else { self.from },
            seeds: if kind == Kind::Model { hac_sim::model::WORLDS } else { self.seeds },
            nodes: self.nodes,
            fencing: self.fencing,
            twice: !self.once,
            jobs: jobs.unwrap_or_else(|| thread::available_parallelism().map_or(1, usize::from)),
            trace: self.trace,
            mutant: None,
            only: |_| true,
        }
    }
}

fn main() -> ExitCode {
    let arguments = match arguments() {
        Ok(arguments) => arguments,
        Err(why) => {
            let _ = writeln!(io::stderr(), "hac-sim: {why}\n{USAGE}");
            return ExitCode::from(64);
        }
    };
    let mut out = io::stdout().lock();
    if let Some(file) = &arguments.script {
        return run_script(file, &mut out);
    }
    if let Some(folder) = &arguments.streams {
        return record_streams(folder, &mut out);
    }
    if let Some(file) = &arguments.replay {
        return run_replay(file, &arguments, &mut out);
    }
    if arguments.mutants {
        return hunt(&arguments, &mut out);
    }
    let mut well = true;
    for kind in [Kind::Ring, Kind::Cluster, Kind::Model] {
        let wanted = match kind {
            Kind::Ring => arguments.ring,
            Kind::Cluster => arguments.cluster,
            Kind::Model => arguments.model,
        };
        if wanted {
            match arguments.sweep(kind).run(&mut out) {
                Ok(so) => well &= so,
                // Nobody listens any more.
                Err(_) => return ExitCode::FAILURE,
            }
        }
    }
    if well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Looks for deliberate bugs.
#[cfg(feature = "mutants")]
fn hunt(arguments: &Arguments, out: &mut impl Write) -> ExitCode {
    let jobs = arguments.sweep(Kind::Ring).jobs;
    let hunt = hac_sim::mutants::Hunt { from: arguments.from, seeds: arguments.seeds, jobs };
    match hunt.run(arguments.mutant.as_deref(), out) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) | Err(_) => ExitCode::FAILURE,
    }
}

#[cfg(not(feature = "mutants"))]
fn hunt(_: &Arguments, _: &mut impl Write) -> ExitCode {
    let _ = writeln!(io::stderr(), "hac-sim: this build has no deliberate bugs: cargo xtask sim --mutants makes one");
    ExitCode::from(64)
}

/// Writes the golden streams, a file each.
fn record_streams(folder: &str, out: &mut impl Write) -> ExitCode {
    match stream::record(std::path::Path::new(folder)) {
        Ok(files) => {
            let _ = files.iter().try_for_each(|(name, bytes)| writeln!(out, "{name}: {bytes} bytes"));
            ExitCode::SUCCESS
        }
        Err(why) => {
            let _ = writeln!(io::stderr(), "hac-sim: {why}");
            ExitCode::FAILURE
        }
    }
}

/// Runs a directed scenario.
fn run_script(file: &str, out: &mut impl Write) -> ExitCode {
    let text = std::fs::read_to_string(file).map_err(|why| format!("{file}: {why}"));
    match text.and_then(|text| script::run(&text)) {
        Ok(real) if out.write_all(real.as_bytes()).is_ok() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(why) => {
            let _ = writeln!(io::stderr(), "hac-sim: {why}");
            ExitCode::FAILURE
        }
    }
}

/// Replays a recording.
fn run_replay(file: &str, arguments: &Arguments, out: &mut impl Write) -> ExitCode {
    let read = |file: &str| std::fs::read(file).map_err(|why| format!("{file}: {why}"));
    let key = arguments.authkey.as_deref().ok_or_else(|| "--replay needs --authkey".to_owned());
    let played = key.and_then(|key| replay::run(&read(file)?, read(key)?, arguments.trace, out));
    match played {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            let _ = writeln!(io::stderr(), "hac-sim: {why}");
            ExitCode::FAILURE
        }
    }
}

fn arguments() -> Result<Arguments, String> {
    let mut arguments = Arguments {
        seeds: 100,
        from: 1,
        cluster: true,
        ring: true,
        model: true,
        nodes: None,
        fencing: true,
        jobs: None,
        trace: false,
        once: false,
        script: None,
        streams: None,
        replay: None,
        authkey: None,
        mutants: false,
        mutant: None,
    };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut number = || -> Result<u64, String> {
            let value = words.next().ok_or_else(|| format!("{word} needs a number"))?;
            value.parse().map_err(|_| format!("{word} needs a number, not {value}"))
        };
        match word.as_str() {
            "--seeds" => arguments.seeds = number()?,
            "--from" => arguments.from = number()?,
            "--nodes" => {
                let nodes = u32::try_from(number()?).ok().filter(|n| (1..=32).contains(n));
                arguments.nodes = Some(nodes.ok_or("--nodes takes 1 to 32")?);
            }
            "--no-fencing" => arguments.fencing = false,
            "--jobs" => arguments.jobs = Some(number()?),
            "--only" => match words.next().as_deref() {
                Some("ring") => (arguments.cluster, arguments.model) = (false, false),
                Some("cluster") => (arguments.ring, arguments.model) = (false, false),
                Some("model") => (arguments.ring, arguments.cluster) = (false, false),
                _ => return Err("--only takes ring, cluster or model".to_owned()),
            },
            "--mutants" => arguments.mutants = true,
            "--mutant" => {
                arguments.mutants = true;
                arguments.mutant = Some(words.next().ok_or("--mutant needs a word")?);
            }
            "--trace" => arguments.trace = true,
            "--script" => arguments.script = Some(words.next().ok_or("--script needs a file")?),
            "--record-streams" => arguments.streams = Some(words.next().ok_or("--record-streams needs a folder")?),
            "--replay" => arguments.replay = Some(words.next().ok_or("--replay needs a file")?),
            "--authkey" => arguments.authkey = Some(words.next().ok_or("--authkey needs a file")?),
            "--once" => arguments.once = true,
            "--quiet" => {}
            _ => return Err(format!("what is {word}?")),
        }
    }
    Ok(arguments)
}
