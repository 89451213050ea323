//! The messages, and the only place that knows how they become bytes.
//!
//! A body is one type byte and the bincode encoding (variable-length integers, little endian) of the message. Decoding
//! happens behind the authentication code, is bounded in memory, refuses trailing bytes and ends with [`Validate`], so
//! that the protocol never sees a list that is unsorted, too long or contradicts itself.
//!
//! ```text
//! HELLO  ◄──► HELLO                 sessions
//! PING   ───► PONG                  life, round trip, who hears whom
//! JOIN   ◄──► JOIN                  agreement on a membership          (gather)
//! COMMIT ───► next ───► … twice     the new ring and what each has     (commit)
//! TOKEN  ───► next ───► …           order, stability, flow             (recovery, operational)
//! RECOVERED ► all                   a message of the old ring          (recovery)
//! DATA   ───► all                   packed messages                    (operational)
//! HOLD_CANCEL ► representative      "let the token go on"
//! LEAVE  ───► all                   goodbye
//! SEGMENT                           a piece of a body too large for the path
//! DOUBLED                           "somebody else claims to be you"
//! MTU_PROBE ► MTU_ACK               does a datagram of this size pass
//! ```

use std::ops::Deref;

use bincode::config::{Configuration, Limit, LittleEndian, Varint};
use bincode::de::{Decode, Decoder};
use bincode::enc::{Encode, Encoder};
use bincode::error::{DecodeError, EncodeError};
use hac_types::{Departure, Incarnation, Left, Level, LevelWindow, Member, NodeId, RingId};

use crate::Rejected;
use crate::config::NODES_MAX;
use crate::wire::{Class, Hello};

#[cfg(test)]
mod tests;

/// Most retransmission requests a token carries.
pub(crate) const REQUESTS_MAX: usize = 64;
/// Bytes that nearly every body stays below, its payload aside.
const BODY_USUAL: usize = 96;
/// Most pieces a body may be cut into.
pub(crate) const SEGMENTS_MAX: u16 = 64;

const BODY_MAX: usize = 65_535;

type Format = Configuration<LittleEndian, Varint, Limit<BODY_MAX>>;

fn format() -> Format {
    bincode::config::standard().with_limit::<BODY_MAX>()
}

/// Everything one node can say to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Message {
    Token(Token),
    Data(Data),
    Recovered(Recovered),
    Join(Join),
    Leave(Leave),
    Commit(Commit),
    HoldCancel(RingId),
    Ping(Liveness),
    Pong(Liveness),
    Hello(Hello),
    MtuProbe(Vec<u8>),
    MtuAck(u16),
    Segment(Segment),
    Doubled,
}

/// The right to send, and the account of what was sent and received.
#[derive(Clone, Debug, Default, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub(crate) struct Token {
    #[bincode(with_serde)]
    pub(crate) ring: RingId,
    /// Grows with every hop; tells a repeated token from a new one.
    pub(crate) token_seq: u64,
    /// Highest message number given out.
    pub(crate) seq: u64,
    /// Every member has everything up to here (all received up to).
    pub(crate) aru: u64,
    /// Who lowered `aru`; 0 if nobody lacks anything.
    pub(crate) aru_addr: u32,
    /// Messages sent in the last rotation (flow control count).
    pub(crate) fcc: u32,
    /// Messages waiting at all members.
    pub(crate) backlog: u32,
    /// Somebody still has messages of the old ring to send.
    pub(crate) retrans: bool,
    /// Messages somebody lacks, strictly ascending.
    pub(crate) requests: Vec<u64>,
}

/// A packet of messages in its place in the order.
#[derive(Clone, Debug, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub(crate) struct Data {
    #[bincode(with_serde)]
    pub(crate) ring: RingId,
    pub(crate) seq: u64,
    #[bincode(with_serde)]
    pub(crate) origin: NodeId,
    /// Deliver only when every member has it.
    pub(crate) safe: bool,
    /// Packed messages, see `pack`.
    pub(crate) payload: Vec<u8>,
}

/// A packet of the old ring, sent again in the new one to those who come along.
#[derive(Clone, Debug, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub(crate) struct Recovered {
    #[bincode(with_serde)]
    pub(crate) ring: RingId,
    pub(crate) seq: u64,
    #[bincode(with_serde)]
    pub(crate) sender: NodeId,
    pub(crate) old: Data,
}

/// Who says to hear whom: the sender's own row, and while the rows differ all others it knows, so that everybody sees
/// the same graph.
#[derive(Clone, Debug, Default, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub(crate) struct Knowledge {
    /// Everybody mentioned, in any of its lives, ascending; rows refer to positions here.
    nodes: Members,
    rows: Vec<RowBits>,
}

#[derive(Clone, Debug, PartialEq, Eq, bincode::Encode, bincode::Decode)]
struct RowBits {
    node: u8,
    /// Grows with every change in one life of the node.
    version: u64,
    /// Bit n: hears the n-th node, and is heard by it, as an answered ping proved.
    heard: u64,
    /// Bit n: goes without the n-th node although it answers.
    excluded: u64,
}

/// A proposal for a membership.
#[derive(Clone, Debug, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub(crate) struct Join {
    /// Grows each time the sender enters the gather state.
    pub(crate) round: u64,
    /// Grows with each change of the proposal within the round.
    pub(crate) version: u64,
    /// Highest ring number the sender knows of.
    pub(crate) ring_seq: u64,
    pub(crate) proposal: Members,
    pub(crate) knowledge: Knowledge,
    /// Who is known to have left.
    pub(crate) departed: Departed,
}

/// An orderly goodbye.
#[derive(Clone, Debug, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub(crate) struct Leave {
    #[bincode(with_serde)]
    pub(crate) ring: RingId,
    pub(crate) resources_clean: bool,
    pub(crate) restart: bool,
}

/// The commit token: collects in its first rotation what each member has, and shows it to all in its second.
#[derive(Clone, Debug, PartialEq, Eq, Hash, bincode::Encode, bincode::Decode)]
pub(crate) struct Commit {
    #[bincode(with_serde)]
    pub(crate) ring: RingId,
    pub(crate) token_seq: u64,
    pub(crate) members: Members,
    /// The proposal of each member that the ring is built on.
    pub(crate) stamps: Vec<Stamp>,
    /// One for each member, filled in order.
    pub(crate) slots: Vec<Slot>,
    pub(crate) departed: Departed,
}

/// Which of a node's proposals: compared as a whole, later ones are greater.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, bincode::Encode, bincode::Decode)]
pub(crate) struct Stamp {
    /// As in [`Join`].
    pub(crate) round: u64,
    /// As in [`Join`].
    pub(crate) version: u64,
}

/// What one member brings from its old ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, bincode::Encode, bincode::Decode)]
pub(crate) struct Slot {
    #[bincode(with_serde)]
    pub(crate) old_ring: RingId,
    /// It has everything up to here.
    pub(crate) aru: u64,
    /// The highest packet it has.
    pub(crate) high: u64,
    /// The gather round in which it agreed.
    pub(crate) round: u64,
    /// Bit n: what the n-th member of the old ring sent must be delivered even after a gap, because somebody may have
    /// delivered it already, relying on this member.
    pub(crate) obliged: u64,
    /// The active level it brings; none if it has never been in a cluster.
    #[bincode(with_serde)]
    pub(crate) level: Level,
    /// The levels it knows.
    #[bincode(with_serde)]
    pub(crate) levels: LevelWindow,
}

/// Body of PING and PONG.
#[derive(Clone, Debug, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub(crate) struct Liveness {
    /// The pinging node's clock, given back unread.
    pub(crate) sent_at: u64,
    /// The ring the sender is in; default while it looks for one.
    #[bincode(with_serde)]
    pub(crate) ring: RingId,
    /// The sender lacks packets for long: send small datagrams only.
    pub(crate) small_only: bool,
    pub(crate) knowledge: Knowledge,
}

/// A piece of a body that is too large for one datagram on its path.
#[derive(Clone, Debug, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub(crate) struct Segment {
    pub(crate) id: u64,
    pub(crate) index: u16,
    pub(crate) count: u16,
    pub(crate) bytes: Vec<u8>,
}

/// Members, ascending by node id, each node once.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Members(pub(crate) Vec<Member>);

impl Deref for Members {
    type Target = [Member];

    fn deref(&self) -> &[Member] {
        &self.0
    }
}

impl Members {
    /// The life in which `node` is among them.
    pub(crate) fn incarnation_of(&self, node: NodeId) -> Option<Incarnation> {
        self.iter().find(|m| m.node == node).map(|m| m.incarnation)
    }

    /// Which of `among` these are, the first being bit 0; both are ascending. Those beyond the 64th do not count.
    pub(crate) fn places_in(&self, among: &[Member]) -> u64 {
        let mut places = among.iter().take(NODES_MAX).enumerate().peekable();
        let mut set = 0;
        for member in self.iter() {
            while places.next_if(|(_, other)| *other < member).is_some() {}
            if let Some((index, _)) = places.next_if(|(_, other)| *other == member) {
                set |= 1 << index;
            }
        }
        set
    }

    /// Whether all of these are among `others`; both are ascending.
    pub(crate) fn are_in(&self, others: &[Member]) -> bool {
        usize::try_from(self.places_in(others).count_ones()) == Ok(self.len())
    }
}

impl Knowledge {
    /// Collects rows: who, which version, whom it hears. Rows are exact or left out: the first is the most important.
    pub(crate) fn new(rows: impl Iterator<Item = Said>) -> Self {
        let mut nodes: Vec<Member> = Vec::new();
        let mut chosen = Vec::new();
        for row in rows {
            let Said { member, heard, excluded, .. } = &row;
            if !heard.are_in(&nodes) || !excluded.are_in(&nodes) || nodes.binary_search(member).is_err() {
                let mut with = [&nodes, &heard[..], &excluded[..], &[*member]].concat();
                with.sort_unstable();
                with.dedup();
                if with.len() > NODES_MAX {
                    continue;
                }
                nodes = with;
            }
            chosen.push(row);
        }
        let rows = chosen.into_iter().filter_map(|Said { member, version, heard, excluded }| {
            let node = u8::try_from(nodes.binary_search(&member).ok()?).ok()?;
            let (heard, excluded) = (heard.places_in(&nodes), excluded.places_in(&nodes));
            Some(RowBits { node, version, heard, excluded })
        });
        let mut rows: Vec<RowBits> = rows.collect();
        rows.sort_unstable_by_key(|row| row.node);
        Self { nodes: Members(nodes), rows }
    }

    /// The rows.
    pub(crate) fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        self.rows.iter().filter_map(|row| {
            let member = *self.nodes.get(usize::from(row.node))?;
            let RowBits { version, heard, excluded, .. } = *row;
            Some(Row { member, version, heard, excluded, nodes: &self.nodes })
        })
    }
}

/// What a node says of whom it hears.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row<'a> {
    /// Who says it.
    pub(crate) member: Member,
    /// Grows with every change in one life of the node.
    pub(crate) version: u64,
    heard: u64,
    excluded: u64,
    nodes: &'a Members,
}

/// What a node says of the others, before it is written down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Said {
    /// Who says it.
    pub(crate) member: Member,
    /// Grows with every change in one life of the node.
    pub(crate) version: u64,
    /// Whom it hears.
    pub(crate) heard: Members,
    /// Whom it goes without although they answer.
    pub(crate) excluded: Members,
}

impl Row<'_> {
    /// Whom it hears.
    pub(crate) fn heard(&self) -> Members {
        self.named(self.heard)
    }

    /// Whom it goes without although they answer.
    pub(crate) fn excluded(&self) -> Members {
        self.named(self.excluded)
    }

    fn named(&self, bits: u64) -> Members {
        let named = self.nodes.iter().enumerate().filter(|(index, _)| bits & (1 << index) != 0);
        Members(named.map(|(_, member)| *member).collect())
    }
}

impl Encode for Members {
    fn encode<E: Encoder>(&self, encoder: &mut E) -> Result<(), EncodeError> {
        length(self.0.len()).encode(encoder)?;
        self.0.iter().try_for_each(|member| encode_member(member, encoder))
    }
}

impl<Context> Decode<Context> for Members {
    fn decode<D: Decoder<Context = Context>>(decoder: &mut D) -> Result<Self, DecodeError> {
        let count = bounded(u16::decode(decoder)?)?;
        let mut members = Vec::with_capacity(count);
        for _ in 0..count {
            members.push(decode_member(decoder)?);
        }
        Ok(Self(members))
    }
}

/// Nodes known to have left in order, ascending by node id.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Departed(pub(crate) Vec<Left>);

impl Encode for Departed {
    fn encode<E: Encoder>(&self, encoder: &mut E) -> Result<(), EncodeError> {
        length(self.0.len()).encode(encoder)?;
        self.0.iter().try_for_each(|left| {
            encode_member(&left.member, encoder)?;
            (left.departure == Departure::LeftClean).encode(encoder)
        })
    }
}

impl<Context> Decode<Context> for Departed {
    fn decode<D: Decoder<Context = Context>>(decoder: &mut D) -> Result<Self, DecodeError> {
        let count = bounded(u16::decode(decoder)?)?;
        let mut departed = Vec::with_capacity(count);
        for _ in 0..count {
            let member = decode_member(decoder)?;
            let clean = bool::decode(decoder)?;
            let departure = if clean { Departure::LeftClean } else { Departure::LeftUnclean };
            departed.push(Left { member, departure });
        }
        Ok(Self(departed))
    }
}

bincode::impl_borrow_decode!(Members);
bincode::impl_borrow_decode!(Departed);

fn length(count: usize) -> u16 {
    u16::try_from(count).unwrap_or(u16::MAX)
}

fn bounded(count: u16) -> Result<usize, DecodeError> {
    if usize::from(count) <= NODES_MAX { Ok(usize::from(count)) } else { Err(DecodeError::LimitExceeded) }
}

fn encode_member<E: Encoder>(member: &Member, encoder: &mut E) -> Result<(), EncodeError> {
    member.node.0.encode(encoder)?;
    member.incarnation.0.encode(encoder)
}

fn decode_member<Context, D: Decoder<Context = Context>>(decoder: &mut D) -> Result<Member, DecodeError> {
    let node = NodeId(u32::decode(decoder)?);
    Ok(Member { node, incarnation: Incarnation(u64::decode(decoder)?) })
}

/// Whether a decoded message makes sense in itself.
trait Validate {
    fn is_valid(&self) -> bool;
}

impl Validate for Members {
    fn is_valid(&self) -> bool {
        let ids = self.iter().all(|m| (1..=65535).contains(&m.node.0));
        ids && self.len() <= NODES_MAX && self.windows(2).all(|pair| pair[0].node < pair[1].node)
    }
}

impl Validate for Departed {
    fn is_valid(&self) -> bool {
        self.0.len() <= NODES_MAX && self.0.windows(2).all(|pair| pair[0].member.node < pair[1].member.node)
    }
}

impl Validate for Knowledge {
    fn is_valid(&self) -> bool {
        let count = self.nodes.len();
        let beyond = if count < 64 { u64::MAX << count } else { 0 };
        count <= NODES_MAX
            && self.nodes.windows(2).all(|pair| pair[0] < pair[1])
            && self.rows.windows(2).all(|pair| pair[0].node < pair[1].node)
            && self.rows.iter().all(|row| usize::from(row.node) < count && (row.heard | row.excluded) & beyond == 0)
    }
}

impl Validate for Token {
    fn is_valid(&self) -> bool {
        let ascending = self.requests.windows(2).all(|pair| pair[0] < pair[1]);
        let first = self.requests.first().is_none_or(|first| *first > 0);
        let last = self.requests.last().is_none_or(|last| *last <= self.seq);
        self.requests.len() <= REQUESTS_MAX && ascending && first && last && self.aru <= self.seq
    }
}

impl Validate for Data {
    fn is_valid(&self) -> bool {
        self.seq > 0
    }
}

impl Validate for Recovered {
    fn is_valid(&self) -> bool {
        self.seq > 0 && self.old.is_valid() && self.old.ring != self.ring
    }
}

impl Join {
    /// Which proposal of its sender this is.
    pub(crate) fn stamp(&self) -> Stamp {
        Stamp { round: self.round, version: self.version }
    }
}

impl Validate for Join {
    fn is_valid(&self) -> bool {
        self.proposal.is_valid() && !self.proposal.is_empty() && self.knowledge.is_valid() && self.departed.is_valid()
    }
}

impl Validate for Commit {
    fn is_valid(&self) -> bool {
        let lowest = self.members.first();
        self.members.is_valid()
            && self.departed.is_valid()
            && self.stamps.len() == self.members.len()
            && self.slots.len() <= self.members.len()
            && lowest.is_some_and(|m| m.node.0 == self.ring.rep && m.incarnation == self.ring.rep_incarnation)
            && self.slots.iter().all(|slot| slot.is_valid() && slot.old_ring.seq < self.ring.seq)
    }
}

impl Validate for Slot {
    fn is_valid(&self) -> bool {
        self.aru <= self.high && self.levels.is_valid() && (self.level.is_none() || self.levels.contains(self.level))
    }
}

impl Validate for Segment {
    fn is_valid(&self) -> bool {
        (2..=SEGMENTS_MAX).contains(&self.count) && self.index < self.count && !self.bytes.is_empty()
    }
}

impl Message {
    /// The class its envelope carries.
    pub(crate) fn class(&self) -> Class {
        match self {
            Self::Hello(_) => Class::Hello,
            Self::Ping(_) | Self::Pong(_) => Class::Liveness,
            Self::Join(_) | Self::Leave(_) | Self::Commit(_) | Self::Doubled => Class::Membership,
            Self::Token(_) | Self::HoldCancel(_) => Class::Token,
            Self::Data(_) | Self::Recovered(_) | Self::Segment(_) => Class::Data,
            Self::MtuProbe(_) | Self::MtuAck(_) => Class::Bulk,
        }
    }

    /// The body: type byte and encoding.
    pub(crate) fn encode(&self) -> Vec<u8> {
        match self {
            Self::Token(token) => encode(0x01, token, 0),
            Self::Data(data) => encode(0x02, data, data.payload.len()),
            Self::Recovered(recovered) => encode(0x03, recovered, recovered.old.payload.len()),
            Self::Join(join) => encode(0x05, join, 0),
            Self::Leave(leave) => encode(0x06, leave, 0),
            Self::Commit(commit) => encode(0x07, commit, 0),
            Self::HoldCancel(ring) => encode(0x08, &bincode::serde::Compat(*ring), 0),
            Self::Ping(ping) => encode(0x09, ping, 0),
            Self::Pong(pong) => encode(0x0a, pong, 0),
            Self::Hello(hello) => {
                let mut body = vec![0x0b];
                hello.encode(&mut body);
                body
            }
            Self::MtuProbe(padding) => encode(0x0c, padding, padding.len()),
            Self::MtuAck(size) => encode(0x0d, size, 0),
            Self::Segment(segment) => encode(0x0e, segment, segment.bytes.len()),
            Self::Doubled => vec![0x0f],
        }
    }

    /// Reads a body that was authenticated.
    pub(crate) fn decode(body: &[u8]) -> Result<Self, Rejected> {
        let (kind, rest) = body.split_first().ok_or(Rejected::Malformed)?;
        match kind {
            0x01 => decode_valid(rest).map(Self::Token),
            0x02 => decode_valid(rest).map(Self::Data),
            0x03 => decode_valid(rest).map(Self::Recovered),
            0x05 => decode_valid(rest).map(Self::Join),
            0x06 => decode(rest).map(Self::Leave),
            0x07 => decode_valid(rest).map(Self::Commit),
            0x08 => decode(rest).map(|bincode::serde::Compat(ring)| Self::HoldCancel(ring)),
            0x09 => decode_liveness(rest).map(Self::Ping),
            0x0a => decode_liveness(rest).map(Self::Pong),
            0x0b => Hello::decode(rest).map(Self::Hello),
            0x0c => decode(rest).map(Self::MtuProbe),
            0x0d => decode(rest).map(Self::MtuAck),
            0x0e => decode_valid(rest).map(Self::Segment),
            0x0f if rest.is_empty() => Ok(Self::Doubled),
            _ => Err(Rejected::Malformed),
        }
    }
}

/// `payload` is how many bytes of it are somebody else's.
fn encode<T: Encode>(kind: u8, value: &T, payload: usize) -> Vec<u8> {
    let mut body = Vec::with_capacity(payload + BODY_USUAL);
    body.push(kind);
    // Encoding into memory cannot fail; a body that is empty after its type byte is refused by every receiver.
    if bincode::encode_into_std_write(value, &mut body, format()).is_err() {
        body.truncate(1);
    }
    body
}

fn decode<T: Decode<()>>(bytes: &[u8]) -> Result<T, Rejected> {
    let (value, used) = bincode::decode_from_slice(bytes, format()).map_err(|_| Rejected::Malformed)?;
    if used == bytes.len() { Ok(value) } else { Err(Rejected::Malformed) }
}

fn decode_valid<T: Decode<()> + Validate>(bytes: &[u8]) -> Result<T, Rejected> {
    decode(bytes).and_then(|value: T| if value.is_valid() { Ok(value) } else { Err(Rejected::Malformed) })
}

fn decode_liveness(bytes: &[u8]) -> Result<Liveness, Rejected> {
    let liveness: Liveness = decode(bytes)?;
    if liveness.knowledge.is_valid() { Ok(liveness) } else { Err(Rejected::Malformed) }
}
