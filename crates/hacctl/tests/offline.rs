//! Commands that need no daemon, as processes: what they print and the exit codes that scripts go by.

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

/// A resource on the wrong side of a ban.
const STATE: &str = r#"<cib crm_feature_set="3.19.7" validate-with="pacemaker-3.9" epoch="1" num_updates="0" admin_epoch="0" have-quorum="1" dc-uuid="1">
  <configuration>
    <crm_config>
      <cluster_property_set id="options">
        <nvpair id="options-fencing" name="stonith-enabled" value="false"/>
      </cluster_property_set>
    </crm_config>
    <nodes><node id="1" uname="n1"/><node id="2" uname="n2"/></nodes>
    <resources><primitive id="web" class="ocf" provider="pacemaker" type="Dummy"/></resources>
    <constraints><rsc_location id="not-n1" rsc="web" node="n1" score="-INFINITY"/></constraints>
  </configuration>
  <status>
    <node_state id="1" uname="n1" in_ccm="true" crmd="online" join="member" expected="member"/>
    <node_state id="2" uname="n2" in_ccm="true" crmd="online" join="member" expected="member"/>
  </status>
</cib>"#;

/// A folder that goes with the test.
struct Folder(PathBuf);

impl Folder {
    fn new(test: &str) -> Self {
        let path = std::env::temp_dir().join(format!("hacctl-offline-{test}-{}", std::process::id()));
        fs::create_dir_all(&path).expect("can be made");
        Self(path)
    }

    fn file(&self, name: &str, text: impl AsRef<[u8]>) -> String {
        let path = self.path(name);
        fs::write(&path, text).expect("can be written");
        path
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().expect("is UTF-8").to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What stays behind in a temporary folder harms nobody.
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn hacctl(words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_hacctl")).args(words).stdin(Stdio::null()).output().expect("hacctl starts")
}

/// The exit code, and what was said on standard output and on standard error.
fn run(words: &[&str]) -> (i32, String, String) {
    let output = hacctl(words);
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("is UTF-8");
    (output.status.code().expect("ended by itself"), text(&output.stdout), text(&output.stderr))
}

/// Fails with this exit code, says what is wrong and what to do, and prints nothing else.
fn fails(words: &[&str], code: i32, said: &str) {
    let (got, out, err) = run(words);
    assert_eq!((got, out.as_str()), (code, ""), "{words:?}: {err}");
    assert!(err.contains(said), "{words:?}: {err}");
    assert!(err.starts_with("ERROR: ") && err.lines().count() >= 2, "a sentence and a remedy: {err}");
    assert!(!err.contains("panicked"), "{err}");
}

#[test]
fn simulate_says_by_its_exit_code_what_is_wrong() {
    let folder = Folder::new("simulate");
    let good = folder.file("good.xml", STATE);
    let (code, out, err) = run(&["simulate", "-x", &good]);
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(out.contains("Start      web     ( n2 )"), "{out}");

    fails(&["simulate", "-x", &folder.path("nothing.xml")], 66, "nothing.xml");
    fails(&["simulate", "-x", &folder.path("")], 66, "is a folder, not a file");
    for (name, text) in [
        ("empty.xml", &b""[..]),
        ("cut.xml", &STATE.as_bytes()[..STATE.len() / 2]),
        ("other.xml", b"<html><body/></html>"),
        ("binary.xml", b"\xff\xfe\x00"),
    ] {
        fails(&["simulate", "-x", &folder.file(name, text)], 65, name);
    }
    let sideways = STATE.replace(r#"rsc="web""#, r#"rsc="web" role="Sideways""#);
    fails(&["simulate", "-x", &folder.file("sideways.xml", sideways)], 78, "Sideways");
    let misspelt = STATE.replace("<rsc_location", "<rsc_locatoin");
    fails(&["simulate", "-x", &folder.file("misspelt.xml", misspelt)], 78, "\"rsc_location\" meant?");
    let twice = STATE.replace(r#"id="not-n1""#, r#"id="web""#);
    fails(&["simulate", "-x", &folder.file("twice.xml", twice)], 78, "web");
    fails(&["simulate", "-x", &good, "--now", "teatime"], 64, "'teatime' is no time");
    for option in ["--graph", "--dot"] {
        fails(&["simulate", "-x", &good, option, &folder.path("no/such/folder")], 73, "could not write");
    }
    // Without a file the running cluster is asked, and there is none.
    fails(&["--socket", &folder.path("nothing"), "simulate"], 102, "hacd is not running here");
    assert_eq!(run(&["simulate", "-x", &good, "--format", "interpretive-dance"]).0, 64);
}

#[test]
fn a_packed_state_is_named_with_what_unpacks_it() {
    let folder = Folder::new("packed");
    let packed = folder.file("pe-input-12.bz2", b"BZh91AY&SY\x00\xff");
    fails(&["simulate", "-x", &packed], 65, "it is compressed by bzip2");
    fails(&["simulate", "-x", &packed], 65, "bunzip2 --keep");
}

#[test]
fn errors_can_be_had_as_json() {
    let folder = Folder::new("json");
    for command in ["simulate", "explain"] {
        let (code, _, err) = run(&[command, "--json", "-x", &folder.path("nothing.xml")]);
        let error: serde_json::Value = serde_json::from_str(&err).expect("is JSON");
        assert_eq!((code, &error["error"]["exit_code"]), (66, &serde_json::json!(66)), "{command}");
        assert!(error["error"]["remedy"].is_string(), "{err}");
    }
}

#[test]
fn explain_tells_of_a_stored_state() {
    let folder = Folder::new("explain");
    let good = folder.file("good.xml", STATE);
    let (code, out, err) = run(&["explain", "-x", &good, "web"]);
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(out.contains("starts on n2") && out.contains("location constraint not-n1"), "{out}");
    let (code, out, _) = run(&["explain", "-x", &good, "node", "n1"]);
    assert!(code == 0 && out.contains("Node n1 may run resources"), "{out}");
    let (code, out, _) = run(&["explain", "-x", &good]);
    assert!(code == 0 && out.contains("start of web on n2"), "{out}");
    let (code, out, _) = run(&["explain", "-x", &good, "--json", "web"]);
    let told: serde_json::Value = serde_json::from_str(&out).expect("is JSON");
    assert_eq!((code, &told["explanation"]["about"]), (0, &serde_json::json!("resource")));
    assert_eq!(told["explanation"]["services"][0]["next"]["node"], "n2");
}

#[test]
fn explain_says_by_its_exit_code_what_is_wrong() {
    let folder = Folder::new("refused");
    let good = folder.file("good.xml", STATE);
    fails(
        &["explain", "-x", &good, "wbe"],
        105,
        "there is no resource or node wbe\n  Did you mean web? There are: web, n1, n2.",
    );
    fails(&["explain", "-x", &good, "node", "web"], 105, "there is no node web\n  There are: n1, n2.");
    fails(&["explain", "-x", &good, "resource", "n1"], 105, "there is no resource n1");
    fails(&["explain", "-x", &good, "pod", "web"], 64, "does not know the word 'pod'");
    fails(&["explain", "-x", &folder.path("nothing.xml"), "web"], 66, "nothing.xml");
    fails(&["explain", "-x", &good, "--now", "teatime", "web"], 64, "'teatime' is no time");
    assert_eq!(run(&["explain", "--now", "@0", "web"]).0, 64);
    // No daemon listens there.
    fails(&["explain", "--socket", &folder.path("sock"), "web"], 102, "hacd is not running here");
    // A name that would play tricks with the terminal is defused.
    let (_, _, err) = run(&["explain", "-x", &good, "\u{1b}[2Jweb"]);
    assert!(!err.contains('\u{1b}'), "{err:?}");
}

#[test]
fn a_state_can_come_from_standard_input() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_hacctl"))
        .args(["explain", "-x", "-", "web"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("hacctl starts");
    child.stdin.take().expect("is piped").write_all(STATE.as_bytes()).expect("reads");
    let output = child.wait_with_output().expect("ends");
    assert!(output.status.success() && String::from_utf8_lossy(&output.stdout).contains("starts on n2"));
}

/// Pacemaker's programs on a file, by their names.
struct OnFile {
    folder: Folder,
    cib: String,
}

/// As [`STATE`], and with what hacd has no words for.
fn state_with_alerts() -> String {
    STATE.replace("</constraints>", "</constraints>\n    <alerts><alert id=\"al\" path=\"/bin/true\"/></alerts>")
}

impl OnFile {
    fn new(test: &str) -> Self {
        let folder = Folder::new(test);
        let cib = folder.file("cib.xml", state_with_alerts());
        Self { folder, cib }
    }

    fn command(&self, line: &str) -> Command {
        let mut words = line.split(' ');
        let name = words.next().expect("a name");
        let link = self.folder.path(name);
        if !std::path::Path::new(&link).exists() {
            std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_hacctl"), &link).expect("can be made");
        }
        let mut command = Command::new(link);
        command.args(words).env("CIB_file", &self.cib).stdin(Stdio::null());
        command
    }

    fn run(&self, line: &str) -> (i32, String, String) {
        let output = self.command(line).output().expect("starts");
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("is UTF-8");
        (output.status.code().expect("ended by itself"), text(&output.stdout), text(&output.stderr))
    }

    /// Exit code, and a part of what is said on standard output and on standard error; nothing is changed.
    fn says(&self, line: &str, code: i32, out: &str, err: &str) {
        let before = self.text();
        let (got, said, told) = self.run(line);
        assert_eq!(got, code, "{line}: {said}{told}");
        assert!(said.contains(out) && told.contains(err), "{line}: {said}{told}");
        assert_eq!(self.text(), before, "{line} changed something");
    }

    /// Ends with 0, and the file has this afterwards.
    fn makes(&self, line: &str, out: &str, part: &str) {
        let (code, said, told) = self.run(line);
        assert_eq!(code, 0, "{line}: {said}{told}");
        assert!(said.contains(out), "{line}: {said}");
        assert!(self.text().contains(part), "{line}: {}", self.text());
        assert!(self.text().contains("<alert id=\"al\""), "{line}: what hacd does not know is lost");
        fs::write(&self.cib, state_with_alerts()).expect("can be written");
    }

    fn text(&self) -> String {
        fs::read_to_string(&self.cib).expect("is there")
    }
}

#[test]
fn cibadmin_asks_a_file() {
    let on = OnFile::new("cibadmin-asks");
    on.says("cibadmin -Q", 0, "<cib crm_feature_set", "");
    on.says("cibadmin -Q -o resources", 0, "<resources>\n  <primitive id=\"web\"", "");
    on.says("cibadmin --query --scope=constraints -n", 0, "<constraints/>", "");
    on.says("cibadmin -Q -o nosuch", 0, "<cib crm_feature_set", "there is no section 'nosuch'");
    on.says("cibadmin -D -o nosuch -X <a/>", 64, "", "there is no section 'nosuch'");
    on.says("cibadmin -Q -o resource", 0, "<cib crm_feature_set", "did you mean resources?");
    on.says("crm_mon -1 -Unone,summary,nodes,resources,failures -Ioptions", 0, "* STONITH of failed nodes ", "");
    on.says("crm_mon -1 -m7", 64, "", "Fence history must be 0-3");
    on.says("crm_mon -1 --include=list", 64, "", "--include options: all, attributes, bans[:PREFIX]");
    on.says("crm_mon -d", 64, "", "--daemonize requires at least one of");
    on.says("crm_mon -W", 64, "", "--watch-fencing requires --external-agent");
    on.says("cibadmin -Q -A //node", 0, "<xpath-query>\n  <node id=\"1\" uname=\"n1\"/>", "");
    on.says("cibadmin -Q --xpath //node[@uname='n2']/@id", 0, "<node id=\"2\" uname=\"n2\"/>\n", "");
    on.says("cibadmin -Q -A //node[@id='2'] -e", 0, "/cib/configuration/nodes/node[@id='2']\n", "");
    on.says("cibadmin -Q -A //nothing", 105, "", "Call failed: No such device or address");
    on.says("cibadmin -Q -A nothing", 105, "", "column 1 of the path");
    on.says("cibadmin -a", 0, "<cib crm_feature_set=\"3.20.0\" validate-with=\"pacemaker-3.9\"", "");
    on.says("cibadmin", 64, "", "must specify a command");
    on.says("cibadmin -Z", 64, "", "Unknown option -Z");
    on.says("cibadmin -5", 64, "", "Please supply XML");
    on.says("cibadmin -5 -X <a/>", 0, "36f3fe87323978c81376fbe84b315483", "Digest: ");
}

#[test]
fn cibadmin_changes_a_file() {
    let on = OnFile::new("cibadmin-changes");
    let new = "<primitive\u{a0}id=\"b\"\u{a0}class=\"ocf\"\u{a0}provider=\"pacemaker\"\u{a0}type=\"Dummy\"/>";
    let object = on.folder.file("object.xml", new.replace('\u{a0}', " "));
    on.makes(&format!("cibadmin -C -o resources -x {object}"), "", "<primitive id=\"b\"");
    on.makes(&format!("cibadmin -C -x {object}"), "", "epoch=\"2\"");
    on.makes("cibadmin -B", "", "epoch=\"2\" num_updates=\"0\"");
    let there =
        on.folder.file("there.xml", "<primitive id=\"web\" class=\"ocf\" provider=\"pacemaker\" type=\"Dummy\"/>");
    on.says(
        &format!("cibadmin -C -o resources -x {there}"),
        108,
        "<failed_update id=\"web\" object_type=\"primitive\" operation=\"cib_create\" reason=\"File exists\">",
        "Call failed: File exists",
    );
    let value = on.folder.file("value.xml", "<nvpair id=\"options-fencing\" value=\"true\"/>");
    on.makes(&format!("cibadmin -M -x {value}"), "", "name=\"stonith-enabled\" value=\"true\"");
    on.says(&format!("cibadmin -M -o nodes -x {value}"), 105, "", "No such device or address");
    let version = on.folder.file("version.xml", "<cib admin_epoch=\"admin_epoch++\"/>");
    on.makes(&format!("cibadmin -M -x {version}"), "", "admin_epoch=\"1\"");
    let other = on.folder.file("other.xml", "<primitive id=\"web\" class=\"lsb\" type=\"web\"/>");
    on.makes(&format!("cibadmin -R -o resources -x {other}"), "", "<primitive id=\"web\" class=\"lsb\"");
    on.makes("cibadmin --delete --xpath //rsc_location", "", "<constraints/>");
    on.makes("cibadmin -d --force -A //node[@id='2']", "", "epoch=\"2\"");
    let gone = on.folder.file("gone.xml", "<rsc_location id=\"nosuch\"/>");
    on.says(&format!("cibadmin -D -x {gone}"), 0, "", "");
    for line in ["cibadmin -E", "cibadmin -u", "cibadmin -d -A //node"] {
        on.says(line, 107, "", "--force flag is required");
    }
    on.says("cibadmin -C -X junk", 78, "", "Couldn't parse input from input string.");
    on.says("cibadmin -C", 64, "", "needs data");
    let misspelt = on.folder.file("misspelt.xml", "<primtive id=\"b\"/>");
    on.says(
        &format!("cibadmin -C -o resources -x {misspelt}"),
        78,
        "",
        "Call failed: Update does not conform to the configured schema",
    );
    let diff = on.folder.file(
        "diff.xml",
        "<diff format=\"2\"><version><source admin_epoch=\"0\" epoch=\"1\" num_updates=\"0\"/><target admin_epoch=\"0\" epoch=\"9\" num_updates=\"0\"/></version>\
         <change operation=\"delete\" path=\"/cib/configuration/constraints/rsc_location[@id='not-n1']\"/></diff>",
    );
    on.makes(&format!("cibadmin --patch --xml-file={diff}"), "", "epoch=\"9\"");
    // From standard input.
    let mut child = on.command("cibadmin -p -R -o resources").stdin(Stdio::piped()).spawn().expect("starts");
    let whole = "<resources><primitive id=\"web\" class=\"lsb\" type=\"only\"/></resources>";
    child.stdin.take().expect("is piped").write_all(whole.as_bytes()).expect("reads");
    assert!(child.wait().expect("ends").success() && on.text().contains("type=\"only\""));
}

#[test]
fn other_programs_work_on_a_file_too() {
    let on = OnFile::new("cib-file");
    on.says("crm_mon -1", 0, "Online: [ n1 n2 ]", "");
    on.says("crm_mon -1r", 0, "web\t(ocf:pacemaker:Dummy):\t Stopped", "");
    on.says("crm_mon -X", 0, "<node name=\"n1\" id=\"1\" online=\"true\"", "");
    on.says("crm_mon -s", 2, "CLUSTER CRIT: not running: web", "");
    on.says("crm_verify -L", 0, "", "");
    on.says("crm_node -l", 0, "1 n1 member\n2 n2 member\n", "");
    on.says("crm_resource -L", 0, "Full List of Resources:", "");
    on.says("crm_resource -r web -W", 0, "", "resource web is NOT running");
    on.says("crm_resource -r nosuch -W", 105, "", "Resource 'nosuch' not found");
    on.says("crm_attribute -n stonith-enabled -G", 0, "scope=crm_config  name=stonith-enabled value=false", "");
    on.says("crm_attribute -n nosuch -G", 105, "", "No such device or address");
    on.makes("crm_attribute -n batch-limit -v 5", "", "name=\"batch-limit\" value=\"5\"");
    on.makes("crm_attribute -N n1 -n site -v east", "", "<nvpair id=\"nodes-1-site\" name=\"site\" value=\"east\"/>");
    on.makes("crm_attribute -N n2 -l reboot -n mood -v good", "", "name=\"mood\" value=\"good\"");
    on.makes(
        "crm_resource -r web -p fake -v 2",
        "Set 'web' option: id=web-instance_attributes-fake set=web-instance_attributes name=fake value=2",
        "name=\"fake\" value=\"2\"",
    );
    on.makes(
        "crm_resource -r web -m -p target-role -v Stopped",
        "name=target-role value=Stopped",
        "name=\"target-role\"",
    );
    on.makes("crm_resource -r web -z -p cpu -v 2", "name=cpu value=2", "<utilization id=\"web-utilization\">");
    on.makes("crm_resource -r web -M -N n2", "", "<rsc_location id=\"cli-prefer-web\" rsc=\"web\"");
    on.makes("crm_resource -r web -B -N n2", "", "<rsc_location id=\"cli-ban-web-on-n2\"");
    on.says("crm_resource -r web -M", 64, "", "active in 0 locations");
    on.says("crm_resource -r web -d nosuch", 0, "", "");
    on.says("crm_resource -r web -U", 0, "", "");
    on.says("crm_resource -r web -R", 64, "", "leave CIB_file out");
    on.says("crm_simulate -L", 0, "Transition Summary:", "");
    on.says("crmadmin -N", 0, "cluster node: n1 (1)", "");
    on.says("crm_simulate -x nothing.xml", 66, "", "nothing.xml");
    on.says(&format!("crm_simulate -S -x {}", on.cib), 0, "Start      web     ( n2 )", "");
    // A pipe is read to its end, once.
    let mut shell = Command::new("/bin/sh");
    let mon = on.folder.path("crm_mon");
    shell.args(["-c", &format!("cat {} | CIB_file=/proc/self/fd/0 {mon} --as-xml", on.cib)]);
    let output = shell.output().expect("starts");
    assert!(String::from_utf8_lossy(&output.stdout).contains("<resource id=\"web\""), "{output:?}");
    // Without the file.
    let mut missing = on.command("crm_mon -1");
    let output = missing.env("CIB_file", on.folder.path("nosuch")).output().expect("starts");
    assert_eq!(output.status.code(), Some(105), "{output:?}");
}

/// What a resource has from the group, the clone and the defaults counts as its own: PAF asks its primitive for the clone's
/// `notify`. Where Pacemaker's own program is installed, it says the same.
#[test]
fn meta_attributes_are_inherited() {
    let on = OnFile::new("inherited");
    let nv = |id: &str, name: &str, value: &str| format!("<nvpair id=\"{id}\" name=\"{name}\" value=\"{value}\"/>");
    let meta = |id: &str, pairs: &str| format!("<meta_attributes id=\"{id}\">{pairs}</meta_attributes>");
    let clone = format!(
        "<clone id=\"c\">{}<group id=\"g\">{}<primitive id=\"p\" class=\"ocf\" provider=\"pacemaker\" type=\"Stateful\">{}\
         </primitive></group></clone></resources>",
        meta("c-m", &[nv("c1", "notify", "true"), nv("c2", "promotable", "true"), nv("c3", "priority", "3")].concat()),
        meta("g-m", &nv("g1", "priority", "2")),
        meta("p-m", &nv("p1", "failure-timeout", "9")),
    );
    let defaults = [nv("d1", "notify", "false"), nv("d2", "resource-stickiness", "7")].concat();
    let text = on.text().replace("</resources>", &clone);
    let defaults = format!("<rsc_defaults>{}</rsc_defaults></configuration>", meta("d", &defaults));
    fs::write(&on.cib, text.replace("</configuration>", &defaults)).expect("can be written");
    let debian = std::path::Path::new("/usr/sbin/crm_resource");
    for (name, value) in [
        ("notify", "true"),
        ("promotable", "true"),
        ("priority", "2"),
        ("failure-timeout", "9"),
        ("resource-stickiness", "7"),
        ("nosuch", ""),
    ] {
        let words = ["--resource", "p", "--meta", "--get-parameter", name];
        let (code, out, _) = on.run(&format!("crm_resource {}", words.join(" ")));
        assert_eq!((code, out.trim()), (0, value), "{name}");
        if debian.exists() {
            let theirs = Command::new(debian).args(words).env("CIB_file", &on.cib).output().expect("starts");
            assert_eq!(String::from_utf8_lossy(&theirs.stdout).trim(), value, "{name}");
        }
    }
}

#[test]
fn a_folder_in_place_of_a_file_is_called_one() {
    let folder = Folder::new("read");
    let name = folder.path("");
    let name = name.trim_end_matches('/');
    for words in [
        vec!["import", name],
        vec!["-f", name],
        vec!["configure", "apply", name],
        vec!["configure", "load", "update", name],
        vec!["secret", "set", "token", "--file", name],
    ] {
        let (code, out, err) = run(&words);
        let sentence = format!("ERROR: {name} is a folder, not a file\n  Name ");
        assert!(code == 66 && out.is_empty() && err.starts_with(&sentence), "{words:?}: {code}\n{out}{err}");
    }
}

/// Lines in which `FILE` is read, under all names; `NAME=VALUE` in front is for the environment.
const READ: &[&str] = &[
    "hacctl import FILE",
    "hacctl -f FILE",
    "crm -f FILE",
    "hacctl simulate -x FILE",
    "hacctl explain web -x FILE",
    "hacctl configure apply FILE",
    "hacctl configure import FILE",
    "hacctl configure diff FILE",
    "crm configure load update FILE",
    "crm configure load xml replace FILE",
    "hacctl secret set token --file FILE",
    "hacctl invite --code-file FILE",
    "hacctl join 127.0.0.1 --code-file FILE --config FOLDER/c --state FOLDER/s --no-start",
    "hacctl init --include FILE --address 127.0.0.1 --config FOLDER/c --state FOLDER/s --no-start",
    "HACD_CONFIG=FILE crm corosync show",
    "HACD_CONFIG=FILE crm corosync get totem.token",
    "HACD_CONFIG=FILE crm corosync set totem.token 3000",
    "HACD_CONFIG=FILE crm corosync edit",
    "crm_simulate -x FILE",
    "crm_simulate -S -x FILE",
    "crm_verify -x FILE",
    "crm_verify -V -x FILE",
    "cibadmin -C -o resources -x FILE",
    "cibadmin --replace -x FILE",
    "CIB_file=FILE cibadmin -Q",
    "CIB_file=FILE cibadmin -D -o resources -X <primitive/>",
    "CIB_file=FILE crm_mon -1",
    "CIB_file=FILE crm_attribute -n x -G",
    "CIB_file=FILE crm_attribute -n x -v 1",
    "CIB_file=FILE crm_failcount -G -r web",
    "CIB_file=FILE crm_standby -G",
    "CIB_file=FILE crm_resource -L",
    "CIB_file=FILE crm_resource -r web -p a -v 1",
    "CIB_file=FILE crm_ticket -L",
    "CIB_file=FILE crm_verify -L",
    "CIB_file=FILE crm_node -l",
    "CIB_file=FILE stonith_admin -L",
    "corosync-keygen -r FILE -k FOLDER/k",
];

/// Lines in which `FILE` is written.
const WRITTEN: &[&str] = &[
    "hacctl keygen -k FILE",
    "corosync-keygen -k FILE",
    "hacctl report FILE/x",
    "hacctl simulate -x CIB.XML --dot FILE",
    "hacctl simulate -x CIB.XML --graph FILE",
    "crm_simulate -S -x CIB.XML -D FILE",
    "crm_simulate -S -x CIB.XML -G FILE",
    "CIB_file=CIB.XML crm_mon -1 --output-to FILE",
    "CIB_file=CIB.XML crm_mon -1 --output-as html --output-to FILE",
    "CIB_file=CIB.XML cibadmin -Q --output-to FILE",
    "hacctl compat install FILE",
    "hacctl man FILE",
    "hacctl init --address 127.0.0.1 --config FILE/c --state FOLDER/s --no-start",
];

/// Nothing that a person reads is in the words of the system.
#[test]
fn a_file_that_cannot_be_had_is_told_in_plain_words() {
    let on = OnFile::new("plain");
    let folder = on.folder.path("");
    let plain = on.folder.file("plain", "");
    // A part of the kernel that nobody can read from its beginning, root neither.
    let unreadable = "/proc/self/mem";
    let missing = on.folder.path("none");
    let below = format!("{plain}/below");
    let inside = on.folder.path("none/below");
    let (reads, writes) = ([&*missing, folder.trim_end_matches('/'), &below, unreadable], [&*inside, &*below]);
    let rows = READ.iter().flat_map(|line| reads.iter().map(move |place| (line, *place, true)));
    let rows = rows.chain(WRITTEN.iter().flat_map(|line| writes.iter().map(move |place| (line, *place, false))));
    let mut bad = Vec::new();
    for (line, place, is_read) in rows {
        let line =
            line.replace("FILE", place).replace("FOLDER", folder.trim_end_matches('/')).replace("CIB.XML", &on.cib);
        let (before, words): (Vec<&str>, Vec<&str>) = line.split(' ').partition(|word| word.contains('='));
        let mut command = on.command(&words.join(" "));
        command.env_remove("CIB_file").env("HACD_SOCKET", on.folder.path("no-socket"));
        command.envs(before.iter().filter_map(|word| word.split_once('=')));
        let output = command.output().expect("starts");
        let said = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
        let system = ["os error", "No such file", "s a directory", "ot a directory", "nput/output", "panicked"];
        let foreign = system.iter().any(|word| said.contains(word));
        let names_folder = place != folder.trim_end_matches('/') || said.contains("is a folder");
        if foreign || said.is_empty() || is_read && (output.status.success() || !names_folder) {
            bad.push(format!("{line}\n  {:?} {}", output.status.code(), said.trim()));
        }
    }
    assert!(bad.is_empty(), "{} lines:\n{}", bad.len(), bad.join("\n"));
}

/// With `--dry-run` nothing is done, also where nobody can say what would be.
#[test]
fn a_dry_run_of_what_knows_none_is_refused_and_does_nothing() {
    let folder = Folder::new("dry");
    let (config, state, link) = (folder.path("hacd.toml"), folder.path("state"), folder.path("names"));
    fs::create_dir(&link).expect("can be made");
    let own = ["--address", "127.0.0.1", "--config", &config, "--state", &state, "--no-start"];
    let host = ["--code", "2YFR-7717-SZMG-949X-0N71-34VQ-XQVY", "--config", &config, "--state", &state, "--no-start"];
    let (key, report) = (folder.path("key"), folder.path("report"));
    for words in [
        &[&["init"][..], &own].concat()[..],
        &[&["cluster", "init"][..], &own].concat(),
        &[&["join", "127.0.0.1"][..], &host].concat(),
        &["invite"],
        &["invite", "cancel"],
        &["secret", "set", "t", "--file", "/dev/null"],
        &["secret", "delete", "t"],
        &["key", "rotate"],
        &["upgrade", "finish"],
        &["upgrade", "revert", "--to", "1"],
        &["upgrade", "hold", "1h"],
        &["quorum", "unblock"],
        &["quorum", "trust"],
        &["keygen", "-k", &key],
        &["compat", "install", &link],
        &["report", &report],
        &["cluster", "run", "date"],
        &["fence", "forget"],
        &["cib", "new", "trial"],
        &["configure", "conflict", "clear"],
    ] {
        fails(&[&["--dry-run"], words].concat(), 64, "nothing was done (--dry-run)");
    }
    let left: Vec<_> = fs::read_dir(&folder.0).expect("is there").flatten().map(|entry| entry.file_name()).collect();
    assert_eq!(left, ["names"], "only the empty folder");
    assert_eq!(fs::read_dir(&link).expect("is there").count(), 0);
    let (code, out, _) = run(&["--dry-run", "invite", "--print-code"]);
    assert!(code == 0 && !out.is_empty(), "it changes nothing anyway");
}

/// A reader that is gone has seen enough; a disk that is full has not kept what was printed, and that is a failure.
#[test]
fn an_output_that_takes_no_more_is_told_unless_its_reader_went_away() {
    let on = OnFile::new("output");
    for line in [
        "hacctl --help",
        "hacctl completion bash",
        "hacctl simulate -x CIB.XML",
        "hacctl --json explain web -x CIB.XML",
        "crm configure help",
        "crm --version",
        "crm_simulate -x CIB.XML",
        "crm_simulate --version",
        "cibadmin -Q",
        "crm_mon -1",
        "crm_mon -1 --output-as xml",
        "crm_resource -L",
        "crm_verify --help",
    ] {
        let line = line.replace("CIB.XML", &on.cib);
        let mut child = on.command(&line).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("starts");
        drop(child.stdout.take());
        let output = child.wait_with_output().expect("ends");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!said.contains("ERROR") && !said.contains("could not") && !said.contains("panicked"), "{line}: {said}");

        let full = fs::OpenOptions::new().write(true).open("/dev/full").expect("is there");
        let output = on.command(&line).stdout(full).output().expect("starts");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains("could not print: the disk is full"), "{line}: {said}");
    }
}

#[test]
fn names_go_only_into_a_folder_that_is_there() {
    let folder = Folder::new("names");
    let name = folder.path("x/y");
    fails(&["compat", "install", &name], 73, &format!("there is no folder {name}; nothing was installed"));
    fails(&["compat", "install", &name], 73, &format!("mkdir -p {name}"));
    assert!(!folder.0.join("x").exists(), "nothing was made");
    fails(&["compat", "install", &folder.file("file", "")], 73, "is not a folder; nothing was installed");
    let (code, _, err) = run(&["compat", "install", &folder.path("")]);
    assert!(code == 0 && folder.0.join("crm_mon").is_symlink(), "{code}: {err}");
}

#[test]
fn a_monitor_without_a_terminal_speaks_once_and_ends() {
    let (code, out, err) = run(&["--socket", &Folder::new("mon").path("none"), "mon"]);
    assert_eq!((code, out.as_str(), err.matches("hacd is not running here").count()), (102, "", 1), "{err}");
}
