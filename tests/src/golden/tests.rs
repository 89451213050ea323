//! Reading and writing golden plans.

use super::*;

const STATE: &str = "# Moved.\nnodes n1 n2\nproperty stonith-enabled=false\n\
    primitive web ocf:pacemaker:Dummy op monitor interval=10s\n\non n1 standby=on\n  web start\n  web monitor/10s\n\
    on n2\n  web monitor\n";

#[test]
fn a_state_is_read_and_its_plan_written_below_it() {
    let golden = Golden::read(STATE).unwrap();
    let rendered = golden.rendered(&golden.simulate());
    assert!(rendered.starts_with(&format!("{STATE}----\nTransition Summary:\n")), "{rendered}");
    assert!(rendered.contains("* Move       web     ( n1 -> n2 )"), "{rendered}");
    assert!(!rendered.contains("Revised"), "{rendered}");
    let again = Golden::read(&rendered).unwrap();
    assert_eq!(again.rendered(&again.simulate()), rendered);
}

#[test]
fn a_history_keeps_a_failure_beside_the_last_good_run() {
    let text = STATE.replace("on n2", "  web monitor/10s 7\non n2");
    let golden = Golden::read(&text).unwrap();
    let ids: Vec<&str> = golden.cib.status.nodes[0].resources[0].ops.iter().map(|op| op.id.as_str()).collect();
    assert_eq!(ids, ["web_last_0", "web_monitor_10000", "web_last_failure_0"]);
}

#[test]
fn what_is_not_understood_is_told_with_its_line() {
    for (line, place) in [
        ("on n1 asleep", "on n1"),
        ("on n1\n  nobody start", "nobody start"),
        ("ticket t", "line 4"),
        ("primitive", "line 4"),
    ] {
        let text = format!("nodes n1\n\nproperty stonith-enabled=false\n{line}\n");
        let error = format!("{:#}", Golden::read(&text).expect_err(line));
        assert!(error.contains(place), "{line}: {error}");
    }
}
