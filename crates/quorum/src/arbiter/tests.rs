//! Tests: the claim of one node, answer by answer. All orders of events with two nodes are searched in the simulator.

use hac_types::Incarnation;

use super::*;
use crate::{Config, Engine, Voter};

const KNOWN: Register = Register { epoch: 4, revision: 40, store: 7, moving: None };

fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn node(id: u32) -> Arbiter {
    Arbiter::new(Member { node: NodeId(id), incarnation: Incarnation(9) }, Model::Register, Some(KNOWN))
}

fn outputs(arbiter: &mut Arbiter) -> Vec<Output> {
    std::iter::from_fn(|| arbiter.poll_output()).collect()
}

/// The one request among what is to be done.
fn asked(arbiter: &mut Arbiter) -> (u64, Request) {
    let found = outputs(arbiter).into_iter().find_map(|output| match output {
        Output::Ask(id, request) => Some((id, request)),
        _ => None,
    });
    found.expect("it asks")
}

fn found(revision: u64, mark: Option<Mark>) -> Answer {
    Answer { store: 7, revision: 90, outcome: Outcome::Found(Some(Found { revision, mark })) }
}

fn swapped(revision: u64) -> Answer {
    Answer { store: 7, revision, outcome: Outcome::Swapped }
}

fn mark(epoch: u64, node: u32, nonce: &str) -> Mark {
    Mark { epoch, node: NodeId(node), incarnation: 9, nonce: nonce.to_owned(), members: Vec::new() }
}

/// It claims, has looked, and has sent its change: the change.
fn claiming(arbiter: &mut Arbiter, now: u64) -> (u64, Mark) {
    arbiter.handle_timeout(at(now));
    let (id, request) = asked(arbiter);
    assert_eq!(request, Request::Read, "it looks before it changes anything");
    arbiter.answered(at(now), id, Ok(found(40, Some(mark(4, 1, "old")))));
    match asked(arbiter) {
        (id, Request::Swap { expected: 40, mark }) => (id, mark),
        other => panic!("{other:?}"),
    }
}

#[test]
fn who_can_replace_the_register_has_the_vote_when_that_is_stored() {
    let mut arbiter = node(1);
    arbiter.alone(at(0), Duration::ZERO);
    let (id, mark) = claiming(&mut arbiter, 0);
    assert_eq!((mark.epoch, mark.node), (5, NodeId(1)));
    arbiter.answered(at(5), id, Ok(swapped(91)));
    let won = Register { epoch: 5, revision: 91, store: 7, moving: None };
    assert_eq!(outputs(&mut arbiter), [Output::Store(won.clone())], "not before it is stored");
    assert!(!arbiter.has_won());
    arbiter.stored(&won);
    assert_eq!(outputs(&mut arbiter), [Output::Won]);
    arbiter.rest();
    arbiter.alone(at(9), Duration::ZERO);
    assert_eq!(outputs(&mut arbiter), [Output::Won], "nobody else can have claimed since");
}

#[test]
fn the_other_one_has_lost_until_both_have_met() {
    let mut arbiter = node(2);
    arbiter.alone(at(0), Model::Register.grace());
    assert_eq!(arbiter.poll_timeout(), Some(at(1000)), "it lets the other go first");
    let (id, _) = claiming(&mut arbiter, 1000);
    arbiter.answered(at(1001), id, Ok(found(91, Some(mark(5, 1, "1-0000000000000009-4-40")))));
    let without = outputs(&mut arbiter);
    assert!(matches!(&without[..], [Output::Without(why)] if why.contains("node 1")), "{without:?}");
    assert_eq!(arbiter.poll_timeout(), None, "it claims no more");
    arbiter.rest();
    arbiter.alone(at(2000), Duration::ZERO);
    assert_eq!(arbiter.poll_timeout(), None);
    arbiter.together(at(3000), Some(Register { epoch: 5, revision: 91, store: 7, moving: None }), false);
    arbiter.alone(at(4000), Duration::ZERO);
    assert_eq!(arbiter.poll_timeout(), Some(at(4000)));
}

#[test]
fn a_change_whose_answer_was_lost_is_recognised_by_its_mark() {
    let mut arbiter = node(1);
    arbiter.alone(at(0), Duration::ZERO);
    let (id, sent) = claiming(&mut arbiter, 0);
    arbiter.answered(at(900), id, Err("no answer".to_owned()));
    arbiter.handle_timeout(at(1200));
    let (id, request) = asked(&mut arbiter);
    assert_eq!(request, Request::Read);
    arbiter.answered(at(1201), id, Ok(found(91, Some(sent))));
    assert_eq!(outputs(&mut arbiter), [Output::Store(Register { epoch: 5, revision: 91, store: 7, moving: None })]);
}

#[test]
fn a_store_that_is_another_one_or_was_set_back_is_not_believed() {
    let mut arbiter = node(1);
    for (answer, word) in [
        (Answer { store: 8, ..found(40, None) }, "another store"),
        (Answer { revision: 39, ..found(40, None) }, "set back"),
    ] {
        arbiter.alone(at(0), Duration::ZERO);
        arbiter.handle_timeout(at(0));
        let (id, _) = asked(&mut arbiter);
        arbiter.answered(at(1), id, Ok(answer));
        assert!(matches!(arbiter.health(), Health::Strange(why) if why.contains(word)), "{:?}", arbiter.health());
        arbiter.handle_timeout(at(5000));
        let told = outputs(&mut arbiter);
        assert!(told.iter().any(|output| matches!(output, Output::Without(why) if why.contains(word))), "{told:?}");
        assert!(!told.iter().any(|output| matches!(output, Output::Ask(_, Request::Swap { .. }))), "{told:?}");
        arbiter.rest();
    }
}

#[test]
fn every_wait_of_a_claim_ends_and_it_goes_on_beside() {
    let mut arbiter = node(1);
    arbiter.alone(at(0), Duration::ZERO);
    let mut given_up = None;
    for _ in 0..200 {
        let due = arbiter.poll_timeout().expect("it goes on");
        arbiter.handle_timeout(due);
        if outputs(&mut arbiter).iter().any(|output| matches!(output, Output::Without(_))) {
            given_up = Some(due);
        }
    }
    assert_eq!(given_up, Some(at(5000)));
}

#[test]
fn together_the_store_decides_nothing_and_the_steward_writes_for_both() {
    let (me, none) = (Member { node: NodeId(1), incarnation: Incarnation(9) }, None);
    let mut steward = Arbiter::new(me, Model::Register, none);
    steward.together(at(0), None, true);
    steward.handle_timeout(at(0));
    let (id, _) = asked(&mut steward);
    steward.answered(at(1), id, Ok(Answer { store: 7, revision: 12, outcome: Outcome::Found(None) }));
    let (id, request) = asked(&mut steward);
    assert!(matches!(request, Request::Swap { expected: 0, mark: Mark { epoch: 1, .. } }), "{request:?}");
    steward.answered(at(2), id, Ok(swapped(13)));
    let first = Register { epoch: 1, revision: 13, store: 7, moving: None };
    assert_eq!(outputs(&mut steward), [Output::Store(first.clone())]);
    steward.stored(&first);
    assert_eq!((steward.health(), steward.has_won()), (&Health::Ready, false));
    assert_eq!(steward.poll_timeout(), Some(at(60_002)), "it looks once a minute");
}

#[test]
fn what_somebody_else_wrote_is_replaced_when_a_person_says_so() {
    let mut arbiter = node(1);
    arbiter.together(at(0), None, false);
    arbiter.handle_timeout(at(0));
    let (id, _) = asked(&mut arbiter);
    arbiter.answered(at(1), id, Ok(found(77, None)));
    assert!(matches!(arbiter.health(), Health::Strange(_)));
    assert!(outputs(&mut arbiter).is_empty());
    arbiter.trust(at(2));
    let (id, _) = asked(&mut arbiter);
    arbiter.answered(at(3), id, Ok(Answer { store: 8, ..found(77, None) }));
    let (id, request) = asked(&mut arbiter);
    assert!(matches!(request, Request::Swap { expected: 77, mark: Mark { epoch: 5, .. } }), "{request:?}");
    arbiter.answered(at(4), id, Ok(Answer { store: 8, ..swapped(78) }));
    let new = Register { epoch: 5, revision: 78, store: 8, moving: None };
    assert_eq!(outputs(&mut arbiter), [Output::Store(new.clone())]);
    arbiter.stored(&new);
    assert_eq!(arbiter.register(), Some(&new));
    // Its numbers are its own.
    arbiter.alone(at(9), Duration::ZERO);
    arbiter.handle_timeout(at(9));
    let (id, _) = asked(&mut arbiter);
    arbiter.answered(at(10), id, Ok(Answer { store: 8, revision: 78, ..found(78, None) }));
    assert!(matches!(asked(&mut arbiter).1, Request::Swap { expected: 78, .. }));
}

#[test]
fn the_arbiters_vote_makes_one_of_two_nodes_quorate_and_no_vote_is_needed_by_both() {
    let voter = |id| Voter { node: NodeId(id), name: format!("n{id}"), votes: 1 };
    let mut config = Config::new(NodeId(1), vec![voter(1), voter(2)]);
    config.arbiter = true;
    for wait_for_all in [None, Some(true)] {
        config.wait_for_all = wait_for_all;
        let mut engine = Engine::new(config.clone()).expect("it is valid");
        let info = engine.info();
        let view = |ids: &[u32]| ids.iter().map(|id| (NodeId(*id), info.clone())).collect();
        engine.membership(at(0), hac_types::RingId::default(), view(&[1]));
        assert_eq!(engine.needs_arbiter(), wait_for_all.is_none(), "who waits for all claims nothing");
        assert!(engine.membership(at(0), hac_types::RingId::default(), view(&[1, 2])).quorate);
        assert!(!engine.needs_arbiter() && engine.is_whole());
        let alone = engine.info();
        let alone = std::iter::once((NodeId(1), alone)).collect();
        assert!(!engine.membership(at(0), hac_types::RingId::default(), alone).quorate);
        assert!(engine.needs_arbiter() && !engine.is_majority());
        assert!(engine.set_arbiter(true).quorate && engine.is_majority());
        assert_eq!(engine.status().expected_votes, 3);
    }
    config.two_node = true;
    assert!(config.validate().is_err(), "both at once is refused");
    config.two_node = false;
    config.set_nodes(vec![voter(1), voter(2), voter(3)]);
    assert_eq!((config.arbiter_votes(), config.expected()), (0, 3), "with three nodes its vote goes");
}

#[test]
fn a_node_that_was_not_told_of_the_arbiter_does_not_go_on_alone() {
    let voter = |id| Voter { node: NodeId(id), name: format!("n{id}"), votes: 1 };
    let mut config = Config::new(NodeId(1), vec![voter(1), voter(2)]);
    config.two_node = true;
    config.wait_for_all = Some(false);
    let mut engine = Engine::new(config).expect("it is valid");
    let alone = std::iter::once((NodeId(1), engine.info())).collect();
    assert!(engine.membership(at(0), hac_types::RingId::default(), alone).quorate);
    assert!(!engine.bar_two_node(true).quorate);
    assert!(engine.bar_two_node(false).quorate);
}

/// A node with a list of actions as the register, which knows this.
fn lister(register: Register) -> Arbiter {
    Arbiter::new(Member { node: NodeId(1), incarnation: Incarnation(9) }, Model::ActionLog, Some(register))
}

/// What a list says: these changes since what is known, and nothing under way.
fn listed(changes: &[(u64, Option<Mark>)]) -> Answer {
    let changes: Vec<Found> =
        changes.iter().map(|(revision, mark)| Found { revision: *revision, mark: mark.clone() }).collect();
    let last = Some(changes.last().map_or(KNOWN.revision, |found| found.revision));
    Answer { store: 7, revision: 90, outcome: Outcome::Since { changes, last } }
}

/// It is alone, has looked, and this is what it finds: what it wants then.
fn finds(arbiter: &mut Arbiter, changes: &[(u64, Option<Mark>)]) -> Vec<Output> {
    arbiter.alone(at(0), Duration::ZERO);
    arbiter.handle_timeout(at(0));
    let (id, request) = asked(arbiter);
    assert_eq!(request, Request::Since(40));
    arbiter.answered(at(1), id, Ok(listed(changes)));
    outputs(arbiter)
}

#[test]
fn while_the_cluster_moves_the_address_the_second_change_decides() {
    let own = |register: &Register| lister(register.clone()).mark(register, vec![NodeId(1)]);
    let wins = |wanted: &[Output]| matches!(wanted, [Output::Store(register)] if register.moving.is_none());
    let orders = |wanted: &[Output]| matches!(wanted, [Output::Ask(_, Request::Swap { .. })]);
    let loses = |wanted: &[Output]| matches!(wanted, [Output::Without(_)]);
    let expected = Register { moving: Some(Moving::Expected), ..KNOWN };
    let mine = Some(own(&expected));
    assert!(orders(&finds(&mut lister(expected.clone()), &[])), "its order takes the place of the move");
    assert!(orders(&finds(&mut lister(expected.clone()), &[(41, None)])), "that was the move");
    assert!(orders(&finds(&mut lister(expected.clone()), &[(41, mine.clone())])), "it has taken its place");
    assert!(wins(&finds(&mut lister(expected.clone()), &[(41, None), (42, mine.clone())])));
    assert!(loses(&finds(&mut lister(expected), &[(41, mine.clone()), (42, None), (43, mine)])));
    // The other one may or may not count the move.
    let announced = Register { moving: Some(Moving::Announced), ..KNOWN };
    let mine = Some(own(&announced));
    assert!(orders(&finds(&mut lister(announced.clone()), &[(41, mine.clone())])));
    assert!(wins(&finds(&mut lister(announced.clone()), &[(41, mine.clone()), (42, mine.clone())])));
    assert!(loses(&finds(&mut lister(announced.clone()), &[(41, None)])));
    assert!(loses(&finds(&mut lister(announced), &[(41, mine), (42, None)])));
}

#[test]
fn what_was_ordered_before_a_meeting_is_no_claim_after_it() {
    let mut arbiter = lister(KNOWN);
    let wanted = finds(&mut arbiter, &[]);
    let [Output::Ask(_, Request::Swap { mark, .. })] = &wanted[..] else { panic!("{wanted:?}") };
    arbiter.meet();
    arbiter.together(at(2), Some(KNOWN), false);
    arbiter.rest();
    let wanted = finds(&mut arbiter, &[(41, Some(mark.clone()))]);
    assert!(matches!(&wanted[..], [Output::Without(_)]), "the other one may claim after it: {wanted:?}");
}

#[test]
fn a_move_is_announced_and_expected_one_step_after_the_other_and_back() {
    let mut steward = lister(KNOWN);
    steward.together(at(0), Some(KNOWN), true);
    let step = |steward: &mut Arbiter| match &outputs(steward)[..] {
        [Output::Store(register)] => register.clone(),
        other => panic!("{other:?}"),
    };
    steward.moving();
    let announced = step(&mut steward);
    assert_eq!((announced.moving, announced.epoch), (Some(Moving::Announced), 5));
    steward.stored(&announced);
    let expected = step(&mut steward);
    assert_eq!((expected.moving, expected.epoch), (Some(Moving::Expected), 6));
    assert!(expected.follows(Some(&announced)) && !expected.follows(Some(&KNOWN)), "one step at a time");
    steward.stored(&expected);
    assert!(outputs(&mut steward).is_empty());
    // Nothing is moved, and the operation has ended.
    steward.moved(at(1), true);
    steward.handle_timeout(at(1001));
    let (id, _) = asked(&mut steward);
    steward.answered(at(1002), id, Ok(listed(&[])));
    let announced = step(&mut steward);
    assert_eq!((announced.moving, announced.epoch), (Some(Moving::Announced), 7));
    steward.stored(&announced);
    assert_eq!(step(&mut steward), Register { epoch: 8, ..KNOWN });
}
