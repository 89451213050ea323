//! What messages and documents tell people to type is a command.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Parser as _;
use clap::error::ErrorKind;

use super::{Call, Level};
use crate::args::Arguments;

/// All files below a folder with this ending; tests have what is wrong on purpose.
fn files(folder: &Path, ending: &str, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("is a folder").flatten() {
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        if path.is_dir() {
            let left_out = ["tests", "target", "decisions", "screens"].contains(&name.as_str());
            if !left_out {
                files(&path, ending, found);
            }
        } else if name.ends_with(ending) && name != "tests.rs" {
            found.push(path);
        }
    }
}

/// What stands between two marks and begins with `hacctl `.
fn quoted(text: &str, mark: char) -> Vec<String> {
    let begin = format!("{mark}hacctl ");
    let after = text.split(&begin).skip(1);
    let whole = after.filter_map(|rest| rest.split_once(mark).map(|(line, _)| line));
    // A line that is put together, and one of several lines.
    whole.filter(|line| !line.contains(['{', '}', '\n'])).map(|line| line.replace('\\', "")).collect()
}

/// Why that is no command.
fn wrong(line: &str) -> Option<String> {
    let line = line.split(" > ").next()?.split(" < ").next()?.split(" | ").next()?;
    let mut words: Vec<String> = hac_pacemaker::crm_syntax::words(line).ok()?;
    words.retain(|word| word != "..." && word != "…");
    for word in &mut words {
        // One of several.
        *word = word.split('|').next().unwrap_or_default().to_owned();
    }
    let is_place = |word: &String| word.chars().any(|c| c.is_ascii_uppercase());
    if let Err(error) = Arguments::try_parse_from(std::iter::once("hacctl".to_owned()).chain(words.iter().cloned())) {
        match error.kind() {
            ErrorKind::MissingRequiredArgument
            | ErrorKind::MissingSubcommand
            | ErrorKind::DisplayHelp
            | ErrorKind::DisplayVersion
            | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => return None,
            ErrorKind::InvalidValue | ErrorKind::ValueValidation
                if words.iter().any(is_place) || error.to_string().contains("none was supplied") =>
            {
                return None;
            }
            _ => return Some(error.to_string()),
        }
    }
    let at = words.iter().position(|word| !word.starts_with('-') && !is_place(word))?;
    let (level, rest) = (Level::find(&words[at])?, words.get(at + 2..)?);
    if words[at + 1].starts_with('-') {
        return None;
    }
    let read = level.command(&words[at + 1]).and_then(|command| Call::read(level, command, rest));
    let told = read.err()?.message;
    // A command is often named without what follows it, or with a word in capitals in its place.
    let known = told.starts_with("missing argument") || words.iter().any(is_place);
    (!known || told.contains("unknown option") || told.contains("No such command")).then_some(told)
}

#[test]
fn a_command_that_is_named_is_one_that_there_is() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let (mut sources, mut documents) = (Vec::new(), vec![root.join("README.md")]);
    files(&root.join("crates"), ".rs", &mut sources);
    files(&root.join("docs"), ".md", &mut documents);
    let of = |files: &[PathBuf], mark: char| -> Vec<String> {
        let texts = files.iter().map(|file| fs::read_to_string(file).expect("can be read"));
        texts.flat_map(|text| quoted(&text, mark)).collect()
    };
    let (told, written) = (of(&sources, '\''), of(&documents, '`'));
    assert!(told.len() > 150 && written.len() > 100, "{} and {}", told.len(), written.len());
    let mut bad: Vec<String> = told
        .iter()
        .chain(&written)
        .filter_map(|line| wrong(line).map(|why| format!("hacctl {line}\n  {why}")))
        .collect();
    bad.sort();
    bad.dedup();
    assert!(bad.is_empty(), "{}", bad.join("\n"));
    assert!(wrong("node dance NODE").is_some() && wrong("events --lately").is_some() && wrong("dance").is_some());
}
