//! What an administrator found wrong once, and no other test looks at: each line that was typed, and what it has to do.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};

use anyhow::ensure;
use hac_lab::Tools;

use crate::names::{Cluster, Said, split};

type Test = fn(&Tools) -> anyhow::Result<()>;

pub(crate) fn cases() -> Vec<(&'static str, Test)> {
    vec![
        ("a_failure_of_an_instance_is_forgotten_when_its_parameters_are_right", corrected),
        ("what_is_stopping_or_no_longer_configured_is_shown_and_can_be_cleaned_up", stopping),
        ("what_stands_in_the_way_of_everything_is_said_in_the_status", everything),
        ("what_the_cluster_sets_itself_stays_and_a_node_has_attributes", own),
    ]
}

/// An agent that fails to start while `bad` is set, and whose stop takes as long as there is a file `slow`.
const MOODY: &str = r#"#!/bin/sh
root="$(cd "$(dirname "$0")/../.." && pwd)"
file="$root/$OCF_RESOURCE_INSTANCE.$(crm_node -n)"
case "$1" in
meta-data)
    echo '<resource-agent name="moody"><parameters><parameter name="bad"><content type="string"/></parameter></parameters><actions>
    <action name="start" timeout="20"/><action name="stop" timeout="20"/><action name="monitor" timeout="20"/></actions></resource-agent>' ;;
start) [ -z "$OCF_RESKEY_bad" ] || { echo "ocf-exit-reason:bad is set" >&2; exit 1; }; touch "$file" ;;
stop) while [ -e "$root/slow" ]; do sleep 0.1; done; rm -f "$file" ;;
monitor) [ -e "$file" ] || exit 7 ;;
esac
exit 0
"#;

/// A pair with that agent, on which everything may run.
fn cluster(tools: &Tools, net: u8) -> anyhow::Result<Cluster<'_>> {
    let cluster = Cluster::with(tools, net, |_| String::new())?;
    let agent = cluster.place.path("ocf/resource.d/heartbeat/moody");
    fs::write(&agent, MOODY)?;
    fs::set_permissions(&agent, fs::Permissions::from_mode(0o755))?;
    cluster.must("configure property stonith-enabled=false no-quorum-policy=ignore")?;
    Ok(cluster)
}

fn corrected(tools: &Tools) -> anyhow::Result<()> {
    let cluster = cluster(tools, 152)?;
    cluster.must("configure primitive web moody")?;
    cluster.must("-w configure clone webs web")?;
    let slip = cluster.crm("-w resource param web set bad 1")?;
    ensure!(slip.code != 0 && slip.err.contains("bad is set"), "{}: {}", slip.code, slip.err);
    ensure!(cluster.crm("status")?.out.contains("webs may run on no node"), "{}", cluster.crm("status")?.out);
    cluster.must("-w resource param web delete bad")?;
    let status = cluster.must("status")?;
    ensure!(status.contains("* Started: [ primary secondary ]") && !status.contains("Failed Resource"), "{status}");
    let count = cluster.must("resource failcount web show primary")?;
    ensure!(count.contains("value=0"), "{count}");
    ensure!(!cluster.must("explain")?.contains("forget"), "something is still to be done");
    Ok(())
}

fn stopping(tools: &Tools) -> anyhow::Result<()> {
    let cluster = cluster(tools, 153)?;
    cluster.must("-w configure primitive big moody")?;
    let slow = cluster.place.path("ocf/slow");
    fs::write(&slow, "")?;
    // Who asks while it stops is not told that it is gone.
    cluster.must("resource stop big")?;
    cluster.until("it is being stopped", |cluster| {
        Ok(cluster.must("resource status big")?.contains("is being stopped on:"))
    })?;
    cluster.shows(&["big\t(ocf:heartbeat:moody):\t Stopping "])?;
    fs::remove_file(&slow)?;
    cluster.must("-w resource start big")?;
    // Who interrupts a restart while it stops has what was wanted before.
    fs::write(&slow, "")?;
    let mut command = Command::new(cluster.place.path("bin/crm"));
    command.args(["resource", "restart", "big"]).env("HACD_SOCKET", cluster.socket(0));
    let command = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
    cluster.shows(&["big\t(ocf:heartbeat:moody):\t Stopping "])?;
    ensure!(Command::new("kill").args(["-INT", &command.id().to_string()]).status()?.success(), "no signal");
    let said = Said::of(&command.wait_with_output()?)?;
    ensure!(
        said.code == 130 && said.err.contains("interrupted; big is wanted as before"),
        "{}: {}",
        said.code,
        said.err
    );
    fs::remove_file(&slow)?;
    cluster.shows(&["big\t(ocf:heartbeat:moody):\t Started "])?;
    // The same while nothing but its stop is left of it.
    fs::write(&slow, "")?;
    cluster.must("-F configure delete big")?;
    cluster.shows(&["big\t(ocf:heartbeat:moody):\t ORPHANED Stopping "])?;
    fs::remove_file(&slow)?;
    cluster.until("it is gone", |cluster| Ok(!cluster.must("status")?.contains("big\t")))
}

fn everything(tools: &Tools) -> anyhow::Result<()> {
    let cluster = cluster(tools, 154)?;
    cluster.must("-w configure primitive web nginx op monitor interval=10s")?;
    let nowhere = "web may run on no node";
    let bans = ["-w resource ban web", "-w resource ban web primary", "-w resource ban web secondary"];
    for (lines, said, back) in [
        (
            &["configure property stop-all-resources=true"][..],
            "(stop-all-resources=true)",
            "configure property stop-all-resources=",
        ),
        (&["configure property symmetric-cluster=false"], nowhere, "configure property symmetric-cluster="),
        (&["-w node standby --all"], nowhere, "-w node online --all"),
        (&bans, nowhere, "resource clear web"),
    ] {
        for line in lines {
            cluster.must(&format!("-y {line}"))?;
        }
        cluster.shows(&[said, "web\t(ocf:heartbeat:nginx):\t Stopped"])?;
        let check = cluster.crm("status --check")?;
        ensure!(
            check.code == 2 && (check.out.contains("not running: web") || check.out.contains("kept stopped")),
            "{lines:?}: {} {}",
            check.code,
            check.out
        );
        cluster.must(back)?;
        cluster.shows(&["web\t(ocf:heartbeat:nginx):\t Started"])?;
    }
    cluster.must("-y configure property maintenance-mode=true")?;
    let check = cluster.crm("status --check")?;
    ensure!(check.code == 1 && check.out.contains("maintenance mode"), "{} {}", check.code, check.out);
    Ok(())
}

fn own(tools: &Tools) -> anyhow::Result<()> {
    let cluster = cluster(tools, 155)?;
    let own = ["have-watchdog=false", "cluster-infrastructure=hacd", "cluster-name=lbcluster", "dc-version=0."];
    let there = |cluster: &Cluster<'_>| -> anyhow::Result<()> {
        let shown = cluster.must("configure show")?;
        ensure!(own.iter().all(|part| shown.contains(part)), "{shown}");
        Ok(())
    };
    there(&cluster)?;
    let said = cluster.crm("configure property dc-version=1 cluster-name=x")?;
    ensure!(said.err.contains("dc-version: only the cluster itself sets this property"), "{}", said.err);
    there(&cluster)?;
    cluster.must("configure delete cib-bootstrap-options")?;
    there(&cluster)?;
    cluster.must("configure node primary attributes site=east utilization cpu=4")?;
    let shown = cluster.must("configure show primary")?;
    ensure!(shown.contains("attributes site=east") && shown.contains("utilization cpu=4"), "{shown}");
    ensure!(cluster.must("node utilization primary show cpu")?.contains("value=4"), "utilization");
    // One object alone, in each form.
    cluster.must("configure primitive a nginx")?;
    cluster.must("configure primitive b nginx")?;
    for line in ["configure show xml a", "--json configure show a", "configure show a"] {
        let shown = cluster.must(line)?;
        ensure!(!shown.contains("primitive b") && !shown.contains("\"b\"") && shown.contains('a'), "{line}: {shown}");
    }
    // Options of crm that change nothing here, the file of the daemon, and commands.
    for (line, part) in [
        ("-D plain -d -H -o core.debug=no status", "Online: [ primary secondary ]"),
        ("corosync show", "[totem]"),
        ("corosync get totem.cluster_name", "lbcluster"),
        ("cluster run 'echo here'", "here"),
        ("resource secret ip check do_token", "do_token of ip is set"),
        ("resource secret ip show do_token", "********"),
    ] {
        if line.starts_with("resource secret ip check") {
            cluster
                .must("configure primitive ip ocf:digitalocean:floatip params do_token=T floating_ip=203.0.113.1")?;
        }
        let mut command = Command::new(cluster.place.path("bin/crm"));
        command
            .args(split(line))
            .env("HACD_SOCKET", cluster.socket(0))
            .env("HACD_CONFIG", cluster.place.path("0.toml"));
        let said = Said::of(&command.stdin(Stdio::null()).output()?)?;
        ensure!(said.code == 0 && said.out.contains(part), "{line}: {} {}{}", said.code, said.out, said.err);
    }
    // A trace is no unknown option.
    cluster.must("configure monitor a 10s:20s")?;
    let traced = cluster.crm("resource trace a monitor")?;
    ensure!(traced.code == 0 && !traced.err.contains("WARNING"), "{}: {}", traced.code, traced.err);
    ensure!(cluster.must("configure show a")?.contains("trace_ra=1"), "not traced");
    cluster.must("resource untrace a monitor")?;
    // A lifetime, also of a ban.
    for line in ["resource move a secondary PT5M", "resource ban b primary PT5M"] {
        let said = cluster.crm(line)?;
        ensure!(said.code == 0 && said.err.contains("The constraint ends by itself at "), "{line}: {}", said.err);
    }
    Ok(())
}
