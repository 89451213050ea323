//! P-2: nodes at the same position of the same stream have the same state. Positions are compared by the version of the
//! CIB, which every change raises, within one active view.

use std::collections::BTreeMap;

use hac_crm::cib::Replicated as _;
use hac_model::Version;
use hac_types::RingId;

use super::{Violation, count};
use crate::cluster::Host;

/// Views whose states are remembered.
const VIEWS: usize = 16;

/// See the [module documentation](self).
#[derive(Clone, Debug, Default)]
pub(super) struct Agreement {
    seen: BTreeMap<u32, (RingId, Version)>,
    digests: BTreeMap<RingId, BTreeMap<Version, (u32, [u8; 16])>>,
}

impl Agreement {
    pub(super) fn check(
        &mut self,
        hosts: &BTreeMap<u32, Host>,
        executed: &mut BTreeMap<&'static str, u64>,
    ) -> Result<(), Violation> {
        for host in hosts.values() {
            let (Some((standing, version)), Some(node)) = (host.seen, &host.node) else { continue };
            let (true, Some(ring)) = (standing.takes_part(), standing.ring) else { continue };
            let position = (ring, version);
            if self.seen.insert(host.id, position) == Some(position) {
                continue;
            }
            host.program.runs();
            let digest = node.cib().digest();
            let known = self.digests.entry(ring).or_default();
            let &mut (first, expected) = known.entry(position.1).or_insert((host.id, digest));
            if first != host.id {
                count(executed, "P-2");
            }
            if digest != expected {
                let text = format!("node{first} and node{} differ in ring {ring} at version {:?}", host.id, position.1);
                return Err(Violation::new("P-2", text));
            }
            while self.digests.len() > VIEWS {
                self.digests.pop_first();
            }
        }
        Ok(())
    }
}
