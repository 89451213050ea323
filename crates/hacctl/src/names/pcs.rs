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
    ("node add", "hacctl join HOST --code CODE, on the new host"),
    ("node maintenance", "hacctl node maintenance NODE"),
    ("node unmaintenance", "hacctl node ready NODE"),
    ("node attribute", "hacctl node attribute NODE set NAME VALUE"),
    ("node utilization", "hacctl node utilization NODE set NAME VALUE"),
    ("cluster status", "hacctl cluster status"),
    ("cluster setup", "hacctl init"),
    ("cluster node add", "hacctl join HOST --code CODE, on the new host"),
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
    ("property list", "hacctl configure show type:property"),
    ("property show", "hacctl configure show type:property"),
    ("constraint list", "hacctl configure show type:location type:colocation type:order"),
    ("constraint show", "hacctl configure show type:location type:colocation type:order"),
    ("constraint config", "hacctl configure show type:location type:colocation type:order"),
    ("quorum device status", "hacd has no quorum device"),
    ("resource group", "hacctl configure group ID RSC..., or hacctl configure modgroup ID add RSC"),
    ("resource bundle reset", "hacctl configure edit ID"),
    ("node config", "hacctl node show"),
    ("alert list", "hacctl alert list"),
    ("stonith sbd status", "hacd does not use sbd; hacctl doctor says what protects the cluster"),
    ("resource op add", "hacctl configure monitor RSC INTERVAL:TIMEOUT, or hacctl configure edit RSC"),
    ("resource op remove", "hacctl configure edit RSC"),
    ("resource op delete", "hacctl configure edit RSC"),
    ("resource master", "hacctl configure clone RSC-clone RSC meta promotable=true"),
    ("resource debug-stop", "hacctl -w resource stop RSC, then hacctl explain RSC"),
    ("resource debug-promote", "hacctl -w resource promote RSC, then hacctl explain RSC"),
    ("resource debug-demote", "hacctl -w resource demote RSC, then hacctl explain RSC"),
    ("resource debug-monitor", "hacctl resource refresh RSC NODE, then hacctl resource operations RSC"),
    ("resource group list", "hacctl configure show type:group"),
    ("resource group delete", "hacctl configure modgroup ID remove RSC, or hacctl configure delete ID"),
    ("resource failcount reset", "hacctl resource failcount RSC delete NODE"),
    (
        "resource safe-disable",
        "hacctl --dry-run resource stop RSC says what would stop with it; then without --dry-run",
    ),
    ("resource relocate", "hacctl simulate -s shows where it would be; hacctl resource move RSC NODE"),
    ("resource update-digests", "hacctl explain RSC says whether changed parameters restart it"),
    ("resource bundle create", "hacctl configure bundle ID podman image=IMAGE ... primitive RSC"),
    ("resource bundle update", "hacctl configure edit ID"),
    ("stonith create", "hacctl configure primitive ID stonith:AGENT params NAME=VALUE... op monitor interval=60s"),
    ("stonith update", "hacctl configure set ID.NAME VALUE"),
    ("stonith delete", "hacctl configure delete ID"),
    ("stonith remove", "hacctl configure delete ID"),
    ("stonith config", "hacctl configure show ID"),
    ("stonith show", "hacctl fence list; hacctl configure show ID"),
    ("stonith status", "hacctl fence list"),
    ("stonith list", "hacctl ra list stonith"),
    ("stonith describe", "hacctl ra info stonith:AGENT"),
    ("stonith level", "hacctl configure show type:fencing_topology"),
    ("stonith level add", "hacctl configure fencing_topology NODE: DEVICE[,DEVICE]..."),
    (
        "stonith level remove",
        "hacctl configure delete LEVEL ('hacctl configure show xml type:fencing_topology' has the ids), or hacctl configure edit fencing_topology",
    ),
    ("stonith level delete", "hacctl configure edit fencing_topology"),
    ("stonith level clear", "hacctl configure delete fencing_topology"),
    ("stonith level config", "hacctl configure show type:fencing_topology"),
    ("stonith history", "hacctl fence history"),
    ("stonith cleanup", "hacctl resource cleanup ID"),
    ("stonith refresh", "hacctl resource refresh ID"),
    ("stonith enable", "hacctl resource start ID"),
    ("stonith disable", "hacctl resource stop ID"),
    ("stonith meta", "hacctl resource meta ID set NAME VALUE"),
    ("stonith op", "hacctl configure edit ID"),
    ("stonith sbd", "hacd does not use sbd; hacctl doctor says what protects the cluster"),
    ("property defaults", "hacctl configure get_property lists them; hacctl configure get_property NAME has the value"),
    ("property describe", "hacctl configure get_property lists them"),
    ("constraint location add", "hacctl configure location ID RSC SCORE: NODE"),
    ("constraint location remove", "hacctl configure delete ID"),
    ("constraint location delete", "hacctl configure delete ID"),
    ("constraint location show", "hacctl configure show type:location"),
    ("constraint location config", "hacctl configure show type:location"),
    ("constraint order remove", "hacctl configure delete ID"),
    ("constraint order delete", "hacctl configure delete ID"),
    ("constraint order show", "hacctl configure show type:order"),
    ("constraint order config", "hacctl configure show type:order"),
    ("constraint order set", "hacctl configure order ID Mandatory: FIRST ( RSC RSC ) THEN"),
    ("constraint colocation remove", "hacctl configure delete ID"),
    ("constraint colocation delete", "hacctl configure delete ID"),
    ("constraint colocation show", "hacctl configure show type:colocation"),
    ("constraint colocation config", "hacctl configure show type:colocation"),
    ("constraint colocation set", "hacctl configure colocation ID SCORE: ( RSC RSC ) RSC"),
    ("constraint ticket remove", "hacctl configure delete ID"),
    (
        "constraint rule",
        "hacctl configure location ID RSC rule SCORE: ATTRIBUTE eq VALUE; an old one is changed with hacctl configure edit ID",
    ),
    ("node", "hacctl node show"),
    ("cluster", "hacctl cluster status"),
    ("cluster kill", "systemctl kill hacd, on the node"),
    ("cluster sync", "scp /etc/hacd/hacd.toml to the other nodes, then systemctl restart hacd on one after the other"),
    ("cluster reload", "systemctl restart hacd, on one node after the other"),
    ("cluster corosync", "less /etc/hacd/hacd.toml"),
    ("cluster config", "less /etc/hacd/hacd.toml; hacctl import corosync.conf makes one from a corosync.conf"),
    ("cluster authkey", "hacctl keygen"),
    ("cluster link", "change nodelist in /etc/hacd/hacd.toml, then systemctl restart hacd on one after the other"),
    ("cluster node", "hacctl join HOST --code CODE on the new host, or hacctl node remove NODE"),
    ("cluster node delete", "hacctl node remove NODE"),
    ("cluster node clear", "hacctl node delete NODE"),
    (
        "cluster node add-remote",
        "hacd has no remote nodes yet: make the host a full member with hacctl join HOST --code CODE",
    ),
    (
        "cluster node add-guest",
        "hacd has no guest nodes yet: make the host a full member with hacctl join HOST --code CODE",
    ),
    ("cluster remove", "hacctl node remove NODE"),
    ("cluster standby", "hacctl node standby NODE"),
    ("cluster unstandby", "hacctl node online NODE"),
    ("cluster pcsd-status", "there is no pcsd: hacctl talks to the daemon of its own node"),
    ("cluster cib-upgrade", "nothing has to be upgraded; hacctl configure verify checks everything"),
    ("cluster rename", "change cluster_name in /etc/hacd/hacd.toml on each node, and start hacd anew everywhere"),
    ("cluster uidgid", "nothing has to be allowed: root talks to the daemon"),
    ("cluster localnode", "hacctl join HOST --code CODE on the new host, or hacctl node remove NODE"),
    ("quorum status", "hacctl quorum"),
    ("quorum config", "hacctl quorum; less /etc/hacd/hacd.toml"),
    (
        "quorum expected-votes",
        "change [quorum] in /etc/hacd/hacd.toml on each node, then systemctl restart hacd on one after the other",
    ),
    (
        "quorum update",
        "change [quorum] in /etc/hacd/hacd.toml on each node, then systemctl restart hacd on one after the other",
    ),
    (
        "host deauth",
        "nothing has to be authorised: the nodes share a key, and hacctl talks to the daemon of its own node",
    ),
    ("alert update", "hacctl configure edit ID"),
    ("alert remove", "hacctl configure delete ID"),
    ("alert delete", "hacctl configure delete ID"),
    ("alert config", "hacctl configure show type:alert"),
    ("alert show", "hacctl configure show type:alert"),
    ("alert recipient", "hacctl configure edit ID"),
    ("tag config", "hacctl configure show type:tag"),
    ("tag list", "hacctl configure show type:tag"),
    ("tag remove", "hacctl configure delete ID"),
    ("tag delete", "hacctl configure delete ID"),
    ("tag update", "hacctl configure edit ID"),
    ("ticket", "hacctl ticket show"),
    ("ticket grant", "hacctl ticket grant TICKET --force"),
    ("ticket revoke", "hacctl ticket revoke TICKET --force"),
    ("ticket standby", "hacctl ticket standby TICKET"),
    ("ticket unstandby", "hacctl ticket activate TICKET"),
    ("qdevice", "hacd has no quorum device"),
    ("config show", "hacctl configure show"),
    ("config export", "hacctl configure show prints what hacctl configure load reads"),
];

/// Groups of commands, and the level of ours that has what they are for: for a command that none of the hints is for.
const LEVELS: &[(&str, &str)] = &[
    ("resource", "resource"),
    ("stonith", "fence"),
    ("constraint", "configure"),
    ("property", "configure"),
    ("cluster", "cluster"),
    ("node", "node"),
    ("alert", "alert"),
    ("ticket", "ticket"),
    ("quorum", "quorum"),
    ("config", "configure"),
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

/// What does here what a word of pcs does there, for one who types it at the level of the same name.
pub(crate) fn remedy(level: &str, word: &str) -> Option<String> {
    let form = format!("{level} {word}");
    let (_, here) = HINTS.iter().find(|(known, _)| *known == form)?;
    let is_one_command = here.starts_with("hacctl ") && !here.contains([',', ';', '(']);
    Some(if is_one_command { format!("'{here}' does that here.") } else { format!("Here: {here}.") })
}

fn hint(words: &[String]) -> String {
    let draft = words.iter().any(|word| word == "-f");
    let mut all = words.iter().map(String::as_str);
    let mut words = Vec::new();
    while let Some(word) = all.next() {
        if word == "-f" {
            // The file that it works on.
            all.next();
        } else if !word.starts_with('-') {
            words.push(word);
        }
    }
    let begins = |form: &str| {
        let form: Vec<&str> = form.split(' ').collect();
        words.len() >= form.len() && form.iter().zip(&words).all(|(a, b)| a == b)
    };
    let found = HINTS.iter().filter(|(form, _)| begins(form)).max_by_key(|(form, _)| form.split(' ').count());
    let level = match (found, words.as_slice()) {
        (Some((form, _)), [first, _, ..]) if form == first => LEVELS.iter().find(|(group, _)| group == first),
        _ => None,
    };
    if let (Some((_, level)), [first, second, ..]) = (level, words.as_slice()) {
        let line = crate::terminal::harmless(second);
        return format!(
            "this is hacd, which has no pcs, and nothing is known for 'pcs {first} {line}'; 'hacctl {level} --help' lists \
             what there is"
        );
    }
    let draft = if draft { "; on a draft: 'hacctl cib new NAME', then 'hacctl -c NAME configure ...'" } else { "" };
    match found {
        Some((form, here)) => format!("this is hacd, which has no pcs; 'pcs {form}' is here: {here}{draft}"),
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
        assert!(of("resource fly").contains("nothing is known for 'pcs resource fly'; 'hacctl resource --help'"));
        assert!(of("-f cib.xml property set a=b").contains("configure property NAME=VALUE; on a draft:"));
        assert!(of("--force stonith level add 1 n1 d").ends_with("fencing_topology NODE: DEVICE[,DEVICE]..."));
        assert!(of("cluster standby n1").ends_with("hacctl node standby NODE"));
        assert!(of("resource debug-stop r").contains("hacctl -w resource stop RSC"));
    }

    /// Lines of public guides and roles: each has a hint of its own, or one of its group that says as much.
    #[test]
    fn common_lines_have_a_hint_of_their_own() {
        let lines = "status --full|status resources|resource create a b|resource op add r monitor|resource master m r|\
                     resource group add g a|resource group list|resource failcount reset r|resource safe-disable r|\
                     stonith create f fence_x|stonith update f a=b|stonith level add 1 n f|stonith history show|\
                     stonith enable f|property list|property defaults|constraint location a prefers n|\
                     constraint location remove l|constraint order start a then start b|constraint order set a b|\
                     constraint colocation add a with b|constraint rule add l|node attribute n a=b|cluster setup c n|\
                     cluster start --all|cluster sync|cluster node add-remote n|cluster link add n|cluster cib f|\
                     cluster cib-push f|cluster auth a|cluster pcsd-status|quorum expected-votes 1|quorum device add|\
                     host auth a|alert recipient add a|acl role create r|tag create t a|ticket grant T|config show|\
                     config export pcs-commands|resource move r n|resource ban r n|resource clear r|cluster destroy";
        for line in lines.split('|') {
            let said = hint(&line.split(' ').map(str::to_owned).collect::<Vec<_>>());
            assert!(said.contains("' is here: "), "pcs {line}: {said}");
        }
    }
}
