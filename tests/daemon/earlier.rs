//! Earlier states on real daemons: what a resource was and why, as of a time or an event, also after a restart.

use anyhow::{Context, ensure};
use hac_lab::Tools;
use serde_json::Value;

use crate::names::Cluster;

type Test = fn(&Tools) -> anyhow::Result<()>;

pub(crate) fn cases() -> Vec<(&'static str, Test)> {
    vec![("what_was_decided_can_be_explained_later_and_after_a_restart", explained)]
}

fn explained(tools: &Tools) -> anyhow::Result<()> {
    let mut cluster = Cluster::with(tools, 142, |_| String::new())?;
    cluster.must("configure property stonith-enabled=false no-quorum-policy=ignore")?;
    cluster.must("-w configure primitive web nginx op monitor interval=10s")?;
    cluster.must("-w configure location first web 100: primary")?;
    cluster.until("it runs on primary", |cluster| Ok(cluster.must("status")?.contains("Started primary")))?;
    let moments = |cluster: &Cluster<'_>| -> anyhow::Result<Vec<Value>> {
        let said: Value = serde_json::from_str(&cluster.must("--json explain --at list")?)?;
        Ok(said["moments"].as_array().cloned().unwrap_or_default())
    };
    let before = moments(&cluster)?;
    let there = before.last().context("a moment")?.clone();
    let id = there["id"].as_str().context("its id")?.to_owned();
    std::thread::sleep(std::time::Duration::from_millis(1500));
    cluster.must("-w node standby primary")?;
    cluster.until("it moved", |cluster| Ok(cluster.must("status")?.contains("Started secondary")))?;
    ensure!(moments(&cluster)?.len() > before.len(), "nothing was kept of the move");

    let as_it_was = |cluster: &Cluster<'_>| -> anyhow::Result<()> {
        let then = cluster.must(&format!("explain web --at {id}"))?;
        ensure!(then.starts_with("As primary saw it at ") && then.contains(&format!("({id}):")), "{then}");
        ensure!(then.contains("runs on primary and stays as it is"), "{then}");
        let now = cluster.must("explain web")?;
        ensure!(now.contains("runs on secondary"), "{now}");
        Ok(())
    };
    as_it_was(&cluster)?;
    let time = there["time_ms"].as_i64().context("a time")? / 1000 + 1;
    let then = cluster.must(&format!("explain web --at @{time}"))?;
    ensure!(then.contains("runs on primary"), "{then}");
    // An event that only another node told has a place here too.
    let told: Value =
        serde_json::from_str(&cluster.run(1, "crm", &["--json", "history", "--here", "--last", "1"], "")?.out)?;
    let other = told["events"][0]["id"].as_str().context("an event of the other node")?.to_owned();
    let then = cluster.must(&format!("explain web --at {other}"))?;
    ensure!(then.contains("runs on secondary"), "{then}");
    let around = cluster.must(&format!("history --at {id}"))?;
    ensure!(around.contains(&id), "{around}");

    let refused = cluster.crm("explain web --at 1.ffff.1")?;
    ensure!(refused.code == 105 && refused.err.contains("no journal has the event"), "{}", refused.err);
    let refused = cluster.crm("explain web --at 20y")?;
    ensure!(refused.code != 0 && !refused.err.is_empty(), "{}", refused.err);
    let refused = cluster.crm("explain nothing --at 1s")?;
    ensure!(refused.code == 105, "{}", refused.err);

    cluster.kill(0);
    cluster.start(0)?;
    cluster.until("it is back", |cluster| {
        let status = cluster.crm("status")?.out;
        Ok(status.contains("primary: standby") && status.contains("Started secondary"))
    })?;
    as_it_was(&cluster)
}
