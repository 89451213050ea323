//! Times, sweeps and names.

use hac_crm::plan::{Action, ActionKind, Plan};
use hac_types::WallTime;

use super::execute::sweep;
use super::*;

fn given(text: &str) -> Option<i64> {
    let Some(Clock::Given(WallTime(ms), _)) = Clock::given(text) else { return None };
    Some(ms / 1000)
}

#[test]
fn times_are_read_as_people_write_them() {
    assert_eq!(given("2014-05-07 00:28:00"), Some(1_399_422_480));
    assert_eq!(given("2014-05-07T00:28:00Z"), Some(1_399_422_480));
    assert_eq!(given("2014-05-07T02:28:00+02:00"), Some(1_399_422_480));
    assert_eq!(given("2005-020T12:30"), Some(1_106_224_200));
    assert_eq!(given("2005-W03-4T12:30"), Some(1_106_224_200));
    assert_eq!(given("@77"), Some(77));
    for nonsense in ["", "soon", "2014-13-01", "2014-05-07T25:00", "2014-05-07T00:28:00+xx", "+1-+1-+1", "20é4-05-07"]
    {
        assert_eq!(given(nonsense), None, "{nonsense}");
    }
}

#[test]
fn a_state_carries_its_own_time() {
    let mut cib = Cib::default();
    let present = Clock::Present(WallTime::from_secs(9));
    assert_eq!(present.time_for(&cib), WallTime::from_secs(9));
    cib.info.execution_date = Some(5);
    assert_eq!(present.time_for(&cib), WallTime::from_secs(5));
    assert_eq!(Clock::Given(WallTime::from_secs(7), String::new()).time_for(&cib), WallTime::from_secs(7));
}

fn milestone(inputs: &[usize]) -> Action {
    Action {
        inputs: inputs.to_vec(),
        key: String::new(),
        node: None,
        node_id: None,
        router_node: None,
        priority: 0,
        kind: ActionKind::Pseudo,
        downed: Vec::new(),
        meta: std::collections::BTreeMap::new(),
    }
}

#[test]
fn what_fires_in_a_sweep_counts_for_those_later_in_it() {
    // 0 waits for 3, which comes later; 1 is free; 2 waits for 1 in the same sweep; 3 waits for 2.
    let plan = Plan { actions: [&[3][..], &[], &[1], &[2]].map(milestone).into(), ..Plan::default() };
    assert_eq!(sweep(&plan), [1, 2, 3, 0]);
}

#[test]
fn a_cycle_never_fires() {
    let plan = Plan { actions: [&[1][..], &[0], &[]].map(milestone).into(), ..Plan::default() };
    assert_eq!(sweep(&plan), [2]);
}
