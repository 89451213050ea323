//! `crm_verify`: whether a configuration is right.

use std::fs::File;
use std::io::Read;

use hac_api::{CibResponse, route};
use hac_crm::cib::{Agents, Finding, Severity, verify};
use hac_model::Cib;
use hac_pacemaker::cib_xml;
use hac_pacemaker::xml_tree::Node;

use crate::options::{COMMON, Given, Spec, Value};
use crate::{Ends, Said, client, exit};

const PROGRAM: &str = "crm_verify";
const UNREACHABLE: &str = "crm_verify: Could not connect to the CIB: Transport endpoint is not connected";

/// Most of a document that is read, bytes.
const INPUT_MAX: u64 = 64 << 20;

const OPTIONS: &[Spec] = &[
    Spec("L", &["live-check"], Value::No),
    Spec("x", &["xml-file"], Value::Yes),
    Spec("X", &["xml-text"], Value::Yes),
    Spec("p", &["xml-pipe"], Value::No),
    Spec("S", &["save-xml"], Value::Yes),
    Spec("q", &["quiet"], Value::No),
];

const HELP: &str = "Usage: crm_verify -L | -x FILE | -X TEXT | -p [-V] [-q]\n\n  -L, --live-check     the running cluster\n  \
    -x, --xml-file=FILE  a file\n  -X, --xml-text=TEXT  a text\n  -p, --xml-pipe       standard input\n  \
    -V, --verbose        say what is wrong or doubtful\n  -q, --quiet          say nothing";

/// Runs with these words.
pub(crate) fn run(words: &[String]) -> Ends<Said> {
    let given = Given::read(PROGRAM, &[OPTIONS, COMMON], words)?;
    if given.has("help") {
        return Ok(Said::printed(HELP));
    }
    if given.has("save-xml") || given.xml()? {
        let err = format!(
            "{PROGRAM}: hacd offers neither --save-xml nor XML here; 'hacctl configure save xml FILE' writes a file"
        );
        return Err(Said::failed(exit::USAGE, err));
    }
    let cib = match given.last(&["live-check", "xml-file", "xml-text", "xml-pipe"]) {
        Some("live-check") => live()?,
        Some("xml-file") => {
            let path = given.value("xml-file").unwrap_or_default();
            let file = File::open(path);
            let what = format!("input file: {path}");
            let file = file.map_err(|error| no_document(&format!("{what}: {error}")))?;
            parsed(file, &what, &given)?
        }
        Some("xml-text") => {
            let text = given.value("xml-text").unwrap_or_default();
            parsed(text.as_bytes(), &format!("input string: {text}"), &given)?
        }
        Some("xml-pipe") => parsed(std::io::stdin().lock(), "input from STDIN.", &given)?,
        _ => {
            let err = "No configuration source specified.  Use --help for usage information.";
            return Err(Said::failed(exit::ERROR, format!("{PROGRAM}: {err}")));
        }
    };
    let findings = verify(&cib.configuration, &Agents::default());
    Ok(judged(&findings, given.has("verbose"), given.has("quiet")))
}

fn live() -> Ends<Cib> {
    let answer: CibResponse = client::get(PROGRAM, route::CIB, UNREACHABLE)?;
    serde_json::from_value(answer.cib).map_err(|error| Said::failed(exit::ERROR, format!("{PROGRAM}: {error}")))
}

fn no_document(what: &str) -> Said {
    Said::failed(exit::ERROR, format!("{PROGRAM}: Couldn't parse {what}"))
}

fn parsed(input: impl Read, what: &str, given: &Given) -> Ends<Cib> {
    let mut text = String::new();
    input.take(INPUT_MAX).read_to_string(&mut text).map_err(|error| no_document(&format!("{what}: {error}")))?;
    let document = Node::parse(&text).map_err(|_| no_document(what))?;
    let wrong = |why: &dyn std::fmt::Display| {
        let finding = Finding {
            severity: Severity::Error,
            subject: "cib".to_owned(),
            sentence: why.to_string(),
            remedy: String::new(),
            misspelt: false,
            of_agent: false,
        };
        judged(&[finding], given.has("verbose"), given.has("quiet"))
    };
    if let Some(missing) = missing(&document) {
        return Err(wrong(&missing));
    }
    cib_xml::read(&text).map_err(|error| wrong(&error))
}

/// What every document has and this one has not.
fn missing(document: &Node) -> Option<String> {
    let no = |section: &str| format!("the document has no section <{section}>");
    let Some(configuration) = document.child("configuration") else { return Some(no("configuration")) };
    let section = ["crm_config", "nodes", "resources", "constraints"]
        .into_iter()
        .find(|name| configuration.child(name).is_none());
    if let Some(section) = section {
        return Some(no(section));
    }
    // One that names a schema counts its versions.
    document.get("validate-with").filter(|schema| *schema != "none")?;
    let counter = ["admin_epoch", "epoch", "num_updates"].into_iter().find(|name| document.get(name).is_none());
    counter.map(|name| format!("the document does not say its {name}"))
}

/// What is said of a configuration, and how the program ends.
fn judged(findings: &[Finding], verbose: bool, quiet: bool) -> Said {
    let is_wrong = findings.iter().any(|finding| finding.severity == Severity::Error);
    let shown = findings.iter().filter(|_| verbose);
    let line = |finding: &Finding| {
        let word = if finding.severity == Severity::Error { "error" } else { "warning" };
        format!("{word}: {}: {}\n", finding.subject, finding.sentence)
    };
    let mut err: String = if quiet { String::new() } else { shown.map(line).collect() };
    if is_wrong && !quiet {
        err.push_str("Configuration invalid (with errors)");
        if !verbose {
            err.push_str(" (-V may provide more detail)");
        }
    }
    Said { out: String::new(), err, code: if is_wrong { exit::CONFIG } else { exit::OK } }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ran(line: &[&str]) -> (u8, String) {
        let words: Vec<String> = line.iter().map(|word| (*word).to_owned()).collect();
        let said = run(&words).unwrap_or_else(|said| said);
        (said.code, said.err)
    }

    const GOOD: &str = r#"<cib><configuration><crm_config/><nodes/><resources>
        <primitive id="a" class="ocf" provider="heartbeat" type="Dummy"/></resources><constraints/></configuration></cib>"#;

    #[test]
    fn a_configuration_is_right_or_wrong_and_why_is_said_when_asked() {
        let good = GOOD.replace(
            "<crm_config/>",
            r#"<crm_config><cluster_property_set id="s">
            <nvpair id="n" name="stonith-enabled" value="false"/></cluster_property_set></crm_config>"#,
        );
        assert_eq!(ran(&["-X", &good]), (0, String::new()));
        let wrong = good.replace(
            "<constraints/>",
            r#"<constraints><rsc_colocation id="c" score="INFINITY" rsc="a" with-rsc="b"/></constraints>"#,
        );
        assert_eq!(
            ran(&["-X", &wrong]),
            (78, "Configuration invalid (with errors) (-V may provide more detail)".to_owned())
        );
        let (code, said) = ran(&["-V", "-X", &wrong]);
        assert!(
            code == 78 && said.starts_with("error: ") && said.ends_with("Configuration invalid (with errors)"),
            "{said}"
        );
        assert_eq!(ran(&["-q", "-X", &wrong]), (78, String::new()));
    }

    #[test]
    fn what_cannot_be_read_is_said() {
        assert_eq!(
            ran(&[]),
            (1, "crm_verify: No configuration source specified.  Use --help for usage information.".to_owned())
        );
        assert_eq!(ran(&["-X", "no document"]), (1, "crm_verify: Couldn't parse input string: no document".to_owned()));
        let absent = std::env::temp_dir().join(format!("hac-compat-absent-{}", std::process::id()));
        assert_eq!(ran(&["-x", &absent.display().to_string()]).0, 1);
        let (code, said) = ran(&["-L", "-S", "file"]);
        assert!(code == 64 && said.contains("hacctl"), "{said}");
    }
}
