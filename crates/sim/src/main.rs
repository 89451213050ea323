//! `hac-sim`: runs seeds.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Instant;

use hac_sim::options::Options;
use hac_sim::run::{self, Kind, Verdict};
use hac_sim::script;

const USAGE: &str = "usage: hac-sim [--seeds N] [--from SEED] [--only ring|cluster] [--nodes N] [--trace] [--once]
  --seeds N    how many seeds to run (default 100)
  --from SEED  the first (default 1)
  --only KIND  whole nodes (cluster) or the ring alone (ring); default both
  --nodes N    hosts, instead of as many as the seed says
  --trace      print what happened
  --script FILE  run a directed scenario and print what really happens, instead of seeds
  --once       run each seed once instead of twice (the second run must be equal)";

struct Arguments {
    seeds: u64,
    from: u64,
    cluster: bool,
    ring: bool,
    nodes: Option<u32>,
    trace: bool,
    once: bool,
    script: Option<String>,
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
    let mut well = true;
    for kind in [Kind::Ring, Kind::Cluster] {
        let wanted = match kind {
            Kind::Ring => arguments.ring,
            Kind::Cluster => arguments.cluster,
        };
        if wanted {
            match run_seeds(&arguments, kind, &mut out) {
                Ok(so) => well &= so,
                // Nobody listens any more.
                Err(_) => return ExitCode::FAILURE,
            }
        }
    }
    if well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
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

/// Runs all seeds of one kind; whether all kept their promises.
fn run_seeds(arguments: &Arguments, kind: Kind, out: &mut impl Write) -> io::Result<bool> {
    let begin = Instant::now();
    let mut totals = Totals::default();
    for seed in (arguments.from..).take(usize::try_from(arguments.seeds).unwrap_or(usize::MAX)) {
        let options = Options::of(seed, arguments.nodes);
        let verdict = run::run(kind, options.clone(), arguments.trace);
        totals.add(&verdict);
        if let Some(timeline) = &verdict.timeline {
            writeln!(out, "{timeline}")?;
        }
        let mut broken = verdict.violation.as_ref().map(ToString::to_string);
        if broken.is_none() && !arguments.once {
            let again = run::run(kind, options.clone(), arguments.trace);
            if again.hash != verdict.hash {
                broken = Some("DET-1: two runs of this seed differ".to_owned());
            }
        }
        if let Some(broken) = broken {
            totals.failed.push(seed);
            writeln!(out, "seed {seed}: {broken}")?;
            writeln!(out, "  {:?}", verdict.options)?;
            let nodes = arguments.nodes.map(|n| format!(" --nodes {n}")).unwrap_or_default();
            let kind = kind.word();
            writeln!(out, "  replay: hac-sim --only {kind} --seeds 1 --from {seed}{nodes} --once --trace")?;
        }
    }
    totals.write(kind, begin.elapsed().as_secs_f64(), arguments.seeds >= 100, out)
}

fn arguments() -> Result<Arguments, String> {
    let mut arguments = Arguments {
        seeds: 100,
        from: 1,
        cluster: true,
        ring: true,
        nodes: None,
        trace: false,
        once: false,
        script: None,
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
            "--only" => match words.next().as_deref() {
                Some("ring") => arguments.cluster = false,
                Some("cluster") => arguments.ring = false,
                _ => return Err("--only takes ring or cluster".to_owned()),
            },
            "--trace" => arguments.trace = true,
            "--script" => arguments.script = Some(words.next().ok_or("--script needs a file")?),
            "--once" => arguments.once = true,
            "--quiet" => {}
            _ => return Err(format!("what is {word}?")),
        }
    }
    Ok(arguments)
}

/// What all runs together did.
#[derive(Default)]
struct Totals {
    runs: u64,
    failed: Vec<u64>,
    events: u64,
    executed: BTreeMap<&'static str, u64>,
    sometimes: BTreeMap<&'static str, u64>,
}

impl Totals {
    /// The summary; whether all is well. In a run of many seeds every property must have been looked at.
    fn write(&self, kind: Kind, seconds: f64, many: bool, out: &mut impl Write) -> io::Result<bool> {
        let kind = kind.word();
        let Self { runs, events, .. } = self;
        writeln!(out, "{kind}: {runs} seeds, {events} events, {seconds:.1} s")?;
        let list = |counts: &BTreeMap<&str, u64>| {
            counts.iter().map(|(name, n)| format!("{name} {n}")).collect::<Vec<_>>().join(", ")
        };
        writeln!(out, "  checked: {}", list(&self.executed))?;
        writeln!(out, "  happened: {}", list(&self.sometimes))?;
        let never: Vec<&str> =
            run::properties(kind).iter().copied().filter(|name| !self.executed.contains_key(name)).collect();
        if many && !never.is_empty() {
            writeln!(out, "  never checked: {}", never.join(", "))?;
        }
        let failed: Vec<String> = self.failed.iter().map(ToString::to_string).collect();
        if !failed.is_empty() {
            writeln!(out, "  failed seeds: {}", failed.join(" "))?;
        }
        Ok(failed.is_empty() && (!many || never.is_empty()))
    }

    fn add(&mut self, verdict: &Verdict) {
        self.runs += 1;
        self.events += verdict.events;
        for (name, count) in &verdict.executed {
            *self.executed.entry(name).or_default() += count;
        }
        for (name, count) in &verdict.sometimes {
            *self.sometimes.entry(name).or_default() += count;
        }
    }
}
