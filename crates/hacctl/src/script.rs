//! Lines one after the other: a session with its level and its transaction, fed by a file, by standard input or by the
//! shell.

use std::io::{IsTerminal as _, Read as _};
use std::path::Path;
use std::process::ExitCode;

use hac_pacemaker::crm_syntax;

use crate::args::Arguments;
use crate::commands::{self, Context, Draft, Shared};
use crate::failure::Failure;
use crate::grammar::{LEVELS, Level, abbreviated};
use crate::{shell, terminal};

/// Longest script, bytes.
const SCRIPT_MAX: u64 = 64 << 20;

/// What comes of a line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// The next line.
    Go,
    /// Leave.
    Quit,
}

/// Where one is, and what is collected there.
pub(crate) struct Session {
    /// How the user wants to be served.
    pub(crate) context: Context,
    /// The level; nothing at the top.
    pub(crate) level: Option<&'static Level>,
    /// The last line's exit code.
    pub(crate) last: ExitCode,
}

impl Session {
    /// At the top.
    pub(crate) fn new(context: Context) -> Self {
        Self { context, level: None, last: ExitCode::SUCCESS }
    }

    /// Enters a level; `configure` begins a transaction.
    pub(crate) async fn enter(&mut self, level: &'static Level) -> Result<(), Failure> {
        if level.name == "configure" && self.context.draft.is_none() {
            self.context.draft = Some(Shared::new(Draft::begin(&self.context, "").await?));
        }
        self.level = Some(level);
        Ok(())
    }

    /// What is collected and not committed; nothing of a shadow configuration, which is kept in its file.
    pub(crate) fn pending(&self) -> Option<String> {
        let draft = self.context.draft.as_ref()?.get().clone();
        if draft.changes.is_empty() || !draft.name.is_empty() { None } else { draft.difference().ok() }
    }

    /// Leaves the level; what is collected there is dropped.
    pub(crate) fn leave(&mut self) {
        let named = self.context.draft.as_ref().is_some_and(|draft| !draft.get().name.is_empty());
        if !named {
            self.context.draft = None;
        }
        self.level = None;
    }

    /// Makes what is collected.
    pub(crate) async fn commit(&mut self) -> Result<(), Failure> {
        if self.pending().is_none() {
            return Ok(());
        }
        commands::in_level(&self.context, "configure", &["commit".to_owned()]).await.map(|_| ())
    }

    /// Carries out a line. Changes of level are made; leaving `configure` with changes is the caller's to decide about.
    pub(crate) async fn line(&mut self, words: &[String]) -> Result<Next, Failure> {
        let Some(first) = words.first().map(String::as_str) else { return Ok(Next::Go) };
        match (first, words.len()) {
            ("quit" | "exit" | "bye", 1) => return Ok(Next::Quit),
            ("up" | "end" | ".." | "back", 1) => {
                self.leave();
                return Ok(Next::Go);
            }
            ("cd", _) => {
                self.leave();
                return match words.get(1).map(String::as_str) {
                    None | Some(".." | "/") => Ok(Next::Go),
                    Some(name) => self.enter(level(name)?).await.map(|()| Next::Go),
                };
            }
            ("help" | "?", _) => {
                terminal::print(&shell::help(self.level, words.get(1..).unwrap_or_default())?)?;
                return Ok(Next::Go);
            }
            ("ls", 1) => {
                terminal::print(&shell::list(self.level))?;
                return Ok(Next::Go);
            }
            _ => {}
        }
        if let Some(level) = self.level {
            match (level.name, first) {
                ("cib", "use") => return self.use_shadow(words.get(1).map(String::as_str)),
                ("configure", "refresh") => return self.refresh(),
                // Options are those of the command: 'history --since 1h'.
                ("history", _) if words.iter().any(|word| word.starts_with('-') && !is_everywhere(word)) => {
                    let line: Vec<String> =
                        std::iter::once("history".to_owned()).chain(words.iter().cloned()).collect();
                    return Box::pin(self.top(&line)).await;
                }
                // What this level does not know may be a line of the top: it is carried out there, at once.
                _ if level.command(first).is_err() && is_of_the_top(first) => {
                    let draft = self.context.draft.take();
                    let done = Box::pin(self.top(words)).await;
                    self.context.draft = draft;
                    return done;
                }
                _ => {}
            }
            self.last = commands::in_level(&self.context, level.name, words).await?;
            return Ok(Next::Go);
        }
        if let (Ok(level), 1) = (level(first), words.len()) {
            self.enter(level).await?;
            return Ok(Next::Go);
        }
        self.top(words).await
    }

    /// A line at the top: as after `hacctl`.
    async fn top(&mut self, words: &[String]) -> Result<Next, Failure> {
        if let [first, verb, rest @ ..] = words
            && first == "cib"
            && verb == "use"
        {
            return self.use_shadow(rest.first().map(String::as_str));
        }
        let line = std::iter::once("hacctl".to_owned()).chain(words.iter().cloned()).collect::<Vec<_>>();
        let parsed = crate::names::parse(&line).map_err(|error| {
            if error.use_stderr() {
                return Failure::from(&error);
            }
            // Help and version are no mistake.
            let _ = terminal::print(&error.render().to_string());
            Failure { exit_code: 0, ..Failure::usage("") }
        });
        let arguments = match parsed {
            Ok(arguments) => arguments,
            Err(failure) if failure.exit_code == 0 => return Ok(Next::Go),
            Err(failure) => return Err(failure),
        };
        let Some(command) = arguments.command.clone() else { return Ok(Next::Go) };
        if let Some(done) = commands::offline(&command, &arguments)? {
            self.last = done;
            return Ok(Next::Go);
        }
        let options = crate::grammar::Options {
            json: arguments.json,
            wait: arguments.wait,
            timeout: None,
            dry_run: arguments.dry_run,
            yes: arguments.yes,
            force: arguments.force,
            help: false,
        };
        self.last = commands::dispatch(&self.context.with(&options), command).await?;
        Ok(Next::Go)
    }

    /// `cib use NAME`: what follows works on it.
    fn use_shadow(&mut self, name: Option<&str>) -> Result<Next, Failure> {
        self.context.draft = match name {
            None | Some("live") => None,
            Some(name) => Some(Shared::new(commands::shadow(name)?)),
        };
        Ok(Next::Go)
    }

    /// Drops what is collected.
    fn refresh(&mut self) -> Result<Next, Failure> {
        if let Some(draft) = &self.context.draft {
            draft.get().changes.clear();
        }
        self.context.done("the changes of this session are dropped", None)?;
        Ok(Next::Go)
    }
}

/// Whether a word is an option of every command.
fn is_everywhere(word: &str) -> bool {
    crate::grammar::Options::split(&[word.to_owned()]).is_ok_and(|(_, rest)| rest.is_empty())
}

/// Whether a word begins a line at the top.
fn is_of_the_top(word: &str) -> bool {
    use clap::CommandFactory as _;
    Arguments::command().get_subcommands().any(|command| command.get_name() == word)
}

/// The level of this name or abbreviation.
fn level(word: &str) -> Result<&'static Level, Failure> {
    let names: Vec<&'static str> = LEVELS.iter().map(|level| level.name).collect();
    match abbreviated(word, &names)[..] {
        [only] => Level::find(only),
        _ => None,
    }
    .ok_or_else(|| {
        Failure::usage(format!("there is no level '{}'", terminal::harmless(word)))
            .with_remedy(format!("The levels are {}.", names.join(", ")))
    })
}

/// Nothing but options was typed: a file, standard input, or the shell.
pub(crate) async fn without_command(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let context = Context::of(arguments)?;
    if arguments.history {
        return commands::in_level(&context, "history", &["events".to_owned()]).await;
    }
    if let Some(file) = &arguments.file {
        return run(context, None, &read(file)?).await;
    }
    if std::io::stdin().is_terminal() {
        return Box::pin(shell::run(Session::new(context))).await;
    }
    let text = read(Path::new("-"))?;
    if text.trim().is_empty() {
        // Nothing was typed: the list of what can be.
        use clap::CommandFactory as _;
        eprint!("{}", Arguments::command().render_help());
        return Ok(ExitCode::from(64));
    }
    run(context, None, &text).await
}

/// `configure` alone: a script from standard input, or the shell in that level.
pub(crate) async fn configure(context: &Context) -> Result<ExitCode, Failure> {
    let level = level("configure")?;
    if std::io::stdin().is_terminal() {
        let mut session = Session::new(context.clone());
        session.enter(level).await?;
        return Box::pin(shell::run(session)).await;
    }
    let text = read(Path::new("-"))?;
    if text.trim().is_empty() {
        return Err(Failure::usage("missing argument: nothing to configure")
            .with_remedy("'hacctl configure --help' lists the words."));
    }
    run(context.clone(), Some(level), &text).await
}

fn read(file: &Path) -> Result<String, Failure> {
    let mut text = String::new();
    let read = if file == Path::new("-") {
        std::io::stdin().take(SCRIPT_MAX).read_to_string(&mut text)
    } else {
        std::fs::File::open(file).and_then(|file| file.take(SCRIPT_MAX).read_to_string(&mut text))
    };
    read.map_err(|error| {
        Failure::unread(&file.display(), &error)
            .with_remedy("Name a file with one command a line, or '-' for standard input.")
    })?;
    Ok(text)
}

/// Carries out a script. A line that fails does not end it; the end of `configure` commits; exit code 1 if any failed.
async fn run(context: Context, level: Option<&'static Level>, text: &str) -> Result<ExitCode, Failure> {
    let lines = crm_syntax::lines(text).map_err(|error| Failure::usage(error.to_string()).with_remedy(error.remedy))?;
    let mut session = Session::new(context);
    let mut failed = false;
    if let Some(level) = level {
        session.enter(level).await?;
    }
    // What refers to something that stands further down waits for the end of the transaction.
    let mut waiting: Vec<(usize, Vec<String>)> = Vec::new();
    for (number, words) in lines {
        let word = words.first().map(String::as_str).unwrap_or_default();
        let leaves = matches!(word, "up" | "end" | ".." | "back" | "cd" | "quit" | "exit" | "bye");
        if leaves || word == "commit" {
            failed |= finish(&mut session, &mut waiting, word != "commit").await;
        }
        let in_transaction = session.level.is_some_and(|level| level.name == "configure");
        match session.line(&words).await {
            Ok(Next::Go) => {}
            Ok(Next::Quit) => break,
            Err(_) if in_transaction && word != "commit" => waiting.push((number, words)),
            Err(failure) => {
                report(number, failure, &session.context);
                failed = true;
            }
        }
    }
    failed |= finish(&mut session, &mut waiting, true).await;
    Ok(if failed { ExitCode::from(1) } else { session.last })
}

/// Carries out what waits, and commits if `commit`; whether anything failed.
async fn finish(session: &mut Session, waiting: &mut Vec<(usize, Vec<String>)>, commit: bool) -> bool {
    let mut failed = false;
    loop {
        let before = waiting.len();
        let mut still = Vec::new();
        let mut failures = Vec::new();
        for (number, words) in std::mem::take(waiting) {
            if let Err(failure) = session.line(&words).await {
                failures.push((number, failure));
                still.push((number, words));
            }
        }
        if still.is_empty() {
            break;
        }
        if still.len() == before {
            for (number, failure) in failures {
                report(number, failure, &session.context);
            }
            failed = true;
            break;
        }
        *waiting = still;
    }
    if commit && let Err(failure) = session.commit().await {
        failure.print(session.context.json);
        failed = true;
    }
    failed
}

/// A failure with the line it stands in.
fn report(number: usize, failure: Failure, context: &Context) {
    // The words of one statement were read as a text of one line.
    let message = failure.message.strip_prefix("line 1, ").unwrap_or(&failure.message);
    Failure { message: format!("{number}: {message}"), ..failure }.print(context.json);
}
