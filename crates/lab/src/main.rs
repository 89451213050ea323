//! `hac-lab`: hosts in network namespaces, a stand-in cloud, and `hacd` on them; for people.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};
use hac_lab::bench::{self, Messaging, Profile, Scenario};
use hac_lab::databases::Engine;
use hac_lab::{Error, RingNode, Tools, demo, history, hostile, setup, soak, writers};

/// The laboratory of hacd; never installed on a node.
#[derive(Debug, Parser)]
#[command(version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Install what the lab needs (nginx, resource-agents, iproute2 ...) with apt-get
    Setup,
    /// Bring the tutorial's cluster up, break it, show what happens
    Demo {
        /// Leave it running afterwards
        #[arg(long)]
        keep: bool,
    },
    /// Measure
    #[command(subcommand)]
    Bench(Bench),
    /// Send hostile datagrams to a live pair, or requests to its page: nothing may change, and it must cost little
    Hostile {
        /// How many
        #[arg(long, default_value_t = 1_000_000)]
        datagrams: usize,
        /// Requests to the page and the numbers instead, for so many seconds
        #[arg(long)]
        requests: Option<u64>,
        /// What is drawn
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// Run agents and restart a daemon many times: nothing may grow
    Soak {
        /// Restarts of a daemon
        #[arg(long, default_value_t = 2000)]
        restarts: u32,
        /// Runs of agents
        #[arg(long, default_value_t = 20_000)]
        runs: u64,
    },
    /// Hurt a database on two hosts with fencing while both are written to: never two that take writes
    Writers {
        /// Runs of each kind of harm
        #[arg(long, default_value_t = 30)]
        runs: u32,
        /// Only these: power-off, cut, mute, deaf, freeze, kill, hang, disk
        #[arg(long, value_delimiter = ',')]
        harm: Vec<String>,
    },
    /// Hurt a cluster while clients write and read, and judge what they were told
    History {
        /// For how long
        #[arg(long, default_value_t = 30)]
        minutes: u64,
        /// Hosts: 2 or 3
        #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(2..=3))]
        hosts: u8,
        /// What is drawn
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// How large the disk of each host's daemon is; one of 24M is soon full
        #[arg(long, default_value = history::DISK)]
        disk: String,
    },
    /// Try every agent that is installed: is its meta-data read, does it start, move and stop
    Agents {
        /// Only those whose name contains this
        #[arg(default_value = "")]
        only: String,
    },
    /// Run a program on a host of the lab that was kept
    Exec {
        /// primary, secondary; client and cloud for their networks
        host: String,
        /// Program and arguments
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
        words: Vec<String>,
    },
    /// Switch a host of the kept lab off (power loss) or on
    Power {
        /// off or on
        #[arg(value_parser = ["off", "on"])]
        state: String,
        /// The host
        host: String,
    },
    /// Show or, with a JSON body, change the stand-in cloud of the kept lab
    Cloud {
        /// `{"settings":{"latency_ms":500}}`, `{"rules":[...]}`, `{"reset":true}` ...
        change: Option<String>,
    },
    /// End all labs that were kept
    Down,
    /// Be a node of `bench messaging` (started by it on each host)
    #[command(hide = true)]
    RingNode {
        /// The position of this node's address, from 1
        #[arg(long)]
        number: usize,
        /// The addresses of all nodes
        #[arg(long, value_delimiter = ',', required = true)]
        addresses: Vec<std::net::IpAddr>,
        /// The port on which all receive
        #[arg(long)]
        port: u16,
        /// Encrypt what is sent
        #[arg(long)]
        encrypted: bool,
        /// Largest IP packet to try
        #[arg(long, default_value_t = 1500)]
        netmtu: u16,
    },
    /// Keep a lab running (started by `demo --keep`)
    #[command(hide = true)]
    Keeper {
        /// The lab's directory
        directory: PathBuf,
    },
}

#[derive(Debug, Subcommand)]
enum Bench {
    /// How long the page is away when the active host fails
    Failover {
        /// Repetitions
        #[arg(long, default_value_t = 10)]
        reps: usize,
        /// What happens: poweroff, standby, stop or nginx
        #[arg(long, default_value = "poweroff", value_parser = ["poweroff", "standby", "stop", "nginx"])]
        scenario: String,
        /// The ring's detector: default or fast
        #[arg(long, default_value = "default", value_parser = ["default", "fast"])]
        profile: String,
        /// Milliseconds from a request at the cloud to the address's move
        #[arg(long, default_value_t = 0)]
        api: u64,
        /// The API by name, over TLS and so many milliseconds away, with and without readiness; each loss of power waits for
        /// connections to be forgotten
        #[arg(long, conflicts_with_all = ["scenario", "profile", "api"])]
        far: Option<u64>,
    },
    /// From starting both daemons to everything started
    Coldstart {
        /// Repetitions
        #[arg(long, default_value_t = 5)]
        reps: usize,
    },
    /// Memory, CPU and packets of a node at idle
    Idle {
        /// Seconds
        #[arg(long, default_value_t = 30)]
        seconds: u64,
        /// Accepted for symmetry with the others; idling is measured once
        #[arg(long, hide = true)]
        reps: Option<usize>,
    },
    /// Many resources, with clients that ask all the time; another build of hacd beside it
    Many {
        /// How many
        #[arg(long, default_value_t = 1000)]
        resources: usize,
        /// Take the power away while they are being started
        #[arg(long)]
        amid: bool,
        /// Ten clients ask for the status 20 times a second each
        #[arg(long)]
        polled: bool,
        /// Programs to measure before and after these, in the same run: a directory with hacd and hacctl
        #[arg(long)]
        beside: Option<PathBuf>,
    },
    /// Ordered commands while browsers have the page open and Prometheus asks each second, and without, in turns
    Page {
        /// Browsers
        #[arg(long, default_value_t = 10)]
        browsers: usize,
        /// Milliseconds of each turn
        #[arg(long, default_value_t = 2000)]
        millis: u64,
        /// Repetitions; the median counts
        #[arg(long, default_value_t = 5)]
        reps: usize,
    },
    /// A replicated database whose primary loses power: how long it cannot be written to, and what is lost
    Databases {
        /// The database and its agent: paf, pgsql or redis
        #[arg(long, default_value = "paf", value_parser = ["paf", "pgsql", "redis"])]
        engine: String,
        /// Repetitions
        #[arg(long, default_value_t = 10)]
        reps: usize,
        /// Repetitions under Corosync and Pacemaker, where those are installed
        #[arg(long, default_value_t = 0)]
        beside: usize,
    },
    /// How soon a death is noticed, on real daemons; what loss and jitter do is simulated by hac-detection
    Detection {
        /// Power failures for each line
        #[arg(long, default_value_t = 3)]
        reps: usize,
    },
    /// Ordered messages: throughput, latency, CPU; beside Corosync where that is installed
    Messaging {
        /// Numbers of hosts
        #[arg(long, value_delimiter = ',', default_value = "2,3,5", value_parser = clap::value_parser!(u8).range(1..=8))]
        hosts: Vec<u8>,
        /// Sizes of messages, bytes
        #[arg(long, value_delimiter = ',', default_value = "64,1024,8192,65536")]
        sizes: Vec<usize>,
        /// Milliseconds of sending for each figure
        #[arg(long, default_value_t = 200)]
        millis: u64,
        /// Repetitions; the median counts
        #[arg(long, default_value_t = 3)]
        reps: usize,
        /// Do not measure Corosync, even if it is there
        #[arg(long)]
        alone: bool,
    },
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(arguments.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // There is nobody left to tell when even this cannot be written.
            let _ = writeln!(io::stderr(), "hac-lab: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<(), Error> {
    let mut out = io::stdout();
    match command {
        Command::Setup => setup::install(&mut out),
        Command::Demo { keep } => show(keep, &mut out),
        Command::Bench(bench) => measure(&bench, &mut out),
        Command::Hostile { datagrams, requests, seed } => {
            prepare()?;
            setup::install(&mut out)?;
            let tools = Tools::find()?;
            match requests {
                Some(seconds) => hostile::run_requests(&tools, Duration::from_secs(seconds), seed, &mut out),
                None => hostile::run(&tools, datagrams, &mut out),
            }
        }
        Command::Soak { restarts, runs } => {
            prepare()?;
            setup::install(&mut out)?;
            soak::run(&Tools::find()?, restarts, runs, &mut out)
        }
        Command::Writers { runs, harm } => {
            let harms = harm.iter().map(|name| {
                let known = writers::Harm::named(name);
                known.ok_or_else(|| Error::Invalid(format!("there is no harm '{name}'; see hac-lab writers --help")))
            });
            let harms = harms.collect::<Result<Vec<_>, _>>()?;
            let harms = if harms.is_empty() { writers::Harm::ALL.to_vec() } else { harms };
            prepare()?;
            setup::install(&mut out)?;
            writers::run(&Tools::find()?, &harms, runs, &mut out)
        }
        Command::History { minutes, hosts, seed, disk } => {
            prepare()?;
            setup::install(&mut out)?;
            let length = Duration::from_secs(minutes.saturating_mul(60));
            history::run(&Tools::find()?, usize::from(hosts), length, seed, &disk, &mut out)
        }
        Command::Agents { only } => {
            prepare()?;
            setup::install(&mut out)?;
            hac_lab::agents::table(&Tools::find()?, &only, &mut out)
        }
        Command::Exec { host, words } => hac_lab::exec_kept(&host, &words),
        Command::Power { state, host } => {
            let body = format!(r#"{{"type":"power_{state}"}}"#);
            let path = format!("/v2/droplets/{host}/actions");
            answer(&hac_lab::post_kept(&path, &body)?, &mut out)
        }
        Command::Cloud { change } => {
            let body = change.unwrap_or_default();
            answer(&hac_lab::post_kept("/_lab", &body)?, &mut out)
        }
        Command::Down => {
            let count = hac_lab::down(None);
            say(&mut out, &format!("{count} lab(s) ended"))
        }
        Command::RingNode { number, addresses, port, encrypted, netmtu } => {
            hac_lab::ring_node(&RingNode { number, addresses, port, encrypted, netmtu })
        }
        Command::Keeper { directory } => hac_lab::keeper(&directory),
    }
}

fn show(keep: bool, out: &mut dyn Write) -> Result<(), Error> {
    prepare()?;
    let tools = Tools::find()?;
    let Some(lab) = demo::run(&tools, keep, out)? else {
        return say(out, "Everything is removed again.");
    };
    let program = std::env::current_exe()
        .map_err(|source| Error::System { what: "cannot find this program".to_owned(), source })?;
    let directory = lab.keep(&program)?;
    let me = program.display();
    say(
        out,
        &format!(
            "\nThe cluster goes on running. Try:\n\
             \x20 {me} exec primary hacctl status\n\
             \x20 {me} exec secondary hacctl mon\n\
             \x20 {me} exec primary hacctl node standby primary\n\
             \x20 {me} exec primary hacctl node online primary\n\
             \x20 {me} exec client curl -s http://198.51.100.10/\n\
             \x20 {me} power off primary\n\
             \x20 {me} power on primary\n\
             \x20 {me} cloud '{{\"settings\":{{\"latency_ms\":1500}}}}'\n\
             \x20 {me} exec primary bash\n\
             Logs and disks are in {}. To end it:\n\
             \x20 {me} down",
            directory.display()
        ),
    )
}

fn measure(which: &Bench, out: &mut dyn Write) -> Result<(), Error> {
    prepare()?;
    setup::install(out)?;
    match which {
        Bench::Many { resources, amid, polled, beside } => {
            let mut programs = vec![Tools::find()?];
            if let Some(beside) = beside {
                programs.push(Tools::inside(beside)?);
            }
            bench::many(&programs, *resources, *amid, *polled, out)
        }
        Bench::Databases { engine, reps, beside } => {
            let engine = Engine::named(engine).ok_or_else(|| Error::Invalid(format!("there is no engine {engine}")))?;
            bench::databases(&Tools::find()?, engine, *reps, *beside, out)
        }
        Bench::Page { browsers, millis, reps } => {
            bench::page(&Tools::find()?, *browsers, Duration::from_millis(*millis), (*reps).max(1), out)
        }
        Bench::Detection { reps } => bench::detection(&Tools::find()?, (*reps).max(1), out),
        Bench::Messaging { hosts, sizes, millis, reps, alone } => {
            let hosts = hosts.iter().copied().map(usize::from).collect();
            let length = Duration::from_millis(*millis);
            let what = Messaging { hosts, sizes: sizes.clone(), length, repetitions: (*reps).max(1), alone: *alone };
            bench::messaging(&what, out)
        }
        Bench::Failover { reps, far: Some(far), .. } => {
            bench::far(&Tools::find()?, Duration::from_millis(*far), *reps, out)
        }
        Bench::Failover { reps, scenario, profile, api, far: None } => {
            let profile =
                Profile::named(profile).ok_or_else(|| Error::Invalid(format!("there is no profile {profile}")))?;
            let scenario =
                Scenario::named(scenario).ok_or_else(|| Error::Invalid(format!("there is no scenario {scenario}")))?;
            bench::failover(&Tools::find()?, scenario, profile, Duration::from_millis(*api), *reps, out)
        }
        Bench::Coldstart { reps } => bench::coldstart(&Tools::find()?, *reps, out),
        Bench::Idle { seconds, reps: _ } => bench::idle(&Tools::find()?, Duration::from_secs(*seconds), out),
    }
}

/// Removes what dead labs left, and sees to it that ours leaves nothing.
fn prepare() -> Result<(), Error> {
    hac_lab::sweep();
    hac_lab::clean_up_on_signals()
        .map_err(|source| Error::System { what: "cannot watch for signals".to_owned(), source })
}

fn answer(answer: &hac_lab::Answer, out: &mut dyn Write) -> Result<(), Error> {
    let text = serde_json::to_string_pretty(&answer.json()).unwrap_or_default();
    say(out, &text)?;
    if answer.status < 300 {
        return Ok(());
    }
    Err(Error::Invalid(format!("the cloud refused: {}", answer.status)))
}

fn say(out: &mut dyn Write, text: &str) -> Result<(), Error> {
    writeln!(out, "{text}").map_err(|source| Error::System { what: "cannot write".to_owned(), source })
}
