//! What each resource is that two nodes may run at once, and whether that can happen.

use hac_model::{Agent, Cib, Clone as Copies, NvSet, Resource, parse_bool};
use serde::Serialize;

use super::{Protection, property, protection};

/// The agent whose address the provider has in one place only.
pub(super) const ADDRESS: &str = "ocf:digitalocean:floatip";

/// Whether this agent moves the provider's address.
#[must_use]
pub fn is_address(agent: &Agent) -> bool {
    agent.to_string() == ADDRESS
}

/// What it means that a resource runs on two nodes that do not see each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// Nothing: the outside reaches one of them alone.
    Gated,
    /// Harm: it must not be.
    Exclusive,
    /// Nothing: it runs on many nodes as it is.
    Anywhere,
}

impl Class {
    /// In words.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Gated => "reached at one place only",
            Self::Exclusive => "must not run twice",
            Self::Anywhere => "harmless twice",
        }
    }
}

/// Whether a resource is safe when nodes lose each other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Safety {
    /// Id of the resource.
    pub resource: String,
    /// What it is.
    pub class: Class,
    /// It never runs twice, or that does not matter.
    pub safe: bool,
    /// Why, as a clause.
    pub why: String,
    /// What makes it so, a sentence with a command, where it is not.
    pub remedy: Option<String>,
}

/// All resources of the top level and the members of groups, fence devices aside.
#[must_use]
pub fn safety(cib: &Cib) -> (Protection, Vec<Safety>) {
    let protection = protection(cib);
    let exclusive = exclusive(cib, &protection);
    let of = |resource: &str, (class, said): (Class, bool)| {
        let (safe, why) = match class {
            Class::Gated => (true, "the provider routes it to one host, and hacd checks where".to_owned()),
            Class::Anywhere if said => (true, "exclusive=false says that it is".to_owned()),
            Class::Anywhere => (true, "it is a clone".to_owned()),
            Class::Exclusive => exclusive.clone(),
        };
        let remedy = (!safe).then(|| remedy(cib, resource));
        Safety { resource: resource.to_owned(), class, safe, why, remedy }
    };
    let defaults = &cib.configuration.rsc_defaults;
    let mut all = Vec::new();
    for resource in &cib.configuration.resources {
        match resource {
            Resource::Primitive(it) if it.agent.is_fence_device() => {}
            Resource::Primitive(it) => all.push(of(&it.id, class(&it.agent.to_string(), &[&it.meta, defaults]))),
            Resource::Group(group) => {
                let class =
                    |it: &hac_model::Primitive| class(&it.agent.to_string(), &[&it.meta, &group.meta, defaults]);
                all.extend(group.members.iter().map(|it| of(&it.id, class(it))));
            }
            Resource::Clone(copies) => all.push(of(&copies.id, class_of_copies(copies))),
            Resource::Bundle(bundle) => all.push(of(&bundle.id, (Class::Exclusive, false))),
            Resource::Template(_) => {}
        }
    }
    (protection, all)
}

/// Whether a resource must not run twice, by the id of its primitive or history.
#[must_use]
pub fn is_exclusive(cib: &Cib, resource: &str) -> bool {
    let is = |id: &str| crate::cib::history::belongs_to(resource, id);
    let defaults = &cib.configuration.rsc_defaults;
    let exclusive = |it: &hac_model::Primitive, meta: &[NvSet]| {
        is(&it.id) && class(&it.agent.to_string(), &[&it.meta, meta, defaults]).0 == Class::Exclusive
    };
    cib.configuration.resources.iter().any(|of| match of {
        Resource::Primitive(it) => !it.agent.is_fence_device() && exclusive(it, &[]),
        Resource::Group(group) => group.members.iter().any(|it| exclusive(it, &group.meta)),
        Resource::Clone(copies) if class_of_copies(copies).0 == Class::Exclusive => match &*copies.child {
            Resource::Primitive(it) => is(&it.id),
            Resource::Group(group) => group.members.iter().any(|it| is(&it.id)),
            _ => false,
        },
        Resource::Clone(_) | Resource::Bundle(_) | Resource::Template(_) => false,
    })
}

/// What a resource is, and whether its meta-attribute `exclusive` says so: of what is not known to be harmless it is assumed that it is
/// not.
fn class(agent: &str, meta: &[&[NvSet]]) -> (Class, bool) {
    match said(meta) {
        Some(true) => (Class::Exclusive, true),
        Some(false) => (Class::Anywhere, true),
        None if agent == ADDRESS => (Class::Gated, false),
        None => (Class::Exclusive, false),
    }
}

/// The same of copies: they are meant to run on many nodes, but for those of which one is promoted.
fn class_of_copies(copies: &Copies) -> (Class, bool) {
    match said(&[&copies.meta]) {
        Some(true) => (Class::Exclusive, true),
        Some(false) => (Class::Anywhere, true),
        None if is_promotable(copies) => (Class::Exclusive, false),
        None => (Class::Anywhere, false),
    }
}

/// The first word on `exclusive`.
fn said(meta: &[&[NvSet]]) -> Option<bool> {
    meta.iter().flat_map(|sets| sets.iter()).find_map(|set| set.get("exclusive")).and_then(parse_bool)
}

/// What makes a resource safe that is not, with the command.
fn remedy(cib: &Cib, resource: &str) -> String {
    let devices = crate::cib::primitives(&cib.configuration).into_iter().any(|of| of.agent.is_fence_device());
    let first = if devices || super::watchdog::is_there(cib) {
        "'hacctl configure property stonith-enabled=true' uses the devices that are there"
    } else {
        "Add a fence device: 'hacctl configure primitive ID stonith:fence_...', then 'hacctl configure property stonith-enabled=true'"
    };
    format!("{first}. If it is harmless twice, say so: 'hacctl resource meta {resource} set exclusive false'.")
}

fn is_promotable(copies: &Copies) -> bool {
    let set = copies.meta.iter().find_map(|set: &NvSet| set.get("promotable"));
    copies.legacy_master || set.and_then(parse_bool).unwrap_or(false)
}

/// Whether what must not run twice does not, and why.
fn exclusive(cib: &Cib, protection: &Protection) -> (bool, String) {
    let configuration = &cib.configuration;
    let enabled = property(configuration, "fencing-enabled", "stonith-enabled").and_then(parse_bool).unwrap_or(true);
    let by = |what: &str| protection.by.iter().any(|by| by.starts_with(what));
    let works = by("power-off") || by("cut-off") || by("watchdog");
    let how = match () {
        () if by("power-off") => "powered off",
        () if by("cut-off") => "cut off from what it needs",
        () => "gone (it has stopped what it had, or its watchdog has reset it)",
    };
    match (enabled, works, &protection.missing) {
        (true, true, None) => (true, format!("a lost node is {how} before it starts elsewhere")),
        (true, true, Some((missing, _))) => {
            (true, format!("a lost node is {how} before it starts elsewhere, or it does not start; but {missing}"))
        }
        (true, false, _) => (
            true,
            "it does not start elsewhere when its node is lost, because no fence device is known to work".to_owned(),
        ),
        (false, ..)
            if configuration.nodes.len() > 2 && configuration.property("no-quorum-policy") != Some("ignore") =>
        {
            let why = "a part of the cluster without quorum stops it, but nothing ends what hangs there (no fencing)";
            (false, why.to_owned())
        }
        (false, ..) => (false, "when the nodes lose each other both run it (no fencing)".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cib::fixtures::cluster;

    #[test]
    fn what_may_run_twice_is_named_and_the_tutorial_has_nothing_that_must_not() {
        let mut cib = cluster();
        let told = |cib: &Cib| -> Vec<(String, Class, bool)> {
            safety(cib).1.into_iter().map(|it| (it.resource, it.class, it.safe)).collect()
        };
        let before = told(&cib);
        assert!(before.contains(&("FloatIP".to_owned(), Class::Gated, true)), "{before:?}");
        let set = &mut cib.configuration.crm_config[0];
        set.pairs.retain(|pair| pair.name != "stonith-enabled");
        let agent = "ocf:heartbeat:pgsql".parse().expect("an agent");
        let primitive = hac_model::Primitive { id: "Db".to_owned(), agent, ..hac_model::Primitive::default() };
        cib.configuration.resources.push(Resource::Primitive(primitive));
        assert!(told(&cib).contains(&("Db".to_owned(), Class::Exclusive, true)), "it is down rather than twice");
        let (name, value) = ("stonith-enabled".to_owned(), Some("false".to_owned()));
        cib.configuration.crm_config[0].pairs.push(hac_model::NvPair { name, value, ..hac_model::NvPair::default() });
        assert!(told(&cib).contains(&("Db".to_owned(), Class::Exclusive, false)));
        let unsafe_one = safety(&cib).1.into_iter().find(|it| it.resource == "Db").expect("it is there");
        assert!(unsafe_one.remedy.is_some_and(|it| it.contains("primitive ID stonith:fence_")), "the command is named");
    }

    #[test]
    fn exclusive_says_what_a_resource_is_whatever_its_agent_and_its_kind() {
        let mut cib = cluster();
        let meta = |value: &str| {
            let (name, value) = ("exclusive".to_owned(), Some(value.to_owned()));
            let pairs = vec![hac_model::NvPair { name, value, ..hac_model::NvPair::default() }];
            vec![NvSet { pairs, ..NvSet::default() }]
        };
        let primitive = |id: &str, meta: Vec<NvSet>| {
            let agent = "ocf:heartbeat:Dummy".parse().expect("an agent");
            hac_model::Primitive { id: id.to_owned(), agent, meta, ..hac_model::Primitive::default() }
        };
        let copies = |id: &str, child: &str, meta: Vec<NvSet>| {
            let child = Box::new(Resource::Primitive(primitive(child, Vec::new())));
            Resource::Clone(Copies {
                id: id.to_owned(),
                child,
                meta,
                description: None,
                params: Vec::new(),
                legacy_master: false,
                attributes: std::collections::BTreeMap::new(),
            })
        };
        cib.configuration.resources.extend([
            Resource::Primitive(primitive("Said", meta("false"))),
            Resource::Primitive(primitive("Unsaid", Vec::new())),
            copies("Copies", "Copied", meta("true")),
            copies("Others", "Other", Vec::new()),
        ]);
        let class = |cib: &Cib, id: &str| safety(cib).1.into_iter().find(|it| it.resource == id).map(|it| it.class);
        assert_eq!(class(&cib, "Said"), Some(Class::Anywhere));
        assert_eq!(class(&cib, "Unsaid"), Some(Class::Exclusive));
        assert_eq!((class(&cib, "Copies"), class(&cib, "Others")), (Some(Class::Exclusive), Some(Class::Anywhere)));
        let exclusive = |cib: &Cib| ["Said", "Unsaid", "Copied:1", "Other:0"].map(|id| is_exclusive(cib, id));
        assert_eq!(exclusive(&cib), [false, true, true, false]);
        cib.configuration.rsc_defaults = meta("false");
        assert_eq!(exclusive(&cib), [false, false, true, false], "a default for what says nothing itself");
    }
}
