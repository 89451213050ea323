//! Explanations: a run with a witness, and what its working data says afterwards about what was asked.
//!
//! Reads everything after the last stage; writes nothing.

mod service;
mod steps;

use crate::action::Task;
use crate::facts::Variant;
use crate::ids::{NodeIdx, RscIdx};
use crate::names::base_name;
use hac_types::WallTime;

use crate::explain::{
    Circumstance, ClusterStory, Condition, Explanation, Kind, NodeStory, Question, ResourceStory, Service, Unknown,
};
use crate::plan::{Decision, Plan};
use hac_model::Cib;
use hac_model::nearest;

use crate::convert::obstacle;
use crate::decide;
use crate::graph::Graph;
use crate::reading::{self, Observe};

/// Names longer than this are not compared with known ones.
const NAME_MAX: usize = 256;

/// What was asked, found.
enum Subject {
    Cluster,
    Resource(RscIdx),
    Node(NodeIdx),
}

/// Explains what is decided about `cib` at `now`.
pub(super) fn explain(cib: &Cib, now: WallTime, question: &Question) -> Result<Explanation, Unknown> {
    let (graph, plan) = decide(reading::read(cib, now, Observe { lines: false, influences: true }));
    let mut explanation = match find(&graph, question)? {
        Subject::Cluster => Explanation::Cluster(ClusterStory {
            circumstances: circumstances(&graph),
            decisions: plan.summary.clone(),
            steps: steps::all(&graph, &plan, |_| true),
        }),
        Subject::Resource(rsc) => Explanation::Resource(resource(&graph, &plan, rsc)),
        Subject::Node(node) => Explanation::Node(self::node(&graph, &plan, node)),
    };
    match &mut explanation {
        Explanation::Cluster(_) => {}
        Explanation::Resource(story) => not_ready(cib, &mut story.services, |_| true),
        Explanation::Node(story) => {
            let NodeStory { name, here, elsewhere, .. } = story;
            here.iter_mut().chain(elsewhere).for_each(|service| {
                not_ready(cib, std::slice::from_mut(service), |node| node == name.as_str());
            });
        }
    }
    Ok(explanation)
}

/// What nodes told that they could not start.
fn not_ready(cib: &Cib, services: &mut [Service], concerns: impl Fn(&str) -> bool) {
    for service in services {
        let id = service.id.clone();
        let told = cib.status.readiness.iter().filter(|told| concerns(&told.node));
        service.conditions.extend(told.flat_map(|told| {
            let lacks = told.against(&id).chain(told.against(base_name(&id)).filter(|_| base_name(&id) != id));
            lacks.map(|lack| Condition::NotReady {
                node: told.node.clone(),
                sentence: lack.sentence.clone(),
                remedy: lack.remedy.clone(),
            })
        }));
    }
}

fn find(graph: &Graph<'_>, question: &Question) -> Result<Subject, Unknown> {
    let resource = |name: &str| find_resource(graph, name).map(Subject::Resource);
    let node = |name: &str| graph.find_node(name).map(Subject::Node);
    let (kind, name, found) = match question {
        Question::Cluster => return Ok(Subject::Cluster),
        Question::Named(name) => ("resource or node", name, resource(name).or_else(|| node(name))),
        Question::Resource(name) => ("resource", name, resource(name)),
        Question::Node(name) => ("node", name, node(name)),
    };
    found.ok_or_else(|| {
        let known = known(graph, question);
        let alike = known.iter().find(|other| other.eq_ignore_ascii_case(name));
        let comparable = name.len() <= NAME_MAX;
        let alike = alike.map(String::as_str);
        let nearest = alike.or_else(|| nearest(name, known.iter().map(String::as_str)).filter(|_| comparable));
        Unknown { kind, name: name.clone(), nearest: nearest.map(str::to_owned), known }
    })
}

/// A resource by its id. The id of what a clone copies stands for all instances of it.
fn find_resource(graph: &Graph<'_>, name: &str) -> Option<RscIdx> {
    // Instances that are told apart by number are not known by the name that they share.
    let shares = |rsc: &RscIdx| base_name(&graph.rsc[*rsc].id) == name;
    let found = graph.find_or_renamed(name).or_else(|| graph.rsc.keys().find(shares))?;
    let id = &graph.rsc[found].id;
    let all = id != name && base_name(id) == name;
    Some(if all { graph.top(found, false) } else { found })
}

/// The names that could have been meant.
fn known(graph: &Graph<'_>, question: &Question) -> Vec<String> {
    let mut names = Vec::new();
    if !matches!(question, Question::Node(_)) {
        for top in &graph.top {
            names.push(graph.rsc[*top].id.clone());
            names.extend(graph.primitives(*top).into_iter().map(|part| graph.rsc[part].id.clone()));
        }
        let mut seen = std::collections::BTreeSet::new();
        names.retain(|name| seen.insert(name.clone()));
    }
    if !matches!(question, Question::Resource(_)) {
        names.extend(graph.node_order.iter().map(|node| graph.nodes[*node].name.clone()));
    }
    names
}

fn resource(graph: &Graph<'_>, plan: &Plan, rsc: RscIdx) -> ResourceStory {
    let mut parts = graph.primitives(rsc);
    // Instances that were only made for what is said in a history mean nothing to people.
    parts.retain(|part| *part == rsc || !graph.rsc[*part].is.removed || !graph.rsc[*part].active.is_empty());
    let ours = |other: RscIdx| other == rsc || graph.is_inside(other, rsc);
    ResourceStory {
        id: graph.rsc[rsc].id.clone(),
        kind: match graph.rsc[rsc].variant {
            Variant::Primitive => Kind::Primitive,
            Variant::Group { .. } => Kind::Group,
            Variant::Clone(_) => Kind::Clone,
            Variant::Bundle(_) => Kind::Bundle,
        },
        circumstances: circumstances(graph),
        services: parts.iter().map(|part| service::story(graph, *part)).collect(),
        decisions: decisions(graph, plan, &parts),
        steps: steps::all(graph, plan, |action| action.rsc.is_some_and(ours)),
    }
}

/// The decisions about these services.
fn decisions(graph: &Graph<'_>, plan: &Plan, parts: &[RscIdx]) -> Vec<Decision> {
    let ids: std::collections::BTreeSet<&str> = parts.iter().map(|part| graph.rsc[*part].id.as_str()).collect();
    let about =
        |decision: &&Decision| decision.verb != crate::plan::Verb::Fence && ids.contains(decision.subject.as_str());
    plan.summary.iter().filter(about).cloned().collect()
}

fn node(graph: &Graph<'_>, plan: &Plan, node: NodeIdx) -> NodeStory {
    let entry = &graph.nodes[node];
    let mut story = NodeStory {
        name: entry.name.clone(),
        dc: entry.is_dc,
        obstacle: obstacle(graph, node),
        circumstances: circumstances(graph),
        steps: steps::all(graph, plan, |action| action.node == Some(node)),
        ..NodeStory::default()
    };
    for part in graph.top.iter().flat_map(|top| graph.primitives(*top)) {
        let resource = &graph.rsc[part];
        let here = resource.active.contains(&node) || graph.placed[part].assigned == Some(node);
        if resource.is.removed && !here {
            continue;
        }
        let mut told: Service = service::story(graph, part);
        told.nodes.retain(|candidate| candidate.node == entry.name);
        if here { story.here.push(told) } else { story.elsewhere.push(told) }
    }
    story
}

/// What holds for the whole cluster.
fn circumstances(graph: &Graph<'_>) -> Vec<Circumstance> {
    let options = &graph.options;
    let mut found = Vec::new();
    if !graph.quorate {
        found.push(Circumstance::NoQuorum { policy: options.no_quorum_name().to_owned() });
    }
    if service::cannot_fence(graph) {
        found.push(Circumstance::NoFenceDevices);
    }
    if options.maintenance {
        found.push(Circumstance::Maintenance);
    }
    if options.stop_all {
        found.push(Circumstance::StopAll);
    }
    if !options.symmetric {
        found.push(Circumstance::OptIn);
    }
    for node in graph.node_order.iter().filter(|node| graph.nodes[**node].unclean) {
        let fences = |action: &&crate::action::Action| {
            action.task == Task::Fence && action.node == Some(*node) && action.planned.is_some()
        };
        let fenced = graph.actions.iter().any(|action| fences(&action));
        found.push(Circumstance::Unclean { node: graph.nodes[*node].name.clone(), fenced });
    }
    found
}
