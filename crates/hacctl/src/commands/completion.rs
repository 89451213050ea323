//! `hacctl completion`: a script for a shell, and what it asks.

use std::process::ExitCode;

use clap::CommandFactory as _;
use clap_complete::Shell;

use super::Context;
use crate::args::Arguments;
use crate::failure::Failure;
use crate::grammar::{Known, candidates};
use crate::shell::complete;
use crate::terminal;

/// Asks this program itself, so that ids, nodes, agents and parameters are completed too.
const BASH: &str = r#"_hacctl() {
    local line="${COMP_LINE:0:COMP_POINT}"
    local IFS=$'\n'
    COMPREPLY=($(hacctl complete -- "${line#* }" 2>/dev/null | cut -f1))
    # What is after a colon or an equals sign is a word of its own for bash.
    local word="${line##* }"
    if [[ "$word" == *[:=]* && "$COMP_WORDBREAKS" == *:* ]]; then
        local head="${word%"${word##*[:=]}"}"
        COMPREPLY=("${COMPREPLY[@]#"$head"}")
    fi
    [[ ${#COMPREPLY[@]} -eq 1 && "${COMPREPLY[0]}" == *[:=] ]] && compopt -o nospace
}
complete -o default -F _hacctl hacctl
complete -o default -F _hacctl crm
"#;

const ZSH: &str = r#"#compdef hacctl crm
_hacctl() {
    local line="${BUFFER[1,CURSOR]}"
    local -a found
    local word help
    while IFS=$'\t' read -r word help; do
        found+=("${word//:/\\:}:$help")
    done < <(hacctl complete -- "${line#* }" 2>/dev/null)
    _describe 'hacctl' found
}
if [ "$funcstack[1]" = "_hacctl" ]; then _hacctl "$@"; else compdef _hacctl hacctl crm; fi
"#;

const FISH: &str = r#"function __hacctl_complete
    set -l line (commandline -cp)
    hacctl complete -- (string replace -r '^\S+\s' '' -- $line) 2>/dev/null
end
complete -c hacctl -f -a '(__hacctl_complete)'
complete -c crm -f -a '(__hacctl_complete)'
"#;

/// Prints the script.
pub(crate) fn run(shell: Shell) -> Result<ExitCode, Failure> {
    match shell {
        Shell::Bash => terminal::print(BASH)?,
        Shell::Zsh => terminal::print(ZSH)?,
        Shell::Fish => terminal::print(FISH)?,
        other => {
            let mut script = Vec::new();
            clap_complete::generate(other, &mut Arguments::command(), "hacctl", &mut script);
            terminal::print(&String::from_utf8_lossy(&script))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// `hacctl complete -- LINE`: candidates, a line each, with their help after a tab. Without a daemon those that need none.
pub(crate) async fn answer(context: &Context, line: &str) -> Result<ExitCode, Failure> {
    let (words, begun) = complete::split(line);
    let configuration = context.cib(false).await.map(|cib| cib.configuration).unwrap_or_default();
    let mut known = Known { commands: complete::commands(), ..Known::of(&configuration) };
    if let Ok(list) = context.client.agents().await {
        known.agents = list.agents.into_iter().map(|agent| agent.name).collect();
    }
    if let Some(agent) = complete::agent_in(&words, &configuration)
        && let Ok(detail) = context.client.agent(&agent).await
    {
        complete::of_agent(&mut known, detail);
    }
    let mut found = candidates(None, &words, begun, &known);
    // What crm's words do not complete, the options of the command do.
    if begun.starts_with('-') {
        found.extend(options(&words).into_iter().filter(|option| option.word.starts_with(begun)));
    }
    let text: String = found
        .iter()
        .map(|candidate| format!("{}\t{}\n", candidate.word, terminal::harmless(&candidate.help.replace('\n', " "))))
        .collect();
    terminal::print(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// Long options of the command that a line begins with.
fn options(words: &[String]) -> Vec<crate::grammar::Candidate> {
    let command = Arguments::command();
    let mut at = &command;
    for word in words.iter().filter(|word| !word.starts_with('-')) {
        match at.find_subcommand(word) {
            Some(sub) => at = sub,
            None => break,
        }
    }
    let of = |command: &clap::Command| {
        command
            .get_arguments()
            .filter_map(|argument| {
                let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
                Some(crate::grammar::Candidate { word: format!("--{}", argument.get_long()?), help })
            })
            .collect::<Vec<_>>()
    };
    let mut found = of(at);
    found.extend(of(&command));
    found
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// The script is taken by its shell, where that is installed.
    #[test]
    fn scripts_load_in_their_shells() {
        let mut tried = 0;
        for (shell, option, script) in [("bash", "-n", BASH), ("zsh", "-n", ZSH), ("fish", "--no-execute", FISH)] {
            let file = std::env::temp_dir().join(format!("hacctl-completion-{}-{shell}", std::process::id()));
            std::fs::write(&file, script).expect("can be written");
            if let Ok(output) = Command::new(shell).arg(option).arg(&file).output() {
                assert!(output.status.success(), "{shell}: {}", String::from_utf8_lossy(&output.stderr));
                tried += 1;
            }
            std::fs::remove_file(&file).expect("can be removed");
        }
        assert!(tried > 0, "not even bash is installed");
    }

    /// Loaded as its package lays it, it asks this program and offers what that says. A word that is no command stands for it.
    #[test]
    fn shells_complete_what_the_program_says() {
        let folder = std::env::temp_dir().join(format!("hacctl-completes-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("can be made");
        let program = "#!/bin/sh\n[ \"$1 $2 $3\" = 'complete -- resource st' ] || exit 1\nprintf 'start\\tstart it\\nstop\\tstop it\\n'\n";
        let stub = folder.join("hacctl");
        std::fs::write(&stub, program).expect("can be written");
        let runnable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(&stub, runnable).expect("can be made runnable");
        let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap_or_default());
        for (shell, script, line) in [
            (
                "bash",
                BASH,
                "source SCRIPT; COMP_LINE='crm resource st'; COMP_POINT=${#COMP_LINE}; _hacctl; \
                 complete -p hacctl crm >/dev/null && printf '%s\\n' \"${COMPREPLY[@]}\"",
            ),
            (
                "zsh",
                ZSH,
                "autoload -Uz compinit && compinit -D -u -d DUMP; source SCRIPT; [ $_comps[crm] = _hacctl ] || exit 1; \
                 _describe() { print -l ${found%%:*} }; BUFFER='crm resource st'; CURSOR=$#BUFFER; _hacctl",
            ),
            ("fish", FISH, "source SCRIPT; complete -C 'crm resource st' | string replace -r '\\t.*' ''"),
        ] {
            let file = folder.join(format!("script.{shell}"));
            std::fs::write(&file, script).expect("can be written");
            let line = line.replace("SCRIPT", &file.display().to_string());
            let line = line.replace("DUMP", &folder.join("dump").display().to_string());
            let mut command = Command::new(shell);
            command.args(["-c", &line]).env("PATH", &path).env("HOME", &folder).env("XDG_CONFIG_HOME", &folder);
            let Ok(output) = command.output() else { continue };
            let said = String::from_utf8_lossy(&output.stdout).into_owned();
            assert_eq!(said, "start\nstop\n", "{shell}: {}", String::from_utf8_lossy(&output.stderr));
        }
        std::fs::remove_dir_all(&folder).expect("can be removed");
    }

    #[test]
    fn options_of_commands_are_known() {
        let found = options(&["simulate".to_owned()]);
        assert!(found.iter().any(|candidate| candidate.word == "--node-down"));
        assert!(found.iter().any(|candidate| candidate.word == "--socket"));
    }
}
