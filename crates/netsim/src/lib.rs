//! One simulated network for everything that is tested on one: the ring's own tests, its fuzz targets, whole nodes in
//! the simulator.
//!
//! Datagrams are lost, doubled, delayed, overtaken and cut ([`Net`]); somebody who reads and writes everything but has
//! no key replays and forges ([`Attacker`]); what is above the ring is tested on a [`Stream`] that never fails. The same
//! seed gives the same run, to the last bit.

mod attack;
mod datagram;
mod net;
mod queue;
mod rng;
mod stream;

pub use self::attack::{Attacker, Hostility};
pub use self::datagram::Datagram;
pub use self::net::{Net, Weather};
pub use self::queue::Queue;
pub use self::rng::Rng;
pub use self::stream::{Formed, Stream};
