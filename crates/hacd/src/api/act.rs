//! What the page can do: a closed list of hacctl's commands. Each is asked twice: first what would come of it, then to do
//! it, on the configuration that the plan was made from.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use hac_api::{ErrorCode, Finding, Version};
use hac_crm::cib::{Change, Configure, Lifetime, Replicated as _};
use hac_model::{Cib, Resource, Role};
use hac_node::Request;
use hac_pacemaker::{crm_commands, impact};
use serde::{Deserialize, Serialize};

use super::explain::{BUDGET, unplannable};
use super::refusal::Refused;
use super::routes::{Answer, asked, done, look, read, request};
use super::server::Api;
use super::{convert, judge};
use crate::clock;

/// Where it is asked.
pub(super) const PATH: &str = "/v1/act";

/// The longest request, bytes.
pub(super) const BODY_MAX: usize = 4096;

/// What can be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Action {
    Standby,
    Online,
    Maintenance,
    Ready,
    Start,
    Stop,
    Move,
    Clear,
    Manage,
    Unmanage,
    Cleanup,
}

impl Action {
    /// `node` or `resource`, as hacctl has it.
    const fn level(self) -> &'static str {
        match self {
            Self::Standby | Self::Online | Self::Maintenance | Self::Ready => "node",
            _ => "resource",
        }
    }

    const fn word(self) -> &'static str {
        match self {
            Self::Standby => "standby",
            Self::Online => "online",
            Self::Maintenance => "maintenance",
            Self::Ready => "ready",
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Move => "move",
            Self::Clear => "clear",
            Self::Manage => "manage",
            Self::Unmanage => "unmanage",
            Self::Cleanup => "cleanup",
        }
    }
}

/// An action on something.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Act {
    action: Action,
    /// A node, or a resource.
    subject: String,
    /// Where to, for `move`.
    #[serde(default)]
    node: Option<String>,
    /// Of the configuration that the plan was made from; without it nothing is done.
    #[serde(default)]
    version: Option<Version>,
}

/// What would be done, or was.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Acted {
    /// It was done.
    done: bool,
    /// The same for a terminal.
    command: String,
    /// What the cluster would do, a line each.
    plan: Vec<String>,
    /// Resources that run now and would run nowhere.
    down: Vec<String>,
    /// What changes in the configuration.
    difference: String,
    /// What is doubtful.
    findings: Vec<Finding>,
    /// Of the configuration that it was made from, or after it was done.
    version: Version,
}

impl Act {
    fn command(&self) -> String {
        let node = self.node.as_deref().map(|node| format!(" {node}")).unwrap_or_default();
        format!("hacctl {} {} {}{node}", self.action.level(), self.action.word(), self.subject)
    }

    /// The changes of the configuration; none for what changes only what is known of the present.
    ///
    /// # Errors
    /// There is no such node or resource.
    fn changes(&self, cib: &Cib, nodes: &[String]) -> Result<Vec<Change>, Refused> {
        let known = |name: &str| nodes.iter().any(|node| node == name);
        let subject = self.subject.as_str();
        let exists = match self.action.level() {
            "node" => known(subject),
            _ => has_resource(cib, subject),
        };
        if !exists {
            return Err(Refused::new(ErrorCode::NoSuch, format!("there is no {} {subject}", self.action.level()))
                .with_remedy("The page may be older than the cluster; look again."));
        }
        let meta = |value| vec![crm_commands::meta(subject, "is-managed", Some(value))];
        Ok(match self.action {
            Action::Standby => crm_commands::standby(subject, Lifetime::Forever),
            Action::Online => crm_commands::online(subject),
            Action::Maintenance => crm_commands::maintenance(subject, true),
            Action::Ready => crm_commands::maintenance(subject, false),
            Action::Start => vec![crm_commands::role(subject, Role::Started)],
            Action::Stop => vec![crm_commands::role(subject, Role::Stopped)],
            Action::Move => {
                let node = self.node.as_deref().unwrap_or_default();
                if !known(node) {
                    return Err(Refused::new(ErrorCode::NoSuch, format!("there is no node '{node}' to move it to"))
                        .with_remedy("Name one of the cluster's nodes."));
                }
                vec![crm_commands::prefer(subject, node, None)]
            }
            Action::Clear => crm_commands::left_by_moves(&cib.configuration, subject, None)
                .into_iter()
                .map(|id| Change::Delete { id, force: false })
                .collect(),
            Action::Manage => meta("true"),
            Action::Unmanage => meta("false"),
            Action::Cleanup => Vec::new(),
        })
    }
}

/// Whether a resource of this name is configured, at whatever depth.
fn has_resource(cib: &Cib, name: &str) -> bool {
    cib.configuration.resources.iter().any(|resource| is_or_has(resource, name))
}

fn is_or_has(resource: &Resource, name: &str) -> bool {
    let inside = match resource {
        Resource::Template(_) => return false,
        Resource::Primitive(_) => false,
        Resource::Group(group) => group.members.iter().any(|member| member.id == name),
        Resource::Clone(clone) => is_or_has(&clone.child, name),
        Resource::Bundle(bundle) => bundle.primitive.iter().any(|inner| inner.id == name),
    };
    inside || resource.id() == name
}

/// Plans, or does what was planned.
pub(super) async fn answer(State(api): State<Api>, body: Result<Json<Act>, JsonRejection>) -> Answer<Acted> {
    let act = read(body)?;
    let look = look(&api).await;
    let nodes: Vec<String> = look.facts().members.iter().map(|member| member.name.clone()).collect();
    let changes = act.changes(&look.cib, &nodes)?;
    let by = api.web.as_ref().map(|web| web.name()).unwrap_or_default();
    let configure = Configure {
        changes,
        origin: look.facts().name.clone(),
        client: "page".to_owned(),
        user: format!("link {by}"),
        base: act.version.map(convert::version_back),
    };
    let command = act.command();
    let cleans = act.action == Action::Cleanup;
    if act.version.is_none() {
        let findings = if cleans { Vec::new() } else { judge::judged(&api, &configure).await? };
        let version = convert::version(look.cib.version);
        let (look, wall) = (Arc::clone(&look), clock::wall());
        let weigh = move || look.cib.candidate(&configure).map(|after| impact::between(&look.cib, &after, wall));
        let weighed = api.planner.run(BUDGET, weigh).await.map_err(unplannable)?;
        let impact = weighed.map_err(|refusal| Refused::of(convert::refusal(refusal.kind), refusal))?;
        let impact::Impact { decisions: plan, down, difference, .. } = impact;
        return Ok(Json(Acted { done: false, command, plan, down, difference, findings, version }));
    }
    tracing::info!(target: "hacd::api", notice = true, "the page asks for '{command}' (link {by})");
    let order = if cleans {
        let resource = Some(act.subject.clone());
        asked(hac_api::Command::Cleanup { resource, node: None, operation: None, interval_ms: None }, &configure.origin)
    } else {
        judge::judged(&api, &configure).await?;
        Request::Configure(configure)
    };
    let (version, findings) = done(request(&api, order).await?)?;
    Ok(Json(Acted { done: true, command, version, findings, ..Acted::default() }))
}

#[cfg(test)]
mod tests {
    use hac_pacemaker::crm_syntax;

    use super::*;

    fn act(text: &str) -> Act {
        serde_json::from_str(text).expect("an action")
    }

    #[test]
    fn an_action_is_the_command_that_hacctl_has() {
        let text = "primitive A ocf:heartbeat:nginx\nprimitive B ocf:heartbeat:nginx\ngroup G A B\n";
        let changes = crm_syntax::parse(text).expect("is written in crm's words");
        let cib = Cib::default().candidate(&Configure { changes, ..Configure::default() }).expect("is taken");
        let nodes = ["n1".to_owned(), "n2".to_owned()];
        let stop = act(r#"{"action": "stop", "subject": "B"}"#);
        assert_eq!(stop.command(), "hacctl resource stop B");
        assert_eq!(stop.changes(&cib, &nodes).expect("is known"), [crm_commands::role("B", Role::Stopped)]);
        let moved = act(r#"{"action": "move", "subject": "G", "node": "n2"}"#);
        assert_eq!(moved.command(), "hacctl resource move G n2");
        assert_eq!(moved.changes(&cib, &nodes).expect("is known"), [crm_commands::prefer("G", "n2", None)]);
        for unknown in [
            r#"{"action": "standby", "subject": "B"}"#,
            r#"{"action": "stop", "subject": "n1"}"#,
            r#"{"action": "move", "subject": "G"}"#,
            r#"{"action": "move", "subject": "G", "node": "n3"}"#,
        ] {
            assert!(act(unknown).changes(&cib, &nodes).is_err(), "{unknown}");
        }
        assert!(serde_json::from_str::<Act>(r#"{"action": "fence", "subject": "n1"}"#).is_err());
    }
}
