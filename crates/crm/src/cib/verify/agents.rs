//! What agents ask for: parameters, and time.

use super::super::tree::{self, Item, Kind};
use super::operations::OPTIONS;
use super::values::unknown_name;
use super::{AgentInfo, Agents, Findings};
use hac_model::{Configuration, NvSet, Primitive, parse_duration_ms};

/// What agents may be asked to do, whether or not they say so.
const ACTIONS: &[&str] = &[
    "start",
    "stop",
    "monitor",
    "promote",
    "demote",
    "notify",
    "reload",
    "reload-agent",
    "migrate_to",
    "migrate_from",
    "status",
    "validate-all",
    "meta-data",
];

/// What an operation may tell any agent.
const SPECIAL: &[&str] = &["OCF_CHECK_LEVEL", "depth", "trace_ra", "trace_file"];

/// What a fence agent is told with each run: what to do, and which plug the node has.
const GIVEN: &[&str] = &["action", "plug", "port"];

/// Deepest chain of templates that is followed.
const MAX_TEMPLATES: usize = 8;

pub(super) fn check(configuration: &Configuration, agents: &Agents, findings: &mut Findings) {
    let items = tree::walk(&configuration.resources);
    for item in &items {
        let Kind::Primitive(primitive) = item.kind else { continue };
        let chain = with_templates(primitive, &items);
        let Some(agent) = chain.iter().map(|p| &p.agent).find(|agent| !agent.kind.is_empty()) else { continue };
        let name = agent.to_string();
        if agents.missing.contains(&name) {
            findings.error(
                item.id,
                format!("{name}: got no meta-data, does this RA exist?"),
                "'hacctl ra list' shows the agents that are installed",
            );
        }
        if let Some(info) = agents.known.get(&name) {
            let inherited = item.parent.map(|parent| parents_params(parent, &items)).unwrap_or_default();
            check_parameters(item.id, &chain, &inherited, info, findings);
            check_timeouts(item.id, &chain, info, findings);
            check_operations(item.id, &chain, info, findings);
            check_letting_in(item.id, &chain, (&name, info), findings);
        }
    }
}

/// The primitive and the templates it takes from, nearest first.
fn with_templates<'a>(primitive: &'a Primitive, items: &[Item<'a>]) -> Vec<&'a Primitive> {
    let mut chain = vec![primitive];
    let mut next = primitive.template.as_deref();
    while let Some(id) = next.filter(|_| chain.len() < MAX_TEMPLATES) {
        let template = items.iter().find_map(|item| match item.kind {
            Kind::Template(template) if item.id == id => Some(template),
            _ => None,
        });
        let Some(template) = template else { break };
        chain.push(template);
        next = template.template.as_deref();
    }
    chain
}

/// Names of parameters that come from the groups and clones around.
fn parents_params<'a>(parent: &str, items: &[Item<'a>]) -> Vec<&'a str> {
    let mut names = Vec::new();
    let mut next = items.iter().find(|item| item.id == parent);
    while let Some(item) = next {
        names.extend(pair_names(item.params));
        next = item.parent.and_then(|parent| items.iter().find(|item| item.id == parent));
    }
    names
}

fn pair_names(sets: &[NvSet]) -> impl Iterator<Item = &str> {
    // A pair that stands for another has that one's name.
    sets.iter().flat_map(|set| &set.pairs).map(|pair| pair.name.as_str()).filter(|name| !name.is_empty())
}

/// What a device cuts off it has to let in again, and is asked to only where its resource says so.
fn check_letting_in(id: &str, chain: &[&Primitive], (name, info): (&str, &AgentInfo), findings: &mut Findings) {
    let says = chain.iter().flat_map(|p| &p.meta).any(|set| set.get("provides").is_some() || set.id_ref.is_some());
    if info.unfences && !says && chain.iter().any(|p| p.agent.is_fence_device()) {
        findings.warning(
            id,
            format!("{name} cuts nodes off, and nothing asks it to let them in again"),
            format!("'hacctl resource meta {id} set provides unfencing'"),
        );
    }
}

fn check_parameters(id: &str, chain: &[&Primitive], inherited: &[&str], info: &AgentInfo, findings: &mut Findings) {
    let is_device = chain.iter().any(|p| p.agent.is_fence_device());
    let stands_for = |set: &NvSet| set.id_ref.is_some() || set.pairs.iter().any(|pair| pair.id_ref.is_some());
    let refers = chain.iter().flat_map(|p| &p.params).any(stands_for);
    let given: Vec<&str> = chain.iter().flat_map(|p| pair_names(&p.params)).collect();
    // What a fence device is given with each run is no matter of the configuration, though agents require it.
    let is_given = |name: &str| is_device && GIVEN.contains(&name);
    let required = info.parameters.iter().filter(|parameter| parameter.required && !is_given(&parameter.name));
    for parameter in required {
        let there = given.contains(&parameter.name.as_str()) || inherited.contains(&parameter.name.as_str());
        if !there && !refers {
            findings.error(
                id,
                format!("required parameter \"{}\" not defined", parameter.name),
                format!("add it: params {}=...", parameter.name),
            );
        }
    }
    for name in given {
        let special = name.starts_with("trace_") || name.starts_with("pcmk_") || name == "OCF_CHECK_LEVEL";
        if !special && info.parameters.iter().all(|parameter| parameter.name != name) {
            let near = hac_model::nearest(name, info.parameters.iter().map(|parameter| parameter.name.as_str()));
            let near = near.map_or_else(|| "check the spelling;".to_owned(), |near| format!("did you mean {near}?"));
            findings.error(
                id,
                format!("parameter {name} does not exist"),
                format!("{near} 'hacctl ra info AGENT' shows the parameters of the agent"),
            );
        }
    }
}

/// Operations that no agent has, and what of an operation goes to the agent although the agent does not know it.
fn check_operations(id: &str, chain: &[&Primitive], info: &AgentInfo, findings: &mut Findings) {
    for operation in chain.iter().flat_map(|p| &p.operations).filter(|operation| operation.id_ref.is_none()) {
        let known = || ACTIONS.iter().copied().chain(info.timeouts.keys().map(String::as_str));
        if !operation.name.is_empty() && known().all(|action| action != operation.name) {
            unknown_name(id, &operation.name, "operation", known(), findings);
        }
        for name in pair_names(&operation.params).filter(|name| !SPECIAL.contains(name)) {
            let parameter = || info.parameters.iter().map(|parameter| parameter.name.as_str());
            if parameter().all(|known| known != name) {
                let options = OPTIONS.iter().map(|(name, _)| *name).chain(parameter());
                let what = format!("option of op {}", operation.name);
                unknown_name(id, name, &what, options, findings);
            }
        }
    }
}

fn check_timeouts(id: &str, chain: &[&Primitive], info: &AgentInfo, findings: &mut Findings) {
    for operation in chain.iter().flat_map(|p| &p.operations) {
        let Some(written) = operation.options.get("timeout") else { continue };
        let advised = info.timeouts.get(&operation.name).copied().unwrap_or(0);
        if parse_duration_ms(written).is_some_and(|ms| ms < advised) {
            findings.warning(
                id,
                format!(
                    "specified timeout {written} for {} is smaller than the advised {}s",
                    operation.name,
                    advised / 1000
                ),
                "give it more time, unless you know better",
            );
        }
    }
}
