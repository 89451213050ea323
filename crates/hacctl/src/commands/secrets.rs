//! `hacctl secret`: values that the cluster keeps for its resources and shows to nobody.
//!
//! A secret is a cluster property whose name is that of a secret, in a set of its own; so it is replicated and stored with the
//! configuration, and masked wherever that is shown. A parameter names it as `secret:NAME`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Subcommand;
use hac_api::ErrorCode;
use hac_crm::cib::{Change, Object, Section};
use hac_model::{Configuration, MASK, NvSet, Primitive, Resource, SECRETS, is_secret, secret_behind, secret_property};
use zeroize::Zeroizing;

use super::Context;
use crate::failure::Failure;
use crate::terminal;

/// Longest secret, bytes.
const MAX: usize = 4096;

/// `hacctl secret ...`
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum SecretCommand {
    /// Keep a secret, or give it another value: asked for without being shown, or from a file
    Set {
        /// Its name, such as do_token; a parameter names it as secret:do_token
        name: String,
        /// A file with the secret alone in it; - is standard input
        #[arg(long, value_name = "FILE")]
        file: Option<PathBuf>,
    },
    /// Names of the secrets and who uses them, never a value
    List,
    /// Forget a secret that nobody uses
    Delete {
        /// Which
        name: String,
    },
}

/// Carries out a command about secrets.
pub(crate) async fn run(context: &Context, command: &SecretCommand) -> Result<ExitCode, Failure> {
    match command {
        SecretCommand::Set { name, file } => set(context, name, file.as_deref()).await?,
        SecretCommand::List => list(context).await?,
        SecretCommand::Delete { name } => delete(context, name).await?,
    }
    Ok(ExitCode::SUCCESS)
}

fn property(name: &str) -> Result<String, Failure> {
    secret_property(name).ok_or_else(|| {
        Failure::usage(format!("'{}' cannot be the name of a secret", terminal::harmless(name)))
            .with_remedy("Use up to 64 letters, digits, _ and -, and no name that ends as that of a file.")
    })
}

async fn set(context: &Context, name: &str, file: Option<&Path>) -> Result<(), Failure> {
    let property = property(name)?;
    let value = match file {
        Some(file) => read(file)?,
        None => {
            let instead = format!("Write 'hacctl secret set {name} --file FILE', with - for standard input.");
            terminal::ask_hidden(&format!("{name} (not shown): "), &instead)?
        }
    };
    if value.is_empty() || value.len() > MAX || value.chars().any(char::is_control) || value.as_str() == MASK {
        return Err(Failure::usage(format!("this cannot be a secret: it has one line of 1 to {MAX} bytes"))
            .with_remedy("Nothing was changed."));
    }
    let pairs = vec![(property, Some(value.to_string()))];
    let change = Change::SetProperties { section: Section::CrmConfig, set: Some(SECRETS.to_owned()), pairs };
    context.change(&[change], &format!("the secret {name} is kept; secret:{name} stands for it in a parameter")).await
}

fn read(file: &Path) -> Result<Zeroizing<String>, Failure> {
    let text =
        if file.as_os_str() == "-" { std::io::read_to_string(std::io::stdin()) } else { std::fs::read_to_string(file) };
    let text = text.map(Zeroizing::new).map_err(|error| Failure::unread(&file.display(), &error))?;
    Ok(Zeroizing::new(text.trim_end_matches(['\n', '\r']).to_owned()))
}

/// Names of the secrets there are.
pub(crate) fn names(configuration: &Configuration) -> Vec<String> {
    let pairs = configuration.crm_config.iter().flat_map(|set| &set.pairs);
    let mut names: Vec<String> =
        pairs.filter_map(|pair| pair.name.strip_prefix("secret-").map(str::to_owned)).collect();
    names.sort();
    names.dedup();
    names
}

/// The parameters of a resource that name a secret: as `RESOURCE NAME`, and the secret.
pub(crate) fn used(configuration: &Configuration) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut look = |id: &str, sets: &[NvSet]| {
        for pair in sets.iter().flat_map(|set| &set.pairs) {
            if let Some(secret) = pair.value.as_deref().and_then(|value| secret_behind(&pair.name, value)) {
                found.push((secret.to_owned(), format!("{id} {}", pair.name)));
            }
        }
    };
    for resource in &configuration.resources {
        walk(resource, &mut look);
    }
    found
}

fn walk(resource: &Resource, look: &mut impl FnMut(&str, &[NvSet])) {
    let mut primitive = |primitive: &Primitive| {
        look(&primitive.id, &primitive.params);
        primitive.operations.iter().for_each(|operation| look(&primitive.id, &operation.params));
    };
    match resource {
        Resource::Primitive(one) => primitive(one),
        Resource::Template(template) => primitive(&template.0),
        Resource::Group(group) => group.members.iter().for_each(primitive),
        Resource::Bundle(bundle) => bundle.primitive.iter().for_each(primitive),
        Resource::Clone(clone) => walk(&clone.child, look),
    }
}

async fn list(context: &Context) -> Result<(), Failure> {
    let configuration = context.client.cib(true).await?.configuration;
    let uses = used(&configuration);
    let row = |name: &String| {
        let by: Vec<&str> = uses.iter().filter(|(secret, _)| secret == name).map(|(_, by)| by.as_str()).collect();
        (name.clone(), by.into_iter().map(str::to_owned).collect::<Vec<_>>())
    };
    let rows: Vec<(String, Vec<String>)> = names(&configuration).iter().map(row).collect();
    if context.json {
        let rows: Vec<_> = rows.iter().map(|(name, by)| serde_json::json!({ "name": name, "used_by": by })).collect();
        return terminal::print_json(&rows);
    }
    if rows.is_empty() {
        eprintln!("INFO: there are no secrets; 'hacctl secret set NAME' keeps one");
    }
    let line = |(name, by): &(String, Vec<String>)| {
        let by = if by.is_empty() { "not used".to_owned() } else { format!("used by {}", by.join(", ")) };
        format!("{}: {}\n", terminal::harmless(name), terminal::harmless(&by))
    };
    terminal::print(&rows.iter().map(line).collect::<String>())
}

async fn delete(context: &Context, name: &str) -> Result<(), Failure> {
    let property = property(name)?;
    let configuration = context.client.cib(true).await?.configuration;
    if !names(&configuration).iter().any(|known| known == name) {
        return Err(Failure::new(ErrorCode::NoSuch, format!("there is no secret {name}"))
            .with_remedy("'hacctl secret list' has the names."));
    }
    if let Some((_, by)) = used(&configuration).iter().find(|(secret, _)| secret == name) {
        return Err(Failure::new(ErrorCode::Unsafe, format!("the secret {name} is used by {by}"))
            .with_remedy("Give that parameter another value first."));
    }
    let change = Change::SetProperties {
        section: Section::CrmConfig,
        set: Some(SECRETS.to_owned()),
        pairs: vec![(property, None)],
    };
    context.change(&[change], &format!("the secret {name} is forgotten")).await
}

/// A secret that was typed into a parameter becomes a named one, which the parameter names: what is to be done for that,
/// and the sentences about it. `known` is the configuration so far, in clear.
pub(crate) fn move_typed(changes: &mut Vec<Change>, known: &Configuration) -> Vec<String> {
    let mut moved: Vec<(String, String)> = Vec::new();
    let mut told = Vec::new();
    let mut one = |resource: &str, parameter: &str, value: &mut Option<String>| {
        let Some(text) = value.as_deref().filter(|text| is_typed(parameter, text)) else { return };
        let Some(name) = free_name(resource, parameter, text, known, &moved) else { return };
        told.push(format!("{parameter} of {resource} was moved to the secret {name}; no command shows it from now on"));
        moved.push((name.clone(), text.to_owned()));
        *value = Some(format!("secret:{name}"));
    };
    for change in changes.iter_mut() {
        match change {
            Change::SetParam { resource, name, value } => one(&resource.clone(), &name.clone(), value),
            Change::Put { object: Object::Primitive(primitive), .. } => {
                let id = primitive.id.clone();
                for pair in primitive.params.iter_mut().flat_map(|set| &mut set.pairs) {
                    one(&id, &pair.name.clone(), &mut pair.value);
                }
            }
            _ => {}
        }
    }
    let pairs: Vec<(String, Option<String>)> =
        moved.into_iter().filter_map(|(name, value)| Some((secret_property(&name)?, Some(value)))).collect();
    if !pairs.is_empty() {
        changes.insert(0, Change::SetProperties { section: Section::CrmConfig, set: Some(SECRETS.to_owned()), pairs });
    }
    told
}

/// Whether this is a secret itself and not its name, its mask or the file that it comes from.
fn is_typed(parameter: &str, value: &str) -> bool {
    is_secret(parameter) && !value.is_empty() && value != MASK && secret_behind(parameter, value).is_none()
}

/// A name for the secret: the parameter's if that is free or has this value already, else with the resource in front.
fn free_name(
    resource: &str,
    parameter: &str,
    value: &str,
    known: &Configuration,
    moved: &[(String, String)],
) -> Option<String> {
    let own: String = resource.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    [parameter.to_owned(), format!("{own}-{parameter}")].into_iter().find(|name| {
        let Some(property) = secret_property(name) else { return false };
        let stored = known.property(&property);
        let now = moved.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str());
        [stored, now].into_iter().flatten().all(|other| other == value)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(value: &str) -> Change {
        Change::SetParam { resource: "FloatIP".to_owned(), name: "do_token".to_owned(), value: Some(value.to_owned()) }
    }

    #[test]
    fn a_typed_token_becomes_a_named_secret() {
        let mut changes = vec![typed("gold-4711")];
        let told = move_typed(&mut changes, &Configuration::default());
        assert_eq!(told, ["do_token of FloatIP was moved to the secret do_token; no command shows it from now on"]);
        let [Change::SetProperties { set, pairs, .. }, Change::SetParam { value, .. }] = changes.as_slice() else {
            panic!("{changes:?}")
        };
        assert_eq!(set.as_deref(), Some(SECRETS));
        assert_eq!(pairs, &[("secret-do_token".to_owned(), Some("gold-4711".to_owned()))]);
        assert_eq!(value.as_deref(), Some("secret:do_token"));
    }

    #[test]
    fn what_is_no_typed_secret_stays() {
        for value in ["secret:other", MASK, ""] {
            let mut changes = vec![typed(value)];
            assert!(move_typed(&mut changes, &Configuration::default()).is_empty(), "{value}");
            assert_eq!(changes, [typed(value)]);
        }
    }

    #[test]
    fn another_value_gets_another_name() {
        let pair = hac_model::NvPair {
            name: "secret-do_token".to_owned(),
            value: Some("silver".to_owned()),
            ..hac_model::NvPair::default()
        };
        let set = NvSet { id: SECRETS.to_owned(), pairs: vec![pair], ..NvSet::default() };
        let known = Configuration { crm_config: vec![set], ..Configuration::default() };
        let mut changes = vec![typed("gold")];
        move_typed(&mut changes, &known);
        assert!(
            matches!(&changes[1], Change::SetParam { value: Some(value), .. } if value == "secret:FloatIP-do_token")
        );
        let mut same = vec![typed("silver")];
        move_typed(&mut same, &known);
        assert!(matches!(&same[1], Change::SetParam { value: Some(value), .. } if value == "secret:do_token"));
    }
}
