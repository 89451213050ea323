//! `cibadmin` on a running cluster, `hacctl history` over nodes and restarts, and a program of others that calls the names.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};
use hac_lab::Tools;

use super::{Cluster, Said, split};

/// The objects of `cibadmin` are those of `configure show`, and what it changes is agreed by the cluster.
pub(super) fn cibadmin(cluster: &Cluster<'_>) -> anyhow::Result<()> {
    let admin = |words: &[&str]| cluster.run(0, "cibadmin", words, "");
    let said = admin(&[
        "-C",
        "-o",
        "resources",
        "-X",
        "<primitive id='made' class='ocf' provider='heartbeat' type='nginx'/>",
    ])?;
    ensure!(said.code == 0 && said.out.is_empty(), "{}{}", said.out, said.err);
    ensure!(cluster.must("configure show made")?.contains("primitive made nginx"), "not made");
    // What comes back masked stays what it is.
    let whole = admin(&["-Q", "-o", "resources"])?.out;
    let said = cluster.run(0, "cibadmin", &["-R", "-o", "resources", "-p"], &whole.replace("made", "other"))?;
    ensure!(said.code == 0, "{}{}", said.out, said.err);
    ensure!(cluster.must("configure show")?.contains("primitive other nginx"), "not replaced");
    let said = admin(&["-D", "-A", "//primitive[@id='other']"])?;
    ensure!(said.code == 0, "{}{}", said.out, said.err);
    ensure!(!cluster.must("configure show")?.contains("other"), "not deleted");
    // An option in front counts as one behind.
    cluster.must("configure primitive running nginx")?;
    cluster.shows(&["running\t(ocf:heartbeat:nginx):\t Started"])?;
    cluster.must("-F configure delete running")?;
    let said = cluster.run(0, "crm", &["status", "simple"], "")?;
    ensure!(
        said.code == 0 && said.out.contains("CLUSTER OK: 2 nodes online") && said.out.contains(" | online=2 "),
        "{}",
        said.out
    );
    Ok(())
}

/// Agents that the daemon finds or has inside, as Pacemaker's program lists them.
pub(super) fn agents(cluster: &Cluster<'_>) -> anyhow::Result<()> {
    for (words, code, part) in [
        ("--list-standards", 0, "ocf\nlsb\nservice\nsystemd\nstonith"),
        ("--list-ocf-providers", 0, "digitalocean\nheartbeat"),
        ("--list-ocf-providers=nginx", 0, "heartbeat"),
        ("--list-ocf-alternatives nginx", 0, "heartbeat"),
        ("--list-ocf-alternatives nosuch", 105, "No OCF providers found for nosuch"),
        ("--list-agents ocf:heartbeat", 0, "nginx"),
        ("--list-agents nosuch", 1, "No agents found for standard 'nosuch'"),
        ("--show-metadata ocf:digitalocean:floatip", 0, "<resource-agent name=\"floatip\""),
        ("--show-metadata ocf:digitalocean:nosuch", 1, "Metadata query for ocf:digitalocean:nosuch failed"),
        ("--show-metadata a?b&c", 1, "Metadata query for a?b&c failed"),
    ] {
        let said = cluster.run(0, "crm_resource", &words.split(' ').collect::<Vec<_>>(), "")?;
        let text = said.out + &said.err;
        ensure!(said.code == code && text.contains(part), "crm_resource {words}: exit code {}: {text}", said.code);
    }
    Ok(())
}

pub(super) fn history(tools: &Tools) -> anyhow::Result<()> {
    let mut cluster = Cluster::new(tools, 91)?;
    cluster.must("configure property stonith-enabled=false no-quorum-policy=ignore")?;
    cluster.must("-w configure primitive web nginx op monitor interval=10s")?;
    let asked = |cluster: &Cluster<'_>, line: &str| -> anyhow::Result<Vec<serde_json::Value>> {
        let out = cluster.must(&format!("--json history {line}"))?;
        let told: serde_json::Value = serde_json::from_str(&out)?;
        Ok(told["events"].as_array().context("a list of events")?.clone())
    };
    let text = |event: &serde_json::Value| event["text"].as_str().unwrap_or_default().to_owned();
    // Who changed what, told by both nodes and shown once.
    let changes = asked(&cluster, "--kind configuration --since 1h")?;
    let written: Vec<_> = changes.iter().filter(|event| text(event).contains("web written")).collect();
    ensure!(
        written.len() == 1 && text(written[0]).contains("client crm") | text(written[0]).contains("client hacctl"),
        "{changes:?}"
    );
    ensure!(written[0]["nodes"].as_array().is_some_and(|nodes| nodes.len() == 2), "{:?}", written[0]);
    // Back from the start of the resource to the change that led to it.
    let about = asked(&cluster, "--resource web")?;
    let started = about.iter().rev().find(|event| text(event).contains("web_start_0")).context("it was started")?;
    let id = started["id"].as_str().context("an id")?;
    let chain = asked(&cluster, &format!("--causes {id}"))?;
    ensure!(chain.iter().any(|event| event["kind"] == "configuration"), "{chain:?}");
    ensure!(asked(&cluster, "--resource web --last 1")?.len() == 1, "--last");
    ensure!(asked(&cluster, "--level error")?.is_empty(), "nothing went wrong");
    let until = cluster.crm("history --until yesterday --last 1")?;
    ensure!(until.code == 64 && until.err.contains("--until: 'yesterday' is no time"), "{}", until.err);
    // A node that was started again tells what it told before; one that is away is named.
    cluster.kill(1);
    cluster.until("the other is gone", |cluster| Ok(cluster.crm("status")?.out.contains("OFFLINE: [ secondary ]")))?;
    let said = cluster.crm("history --last 3")?;
    ensure!(said.code == 0 && said.err.contains("secondary is away"), "{}", said.err);
    cluster.start(1)?;
    cluster.until("it is back", |cluster| Ok(cluster.crm("status")?.out.contains("Online: [ primary secondary ]")))?;
    let lost = asked(&cluster, "--node secondary --kind view")?;
    ensure!(!lost.is_empty(), "nobody told that it was gone");
    ensure!(asked(&cluster, &format!("--causes {id}"))?.len() == chain.len(), "a restart forgot the chain");
    // The same options in the level of a script and of the shell.
    let said = cluster.run(0, "crm", &["-f", "-"], "history\n--resource web --last 1\ninfo\n")?;
    ensure!(said.code == 0 && said.out.contains("web") && said.out.contains("Source: "), "{}{}", said.out, said.err);
    Ok(())
}

/// Debian's exporter for Prometheus reads what the names print, all of it.
pub(super) fn exporter(tools: &Tools) -> anyhow::Result<()> {
    const EXPORTER: &str = "/usr/bin/ha_cluster_exporter";
    if !std::path::Path::new(EXPORTER).exists() {
        eprintln!("prometheus-hacluster-exporter is not installed here: not tried");
        return Ok(());
    }
    let cluster = Cluster::new(tools, 150)?;
    cluster.must("configure property stonith-enabled=false no-quorum-policy=ignore")?;
    cluster.must("-w configure primitive web nginx op monitor interval=10s")?;
    cluster.must("configure location l web 7: primary")?;
    cluster.must("-w resource move web primary")?;
    cluster.must("node attribute secondary set site east")?;
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let mut command = Command::new(EXPORTER);
    for (option, name) in [
        ("--crm-mon-path", "crm_mon"),
        ("--cibadmin-path", "cibadmin"),
        ("--corosync-cfgtoolpath-path", "corosync-cfgtool"),
        ("--corosync-quorumtool-path", "corosync-quorumtool"),
    ] {
        command.arg(option).arg(cluster.place.path("bin").join(name));
    }
    command.arg(format!("--web.listen-address=127.0.0.1:{port}")).env("HACD_SOCKET", cluster.socket(0));
    let mut exporter = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().context("the exporter starts")?;
    let told = cluster.until("the exporter tells of all", |_| {
        let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else { return Ok(false) };
        stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n")?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        let there = [
            "ha_cluster_scrape_success{collector=\"pacemaker\"} 1",
            "ha_cluster_scrape_success{collector=\"corosync\"} 1",
            "ha_cluster_corosync_quorate 1",
            "ha_cluster_corosync_member_votes{local=\"true\",node=\"primary\",node_id=\"1\"} 1",
            "ha_cluster_pacemaker_nodes{node=\"secondary\",status=\"online\",type=\"member\"} 1",
            "node=\"primary\",resource=\"web\",role=\"started\",status=\"active\"} 1",
            "ha_cluster_pacemaker_location_constraints{constraint=\"l\",node=\"primary\",resource=\"web\",role=\"\"} 7",
            "ha_cluster_pacemaker_node_attributes{name=\"site\",node=\"secondary\",value=\"east\"} 1",
            "ha_cluster_pacemaker_fail_count{node=\"primary\",resource=\"web\"} 0",
        ];
        Ok(there.iter().all(|line| text.contains(line)))
    });
    // It may have ended by itself, which was noticed above.
    let _ = exporter.kill();
    let _ = exporter.wait();
    told
}

/// With `--json` everything that is printed is JSON, and nothing else stands beside it.
pub(super) fn json(tools: &Tools) -> anyhow::Result<()> {
    let cluster = Cluster::new(tools, 151)?;
    cluster.must("configure property stonith-enabled=false no-quorum-policy=ignore")?;
    cluster.must("-w configure primitive web nginx op monitor interval=10s")?;
    cluster.must("configure location l web 7: primary")?;
    cluster.must("node attribute primary set site east")?;
    let folder = cluster.place.path("report");
    let report = format!("report {}", folder.display());
    for line in [
        "status",
        "mon -1",
        "members",
        "members -v",
        "quorum",
        "events -n 3",
        "history --since 1h",
        "history latest",
        "history info",
        "history resource web",
        "history events",
        "explain",
        "explain web",
        "explain node primary",
        "explain --safety",
        "node show",
        "node server",
        "node status primary",
        "node attribute primary show",
        "node attribute primary show site",
        "node utilization primary show",
        "resource status",
        "resource status web",
        "resource locate web",
        "resource operations web",
        "resource constraints web",
        "resource scores",
        "resource scores web",
        "resource failcount web show primary",
        "resource param web show",
        "resource meta web show",
        "configure show",
        "configure show web",
        "configure show xml",
        "configure show changed",
        "configure verify",
        "configure simulate",
        "configure schema",
        "configure get_property stonith-enabled",
        "ra list",
        "ra classes",
        "ra info nginx",
        "ra providers nginx",
        "cluster status",
        "cluster health",
        "corosync status",
        "corosync link show",
        "fence list",
        "fence history",
        "alert list",
        "ticket show",
        "key status",
        "upgrade status",
        "cib list",
        "secret list",
        "invite status",
        "simulate",
        "simulate --node-down primary",
        "test history",
        "verify",
        "resource cleanup web",
        "-w resource stop web",
        "-w resource start web",
        "node standby secondary",
        "node online secondary",
        "maintenance on",
        "maintenance off",
        "--dry-run resource stop web",
        "configure property batch-limit=3",
        "cibstatus simulate",
        &report,
    ] {
        let said = cluster.run(0, "crm", &[&["--json"], split(line).as_slice()].concat(), "")?;
        ensure!(said.code == 0, "{line}: exit code {}: {}{}", said.code, said.out, said.err);
        let whole = serde_json::from_str::<serde_json::Value>(&said.out).is_ok();
        // Events are a line each.
        let lines = said.out.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok());
        ensure!(whole || (lines && !said.out.is_empty()), "{line} prints no JSON: {}", said.out);
        ensure!(said.err.is_empty(), "{line}: {}", said.err);
    }
    for (line, code) in [("resource stop nope", 105), ("upgrade check", 2), ("resource stirt web", 64), ("stauts", 64)]
    {
        let said = cluster.run(0, "crm", &[&["--json"], split(line).as_slice()].concat(), "")?;
        let text = if said.out.is_empty() { &said.err } else { &said.out };
        ensure!(
            said.code == code && serde_json::from_str::<serde_json::Value>(text).is_ok(),
            "{line}: {} {text}",
            said.code
        );
    }
    Ok(())
}

/// `corosync set`: one value of hacd.toml, judged by the daemon before it is written.
pub(super) fn set_in_file(cluster: &Cluster<'_>) -> anyhow::Result<()> {
    let file = cluster.place.path("set.toml");
    let key = cluster.place.path("key").display().to_string();
    // This host alone, so that the daemon that judges it knows which node it is.
    let text = format!(
        "[totem]\nauthkey = \"{key}\"\n[[nodelist.node]]\nname = \"one\"\nnodeid = 1\nring0_addr = \"127.0.0.1\"\n"
    );
    fs::write(&file, text)?;
    let at = file.display().to_string();
    let path = format!("{}:{}", cluster.tools.directory().display(), std::env::var("PATH").unwrap_or_default());
    let set = |words: &[&str]| {
        let mut command = Command::new(cluster.place.path("bin/crm"));
        Said::of(&command.args(words).env("HACD_CONFIG", &at).env("PATH", &path).stdin(Stdio::null()).output()?)
    };
    let before = fs::read_to_string(&file)?;
    for (words, code, said) in [
        (&["corosync", "set", "totem.token", "soon"][..], 78, "nothing was changed"),
        (&["corosync", "set", "totem.tokn", "3000"], 78, "nothing was changed"),
        (&["corosync", "set", "nodelist.node", "3000"], 78, "hacctl corosync edit"),
        (&["corosync", "set", "token", "3000"], 64, "hacctl corosync set totem.token 3000"),
        (&["corosync", "set", "totem.token"], 64, "missing argument: <VALUE>"),
    ] {
        let answer = set(words)?;
        ensure!(answer.code == code && answer.err.contains(said), "{words:?}: {} {}", answer.code, answer.err);
        ensure!(fs::read_to_string(&file)? == before, "{words:?} changed the file");
    }
    let dry = set(&["--dry-run", "corosync", "set", "totem.token", "3000"])?;
    ensure!(dry.code == 0 && dry.out.contains("totem.token is 3000"), "{}{}", dry.out, dry.err);
    ensure!(fs::read_to_string(&file)? == before, "a dry run changed the file");
    let done = set(&["corosync", "set", "totem.token", "3000"])?;
    ensure!(done.code == 0 && done.err.contains("on one after the other"), "{}", done.err);
    ensure!(set(&["corosync", "get", "totem.token"])?.out.trim() == "3000", "not set, or masked");
    let renamed = set(&["corosync", "set", "totem.cluster_name", "other"])?;
    ensure!(renamed.code == 0 && renamed.err.contains("stop hacd on all of them"), "{}", renamed.err);
    let left: Vec<_> =
        fs::read_dir(file.parent().context("a folder")?)?.flatten().map(|entry| entry.file_name()).collect();
    ensure!(!left.iter().any(|name| name.to_string_lossy().ends_with(".new")), "{left:?}");
    Ok(())
}
