//! What the instances of a clone with `notify` are told of each other: which are active, and what is done with which.
//!
//! The lists hold for the whole transition: as things were at its begin, and what is to be done. Start, stop, promote and
//! demote get the same ones as the notifications around them.

use std::collections::BTreeMap;

use crate::action::Task;
use crate::graph::Graph;
use crate::ids::{NodeIdx, RscIdx};
use hac_model::Role;

/// What is done with instances, and the word for it.
const DONE: [(Task, &str); 4] =
    [(Task::Start, "start"), (Task::Stop, "stop"), (Task::Promote, "promote"), (Task::Demote, "demote")];

/// Whether an action of this task is told.
pub(super) fn is_told(task: Task) -> bool {
    task == Task::Notify || DONE.iter().any(|(done, _)| *done == task)
}

/// The lists of `clone`, by their names in the graph.
pub(super) fn lists(graph: &Graph<'_>, clone: RscIdx) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    let instances = graph.primitives(clone);
    for (task, word) in DONE {
        pair(&mut all, word, required(graph, &instances, task));
    }
    let by_role = |is: fn(Role) -> bool| -> Vec<(String, String)> {
        let with_role = instances.iter().map(|instance| &graph.rsc[*instance]).filter(|rsc| is(rsc.role));
        let first = with_role.filter_map(|rsc| Some((rsc.id.clone(), rsc.active.first().copied()?)));
        first.map(|(id, node)| (id, graph.nodes[node].name.clone())).collect()
    };
    pair(&mut all, "active", by_role(|role| role > Role::Stopped));
    // The old words are still read.
    for word in ["promoted", "master"] {
        pair(&mut all, word, by_role(|role| role == Role::Promoted));
    }
    for word in ["unpromoted", "slave"] {
        pair(&mut all, word, by_role(|role| role == Role::Unpromoted));
    }
    let stopped = instances.iter().map(|instance| &graph.rsc[*instance]).filter(|rsc| rsc.role <= Role::Stopped);
    let mut stopped: Vec<String> = stopped.map(|rsc| rsc.id.clone()).collect();
    stopped.sort();
    put(&mut all, "inactive_resource", &stopped);
    let node_names = |wanted: &dyn Fn(NodeIdx) -> bool| -> Vec<String> {
        let mut names: Vec<String> =
            graph.nodes.keys().filter(|node| wanted(*node)).map(|node| graph.nodes[node].name.clone()).collect();
        names.sort();
        names
    };
    put(&mut all, "available_uname", &node_names(&|node| graph.scores.of(clone).get(node).is_some()));
    put(&mut all, "all_uname", &node_names(&|_| true));
    all
}

/// Instances with which `task` is to be done, and where. A stop that fencing implies counts, too.
fn required(graph: &Graph<'_>, instances: &[RscIdx], task: Task) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for instance in instances {
        for action in graph.actions_of(*instance, task, 0) {
            let entry = &graph.actions[action];
            let Some(node) = entry.node.filter(|_| !entry.optional) else { continue };
            let fenced = task == Task::Stop && (!graph.nodes[node].online || graph.nodes[node].unclean);
            if entry.runnable || fenced {
                found.push((graph.rsc[*instance].id.clone(), graph.nodes[node].name.clone()));
            }
        }
    }
    found
}

/// Two lists of the same length, sorted by the ids as text.
fn pair(all: &mut BTreeMap<String, String>, word: &str, mut entries: Vec<(String, String)>) {
    entries.sort();
    entries.dedup();
    let (resources, nodes): (Vec<String>, Vec<String>) = entries.into_iter().unzip();
    put(all, &format!("{word}_resource"), &resources);
    put(all, &format!("{word}_uname"), &nodes);
}

/// An empty list is one blank: agents read it so.
fn put(all: &mut BTreeMap<String, String>, name: &str, entries: &[String]) {
    let text = if entries.is_empty() { " ".to_owned() } else { entries.join(" ") };
    all.insert(format!("CRM_meta_notify_{name}"), text);
}
