//! The form of the file: sections in braces, `KEY: VALUE` lines, comments.

use super::{ConfError, ConfProblem};
use crate::text::printable;

/// Deepest nesting; the format has three levels.
const MAX_DEPTH: usize = 8;
/// Longest piece quoted in an error.
const QUOTED_CHARS: usize = 60;

/// A section.
#[derive(Debug, Default)]
pub(super) struct Block {
    /// Its name; empty for the file.
    pub(super) name: String,
    /// Line at which it begins, from 1.
    pub(super) line: usize,
    /// Its keys in order.
    pub(super) lines: Vec<Line>,
    /// Sections inside.
    pub(super) blocks: Vec<Self>,
}

/// A key and its value.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) key: String,
    pub(super) value: String,
    /// From 1.
    pub(super) line: usize,
}

impl Block {
    /// The last line of this key: later ones win.
    pub(super) fn get(&self, key: &str) -> Option<&Line> {
        self.lines.iter().rev().find(|line| line.key == key)
    }

    /// Adds a line. A key that comes again counts once, with its last value.
    fn set(&mut self, line: Line) {
        self.lines.retain(|before| before.key != line.key);
        self.lines.push(line);
    }

    /// Adds a section. One that comes again goes on, as for corosync.
    fn merge(&mut self, section: Self) {
        match self.blocks.iter_mut().find(|before| before.name == section.name) {
            None => self.blocks.push(section),
            Some(before) => {
                section.lines.into_iter().for_each(|line| before.set(line));
                before.blocks.extend(section.blocks);
            }
        }
    }

    /// The sections inside of this name.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Self> {
        self.blocks.iter().filter(move |block| block.name == name)
    }
}

/// Reads a text.
pub(super) fn parse(text: &str) -> Result<Block, ConfError> {
    let mut open = vec![Block::default()];
    for (index, raw) in text.lines().enumerate() {
        let (line, trimmed) = (index + 1, raw.trim());
        let at = |problem| ConfError { line, problem };
        if trimmed.is_empty() || trimmed.starts_with('#') {
            continue;
        }
        if let Some(name) = trimmed.strip_suffix('{') {
            if open.len() > MAX_DEPTH {
                return Err(at(ConfProblem::TooDeep));
            }
            open.push(Block { name: name.trim().to_owned(), line, ..Block::default() });
        } else if trimmed == "}" {
            let done = if open.len() > 1 { open.pop() } else { None };
            let depth = open.len();
            match (done, open.last_mut()) {
                (Some(done), Some(root)) if depth == 1 => root.merge(done),
                (Some(done), Some(parent)) => parent.blocks.push(done),
                _ => return Err(at(ConfProblem::Unopened)),
            }
        } else if let (Some((key, value)), Some(block)) = (trimmed.split_once(':'), open.last_mut()) {
            let (key, value) = (key.trim().to_owned(), value.trim().to_owned());
            block.set(Line { key, value, line });
        } else {
            let short: String = trimmed.chars().take(QUOTED_CHARS).collect();
            return Err(at(ConfProblem::Nonsense(printable(&short).into_owned())));
        }
    }
    if open.len() > 1
        && let Some(unclosed) = open.pop()
    {
        return Err(ConfError {
            line: unclosed.line,
            problem: ConfProblem::Unclosed(printable(&unclosed.name).into_owned()),
        });
    }
    Ok(open.pop().unwrap_or_default())
}
