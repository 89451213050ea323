//! Alerts and notices on two real daemons: which node runs or sends them for what, with which words, and what commands say of
//! them.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, ensure};
use hac_lab::Tools;

use crate::names::Cluster;

type Test = fn(&Tools) -> anyhow::Result<()>;

pub(crate) fn cases() -> Vec<(&'static str, Test)> {
    vec![
        ("alerts_are_run_by_who_sees_what_they_are_for", alerts),
        ("alerts_tell_of_fencing_that_succeeded_and_that_failed", fenced),
        ("members_of_a_cloned_group_are_told_of_each_other", group),
        ("the_sample_of_pacemaker_writes_what_it_writes_there", sample),
        ("a_notice_is_sent_once_for_the_cluster_and_by_the_next_coordinator", notices),
        ("an_event_that_is_told_twice_has_one_name", twice),
        ("notices_have_the_form_that_their_receiver_takes", forms),
    ]
}

/// Writes a line a run: on which node, and all that it was told, by name.
const SCRIPT: &str = r#"#!/bin/sh
node=$(basename "$HACD_SOCKET" .socket)
told=$(env | grep '^CRM_alert_' | sort | tr '\n' '|')
echo "node$node $# color=$color|$told" >> "$CRM_alert_recipient"
"#;

/// A script in a folder where the user of the cluster's programs may write.
fn script(cluster: &Cluster<'_>, name: &str, text: &str) -> anyhow::Result<(String, String)> {
    let folder = cluster.place.path("told");
    fs::create_dir_all(&folder)?;
    for folder in [cluster.place.path(""), folder.clone()] {
        fs::set_permissions(folder, fs::Permissions::from_mode(0o777))?;
    }
    let (path, out) = (folder.join(name), folder.join(format!("{name}.out")));
    fs::write(&path, text)?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
    Ok((path.display().to_string(), out.display().to_string()))
}

fn lines(out: &str) -> Vec<String> {
    fs::read_to_string(out).unwrap_or_default().lines().map(str::to_owned).collect()
}

/// Waits until as many lines as said have all of these parts.
fn told(cluster: &Cluster<'_>, out: &str, count: usize, parts: &[&str]) -> anyhow::Result<()> {
    let having = || lines(out).into_iter().filter(|line| parts.iter().all(|part| line.contains(part))).count();
    cluster.until(&format!("{count} lines have {parts:?}: {:#?}", lines(out)), |_| Ok(having() >= count))?;
    ensure!(having() == count, "more than {count} lines have {parts:?}: {:#?}", lines(out));
    Ok(())
}

fn alerts(tools: &Tools) -> anyhow::Result<()> {
    let mut cluster = Cluster::with(tools, 101, |_| String::new())?;
    cluster.must("configure property stonith-enabled=false no-quorum-policy=ignore")?;
    let (path, out) = script(&cluster, "tell", SCRIPT)?;
    let said = cluster.must("alert list")?;
    ensure!(said.contains("Nobody is told of anything"), "{said}");
    cluster.must(&format!(
        "configure alert told {path} attributes color=red select nodes fencing resources attributes {{ pingd }} \
         to {out} meta timestamp-format=%s.%3N"
    ))?;
    let shown = cluster.must("configure show told")?;
    ensure!(shown.contains("select nodes fencing resources attributes { pingd }"), "{shown}");
    let xml = cluster.must("configure show xml")?;
    ensure!(xml.contains("<select_attributes>") && xml.contains("id=\"told-recipient-1\""), "{xml}");
    // What comes out goes in again, and says the same.
    let file = cluster.place.path("saved");
    fs::write(&file, cluster.must("configure show")?)?;
    cluster.must(&format!("configure load replace {}", file.display()))?;
    ensure!(cluster.must("configure show told")? == shown, "it changed on its way");
    let toml = cluster.must("configure export toml")?;
    ensure!(toml.contains("alert told"), "{toml}");
    let admin = cluster.run(0, "cibadmin", &["-Q", "-o", "alerts"], "")?;
    ensure!(admin.code == 0 && admin.out.contains("<recipient id=\"told-recipient-1\""), "{}{}", admin.out, admin.err);

    // The node that ran it tells; of a probe that found nothing nobody does.
    cluster.must("-w configure primitive web nginx op monitor interval=1s")?;
    let start = ["CRM_alert_kind=resource", "CRM_alert_rsc=web", "CRM_alert_task=start"];
    told(&cluster, &out, 1, &start)?;
    let line = lines(&out).into_iter().find(|line| line.contains("task=start")).context("was found")?;
    for part in [
        " 0 color=red|",
        "CRM_alert_rc=0|",
        "CRM_alert_target_rc=0|",
        "CRM_alert_status=0|",
        "CRM_alert_interval=0|",
        "CRM_alert_desc=ok|",
        "CRM_alert_exec_time=",
        "CRM_alert_node_sequence=",
        "CRM_alert_timestamp_epoch=",
        "CRM_alert_timestamp_usec=",
        "CRM_alert_version=",
    ] {
        ensure!(line.contains(part), "no {part} in {line}");
    }
    let on = if line.contains("CRM_alert_node=primary|") { 0 } else { 1 };
    ensure!(line.starts_with(&format!("node{on} ")), "another node told it: {line}");
    told(&cluster, &out, 1, &["CRM_alert_task=monitor", "CRM_alert_interval=1000|"])?;
    told(&cluster, &out, 0, &["CRM_alert_task=monitor", "CRM_alert_interval=0|"])?;
    fs::remove_file(cluster.place.path(&format!("ocf/nginx.{}.web", ["primary", "secondary"][on])))?;
    told(&cluster, &out, 1, &["CRM_alert_task=monitor", "CRM_alert_rc=7|", "CRM_alert_desc=not running|"])?;

    // Of an attribute one node tells.
    for name in ["pingd", "other"] {
        let said = cluster.run(1, "attrd_updater", &["-n", name, "-U", "5"], "")?;
        ensure!(said.code == 0, "{}", said.err);
    }
    let attribute = ["CRM_alert_kind=attribute", "CRM_alert_attribute_name=pingd|", "CRM_alert_attribute_value=5|"];
    told(&cluster, &out, 1, &attribute)?;
    told(&cluster, &out, 0, &["CRM_alert_attribute_name=other|"])?;

    // Of nodes each tells what it sees.
    cluster.kill(1);
    told(&cluster, &out, 1, &["node0", "CRM_alert_kind=node|", "CRM_alert_node=secondary|", "CRM_alert_desc=lost|"])?;
    cluster.start(1)?;
    let came = ["CRM_alert_kind=node|", "CRM_alert_nodeid=2|", "CRM_alert_desc=member|"];
    told(&cluster, &out, 2, &came)?;
    told(&cluster, &out, 1, &[&came[..], &["node1"]].concat())?;

    tried(&cluster, &out)
}

/// What commands say of alerts, and of one that cannot work.
fn tried(cluster: &Cluster<'_>, out: &str) -> anyhow::Result<()> {
    let before = lines(out).len();
    let said = cluster.must("alert test told")?;
    ensure!(said.contains(&format!("told to {out}: told after")), "{said}");
    ensure!(lines(out).len() == before + 1, "{:#?}", lines(out));
    let listed: serde_json::Value = serde_json::from_str(&cluster.must("--json alert list")?)?;
    let entry = &listed["alerts"][0];
    ensure!(entry["id"] == "told" && entry["failures"] == 0 && entry["problem"].is_null(), "{listed}");
    ensure!(entry["runs"].as_u64().is_some_and(|runs| runs > 1), "{listed}");

    cluster.must("configure alert gone /nowhere/tell meta timeout=5s")?;
    let missing = "alert gone: /nowhere/tell cannot be run: there is no such file on this node";
    cluster.until("status tells of the missing program", |cluster| Ok(cluster.crm("status")?.out.contains(missing)))?;
    let doctor = cluster.crm("doctor")?;
    ensure!(doctor.out.contains(missing), "{}{}", doctor.out, doctor.err);
    let said = cluster.crm("alert test gone")?;
    ensure!(said.code == 1 && said.out.contains("there is no such file"), "{}{}", said.out, said.err);
    let said = cluster.crm("alert test nothing")?;
    ensure!(said.code == 105 && said.err.contains("there is no alert and no notice nothing"), "{}", said.err);
    cluster.must("configure delete gone told")?;
    ensure!(!cluster.must("configure show")?.contains("alert"), "it is still there");
    Ok(())
}

/// A fence device that ends the daemon of the second node, unless it is told to refuse.
const DEVICE: &str = r#"#!/bin/sh
here=$(cd "$(dirname "$0")" && pwd)
[ "$2" = metadata ] && action=metadata
[ -n "$action" ] || while read -r line; do case "$line" in action=*) action=${line#action=} ;; esac; done
case "$action" in
metadata)
    echo '<resource-agent name="fence_trial"><parameters><parameter name="ip"><content type="string"/></parameter></parameters>
    <actions><action name="on"/><action name="off"/><action name="reboot"/><action name="monitor"/><action name="list"/>
    <action name="metadata"/></actions></resource-agent>' ;;
off | reboot) [ ! -e "$here/refuse" ] || { echo "no power switch" >&2; exit 1; }; kill -9 "$(cat "$here/pid")" ;;
esac
exit 0
"#;

/// Of fencing everybody tells who is there, whatever came of it.
fn fenced(tools: &Tools) -> anyhow::Result<()> {
    let devices = std::env::temp_dir().join(format!("hacd-told-devices-{}", std::process::id()));
    fs::create_dir_all(&devices)?;
    let device = devices.join("fence_trial");
    fs::write(&device, DEVICE)?;
    fs::set_permissions(&device, fs::Permissions::from_mode(0o755))?;
    let mut cluster = Cluster::with(tools, 153, |_| format!("fence_agents = \"{}\"\n", devices.display()))?;
    let pid = cluster.daemons[1].as_ref().context("runs")?.id();
    fs::write(devices.join("pid"), pid.to_string())?;
    fs::write(devices.join("refuse"), "")?;
    cluster.must("configure property stonith-enabled=false no-quorum-policy=ignore")?;
    let (path, out) = script(&cluster, "fences", SCRIPT)?;
    cluster.must(&format!("configure alert fences {path} select fencing to {out}"))?;
    cluster.must("-w configure primitive Power stonith:fence_trial params pcmk_host_list=secondary")?;
    cluster.must("configure property stonith-enabled=true stonith-max-attempts=1")?;
    cluster.must("-F node fence secondary")?;
    let told_of = |node: &'static str, rc: &'static str| {
        [node, "CRM_alert_kind=fencing|", "CRM_alert_node=secondary|", "CRM_alert_task=st_notify_fence|", rc]
    };
    for node in ["node0 ", "node1 "] {
        cluster.until("the failure is told", |_| {
            Ok(lines(&out).iter().any(|line| told_of(node, "CRM_alert_rc=-").iter().all(|part| line.contains(part))))
        })?;
    }
    fs::remove_file(devices.join("refuse"))?;
    cluster.must("-F node fence secondary")?;
    cluster.until("the success is told", |_| {
        Ok(lines(&out).iter().any(|line| told_of("node0 ", "CRM_alert_rc=0|").iter().all(|part| line.contains(part))))
    })?;
    let line = lines(&out).into_iter().find(|line| line.contains("CRM_alert_rc=0|")).context("was found")?;
    ensure!(line.contains("CRM_alert_desc=Operation ") && line.contains(" of secondary by primary for "), "{line}");
    cluster.kill(1);
    fs::remove_dir_all(&devices)?;
    Ok(())
}

/// What an agent of a cloned group is told, in notifications and in the actions around them.
const MEMBER: &str = r#"#!/bin/sh
base=$(cd "$(dirname "$0")/../.." && pwd); node=$(crm_node -n)
file="$base/member.$OCF_RESOURCE_INSTANCE.$node"
m() { eval "printf '%s=<%s>|' $1 \"\$OCF_RESKEY_CRM_meta_notify_$1\""; }
[ "$1" = meta-data ] || echo "$node $OCF_RESOURCE_INSTANCE $1 $(m type)$(m operation)$(m start_resource)$(m start_uname)$(m stop_resource)$(m active_resource)$(m active_uname)$(m inactive_resource)" >> "$base/members"
case "$1" in
meta-data)
    echo '<resource-agent name="Member"><parameters/><actions><action name="start"/><action name="stop"/><action name="monitor"/>
    <action name="notify"/></actions></resource-agent>' ;;
start) touch "$file" ;;
stop) rm -f "$file" ;;
monitor) [ -e "$file" ] || exit 7 ;;
esac
exit 0
"#;

fn group(tools: &Tools) -> anyhow::Result<()> {
    let cluster = Cluster::with(tools, 149, |_| String::new())?;
    let agent = cluster.place.path("ocf/resource.d/heartbeat/Member");
    fs::write(&agent, MEMBER)?;
    fs::set_permissions(&agent, fs::Permissions::from_mode(0o755))?;
    cluster.must("configure property stonith-enabled=false no-quorum-policy=ignore")?;
    cluster.must("node standby secondary")?;
    let file = cluster.place.path("script");
    fs::write(&file, "primitive a Member\nprimitive b Member\ngroup both a b\nclone cs both meta notify=true\n")?;
    cluster.must(&format!("-w configure load update {}", file.display()))?;
    let calls = cluster.place.path("ocf/members").display().to_string();
    // One instance is there; the other comes.
    fs::write(&calls, "")?;
    cluster.must("-w node online secondary")?;
    let has = |node: &str, of: &str, what: &str, parts: &[&str]| {
        lines(&calls).iter().any(|line| {
            line.starts_with(&format!("{node} {of} {what} ")) && parts.iter().all(|part| line.contains(part))
        })
    };
    for member in ["a", "b"] {
        let comes = ["operation=<start>", "start_uname=<secondary secondary>", "active_uname=<primary primary>"];
        let before = [&comes[..], &["type=<pre>"]].concat();
        let after = [&comes[..], &["type=<post>"]].concat();
        ensure!(has("primary", member, "notify", &before), "{member}: {:#?}", lines(&calls));
        for node in ["primary", "secondary"] {
            ensure!(has(node, member, "notify", &after), "{member} on {node}: {:#?}", lines(&calls));
        }
        ensure!(!has("secondary", member, "notify", &["type=<pre>"]), "who is not there yet: {:#?}", lines(&calls));
        // The start itself is told too, and of both members.
        let start = lines(&calls).into_iter().find(|line| line.starts_with(&format!("secondary {member} start ")));
        let start = start.context("it was started")?;
        for list in ["start_resource", "active_resource"] {
            let names = start.split_once(&format!("{list}=<")).and_then(|(_, rest)| rest.split_once('>'));
            let names: Vec<&str> = names.map(|(names, _)| names.split(' ').collect()).unwrap_or_default();
            let both = names.len() == 2 && names[0].starts_with("a:") && names[1].starts_with("b:");
            ensure!(both, "{list}: {start}");
        }
        // An empty list is one blank, and never nothing.
        ensure!(start.contains("stop_resource=< >"), "{start}");
    }
    Ok(())
}

/// Debian's sample, where it is installed: it is run, and what it writes is looked at.
fn sample(tools: &Tools) -> anyhow::Result<()> {
    const SAMPLE: &str = "/usr/share/pacemaker/alerts/alert_file.sh.sample";
    if !Path::new(SAMPLE).is_file() {
        eprintln!("alert_file.sh.sample of Pacemaker is not installed here: not tried");
        return Ok(());
    }
    let cluster = Cluster::with(tools, 102, |_| String::new())?;
    cluster.must("configure property stonith-enabled=false no-quorum-policy=ignore")?;
    let (path, out) = script(&cluster, "sample", &fs::read_to_string(SAMPLE)?)?;
    fs::write(&out, "")?;
    fs::set_permissions(&out, fs::Permissions::from_mode(0o666))?;
    cluster.must(&format!("configure alert sample {path} to {out}"))?;
    cluster.must("-w configure primitive web nginx op monitor interval=10s")?;
    cluster.until("the start is written", |_| Ok(lines(&out).iter().any(|line| line.contains("start"))))?;
    cluster.must("alert test sample")?;
    let all = lines(&out).join("\n");
    ensure!(all.contains("web") && all.contains("ok") && all.contains("member"), "{all}");
    ensure!(!all.contains("Unhandled"), "{all}");
    Ok(())
}

/// Somebody who is told: takes what is posted, or answers that it cannot.
struct Receiver {
    url: String,
    /// Head and body of each request that was taken.
    taken: Arc<Mutex<Vec<(String, String)>>>,
    refuses: Arc<AtomicBool>,
    /// What is taken is not answered.
    hangs: Arc<AtomicBool>,
}

impl Receiver {
    fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let url = format!("http://{}/hidden-path", listener.local_addr()?);
        let (taken, refuses, hangs): (Arc<Mutex<Vec<_>>>, Arc<AtomicBool>, Arc<AtomicBool>) = Default::default();
        let receiver =
            Self { url, taken: Arc::clone(&taken), refuses: Arc::clone(&refuses), hangs: Arc::clone(&hangs) };
        let mut unanswered = Vec::new();
        // Ends with the process.
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (refuse, hang) = (refuses.load(Ordering::Relaxed), hangs.load(Ordering::Relaxed));
                if let Ok(request) = answer(&stream, (!hang).then_some(refuse))
                    && !refuse
                {
                    taken.lock().expect("no fault").push(request);
                }
                if hang {
                    unanswered.push(stream);
                }
            }
        });
        Ok(receiver)
    }

    /// What was taken of this kind.
    fn of(&self, kind: &str) -> Vec<serde_json::Value> {
        let taken = self.taken.lock().expect("no fault");
        let bodies = taken.iter().filter_map(|(_, body)| serde_json::from_str::<serde_json::Value>(body).ok());
        bodies.filter(|body| body["kind"] == kind).collect()
    }
}

/// Reads a request, and answers that it was refused or not, or not at all.
fn answer(mut stream: &TcpStream, refuse: Option<bool>) -> anyhow::Result<(String, String)> {
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    let (mut bytes, mut chunk) = (Vec::new(), [0; 4096]);
    let request = loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length =
                head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
            if body.len() >= length.unwrap_or(0_usize) {
                break (head.to_owned(), body.to_owned());
            }
        }
        let count = stream.read(&mut chunk)?;
        ensure!(count > 0, "the request ended");
        bytes.extend_from_slice(&chunk[..count]);
    };
    let Some(refuse) = refuse else { return Ok(request) };
    let status = if refuse { "503 Service Unavailable" } else { "200 OK" };
    write!(stream, "HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")?;
    Ok(request)
}

fn notices(tools: &Tools) -> anyhow::Result<()> {
    let mut cluster = Cluster::with(tools, 103, |_| String::new())?;
    let receiver = Receiver::start()?;
    cluster.must("configure property stonith-enabled=false no-quorum-policy=ignore")?;
    let secret = cluster.run(0, "crm", &["secret", "set", "hook", "--file", "-"], "gold")?;
    ensure!(secret.code == 0, "{}{}", secret.out, secret.err);
    cluster.must(&format!("configure notice hook webhook url={} token=secret:hook", receiver.url))?;
    for line in [
        "configure show",
        "configure show xml",
        "alert list",
        "--json alert list",
        "status",
        "--json history --last 50",
    ] {
        let shown = cluster.must(line)?;
        ensure!(!shown.contains("hidden-path") && !shown.contains("gold"), "{line} shows a secret: {shown}");
    }
    ensure!(cluster.must("configure show hook")?.contains("notice hook webhook"), "it is shown");
    // What was masked comes back as it was.
    let file = cluster.place.path("saved");
    fs::write(&file, cluster.must("configure show")?)?;
    cluster.must(&format!("configure load replace {}", file.display()))?;

    cluster.must("alert test hook")?;
    let (head, _) = receiver.taken.lock().expect("no fault").last().cloned().context("a test came")?;
    ensure!(head.starts_with("POST /hidden-path ") && head.contains("authorization: Bearer gold"), "{head}");
    ensure!(receiver.of("test").len() == 1, "a test says that it is one");

    // Both nodes see the failure, and one tells it, with its reason and what to type.
    cluster.must("-w configure primitive web nginx op monitor interval=1s")?;
    fail(&cluster)?;
    cluster.until("the failure was told", |_| Ok(!receiver.of("failure").is_empty()))?;
    let failure = receiver.of("failure").remove(0);
    ensure!(failure["command"] == "hacctl explain web" && failure["cluster"] == "lbcluster", "{failure}");
    ensure!(failure["explanation"].as_str().is_some_and(|why| why.contains("web")), "{failure}");
    std::thread::sleep(Duration::from_secs(3));
    ensure!(receiver.of("failure").len() == 1, "told more than once: {:#?}", receiver.of("failure"));

    // Who is told cannot be reached while the coordinator lives: the next one tells it.
    let dc = usize::from(cluster.must("status")?.contains("Current DC: secondary"));
    receiver.refuses.store(true, Ordering::Relaxed);
    fail(&cluster)?;
    cluster.until("it is tried in vain", |cluster| {
        let listed: serde_json::Value =
            serde_json::from_str(&cluster.run(dc, "crm", &["--json", "alert", "list"], "")?.out)?;
        Ok(listed["alerts"][0]["failures"].as_u64().is_some_and(|failures| failures > 0))
    })?;
    cluster.kill(dc);
    receiver.refuses.store(false, Ordering::Relaxed);
    cluster.until("the next coordinator told it", |_| {
        Ok(receiver.of("failure").len() == 2 && !receiver.of("node").is_empty())
    })?;
    let other = ["primary", "secondary"][1 - dc];
    let last = receiver.of("failure").remove(1);
    ensure!(last["sent_by"] == other && last["id"] != failure["id"], "{last}");
    let lost = receiver.of("node").remove(0);
    ensure!(lost["level"] == "warning" && lost["text"].as_str().is_some_and(|text| text.contains("is lost")), "{lost}");
    cluster.start(dc)?;
    cluster.until("its return was told", |_| {
        Ok(receiver
            .of("node")
            .iter()
            .any(|body| body["text"].as_str().is_some_and(|text| text.contains("is a member"))))
    })?;
    std::thread::sleep(Duration::from_secs(3));
    ensure!(receiver.of("node").len() == 2, "told more than once: {:#?}", receiver.of("node"));
    ensure!(receiver.of("failure").len() == 2, "told again: {:#?}", receiver.of("failure"));
    Ok(())
}

/// The coordinator dies after it has sent something and before it can say so: the next one sends it again, and who is told can
/// see that it is the same.
fn twice(tools: &Tools) -> anyhow::Result<()> {
    let mut cluster = Cluster::with(tools, 148, |_| String::new())?;
    let receiver = Receiver::start()?;
    cluster.must("configure property stonith-enabled=false no-quorum-policy=ignore")?;
    cluster.must(&format!("configure notice hook webhook url={} events=failure", receiver.url))?;
    cluster.must("-w configure primitive web nginx op monitor interval=1s")?;
    receiver.hangs.store(true, Ordering::Relaxed);
    fail(&cluster)?;
    cluster.until("it was sent", |_| Ok(!receiver.of("failure").is_empty()))?;
    let dc = usize::from(cluster.must("status")?.contains("Current DC: secondary"));
    cluster.kill(dc);
    receiver.hangs.store(false, Ordering::Relaxed);
    let first = receiver.of("failure").remove(0);
    cluster.until("the next coordinator sends it again", |_| {
        Ok(receiver.of("failure").iter().any(|body| body["sent_by"] != first["sent_by"] && body["id"] == first["id"]))
    })?;
    std::thread::sleep(Duration::from_secs(3));
    let sent = receiver.of("failure").iter().filter(|body| body["id"] == first["id"]).count();
    ensure!(sent == 2, "sent {sent} times: {:#?}", receiver.of("failure"));
    Ok(())
}

/// Takes the service away under the resource.
fn fail(cluster: &Cluster<'_>) -> anyhow::Result<()> {
    let files = ["primary", "secondary"].map(|node| cluster.place.path(&format!("ocf/nginx.{node}.web")));
    cluster.until("the service runs", |_| Ok(files.iter().any(|file| file.exists())))?;
    std::thread::sleep(Duration::from_millis(1500));
    files.iter().for_each(|file| drop(fs::remove_file(file)));
    Ok(())
}

/// Slack and ntfy get what they take, of one event the same; a mail without a mail transfer agent says what is missing.
fn forms(tools: &Tools) -> anyhow::Result<()> {
    let cluster = Cluster::with(tools, 144, |_| String::new())?;
    let (slack, ntfy) = (Receiver::start()?, Receiver::start()?);
    cluster.must("configure property stonith-enabled=false no-quorum-policy=ignore")?;
    cluster.must(&format!("configure notice chat slack url={} events=failure", slack.url))?;
    cluster.must(&format!("configure notice topic ntfy url={} token=tk_gold events=failure", ntfy.url))?;
    cluster.must("-w configure primitive web nginx op monitor interval=1s")?;
    fail(&cluster)?;
    let last = |receiver: &Receiver| receiver.taken.lock().expect("no fault").last().cloned();
    cluster.until("both were told", |_| Ok(last(&slack).is_some() && last(&ntfy).is_some()))?;

    let (head, body) = last(&slack).context("a message")?;
    ensure!(head.contains("content-type: application/json") && !head.contains("authorization"), "{head}");
    let body: serde_json::Value = serde_json::from_str(&body)?;
    let text = body["text"].as_str().context("a text")?;
    ensure!(body.as_object().is_some_and(|fields| fields.len() == 1), "{body}");
    ensure!(text.starts_with(":warning: *lbcluster*: ") && text.contains("web"), "{text}");
    ensure!(text.contains("\n> ") && text.ends_with("`hacctl explain web`"), "{text}");

    let (head, body) = last(&ntfy).context("a message")?;
    for part in ["title: lbcluster: failure", "priority: 4", "tags: warning", "authorization: Bearer tk_gold"] {
        ensure!(head.contains(part), "no {part} in {head}");
    }
    ensure!(body.contains("web") && body.ends_with("hacctl explain web"), "{body}");
    ensure!(!body.starts_with('{'), "it is a text: {body}");

    for (words, why) in [
        ("configure notice bad slack to=ops@example.org", "slack"),
        ("configure notice bad carrier-pigeon url=http://127.0.0.1:9/", "carrier-pigeon"),
    ] {
        let said = cluster.crm(words)?;
        ensure!(said.code != 0 && said.err.contains(why), "{words}: {}{}", said.out, said.err);
    }
    cluster.must("configure notice letter mail to=ops@example.org events=failure")?;
    if Path::new("/usr/sbin/sendmail").exists() {
        eprintln!("there is a mail transfer agent here, which is left alone: mail is not tried");
        return Ok(());
    }
    let said = cluster.crm("alert test letter")?;
    ensure!(said.code == 1 && said.out.contains("/usr/sbin/sendmail"), "{}{}", said.out, said.err);
    let listed = cluster.must("alert list")?;
    ensure!(listed.contains("letter") && listed.contains("ops@example.org"), "{listed}");
    Ok(())
}
