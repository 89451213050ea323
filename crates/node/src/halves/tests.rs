//! The halves as if on two threads: what one has for the other comes later, or not at all.

use std::collections::{BTreeMap, VecDeque};

use hac_crm::cib::{Change, Configure, Object, PutMode, Section};
use hac_model::{Agent, Primitive};
use hac_types::{Incarnation, WallTime};

use super::*;
use crate::fuzzing::world::config;
use crate::{Event, ExecStatus, Invocation, Node, Now, Outcome, Output, PersistId, Request, RequestId, Stored};

const TOKEN: Duration = Duration::from_millis(3000);

fn start() -> Now {
    Now { mono: Timestamp::from_millis(1), wall: WallTime(1_700_000_000_000) }
}

fn totem_of(node: u32) -> (hac_totem::Config, hac_totem::Stored) {
    let mut totem = config().totem;
    totem.node = NodeId(node);
    totem.timers.token = TOKEN;
    (totem, hac_totem::Stored { ring_seq: 0, incarnation: Incarnation(u64::from(node) << 32 | 1) })
}

/// Two ring halves on a perfect network; nobody above them, unless the test acknowledges.
struct Pair {
    now: Timestamp,
    halves: BTreeMap<u32, RingHalf>,
    /// What each gave upward, and whether that is acknowledged at once.
    events: BTreeMap<u32, Vec<Up>>,
    deaf: Option<u32>,
    /// The disk of this one never answers.
    hung: Option<u32>,
    withdrawn: Vec<u32>,
}

impl Pair {
    fn new() -> Self {
        let now = Timestamp::from_millis(1);
        let half = |node: u32| {
            let (totem, stored) = totem_of(node);
            (node, RingHalf::new(totem, stored, [u8::try_from(node).unwrap(); 32], now).unwrap())
        };
        Self {
            now,
            halves: [half(1), half(2)].into(),
            events: BTreeMap::new(),
            deaf: None,
            hung: None,
            withdrawn: Vec::new(),
        }
    }

    fn run(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            self.exchange();
            let due = self.halves.values().filter_map(RingHalf::poll_timeout).min();
            let Some(due) = due.filter(|due| *due <= end) else { break };
            self.now = self.now.max(due);
            let now = self.now;
            for half in self.halves.values_mut().filter(|half| half.poll_timeout().is_some_and(|due| due <= now)) {
                half.handle_timeout(now);
            }
        }
        self.now = end;
    }

    fn exchange(&mut self) {
        let now = self.now;
        loop {
            let mut datagrams = Vec::new();
            for (&id, half) in &mut self.halves {
                while let Some(output) = half.poll_output() {
                    match output {
                        RingOutput::Transmit(transmit) => datagrams.push((id, transmit)),
                        RingOutput::Persist { .. } if self.hung == Some(id) => {}
                        RingOutput::Persist { ring_seq } => half.handle_persisted(now, ring_seq, Ok(())),
                        RingOutput::Withdrawn { .. } => self.withdrawn.push(id),
                        RingOutput::Up(event) => self.events.entry(id).or_default().push(event),
                    }
                }
                let seen = self.events.get(&id).map_or(0, Vec::len) as u64;
                if self.deaf != Some(id) {
                    half.handle_command(now, Down::Seen(seen));
                }
            }
            if datagrams.is_empty() {
                return;
            }
            for (from, Transmit { link, to, datagram }) in datagrams {
                let half = self.halves.get_mut(&to.0).unwrap();
                half.handle_datagram(now, link, NodeId(from), &datagram);
            }
        }
    }

    fn members(&self, of: u32) -> usize {
        let mut views = self.events[&of].iter().filter_map(|event| match event {
            Up::View(view) => Some(view.members.len()),
            _ => None,
        });
        views.next_back().unwrap_or_default()
    }

    fn gave(&self, of: u32, what: impl Fn(&Up) -> bool) -> bool {
        self.events[&of].iter().any(what)
    }
}

#[test]
fn a_cluster_half_that_stands_still_makes_the_ring_fall_silent_and_it_joins_again_afterwards() {
    let mut pair = Pair::new();
    pair.run(Duration::from_secs(2));
    assert_eq!((pair.members(1), pair.members(2)), (2, 2));
    pair.deaf = Some(2);
    pair.run(TOKEN * 3);
    assert_eq!(pair.withdrawn, [2]);
    assert_eq!(pair.members(1), 1, "the other goes on alone");
    assert_eq!(pair.halves[&2].assurance().until, Timestamp::ZERO, "nothing is assured meanwhile");
    pair.deaf = None;
    pair.run(TOKEN * 2);
    assert!(pair.gave(2, |event| matches!(event, Up::Returned(time) if *time > Duration::from_secs(1))));
    assert!(pair.gave(2, |event| matches!(event, Up::Notice(Notice::PauseDetected { .. }))), "it doubts itself");
    assert_eq!((pair.members(1), pair.members(2)), (2, 2));
}

#[test]
fn a_process_that_was_stopped_as_a_whole_does_not_blame_its_cluster_half() {
    let mut pair = Pair::new();
    pair.run(Duration::from_secs(2));
    // Something is on its way up when everything stops.
    pair.deaf = Some(2);
    pair.run(TOKEN / 2 + Duration::from_millis(1));
    pair.now += TOKEN * 4;
    pair.deaf = None;
    pair.run(TOKEN * 2);
    assert!(pair.withdrawn.is_empty(), "{:?}", pair.withdrawn);
    assert_eq!((pair.members(1), pair.members(2)), (2, 2));
}

#[test]
fn what_names_a_ring_waits_for_the_disk_but_not_for_ever_and_probes_do_not_wait() {
    let mut pair = Pair::new();
    pair.hung = Some(2);
    pair.run(TOKEN / 2 - Duration::from_millis(100));
    let pairs = |event: &Up| matches!(event, Up::View(view) if view.members.len() == 2);
    assert!(!pair.gave(1, pairs) && !pair.gave(2, pairs), "the number is not on the disk");
    assert!(pair.gave(1, |event| matches!(event, Up::Notice(Notice::Connected { .. }))), "it greets all the same");
    pair.run(TOKEN * 2);
    assert!(pair.gave(2, |event| matches!(event, Up::RingNumber(Err(_)))), "that is said");
    assert_eq!((pair.members(1), pair.members(2)), (2, 2), "a hung disk keeps nobody out");
    let now = pair.now;
    pair.halves.get_mut(&2).unwrap().handle_persisted(now, 1000, Ok(()));
    pair.exchange();
    assert!(pair.gave(2, |event| matches!(event, Up::RingNumber(Ok(())))), "and so is its end");
}

/// Seed 93000568 of the simulator.
#[test]
fn who_has_fallen_silent_does_not_speak_because_its_disk_answers() {
    let deafened = || {
        let mut pair = Pair::new();
        pair.run(Duration::from_secs(2));
        pair.deaf = Some(2);
        pair
    };
    let fall = |pair: &mut Pair| {
        while pair.withdrawn.is_empty() {
            pair.run(Duration::from_millis(10));
            assert!(pair.now < Timestamp::from_millis(20_000));
        }
        pair.now
    };
    let falls = fall(&mut deafened());
    let mut pair = deafened();
    pair.run(falls.since(pair.now) - Duration::from_millis(700));
    // The other one begins anew; the number of the next ring is not on the disk of this one when it falls silent.
    pair.hung = Some(2);
    let (totem, mut stored) = totem_of(1);
    (stored.ring_seq, stored.incarnation) = (1000, Incarnation(1 << 32 | 2));
    let again = RingHalf::new(totem, stored, [9; 32], pair.now).unwrap();
    pair.halves.insert(1, again);
    assert!(fall(&mut pair) <= falls + Duration::from_millis(10));
    let now = pair.now;
    let half = pair.halves.get_mut(&2).unwrap();
    half.handle_persisted(now, 10_000, Ok(()));
    let mut said = 0;
    while let Some(output) = half.poll_output() {
        said += usize::from(matches!(output, RingOutput::Transmit(_)));
    }
    assert_eq!(said, 0);
}

#[test]
fn a_number_that_could_not_be_stored_is_stored_again_and_only_the_newest_ends_the_trouble() {
    let mut now = Timestamp::from_millis(1);
    let (totem, stored) = totem_of(1);
    let mut half = RingHalf::new(totem, stored, [1; 32], now).unwrap();
    let mut asked = Vec::new();
    let mut ends = Vec::new();
    let end = now + Duration::from_secs(60);
    while let Some(due) = half.poll_timeout().filter(|due| *due <= end) {
        now = now.max(due);
        half.handle_timeout(now);
        while let Some(output) = half.poll_output() {
            match output {
                RingOutput::Persist { ring_seq } => asked.push((now, ring_seq)),
                RingOutput::Up(Up::RingNumber(result)) => ends.push(result.is_ok()),
                _ => {}
            }
        }
        half.handle_command(now, Down::Seen(u64::MAX));
        if asked.len() == 1 && ends.is_empty() {
            half.handle_persisted(now, asked[0].1, Err("input/output error".to_owned()));
        } else if asked.len() == 2 && ends.len() == 1 {
            half.handle_persisted(now, asked[1].1 - 1, Ok(()));
            assert_eq!(ends, [false], "an older one says nothing of this");
            half.handle_persisted(now, asked[1].1, Ok(()));
        }
    }
    assert_eq!(ends, [false, true]);
    assert_eq!(asked.len(), 2, "{asked:?}");
    assert_eq!(asked[0].1, asked[1].1);
    assert_eq!(asked[1].0.since(asked[0].0).as_secs(), 10);
}

/// One node whose halves are joined loosely, alone in its cluster, with agents that answer at once.
struct Loose {
    node: Node,
    now: Now,
    begun: Vec<Invocation>,
    persisted: VecDeque<PersistId>,
    events: Vec<Event>,
}

impl Loose {
    fn new() -> Self {
        let totem = hac_totem::Stored { ring_seq: 0, incarnation: Incarnation(1 << 32) };
        let stored = Stored::blank(totem);
        let now = start();
        let mut node = Node::new(config(), stored, [5; 32], now).unwrap();
        node.join_loosely();
        Self { node, now, begun: Vec::new(), persisted: VecDeque::new(), events: Vec::new() }
    }

    /// Everything that is between the halves arrives, and what the node wants is done, but for its agents.
    fn settle(&mut self) {
        loop {
            self.drain();
            let (up, down) = self.node.between();
            if up + down == 0 && self.persisted.is_empty() {
                return;
            }
            while let Some(id) = self.persisted.pop_front() {
                self.node.handle_persisted(self.now, id, Ok(()));
            }
            self.node.pass_up(self.now, up);
            self.node.pass_down(self.now, down);
        }
    }

    fn drain(&mut self) {
        while let Some(output) = self.node.poll_output() {
            match output {
                Output::Persist { id, .. } => self.persisted.push_back(id),
                Output::Invoke(invocation) => self.begun.push(invocation),
                Output::Event(told) => self.events.push(told.event),
                _ => {}
            }
        }
    }

    /// Time passes, both halves on time.
    fn run(&mut self, time: Duration) {
        let end = self.now.mono + time;
        self.settle();
        while let Some(due) = self.node.poll_timeout().filter(|due| *due <= end) {
            self.now.mono = self.now.mono.max(due);
            self.node.handle_ring_timeout(self.now);
            self.settle();
            self.node.handle_cluster_timeout(self.now);
            self.settle();
        }
        self.now.mono = end;
    }

    fn configure(&mut self) {
        let agent = Agent { class: "ocf".to_owned(), provider: Some("heartbeat".to_owned()), kind: "Dummy".to_owned() };
        let primitive = Primitive { id: "D".to_owned(), agent, ..Primitive::default() };
        let off = vec![("stonith-enabled".to_owned(), Some("false".to_owned()))];
        let configure = Configure {
            changes: vec![
                Change::SetProperties { section: Section::CrmConfig, set: None, pairs: off },
                Change::Put { object: Object::Primitive(primitive), mode: PutMode::Create },
            ],
            ..Configure::default()
        };
        self.node.handle_request(self.now, RequestId(1), Request::Configure(configure));
        self.settle();
    }

    fn end(&mut self, rc: i32) {
        let invocation = self.begun.pop().unwrap();
        let outcome = Outcome { rc, status: ExecStatus::Done, ..Outcome::default() };
        self.node.handle_outcome(self.now, invocation.id, outcome);
    }
}

/// A node whose resource is being probed, and will be started then.
fn probing() -> Loose {
    let mut node = Loose::new();
    node.run(Duration::from_secs(2));
    node.configure();
    node.run(Duration::from_millis(50));
    assert_eq!(node.begun.iter().map(|i| i.action.as_str()).collect::<Vec<_>>(), ["monitor"], "{:?}", node.events);
    node
}

#[test]
fn halves_on_their_own_do_what_one_node_does() {
    let mut node = probing();
    node.end(7);
    node.run(Duration::from_millis(50));
    assert_eq!(node.begun.iter().map(|i| i.action.as_str()).collect::<Vec<_>>(), ["start"]);
}

#[test]
fn after_a_pause_nothing_begins_before_the_ring_has_looked_at_the_clock() {
    let mut node = probing();
    // The order to start is delivered and lies between the halves when everything stops.
    node.end(7);
    for _ in 0..200 {
        let (up, down) = node.node.between();
        let ordered = node.events.iter().any(|event| matches!(event, Event::Transition { actions: 1.., .. }));
        if ordered && down == 0 && up > 0 {
            break;
        }
        node.node.pass_down(node.now, down);
        node.node.handle_ring_timeout(node.now);
        node.drain();
        if !ordered {
            let (up, _) = node.node.between();
            node.node.pass_up(node.now, up);
            node.node.handle_cluster_timeout(node.now);
            node.drain();
        }
    }
    node.now.mono += Duration::from_secs(20);
    let (up, _) = node.node.between();
    node.node.pass_up(node.now, up);
    node.node.handle_cluster_timeout(node.now);
    node.drain();
    assert!(node.begun.is_empty(), "the ring has not looked at the clock: {:?}", node.begun);
    node.run(Duration::from_secs(5));
    assert!(node.events.iter().any(|e| matches!(e, Event::Ring { what, .. } if what == "pause_detected")));
    assert_eq!(node.begun.iter().map(|i| i.action.as_str()).collect::<Vec<_>>(), ["start"], "and then it goes on");
}
