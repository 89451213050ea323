//! What the tests of this crate are made of: the tutorial's cluster.

use hac_types::WallTime;

use super::{
    Applied, Bootstrap, Change, Changes, CloneDef, Command, Configure, Join, NodePresence, Object, OpResult, PutMode,
    Refusal, Section, StatusChange,
};
use crate::cib::Replicated as _;
use hac_model::{Agent, Cib, Colocation, Constraint, NvPair, NvSet, OcfCode, OpHistory, Operation, Primitive};

/// The time at which everything happens in tests.
pub(crate) const NOW: WallTime = WallTime(1_795_332_957_123);

pub(crate) fn agent(provider: &str, kind: &str) -> Agent {
    Agent { class: "ocf".into(), provider: Some(provider.into()), kind: kind.into() }
}

pub(crate) fn pairs(pairs: &[(&str, &str)]) -> Vec<NvSet> {
    let pair = |(name, value): &(&str, &str)| NvPair {
        name: (*name).to_owned(),
        value: Some((*value).to_owned()),
        ..NvPair::default()
    };
    vec![NvSet { pairs: pairs.iter().map(pair).collect(), ..NvSet::default() }]
}

pub(crate) fn operation(name: &str, interval: &str, timeout: &str) -> Operation {
    Operation {
        name: name.into(),
        interval: interval.into(),
        options: [("timeout".to_owned(), timeout.to_owned())].into(),
        ..Operation::default()
    }
}

pub(crate) fn primitive(id: &str) -> Primitive {
    Primitive { id: id.into(), agent: agent("heartbeat", "Dummy"), ..Primitive::default() }
}

pub(crate) fn float_ip() -> Primitive {
    Primitive {
        agent: agent("digitalocean", "floatip"),
        params: pairs(&[("do_token", "hunter2"), ("floating_ip", "198.51.100.10")]),
        ..primitive("FloatIP")
    }
}

pub(crate) fn nginx() -> Primitive {
    let operations =
        vec![operation("start", "0", "40s"), operation("monitor", "10s", "30s"), operation("stop", "0", "60s")];
    Primitive {
        agent: agent("heartbeat", "nginx"),
        params: pairs(&[("httpd", "/usr/sbin/nginx")]),
        operations,
        ..primitive("Nginx")
    }
}

pub(crate) fn create(object: Object) -> Change {
    Change::Put { object, mode: PutMode::Create }
}

pub(crate) fn property(name: &str, value: &str) -> Change {
    let pairs = vec![(name.to_owned(), Some(value.to_owned()))];
    Change::SetProperties { section: Section::CrmConfig, set: None, pairs }
}

pub(crate) fn colocation(id: &str, rsc: &str, with: &str) -> Constraint {
    Constraint::Colocation(Colocation {
        id: id.into(),
        score: Some("INFINITY".into()),
        rsc: rsc.into(),
        with_rsc: with.into(),
        ..Colocation::default()
    })
}

/// The steps that people type in the tutorial.
pub(crate) fn tutorial() -> Vec<Change> {
    vec![
        property("stonith-enabled", "false"),
        property("no-quorum-policy", "ignore"),
        create(Object::Primitive(float_ip())),
        create(Object::Primitive(nginx())),
        create(Object::Clone(CloneDef { id: "Nginx-clone".into(), child: "Nginx".into(), ..CloneDef::default() })),
        create(Object::Constraint(colocation("FloatIP-Nginx", "FloatIP", "Nginx-clone"))),
    ]
}

pub(crate) fn configure(changes: Vec<Change>) -> Command {
    let (origin, client, user) = ("primary".into(), "hacctl".into(), "root".into());
    Command::Configure(Configure { changes, origin, client, user, base: None })
}

/// A cluster of two that never ran.
pub(crate) fn empty() -> Cib {
    Cib::initial(Bootstrap {
        cluster_name: "lbcluster".into(),
        version: "0.1.0".into(),
        nodes: vec![("1".into(), "primary".into()), ("2".into(), "secondary".into())],
        ..Bootstrap::default()
    })
}

/// The tutorial's cluster, both nodes there, nothing known of resources.
pub(crate) fn cluster() -> Cib {
    let mut cib = empty();
    changed(cib.apply(&configure(tutorial()), NOW));
    changed(cib.apply(&Command::Status(StatusChange::NodeStates(vec![up("1", "primary"), up("2", "secondary")])), NOW));
    changed(cib.apply(&Command::Status(StatusChange::Quorum(true)), NOW));
    cib
}

pub(crate) fn up(id: &str, name: &str) -> NodePresence {
    NodePresence {
        id: id.into(),
        name: name.into(),
        member: true,
        online: true,
        join: Join::Member,
        expected_up: Some(true),
        life: 0,
    }
}

pub(crate) fn lost(id: &str, name: &str) -> NodePresence {
    NodePresence { member: false, online: false, join: Join::Down, expected_up: None, ..up(id, name) }
}

/// The result of an operation on `primary`.
pub(crate) fn result(resource: &str, task: &str, interval_ms: u64, expected: i32, rc: i32, call_id: i64) -> OpResult {
    let op = OpHistory {
        operation: task.into(),
        interval_ms,
        transition_key: format!("1:2:{expected}:00000000-0000-0000-0000-000000000000"),
        rc_code: OcfCode(rc),
        call_id,
        last_rc_change: Some(NOW.as_secs()),
        ..OpHistory::default()
    };
    OpResult {
        node: "primary".into(),
        resource: resource.into(),
        agent: agent("heartbeat", "Dummy"),
        op,
        on_fail: None,
    }
}

pub(crate) fn changed(applied: Applied) -> Changes {
    match applied {
        Applied::Changed(changes) => changes,
        other => panic!("expected a change, got {other:?}"),
    }
}

pub(crate) fn refused(applied: Applied) -> Refusal {
    match applied {
        Applied::Refused(refusal) => refusal,
        other => panic!("expected a refusal, got {other:?}"),
    }
}
