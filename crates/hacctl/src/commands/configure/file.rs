//! `configure save|load|diff`: the configuration as a file in crm's words (or XML).

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::process::ExitCode;

use hac_api::ErrorCode;
use hac_crm::cib::{Change, Command, Configure, Replicated as _};
use hac_model::{Cib, Configuration, Resource};
use hac_pacemaker::impact::compare;
use hac_pacemaker::{cib_xml, crm_syntax};
use hac_types::WallTime;

use super::{current, must_exist, take_xml, toml_form, upsert};
use crate::commands::Context;
use crate::commands::reached::Goal;
use crate::failure::Failure;
use crate::grammar::Call;
use crate::terminal;

/// `save [xml] [ID...] FILE`, with `-` for standard output. Secrets are masked unless they are asked for.
pub(super) async fn save(context: &Context, call: &Call) -> Result<(), Failure> {
    let mut words = call.all("[xml] [ID...] FILE").to_vec();
    let name = words.pop();
    let xml = take_xml(&mut words);
    let Some(name) = name.filter(|name| name != "xml") else {
        return Err(Failure::usage("missing argument: the file to write")
            .with_remedy("Write 'hacctl configure save [xml] FILE'."));
    };
    let secrets = call.has("--show-secrets");
    let cib = context.cib(secrets).await?;
    let ids: Vec<&str> = words.iter().map(String::as_str).collect();
    must_exist(&cib.configuration, &ids)?;
    let text = if xml { cib_xml::write(&cib) } else { crm_syntax::show(&cib.configuration, &ids) };
    if name == "-" {
        return terminal::print(&text);
    }
    if context.consent.dry_run {
        return context.done(&format!("would write {name}; nothing was written (--dry-run)"), None);
    }
    write(&name, &text, secrets)?;
    let masked =
        if secrets { "secrets stand in it in clear, only you can read it" } else { "secrets in it are masked" };
    context.done(&format!("saved the configuration to {name}; {masked}"), None)
}

/// Writes a file; one with secrets for its owner alone.
fn write(name: &str, text: &str, secrets: bool) -> Result<(), Failure> {
    let mode = if secrets { 0o600 } else { 0o644 };
    let written = (|| {
        if secrets {
            // What is there may be readable for others.
            let _ = fs::remove_file(name);
        }
        let mut out = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(name)?;
        out.write_all(text.as_bytes())
    })();
    written.map_err(|error: std::io::Error| {
        Failure { exit_code: 73, ..Failure::system(&format!("could not write {}", terminal::harmless(name)), &error) }
            .with_remedy("Name a file in a folder that you may write to, or '-' for standard output.")
    })
}

/// `export toml|xml|crm [FILE]`.
pub(super) async fn export(context: &Context, form: &str, name: Option<&str>) -> Result<(), Failure> {
    let cib = context.cib(false).await?;
    let text = match form {
        "toml" => toml_form::write(&cib.configuration),
        "xml" => cib_xml::write(&Cib { configuration: cib.configuration, ..Cib::default() }),
        _ => crm_syntax::show(&cib.configuration, &[]),
    };
    match name.filter(|name| *name != "-") {
        None => terminal::print(&text),
        Some(name) => {
            write(name, &text, false)?;
            context.done(&format!("wrote {name}; secrets in it are masked"), None)
        }
    }
}

/// `import FILE`: what is in it is added or replaced, and said line by line.
pub(super) async fn import(context: &Context, name: &str) -> Result<(), Failure> {
    let text = read(name)?;
    let (cib, base) = current(context).await?;
    let changes: Vec<Change> = steps(name, &text)?.into_iter().map(upsert).collect();
    refuse_nothing(name, &changes)?;
    if !context.json {
        for change in &changes {
            let Change::Put { object, .. } = change else { continue };
            // A level of crm's words gets its id where it is put.
            let id = if object.id().is_empty() { "fencing_topology" } else { object.id() };
            let there = !crm_syntax::show(&cib.configuration, &[id]).is_empty();
            super::super::inform(&format!("{} {id}", if there { "replaces" } else { "adds" }));
        }
    }
    context.change_since(&changes, Some(base), &format!("imported {name}")).await
}

/// `apply FILE`: the configuration becomes what the file says.
pub(crate) async fn apply(context: &Context, name: &str) -> Result<(), Failure> {
    replace(context, name, read(name)?).await
}

async fn replace(context: &Context, name: &str, text: String) -> Result<(), Failure> {
    let (cib, base) = current(context).await?;
    let new = whole(&cib, name, &text)?;
    let agreed = context.consent.yes || context.consent.force || context.consent.dry_run || context.draft.is_some();
    if !agreed {
        spare_what_is_there(&cib.configuration, &new)?;
    }
    let changes = [Change::ReplaceConfiguration(Box::new(new))];
    context.change_for_base(&Goal::Cleared, &changes, Some(base), &format!("loaded {name}")).await
}

/// `load [xml] replace|update|push FILE`, with `-` for standard input.
pub(super) async fn load(context: &Context, words: &[String]) -> Result<(), Failure> {
    let mut words = words.to_vec();
    take_xml(&mut words);
    let [method, name] = words.as_slice() else { return Err(usage()) };
    let replaces = match method.as_str() {
        "update" => false,
        // What is not in the file goes: with either word.
        "replace" | "push" => true,
        _ => return Err(usage()),
    };
    let text = read(name)?;
    if replaces {
        refuse_nothing(name, &steps(name, &text)?)?;
        return replace(context, name, text).await;
    }
    let (_, base) = current(context).await?;
    let changes: Vec<Change> = steps(name, &text)?.into_iter().map(upsert).collect();
    refuse_nothing(name, &changes)?;
    context.change_since(&changes, Some(base), &format!("loaded {name}")).await
}

fn refuse_nothing(name: &str, changes: &[Change]) -> Result<(), Failure> {
    if changes.is_empty() {
        return Err(Failure::usage(format!("{} is empty: there is nothing to load", terminal::harmless(name)))
            .with_remedy("Name a file with at least one object, such as 'hacctl configure save FILE' writes."));
    }
    Ok(())
}

/// Refuses to take resources away that nobody named: that needs `--yes`, or a yes on the terminal.
fn spare_what_is_there(old: &Configuration, new: &Configuration) -> Result<(), Failure> {
    let kept: Vec<&str> = new.resources.iter().flat_map(ids_in).collect();
    let gone: Vec<&str> = old.resources.iter().flat_map(ids_in).filter(|id| !kept.contains(id)).collect();
    if gone.is_empty() {
        return Ok(());
    }
    terminal::confirm(
        &format!("this would delete {}, and stop what of it runs", gone.join(", ")),
        "Add --yes if that is what you want; 'hacctl configure diff FILE' shows all differences. Nothing was changed.",
    )
}

/// Ids of a resource and all that is inside.
fn ids_in(resource: &Resource) -> Vec<&str> {
    let mut ids = vec![resource.id()];
    match resource {
        Resource::Group(group) => ids.extend(group.members.iter().map(|member| member.id.as_str())),
        Resource::Clone(clone) => ids.extend(ids_in(&clone.child)),
        Resource::Bundle(bundle) => ids.extend(bundle.primitive.iter().map(|inner| inner.id.as_str())),
        Resource::Primitive(_) | Resource::Template(_) => {}
    }
    ids
}

/// What a text asks for, step by step: in crm's words, as XML or as TOML.
fn steps(name: &str, text: &str) -> Result<Vec<Change>, Failure> {
    match form(text) {
        Form::Xml => crm_syntax::from_xml(text).map_err(|error| misread(name, &error.to_string(), None)),
        Form::Toml => toml_form::read(text).map_err(|error| misread(name, &error.message, error.remedy.as_deref())),
        Form::Crm => crm_syntax::parse(text).map_err(|error| misread(name, &error.to_string(), Some(&error.remedy))),
    }
}

/// How a configuration is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Crm,
    Xml,
    Toml,
}

/// XML begins with `<`, TOML with a table.
fn form(text: &str) -> Form {
    let first = text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#'));
    match first {
        Some(line) if line.starts_with('<') => Form::Xml,
        Some(line) if line.starts_with('[') || line.starts_with("statements") => Form::Toml,
        _ => Form::Crm,
    }
}

/// A mistake in a file, with the file's name and the place in it.
fn misread(name: &str, what: &str, remedy: Option<&str>) -> Failure {
    let name = if name == "-" { "standard input" } else { name };
    let remedy = remedy.unwrap_or("Put that place right.");
    Failure::usage(format!("{}: {what}; nothing was changed", terminal::harmless(name))).with_remedy(remedy)
}

/// `diff FILE`: what `apply FILE` would change; without a file what the transaction would. Secrets are masked on both sides.
/// Exit code 0 in any case.
pub(super) async fn diff(context: &Context, name: Option<&str>) -> Result<ExitCode, Failure> {
    let text = match (name, &context.draft) {
        (Some(name), _) => {
            let text = read(name)?;
            let (cib, _) = current(context).await?;
            let mut new = whole(&cib, name, &text)?;
            hac_model::mask_configuration(&mut new);
            compare(&crm_syntax::show(&cib.configuration, &[]), &crm_syntax::show(&new, &[]))
        }
        (None, Some(draft)) => draft.get().difference()?,
        (None, None) => {
            return Err(Failure::usage("missing argument: the file to compare with")
                .with_remedy("Write 'hacctl configure diff FILE'."));
        }
    };
    if context.json {
        let of = |sign: char| text.lines().filter_map(|line| line.strip_prefix(sign)).collect::<Vec<_>>();
        terminal::print_json(&serde_json::json!({ "removed": of('-'), "added": of('+') }))?;
    } else {
        terminal::print(&text)?;
    }
    Ok(if text.trim().is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn usage() -> Failure {
    Failure::usage("load needs a way and a file")
        .with_remedy("Write 'hacctl configure load [xml] replace|update|push FILE'.")
}

fn read(name: &str) -> Result<String, Failure> {
    if let Some((scheme, _)) = name.split_once("://")
        && scheme != "file"
    {
        let url = terminal::harmless(name);
        return Err(Failure::usage(format!("{url} is not a file; nothing was changed"))
            .with_remedy(format!("Fetch it and hand it over: 'curl -fsS {url} | hacctl configure load update -'.")));
    }
    let name = name.strip_prefix("file://").unwrap_or(name);
    let read = if name == "-" {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).map(|_| text)
    } else {
        fs::read_to_string(name)
    };
    read.map_err(|error| {
        if error.kind() == std::io::ErrorKind::InvalidData {
            return Failure {
                exit_code: 65,
                ..Failure::usage(format!("{} is not UTF-8 text", terminal::harmless(name)))
            }
            .with_remedy("Save it as UTF-8 ('iconv -t UTF-8'); nothing was changed.");
        }
        Failure::unread(&terminal::harmless(name), &error)
            .with_remedy("Name a file that 'hacctl configure save FILE' wrote, or '-' for standard input.")
    })
}

/// The configuration that `text` describes by itself; the cluster's nodes stay.
fn whole(now: &Cib, name: &str, text: &str) -> Result<Configuration, Failure> {
    if form(text) == Form::Xml {
        let mut cib = cib_xml::read_part(text).map_err(|error| misread(name, &error.to_string(), None))?;
        if cib.configuration.nodes.is_empty() {
            cib.configuration.nodes.clone_from(&now.configuration.nodes);
        }
        return Ok(cib.configuration.into_inner());
    }
    let changes = steps(name, text)?;
    // All that is there goes first, so that a masked secret in the text stands for the one that is there.
    let nodes = now.configuration.nodes.clone();
    let nothing = Configuration { nodes, ..Configuration::default() };
    let replace = std::iter::once(Change::ReplaceConfiguration(Box::new(nothing)));
    let changes = replace.chain(changes.into_iter().map(upsert)).collect();
    let mut fresh = now.clone();
    let command = Configure { changes, ..Configure::default() };
    match fresh.apply(&Command::Configure(command), WallTime::default()) {
        hac_crm::cib::Applied::Refused(refusal) => {
            Err(Failure::new(ErrorCode::Invalid, refusal.sentence).with_remedy(refusal.remedy))
        }
        _ => Ok(fresh.configuration.into_inner()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A cluster with this configuration, as the daemon shows it: secrets are masked.
    fn cluster(text: &str) -> Cib {
        let mut cib = Cib::default();
        let changes = crm_syntax::parse(text).expect("is written in crm's words");
        let command = Configure { changes, ..Configure::default() };
        let applied = cib.apply(&Command::Configure(command), WallTime::default());
        assert!(!matches!(applied, hac_crm::cib::Applied::Refused(_)), "{applied:?}");
        cib
    }

    #[test]
    fn what_was_saved_with_masked_secrets_is_the_configuration_that_is_there() {
        let text = "primitive IP ocf:digitalocean:floatip \\\n\tparams do_token=\"********\" floating_ip=192.0.2.1\n\
                    property cib-bootstrap-options: \\\n\tstonith-enabled=false\n";
        // The daemon has a token; what it shows has the mask in its place.
        let mut now = cluster(&text.replace("********", "a token"));
        hac_model::mask_configuration(&mut now.configuration);
        let saved = crm_syntax::show(&now.configuration, &[]);
        let again = whole(&now, "-", &saved).expect("is taken");
        assert_eq!(compare(&saved, &crm_syntax::show(&again, &[])), "");
        // Without what stood there, there is nothing to stand for.
        assert!(whole(&Cib::default(), "-", text).is_err());
        // What is not in the file goes.
        let less = whole(&now, "-", "property stonith-enabled=false\n").expect("is taken");
        assert!(less.resources.is_empty());
    }

    #[test]
    fn a_difference_names_whole_objects() {
        let old = "primitive A Dummy \\\n\tmeta x=1\nprimitive B Dummy\n";
        let new = "primitive A Dummy \\\n\tmeta x=2\nprimitive B Dummy\n";
        assert_eq!(compare(old, new), "-primitive A Dummy \\\n-\tmeta x=1\n+primitive A Dummy \\\n+\tmeta x=2\n");
    }
}
