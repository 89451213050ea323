//! `crm_resource --why`: what runs, and which part of the configuration keeps it so.

use hac_model::Role;
use hac_scheduler::view::{ClusterView, ResourceView};

use super::{named, not_found, place, places, view};
use crate::options::{Given, document, escaped};
use crate::{Ends, Said};

/// A resource, and the top of what it is in: of that the configuration is looked at.
struct Shown<'a> {
    resource: &'a ResourceView,
    top: &'a ResourceView,
    running: bool,
}

/// `-Y`: of one resource or of all, on one node or anywhere.
pub(super) fn run(id: Option<&str>, given: &Given, request: Option<&str>) -> Ends<Said> {
    let view = view()?;
    let node = given.value("node").map(|name| place::node(&view, name)).transpose()?;
    let node = node.as_deref();
    let runs = |resource: &ResourceView| {
        let mut active = Vec::new();
        places(resource, &mut active);
        active.iter().any(|(on, _)| node.is_none_or(|node| node == on))
    };
    let shown: Vec<Shown<'_>> = match id {
        Some(id) => {
            let of = |top| named(std::slice::from_ref(top), id).into_iter().next().map(|found| (top, found));
            let (top, resource) = view.resources.iter().find_map(of).ok_or_else(|| not_found(id))?;
            vec![Shown { resource, top, running: runs(resource) }]
        }
        None if node.is_some() => active_primitives(&view).filter(|shown| runs(shown.resource)).collect(),
        None => {
            let of = |top| Shown { resource: top, top, running: runs(top) };
            view.resources.iter().filter(|top| !top.flags.removed).map(of).collect()
        }
    };
    let Some(request) = request else {
        return Ok(Said::printed(shown.iter().map(|shown| shown.lines(node)).collect::<String>()));
    };
    let inside = match (id, shown.as_slice()) {
        (Some(_), [one]) => {
            let on = node.filter(|_| one.running).map(|node| format!(" running_on=\"{}\"", escaped(node)));
            let running = format!(" running=\"{}\"", one.running);
            let how = if node.is_some() { on.unwrap_or_default() } else { running };
            format!("  <reason{how}>\n    {}  </reason>\n", one.check())
        }
        _ => {
            let host = node.map(|node| format!(" host=\"{}\"", escaped(node))).unwrap_or_default();
            let element = |shown: &Shown<'_>| {
                let (id, running) = (escaped(&shown.resource.id), shown.running);
                format!(
                    "      <resource id=\"{id}\" running=\"{running}\"{host}>\n        {}      </resource>\n",
                    shown.check()
                )
            };
            let all: String = shown.iter().map(element).collect();
            if all.is_empty() {
                "  <reason>\n    <resources/>\n  </reason>\n".to_owned()
            } else {
                format!("  <reason>\n    <resources>\n{all}    </resources>\n  </reason>\n")
            }
        }
    };
    Ok(document(request, &inside))
}

/// The primitives, each with the top of what it is in.
fn active_primitives(view: &ClusterView) -> impl Iterator<Item = Shown<'_>> {
    fn leaves<'a>(of: &'a ResourceView, top: &'a ResourceView, found: &mut Vec<Shown<'a>>) {
        if of.children.is_empty() && of.flags.active {
            found.push(Shown { resource: of, top, running: true });
        }
        of.children.iter().for_each(|child| leaves(child, top, found));
    }
    let mut found = Vec::new();
    view.resources.iter().for_each(|top| leaves(top, top, &mut found));
    found.into_iter()
}

impl Shown<'_> {
    /// By its own meta-attribute; maintenance of a node or of all is another matter.
    fn is_unmanaged(&self) -> bool {
        self.top.meta.get("is-managed").is_some_and(|value| hac_model::parse_bool(value) == Some(false))
    }

    fn lines(&self, node: Option<&str>) -> String {
        let id = &self.resource.id;
        let on = node.map(|node| format!(" on host {node}")).unwrap_or_default();
        let mut text = format!("Resource {id} is {}running{on}\n", if self.running { "" } else { "not " });
        let top = &self.top.id;
        match self.top.target_role {
            Some(Role::Stopped) => text.push_str(&format!("Configuration specifies '{top}' should remain stopped\n")),
            Some(Role::Unpromoted) if self.top.flags.promotable => {
                text.push_str(&format!("Configuration specifies '{top}' should not be promoted\n"));
            }
            _ => {}
        }
        if self.is_unmanaged() {
            text.push_str(&format!("Configuration prevents cluster from stopping or starting unmanaged '{top}'\n"));
        }
        if let Some(on) = &self.top.locked_to {
            text.push_str(&format!("'{top}' is locked to node {on} due to shutdown\n"));
        }
        text
    }

    fn check(&self) -> String {
        let mut text = format!("<check id=\"{}\"", escaped(&self.top.id));
        match self.top.target_role {
            Some(Role::Stopped) => text.push_str(" remain_stopped=\"true\""),
            Some(Role::Unpromoted) if self.top.flags.promotable => text.push_str(" promotable=\"false\""),
            _ => {}
        }
        if self.is_unmanaged() {
            text.push_str(" unmanaged=\"true\"");
        }
        if let Some(on) = &self.top.locked_to {
            text.push_str(&format!(" locked-to=\"{}\"", escaped(on)));
        }
        text + "/>\n"
    }
}
