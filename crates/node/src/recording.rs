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
use crate::participant::planning::{DecideId, Unplannable};
use crate::{Config, Now, Output, Persist, PersistId, Request, RequestId, Stored, wire};

/// What stands at the beginning of a recording.
const MAGIC: &[u8; 8] = b"hacd-rec";

/// The format; raised whenever an entry changes its meaning.
const VERSION: u8 = 1;

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
    /// The owner decided: as the scheduler does, or why it could not.
    Decided(DecideId, Option<Unplannable>),
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
        let mut head = MAGIC.to_vec();
        head.push(VERSION);
        head.extend_from_slice(&salt);
        let sealer = Sealer::new(&config.totem.authkey, salt);
        let mut tape = Self { sealer, taken: Taken::NOTHING, chunks: VecDeque::from([head]), ended: false };
        tape.write(&Entry::Start(Box::new(Start::new(config, stored, entropy, now))));
        tape
    }

    /// The node is given something.
    pub(crate) fn input(&mut self, now: Now, input: Input) {
        self.ended |= matches!(input, Input::Request(_, Request::RotateKey(_)));
        let taken = self.taken;
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
                self.mix(format!("{:?}", cib.digest()).as_bytes());
            }
            // For people, but complete but for the parameters of agents, which follow from what was delivered.
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
