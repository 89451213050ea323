//! The shell: `hacctl` alone. Lines with history and completion, levels, and a transaction in `configure`.

pub(crate) mod complete;

use std::process::ExitCode;

use rustyline::config::{CompletionType, Configurer as _};
use rustyline::error::ReadlineError;
use rustyline::history::FileHistory;
use rustyline::{ColorMode, Config, Editor};

use crate::args::Arguments;
use crate::commands::inform;
use crate::failure::Failure;
use crate::grammar::{LEVELS, Level};
use crate::interrupt;
use crate::script::{Next, Session};
use crate::terminal;

use complete::Helper;

/// Lines that are remembered.
const HISTORY: usize = 1000;

/// Runs until the user leaves.
pub(crate) async fn run(mut session: Session) -> Result<ExitCode, Failure> {
    let config = Config::builder()
        .max_history_size(HISTORY)
        .and_then(|config| config.history_ignore_dups(true))
        .map_err(|error| Failure::system("could not start the shell", &error))?
        .history_ignore_space(true)
        .completion_type(CompletionType::List)
        .color_mode(ColorMode::Enabled)
        .build();
    let mut editor: Editor<Helper, FileHistory> =
        Editor::with_config(config).map_err(|error| Failure::system("could not start the shell", &error))?;
    editor.set_auto_add_history(false);
    let history = crate::commands::state_folder().join("history");
    // Without an old history the shell begins a new one.
    let _ = editor.load_history(&history);
    eprintln!("{}", greeting());
    loop {
        let known = complete::known(&session).await;
        let helper = Helper { level: session.level, known, client: session.context.client.clone() };
        editor.set_helper(Some(helper));
        let line = match read(&mut editor, &prompt(&session)) {
            Ok(line) => line,
            Err(ReadlineError::Interrupted) => continue,
            Err(ReadlineError::Eof) => {
                if leave(&mut editor, &mut session).await? {
                    break;
                }
                continue;
            }
            Err(error) => return Err(Failure::system("could not read the line", &error)),
        };
        remember(&mut editor, &line, &history);
        let statements = match hac_pacemaker::crm_syntax::lines(&line) {
            Ok(statements) => statements,
            Err(error) => {
                Failure::usage(error.message).with_remedy(error.remedy).print(false);
                continue;
            }
        };
        let mut quit = false;
        for (_, words) in statements {
            quit = Box::pin(one(&mut editor, &mut session, &words)).await?;
        }
        if quit {
            break;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn greeting() -> String {
    format!("hacctl {}: 'help' explains, Tab completes, 'quit' leaves.", env!("CARGO_PKG_VERSION"))
}

/// Carries out one line; whether the user leaves.
async fn one(
    editor: &mut Editor<Helper, FileHistory>,
    session: &mut Session,
    words: &[String],
) -> Result<bool, Failure> {
    let first = words.first().map(String::as_str).unwrap_or_default();
    let leaves = matches!(first, "quit" | "exit" | "bye" | "up" | "end" | ".." | "back" | "cd");
    if leaves && !leave(editor, session).await? {
        return Ok(false);
    }
    if !leaves && first == "refresh" && session.pending().is_some() && !agree(editor, "This drops your changes.")? {
        return Ok(false);
    }
    match interrupt::or(Box::pin(session.line(words))).await {
        Ok(Next::Quit) => return Ok(true),
        Ok(Next::Go) => {}
        Err(failure) => failure.print(session.context.json),
    }
    Ok(false)
}

/// What is to be done about changes that are not committed; whether the level may be left.
async fn leave(editor: &mut Editor<Helper, FileHistory>, session: &mut Session) -> Result<bool, Failure> {
    let Some(changes) = session.pending() else { return Ok(true) };
    eprint!("There are changes pending:\n{}", terminal::harmless(&changes));
    let question = "Do you want to commit them? [y]es, [n]o (drop them), or [c]ancel (stay here): ";
    match editor.readline(question) {
        Ok(answer) if matches!(answer.trim(), "y" | "yes") => match session.commit().await {
            Ok(()) => Ok(true),
            Err(failure) => {
                failure.print(session.context.json);
                Ok(false)
            }
        },
        Ok(answer) if matches!(answer.trim(), "n" | "no") => {
            inform("nothing was changed");
            session.leave();
            Ok(true)
        }
        Err(ReadlineError::Eof) => Ok(true),
        _ => Ok(false),
    }
}

fn agree(editor: &mut Editor<Helper, FileHistory>, what: &str) -> Result<bool, Failure> {
    match editor.readline(&format!("{what} Go on? [y/N] ")) {
        Ok(answer) => Ok(matches!(answer.trim(), "y" | "yes")),
        Err(_) => Ok(false),
    }
}

/// Reads a line; one that ends in a backslash goes on in the next.
fn read(editor: &mut Editor<Helper, FileHistory>, prompt: &str) -> Result<String, ReadlineError> {
    let mut line = editor.readline(prompt)?;
    while line.trim_end().ends_with('\\') {
        line.push('\n');
        line.push_str(&editor.readline("   > ")?);
    }
    Ok(line)
}

/// Keeps a line for later, unless a secret stands in it.
fn remember(editor: &mut Editor<Helper, FileHistory>, line: &str, file: &std::path::Path) {
    let secret = |word: &str| word.split_once('=').is_some_and(|(name, _)| hac_model::is_secret(name));
    let words: Vec<&str> = line.split_whitespace().collect();
    let named = words.iter().any(|word| hac_model::is_secret(word)) && words.contains(&"set");
    if line.trim().is_empty() || named || words.iter().any(|word| secret(word)) {
        return;
    }
    let _ = editor.add_history_entry(line.replace("\\\n", " "));
    if let Some(folder) = file.parent() {
        // A history that cannot be kept is gone with the shell.
        let _ = std::fs::create_dir_all(folder);
    }
    let _ = editor.save_history(file);
}

/// `hacctl(live)configure#`, as crm has it; with the name of the shadow configuration that is worked on.
fn prompt(session: &Session) -> String {
    let name = session.context.draft.as_ref().map(|draft| draft.get().name.clone()).filter(|name| !name.is_empty());
    let level = session.level.map_or("", |level| level.name);
    let changed = if session.pending().is_some() { "*" } else { "" };
    format!("hacctl({}){level}{changed}# ", name.as_deref().unwrap_or("live"))
}

/// `help [TOPIC]` in a level.
pub(crate) fn help(level: Option<&'static Level>, words: &[String]) -> Result<String, Failure> {
    use clap::CommandFactory as _;
    let topic: Vec<&str> = words.iter().map(String::as_str).collect();
    let found = |name: &str| Level::find(name);
    match (level, topic.as_slice()) {
        (None, []) => Ok(format!(
            "{}\nLevels: {}\n\nIn the shell: LEVEL enters a level, 'up' leaves it, 'help TOPIC' explains one word,\n'ls' lists what there is, 'quit' leaves. In 'configure' changes are collected: 'diff' shows them, 'commit'\nmakes them, 'refresh' drops them.\n",
            Arguments::command().render_help(),
            LEVELS.iter().map(|level| level.name).collect::<Vec<_>>().join(", ")
        )),
        (Some(level), []) => Ok(level.help()),
        (_, [name, word]) if found(name).is_some() => {
            let level = found(name).ok_or_else(|| Failure::usage("there is no such level"))?;
            Ok(level.help_of(level.command(word)?))
        }
        (Some(level), [name]) if level.command(name).is_ok() => Ok(level.help_of(level.command(name)?)),
        (_, [name]) if found(name).is_some() => Ok(found(name).map(Level::help).unwrap_or_default()),
        (Some(level), [word, ..]) => Ok(level.help_of(level.command(word)?)),
        (None, [word, ..]) => {
            let mut command = Arguments::command();
            if let Some(sub) = command.find_subcommand_mut(word) {
                return Ok(sub.render_long_help().to_string());
            }
            // A word of some level is explained wherever one is.
            let levels = LEVELS.iter().filter_map(|level| Some(level.help_of(level.command(word).ok()?)));
            let texts: Vec<String> = levels.collect();
            if texts.is_empty() {
                return Err(Failure::usage(format!("there is no help on '{}'", terminal::harmless(word)))
                    .with_remedy("'help' lists the words."));
            }
            Ok(texts.join("\n"))
        }
    }
}

/// `ls`: the words of a level.
pub(crate) fn list(level: Option<&'static Level>) -> String {
    use clap::CommandFactory as _;
    let mut names: Vec<String> = match level {
        Some(level) => {
            let offered = level.commands.iter().filter(|command| command.instead.is_none());
            offered.map(|command| command.name().to_owned()).collect()
        }
        None => Arguments::command()
            .get_subcommands()
            .filter(|command| !command.is_hide_set())
            .map(|command| command.get_name().to_owned())
            .collect(),
    };
    names.extend(["help", "up", "quit"].map(str::to_owned));
    names.sort();
    names.dedup();
    columns(&names, 78)
}

/// Words in columns of a width.
fn columns(words: &[String], width: usize) -> String {
    let widest = words.iter().map(|word| word.chars().count()).max().unwrap_or(1) + 2;
    let across = (width / widest).max(1);
    let lines = words.chunks(across).map(|row| {
        let cells: String = row.iter().map(|word| format!("{word:<widest$}")).collect();
        cells.trim_end().to_owned()
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_of_every_level_has_help() {
        for level in LEVELS {
            assert!(help(Some(level), &[]).expect("has help").contains("Usage: "), "{}", level.name);
            for command in level.commands.iter().filter(|command| command.instead.is_none()) {
                let text = help(Some(level), &[command.name().to_owned()]).expect("has help");
                assert!(text.contains(&format!("hacctl {} {}", level.name, command.name())), "{text}");
            }
        }
        assert!(help(None, &["standby".to_owned()]).expect("is found in its level").contains("node standby"));
        assert_eq!(help(None, &["xyzzy".to_owned()]).expect_err("is no word").exit_code, 64);
    }

    #[test]
    fn lists_fit_their_width() {
        let words: Vec<String> = ["a", "bbbb", "cc", "dddddddd"].map(str::to_owned).to_vec();
        assert!(columns(&words, 20).lines().all(|line| line.chars().count() <= 20));
    }
}
