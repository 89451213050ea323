//! `hacctl configure`: the configuration in crm's words.
//!
//! A change is read here, sent as steps, agreed by the cluster and stored by every member; the daemon checks it again
//! against the configuration of that moment.

mod edit;
mod file;

use std::process::ExitCode;

use hac_api::{ErrorCode, Version};
use hac_crm::cib::{Change, PutMode};
use hac_crm::model::{Cib, Configuration};
use hac_pacemaker::crm_syntax;

use super::Context;
use crate::args::Arguments;
use crate::client::Client;
use crate::failure::Failure;
use crate::terminal;

/// The words that are not crm's way of writing an object.
const VERBS: &[&str] =
    &["show", "delete", "rm", "edit", "verify", "save", "load", "diff", "apply", "commit", "refresh", "help"];

/// Carries out `configure WORDS...`.
pub(crate) async fn run(context: &Context, words: &[String]) -> Result<ExitCode, Failure> {
    let Some((first, rest)) = words.split_first() else {
        return Err(
            Failure::usage("what shall be configured?").with_remedy("'hacctl configure --help' lists the words.")
        );
    };
    match verb(first)? {
        Some("show") => show(context, rest).await?,
        Some("delete" | "rm") => delete(context, rest).await?,
        Some("edit") => edit::run(context, rest).await?,
        Some("verify") => return super::verify::run(context).await,
        Some("save") => file::save(context, rest).await?,
        Some("load") => file::load(context, rest).await?,
        Some("diff") => file::diff(context, rest).await?,
        Some("apply") => file::load(context, &prepend("replace", rest)).await?,
        Some("commit" | "refresh") => {
            context.done("nothing to do: every change is agreed when its command returns", None)?
        }
        Some(_) => help()?,
        None => object(context, words).await?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Which verb `word` is or abbreviates; `None` if it begins an object, as `primitive` does.
fn verb(word: &str) -> Result<Option<&'static str>, Failure> {
    if matches!(word, "--help" | "-h" | "?") {
        return Ok(Some("help"));
    }
    if let Some(exact) = VERBS.iter().find(|v| **v == word) {
        return Ok(Some(exact));
    }
    let mut candidates: Vec<&str> = VERBS.iter().copied().filter(|v| v.starts_with(word)).collect();
    let objects = crm_syntax::KEYWORDS.iter().filter(|k| k.starts_with(word)).count();
    match (candidates.len(), objects) {
        (1, 0) => Ok(candidates.pop()),
        (0, _) => Ok(None),
        _ => {
            candidates.extend(crm_syntax::KEYWORDS.iter().filter(|k| k.starts_with(word)));
            Err(Failure::usage(format!("'{}' may mean {}", terminal::harmless(word), candidates.join(" or ")))
                .with_remedy("Write some more letters of it."))
        }
    }
}

fn prepend(word: &str, rest: &[String]) -> Vec<String> {
    std::iter::once(word.to_owned()).chain(rest.iter().cloned()).collect()
}

fn help() -> Result<(), Failure> {
    use clap::CommandFactory as _;
    let mut command = Arguments::command();
    let text = command.find_subcommand_mut("configure").map(|c| c.render_long_help().to_string());
    terminal::print(&text.unwrap_or_default())
}

/// `configure primitive ...` and all other objects.
async fn object(context: &Context, words: &[String]) -> Result<(), Failure> {
    let changes = crm_syntax::parse_words(words).map_err(|error| syntax(&error))?;
    let findings = super::verify::preview(context, &changes).await?;
    context.change_with(&changes, None, "", findings).await
}

/// What is wrong with a text in crm's words.
fn syntax(error: &crm_syntax::SyntaxError) -> Failure {
    Failure::usage(error.to_string()).with_remedy(error.remedy.clone())
}

async fn show(context: &Context, words: &[String]) -> Result<(), Failure> {
    let secrets = words.iter().any(|w| w == "--show-secrets");
    let xml = words.first().is_some_and(|w| w == "xml");
    let ids: Vec<&str> =
        words.iter().map(String::as_str).filter(|w| !w.starts_with("--") && (!xml || *w != "xml")).collect();
    let cib = context.client.cib(secrets).await?;
    must_exist(&cib.configuration, &ids)?;
    if context.json {
        return terminal::print_json(&cib.configuration);
    }
    if xml {
        return terminal::print(&hac_pacemaker::cib_xml::write(&cib));
    }
    terminal::print(&crm_syntax::show(&cib.configuration, &ids))
}

/// Refuses ids that name nothing in the configuration.
fn must_exist(configuration: &Configuration, ids: &[&str]) -> Result<(), Failure> {
    for id in ids {
        if crm_syntax::show(configuration, &[id]).trim().is_empty() {
            return Err(Failure::new(ErrorCode::NoSuch, format!("object {} does not exist", terminal::harmless(id)))
                .with_remedy("'hacctl configure show' prints all there are."));
        }
    }
    Ok(())
}

async fn delete(context: &Context, words: &[String]) -> Result<(), Failure> {
    let force = words.iter().any(|w| w == "--force" || w == "-f");
    let ids: Vec<&String> = words.iter().filter(|w| !w.starts_with('-')).collect();
    if ids.is_empty() {
        return Err(Failure::usage("what shall be deleted?").with_remedy("Write 'hacctl configure delete ID...'."));
    }
    let changes: Vec<_> = ids.iter().map(|id| Change::Delete { id: (*id).clone(), force }).collect();
    context.change(&changes, "").await
}

/// The same step, whether the object is there already or not.
fn upsert(change: Change) -> Change {
    match change {
        Change::Put { object, .. } => Change::Put { object, mode: PutMode::Upsert },
        other => other,
    }
}

/// The configuration and the version that a change of it starts from.
async fn current(client: &Client) -> Result<(Cib, Version), Failure> {
    let cib = client.cib(false).await?;
    let version = Version {
        admin_epoch: cib.version.admin_epoch,
        epoch: cib.version.epoch,
        num_updates: cib.version.num_updates,
    };
    Ok((cib, version))
}
