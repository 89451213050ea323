//! `hacctl compat`: Pacemaker's names for what agents call.

use std::process::ExitCode;

use hac_compat::NotInstalled;

use crate::args::CompatCommand;
use crate::failure::Failure;

/// Makes the links.
pub(crate) fn run(command: CompatCommand, json: bool) -> Result<ExitCode, Failure> {
    let CompatCommand::Install { folder } = command;
    let program = std::env::current_exe().map_err(|error| Failure::system("could not find hacctl itself", &error))?;
    // A folder that somebody named and that is not there is most likely a slip.
    if !folder.is_dir() {
        let name = folder.display();
        let (sentence, remedy) = if folder.exists() {
            (
                format!("{name} is not a folder"),
                "Name a folder that you may write to, such as /usr/local/sbin.".to_owned(),
            )
        } else {
            let make = format!("Make it with 'mkdir -p {name}', or name one that is there, such as /usr/local/sbin.");
            (format!("there is no folder {name}"), make)
        };
        let failure = Failure { exit_code: 73, ..Failure::usage(format!("{sentence}; nothing was installed")) };
        return Err(failure.with_remedy(remedy));
    }
    let names: Vec<&str> = hac_compat::NAMES.iter().chain(crate::names::NAMES).copied().collect();
    hac_compat::install_names(&folder, &program, &names).map_err(|error| match error {
        NotInstalled::Taken(path) => Failure {
            exit_code: 73,
            message: format!("{} is there already, and is not hacd's; nothing was installed", path.display()),
            remedy: Some("Is Pacemaker installed here? Choose another folder.".to_owned()),
        },
        NotInstalled::Io(path, error) => {
            Failure { exit_code: 73, ..Failure::system(&format!("could not make {}", path.display()), &error) }
                .with_remedy("Name a folder that you may write to.")
        }
    })?;
    if json {
        crate::terminal::print_json(&serde_json::json!({ "folder": folder, "names": names }))?;
        return Ok(ExitCode::SUCCESS);
    }
    eprintln!("INFO: installed {} in {}", names.join(", "), folder.display());
    Ok(ExitCode::SUCCESS)
}
