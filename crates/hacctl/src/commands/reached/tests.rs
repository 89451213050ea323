//! What counts as reached, for each kind of goal.

use hac_model::OcfCode;
use hac_scheduler::view::{OperationView, ResourceFlags, ResourceKind};

use super::*;

/// The resource `web` with this role, active on these nodes.
fn web(role: Role, nodes: &[&str]) -> ResourceView {
    ResourceView {
        id: "web".into(),
        name: "web".into(),
        role,
        nodes: nodes.iter().map(|node| (*node).to_owned()).collect(),
        flags: ResourceFlags { managed: true, active: !nodes.is_empty(), ..ResourceFlags::default() },
        ..ResourceView::default()
    }
}

fn view(resource: ResourceView) -> ClusterView {
    ClusterView { resources: vec![resource], ..ClusterView::default() }
}

fn failing(mut view: ClusterView, call_id: i64) -> ClusterView {
    view.failed.push(FailedOperation {
        resource: "web".into(),
        operation_key: "web_start_0".into(),
        operation: OperationView {
            node: "n1".into(),
            call_id,
            task: "start".into(),
            rc: OcfCode(1),
            exit_reason: Some("no disk there".into()),
            ..OperationView::default()
        },
    });
    view
}

fn up() -> ClusterView {
    view(web(Role::Started, &["n1"]))
}

fn down() -> ClusterView {
    view(web(Role::Stopped, &[]))
}

fn role(role: Role) -> Goal {
    Goal::Role(vec!["web".into()], role)
}

/// Why the goal is not reached; nothing if it is.
fn why(goal: &Goal, before: &ClusterView, after: &ClusterView) -> String {
    judge(goal, before, after).err().map_or_else(String::new, |failure| failure.message)
}

#[test]
fn a_role_is_reached_when_the_resource_has_it() {
    assert_eq!(why(&role(Role::Started), &down(), &up()), "");
    assert_eq!(why(&role(Role::Stopped), &up(), &down()), "");
    assert_eq!(why(&role(Role::Stopped), &up(), &up()), "web is still running, although its target-role is Stopped");
    assert_eq!(
        why(&role(Role::Started), &down(), &failing(down(), 3)),
        "web is not running, although its target-role is Started: web start on n1 returned 'error' (no disk there)"
    );
}

#[test]
fn promoted_is_more_than_running() {
    let running = view(web(Role::Unpromoted, &["n1"]));
    let promoted = view(web(Role::Promoted, &["n1"]));
    assert_eq!(why(&role(Role::Promoted), &running, &promoted), "");
    assert_eq!(why(&role(Role::Unpromoted), &promoted, &running), "");
    assert!(why(&role(Role::Promoted), &running, &running).starts_with("web is not promoted"));
    assert!(why(&role(Role::Unpromoted), &promoted, &promoted).starts_with("web is still promoted"));
}

#[test]
fn a_move_or_a_ban_is_reached_when_the_resource_is_where_it_should_be() {
    let (on, not_on) = (Goal::On("web".into(), "n1".into()), Goal::NotOn("web".into(), "n1".into()));
    assert_eq!(why(&on, &down(), &up()), "");
    assert_eq!(why(&not_on, &up(), &down()), "");
    assert_eq!(why(&on, &up(), &down()), "web is not running on n1");
    assert_eq!(why(&not_on, &up(), &up()), "web is still running on n1");
}

#[test]
fn a_node_on_standby_runs_nothing_that_is_managed() {
    let empty = Goal::Empty(vec!["n1".into()]);
    assert_eq!(why(&empty, &up(), &down()), "");
    assert_eq!(why(&empty, &up(), &up()), "web is still running on n1");
    let mut unmanaged = up();
    unmanaged.resources[0].flags.managed = false;
    assert_eq!(why(&empty, &up(), &unmanaged), "");
    unmanaged.resources[0].flags.blocked = true;
    assert_eq!(why(&empty, &up(), &unmanaged), "web is still running on n1");
}

#[test]
fn a_change_after_which_something_is_down_or_blocked_did_not_work() {
    assert_eq!(why(&Goal::Change, &up(), &up()), "");
    assert_eq!(why(&Goal::Change, &up(), &down()), "web is not running");
    let failed = "web is not running: web start on n1 returned 'error' (no disk there)";
    assert_eq!(why(&Goal::Change, &ClusterView::default(), &failing(down(), 3)), failed, "it is new");
    assert_eq!(why(&Goal::Change, &failing(down(), 2), &failing(down(), 3)), failed, "it failed once more");
    assert_eq!(why(&Goal::Change, &failing(down(), 3), &failing(down(), 3)), "", "it has nothing to do with that");
    let mut blocked = up();
    blocked.resources[0].flags.blocked = true;
    assert_eq!(why(&Goal::Change, &up(), &blocked), "web is blocked by a failure");
}

#[test]
fn a_group_with_a_member_that_does_not_come_up_is_not_started() {
    let member = |name: &str, nodes: &[&str]| {
        let mut view = web(if nodes.is_empty() { Role::Stopped } else { Role::Started }, nodes);
        (view.id, view.name) = (name.into(), name.into());
        view
    };
    let group = ResourceView {
        kind: ResourceKind::Group,
        children: vec![member("a", &["n1"]), member("b", &[])],
        ..web(Role::Started, &["n1"])
    };
    assert!(why(&role(Role::Started), &down(), &view(group)).starts_with("web is not running"));
}

#[test]
fn a_cleanup_that_leads_to_the_same_failure_says_so() {
    let of = |id: Option<&str>| Goal::Recovered(id.map(str::to_owned));
    assert_eq!(why(&of(Some("web")), &down(), &up()), "");
    for id in [Some("web"), None] {
        let told = why(&of(id), &down(), &failing(down(), 3));
        assert_eq!(told, "web has failed again: web start on n1 returned 'error' (no disk there)");
    }
}

#[test]
fn a_cluster_that_is_still_at_work_has_reached_nothing() {
    let at_work = Settled { settled: false, waiting_for: vec!["a start".into()] };
    let failure = settled(&at_work).expect_err("it is at work");
    assert_eq!((failure.exit_code, failure.message.contains("a start")), (124, true));
    assert_eq!(settled(&Settled { settled: true, ..at_work }), Ok(()));
}
