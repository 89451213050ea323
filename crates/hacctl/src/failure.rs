//! What a person sees when a command did not do what it should: one sentence on what is wrong, one on what to do.

use std::fmt::Display;
use std::io;

use hac_api::{ErrorBody, ErrorCode};

/// Why a command ends with another exit code than 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    /// The program's exit code.
    pub(crate) exit_code: u8,
    /// What is wrong.
    pub(crate) message: String,
    /// What to do about it.
    pub(crate) remedy: Option<String>,
}

impl Failure {
    /// A failure of a kind that the API knows.
    pub(crate) fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { exit_code: code.exit_code(), message: message.into(), remedy: None }
    }

    /// The same with what to do about it.
    #[must_use]
    pub(crate) fn with_remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }

    /// The same with a sentence more about what to do.
    #[must_use]
    pub(crate) fn and(mut self, more: &str) -> Self {
        let before = self.remedy.take().filter(|remedy| !remedy.is_empty());
        self.remedy = Some(match before {
            Some(before) if before.ends_with(['.', '?', '!']) => format!("{before} {more}"),
            Some(before) => format!("{before}. {more}"),
            None => more.to_owned(),
        });
        self
    }

    /// What was typed makes no sense.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::Usage, message)
    }

    /// The operating system refused something.
    pub(crate) fn system(what: &str, error: &dyn Display) -> Self {
        Self { exit_code: 71, message: format!("{what}: {error}"), remedy: None }
    }

    /// A file that was named cannot be read.
    pub(crate) fn unread(name: &dyn Display, error: &io::Error) -> Self {
        let message = match error.kind() {
            io::ErrorKind::IsADirectory => format!("{name} is a folder, not a file"),
            _ => format!("could not read {name}: {error}"),
        };
        Self { exit_code: 66, message, remedy: None }
    }

    /// A file that was named cannot be written.
    pub(crate) fn unwritten(name: &dyn Display, error: &io::Error) -> Self {
        Self { exit_code: 73, ..Self::system(&format!("could not write {name}"), error) }
    }

    /// There is no daemon to talk to (Pacemaker's exit code 102).
    pub(crate) fn disconnected(message: impl Into<String>) -> Self {
        Self { exit_code: 102, message: message.into(), remedy: None }
    }

    /// What to do about it: what was said, or what its kind calls for.
    fn remedy(&self) -> Option<&str> {
        self.remedy.as_deref().or(match self.exit_code {
            66 => Some("Name a file that is there and that you may read."),
            71 => Some("That is what the system says: put it right there, then try again."),
            73 => Some("Name a file in a folder that you may write to."),
            _ => None,
        })
    }

    /// Prints it to stderr, as text or as JSON.
    pub(crate) fn print(&self, json: bool) {
        let message = hac_model::plain(&self.message);
        if json {
            let value = serde_json::json!({
                "error": { "exit_code": self.exit_code, "message": message, "remedy": self.remedy() }
            });
            eprintln!("{value}");
            return;
        }
        eprintln!("ERROR: {}", readable(&message));
        if let Some(remedy) = self.remedy() {
            eprintln!("  {}", readable(remedy));
        }
    }
}

/// Letters of a word that are shown, and how long one may be that is shown whole: longer than a path that people have.
const SHOWN: usize = 60;
const WHOLE: usize = 400;

/// The text with words in it shortened that nobody typed by hand: a file that was given in place of a name would fill the
/// screen, and what is wrong with it would be somewhere in between.
fn readable(text: &str) -> String {
    let short = |word: &str| match word.chars().count() {
        length if length > WHOLE => {
            let (begin, end) = (word.chars().take(SHOWN), word.chars().skip(length.saturating_sub(3)));
            format!("{}…{} ({length} characters)", begin.collect::<String>(), end.collect::<String>())
        }
        _ => word.to_owned(),
    };
    text.split_inclusive(char::is_whitespace)
        .map(|part| {
            let word = part.trim_end();
            format!("{}{}", short(word), part.get(word.len()..).unwrap_or_default())
        })
        .collect()
}

impl From<&clap::Error> for Failure {
    /// What clap found wrong with the command line: its first paragraph is the sentence, what it suggests the remedy.
    fn from(error: &clap::Error) -> Self {
        // The socket, which a variable names, is nothing that has to be written.
        let text = error.render().to_string().replace(" --socket <PATH>", "");
        let mut paragraphs = text.split("\n\n").map(|part| part.split_whitespace().collect::<Vec<_>>().join(" "));
        let first = paragraphs.next().unwrap_or_default();
        if let Some(failure) =
            below(error).or_else(|| valueless(error)).or_else(|| of_crm(error)).or_else(|| ambiguous(error))
        {
            return failure;
        }
        let message = first
            .strip_prefix("error: ")
            .unwrap_or(&first)
            .replace("invalid digit found in string", "it is not a whole number")
            .replace("number too large to fit in target type", "it is too large");
        let remedies: Vec<String> = paragraphs.filter(|part| !part.is_empty()).collect();
        // How to pass as a value what looks like an option is seldom what somebody wanted to know.
        let helps =
            |part: &&String| part.starts_with("tip: ") && !part.contains("as a value") || part.starts_with("Usage: ");
        let told = remedies.iter().find(helps);
        let told =
            told.map(|part| part.strip_prefix("tip: ").map_or_else(|| part.clone(), |tip| format!("Note: {tip}.")));
        let told = meant(error).or(told);
        let more = "'hacctl --help' lists the commands, and '--help' after one of them what it takes.";
        Self::usage(message).with_remedy(told.map_or_else(|| more.to_owned(), |told| format!("{told}\n  {more}")))
    }
}

/// The word that is no command.
fn no_command(error: &clap::Error) -> Option<&str> {
    use clap::error::{ContextKind, ContextValue};
    match error.get(ContextKind::InvalidSubcommand) {
        Some(ContextValue::String(word)) => Some(word),
        _ => None,
    }
}

/// The command whose form the error shows, and its words.
fn of_usage(error: &clap::Error) -> Option<(clap::Command, String)> {
    use clap::CommandFactory as _;
    use clap::error::{ContextKind, ContextValue};
    let Some(ContextValue::StyledStr(usage)) = error.get(ContextKind::Usage) else { return None };
    let usage = usage.to_string();
    // `Usage: hacctl recipe [OPTIONS] <COMMAND>`
    let words = usage.split_whitespace().skip(2);
    let path: Vec<&str> = words.take_while(|word| !word.starts_with(['[', '<', '-'])).collect();
    let mut command = crate::args::Arguments::command();
    for name in &path {
        command = command.find_subcommand(name)?.clone();
    }
    Some((command, path.join(" ")))
}

/// What is said of a word that has no place, in a command where it may be the value of an option.
fn valueless(error: &clap::Error) -> Option<Failure> {
    use clap::error::{ContextKind, ContextValue, ErrorKind};
    let Some(ContextValue::String(word)) = error.get(ContextKind::InvalidArg) else { return None };
    if error.kind() != ErrorKind::UnknownArgument || word.starts_with('-') {
        return None;
    }
    let (command, path) = of_usage(error)?;
    let options: Vec<String> = command
        .get_arguments()
        .filter(|option| option.get_action().takes_values() && !option.is_positional() && !option.is_hide_set())
        .filter_map(|option| {
            let value = option.get_value_names().and_then(|names| names.first()).map(ToString::to_string);
            Some(format!("--{} {}", option.get_long()?, value?))
        })
        .collect();
    let sentence = format!("'{}' has no place after 'hacctl {path}'", crate::terminal::harmless(word));
    let more = format!("'hacctl {path} --help' says more.");
    Some(Failure::usage(sentence).with_remedy(match &options[..] {
        [] => format!("Leave it out; {more}"),
        [only] => format!("As a value it belongs behind its option: {only}. {more}"),
        several => format!("As a value it belongs behind its option, one of {}. {more}", several.join(", ")),
    }))
}

/// The words that a command takes, for one that it does not take.
fn below(error: &clap::Error) -> Option<Failure> {
    let word = no_command(error)?;
    let is_missing = error.kind() == clap::error::ErrorKind::MissingSubcommand;
    let (command, path) = of_usage(error)?;
    let known: Vec<&str> =
        command.get_subcommands().filter(|sub| !sub.is_hide_set()).map(clap::Command::get_name).collect();
    if path.is_empty() || known.is_empty() {
        return None;
    }
    let near = hac_model::nearest(word, known.iter().copied()).map(|near| format!("Did you mean {near}? "));
    let word = crate::terminal::harmless(word);
    let sentence = if is_missing {
        format!("a word is missing after 'hacctl {path}'")
    } else {
        format!("'hacctl {path}' does not know the word '{word}'")
    };
    let near = near.filter(|_| !is_missing);
    Some(Failure::usage(sentence).with_remedy(format!(
        "{}It takes: {}; '--help' after one of them says more.",
        near.unwrap_or_default(),
        known.join(", ")
    )))
}

/// What is said of a level of crm that is not here, and of a word that belongs into a level.
fn of_crm(error: &clap::Error) -> Option<Failure> {
    let word = no_command(error)?;
    if let Some((_, instead)) = crate::grammar::NO_LEVELS.iter().find(|(name, _)| *name == word) {
        return Some(Failure::usage(format!("hacd does not have '{word}'")).with_remedy(*instead));
    }
    let levels: Vec<String> = crate::grammar::LEVELS
        .iter()
        .filter(|level| level.commands.iter().any(|command| command.names.contains(&word)))
        .map(|level| format!("'hacctl {} {word}'", level.name))
        .collect();
    let (first, others) = levels.split_first()?;
    let others: String = others.iter().map(|other| format!(" or {other}")).collect();
    Some(Failure::usage(format!("'{word}' needs its level before it")).with_remedy(format!("Write {first}{others}.")))
}

/// What is said of a word that begins several commands.
fn ambiguous(error: &clap::Error) -> Option<Failure> {
    use clap::CommandFactory as _;
    let word = no_command(error)?;
    let command = crate::args::Arguments::command();
    let names = command.get_subcommands().filter(|sub| !sub.is_hide_set()).map(clap::Command::get_name);
    if word.is_empty() {
        let remedy = "'hacctl --help' lists the commands; perhaps a variable of your script is empty.";
        return Some(Failure::usage("the command is an empty word").with_remedy(remedy));
    }
    let names: Vec<&str> = names.filter(|name| name.starts_with(word)).collect();
    let (last, first) = names.split_last().filter(|(_, first)| !first.is_empty())?;
    let sentence = format!("'{word}' may mean {} or {last}", first.join(", "));
    Some(Failure::usage(sentence).with_remedy("Write some more letters of it."))
}

/// The command that was most likely meant instead of one that there is not.
fn meant(error: &clap::Error) -> Option<String> {
    use clap::CommandFactory as _;
    let word = no_command(error)?;
    let command = crate::args::Arguments::command();
    let shown: Vec<&str> =
        command.get_subcommands().filter(|sub| !sub.is_hide_set()).map(clap::Command::get_name).collect();
    let near = hac_model::nearest(word, shown)?;
    Some(format!("Note: a similar subcommand exists: '{near}'."))
}

impl From<ErrorBody> for Failure {
    fn from(body: ErrorBody) -> Self {
        Self { exit_code: body.code.exit_code(), message: body.message, remedy: body.remedy }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::Failure;
    use crate::args::Arguments;

    fn refused(line: &str) -> Failure {
        Failure::from(&Arguments::try_parse_from(line.split_whitespace()).expect_err("is refused"))
    }

    #[test]
    fn sentences_are_parted_by_full_stops() {
        let failure = Failure::usage("x").with_remedy("try it again").and("Your text is in a.");
        assert_eq!(failure.remedy.as_deref(), Some("try it again. Your text is in a."));
        assert_eq!(failure.and("So.").remedy.as_deref(), Some("try it again. Your text is in a. So."));
        assert_eq!(Failure::usage("x").and("So.").remedy.as_deref(), Some("So."));
    }

    #[test]
    fn what_was_mistyped_is_one_sentence_and_a_remedy() {
        let failure = refused("hacctl stauts");
        assert_eq!((failure.exit_code, failure.message.as_str()), (64, "unrecognized subcommand 'stauts'"));
        let remedy = failure.remedy.expect("a remedy");
        assert!(remedy.starts_with("Note: a similar subcommand exists: 'status'.\n"), "{remedy}");

        let failure = refused("hacctl options");
        assert_eq!(failure.message, "hacd does not have 'options'");
        assert!(failure.remedy.expect("a remedy").contains("--help"));
        let failure = refused("hacctl scores ip");
        assert_eq!(failure.message, "'scores' needs its level before it");
        assert_eq!(failure.remedy.as_deref(), Some("Write 'hacctl resource scores'."));

        let failure = refused("hacctl secret show x");
        assert_eq!(failure.message, "'hacctl secret' does not know the word 'show'");
        let failure = refused("hacctl secret --json");
        assert_eq!(failure.message, "a word is missing after 'hacctl secret'");
        assert!(failure.remedy.expect("a remedy").starts_with("It takes: set, "));
        let failure = refused("hacctl -o wait status");
        assert!(failure.message.contains("OPTION=VALUE, such as core.wait=yes"), "{}", failure.message);
        let failure = refused("hacctl --socket x join");
        assert!(!failure.remedy.expect("a remedy").contains("--socket"));

        let failure = refused("hacctl recipe active-pasive");
        let remedy = failure.remedy.expect("a remedy");
        assert!(remedy.starts_with("Did you mean active-passive? It takes: active-passive, "), "{remedy}");

        let failure = refused("hacctl c status");
        assert!(failure.message.starts_with("'c' may mean ") && !failure.message.contains("cibstatus"), "{failure:?}");
        assert_eq!(failure.remedy.as_deref(), Some("Write some more letters of it."));

        let failure = refused("hacctl upgrade hold");
        assert_eq!(failure.message, "the following required arguments were not provided: <DURATION>");
        let remedy = failure.remedy.expect("a remedy");
        assert!(remedy.starts_with("Usage: hacctl upgrade hold <DURATION>\n"), "{remedy}");

        let failure = refused("hacctl --timeout soon status");
        assert!(failure.message.contains("'soon'"), "{}", failure.message);
    }

    #[test]
    fn a_word_that_is_the_value_of_an_option_is_told_which_options_there_are() {
        for (line, word, options) in [
            ("join 10.0.0.1 MAPLE-7", "MAPLE-7", "one of --code CODE, --code-file FILE, --node NAME, "),
            ("init lbcluster", "lbcluster", "one of --name NAME, --node NAME, "),
            ("mon 5", "5", "its option: --interval SECONDS. "),
            ("keygen /tmp/key", "/tmp/key", "one of --key-file FILE, --size BYTES. "),
            ("upgrade revert 1", "1", "its option: --to LEVEL. "),
            ("recipe active-passive 203.0.113.5", "203.0.113.5", "--address IP"),
            ("simulate state.xml", "state.xml", "--xml-file FILE"),
            ("events yesterday", "yesterday", "--since "),
            ("key rotate now", "now", "Leave it out"),
            ("verify all", "all", "Leave it out"),
        ] {
            let failure = refused(&format!("hacctl {line}"));
            assert_eq!(failure.exit_code, 64, "{line}");
            assert!(
                failure.message.starts_with(&format!("'{word}' has no place after 'hacctl ")),
                "{}",
                failure.message
            );
            let remedy = failure.remedy.unwrap_or_default();
            assert!(remedy.contains(options), "{line}: {remedy}");
        }
        assert!(refused("hacctl join 10.0.0.1 --cod X").message.contains("unexpected argument '--cod'"));
    }

    #[test]
    fn what_the_system_says_has_a_remedy_too() {
        let failure = Failure { exit_code: 66, ..Failure::system("could not read x", &"no such file") };
        assert_eq!(failure.remedy(), Some("Name a file that is there and that you may read."));
        assert!(Failure::system("could not begin", &"no memory").remedy().is_some());
        assert_eq!(Failure::usage("x").with_remedy("Do y.").remedy(), Some("Do y."));
    }

    #[test]
    fn a_word_that_fills_the_screen_is_shortened() {
        let text = format!("resource {} does not exist", "n".repeat(100_000));
        let shown = super::readable(&text);
        assert_eq!(shown, format!("resource {}…nnn (100000 characters) does not exist", "n".repeat(60)));
        let path = format!("/{}: line 1:\n  put it right", "d".repeat(300));
        assert_eq!(super::readable(&path), path);
    }
}
