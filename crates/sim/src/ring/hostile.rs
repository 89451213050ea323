//! What a hostile datagram may do. REPLAY-1: what was recorded and comes again changes no state. FORGE-1: nor does what was
//! changed on the way, or made without the key.

use hac_netsim::{Datagram, Hostility};
use hac_totem::{AuthKey, Engine, Output, Stored};
use hac_types::{Incarnation, NodeId, Timestamp};

use crate::check::Violation;

/// The property that forbids it to have an effect.
pub(super) const fn property(kind: Hostility) -> &'static str {
    match kind {
        Hostility::Replay => "REPLAY-1",
        Hostility::Forgery => "FORGE-1",
    }
}

/// What a node says that has the same configuration and another key.
pub(crate) fn foreign(mut config: hac_totem::Config) -> Vec<Vec<u8>> {
    let (Ok(key), now) = (AuthKey::new(vec![0x66; 64]), Timestamp::from_millis(1)) else { return Vec::new() };
    config.authkey = key;
    let stored = Stored { ring_seq: 0, incarnation: Incarnation(1) };
    let Ok(mut engine) = Engine::new(config, stored, [9; 32], now) else { return Vec::new() };
    let mut datagrams = Vec::new();
    while let Some(output) = engine.poll_output() {
        if let Output::Transmit { datagram, .. } = output {
            datagrams.push(datagram);
        }
    }
    datagrams
}

/// Tries it on an engine that has nothing else to do at this moment. Gives back what it sends in answer. What it did is
/// judged if it is `checking`.
pub(super) fn attempt(
    engine: &mut Engine,
    now: Timestamp,
    kind: Hostility,
    hostile: &Datagram,
    checking: bool,
) -> Result<Vec<Output>, Violation> {
    let before = checking.then(|| engine.digest());
    let (to, from, length) = (hostile.to, hostile.from, hostile.bytes.len());
    let result = engine.handle_datagram(now, hostile.link, NodeId(from), &hostile.bytes);
    let outputs: Vec<Output> = std::iter::from_fn(|| engine.poll_output()).collect();
    let broken = |text: String| Err(Violation::new(property(kind), text));
    let what = format!("{kind:?} of {length} bytes from node{from} to node{to}");
    if before.is_some_and(|before| engine.digest() != before) {
        return broken(format!("{what} changed the state; the answer was {result:?}"));
    }
    if result.is_ok() && (kind == Hostility::Forgery || !hostile.is_hello()) {
        return broken(format!("{what} was accepted"));
    }
    // A hello that was heard before is answered by another hello, which is no larger.
    let is_hello = |link, to: NodeId, bytes: &Vec<u8>| {
        Datagram { from: hostile.to, to: to.0, link, bytes: bytes.clone() }.is_hello()
    };
    let harmless = |output: &Output| match output {
        Output::Transmit { link, to, datagram } => {
            kind == Hostility::Replay && datagram.len() <= length && is_hello(*link, *to, datagram)
        }
        Output::Notice(_) => true,
        _ => false,
    };
    if outputs.iter().all(harmless) { Ok(outputs) } else { broken(format!("{what} caused {outputs:?}")) }
}
