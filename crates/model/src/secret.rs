//! Which values are secret, and what is shown instead.
//!
//! A secret stays in the CIB, because the agent needs it; what people and logs get is a copy that went through [`mask`].

use super::{Cib, Configuration, Notice, NvSet, Primitive, Resource};

/// Shown instead of a secret. As the new value of a secret parameter it means "as it was".
pub const MASK: &str = "********";

/// Whether the value of a parameter of this name is secret: tokens, passwords, keys.
///
/// By name, since agents do not tell. A parameter that names a *file* or *script* with a secret in it is not secret.
#[must_use]
pub fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    if ["_file", "_path", "_script", "file", "_dir"].iter().any(|end| name.ends_with(end)) {
        return false;
    }
    WORDS.iter().any(|word| name.contains(word))
        || NAMES.contains(&name.as_str())
        || ["_pass", "_pin", "_psk", "_key_value"].iter().any(|end| name.ends_with(end))
}

/// A name with one of these in it is that of a secret.
const WORDS: &[&str] = &[
    "token",
    "password",
    "passwd",
    "passphrase",
    "secret",
    "api_key",
    "apikey",
    "private_key",
    "access_key",
    "accesskey",
    "auth_key",
    "authkey",
    "encryption_key",
    "shared_key",
    "credential",
    "community",
];

/// These are names of secrets.
const NAMES: &[&str] = &["pass", "key", "pin", "psk"];

/// Set of cluster properties with the cluster's named secrets.
pub const SECRETS: &str = "hacd-secrets";

/// The property that holds the secret of this name; `None` if no secret can be called so.
#[must_use]
pub fn secret_property(name: &str) -> Option<String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    let property = format!("secret-{name}");
    // A name that ends as that of a file would not be masked.
    ((1..=64).contains(&name.len()) && name.chars().all(plain) && is_secret(&property)).then_some(property)
}

/// The name of the secret that stands behind the value of a secret parameter: `secret:NAME`.
#[must_use]
pub fn secret_behind<'v>(parameter: &str, value: &'v str) -> Option<&'v str> {
    value.strip_prefix("secret:").filter(|_| is_secret(parameter))
}

/// Replaces every secret in `cib` by [`MASK`].
pub fn mask(cib: &mut Cib) {
    mask_configuration(&mut cib.configuration);
    cib.status.nodes.iter_mut().for_each(|node| mask_sets(&mut node.attributes));
}

/// Replaces every secret in `configuration` by [`MASK`].
pub fn mask_configuration(configuration: &mut Configuration) {
    configuration.resources.iter_mut().for_each(mask_resource);
    mask_sets(&mut configuration.crm_config);
    mask_sets(&mut configuration.rsc_defaults);
    mask_sets(&mut configuration.op_defaults);
    configuration.nodes.iter_mut().for_each(|node| mask_sets(&mut node.attributes));
    for alert in &mut configuration.alerts {
        mask_sets(&mut alert.attributes);
        alert.recipients.iter_mut().for_each(|recipient| mask_sets(&mut recipient.attributes));
    }
    for pair in configuration.notices.iter_mut().flat_map(|notice| &mut notice.params).flat_map(|set| &mut set.pairs) {
        if let Some(value) = pair.value.as_mut().filter(|_| Notice::is_secret(&pair.name)) {
            MASK.clone_into(value);
        }
    }
}

fn mask_resource(resource: &mut Resource) {
    match resource {
        Resource::Primitive(primitive) => mask_primitive(primitive),
        Resource::Template(template) => mask_primitive(&mut template.0),
        Resource::Group(group) => {
            mask_sets(&mut group.params);
            group.members.iter_mut().for_each(mask_primitive);
        }
        Resource::Clone(clone) => {
            mask_sets(&mut clone.params);
            mask_resource(&mut clone.child);
        }
        Resource::Bundle(bundle) => {
            mask_sets(&mut bundle.params);
            bundle.primitive.iter_mut().for_each(mask_primitive);
        }
    }
}

fn mask_primitive(primitive: &mut Primitive) {
    mask_sets(&mut primitive.params);
    for operation in &mut primitive.operations {
        mask_sets(&mut operation.params);
    }
}

fn mask_sets(sets: &mut [NvSet]) {
    for pair in sets.iter_mut().flat_map(|set| &mut set.pairs) {
        if let Some(value) = pair.value.as_mut().filter(|_| is_secret(&pair.name)) {
            MASK.clone_into(value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Clone, NvPair};

    #[test]
    fn tokens_are_secret_and_names_of_files_are_not() {
        for name in [
            "do_token",
            "password",
            "Passwd",
            "api_key",
            "client_secret",
            "login_pass",
            "access_key",
            "auth_key",
            "pin",
            "card_pin",
            "community",
        ] {
            assert!(is_secret(name), "{name}");
        }
        for name in [
            "floating_ip",
            "httpd",
            "passwd_script",
            "keyfile",
            "token_file",
            "monitor_keyspace",
            "bypass",
            "pinned",
            "mapping",
        ] {
            assert!(!is_secret(name), "{name}");
        }
    }

    #[test]
    fn a_named_secret_is_kept_under_a_name_that_is_masked() {
        assert_eq!(secret_property("do_token").as_deref(), Some("secret-do_token"));
        for wrong in ["", "a b", "pass_file", "x=y", &"x".repeat(65)] {
            assert_eq!(secret_property(wrong), None, "{wrong}");
        }
        assert_eq!(secret_behind("do_token", "secret:cloud"), Some("cloud"));
        assert_eq!(secret_behind("do_token", "gold"), None);
        assert_eq!(secret_behind("ip", "secret:cloud"), None, "only a secret parameter may have one");
    }

    #[test]
    fn secrets_are_masked_wherever_they_stand() {
        let pair = |name: &str| NvPair { name: name.into(), value: Some("hunter2".into()), ..NvPair::default() };
        let set = || NvSet { pairs: vec![pair("do_token"), pair("floating_ip")], ..NvSet::default() };
        let primitive = Primitive { params: vec![set()], ..Primitive::default() };
        let clone = Clone {
            id: "c".into(),
            description: None,
            child: Box::new(Resource::Primitive(primitive)),
            params: vec![set()],
            meta: vec![],
            legacy_master: false,
            attributes: Default::default(),
        };
        let mut cib = Cib::default();
        cib.configuration.resources.push(Resource::Clone(clone));
        let configuration = &mut *cib.configuration;
        for sets in [&mut configuration.crm_config, &mut configuration.rsc_defaults, &mut configuration.op_defaults] {
            sets.push(set());
        }
        configuration.nodes.push(crate::Node { attributes: vec![set()], ..crate::Node::default() });
        cib.status.nodes.push(crate::NodeState { attributes: vec![set()], ..crate::NodeState::default() });
        let url = NvSet { pairs: vec![pair("url")], ..NvSet::default() };
        configuration.notices.push(Notice { params: vec![url], ..Notice::default() });
        let recipient = crate::Recipient { attributes: vec![set()], ..crate::Recipient::default() };
        let alert = crate::Alert { attributes: vec![set()], recipients: vec![recipient], ..crate::Alert::default() };
        configuration.alerts.push(alert);
        mask(&mut cib);
        let told = &cib.configuration;
        assert_eq!(told.notices[0].get("url"), Some(MASK), "who knows the address may write there");
        for sets in [&told.alerts[0].attributes, &told.alerts[0].recipients[0].attributes] {
            assert_eq!(sets[0].get("do_token"), Some(MASK));
            assert_eq!(sets[0].get("floating_ip"), Some("hunter2"));
        }
        let others = &cib.configuration;
        for sets in [&others.crm_config, &others.rsc_defaults, &others.op_defaults, &others.nodes[0].attributes] {
            assert_eq!(sets[0].get("do_token"), Some(MASK));
        }
        assert_eq!(cib.status.nodes[0].attributes[0].get("do_token"), Some(MASK));
        let Resource::Clone(clone) = &cib.configuration.resources[0] else { panic!("still a clone") };
        let Resource::Primitive(child) = clone.child.as_ref() else { panic!("still a primitive") };
        for sets in [&clone.params, &child.params] {
            assert_eq!(sets[0].get("do_token"), Some(MASK));
            assert_eq!(sets[0].get("floating_ip"), Some("hunter2"));
        }
    }
}
