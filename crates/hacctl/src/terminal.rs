//! Standard output, and questions to a person.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

use hac_api::ErrorCode;
use zeroize::Zeroizing;

use crate::failure::Failure;

/// Writes `text` to standard output, ending it with a line break. A closed pipe (`| head`) is not a failure.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    let end = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
    match write!(out, "{text}{end}").and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::system("could not print", &error)),
        _ => Ok(()),
    }
}

/// Writes `value` as indented JSON.
pub(crate) fn print_json(value: &impl serde::Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(value).map_err(|error| Failure::system("could not write JSON", &error))?;
    print(&text)
}

/// Makes text that came from elsewhere harmless for a terminal: control characters become `?`.
pub(crate) fn harmless(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\n' && c != '\t' { '?' } else { c }).collect()
}

/// Asks a person on the terminal whether to go on with `what`. Where nobody can be asked it is refused, and `remedy` says
/// how to do it all the same.
pub(crate) fn confirm(what: &str, remedy: &str) -> Result<(), Failure> {
    if !io::stdin().is_terminal() {
        return Err(Failure::new(ErrorCode::Unsafe, what).with_remedy(remedy));
    }
    eprint!("{}. Go on? [y/N] ", harmless(what));
    let mut answer = String::new();
    match io::stdin().read_line(&mut answer) {
        Ok(_) if matches!(answer.trim(), "y" | "yes") => Ok(()),
        _ => Err(Failure::new(ErrorCode::Unsafe, "nothing was changed")),
    }
}

/// Whether a person sits before it who can be asked.
pub(crate) fn is_interactive() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// The same where a person can be asked; refused where not, with what to do instead.
pub(crate) fn ask_hidden(prompt: &str) -> Result<Zeroizing<String>, Failure> {
    if !is_interactive() {
        return Err(Failure::usage("there is no terminal to ask on")
            .with_remedy("Name a file or a variable instead; --help shows how."));
    }
    let typed = Zeroizing::new(hidden(prompt)?);
    Ok(Zeroizing::new(typed.trim_end_matches(['\n', '\r']).to_owned()))
}

/// Asks for something that is not to be seen on the terminal.
pub(crate) fn hidden(prompt: &str) -> Result<String, Failure> {
    use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
    let failed = |error: rustix::io::Errno| Failure::system("could not hide what is typed", &error);
    let stdin = io::stdin();
    let before = tcgetattr(&stdin).map_err(failed)?;
    let mut silent = before.clone();
    silent.local_modes.remove(LocalModes::ECHO);
    eprint!("{prompt}");
    tcsetattr(&stdin, OptionalActions::Flush, &silent).map_err(failed)?;
    let mut answer = String::new();
    let read = stdin.lock().read_line(&mut answer);
    let restored = tcsetattr(&stdin, OptionalActions::Flush, &before).map_err(failed);
    eprintln!();
    read.map_err(|error| Failure::system("could not read what was typed", &error))?;
    restored?;
    Ok(answer)
}
