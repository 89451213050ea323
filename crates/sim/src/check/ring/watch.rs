//! What is looked at after every event, inside the engines:
//!
//! * EVS-6: one ring has one membership, from the first commit token on.
//! * EVS-15: a packet is forgotten only when every member of the ring has it.
//! * EVS-16: at any time at most one node acts on a token: their numbers grow over all nodes of a ring.
//! * EVS-20: what an engine keeps is bounded, and in a ring in service what all members were known to have at one visit of
//!   the token is forgotten at the next.
//! * EVS-21: no node sends more than `max_messages` packets in a visit of the token, and all together no more than
//!   `window_size` in a rotation.
//! * ACCOUNT: once a node has told the others what it brings from its old ring, it adds nothing to it by itself: all are
//!   given the same.
//!
//! An engine that dies amid its outputs is looked at too: it may have passed the token on before.

use std::collections::BTreeMap;

use hac_totem::{Engine, Inspection, RingInspection, Stage};
use hac_types::{Member, RingId};

use super::{Executed, Violation};

/// Names of the properties, as counted.
const NAMES: [&str; 6] = ["EVS-6", "EVS-15", "EVS-16", "EVS-20", "EVS-21", "ACCOUNT"];

/// How an engine was before an event and is after it.
pub(crate) type Step = (Inspection, Inspection);

/// What is seen of every engine, for the properties of this module.
#[derive(Clone, Debug)]
pub struct Watch {
    /// The packets of every ring have numbers above this.
    numbers_from: u64,
    window_size: u64,
    max_messages: u64,
    hosts: BTreeMap<u32, Seen>,
    rings: BTreeMap<RingId, Ring>,
    counts: [u64; NAMES.len()],
}

/// How a host was last seen.
#[derive(Clone, Debug)]
struct Seen {
    life: u64,
    last: Inspection,
    attempt: Option<RingId>,
    /// Packets sent before the present visit of the token.
    before_visit: u64,
}

/// What is known of a ring from all who are in it.
#[derive(Clone, Debug, Default)]
struct Ring {
    /// Who proposed the membership first, and it; a host alone never does.
    members: Option<(u32, Vec<Member>)>,
    /// The last token acted upon, and by whom.
    token: (u64, u32),
    /// Packets that each host has without gap.
    received: BTreeMap<u32, u64>,
    /// Packets that each host sent in its last visit.
    sent: BTreeMap<u32, u64>,
}

impl Watch {
    /// Nothing seen yet; with the limits of flow control and the number before the
    /// first packet of every ring.
    #[must_use]
    pub const fn new(window_size: u32, max_messages: u32, numbers_from: u64) -> Self {
        Self {
            numbers_from,
            window_size: window_size as u64,
            max_messages: max_messages as u64,
            hosts: BTreeMap::new(),
            rings: BTreeMap::new(),
            counts: [0; NAMES.len()],
        }
    }

    /// How often each property was looked at.
    pub fn report(&self, executed: &mut Executed) {
        for (name, count) in NAMES.into_iter().zip(self.counts).filter(|(_, count)| *count > 0) {
            *executed.entry(name).or_default() += count;
        }
    }

    /// Looks at an engine after an event, when all its outputs were taken. If it has changed, gives how it was before and
    /// how it is now.
    ///
    /// # Errors
    ///
    /// The property that is violated.
    pub fn look(&mut self, host: u32, life: u64, engine: &Engine) -> Result<Option<Step>, Violation> {
        self.follow(host, life, engine, engine.inspect())
    }

    /// Looks at an engine that dies and may have outputs left: what it did last counts, as others may act on the outputs
    /// that were taken.
    ///
    /// # Errors
    ///
    /// The property that is violated.
    pub fn look_at_dying(&mut self, host: u32, life: u64, engine: &Engine) -> Result<(), Violation> {
        self.follow(host, life, engine, Inspection { outputs: 0, ..engine.inspect() }).map(|_| ())
    }

    fn follow(&mut self, host: u32, life: u64, engine: &Engine, now: Inspection) -> Result<Option<Step>, Violation> {
        let seen = self.hosts.get(&host).filter(|seen| seen.life == life);
        let earlier = seen.map(|seen| seen.last);
        if earlier == Some(now) {
            return Ok(None);
        }
        let (attempted, mut before_visit) = seen.map_or((None, 0), |seen| (seen.attempt, seen.before_visit));
        self.bounded(host, &now)?;
        let attempt = engine.attempt();
        if let Some((ring, members)) = attempt
            && attempted != Some(ring)
        {
            self.created(host, ring, members)?;
        }
        for ring in [Some(now.installed), now.coming].into_iter().flatten() {
            if ring.ring == RingId::default() {
                continue;
            }
            let known =
                earlier.and_then(|e| [Some(e.installed), e.coming].into_iter().flatten().find(|r| r.ring == ring.ring));
            if ring.token_seq > known.map_or(self.numbers_from, |known| known.token_seq) {
                before_visit = earlier.map_or(0, |e| e.sent);
                self.acted(host, &ring)?;
                let in_service = earlier.filter(|earlier| earlier.stage == Stage::Operational);
                if let Some(before) = in_service.map(|earlier| earlier.installed).filter(|r| r.ring == ring.ring) {
                    self.forgotten(host, &before, &ring)?;
                }
            }
            // What is not new was judged when it was.
            if known.is_none_or(|known| (known.received, known.released) != (ring.received, ring.released)) {
                self.stable(host, &ring)?;
            }
        }
        let active = match now.stage {
            Stage::Operational => Some(now.installed),
            Stage::Recovery => now.coming,
            // The ring that was has ended here.
            Stage::Gather | Stage::Commit => None,
        };
        if let Some(active) = active.filter(|_| earlier.is_none_or(|earlier| earlier.sent != now.sent)) {
            self.windowed(host, &active, now.sent.saturating_sub(before_visit))?;
        }
        let attempt = attempt.map(|(ring, _)| ring);
        if let Some(earlier) = earlier.filter(|_| attempted.is_some() && attempt == attempted) {
            self.told(host, &earlier, &now)?;
        }
        self.hosts.insert(host, Seen { life, last: now, attempt, before_visit });
        Ok(earlier.map(|earlier| (earlier, now)))
    }

    fn bounded(&mut self, host: u32, now: &Inspection) -> Result<(), Violation> {
        self.counts[3] += 1;
        let rings = [Some(now.installed), now.coming];
        let stored = rings.iter().flatten().map(|ring| ring.stored as u64).max().unwrap_or(0);
        let within = stored <= Inspection::STORED_MAX
            && now.queued <= Inspection::QUEUED_MAX
            && now.queued_bytes <= Inspection::QUEUED_BYTES_MAX
            && now.outputs == 0;
        if within { Ok(()) } else { Err(Violation::new("EVS-20", format!("node{host} keeps too much: {now:?}"))) }
    }

    fn forgotten(&mut self, host: u32, before: &RingInspection, now: &RingInspection) -> Result<(), Violation> {
        self.counts[3] += 1;
        if now.released >= before.safe {
            return Ok(());
        }
        let (ring, safe, released) = (now.ring, before.safe, now.released);
        let text = format!("node{host} keeps packet {} of ring {ring}, though all had up to {safe}", released + 1);
        Err(Violation::new("EVS-20", text))
    }

    fn created(&mut self, host: u32, ring: RingId, members: &[Member]) -> Result<(), Violation> {
        self.counts[0] += 1;
        let known = &mut self.rings.entry(ring).or_default().members;
        let (first, expected) = known.get_or_insert_with(|| (host, members.to_vec()));
        if expected == members {
            return Ok(());
        }
        let text = format!("ring {ring} is to be {expected:?} for node{first} and {members:?} for node{host}");
        Err(Violation::new("EVS-6", text))
    }

    fn told(&mut self, host: u32, before: &Inspection, now: &Inspection) -> Result<(), Violation> {
        if (before.stage, now.stage) != (Stage::Commit, Stage::Commit) {
            return Ok(());
        }
        self.counts[5] += 1;
        if before.installed == now.installed {
            return Ok(());
        }
        let (ring, before, now) = (before.installed.ring, before.installed.stored, now.installed.stored);
        let text = format!("node{host} told what it has of ring {ring}, {before} packets, and then had {now}");
        Err(Violation::new("ACCOUNT", text))
    }

    fn acted(&mut self, host: u32, ring: &RingInspection) -> Result<(), Violation> {
        self.counts[2] += 1;
        let known = self.rings.entry(ring.ring).or_default();
        let (highest, by) = known.token;
        if ring.token_seq <= highest {
            let (ring, token) = (ring.ring, ring.token_seq);
            let text = format!("node{host} acts on token {token} of ring {ring}, node{by} has acted on {highest}");
            return Err(Violation::new("EVS-16", text));
        }
        known.token = (ring.token_seq, host);
        known.sent.insert(host, 0);
        Ok(())
    }

    fn stable(&mut self, host: u32, ring: &RingInspection) -> Result<(), Violation> {
        let none = self.numbers_from;
        let known = self.rings.entry(ring.ring).or_default();
        known.received.insert(host, ring.received);
        let Some((_, members)) = &known.members else { return Ok(()) };
        self.counts[1] += 1;
        let lacks = |member: &&Member| known.received.get(&member.node.0).copied().unwrap_or(none) < ring.released;
        let Some(member) = members.iter().find(lacks) else { return Ok(()) };
        let text = format!(
            "node{host} has forgotten packet {} of ring {}, which node{} has not received",
            ring.released, ring.ring, member.node
        );
        Err(Violation::new("EVS-15", text))
    }

    fn windowed(&mut self, host: u32, ring: &RingInspection, sent: u64) -> Result<(), Violation> {
        let known = self.rings.entry(ring.ring).or_default();
        if known.members.is_none() || !known.sent.contains_key(&host) {
            return Ok(());
        }
        self.counts[4] += 1;
        known.sent.insert(host, sent);
        let rotation: u64 = known.sent.values().sum();
        let text = if sent > self.max_messages {
            format!("node{host} sent {sent} packets in one visit of the token of ring {}", ring.ring)
        } else if rotation > self.window_size {
            format!("in one rotation of ring {} {rotation} packets were sent", ring.ring)
        } else {
            return Ok(());
        };
        Err(Violation::new("EVS-21", text))
    }
}
