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
    fails(&["simulate", "-x", &folder.path("")], 66, "could not read");
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
