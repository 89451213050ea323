//! The XML against the schemas that Pacemaker publishes, where Debian's packages have put them.

#![expect(clippy::disallowed_methods, reason = "xmllint is started by these tests alone")]

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use hac_model::fencing::{Attempt, End, Record, Request, Wanted};
use hac_model::{Cib, FenceAction};

use super::super::{Options, xml};
use super::facts;
use crate::cib_xml;

/// The schema of `--output-as=xml`, that of the older form, and from which package they are.
const SCHEMAS: [&str; 2] = ["/usr/share/pacemaker/api/api-result.rng", "/usr/share/pacemaker/crm_mon.rng"];

/// Attributes of Pacemaker 3.0 that the schemas of Debian 12 (2.1.5, API 2.25) do not know yet, as they are written
/// here, and what stands in their place without them.
const NEWER: [(&str, &str); 4] = [
    (" maintenance=\"false\" managed=", " managed="),
    (" maintenance=\"true\" managed=", " managed="),
    (" pacemakerd-state=\"running\"", ""),
    (" origin=\"primary\"/>\n    <last_change", "/>\n    <last_change"),
];

/// Two nodes, an address, a clone, a promotable clone and a group; `X` are marks to be replaced.
const STATE: &str = r#"<cib crm_feature_set="3.19.7" validate-with="pacemaker-3.9" epoch="1" num_updates="0" admin_epoch="0" have-quorum="1" dc-uuid="1">
  <configuration>
    <crm_config><cluster_property_set id="o"><nvpair id="o1" name="stonith-enabled" value="false"/>X1</cluster_property_set></crm_config>
    <nodes>
      <node id="1" uname="n1"><instance_attributes id="n1a">X2<nvpair id="n1site" name="site" value="east"/></instance_attributes></node>
      <node id="2" uname="n2"/>
    </nodes>
    <resources>
      <primitive id="ip" class="ocf" provider="heartbeat" type="IPaddr2"><operations><op id="ip-m" name="monitor" interval="10s"/></operations></primitive>
      <clone id="web-clone"><primitive id="web" class="ocf" provider="heartbeat" type="nginx"/></clone>
      <clone id="db-clone"><meta_attributes id="dbm"><nvpair id="dbp" name="promotable" value="true"/></meta_attributes><primitive id="db" class="ocf" provider="heartbeat" type="pgsql"/></clone>
      <group id="g"><primitive id="a" class="ocf" provider="pacemaker" type="Dummy"/><primitive id="b" class="ocf" provider="pacemaker" type="Dummy"/></group>
      <primitive id="off" class="systemd" type="postfix"><meta_attributes id="offm"><nvpair id="offr" name="target-role" value="Stopped"/></meta_attributes></primitive>
    </resources>
    <constraints>X3</constraints>
  </configuration>
  <status>
    <node_state id="1" uname="n1" in_ccm="true" crmd="online" join="member" expected="member">
      <transient_attributes id="1"><instance_attributes id="t1"><nvpair id="t1m" name="master-db" value="10"/>X4</instance_attributes></transient_attributes>
      <lrm id="1"><lrm_resources>
        <lrm_resource id="ip" class="ocf" provider="heartbeat" type="IPaddr2">
          <lrm_rsc_op id="ip_last_0" operation_key="ip_start_0" operation="start" transition-key="1:1:0:u" transition-magic="0:0;1:1:0:u" call-id="5" rc-code="0" op-status="0" interval="0" last-rc-change="1700000000" exec-time="12" queue-time="0"/>
          X5
        </lrm_resource>
        <lrm_resource id="db" class="ocf" provider="heartbeat" type="pgsql">
          <lrm_rsc_op id="db_last_0" operation_key="db_promote_0" operation="promote" transition-key="2:1:0:u" transition-magic="0:0;2:1:0:u" call-id="7" rc-code="0" op-status="0" interval="0" last-rc-change="1700000000" exec-time="12" queue-time="0"/>
        </lrm_resource>
      </lrm_resources></lrm>
    </node_state>
    X6
  </status>
</cib>"#;

/// The other node, there and away.
const THERE: &str = r#"<node_state id="2" uname="n2" in_ccm="true" crmd="online" join="member" expected="member"/>"#;
const AWAY: &str = r#"<node_state id="2" uname="n2" in_ccm="false" crmd="offline" join="down" expected="down"/>"#;

const STANDBY: &str = r#"<nvpair id="n1s" name="standby" value="on"/>"#;
const MAINTENANCE: &str = r#"<nvpair id="o2" name="maintenance-mode" value="true"/>"#;
const BAN: &str = r#"<rsc_location id="ban" rsc="ip" node="n2" score="-INFINITY"/>"#;
const COUNT: &str = r#"<nvpair id="t1f" name="fail-count-ip#monitor_10000" value="1"/>"#;
const FAILED: &str = r#"<lrm_rsc_op id="ip_last_failure_0" operation_key="ip_monitor_10000" operation="monitor" transition-key="3:1:0:u" transition-magic="0:7;3:1:0:u" call-id="6" rc-code="7" op-status="0" interval="10000" last-rc-change="1700000060" exec-time="3" queue-time="0" exit-reason="&lt;gone&gt; &amp; &quot;away&quot;"/>"#;

/// The state with these texts in the places of the marks.
fn state(marks: &[(&str, &str)]) -> Cib {
    let mut text = STATE.to_owned();
    for (mark, instead) in marks {
        text = text.replace(mark, instead);
    }
    for mark in ["X1", "X2", "X3", "X4", "X5"] {
        text = text.replace(mark, "");
    }
    cib_xml::read(&text.replace("X6", THERE)).expect("is a state")
}

fn record(id: u64, end: End) -> Record {
    Record {
        id,
        target: "n2".to_owned(),
        action: FenceAction::Reboot,
        client: "hacctl".to_owned(),
        origin: "n1".to_owned(),
        delegate: Some("n1".to_owned()),
        completed: 1_700_000_000,
        end,
    }
}

fn states() -> Vec<(&'static str, Cib)> {
    let mut pending = state(&[("X6", AWAY)]);
    pending.status.fencing.running.push(Request {
        wanted: Wanted {
            target: "n2".to_owned(),
            client: "hacd".to_owned(),
            origin: "n1".to_owned(),
            ..Wanted::default()
        },
        attempt: Some(Attempt { device: "F".to_owned(), by: "n1".to_owned(), ..Attempt::default() }),
        ..Request::default()
    });
    let mut fenced = state(&[("X6", AWAY)]);
    let failed = End::Failed { reason: "the token was refused".to_owned(), nobody: false };
    fenced.status.fencing.history = vec![record(1, failed), record(2, End::Succeeded)];
    vec![
        ("healthy", state(&[])),
        ("standby", state(&[("X2", STANDBY)])),
        ("offline", state(&[("X6", AWAY)])),
        ("failed", state(&[("X4", COUNT), ("X5", FAILED)])),
        ("maintenance", state(&[("X1", MAINTENANCE)])),
        ("banned", state(&[("X3", BAN)])),
        ("fencing pending", pending),
        ("fencing failed and done", fenced),
    ]
}

/// What `xmllint` has against a document; nothing if it is valid.
fn complaint(schema: &str, document: &str) -> Option<String> {
    let mut child = Command::new("xmllint")
        .args(["--noout", "--relaxng", schema, "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("xmllint starts");
    child.stdin.take().expect("is piped").write_all(document.as_bytes()).expect("is read");
    let output = child.wait_with_output().expect("ends");
    (!output.status.success()).then(|| String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn the_xml_is_valid_by_pacemakers_schemas() {
    if Command::new("xmllint").arg("--version").output().is_err() {
        eprintln!("left out: there is no xmllint (Debian: libxml2-utils)");
        return;
    }
    let forms = [Some("crm_mon -1 --output-as=xml"), None];
    for (schema, request) in SCHEMAS.into_iter().zip(forms) {
        if !Path::new(schema).exists() {
            eprintln!("left out: there is no {schema} (Debian: pacemaker-common, pacemaker-cli-utils)");
            continue;
        }
        for (name, cib) in states() {
            let view = hac_scheduler::view(&cib, super::super::wall_time(1_700_000_100_000));
            let mut text = xml(&facts(), &view, &cib, &Options::default(), request);
            for (newer, instead) in NEWER {
                text = text.replace(newer, instead);
            }
            if let Some(complaint) = complaint(schema, &text) {
                panic!("{name}: {complaint}\n{text}");
            }
        }
    }
}

#[test]
fn what_breaks_the_schema_is_noticed() {
    let [schema, _] = SCHEMAS;
    if !Path::new(schema).exists() || Command::new("xmllint").arg("--version").output().is_err() {
        eprintln!("left out: there is no {schema}, or no xmllint");
        return;
    }
    let (_, cib) = states().swap_remove(0);
    let view = hac_scheduler::view(&cib, super::super::wall_time(1_700_000_100_000));
    let text = xml(&facts(), &view, &cib, &Options::default(), Some("crm_mon"));
    assert!(complaint(schema, &text.replace(" active=", " actve=")).is_some(), "a wrong attribute is valid");
}
