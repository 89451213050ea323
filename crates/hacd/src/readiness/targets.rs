//! What a node would have to start if it was alone: what the scheduler says of a state in which all other nodes have left and
//! nothing runs. So rules, constraints and parameters that differ from node to node count as they would.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use hac_agents::Depth;
use hac_crm::cib::{Change, Configure, Replicated as _, Section};
use hac_model::{Agent, Cib, Invocation, InvocationId, NodeState, NvSet, Task};
use hac_scheduler::plan::{Action, ActionKind, ResourceOp};
use hac_types::WallTime;

/// How long a proof may take at most.
const LIMIT: Duration = Duration::from_secs(30);

/// Agents that bring files or devices: what comes after one of them cannot be looked at where that is not.
const STORAGE: &[&str] = &[
    "Filesystem",
    "LVM",
    "LVM-activate",
    "ZFS",
    "crypt",
    "drbd",
    "iscsi",
    "lvmlockd",
    "mdraid",
    "rbd",
    "Raid1",
    "symlink",
    "vdo-vol",
];

/// From what targets follow: while it is the same they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Basis {
    /// The change of the configuration.
    change: (u64, u64, Option<i64>),
    /// What the node is known by at present.
    attributes: Vec<NvSet>,
    /// What runs there.
    runs: BTreeSet<String>,
}

impl Basis {
    pub(super) fn of(cib: &Cib, node: &str) -> Self {
        let state = cib.status.nodes.iter().find(|state| state.uname.as_deref() == Some(node));
        Self {
            change: (cib.version.admin_epoch, cib.version.epoch, cib.info.last_changed_ms),
            attributes: state.map(|state| state.attributes.clone()).unwrap_or_default(),
            runs: state.map(running).unwrap_or_default(),
        }
    }
}

/// The ids of what runs on a node, as its history says.
fn running(state: &NodeState) -> BTreeSet<String> {
    let runs = state.resources.iter().filter(|of| {
        let last = of.ops.iter().filter(|op| op.interval_ms == 0 && !op.is_pending()).max_by_key(|op| op.call_id);
        last.is_some_and(|op| op.operation != "stop" && matches!(op.rc_code.0, 0 | 8))
    });
    runs.map(|of| of.id.clone()).collect()
}

/// What `node` would have to start, each with what it would be asked, and how far it is looked at.
pub(super) fn find(cib: &Cib, node: &str, now: WallTime) -> Vec<(Invocation, Depth)> {
    let here = cib.status.nodes.iter().find(|state| state.uname.as_deref() == Some(node));
    let here = here.map(running).unwrap_or_default();
    let plan = hac_scheduler::schedule(&alone(cib, node), now);
    let mut found: BTreeMap<&str, (Invocation, Depth)> = BTreeMap::new();
    for action in &plan.actions {
        let Some(op) = start(action, node) else { continue };
        let depth = if here.contains(&op.resource) {
            Depth::Running
        } else if waits_for_storage(&plan.actions, action, node, &here) {
            Depth::Shallow
        } else {
            Depth::Deep
        };
        found.entry(&op.resource).or_insert_with(|| (invocation(op, node), depth));
    }
    found.into_values().collect()
}

/// The start on `node` that an action is.
fn start<'a>(action: &'a Action, node: &str) -> Option<&'a ResourceOp> {
    match &action.kind {
        ActionKind::Resource(op) if op.task == Task::Start && action.node.as_deref() == Some(node) => Some(op),
        _ => None,
    }
}

fn is_storage(agent: &Agent) -> bool {
    STORAGE.contains(&agent.kind.as_str()) || (agent.class == "systemd" && agent.kind.ends_with(".mount"))
}

/// Whether something that brings files, and does not run here, comes before an action.
fn waits_for_storage(actions: &[Action], of: &Action, node: &str, here: &BTreeSet<String>) -> bool {
    let (mut seen, mut next) = (BTreeSet::new(), of.inputs.clone());
    while let Some(index) = next.pop() {
        let Some(action) = actions.get(index).filter(|_| seen.insert(index)) else { continue };
        if start(action, node).is_some_and(|op| is_storage(&op.agent) && !here.contains(&op.resource)) {
            return true;
        }
        next.extend(&action.inputs);
    }
    false
}

fn invocation(op: &ResourceOp, node: &str) -> Invocation {
    Invocation {
        id: InvocationId(0),
        node: node.to_owned(),
        resource: op.resource.clone(),
        instance: op.resource.clone(),
        agent: Agent::clone(&op.agent),
        action: "validate-all".to_owned(),
        interval_ms: 0,
        timeout: Duration::from_millis(op.timeout_ms).min(LIMIT),
        expected_rc: 0,
        migration: None,
        fencing: None,
        params: BTreeMap::clone(&op.params),
        meta: BTreeMap::clone(&op.meta),
    }
}

/// The state as it would be if all other nodes had left, nothing ran, and nothing had failed here.
fn alone(cib: &Cib, node: &str) -> Cib {
    let pair = |name: &str, value: &str| (name.to_owned(), Some(value.to_owned()));
    let pairs = vec![
        pair("stonith-enabled", "false"),
        pair("no-quorum-policy", "ignore"),
        pair("maintenance-mode", "false"),
        pair("stop-all-resources", "false"),
    ];
    let change = Change::SetProperties { section: Section::CrmConfig, set: None, pairs };
    let changed = cib.candidate(&Configure { changes: vec![change], ..Configure::default() });
    let mut alone = changed.unwrap_or_else(|_| cib.clone());
    alone.info.have_quorum = true;
    alone.status.fencing = hac_model::fencing::Requests::default();
    for state in &mut alone.status.nodes {
        state.resources.clear();
        if state.uname.as_deref() == Some(node) {
            let counts = |name: &str| name.starts_with("fail-count-") || name.starts_with("last-failure-");
            state.attributes.iter_mut().for_each(|set| set.pairs.retain(|pair| !counts(&pair.name)));
        } else {
            state.in_ccm = Some("false".to_owned());
            state.crmd = Some("offline".to_owned());
            state.join = Some("down".to_owned());
            state.expected = Some("down".to_owned());
        }
    }
    alone
}

#[cfg(test)]
mod tests {
    use hac_crm::cib::{Bootstrap, Command};
    use hac_crm::cib::{Join, NodePresence, StatusChange};
    use hac_pacemaker::crm_syntax;

    use super::*;

    /// A cluster of two nodes that are there, with this configuration.
    fn cluster(lines: &str) -> Cib {
        let nodes = [("1", "n1"), ("2", "n2")].map(|(id, name)| (id.to_owned(), name.to_owned()));
        let mut cib = Cib::initial(Bootstrap { nodes: nodes.to_vec(), ..Bootstrap::default() });
        let changes = crm_syntax::parse(lines).expect("it can be read");
        cib = cib.with_unverified(&changes).expect("it can be made");
        let up = |(id, name): (&str, &str)| NodePresence {
            id: id.to_owned(),
            name: name.to_owned(),
            member: true,
            online: true,
            join: Join::Member,
            expected_up: Some(true),
            life: 1,
        };
        let states = StatusChange::NodeStates([("1", "n1"), ("2", "n2")].map(up).to_vec());
        cib.apply(&Command::Status(states), WallTime(0));
        cib
    }

    fn wanted(cib: &Cib, node: &str) -> Vec<(String, Depth)> {
        find(cib, node, WallTime(0)).into_iter().map(|(of, depth)| (of.resource, depth)).collect()
    }

    #[test]
    fn each_node_has_what_it_would_have_to_start_with_its_own_parameters() {
        let cib = cluster(
            "primitive IP ocf:heartbeat:IPaddr2 params rule #uname eq n1 ip=192.0.2.1 params rule #uname eq n2 ip=192.0.2.2\n\
             primitive Web ocf:heartbeat:nginx\nprimitive Off ocf:heartbeat:Dummy meta target-role=Stopped\n\
             primitive One ocf:heartbeat:Dummy\nlocation never One -inf: n2\nclone Webs Web\n\
             colocation both inf: IP Webs\n",
        );
        let names = |node| wanted(&cib, node).into_iter().map(|(name, _)| name).collect::<Vec<_>>();
        assert_eq!(
            (names("n1"), names("n2")),
            (vec!["IP".into(), "One".into(), "Web".into()], vec!["IP".into(), "Web".into()])
        );
        let ip = |node| find(&cib, node, WallTime(0)).remove(0).0.params["ip"].clone();
        assert_eq!((ip("n1"), ip("n2")), ("192.0.2.1".to_owned(), "192.0.2.2".to_owned()));
        assert!(wanted(&cib, "n2").iter().all(|(_, depth)| *depth == Depth::Deep));
    }

    #[test]
    fn what_comes_after_a_disk_that_is_elsewhere_is_not_asked_for_its_files() {
        let cib = cluster(
            "primitive fs ocf:heartbeat:Filesystem params device=/dev/x directory=/x fstype=ext4\n\
             primitive ip ocf:heartbeat:IPaddr2 params ip=192.0.2.1\nprimitive db ocf:heartbeat:mysql\n\
             primitive alone ocf:heartbeat:nginx\ngroup g fs ip db\n",
        );
        let of =
            |name: &str| (name.to_owned(), if ["db", "ip"].contains(&name) { Depth::Shallow } else { Depth::Deep });
        assert_eq!(wanted(&cib, "n2"), [of("alone"), of("db"), of("fs"), of("ip")]);
    }

    #[test]
    fn what_targets_follow_from_changes_with_configuration_attributes_and_what_runs() {
        let mut cib = cluster("primitive One ocf:heartbeat:Dummy\n");
        let before = Basis::of(&cib, "n1");
        cib.version.num_updates += 1;
        assert_eq!(Basis::of(&cib, "n1"), before, "only the status is another");
        cib.version.epoch += 1;
        assert_ne!(Basis::of(&cib, "n1"), before);
    }
}
