//! Messages into packets and back: small messages share a packet, large ones are cut.
//!
//! A packet's payload is a list of chunks:
//!
//! ```text
//! 0x00 length u16                                       message
//! 0x01 length u16, message id u32, offset u32, total u32  piece of a message
//! ```
//!
//! Pieces of a message follow each other in the order of the ring, so a piece either continues what its sender began or
//! the whole message is dropped. A message whose pieces were not all numbered when the ring ended starts again in the
//! next one; those who have a part of it forget that part at the same moment.

use std::collections::{BTreeMap, VecDeque};

use hac_types::{NodeId, mutant};

use crate::{Guarantee, QueueFull};

/// Largest message, bytes.
pub(crate) const MESSAGE_MAX: usize = 1 << 20;
/// Most messages waiting to be sent.
pub(crate) const QUEUE_MAX: usize = 16_384;
/// Most bytes waiting to be sent.
pub(crate) const QUEUE_BYTES_MAX: usize = 16 << 20;

const WHOLE: u8 = 0;
const PIECE: u8 = 1;
const WHOLE_HEADER: usize = 3;
const PIECE_HEADER: usize = 15;
/// A message is cut only if at least so many bytes of it fit: smaller pieces cost more than they save.
const PIECE_MIN: usize = 64;

/// Messages that have no number yet.
#[derive(Debug, Default)]
pub(crate) struct SendQueue {
    messages: VecDeque<Outgoing>,
    bytes: usize,
    next_id: u32,
}

#[derive(Debug)]
struct Outgoing {
    payload: Vec<u8>,
    guarantee: Guarantee,
    /// Bytes already in numbered packets of the present ring.
    sent: usize,
    id: u32,
}

impl SendQueue {
    pub(crate) fn push(&mut self, payload: Vec<u8>, guarantee: Guarantee) -> Result<(), QueueFull> {
        let bytes = self.bytes + payload.len();
        if payload.len() > MESSAGE_MAX || self.messages.len() >= QUEUE_MAX || bytes > QUEUE_BYTES_MAX {
            return Err(QueueFull);
        }
        self.bytes = bytes;
        self.next_id = self.next_id.wrapping_add(1);
        let message = Outgoing { payload, guarantee, sent: 0, id: self.next_id };
        if mutant("last-first") && !self.is_cut() {
            self.messages.push_front(message);
        } else {
            self.messages.push_back(message);
        }
        Ok(())
    }

    pub(crate) fn len(&self) -> usize {
        self.messages.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether a part of the first message was numbered in the present ring.
    pub(crate) fn is_cut(&self) -> bool {
        self.messages.front().is_some_and(|first| first.sent > 0)
    }

    /// The ring ended: a message of which only a part was numbered starts again.
    pub(crate) fn restart_partial(&mut self) {
        if let Some(first) = self.messages.front_mut().filter(|_| !mutant("piece-not-repeated")) {
            first.sent = 0;
        }
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Takes the payload of one packet of at most `max` bytes off the queue, with messages of one guarantee only.
    pub(crate) fn next_packet(&mut self, max: usize) -> Option<(Guarantee, Vec<u8>)> {
        let guarantee = self.messages.front()?.guarantee;
        let mut packet = Vec::with_capacity(max.min(self.bytes + WHOLE_HEADER * self.messages.len().min(64)));
        while let Some(message) = self.messages.front_mut().filter(|message| message.guarantee == guarantee) {
            let room = max.saturating_sub(packet.len());
            let rest = message.payload.len() - message.sent;
            let is_whole = message.sent == 0 && rest + WHOLE_HEADER <= room && u16::try_from(rest).is_ok();
            if !is_whole && room < PIECE_HEADER + PIECE_MIN && !packet.is_empty() {
                break;
            }
            if !is_whole && message.sent == 0 && !packet.is_empty() && rest + WHOLE_HEADER <= max {
                // It fits into a packet of its own.
                break;
            }
            if is_whole {
                packet.push(WHOLE);
                packet.extend_from_slice(&to_u16(rest).to_le_bytes());
                packet.extend_from_slice(&message.payload);
            } else {
                let take = rest.min(room.saturating_sub(PIECE_HEADER).max(1)).min(usize::from(u16::MAX));
                push_piece(&mut packet, message, take);
            }
            if message.sent == message.payload.len() || is_whole {
                self.bytes -= message.payload.len();
                self.messages.pop_front();
            } else {
                break;
            }
        }
        Some((guarantee, packet))
    }
}

fn push_piece(packet: &mut Vec<u8>, message: &mut Outgoing, take: usize) {
    packet.push(PIECE);
    packet.extend_from_slice(&to_u16(take).to_le_bytes());
    packet.extend_from_slice(&message.id.to_le_bytes());
    packet.extend_from_slice(&to_u32(message.sent).to_le_bytes());
    packet.extend_from_slice(&to_u32(message.payload.len()).to_le_bytes());
    packet.extend_from_slice(&message.payload[message.sent..message.sent + take]);
    message.sent += take;
}

fn to_u16(length: usize) -> u16 {
    u16::try_from(length).unwrap_or(u16::MAX)
}

fn to_u32(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

/// A payload that does not add up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BadPacking;

/// Puts messages together again, one sender at a time.
#[derive(Debug, Default)]
pub(crate) struct Assembly {
    partials: BTreeMap<NodeId, Partial>,
}

#[derive(Debug)]
struct Partial {
    id: u32,
    total: usize,
    bytes: Vec<u8>,
}

impl Assembly {
    /// The messages that are complete with this packet. What came before an error is delivered; the rest is dropped by
    /// every receiver alike.
    pub(crate) fn unpack(&mut self, origin: NodeId, payload: &[u8]) -> (Vec<Vec<u8>>, Result<(), BadPacking>) {
        let mut messages = Vec::new();
        let mut rest = Reader(payload);
        while !rest.0.is_empty() {
            match self.unpack_chunk(origin, &mut rest) {
                Ok(message) => messages.extend(message),
                Err(bad) => {
                    self.partials.remove(&origin);
                    return (messages, Err(bad));
                }
            }
        }
        (messages, Ok(()))
    }

    fn unpack_chunk(&mut self, origin: NodeId, rest: &mut Reader<'_>) -> Result<Option<Vec<u8>>, BadPacking> {
        let [kind] = rest.array()?;
        let length = usize::from(u16::from_le_bytes(rest.array()?));
        match kind {
            WHOLE => Ok(Some(rest.bytes(length)?.to_vec())),
            PIECE => {
                let id = u32::from_le_bytes(rest.array()?);
                let offset = to_usize(u32::from_le_bytes(rest.array()?));
                let total = to_usize(u32::from_le_bytes(rest.array()?));
                let bytes = rest.bytes(length)?;
                self.add_piece(origin, id, offset, total, bytes)
            }
            _ => Err(BadPacking),
        }
    }

    fn add_piece(
        &mut self,
        origin: NodeId,
        id: u32,
        offset: usize,
        total: usize,
        bytes: &[u8],
    ) -> Result<Option<Vec<u8>>, BadPacking> {
        if total > MESSAGE_MAX || bytes.is_empty() || offset + bytes.len() > total {
            return Err(BadPacking);
        }
        if offset == 0 {
            self.partials.insert(origin, Partial { id, total, bytes: Vec::with_capacity(total) });
        }
        let Some(partial) = self.partials.get_mut(&origin) else { return Ok(None) };
        if partial.id != id || partial.total != total || partial.bytes.len() != offset {
            // Its beginning was passed over with a gap.
            self.partials.remove(&origin);
            return Ok(None);
        }
        if !(mutant("piece-forgotten") && offset == 0 && bytes.len() < total / 2) {
            partial.bytes.extend_from_slice(bytes);
        }
        if partial.bytes.len() == total {
            return Ok(self.partials.remove(&origin).map(|partial| partial.bytes));
        }
        Ok(None)
    }
}

fn to_usize(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// Reads from the front, never past the end.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn bytes(&mut self, length: usize) -> Result<&'a [u8], BadPacking> {
        let (bytes, rest) = self.0.split_at_checked(length).ok_or(BadPacking)?;
        self.0 = rest;
        Ok(bytes)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], BadPacking> {
        let (bytes, rest) = self.0.split_first_chunk::<N>().ok_or(BadPacking)?;
        self.0 = rest;
        Ok(*bytes)
    }
}

#[cfg(test)]
mod tests;
