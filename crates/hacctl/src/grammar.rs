//! One table of crm's words: level, command, arguments, help. The parser, the help texts, the completion and the shell
//! are made from it, so that none of them can say what another does not know.

mod call;
mod complete;
mod table;

#[cfg(test)]
mod remedies;
#[cfg(test)]
mod tests;

use std::fmt::Write as _;

use crate::failure::Failure;
use crate::terminal;

pub(crate) use call::{Call, Options};
pub(crate) use complete::{Candidate, Known, candidates};
pub(crate) use table::{LEVELS, NO_LEVELS};

/// A level of crm: `resource`, `node` ...
pub(crate) struct Level {
    /// Its name.
    pub(crate) name: &'static str,
    /// What it is for, in a few words.
    pub(crate) about: &'static str,
    /// Its commands.
    pub(crate) commands: &'static [Command],
}

/// A command of a level.
pub(crate) struct Command {
    /// Its names; the first is the one it is known by.
    pub(crate) names: &'static [&'static str],
    /// What follows it.
    pub(crate) arguments: &'static [Argument],
    /// Options of its own, beside those of every command.
    pub(crate) options: &'static [&'static str],
    /// What it does, in a line.
    pub(crate) about: &'static str,
    /// What to do instead, for a word of crm that hacd does not have.
    pub(crate) instead: Option<&'static str>,
}

/// What follows a command: how often, of what kind, and its name in the help.
pub(crate) struct Argument(pub(crate) Need, pub(crate) Kind, pub(crate) &'static str);

/// How often an argument stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// Once.
    One,
    /// Once or not at all.
    Maybe,
    /// Once or more often.
    Some,
    /// As often as one likes.
    Any,
}

/// What an argument is, for completion and for telling arguments apart that may be left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A resource.
    Resource,
    /// A node.
    Node,
    /// Any object of the configuration.
    Object,
    /// An agent.
    Agent,
    /// One of these words.
    Word(&'static [&'static str]),
    /// A time from now: `PT5M`, `10m`, and crm's `forever` and `reboot`.
    Lifetime,
    /// A file, or `-`.
    File,
    /// The name of an attribute of the resource before it.
    Parameter,
    /// Anything, beginning with `-` too.
    Value,
    /// Anything.
    Text,
    /// A statement in the words of `crm configure`: the rest of the line.
    Statement,
    /// Options of another program and their values, read by the command itself: the rest of the line but for `--help`.
    Foreign,
}

impl Kind {
    /// Whether a word is so plainly of this kind that it can be nothing before it.
    pub(crate) fn claims(self, word: &str) -> bool {
        match self {
            Self::Word(words) => words.contains(&word),
            Self::Lifetime => is_lifetime(word),
            _ => false,
        }
    }
}

/// Whether a word is a lifetime. A number alone is not: it is taken for the id of a node.
fn is_lifetime(word: &str) -> bool {
    let duration =
        word.strip_prefix('P').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit() || c == 'T'));
    matches!(word, "forever" | "reboot")
        || duration && word.chars().skip(1).all(|c| c.is_ascii_digit() || "YMWDTHS".contains(c))
        || word.starts_with(|c: char| c.is_ascii_digit())
            && !word.ends_with(|c: char| c.is_ascii_digit())
            && hac_model::parse_duration_ms(word).is_some()
}

impl Command {
    /// The name it is known by.
    pub(crate) fn name(&self) -> &'static str {
        self.names.first().copied().unwrap_or_default()
    }

    /// `RSC [NODE] [force]`.
    pub(crate) fn usage(&self) -> String {
        let mut text = self.name().to_owned();
        if let [Argument(_, Kind::Statement, _)] = self.arguments {
            // What a statement is made of stands where others say what they do.
            return format!("{text} {}", self.about);
        }
        for Argument(need, kind, name) in self.arguments {
            let shown = match kind {
                Kind::Word(words) if *name == "|" => words.join("|"),
                _ => (*name).to_owned(),
            };
            // Writing to a string cannot fail.
            let _ = match need {
                Need::One => write!(text, " {shown}"),
                Need::Maybe => write!(text, " [{shown}]"),
                Need::Some => write!(text, " {shown}..."),
                Need::Any => write!(text, " [{shown}...]"),
            };
        }
        for option in self.options {
            let _ = write!(text, " [{option}]");
        }
        text
    }
}

impl Level {
    /// The level of this name.
    pub(crate) fn find(name: &str) -> Option<&'static Self> {
        LEVELS.iter().find(|level| level.name == name)
    }

    /// The command that a word is or abbreviates.
    ///
    /// # Errors
    /// No command, several, or one that hacd does not have.
    pub(crate) fn command(&'static self, word: &str) -> Result<&'static Command, Failure> {
        let offered = self.commands.iter().filter(|command| command.instead.is_none());
        let names: Vec<&'static str> = offered.flat_map(|command| command.names.iter().copied()).collect();
        let of = |name: &str| self.commands.iter().find(|command| command.names.contains(&name));
        if let Some(command) = of(word) {
            return match command.instead {
                None => Ok(command),
                Some(instead) => {
                    let sentence = format!("hacd does not have '{} {}'", self.name, command.name());
                    Err(Failure::usage(sentence).with_remedy(instead))
                }
            };
        }
        let mut found: Vec<&'static Command> = abbreviated(word, &names).into_iter().filter_map(of).collect();
        found.dedup_by_key(|command| command.name());
        match found[..] {
            [only] => Ok(only),
            [] => Err(self.unknown(word, &names)),
            _ => {
                let names: Vec<&str> = found.iter().map(|command| command.name()).collect();
                Err(Failure::usage(format!(
                    "'{} {}' may mean {}",
                    self.name,
                    terminal::harmless(word),
                    names.join(" or ")
                ))
                .with_remedy("Write some more letters of it."))
            }
        }
    }

    fn unknown(&self, word: &str, names: &[&str]) -> Failure {
        let failure = Failure::usage(format!("{}.{}: No such command", self.name, terminal::harmless(word)));
        if let Some(remedy) = crate::names::pcs::remedy(self.name, word) {
            return failure.with_remedy(remedy);
        }
        match hac_model::nearest(word, names.iter().copied()) {
            Some(near) => failure.with_remedy(format!("Did you mean 'hacctl {} {near}'?", self.name)),
            None => failure.with_remedy(format!("'hacctl {} --help' lists its commands.", self.name)),
        }
    }

    /// What the level has, a line each.
    pub(crate) fn help(&self) -> String {
        let mut text = format!("{}\n\nUsage: hacctl {} COMMAND ...\n\n", self.about, self.name);
        let lines: Vec<(String, &str)> = self
            .commands
            .iter()
            .filter(|command| command.instead.is_none())
            .map(|command| (command.usage(), command.about))
            .collect();
        for (usage, about) in &lines {
            if usage.ends_with(about) {
                let _ = writeln!(text, "  {usage}");
                continue;
            }
            let _ = if usage.chars().count() > 38 {
                writeln!(text, "  {usage}\n  {:<38}  {about}", "")
            } else {
                writeln!(text, "  {usage:<38}  {about}")
            };
        }
        let others: Vec<&str> =
            self.commands.iter().filter(|command| command.instead.is_some()).map(Command::name).collect();
        if !others.is_empty() {
            let _ = writeln!(text, "\nWords of crm that are answered with what to do instead: {}.", others.join(", "));
        }
        text.push_str(EVERYWHERE);
        text
    }

    /// One command in full.
    pub(crate) fn help_of(&self, command: &Command) -> String {
        let usage = command.usage();
        let mut text = if usage.ends_with(command.about) {
            format!("Usage: hacctl {} {usage}\n", self.name)
        } else {
            format!("{}\n\nUsage: hacctl {} {usage}\n", command.about, self.name)
        };
        if let [_, others @ ..] = command.names
            && !others.is_empty()
        {
            let _ = writeln!(text, "\nAlso: {}", others.join(", "));
        }
        text.push_str(EVERYWHERE);
        text
    }
}

/// Options that every command takes.
const EVERYWHERE: &str = "
Everywhere: --json, -w/--wait (until the cluster has done what follows), --timeout SECONDS,
--dry-run (say what would happen, change nothing), -y/--yes (do not ask), -F/--force.
";

/// Names that `word` abbreviates: those that it begins; if there are none, those that have its letters in order, the
/// first letter first. Who left a letter out did not abbreviate.
pub(crate) fn abbreviated(word: &str, names: &[&'static str]) -> Vec<&'static str> {
    hac_model::abbreviated(&word.to_lowercase(), names)
}

/// The command line with the levels' commands below them, for manual pages.
pub(crate) fn documented(mut command: clap::Command) -> clap::Command {
    for level in LEVELS {
        let offered = level.commands.iter().filter(|below| below.instead.is_none());
        let below = offered.map(|below| {
            let usage = format!("hacctl {} {}", level.name, below.usage());
            clap::Command::new(below.name())
                .visible_aliases(below.names.iter().skip(1).copied())
                .about(below.about)
                .override_usage(usage)
                .after_help(EVERYWHERE.trim())
        });
        let whole = clap::Command::new(level.name)
            .about(level.about)
            .after_help(EVERYWHERE.trim())
            .disable_help_subcommand(true)
            .subcommands(below);
        command = command.mut_subcommand(level.name, |old| {
            let hidden = old.is_hide_set();
            whole.hide(hidden)
        });
    }
    command
}
