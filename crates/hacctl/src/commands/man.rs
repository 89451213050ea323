//! `hacctl man`: the manual pages of every command, for those who pack a release.

use std::path::Path;
use std::process::ExitCode;

use clap::CommandFactory as _;
use clap_mangen::Man;

use crate::args::Arguments;
use crate::failure::Failure;

/// Writes `hacctl.8` and a page a command, `hacctl-NAME.8`, into a folder that exists.
pub(crate) fn run(folder: &Path) -> Result<ExitCode, Failure> {
    let mut all = crate::grammar::documented(Arguments::command().disable_help_subcommand(true));
    all.build();
    pages(&all, folder)?;
    Ok(ExitCode::SUCCESS)
}

/// The page of a command and those of the commands below it.
fn pages(command: &clap::Command, folder: &Path) -> Result<(), Failure> {
    let name = command.get_display_name().unwrap_or_else(|| command.get_name());
    let path = folder.join(format!("{name}.8"));
    let mut page = Vec::new();
    let rendered = Man::new(command.clone()).section("8").render(&mut page);
    rendered
        .and_then(|()| std::fs::write(&path, page))
        .map_err(|error| Failure::system(&format!("cannot write {}", path.display()), &error))?;
    for below in command.get_subcommands().filter(|below| !below.is_hide_set()) {
        pages(below, folder)?;
    }
    Ok(())
}
