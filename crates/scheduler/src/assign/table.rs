//! The order in which Pacemaker comes across nodes where it sorts nothing.
//!
//! Pacemaker keeps the nodes that a resource may run on in a hash table by id, and where it looks for the best of them
//! the first of equals wins. That order looks like chance but is fixed by the ids, so it can be had without such a
//! table: open addressing with growing steps, places from a simple hash.

/// Smallest size of a table, as a power of two.
const SMALLEST: u32 = 3;
/// Largest size, as a power of two; more nodes than that keep the order in which they came.
const LARGEST: u32 = 16;
/// The largest prime below each power of two, from 2^3 on: hashes are folded by it.
const PRIMES: [u32; 14] = [7, 13, 31, 61, 127, 251, 509, 1021, 2039, 4093, 8191, 16381, 32749, 65521];

/// Positions of `ids` in the order of a table that they were put into one after the other, and that was copied once.
pub(super) fn order(ids: &[&str]) -> Vec<usize> {
    let numbered: Vec<(usize, u32)> = ids.iter().map(|id| hash(id)).enumerate().collect();
    filled(&filled(&numbered)).into_iter().map(|(place, _)| place).collect()
}

/// The hash of an id, whatever its case.
fn hash(id: &str) -> u32 {
    id.bytes().fold(0, |sum: u32, byte| sum.wrapping_mul(31).wrapping_add(u32::from(byte.to_ascii_lowercase())))
}

/// The content of a table that these were put into, in the order of their places.
fn filled(entries: &[(usize, u32)]) -> Vec<(usize, u32)> {
    let mut table = Table::new();
    for entry in entries {
        if !table.put(*entry) {
            return entries.to_vec();
        }
    }
    table.slots.into_iter().flatten().collect()
}

/// A table with open addressing.
struct Table {
    power: u32,
    used: usize,
    slots: Vec<Option<(usize, u32)>>,
}

impl Table {
    fn new() -> Self {
        Self { power: SMALLEST, used: 0, slots: vec![None; 1 << SMALLEST] }
    }

    /// The first place for an entry that is not `taken`.
    fn place(&self, hash: u32, taken: impl Fn(usize) -> bool) -> Option<usize> {
        let prime = *PRIMES.get(usize::try_from(self.power - SMALLEST).ok()?)?;
        let mask = self.slots.len() - 1;
        let mut at = usize::try_from(hash.wrapping_mul(11) % prime).ok()?;
        for step in 1..=self.slots.len() * 2 {
            if !taken(at) {
                return Some(at);
            }
            at = (at + step) & mask;
        }
        None
    }

    /// Puts an entry in. `false`: the table is as large as it may be.
    fn put(&mut self, entry: (usize, u32)) -> bool {
        let Some(at) = self.place(entry.1, |at| self.slots[at].is_some()) else { return false };
        self.slots[at] = Some(entry);
        self.used += 1;
        self.used + self.used / 16 < self.slots.len() || self.grow()
    }

    /// Makes room for a third more. Entries give way to those that are put where they were.
    fn grow(&mut self) -> bool {
        let wanted = self.used * 1333 / 1000;
        self.power = (usize::BITS - wanted.leading_zeros()).max(SMALLEST);
        if self.power > LARGEST {
            return false;
        }
        let before = self.slots.len();
        self.slots.resize(1 << self.power, None);
        let mut settled = vec![false; self.slots.len()];
        for at in 0..before {
            if settled[at] {
                continue;
            }
            let mut moving = self.slots[at].take();
            while let Some(entry) = moving {
                let Some(to) = self.place(entry.1, |to| settled[to]) else { return false };
                settled[to] = true;
                moving = self.slots[to].replace(entry);
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_order(ids: &[&str]) -> Vec<String> {
        order(ids).into_iter().map(|place| ids[place].to_owned()).collect()
    }

    /// What a running Pacemaker chose among equals, time and again without those it had chosen before.
    #[test]
    fn nodes_are_met_as_pacemaker_meets_them() {
        assert_eq!(in_order(&["1", "2", "app", "mon"]), ["1", "2", "mon", "app"]);
        assert_eq!(in_order(&["1", "2", "3", "4", "zz", "yy", "xx"]), ["1", "3", "xx", "2", "4", "zz", "yy"]);
        let numbers: Vec<String> = (1..=14).map(|number| number.to_string()).collect();
        let mut ids: Vec<&str> = numbers.iter().map(String::as_str).collect();
        ids.extend(["remote-a", "q", "remote-b"]);
        let met = "10 3 13 6 q 9 remote-a 11 1 4 14 7 remote-b 2 12 5 8";
        assert_eq!(in_order(&ids).join(" "), met);
    }

    #[test]
    fn every_node_is_met_once_however_many_there_are() {
        for count in [0, 1, 8, 500, 70_000] {
            let names: Vec<String> = (0..count).map(|number| format!("node-{number}")).collect();
            let mut met = order(&names.iter().map(String::as_str).collect::<Vec<_>>());
            met.sort_unstable();
            assert!(met.into_iter().eq(0..count));
        }
    }
}
