//! `hacctl configure`: the configuration in crm's words.
//!
//! A change is read here, sent as steps, agreed by the cluster and stored by every member; the daemon checks it again
//! against the configuration of that moment.

mod edit;
mod file;

use std::process::ExitCode;

use hac_api::{ErrorCode, Version};
use hac_crm::cib::{Change, Object, PutMode};
use hac_model::{Cib, Configuration, Resource};
use hac_pacemaker::crm_syntax;

use super::Context;
use crate::args::Arguments;
use crate::client::Client;
use crate::failure::Failure;
use crate::terminal;

/// The words that are not crm's way of writing an object.
const VERBS: &[&str] = &[
    "show", "delete", "rm", "edit", "verify", "save", "load", "diff", "apply", "commit", "refresh", "conflict", "help",
];

/// Carries out `configure WORDS...`.
pub(crate) async fn run(context: &Context, words: &[String]) -> Result<ExitCode, Failure> {
    let Some((first, rest)) = words.split_first() else {
        return Err(Failure::usage("missing argument: nothing to configure")
            .with_remedy("'hacctl configure --help' lists the words."));
    };
    if verb(first)?.is_some() && wants_help(rest) {
        help()?;
        return Ok(ExitCode::SUCCESS);
    }
    match verb(first)? {
        Some("show") => show(context, rest).await?,
        Some("delete" | "rm") => delete(context, rest).await?,
        Some("edit") => edit::run(context, rest).await?,
        Some("verify") => return super::verify::run(context).await,
        Some("save") => file::save(context, rest).await?,
        Some("load") => file::load(context, rest).await?,
        Some("diff") => file::diff(context, rest).await?,
        Some("conflict") => conflict(context, rest).await?,
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
    let changes: Vec<Change> = changes.into_iter().map(known_node).collect();
    context.change(&changes, "").await
}

/// Nodes are there before anybody configures them: what is said of one is a change.
fn known_node(change: Change) -> Change {
    match change {
        Change::Put { object: object @ Object::Node(_), .. } => Change::Put { object, mode: PutMode::Upsert },
        other => other,
    }
}

/// Takes the options out of `words`: which of the `known` ones are there, and what is left.
///
/// # Errors
/// An option that is not known.
fn options<'w>(words: &'w [String], known: &[&str]) -> Result<(Vec<&'w str>, Vec<&'w str>), Failure> {
    let (options, rest): (Vec<&str>, Vec<&str>) =
        words.iter().map(String::as_str).partition(|word| word.starts_with('-') && *word != "-");
    match options.iter().find(|option| !known.contains(option)) {
        None => Ok((options, rest)),
        Some(unknown) => {
            let failure = Failure::usage(format!("unknown option '{}'", terminal::harmless(unknown)));
            Err(match hac_model::nearest(unknown, known.iter().copied()) {
                Some(near) => failure.with_remedy(format!("Did you mean '{near}'?")),
                None => failure.with_remedy("'hacctl configure --help' shows what it takes."),
            })
        }
    }
}

/// Whether somebody asks for help instead.
fn wants_help(words: &[String]) -> bool {
    words.iter().any(|word| matches!(word.as_str(), "--help" | "-h"))
}

/// What is wrong with a text in crm's words.
fn syntax(error: &crm_syntax::SyntaxError) -> Failure {
    Failure::usage(error.to_string()).with_remedy(error.remedy.clone())
}

/// `configure conflict show|clear`: what this node gave up when both sides of a cut had changed the configuration.
async fn conflict(context: &Context, words: &[String]) -> Result<(), Failure> {
    match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["show"] | [] => {}
        ["clear"] => {
            context.client.command(hac_api::Command::ClearConflict, None).await?;
            return context.done("the files stay, they are not told of any more", None);
        }
        _ => return Err(Failure::usage("conflict is followed by show or clear").with_remedy("Write 'conflict show'.")),
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
            Some(old) => file::compare(&crm_syntax::show(old, &[]), &crm_syntax::show(&now, &[])),
            None => "# its content cannot be read here\n".to_owned(),
        };
        terminal::print(&text)?;
    }
    Ok(())
}

async fn show(context: &Context, words: &[String]) -> Result<(), Failure> {
    let (options, mut ids) = options(words, &["--show-secrets"])?;
    let secrets = options.contains(&"--show-secrets");
    let xml = ids.first() == Some(&"xml");
    if xml {
        ids.remove(0);
    }
    let mut cib = context.client.cib(secrets).await?;
    must_exist(&cib.configuration, &ids)?;
    if xml && ids.is_empty() && !context.json {
        return terminal::print(&hac_pacemaker::cib_xml::write(&cib));
    }
    if xml || context.json {
        cib.configuration = only(cib.configuration, &ids);
    }
    if context.json {
        return terminal::print_json(&cib.configuration);
    }
    if xml {
        return terminal::print(&hac_pacemaker::cib_xml::write(&Cib {
            configuration: cib.configuration,
            ..Cib::default()
        }));
    }
    terminal::print(&crm_syntax::show(&cib.configuration, &ids))
}

/// Nothing but the objects of these ids, and what is inside them; everything if there are none.
fn only(mut configuration: Configuration, ids: &[&str]) -> Configuration {
    if ids.is_empty() {
        return configuration;
    }
    let wanted = |id: &str| ids.contains(&id);
    configuration.nodes.retain(|node| wanted(&node.uname));
    configuration.resources = configuration.resources.into_iter().flat_map(|resource| within(resource, ids)).collect();
    configuration.constraints.retain(|constraint| wanted(constraint.id()));
    configuration.tags.retain(|tag| wanted(&tag.id));
    configuration.fencing_topology.retain(|level| wanted(&level.id) || wanted("fencing_topology"));
    for sets in [&mut configuration.crm_config, &mut configuration.rsc_defaults, &mut configuration.op_defaults] {
        sets.retain(|set| wanted(&set.id));
    }
    configuration
}

/// The resources of these ids in a resource: itself, or what is inside.
fn within(resource: Resource, ids: &[&str]) -> Vec<Resource> {
    if ids.contains(&resource.id()) {
        return vec![resource];
    }
    match resource {
        Resource::Group(group) => group
            .members
            .into_iter()
            .filter(|member| ids.contains(&member.id.as_str()))
            .map(Resource::Primitive)
            .collect(),
        Resource::Clone(clone) => within(*clone.child, ids),
        Resource::Primitive(_) | Resource::Template(_) | Resource::Bundle(_) => Vec::new(),
    }
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
    let (options, ids) = options(words, &["--force", "-f", "-F"])?;
    let force = !options.is_empty();
    if ids.is_empty() {
        return Err(Failure::usage("missing argument: the id of what to delete")
            .with_remedy("Write 'hacctl configure delete ID...'."));
    }
    let changes: Vec<_> = ids.iter().map(|id| Change::Delete { id: (*id).to_owned(), force }).collect();
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
