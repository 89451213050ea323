//! Statements through the crmsh that is installed here, beside what they become in hacctl.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use hac_crm::cib::Replicated as _;
use hac_model::Cib;
use hac_pacemaker::{cib_xml, crm_syntax};

const KEPT: &str = include_str!("../../pacemaker/src/crm_syntax/tests/beside_crmsh.txt");

const EMPTY: &str = "<cib crm_feature_set=\"3.16.1\" validate-with=\"pacemaker-3.9\" epoch=\"1\" num_updates=\"0\" \
    admin_epoch=\"0\"><configuration><crm_config/><nodes/><resources/><constraints/></configuration><status/></cib>\n";

/// The statements of the kept cases, one after the other.
fn cases() -> Vec<String> {
    let texts = KEPT
        .split("\n\n")
        .map(|paragraph| paragraph.lines().filter_map(|line| line.strip_prefix("* ")).collect::<Vec<_>>().join("\n"));
    // What crmsh does one by one, it does not do in a file; and it knows no promotable clones by that word.
    let alone = ["modgroup", "rename", "monitor", "delete", "ms ", "master "];
    texts
        .filter(|text| !text.is_empty() && !text.lines().any(|line| alone.iter().any(|w| line.starts_with(w))))
        .collect()
}

/// A configuration as XML, objects and blocks in hacctl's order.
fn written(cib: &Cib) -> String {
    let mut configuration = cib.configuration.clone();
    configuration.resources.sort_by(|one, other| one.id().cmp(other.id()));
    configuration.constraints.sort_by(|one, other| one.id().cmp(other.id()));
    configuration.tags.sort_by(|one, other| one.id.cmp(&other.id));
    cib_xml::write(&Cib { configuration: configuration.into(), ..Cib::default() })
}

/// A few of the kept cases, others each day; all with `HACD_CRMSH=all`.
#[test]
fn the_crmsh_of_this_host_makes_the_same() {
    let crm = Path::new("/usr/sbin/crm");
    if !crm.exists() {
        eprintln!("skipped: no crmsh is installed here");
        return;
    }
    let folder = std::env::temp_dir().join(format!("hacctl-beside-crmsh-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("can be made");
    let (file, script) = (folder.join("cib.xml"), folder.join("script.crm"));
    let cases = cases();
    let day = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() / 86_400);
    let all = std::env::var("HACD_CRMSH").is_ok_and(|word| word == "all");
    let step = if all { 1 } else { cases.len() / 8 };
    let first = usize::try_from(day).unwrap_or_default() % step;
    for text in cases.iter().skip(first).step_by(step) {
        fs::write(&file, EMPTY).expect("can be written");
        fs::write(&script, format!("{text}\n")).expect("can be written");
        let mut command = Command::new(crm);
        command.args(["-F", "configure", "load", "update"]).arg(&script).stdin(Stdio::null());
        let said = command.env("CIB_file", &file).env("HOME", &folder).output().expect("starts");
        let theirs = cib_xml::read(&fs::read_to_string(&file).expect("is there")).expect("is a CIB");
        let changes = crm_syntax::parse(text).expect("is read");
        let ours = Cib::default().with_unverified(&changes).expect("can be made");
        assert_eq!(written(&theirs), written(&ours), "{text}\n{}", String::from_utf8_lossy(&said.stderr));
    }
    fs::remove_dir_all(&folder).expect("can be removed");
}
