//! `hacctl cluster`, `hacctl corosync` and `hacctl maintenance`: crm's words for what belongs to no resource and no node.

mod set;
mod setup;

use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use hac_api::{ErrorCode, Severity, Sync};
use hac_crm::cib::{Change, Section};

use super::{Context, members, quorum};
use crate::failure::Failure;
use crate::grammar::Call;
use crate::terminal;

/// Where the configuration of a node is.
const FILE: &str = "/etc/hacd/hacd.toml";
/// The unit of the daemon.
const UNIT: &str = "hacd.service";
/// How a changed configuration comes into force.
const THEN: &str = "to the other nodes and restart hacd on one after the other: 'systemctl restart hacd'";
/// What is said of a third vote from outside.
const NO_DEVICE: &str = "hacd has no quorum device";
const NO_DEVICE_INSTEAD: &str = "Add a third node, or use two_node; 'hacctl quorum' shows the votes.";

/// Carries out `cluster ...`.
pub(crate) async fn run(context: &Context, call: &Call) -> Result<ExitCode, Failure> {
    match call.command.name() {
        "status" => status(context).await,
        "health" => health(context).await,
        "wait_for_startup" => wait(context, call.get("SECONDS")).await,
        "run" => remote(call.all("COMMAND")),
        "start" | "stop" | "restart" | "enable" | "disable" => systemd(context, call).await,
        "init" | "join" | "remove" => setup::run(context, call).await,
        _ => Ok(ExitCode::SUCCESS),
    }
}

/// Whether the daemon runs, and who is in the cluster.
async fn status(context: &Context) -> Result<ExitCode, Failure> {
    let status = context.client.status().await?;
    if context.json {
        terminal::print_json(&status.members)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut text = format!("hacd {} runs on {}\n", status.hacd_version, status.node);
    for node in &status.members.nodes {
        text.push_str(&format!("{}({}): {}\n", node.name, node.id, node.state.word()));
    }
    let votes = if status.quorum.quorate { "with quorum" } else { "WITHOUT quorum" };
    text.push_str(&format!("partition {votes}; coordinator (DC): {}\n", status.dc.as_deref().unwrap_or("none")));
    terminal::print(&terminal::harmless(&text))?;
    Ok(ExitCode::SUCCESS)
}

/// What is wrong; exit code 1 if something is.
async fn health(context: &Context) -> Result<ExitCode, Failure> {
    let (status, view) = context.client.view().await?;
    let mut wrong: Vec<String> = status
        .problems
        .iter()
        .filter(|problem| problem.severity != Severity::Info)
        .map(|problem| problem.sentence.clone())
        .collect();
    wrong.extend(view.nodes.iter().filter(|node| !node.online).map(|node| format!("{} is offline", node.name)));
    wrong.extend(hac_compat::not_running(&view).into_iter().map(|name| format!("{name} is not running")));
    if context.json {
        terminal::print_json(&serde_json::json!({ "healthy": wrong.is_empty(), "problems": wrong }))?;
    } else if wrong.is_empty() {
        terminal::print("all is well")?;
    } else {
        terminal::print(&terminal::harmless(&wrong.join("\n")))?;
    }
    Ok(if wrong.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// Waits until this node takes part.
async fn wait(context: &Context, seconds: Option<&str>) -> Result<ExitCode, Failure> {
    let limit = match seconds {
        None => context.timeout,
        Some(word) => Duration::from_secs(crate::args::seconds(word).map_err(|why| {
            Failure::usage(format!("'{}' is no time to wait: {why}", terminal::harmless(word)))
                .with_remedy("Write 'hacctl cluster wait_for_startup 60'.")
        })?),
    };
    let end = Instant::now() + limit;
    loop {
        let missing = match context.client.status().await {
            Ok(status) if status.sync == Sync::Active && status.dc.is_some() => return Ok(ExitCode::SUCCESS),
            Ok(status) => status.waiting_for.first().cloned().unwrap_or_else(|| "this node is joining".to_owned()),
            Err(failure) => failure.message,
        };
        if Instant::now() >= end {
            let sentence =
                format!("the cluster did not start in {} s: {}", limit.as_secs(), terminal::harmless(&missing));
            return Err(Failure::new(ErrorCode::Timeout, sentence)
                .with_remedy("'hacd --check' judges the configuration, 'journalctl -u hacd' says what it waits for."));
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// `cluster start|stop|...`: the unit of this node; others are named with the line to type there.
async fn systemd(context: &Context, call: &Call) -> Result<ExitCode, Failure> {
    let verb = call.command.name();
    let here = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let here = match context.client.status().await {
        Ok(status) => {
            for name in call.all("NODE") {
                super::node::find(&status, Some(name))?;
            }
            status.node
        }
        Err(_) => here.trim().to_owned(),
    };
    let others: Vec<&str> = call.all("NODE").iter().map(String::as_str).filter(|node| *node != here).collect();
    if !others.is_empty() || call.has("--all") {
        let names = if call.has("--all") { "--all".to_owned() } else { others.join(", ") };
        return Err(Failure::usage(format!("hacctl does not log in to other hosts: {names}"))
            .with_remedy(format!("Type there: systemctl {verb} {UNIT}")));
    }
    if matches!(verb, "stop" | "restart") {
        let question = format!("this {verb}s hacd on {here}: what runs there moves to other nodes or stops");
        if context.consent.dry_run {
            terminal::print(&format!("Would be done: systemctl {verb} {UNIT}\nNothing was changed (--dry-run)."))?;
            return Ok(ExitCode::SUCCESS);
        }
        if terminal::is_interactive() && !context.consent.yes && !context.consent.force && !context.consent.as_crm {
            terminal::confirm(&question, "Add --yes.")?;
        }
    } else if context.consent.dry_run {
        terminal::print(&format!("Would be done: systemctl {verb} {UNIT}\nNothing was changed (--dry-run)."))?;
        return Ok(ExitCode::SUCCESS);
    }
    let ended = Command::new("systemctl").args([verb, UNIT]).stdin(Stdio::null()).status();
    match ended {
        Ok(status) if status.success() => {
            context.done(&format!("systemctl {verb} {UNIT}"), None)?;
            Ok(ExitCode::SUCCESS)
        }
        Ok(status) => Err(Failure::system(&format!("'systemctl {verb} {UNIT}'"), &status)
            .with_remedy(format!("'systemctl status {UNIT}' and 'hacd --check' say why."))),
        Err(error) => Err(Failure::system("could not start systemctl", &error)
            .with_remedy(format!("Where systemd does not run, {verb} hacd with the service manager of this host."))),
    }
}

/// `cluster run COMMAND`: here, and the lines for the others.
fn remote(words: &[String]) -> Result<ExitCode, Failure> {
    let [line] = words else {
        return Err(Failure::usage("the command is one word").with_remedy("Write 'hacctl cluster run \"uname -a\"'."));
    };
    let status = Command::new("sh").args(["-c", line]).status();
    let status = status.map_err(|error| Failure::system("could not start a shell", &error))?;
    eprintln!("INFO: hacctl does not log in to other hosts; there: ssh NODE {}", terminal::harmless(line));
    Ok(ExitCode::from(u8::try_from(status.code().unwrap_or(1)).unwrap_or(1)))
}

/// Carries out `corosync ...`.
pub(crate) async fn corosync(context: &Context, call: &Call) -> Result<ExitCode, Failure> {
    match call.command.name() {
        "show" => terminal::print(&shown(&file()?))?,
        "get" => get(call.must("PATH")?)?,
        "log" => log(context.json)?,
        "edit" => edit(context)?,
        "set" => set::run(context, &path(), call.must("PATH")?, call.must("VALUE")?)?,
        "link" if matches!(call.get("|"), None | Some("show")) => return members::run(context, true).await,
        "link" => {
            return Err(Failure::usage("links are changed in hacd.toml").with_remedy(
                "Change ringN_addr of [[nodelist.node]] ('hacctl corosync edit'), copy the file to all nodes, restart hacd on one after the other.",
            ));
        }
        "status" => match call.get("|") {
            Some("quorum") => return quorum::run(context, None).await,
            Some("qdevice" | "qnetd") => {
                return Err(Failure::new(ErrorCode::Invalid, NO_DEVICE).with_remedy(NO_DEVICE_INSTEAD));
            }
            _ => return members::run(context, true).await,
        },
        _ => {}
    }
    Ok(ExitCode::SUCCESS)
}

fn path() -> String {
    std::env::var("HACD_CONFIG").unwrap_or_else(|_| FILE.to_owned())
}

fn file() -> Result<String, Failure> {
    let path = path();
    std::fs::read_to_string(&path).map_err(|error| {
        Failure::unread(&path, &error)
            .with_remedy("'hacctl import' makes it from a corosync.conf; HACD_CONFIG names another place.")
    })
}

/// Whether the value of a key is shown to nobody. In `[totem]` there is a token that is a time, and a key that is a file.
fn is_masked(table: &str, key: &str) -> bool {
    table != "totem" && hac_model::is_secret(key)
}

/// The file with the values of secrets masked.
fn shown(text: &str) -> String {
    let mut table = String::new();
    let mask = |line: &str| {
        if let Some(name) = line.trim().strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            table = name.0.trim_matches(['[', ' ']).to_owned();
        }
        match line.split_once('=') {
            Some((name, _)) if is_masked(&table, name.trim()) => format!("{name}= \"{}\"", hac_model::MASK),
            _ => line.to_owned(),
        }
    };
    text.lines().map(mask).collect::<Vec<_>>().join("\n")
}

/// A value with all secrets in it masked.
fn masked(table: &str, key: &str, value: toml::Value) -> toml::Value {
    match value {
        toml::Value::Table(below) => {
            let within = |(name, value): (String, toml::Value)| {
                let value = masked(key, &name, value);
                (name, value)
            };
            toml::Value::Table(below.into_iter().map(within).collect())
        }
        toml::Value::Array(list) => {
            toml::Value::Array(list.into_iter().map(|value| masked(table, key, value)).collect())
        }
        _ if is_masked(table, key) => toml::Value::String(hac_model::MASK.to_owned()),
        other => other,
    }
}

/// The file is no TOML.
fn untold(error: &toml::de::Error) -> Failure {
    Failure { exit_code: 78, ..Failure::usage(terminal::harmless(error.message())) }
        .with_remedy("'hacd --check' names the place.")
}

/// `corosync get totem.token`.
fn get(path: &str) -> Result<(), Failure> {
    let table: toml::Table = toml::from_str(&file()?).map_err(|error| untold(&error))?;
    let mut value = &toml::Value::Table(table);
    for word in path.split('.') {
        let next = match value {
            toml::Value::Table(table) => table.get(word),
            toml::Value::Array(list) => word.parse::<usize>().ok().and_then(|at| list.get(at)),
            _ => None,
        };
        value = next.ok_or_else(|| {
            Failure::new(ErrorCode::NoSuch, format!("{} is not set", terminal::harmless(path)))
                .with_remedy("'hacctl corosync show' prints the file; what is not in it has its default.")
        })?;
    }
    let (table, key) = path.rsplit_once('.').unwrap_or(("", path));
    let text = match masked(table, key, value.clone()) {
        toml::Value::String(text) => text,
        other => other.to_string(),
    };
    terminal::print(&terminal::harmless(&text))
}

/// The end of the log, wherever it is.
fn log(json: bool) -> Result<(), Failure> {
    let named = toml::from_str::<toml::Table>(&file().unwrap_or_default()).ok();
    let named = named.and_then(|table| table.get("logging")?.get("logfile")?.as_str().map(str::to_owned));
    let output = match named {
        Some(file) => Command::new("tail").args(["-n", "100", &file]).output(),
        None => Command::new("journalctl").args(["-u", "hacd", "-n", "100", "--no-pager"]).output(),
    };
    let output = output.map_err(|error| {
        Failure::system("could not read the log", &error)
            .with_remedy("'hacctl events' prints what the daemon remembers.")
    })?;
    let text = String::from_utf8_lossy(&output.stdout);
    if json {
        return terminal::print_json(&serde_json::json!({ "log": text.lines().collect::<Vec<_>>() }));
    }
    terminal::print(&terminal::harmless(&text))
}

/// The file in an editor; afterwards the daemon's own check says what it thinks of it.
fn edit(context: &Context) -> Result<(), Failure> {
    let path = path();
    file()?;
    super::configure::editor(std::path::Path::new(&path))?;
    if !set::is_accepted(std::path::Path::new(&path)) {
        return Err(Failure {
            exit_code: 78,
            ..Failure::usage(format!("{path} is wrong (see above); hacd would not start with it"))
        }
        .with_remedy("Put that place right with 'hacctl corosync edit'."));
    }
    context.done(&format!("copy {path} {THEN}"), None)
}

/// Carries out `maintenance on|off [RSC]`.
pub(crate) async fn maintenance(context: &Context, call: &Call) -> Result<ExitCode, Failure> {
    let value = if call.command.name() == "on" { "true" } else { "false" };
    match call.owned("RSC") {
        Some(resource) => {
            let done = format!("maintenance of {resource} is {value}");
            let change = Change::SetMeta { resource, name: "maintenance".to_owned(), value: Some(value.to_owned()) };
            context.change(&[change], &done).await?;
        }
        None => {
            let pairs = vec![("maintenance-mode".to_owned(), Some(value.to_owned()))];
            let change = Change::SetProperties { section: Section::CrmConfig, set: None, pairs };
            context.change(&[change], &format!("maintenance-mode is {value}")).await?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_of_the_file_are_masked_and_times_are_not() {
        let text =
            "[totem]\ntoken = 1000\nauthkey = \"/k\"\n[[primitive]]\nid = \"ip\"\n[primitive.params]\ndo_token = \"T\"";
        assert_eq!(shown(text), text.replace("\"T\"", "\"********\""));
        let whole = masked("", "", toml::Value::Table(toml::from_str(text).expect("TOML"))).to_string();
        assert!(whole.contains("1000") && whole.contains("/k") && !whole.contains("\"T\""), "{whole}");
    }
}
