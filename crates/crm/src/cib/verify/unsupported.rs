//! What can be written down and is understood by the scheduler, but not carried out by the daemon; and protection that
//! is asked for and not there.

use super::super::tree::{self, Kind};
use super::Findings;
use crate::fencer::watchdog::{self, Wait};
use hac_model::{Configuration, NvSet, Primitive, parse_bool};

pub(super) fn check(configuration: &Configuration, findings: &mut Findings) {
    let mut devices = false;
    for item in tree::walk(&configuration.resources) {
        match item.kind {
            Kind::Primitive(primitive) => {
                devices |= primitive.agent.is_fence_device();
                check_primitive(primitive, findings);
            }
            Kind::Bundle => findings.error(
                item.id,
                "bundles are not carried out by hacd yet",
                "run the container with a primitive, such as ocf:heartbeat:podman",
            ),
            Kind::Template(_) | Kind::Group | Kind::Clone => {}
        }
    }
    for node in configuration.nodes.iter().filter(|node| node.kind.as_deref() == Some("remote")) {
        remote(&node.uname, findings);
    }
    check_fencing(configuration, devices, findings);
}

fn check_primitive(primitive: &Primitive, findings: &mut Findings) {
    let (id, agent) = (primitive.id.as_str(), &primitive.agent);
    if !agent.class.is_empty() && !agent.is_run() && !agent.is_fence_device() {
        findings.error(
            id,
            format!("{agent}: agents of class {} are not carried out by hacd yet", agent.class),
            "use an OCF agent for the service ('hacctl ra list' shows those that are installed)",
        );
    }
    if agent.is_fence_device() {
        check_fence_device(primitive, findings);
    }
    if agent.is_remote_connection() {
        remote(id, findings);
    }
    if value(&primitive.meta, "remote-node").is_some() {
        remote(id, findings);
    }
    let own = primitive.attributes.get("allow-migrate").map(String::as_str);
    if own.or_else(|| value(&primitive.meta, "allow-migrate")).and_then(parse_bool) == Some(true) {
        findings.error(
            id,
            "live migration is not carried out by hacd yet",
            "leave allow-migrate out: the resource is then stopped and started when it moves",
        );
    }
}

/// What a fence device may say that is not carried out, or can never be right.
fn check_fence_device(primitive: &Primitive, findings: &mut Findings) {
    let id = primitive.id.as_str();
    if watchdog::is_watchdog(&primitive.agent) && id != watchdog::WATCHDOG {
        findings.error(
            id,
            "the watchdogs of the nodes are one device, and its id is watchdog",
            "call it watchdog, or leave it out: it is there where stonith-watchdog-timeout is set",
        );
    }
    let word = value(&primitive.params, "pcmk_host_check");
    if let Some(word) = word.filter(|word| !HOST_CHECKS.contains(word)) {
        findings.error(
            id,
            format!("pcmk_host_check={word} means nothing: the device would fence nobody"),
            "use static-list, dynamic-list, status or none, or leave it out",
        );
    }
    let params = primitive.params.iter().flat_map(|set| &set.pairs);
    for (name, text) in params.filter_map(|pair| Some((pair.name.as_str(), pair.value.as_deref()?.trim()))) {
        if let Some(wanted) = wrong_fence_parameter(name, text) {
            let sentence = format!("{name}={text} means nothing to the cluster: its default holds");
            findings.warning(id, sentence, format!("write {wanted}, or leave it out"));
        }
    }
}

/// What a parameter that the cluster itself reads should be, if it is something else.
fn wrong_fence_parameter(name: &str, text: &str) -> Option<&'static str> {
    let is_time = |text: &str| hac_model::parse_duration_ms(text).is_some();
    let maps = |text: &str, marks: &[char], right: &dyn Fn(&str) -> bool| {
        let mut entries = text.split([';', ' ', '\t', '\n']).filter(|entry| !entry.is_empty());
        entries.all(|entry| entry.split_once(marks).is_some_and(|(node, value)| !node.is_empty() && right(value)))
    };
    let of_pcmk = name.strip_prefix("pcmk_")?;
    match of_pcmk {
        "delay_max" => (!is_time(text)).then_some("a time, such as 5s"),
        "delay_base" => {
            (!is_time(text) && !maps(text, &[':'], &is_time)).then_some("a time, such as 5s, or NODE:TIME;NODE:TIME")
        }
        "host_map" => (!maps(text, &[':', '='], &|port| !port.is_empty())).then_some("NODE:PORT;NODE:PORT"),
        "action_limit" => text.parse::<i64>().is_err().then_some("a whole number; -1 is any number"),
        _ if of_pcmk.ends_with("_timeout") => (!is_time(text)).then_some("a time, such as 60s"),
        _ if of_pcmk.ends_with("_retries") => {
            (!text.parse::<u32>().is_ok_and(|tries| tries > 0)).then_some("a whole number above 0")
        }
        _ => None,
    }
}

/// The words of `pcmk_host_check`.
const HOST_CHECKS: [&str; 4] = ["static-list", "dynamic-list", "status", "none"];

fn value<'a>(sets: &'a [NvSet], name: &str) -> Option<&'a str> {
    sets.iter().find_map(|set| set.get(name))
}

fn remote(id: &str, findings: &mut Findings) {
    findings.error(
        id,
        "remote and guest nodes are not carried out by hacd yet",
        "make the host a full member: add it to nodelist in hacd.toml",
    );
}

fn check_fencing(configuration: &Configuration, devices: bool, findings: &mut Findings) {
    let property = |name| configuration.property(name).and_then(parse_bool);
    let enabled = property("fencing-enabled").or_else(|| property("stonith-enabled")).unwrap_or(true);
    let has_watchdog = property("have-watchdog").unwrap_or(false);
    match watchdog::wait(configuration) {
        Wait::Nonsense => findings.error(
            "stonith-watchdog-timeout",
            "this is no time: no node would ever be taken for gone",
            "write a time, such as 60s; -1 is as long as each node needs; 0 is never",
        ),
        Wait::For(_) | Wait::AsLongAsNeeded if configuration.property("no-quorum-policy") == Some("ignore") => findings
            .error(
                "stonith-watchdog-timeout",
                "with no-quorum-policy=ignore a node that is cut off goes on, until its watchdog resets it: all of them at once",
                "set no-quorum-policy to stop first, or leave this out",
            ),
        Wait::For(_) | Wait::AsLongAsNeeded if !enabled => findings.warning(
            "stonith-watchdog-timeout",
            "it means nothing while stonith-enabled is false: no node is taken for gone",
            "set stonith-enabled=true, or leave it out",
        ),
        _ => {}
    }
    if !enabled && property("shutdown-lock") == Some(true) {
        findings.warning(
            "shutdown-lock",
            "without fencing, what a lost node had is started nowhere else while shutdown-lock is true",
            "configure fencing, or leave shutdown-lock out",
        );
    }
    if enabled && !devices && !has_watchdog {
        findings.warning(
            "stonith-enabled",
            "fencing is enabled, but there is no fence device: nothing will start",
            "Add one: 'hacctl configure primitive ID stonith:fence_...' ('hacctl ra list stonith' has the agents); or \
             'hacctl configure property stonith-enabled=false', if a node that cannot be reached may be taken for dead",
        );
    }
}
