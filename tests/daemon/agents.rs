//! One real daemon on this machine and an agent of our own: what agents call, what they are given across a restart of the
//! daemon, and what commands say of what does not come about.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use hac_lab::Tools;

use crate::configuration::Place;

/// How long something may take that happens by itself.
const SOON: Duration = Duration::from_secs(20);

/// An agent that runs as a file, leaves a line for each call, sets its promotion score, and stops what has its value alone.
const AGENT: &str = r#"#!/bin/sh
base=$(cd "$(dirname "$0")/../.." && pwd); file="$base/runs.$OCF_RESOURCE_INSTANCE"
[ "$1" = meta-data ] || echo "$1 $OCF_RESKEY_value" >> "$base/calls"
case "$1" in
meta-data)
    echo '<resource-agent name="Thing"><parameters><parameter name="value"><content type="string"/></parameter>
    <parameter name="token"><content type="string"/></parameter></parameters><actions><action name="start"/>
    <action name="stop"/><action name="monitor"/><action name="promote"/><action name="demote"/></actions></resource-agent>' ;;
start)
    [ "$OCF_RESKEY_value" != bad ] || { echo "ERROR: looked everywhere" >&2; echo "ocf-exit-reason:no disk" >&2; exit 1; }
    echo "$OCF_RESKEY_value" > "$file"
    "$HA_SBIN_DIR/crm_attribute" -p -v 100 && crm_node -n > "$base/node"
    crm_attribute -n seen -l reboot -v 'value++' ;;
stop)
    [ "$OCF_RESKEY_value" != stuck ] || sleep 30
    [ "$(cat "$file" 2> /dev/null)" != "$OCF_RESKEY_value" ] || rm -f "$file" "$file.promoted" ;;
monitor) [ -e "$file" ] || exit 7; [ ! -e "$file.promoted" ] || exit 8 ;;
promote) touch "$file.promoted" ;;
demote) rm -f "$file.promoted" ;;
esac
exit 0
"#;

type Test = fn(&Tools) -> anyhow::Result<()>;

pub(crate) fn cases() -> Vec<(&'static str, Test)> {
    vec![
        ("an_agent_that_sets_its_promotion_score_is_promoted", promotion),
        ("what_was_started_is_stopped_as_it_was_after_a_restart_of_the_daemon", restart),
        ("what_needs_a_ticket_runs_while_it_is_granted", tickets),
        ("commands_that_wait_say_what_did_not_come_about", waiting),
        ("a_what_if_of_the_live_cluster_is_right_though_secrets_are_masked", what_if),
    ]
}

/// A cluster of one node.
struct Alone<'a> {
    place: Place,
    tools: &'a Tools,
    daemon: Option<Child>,
}

impl<'a> Alone<'a> {
    fn new(tools: &'a Tools, last_byte: u8) -> anyhow::Result<Self> {
        let place = Place::new()?;
        let agents = place.path("ocf/resource.d/heartbeat");
        fs::create_dir_all(&agents)?;
        let agent = agents.join("Thing");
        fs::write(&agent, AGENT)?;
        fs::set_permissions(agent, fs::Permissions::from_mode(0o755))?;
        let text = format!(
            "[totem]\ncluster_name = \"alone\"\nauthkey = \"{}\"\n[quorum]\nprovider = \"corosync_votequorum\"\n\
             [[nodelist.node]]\nring0_addr = \"127.0.0.{last_byte}\"\nname = \"node1\"\nnodeid = 1\n\
             [logging]\nto_syslog = \"no\"\nto_stderr = \"no\"\n[agents]\nocf_root = \"{}\"\n",
            place.path("authkey").display(),
            place.path("ocf").display()
        );
        fs::write(place.path("hacd.toml"), text)?;
        let mut alone = Self { place, tools, daemon: None };
        alone.start()?;
        alone.until("it takes changes", |alone| {
            Ok(alone.hacctl(&["configure", "property", "stonith-enabled=false"])?.status.success())
        })?;
        Ok(alone)
    }

    fn start(&mut self) -> anyhow::Result<()> {
        let mut command = Command::new(self.tools.directory().join("hacd"));
        command.arg("--config").arg(self.place.path("hacd.toml")).arg("--state").arg(self.place.path("state"));
        command.arg("--socket").arg(self.place.path("socket")).args(["--node", "node1"]);
        let spawned = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        self.daemon = Some(spawned.context("hacd starts")?);
        Ok(())
    }

    /// Kills the daemon; what it started goes on.
    fn kill(&mut self) {
        if let Some(mut daemon) = self.daemon.take() {
            // It may have ended by itself, which the test notices otherwise.
            let _ = daemon.kill();
            let _ = daemon.wait();
        }
    }

    fn hacctl(&self, words: &[&str]) -> anyhow::Result<Output> {
        let mut command = Command::new(self.tools.directory().join("hacctl"));
        command.args(words).env("HACD_SOCKET", self.place.path("socket")).stdin(Stdio::null());
        command.output().context("hacctl starts")
    }

    fn must(&self, words: &[&str]) -> anyhow::Result<String> {
        let output = self.hacctl(words)?;
        ensure!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Runs one of the programs that agents call.
    fn tool(&self, words: &[&str]) -> anyhow::Result<(i32, String)> {
        let mut command = Command::new(self.place.path("socket").with_extension("bin").join(words[0]));
        command.args(&words[1..]).env("HACD_SOCKET", self.place.path("socket")).stdin(Stdio::null());
        let output = command.output().with_context(|| format!("{} starts", words[0]))?;
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        Ok((output.status.code().context("ended by itself")?, said))
    }

    fn file(&self, name: &str) -> PathBuf {
        self.place.path("ocf").join(name)
    }

    fn calls(&self) -> String {
        fs::read_to_string(self.file("calls")).unwrap_or_default()
    }

    fn until(&self, what: &str, holds: impl Fn(&Self) -> anyhow::Result<bool>) -> anyhow::Result<()> {
        let end = Instant::now() + SOON;
        while !holds(self)? {
            let said = self.hacctl(&["status"])?;
            ensure!(Instant::now() < end, "{what}: not so after {SOON:?}:\n{}", String::from_utf8_lossy(&said.stdout));
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    fn runs_with(&self, resource: &str, value: &str) -> anyhow::Result<()> {
        let file = self.file(&format!("runs.{resource}"));
        self.until(&format!("{resource} runs with {value}"), |_| {
            Ok(fs::read_to_string(&file).is_ok_and(|text| text.trim() == value))
        })
    }
}

impl Drop for Alone<'_> {
    fn drop(&mut self) {
        self.kill();
    }
}

fn promotion(tools: &Tools) -> anyhow::Result<()> {
    let alone = Alone::new(tools, 21)?;
    alone.must(&["configure", "primitive", "db", "Thing", "params", "value=x", "op", "monitor", "interval=5s"])?;
    alone.must(&["configure", "clone", "dbs", "db", "meta", "promotable=true"])?;
    let promoted = alone.file("runs.db.promoted");
    alone.until("db is promoted", |_| Ok(promoted.exists()))?;
    ensure!(fs::read_to_string(alone.file("node"))?.trim() == "node1", "crm_node -n");
    for (words, expected) in [
        (&["crm_attribute", "-p", "db", "-G"][..], (0, "scope=status  name=master-db value=100\n")),
        (&["crm_master", "-r", "db", "-l", "reboot", "-G", "-q"], (0, "100\n")),
        (&["crm_attribute", "-n", "seen", "-l", "reboot", "-q"], (0, "1\n")),
        (&["crm_attribute", "-n", "none", "-N", "node1", "-d", "7", "-q"], (0, "7\n")),
        (
            &["crm_attribute", "-n", "none", "-N", "node1"],
            (105, "crm_attribute: Error performing operation: No such device or address\n"),
        ),
        (&["crm_attribute", "-n", "a", "-N", "no"], (105, "crm_attribute: Could not map name=no to a UUID\n")),
        (&["crm_attribute", "-n", "site", "-N", "node1", "-v", "east"], (0, "")),
        (&["crm_attribute", "-n", "site", "-N", "node1"], (0, "scope=nodes  name=site value=east\n")),
        (&["crm_attribute", "-n", "n", "-N", "node1", "-v", "3"], (0, "")),
        (&["crm_attribute", "-n", "n", "-N", "node1", "-v", "value+=4"], (0, "")),
        (&["crm_attribute", "-n", "n", "-N", "node1", "-q"], (0, "7\n")),
        (&["crm_attribute", "-t", "crm_config", "-n", "REPL", "-s", "mysql_replication", "-v", "a|b"], (0, "")),
        (&["crm_attribute", "-t", "crm_config", "-n", "REPL", "-s", "mysql_replication", "-q"], (0, "a|b\n")),
        (&["crm_attribute", "-t", "nodes", "-N", "node1", "-z", "-n", "cpu", "-v", "4"], (0, "")),
        (&["crm_attribute", "-t", "nodes", "-N", "node1", "-z", "-n", "cpu", "-q"], (0, "4\n")),
        (&["attrd_updater", "-n", "pingd", "-U", "value+=100", "-d", "5s"], (0, "")),
        (&["attrd_updater", "-n", "pingd", "-Q"], (0, "name=\"pingd\" host=\"node1\" value=\"100\"\n")),
        (&["attrd_updater", "-n", "pingd", "-D"], (0, "")),
        (
            &["attrd_updater", "-n", "pingd", "-Q"],
            (78, "attrd_updater: Could not query value of pingd: attribute does not exist\n"),
        ),
        (&["attrd_updater", "--private", "--lifetime", "reboot", "--name", "own", "--update", "1"], (0, "")),
        (&["attrd_updater", "-p", "-n", "own", "-Q"], (0, "name=\"own\" host=\"node1\" value=\"1\"\n")),
        (&["attrd_updater", "-n", "own", "-U", "value++"], (0, "")),
        (&["attrd_updater", "-n", "own", "-Q"], (0, "name=\"own\" host=\"node1\" value=\"2\"\n")),
        // A private one counts for nothing.
        (
            &["crm_attribute", "-n", "own", "-N", "node1", "-l", "reboot"],
            (105, "crm_attribute: Error performing operation: No such device or address\n"),
        ),
        (
            &["attrd_updater", "-n", "no", "-Y", "-d", "3s"],
            (105, "attrd_updater: Could not update delay of no: attribute does not exist\n"),
        ),
        // Collected for an hour: seen at once by those that ask here, and written when told.
        (&["attrd_updater", "-n", "late", "-U", "1", "-d", "1h"], (0, "")),
        (&["attrd_updater", "-n", "late", "-Q"], (0, "name=\"late\" host=\"node1\" value=\"1\"\n")),
        (&["attrd_updater", "-n", "late", "-B", "2", "-d", "2h", "-W", "cluster"], (0, "")),
        (&["attrd_updater", "-n", "late", "-Y", "-d", "3h"], (0, "")),
        (
            &["attrd_updater", "-n", "late", "-Y", "-W", "cluster"],
            (0, "Warning: '-Y' given without '-d': changes count at once from now on\n"),
        ),
        (&["attrd_updater", "-n", "late", "-Q"], (0, "name=\"late\" host=\"node1\" value=\"2\"\n")),
        (&["attrd_updater", "-R"], (0, "")),
        // Capacities that go with the node's life.
        (&["attrd_updater", "-n", "disk", "-z", "-U", "40"], (0, "")),
        (&["attrd_updater", "-n", "disk", "-Q"], (0, "name=\"disk\" host=\"node1\" value=\"40\"\n")),
        (&["crm_attribute", "-N", "node1", "-n", "gpu", "-l", "reboot", "-z", "-v", "2"], (0, "")),
        (&["crm_attribute", "-N", "node1", "-n", "gpu", "-l", "reboot", "-z"], (0, "scope=status  name=gpu value=2\n")),
        (&["crm_verify", "-L"], (0, "")),
        (&["crm_node", "-l"], (0, "1 node1 member\n")),
        (&["crm_node", "-p"], (0, "node1\n")),
        (&["crm_node", "-q"], (0, "1\n")),
        (&["crm_node", "-i"], (0, "1\n")),
        (&["crm_standby", "-G", "-N", "node1"], (0, "scope=status  name=standby value=off\n")),
        (&["crm_failcount", "-G", "-r", "db"], (0, "scope=status  name=fail-count-db value=0\n")),
        (&["crm_resource", "-W", "-r", "dbs"], (0, "resource dbs is running on: node1 Promoted\n")),
        (&["crm_resource", "-Q", "-W", "-r", "db"], (0, "node1\n")),
        (&["crm_resource", "-r", "dbs", "-m", "-g", "promotable"], (0, "true\n")),
        (&["crm_resource", "-r", "db", "--get-parameter", "value"], (0, "x\n")),
        (
            &["crm_resource", "-W", "-r", "no"],
            (105, "crm_resource: Resource 'no' not found\nError performing operation: No such object\n"),
        ),
    ] {
        let (code, said) = alone.tool(words)?;
        ensure!((code, said.as_str()) == expected, "{words:?}: {code} {said:?}, expected {expected:?}");
    }
    let (_, state) = alone.tool(&["cibadmin", "-Q", "-A", "//node_state//utilization"])?;
    for pair in ["name=\"disk\" value=\"40\"", "name=\"gpu\" value=\"2\""] {
        ensure!(state.contains(pair), "{state}");
    }
    let (_, nodes) = alone.tool(&["crm_node", "-l", "--output-as=xml"])?;
    ensure!(nodes.contains("<node id=\"1\" name=\"node1\" state=\"member\"/>"), "{nodes}");
    alone.tool(&["crm_attribute", "-p", "db", "-v", "-INFINITY"])?;
    alone.until("db is demoted", |_| Ok(!promoted.exists()))
}

/// In the command lines of booth, and by hand.
fn tickets(tools: &Tools) -> anyhow::Result<()> {
    let mut alone = Alone::new(tools, 26)?;
    alone.must(&["configure", "primitive", "web", "Thing", "params", "value=x"])?;
    alone.must(&["--yes", "configure", "rsc_ticket", "needs", "T:", "web", "loss-policy=stop"])?;
    let runs = alone.file("runs.web");
    ensure!(alone.must(&["ticket", "show"])?.contains("No ticket is known"), "none so far");
    alone.until("web does not run without its ticket", |_| Ok(!runs.exists()))?;
    let tool = |alone: &Alone<'_>, words: &[&str], code: i32, part: &str| {
        let (ended, said) = alone.tool(words)?;
        ensure!(ended == code && said.contains(part), "{words:?}: {ended} {said:?}, expected {code} {part:?}");
        anyhow::Ok(())
    };
    tool(&alone, &["crm_ticket", "-t", "T", "-g"], 107, "Ticket modification not allowed without --force")?;
    tool(
        &alone,
        &["crm_ticket", "-t", "T", "-q"],
        105,
        "crm_ticket: Could not query ticket XML: No such device or address",
    )?;
    let grant =
        ["crm_ticket", "-t", "T", "-g", "--force", "-S", "owner", "--attr-value=7", "-S", "term", "--attr-value=1"];
    tool(&alone, &grant, 0, "")?;
    alone.until("web starts when its ticket is granted", |_| Ok(runs.exists()))?;
    tool(&alone, &["crm_ticket", "-t", "T", "-G", "owner", "--quiet"], 0, "7\n")?;
    tool(&alone, &["crm_ticket", "-t", "T", "-q"], 0, "State XML:\n\n<ticket_state id=\"T\" granted=\"true\"")?;
    alone.must(&["ticket", "standby", "T"])?;
    alone.until("web stops when its ticket is on standby", |_| Ok(!runs.exists()))?;
    alone.must(&["site", "ticket", "activate", "T"])?;
    alone.until("and starts again", |_| Ok(runs.exists()))?;
    tool(&alone, &["crm_ticket", "-t", "T", "-r", "--force"], 0, "")?;
    alone.until("web stops when its ticket is revoked", |_| Ok(!runs.exists()))?;
    alone.must(&["ticket", "grant", "T", "--force"])?;
    alone.until("granted by hand it starts", |_| Ok(runs.exists()))?;
    // Stored with the next change of the configuration, and yet no longer granted when the whole cluster was away.
    alone.must(&["configure", "property", "cluster-delay=61s"])?;
    alone.kill();
    alone.start()?;
    alone.until("it answers", |alone| Ok(alone.hacctl(&["status"])?.status.success()))?;
    alone.until("web stops when all nodes were away", |_| Ok(!runs.exists()))?;
    tool(&alone, &["crm_ticket", "-l"], 0, "")
}

fn restart(tools: &Tools) -> anyhow::Result<()> {
    let mut alone = Alone::new(tools, 22)?;
    for (id, value) in [("changed", "old"), ("deleted", "old")] {
        let value = format!("value={value}");
        alone.must(&[
            "configure",
            "primitive",
            id,
            "Thing",
            "params",
            &value,
            "token=gold",
            "op",
            "monitor",
            "interval=60s",
        ])?;
        alone.runs_with(id, "old")?;
    }
    // A cluster that may not touch anything: what follows is done by the next life of the daemon.
    alone.must(&["configure", "property", "maintenance-mode=true"])?;
    alone.must(&["resource", "param", "changed", "set", "value", "new"])?;
    alone.must(&["configure", "delete", "--force", "deleted"])?;
    alone.kill();
    ensure!(alone.file("runs.deleted").exists(), "what was started goes on");
    fs::write(alone.file("calls"), "")?;
    alone.start()?;
    alone.until("it answers", |alone| Ok(alone.hacctl(&["status"])?.status.success()))?;
    alone.until("maintenance ends", |alone| {
        Ok(alone.hacctl(&["configure", "property", "maintenance-mode=false"])?.status.success())
    })?;
    alone.runs_with("changed", "new")?;
    let gone = alone.file("runs.deleted");
    alone.until("what was deleted is stopped", |_| Ok(!gone.exists()))?;
    let calls = alone.calls();
    let stops: Vec<&str> = calls.lines().filter(|line| line.starts_with("stop")).collect();
    ensure!(stops == ["stop old", "stop old"], "{stops:?}");
    Ok(())
}

fn waiting(tools: &Tools) -> anyhow::Result<()> {
    let alone = Alone::new(tools, 23)?;
    let told = |words: &[&str], parts: &[&str]| -> anyhow::Result<()> {
        let output = alone.hacctl(words)?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure!(!output.status.success(), "{words:?} is done: {said}");
        parts.iter().try_for_each(|part| {
            ensure!(said.contains(part), "{words:?} does not say {part:?}: {said}");
            Ok(())
        })
    };
    told(&["-w", "configure", "primitive", "web", "Thing", "params", "value=bad"], &["web", "no disk"])?;
    told(&["-w", "resource", "cleanup", "web"], &["web has failed again", "no disk"])?;
    let explained = alone.must(&["explain", "web"])?;
    ensure!(explained.contains("no disk") && !explained.contains("1000000"), "{explained}");
    ensure!(explained.contains("ERROR: looked everywhere"), "what the agent wrote: {explained}");
    alone.must(&["-w", "resource", "param", "web", "set", "value", "good"])?;
    alone.must(&["-w", "resource", "restart", "web"])?;
    alone.must(&["configure", "primitive", "slow", "Thing", "params", "value=stuck", "op", "stop", "timeout=4s"])?;
    alone.runs_with("slow", "stuck")?;
    told(&["-w", "--timeout", "1", "resource", "restart", "slow"], &["slow did not stop"])?;
    told(&["-w", "--timeout", "20", "node", "standby", "node1"], &["slow", "node1"])?;
    told(&["quorum", "unblock", "--yes"], &["does not wait for all nodes"])
}

fn what_if(tools: &Tools) -> anyhow::Result<()> {
    let alone = Alone::new(tools, 24)?;
    let secret = alone.place.path("secret");
    fs::write(&secret, "gold-4711\n")?;
    let token = format!("token=@{}", secret.display());
    alone.must(&[
        "configure",
        "primitive",
        "vip",
        "Thing",
        "params",
        "value=1",
        &token,
        "op",
        "monitor",
        "interval=10s",
    ])?;
    alone.runs_with("vip", "1")?;
    let state = alone.place.path("state.xml");
    alone.until("the monitor is known", |alone| Ok(alone.calls().contains("monitor 1")))?;
    let clear = alone.must(&["configure", "show", "--show-secrets"])?;
    ensure!(clear.contains("gold-4711"), "the secret of the file: {clear}");
    let named = alone.must(&["configure", "show", "--show-secrets", "vip"])?;
    ensure!(!named.contains("gold-4711") && named.contains("secret:token"), "it was not moved: {named}");
    let listed = alone.must(&["secret", "list"])?;
    ensure!(listed == "token: used by vip token\n", "{listed:?}");
    alone.until("nothing is to be done", |alone| {
        let shown = alone.must(&["configure", "show", "xml"])?;
        ensure!(!shown.contains("gold-4711"), "a secret is shown");
        fs::write(&state, shown)?;
        let planned = alone.must(&["simulate", "-x", &state.display().to_string()])?;
        ensure!(!planned.contains("Restart"), "{planned}");
        Ok(!planned.contains("Resource action"))
    })
}
