//! `pcs`: a hint for each of its commands, for those who know that program.

use std::process::ExitCode;

/// The words that a command of pcs begins with, and what to type here. The longest beginning counts.
const HINTS: &[(&str, &str)] = &[
    ("status", "hacctl status"),
    ("status cluster", "hacctl cluster status"),
    ("status nodes", "hacctl node show"),
    ("status resources", "hacctl resource status"),
    ("status quorum", "hacctl quorum"),
    ("status corosync", "hacctl members"),
    ("status xml", "crm_mon -1 --output-as=xml"),
    ("status query resource", "hacctl resource status RSC"),
    ("config", "hacctl configure show"),
    ("config backup", "hacctl configure save FILE"),
    ("config restore", "hacctl configure apply FILE"),
    ("config checkpoint", "hacctl configure undo takes the last change back"),
    ("resource", "hacctl resource status"),
    ("resource create", "hacctl configure primitive ID AGENT params NAME=VALUE... op monitor interval=10s"),
    ("resource delete", "hacctl resource stop RSC, then hacctl configure delete RSC"),
    ("resource remove", "hacctl resource stop RSC, then hacctl configure delete RSC"),
    ("resource config", "hacctl configure show RSC"),
    ("resource show", "hacctl configure show RSC"),
    ("resource status", "hacctl resource status RSC"),
    ("resource update", "hacctl configure set RSC.NAME VALUE"),
    ("resource meta", "hacctl resource meta RSC set NAME VALUE"),
    ("resource op", "hacctl configure monitor RSC INTERVAL:TIMEOUT, or hacctl configure edit RSC"),
    ("resource op defaults", "hacctl configure op_defaults NAME=VALUE"),
    ("resource defaults", "hacctl configure rsc_defaults NAME=VALUE"),
    ("resource enable", "hacctl resource start RSC"),
    ("resource disable", "hacctl resource stop RSC"),
    ("resource restart", "hacctl resource restart RSC"),
    ("resource move", "hacctl resource move RSC NODE"),
    ("resource move-with-constraint", "hacctl resource move RSC NODE"),
    ("resource ban", "hacctl resource ban RSC NODE"),
    ("resource clear", "hacctl resource clear RSC"),
    ("resource cleanup", "hacctl resource cleanup RSC"),
    ("resource refresh", "hacctl resource refresh RSC"),
    ("resource failcount", "hacctl resource failcount RSC show NODE"),
    ("resource manage", "hacctl resource manage RSC"),
    ("resource unmanage", "hacctl resource unmanage RSC"),
    ("resource group add", "hacctl configure group ID RSC..., or hacctl configure modgroup ID add RSC"),
    ("resource group remove", "hacctl configure modgroup ID remove RSC"),
    ("resource ungroup", "hacctl configure delete ID (the members stay)"),
    ("resource clone", "hacctl configure clone RSC-clone RSC"),
    ("resource promotable", "hacctl configure clone RSC-clone RSC meta promotable=true"),
    ("resource unclone", "hacctl configure delete ID (what is cloned stays)"),
    ("resource bundle", "hacctl configure bundle ID podman image=IMAGE ... primitive RSC"),
    ("resource relations", "hacctl explain RSC"),
    ("resource list", "hacctl ra list"),
    ("resource agents", "hacctl ra list"),
    ("resource providers", "hacctl ra classes"),
    ("resource standards", "hacctl ra classes"),
    ("resource describe", "hacctl ra info AGENT"),
    ("resource debug-start", "hacctl -w resource start RSC, then hacctl explain RSC"),
    ("resource utilization", "hacctl resource utilization RSC set NAME VALUE"),
    ("property", "hacctl configure show type:property"),
    ("property set", "hacctl configure property NAME=VALUE"),
    ("property unset", "hacctl configure property NAME="),
    ("property config", "hacctl configure show type:property"),
    ("constraint", "hacctl configure show type:location type:colocation type:order"),
    ("constraint location", "hacctl configure location ID RSC SCORE: NODE"),
    ("constraint colocation", "hacctl configure colocation ID SCORE: RSC WITH"),
    ("constraint order", "hacctl configure order ID Mandatory: FIRST THEN"),
    ("constraint ticket", "hacctl configure rsc_ticket ID TICKET: RSC"),
    ("constraint delete", "hacctl configure delete ID"),
    ("constraint remove", "hacctl configure delete ID"),
    ("constraint ref", "hacctl resource constraints RSC"),
    ("node standby", "hacctl node standby NODE"),
    ("node unstandby", "hacctl node online NODE"),
    ("node maintenance", "hacctl node maintenance NODE"),
    ("node unmaintenance", "hacctl node ready NODE"),
    ("node attribute", "hacctl node attribute NODE set NAME VALUE"),
    ("node utilization", "hacctl node utilization NODE set NAME VALUE"),
    ("cluster status", "hacctl cluster status"),
    ("cluster setup", "hacctl init"),
    ("cluster node add", "hacctl join CODE, on the new host"),
    ("cluster node remove", "stop hacd there, then hacctl node delete NODE"),
    ("cluster start", "systemctl start hacd, on each node"),
    ("cluster stop", "systemctl stop hacd, on the node"),
    ("cluster enable", "systemctl enable hacd, on each node"),
    ("cluster disable", "systemctl disable hacd, on the node"),
    ("cluster destroy", "stop hacd and remove its state directory and /etc/hacd, on each node"),
    ("cluster cib", "hacctl configure save xml FILE"),
    ("cluster cib-push", "hacctl configure apply FILE"),
    ("cluster edit", "hacctl configure edit"),
    ("cluster verify", "hacctl verify"),
    ("cluster report", "hacctl report"),
    (
        "cluster auth",
        "nothing has to be authorised: the nodes share a key, and hacctl talks to the daemon of its own node",
    ),
    (
        "host auth",
        "nothing has to be authorised: the nodes share a key, and hacctl talks to the daemon of its own node",
    ),
    ("quorum", "hacctl quorum"),
    ("quorum unblock", "hacctl quorum unblock"),
    ("quorum device", "hacd has no quorum device"),
    ("stonith", "hacctl fence list; hacctl configure primitive ID stonith:fence_... adds a device"),
    ("stonith fence", "hacctl node fence NODE"),
    ("stonith confirm", "hacctl node clearstate NODE"),
    ("alert", "hacctl alert list"),
    ("alert create", "hacctl configure alert ID PATH [to RECIPIENT...]"),
    ("acl", "hacd has no access rules: everything is done as root on a node"),
    ("tag", "hacctl configure tag ID RSC..."),
    ("booth", "hacctl ticket grant TICKET --force; booth itself is a program of its own"),
    ("pcsd", "there is no pcsd: hacctl talks to the daemon of its own node"),
    ("client", "there is no pcsd: hacctl talks to the daemon of its own node"),
    ("dr", "hacd has no recovery site"),
];

/// Runs with these words: the hint on standard error, exit code 1.
pub(super) fn run(words: &[String]) -> ExitCode {
    if words.first().is_some_and(|word| word == "--version") {
        let _ = crate::terminal::print("0.12.0");
        return ExitCode::SUCCESS;
    }
    eprintln!("Error: {}", hint(words));
    ExitCode::from(1)
}

fn hint(words: &[String]) -> String {
    let words: Vec<&str> = words.iter().map(String::as_str).filter(|word| !word.starts_with('-')).collect();
    let begins = |form: &str| {
        let form: Vec<&str> = form.split(' ').collect();
        words.len() >= form.len() && form.iter().zip(&words).all(|(a, b)| a == b)
    };
    let found = HINTS.iter().filter(|(form, _)| begins(form)).max_by_key(|(form, _)| form.split(' ').count());
    match found {
        Some((form, here)) => format!("this is hacd, which has no pcs; 'pcs {form}' is here: {here}"),
        None => "this is hacd, which has no pcs; 'hacctl --help' lists the commands".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_beginning_counts() {
        let of = |line: &str| hint(&line.split(' ').map(str::to_owned).collect::<Vec<_>>());
        assert!(of("resource op defaults timeout=20s").ends_with("op_defaults NAME=VALUE"));
        assert!(of("resource --full").ends_with("hacctl resource status"));
        assert!(of("host auth a b").contains("nothing has to be authorised"));
        assert!(of("fly").contains("--help"));
    }
}
