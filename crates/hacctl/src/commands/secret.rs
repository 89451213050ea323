//! Secrets that are not typed: the value `@FILE` of a secret parameter stands for what is in the file, `@-` for standard
//! input. So they come into no list of processes and no history of a shell.

use std::fs::File;
use std::io::{self, Read};

use hac_crm::cib::{Change, Object};
use hac_model::{NvSet, is_secret};

use crate::failure::Failure;
use crate::terminal;

/// Longest secret, bytes: as long as a parameter may be.
const MAX: u64 = 64 << 10;

/// Puts the secrets into `changes` that are named there by their files.
pub(crate) fn fill_in(changes: &mut [Change]) -> Result<(), Failure> {
    for change in changes {
        match change {
            Change::SetParam { name, value: Some(value), .. } => resolve(name, value)?,
            Change::Put { object, .. } => in_object(object)?,
            _ => {}
        }
    }
    Ok(())
}

/// Whether a secret parameter is given a value in one of these.
pub(crate) fn has_typed(changes: &[Change]) -> bool {
    changes.iter().any(|change| match change {
        Change::SetParam { name, value: Some(_), .. } => is_secret(name),
        Change::Put { object: Object::Primitive(primitive), .. } => {
            primitive.params.iter().flat_map(|set| &set.pairs).any(|pair| is_secret(&pair.name) && pair.value.is_some())
        }
        _ => false,
    })
}

fn in_object(object: &mut Object) -> Result<(), Failure> {
    match object {
        Object::Primitive(primitive) => {
            in_sets(&mut primitive.params)?;
            primitive.operations.iter_mut().try_for_each(|operation| in_sets(&mut operation.params))
        }
        Object::Template(template) => in_sets(&mut template.0.params),
        Object::Group(group) => in_sets(&mut group.params),
        Object::Clone(clone) => in_sets(&mut clone.params),
        _ => Ok(()),
    }
}

fn in_sets(sets: &mut [NvSet]) -> Result<(), Failure> {
    for pair in sets.iter_mut().flat_map(|set| &mut set.pairs) {
        if let Some(value) = &mut pair.value {
            resolve(&pair.name, value)?;
        }
    }
    Ok(())
}

/// `@/FILE` and `@-` become what they stand for; `@@` is an `@` that stands for itself.
fn resolve(name: &str, value: &mut String) -> Result<(), Failure> {
    let Some(rest) = value.strip_prefix('@').filter(|_| is_secret(name)) else { return Ok(()) };
    let source = rest.to_owned();
    if source.starts_with('@') {
        *value = source;
        return Ok(());
    }
    if source != "-" && !source.starts_with(['/', '.']) {
        return Ok(());
    }
    let place = if source == "-" { "standard input".to_owned() } else { terminal::harmless(&source) };
    let read = if source == "-" { text(io::stdin()) } else { File::open(&source).and_then(text) };
    let secret = read.map_err(|error| {
        let failure = match error.kind() {
            io::ErrorKind::IsADirectory => Failure::unread(&place, &error),
            _ => Failure { exit_code: 66, ..Failure::system(&format!("could not read {name} from {place}"), &error) },
        };
        failure.with_remedy(format!(
            "Name a file with the secret alone in it: {name}=@/FILE, or {name}=@- for standard input."
        ))
    })?;
    *value = secret;
    Ok(())
}

/// The text without the end of its last line.
fn text(source: impl Read) -> io::Result<String> {
    let mut text = String::new();
    source.take(MAX + 1).read_to_string(&mut text)?;
    let secret = text.strip_suffix('\n').unwrap_or(&text);
    let secret = secret.strip_suffix('\r').unwrap_or(secret);
    if secret.is_empty() {
        return Err(io::Error::other("there is nothing in it"));
    }
    if secret.len() as u64 > MAX {
        return Err(io::Error::other(format!("it has more than {} KiB", MAX >> 10)));
    }
    Ok(secret.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(name: &str, value: &str) -> Result<String, Failure> {
        let mut changes = [Change::SetParam { resource: "r".into(), name: name.into(), value: Some(value.into()) }];
        fill_in(&mut changes)?;
        let [Change::SetParam { value: Some(value), .. }] = &changes else { panic!("as it was") };
        Ok(value.clone())
    }

    #[test]
    fn a_secret_is_read_from_its_file() {
        let file = std::env::temp_dir().join(format!("hacctl-secret-{}", std::process::id()));
        std::fs::write(&file, "gold-4711\n").expect("can be written");
        let named = format!("@{}", file.display());
        assert_eq!(set("do_token", &named).as_deref(), Ok("gold-4711"));
        assert_eq!(set("ip", &named), Ok(named.clone()), "it is no secret");
        std::fs::write(&file, "\n").expect("can be written");
        assert_eq!(set("do_token", &named).expect_err("is empty").exit_code, 66);
        std::fs::remove_file(&file).expect("can be removed");
        let missing = set("do_token", &named).expect_err("is gone");
        assert!(missing.exit_code == 66 && missing.remedy.is_some_and(|remedy| remedy.contains("do_token=@-")));
    }

    #[test]
    fn an_at_sign_can_be_the_secrets_own() {
        assert_eq!(set("password", "@@/etc").as_deref(), Ok("@/etc"));
        assert_eq!(set("password", "@home").as_deref(), Ok("@home"));
        assert_eq!(set("password", "a@-").as_deref(), Ok("a@-"));
    }
}
