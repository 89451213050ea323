//! Directed scenarios: text files that say what happens and what is expected.
//!
//! ```text
//! # Prose.
//! cluster 2
//! start node1 node2
//! settle
//! status
//! ----
//! node1 active, members node1 node2, DC node1, quorate
//! …
//!
//! power-off node1
//! ```
//!
//! A paragraph is a list of commands, then, if they print anything, `----` and what they print. [`run`] gives the file
//! back with what the commands really print, so a scenario holds when nothing changed.
//!
//! | command | what it does |
//! |---|---|
//! | `cluster N [links L] [seed S] [machine 1] [fencing DELAYS]` | a new world of N hosts, none started; with a machine that can migrate; with a power switch for each host, and delays: none, base, random or priority |
//! | `start NODE…`, `kill NODE…`, `power-off NODE…`, `stop NODE…` | the daemon starts; dies; dies with its host; is asked to leave |
//! | `pause NODE TIME` | the host does not run for a while |
//! | `clock NODE TIME` | its civil clock is so far ahead |
//! | `partition NODE… / NODE…`, `cut NODE NODE`, `cut-link NODE NODE LINK`, `heal` | the network |
//! | `fail RESOURCE NODE`, `break RESOURCE NODE`, `mend` | a resource dies; cannot be started; can be again |
//! | `device DEVICE MOOD` | from now on a fence device is well, refuses, hangs, is late, or lies |
//! | `disk-full NODE`, `disk-ok NODE`, `wipe NODE` | the disk |
//! | `property NAME VALUE [at NODE]`, `standby NODE`, `online NODE`, `cleanup` | what people ask for; prints the answer |
//! | `agents TIME` | from now on every agent takes so long |
//! | `wait TIME` | time passes |
//! | `settle [TIME]` | time passes until nothing is in progress; prints if that takes longer than TIME (30s) |
//! | `status` | prints how all stand, and what really runs where |
//! | `runs` | prints which agents began since the last `runs`, monitors aside |
//! | `log` | prints what happened since the last `log`, node by node |
//! | `timeline` | prints all that happened so far with its times, for looking into a scenario |
//! | `problems NODE` | prints what the node tells people |

use std::fmt::Write as _;
use std::time::Duration;

use hac_crm::cib::{Change, Configure, Lifetime, Section, StatusChange};
use hac_model::{Cib, parse_duration_ms};
use hac_node::{Reply, Request, SyncState};
use hac_types::{LinkId, WallTime};

use crate::cluster::{Power, World};
use crate::harm::Harmed;
use crate::options::Options;
use crate::power::{Delays, Fencing, Mood};
use crate::tutorial::{ADDRESS, MACHINE, SERVER};

/// Between commands and what they print.
const MARK: &str = "----";

/// Runs a scenario and gives it back with what its commands really print.
///
/// # Errors
///
/// A line that is no command, or a promise that was broken.
pub fn run(text: &str) -> Result<String, String> {
    Ok(run_and_watch(text)?.0)
}

/// The same, and the states about which coordinators decided in the scenario, with the time.
///
/// # Errors
///
/// As [`run`].
pub fn run_and_watch(text: &str) -> Result<(String, Vec<(Cib, WallTime)>), String> {
    let mut output = String::new();
    let mut world: Option<World> = None;
    let mut decided = Vec::new();
    let mut lines = text.lines().enumerate().peekable();
    while lines.peek().is_some() {
        let mut printed = String::new();
        // Commands until the expected output or the end of the paragraph.
        let mut expected = false;
        for (number, line) in lines.by_ref() {
            if line == MARK {
                expected = true;
                break;
            }
            output.push_str(line);
            output.push('\n');
            let command = line.split('#').next().unwrap_or_default().trim();
            if !command.is_empty() {
                let result = perform(&mut world, command);
                decided.extend(world.iter_mut().flat_map(World::take_decided));
                let result = result.map_err(|why| format!("line {}: {command}: {why}", number + 1))?;
                printed.push_str(&result);
            }
            if line.is_empty() {
                break;
            }
        }
        if expected {
            // What was expected is replaced by what is.
            while lines.next_if(|(_, line)| !line.is_empty()).is_some() {}
        }
        if !printed.is_empty() {
            let blank = output.ends_with("\n\n");
            if blank {
                output.pop();
            }
            let _ = write!(output, "{MARK}\n{printed}");
            if blank {
                output.push('\n');
            }
        }
    }
    Ok((output, decided))
}

fn perform(world: &mut Option<World>, command: &str) -> Result<String, String> {
    let words: Vec<&str> = command.split_whitespace().collect();
    let (verb, arguments) = words.split_first().ok_or("no command")?;
    if *verb == "cluster" {
        *world = Some(new_world(arguments)?);
        return Ok(String::new());
    }
    let world = world.as_mut().ok_or("say how many nodes first: cluster 2")?;
    match (*verb, arguments) {
        ("start", nodes) => each(nodes, |id| world.start_after(id, Duration::ZERO))?,
        ("kill", nodes) => each(nodes, |id| world.kill(id, Power::Stays))?,
        ("power-off", nodes) => each(nodes, |id| world.kill(id, Power::Off))?,
        ("stop", nodes) => each(nodes, |id| world.shut_down(id))?,
        ("pause", [node, time]) => world.pause(node_id(node)?, duration(time)?),
        ("clock", [node, time]) => {
            let ahead = i64::try_from(duration(time)?.as_millis()).map_err(|_| "how far?")?;
            world.hosts.get_mut(&node_id(node)?).ok_or_else(|| format!("there is no {node}"))?.clock_step_ms = ahead;
        }
        ("partition", groups) => partition(world, groups)?,
        ("cut", [from, to]) => world.net.cut_way(node_id(from)?, node_id(to)?),
        ("cut-link", [a, b, link]) => {
            let link = link.parse().map_err(|_| "which link?")?;
            world.net.cut_link(node_id(a)?, node_id(b)?, LinkId(link));
        }
        ("heal", []) => world.net.heal(),
        ("fail", [resource, node]) => world.kill_resource(node_id(node)?, resource),
        ("break", [resource, node]) => {
            world.reality.broken.insert((node_id(node)?, (*resource).to_owned()));
        }
        ("mend", []) => world.reality.broken.clear(),
        ("device", [device, mood]) => {
            let device = world.powers.devices.get_mut(*device).ok_or_else(|| format!("there is no {device}"))?;
            device.mood = match *mood {
                "well" => Mood::Well,
                "refuses" => Mood::Refuses,
                "hangs" => Mood::Hangs,
                "late" => Mood::Late,
                "lies" => Mood::Lies,
                _ => return Err("well, refuses, hangs, late or lies".to_owned()),
            };
        }
        ("disk-full", [node]) => disk(world, node)?.full = true,
        ("disk-ok", [node]) => disk(world, node)?.full = false,
        ("wipe", [node]) => disk(world, node)?.wipe(),
        ("property", [name, value]) => return ask(world, None, set_property(name, value)),
        ("property", [name, value, "at", node]) => {
            return ask(world, Some(node_id(node)?), set_property(name, value));
        }
        ("standby", [node]) => return ask(world, None, standby(node, "on")),
        ("online", [node]) => return ask(world, None, standby(node, "off")),
        ("cleanup", []) => {
            let change = StatusChange::ClearFailures { resource: None, node: None, operation: None };
            return ask(world, None, Request::Status(change));
        }
        ("agents", [time]) => world.agent_time = (duration(time)?, duration(time)?),
        ("wait", [time]) => world.run(duration(time)?).map_err(|broken| broken.to_string())?,
        ("settle", []) => return settle(world, Duration::from_secs(30)),
        ("settle", [time]) => return settle(world, duration(time)?),
        ("status", []) => return Ok(status(world)),
        ("runs", []) => return Ok(runs(world)),
        ("log", []) => return Ok(world.take_log()),
        ("timeline", []) => return Ok(world.trace.timeline(world.options.nodes, usize::MAX)),
        ("problems", [node]) => return problems(world, node),
        _ => return Err("there is no such command".to_owned()),
    }
    // What was arranged for now happens now.
    world.run(Duration::ZERO).map_err(|broken| broken.to_string())?;
    Ok(String::new())
}

fn new_world(arguments: &[&str]) -> Result<World, String> {
    let (nodes, mut rest) = arguments.split_first().ok_or("how many nodes?")?;
    let nodes = nodes.parse().map_err(|_| "how many nodes?")?;
    let mut options = Options::directed(nodes);
    while let [name, value, more @ ..] = rest {
        match *name {
            "links" => options.links = value.parse().map_err(|_| "how many links?")?,
            "seed" => options.seed = value.parse().map_err(|_| "which seed?")?,
            "machine" => options.machine = *value == "1",
            "fencing" => options.fencing = Some(Fencing::honest(delays(value)?)),
            _ => return Err(format!("what is {name}?")),
        }
        rest = more;
    }
    let mut world = World::new(options, true);
    world.keep_log();
    world.keep_decided();
    Ok(world)
}

fn delays(word: &str) -> Result<Delays, String> {
    Ok(match word {
        "none" => Delays::None,
        "base" => Delays::Base,
        "random" => Delays::Random,
        "priority" => Delays::Priority,
        _ => return Err("delays are none, base, random or priority".to_owned()),
    })
}

fn each<T>(nodes: &[&str], mut act: impl FnMut(u32) -> T) -> Result<(), String> {
    for node in nodes {
        act(node_id(node)?);
    }
    Ok(())
}

fn node_id(name: &str) -> Result<u32, String> {
    name.strip_prefix("node").and_then(|id| id.parse().ok()).ok_or_else(|| format!("{name} is no node"))
}

fn duration(text: &str) -> Result<Duration, String> {
    parse_duration_ms(text).map(Duration::from_millis).ok_or_else(|| format!("{text} is no time"))
}

fn disk<'a>(world: &'a mut World, node: &str) -> Result<&'a mut crate::disk::Disk, String> {
    let id = node_id(node)?;
    world.hosts.get_mut(&id).map(|host| &mut host.disk).ok_or_else(|| format!("there is no {node}"))
}

fn partition(world: &mut World, words: &[&str]) -> Result<(), String> {
    let mut groups = vec![Vec::new()];
    for word in words {
        match (*word, groups.last_mut()) {
            ("/", _) => groups.push(Vec::new()),
            (node, Some(group)) => group.push(node_id(node)?),
            (_, None) => {}
        }
    }
    world.net.partition(&groups);
    Ok(())
}

fn set_property(name: &str, value: &str) -> Request {
    configure(Change::SetProperties {
        section: Section::CrmConfig,
        set: None,
        pairs: vec![(name.to_owned(), Some(value.to_owned()))],
    })
}

fn standby(node: &str, value: &str) -> Request {
    configure(Change::SetNodeAttribute {
        node: node.to_owned(),
        name: "standby".to_owned(),
        value: Some(value.to_owned()),
        lifetime: Lifetime::Forever,
    })
}

fn configure(change: Change) -> Request {
    Request::Configure(Configure {
        changes: vec![change],
        origin: "scenario".to_owned(),
        client: "scenario".to_owned(),
        user: "root".to_owned(),
        base: None,
    })
}

/// Asks a node, the first that runs unless one is given, and prints its answer.
fn ask(world: &mut World, node: Option<u32>, request: Request) -> Result<String, String> {
    let first = world.up().next().map(|host| host.id);
    let id = node.or(first).ok_or("no node runs")?;
    let before = world.asked.len();
    world.ask(id, request);
    let answered = |world: &World| {
        world.asked.len() > before && world.asked.values().all(|asked| asked.void || !asked.replies.is_empty())
    };
    world.run_until(Duration::from_secs(30), answered).map_err(|broken| broken.to_string())?;
    let last = world.asked.iter().filter(|((host, ..), _)| *host == id).max_by_key(|(_, asked)| asked.at);
    let reply = last.and_then(|(_, asked)| asked.replies.first());
    Ok(match reply {
        Some(Reply::Done { .. }) => "done\n".to_owned(),
        Some(Reply::Answered(text)) => format!("answered: {text}\n"),
        Some(Reply::Settled { settled, .. }) => format!("settled {settled}\n"),
        Some(Reply::Refused(why)) => format!("refused: {}\n", why.sentence),
        Some(Reply::TooLarge(why)) => format!("too large: {}\n", why.sentence),
        Some(Reply::NotStored(why)) => format!("not stored: {}\n", why.sentence),
        Some(Reply::NoQuorum(why)) => format!("no quorum: {}\n", why.sentence),
        Some(Reply::Unavailable(why)) => format!("unavailable: {}\n", why.sentence),
        Some(Reply::TimedOut(why)) => format!("timed out: {}\n", why.sentence),
        None => "no answer\n".to_owned(),
    })
}

fn settle(world: &mut World, patience: Duration) -> Result<String, String> {
    let quiet = |world: &World| world.is_quiet();
    // Something that was just done may not have been noticed yet.
    world.run(Duration::from_millis(20)).map_err(|broken| broken.to_string())?;
    let settled = world.run_until(patience, quiet).map_err(|broken| broken.to_string())?;
    Ok(if settled { String::new() } else { format!("not settled: {}\n", world.standings()) })
}

fn status(world: &World) -> String {
    let mut text = String::new();
    for host in world.hosts.values() {
        let name = host.name();
        let Some(report) = world.report(host.id) else {
            let _ = writeln!(text, "{name} down");
            continue;
        };
        let sync = match report.sync {
            SyncState::Joining => "joining",
            SyncState::Syncing => "syncing",
            SyncState::Active => "active",
            SyncState::Leaving => "leaving",
            SyncState::Stopped => "stopped",
        };
        let joined = |m: &&hac_node::MemberReport| m.state == hac_node::MemberState::Joined;
        let members: Vec<&str> = report.members.iter().filter(joined).map(|m| m.name.as_str()).collect();
        let quorum = if report.quorum.quorate { "quorate" } else { "not quorate" };
        let dc = report.dc.as_deref().unwrap_or("NONE");
        let _ = writeln!(text, "{name} {sync}, members {}, DC {dc}, {quorum}", members.join(" "));
        for waiting in report.waiting_for {
            let _ = writeln!(text, "  {waiting}");
        }
    }
    let machine = world.options.machine.then_some(MACHINE);
    for resource in [ADDRESS, SERVER].into_iter().chain(machine) {
        let places: Vec<String> = world.reality.places(resource).iter().map(|id| format!("node{id}")).collect();
        let places = if places.is_empty() { "nowhere".to_owned() } else { places.join(" ") };
        let _ = writeln!(text, "{resource} runs on {places}");
    }
    text
}

fn runs(world: &mut World) -> String {
    let mut text = String::new();
    for ((id, resource, action), times) in std::mem::take(&mut world.reality.runs) {
        if action != "monitor" {
            let _ = writeln!(text, "node{id} {resource} {action} {times}");
        }
    }
    text
}

fn problems(world: &World, node: &str) -> Result<String, String> {
    let report = world.report(node_id(node)?).ok_or("it is down")?;
    let mut text = String::new();
    for problem in report.problems {
        let _ = writeln!(text, "{:?}: {} {}", problem.severity, problem.sentence, problem.remedy);
    }
    Ok(text)
}
