//! What `--dry-run` cannot be said of: commands that would do their work all the same are refused instead.

use crate::args::{Command, KeyCommand, UpgradeCommand};
use crate::failure::Failure;

use super::invite::InviteCommand;
use super::secrets::SecretCommand;

/// Commands of levels that change something and cannot say beforehand what.
const IN_LEVELS: &[(&str, &[&str])] = &[
    ("cluster", &["run", "init", "join"]),
    ("corosync", &["edit"]),
    ("cib", &["new", "delete", "reset", "import"]),
    ("configure", &["conflict"]),
    ("fence", &["forget", "test"]),
    ("alert", &["test"]),
];

/// A command by itself that knows no dry run.
pub(super) fn command(command: &Command) -> Result<(), Failure> {
    let name = match command {
        Command::Init(_) => "init",
        Command::Join(_) => "join",
        Command::Invite(line) if !line.print_code && !matches!(line.command, Some(InviteCommand::Status)) => "invite",
        Command::Secret(SecretCommand::Set { .. } | SecretCommand::Delete { .. }) => "secret",
        Command::Quorum { command: Some(_) } => "quorum",
        Command::Key(KeyCommand::Rotate { .. }) => "key rotate",
        Command::Upgrade(UpgradeCommand::Finish | UpgradeCommand::Revert { .. } | UpgradeCommand::Hold { .. }) => {
            "upgrade"
        }
        Command::Keygen(_) => "keygen",
        Command::Compat(_) => "compat install",
        Command::Report { .. } => "report",
        Command::Man { .. } => "man",
        _ => return Ok(()),
    };
    Err(refused(name))
}

/// A command of a level that knows none.
pub(super) fn in_level(level: &str, command: &str) -> Result<(), Failure> {
    let known = IN_LEVELS.iter().any(|(of, commands)| *of == level && commands.contains(&command));
    if known { Err(refused(&format!("{level} {command}"))) } else { Ok(()) }
}

fn refused(name: &str) -> Failure {
    Failure::usage(format!("'hacctl {name}' cannot say beforehand what it would do; nothing was done (--dry-run)"))
        .with_remedy("Leave --dry-run out to have it done.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grammar::Level;

    #[test]
    fn what_is_refused_is_there() {
        for (level, commands) in IN_LEVELS {
            let level = Level::find(level).expect("a level");
            for command in *commands {
                assert_eq!(level.command(command).map(|known| known.name()).ok(), Some(*command));
            }
        }
    }
}
