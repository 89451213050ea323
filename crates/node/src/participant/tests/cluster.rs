//! The perfect stream and the hosts on it.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use hac_crm::cib::Replicated as _;
use hac_crm::executor::{Invocation, Outcome};
use hac_model::Cib;
use hac_netsim::{Formed, Stream};
use hac_totem::{AuthKey, Delivery, Guarantee, Stats};
use hac_types::{Incarnation, Member, NodeId, RingId, WallTime};

use super::store::Store;
use super::*;
use crate::halves::Down;
use crate::{NodeInfo, Persist, PersistId, Report};

/// A host's disk.
#[derive(Default)]
pub(crate) struct Disk {
    pub(crate) prepared: BTreeMap<u64, Vec<u8>>,
    pub(crate) committed: Option<u64>,
    pub(crate) content: Option<Vec<u8>>,
    pub(crate) highest: u64,
    pub(crate) full: bool,
    /// States that were given up.
    pub(crate) lost: Vec<(String, Vec<u8>)>,
    pub(crate) slow: bool,
    /// The key file cannot be replaced.
    pub(crate) keeps_key_file: bool,
    /// The key file, if it was replaced.
    pub(crate) authkey: Option<AuthKey>,
    pub(crate) next_key: Option<Vec<u8>>,
    waiting: Vec<(PersistId, Persist)>,
}

impl Disk {
    /// How many orders a slow disk has not carried out.
    pub(crate) fn waits(&self) -> usize {
        self.waiting.len()
    }

    /// What was being written is not.
    pub(crate) fn forget_writes(&mut self) {
        self.waiting.clear();
    }

    pub(crate) fn wipe(&mut self) {
        *self = Self::default();
    }

    /// What a daemon finds prepared that starts now: only what is newer than what counts.
    fn newest_prepared(&mut self) -> Option<(u64, Vec<u8>)> {
        let counts = self.committed.unwrap_or(0);
        self.prepared.retain(|number, _| *number > counts);
        self.prepared.last_key_value().map(|(number, bytes)| (*number, bytes.clone()))
    }

    fn perform(&mut self, what: Persist) -> Result<(), String> {
        match what {
            Persist::CibPrepare { .. } if self.full => Err("no space left on device".to_owned()),
            Persist::CibPrepare { generation, bytes } => {
                self.highest = self.highest.max(generation);
                self.prepared.insert(generation, bytes);
                Ok(())
            }
            Persist::CibCommit { generation } => {
                self.content = Some(self.prepared.remove(&generation).expect("prepared before"));
                self.committed = Some(generation);
                Ok(())
            }
            Persist::CibDiscard { generation } => {
                self.prepared.remove(&generation);
                Ok(())
            }
            Persist::CibLost { file, bytes } => {
                self.lost.push((file, bytes));
                Ok(())
            }
            Persist::CibLostSeen => {
                self.lost.clear();
                Ok(())
            }
            Persist::KeyStage { .. } | Persist::KeyCommit { .. } if self.full => {
                Err("no space left on device".to_owned())
            }
            Persist::KeyCommit { .. } if self.keeps_key_file => Err("input/output error".to_owned()),
            Persist::KeyStage { sealed } => {
                self.next_key = Some(sealed);
                Ok(())
            }
            Persist::KeyCommit { key } => {
                self.authkey = Some(key);
                self.next_key = None;
                Ok(())
            }
            Persist::KeyDiscard => {
                self.next_key = None;
                Ok(())
            }
            Persist::RingSeq(_) => Ok(()),
        }
    }
}

#[derive(Default)]
pub(super) struct Host {
    /// The highest level that its program knows; 0 stands for that of this build.
    max: u16,
    /// What the ring was last told about the level.
    told: Option<u16>,
    pub(super) participant: Option<Participant>,
    lives: u64,
    disk: Disk,
    started: BTreeMap<String, hac_crm::executor::Started>,
    replies: BTreeMap<RequestId, Vec<Reply>>,
    last_request: u64,
    /// Plans are made when the test says so.
    pub(crate) slow_planner: bool,
    pub(crate) asked: Vec<(DecideId, Arc<Cib>, WallTime)>,
    /// Its part above the ring hangs: it is given nothing and says nothing.
    pub(crate) hangs: bool,
    /// Without whom it wants the next ring to be formed.
    withheld: Vec<NodeId>,
    /// What it says that is not in the stream.
    words: VecDeque<Vec<u8>>,
    /// What it wants done that is not done.
    outputs: Vec<Output>,
    /// How its agents answer, unless they are left running.
    pub(crate) agents: Option<Agents>,
    /// What its agents were run for.
    pub(crate) invoked: Vec<Invocation>,
    /// Why it ended as one that was fenced.
    pub(crate) fenced: Option<String>,
    /// Runs of agents that were called off.
    cancelled: usize,
    /// What it remarked.
    remarks: Vec<String>,
}

/// What an agent answers at once; `None` leaves it running.
pub(crate) type Agents = fn(&Invocation) -> Option<Outcome>;

impl Host {
    pub(super) fn give(&mut self, now: Now, incoming: Incoming) {
        let participant = self.participant.as_mut().unwrap();
        if matches!(&incoming, Incoming::View(view) if view.kind == ViewKind::Regular) {
            self.words.clear();
        }
        participant.handle(now, incoming);
        self.collect();
    }

    fn is_due(&self, now: Now) -> bool {
        let due = self.participant.as_ref().and_then(Participant::poll_timeout);
        due.is_some_and(|due| due <= now.mono)
    }

    /// It does what is due.
    fn pass_time(&mut self, now: Now) {
        if self.is_due(now) {
            self.give(now, Incoming::Time);
        }
    }

    fn collect(&mut self) {
        while let Some(effect) = self.participant.as_mut().and_then(Participant::poll_effect) {
            match effect {
                Effect::Down(Down::Broadcast(bytes)) => self.words.push_back(bytes),
                Effect::Down(Down::Exclude(nodes, _)) => self.withheld.extend(nodes),
                Effect::Down(Down::SetLevel(level)) => self.told = Some(level.0),
                Effect::Down(Down::Leave(_)) => self.words.clear(),
                Effect::Down(_) => {}
                Effect::Do(output) => self.outputs.push(output),
            }
        }
    }
}

/// See the module.
pub(crate) struct Cluster {
    pub(super) hosts: BTreeMap<u32, Host>,
    pub(super) now: Now,
    stream: Stream,
    /// The level of the next rings.
    level: hac_types::Level,
    /// The store that has the third vote, if the files name one.
    pub(crate) store: Option<Store>,
}

impl Cluster {
    pub(crate) fn new(count: u32) -> Self {
        let now = Now { mono: Timestamp::from_millis(1), wall: WallTime(1_700_000_000_000) };
        let host = |id| (id, Host::default());
        let mut cluster = Self {
            hosts: (1..=count).map(host).collect(),
            now,
            stream: Stream::default(),
            level: hac_types::Level::FIRST,
            store: None,
        };
        for id in 1..=count {
            cluster.start(id);
        }
        cluster
    }

    fn config(&self, id: u32) -> Config {
        let ids: Vec<u32> = self.hosts.keys().copied().collect();
        let voters =
            ids.iter().map(|&id| hac_quorum::Voter { node: NodeId(id), name: format!("node{id}"), votes: 1 }).collect();
        let mut quorum = hac_quorum::Config::new(NodeId(id), voters);
        quorum.arbiter = self.store.is_some();
        quorum.arbiter_model = self.store.as_ref().map(Store::model).unwrap_or_default();
        quorum.two_node = ids.len() == 2 && !quorum.arbiter;
        Config {
            totem: hac_totem::Config {
                cluster_name: "test".to_owned(),
                node: NodeId(id),
                nodes: ids.iter().map(|&id| hac_totem::NodeConfig { node: NodeId(id), links: 1 }).collect(),
                links: 1,
                authkey: self.key_file(id),
                cipher: hac_totem::Cipher::None,
                timers: hac_totem::Timers::default(),
                window_size: 50,
                max_messages: 17,
                netmtu: 1500,
                contract: self.contract(id),
            },
            quorum,
            name: format!("node{id}"),
            nodes: ids.iter().map(|&id| NodeInfo { id: NodeId(id), name: format!("node{id}") }).collect(),
            cluster_name: "test".to_owned(),
            version: "0.1.0".to_owned(),
            seed: None,
            shutdown_escalation: Config::SHUTDOWN_ESCALATION,
            request_timeout: Config::REQUEST_TIMEOUT,
            cores: 2,
        }
    }

    fn contract(&self, id: u32) -> hac_totem::Contract {
        let mut contract = hac_totem::Contract::default();
        if self.hosts[&id].max > 0 {
            contract.levels.max = hac_types::Level(self.hosts[&id].max);
        }
        contract
    }

    /// Hosts whose programs know levels 1 to `max`; a host for each.
    pub(crate) fn of_levels(max: &[u16]) -> Self {
        let mut cluster = Self::new(0);
        cluster.hosts = (1..).zip(max).map(|(id, &max)| (id, Host { max, ..Host::default() })).collect();
        cluster.ids().into_iter().for_each(|id| cluster.start(id));
        cluster
    }

    /// A host starts with a program that knows levels 1 to `max`.
    pub(crate) fn start_with(&mut self, id: u32, max: u16) {
        self.hosts.get_mut(&id).unwrap().max = max;
        self.start(id);
    }

    pub(crate) fn ids(&self) -> Vec<u32> {
        self.hosts.keys().copied().collect()
    }

    /// The level of the cluster, as this node has it.
    pub(crate) fn level(&self, node: u32) -> u16 {
        self.report(node).cluster.level.0
    }

    /// The level that the ring was told last, in this view.
    pub(crate) fn told_level(&self, node: u32) -> Option<u16> {
        self.hosts[&node].told
    }

    /// These form a membership whose ring has this level.
    pub(crate) fn view_at(&mut self, members: &[u32], level: u16) {
        self.level = hac_types::Level(level);
        self.view(members);
        self.level = hac_types::Level::FIRST;
    }

    pub(crate) fn start(&mut self, id: u32) {
        let config = self.config(id);
        config.validate().unwrap();
        let now = self.now;
        let host = self.hosts.get_mut(&id).unwrap();
        host.lives += 1;
        let stored = Stored {
            totem: hac_totem::Stored { ring_seq: 0, incarnation: Incarnation(host.lives << 32) },
            cib: host.disk.content.clone(),
            cib_generation: host.disk.highest,
            prepared: host.disk.newest_prepared(),
            lost: host.disk.lost.clone(),
            next_key: host.disk.next_key.clone(),
            started: host.started.clone(),
        };
        self.stream.restart(NodeId(id));
        host.participant = Some(Participant::new(&config, stored, now).unwrap());
        host.collect();
    }

    /// The key that a daemon finds which starts on this host.
    pub(crate) fn key_file(&self, id: u32) -> AuthKey {
        self.hosts[&id].disk.authkey.clone().unwrap_or_else(|| AuthKey::new(vec![7; 32]).unwrap())
    }

    pub(crate) fn kill(&mut self, id: u32) {
        let host = self.hosts.get_mut(&id).unwrap();
        host.participant = None;
        host.words.clear();
        host.outputs.clear();
        host.disk.prepared.clear();
        host.disk.waiting.clear();
    }

    /// As [`kill`](Self::kill), with what was prepared still on the disk.
    pub(crate) fn power_off(&mut self, id: u32) {
        self.hosts.get_mut(&id).unwrap().participant = None;
    }

    fn member(&self, id: u32) -> Member {
        let incarnation = Incarnation(self.hosts[&id].lives << 32);
        Member { node: NodeId(id), incarnation }
    }

    /// These form a membership; then everything happens that can happen at once.
    pub(crate) fn view(&mut self, members: &[u32]) {
        self.form(members);
        self.settle();
    }

    /// The ring's number is on the disk of this node, or could not be put there.
    pub(crate) fn ring_number(&mut self, id: u32, result: Result<(), String>) {
        let now = self.now;
        self.hosts.get_mut(&id).unwrap().give(now, Incoming::RingNumber(result));
    }

    /// These sides form a membership each.
    pub(crate) fn split(&mut self, sides: &[&[u32]]) {
        for side in sides {
            self.form(side);
        }
        self.settle();
    }

    pub(crate) fn form(&mut self, ids: &[u32]) {
        let members: Vec<Member> = ids.iter().map(|&id| self.member(id)).collect();
        let now = self.now;
        for Formed { node, transitional, regular } in self.stream.form(&members) {
            let host = self.hosts.get_mut(&node.0).unwrap();
            host.told = None;
            let regular = View { level: self.level, ..regular };
            for view in transitional.into_iter().chain([regular]) {
                host.give(now, Incoming::View(view));
            }
        }
    }

    /// Everything happens that can happen without time passing.
    pub(crate) fn settle(&mut self) {
        for _ in 0..100_000 {
            if !self.step() {
                return;
            }
        }
        panic!("it never settles");
    }

    pub(crate) fn step(&mut self) -> bool {
        let mut any = false;
        let mut messages: VecDeque<(u32, Vec<u8>)> = VecDeque::new();
        let now = self.now;
        for (&id, host) in &mut self.hosts {
            if host.hangs || host.participant.is_none() {
                continue;
            }
            any |= host.is_due(now);
            host.pass_time(now);
            messages.extend(host.words.drain(..).map(|bytes| (id, bytes)));
            for output in std::mem::take(&mut host.outputs) {
                any = true;
                match output {
                    Output::Persist { id, what } if host.disk.slow => {
                        host.disk.waiting.push((id, what));
                    }
                    Output::Persist { id, what } => {
                        let result = host.disk.perform(what);
                        host.give(now, Incoming::Persisted(id, result));
                    }
                    Output::Decide { id, cib, wall, .. } if host.slow_planner => host.asked.push((id, cib, wall)),
                    Output::Decide { id, cib, wall, .. } => {
                        let plan = hac_scheduler::schedule(&cib, wall);
                        host.give(now, Incoming::Decided(id, Ok(plan)));
                    }
                    Output::Remember(resource, Some(started)) => drop(host.started.insert(resource, started)),
                    Output::Remember(resource, None) => drop(host.started.remove(&resource)),
                    Output::Ask(question_id, question) => {
                        let answer = format!("node{id} was asked: {question}");
                        host.give(now, Incoming::Answered(question_id, answer));
                    }
                    Output::Invoke(invocation) => {
                        let outcome = host.agents.and_then(|agents| agents(&invocation));
                        let id = invocation.id;
                        host.invoked.push(invocation);
                        outcome.into_iter().for_each(|outcome| host.give(now, Incoming::Outcome(id, outcome)));
                    }
                    Output::CancelInvocation(_) => host.cancelled += 1,
                    Output::Arbiter { id: asked, request, .. } => {
                        if let Some(store) = &mut self.store {
                            let answer = store.serve(id, request);
                            host.give(now, Incoming::Arbiter(asked, answer));
                        }
                    }
                    Output::Fenced { why, .. } => host.fenced = Some(why),
                    Output::Event(told) => {
                        if let crate::Event::Remark { text, .. } = told.event {
                            host.remarks.push(text);
                        }
                    }
                    Output::Reply { id, reply } => host.replies.entry(id).or_default().push(reply),
                    _ => {}
                }
            }
        }
        for (from, bytes) in messages {
            any = true;
            self.broadcast(from, &bytes);
        }
        any
    }

    fn broadcast(&mut self, from: u32, bytes: &[u8]) {
        let Some(ring) = self.stream.ring(NodeId(from)) else { return };
        let Some((seq, to)) = self.stream.say(NodeId(from)) else { return };
        for id in to {
            self.deliver(id.0, from, (ring, seq), bytes);
        }
    }

    fn deliver(&mut self, to: u32, from: u32, (ring, seq): (RingId, u64), bytes: &[u8]) {
        let delivery = Delivery {
            ring,
            seq,
            origin: NodeId(from),
            guarantee: Guarantee::Safe,
            transitional: false,
            payload: bytes.to_vec(),
        };
        let now = self.now;
        let host = self.hosts.get_mut(&to).unwrap();
        if host.participant.is_some() && !host.hangs {
            host.give(now, Incoming::Delivery(delivery));
        }
    }

    /// One node alone is given what another never said.
    pub(crate) fn deliver_bytes(&mut self, to: u32, from: u32, bytes: &[u8]) {
        let ring = self.stream.ring(NodeId(to)).unwrap();
        self.deliver(to, from, (ring, 0), bytes);
    }

    /// All agents answer so from now on.
    pub(crate) fn agents_answer(&mut self, agents: Agents) {
        self.hosts.values_mut().for_each(|host| host.agents = Some(agents));
    }

    /// What a node's agents were run for since this was asked last.
    pub(crate) fn invoked(&mut self, id: u32) -> Vec<Invocation> {
        self.hosts.get_mut(&id).map(|host| std::mem::take(&mut host.invoked)).unwrap_or_default()
    }

    /// An agent that was left running ends.
    pub(crate) fn agent_ends(&mut self, id: u32, invocation: &Invocation, outcome: Outcome) {
        let now = self.now;
        let host = self.hosts.get_mut(&id).unwrap();
        host.give(now, Incoming::Outcome(invocation.id, outcome));
        self.settle();
    }

    /// How many runs of agents were called off.
    pub(crate) fn cancelled(&self, id: u32) -> usize {
        self.hosts[&id].cancelled
    }

    /// Why a node ended as one that was fenced.
    pub(crate) fn fenced(&self, id: u32) -> Option<&str> {
        self.hosts[&id].fenced.as_deref()
    }

    /// What a node remarked so far.
    pub(crate) fn remarks(&self, id: u32) -> Vec<String> {
        self.hosts[&id].remarks.clone()
    }

    pub(crate) fn advance(&mut self, by: Duration) {
        self.now.mono += by;
        self.now.wall.0 += i64::try_from(by.as_millis()).unwrap();
        self.settle();
    }

    pub(crate) fn request(&mut self, node: u32, request: Request) -> RequestId {
        let now = self.now;
        let host = self.hosts.get_mut(&node).unwrap();
        host.last_request += 1;
        let id = RequestId(host.last_request);
        host.give(now, Incoming::Request(id, request));
        id
    }

    /// The node is asked to leave in order.
    pub(crate) fn shutdown(&mut self, node: u32) {
        let now = self.now;
        self.hosts.get_mut(&node).unwrap().give(now, Incoming::Shutdown);
    }

    pub(crate) fn ask(&mut self, node: u32, request: Request) -> Option<Reply> {
        let id = self.request(node, request);
        self.settle();
        self.reply(node, id)
    }

    pub(crate) fn reply(&self, node: u32, id: RequestId) -> Option<Reply> {
        self.hosts[&node].replies.get(&id).and_then(|all| all.first().cloned())
    }

    pub(crate) fn replies(&self, node: u32, id: RequestId) -> usize {
        self.hosts[&node].replies.get(&id).map_or(0, Vec::len)
    }

    /// Asks, but takes the message away before it is delivered.
    pub(crate) fn capture(&mut self, node: u32, request: Request) -> (u32, Vec<u8>) {
        self.request(node, request);
        (node, self.hosts.get_mut(&node).unwrap().words.pop_front().unwrap())
    }

    pub(crate) fn inject(&mut self, (from, bytes): &(u32, Vec<u8>)) {
        self.broadcast(*from, bytes);
        self.settle();
    }

    /// The oldest write of a slow disk ends.
    pub(crate) fn end_a_write(&mut self, node: u32) {
        let now = self.now;
        let host = self.hosts.get_mut(&node).unwrap();
        let (persist, what) = host.disk.waiting.remove(0);
        let result = host.disk.perform(what);
        host.give(now, Incoming::Persisted(persist, result));
        self.settle();
    }

    /// Slow disks finish, and what their nodes say then is taken away before it is delivered.
    pub(crate) fn words_after_writing(&mut self) -> Vec<(u32, Vec<u8>)> {
        let now = self.now;
        let mut words = Vec::new();
        for (&id, host) in &mut self.hosts {
            if host.participant.is_none() {
                continue;
            }
            host.disk.slow = false;
            for (persist, what) in std::mem::take(&mut host.disk.waiting) {
                let result = host.disk.perform(what);
                host.give(now, Incoming::Persisted(persist, result));
            }
            words.extend(host.words.drain(..).map(|bytes| (id, bytes)));
        }
        words
    }

    /// A node's membership breaks up, and these messages are the last that it is handed in it.
    pub(crate) fn break_up(&mut self, node: u32, last: &[(u32, Vec<u8>)]) {
        let view = self.stream.break_up(self.member(node)).unwrap();
        let ring = view.ring;
        let now = self.now;
        self.hosts.get_mut(&node).unwrap().give(now, Incoming::View(view));
        for (from, bytes) in last {
            self.deliver(node, *from, (ring, 0), bytes);
        }
    }

    pub(crate) fn say_as(&mut self, node: u32, body: Body) {
        let host = self.hosts.get_mut(&node).unwrap();
        host.participant.as_mut().unwrap().broadcast(body);
        host.collect();
        self.settle();
    }

    /// From now on the plans of a node are made when [`planned`](Self::planned) is called.
    pub(crate) fn slow_planner(&mut self, node: u32) {
        self.hosts.get_mut(&node).unwrap().slow_planner = true;
    }

    /// How many plans were asked for that have not been made.
    pub(crate) fn unplanned(&self, node: u32) -> usize {
        self.hosts[&node].asked.len()
    }

    /// What a node asked for is answered: with the plan, or with why there is none.
    pub(crate) fn planned(&mut self, node: u32, why_not: Option<Unplannable>) {
        let now = self.now;
        let host = self.hosts.get_mut(&node).unwrap();
        for (id, cib, wall) in std::mem::take(&mut host.asked) {
            let plan = why_not.clone().map_or_else(|| Ok(hac_scheduler::schedule(&cib, wall)), Err);
            host.give(now, Incoming::Decided(id, plan));
        }
        self.settle();
    }

    /// Time passes and nothing else happens.
    pub(crate) fn pass(&mut self, by: Duration) {
        self.now.mono += by;
    }

    /// What a node has to say does not get into the stream.
    pub(crate) fn lose_words_of(&mut self, node: u32) {
        self.hosts.get_mut(&node).unwrap().words.clear();
    }

    /// One message of one node gets into the stream and is delivered; whether there was one.
    pub(crate) fn trickle(&mut self) -> bool {
        let now = self.now;
        for id in self.hosts.keys().copied().collect::<Vec<_>>() {
            let host = self.hosts.get_mut(&id).unwrap();
            if host.participant.is_none() || host.hangs {
                continue;
            }
            host.pass_time(now);
            if let Some(bytes) = host.words.pop_front() {
                self.broadcast(id, &bytes);
                return true;
            }
        }
        false
    }

    /// All that is said gets into the stream as `change` makes it.
    pub(crate) fn replace_words(&mut self, change: impl Fn(Body) -> Body) {
        loop {
            let mut words = Vec::new();
            for (&id, host) in &mut self.hosts {
                words.extend(host.words.drain(..).map(|bytes| (id, bytes)));
            }
            if words.is_empty() {
                return self.settle();
            }
            for (from, bytes) in words {
                let Message { ring, body } = wire::decode(&bytes, hac_types::Level::FIRST).unwrap();
                let bytes = wire::encode(&Message { ring, body: change(body) }, hac_types::Level::FIRST).unwrap();
                self.broadcast(from, &bytes);
            }
        }
    }

    /// The part above the ring hangs from now on, or no longer.
    pub(crate) fn hang(&mut self, node: u32, hangs: bool) {
        self.hosts.get_mut(&node).unwrap().hangs = hangs;
    }

    /// Without whom a node wants the next ring to be formed; told once.
    pub(crate) fn withheld(&mut self, node: u32) -> Vec<u32> {
        let nodes = std::mem::take(&mut self.hosts.get_mut(&node).unwrap().withheld);
        nodes.into_iter().map(|node| node.0).collect()
    }

    /// Whether the node has left.
    pub(crate) fn has_left(&self, node: u32) -> bool {
        self.report(node).sync == crate::SyncState::Stopped
    }

    pub(crate) fn disk(&mut self, node: u32) -> &mut Disk {
        &mut self.hosts.get_mut(&node).unwrap().disk
    }

    pub(crate) fn cib(&self, node: u32) -> &Cib {
        self.hosts[&node].participant.as_ref().unwrap().cib()
    }

    /// The state as people see it.
    pub(crate) fn shown(&self, node: u32) -> Arc<Cib> {
        self.hosts[&node].participant.as_ref().unwrap().shown()
    }

    pub(crate) fn report(&self, node: u32) -> Report {
        let participant = self.hosts[&node].participant.as_ref().unwrap();
        participant.report(self.now, &Stats::default(), &[])
    }

    /// These have the same state.
    pub(crate) fn assert_equal(&self, nodes: &[u32]) {
        for pair in nodes.windows(2) {
            let (a, b) = (self.cib(pair[0]), self.cib(pair[1]));
            assert_eq!(a, b, "nodes {pair:?} differ");
            assert_eq!(a.digest(), b.digest());
        }
    }
}
