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

/// How crmsh is given a text.
#[derive(Clone, Copy)]
enum Way {
    /// `configure load update FILE`.
    File,
    /// `configure < FILE`: one statement after the other, and one commit.
    Lines,
}

/// Whether a text has something that crmsh does in one way alone. With `load` (not with `crm -f` and not on its standard
/// input) it leaves what constraints name as it stands, though a group or a clone below takes it; then crmsh itself warns of
/// them ("apply constraints to container"), and Pacemaker ignores those on what is cloned. So they are moved here in each way,
/// with a warning for each. With `load` it refuses a second line of a section, and
/// XML in quotes; it writes what is not ASCII as a number. Line by line it does all that, and so does hacctl always.
fn only_line_by_line(text: &str) -> bool {
    let first = |line: &str| line.split_whitespace().next().unwrap_or_default().to_owned();
    let words: Vec<String> = text.lines().map(first).collect();
    let constraint =
        words.iter().position(|w| matches!(w.as_str(), "location" | "colocation" | "order" | "rsc_ticket"));
    let taker = words.iter().rposition(|w| matches!(w.as_str(), "group" | "clone" | "ms" | "master"));
    let twice = |section: &str| words.iter().filter(|w| *w == section).count() > 1;
    constraint.is_some_and(|constraint| taker.is_some_and(|taker| taker > constraint))
        || ["property", "rsc_defaults", "op_defaults"].into_iter().any(twice)
        || text.contains("xml '")
        || !text.is_ascii()
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
    fn makes(&self, text: &str, way: Way) -> (Cib, String) {
        let (file, script) = (self.folder.join("cib.xml"), self.folder.join("script.crm"));
        fs::write(&file, EMPTY).expect("can be written");
        fs::write(&script, format!("{text}\n")).expect("can be written");
        let mut command = Command::new(CRM);
        command.args(["-F", "configure"]);
        match way {
            Way::File => command.args(["load", "update"]).arg(&script).stdin(Stdio::null()),
            Way::Lines => command.stdin(fs::File::open(&script).expect("is there")),
        };
        let said = command.env("CIB_file", &file).env("HOME", &self.folder).output().expect("starts");
        let cib = cib_xml::read(&fs::read_to_string(&file).expect("is there")).expect("is a CIB");
        (cib, String::from_utf8_lossy(&said.stderr).into_owned())
    }

    /// In what the two differ; nothing if they make the same of a text.
    fn difference(&self, text: &str) -> Option<String> {
        let (theirs, said) = self.makes(text, Way::File);
        let mut theirs = written(&theirs);
        let ours = match ours(text) {
            Ok(cib) => written(&cib),
            Err(error) => return Some(format!("{text}\nis refused here: {error}\ncrmsh: {said}")),
        };
        if theirs != ours && only_line_by_line(text) {
            eprintln!("as crmsh does it line by line, and not in a file:\n{text}\n");
            theirs = written(&self.makes(text, Way::Lines).0);
        }
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

/// The numbers in `FROM-TO`.
fn range(text: &str) -> Option<(u64, u64)> {
    let (from, to) = text.split_once('-')?;
    Some((from.parse().ok()?, to.parse().ok()?))
}

/// A few of the kept cases, others each day; all with `HACD_CRMSH=all`, some with `FROM-TO`, and with the name of a file the
/// paragraphs of that.
#[test]
fn the_crmsh_of_this_host_makes_the_same() {
    let Some(crmsh) = Crmsh::new("kept") else { return };
    let wanted = std::env::var("HACD_CRMSH").unwrap_or_default();
    let cases = match (wanted.as_str(), range(&wanted)) {
        ("" | "all", _) => cases(),
        (_, Some((from, to))) => {
            let some = cases().into_iter().zip(1..).filter(|(_, number)| (from..=to).contains(number));
            some.map(|(text, _)| text).collect()
        }
        (file, None) => {
            let text = fs::read_to_string(file).expect("HACD_CRMSH is the name of a file, or all");
            text.split("\n\n").filter(|text| !text.trim().is_empty()).map(str::to_owned).collect()
        }
    };
    assert!(!cases.is_empty(), "HACD_CRMSH={wanted} names no case");
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
    let wanted = wanted.map(|text| range(&text).expect("HACD_CRMSH_SEEDS is two numbers"));
    let (from, to) = wanted.unwrap_or_else(|| (day(), day()));
    let drawn = (from..=to).filter_map(|seed| {
        let difference = crmsh.difference(&generated::configuration(seed))?;
        Some(format!("HACD_CRMSH_SEEDS={seed}-{seed}\n{difference}"))
    });
    let wrong: Vec<_> = drawn.collect();
    assert!(wrong.is_empty(), "{} differ\n{}", wrong.len(), wrong.join("\n\n"));
}
