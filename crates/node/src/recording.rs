//! The flight recorder: all that a node was given, so that the same node can be given it again.
//!
//! ```text
//! recording: "hacd-rec" │ version u8 │ salt [16] │ frame*
//! frame:     length u32, little endian │ sealed entry
//! entry:     Start (configuration without the key, stored state, entropy) · Input* · End
//! ```
//!
//! A node is a function of its start and its inputs, so these are all that is kept; of the outputs a count and a hash
//! stand beside each input, which tell where a replay first does something else. What a recording contains is as secret
//! as the cluster itself (configurations, requests, entropy): every entry is sealed under the cluster's key, and the key
//! is not in it. Without `authkey` a recording tells its length and nothing else. A new key that a client brings is not
//! written down, sealed or not: the recording ends before such a request.

mod replay;
mod start;

use std::collections::VecDeque;

use hac_crm::cib::Replicated as _;
use hac_crm::executor::{InvocationId, Outcome, WatchId};
use hac_totem::{SALT_LEN, Sealer};
use hac_types::{LinkId, NodeId};
use serde::{Deserialize, Serialize};

pub use self::replay::{Played, Replay, ReplayError, Step};
use self::start::Start;
use crate::halves::{Assurance, Effect, RingOutput, Transmit};
use crate::participant::planning::{DecideId, Unplannable};
use crate::{Config, Now, Output, Persist, PersistId, QuestionId, Request, RequestId, Stored, wire};

/// What stands at the beginning of a recording.
const MAGIC: &[u8; 8] = b"hacd-rec";

/// The format; raised whenever an entry changes its meaning.
const VERSION: u8 = 4;

/// One thing that a node was given.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Input {
    /// A datagram that came on a link from the address of a node.
    Datagram {
        /// The link.
        link: LinkId,
        /// The node.
        from: NodeId,
        /// The datagram.
        bytes: Vec<u8>,
    },
    /// The hint that nobody listens there.
    Unreachable(LinkId, NodeId),
    /// The hint that a datagram was too large for the path.
    TooBig(LinkId, NodeId),
    /// Fresh randomness.
    Stir([u8; 32]),
    /// The time had come.
    Timeout,
    /// A client's request.
    Request(RequestId, Request),
    /// An agent finished.
    Outcome(InvocationId, Outcome),
    /// A watched process ended.
    ProcessExited(WatchId),
    /// Something was stored, or could not be.
    Persisted(PersistId, Result<(), String>),
    /// The daemon was asked to leave.
    Shutdown,
    /// The owner decides from here on.
    DecideOutside,
    /// What the ring half published when the cluster half was given what follows.
    Assured(Assurance),
    /// The cluster half was to ask the ring half how it does.
    Look,
    /// A ring's number was stored, or could not be.
    RingStored(u64, Result<(), String>),
    /// The owner decided: as the scheduler does, or why it could not.
    Decided(DecideId, Option<Unplannable>),
    /// What another node asked was looked at.
    Answered(QuestionId, String),
    /// The halves were joined loosely from here on.
    JoinLoosely,
    /// The cluster half was given so many events.
    PassUp(usize),
    /// The ring half was given so many orders.
    PassDown(usize),
    /// The time had come for the ring half.
    RingTimeout,
    /// The time had come for the cluster half.
    ClusterTimeout,
    /// The node became mute, or speaks again.
    Mute(bool),
    /// The arbiter's store said something, or nothing.
    Arbiter(u64, Result<hac_quorum::Answer, String>),
    /// The watchdog of the host was armed, or why it was not.
    Watchdog(Result<crate::Armed, String>),
}

/// How many outputs were taken from a node, and what they were.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Taken {
    outputs: u64,
    hash: u64,
}

/// One thing in a recording.
#[derive(Debug, Serialize, Deserialize)]
enum Entry {
    /// How the node was made. The first entry.
    Start(Box<Start>),
    /// An input, and what had been taken from the node before.
    Input { now: Now, taken: Taken, input: Input },
    /// The node has stopped. The last entry, if it came to that.
    End(Taken),
}

/// A node's recorder.
#[derive(Debug)]
pub(crate) struct Tape {
    sealer: Sealer,
    taken: Taken,
    chunks: VecDeque<Vec<u8>>,
    /// Nothing more is written.
    ended: bool,
}

impl Tape {
    /// Begins with how the node is made. `salt` must never have been used before.
    pub(crate) fn new(config: &Config, stored: &Stored, entropy: [u8; 32], now: Now, salt: [u8; SALT_LEN]) -> Self {
        Self::start(config, stored, entropy, now, salt, false)
    }

    fn start(config: &Config, stored: &Stored, entropy: [u8; 32], now: Now, salt: [u8; SALT_LEN], apart: bool) -> Self {
        let mut head = MAGIC.to_vec();
        head.push(VERSION);
        head.extend_from_slice(&salt);
        let sealer = Sealer::new(&config.totem.authkey, salt);
        let mut tape = Self { sealer, taken: Taken::NOTHING, chunks: VecDeque::from([head]), ended: false };
        tape.write(&Entry::Start(Box::new(Start::new(config, stored, entropy, now, apart))));
        tape
    }

    /// The node is given something.
    pub(crate) fn input(&mut self, now: Now, input: Input) {
        let taken = self.taken;
        self.input_after(now, input, taken);
    }

    fn input_after(&mut self, now: Now, input: Input, taken: Taken) {
        self.ended |= matches!(input, Input::Request(_, Request::RotateKey(_)));
        self.write(&Entry::Input { now, taken, input });
    }

    /// Something is taken from the node.
    pub(crate) fn output(&mut self, output: &Output) {
        self.taken.add(output);
        if matches!(output, Output::Stopped) {
            let taken = self.taken;
            self.write(&Entry::End(taken));
        }
    }

    /// The next bytes of the recording.
    pub(crate) fn poll(&mut self) -> Option<Vec<u8>> {
        self.chunks.pop_front()
    }

    fn write(&mut self, entry: &Entry) {
        if self.ended {
            return;
        }
        let sealed = wire::encode_record(entry).and_then(|entry| self.sealer.seal(entry));
        let frame = sealed.and_then(|sealed| Some((u32::try_from(sealed.len()).ok()?, sealed)));
        // After what cannot be written the rest would be worth nothing.
        let Some((length, sealed)) = frame else {
            self.ended = true;
            return;
        };
        self.chunks.push_back([length.to_le_bytes().as_slice(), sealed.as_slice()].concat());
    }
}

/// The recorder of a node whose halves run on two threads. Each thread notes what its half is given, *before* it gives
/// it, and passes the note on; whoever takes the notes of both, in the order in which they come, has a recording that
/// [`Replay`] can follow: an event is noted by the ring half's cause before the cluster half can have it.
#[derive(Debug)]
pub struct Recorder(Tape);

/// What one half was given, and what it had wanted done before.
#[derive(Clone, Debug)]
pub struct Note {
    /// When.
    pub now: Now,
    /// What.
    pub input: Input,
    /// All that this half had given so far.
    pub given: Given,
}

/// All that one half has given, as a count and a hash.
#[derive(Clone, Copy, Debug)]
pub struct Given(Taken);

impl Default for Given {
    fn default() -> Self {
        Self(Taken::NOTHING)
    }
}

impl Given {
    /// The ring half gives this. What goes to the other half is not counted: it shows there.
    pub fn add_ring(&mut self, output: &RingOutput) {
        match output {
            RingOutput::Transmit(Transmit { link, to, datagram }) => {
                self.0.add(&Output::Transmit { link: *link, to: *to, datagram: datagram.clone() });
            }
            RingOutput::Persist { ring_seq } => {
                self.0.add(&Output::Persist { id: PersistId(0), what: Persist::RingSeq(*ring_seq) });
            }
            RingOutput::Up(_) | RingOutput::Withdrawn { .. } => {}
        }
    }

    /// The cluster half gives this.
    pub fn add_cluster(&mut self, output: &Effect) {
        if let Effect::Do(output) = output {
            self.0.add(output);
        }
    }
}

impl Recorder {
    /// Begins with how the halves are made. `salt` must never have been used before.
    #[must_use]
    pub fn new(config: &Config, stored: &Stored, entropy: [u8; 32], now: Now, salt: [u8; SALT_LEN]) -> Self {
        Self(Tape::start(config, stored, entropy, now, salt, true))
    }

    /// Takes the next note.
    pub fn note(&mut self, note: Note) {
        let Note { now, input, given } = note;
        self.0.input_after(now, input, given.0);
    }

    /// The node has stopped; the cluster half had given all this.
    pub fn stopped(&mut self, given: Given) {
        self.0.write(&Entry::End(given.0));
    }

    /// The next bytes of the recording.
    pub fn poll(&mut self) -> Option<Vec<u8>> {
        self.0.poll()
    }
}

impl Input {
    /// Whether it is given to the ring half.
    const fn is_of_the_ring(&self) -> bool {
        matches!(
            self,
            Self::Datagram { .. }
                | Self::Unreachable(..)
                | Self::TooBig(..)
                | Self::Stir(_)
                | Self::PassDown(_)
                | Self::RingTimeout
                | Self::RingStored(..)
        )
    }
}

impl Taken {
    const NOTHING: Self = Self { outputs: 0, hash: 0xcbf2_9ce4_8422_2325 };

    fn add(&mut self, output: &Output) {
        self.outputs += 1;
        match output {
            Output::Transmit { link, to, datagram } => {
                self.mix(&[1, link.0]);
                self.mix(&to.0.to_le_bytes());
                self.mix(datagram);
            }
            Output::Persist { id, what: Persist::CibPrepare { generation, bytes } } => {
                self.mix(&[2]);
                self.mix(&id.0.to_le_bytes());
                self.mix(&generation.to_le_bytes());
                self.mix(bytes);
            }
            Output::Decide { id, cib, wall, .. } => {
                self.mix(&[3]);
                self.mix(&id.0.to_le_bytes());
                self.mix(&wall.0.to_le_bytes());
                self.mix(&cib.digest());
            }
            Output::Persist { what: Persist::RingSeq(ring_seq), .. } => {
                self.mix(&[4]);
                self.mix(&ring_seq.to_le_bytes());
            }
            // `Debug` is complete but for the parameters of agents, which follow from what was delivered. The sum is only
            // compared with one that the same program makes.
            other => self.mix(format!("{other:?}").as_bytes()),
        }
    }

    /// FNV-1a: it finds differences, it need not resist anybody.
    fn mix(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.hash ^= u64::from(*byte);
            self.hash = self.hash.wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
}
