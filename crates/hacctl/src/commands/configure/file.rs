//! `configure save|load|diff`: the configuration as a file in crm's words (or XML).

use std::fs;
use std::io::Read as _;

use hac_api::ErrorCode;
use hac_crm::cib::{Change, Command, Configure, Replicated as _};
use hac_model::{Cib, Configuration, Resource};
use hac_pacemaker::{cib_xml, crm_syntax};
use hac_types::WallTime;

use super::{current, options, upsert};
use crate::commands::Context;
use crate::failure::Failure;
use crate::terminal;

/// `save [xml] FILE`, with `-` for standard output. Secrets are masked.
pub(super) async fn save(context: &Context, words: &[String]) -> Result<(), Failure> {
    let (_, words) = options(words, &[])?;
    let (xml, name) = match words[..] {
        [name] => (false, name),
        ["xml", name] => (true, name),
        _ => {
            return Err(Failure::usage("missing argument: the file to write")
                .with_remedy("Write 'hacctl configure save [xml] FILE'."));
        }
    };
    let cib = context.client.cib(false).await?;
    let text = if xml { cib_xml::write(&cib) } else { crm_syntax::show(&cib.configuration, &[]) };
    if name == "-" {
        return terminal::print(&text);
    }
    fs::write(name, text).map_err(|error| {
        Failure::system(&format!("could not write {name}"), &error)
            .with_remedy("Name a file in a folder that you may write to, or '-' for standard output.")
    })?;
    context.done(&format!("saved the configuration to {name}; secrets in it are masked"), None)
}

/// `load [xml] replace|update FILE [--yes]`, with `-` for standard input.
pub(super) async fn load(context: &Context, words: &[String]) -> Result<(), Failure> {
    let (options, words) = options(words, &["--yes", "-y", "--force", "-F"])?;
    let (xml, method, name) = match words[..] {
        [method, name] => (false, method, name),
        ["xml", method, name] | [method, "xml", name] => (true, method, name),
        _ => return Err(usage()),
    };
    let text = read(name)?;
    let xml = xml || text.trim_start().starts_with('<');
    let (cib, base) = current(&context.client).await?;
    let changes = match method {
        "update" | "push" => steps(name, &text, xml)?.into_iter().map(upsert).collect(),
        "replace" => {
            let new = whole(&cib, name, &text, xml)?;
            if options.is_empty() {
                spare_what_is_there(&cib.configuration, &new)?;
            }
            vec![Change::ReplaceConfiguration(Box::new(new))]
        }
        _ => return Err(usage()),
    };
    if changes.is_empty() {
        return Err(Failure::usage(format!("{} is empty: there is nothing to load", terminal::harmless(name)))
            .with_remedy("Name a file with at least one object, such as 'hacctl configure save FILE' writes."));
    }
    context.change_since(&changes, Some(base), &format!("loaded {name}")).await
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

/// What a text asks for, step by step.
fn steps(name: &str, text: &str, xml: bool) -> Result<Vec<Change>, Failure> {
    if xml {
        return crm_syntax::from_xml(text).map_err(|error| misread(name, &error.to_string(), None));
    }
    crm_syntax::parse(text).map_err(|error| misread(name, &error.to_string(), Some(&error.remedy)))
}

/// A mistake in a file, with the file's name and the place in it.
fn misread(name: &str, what: &str, remedy: Option<&str>) -> Failure {
    let name = if name == "-" { "standard input" } else { name };
    let remedy = remedy.unwrap_or("Put that place right; nothing was changed.");
    Failure::usage(format!("{}: {what}", terminal::harmless(name))).with_remedy(remedy)
}

/// `diff FILE`: what `load replace FILE` would change; exit code 0 in any case. Secrets are masked on both sides.
pub(super) async fn diff(context: &Context, words: &[String]) -> Result<(), Failure> {
    let (_, words) = options(words, &[])?;
    let [name] = words[..] else {
        return Err(Failure::usage("missing argument: the file to compare with")
            .with_remedy("Write 'hacctl configure diff FILE'."));
    };
    let text = read(name)?;
    let (cib, _) = current(&context.client).await?;
    let mut new = whole(&cib, name, &text, text.trim_start().starts_with('<'))?;
    hac_model::mask_configuration(&mut new);
    let (old, new) = (crm_syntax::show(&cib.configuration, &[]), crm_syntax::show(&new, &[]));
    terminal::print(&compare(&old, &new))
}

fn usage() -> Failure {
    Failure::usage("load needs a way and a file")
        .with_remedy("Write 'hacctl configure load [xml] replace|update FILE'.")
}

fn read(name: &str) -> Result<String, Failure> {
    let read = if name == "-" {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).map(|_| text)
    } else {
        fs::read_to_string(name)
    };
    read.map_err(|error| {
        Failure { exit_code: 66, ..Failure::system(&format!("could not read {}", terminal::harmless(name)), &error) }
            .with_remedy("Name a file that 'hacctl configure save FILE' wrote, or '-' for standard input.")
    })
}

/// The configuration that `text` describes by itself; the cluster's nodes stay.
fn whole(now: &Cib, name: &str, text: &str, xml: bool) -> Result<Configuration, Failure> {
    if xml {
        let mut cib = cib_xml::read_part(text).map_err(|error| misread(name, &error.to_string(), None))?;
        if cib.configuration.nodes.is_empty() {
            cib.configuration.nodes.clone_from(&now.configuration.nodes);
        }
        return Ok(cib.configuration);
    }
    let changes = steps(name, text, false)?;
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
        _ => Ok(fresh.configuration),
    }
}

/// The objects that differ, old with `-`, new with `+`.
pub(super) fn compare(old: &str, new: &str) -> String {
    let (old, new) = (objects(old), objects(new));
    let mut text = String::new();
    for object in old.iter().filter(|o| !new.contains(o)) {
        object.lines().for_each(|line| text.push_str(&format!("-{line}\n")));
    }
    for object in new.iter().filter(|o| !old.contains(o)) {
        object.lines().for_each(|line| text.push_str(&format!("+{line}\n")));
    }
    text
}

/// Cuts a text at its objects: a line that begins with a tab goes on with the object before.
fn objects(text: &str) -> Vec<String> {
    let mut objects: Vec<String> = Vec::new();
    for line in text.lines() {
        match objects.last_mut() {
            Some(object) if line.starts_with('\t') => {
                object.push('\n');
                object.push_str(line);
            }
            _ => objects.push(line.to_owned()),
        }
    }
    objects
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
        let again = whole(&now, "-", &saved, false).expect("is taken");
        assert_eq!(compare(&saved, &crm_syntax::show(&again, &[])), "");
        // Without what stood there, there is nothing to stand for.
        assert!(whole(&Cib::default(), "-", text, false).is_err());
        // What is not in the file goes.
        let less = whole(&now, "-", "property stonith-enabled=false\n", false).expect("is taken");
        assert!(less.resources.is_empty());
    }

    #[test]
    fn a_difference_names_whole_objects() {
        let old = "primitive A Dummy \\\n\tmeta x=1\nprimitive B Dummy\n";
        let new = "primitive A Dummy \\\n\tmeta x=2\nprimitive B Dummy\n";
        assert_eq!(compare(old, new), "-primitive A Dummy \\\n-\tmeta x=1\n+primitive A Dummy \\\n+\tmeta x=2\n");
    }
}
