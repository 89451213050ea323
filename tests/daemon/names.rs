//! The tutorial's command lines, one by one and in its order, through the names that `hacctl compat install` makes, on two
//! real daemons on this machine.

mod more;
mod unknown;

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use hac_lab::Tools;

use crate::configuration::Place;

type Test = fn(&Tools) -> anyhow::Result<()>;

/// In a line that is typed: a path in the test's own folder at which nothing is.
const ABSENT: &str = "ABSENT";

pub(crate) fn cases() -> Vec<(&'static str, Test)> {
    vec![
        ("the_tutorials_lines_work_one_by_one_through_their_names", tutorial),
        ("words_of_crm_do_what_they_say", words),
        ("a_script_is_one_transaction_and_says_which_line_is_wrong", script),
        ("a_draft_is_refused_when_the_configuration_changed", drafts),
        ("history_tells_what_happened_over_all_nodes_and_restarts", more::history),
        ("an_unknown_name_is_refused_and_the_known_ones_are_said", unknown::refused),
        ("with_json_everything_is_json", more::json),
        ("an_exporter_reads_what_the_names_print", more::exporter),
    ]
}

/// How long something may take that happens by itself.
const SOON: Duration = Duration::from_secs(20);

/// An agent whose service is a file that all nodes share, as an address at a provider is.
const ADDRESS: &str = r#"#!/bin/sh
file="$(cd "$(dirname "$0")/../.." && pwd)/address"
here=$(crm_node -n)
case "$1" in
meta-data)
    echo '<resource-agent name="floatip"><parameters><parameter name="do_token" required="1"><content type="string"/></parameter>
    <parameter name="floating_ip" required="1"><content type="string"/></parameter></parameters><actions>
    <action name="start" timeout="20"/><action name="stop" timeout="20"/><action name="monitor" timeout="20"/></actions></resource-agent>' ;;
start) echo "$here" > "$file" ;;
stop) [ "$(cat "$file" 2> /dev/null)" != "$here" ] || rm -f "$file" ;;
monitor) [ "$(cat "$file" 2> /dev/null)" = "$here" ] || exit 7 ;;
esac
exit 0
"#;

/// An agent whose service is a file of each node and resource.
const SERVER: &str = r#"#!/bin/sh
file="$(cd "$(dirname "$0")/../.." && pwd)/nginx.$(crm_node -n).$OCF_RESOURCE_INSTANCE"
case "$1" in
meta-data)
    echo '<resource-agent name="nginx"><parameters><parameter name="httpd"><content type="string"/></parameter></parameters><actions>
    <action name="start" timeout="40s"/><action name="stop" timeout="60s"/><action name="monitor" timeout="30s" interval="10s"/></actions></resource-agent>' ;;
start) touch "$file" ;;
stop) rm -f "$file" ;;
monitor) [ -e "$file" ] || exit 7 ;;
esac
exit 0
"#;

const NODES: [&str; 2] = ["primary", "secondary"];

pub(crate) struct Cluster<'a> {
    pub(crate) place: Place,
    tools: &'a Tools,
    pub(crate) daemons: Vec<Option<Child>>,
}

/// What a command printed and how it ended.
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Said {
    /// # Errors
    /// It was ended by a signal.
    pub(crate) fn of(output: &Output) -> anyhow::Result<Self> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let code = output.status.code().context("ended by itself")?;
        Ok(Self { code, out: text(&output.stdout), err: text(&output.stderr) })
    }
}

impl<'a> Cluster<'a> {
    /// Both nodes on addresses of their own, started; the names are in the folder `bin`.
    fn new(tools: &'a Tools, net: u8) -> anyhow::Result<Self> {
        Self::with(tools, net, |_| String::new())
    }

    /// The same, with more in the file of each node.
    pub(crate) fn with(tools: &'a Tools, net: u8, more: impl Fn(usize) -> String) -> anyhow::Result<Self> {
        let place = Place::new()?;
        for (provider, name, text) in [("digitalocean", "floatip", ADDRESS), ("heartbeat", "nginx", SERVER)] {
            let folder = place.path(&format!("ocf/resource.d/{provider}"));
            fs::create_dir_all(&folder)?;
            fs::write(folder.join(name), text)?;
            fs::set_permissions(folder.join(name), fs::Permissions::from_mode(0o755))?;
        }
        let mut cluster = Self { place, tools, daemons: vec![None, None] };
        let folder = cluster.place.path("bin");
        fs::create_dir_all(&folder)?;
        let installed =
            Command::new(tools.directory().join("hacctl")).args(["compat", "install"]).arg(&folder).output()?;
        ensure!(installed.status.success(), "{}", String::from_utf8_lossy(&installed.stderr));
        // The tutorial makes the key with this name.
        let key = cluster.place.path("key");
        let said = cluster.run(0, "corosync-keygen", &["-k", key.to_str().context("is UTF-8")?], "")?;
        ensure!(said.code == 0 && said.out.contains("Gathering 2048 bits"), "{}{}", said.out, said.err);
        for node in 0..2 {
            fs::write(cluster.place.path(&format!("{node}.toml")), cluster.configuration(net) + &more(node))?;
            cluster.start(node)?;
        }
        cluster.until("both are members", |cluster| {
            Ok(cluster.crm("status")?.out.contains("Online: [ primary secondary ]"))
        })?;
        Ok(cluster)
    }

    fn configuration(&self, net: u8) -> String {
        let node = |id: u8| {
            format!(
                "[[nodelist.node]]\nring0_addr = \"127.0.{net}.{id}\"\nname = \"{}\"\nnodeid = {id}\n",
                NODES[usize::from(id) - 1]
            )
        };
        format!(
            "[totem]\ncluster_name = \"lbcluster\"\nauthkey = \"{}\"\n[quorum]\ntwo_node = 1\n{}{}\
             [logging]\nto_syslog = \"no\"\nto_stderr = \"no\"\n[agents]\nocf_root = \"{}\"\nprefer = \"script\"\n",
            self.place.path("key").display(),
            node(1),
            node(2),
            self.place.path("ocf").display()
        )
    }

    pub(crate) fn socket(&self, node: usize) -> PathBuf {
        self.place.path(&format!("{node}.socket"))
    }

    pub(crate) fn start(&mut self, node: usize) -> anyhow::Result<()> {
        let mut command = Command::new(self.tools.directory().join("hacd"));
        command.arg("--config").arg(self.place.path(&format!("{node}.toml")));
        command.arg("--state").arg(self.place.path(&format!("{node}.state")));
        command.arg("--socket").arg(self.socket(node)).args(["--node", NODES[node]]);
        let spawned = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        self.daemons[node] = Some(spawned.context("hacd starts")?);
        Ok(())
    }

    pub(crate) fn kill(&mut self, node: usize) {
        if let Some(mut daemon) = self.daemons[node].take() {
            // It may have ended by itself, which the test notices otherwise.
            let _ = daemon.kill();
            let _ = daemon.wait();
        }
    }

    /// Runs a program by its name on a node, with this text as standard input.
    pub(crate) fn run(&self, node: usize, name: &str, words: &[&str], input: &str) -> anyhow::Result<Said> {
        let mut command = Command::new(self.place.path("bin").join(name));
        let absent = self.place.path(ABSENT).display().to_string();
        command.args(words.iter().map(|word| word.replace(ABSENT, &absent)));
        command.env("HACD_SOCKET", self.socket(node)).env("XDG_STATE_HOME", self.place.path("home"));
        command.env_remove("VISUAL").env("EDITOR", "sed -i s/203.0.113.25/203.0.113.26/");
        let spawned = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = spawned.with_context(|| format!("{name} starts"))?;
        if let Some(mut stdin) = child.stdin.take() {
            // What does not read its input is told nothing.
            let _ = stdin.write_all(input.as_bytes());
        }
        Said::of(&child.wait_with_output()?)
    }

    /// A line of crm on the primary, as the tutorial writes it.
    pub(crate) fn crm(&self, line: &str) -> anyhow::Result<Said> {
        self.run(0, "crm", &split(line), "")
    }

    /// The same, which has to succeed; what it printed.
    pub(crate) fn must(&self, line: &str) -> anyhow::Result<String> {
        let said = self.crm(line)?;
        ensure!(said.code == 0, "crm {line}: exit code {}: {}{}", said.code, said.out, said.err);
        Ok(said.out)
    }

    /// The same, which has to fail like this and leave everything as it was.
    fn refused(&self, line: &str, code: i32, said: &str) -> anyhow::Result<()> {
        let before = self.must("configure show")?;
        let answer = self.crm(line)?;
        ensure!(answer.code == code, "crm {line}: exit code {}, not {code}: {}{}", answer.code, answer.out, answer.err);
        ensure!(answer.err.contains(said), "crm {line}: {}", answer.err);
        ensure!(answer.err.lines().count() >= 2, "crm {line} names no remedy: {}", answer.err);
        ensure!(self.must("configure show")? == before, "crm {line} changed something");
        Ok(())
    }

    pub(crate) fn until(&self, what: &str, mut look: impl FnMut(&Self) -> anyhow::Result<bool>) -> anyhow::Result<()> {
        let end = Instant::now() + SOON;
        while !look(self)? {
            let status = self.crm("status")?;
            ensure!(Instant::now() < end, "waited in vain until {what}:\n{}{}", status.out, status.err);
            std::thread::sleep(Duration::from_millis(100));
        }
        Ok(())
    }

    /// Waits until the status has all of these.
    pub(crate) fn shows(&self, parts: &[&str]) -> anyhow::Result<()> {
        self.until(&format!("the status has {parts:?}"), |cluster| {
            let out = cluster.crm("status")?.out;
            Ok(parts.iter().all(|part| out.contains(part)))
        })
    }
}

impl Drop for Cluster<'_> {
    fn drop(&mut self) {
        self.kill(0);
        self.kill(1);
    }
}

/// Words of a line; quotes hold blanks together, as a shell does.
pub(crate) fn split(line: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut rest = line.trim();
    while !rest.is_empty() {
        let (word, after) = match rest.strip_prefix('\'') {
            Some(quoted) => quoted.split_once('\'').unwrap_or((quoted, "")),
            None => rest.split_once(' ').unwrap_or((rest, "")),
        };
        words.push(word);
        rest = after.trim_start();
    }
    words
}

/// Answers one request as the provider's API does; the request's first line and body.
fn provider() -> anyhow::Result<(String, std::thread::JoinHandle<anyhow::Result<String>>)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("http://{}", listener.local_addr()?);
    let thread = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept()?;
        stream.set_read_timeout(Some(SOON))?;
        let mut request = Vec::new();
        let mut bytes = [0; 4096];
        while !request.windows(4).any(|part| part == b"\r\n\r\n") || !request.ends_with(b"}") {
            let count = stream.read(&mut bytes)?;
            ensure!(count > 0, "the request ended");
            request.extend_from_slice(&bytes[..count]);
        }
        let body = r#"{"action":{"id":72531856,"status":"in-progress","type":"assign_ip"}}"#;
        write!(
            stream,
            "HTTP/1.1 201 Created\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        )?;
        Ok(String::from_utf8_lossy(&request).into_owned())
    });
    Ok((url, thread))
}

fn tutorial(tools: &Tools) -> anyhow::Result<()> {
    let mut cluster = Cluster::new(tools, 87)?;
    // corosync-cmapctl | grep members
    let keys = cluster.run(0, "corosync-cmapctl", &[], "")?;
    for id in 1..=2 {
        for line in [
            format!("runtime.members.{id}.config_version (u64) = 0\n"),
            format!("runtime.members.{id}.ip (str) = r(0) ip(127.0.87.{id}) \n"),
            format!("runtime.members.{id}.join_count (u32) = 1\n"),
            format!("runtime.members.{id}.status (str) = joined\n"),
        ] {
            ensure!(keys.out.contains(&line), "{line}: {}", keys.out);
        }
    }
    let status = cluster.must("status")?;
    for part in [
        "Stack: corosync",
        "partition with quorum",
        "2 nodes configured",
        "0 resource instances configured",
        "Online: [ primary secondary ]",
    ] {
        ensure!(status.contains(part), "{part}: {status}");
    }
    let mon = cluster.run(1, "crm_mon", &["-1"], "")?;
    ensure!(mon.code == 0 && mon.out.contains("Online: [ primary secondary ]"), "{}{}", mon.out, mon.err);
    cluster.must("configure property stonith-enabled=false")?;
    cluster.must("configure property no-quorum-policy=ignore")?;
    let shown = cluster.must("configure show")?;
    for part in [
        "node 1: primary",
        "node 2: secondary",
        "property cib-bootstrap-options:",
        "stonith-enabled=false",
        "no-quorum-policy=ignore",
    ] {
        ensure!(shown.contains(part), "{part}: {shown}");
    }
    cluster
        .must("configure primitive FloatIP ocf:digitalocean:floatip params do_token=TOKEN floating_ip=203.0.113.25")?;
    cluster.shows(&["FloatIP\t(ocf:digitalocean:floatip):\t Started primary"])?;
    ensure!(!cluster.must("configure show")?.contains("TOKEN"), "the token is shown");
    // The test: the primary is gone, and comes back.
    cluster.kill(0);
    let there = |cluster: &Cluster<'_>, parts: &[&str]| {
        let out = cluster.run(1, "crm", &["status"], "")?.out;
        anyhow::Ok(parts.iter().all(|part| out.contains(part)))
    };
    cluster.until("the address moved", |cluster| there(cluster, &["Started secondary", "OFFLINE: [ primary ]"]))?;
    cluster.start(0)?;
    cluster.shows(&["Online: [ primary secondary ]"])?;
    cluster.must("node standby secondary")?;
    cluster.shows(&["Started primary", "Node secondary: standby"])?;
    cluster.must("node online secondary")?;
    cluster.shows(&["Online: [ primary secondary ]"])?;
    // nginx
    cluster.must("configure primitive Nginx ocf:heartbeat:nginx params httpd=/usr/sbin/nginx op start timeout=40s interval=0 op monitor timeout=30s interval=10s on-fail=restart op stop timeout=60s interval=0")?;
    cluster.shows(&["Nginx\t(ocf:heartbeat:nginx):\t Started"])?;
    cluster.must("configure clone Nginx-clone Nginx")?;
    cluster.shows(&["Clone Set: Nginx-clone [Nginx]:", "Started: [ primary secondary ]"])?;
    cluster.must("configure colocation FloatIP-Nginx inf: FloatIP Nginx-clone")?;
    let shown = cluster.must("configure show")?;
    for part in [
        "primitive FloatIP ocf:digitalocean:floatip \\\n\tparams do_token=\"********\" floating_ip=203.0.113.25",
        "primitive Nginx nginx \\\n\tparams httpd=\"/usr/sbin/nginx\" \\\n\top start timeout=40s interval=0 \\\n",
        "clone Nginx-clone Nginx",
        "colocation FloatIP-Nginx inf: FloatIP Nginx-clone",
    ] {
        ensure!(shown.contains(part), "{part}: {shown}");
    }
    // Other commands: edit, stop, delete, and the shell.
    cluster.must("configure edit FloatIP")?;
    ensure!(cluster.must("configure show FloatIP")?.contains("floating_ip=203.0.113.26"), "not edited");
    cluster.refused("configure delete FloatIP", 107, "FloatIP is running, can't delete it")?;
    cluster.must("-w resource stop FloatIP")?;
    ensure!(cluster.must("resource status FloatIP")?.contains("resource FloatIP is NOT running"), "still there");
    cluster.must("configure delete FloatIP")?;
    ensure!(!cluster.must("configure show")?.contains("FloatIP"), "not deleted");
    let shell = cluster.run(0, "crm", &[], "status\nconfigure\nproperty cluster-recheck-interval=2min\nup\nquit\n")?;
    ensure!(shell.code == 0 && shell.out.contains("Nginx-clone"), "{}{}", shell.out, shell.err);
    ensure!(cluster.must("configure show")?.contains("cluster-recheck-interval=2min"), "the shell committed nothing");
    // DO_TOKEN=TOKEN assign-ip FLOATING_IP DROPLET_ID
    let (url, provider) = provider()?;
    let mut assign = Command::new(cluster.place.path("bin/assign-ip"));
    assign.args(["203.0.113.25", "4711"]).env("DO_TOKEN", "TOKEN").env("DO_API_URL", url);
    let output = assign.output()?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success() && said.contains("Moving IP address: 203.0.113.25"), "{said}");
    ensure!(!said.contains("TOKEN"), "the token is shown: {said}");
    let request = provider.join().map_err(|_| anyhow::anyhow!("the provider broke"))??;
    ensure!(request.starts_with("POST /v2/floating_ips/203.0.113.25/actions"), "{request}");
    ensure!(request.contains("\"droplet_id\":4711") && request.contains("Bearer TOKEN"), "{request}");
    Ok(())
}

/// Forms of crm beyond the tutorial, each with what it has to do.
fn words(tools: &Tools) -> anyhow::Result<()> {
    let cluster = Cluster::new(tools, 88)?;
    cluster.must("configure property stonith-enabled=false no-quorum-policy=ignore")?;
    cluster.must("configure primitive ip ocf:digitalocean:floatip params do_token=T floating_ip=203.0.113.1 op monitor interval=10s")?;
    cluster.must("configure primitive web nginx op monitor interval=10s")?;
    cluster.shows(&["ip\t(ocf:digitalocean:floatip):\t Started", "web\t(ocf:heartbeat:nginx):\t Started"])?;
    // Abbreviations, by beginning and by letters.
    ensure!(cluster.must("cfg show ip")?.contains("primitive ip"), "cfg");
    ensure!(cluster.must("rsc stat ip")?.contains("resource ip is running on"), "rsc stat");
    // Lifetimes, options at the end, several nodes.
    cluster.must("-w resource move ip secondary PT5M")?;
    ensure!(cluster.must("configure show")?.contains("date lt "), "no lifetime");
    cluster.must("resource unmove ip")?;
    cluster.must("-w resource move ip force")?;
    ensure!(cluster.must("resource status ip")?.contains("primary"), "moved away");
    cluster.must("resource clear ip")?;
    cluster.must("-w node standby primary secondary")?;
    ensure!(cluster.must("resource status ip")?.contains("NOT running"), "both are on standby");
    let status = cluster.must("status")?;
    ensure!(status.contains("ip may run on no node: primary is on standby; secondary is on standby"), "{status}");
    ensure!(status.contains("hacctl node online "), "{status}");
    cluster.must("-w node online --all")?;
    ensure!(cluster.must("resource status ip")?.contains("is running on"), "both are back");
    // Names and values.
    cluster.must("resource utilization web set cpu 2")?;
    ensure!(cluster.must("resource utilization web show cpu")?.trim() == "2", "utilization");
    cluster.must("node utilization primary set cpu 8")?;
    ensure!(cluster.must("node utilization primary show cpu")?.contains("value=8"), "capacity");
    cluster.must("node attribute primary set site east")?;
    ensure!(cluster.must("node attribute primary show")?.contains("name=site value=east"), "attributes");
    cluster.must("node status-attr primary set mood good")?;
    ensure!(cluster.must("node status-attr primary show mood")?.contains("value=good"), "transient attribute");
    cluster.must("resource failcount web set primary 3")?;
    ensure!(cluster.must("resource failcount web show primary")?.contains("value=3"), "fail count");
    cluster.must("resource failcount web delete primary")?;
    cluster.must("configure set ip.floating_ip 203.0.113.2")?;
    cluster.must("configure monitor web 20s:15s")?;
    cluster.must("configure set web.monitor.20s.timeout 17s")?;
    cluster.must("configure location l web 50: primary")?;
    for (line, part) in [
        ("configure show ip", "floating_ip=203.0.113.2"),
        ("configure show web", "timeout=17s"),
        ("configure show related:web", "location l web 50: primary"),
        ("configure show obscure:floating*", "floating_ip=\"******\""),
        ("configure get_property stonith-enabled", "false"),
        ("resource constraints web", "location l web"),
        ("resource operations web", "web: migration-threshold="),
        ("resource scores", "web"),
        ("ra classes", "ocf / digitalocean heartbeat"),
        ("ra list ocf heartbeat", "ocf:heartbeat:nginx"),
        ("ra providers nginx", "heartbeat"),
        ("node server", "secondary: 127.0.88.2"),
        ("node status primary", "<node_state"),
        ("cluster status", "primary(1): joined"),
        ("cluster health", "all is well"),
        ("cluster wait_for_startup 5", ""),
        ("corosync status quorum", "Quorate:          Yes"),
        ("corosync link show", "connected"),
        ("history info", "Source: the journal of hacd on primary"),
        ("history resource ip", "ip"),
        ("status brief", "Active"),
        ("status bynode", "Node primary: online:"),
        ("status xml", "<pacemaker-result "),
        ("status html", "<title>Cluster Status</title>"),
        ("status timing", "exec-time="),
        ("status noheaders", "Node List:"),
        ("configure simulate", "Transition Summary:"),
        ("configure save xml -", "<cib "),
        ("configure export toml", "[[primitive]]\nid = \"ip\""),
        ("verify", ""),
    ] {
        let out = cluster.must(line)?;
        ensure!(out.contains(part), "crm {line}: {out}");
    }
    // What would happen, and what is not done.
    let before = cluster.must("configure show")?;
    let plan = cluster.must("--dry-run resource stop web")?;
    ensure!(plan.contains("stop web") && plan.contains("Nothing was changed"), "{plan}");
    ensure!(cluster.must("configure show")? == before, "a dry run changed something");
    let down = cluster.run(0, "hacctl-is-not-a-name", &[], "");
    ensure!(down.is_err(), "only the names are there");
    // The what-if of the running cluster.
    let hacctl = |words: &[&str]| {
        let mut command = Command::new(tools.directory().join("hacctl"));
        command.args(words).env("HACD_SOCKET", cluster.socket(0)).env("XDG_STATE_HOME", cluster.place.path("home"));
        command.stdin(Stdio::null()).output().context("hacctl starts")
    };
    let where_it_is = if cluster.must("resource status ip")?.contains("primary") { "primary" } else { "secondary" };
    let gone = hacctl(&["simulate", "--node-down", where_it_is])?;
    let text = String::from_utf8_lossy(&gone.stdout);
    ensure!(text.contains("Start      ip") || text.contains("Move       ip"), "{text}");
    let broken = hacctl(&["simulate", "--op-fail", &format!("ip:monitor:10s=7@{where_it_is}")])?;
    let text = String::from_utf8_lossy(&broken.stdout);
    ensure!(text.contains("Recover    ip"), "{text}");
    // A change whose side effect is an outage is not made without a yes.
    let outage = hacctl(&["configure", "location", "never", "ip", "rule", "-inf:", "defined", "#uname"])?;
    let said = String::from_utf8_lossy(&outage.stderr);
    ensure!(outage.status.code() == Some(107) && said.contains("this stops ip") && said.contains("--yes"), "{said}");
    ensure!(cluster.must("configure show")? == before, "it was made");
    // Undo.
    cluster.must("configure property cluster-recheck-interval=3min")?;
    let undone = hacctl(&["configure", "undo"])?;
    ensure!(undone.status.success(), "{}", String::from_utf8_lossy(&undone.stderr));
    ensure!(cluster.must("configure show")? == before, "not undone");
    wrong_words(&cluster)?;
    other_names(&cluster)?;
    more::cibadmin(&cluster)?;
    more::agents(&cluster)
}

/// Mistakes: the exit code, the sentence, and nothing changed.
fn wrong_words(cluster: &Cluster<'_>) -> anyhow::Result<()> {
    for (line, code, said) in [
        ("resource st ip", 64, "may mean"),
        ("resource stirt ip", 64, "No such command"),
        ("resource move ip secondary soon", 64, "'soon' has no place here"),
        ("resource stop ipp", 105, "Did you mean ip?"),
        ("resource utilization ip set cpu many", 78, "is no capacity"),
        ("resource secret ip set floating_ip x", 78, "is no secret"),
        ("resource failcount ip set primary often", 64, "is no fail count"),
        ("resource trace ip nosuch", 105, "has no operation nosuch"),
        ("node standby nowhere", 105, "is not a cluster node"),
        ("node delete primary", 107, "is a member"),
        ("node fence secondary", 78, "stonith-enabled is false"),
        ("node attribute primary set 'a b' x", 64, "is no name"),
        ("node attribute primary set x", 64, "a value for x is missing"),
        ("configure alert a x", 64, "is no path of a program"),
        ("configure notice a fax", 64, "webhook, slack, ntfy or mail"),
        ("configure set ip 1", 64, "names no value"),
        ("configure set ip.start.timeout 1s", 105, "has no operation start"),
        ("configure delete ipp", 105, "does not exist"),
        ("configure delete ip --forc", 64, "unknown option '--forc'"),
        ("configure show ipp", 105, "Did you mean ip?"),
        ("configure get_property nosuch", 105, "Property not set"),
        ("configure erase", 107, "CIB erase aborted (nothing was deleted)"),
        ("configure load replace /dev/null", 64, "there is nothing to load"),
        ("configure load sideways /dev/null", 64, "load needs a way and a file"),
        ("configure apply ABSENT", 66, "ABSENT: there is no such file or folder"),
        ("configure save ABSENT/file", 73, "could not write"),
        ("configure group g web web", 64, "named twice"),
        ("cluster init -y", 73, "it is part of a cluster"),
        ("cluster init -N root@other.example", 64, "does not log in to other hosts"),
        ("cluster remove nowhere -y", 105, "is not a cluster node"),
        ("cluster remove -c 192.0.2.1 -y", 105, "no node has the address 192.0.2.1"),
        ("cluster start --all", 64, "does not log in to other hosts"),
        ("cluster copy FILE", 64, "hacctl does not log in to other hosts. For each node: 'scp"),
        ("cluster diff FILE", 64, "hacctl does not log in to other hosts. For each node: 'ssh"),
        ("cluster rename other", 64, "Stop hacd on all nodes"),
        ("cluster crash_test --kill-corosync", 64, "'hacctl test failover'"),
        ("corosync reload", 64, "hacd reads hacd.toml when it starts"),
        ("corosync push secondary", 64, "does not log in to other hosts"),
        ("corosync diff --checksum", 64, "does not log in to other hosts"),
        ("site ticket grant t", 64, "may be managed by booth"),
        ("site ticket revoke t --force", 105, "no ticket t is known"),
        ("ra list upstart", 105, "no agents of upstart"),
        ("cib commit nosuch", 105, "no such shadow CIB"),
        ("-c nosuch configure show", 105, "no such shadow CIB"),
        ("status sideways", 64, "does not know the word"),
        ("options", 64, "hacd does not have 'options'"),
        ("scores ip", 64, "'scores' needs its level before it"),
        ("configure delete ip", 107, "can't delete it"),
        ("configure load update http://192.0.2.1/x", 64, "is not a file; nothing was changed"),
    ] {
        cluster.refused(line, code, said)?;
    }
    Ok(())
}

/// Programs of Pacemaker, Corosync and pcs.
fn other_names(cluster: &Cluster<'_>) -> anyhow::Result<()> {
    more::set_in_file(cluster)?;
    for (name, words, code, part) in [
        (
            "crm_mon",
            &["--output-as=xml"][..],
            0,
            "<pacemaker-result api-version=\"2.38\" request=\"crm_mon --output-as=xml\">",
        ),
        ("crm_mon", &["--output-as", "xml"], 0, "<status code=\"0\" message=\"OK\"/>"),
        ("crm_mon", &["-X", "--inactive"], 0, "<crm_mon version=\"3.0.0\">"),
        ("crm_mon", &["-1", "--output-as=html"], 0, "<h2>Active Resources"),
        ("crm_mon", &["-1rfAn"], 0, "Node primary: online"),
        ("crm_mon", &["-1", "-b"], 0, "Active"),
        ("crm_mon", &["-1", "--exclude=all", "--include=nodes"], 0, "Node List:"),
        ("crm_mon", &["-1", "--resource", "web", "--node", "primary"], 0, "web"),
        ("crm_mon", &["-s"], 0, "CLUSTER OK: 2 nodes online"),
        ("crm_mon", &["-1", "--include=nosuch"], 64, ""),
        ("crm_mon", &["--version"], 0, "Pacemaker 3.0.0"),
        ("crm_mon", &["-d"], 64, ""),
        ("corosync-cmapctl", &["-g", "totem.cluster_name"], 0, "totem.cluster_name (str) = lbcluster"),
        ("corosync-cmapctl", &["-q", "-g", "nodelist.node.1.name"], 0, "secondary"),
        ("corosync-cmapctl", &["nosuch."], 1, ""),
        ("corosync-quorumtool", &["-s"], 0, "Flags:            2Node Quorate"),
        ("corosync-quorumtool", &["-p"], 0, "Qdevice Name"),
        ("corosync-cfgtool", &["-s"], 0, "LINK ID 0 udp\n\taddr\t= 127.0.88.1\n"),
        ("corosync-cfgtool", &["-s", "--rings"], 0, "ring 0 active with no faults"),
        ("corosync-cfgtool", &["-n"], 0, "nodeid: 2 reachable"),
        ("pcs", &["--version"], 0, "0.12.0"),
        ("pcs", &["resource", "create", "a", "b"], 1, ""),
        ("crm", &["--version"], 0, "crm 5.0.0"),
        ("cibadmin", &["-Q", "-o", "crm_config"], 0, "<crm_config>"),
        ("cibadmin", &["-Ql", "--xpath", "//primitive[@id='web']"], 0, "<primitive id=\"web\""),
        ("cibadmin", &["-Q", "-A", "//nvpair[@name='do_token']"], 0, "value=\"********\""),
        ("cibadmin", &["-Q", "-A", "//nosuch"], 105, ""),
        ("cibadmin", &["-C", "-o", "resources", "-X", "<primitive id=\"web\"/>"], 108, "<failed>"),
        ("cibadmin", &["-D", "-A", "//node_state"], 64, ""),
        ("crm_resource", &["-r", "web", "-p", "httpd", "-v", "/usr/sbin/nginx"], 0, "Set 'web' option: id="),
        ("crm_resource", &["-r", "web", "-g", "httpd"], 0, "/usr/sbin/nginx"),
        ("crm_resource", &["-r", "web", "-d", "httpd"], 0, "Deleted 'web' option: id="),
        ("crm_resource", &["-r", "web", "-m", "-p", "priority", "-v", "3"], 0, "name=priority value=3"),
        ("crm_resource", &["-r", "web", "-M", "-N", "nowhere"], 105, ""),
        ("crm_resource", &["-r", "web", "-M", "-N", "secondary"], 0, ""),
        ("crm_resource", &["-r", "web", "-U"], 0, "Removing constraint: cli-prefer-web"),
        ("crm_resource", &["-r", "web", "-C"], 0, "Cleaned up web on all nodes"),
        ("crm_resource", &["-r", "nosuch", "-R"], 105, ""),
        ("crm_resource", &["--wait", "-T", "60"], 0, ""),
        ("crm_resource", &["-O", "-r", "web"], 0, " Started: web_start_0 (node="),
        ("crm_resource", &["-a", "-r", "nosuch"], 105, ""),
        ("crmadmin", &["-D"], 0, "Designated Controller is: "),
        ("crmadmin", &["-N", "-q"], 0, "primary\nsecondary"),
        ("crmadmin", &["-S", "nosuch"], 124, ""),
        ("crm_resource", &["-r", "web", "--restart"], 64, ""),
        ("crm_simulate", &["-LS", "-d", "secondary"], 0, "Transition Summary:"),
    ] {
        let said = cluster.run(0, name, words, "")?;
        let wrong = format!("{name} {words:?}: exit code {}: {}{}", said.code, said.out, said.err);
        ensure!(said.code == code && said.out.contains(part), "{wrong}");
        ensure!(code == 0 || !said.err.is_empty() || name == "corosync-cmapctl", "{wrong}");
    }
    Ok(())
}

fn script(tools: &Tools) -> anyhow::Result<()> {
    let cluster = Cluster::new(tools, 89)?;
    let configure = |text: &str| cluster.run(0, "crm", &["configure"], text);
    // Any order, comments, lines that go on; all of it is one change.
    let said = configure(
        "# what the group has\ngroup g a b\nprimitive a nginx \\\n  op monitor interval=10s\nprimitive b nginx\nproperty stonith-enabled=false\ncommit\n",
    )?;
    ensure!(said.code == 0, "{}{}", said.out, said.err);
    ensure!(cluster.must("configure show g")?.contains("group g a b"), "not made");
    // One line is wrong: it is named, the others are made, and the exit code tells.
    let said = configure("primitive c nginx\nprimitive 9c nginx\ngroup h c nosuch\n")?;
    ensure!(said.code == 1, "exit code {}: {}{}", said.code, said.out, said.err);
    ensure!(said.err.contains("ERROR: 2: ") && said.err.contains("ERROR: 3: "), "{}", said.err);
    let shown = cluster.must("configure show")?;
    ensure!(shown.contains("primitive c nginx") && !shown.contains("group h"), "{shown}");
    // A file, and a shell's here-document with levels.
    let file = cluster.place.path("script");
    fs::write(
        &file,
        "configure property maintenance-mode=true\nconfigure\n  property maintenance-mode=false\n  location l c 7: primary\nend\nresource\n  status c\n",
    )?;
    let said = cluster.run(0, "crm", &["-f", file.to_str().context("is UTF-8")?], "")?;
    ensure!(said.code == 0 && said.out.contains("resource c is"), "{}{}", said.out, said.err);
    let shown = cluster.must("configure show")?;
    ensure!(shown.contains("maintenance-mode=false") && shown.contains("location l c 7: primary"), "{shown}");
    // Nothing at all is no script.
    ensure!(configure("")?.code == 64, "an empty input");
    let missing = cluster.run(0, "crm", &["-f", ABSENT], "")?;
    ensure!(missing.code == 66 && missing.err.contains(ABSENT), "{}", missing.err);
    // The configuration as a file, there and back.
    let toml = cluster.must("configure export toml")?;
    let file = cluster.place.path("cluster.toml");
    fs::write(&file, &toml)?;
    let name = file.to_str().context("is UTF-8")?;
    let same = cluster.must(&format!("configure diff {name}"))?;
    ensure!(same.trim().is_empty(), "{same}");
    fs::write(&file, toml.replace("score = 7", "score = 8"))?;
    let differs = cluster.crm(&format!("configure diff {name}"))?;
    ensure!(differs.code == 1 && differs.out.contains("+location l c 8: primary"), "{}: {}", differs.code, differs.out);
    let plan = cluster.must(&format!("configure apply {name} --dry-run"))?;
    ensure!(plan.contains("+location l c 8: primary") && plan.contains("--dry-run"), "{plan}");
    cluster.must(&format!("configure apply {name}"))?;
    ensure!(cluster.must("configure show l")?.contains("8: primary"), "not applied");
    fs::write(&file, "[[primitve]]\nid = \"x\"\n")?;
    cluster.refused(&format!("configure apply {name}"), 64, "unknown table 'primitve'")
}

fn drafts(tools: &Tools) -> anyhow::Result<()> {
    let cluster = Cluster::new(tools, 90)?;
    cluster.must("configure property stonith-enabled=false")?;
    cluster.must("cib new trial")?;
    cluster.must("-c trial configure primitive a nginx")?;
    ensure!(!cluster.must("configure show")?.contains("primitive a"), "the draft is in force");
    ensure!(cluster.must("-c trial configure show")?.contains("primitive a nginx"), "the draft forgot");
    ensure!(cluster.must("cib diff trial")?.contains("+primitive a nginx"), "no difference");
    ensure!(cluster.must("cib list")?.contains("trial"), "not listed");
    // Somebody else changes something.
    cluster.must("configure primitive b nginx")?;
    let said = cluster.crm("cib commit trial")?;
    ensure!(said.code == 103, "exit code {}: {}", said.code, said.err);
    ensure!(said.err.contains("+primitive b nginx") && said.err.contains("commit force"), "{}", said.err);
    ensure!(!cluster.must("configure show")?.contains("primitive a"), "it was committed");
    cluster.must("cib commit trial force")?;
    let shown = cluster.must("configure show")?;
    ensure!(shown.contains("primitive a nginx") && shown.contains("primitive b nginx"), "{shown}");
    cluster.must("cib delete trial")?;
    cluster.refused("cib diff trial", 105, "no such shadow CIB")
}
