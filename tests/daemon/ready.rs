//! Readiness on two real daemons: what the node that does not run a resource could not start is told before anything fails, by
//! whom and where, and no longer when it is put right.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use anyhow::ensure;
use hac_lab::Tools;
use serde_json::Value;

use crate::names::Cluster;

type Test = fn(&Tools) -> anyhow::Result<()>;

pub(crate) fn cases() -> Vec<(&'static str, Test)> {
    vec![("what_a_node_could_not_start_is_told_before_it_has_to", told)]
}

/// An agent that validates on each node as a file there says, and keeps count.
const AGENT: &str = r#"#!/bin/sh
base="$(cd "$(dirname "$0")/../.." && pwd)"; file="$base/fussy.$(crm_node -n)"
case "$1" in
meta-data)
    echo '<resource-agent name="Fussy" version="1.0"><parameters><parameter name="token"><content type="string"/></parameter></parameters>
    <actions><action name="start" timeout="20s"/><action name="stop" timeout="20s"/><action name="monitor" timeout="20s"/>
    <action name="validate-all" timeout="20s"/></actions></resource-agent>' ;;
start) touch "$file" ;;
stop) rm -f "$file" ;;
monitor) [ -e "$file" ] || exit 7 ;;
validate-all)
    echo x >> "$base/validated.$(crm_node -n)"
    [ ! -e "$base/bad.$(crm_node -n)" ] || { echo "ocf-exit-reason:$OCF_RESKEY_token is not what it was" >&2; exit 6; } ;;
esac
exit 0
"#;

fn told(tools: &Tools) -> anyhow::Result<()> {
    // The section of agents is the last of the file.
    let cluster = Cluster::with(tools, 141, |_| "prove_interval = 1500\n".to_owned())?;
    cluster.must("configure property stonith-enabled=false no-quorum-policy=ignore")?;
    let agent = cluster.place.path("ocf/resource.d/heartbeat/Fussy");
    fs::write(&agent, AGENT)?;
    fs::set_permissions(&agent, fs::Permissions::from_mode(0o755))?;
    cluster.must("-w configure primitive shy Fussy params token=hunter2 op monitor interval=10min")?;
    cluster.must("configure location here shy 100: primary")?;
    let status = |cluster: &Cluster<'_>, node: usize| -> anyhow::Result<Value> {
        Ok(serde_json::from_str(&cluster.run(node, "crm", &["--json", "status"], "")?.out)?)
    };
    let of = |status: &Value, node: &str| -> Value {
        let all = status["readiness"].as_array().cloned().unwrap_or_default();
        all.into_iter().find(|told| told["node"] == node).unwrap_or_default()
    };
    cluster.until("the waiting node has proved it", |cluster| {
        let told = of(&status(cluster, 0)?, "secondary");
        Ok(told["ready"] == true && told["proved"] == 1)
    })?;
    let told = of(&status(&cluster, 0)?, "secondary");
    ensure!(told["agents"][0][0] == "ocf:heartbeat:Fussy", "{told}");
    let transitions = |cluster: &Cluster<'_>| -> anyhow::Result<usize> {
        let said = cluster.must("--json history transitions")?;
        Ok(serde_json::from_str::<Value>(&said)?["events"].as_array().map_or(0, Vec::len))
    };
    let before = transitions(&cluster)?;

    // What runs is not asked by its script.
    ensure!(!cluster.place.path("ocf/validated.primary").exists(), "it runs there");
    fs::write(cluster.place.path("ocf/bad.secondary"), "")?;
    let sentence = "secondary could not start shy if it had to: ******** is not what it was";
    for node in 0..2 {
        cluster.until("status of both nodes tells it", |cluster| {
            Ok(cluster.run(node, "crm", &["status"], "")?.out.contains(sentence))
        })?;
    }
    let why = cluster.must("explain shy")?;
    ensure!(why.contains("If it had to, secondary could not start it: ******** is not what it was."), "{why}");
    let why = cluster.must("explain node secondary")?;
    ensure!(why.contains("if it had to, it could not be started here: "), "{why}");
    let history = cluster.must("history --last 50")?;
    ensure!(history.contains(sentence) && !history.contains("hunter2"), "{history}");
    let doctor = cluster.crm("doctor")?;
    ensure!(doctor.out.contains("could not start shy"), "{}", doctor.out);
    fs::remove_file(cluster.place.path("ocf/bad.secondary"))?;
    cluster.until("it is well again", |cluster| Ok(of(&status(cluster, 0)?, "secondary")["ready"] == true))?;

    // The agent is one file for both nodes here: both lack it, and the one that runs the resource goes on.
    fs::rename(&agent, agent.with_extension("away"))?;
    cluster.until("the agent is missed", |cluster| {
        let told = of(&status(cluster, 1)?, "secondary");
        Ok(told["lacks"][0]["what"] == "agent" && told["lacks"][0]["resources"][0] == "shy")
    })?;
    fs::rename(agent.with_extension("away"), &agent)?;
    cluster.until("it is there again", |cluster| Ok(of(&status(cluster, 1)?, "secondary")["ready"] == true))?;
    ensure!(transitions(&cluster)? == before, "readiness made the coordinator decide something");

    // A node that is gone tells nothing, and tells again when it is back.
    let mut cluster = cluster;
    cluster.kill(1);
    cluster.until("nothing is told of it", |cluster| Ok(of(&status(cluster, 0)?, "secondary").is_null()))?;
    cluster.start(1)?;
    cluster.until("it tells again", |cluster| Ok(of(&status(cluster, 0)?, "secondary")["ready"] == true))
}
