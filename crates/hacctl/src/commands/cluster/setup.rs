//! `cluster init`, `join` and `remove`: crm's lines for how a cluster is made, grows and shrinks, as lines of hacctl.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::process::{Command as Process, ExitCode};

use clap::{CommandFactory as _, Parser as _};
use hac_api::{ErrorCode, Status};

use super::{Context, NO_DEVICE, NO_DEVICE_INSTEAD};
use crate::args::{Arguments, Command};
use crate::commands::{init, join, node, remove};
use crate::failure::Failure;
use crate::grammar::{Call, Level, Options};
use crate::{progress, terminal};

/// What an option of crm's is here.
#[derive(Clone, Copy)]
enum Meaning {
    /// An option of hacctl, with the same value.
    Named(&'static str),
    /// An option of hacctl without a value.
    Flag(&'static str),
    /// The interface or the address of a link.
    Link,
    /// A node of the cluster.
    Host,
    /// Other hosts that are to become nodes.
    Others,
    /// As it is here in any case.
    Already,
    /// Nothing is said of what takes long.
    Quiet,
    /// Nobody is asked.
    Yes,
    /// Has no meaning here: whether a value follows, why, and what to do instead.
    Not(bool, &'static str, &'static str),
}
use Meaning::{Already, Flag, Host, Link, Named, Not, Others, Quiet, Yes};

/// An option of crm's: its names and what it is.
type Known = (&'static [&'static str], Meaning);

const NO_SBD: &str = "hacd does not use sbd";
const NO_SBD_INSTEAD: &str = "Leave it out; [watchdog] in hacd.toml names a watchdog, and 'hacctl doctor' says what protects the cluster from two halves.";
const NO_STORAGE: &str = "hacctl sets up no storage";
const NO_STORAGE_INSTEAD: &str =
    "Leave it out; 'hacctl ra info Filesystem' shows how the cluster mounts a file system once it runs.";
const SBD: Meaning = Not(true, NO_SBD, NO_SBD_INSTEAD);
const DEVICE: Meaning = Not(true, NO_DEVICE, NO_DEVICE_INSTEAD);
const STORAGE: Meaning = Not(true, NO_STORAGE, NO_STORAGE_INSTEAD);

const INIT: &[Known] = &[
    (&["-n", "--name"], Named("--name")),
    (&["-i", "--interface"], Link),
    (&["-N", "--node", "--nodes"], Others),
    (&["-q", "--quiet"], Quiet),
    (&["-y", "--yes"], Yes),
    (&["-F", "--force"], Flag("--force")),
    (&["-u", "--unicast", "--no-overwrite-sshkey"], Already),
    (
        &["-U", "--multicast"],
        Not(false, "hacd sends to each node by itself, never to a multicast group", "Leave it out."),
    ),
    (
        &["-M", "--multi-heartbeats"],
        Not(false, "a second link needs an address", "Write -i twice, once for each link."),
    ),
    (&["-I", "--ipv6"], Not(false, "whether a link is IPv6 is told by its address", "Write -i ADDRESS.")),
    (
        &["-A", "--admin-ip"],
        Not(
            true,
            "'cluster init' makes no resources",
            "Leave it out, then: hacctl configure primitive admin-ip IPaddr2 params ip=ADDRESS op monitor interval=10s",
        ),
    ),
    (&["-S", "--enable-sbd"], Not(false, NO_SBD, NO_SBD_INSTEAD)),
    (&["-s", "--sbd-device", "-w", "--watchdog"], SBD),
    (&["--qnetd-hostname", "--qdevice-host", "--qdevice-port", "--qdevice-algo", "--qdevice-tie-breaker"], DEVICE),
    (&["--qdevice-tls", "--qdevice-heuristics", "--qdevice-heuristics-mode"], DEVICE),
    (&["-o", "--ocfs2-device", "-m", "--mount-point"], STORAGE),
    (&["-C", "--cluster-lvm2"], Not(false, NO_STORAGE, NO_STORAGE_INSTEAD)),
];

const JOIN: &[Known] = &[
    (&["-c", "--cluster-node"], Host),
    (&["-i", "--interface"], Link),
    (&["-q", "--quiet"], Quiet),
    (&["-y", "--yes"], Yes),
    (&["-F", "--force"], Flag("--force")),
    (&["-w", "--watchdog"], SBD),
];

const REMOVE: &[Known] = &[
    (&["-c", "--cluster-node"], Host),
    (&["-q", "--quiet"], Quiet),
    (&["-y", "--yes"], Yes),
    // What crm asks for before it removes the own node.
    (&["-F", "--force"], Already),
    (&["--node-is-off"], Named("--node-is-off")),
    (&["--qdevice"], Not(false, NO_DEVICE, NO_DEVICE_INSTEAD)),
];

/// Parts of crm's work that can be asked for alone.
const STAGES: &[(&str, Meaning)] = &[
    ("ssh", Not(false, NO_STAGES, NO_STAGES_INSTEAD)),
    ("ssh_merge", Not(false, NO_STAGES, NO_STAGES_INSTEAD)),
    ("csync2", Not(false, NO_STAGES, NO_STAGES_INSTEAD)),
    ("corosync", Not(false, NO_STAGES, NO_STAGES_INSTEAD)),
    ("cluster", Not(false, NO_STAGES, NO_STAGES_INSTEAD)),
    ("sbd", Not(false, NO_SBD, NO_SBD_INSTEAD)),
    ("qdevice", Not(false, NO_DEVICE, NO_DEVICE_INSTEAD)),
    ("ocfs2", Not(false, NO_STORAGE, NO_STORAGE_INSTEAD)),
    ("vgfs", Not(false, NO_STORAGE, NO_STORAGE_INSTEAD)),
    (
        "admin",
        Not(
            false,
            "'cluster init' makes no resources",
            "'hacctl configure primitive' makes one once the cluster runs.",
        ),
    ),
];
const NO_STAGES: &str = "this has no stages: it does all there is to do";
const NO_STAGES_INSTEAD: &str = "Leave the stage out.";

/// A line of crm's as what hacctl takes.
#[derive(Debug, Default, PartialEq, Eq)]
struct Line {
    /// Nodes of the cluster.
    hosts: Vec<String>,
    options: Vec<String>,
    quiet: bool,
    yes: bool,
}

/// Carries out `cluster init`, `join` or `remove`.
pub(super) async fn run(context: &Context, call: &Call) -> Result<ExitCode, Failure> {
    let name = call.command.name();
    let line = read(name, call.all("OPTION"), &address_of)?;
    if line.quiet {
        progress::be_silent();
    }
    let context = &context.with(&Options { yes: line.yes, ..Options::default() });
    if name == "remove" {
        return remove(context, call, &line).await;
    }
    let words = ["hacctl".to_owned(), name.to_owned()].into_iter().chain(line.hosts).chain(line.options);
    let arguments = Arguments::try_parse_from(words).map_err(|error| Failure::from(&error))?;
    let context = &context.with(&Options { json: arguments.json, ..Options::default() });
    match &arguments.command {
        Some(Command::Init(init)) => Box::pin(init::run(context, init)).await,
        Some(Command::Join(join)) => Box::pin(join::run(context, join)).await,
        _ => Err(call.too_many(name)),
    }
}

/// `cluster remove NODE...`: one after the other.
async fn remove(context: &Context, call: &Call, line: &Line) -> Result<ExitCode, Failure> {
    let level = Level::find("node").ok_or_else(|| Failure::usage("there is no level node"))?;
    let command = level.command("remove")?;
    if line.hosts.is_empty() {
        return Err(Failure::usage("missing argument: <NODE>").with_remedy(call.write()));
    }
    // A slip in a later name is told before the first node is taken out.
    let status = context.client.status().await?;
    let names = line.hosts.iter().map(|host| named(&status, host)).collect::<Result<Vec<_>, _>>()?;
    names.iter().try_for_each(|name| node::find(&status, Some(name)).map(|_| ()))?;
    remove::refuse_all(&status, &names.iter().map(String::as_str).collect::<Vec<_>>())?;
    for host in names {
        let call = Call::read(level, command, &[vec![host], line.options.clone()].concat())?;
        Box::pin(node::run(&context.with(&call.everywhere), &call)).await?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The name of a node that may be given by an address.
fn named(status: &Status, node: &str) -> Result<String, Failure> {
    if node.parse::<IpAddr>().is_err() {
        return Ok(node.to_owned());
    }
    let mut nodes = status.members.nodes.iter();
    let found = nodes.find(|entry| entry.addresses.iter().any(|address| address.ip == node));
    found.map(|entry| entry.name.clone()).ok_or_else(|| {
        Failure::new(ErrorCode::NoSuch, format!("no node has the address {node}"))
            .with_remedy("'hacctl node server' lists the addresses of all nodes.")
    })
}

/// Reads what follows `cluster init`, `join` or `remove`; `address` finds the address of an interface.
fn read(of: &str, words: &[String], address: &dyn Fn(&str) -> Result<String, Failure>) -> Result<Line, Failure> {
    let known = match of {
        "init" => INIT,
        "join" => JOIN,
        _ => REMOVE,
    };
    let mut line = Line::default();
    let mut words: VecDeque<String> = words.iter().cloned().collect();
    while let Some(word) = words.pop_front() {
        if !word.starts_with('-') {
            if of != "remove"
                && let Some((_, meaning)) = STAGES.iter().find(|(stage, _)| *stage == word)
            {
                return Err(refused(&word, *meaning));
            }
            line.hosts.push(word);
            continue;
        }
        let (option, glued) = parted(&word);
        let Some((_, meaning)) = known.iter().find(|(names, _)| names.contains(&option)) else {
            let value = takes_value(of, option) && glued.is_none();
            line.options.push(word);
            if value {
                line.options.extend(words.pop_front());
            }
            continue;
        };
        let value = match (meaning.has_value(), glued) {
            (true, Some(value)) => value.to_owned(),
            (true, None) => words.pop_front().filter(|next| !next.starts_with('-')).ok_or_else(|| {
                Failure::usage(format!("{option} needs a value")).with_remedy(format!("Write {option} VALUE."))
            })?,
            (false, Some(more)) if option.starts_with("--") => {
                return Err(Failure::usage(format!(
                    "{option} takes no value, and '{}' is one",
                    terminal::harmless(more)
                ))
                .with_remedy(format!("Write {option} alone.")));
            }
            (false, Some(more)) => {
                // Several letters behind one dash.
                words.push_front(format!("-{more}"));
                String::new()
            }
            (false, None) => String::new(),
        };
        match meaning {
            Named(name) => line.options.extend([(*name).to_owned(), value]),
            Flag(name) => line.options.push((*name).to_owned()),
            Link => line.options.extend(["--address".to_owned(), address(&value)?]),
            // Who would log in there does not matter: nobody does.
            Host => line.hosts.push(value.rsplit('@').next().unwrap_or_default().to_owned()),
            Others => only_this_host(&value)?,
            Already => {}
            Quiet => line.quiet = true,
            Yes => line.yes = true,
            Not(..) => return Err(refused(option, *meaning)),
        }
    }
    Ok(line)
}

impl Meaning {
    fn has_value(self) -> bool {
        match self {
            Named(_) | Link | Host | Others => true,
            Not(value, ..) => value,
            Flag(_) | Already | Quiet | Yes => false,
        }
    }
}

/// An option and the value that is glued to it: `--name=x`, `-nx`.
fn parted(word: &str) -> (&str, Option<&str>) {
    if word.starts_with("--") {
        return word.split_once('=').map_or((word, None), |(name, value)| (name, Some(value)));
    }
    let end = word.char_indices().nth(2).map_or(word.len(), |(at, _)| at);
    let (name, rest) = word.split_at(end);
    (name, (!rest.is_empty()).then_some(rest))
}

/// Whether an option of `hacctl init` or `hacctl join` takes a value.
fn takes_value(of: &str, option: &str) -> bool {
    let command = Arguments::command();
    let of = command.find_subcommand(of);
    let mut options = of.into_iter().flat_map(clap::Command::get_arguments).chain(command.get_arguments());
    options.any(|known| known.get_long() == option.strip_prefix("--") && known.get_action().takes_values())
}

fn refused(word: &str, meaning: Meaning) -> Failure {
    let (why, instead) = match meaning {
        Not(_, why, instead) => (why, instead),
        _ => Default::default(),
    };
    Failure::usage(format!("'{}' has no place here: {why}", terminal::harmless(word))).with_remedy(instead)
}

/// Other hosts are not made nodes from here.
fn only_this_host(names: &str) -> Result<(), Failure> {
    let own = crate::commands::fresh::hostname();
    let hosts = names.split([' ', ',', ';']).filter_map(|name| name.rsplit('@').next());
    let others: Vec<&str> = hosts.filter(|host| !host.is_empty() && *host != own).collect();
    if others.is_empty() {
        return Ok(());
    }
    let others = terminal::harmless(&others.join(", "));
    Err(Failure::usage(format!("hacctl does not log in to other hosts, and {others} is not this one")).with_remedy(
        "Leave -N out: this prints the line that makes another host a node, to be typed there (--count NUMBER for several).",
    ))
}

/// The address that is meant by an address or an interface.
fn address_of(word: &str) -> Result<String, Failure> {
    if word.parse::<IpAddr>().is_ok() {
        return Ok(word.to_owned());
    }
    let shown = terminal::harmless(word);
    let output = Process::new("ip").args(["-o", "address", "show", "dev", word]).output();
    let output = output.map_err(|error| {
        Failure::system("could not ask 'ip address' for interfaces", &error)
            .with_remedy("Name the address itself: -i ADDRESS.")
    })?;
    if !output.status.success() {
        return Err(Failure::usage(format!("this host has no interface {shown}"))
            .with_remedy("'ip address' lists interfaces and addresses; write -i INTERFACE or -i ADDRESS."));
    }
    match &addresses_in(&String::from_utf8_lossy(&output.stdout))[..] {
        [only] => Ok(only.to_string()),
        [] => Err(Failure::usage(format!("the interface {shown} has no address"))
            .with_remedy("'ip address' lists interfaces and addresses; write -i INTERFACE or -i ADDRESS.")),
        several => {
            let several: Vec<String> = several.iter().map(ToString::to_string).collect();
            Err(Failure::usage(format!("the interface {shown} has several addresses"))
                .with_remedy(format!("Say which one: -i ADDRESS, of {}.", several.join(", "))))
        }
    }
}

/// The addresses that an interface may be meant by, from what `ip -o address` prints: private ones before public ones,
/// IPv4 before IPv6.
fn addresses_in(text: &str) -> Vec<IpAddr> {
    let found = text.lines().filter_map(|line| {
        let mut words = line.split_whitespace().skip_while(|word| !matches!(*word, "inet" | "inet6")).skip(1);
        words.next()?.split('/').next()?.parse::<IpAddr>().ok()
    });
    let found: Vec<IpAddr> = found.filter(|ip| !matches!(ip, IpAddr::V6(six) if six.is_unicast_link_local())).collect();
    let kinds: [fn(&IpAddr) -> bool; 3] =
        [|ip| matches!(ip, IpAddr::V4(four) if four.is_private()), IpAddr::is_ipv4, IpAddr::is_ipv6];
    let of_kind = kinds.iter().map(|kind| found.iter().copied().filter(*kind).collect::<Vec<_>>());
    of_kind.into_iter().find(|of_kind| !of_kind.is_empty()).unwrap_or_default()
}

#[cfg(test)]
mod tests;
