//! What is looked at in the cluster, from what its daemon says.

use std::collections::BTreeSet;

use hac_api::{MemberState, Severity as Importance};
use hac_crm::cib::{Change, Configure, Lifetime, Replicated as _};
use hac_model::{Agent, Cib, Configuration, Constraint, LocationTarget, Primitive, Resource, parse_duration_ms};
use hac_scheduler::plan::Verb;
use hac_scheduler::view::{ClusterView, ResourceKind, ResourceView};
use hac_types::WallTime;

use super::{Cluster, Finding, Severity, outside};
use crate::commands::secrets as named;

/// Loss above this is told, parts per thousand.
const LOSS_MAX: u32 = 10;

/// What a path carries whose frames are whole, bytes.
const DATAGRAM_WHOLE: u16 = 1400;

pub(super) fn key_same(of: &Cluster) -> Vec<Finding> {
    let key = &of.key;
    let other = |node: &&hac_api::KeyNode| node.fingerprint.as_ref().is_some_and(|of| *of != key.fingerprint);
    let differs = key.nodes.iter().filter(other).map(|node| {
        let sentence = format!("{} uses another key than this node", node.name);
        let remedy = "'hacctl key status' shows which; copy /etc/hacd/authkey of a member and restart hacd there.";
        Finding::new("key-same", Severity::Error, sentence, remedy)
    });
    let rotates = key.next.as_ref().map(|_| {
        let whom = if key.waiting_for.is_empty() { "all".to_owned() } else { key.waiting_for.join(", ") };
        let sentence = format!("the key is being changed, which waits for {whom}");
        let remedy = "It is finished by itself when they are there; 'hacctl key rotate --force' goes on without them.";
        Finding::new("key-same", Severity::Warning, sentence, remedy)
    });
    differs.chain(rotates).collect()
}

pub(super) fn members(of: &Cluster) -> Vec<Finding> {
    let away = of.status.members.nodes.iter().filter(|node| node.state != MemberState::Joined);
    let finding = |name: &str| {
        let sentence = format!("{name} is away: nothing can move there");
        let remedy = format!("Start hacd on {name}; 'journalctl -u hacd' there says why it does not run.");
        Finding::new("members", Severity::Error, sentence, remedy)
    };
    away.map(|node| finding(&node.name)).collect()
}

pub(super) fn quorum(of: &Cluster) -> Vec<Finding> {
    let quorum = &of.status.quorum;
    if quorum.quorate {
        return Vec::new();
    }
    let why = quorum.waiting_for.clone().unwrap_or_else(|| "too few votes are present".to_owned());
    let remedy = "'hacctl quorum' shows the votes; 'hacctl quorum unblock' ends waiting for nodes that are off.";
    vec![Finding::new("quorum", Severity::Error, format!("this partition may not act: {why}"), remedy)]
}

/// The links to members, with the member's name and the link's own address there.
pub(super) fn links(of: &Cluster) -> impl Iterator<Item = (&str, &str, &hac_api::Link)> {
    let joined = of.status.members.nodes.iter().filter(|node| node.state == MemberState::Joined && !node.local);
    joined.flat_map(|node| {
        node.links.iter().map(|link| {
            let address = node.addresses.iter().find(|address| address.link == link.link);
            (node.name.as_str(), address.map_or("?", |address| address.ip.as_str()), link)
        })
    })
}

pub(super) fn path(of: &Cluster) -> Vec<Finding> {
    let dead = links(of).filter(|(.., link)| !link.connected);
    dead.map(|(name, ip, link)| {
        let sentence = format!("link {} to {name} ({ip}) carries nothing", link.link);
        let remedy = format!("Let UDP in on both hosts, and look at that network: 'ping {ip}'.");
        Finding::new("path", Severity::Error, sentence, remedy)
    })
    .collect()
}

pub(super) fn loss(of: &Cluster) -> Vec<Finding> {
    let lossy = links(of).filter(|(.., link)| link.loss_permille.is_some_and(|loss| loss > LOSS_MAX));
    lossy
        .map(|(name, ip, link)| {
            let loss = link.loss_permille.unwrap_or_default();
            let sentence = format!("{}.{} % of what goes to {name} ({ip}) is lost", loss / 10, loss % 10);
            Finding::new(
                "loss",
                Severity::Warning,
                sentence,
                "'hacctl members -v' shows it; ask who runs that network.",
            )
        })
        .collect()
}

pub(super) fn mtu(of: &Cluster) -> Vec<Finding> {
    let small = links(of).filter(|(.., link)| link.datagram_max.is_some_and(|max| max > 0 && max < DATAGRAM_WHOLE));
    small
        .map(|(name, _, link)| {
            let max = link.datagram_max.unwrap_or_default();
            let sentence = format!("link {} to {name} carries datagrams of {max} bytes only", link.link);
            Finding::new("mtu", Severity::Note, sentence, "It works; a tunnel on the way takes its share.")
        })
        .collect()
}

pub(super) fn releases(of: &Cluster) -> Vec<Finding> {
    let releases: BTreeSet<&str> = of.status.members.nodes.iter().filter_map(|node| node.version.as_deref()).collect();
    if releases.len() < 2 {
        return Vec::new();
    }
    let list = releases.into_iter().collect::<Vec<_>>().join(" and ");
    let remedy = "Install the newest on all nodes, one after the other; 'hacctl upgrade status' shows who is missing.";
    vec![Finding::new("releases", Severity::Note, format!("the nodes run hacd {list}"), remedy)]
}

pub(super) fn problems(of: &Cluster) -> Vec<Finding> {
    // What nodes lack is said by the checks that it belongs to.
    let lacks: Vec<String> = of
        .status
        .readiness
        .iter()
        .flat_map(|told| told.lacks.iter().map(|lack| format!(": {}", lack.sentence)))
        .collect();
    let elsewhere = |sentence: &str| lacks.iter().any(|lack| sentence.ends_with(lack));
    let told = of.status.problems.iter().filter(|problem| problem.severity != Importance::Info);
    let told = told.filter(|problem| !elsewhere(&problem.sentence));
    told.map(|problem| {
        let severity = if problem.severity == Importance::Error { Severity::Error } else { Severity::Warning };
        Finding::new("problems", severity, problem.sentence.clone(), problem.remedy.clone())
    })
    .collect()
}

pub(super) fn stonith(of: &Cluster) -> Vec<Finding> {
    let on = of
        .cib
        .configuration
        .property("stonith-enabled")
        .is_none_or(|value| matches!(value, "true" | "yes" | "1" | "on"));
    let mut fences = false;
    each_primitive(&of.cib.configuration, &mut |primitive| {
        fences |= primitive.agent.to_string().starts_with("stonith:")
    });
    if !on || fences || of.cib.configuration.resources.is_empty() {
        return Vec::new();
    }
    let sentence = "fencing is on and there is no device for it: nothing is started";
    let remedy = "hacctl configure primitive ID stonith:fence_... adds one; or, if a node that cannot be reached may be \
                  taken for dead, hacctl configure property stonith-enabled=false";
    vec![Finding::new("stonith", Severity::Error, sentence, remedy)]
}

pub(super) fn maintenance(of: &Cluster) -> Vec<Finding> {
    let mut findings = Vec::new();
    if of.view.maintenance_mode {
        let sentence = "the whole cluster is in maintenance: nothing is started, stopped or watched";
        findings.push(Finding::new(
            "maintenance",
            Severity::Warning,
            sentence,
            "hacctl configure property maintenance-mode=false",
        ));
    }
    for node in &of.view.nodes {
        let (word, remedy) = match (node.maintenance, node.standby) {
            (true, _) => ("in maintenance", format!("hacctl node ready {}", node.name)),
            (false, true) => ("on standby", format!("hacctl node online {}", node.name)),
            (false, false) => continue,
        };
        let sentence = format!("{} is {word}: it would not take anything over", node.name);
        findings.push(Finding::new("maintenance", Severity::Warning, sentence, remedy));
    }
    let unmanaged = of.view.resources.iter().filter(|resource| !resource.flags.managed && !resource.flags.removed);
    if !of.view.maintenance_mode {
        findings.extend(unmanaged.map(|resource| {
            let sentence = format!("{} is unmanaged: the cluster does nothing about it", resource.name);
            let remedy = format!("hacctl resource manage {}", resource.name);
            Finding::new("maintenance", Severity::Warning, sentence, remedy)
        }));
    }
    findings
}

pub(super) fn failed(of: &Cluster) -> Vec<Finding> {
    let down = hac_compat::not_running(&of.view).into_iter().map(|name| {
        let sentence = format!("{name} should run and does not");
        Finding::new("failed", Severity::Error, sentence, format!("'hacctl explain {name}' says what is in the way."))
    });
    let failed = of.view.failed.iter().map(|failed| {
        let sentence = hac_pacemaker::mon::failure(failed);
        let remedy = format!("When the cause is gone: hacctl resource cleanup {}", failed.resource);
        Finding::new("failed", Severity::Warning, sentence, remedy)
    });
    down.chain(failed).collect()
}

pub(super) fn agents(of: &Cluster) -> Vec<Finding> {
    let finding = |name: &String| {
        let sentence = format!("the agent {name} is missing on {}", of.status.node);
        let package =
            if name.starts_with("ocf:heartbeat:") { "apt install resource-agents" } else { "Install what brings it" };
        Finding::new("agents", Severity::Error, sentence, format!("{package} on every node."))
    };
    of.missing_agents.iter().map(finding).collect()
}

pub(super) fn no_monitor(of: &Cluster) -> Vec<Finding> {
    let mut findings = Vec::new();
    each_primitive(&of.cib.configuration, &mut |primitive| {
        let recurring = |interval: &str| parse_duration_ms(interval).is_some_and(|ms| ms > 0);
        let watched = primitive.operations.iter().any(|op| op.name == "monitor" && recurring(&op.interval));
        if !watched && primitive.template.is_none() && primitive.operations_id_ref.is_none() {
            let sentence = format!("{} has no monitor: nobody would notice if it failed", primitive.id);
            let remedy =
                format!("hacctl configure edit {}, and add: op monitor interval=10s timeout=20s", primitive.id);
            findings.push(Finding::new("no-monitor", Severity::Warning, sentence, remedy));
        }
    });
    findings
}

/// Whether it is an address, which is of use only beside what serves it.
fn is_address(agent: &Agent) -> bool {
    let name = agent.to_string();
    ["floatip", "IPaddr", "IPaddr2", "IPv6addr"].iter().any(|kind| name.ends_with(&format!(":{kind}")))
}

pub(super) fn placement(of: &Cluster) -> Vec<Finding> {
    let configuration = &of.cib.configuration;
    let services: Vec<&Resource> = configuration
        .resources
        .iter()
        .filter(|resource| !matches!(resource, Resource::Template(_)))
        .filter(|resource| !matches!(resource, Resource::Primitive(one) if is_address(&one.agent)))
        .collect();
    let bound = |id: &str| {
        configuration.constraints.iter().any(|constraint| match constraint {
            Constraint::Colocation(rule) => {
                // Sets say it in another way, and are not taken apart here.
                rule.rsc == id || rule.with_rsc == id || rule.rsc.is_empty()
            }
            _ => false,
        })
    };
    let mut findings = Vec::new();
    for resource in &configuration.resources {
        let Resource::Primitive(address) = resource else { continue };
        if !is_address(&address.agent) || bound(&address.id) {
            continue;
        }
        let Some(service) = services.first() else { continue };
        let (id, with) = (&address.id, service.id());
        let sentence = format!("nothing keeps {id} where {with} runs: it may be on a node that does not serve");
        let remedy = format!("hacctl configure colocation {id}-{with} inf: {id} {with}");
        findings.push(Finding::new("placement", Severity::Warning, sentence, remedy));
    }
    findings
}

pub(super) fn stale_bans(of: &Cluster) -> Vec<Finding> {
    let mut findings = Vec::new();
    for constraint in &of.cib.configuration.constraints {
        let Constraint::Location(location) = constraint else { continue };
        let by = [("cli-prefer-", "a move"), ("cli-ban-", "a ban"), ("drill-", "a drill")];
        let Some((_, by)) = by.iter().find(|(start, _)| location.id.starts_with(start)) else { continue };
        let place = match &location.target {
            LocationTarget::Node { node, .. } => format!(" ({node})"),
            LocationTarget::Rules(_) => String::new(),
        };
        let sentence = format!("{} is left of {by}{place}: it still decides where something runs", location.id);
        let remedy = format!("When it is not wanted any more: hacctl configure delete {}", location.id);
        findings.push(Finding::new("stale-bans", Severity::Warning, sentence, remedy));
    }
    fail_counts(&of.view.resources, &mut findings);
    findings
}

fn fail_counts(resources: &[ResourceView], findings: &mut Vec<Finding>) {
    for resource in resources {
        for (node, count, _) in resource.fail_counts.iter().filter(|(_, count, _)| *count >= 1_000_000) {
            let sentence =
                format!("{} is not tried on {node} again: its fail count is at the limit ({count})", resource.name);
            let remedy = format!("When the cause is gone: hacctl resource cleanup {} {node}", resource.name);
            findings.push(Finding::new("stale-bans", Severity::Warning, sentence, remedy));
        }
        fail_counts(&resource.children, findings);
    }
}

pub(super) fn standby_fit(of: &Cluster) -> Vec<Finding> {
    let mut findings = outside::lacking(of, "standby-fit", |what| !matches!(what, "api" | "droplet"));
    let online: Vec<&str> =
        of.view.nodes.iter().filter(|node| node.online && !node.standby).map(|node| node.name.as_str()).collect();
    if online.len() < 2 {
        return findings;
    }
    for node in online {
        for resource in unfit(&of.cib, &of.view, node, of.now) {
            let sentence = format!("if {node} died now, {resource} could not run anywhere else");
            let remedy = format!("'hacctl explain {resource}' says why the other nodes may not run it.");
            findings.push(Finding::new("standby-fit", Severity::Error, sentence, remedy));
        }
    }
    findings
}

/// See [`super::unfit`].
pub(super) fn unfit(cib: &Cib, view: &ClusterView, node: &str, now: i64) -> Vec<String> {
    let standby = Change::SetNodeAttribute {
        node: node.to_owned(),
        name: "standby".to_owned(),
        value: Some("on".to_owned()),
        lifetime: Lifetime::Forever,
    };
    let Ok(without) = cib.candidate(&Configure { changes: vec![standby], ..Configure::default() }) else {
        return Vec::new();
    };
    let plan = hac_scheduler::schedule(&without, WallTime(now.saturating_mul(1000)));
    let stopped = plan.summary.iter().filter(|decision| decision.verb == Verb::Stop || decision.blocked);
    let single: Vec<&ResourceView> =
        view.resources.iter().filter(|resource| !matches!(resource.kind, ResourceKind::Clone { .. })).collect();
    let ours = |name: &str| single.iter().any(|resource| names(resource, name));
    let mut found: Vec<String> = stopped.map(|decision| decision.subject.clone()).filter(|name| ours(name)).collect();
    found.sort();
    found.dedup();
    found
}

/// Whether the resource or a part of it is called so.
fn names(resource: &ResourceView, name: &str) -> bool {
    resource.id == name || resource.name == name || resource.children.iter().any(|child| names(child, name))
}

pub(super) fn secrets(of: &Cluster) -> Vec<Finding> {
    let configuration = &of.cib.configuration;
    let (known, used) = (named::names(configuration), named::used(configuration));
    let missing = used.iter().filter(|(secret, _)| !known.contains(secret)).map(|(secret, by)| {
        let sentence = format!("{by} names the secret {secret}, which there is not");
        Finding::new("secrets", Severity::Error, sentence, format!("hacctl secret set {secret}"))
    });
    let idle = known.iter().filter(|name| !used.iter().any(|(secret, _)| secret == *name)).map(|name| {
        let sentence = format!("the secret {name} is not used");
        Finding::new("secrets", Severity::Note, sentence, format!("hacctl secret delete {name}"))
    });
    missing.chain(idle).collect()
}

/// All primitives, those inside others too.
pub(super) fn each_primitive(configuration: &Configuration, look: &mut impl FnMut(&Primitive)) {
    fn walk(resource: &Resource, look: &mut impl FnMut(&Primitive)) {
        match resource {
            Resource::Primitive(primitive) => look(primitive),
            Resource::Group(group) => group.members.iter().for_each(look),
            Resource::Bundle(bundle) => bundle.primitive.iter().for_each(look),
            Resource::Clone(clone) => walk(&clone.child, look),
            Resource::Template(_) => {}
        }
    }
    configuration.resources.iter().for_each(|resource| walk(resource, look));
}

/// Names of the agents that hacd runs itself.
pub(super) fn agent_names(configuration: &Configuration) -> Vec<String> {
    let mut names = BTreeSet::new();
    each_primitive(configuration, &mut |primitive| {
        if primitive.agent.is_run() {
            names.insert(primitive.agent.to_string());
        }
    });
    names.into_iter().collect()
}

/// The units that the cluster runs through systemd.
pub(super) fn systemd_units(of: &Cluster) -> Vec<String> {
    let mut units = BTreeSet::new();
    each_primitive(&of.cib.configuration, &mut |primitive| {
        if let Some(unit) = primitive.agent.to_string().strip_prefix("systemd:") {
            units.insert(unit.trim_end_matches(".service").to_owned());
        }
    });
    units.into_iter().collect()
}

/// The same, and the units that usually start what agents start.
pub(super) fn units(of: &Cluster) -> Vec<String> {
    let mut units: BTreeSet<String> = systemd_units(of).into_iter().collect();
    each_primitive(&of.cib.configuration, &mut |primitive| {
        let name = primitive.agent.to_string();
        let kind = name.rsplit(':').next().unwrap_or_default();
        let known = [
            ("nginx", "nginx"),
            ("apache", "apache2"),
            ("haproxy", "haproxy"),
            ("pgsql", "postgresql"),
            ("mysql", "mysql"),
        ];
        units.extend(known.iter().filter(|(agent, _)| *agent == kind).map(|(_, unit)| (*unit).to_owned()));
    });
    units.into_iter().collect()
}
