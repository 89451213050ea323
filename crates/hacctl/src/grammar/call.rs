//! A line of words as a call of a command: what was given for which argument.

use super::{Argument, Command, Kind, Level, Need};
use crate::failure::Failure;
use crate::terminal;

/// Options that may stand anywhere in a line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Options {
    /// `--json`.
    pub(crate) json: bool,
    /// `-w`, `--wait`.
    pub(crate) wait: bool,
    /// `--timeout`, seconds.
    pub(crate) timeout: Option<u64>,
    /// `--dry-run`.
    pub(crate) dry_run: bool,
    /// `-y`, `--yes`.
    pub(crate) yes: bool,
    /// `-F`, `--force`.
    pub(crate) force: bool,
    /// `-h`, `--help`.
    pub(crate) help: bool,
}

impl Options {
    /// Takes such an option out of a line; `false` if `word` is something else.
    ///
    /// # Errors
    /// A `--timeout` without a number.
    fn take<'w>(&mut self, word: &str, rest: &mut impl Iterator<Item = &'w String>) -> Result<bool, Failure> {
        match word {
            "--json" => self.json = true,
            "-w" | "--wait" => self.wait = true,
            "--dry-run" => self.dry_run = true,
            "-y" | "--yes" => self.yes = true,
            "-F" | "--force" => self.force = true,
            "-h" | "--help" => self.help = true,
            _ => {
                let glued = word.strip_prefix("--timeout=").map(str::to_owned);
                let value = match (word, glued) {
                    (_, Some(value)) => value,
                    ("--timeout", None) => rest.next().cloned().unwrap_or_default(),
                    _ => return Ok(false),
                };
                let seconds = crate::args::seconds(&value).map_err(|why| {
                    Failure::usage(format!("'{}' is no time to wait: {why}", terminal::harmless(&value)))
                        .with_remedy("Write --timeout 60.")
                })?;
                self.timeout = Some(seconds);
            }
        }
        Ok(true)
    }

    /// Takes all of them out of a line.
    ///
    /// # Errors
    /// A `--timeout` without a number.
    pub(crate) fn split(words: &[String]) -> Result<(Self, Vec<String>), Failure> {
        let mut options = Self::default();
        let mut others = Vec::new();
        let mut rest = words.iter();
        while let Some(word) = rest.next() {
            if !options.take(word, &mut rest)? {
                others.push(word.clone());
            }
        }
        Ok((options, others))
    }
}

/// A command with what was given to it.
pub(crate) struct Call {
    /// The level.
    pub(crate) level: &'static Level,
    /// The command.
    pub(crate) command: &'static Command,
    /// Options that may stand anywhere.
    pub(crate) everywhere: Options,
    options: Vec<&'static str>,
    given: Vec<Vec<String>>,
}

impl Call {
    /// Reads what follows a command.
    ///
    /// # Errors
    /// An option that the command does not have, a word too many, an argument that is missing.
    pub(crate) fn read(level: &'static Level, command: &'static Command, words: &[String]) -> Result<Self, Failure> {
        let mut call = Self {
            level,
            command,
            everywhere: Options::default(),
            options: Vec::new(),
            given: command.arguments.iter().map(|_| Vec::new()).collect(),
        };
        let mut rest = words.iter();
        let mut at = 0;
        while let Some(word) = rest.next() {
            let statement = call.kind(at) == Some(Kind::Statement);
            let value = call.kind(at) == Some(Kind::Value);
            if call.kind(at) == Some(Kind::Foreign) {
                match word.as_str() {
                    "-h" | "--help" => call.everywhere.help = true,
                    _ => call.given[at].push(word.clone()),
                }
                continue;
            }
            if call.everywhere.take(word, &mut rest)? {
                continue;
            }
            if let Some(option) = command.options.iter().find(|option| *option == word) {
                call.options.push(option);
                continue;
            }
            if word.starts_with('-') && word != "-" && !statement && !value && word.parse::<i64>().is_err() {
                return Err(call.unknown_option(word));
            }
            at = call.place(at, word)?;
        }
        if !call.everywhere.help {
            call.complete()?;
        }
        Ok(call)
    }

    fn kind(&self, at: usize) -> Option<Kind> {
        self.command.arguments.get(at).map(|argument| argument.1)
    }

    /// Gives a word to the argument at `at` or to a later one; where the next word goes.
    fn place(&mut self, mut at: usize, word: &str) -> Result<usize, Failure> {
        let arguments = self.command.arguments;
        loop {
            let Some(Argument(need, kind, _)) = arguments.get(at) else { return Err(self.too_many(word)) };
            let later = arguments.get(at + 1..).unwrap_or_default();
            let optional = matches!(need, Need::Maybe | Need::Any) || !self.given[at].is_empty();
            let is_later = optional
                && !kind.claims(word)
                && later.iter().any(|Argument(need, kind, _)| *need != Need::One && kind.claims(word));
            let fits = match kind {
                Kind::Word(_) | Kind::Lifetime => kind.claims(word) || *need == Need::One,
                _ => true,
            };
            if is_later || optional && !fits {
                at += 1;
                continue;
            }
            if let Kind::Word(words) = kind
                && !words.contains(&word)
            {
                return Err(self.no_such_word(word, words));
            }
            self.given[at].push(word.to_owned());
            return Ok(if matches!(need, Need::One | Need::Maybe) { at + 1 } else { at });
        }
    }

    fn complete(&self) -> Result<(), Failure> {
        for (Argument(need, _, name), given) in self.command.arguments.iter().zip(&self.given) {
            if matches!(need, Need::One | Need::Some) && given.is_empty() {
                let what = match *name {
                    "|" => "a word".to_owned(),
                    "..." => "what it is made of".to_owned(),
                    name => format!("<{name}>"),
                };
                return Err(Failure::usage(format!("missing argument: {what}")).with_remedy(self.write()));
            }
        }
        Ok(())
    }

    /// The one-line remedy that shows the form.
    pub(crate) fn write(&self) -> String {
        format!("Write 'hacctl {} {}'.", self.level.name, self.command.usage())
    }

    /// What is said of a word that has no place.
    pub(crate) fn too_many(&self, word: &str) -> Failure {
        Failure::usage(format!("'{}' has no place here", terminal::harmless(word))).with_remedy(self.write())
    }

    fn no_such_word(&self, word: &str, words: &[&str]) -> Failure {
        let failure = Failure::usage(format!("'{}' is not one of {}", terminal::harmless(word), words.join(", ")));
        failure.with_remedy(self.write())
    }

    fn unknown_option(&self, word: &str) -> Failure {
        let known = ["--json", "--wait", "--timeout", "--dry-run", "--yes", "--force", "--help"];
        let known = known.into_iter().chain(self.command.options.iter().copied());
        let failure = Failure::usage(format!("unknown option '{}'", terminal::harmless(word)));
        match hac_model::nearest(word, known) {
            Some(near) => failure.with_remedy(format!("Did you mean '{near}'?")),
            None => failure.with_remedy(self.write()),
        }
    }

    /// What was given for the argument of this name, the first if there are several.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.all(name).first().map(String::as_str)
    }

    /// The same as a string of its own.
    pub(crate) fn owned(&self, name: &str) -> Option<String> {
        self.get(name).map(str::to_owned)
    }

    /// What was given for an argument that must be there.
    ///
    /// # Errors
    /// It is not there.
    pub(crate) fn must(&self, name: &str) -> Result<&str, Failure> {
        self.get(name).ok_or_else(|| Failure::usage(format!("missing argument: <{name}>")).with_remedy(self.write()))
    }

    /// All that was given for an argument.
    pub(crate) fn all(&self, name: &str) -> &[String] {
        let at = self.command.arguments.iter().position(|argument| argument.2 == name);
        at.and_then(|at| self.given.get(at)).map_or(&[], Vec::as_slice)
    }

    /// Whether an option of the command was given.
    pub(crate) fn has(&self, option: &str) -> bool {
        self.options.contains(&option)
    }

    /// Whether it is to be done in spite of a warning: `--force`, `-F`, or crm's word at the end.
    pub(crate) fn force(&self) -> bool {
        self.everywhere.force || self.get("force").is_some()
    }
}
