//! Shadow configurations (`hacctl cib ...`, `-c NAME`): drafts in files of this user, which change nothing until they are
//! committed.

use std::fs;
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::process::ExitCode;

use hac_api::ErrorCode;

use super::Context;
use super::draft::{Draft, Shared};
use crate::failure::Failure;
use crate::grammar::Call;
use crate::terminal;

/// Carries out one of the commands.
pub(crate) async fn run(context: &Context, call: &Call) -> Result<ExitCode, Failure> {
    let live = &Context { draft: None, ..context.clone() };
    let current = context.draft.as_ref().map(|draft| draft.get().name.clone()).filter(|name| !name.is_empty());
    let named = || {
        let name = call.owned("SHADOW").or_else(|| current.clone());
        name.ok_or_else(|| {
            Failure::usage("missing argument: <SHADOW>").with_remedy("'hacctl cib list' shows what there is.")
        })
    };
    match call.command.name() {
        "new" => {
            let name = call.owned("SHADOW").unwrap_or_else(|| "shadow".to_owned());
            let force = call.force() || call.all("|").iter().any(|word| word == "force");
            if path(&name)?.exists() && !force {
                return Err(Failure::new(
                    ErrorCode::Exists,
                    format!("there is a shadow configuration '{name}' already"),
                )
                .with_remedy(format!(
                    "Work on it with 'hacctl -c {name} configure ...', or add --force to begin anew."
                )));
            }
            let mut draft = Draft::begin(live, &name).await?;
            if call.all("|").iter().any(|word| word == "empty") {
                let nodes = draft.before.configuration.nodes.clone();
                let empty = hac_model::Configuration { nodes, ..hac_model::Configuration::default() };
                draft.changes.push(hac_crm::cib::Change::ReplaceConfiguration(Box::new(empty)));
            }
            store(&draft)?;
            context.done(
                &format!("cib.new: {name} shadow CIB created; work on it with 'hacctl -c {name} configure ...'"),
                None,
            )?;
        }
        "use" => {
            // In one command there is nothing after it: what it says is that the shadow is there.
            let name = call.owned("SHADOW").unwrap_or_else(|| "live".to_owned());
            if name != "live" {
                load(&name)?;
            }
            let how = if name == "live" { String::new() } else { format!(" -c {name}") };
            context.done(&format!("write 'hacctl{how} configure ...', or use it in the shell ('hacctl')"), None)?;
        }
        "list" if context.json => terminal::print_json(&serde_json::json!({ "shadows": list()? }))?,
        "list" => terminal::print(&list()?.join("\n"))?,
        "diff" => terminal::print(&terminal::harmless(&load(&named()?)?.difference()?))?,
        "commit" => {
            let name = named()?;
            load(&name)?.commit(live, call.force()).await?;
            if !context.consent.dry_run {
                store(&Draft::begin(live, &name).await?)?;
            }
        }
        "delete" => {
            let name = named()?;
            load(&name)?;
            remove(&name)?;
            context.done(&format!("{name} deleted"), None)?;
        }
        "reset" => {
            let name = named()?;
            load(&name)?;
            store(&Draft::begin(live, &name).await?)?;
            context.done(&format!("{name} is a copy of the configuration in force again"), None)?;
        }
        _ => {
            let name = call.owned("SHADOW").unwrap_or_else(|| "shadow".to_owned());
            let shared = Shared::new(Draft::begin(live, &name).await?);
            let shadowed = Context { draft: Some(shared), ..live.clone() };
            super::configure::file::apply(&shadowed, call.must("FILE")?).await?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Where they are: a folder of this user.
pub(crate) fn folder() -> PathBuf {
    let home = || PathBuf::from(std::env::var_os("HOME").unwrap_or_else(|| "/root".into())).join(".local/state");
    let state = std::env::var_os("XDG_STATE_HOME").filter(|path| !path.is_empty());
    state.map_or_else(home, PathBuf::from).join("hacctl")
}

fn path(name: &str) -> Result<PathBuf, Failure> {
    let good = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
    if good && name != "live" {
        return Ok(folder().join(format!("shadow.{name}.json")));
    }
    Err(Failure::usage(format!("'{}' is no name of a shadow configuration", terminal::harmless(name)))
        .with_remedy("A name has letters, digits, '-' and '_'; 'live' is the configuration in force."))
}

/// Writes it so that only this user can read it.
pub(super) fn store(draft: &Draft) -> Result<(), Failure> {
    let path = path(&draft.name)?;
    let text = serde_json::to_string(draft).map_err(|error| Failure::system("could not write JSON", &error))?;
    write_private(&path, &text)
}

/// Writes a file for its owner alone, whole or not at all.
pub(super) fn write_private(path: &std::path::Path, text: &str) -> Result<(), Failure> {
    let fresh = path.with_extension("new");
    let written = (|| {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let mut out = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&fresh)?;
        out.write_all(text.as_bytes())?;
        fs::rename(&fresh, path)
    })();
    written.map_err(|error| {
        Failure { exit_code: 73, ..Failure::system(&format!("could not write {}", path.display()), &error) }
            .with_remedy("Make room there, or set XDG_STATE_HOME to another folder.")
    })
}

/// The shadow configuration of this name.
pub(crate) fn load(name: &str) -> Result<Draft, Failure> {
    let path = path(name)?;
    let text = fs::read_to_string(&path).map_err(|error| match error.kind() {
        ErrorKind::NotFound => Failure::new(ErrorCode::NoSuch, format!("{name}: no such shadow CIB"))
            .with_remedy(format!("Make it with 'hacctl cib new {name}'; 'hacctl cib list' shows what there is.")),
        _ => Failure::system(&format!("could not read {}", path.display()), &error),
    })?;
    serde_json::from_str(&text).map_err(|error| {
        Failure::new(ErrorCode::Invalid, format!("{} cannot be read: {error}", path.display()))
            .with_remedy(format!("Remove it with 'rm {}' and begin anew.", path.display()))
    })
}

fn remove(name: &str) -> Result<(), Failure> {
    let path = path(name)?;
    fs::remove_file(&path).map_err(|error| Failure::system(&format!("could not remove {}", path.display()), &error))
}

fn list() -> Result<Vec<String>, Failure> {
    let entries = match fs::read_dir(folder()) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Failure::system("could not list shadow configurations", &error)),
    };
    let names = entries.flatten().filter_map(|entry| {
        let name = entry.file_name().into_string().ok()?;
        Some(name.strip_prefix("shadow.")?.strip_suffix(".json")?.to_owned())
    });
    let mut names: Vec<String> = names.collect();
    names.sort();
    Ok(names)
}
