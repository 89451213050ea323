//! The configuration as TOML: tables for what is simple, and `statements` in crm's words for all else, so that it says
//! everything that crm's words can say.

use hac_crm::cib::{Change, FACTS, Object};
use hac_model::Configuration;
use hac_pacemaker::crm_syntax;
use toml::{Table, Value};

use crate::failure::Failure;
use crate::terminal;

const HEAD: &str = "# The configuration of a cluster. 'hacctl configure diff FILE' shows what it would change,\n\
    # 'hacctl configure apply FILE --dry-run' what would come of it, 'hacctl configure apply FILE' does it.\n";

/// A kind of table: its name, the keys that must be there, those that may.
struct Shape {
    kind: &'static str,
    must: &'static [&'static str],
    may: &'static [&'static str],
}

const SHAPES: &[Shape] = &[
    Shape { kind: "node", must: &["name"], may: &["attributes", "utilization"] },
    Shape {
        kind: "primitive",
        must: &["id"],
        may: &["agent", "template", "description", "params", "meta", "utilization", "op"],
    },
    Shape { kind: "group", must: &["id", "members"], may: &["description", "params", "meta"] },
    Shape { kind: "clone", must: &["id", "resource"], may: &["description", "params", "meta"] },
    Shape { kind: "location", must: &["id", "resource", "score", "node"], may: &[] },
    Shape { kind: "colocation", must: &["id", "score", "resource", "with"], may: &[] },
    Shape { kind: "order", must: &["id", "first", "then"], may: &["kind", "symmetrical"] },
];

/// Sets of properties and defaults: tables of names and values.
const SETS: &[&str] = &["property", "rsc_defaults", "op_defaults"];

/// Writes a configuration.
pub(super) fn write(configuration: &Configuration) -> String {
    let mut sets = String::new();
    let mut tables = String::new();
    let mut statements = Vec::new();
    for (kind, id) in crm_syntax::ids(configuration) {
        let statement = crm_syntax::show(configuration, &[&id]);
        // Several objects may have one id: a node and a resource. Only the one of this kind is meant.
        let Some(statement) = statement_of(&statement, kind) else { continue };
        match table(kind, &statement) {
            Some(text) if SETS.contains(&kind) => sets.push_str(&text),
            Some(text) => tables.push_str(&text),
            // The order of resources decides ties: what has a kind of table keeps its place among them.
            None if SHAPES.iter().any(|shape| shape.kind == kind) => {
                tables.push_str(&format!("\n[[{kind}]]\nstatement = {}\n", quoted(&joined(&statement))));
            }
            None => statements.push(statement),
        }
    }
    let mut text = HEAD.to_owned();
    if !statements.is_empty() {
        text.push_str("\n# What no table can say, in the words of 'crm configure'.\nstatements = [\n");
        statements.iter().for_each(|statement| text.push_str(&format!("  {},\n", quoted(&joined(statement)))));
        text.push_str("]\n");
    }
    text + &sets + &tables
}

/// The paragraph of this kind among those that were shown.
fn statement_of(text: &str, kind: &str) -> Option<String> {
    let mut found = String::new();
    for line in text.lines() {
        if line.starts_with('\t') {
            if !found.is_empty() {
                found.push_str(&format!("{line}\n"));
            }
        } else if !found.is_empty() {
            break;
        } else if line.split_whitespace().next().is_some_and(|word| word == kind || word == "xml") {
            found.push_str(&format!("{line}\n"));
        }
    }
    (!found.is_empty()).then_some(found)
}

/// A statement in one line.
fn joined(statement: &str) -> String {
    statement.replace(" \\\n\t", " ").trim_end().to_owned()
}

/// The table for a statement; `None` if reading it again would give another statement.
fn table(kind: &str, statement: &str) -> Option<String> {
    let words = crm_syntax::words(statement).ok()?;
    let text = if SETS.contains(&kind) { set_table(kind, &words)? } else { object_table(kind, &words)? };
    let changes = read(&text).ok()?;
    let mut wanted = crm_syntax::parse(statement).ok()?;
    for change in &mut wanted {
        if let Change::SetProperties { pairs, .. } = change {
            pairs.retain(|(name, _)| !FACTS.contains(&name.as_str()));
        }
    }
    (nameless(changes) == nameless(wanted)).then_some(text)
}

/// Nodes without their numbers: those are the cluster's, a file does not change them.
fn nameless(mut changes: Vec<Change>) -> Vec<Change> {
    for change in &mut changes {
        if let Change::Put { object: Object::Node(node), .. } = change {
            node.id.clear();
        }
    }
    changes
}

fn set_table(kind: &str, words: &[String]) -> Option<String> {
    let pairs = match words {
        [_, set, pairs @ ..] if set == standard(kind) => pairs,
        [_, pairs @ ..] => pairs,
        [] => return None,
    };
    let mut text = format!("\n[{kind}]\n");
    // What the cluster writes itself is not the file's to say.
    for (name, value) in pairs_of(pairs)?.into_iter().filter(|(name, _)| !FACTS.contains(name)) {
        text.push_str(&format!("{} = {}\n", key(name), value_text(value)));
    }
    Some(text)
}

/// The set that rules, as a statement names it.
fn standard(kind: &str) -> &'static str {
    match kind {
        "property" => "cib-bootstrap-options:",
        "rsc_defaults" => "rsc-options:",
        _ => "op-options:",
    }
}

fn pairs_of(words: &[String]) -> Option<Vec<(&str, &str)>> {
    let plain = |name: &str| !name.is_empty() && !name.starts_with(['$', '@']);
    words.iter().map(|word| word.split_once('=').filter(|(name, _)| plain(name))).collect()
}

fn inline(words: &[String]) -> Option<String> {
    let pairs = pairs_of(words)?;
    let pairs: Vec<String> =
        pairs.into_iter().map(|(name, value)| format!("{} = {}", key(name), value_text(value))).collect();
    Some(format!("{{ {} }}", pairs.join(", ")))
}

/// Cuts words into what stands before the first block, and the blocks with their keyword.
fn blocks(words: &[String]) -> (&[String], Vec<(&str, &[String])>) {
    let keyword = |word: &String| {
        matches!(
            word.as_str(),
            "params" | "meta" | "utilization" | "op" | "attributes" | "op_params" | "op_meta" | "operations"
        )
    };
    let starts: Vec<usize> = (0..words.len()).filter(|&at| keyword(&words[at])).collect();
    let head = words.get(..starts.first().copied().unwrap_or(words.len())).unwrap_or_default();
    let ends = starts.iter().skip(1).copied().chain([words.len()]);
    let blocks = starts.iter().zip(ends).map(|(&start, end)| (words[start].as_str(), &words[start + 1..end]));
    (head, blocks.collect())
}

fn object_table(kind: &str, words: &[String]) -> Option<String> {
    let mut text = format!("\n[[{kind}]]\n");
    let mut line = |name: &str, value: &str| text.push_str(&format!("{name} = {value}\n"));
    let (head, blocks) = blocks(words.get(1..)?);
    let mut head = head.to_vec();
    let description = head.iter().position(|word| word.starts_with("description=")).map(|at| head.remove(at));
    match (kind, head.as_slice()) {
        ("node", [name]) => line("name", &quoted(name.split_once(": ").map_or(name.as_str(), |(_, name)| name))),
        ("node", [id, name]) if id.ends_with(':') => line("name", &quoted(name)),
        ("primitive", [id, agent]) => {
            line("id", &quoted(id));
            match agent.strip_prefix('@') {
                Some(template) => line("template", &quoted(template)),
                None => line("agent", &quoted(agent)),
            }
        }
        ("group", [id, members @ ..]) => {
            line("id", &quoted(id));
            let members: Vec<String> = members.iter().map(|member| quoted(member)).collect();
            line("members", &format!("[{}]", members.join(", ")));
        }
        ("clone", [id, child]) => {
            line("id", &quoted(id));
            line("resource", &quoted(child));
        }
        ("location", [id, resource, score, node]) if !resource.starts_with(['/', '{']) => {
            line("id", &quoted(id));
            line("resource", &quoted(resource));
            line("score", &value_text(score.strip_suffix(':')?));
            line("node", &quoted(node));
        }
        ("colocation", [id, score, resource, with]) => {
            line("id", &quoted(id));
            line("score", &value_text(score.strip_suffix(':')?));
            line("resource", &quoted(resource));
            line("with", &quoted(with));
        }
        ("order", [id, rest @ ..]) => {
            line("id", &quoted(id));
            let (kind, rest) = match rest {
                [kind, rest @ ..] if kind.ends_with(':') => (kind.strip_suffix(':'), rest),
                rest => (None, rest),
            };
            let [first, then, options @ ..] = rest else { return None };
            line("first", &quoted(first));
            line("then", &quoted(then));
            if let Some(kind) = kind {
                line("kind", &value_text(kind));
            }
            match options {
                [] => {}
                [only] => line("symmetrical", &value_text(only.strip_prefix("symmetrical=")?)),
                _ => return None,
            }
        }
        _ => return None,
    }
    if let Some(description) = description {
        line("description", &quoted(description.strip_prefix("description=")?));
    }
    let mut operations = Vec::new();
    for (keyword, inside) in blocks {
        match (keyword, inside) {
            ("op", [name, options @ ..]) => {
                let options = inline(options)?;
                let rest = options.strip_prefix("{ ")?.strip_suffix(" }")?;
                let rest = if rest.is_empty() { String::new() } else { format!(", {rest}") };
                operations.push(format!("  {{ name = {}{rest} }},\n", quoted(name)));
            }
            ("params" | "meta" | "utilization" | "attributes", inside) => line(keyword, &inline(inside)?),
            _ => return None,
        }
    }
    if !operations.is_empty() {
        line("op", &format!("[\n{}]", operations.concat()));
    }
    Some(text)
}

/// A key: bare if it can be.
fn key(name: &str) -> String {
    let bare = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
    if bare { name.to_owned() } else { quoted(name) }
}

/// A value: numbers and truths bare, all else quoted.
fn value_text(value: &str) -> String {
    let number = value.parse::<i64>().is_ok_and(|number| number.to_string() == value);
    if number || matches!(value, "true" | "false") { value.to_owned() } else { quoted(value) }
}

/// A basic string.
fn quoted(text: &str) -> String {
    Value::String(text.to_owned()).to_string()
}

/// Reads a text: every object is to be created.
pub(super) fn read(text: &str) -> Result<Vec<Change>, Failure> {
    let table: Table = toml::from_str(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        let before = text.get(..at).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        Failure::usage(format!("line {line}, column {column}: {}", terminal::harmless(error.message())))
            .with_remedy("Put that place right; nothing was changed.")
    })?;
    let mut changes = Vec::new();
    for (kind, value) in &table {
        match (kind.as_str(), value) {
            ("statements", Value::Array(statements)) => {
                for text in statements {
                    changes.extend(statement(&string("statements", text)?)?);
                }
            }
            (set, Value::Table(pairs)) if SETS.contains(&set) => {
                let mut words = vec![set.to_owned(), standard(set).to_owned()];
                words.extend(assignments(set, pairs)?);
                changes.extend(parse(&words)?);
            }
            (kind, Value::Array(objects)) => {
                let shape = shape(kind)?;
                for object in objects {
                    let Value::Table(object) = object else {
                        return Err(misplaced(kind, "holds tables: [[".to_owned() + kind + "]]"));
                    };
                    changes.extend(match object.get("statement") {
                        Some(text) if object.len() == 1 => statement(&string("statement", text)?)?,
                        _ => parse(&object_words(shape, object)?)?,
                    });
                }
            }
            (kind, _) => {
                shape(kind)?;
                return Err(misplaced(kind, format!("is a list of tables: write [[{kind}]]")));
            }
        }
    }
    Ok(changes)
}

/// Reads what is written in crm's words.
fn statement(text: &str) -> Result<Vec<Change>, Failure> {
    crm_syntax::parse(text).map_err(|error| {
        Failure::usage(format!("statement '{}': {error}", terminal::harmless(text))).with_remedy(&*error.remedy)
    })
}

fn misplaced(what: &str, sentence: String) -> Failure {
    Failure::usage(format!("'{}' {sentence}", terminal::harmless(what)))
        .with_remedy("'hacctl configure export toml' shows the form.")
}

fn shape(kind: &str) -> Result<&'static Shape, Failure> {
    SHAPES.iter().find(|shape| shape.kind == kind).ok_or_else(|| {
        let known = SHAPES.iter().map(|shape| shape.kind).chain(SETS.iter().copied()).chain(["statements"]);
        let failure = Failure::usage(format!("unknown table '{}'", terminal::harmless(kind)));
        match hac_model::nearest(kind, known) {
            Some(near) => failure.with_remedy(format!("Did you mean '{near}'?")),
            None => failure.with_remedy("'hacctl configure export toml' shows the form."),
        }
    })
}

fn parse(words: &[String]) -> Result<Vec<Change>, Failure> {
    crm_syntax::parse_words(words).map_err(|error| {
        let what = words.iter().take(2).map(|word| terminal::harmless(word)).collect::<Vec<_>>().join(" ");
        Failure::usage(format!("{what}: {}", error.message)).with_remedy(error.remedy)
    })
}

fn string(what: &str, value: &Value) -> Result<String, Failure> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Integer(number) => Ok(number.to_string()),
        Value::Boolean(truth) => Ok(truth.to_string()),
        Value::Float(_) | Value::Datetime(_) | Value::Array(_) | Value::Table(_) => {
            Err(misplaced(what, "is a text, a whole number or a truth".to_owned()))
        }
    }
}

fn assignments(what: &str, pairs: &Table) -> Result<Vec<String>, Failure> {
    pairs.iter().map(|(name, value)| Ok(format!("{name}={}", string(&format!("{what}.{name}"), value)?))).collect()
}

/// The words of the statement that a table stands for.
fn object_words(shape: &Shape, object: &Table) -> Result<Vec<String>, Failure> {
    for name in object.keys() {
        let known = shape.must.iter().chain(shape.may).copied();
        if !known.clone().any(|known| known == name) {
            let failure = Failure::usage(format!("[[{}]] has no key '{}'", shape.kind, terminal::harmless(name)));
            return Err(match hac_model::nearest(name, known.clone()) {
                Some(near) => failure.with_remedy(format!("Did you mean '{near}'?")),
                None => failure.with_remedy(format!("It has {}.", known.collect::<Vec<_>>().join(", "))),
            });
        }
    }
    if let Some(missing) = shape.must.iter().find(|name| !object.contains_key(**name)) {
        return Err(Failure::usage(format!("a [[{}]] lacks '{missing}'", shape.kind))
            .with_remedy(format!("Add {missing} = ...")));
    }
    let get = |name: &str| object.get(name).map(|value| string(name, value)).transpose();
    let must = |name: &str| Ok::<_, Failure>(get(name)?.unwrap_or_default());
    let mut words = vec![shape.kind.to_owned()];
    match shape.kind {
        "node" => words.push(must("name")?),
        "primitive" => {
            words.push(must("id")?);
            words.push(match (get("agent")?, get("template")?) {
                (Some(agent), None) => agent,
                (None, Some(template)) => format!("@{template}"),
                _ => return Err(misplaced("primitive", "has an agent or a template".to_owned())),
            });
        }
        "group" => {
            words.push(must("id")?);
            let Some(Value::Array(members)) = object.get("members") else {
                return Err(misplaced("members", "is a list of ids".to_owned()));
            };
            words.extend(members.iter().map(|member| string("members", member)).collect::<Result<Vec<_>, _>>()?);
        }
        "clone" => words.extend([must("id")?, must("resource")?]),
        "location" => words.extend([must("id")?, must("resource")?, format!("{}:", must("score")?), must("node")?]),
        "colocation" => words.extend([must("id")?, format!("{}:", must("score")?), must("resource")?, must("with")?]),
        _ => {
            words.push(must("id")?);
            words.extend(get("kind")?.map(|kind| format!("{kind}:")));
            words.extend([must("first")?, must("then")?]);
            words.extend(get("symmetrical")?.map(|value| format!("symmetrical={value}")));
        }
    }
    words.extend(get("description")?.map(|text| format!("description={text}")));
    for block in ["params", "meta", "utilization", "attributes"] {
        match object.get(block) {
            None => {}
            Some(Value::Table(pairs)) if pairs.is_empty() => {}
            Some(Value::Table(pairs)) => {
                words.push(block.to_owned());
                words.extend(assignments(block, pairs)?);
            }
            Some(_) => return Err(misplaced(block, "is a table: { NAME = VALUE }".to_owned())),
        }
    }
    if let Some(operations) = object.get("op") {
        let Value::Array(operations) = operations else {
            return Err(misplaced(
                "op",
                "is a list of tables: [{ name = \"monitor\", interval = \"10s\" }]".to_owned(),
            ));
        };
        for operation in operations {
            let Value::Table(operation) = operation else {
                return Err(misplaced("op", "is a list of tables".to_owned()));
            };
            let mut options = operation.clone();
            let name = options.remove("name").ok_or_else(|| misplaced("op", "has a name".to_owned()))?;
            words.extend(["op".to_owned(), string("op.name", &name)?]);
            words.extend(assignments("op", &options)?);
        }
    }
    Ok(words)
}

#[cfg(test)]
mod tests {
    use hac_crm::cib::{Configure, Replicated as _};
    use hac_model::Cib;

    use super::*;

    fn configuration(changes: Vec<Change>) -> Configuration {
        let configure = Configure { changes, ..Configure::default() };
        Cib::default().candidate(&configure).expect("is taken").configuration.into_inner()
    }

    const TEXT: &str = r#"rsc_template t nginx params configfile="/etc/nginx.conf"
primitive FloatIP ocf:digitalocean:floatip params floating_ip=203.0.113.25 do_token="a b" op monitor interval=10s timeout=20s
primitive Nginx nginx params httpd="/usr/sbin/nginx" op start timeout=40s interval=0 op monitor timeout=30s interval=10s on-fail=restart meta migration-threshold=3
primitive www @t description="a \"word\"" meta target-role=Stopped
primitive day Dummy params 2: rule date spec hours=9-17 fake=x params 1: fake=y
primitive m1 Dummy
primitive m2 Dummy
group g m1 m2 meta resource-stickiness=7
clone Nginx-clone Nginx meta interleave=true clone-max=2
tag both FloatIP g
location l1 FloatIP 100: primary
location l2 FloatIP rule -inf: not_defined pingd or pingd number:lte 0
colocation FloatIP-Nginx inf: FloatIP Nginx-clone
order o1 Mandatory: Nginx-clone FloatIP symmetrical=false
order o2 Serialize: ( m1 day ) FloatIP
property cib-bootstrap-options: stonith-enabled=false no-quorum-policy=ignore
rsc_defaults rsc-options: resource-stickiness=100
"#;

    #[test]
    fn everything_that_crms_words_say_is_said_in_toml_too() {
        let before = configuration(crm_syntax::parse(TEXT).expect("is written in crm's words"));
        let text = write(&before);
        let after = configuration(read(&text).unwrap_or_else(|failure| panic!("{failure:?}\n{text}")));
        // The order of names in a table is not kept, all else is.
        let words = |configuration: &Configuration| {
            let shown = crm_syntax::show(configuration, &[]);
            let mut words: Vec<String> = shown.split_whitespace().map(str::to_owned).collect();
            words.sort();
            (words, crm_syntax::ids(configuration))
        };
        assert_eq!(words(&after), words(&before), "{text}");
        // What is simple stands in tables.
        for table in [
            "[[primitive]]\nid = \"FloatIP\"",
            "[[group]]",
            "[[clone]]",
            "[[location]]\nid = \"l1\"",
            "[[colocation]]",
            "[[order]]\nid = \"o1\"",
            "[property]\nstonith-enabled = false",
        ] {
            assert!(text.contains(table), "{table}\n{text}");
        }
        assert_eq!(write(&after), text, "and is the same again");
    }

    #[test]
    fn what_is_misspelt_is_named_with_what_was_meant() {
        for (text, said, remedy) in [
            ("[[primitve]]\nid = \"a\"", "unknown table 'primitve'", "'primitive'"),
            ("[[primitive]]\nid = \"a\"\nagnet = \"Dummy\"", "no key 'agnet'", "'agent'"),
            ("[[primitive]]\nagent = \"Dummy\"", "lacks 'id'", "id"),
            ("[property]\nx = 1.5", "property.x", "export toml"),
            ("[property\n", "line 1, column", "right"),
            ("statements = [\"primitive 1a Dummy\"]", "'1a'", "letter"),
        ] {
            let failure = read(text).expect_err(text);
            assert!(failure.message.contains(said), "{}", failure.message);
            assert!(failure.remedy.as_deref().is_some_and(|r| r.contains(remedy)), "{:?}", failure.remedy);
        }
    }
}
