//! Small worlds that are searched from end to end: every state that can be reached, by every order in which things may happen.
//! What decides in them is the code of the daemon; only its surroundings are made up.

pub mod arbiter;

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::hash::{BuildHasherDefault, Hash, Hasher};

use crate::check::Violation;

/// Names of the properties of the small worlds.
pub const PROPERTIES: &[&str] = &["Q-2", "Q-10", "Q-12"];

/// More states than these, and the world is not small.
pub const STATES_MAX: usize = 6_000_000;

/// What must have happened in all of them together.
pub const COVERAGE: &[&str] = &[
    "a node has won",
    "a node is without the vote",
    "the store was set back",
    "an assignment was not carried out",
    "a node has won while the cluster moved the address",
];

/// How many small worlds there are.
pub const WORLDS: u64 = 17;

/// Searches the world of this number, counted from 1.
#[must_use]
pub fn of_number(number: u64) -> Found {
    let index = usize::try_from(number.saturating_sub(1) % WORLDS).unwrap_or_default();
    search(arbiter::Pair::new(arbiter::WORLDS[index]))
}

/// A state of a small world.
pub trait World: Clone + Hash {
    /// One thing that may happen.
    type Step: Copy;

    /// All that may happen now.
    fn steps(&self) -> Vec<Self::Step>;

    /// It happens.
    ///
    /// # Errors
    /// It breaks a promise.
    fn take(&mut self, step: Self::Step, counts: &mut Counts) -> Result<(), Violation>;

    /// What happened, for people.
    fn tell(step: Self::Step) -> String;
}

/// How often each property was looked at, and something interesting happened.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    /// By property.
    pub executed: BTreeMap<&'static str, u64>,
    /// By what happened.
    pub sometimes: BTreeMap<&'static str, u64>,
}

impl Counts {
    /// A property was looked at.
    pub fn executed(&mut self, property: &'static str) {
        *self.executed.entry(property).or_default() += 1;
    }

    /// Something interesting happened.
    pub fn sometimes(&mut self, what: &'static str) {
        *self.sometimes.entry(what).or_default() += 1;
    }
}

/// What a search has found.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// States.
    pub states: u64,
    /// The first broken promise, and the shortest way to it.
    pub violation: Option<(Violation, Vec<String>)>,
    /// What was looked at.
    pub counts: Counts,
    /// Equal for equal searches.
    pub hash: u64,
}

/// Searches breadth first, so that the way to what is found is as short as any.
///
/// # Panics
/// The world has more than [`STATES_MAX`] states.
#[must_use]
pub fn search<W: World>(start: W) -> Found {
    let mut found = Found::default();
    let mut seen: HashSet<u128, BuildHasherDefault<Same>> = HashSet::default();
    seen.insert(digest(&start));
    let mut ways: Vec<Option<(usize, W::Step)>> = vec![None];
    let mut open = VecDeque::from([(0, start)]);
    while let Some((number, world)) = open.pop_front() {
        found.states += 1;
        for step in world.steps() {
            let mut next = world.clone();
            let taken = next.take(step, &mut found.counts);
            if let Err(violation) = taken {
                found.violation = Some((violation, way(&ways, number, step, W::tell)));
                return found;
            }
            let digest = digest(&next);
            found.hash ^= u64::try_from(digest & u128::from(u64::MAX)).unwrap_or_default();
            if seen.insert(digest) {
                assert!(seen.len() < STATES_MAX, "this world is not small");
                ways.push(Some((number, step)));
                open.push_back((ways.len() - 1, next));
            }
        }
    }
    found
}

/// Two hashes side by side, made with fixed keys: the chance that two states of millions share both is none.
fn digest(world: &impl Hash) -> u128 {
    let mut twins = Twins(0x9e37_79b9_7f4a_7c15, 0xd1b5_4a32_d192_ed03);
    world.hash(&mut twins);
    u128::from(fold(twins.0, TWINS.1)) << 64 | u128::from(fold(twins.1, TWINS.0))
}

/// What the two hashes multiply with.
const TWINS: (u64, u64) = (0xa076_1d64_78bd_642f, 0xe703_7ed1_a0b4_28db);

/// Two hashes in one pass: half of the time of a search is spent here.
struct Twins(u64, u64);

/// Both halves of a product in one: each bit of it depends on all of `word`.
fn fold(word: u64, by: u64) -> u64 {
    let bytes = (u128::from(word) * u128::from(by)).to_le_bytes();
    let (low, high) = bytes.split_at(8);
    let half = |bytes: &[u8]| bytes.try_into().map(u64::from_le_bytes).unwrap_or_default();
    half(low) ^ half(high)
}

impl Hasher for Twins {
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.write_u64(u64::from_le_bytes(word));
        }
    }

    fn write_u8(&mut self, word: u8) {
        self.write_u64(u64::from(word));
    }

    fn write_u32(&mut self, word: u32) {
        self.write_u64(u64::from(word));
    }

    fn write_u64(&mut self, word: u64) {
        *self = Self(fold(self.0 ^ word, TWINS.0).rotate_left(23), fold(self.1.rotate_left(29) ^ word, TWINS.1));
    }

    fn write_usize(&mut self, word: usize) {
        self.write_u64(u64::try_from(word).unwrap_or(u64::MAX));
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// Takes a digest for its own hash.
#[derive(Default)]
struct Same(u64);

impl Hasher for Same {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.0 = self.0.rotate_left(8) ^ u64::from(*byte));
    }

    fn write_u128(&mut self, digest: u128) {
        self.0 = u64::try_from(digest & u128::from(u64::MAX)).unwrap_or_default();
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// The steps that lead to a state, and one more.
fn way<S: Copy>(ways: &[Option<(usize, S)>], last: usize, step: S, tell: fn(S) -> String) -> Vec<String> {
    let mut steps = vec![tell(step)];
    let mut at = last;
    while let Some((before, step)) = ways[at] {
        steps.push(tell(step));
        at = before;
    }
    steps.reverse();
    steps
}
