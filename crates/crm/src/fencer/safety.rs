//! What each resource is that two nodes may run at once, and whether that can happen.

use hac_model::{Cib, Clone as Copies, NvSet, Resource, parse_bool};
use serde::Serialize;

use super::{Protection, property, protection};

/// The agent whose address the provider has in one place only.
pub(super) const ADDRESS: &str = "ocf:digitalocean:floatip";

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
}

/// All resources of the top level and the members of groups, fence devices aside.
#[must_use]
pub fn safety(cib: &Cib) -> (Protection, Vec<Safety>) {
    let protection = protection(cib);
    let exclusive = exclusive(cib, &protection);
    let of = |resource: &str, class: Class| {
        let (safe, why) = match class {
            Class::Gated => (true, "the provider routes it to one host, and hacd checks where".to_owned()),
            Class::Anywhere => (true, "it is a clone".to_owned()),
            Class::Exclusive => exclusive.clone(),
        };
        Safety { resource: resource.to_owned(), class, safe, why }
    };
    let mut all = Vec::new();
    for resource in &cib.configuration.resources {
        match resource {
            Resource::Primitive(it) if it.agent.is_fence_device() => {}
            Resource::Primitive(it) => all.push(of(&it.id, class(&it.agent.to_string()))),
            Resource::Group(group) => {
                all.extend(group.members.iter().map(|it| of(&it.id, class(&it.agent.to_string()))));
            }
            Resource::Clone(copies) if is_promotable(copies) => all.push(of(&copies.id, Class::Exclusive)),
            Resource::Clone(copies) => all.push(of(&copies.id, Class::Anywhere)),
            Resource::Bundle(bundle) => all.push(of(&bundle.id, Class::Exclusive)),
            Resource::Template(_) => {}
        }
    }
    (protection, all)
}

/// Of what is not known to be harmless it is assumed that it is not.
fn class(agent: &str) -> Class {
    if agent == ADDRESS { Class::Gated } else { Class::Exclusive }
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
    let works = by("power-off") || by("cut-off");
    let how = if by("power-off") { "powered off" } else { "cut off from what it needs" };
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
    }
}
