//! `crm_mon -E`: a program that is called for each operation that ended, and with `-W` for each node that was fenced.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};

use hac_model::fencing::End;
use hac_model::{Cib, OcfCode};

/// The program, and what was seen already.
#[derive(Debug)]
pub(super) struct Agent {
    program: String,
    recipient: String,
    /// Tell of operations.
    operations: bool,
    /// Tell of fencing.
    fencing: bool,
    seen: Option<Seen>,
}

/// What was known at the last look.
#[derive(Debug, Default, PartialEq, Eq)]
struct Seen {
    /// The call of each operation, by node, resource, and key.
    calls: BTreeMap<(String, String, String), i64>,
    /// The last request to fence a node that was over.
    fenced: u64,
}

/// What the program is told, as variables `CRM_notify_NAME`.
#[derive(Debug, Default, PartialEq, Eq)]
struct Notice {
    node: String,
    rsc: String,
    task: String,
    desc: String,
    rc: i32,
    target_rc: i32,
    status: i32,
}

impl Agent {
    /// With `fencing` it is told of what was done to nodes, and of nothing else.
    pub(super) fn new(program: &str, recipient: &str, fencing: bool) -> Self {
        Self { program: program.to_owned(), recipient: recipient.to_owned(), operations: !fencing, fencing, seen: None }
    }

    /// Calls the program for what is new in a state; the first state is where it begins.
    pub(super) fn look(&mut self, cib: &Cib) {
        let now = seen(cib);
        if let Some(before) = &self.seen {
            let mut notices = Vec::new();
            if self.operations {
                notices.extend(operations(before, cib));
            }
            if self.fencing {
                notices.extend(fencing(before, cib));
            }
            notices.iter().for_each(|notice| self.call(notice));
        }
        self.seen = Some(now);
    }

    /// Nobody waits for the program: what it does with it is its own affair.
    fn call(&self, notice: &Notice) {
        let number = |n: i32| n.to_string();
        let mut command = Command::new(&self.program);
        command.env("CRM_notify_recipient", &self.recipient);
        for (name, value) in [
            ("node", &notice.node),
            ("rsc", &notice.rsc),
            ("task", &notice.task),
            ("desc", &notice.desc),
            ("rc", &number(notice.rc)),
            ("target_rc", &number(notice.target_rc)),
            ("status", &number(notice.status)),
        ] {
            command.env(format!("CRM_notify_{name}"), value);
        }
        command.stdin(Stdio::null()).stdout(Stdio::null());
        match command.spawn() {
            Ok(mut child) => {
                std::thread::spawn(move || child.wait());
            }
            Err(error) => {
                eprintln!("crm_mon: {}", hac_model::plain(&format!("could not start {}: {error}", self.program)))
            }
        }
    }
}

fn seen(cib: &Cib) -> Seen {
    let mut calls = BTreeMap::new();
    for (node, resource, op) in each(cib) {
        calls.insert((node.to_owned(), resource.to_owned(), op.operation_key.clone()), op.call_id);
    }
    let fenced = cib.status.fencing.history.iter().map(|record| record.id).max().unwrap_or_default();
    Seen { calls, fenced }
}

/// Every operation of the history that ended: the node, the resource, the operation.
fn each(cib: &Cib) -> impl Iterator<Item = (&str, &str, &hac_model::OpHistory)> {
    cib.status.nodes.iter().flat_map(|state| {
        let node = state.uname.as_deref().unwrap_or(&state.id);
        let ended = |op: &&hac_model::OpHistory| op.op_status != -1;
        state
            .resources
            .iter()
            .flat_map(move |resource| resource.ops.iter().filter(ended).map(move |op| (node, resource.id.as_str(), op)))
    })
}

fn operations(before: &Seen, cib: &Cib) -> Vec<Notice> {
    let fresh = each(cib).filter(|(node, resource, op)| {
        let key = ((*node).to_owned(), (*resource).to_owned(), op.operation_key.clone());
        before.calls.get(&key) != Some(&op.call_id)
    });
    let notice = |(node, resource, op): (&str, &str, &hac_model::OpHistory)| {
        let target_rc = expected(&op.transition_key);
        let well = op.rc_code.0 == target_rc;
        let why = op.exit_reason.clone().filter(|why| !why.is_empty());
        let name = OcfCode(op.rc_code.0).name().map_or_else(|| op.rc_code.to_string(), str::to_owned);
        Notice {
            node: node.to_owned(),
            rsc: resource.to_owned(),
            task: op.operation.clone(),
            desc: if well { "ok".to_owned() } else { why.unwrap_or(name) },
            rc: op.rc_code.0,
            target_rc,
            status: op.op_status,
        }
    };
    let mut fresh: Vec<_> = fresh.collect();
    fresh.sort_by_key(|(node, _, op)| ((*node).to_owned(), op.call_id));
    fresh.into_iter().map(notice).collect()
}

/// The exit code that was expected, from the third part of a transition's key; 0 if it does not say.
fn expected(key: &str) -> i32 {
    key.split(':').nth(2).and_then(|code| code.parse().ok()).unwrap_or(0)
}

fn fencing(before: &Seen, cib: &Cib) -> Vec<Notice> {
    let fresh = cib.status.fencing.history.iter().filter(|record| record.id > before.fenced);
    let notice = |record: &hac_model::fencing::Record| {
        let (rc, end) = match &record.end {
            End::Succeeded => (0, "OK".to_owned()),
            End::Failed { reason, .. } => (1, reason.clone()),
        };
        Notice {
            node: record.target.clone(),
            task: "st_notify_fence".to_owned(),
            desc: format!(
                "Operation {} requested by {} for peer {}: {end}",
                record.action, record.origin, record.target
            ),
            rc,
            ..Notice::default()
        }
    };
    fresh.map(notice).collect()
}

#[cfg(test)]
mod tests {
    use hac_model::fencing::Record;
    use hac_model::{FenceAction, NodeState, OpHistory, ResourceHistory};

    use super::*;

    fn state(call_id: i64, rc: i32) -> Cib {
        let op = OpHistory {
            operation: "monitor".to_owned(),
            operation_key: "web_monitor_10000".to_owned(),
            transition_key: "3:1:0:uuid".to_owned(),
            call_id,
            rc_code: OcfCode(rc),
            ..OpHistory::default()
        };
        let resource = ResourceHistory { id: "web".to_owned(), ops: vec![op], ..ResourceHistory::default() };
        let node = NodeState { id: "1".to_owned(), uname: Some("n1".to_owned()), ..NodeState::default() };
        let mut cib = Cib::default();
        cib.status.nodes = vec![NodeState { resources: vec![resource.into()].into(), ..node }];
        cib
    }

    #[test]
    fn only_what_is_new_is_told() {
        let before = seen(&state(4, 0));
        assert_eq!(operations(&before, &state(4, 0)), []);
        let told = operations(&before, &state(5, 7));
        let [notice] = &told[..] else { panic!("{told:?}") };
        assert_eq!((notice.rsc.as_str(), notice.node.as_str(), notice.rc, notice.target_rc), ("web", "n1", 7, 0));
        assert_eq!(notice.desc, "not running");
        let mut cib = state(4, 0);
        cib.status.fencing.history.push(Record {
            id: 1,
            target: "n2".to_owned(),
            action: FenceAction::Off,
            client: "hacd".to_owned(),
            origin: "n1".to_owned(),
            delegate: None,
            completed: 0,
            end: End::Succeeded,
        });
        assert_eq!(fencing(&before, &cib)[0].desc, "Operation off requested by n1 for peer n2: OK");
        assert_eq!(fencing(&seen(&cib), &cib), []);
    }
}
