//! `configure show` and `get_property`: the configuration as text, XML or JSON.

use hac_api::ErrorCode;
use hac_model::{Cib, Configuration, NvSet, Resource, parse_bool};
use hac_pacemaker::{cib_xml, crm_syntax};

use super::{must_exist, take_xml};
use crate::commands::Context;
use crate::failure::Failure;
use crate::grammar::Call;
use crate::terminal;

/// Prints objects.
pub(super) async fn run(context: &Context, call: &Call) -> Result<(), Failure> {
    let mut words = call.all("ID").to_vec();
    // crm joins selectors by words that change nothing: more of them show more.
    words.retain(|word| !matches!(word.as_str(), "or" | "and"));
    let xml = take_xml(&mut words);
    let secrets = call.has("--show-secrets");
    let (mut cib, uncompared) = match &context.draft {
        Some(_) => (context.cib(secrets).await?, false),
        None => context.client.cib_as_told(secrets).await?,
    };
    if uncompared {
        eprintln!(
            "NOTE: another node may have a newer configuration, or this one is on too few disks; 'hacctl status' says which"
        );
    }
    let patterns: Vec<String> =
        words.iter().filter_map(|word| word.strip_prefix("obscure:")).map(str::to_owned).collect();
    words.retain(|word| !word.starts_with("obscure:"));
    obscure(&mut cib.configuration, &patterns);
    if words.iter().any(|word| word == "changed") {
        words.retain(|word| word != "changed");
        let changed = changed(context, &cib.configuration)?;
        if changed.is_empty() && words.is_empty() {
            return context.done("nothing is changed that is not committed", None);
        }
        words.extend(changed);
    }
    let ids: Vec<&str> = words.iter().map(String::as_str).collect();
    must_exist(&cib.configuration, &ids)?;
    if xml && ids.is_empty() && !context.json {
        return terminal::print(&cib_xml::write(&cib));
    }
    if xml || context.json {
        let chosen = crm_syntax::chosen(&cib.configuration, &ids);
        let chosen: Vec<&str> = chosen.iter().map(String::as_str).collect();
        let chosen: &[&str] = if ids.is_empty() { &[] } else { &chosen };
        cib.configuration = only(cib.configuration.into_inner(), chosen).into();
    }
    if context.json {
        return terminal::print_json(&cib.configuration);
    }
    if xml {
        return terminal::print(&cib_xml::write(&Cib { configuration: cib.configuration, ..Cib::default() }));
    }
    terminal::print(&crm_syntax::show(&cib.configuration, &ids))
}

/// Ids of the objects that the transaction changes and that are still there.
fn changed(context: &Context, now: &Configuration) -> Result<Vec<String>, Failure> {
    let Some(draft) = &context.draft else { return Ok(Vec::new()) };
    let before = draft.get().before.configuration.clone();
    let ids = crm_syntax::ids(now).into_iter().map(|(_, id)| id);
    let differs = |id: &String| crm_syntax::show(&before, &[id]) != crm_syntax::show(now, &[id]);
    Ok(ids.filter(differs).collect())
}

/// Masks the values whose names match a pattern with `*` and `?`, as crm's `obscure:` does.
fn obscure(configuration: &mut Configuration, patterns: &[String]) {
    if patterns.is_empty() {
        return;
    }
    let hide = |sets: &mut Vec<NvSet>| {
        for pair in sets.iter_mut().flat_map(|set| &mut set.pairs) {
            if pair.value.is_some() && patterns.iter().any(|pattern| matches_glob(pattern, &pair.name)) {
                pair.value = Some("******".to_owned());
            }
        }
    };
    for sets in [&mut configuration.crm_config, &mut configuration.rsc_defaults, &mut configuration.op_defaults] {
        hide(sets);
    }
    for node in &mut configuration.nodes {
        hide(&mut node.attributes);
    }
    for resource in &mut configuration.resources {
        in_resource(resource, &hide);
    }
}

fn in_resource(resource: &mut Resource, hide: &impl Fn(&mut Vec<NvSet>)) {
    match resource {
        Resource::Primitive(p) => [&mut p.params, &mut p.meta].into_iter().for_each(hide),
        Resource::Template(t) => [&mut t.0.params, &mut t.0.meta].into_iter().for_each(hide),
        Resource::Group(g) => {
            [&mut g.params, &mut g.meta].into_iter().for_each(hide);
            g.members.iter_mut().for_each(|p| [&mut p.params, &mut p.meta].into_iter().for_each(hide));
        }
        Resource::Clone(c) => {
            [&mut c.params, &mut c.meta].into_iter().for_each(hide);
            in_resource(&mut c.child, hide);
        }
        Resource::Bundle(b) => [&mut b.params, &mut b.meta].into_iter().for_each(hide),
    }
}

/// Whether `text` matches a pattern in which `*` stands for anything and `?` for one character.
fn matches_glob(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t) = (0, 0);
    // Where the last star was, and how much of the text it took.
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(c) if *c == '?' || *c == text[t] => {
                p += 1;
                t += 1;
            }
            _ => match star {
                Some((at, taken)) => {
                    star = Some((at, taken + 1));
                    (p, t) = (at + 1, taken + 1);
                }
                None => return false,
            },
        }
    }
    pattern.get(p..).is_none_or(|rest| rest.iter().all(|c| *c == '*'))
}

/// `get_property [-t] [NAME]`: its value, or the names of all.
pub(super) async fn property(context: &Context, name: Option<&str>, as_bool: bool) -> Result<(), Failure> {
    let cib = context.cib(false).await?;
    let Some(name) = name else {
        return terminal::print(&hac_crm::cib::known_names(hac_crm::cib::NamesOf::Properties).join("\n"));
    };
    let value = cib.configuration.property(name).ok_or_else(|| {
        Failure::new(
            ErrorCode::NoSuch,
            format!("configure.get_property: {}: Property not set", terminal::harmless(name)),
        )
        .with_remedy(format!("Set it with 'hacctl configure property {}=VALUE'.", terminal::harmless(name)))
    })?;
    let shown = match parse_bool(value).filter(|_| as_bool) {
        Some(value) => value.to_string(),
        None => value.to_owned(),
    };
    terminal::print(&terminal::harmless(&shown))
}

/// Nothing but the objects of these ids, and what is inside them; everything if there are none.
pub(super) fn only(mut configuration: Configuration, ids: &[&str]) -> Configuration {
    if ids.is_empty() {
        return configuration;
    }
    let wanted = |id: &str| ids.contains(&id);
    configuration.nodes.retain(|node| wanted(&node.uname));
    configuration.resources = configuration.resources.into_iter().flat_map(|resource| within(resource, ids)).collect();
    configuration.constraints.retain(|constraint| wanted(constraint.id()));
    configuration.tags.retain(|tag| wanted(&tag.id));
    configuration.fencing_topology.retain(|level| wanted(&level.id) || wanted("fencing_topology"));
    for sets in [&mut configuration.crm_config, &mut configuration.rsc_defaults, &mut configuration.op_defaults] {
        sets.retain(|set| wanted(&set.id));
    }
    configuration
}

/// The resources of these ids in a resource: itself, or what is inside.
fn within(resource: Resource, ids: &[&str]) -> Vec<Resource> {
    if ids.contains(&resource.id()) {
        return vec![resource];
    }
    match resource {
        Resource::Group(group) => group
            .members
            .into_iter()
            .filter(|member| ids.contains(&member.id.as_str()))
            .map(Resource::Primitive)
            .collect(),
        Resource::Clone(clone) => within(*clone.child, ids),
        Resource::Primitive(_) | Resource::Template(_) | Resource::Bundle(_) => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::matches_glob;

    #[test]
    fn stars_stand_for_anything() {
        for (pattern, text) in
            [("passw*", "password"), ("*", ""), ("*_token", "do_token"), ("a?c", "abc"), ("*a*b*", "xaxbx")]
        {
            assert!(matches_glob(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [("passw*", "my_password"), ("a?c", "ac"), ("", "a"), ("*b", "abc")] {
            assert!(!matches_glob(pattern, text), "{pattern} {text}");
        }
    }
}
