//! Bodies that are larger than the path carries, cut into pieces and put together again.
//!
//! Packets of messages are made to fit, so this is for the rare rest: proposals and commit tokens of large clusters, and
//! packets that were numbered before the path became narrower.

use std::collections::BTreeMap;

use crate::wire::Segment;

/// Most bodies of one peer in assembly at a time; the oldest gives way.
const PARTIALS_MAX: usize = 8;

/// Most bytes of a body in assembly: no larger one is a message.
const BYTES_MAX: usize = 1 << 16;

/// Bytes a segment adds around its piece: type byte and the longest numbers.
const SEGMENT_OVERHEAD: usize = 24;

/// The pieces of bodies that are not complete yet, of one peer.
#[derive(Debug, Default)]
pub(crate) struct Segments {
    partials: BTreeMap<u64, Partial>,
}

#[derive(Debug)]
struct Partial {
    pieces: Vec<Option<Vec<u8>>>,
}

impl Partial {
    fn bytes(&self) -> usize {
        self.pieces.iter().flatten().map(Vec::len).sum()
    }
}

/// Cuts a body into segments whose bodies are at most `body_max` bytes.
pub(crate) fn cut(id: u64, body: &[u8], body_max: usize) -> Vec<Segment> {
    let size = body_max.saturating_sub(SEGMENT_OVERHEAD).max(1);
    let count = u16::try_from(body.len().div_ceil(size)).unwrap_or(u16::MAX);
    let pieces = body.chunks(size).zip(0..count);
    pieces.map(|(bytes, index)| Segment { id, index, count, bytes: bytes.to_vec() }).collect()
}

impl Segments {
    /// Takes a piece; gives the body when it was the last one missing.
    pub(crate) fn accept(&mut self, segment: Segment) -> Option<Vec<u8>> {
        let count = usize::from(segment.count);
        let partial = self.partials.entry(segment.id).or_insert_with(|| Partial { pieces: vec![None; count] });
        if partial.pieces.len() != count {
            self.partials.remove(&segment.id);
            return None;
        }
        if let Some(piece) = partial.pieces.get_mut(usize::from(segment.index)) {
            *piece = Some(segment.bytes);
        }
        if partial.bytes() > BYTES_MAX {
            self.partials.remove(&segment.id);
            return None;
        }
        if partial.pieces.iter().all(Option::is_some) {
            let partial = self.partials.remove(&segment.id)?;
            return Some(partial.pieces.into_iter().flatten().flatten().collect());
        }
        if self.partials.len() > PARTIALS_MAX {
            self.partials.pop_first();
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_survives_being_cut_in_any_order_of_arrival() {
        let body: Vec<u8> = (0..5000_u32).map(|n| n.to_le_bytes()[0]).collect();
        let mut pieces = cut(1, &body, 1100);
        pieces.reverse();
        let mut segments = Segments::default();
        let last = pieces.pop().unwrap();
        for piece in pieces {
            assert_eq!(segments.accept(piece), None);
        }
        assert_eq!(segments.accept(last), Some(body));
        assert!(segments.partials.is_empty());
    }

    #[test]
    fn unfinished_bodies_are_bounded() {
        let mut segments = Segments::default();
        for id in 0..1000 {
            segments.accept(Segment { id, index: 0, count: 2, bytes: vec![1] });
            assert!(segments.partials.len() <= PARTIALS_MAX);
        }
    }

    #[test]
    fn a_body_that_grows_too_large_is_dropped() {
        let mut segments = Segments::default();
        let piece = |index| Segment { id: 1, index, count: 3, bytes: vec![1; BYTES_MAX / 2] };
        assert_eq!((segments.accept(piece(0)), segments.accept(piece(1))), (None, None));
        assert_eq!(segments.partials.len(), 1, "it is as large as a body may be");
        assert_eq!(segments.accept(piece(2)), None);
        assert!(segments.partials.is_empty());
    }

    #[test]
    fn pieces_that_contradict_each_other_are_dropped() {
        let mut segments = Segments::default();
        assert_eq!(segments.accept(Segment { id: 1, index: 0, count: 2, bytes: vec![1] }), None);
        assert_eq!(segments.accept(Segment { id: 1, index: 2, count: 3, bytes: vec![1] }), None);
        assert!(segments.partials.is_empty());
    }
}
