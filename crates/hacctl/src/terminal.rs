//! Standard output, and questions to a person.

use std::io::{self, IsTerminal as _, Read, Write};

use hac_api::ErrorCode;
use zeroize::Zeroizing;

use crate::failure::Failure;

/// Writes `text` to standard output, ending it with a line break. A closed pipe (`| head`) is not a failure.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    let end = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
    match write!(out, "{text}{end}").and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(unprintable(&error)),
        _ => Ok(()),
    }
}

/// Standard output took no more.
pub(crate) fn unprintable(error: &io::Error) -> Failure {
    Failure::system("could not print", error).with_remedy("See what standard output goes to: is its disk full?")
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

/// Whether nobody reads standard output any more: the pipe that it goes into is closed.
pub(crate) fn is_closed() -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let stdout = io::stdout();
    let mut descriptors = [PollFd::new(&stdout, PollFlags::empty())];
    let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
    let looked = poll(&mut descriptors, Some(&at_once)).is_ok();
    looked && descriptors.iter().any(|stdout| stdout.revents().intersects(PollFlags::ERR | PollFlags::HUP))
}

/// Asks a person on the terminal whether to go on with `what`. Where nobody can be asked it is refused, and `remedy` says
/// how to do it all the same.
pub(crate) fn confirm(what: &str, remedy: &str) -> Result<(), Failure> {
    if !io::stdin().is_terminal() {
        return Err(Failure::new(ErrorCode::Unsafe, what).with_remedy(remedy));
    }
    match typed(&format!("{}. Go on? [y/N] ", harmless(what)), true)?.trim() {
        "y" | "yes" => Ok(()),
        _ => Err(Failure::new(ErrorCode::Unsafe, "nothing was changed")),
    }
}

/// Whether a person sits before it who can be asked.
pub(crate) fn is_interactive() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// What is typed without being shown, where a person can be asked; refused where not, with what to do `instead`.
pub(crate) fn ask_hidden(prompt: &str, instead: &str) -> Result<Zeroizing<String>, Failure> {
    if !is_interactive() {
        return Err(Failure::usage("there is no terminal to ask on").with_remedy(instead));
    }
    typed(prompt, false)
}

/// What is typed on the terminal until the line ends, shown or not. Ctrl-C is an answer like another, so that the terminal is
/// left as it was, and a shell goes on.
pub(crate) fn typed(prompt: &str, shown: bool) -> Result<Zeroizing<String>, Failure> {
    let quiet = Quiet::new(shown)?;
    eprint!("{prompt}");
    let line = line(&mut io::stdin().lock(), &mut io::stderr(), shown);
    eprintln!();
    drop(quiet);
    match line.map_err(|error| Failure::system("could not read what was typed", &error))? {
        Some(line) => Ok(line),
        None => Err(Failure { exit_code: 130, ..Failure::usage("interrupted; nothing was changed") }),
    }
}

/// A terminal that gives each key as it is typed; it is as before when this is dropped.
struct Quiet(rustix::termios::Termios);

impl Quiet {
    fn new(shown: bool) -> Result<Self, Failure> {
        use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
        let failed = |error: rustix::io::Errno| Failure::system("could not prepare the terminal", &error);
        let before = tcgetattr(io::stdin()).map_err(failed)?;
        let mut now = before.clone();
        now.local_modes.remove(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG);
        // What was typed ahead of the question was not meant to be hidden.
        let when = if shown { OptionalActions::Now } else { OptionalActions::Flush };
        tcsetattr(io::stdin(), when, &now).map_err(failed)?;
        Ok(Self(before))
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        // A terminal that is gone needs nothing any more.
        let _ = rustix::termios::tcsetattr(io::stdin(), rustix::termios::OptionalActions::Now, &self.0);
    }
}

/// One line of keys; nothing if it was interrupted. The end of the input ends the line too.
fn line(keys: &mut impl Read, echo: &mut impl Write, shown: bool) -> io::Result<Option<Zeroizing<String>>> {
    let mut bytes = Zeroizing::new(Vec::new());
    let mut key = [0; 1];
    while keys.read(&mut key)? == 1 {
        let [byte] = key;
        match byte {
            b'\n' | b'\r' | 4 => break,
            // Ctrl-C, and Ctrl-\.
            3 | 28 => return Ok(None),
            // Backspace, in its two codes: up to the last byte that begins a character.
            8 | 127 => {
                let begin = bytes.iter().rposition(|byte| byte & 0xc0 != 0x80);
                if let Some(begin) = begin {
                    bytes.truncate(begin);
                    if shown {
                        echo.write_all(b"\x08 \x08")?;
                    }
                }
            }
            // Ctrl-U.
            21 => {
                let letters = String::from_utf8_lossy(&bytes).chars().count();
                bytes.clear();
                if shown {
                    echo.write_all(&b"\x08 \x08".repeat(letters))?;
                }
            }
            0..32 => {}
            _ => {
                bytes.push(byte);
                if shown {
                    echo.write_all(&key)?;
                }
            }
        }
        echo.flush()?;
    }
    let text = std::str::from_utf8(&bytes).map_err(|_| io::Error::other("it is not UTF-8"))?;
    Ok(Some(Zeroizing::new(text.to_owned())))
}

#[cfg(test)]
mod tests {
    use super::line;

    fn keys(typed: &str, shown: bool) -> (Option<String>, String) {
        let mut echo = Vec::new();
        let line = line(&mut typed.as_bytes(), &mut echo, shown).expect("can be read");
        (line.map(|line| line.to_string()), String::from_utf8(echo).expect("is UTF-8"))
    }

    #[test]
    fn a_line_is_typed_mended_and_shown_or_not() {
        assert_eq!(keys("yes\nno", true), (Some("yes".into()), "yes".into()));
        assert_eq!(keys("t\u{f6}ken\r", false), (Some("t\u{f6}ken".into()), String::new()));
        assert_eq!(keys("\u{f6}\x7fy\n", false).0, Some("y".into()));
        assert_eq!(keys("no\x15y\n", false).0, Some("y".into()));
        assert_eq!(keys("\x7f\n", true), (Some(String::new()), String::new()));
        assert_eq!(keys("ye", true).0, Some("ye".into()), "the input ended");
    }

    #[test]
    fn an_interrupted_line_is_no_answer() {
        assert_eq!(keys("ye\x03s\n", true).0, None);
        assert_eq!(keys("\x1c", false).0, None);
    }
}
