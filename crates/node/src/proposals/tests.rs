//! Tests: this node's own proposals, from the request until the cluster agreed.

use hac_crm::cib::{Command, Configure, StatusChange};
use hac_model::Version;
use hac_types::{Incarnation, NodeId};

use super::*;

fn proposals() -> Proposals {
    Proposals::new(Member { node: NodeId(1), incarnation: Incarnation(4) })
}

fn status() -> Proposed {
    Proposed::Command(Command::Status(StatusChange::Quorum(true)))
}

fn configure() -> Proposed {
    Proposed::Command(Command::Configure(Configure::default()))
}

#[test]
fn each_lane_counts_for_itself() {
    let mut proposals = proposals();
    let now = Now::default();
    let names: Vec<(Lane, u64)> = [status(), configure(), status(), Proposed::Settle]
        .into_iter()
        .map(|what| proposals.add(now, what, None, None).id)
        .map(|id| (id.lane, id.seq))
        .collect();
    let expected = [(Lane::Status, 1), (Lane::Configure, 1), (Lane::Status, 2), (Lane::Ask, 1)];
    assert_eq!(names, expected);
    assert_eq!(proposals.len(), 4);
}

#[test]
fn what_has_not_come_back_is_proposed_again_in_order() {
    let mut proposals = proposals();
    let now = Now::default();
    let first = proposals.add(now, status(), None, None);
    let second = proposals.add(now, status(), Some(RequestId(7)), None);
    let third = proposals.add(now, configure(), None, None);
    let reply = Reply::Done { version: Version::default(), warnings: Vec::new() };
    proposals.maybe(second.id, reply.clone());
    assert_eq!(proposals.again().collect::<Vec<_>>(), [&first, &second, &third]);
    let concluded = proposals.conclude(second.id).unwrap();
    assert_eq!(concluded, Concluded { request: Some(RequestId(7)), maybe: Some(reply) });
    assert_eq!(proposals.conclude(second.id), None);
    assert_eq!(proposals.again().collect::<Vec<_>>(), [&first, &third]);
}

#[test]
fn patience_ends_for_requests_only() {
    let mut proposals = proposals();
    let now = Now::default();
    let due = Timestamp::from_millis(50);
    proposals.add(now, status(), None, None);
    proposals.add(now, Proposed::Settle, Some(RequestId(1)), Some(due));
    assert_eq!(proposals.requests(), 1);
    assert_eq!(proposals.poll_timeout(), Some(due));
    assert_eq!(proposals.expired(Timestamp::from_millis(49)), []);
    assert_eq!(proposals.expired(due), [(RequestId(1), Proposed::Settle)]);
    assert_eq!(proposals.len(), 1);
    assert_eq!(proposals.abandon(), []);
}
