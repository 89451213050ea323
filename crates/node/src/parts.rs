//! Messages that are larger than the ring takes: they are sent in parts, and put together where they are delivered.
//!
//! The ring keeps the order of what one member says, so the parts of a message come one after the other, with other
//! members' messages in between. The message counts at the place of its last part, which is the same on all members.

use std::collections::BTreeMap;

use hac_types::{Level, NodeId};

use crate::wire::{self, Body, MESSAGE_MAX, Message, PART, Part, WHOLE_MAX};

/// Messages of which parts are missing, by who says them. All of it belongs to one ring.
#[derive(Clone, Debug, Default)]
pub(crate) struct Parts {
    open: BTreeMap<NodeId, Open>,
}

#[derive(Clone, Debug, Default)]
struct Open {
    next: u32,
    bytes: Vec<u8>,
}

/// What a part did.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// More is to come.
    More,
    /// The message is complete.
    Whole(Vec<u8>),
    /// It does not follow what came before; what came is dropped.
    Astray,
}

impl Parts {
    /// Another ring.
    pub(crate) fn clear(&mut self) {
        self.open.clear();
    }

    /// Takes a part. At most [`WHOLE_MAX`] bytes are kept for each member.
    pub(crate) fn take(&mut self, from: NodeId, part: Part) -> Taken {
        let mut open = self.open.remove(&from).unwrap_or_default();
        let size = open.bytes.len().saturating_add(part.bytes.len());
        if part.index != open.next || size > WHOLE_MAX {
            return Taken::Astray;
        }
        open.next = open.next.saturating_add(1);
        open.bytes.extend_from_slice(&part.bytes);
        if part.last {
            return Taken::Whole(open.bytes);
        }
        self.open.insert(from, open);
        Taken::More
    }
}

/// The message in the form of `level`, as the ring takes it: whole, or in parts; `None` if it is larger than [`WHOLE_MAX`].
pub(crate) fn cut(message: &Message, level: Level) -> Option<Vec<Vec<u8>>> {
    let whole = wire::encode(message, level)?;
    if whole.len() <= MESSAGE_MAX {
        return Some(vec![whole]);
    }
    let pieces = whole.chunks(PART);
    let count = pieces.len();
    let part = |(index, bytes): (usize, &[u8])| {
        let part = Part { index: u32::try_from(index).ok()?, last: index + 1 == count, bytes: bytes.to_vec() };
        wire::encode(&Message { ring: message.ring, body: Body::Part(part) }, level)
    };
    pieces.enumerate().map(part).collect()
}

#[cfg(test)]
mod tests;
