//! What keeps a resource from running twice when nodes do not see each other, as far as the configuration tells.

use hac_model::{Configuration, FenceDevice, NvSet, Primitive, parse_bool};

use crate::cib::primitives;

/// The agent whose address the provider has in one place only.
const ADDRESS: &str = "ocf:digitalocean:floatip";

/// What protects, and what is missing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Protection {
    /// What protects, as clauses: `power-off (Shooter)`.
    pub by: Vec<String>,
    /// What is missing and what adds it, as sentences.
    pub missing: Option<(String, String)>,
}

impl std::fmt::Display for Protection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.by.is_empty() { f.write_str("nothing") } else { f.write_str(&self.by.join(", ")) }
    }
}

/// What the configuration says of it.
#[must_use]
pub fn protection(configuration: &Configuration) -> Protection {
    let all = primitives(configuration);
    let addresses: Vec<&str> =
        all.iter().filter(|of| of.agent.to_string() == ADDRESS).map(|of| of.id.as_str()).collect();
    let mut by = Vec::new();
    if !addresses.is_empty() {
        by.push(format!("provider arbitration ({})", addresses.join(", ")));
    }
    let property = |name| configuration.property(name).and_then(parse_bool);
    let enabled = property("fencing-enabled").or_else(|| property("stonith-enabled")).unwrap_or(true);
    let devices: Vec<&&Primitive> =
        all.iter().filter(|of| of.agent.is_fence_device() && !is_switched_off(of)).collect();
    if !enabled {
        let sentence =
            "no node is powered off when it is lost (stonith-enabled=false): what is not safe twice may run twice";
        let remedy = if devices.is_empty() {
            "Add a device with 'hacctl configure primitive ID stonith:fence_...', then set stonith-enabled=true."
        } else {
            "'hacctl configure property stonith-enabled=true' uses the devices that are configured."
        };
        return Protection { by, missing: Some((sentence.to_owned(), remedy.to_owned())) };
    }
    if devices.is_empty() {
        let sentence = "fencing is on and there is no fence device: nothing is started after a node is lost";
        let remedy = "Add a device with 'hacctl configure primitive ID stonith:fence_...'.";
        return Protection { by, missing: Some((sentence.to_owned(), remedy.to_owned())) };
    }
    by.push(format!("power-off ({})", devices.iter().map(|of| of.id.as_str()).collect::<Vec<_>>().join(", ")));
    let reached = |node: &str| devices.iter().any(|of| FenceDevice::new(&of.plain_params()).may_reach(node));
    let left_out: Vec<&str> =
        configuration.nodes.iter().map(|node| node.uname.as_str()).filter(|node| !reached(node)).collect();
    let missing = (!left_out.is_empty()).then(|| {
        let names = left_out.join(", ");
        let sentence = format!("no fence device names {names}: what runs there is not recovered when it is lost");
        (sentence, "Add it to pcmk_host_map or pcmk_host_list of a device.".to_owned())
    });
    Protection { by, missing }
}

fn is_switched_off(primitive: &Primitive) -> bool {
    let role = primitive.meta.iter().find_map(|set: &NvSet| set.get("target-role"));
    role.is_some_and(|role| role.eq_ignore_ascii_case("stopped"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cib::fixtures::cluster;
    use hac_model::{NvPair, Resource};

    fn with(configuration: &mut Configuration, id: &str, agent: &str, params: &[(&str, &str)]) {
        let pair = |(name, value): &(&str, &str)| NvPair {
            name: (*name).to_owned(),
            value: Some((*value).to_owned()),
            ..NvPair::default()
        };
        let params = vec![NvSet { pairs: params.iter().map(pair).collect(), ..NvSet::default() }];
        let agent = agent.parse().expect("an agent");
        let primitive = Primitive { id: id.to_owned(), agent, params, ..Primitive::default() };
        configuration.resources.push(Resource::Primitive(primitive));
    }

    fn set(configuration: &mut Configuration, name: &str, value: &str) {
        let set = &mut configuration.crm_config[0];
        set.pairs.retain(|pair| pair.name != name);
        let (name, value) = (name.to_owned(), Some(value.to_owned()));
        set.pairs.push(NvPair { name, value, ..NvPair::default() });
    }

    #[test]
    fn it_says_what_protects_and_what_is_missing() {
        let mut configuration = cluster().configuration;
        configuration.resources.clear();
        set(&mut configuration, "stonith-enabled", "false");
        let off = protection(&configuration);
        assert_eq!(off.to_string(), "nothing");
        assert!(off.missing.is_some_and(|(sentence, _)| sentence.contains("stonith-enabled=false")));
        with(&mut configuration, "FloatIP", ADDRESS, &[]);
        assert_eq!(protection(&configuration).to_string(), "provider arbitration (FloatIP)");
        set(&mut configuration, "stonith-enabled", "true");
        let none = protection(&configuration).missing.expect("a device is missing");
        assert!(none.0.contains("no fence device"), "{none:?}");
        with(&mut configuration, "Shooter", "stonith:fence_x", &[("pcmk_host_list", "primary")]);
        let half = protection(&configuration);
        assert_eq!(half.to_string(), "provider arbitration (FloatIP), power-off (Shooter)");
        let left_out = half.missing.expect("a node is left out").0;
        assert_eq!(left_out, "no fence device names secondary: what runs there is not recovered when it is lost");
        with(&mut configuration, "Other", "stonith:fence_x", &[]);
        assert_eq!(protection(&configuration).missing, None, "its agent may know all nodes");
    }
}
