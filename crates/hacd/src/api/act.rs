//! What the page can do: a closed list of hacctl's commands. Each is asked twice: first what would come of it, then to do
//! it, on the configuration that the plan was made from. What was done is told with the name of the link.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use hac_api::{AlertTest, AlertTested, ErrorCode, Finding, Version};
use hac_crm::cib::{Change, Configure, Lifetime, Replicated as _, Section};
use hac_model::{Cib, Resource, Role};
use hac_node::{Level, Request};
use hac_pacemaker::{crm_commands, impact};
use serde::{Deserialize, Serialize};

use super::asked::Body;
use super::door::tell;
use super::explain::{BUDGET, unplannable};
use super::refusal::Refused;
use super::routes::{Answer, asked, done, look, request};
use super::server::Api;
use super::{convert, judge};
use crate::clock;
use crate::driver::Snapshot;

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
    Fence,
    Start,
    Stop,
    Promote,
    Demote,
    Move,
    Ban,
    Clear,
    Manage,
    Unmanage,
    Cleanup,
    Refresh,
    MaintenanceOn,
    MaintenanceOff,
    Test,
}

/// On what something is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Subject {
    Node,
    Resource,
    /// The whole cluster: there is no name.
    Cluster,
    /// An alert or a notice.
    Alert,
}

impl Action {
    /// On what it is done, and how hacctl has it.
    const fn words(self) -> (Subject, &'static str) {
        use Subject::{Alert, Cluster, Node, Resource};
        match self {
            Self::Standby => (Node, "node standby"),
            Self::Online => (Node, "node online"),
            Self::Maintenance => (Node, "node maintenance"),
            Self::Ready => (Node, "node ready"),
            Self::Fence => (Node, "node fence"),
            Self::Start => (Resource, "resource start"),
            Self::Stop => (Resource, "resource stop"),
            Self::Promote => (Resource, "resource promote"),
            Self::Demote => (Resource, "resource demote"),
            Self::Move => (Resource, "resource move"),
            Self::Ban => (Resource, "resource ban"),
            Self::Clear => (Resource, "resource clear"),
            Self::Manage => (Resource, "resource manage"),
            Self::Unmanage => (Resource, "resource unmanage"),
            Self::Cleanup => (Resource, "resource cleanup"),
            Self::Refresh => (Resource, "resource refresh"),
            Self::MaintenanceOn => (Cluster, "maintenance on"),
            Self::MaintenanceOff => (Cluster, "maintenance off"),
            Self::Test => (Alert, "alert test"),
        }
    }

    const fn subject(self) -> Subject {
        self.words().0
    }

    /// Whether it changes the configuration, as most do.
    const fn configures(self) -> bool {
        !matches!(self, Self::Fence | Self::Cleanup | Self::Refresh | Self::Test)
    }
}

/// An action on something.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Act {
    action: Action,
    /// A node, a resource, an alert; empty for the whole cluster.
    #[serde(default)]
    subject: String,
    /// Where to, for `move`; where not, for `ban`.
    #[serde(default)]
    node: Option<String>,
    /// Of the configuration that the plan was made from; without it nothing is done.
    #[serde(default)]
    version: Option<Version>,
    /// The subject once more, as a person typed it, for what harms it.
    #[serde(default)]
    confirm: Option<String>,
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
    /// It changes something, if only what is known of the present.
    changes: bool,
    /// What has to be typed before it is done.
    #[serde(skip_serializing_if = "Option::is_none")]
    confirm: Option<String>,
    /// What came of it, in sentences, where that is known at once.
    told: Vec<String>,
    /// Of the configuration that it was made from, or after it was done.
    version: Version,
}

impl Act {
    fn command(&self) -> String {
        let part = |word: &str| if word.is_empty() { String::new() } else { format!(" {word}") };
        let node = part(self.node.as_deref().unwrap_or_default());
        format!("hacctl {}{}{node}", self.action.words().1, part(&self.subject))
    }

    fn no_such(what: &str, name: &str) -> Refused {
        Refused::new(ErrorCode::NoSuch, format!("there is no {what} '{name}'"))
            .with_remedy("The page may be older than the cluster; look again.")
    }

    /// Looks whether there is what it is about.
    fn exists(&self, cib: &Cib, nodes: &[String]) -> Result<(), Refused> {
        let known = |name: &str| nodes.iter().any(|node| node == name);
        let subject = self.subject.as_str();
        let (exists, what) = match self.action.subject() {
            Subject::Node => (known(subject), "node"),
            Subject::Resource => (has_resource(cib, subject), "resource"),
            Subject::Cluster => (subject.is_empty(), "whole cluster of the name"),
            // Who tries it says so.
            Subject::Alert => (true, "alert"),
        };
        if !exists {
            return Err(Self::no_such(what, subject));
        }
        let place = matches!(self.action, Action::Move | Action::Ban).then(|| self.node.as_deref().unwrap_or_default());
        match (place, &self.node) {
            (Some(node), _) if !known(node) => Err(Self::no_such("node", node)),
            (None, Some(_)) => Err(Refused::new(ErrorCode::Usage, "this action is not for a node")),
            _ => Ok(()),
        }
    }

    /// The changes of the configuration; none for what changes only what is known of the present.
    ///
    /// # Errors
    /// There is no such node or resource.
    fn changes(&self, cib: &Cib, nodes: &[String]) -> Result<Vec<Change>, Refused> {
        self.exists(cib, nodes)?;
        let subject = self.subject.as_str();
        let node = self.node.as_deref().unwrap_or_default();
        let meta = |value| vec![crm_commands::meta(subject, "is-managed", Some(value))];
        let mode = |value: &str| {
            let pairs = vec![("maintenance-mode".to_owned(), Some(value.to_owned()))];
            vec![Change::SetProperties { section: Section::CrmConfig, set: None, pairs }]
        };
        Ok(match self.action {
            Action::Standby => crm_commands::standby(subject, Lifetime::Forever),
            Action::Online => crm_commands::online(subject),
            Action::Maintenance => crm_commands::maintenance(subject, true),
            Action::Ready => crm_commands::maintenance(subject, false),
            Action::Start => vec![crm_commands::role(subject, Role::Started)],
            Action::Stop => vec![crm_commands::role(subject, Role::Stopped)],
            Action::Promote => vec![crm_commands::role(subject, Role::Promoted)],
            Action::Demote => vec![crm_commands::role(subject, Role::Unpromoted)],
            Action::Move => vec![crm_commands::prefer(subject, node, None)],
            Action::Ban => vec![crm_commands::ban(subject, node, None)],
            Action::Clear => crm_commands::left_by_moves(&cib.configuration, subject, None)
                .into_iter()
                .map(|id| Change::Delete { id, force: false })
                .collect(),
            Action::Manage => meta("true"),
            Action::Unmanage => meta("false"),
            Action::MaintenanceOn => mode("true"),
            Action::MaintenanceOff => mode("false"),
            Action::Fence | Action::Cleanup | Action::Refresh | Action::Test => Vec::new(),
        })
    }

    /// What is asked of the cluster that is no change of the configuration.
    fn asks(&self) -> Option<hac_api::Command> {
        let resource = Some(self.subject.clone());
        match self.action {
            Action::Cleanup => {
                Some(hac_api::Command::Cleanup { resource, node: None, operation: None, interval_ms: None })
            }
            Action::Refresh => Some(hac_api::Command::Refresh { resource, node: None }),
            // As 'hacctl node fence' asks for it, and agents do.
            Action::Fence => Some(hac_api::Command::Attribute {
                node: self.subject.clone(),
                name: "terminate".to_owned(),
                value: Some("true".to_owned()),
                private: false,
                dampening_ms: None,
                utilization: false,
            }),
            _ => None,
        }
    }

    /// What is harmed and cannot be taken back is done when its name was typed.
    fn confirmed(&self) -> Result<(), Refused> {
        if self.action != Action::Fence || self.confirm.as_deref() == Some(self.subject.as_str()) {
            return Ok(());
        }
        let sentence = format!("{} is shot only when its name was typed", self.subject);
        Err(Refused::new(ErrorCode::Usage, sentence).with_remedy("Type the name of the node and say it again."))
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
pub(super) async fn answer(State(api): State<Api>, Body(act): Body<Act>) -> Answer<Acted> {
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
    if act.action == Action::Fence && !fences(&look.cib) {
        let sentence = format!("{} cannot be fenced: stonith-enabled is false, so no device is used", act.subject);
        return Err(Refused::new(ErrorCode::Invalid, sentence)
            .with_remedy("'hacctl configure property stonith-enabled=true' uses the devices that are configured."));
    }
    if act.version.is_none() {
        return Ok(Json(planned(&api, &look, &act, configure).await?));
    }
    act.confirmed()?;
    tell(&api, Level::Notice, format!("the page asks for '{command}' (link {by})"));
    if act.action == Action::Test {
        let tested = api.alerts.test(&act.subject, &look.cib, clock::wall()).await;
        let tested = tested.ok_or_else(|| Act::no_such("alert or notice", &act.subject))?;
        let version = convert::version(look.cib.version);
        return Ok(Json(Acted { done: true, command, version, told: sentences(&tested), ..Acted::default() }));
    }
    let order = match act.asks() {
        Some(command) => asked(command, &configure.origin),
        None => {
            judge::judged(&api, &configure).await?;
            Request::Configure(configure)
        }
    };
    let (version, findings) = done(request(&api, order).await?)?;
    Ok(Json(Acted { done: true, command, version, findings, ..Acted::default() }))
}

/// What would come of it.
async fn planned(api: &Api, look: &Arc<Snapshot>, act: &Act, configure: Configure) -> Result<Acted, Refused> {
    let command = act.command();
    let configures = act.action.configures();
    let findings = if configures { judge::judged(api, &configure).await? } else { Vec::new() };
    let version = convert::version(look.cib.version);
    let (look, wall) = (Arc::clone(look), clock::wall());
    // Who is shot is gone as far as the others are concerned.
    let lost = (act.action == Action::Fence).then(|| act.subject.clone());
    let weigh = move || match lost {
        Some(node) => Ok(impact::between(&look.cib, &impact::with_node(&look.cib, &node, false), wall)),
        None => look.cib.candidate(&configure).map(|after| impact::between(&look.cib, &after, wall)),
    };
    let weighed = api.planner.run(BUDGET, weigh).await.map_err(unplannable)?;
    let impact = weighed.map_err(|refusal| Refused::of(convert::refusal(refusal.kind), refusal))?;
    let impact::Impact { decisions: plan, down, difference, .. } = impact;
    let changes = !difference.is_empty() || !configures;
    let confirm = (act.action == Action::Fence).then(|| act.subject.clone());
    Ok(Acted { command, plan, down, difference, findings, changes, confirm, version, ..Acted::default() })
}

/// Whether devices are used.
fn fences(cib: &Cib) -> bool {
    cib.configuration.property("stonith-enabled").and_then(hac_model::parse_bool).unwrap_or(true)
}

/// What came of a test, for whom.
fn sentences(tested: &AlertTested) -> Vec<String> {
    if !tested.enabled {
        return vec![format!("{} is not enabled, so nothing was done", tested.id)];
    }
    let one = |test: &AlertTest| {
        let to = if test.recipient.is_empty() { String::new() } else { format!(" to {}", test.recipient) };
        match &test.error {
            Some(why) => format!("{}{to} failed: {why}", tested.id),
            None => format!("{}{to}: told after {} ms", tested.id, test.took_ms),
        }
    };
    tested.results.iter().map(one).collect()
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
            r#"{"action": "stop", "subject": "G", "node": "n1"}"#,
            r#"{"action": "ban", "subject": "G"}"#,
            r#"{"action": "fence", "subject": "G"}"#,
            r#"{"action": "maintenance_on", "subject": "G"}"#,
        ] {
            assert!(act(unknown).changes(&cib, &nodes).is_err(), "{unknown}");
        }
        assert!(serde_json::from_str::<Act>(r#"{"action": "delete", "subject": "n1"}"#).is_err());
    }

    #[test]
    fn who_is_shot_is_named_once_more() {
        let fence = act(r#"{"action": "fence", "subject": "n1"}"#);
        assert_eq!(fence.command(), "hacctl node fence n1");
        assert!(fence.confirmed().is_err());
        assert!(act(r#"{"action": "fence", "subject": "n1", "confirm": "n2"}"#).confirmed().is_err());
        assert!(act(r#"{"action": "fence", "subject": "n1", "confirm": "n1"}"#).confirmed().is_ok());
        assert!(act(r#"{"action": "standby", "subject": "n1"}"#).confirmed().is_ok());
        assert!(fences(&Cib::default()), "devices are used unless somebody says otherwise");
    }

    #[test]
    fn the_whole_cluster_has_no_name() {
        let on = act(r#"{"action": "maintenance_on"}"#);
        assert_eq!(on.command(), "hacctl maintenance on");
        let changes = on.changes(&Cib::default(), &[]).expect("is known");
        assert!(matches!(changes.as_slice(), [Change::SetProperties { .. }]));
    }
}
