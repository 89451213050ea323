//! Reports about small states: what stands in the lines of resources, before and after.

use hac_types::WallTime;

use crate::cib_xml;

use super::super::{Clock, simulate};

/// The report about one node's history at second 1000.
fn report(fencing: bool, node: &str, resources: &str, history: &str) -> String {
    let text = format!(
        r#"<cib validate-with="pacemaker-3.9" crm_feature_set="3.16.1" epoch="1" num_updates="0" admin_epoch="0"
 have-quorum="1"><configuration><crm_config><cluster_property_set id="o">
<nvpair id="o1" name="stonith-enabled" value="{fencing}"/></cluster_property_set></crm_config>
<nodes><node id="1" uname="n1"/></nodes><resources>{resources}</resources><constraints/></configuration>
<status><node_state id="1" uname="n1" {node}><lrm id="1"><lrm_resources>{history}</lrm_resources></lrm></node_state>
</status></cib>"#
    );
    let cib = cib_xml::read(&text).unwrap();
    simulate(&cib, &Clock::Present(WallTime::from_secs(1000)), false).report()
}

const UP: &str = r#"in_ccm="true" crmd="online" join="member" expected="member""#;
const LOST: &str = r#"in_ccm="false" crmd="offline" join="down" expected="member""#;

/// What an agent did: task, interval in milliseconds, exit code.
fn op(resource: &str, id: &str, (task, interval, expected, rc): (&str, u32, u32, u32), more: &str) -> String {
    format!(
        r#"<lrm_rsc_op id="{resource}_{id}" operation_key="{resource}_{task}_{interval}" operation="{task}" call-id="5"
 transition-key="1:1:{expected}:x" transition-magic="0:{rc};1:1:{expected}:x" rc-code="{rc}" op-status="0"
 interval="{interval}" {more}/>"#
    )
}

fn entry(id: &str, agent: &str, ops: &str) -> String {
    format!(r#"<lrm_resource id="{id}" class="ocf" provider="heartbeat" type="{agent}">{ops}</lrm_resource>"#)
}

const WEB: &str = r#"<primitive id="web" class="ocf" provider="heartbeat" type="Dummy"/>"#;

/// After the heading of the last section.
fn revised(report: &str) -> &str {
    report.split_once("Revised Cluster Status:").unwrap().1
}

#[test]
fn a_result_is_the_newest_though_another_node_wrote_a_later_time() {
    let more = r#"on_node="elsewhere" last-rc-change="5000""#;
    let failed = op("web", "last_failure_0", ("monitor", 10_000, 0, 7), more);
    let report = report(false, UP, WEB, &entry("web", "Dummy", &failed));
    assert!(revised(&report).contains("web\t(ocf:heartbeat:Dummy):\t Started n1\n"), "{report}");
}

#[test]
fn instances_told_apart_are_not_recorded_without_their_number() {
    let unique = r#"<meta_attributes id="u"><nvpair id="u1" name="globally-unique" value="true"/></meta_attributes>"#;
    let clone = format!(r#"<clone id="webs">{unique}{WEB}</clone>"#);
    let report = report(false, UP, &clone, &entry("web", "Dummy", ""));
    assert!(revised(&report).contains("web:0\t(ocf:heartbeat:Dummy):\t Started n1\n"), "{report}");
    assert!(!report.contains("ORPHANED"), "{report}");
}

#[test]
fn a_replica_is_in_doubt_with_the_host_of_its_container() {
    let bundle = r#"<bundle id="b"><podman image="i" replicas="1"/><network control-port="3121"/>
<primitive id="web" class="ocf" provider="heartbeat" type="Dummy"/></bundle>"#;
    let running = op("b-podman-0", "monitor_60000", ("monitor", 60_000, 0, 0), "");
    let report = report(true, LOST, bundle, &entry("b-podman-0", "podman", &running));
    assert!(report.contains("b-0\t(ocf:heartbeat:Dummy):\t Stopped n1 (UNCLEAN)\n"), "{report}");
}

#[test]
fn of_a_cloned_group_nothing_is_told_of_what_its_members_lack() {
    let missing = op("web", "last_failure_0", ("monitor", 0, 7, 5), r#"on_node="n1""#);
    let history = entry("web", "Dummy", &missing);
    let clone = format!(r#"<clone id="webs">{WEB}</clone>"#);
    let plain = report(false, UP, &clone, &history);
    assert!(plain.contains("* Stopped (Not installed): [ n1 ]\n"), "{plain}");
    let of_group = format!(r#"<clone id="teams"><group id="team">{WEB}</group></clone>"#);
    let grouped = report(false, UP, &of_group, &history);
    assert!(grouped.contains("* Stopped: [ n1 ]\n"), "{grouped}");
}
