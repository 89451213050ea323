//! Golden streams: what a node applied to its state in a run, with digests on the way, so that every later release can
//! be asked whether it would apply the same.
//!
//! A stream is lines of the named form: the level and where it is from; a state; commands with their times; and after
//! every 64 commands (every one of those written by hand), at the end, and before another state takes the place of the
//! one before, a digest of the state and one of the plan for it.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use hac_crm::cib::{Change, Command, GroupEdit, Object, Replicated as _};
use hac_model::Cib;
use hac_node::Entry;
use hac_scheduler::plan::Plan;
use hac_types::WallTime;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::cluster::{Chaos, World};
use crate::options::Options;

/// Commands from one pair of digests to the next.
pub const EVERY: usize = 64;

/// The seeds of which streams are kept.
pub const SEEDS: std::ops::RangeInclusive<u64> = 1..=24;

/// Most commands of a seed that are kept.
const MOST: usize = 512;

/// Commands that no seed brings about, or seldom: written by hand, so that every kind has an entry.
const KINDS: &str = include_str!("stream/kinds.jsonl");

/// The level at which streams are recorded.
const LEVEL: u16 = 1;

/// One line of a stream.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// The level at which all that follows was applied; in the first line alone.
    pub level: u16,
    /// From what it was recorded; in the first line alone.
    pub from: String,
    /// The state from here on.
    pub state: Option<Box<Cib>>,
    /// The time of the command, or for which was planned.
    pub wall: WallTime,
    /// What was applied.
    pub command: Option<Command>,
    /// Digest of the state, in hexadecimal.
    pub digest: String,
    /// Digest of the plan for this state and time, in hexadecimal.
    pub plan: String,
}

/// The stream of the first node of a seed, as text.
#[must_use]
pub fn of_seed(seed: u64) -> String {
    let mut world = World::new(Options::of(seed, None), false);
    world.keep_journal(1);
    // Whether the run keeps its promises is for others to say.
    let _ = Chaos::new(seed).run(&mut world);
    text(&format!("seed {seed}"), EVERY, world.take_journal())
}

/// The stream of the commands written by hand, applied to the state in which the stream of the first seed begins.
///
/// # Errors
/// Which line is no command.
pub fn of_kinds() -> Result<String, String> {
    let mut entries = vec![Entry::State(Arc::new(begin()))];
    for (index, line) in KINDS.lines().enumerate() {
        let command = hac_wire::from_slice(line.as_bytes()).map_err(|why| format!("line {}: {why}", index + 1))?;
        let step = i64::try_from(index).unwrap_or(0).saturating_mul(1000);
        entries.push(Entry::Command(command, WallTime(1_700_000_000_000 + step)));
    }
    // None of them hides behind what a later one replaces.
    Ok(text("commands of every kind", 1, entries))
}

/// Two nodes that have never run.
fn begin() -> Cib {
    let nodes = [1, 2].map(|id| (id.to_string(), format!("node{id}"))).into();
    Cib::initial(hac_crm::cib::Bootstrap { cluster_name: "golden".to_owned(), nodes, ..Default::default() })
}

/// The lines of a stream, with digests after so many commands.
fn text(from: &str, every: usize, entries: Vec<Entry>) -> String {
    let mut writer = Writer { lines: String::new(), cib: Cib::default(), wall: WallTime::default(), since: 0, every };
    writer.line(&Line { level: LEVEL, from: from.to_owned(), ..Line::default() });
    let mut commands = 0;
    for entry in entries {
        match entry {
            Entry::State(cib) => {
                writer.digests();
                writer.cib = Cib::clone(&cib);
                writer.line(&Line { state: Some(Box::new(Cib::clone(&cib))), ..Line::default() });
            }
            Entry::Command(command, wall) => {
                commands += 1;
                writer.command(command, wall);
            }
        }
        if commands == MOST {
            break;
        }
    }
    writer.digests();
    writer.lines
}

struct Writer {
    lines: String,
    cib: Cib,
    wall: WallTime,
    /// Commands since the last digests.
    since: usize,
    /// How many there may be.
    every: usize,
}

impl Writer {
    fn line(&mut self, line: &Line) {
        // Nothing in a line is of a type that JSON cannot say.
        let bytes = hac_wire::to_vec(line).unwrap_or_default();
        self.lines.push_str(&String::from_utf8_lossy(&bytes));
        self.lines.push('\n');
    }

    fn command(&mut self, command: Command, wall: WallTime) {
        self.cib.apply(&command, wall);
        self.wall = wall;
        self.since += 1;
        self.line(&Line { command: Some(command), wall, ..Line::default() });
        if self.since >= self.every {
            self.digests();
        }
    }

    fn digests(&mut self) {
        if std::mem::take(&mut self.since) > 0 {
            let (digest, plan) = digests(&self.cib, self.wall);
            self.line(&Line { digest, plan, wall: self.wall, ..Line::default() });
        }
    }
}

/// Writes all streams below `folder`, in one of the level. Gives their names and sizes in bytes.
///
/// # Errors
/// What cannot be written or made.
pub fn record(folder: &Path) -> Result<Vec<(String, usize)>, String> {
    let level = folder.join(format!("l{LEVEL}"));
    fs::create_dir_all(&level).map_err(|why| format!("{}: {why}", level.display()))?;
    let seeds = SEEDS.map(|seed| (format!("seed-{seed}.jsonl"), of_seed(seed)));
    let mut files = Vec::new();
    for (name, text) in seeds.chain([("kinds.jsonl".to_owned(), of_kinds()?)]) {
        fs::write(level.join(&name), &text).map_err(|why| format!("{name}: {why}"))?;
        files.push((name, text.len()));
    }
    Ok(files)
}

/// What a replayed stream consisted of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Replayed {
    /// The level at which it was recorded.
    pub level: u16,
    /// Commands applied.
    pub commands: usize,
    /// Digests compared.
    pub digests: usize,
    /// Kinds of commands: `Change::Rename`.
    pub kinds: BTreeSet<String>,
}

/// Applies a stream and compares the digests.
///
/// # Errors
/// The first line that cannot be read or whose digests differ.
pub fn replay(text: &str) -> Result<Replayed, String> {
    let mut replayed = Replayed::default();
    let mut cib = Cib::default();
    for (index, line) in text.lines().enumerate() {
        let number = index + 1;
        let line: Line = hac_wire::from_slice(line.as_bytes()).map_err(|why| format!("line {number}: {why}"))?;
        if index == 0 {
            replayed.level = line.level;
        }
        if let Some(state) = line.state {
            cib = *state;
        }
        if let Some(command) = line.command {
            cib.apply(&command, line.wall);
            replayed.commands += 1;
            kinds(&command, &mut replayed.kinds);
        }
        if !line.digest.is_empty() {
            let (digest, plan) = digests(&cib, line.wall);
            if digest != line.digest {
                return Err(format!("line {number}: the state differs, its digest is {digest}"));
            }
            if plan != line.plan {
                return Err(format!("line {number}: the plan differs, its digest is {plan}"));
            }
            replayed.digests += 1;
        }
    }
    Ok(replayed)
}

/// Digests of a state and of the plan for it.
fn digests(cib: &Cib, wall: WallTime) -> (String, String) {
    let state = cib.digest().iter().map(|byte| format!("{byte:02x}")).collect();
    let plan = outline(&hac_scheduler::schedule(cib, wall));
    // FNV-1a: it finds differences, it need not resist anybody.
    let sum = plan
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |sum, byte| (sum ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    (state, format!("{sum:016x}"))
}

/// A plan as text: what is done, where, after what.
fn outline(plan: &Plan) -> String {
    let mut text = String::new();
    for action in &plan.actions {
        let node = action.node.as_deref().unwrap_or("-");
        let inputs: Vec<String> = action.inputs.iter().map(usize::to_string).collect();
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{} {node} {} {}", action.key, action.priority, inputs.join(","));
    }
    text
}

/// The kinds of a command and of what is in it, as `Enum::Variant`.
fn kinds(command: &Command, into: &mut BTreeSet<String>) {
    let mut add = |name: &str, value: &dyn Fn() -> serde_json::Result<Value>| {
        if let Ok(value) = value() {
            into.insert(format!("{name}::{}", variant(&value)));
        }
    };
    add("Command", &|| serde_json::to_value(command));
    match command {
        Command::Status(change) => add("StatusChange", &|| serde_json::to_value(change)),
        Command::Configure(configure) => {
            for change in &configure.changes {
                add("Change", &|| serde_json::to_value(change));
                match change {
                    Change::Put { object, mode } => {
                        add("Object", &|| serde_json::to_value(object));
                        add("PutMode", &|| serde_json::to_value(mode));
                        if let Object::Constraint(constraint) = object {
                            add("Constraint", &|| serde_json::to_value(constraint));
                        }
                    }
                    Change::SetProperties { section, .. } | Change::PutSet { section, .. } => {
                        add("Section", &|| serde_json::to_value(section));
                    }
                    Change::SetNodeAttribute { lifetime, .. } => add("Lifetime", &|| serde_json::to_value(lifetime)),
                    Change::ModGroup { edit, .. } => {
                        add("GroupEdit", &|| serde_json::to_value(edit));
                        if let GroupEdit::Add { place, .. } = edit {
                            add("Place", &|| serde_json::to_value(place));
                        }
                    }
                    _ => {}
                }
            }
        }
    }
}

/// The name of the variant that a value was made from.
fn variant(value: &Value) -> &str {
    match value {
        Value::String(word) => word,
        Value::Object(fields) => fields.keys().next().map_or("", String::as_str),
        _ => "",
    }
}
