//! Going without a node that takes part in the ring, because the layer above wants it so.

use hac_totem::{Exclusion, GatherReason, Notice};
use hac_types::NodeId;

use crate::checks::check;
use crate::net::{Net, ms};

impl Net {
    fn exclude(&mut self, node: u32, others: &[u32]) {
        let others: Vec<NodeId> = others.iter().map(|id| NodeId(*id)).collect();
        let now = self.now;
        let engine = self.hosts.get_mut(&node).unwrap().engine.as_mut().unwrap();
        engine.exclude(now, &others, Exclusion::Silent);
        self.drain(node);
    }

    fn readmit(&mut self, node: u32, other: u32) {
        let now = self.now;
        self.hosts.get_mut(&node).unwrap().engine.as_mut().unwrap().readmit(now, &[NodeId(other)]);
        self.drain(node);
    }
}

fn excluded(net: &Net, node: u32) -> Vec<u64> {
    let pauses = net.notices(node).into_iter().filter_map(|notice| match notice {
        Notice::Excluded { pause, .. } => Some(pause.as_secs()),
        _ => None,
    });
    pauses.collect()
}

#[test]
fn those_who_go_without_a_member_go_on_together_and_take_it_back_later_each_time() {
    let mut net = Net::formed(1, 3, 1);
    net.run(ms(1000));
    for pause in [60_000, 120_000] {
        net.exclude(1, &[3]);
        net.exclude(2, &[3]);
        net.run_until_ring(&[1, 2], ms(2000));
        net.run_until_ring(&[3], ms(5000));
        let views = net.regular_views(1);
        net.run(ms(pause - 10_000));
        assert!(net.is_formed(&[1, 2]), "no sooner than its pause is over");
        assert_eq!(net.regular_views(1), views, "and nothing flaps meanwhile");
        net.run_until_formed(ms(12_000));
        net.run(ms(1000));
    }
    assert_eq!(excluded(&net, 1), [60, 120]);
    let why = |notice: &&Notice| matches!(notice, Notice::GatherEntered { reason: GatherReason::Excluded });
    assert!(net.notices(1).iter().any(why), "{:?}", net.notices(1));
    check(&net);
}

#[test]
fn the_wish_of_one_is_enough_whoever_has_the_lower_id() {
    for (by, out) in [(1, 3), (3, 1), (2, 1), (2, 3)] {
        let mut net = Net::formed(2, 3, 1);
        net.run(ms(1000));
        net.exclude(by, &[out]);
        let rest: Vec<u32> = (1..=3).filter(|node| *node != out).collect();
        net.run_until_ring(&rest, ms(2000));
        net.run_until_ring(&[out], ms(5000));
        net.run(ms(20_000));
        assert!(net.is_formed(&rest));
        assert_eq!(net.regular_views(by), 2, "{by} without {out}: one change of view");
        for node in (1..=3).filter(|node| *node != by) {
            let told = Notice::ExcludedBy { node: NodeId(out), by: NodeId(by) };
            assert!(net.notices(node).contains(&&told), "{node}: {:?}", net.notices(node));
        }
        check(&net);
    }
}

#[test]
fn two_in_the_ring_can_be_gone_without_together() {
    let mut net = Net::formed(3, 5, 1);
    net.run(ms(1000));
    net.exclude(4, &[1, 2]);
    net.run_until_ring(&[3, 4, 5], ms(3000));
    net.run(ms(10_000));
    assert!(net.is_formed(&[3, 4, 5]));
    check(&net);
}

#[test]
fn one_that_goes_without_most_goes_alone() {
    let mut net = Net::formed(4, 5, 1);
    net.run(ms(1000));
    net.exclude(1, &[2, 3, 4, 5]);
    net.run_until_ring(&[2, 3, 4, 5], ms(3000));
    net.run_until_ring(&[1], ms(5000));
    net.run(ms(10_000));
    assert!(net.is_formed(&[2, 3, 4, 5]));
    check(&net);
}

#[test]
fn wishes_that_contradict_each_other_end_in_one_answer() {
    let mut net = Net::formed(5, 3, 1);
    net.run(ms(1000));
    net.exclude(3, &[1]);
    net.exclude(1, &[3]);
    net.run_until_ring(&[1, 2], ms(5000));
    net.run(ms(20_000));
    assert!(net.is_formed(&[1, 2]));
    assert!(net.is_formed(&[3]));
    check(&net);
}

#[test]
fn a_later_life_is_counted_at_once() {
    let mut net = Net::formed(6, 3, 1);
    net.run(ms(1000));
    net.exclude(1, &[3]);
    net.run_until_ring(&[1, 2], ms(2000));
    net.crash(3);
    net.run(ms(1000));
    net.start(3);
    net.run_until_formed(ms(2000));
    check(&net);
}

#[test]
fn a_sign_from_above_ends_it_at_once() {
    let mut net = Net::formed(7, 3, 1);
    net.run(ms(1000));
    net.exclude(2, &[3]);
    net.run_until_ring(&[1, 2], ms(2000));
    net.readmit(2, 3);
    net.run_until_formed(ms(2000));
    net.run(ms(1000));
    net.exclude(2, &[3]);
    assert_eq!(excluded(&net, 2), [60, 120], "it lasts longer all the same");
    check(&net);
}

#[test]
fn of_two_each_goes_on_alone() {
    let mut net = Net::formed(8, 2, 1);
    net.run(ms(1000));
    net.exclude(1, &[2]);
    net.run_until_ring(&[1], ms(2000));
    net.run_until_ring(&[2], ms(5000));
    net.run_until_formed(ms(70_000));
    check(&net);
}
