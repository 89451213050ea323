//! Statements through the crmsh that is installed here, beside what they become in hacctl.

mod generated;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use hac_crm::cib::Replicated as _;
use hac_model::{Cib, NvPair, NvSet, Resource};
use hac_pacemaker::{cib_xml, crm_syntax};

const KEPT: &str = include_str!("../../../pacemaker/src/crm_syntax/tests/beside_crmsh.txt");

const EMPTY: &str = "<cib crm_feature_set=\"3.16.1\" validate-with=\"pacemaker-3.9\" epoch=\"1\" num_updates=\"0\" \
    admin_epoch=\"0\"><configuration><crm_config/><nodes/><resources/><constraints/></configuration><status/></cib>\n";

/// The statements of the kept cases, one after the other.
fn cases() -> Vec<String> {
    let texts = KEPT
        .split("\n\n")
        .map(|paragraph| paragraph.lines().filter_map(|line| line.strip_prefix("* ")).collect::<Vec<_>>().join("\n"));
    // What crmsh does one by one, it does not do in a file.
    let alone = ["modgroup", "rename", "monitor", "delete"];
    texts
        .filter(|text| !text.is_empty() && !text.lines().any(|line| alone.iter().any(|w| line.starts_with(w))))
        .collect()
}

/// What crmsh calls `master` as what it means: a clone with promotable=true.
fn promotable(resource: &mut Resource) {
    let Resource::Clone(clone) = resource else { return };
    if !std::mem::take(&mut clone.legacy_master) || clone.meta.iter().any(|set| set.get("promotable").is_some()) {
        return;
    }
    let id = format!("{}-meta_attributes", clone.id);
    if !clone.meta.iter().any(|set| set.rule.is_none() && set.id_ref.is_none()) {
        clone.meta.push(NvSet { id, ..NvSet::default() });
    }
    let set = clone.meta.iter_mut().find(|set| set.rule.is_none() && set.id_ref.is_none()).expect("is there");
    let (id, name, value) = (format!("{}-promotable", set.id), "promotable".to_owned(), Some("true".to_owned()));
    set.pairs.push(NvPair { id, name, value, ..NvPair::default() });
}

/// A configuration as XML, objects and blocks in hacctl's order.
fn written(cib: &Cib) -> String {
    let mut configuration = cib.configuration.clone();
    configuration.resources.iter_mut().for_each(promotable);
    configuration.resources.sort_by(|one, other| one.id().cmp(other.id()));
    configuration.constraints.sort_by(|one, other| one.id().cmp(other.id()));
    configuration.tags.sort_by(|one, other| one.id.cmp(&other.id));
    cib_xml::write(&Cib { configuration, ..Cib::default() })
}

/// Debian's program.
const CRM: &str = "/usr/sbin/crm";

/// A folder in which crmsh works on a file.
struct Crmsh {
    folder: PathBuf,
}

impl Crmsh {
    /// Nothing where it is not installed.
    fn new(test: &str) -> Option<Self> {
        if !Path::new(CRM).exists() {
            eprintln!("skipped: no crmsh is installed here");
            return None;
        }
        let folder = std::env::temp_dir().join(format!("hacctl-beside-crmsh-{test}-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("can be made");
        Some(Self { folder })
    }

    /// What crmsh makes of a text, and what it says.
    fn makes(&self, text: &str) -> (Cib, String) {
        let (file, script) = (self.folder.join("cib.xml"), self.folder.join("script.crm"));
        fs::write(&file, EMPTY).expect("can be written");
        fs::write(&script, format!("{text}\n")).expect("can be written");
        let mut command = Command::new(CRM);
        command.args(["-F", "configure", "load", "update"]).arg(&script).stdin(Stdio::null());
        let said = command.env("CIB_file", &file).env("HOME", &self.folder).output().expect("starts");
        let cib = cib_xml::read(&fs::read_to_string(&file).expect("is there")).expect("is a CIB");
        (cib, String::from_utf8_lossy(&said.stderr).into_owned())
    }

    /// In what the two differ; nothing if they make the same of a text.
    fn difference(&self, text: &str) -> Option<String> {
        let (theirs, said) = self.makes(text);
        let theirs = written(&theirs);
        let ours = match ours(text) {
            Ok(cib) => written(&cib),
            Err(error) => return Some(format!("{text}\nis refused here: {error}\ncrmsh: {said}")),
        };
        if theirs == ours {
            return None;
        }
        let only = |mark: &str, of: &str, other: &str| -> String {
            of.lines()
                .filter(|line| !other.lines().any(|other| other == *line))
                .map(|line| format!("{mark} {line}\n"))
                .collect()
        };
        let lines = only("crmsh:", &theirs, &ours) + &only("here: ", &ours, &theirs);
        let lines = if lines.is_empty() { "the order differs".to_owned() } else { lines };
        Some(format!("{text}\n{lines}{said}"))
    }
}

impl Drop for Crmsh {
    fn drop(&mut self) {
        // What stays behind in a temporary folder harms nobody.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// What hacctl makes of a text, or why it does not.
fn ours(text: &str) -> Result<Cib, String> {
    let changes = crm_syntax::parse(text).map_err(|error| format!("{error}: {}", error.remedy))?;
    Cib::default().with_unverified(&changes).map_err(|refusal| refusal.sentence)
}

/// Days since 1970: what is tried is another part each day.
fn day() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() / 86_400)
}

/// A few of the kept cases, others each day; all with `HACD_CRMSH=all`, and with the name of a file the paragraphs of that.
#[test]
fn the_crmsh_of_this_host_makes_the_same() {
    let Some(crmsh) = Crmsh::new("kept") else { return };
    let wanted = std::env::var("HACD_CRMSH").unwrap_or_default();
    let cases = match wanted.as_str() {
        "" | "all" => cases(),
        file => {
            let text = fs::read_to_string(file).expect("HACD_CRMSH is the name of a file, or all");
            text.split("\n\n").filter(|text| !text.trim().is_empty()).map(str::to_owned).collect()
        }
    };
    let step = if wanted.is_empty() { cases.len() / 8 } else { 1 };
    let first = usize::try_from(day()).unwrap_or_default() % step;
    let wrong: Vec<_> = cases.iter().skip(first).step_by(step).filter_map(|text| crmsh.difference(text)).collect();
    assert!(wrong.is_empty(), "{} differ\n{}", wrong.len(), wrong.join("\n\n"));
}

/// Drawn configurations, others each day; `HACD_CRMSH_SEEDS=FROM-TO` draws as many as wanted.
#[test]
fn drawn_configurations_become_the_same() {
    let Some(crmsh) = Crmsh::new("drawn") else { return };
    let wanted = std::env::var("HACD_CRMSH_SEEDS").ok();
    let range = wanted.as_deref().and_then(|text| text.split_once('-'));
    let number = |text: &str| text.parse().expect("HACD_CRMSH_SEEDS is two numbers");
    let (from, to) = range.map_or_else(|| (day(), day()), |(from, to)| (number(from), number(to)));
    let drawn = (from..=to).filter_map(|seed| {
        let difference = crmsh.difference(&generated::configuration(seed))?;
        Some(format!("HACD_CRMSH_SEEDS={seed}-{seed}\n{difference}"))
    });
    let wrong: Vec<_> = drawn.collect();
    assert!(wrong.is_empty(), "{} differ\n{}", wrong.len(), wrong.join("\n\n"));
}
