//! What the faults leave of the disks.

use hac_node::{Persist, PersistId};

use super::*;
use crate::options::Options;

/// Of two disks, the first may be lost with all power unless it is the only one that has the key.
#[test]
fn the_last_disk_with_the_key_is_not_taken() {
    for (other_lacks_key, taken) in [(false, true), (true, false)] {
        let mut world = World::new(Options { nodes: 2, ..Options::of(1, Some(2)) }, false);
        let disk = &mut world.hosts.get_mut(&2).unwrap().disk;
        for what in [Persist::CibPrepare { generation: 1, bytes: vec![] }, Persist::CibCommit { generation: 1 }] {
            disk.begin(PersistId(1), what);
            assert_eq!(disk.end(PersistId(1), &mut hac_netsim::Rng::new(1, 1)), Some(Ok(())));
        }
        drop(disk.read(hac_totem::Stored { ring_seq: 0, incarnation: Incarnation(1) }));
        if other_lacks_key {
            world.hosts.get_mut(&2).unwrap().disk.roll_back();
        }
        world.black_out(1);
        assert_eq!(world.hosts[&1].disk.lacks_key, taken, "the other lacks it: {other_lacks_key}");
    }
}
