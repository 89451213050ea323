//! What `crm_resource` tells of one resource: its constraints, and what was done with it.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use hac_api::{Status, route};
use hac_model::{Cib, Constraint, ExecStatus, OcfCode, OpHistory, ResourceHistory, Task};
use hac_pacemaker::mon;
use hac_scheduler::relations::{Relations, Tie, relations};

use super::{PROGRAM, UNREACHABLE, cib, named, not_found, view};
use crate::options::{Given, document, escaped};
use crate::{Ends, Said, client, exit, file};

/// `-O` and `-o`: the operations in the history, of one resource, on one node, or of all.
pub(super) fn operations(all: bool, id: Option<&str>, given: &Given, request: Option<&str>) -> Ends<Said> {
    let (cib, view) = (cib()?, view()?);
    let mut out = String::new();
    for node in &cib.status.nodes {
        let name = node.uname.clone().unwrap_or_default();
        if given.value("node").is_some_and(|wanted| wanted != name) {
            continue;
        }
        for history in node.resources.iter().filter(|history| id.is_none_or(|id| history.id == id)) {
            let Some(resource) = named(&view.resources, &history.id).into_iter().next() else { continue };
            for op in shown(history, all) {
                if request.is_some() {
                    out.push_str(&element(&name, &history.id, &resource_agent(history), op));
                } else {
                    let line = mon::resource_line(&view, resource);
                    out.push_str(&format!("{line}: {} {}\n", op_key(&history.id, op), told(&name, op)));
                }
            }
        }
    }
    Ok(match request {
        Some(request) if out.is_empty() => document(request, ""),
        Some(request) => document(request, &list("operations", &out)),
        None => Said::printed(out),
    })
}

/// Operations in the order in which they ran; unless all are wanted, those since the start, and none after a stop.
fn shown(history: &ResourceHistory, all: bool) -> Vec<&OpHistory> {
    let mut ops: Vec<&OpHistory> = history.ops.iter().collect();
    ops.sort_by_key(|op| op.call_id);
    if all {
        return ops;
    }
    let done = |op: &&OpHistory, task: Task| op.task() == Some(task) && op.ended(ExecStatus::Done);
    let stop = ops.iter().rposition(|op| done(op, Task::Stop));
    let runs = |op: &&OpHistory| matches!(op.task(), Some(Task::Promote | Task::Demote));
    let seen = |op: &&OpHistory| op.task() == Some(Task::Monitor) && matches!(op.rc_code, OcfCode(0 | 8));
    let start = ops.iter().rposition(|op| op.task() == Some(Task::Start));
    let start = start.or_else(|| ops.iter().rposition(runs)).or_else(|| ops.iter().position(seen));
    if stop.is_some() && start.is_none_or(|start| stop > Some(start)) {
        return Vec::new();
    }
    ops.split_off(start.unwrap_or(0))
}

fn op_key(id: &str, op: &OpHistory) -> String {
    if op.operation_key.is_empty() {
        format!("{id}_{}_{}", op.operation, op.interval_ms)
    } else {
        op.operation_key.clone()
    }
}

fn told(node: &str, op: &OpHistory) -> String {
    let mut parts = vec![format!("node={node}"), format!("call={}", op.call_id), format!("rc={}", op.rc_code)];
    if let Some(at) = op.last_rc_change {
        parts.push(format!("last-rc-change='{}'", mon::plain_date(at.saturating_mul(1000))));
        parts.push(format!("exec={}ms", op.exec_time_ms.unwrap_or(0)));
    }
    format!("({}): {}", parts.join(", "), mon::status_words(op.op_status))
}

fn resource_agent(history: &ResourceHistory) -> String {
    history.agent.to_string()
}

fn element(node: &str, id: &str, agent: &str, op: &OpHistory) -> String {
    let mut text = format!(
        "    <operation op=\"{}\" node=\"{}\" call=\"{}\" rc=\"{}\" status=\"{}\" rsc=\"{}\" agent=\"{}\"",
        escaped(&op_key(id, op)),
        escaped(node),
        op.call_id,
        op.rc_code,
        mon::status_words(op.op_status),
        escaped(id),
        escaped(agent)
    );
    if let Some(at) = op.last_rc_change {
        let date = mon::plain_date(at.saturating_mul(1000));
        text.push_str(&format!(" last-rc-change=\"{date}\" exec-time=\"{}\"", op.exec_time_ms.unwrap_or(0)));
    }
    text + "/>\n"
}

/// How often it is asked whether the cluster has settled.
const PAUSE: Duration = Duration::from_millis(200);

/// How long `--wait` waits if nothing is said, milliseconds.
const PATIENCE_MS: u64 = 3_600_000;

/// `--wait`: until nothing is under way.
pub(super) fn wait(timeout: Option<&str>) -> Ends<Said> {
    let patience = match timeout {
        None => PATIENCE_MS,
        Some(text) => hac_model::parse_duration_ms(text)
            .ok_or_else(|| Said::failed(exit::USAGE, format!("{PROGRAM}: '{text}' is no time")))?,
    };
    let begun = Instant::now();
    loop {
        let status: Status = client::get(PROGRAM, route::STATUS, UNREACHABLE)?;
        if status.settled {
            return Ok(Said::nothing());
        }
        if begun.elapsed() >= Duration::from_millis(patience) {
            let pending: String = status.waiting_for.iter().map(|what| format!("\tAction: {what}\n")).collect();
            let err = "Error performing operation: Timeout occurred".to_owned();
            return Err(Said { out: format!("Pending actions:\n{pending}"), err, code: exit::TIMEOUT });
        }
        std::thread::sleep(PAUSE);
    }
}

/// `-a` and `-A`: where a resource may be, and what it hangs together with.
pub(super) fn constraints(id: &str, stack: bool, request: Option<&str>) -> Ends<Said> {
    let cib = cib()?;
    let all = relations(&cib, file::now());
    let tell = Tell { cib: &cib, all: &all, stack };
    let top = all.iter().find(|of| of.inside.iter().any(|inside| inside == id)).ok_or_else(|| not_found(id))?;
    let mut out = String::new();
    if let Some(request) = request {
        tell.elements(top, &mut out);
        return Ok(document(request, &list("constraints", &out)));
    }
    tell.locations(top, 0, &mut out);
    tell.ties(top, false, 0, &mut BTreeSet::from([top.resource.as_str()]), &mut out);
    tell.ties(top, true, 0, &mut BTreeSet::from([top.resource.as_str()]), &mut out);
    Ok(Said::printed(out))
}

/// Telling of constraints.
struct Tell<'a> {
    cib: &'a Cib,
    all: &'a [Relations],
    /// Of what hangs on what, too.
    stack: bool,
}

impl<'a> Tell<'a> {
    fn find(&self, id: &str) -> Option<&'a Relations> {
        self.all.iter().find(|of| of.inside.iter().any(|inside| inside == id))
    }

    fn locations(&self, of: &Relations, depth: usize, out: &mut String) {
        if of.locations.is_empty() {
            return;
        }
        line(out, depth, "Locations:");
        for wish in &of.locations {
            let (node, score, id) = (&wish.node, score(wish.score), &wish.id);
            line(out, depth + 1, &format!("Node {node} (score={score}, id={id}, rsc={})", of.resource));
        }
    }

    /// What depends on a resource, or what it depends on itself.
    fn ties(&self, of: &'a Relations, primaries: bool, depth: usize, seen: &mut BTreeSet<&'a str>, out: &mut String) {
        let ties = if primaries { &of.primaries } else { &of.dependents };
        if ties.is_empty() {
            return;
        }
        let heading = if primaries {
            format!("Resources {} is colocated with:", of.resource)
        } else {
            format!("Resources colocated with {}:", of.resource)
        };
        line(out, depth, &heading);
        for tie in ties {
            let id = self.written_id(tie);
            if self.stack && seen.contains(tie.other.as_str()) {
                line(out, depth + 1, &format!("{} (id={id} - loop)", tie.other));
                continue;
            }
            let role = tie.role.map(|role| format!("{} role={role}, ", if primaries { "with" } else { "needs" }));
            line(
                out,
                depth + 1,
                &format!("{} (score={}, {}id={id})", tie.other, score(tie.score), role.unwrap_or_default()),
            );
            let Some(other) = self.find(&tie.other) else { continue };
            self.locations(other, depth + 2, out);
            if self.stack {
                seen.insert(other.resource.as_str());
                self.ties(other, primaries, depth + 2, seen, out);
            }
        }
    }

    /// The id of the set, where one set is all that a constraint has.
    fn written_id(&self, tie: &'a Tie) -> &'a str
    where
        Self: 'a,
    {
        let found = self.cib.configuration.constraints.iter().find(|constraint| constraint.id() == tie.id);
        match found {
            Some(Constraint::Colocation(colocation)) => match colocation.sets.as_slice() {
                [only] if !only.id.is_empty() => &only.id,
                _ => &tie.id,
            },
            _ => &tie.id,
        }
    }

    fn elements(&self, of: &'a Relations, out: &mut String) {
        location_elements(of, out);
        for primaries in [false, true] {
            self.tie_elements(of, primaries, &mut BTreeSet::from([of.resource.as_str()]), out);
        }
    }

    fn tie_elements(&self, of: &'a Relations, primaries: bool, seen: &mut BTreeSet<&'a str>, out: &mut String) {
        for tie in if primaries { &of.primaries } else { &of.dependents } {
            let known = self.stack && seen.contains(tie.other.as_str());
            let (one, other) = if primaries { (&of.resource, &tie.other) } else { (&tie.other, &of.resource) };
            out.push_str(&format!(
                "    <rsc_colocation id=\"{}\" rsc=\"{}\" with-rsc=\"{}\" score=\"{}\"",
                escaped(self.written_id(tie)),
                escaped(one),
                escaped(other),
                score(tie.score)
            ));
            let attributes = [
                ("node-attribute", tie.attribute.clone()),
                ("rsc-role", tie.own_role.map(|role| role.to_string())),
                ("with-rsc-role", tie.role.map(|role| role.to_string())),
            ];
            for (name, value) in attributes.into_iter().filter_map(|(name, value)| Some((name, value?))) {
                out.push_str(&format!(" {name}=\"{}\"", escaped(&value)));
            }
            out.push_str("/>\n");
            let Some(next) = self.find(&tie.other).filter(|_| !known) else { continue };
            location_elements(next, out);
            if self.stack {
                seen.insert(next.resource.as_str());
                self.tie_elements(next, primaries, seen, out);
            }
        }
    }
}

fn location_elements(of: &Relations, out: &mut String) {
    for wish in &of.locations {
        out.push_str(&format!(
            "    <rsc_location node=\"{}\" rsc=\"{}\" id=\"{}\" score=\"{}\"/>\n",
            escaped(&wish.node),
            escaped(&of.resource),
            escaped(&wish.id),
            score(wish.score)
        ));
    }
}

/// An element with these inside.
fn list(name: &str, inside: &str) -> String {
    if inside.is_empty() { format!("  <{name}/>\n") } else { format!("  <{name}>\n{inside}  </{name}>\n") }
}

fn line(out: &mut String, depth: usize, text: &str) {
    let mark = if depth == 0 { String::new() } else { format!("{}* ", "  ".repeat(depth)) };
    out.push_str(&format!("{mark}{text}\n"));
}

fn score(score: i32) -> String {
    match score {
        hac_model::INFINITY.. => "INFINITY".to_owned(),
        score if score <= -hac_model::INFINITY => "-INFINITY".to_owned(),
        score => score.to_string(),
    }
}
