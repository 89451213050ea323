//! What statements become, beside what Debian's crmsh makes of them: its answers are kept in `beside_crmsh.txt`.

use std::collections::{BTreeMap, BTreeSet};

use hac_crm::cib::Replicated as _;
use hac_model::Cib;
use quick_xml::events::{BytesStart, Event};
use quick_xml::reader::Reader;

use super::*;

/// A statement's text, and the objects that crmsh makes of it, sorted.
struct Case {
    text: String,
    objects: BTreeSet<String>,
}

fn cases() -> Vec<Case> {
    let paragraphs = include_str!("beside_crmsh.txt").split("\n\n").map(str::trim);
    let case = |paragraph: &str| {
        let statements: Vec<&str> = paragraph.lines().filter_map(|line| line.strip_prefix("* ")).collect();
        let objects = paragraph.lines().filter(|line| line.starts_with('<')).map(str::to_owned).collect();
        Case { text: statements.join("\n"), objects }
    };
    paragraphs.filter(|paragraph| paragraph.starts_with("* ")).map(case).collect()
}

/// Blocks of a resource or an operation, in the order in which they are compared.
const BLOCKS: [&str; 4] = ["instance_attributes", "meta_attributes", "utilization", "operations"];

/// An element that is being read: its name and attributes, and what is inside.
struct Open {
    name: String,
    head: String,
    inside: Vec<(usize, String)>,
}

/// The objects of a CIB, each in one line, attributes sorted and blanks left out.
fn objects(document: &str) -> BTreeSet<String> {
    let mut reader = Reader::from_str(document);
    let (mut found, mut open) = (BTreeSet::new(), Vec::<Open>::new());
    loop {
        let ended = match reader.read_event().expect("is XML") {
            Event::Eof => return found,
            Event::Start(start) => {
                open.push(begin(&start));
                continue;
            }
            Event::Empty(start) => begin(&start),
            Event::End(_) => open.pop().expect("was opened"),
            _ => continue,
        };
        let Open { head, mut inside, name } = ended;
        // In which order blocks of different kinds stand says nothing.
        inside.sort_by_key(|(rank, _)| *rank);
        let inside: String = inside.into_iter().map(|(_, text)| text).collect();
        let rank = BLOCKS.iter().position(|block| *block == name).unwrap_or(BLOCKS.len());
        let text = if inside.is_empty() { format!("<{head}/>") } else { format!("<{head}>{inside}</{name}>") };
        match open.as_mut_slice() {
            [_, configuration, section] if configuration.name == "configuration" => {
                found.insert(sectioned(&section.name, &text));
            }
            [.., parent] => parent.inside.push((rank, text)),
            [] => {}
        }
    }
}

fn begin(start: &BytesStart<'_>) -> Open {
    let attributes = start.attributes().map(|attribute| attribute.expect("is right"));
    let attributes: BTreeMap<String, String> =
        attributes.map(|attribute| (attribute.key.as_ref().to_owned(), attribute.value.into_owned())).collect();
    let name = start.name().as_ref().to_owned();
    let attributes: String = attributes.iter().map(|(key, value)| format!(" {key}=\"{value}\"")).collect();
    Open { head: format!("{name}{attributes}"), name, inside: Vec::new() }
}

/// Sets of defaults are called alike; their section tells them apart.
fn sectioned(section: &str, object: &str) -> String {
    if section.ends_with("_defaults") { format!("<{section}>{object}</{section}>") } else { object.to_owned() }
}

/// The objects without the ids of what is inside them.
fn without_ids(objects: &BTreeSet<String>) -> BTreeSet<String> {
    let bare = |object: &String| {
        let mut parts = object.split(" id=\"");
        let first = parts.next().unwrap_or_default().to_owned();
        parts.fold(first, |text, part| text + part.split_once('"').map_or(part, |(_, rest)| rest))
    };
    objects.iter().map(bare).collect()
}

/// Statements without answers, one case a paragraph.
fn texts(kept: &str) -> Vec<String> {
    let texts = kept
        .split("\n\n")
        .map(|paragraph| paragraph.lines().filter_map(|line| line.strip_prefix("* ")).collect::<Vec<_>>().join("\n"));
    texts.filter(|text| !text.is_empty()).collect()
}

fn ours(text: &str) -> Result<Cib, String> {
    let changes = parse(text).map_err(|error| format!("{error}: {}", error.remedy))?;
    Cib::default().with_unverified(&changes).map_err(|refusal| refusal.sentence)
}

#[test]
fn statements_become_what_crmsh_makes_of_them() {
    let mut wrong = Vec::new();
    for case in cases() {
        match ours(&case.text) {
            Err(error) => wrong.push(format!("{}\n  refused: {error}", case.text)),
            Ok(cib) => {
                let ours = objects(&crate::cib_xml::write(&cib));
                for (mark, (one, other)) in [("crmsh", (&case.objects, &ours)), ("here ", (&ours, &case.objects))] {
                    wrong.extend(one.difference(other).map(|object| format!("{}\n  {mark}: {object}", case.text)));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} differences\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn what_they_become_is_shown_and_read_again_as_the_same() {
    for case in cases() {
        let Ok(cib) = ours(&case.text) else { continue };
        let shown = show(&cib.configuration, &[]);
        let again = ours(&shown).unwrap_or_else(|error| panic!("{}\nis shown as\n{shown}{error}", case.text));
        // Ids that nobody refers to are not shown.
        let bare = |cib: &Cib| without_ids(&objects(&crate::cib_xml::write(cib)));
        assert_eq!(bare(&cib), bare(&again), "{}\nis shown as\n{shown}", case.text);
    }
}

#[test]
fn what_crmsh_refuses_is_refused() {
    let texts = texts(include_str!("refused_beside_crmsh.txt"));
    assert!(texts.len() > 80, "{}", texts.len());
    for text in texts {
        assert!(ours(&text).is_err(), "this is taken, and crmsh refuses it:\n{text}");
    }
}

/// The same statement in another form: its lines joined, or broken at each blank that stands outside of quotes.
fn forms(text: &str) -> [String; 3] {
    let joined = text.replace(" \\\n", " ").replace('\t', " ");
    let (mut broken, mut quote, mut escaped) = (String::new(), None, false);
    for c in joined.chars() {
        match (c, quote) {
            (' ', None) if !escaped => broken.push_str(" \\\n\t"),
            _ => broken.push(c),
        }
        quote = match (c, quote) {
            ('"' | '\'', None) if !escaped => Some(c),
            (c, Some(mark)) if c == mark && !escaped => None,
            _ => quote,
        };
        escaped = c == '\\' && !escaped;
    }
    [text.replace('\n', "\r\n"), joined, broken]
}

#[test]
fn the_form_of_a_statement_says_nothing() {
    // A comment cannot be continued, XML has blanks of its own, and so has a word that goes on in the next line.
    let apart = |text: &str| {
        let whole = |line: &str| ['"', '\''].iter().all(|mark| line.matches(*mark).count().is_multiple_of(2));
        text.lines().all(whole) && !text.replace(" \\\n", " ").contains("\\\n")
    };
    let has_form = |text: &str| apart(text) && !text.contains("# ") && !text.contains("xml ");
    let cases: Vec<Case> = cases().into_iter().filter(|case| has_form(&case.text)).collect();
    assert!(cases.len() > 400, "{}", cases.len());
    for case in cases {
        let plain = ours(&case.text).map(|cib| objects(&crate::cib_xml::write(&cib)));
        for form in forms(&case.text) {
            let other = ours(&form).map(|cib| objects(&crate::cib_xml::write(&cib)));
            assert_eq!(plain, other, "{form}");
        }
    }
}
