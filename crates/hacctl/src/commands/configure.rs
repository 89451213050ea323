//! `hacctl configure`: the configuration in crm's words.
//!
//! A change is read here, sent as steps, agreed by the cluster and stored by every member; the daemon checks it again
//! against the configuration of that moment.

mod edit;
pub(crate) mod file;
mod set;
mod show;
mod toml_form;

use std::process::ExitCode;

use hac_api::ErrorCode;
use hac_crm::cib::{Change, Object, PutMode};
use hac_model::Cib;
use hac_pacemaker::crm_syntax;

pub(crate) use edit::edit as editor;

use super::draft::version;
use super::{Context, undo};
use crate::failure::Failure;
use crate::grammar::{Call, Kind, Options};
use crate::terminal;

/// Carries out `configure WORDS...`.
pub(crate) async fn run(context: &Context, call: &Call) -> Result<ExitCode, Failure> {
    if let [argument] = call.command.arguments
        && argument.1 == Kind::Statement
    {
        let words = std::iter::once(call.command.name().to_owned()).chain(call.all("...").iter().cloned());
        object(context, &words.collect::<Vec<_>>()).await?;
        return Ok(ExitCode::SUCCESS);
    }
    match call.command.name() {
        "show" => show::run(context, call).await?,
        "delete" => delete(context, call).await?,
        "erase" => erase(context, call.get("nodes").is_some()).await?,
        "edit" => edit::run(context, call.all("ID")).await?,
        "set" => set::run(context, call.must("ID.NAME")?, call.must("VALUE")?).await?,
        "default-timeouts" => set::default_timeouts(context, call.all("RSC")).await?,
        "verify" => {
            let ids: Vec<&str> = call.all("ID").iter().map(String::as_str).collect();
            must_exist(&context.cib(false).await?.configuration, &ids)?;
            return super::verify::of(context, &ids).await;
        }
        "save" => file::save(context, call).await?,
        "load" => file::load(context, call.all("[xml] replace|update|push FILE")).await?,
        "apply" => file::apply(context, call.must("FILE")?).await?,
        "import" => file::import(context, call.must("FILE")?).await?,
        "export" => file::export(context, call.must("|")?, call.get("FILE")).await?,
        "diff" => return file::diff(context, call.get("FILE")).await,
        "conflict" => conflict(context, call.get("|")).await?,
        "simulate" => simulate(context, call.all("|")).await?,
        "commit" => commit(context, call.force()).await?,
        "undo" => undo::run(context).await?,
        "get_property" => show::property(context, call.get("NAME"), call.has("-t")).await?,
        "schema" => schema(context, call.get("NAME")).await?,
        "upgrade" => context.done("nothing to do: the configuration is always in the newest form", None)?,
        "cib" => return shadow(context, call.all("WORD")).await,
        _ => context.done("nothing to do: every change is agreed when its command returns", None)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// `configure schema`: there is one.
async fn schema(context: &Context, name: Option<&str>) -> Result<(), Failure> {
    let cib = context.cib(false).await?;
    let known = cib.info.validate_with.as_deref().unwrap_or("pacemaker-3.9");
    match name {
        Some(name) if name != known => {
            let sentence = format!("hacd does not write the schema {}", terminal::harmless(name));
            Err(Failure::new(ErrorCode::NoSuch, sentence).with_remedy(format!("It writes {known} alone.")))
        }
        _ if context.json => terminal::print_json(&serde_json::json!({ "schema": known })),
        _ => terminal::print(known),
    }
}

/// `configure cib ...` is the level `cib`.
async fn shadow(context: &Context, words: &[String]) -> Result<ExitCode, Failure> {
    let Some((first, rest)) = words.split_first() else {
        return Err(Failure::usage("missing argument: what to do").with_remedy("'hacctl cib --help' lists it."));
    };
    let level = crate::grammar::Level::find("cib").ok_or_else(|| Failure::usage("there is no level cib"))?;
    let mut call = Call::read(level, level.command(first)?, rest)?;
    call.everywhere.force |= context.consent.force;
    super::cib::run(context, &call).await
}

/// What is collected is made; without a transaction there is nothing to do.
async fn commit(context: &Context, force: bool) -> Result<(), Failure> {
    let Some(draft) = &context.draft else {
        return context.done("nothing to do: every change is agreed when its command returns", None);
    };
    let collected = draft.get().clone();
    collected.commit(context, force).await?;
    if context.consent.dry_run {
        return Ok(());
    }
    let live = Context { draft: None, ..context.clone() };
    let fresh = super::draft::Draft::begin(&live, &collected.name).await?;
    if !fresh.name.is_empty() {
        super::cib::store(&fresh)?;
    }
    *draft.get() = fresh;
    Ok(())
}

/// `configure simulate`: what would be done now, or with what is collected.
async fn simulate(context: &Context, words: &[String]) -> Result<(), Failure> {
    let live = super::impact::state(context).await?;
    let collected = context.draft.as_ref().map(|draft| draft.get().changes.clone()).unwrap_or_default();
    if !collected.is_empty() {
        let live_context = Context { draft: None, ..context.clone() };
        let impact = super::impact::of(&live_context, &collected).await?;
        if context.json {
            return terminal::print_json(
                &serde_json::json!({ "plan": impact.decisions, "difference": impact.difference }),
            );
        }
        return terminal::print(&terminal::harmless(&impact.text()));
    }
    let scores = words.iter().any(|word| word == "scores");
    let extras = hac_pacemaker::simulate::Extras { scores, ..hac_pacemaker::simulate::Extras::default() };
    let clock = super::simulate::clock(None)?;
    let simulation = hac_pacemaker::simulate::simulate_with(&live, &clock, false, extras);
    if context.json {
        return terminal::print_json(&super::simulate::as_json(&simulation));
    }
    terminal::print(&simulation.report())?;
    if scores { terminal::print(&simulation.outcome.scores.join("\n")) } else { Ok(()) }
}

/// `configure primitive ...` and all other objects.
async fn object(context: &Context, words: &[String]) -> Result<(), Failure> {
    if let [keyword, ..] = words
        && matches!(keyword.as_str(), "ms" | "master")
    {
        super::inform("'ms' is written as a clone with promotable=true");
    }
    let changes = crm_syntax::parse_words(words).map_err(|error| syntax(&error))?;
    let changes: Vec<Change> = changes.into_iter().map(known_node).collect();
    context.change_typed(&changes, "").await
}

/// Nodes are there before anybody configures them: what is said of one is a change.
fn known_node(change: Change) -> Change {
    match change {
        Change::Put { object: object @ Object::Node(_), .. } => Change::Put { object, mode: PutMode::Upsert },
        other => other,
    }
}

/// What is wrong with a text in crm's words.
fn syntax(error: &crm_syntax::SyntaxError) -> Failure {
    Failure::usage(error.to_string()).with_remedy(error.remedy.clone())
}

/// `configure conflict show|clear`: what this node gave up when both sides of a cut had changed the configuration.
async fn conflict(context: &Context, word: Option<&str>) -> Result<(), Failure> {
    if word == Some("clear") {
        context.client.command(hac_api::Command::ClearConflict, None).await?;
        return context.done("the files stay, they are not told of any more", None);
    }
    let conflicts = context.client.conflicts().await?;
    if context.json {
        return terminal::print_json(&conflicts);
    }
    let now = context.client.cib(false).await?.configuration;
    for conflict in conflicts {
        let (file, changes) = (terminal::harmless(&conflict.file), terminal::harmless(&conflict.changes.join(", ")));
        terminal::print(&format!("# {file}: {changes}\n"))?;
        let old = conflict.configuration.and_then(|value| serde_json::from_value(value).ok());
        let text = match &old {
            Some(old) => hac_pacemaker::impact::compare(&crm_syntax::show(old, &[]), &crm_syntax::show(&now, &[])),
            None => "# its content cannot be read here\n".to_owned(),
        };
        terminal::print(&text)?;
    }
    Ok(())
}

/// Refuses ids that name nothing in the configuration.
fn must_exist(configuration: &hac_model::Configuration, ids: &[&str]) -> Result<(), Failure> {
    for id in ids {
        if let Some(kind) = id.strip_prefix("type:") {
            known_kind(kind)?;
        }
        if crm_syntax::show(configuration, &[id]).trim().is_empty() && !id.starts_with("type:") {
            let known = crm_syntax::ids(configuration);
            let known = known.iter().map(|(_, id)| id.as_str()).chain(["changed", "xml"]);
            let near = hac_model::nearest(id, known);
            let near = near.map(|near| format!("Did you mean {near}? ")).unwrap_or_default();
            return Err(Failure::new(ErrorCode::NoSuch, format!("object {} does not exist", terminal::harmless(id)))
                .with_remedy(format!("{near}'hacctl configure show' prints all there are.")));
        }
    }
    Ok(())
}

/// Refuses a keyword that begins no statement. To `crm` it is one of which there are no objects.
fn known_kind(kind: &str) -> Result<(), Failure> {
    let level = crate::grammar::Level::find("configure").map_or(&[][..], |level| level.commands);
    let kinds = level.iter().filter(|command| matches!(command.arguments, [argument] if argument.1 == Kind::Statement));
    let known: Vec<&str> = kinds.flat_map(|command| command.names.iter().copied()).collect();
    if crate::names::is_crm() || known.contains(&kind) {
        return Ok(());
    }
    let near = hac_model::nearest(kind, known.iter().copied()).map(|near| format!("Did you mean type:{near}? "));
    Err(Failure::usage(format!("there is no kind of objects '{}'", terminal::harmless(kind))).with_remedy(format!(
        "{}The kinds are: {}.",
        near.unwrap_or_default(),
        known.join(", ")
    )))
}

async fn delete(context: &Context, call: &Call) -> Result<(), Failure> {
    let force = call.force();
    let changes: Vec<_> = call.all("ID").iter().map(|id| Change::Delete { id: id.clone(), force }).collect();
    let goal = if force { super::reached::Goal::Cleared } else { super::reached::Goal::Change };
    context.change_for(&goal, &changes, "").await
}

/// `configure erase`: all resources, constraints, properties; with `nodes` what is said of nodes too.
async fn erase(context: &Context, nodes: bool) -> Result<(), Failure> {
    let cib = context.cib(false).await?;
    let (_, view) = context.client.view().await?;
    let running: Vec<String> = view.resources.iter().filter(|r| r.flags.active).map(|r| r.name.clone()).collect();
    if !running.is_empty() && context.draft.is_none() && !context.consent.force {
        for name in &running {
            eprintln!("WARNING: resource {} is running, can't delete it", terminal::harmless(name));
        }
        return Err(Failure::new(ErrorCode::Unsafe, "CIB erase aborted (nothing was deleted)")
            .with_remedy(format!("Stop them first: 'hacctl resource stop {}'.", running.join(" "))));
    }
    let mut kept = cib.configuration.nodes.clone();
    if nodes {
        kept.iter_mut().for_each(|node| (node.attributes, node.utilization) = (Vec::new(), Vec::new()));
    }
    let empty = hac_model::Configuration { nodes: kept, ..hac_model::Configuration::default() };
    if !context.consent.yes && !context.consent.force && context.draft.is_none() && !context.consent.dry_run {
        terminal::confirm(
            "this deletes all resources, constraints and properties",
            "Add --yes if that is what you want. Nothing was changed.",
        )?;
    }
    context.change(&[Change::ReplaceConfiguration(Box::new(empty))], "").await
}

/// The same step, whether the object is there already or not.
fn upsert(change: Change) -> Change {
    match change {
        Change::Put { object, .. } => Change::Put { object, mode: PutMode::Upsert },
        other => other,
    }
}

/// The configuration and the version that a change of it starts from.
async fn current(context: &Context) -> Result<(Cib, hac_api::Version), Failure> {
    let cib = context.cib(false).await?;
    let version = version(&cib);
    Ok((cib, version))
}

/// Whether `word` asks for XML, wherever it stands.
fn take_xml(words: &mut Vec<String>) -> bool {
    let before = words.len();
    words.retain(|word| word != "xml");
    words.len() != before
}

/// Reads a line of `configure`: its command by any abbreviation, its words by the table.
pub(crate) fn read(words: &[String]) -> Result<Option<Call>, Failure> {
    let level =
        crate::grammar::Level::find("configure").ok_or_else(|| Failure::usage("there is no level configure"))?;
    let (options, rest) = Options::split(words)?;
    let first = rest.first().map(String::as_str);
    if matches!(first, None | Some("help" | "?")) && (options.help || first.is_some()) {
        return Ok(None);
    }
    let Some(first) = first else {
        return Err(Failure::usage("missing argument: nothing to configure")
            .with_remedy("'hacctl configure --help' lists the words."));
    };
    let at = words.iter().position(|word| word == first).unwrap_or(0);
    let (before, after) = (words.get(..at).unwrap_or_default(), words.get(at + 1..).unwrap_or_default());
    let command = level.command(first).map_err(|failure| crm_syntax_failure(first, failure))?;
    Call::read(level, command, &[before, after].concat()).map(Some)
}

/// What the grammar of statements says of a word is better than that there is no such command.
fn crm_syntax_failure(word: &str, failure: Failure) -> Failure {
    match crm_syntax::parse_words(&[word.to_owned()]) {
        Err(error) if failure.message.contains("No such command") => syntax(&error),
        _ => failure,
    }
}
