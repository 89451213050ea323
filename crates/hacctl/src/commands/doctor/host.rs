//! What is looked at on this host.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Cluster, Finding, Severity, cluster};
use crate::commands::{drill, fresh};
use crate::terminal;

/// Less room than this and the next change of the configuration is refused.
const ROOM_MIN: u64 = 16 << 20;

/// More of its time than this and a machine is too busy for short limits, percent.
const STEAL_MAX: u64 = 5;

/// A drill that is older says little, seconds.
const DRILL_AGE: i64 = 90 * 24 * 3600;

/// Longest file that is read.
const READ_MAX: u64 = 4096;

/// Where this host's files are.
#[derive(Clone, Debug)]
pub(crate) struct Host {
    pub(super) config: PathBuf,
    pub(super) state: PathBuf,
}

impl Host {
    pub(super) fn new(config: &Path, state: &Path) -> Self {
        Self { config: config.to_owned(), state: state.to_owned() }
    }

    pub(super) fn key(&self) -> PathBuf {
        self.config.with_file_name("authkey")
    }
}

/// What a program prints; nothing where it is missing or fails to run. It only looks.
pub(super) fn said(program: &str, words: &[&str]) -> Option<String> {
    let output = Command::new(program).args(words).output().ok()?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Whether systemd starts a unit at boot.
fn is_enabled(unit: &str) -> bool {
    said("systemctl", &["is-enabled", unit]).is_some_and(|word| matches!(word.as_str(), "enabled" | "enabled-runtime"))
}

pub(super) fn key_mode(host: &Host) -> Vec<Finding> {
    let key = host.key();
    let name = key.display();
    let about = match fs::symlink_metadata(&key).and_then(|_| fs::metadata(&key)) {
        Ok(about) => about,
        Err(error) => {
            let sentence = hac_model::plain(&format!("the key {name} cannot be looked at: {error}"));
            let remedy = "'hacctl init' or 'hacctl join' writes one; as another user than root this cannot be seen.";
            return vec![Finding::new("key-mode", Severity::Error, sentence, remedy)];
        }
    };
    let error = |sentence: String, remedy: String| vec![Finding::new("key-mode", Severity::Error, sentence, remedy)];
    if !about.is_file() {
        return error(format!("{name} is no regular file"), "Put the key of the cluster there.".to_owned());
    }
    let mode = about.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return error(format!("{name} can be read by others (mode {mode:03o})"), format!("chmod 600 {name}"));
    }
    if about.uid() != 0 && rustix::process::geteuid().is_root() {
        return error(format!("{name} belongs to user {}", about.uid()), format!("chown root: {name}"));
    }
    if !(32..=4096).contains(&about.len()) {
        return error(
            format!("{name} has {} bytes, not 32 to 4096", about.len()),
            "Copy it from another node.".to_owned(),
        );
    }
    Vec::new()
}

pub(super) fn toml(host: &Host) -> Vec<Finding> {
    let file = host.config.display().to_string();
    let about = match fs::metadata(&host.config) {
        Ok(about) => about,
        Err(error) => {
            let sentence = hac_model::plain(&format!("{file} cannot be read: {error}"));
            return vec![Finding::new("toml", Severity::Error, sentence, "'hacctl init' or 'hacctl join' writes one.")];
        }
    };
    if !about.is_file() || about.len() > 1 << 20 {
        let sentence = format!("{file} is no file of at most 1 MiB");
        return vec![Finding::new("toml", Severity::Error, sentence, "Put the configuration there.")];
    }
    // The daemon's own judgement; beside this program, or where it is installed.
    let beside = std::env::current_exe().ok().map(|path| path.with_file_name("hacd")).filter(|path| path.is_file());
    let program = beside.unwrap_or_else(|| PathBuf::from("/usr/sbin/hacd"));
    let Ok(output) = Command::new(program).args(["--check", "--config", &file]).output() else { return Vec::new() };
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    // On a machine with the addresses of several nodes that is said by the daemon's own arguments.
    let lines = said.lines().filter(|line| !line.contains("start hacd with --node"));
    let finding = |line: &str| {
        let line = line.strip_prefix("hacd: ").unwrap_or(line);
        match line.strip_prefix("warning: ") {
            Some(rest) => Finding::new("toml", Severity::Warning, rest, "See configuration.md."),
            None => Finding::new("toml", Severity::Error, line, "Put it right; 'hacd --check' says when it is."),
        }
    };
    lines.map(finding).collect()
}

pub(super) fn disk_room(host: &Host) -> Vec<Finding> {
    let folders =
        [host.state.clone(), host.config.parent().unwrap_or_else(|| Path::new("/")).to_owned(), "/var/log".into()];
    let mut findings: Vec<Finding> = Vec::new();
    for folder in folders.iter().filter(|folder| folder.is_dir()) {
        let Ok(about) = rustix::fs::statvfs(folder) else { continue };
        let (free, all) =
            (about.f_bavail.saturating_mul(about.f_frsize), about.f_blocks.saturating_mul(about.f_frsize));
        let name = folder.display();
        let remedy = format!("Make room below {name}: 'du -xh {name}' shows where it went.");
        let inodes = about.f_files > 0 && about.f_favail < 64;
        if free < ROOM_MIN || inodes {
            let what = if inodes { "inodes".to_owned() } else { format!("{} MiB", free >> 20) };
            let sentence = format!("{name} has {what} left: the next change of the configuration will be refused");
            findings.push(Finding::new("disk-room", Severity::Error, sentence, remedy));
        } else if free.saturating_mul(20) < all {
            let sentence = format!("{name} is nearly full: {} MiB left", free >> 20);
            findings.push(Finding::new("disk-room", Severity::Warning, sentence, remedy));
        }
    }
    findings.dedup_by(|one, other| one.sentence == other.sentence);
    findings
}

pub(super) fn read_only(host: &Host) -> Vec<Finding> {
    let folders = [host.state.as_path(), host.config.parent().unwrap_or_else(|| Path::new("/"))];
    let is_read_only = |folder: &&&Path| {
        rustix::fs::statvfs(**folder).is_ok_and(|about| about.f_flag.contains(rustix::fs::StatVfsMountFlags::RDONLY))
    };
    let finding = |folder: &&Path| {
        let sentence = format!("{} is read-only: neither state nor key could be changed", folder.display());
        Finding::new(
            "disk-read-only",
            Severity::Error,
            sentence,
            "Mount it for writing; 'dmesg' may say why it is not.",
        )
    };
    folders.iter().filter(|folder| folder.is_dir()).filter(is_read_only).map(finding).collect()
}

pub(super) fn foreign(_: &Host) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some((name, pid)) = fresh::other_manager() {
        let sentence = format!("{name} runs on this host (process {pid}): two managers fight over its resources");
        let remedy = format!("systemctl disable --now {name}");
        findings.push(Finding::new("foreign", Severity::Error, sentence, remedy));
    }
    for unit in ["corosync", "pacemaker", "keepalived", "heartbeat", "ucarp"] {
        if is_enabled(unit) {
            let sentence = format!("{unit} is enabled and would start at the next boot");
            findings.push(Finding::new("foreign", Severity::Warning, sentence, format!("systemctl disable {unit}")));
        }
    }
    findings
}

pub(super) fn unit_enabled(_: &Host) -> Vec<Finding> {
    let word = said("systemctl", &["is-enabled", "hacd"]);
    match word.as_deref() {
        Some("disabled") => {
            let sentence = "hacd is not started at boot";
            vec![Finding::new("unit-enabled", Severity::Warning, sentence, "systemctl enable hacd")]
        }
        _ => Vec::new(),
    }
}

pub(super) fn new_binary(_: &Host) -> Vec<Finding> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let own = fs::read_link("/proc/self/ns/net").ok();
    let mut replaced = pids.filter(|pid| {
        let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        let here = fs::read_link(format!("/proc/{pid}/ns/net")).ok() == own;
        let program = fs::read_link(format!("/proc/{pid}/exe")).unwrap_or_default();
        name.trim() == "hacd" && here && program.to_string_lossy().ends_with(" (deleted)")
    });
    let finding = |pid| {
        let sentence = format!("another hacd is installed than the one that runs (process {pid})");
        Finding::new(
            "new-binary",
            Severity::Note,
            sentence,
            "'systemctl restart hacd' hands over and starts the new one.",
        )
    };
    replaced.next().map(finding).into_iter().collect()
}

pub(super) fn identity(_: &Host) -> Vec<Finding> {
    let text = fs::File::open("/etc/machine-id").and_then(|file| {
        let mut text = String::new();
        std::io::Read::read_to_string(&mut std::io::Read::take(file, READ_MAX), &mut text).map(|_| text)
    });
    let id = text.unwrap_or_default();
    if id.trim().len() == 32 {
        return Vec::new();
    }
    let sentence = "this host has no machine id: nothing tells it from a clone of itself";
    vec![Finding::new("identity", Severity::Note, sentence, "systemd-machine-id-setup")]
}

pub(super) fn limits(_: &Host) -> Vec<Finding> {
    let Some(pid) = said("systemctl", &["show", "--property=MainPID", "--value", "hacd"]) else { return Vec::new() };
    if !pid.parse::<u32>().is_ok_and(|pid| pid > 0) {
        return Vec::new();
    }
    let score = fs::read_to_string(format!("/proc/{pid}/oom_score_adj")).ok();
    let score = score.and_then(|text| text.trim().parse::<i32>().ok());
    score.filter(|score| *score > -500).map_or_else(Vec::new, |score| {
        let sentence =
            format!("the kernel would kill hacd like any program when memory is short (oom_score_adj {score})");
        vec![Finding::new(
            "limits",
            Severity::Warning,
            sentence,
            "Use the unit that comes with hacd: OOMScoreAdjust=-900.",
        )]
    })
}

pub(super) fn pauses(_: &Host) -> Vec<Finding> {
    let text = fs::read_to_string("/proc/stat").unwrap_or_default();
    let steal = steal(&text);
    steal.filter(|percent| *percent > STEAL_MAX).map_or_else(Vec::new, |percent| {
        let sentence = format!("this machine is kept from running {percent} % of its time by others on its host");
        let remedy = "Raise silence_min in [totem] to 800, or move to a machine with processors of its own.";
        vec![Finding::new("pauses", Severity::Warning, sentence, remedy)]
    })
}

/// Percent of the time since boot that was stolen.
pub(super) fn steal(stat: &str) -> Option<u64> {
    let line = stat.lines().find(|line| line.starts_with("cpu "))?;
    let ticks: Vec<u64> = line.split_whitespace().skip(1).take(8).map_while(|word| word.parse().ok()).collect();
    let all: u64 = ticks.iter().sum();
    (ticks.get(7)? * 100).checked_div(all)
}

pub(super) fn double_start(_: &Host, of: &Cluster) -> Vec<Finding> {
    let finding = |unit: String| {
        let sentence = format!("{unit} is started by systemd at boot too, besides the cluster");
        Finding::new("double-start", Severity::Warning, sentence, format!("systemctl disable {unit}"))
    };
    cluster::units(of).into_iter().filter(|unit| is_enabled(unit)).map(finding).collect()
}

pub(super) fn shutdown_order(_: &Host, of: &Cluster) -> Vec<Finding> {
    let ordered = |unit: &String| {
        said("systemctl", &["show", "--property=Before", "--value", unit])
            .is_none_or(|before| before.is_empty() || before.split_whitespace().any(|word| word == "hacd.service"))
    };
    let finding = |unit: String| {
        let sentence = format!("systemd may stop {unit} before hacd hands it over when the host shuts down");
        let remedy = format!("'systemctl edit {unit}' and add: [Unit] Before=hacd.service");
        Finding::new("shutdown-order", Severity::Warning, sentence, remedy)
    };
    cluster::systemd_units(of).into_iter().filter(|unit| !ordered(unit)).map(finding).collect()
}

pub(super) fn drill_age(host: &Host, of: &Cluster) -> Vec<Finding> {
    if of.view.resources.is_empty() || of.status.members.nodes.len() < 2 {
        return Vec::new();
    }
    let remedy = "hacctl test failover";
    match drill::last(&host.state) {
        None => vec![Finding::new("drill-age", Severity::Note, "a failover was never tested from this node", remedy)],
        Some(time) if of.now.saturating_sub(time) > DRILL_AGE => {
            let days = of.now.saturating_sub(time) / 86_400;
            let sentence = format!("the last test of a failover was {days} days ago");
            vec![Finding::new("drill-age", Severity::Note, terminal::harmless(&sentence), remedy)]
        }
        Some(_) => Vec::new(),
    }
}
