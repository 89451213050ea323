//! What keeps a resource from running twice when nodes do not see each other: what the configuration wants, as far as it is
//! known to work.

use hac_model::fencing::End;
use hac_model::{Cib, FenceDevice, NvSet, OcfCode, OpHistory, Primitive, Task, parse_bool};

use super::safety::ADDRESS;
use super::watchdog;
use crate::cib::primitives;

/// What protects, and what is missing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Protection {
    /// What protects, as clauses: `power-off (Shooter)`.
    pub by: Vec<String>,
    /// What is missing and what adds it, as sentences.
    pub missing: Option<(String, String)>,
}

impl std::fmt::Display for Protection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.by.is_empty() { f.write_str("nothing") } else { f.write_str(&self.by.join(", ")) }
    }
}

/// How a fence device is, as far as its agent was run.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Health {
    /// Its agent's last run on a member succeeded.
    Works,
    /// It failed wherever it was run; on which member, and why.
    Fails(String, String),
    /// It was not run on any member.
    Unknown,
}

/// What the state says of it.
#[must_use]
pub fn protection(cib: &Cib) -> Protection {
    let configuration = &cib.configuration;
    let all = primitives(configuration);
    let addresses: Vec<&str> =
        all.iter().filter(|of| of.agent.to_string() == ADDRESS).map(|of| of.id.as_str()).collect();
    let mut by = Vec::new();
    if !addresses.is_empty() {
        by.push(format!("provider arbitration ({})", addresses.join(", ")));
    }
    let property = |name| configuration.property(name).and_then(parse_bool);
    let enabled = property("fencing-enabled").or_else(|| property("stonith-enabled")).unwrap_or(true);
    let is_device = |of: &Primitive| of.agent.is_fence_device() && !watchdog::is_watchdog(&of.agent);
    let devices: Vec<&Primitive> = all.into_iter().filter(|of| is_device(of) && !is_switched_off(of)).collect();
    let counted_on = watchdog::is_counted_on(configuration);
    if !enabled {
        let sentence =
            "no node is powered off when it is lost (stonith-enabled=false): what is not safe twice may run twice";
        let remedy = if devices.is_empty() {
            "Add a device with 'hacctl configure primitive ID stonith:fence_...', then set stonith-enabled=true."
        } else {
            "'hacctl configure property stonith-enabled=true' uses the devices that are configured."
        };
        return Protection { by, missing: Some((sentence.to_owned(), remedy.to_owned())) };
    }
    if devices.is_empty() && !counted_on {
        let sentence = "fencing is on and there is no fence device: nothing is started after a node is lost";
        let remedy = "Add a device with 'hacctl configure primitive ID stonith:fence_...'.";
        return Protection { by, missing: Some((sentence.to_owned(), remedy.to_owned())) };
    }
    let judged: Vec<(&Primitive, Health)> = devices.iter().map(|of| (*of, health(cib, &of.id))).collect();
    let working = judged.iter().filter(|(_, health)| *health == Health::Works).map(|(of, _)| *of);
    let (cut, power): (Vec<&Primitive>, Vec<&Primitive>) = working.partition(|of| lets_in(of));
    for (what, devices) in [("power-off", power), ("cut-off", cut)] {
        if !devices.is_empty() {
            let ids: Vec<&str> = devices.iter().map(|of| of.id.as_str()).collect();
            by.push(format!("{what} ({})", ids.join(", ")));
        }
    }
    let covered = watchdog::covered(cib);
    if !covered.is_empty() {
        by.push(format!("watchdog ({})", covered.join(", ")));
    }
    let missing = fails(&judged)
        .or_else(|| left_out(cib, &judged, &covered))
        .or_else(|| in_vain(cib))
        .or_else(|| unseen(&judged));
    Protection { by, missing }
}

/// A device that does not work.
fn fails(judged: &[(&Primitive, Health)]) -> Option<(String, String)> {
    judged.iter().find_map(|(of, health)| {
        let Health::Fails(node, why) = health else { return None };
        let id = &of.id;
        let sentence = format!("the fence device {id} does not work on {node}: {why}");
        Some((sentence, format!("Mend it, then 'hacctl resource cleanup {id}'.")))
    })
}

/// A node that no device names that works, and that has no watchdog that is counted on.
fn left_out(cib: &Cib, judged: &[(&Primitive, Health)], covered: &[&str]) -> Option<(String, String)> {
    let named = |node: &str| judged.iter().any(|(of, _)| FenceDevice::new(&of.plain_params()).may_reach(node));
    let reached = |node: &str| covered.contains(&node) || named(node);
    let nodes = cib.configuration.nodes.iter().map(|node| node.uname.as_str());
    let left_out: Vec<&str> = nodes.filter(|node| !reached(node)).collect();
    if let (Some(node), Some((_, remedy))) = (left_out.first(), watchdog::misfit(cib)) {
        let why = watchdog::gone_after(cib, node).err().unwrap_or_default();
        return Some((format!("no fence device names {node}, and {why}"), remedy));
    }
    (!left_out.is_empty()).then(|| {
        let names = left_out.join(", ");
        let sentence = format!("no fence device names {names}: what runs there is not recovered when it is lost");
        (sentence, "Add it to pcmk_host_map or pcmk_host_list of a device.".to_owned())
    })
}

/// A node whose last fencing failed.
fn in_vain(cib: &Cib) -> Option<(String, String)> {
    let fencing = &cib.status.fencing;
    let last = |node: &String| fencing.history.iter().rev().find(|record| record.target == *node);
    fencing.failures.keys().filter_map(last).find_map(|record| {
        let End::Failed { reason, .. } = &record.end else { return None };
        let node = &record.target;
        let sentence = format!("the last fencing of {node} failed: {reason}");
        Some((sentence, format!("Mend the device; 'hacctl fence history {node}' shows what was tried.")))
    })
}

/// A device of which nobody knows whether it works.
fn unseen(judged: &[(&Primitive, Health)]) -> Option<(String, String)> {
    let (of, _) = judged.iter().find(|(_, health)| *health == Health::Unknown)?;
    let id = &of.id;
    let sentence = format!("the fence device {id} runs nowhere: nobody knows whether it works");
    Some((sentence, format!("'hacctl explain {id}' says why.")))
}

/// How a device is: what its agent answered last on each member, to a start or to a monitor.
fn health(cib: &Cib, device: &str) -> Health {
    let mut found = Health::Unknown;
    let members = super::members(cib);
    for state in &cib.status.nodes {
        let Some(node) = state.uname.as_ref().filter(|name| members.contains(*name)) else { continue };
        let Some(of) = state.resources.iter().find(|of| of.id == device) else { continue };
        let asked = |op: &&OpHistory| match op.task() {
            Some(Task::Start) => !op.is_pending(),
            Some(Task::Monitor) => !op.is_pending() && op.interval_ms > 0,
            Some(Task::Stop) => true,
            _ => false,
        };
        let last =
            of.ops.iter().filter(asked).max_by_key(|op| (op.call_id, op.last_rc_change, op.rc_code != OcfCode::OK));
        match last {
            Some(op) if op.task() == Some(Task::Stop) => {}
            Some(op) if op.rc_code == OcfCode::OK && op.op_status == 0 => return Health::Works,
            Some(op) => {
                let why = op.exit_reason.clone().unwrap_or_else(|| format!("its agent gave {}", op.rc_code));
                found = Health::Fails(node.clone(), why);
            }
            None => {}
        }
    }
    found
}

/// It cuts nodes off, which live on, and has to let them in.
fn lets_in(primitive: &Primitive) -> bool {
    primitive.meta.iter().find_map(|set: &NvSet| set.get("provides")) == Some("unfencing")
}

fn is_switched_off(primitive: &Primitive) -> bool {
    let role = primitive.meta.iter().find_map(|set: &NvSet| set.get("target-role"));
    role.is_some_and(|role| role.eq_ignore_ascii_case("stopped"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cib::fixtures::{NOW, changed, cluster, result};
    use crate::cib::{Command, OpResult, Replicated as _, StatusChange};
    use hac_model::fencing::Record;
    use hac_model::{Configuration, FenceAction, NvPair, Resource};

    fn with(configuration: &mut Configuration, id: &str, agent: &str, params: &[(&str, &str)]) {
        let pair = |(name, value): &(&str, &str)| NvPair {
            name: (*name).to_owned(),
            value: Some((*value).to_owned()),
            ..NvPair::default()
        };
        let params = vec![NvSet { pairs: params.iter().map(pair).collect(), ..NvSet::default() }];
        let agent = agent.parse().expect("an agent");
        let primitive = Primitive { id: id.to_owned(), agent, params, ..Primitive::default() };
        configuration.resources.push(Resource::Primitive(primitive));
    }

    fn set(configuration: &mut Configuration, name: &str, value: &str) {
        let set = &mut configuration.crm_config[0];
        set.pairs.retain(|pair| pair.name != name);
        let (name, value) = (name.to_owned(), Some(value.to_owned()));
        set.pairs.push(NvPair { name, value, ..NvPair::default() });
    }

    /// The agent of a device was run on a node.
    fn ran(cib: &mut Cib, node: &str, task: &str, interval: u64, rc: i32, call: i64) {
        let op = OpResult { node: node.into(), ..result("Shooter", task, interval, 0, rc, call) };
        changed(cib.apply(&Command::Status(StatusChange::OpResult(op)), NOW));
    }

    #[test]
    fn it_says_what_protects_and_what_is_missing() {
        let mut cib = cluster();
        let configuration = &mut cib.configuration;
        configuration.resources.clear();
        set(configuration, "stonith-enabled", "false");
        let off = protection(&cib);
        assert_eq!(off.to_string(), "nothing");
        assert!(off.missing.is_some_and(|(sentence, _)| sentence.contains("stonith-enabled=false")));
        with(&mut cib.configuration, "FloatIP", ADDRESS, &[]);
        assert_eq!(protection(&cib).to_string(), "provider arbitration (FloatIP)");
        set(&mut cib.configuration, "stonith-enabled", "true");
        let none = protection(&cib).missing.expect("a device is missing");
        assert!(none.0.contains("no fence device"), "{none:?}");
        with(&mut cib.configuration, "Shooter", "stonith:fence_x", &[("pcmk_host_list", "primary")]);
        assert_eq!(protection(&cib).to_string(), "provider arbitration (FloatIP)", "nobody has seen it work");
        ran(&mut cib, "primary", "start", 0, 0, 1);
        let half = protection(&cib);
        assert_eq!(half.to_string(), "provider arbitration (FloatIP), power-off (Shooter)");
        let left_out = half.missing.expect("a node is left out").0;
        assert_eq!(left_out, "no fence device names secondary: what runs there is not recovered when it is lost");
        with(&mut cib.configuration, "Other", "stonith:fence_x", &[]);
        let unseen = protection(&cib).missing.expect("one does not run").0;
        let Some(Resource::Primitive(shooter)) = cib.configuration.resources.iter_mut().find(|of| of.id() == "Shooter")
        else {
            panic!("a primitive")
        };
        let pair = NvPair { name: "provides".into(), value: Some("unfencing".into()), ..NvPair::default() };
        shooter.meta.push(NvSet { pairs: vec![pair], ..NvSet::default() });
        assert_eq!(protection(&cib).to_string(), "provider arbitration (FloatIP), cut-off (Shooter)");
        assert_eq!(unseen, "the fence device Other runs nowhere: nobody knows whether it works");
    }

    #[test]
    fn a_device_protects_as_long_as_its_agent_works_somewhere() {
        let mut cib = cluster();
        cib.configuration.resources.clear();
        set(&mut cib.configuration, "stonith-enabled", "true");
        with(&mut cib.configuration, "Shooter", "stonith:fence_x", &[]);
        ran(&mut cib, "primary", "start", 0, 0, 1);
        assert_eq!((protection(&cib).to_string().as_str(), protection(&cib).missing), ("power-off (Shooter)", None));
        ran(&mut cib, "primary", "monitor", 60_000, 1, 2);
        let broken = protection(&cib);
        assert_eq!(broken.to_string(), "nothing");
        assert!(broken.missing.is_some_and(|(it, _)| it.contains("Shooter does not work on primary")));
        ran(&mut cib, "secondary", "start", 0, 0, 1);
        assert_eq!(protection(&cib).to_string(), "power-off (Shooter)", "it works elsewhere");
        cib.status.fencing.failures.insert("primary".to_owned(), 2);
        let end = End::Failed { reason: "401 from the API".to_owned(), nobody: false };
        cib.status.fencing.history.push(Record {
            id: 1,
            target: "primary".to_owned(),
            action: FenceAction::Off,
            client: String::new(),
            origin: String::new(),
            delegate: None,
            completed: 0,
            end,
        });
        let in_vain = protection(&cib).missing.expect("it failed").0;
        assert_eq!(in_vain, "the last fencing of primary failed: 401 from the API");
    }
}
