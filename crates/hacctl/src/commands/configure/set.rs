//! `configure set ID.NAME VALUE` and `configure default-timeouts RSC...`: single values of what is there.

use hac_api::ErrorCode;
use hac_crm::cib::{Change, CloneDef, GroupDef, Lifetime, NamesOf, Object, PutMode, Section, known_names};
use hac_model::{
    BOOTSTRAP_OPTIONS, Configuration, Constraint, LocationTarget, NvSet, Primitive, Resource, parse_duration_ms,
};

use super::must_exist;
use crate::commands::Context;
use crate::commands::resource::set_pair;
use crate::failure::Failure;
use crate::terminal;

/// Sets one value.
pub(super) async fn run(context: &Context, path: &str, value: &str) -> Result<(), Failure> {
    let cib = context.cib(false).await?;
    let change = change(&cib.configuration, path, value)?;
    context.change_typed(&[change], "").await
}

fn usage(path: &str) -> Failure {
    Failure::usage(format!("'{}' names no value", terminal::harmless(path)))
        .with_remedy("Write ID.NAME, ID.OPERATION.NAME or ID.OPERATION.INTERVAL.NAME, such as 'set FloatIP.floating_ip 203.0.113.5'.")
}

fn change(configuration: &Configuration, path: &str, value: &str) -> Result<Change, Failure> {
    // An id may have dots: the longest one that is there counts.
    let ids = hac_pacemaker::crm_syntax::ids(configuration);
    let found =
        ids.iter().filter_map(|(_, id)| Some((id.as_str(), path.strip_prefix(id.as_str())?.strip_prefix('.')?)));
    let Some((id, rest)) = found.max_by_key(|(id, _)| id.len()) else {
        let id = path.split('.').next().unwrap_or_default();
        if path.contains('.') {
            must_exist(configuration, &[id])?;
        }
        return Err(usage(path));
    };
    let names: Vec<&str> = rest.split('.').collect();
    if names.iter().any(|name| name.is_empty()) {
        return Err(usage(path));
    }
    let set = |sets: &[NvSet]| sets.iter().any(|set| set.id == id);
    for (section, sets) in [
        (Section::CrmConfig, &configuration.crm_config),
        (Section::RscDefaults, &configuration.rsc_defaults),
        (Section::OpDefaults, &configuration.op_defaults),
    ] {
        if set(sets) {
            let [name] = names[..] else { return Err(usage(path)) };
            let set = (id != BOOTSTRAP_OPTIONS).then(|| id.to_owned());
            return Ok(Change::SetProperties { section, set, pairs: vec![(name.to_owned(), Some(value.to_owned()))] });
        }
    }
    if configuration.nodes.iter().any(|node| node.uname == id) {
        let [name] = names[..] else { return Err(usage(path)) };
        let (node, name, value) = (id.to_owned(), name.to_owned(), Some(value.to_owned()));
        return Ok(Change::SetNodeAttribute { node, name, value, lifetime: Lifetime::Forever });
    }
    if let Some(constraint) = configuration.constraints.iter().find(|constraint| constraint.id() == id) {
        let [name] = names[..] else { return Err(usage(path)) };
        return in_constraint(constraint, name, value);
    }
    let resource = configuration.resources.iter().find_map(|resource| resource_of(resource, id));
    resource.ok_or_else(|| usage(path)).and_then(|resource| in_resource(&resource, &names, value, path))
}

/// A resource at whatever depth.
fn resource_of(resource: &Resource, id: &str) -> Option<Resource> {
    if resource.id() == id {
        return Some(resource.clone());
    }
    match resource {
        Resource::Group(group) => group.members.iter().find(|p| p.id == id).cloned().map(Resource::Primitive),
        Resource::Clone(clone) => resource_of(&clone.child, id),
        Resource::Primitive(_) | Resource::Template(_) | Resource::Bundle(_) => None,
    }
}

fn put(object: Object) -> Change {
    Change::Put { object, mode: PutMode::Replace }
}

fn in_resource(resource: &Resource, names: &[&str], value: &str, path: &str) -> Result<Change, Failure> {
    let some = || Some(value.to_owned());
    match (resource, names) {
        (Resource::Primitive(primitive), names) => {
            let mut primitive = primitive.clone();
            in_primitive(&mut primitive, names, value, path)?;
            Ok(put(Object::Primitive(primitive)))
        }
        (Resource::Template(template), names) => {
            let mut template = template.clone();
            in_primitive(&mut template.0, names, value, path)?;
            Ok(put(Object::Template(template)))
        }
        (Resource::Group(group), [name]) => {
            let mut group = GroupDef {
                id: group.id.clone(),
                description: group.description.clone(),
                members: group.members.iter().map(|member| member.id.clone()).collect(),
                params: group.params.clone(),
                meta: group.meta.clone(),
            };
            set_pair(&mut group.meta, name, some());
            Ok(put(Object::Group(group)))
        }
        (Resource::Clone(clone), [name]) => {
            let mut clone = CloneDef {
                id: clone.id.clone(),
                description: clone.description.clone(),
                child: clone.child.id().to_owned(),
                params: clone.params.clone(),
                meta: clone.meta.clone(),
            };
            set_pair(&mut clone.meta, name, some());
            Ok(put(Object::Clone(clone)))
        }
        _ => Err(usage(path)),
    }
}

fn in_primitive(primitive: &mut Primitive, names: &[&str], value: &str, path: &str) -> Result<(), Failure> {
    let has = |sets: &[NvSet], name: &str| sets.iter().any(|set| set.get(name).is_some());
    let value = || Some(value.to_owned());
    let (operation, interval, name) = match names {
        [name] => {
            let meta = has(&primitive.meta, name)
                || !has(&primitive.params, name) && known_names(NamesOf::Meta).contains(name);
            let sets = if has(&primitive.utilization, name) {
                &mut primitive.utilization
            } else if meta {
                &mut primitive.meta
            } else {
                &mut primitive.params
            };
            set_pair(sets, name, value());
            return Ok(());
        }
        [operation, name] => (*operation, None, *name),
        [operation, interval, name] => (*operation, parse_duration_ms(interval), *name),
        _ => return Err(usage(path)),
    };
    let id = primitive.id.clone();
    let wanted = |ms: Option<u64>| interval.is_none() || ms == interval;
    let found = primitive.operations.iter_mut().find(|o| o.name == operation && wanted(parse_duration_ms(&o.interval)));
    let Some(found) = found else {
        return Err(Failure::new(
            ErrorCode::NoSuch,
            format!("{id} has no operation {}", terminal::harmless(operation)),
        )
        .with_remedy(format!(
            "Add it with 'hacctl configure monitor {id} INTERVAL' or 'hacctl configure edit {id}'."
        )));
    };
    match name {
        "interval" => found.interval = value().unwrap_or_default(),
        name if known_names(NamesOf::Operation).contains(&name) => {
            found.options.extend(value().map(|value| (name.to_owned(), value)));
        }
        name => set_pair(&mut found.params, name, value()),
    }
    Ok(())
}

fn in_constraint(constraint: &Constraint, name: &str, value: &str) -> Result<Change, Failure> {
    let mut constraint = constraint.clone();
    let some = Some(value.to_owned());
    match (&mut constraint, name) {
        (Constraint::Location(location), "score") => match &mut location.target {
            LocationTarget::Node { score, .. } => *score = some,
            LocationTarget::Rules(rules) => rules.iter_mut().for_each(|rule| rule.score.clone_from(&some)),
        },
        (Constraint::Location(location), "node") => match &mut location.target {
            LocationTarget::Node { node, .. } => value.clone_into(node),
            LocationTarget::Rules(_) => return Err(no_value(constraint.id(), name)),
        },
        (Constraint::Location(location), "role") => location.role = some,
        (Constraint::Location(location), "resource-discovery") => location.resource_discovery = some,
        (Constraint::Colocation(colocation), "score") => colocation.score = some,
        (Constraint::Order(order), "kind") => order.kind = some,
        (Constraint::Order(order), "score") => order.score = some,
        _ => return Err(no_value(constraint.id(), name)),
    }
    Ok(put(Object::Constraint(constraint)))
}

fn no_value(id: &str, name: &str) -> Failure {
    let sentence = format!("{} of {id} cannot be set alone", terminal::harmless(name));
    Failure::new(ErrorCode::Invalid, sentence).with_remedy(format!("Change it with 'hacctl configure edit {id}'."))
}

/// `default-timeouts`: operations without a timeout get the one that the agent advises; missing start and stop are added.
pub(super) async fn default_timeouts(context: &Context, ids: &[String]) -> Result<(), Failure> {
    let cib = context.cib(false).await?;
    let mut changes = Vec::new();
    for id in ids {
        must_exist(&cib.configuration, &[id])?;
        let found = cib.configuration.resources.iter().find_map(|resource| resource_of(resource, id));
        let Some(Resource::Primitive(mut primitive)) = found else {
            return Err(Failure::new(ErrorCode::Invalid, format!("{id} is no primitive: it has no operations"))
                .with_remedy("Name the primitive inside it."));
        };
        let agent = context.client.agent(&primitive.agent.to_string()).await?;
        let before = primitive.clone();
        for action in agent.actions {
            let Some(timeout) = action.timeout else { continue };
            let known = primitive.operations.iter().any(|operation| operation.name == action.name);
            for operation in primitive.operations.iter_mut().filter(|operation| operation.name == action.name) {
                operation.options.entry("timeout".to_owned()).or_insert_with(|| timeout.clone());
            }
            if !known && matches!(action.name.as_str(), "start" | "stop") {
                let mut operation = hac_model::Operation {
                    name: action.name,
                    interval: "0".to_owned(),
                    ..hac_model::Operation::default()
                };
                operation.options.insert("timeout".to_owned(), timeout);
                primitive.operations.push(operation);
            }
        }
        if primitive != before {
            changes.push(put(Object::Primitive(primitive)));
        }
    }
    if changes.is_empty() {
        return context.done("nothing to do: every operation has a timeout", None);
    }
    context.change(&changes, "").await
}

#[cfg(test)]
mod tests {
    use hac_crm::cib::{Configure, Replicated as _};
    use hac_model::Cib;
    use hac_pacemaker::crm_syntax;

    use super::*;

    fn set(text: &str, path: &str, value: &str) -> Result<String, Failure> {
        let changes = crm_syntax::parse(text).expect("is written in crm's words");
        let cib = Cib::default().candidate(&Configure { changes, ..Configure::default() }).expect("is taken");
        let change = change(&cib.configuration, path, value)?;
        let after = cib.candidate(&Configure { changes: vec![change], ..Configure::default() }).expect("is taken");
        Ok(crm_syntax::show(&after.configuration, &[]))
    }

    const TEXT: &str = "primitive ip.1 ocf:pacemaker:Dummy params state=/a op monitor interval=10s\n\
        primitive b ocf:pacemaker:Dummy\nclone c b\nlocation l ip.1 100: n1\nproperty no-quorum-policy=stop\n";

    #[test]
    fn single_values_are_set_wherever_they_stand() {
        for (path, value, shown) in [
            ("ip.1.state", "/b", "params state=\"/b\""),
            ("ip.1.fake", "x", "fake=x"),
            ("ip.1.target-role", "Stopped", "meta target-role=Stopped"),
            ("ip.1.monitor.timeout", "30s", "timeout=30s"),
            ("ip.1.monitor.10s.interval", "20s", "interval=20s"),
            ("c.interleave", "true", "meta interleave=true"),
            ("cib-bootstrap-options.no-quorum-policy", "freeze", "no-quorum-policy=freeze"),
        ] {
            let text = set(TEXT, path, value).expect(path);
            assert!(text.contains(shown), "{path}: {text}");
        }
    }

    #[test]
    fn what_is_not_there_is_refused_with_the_form() {
        assert_eq!(set(TEXT, "nosuch.x", "1").expect_err("is not there").exit_code, 105);
        assert_eq!(set(TEXT, "ip", "1").expect_err("names no value").exit_code, 64);
        assert_eq!(set(TEXT, "b.start.timeout", "1").expect_err("has no such op").exit_code, 105);
    }
}
