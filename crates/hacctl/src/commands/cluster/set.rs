//! `corosync set PATH VALUE`: one value in hacd.toml. Comments and everything else in the file stay as they are, and the daemon
//! judges the result before it takes the old file's place.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;
use std::process::Command;

use hac_api::ErrorCode;
use toml::{Table, Value};

use super::{Context, THEN};
use crate::failure::Failure;
use crate::terminal;

/// How a value comes into force that all nodes must have in common.
const TOGETHER: &str = "to the other nodes, stop hacd on all of them, then start it again";

/// Sets a value.
pub(super) fn run(context: &Context, file: &str, path: &str, value: &str) -> Result<(), Failure> {
    let before = super::file()?;
    let shown = |value: &Value| {
        if path.rsplit_once('.').is_some_and(|(table, key)| super::is_masked(table, key)) {
            hac_model::MASK.to_owned()
        } else {
            terminal::harmless(&value.to_string())
        }
    };
    let Set { text, old, new } = set(&before, path, value)?;
    let said = match old {
        Some(old) if old == new => {
            return context.done(&format!("nothing to do: {path} is {} in {file}", shown(&new)), None);
        }
        Some(old) => format!("{path} is {} instead of {}", shown(&new), shown(&old)),
        None => format!("{path} is {}", shown(&new)),
    };
    let place = fs::canonicalize(file).map_err(|error| Failure::unread(&file, &error))?;
    let aside = place.with_extension("toml.new");
    write(&aside, &text, &place).map_err(|error| Failure::unwritten(&file, &error))?;
    let accepted = is_accepted(&aside);
    if !accepted || context.consent.dry_run {
        // A file that stays behind beside the configuration is read by nobody.
        let _ = fs::remove_file(&aside);
    }
    if !accepted {
        let sentence = format!("hacd would not start with {path} = {} (see above); nothing was changed", shown(&new));
        return Err(Failure { exit_code: 78, ..Failure::usage(sentence) }
            .with_remedy("'man hacd.toml' says what each key takes."));
    }
    if context.consent.dry_run {
        return terminal::print(&format!("Would be done: in {file}, {said}\nNothing was changed (--dry-run)."));
    }
    fs::rename(&aside, &place).map_err(|error| Failure::unwritten(&file, &error))?;
    // Nodes that differ in one of these do not hear each other.
    let together = matches!(path.rsplit('.').next(), Some("cluster_name" | "mcastport"));
    let then = if together { TOGETHER } else { THEN };
    context.done(&format!("in {file}, {said}; copy it {then}"), None)
}

/// Writes a file with the rights of another one.
fn write(file: &Path, text: &str, like: &Path) -> std::io::Result<()> {
    let mode = fs::metadata(like)?.permissions().mode();
    let mut out = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(mode & 0o777).open(file)?;
    out.write_all(text.as_bytes())?;
    out.sync_all()
}

/// Whether the daemon would start with this configuration; it says itself what is wrong. Where it is not installed, nobody knows.
pub(super) fn is_accepted(file: &Path) -> bool {
    match Command::new("hacd").arg("--check").arg("--config").arg(file).stdout(std::process::Stdio::null()).status() {
        Ok(status) => status.success(),
        Err(_) => {
            eprintln!("WARNING: hacd cannot be run here, so nobody judged the file");
            true
        }
    }
}

/// A file with one value changed.
#[derive(Debug)]
struct Set {
    text: String,
    old: Option<Value>,
    new: Value,
}

/// Sets one value in the text of a configuration.
fn set(text: &str, path: &str, word: &str) -> Result<Set, Failure> {
    let by_hand = || {
        Failure::new(
            ErrorCode::Invalid,
            format!("{} cannot be set in this file by a command", terminal::harmless(path)),
        )
        .with_remedy("Change it with 'hacctl corosync edit'.")
    };
    let parsed: Table = toml::from_str(text).map_err(|error| super::untold(&error))?;
    let steps: Vec<&str> = path.split('.').collect();
    let [tables @ .., key] = steps.as_slice() else { return Err(by_hand()) };
    if tables.is_empty() || steps.iter().any(|step| step.is_empty() || !step.chars().all(is_plain)) {
        return Err(Failure::usage(format!("'{}' is no place of a value", terminal::harmless(path)))
            .with_remedy("Write the table and the key: 'hacctl corosync set totem.token 3000'."));
    }
    let mut wanted = Value::Table(parsed);
    let table = step_into(&mut wanted, tables).ok_or_else(by_hand)?;
    let old = table.get(*key).cloned();
    let new = valued(word, old.as_ref()).ok_or_else(by_hand)?;
    table.insert((*key).to_owned(), new.clone());
    let literal = format!("{key} = {new}");
    let text = edited(text, tables, key, &literal);
    // The lines were changed as a person would; what they say now is what was asked for, or nothing is written.
    match toml::from_str::<Table>(&text) {
        Ok(table) if Value::Table(table.clone()) == wanted => Ok(Set { text, old, new }),
        _ => Err(by_hand()),
    }
}

fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-')
}

/// The table at a path; one at the top that is missing is made.
fn step_into<'t>(value: &'t mut Value, tables: &[&str]) -> Option<&'t mut Table> {
    if let ([only], Value::Table(top)) = (tables, &mut *value) {
        top.entry((*only).to_owned()).or_insert_with(|| Value::Table(Table::new()));
    }
    let mut at = value;
    for step in tables {
        at = match at {
            Value::Table(table) => table.get_mut(*step)?,
            Value::Array(list) => list.get_mut(step.parse::<usize>().ok()?)?,
            _ => return None,
        };
    }
    at.as_table_mut()
}

/// A word as a value of the kind that was there, or as what it looks like.
fn valued(word: &str, old: Option<&Value>) -> Option<Value> {
    let text = || Value::String(word.to_owned());
    Some(match old {
        Some(Value::String(_)) => text(),
        Some(Value::Array(_) | Value::Table(_) | Value::Datetime(_)) => return None,
        _ => match (word.parse::<i64>(), word.parse::<bool>()) {
            (Ok(number), _) => Value::Integer(number),
            (_, Ok(truth)) => Value::Boolean(truth),
            _ => text(),
        },
    })
}

/// The text with a line in place of the one that has the key, behind the last line of its table, or in a table at the end.
fn edited(text: &str, tables: &[&str], key: &str, literal: &str) -> String {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let mut seen: Vec<(String, usize)> = Vec::new();
    let (mut inside, mut last) = (false, None);
    let mut at = None;
    for (number, line) in lines.iter().enumerate() {
        let line = line.trim();
        if let Some(header) = header(line) {
            inside = place(&header, line.starts_with("[["), &mut seen) == tables;
            if inside {
                last = Some(number);
            }
        } else if inside && !line.is_empty() && !line.starts_with('#') {
            last = Some(number);
            if line.split_once('=').is_some_and(|(name, _)| name.trim() == key) {
                at = Some(number);
                break;
            }
        }
    }
    match (at, last) {
        (Some(at), _) => {
            let remark = remark(&lines[at]).map_or_else(String::new, |remark| format!("  {remark}"));
            lines[at] = format!("{literal}{remark}");
        }
        (None, Some(last)) => lines.insert(last + 1, literal.to_owned()),
        (None, None) => lines.extend([String::new(), format!("[{}]", tables.join(".")), literal.to_owned()]),
    }
    lines.join("\n") + "\n"
}

/// The name in a line that begins a table.
fn header(line: &str) -> Option<String> {
    let name = line.strip_prefix("[[").and_then(|rest| rest.split_once("]]"));
    let name = name.or_else(|| line.strip_prefix('[').and_then(|rest| rest.split_once(']')));
    name.map(|(name, _)| name.trim().to_owned())
}

/// The steps to the table that begins: an element of a list by its number.
fn place(header: &str, is_element: bool, seen: &mut Vec<(String, usize)>) -> Vec<String> {
    let mut steps: Vec<String> = header.split('.').map(|step| step.trim().to_owned()).collect();
    if is_element {
        let count = seen.iter_mut().find(|(name, _)| name == header);
        let number = match count {
            Some((_, count)) => {
                *count += 1;
                *count
            }
            None => {
                seen.push((header.to_owned(), 0));
                0
            }
        };
        steps.push(number.to_string());
    }
    steps
}

/// What stands behind the value of a line as a remark: from the first `#` without which the line says the same.
fn remark(line: &str) -> Option<&str> {
    let whole: Table = toml::from_str(line).ok()?;
    line.match_indices('#')
        .map(|(at, _)| line.split_at(at))
        .find_map(|(value, remark)| toml::from_str::<Table>(value).is_ok_and(|table| table == whole).then_some(remark))
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    const TEXT: &str = "# Mine.\n[totem]\ncluster_name = \"a#b\" # as in the plan\ntoken = 1000\n\n[quorum]\n\n\
                        [[nodelist.node]]\nname = \"one\"\nring0_addr = \"10.0.0.1\"\n[[nodelist.node]]\nname = \"two\"\n";

    #[test]
    fn one_line_changes_and_the_others_stay() {
        for (path, word, changed) in [
            ("totem.token", "3000", "token = 3000"),
            ("totem.cluster_name", "7", "cluster_name = \"7\"  # as in the plan"),
            ("totem.secauth", "on", "secauth = \"on\""),
            ("quorum.two_node", "1", "two_node = 1"),
            ("nodelist.node.1.name", "zwei", "name = \"zwei\""),
            ("nodelist.node.1.ring0_addr", "10.0.0.2", "ring0_addr = \"10.0.0.2\""),
        ] {
            let text = set(TEXT, path, word).unwrap_or_else(|failure| panic!("{path}: {}", failure.message)).text;
            let news: Vec<&str> = text.lines().filter(|line| !TEXT.lines().any(|old| old == *line)).collect();
            assert_eq!(news, [changed], "{path}");
            assert!(TEXT.lines().count().abs_diff(text.lines().count()) <= 1, "{text}");
        }
        let made = set(TEXT, "logging.to_syslog", "no").expect("is set").text;
        expect![[r#"
            [logging]
            to_syslog = "no"
        "#]]
        .assert_eq(made.strip_prefix(TEXT).expect("all before it stays").trim_start());
        let same = set(TEXT, "totem.token", "1000").expect("is set");
        assert_eq!(same.old, Some(same.new));
    }

    #[test]
    fn what_is_no_single_line_is_left_to_an_editor() {
        let inline =
            "totem = { token = 1000 }\n[a]\nlist = [\n  1,\n]\n[b]\nlong = \"\"\"\ntoken = 1\n\"\"\"\n[\"c\"]\nx = 1\n";
        for path in ["totem.token", "a.list", "a.b.c", "nodelist.node.0.name", "c.x"] {
            let failure = set(inline, path, "7").expect_err(path);
            assert!(failure.remedy.is_some_and(|remedy| remedy.contains("corosync edit")), "{path}");
        }
        for path in ["token", "", "totem.", "totem.a b"] {
            assert_eq!(set(TEXT, path, "7").expect_err(path).exit_code, 64, "{path}");
        }
        assert_eq!(set("[totem", "totem.token", "7").expect_err("is no TOML").exit_code, 78);
    }
}
