//! What goes over the network: a fixed, authenticated envelope around one message.

pub(crate) mod body;
pub(crate) mod envelope;
pub(crate) mod hello;

pub(crate) use body::{
    Commit, Data, Departed, Join, Knowledge, Leave, Liveness, Members, Message, Recovered, Row, Said, Segment, Slot,
    Stamp, Token,
};
pub use envelope::is_of_a_ring;
pub(crate) use envelope::{Class, Header, OVERHEAD, OVERHEAD_ENCRYPTED};
pub use hello::Release;
pub(crate) use hello::{Hello, HelloStage};
