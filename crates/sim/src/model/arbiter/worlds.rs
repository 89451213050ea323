//! Which worlds are searched: how much may happen in each, and what has happened before.

use hac_quorum::Model;

use super::Step;

/// How much may happen.
#[derive(Clone, Copy, Debug, Hash)]
pub struct Bounds {
    /// What the store is.
    pub model: Model,
    /// Requests of each node.
    pub asks: u8,
    /// Timeouts of each node.
    pub timeouts: u8,
    /// Times that the nodes lose each other.
    pub cuts: u8,
    /// Times that they meet again.
    pub heals: u8,
    /// Crashes.
    pub crashes: u8,
    /// Times that a node starts which has crashed.
    pub starts: u8,
    /// Changes of the state.
    pub changes: u8,
    /// Requests that arrive twice.
    pub doubles: u8,
    /// Times that the store is set back.
    pub restores: u8,
    /// Actions that the nodes order together, which are no claims.
    pub moves: u8,
    /// Times that the nodes say so before.
    pub told: u8,
    /// Times that they learn that such an operation has ended.
    pub ends: u8,
    /// Actions that end without having been carried out.
    pub errors: u8,
    /// Times that a list lacks what was accepted last.
    pub stale: u8,
    /// What has happened already.
    pub before: &'static [Step],
}

/// Of these nothing happens in most worlds.
const REGISTER: Bounds = Bounds {
    model: Model::Register,
    asks: 3,
    timeouts: 2,
    cuts: 1,
    heals: 0,
    crashes: 0,
    starts: 1,
    changes: 0,
    doubles: 0,
    restores: 0,
    moves: 0,
    told: 0,
    ends: 0,
    errors: 0,
    stale: 0,
    before: &[],
};

/// A claim needs one request more: it looks, orders, and looks again.
const LOG: Bounds = Bounds { model: Model::ActionLog, asks: 4, ..REGISTER };

/// The second node has claimed while both were alone, which was carried out, and they are members again.
const CLAIMED: &[Step] = &[
    Step::Activate(0),
    Step::Activate(1),
    Step::Cut,
    Step::Notice(0),
    Step::Notice(1),
    Step::Timeout(1),
    Step::Arrive(0),
    Step::Answer(0),
    Step::Arrive(0),
    Step::Answer(0),
    Step::Complete,
    Step::Meet,
    Step::Activate(0),
    Step::Activate(1),
];

/// The cluster is about to move the address, and both are being told.
const TOLD: &[Step] = &[Step::Activate(0), Step::Activate(1), Step::Tell, Step::Deliver];

/// A move has ended before it was made, which both are being told, and the next one begins.
const WAVERING: &[Step] = &[
    Step::Activate(0),
    Step::Activate(1),
    Step::Tell,
    Step::Deliver,
    Step::End,
    Step::Stored(0),
    Step::Stored(1),
    Step::Tell,
];

/// The cluster moves the address itself, and both are told before.
const MOVES: Bounds = Bounds { moves: 1, told: 1, ends: 1, ..LOG };

/// The worlds that are searched: each has more of something.
pub const WORLDS: &[Bounds] = &[
    // A cut, with all that the network does.
    Bounds { doubles: 1, ..REGISTER },
    // The store is another one, after a cut.
    Bounds { restores: 1, ..REGISTER },
    // Two cuts, and what is half done between them.
    Bounds { cuts: 2, heals: 1, changes: 1, ..REGISTER },
    // Nodes that crash and forget what they did.
    Bounds { timeouts: 1, heals: 1, crashes: 1, changes: 1, ..REGISTER },
    // A list of actions: a cut, with all that the network does.
    Bounds { doubles: 1, ..LOG },
    // Assignments that are not carried out, and are ordered again.
    Bounds { asks: 6, timeouts: 3, errors: 1, ..LOG },
    // Lists that lack the last one.
    Bounds { asks: 5, timeouts: 3, stale: 1, ..LOG },
    // The address was moved before the cut, or is being moved.
    Bounds { moves: 1, errors: 1, changes: 1, ..LOG },
    // Two cuts, and what is half done between them.
    Bounds { cuts: 2, heals: 1, changes: 1, ..LOG },
    // The same, and one of them goes on claiming.
    Bounds { cuts: 2, heals: 1, timeouts: 3, before: CLAIMED, ..LOG },
    // A node that crashes, forgets what it has ordered, and meets the other one again.
    Bounds { asks: 3, cuts: 0, heals: 1, crashes: 1, changes: 1, ..LOG },
    // One that crashes after a cut.
    Bounds { asks: 3, crashes: 1, changes: 1, ..LOG },
    // A node that crashes while the cluster moves the address.
    Bounds { asks: 5, timeouts: 3, cuts: 0, crashes: 1, starts: 0, before: TOLD, ..MOVES },
    // One that starts again.
    Bounds { asks: 4, cuts: 0, crashes: 1, before: TOLD, ..MOVES },
    // A cut while it does, and the move is carried out.
    Bounds { asks: 4, before: TOLD, ..MOVES },
    // A cut while it is about to: what the nodes order themselves takes the place of the move.
    Bounds { asks: 5, timeouts: 3, moves: 0, ends: 0, before: TOLD, ..MOVES },
    // A cut while one move has ended, and the next one is announced.
    Bounds { asks: 5, timeouts: 3, moves: 0, told: 2, before: WAVERING, ..MOVES },
];
