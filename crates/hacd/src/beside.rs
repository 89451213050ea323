//! Other cluster managers on this host: two would fight over ports and resources, so a daemon does not start beside one.
//! The unit does not stop them either (no `Conflicts=`): that would take a service down that nobody asked to move.

use std::fs;

/// Names of their processes.
const OTHERS: &[&str] = &["corosync", "pacemakerd"];

/// The process of another cluster manager in this network: its name and number. One in a network of its own (a container)
/// is none of ours.
pub(crate) fn other_manager() -> Option<(String, u32)> {
    let network = |of: &str| fs::read_link(format!("/proc/{of}/ns/net")).ok();
    let own = network("self");
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter_map(|pid| Some((named(pid)?, pid))).find(|(_, pid)| network(&pid.to_string()) == own)
}

/// The name of the process, if it is one of [`OTHERS`].
fn named(pid: u32) -> Option<String> {
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
    OTHERS.contains(&name.trim()).then(|| name.trim().to_owned())
}
