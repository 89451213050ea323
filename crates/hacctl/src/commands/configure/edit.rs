//! `configure edit`: the text form in an editor, and back.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::process::Command;

use hac_crm::cib::{Change, Object};
use hac_model::{Cib, Configuration, FencingLevel, FencingTarget};
use hac_pacemaker::crm_syntax;

use super::{current, must_exist, syntax, take_xml, upsert};
use crate::commands::Context;
use crate::failure::Failure;
use crate::terminal;

/// Opens the objects named (or all) in `$VISUAL`, `$EDITOR` or `vi` and makes the change if there is one.
pub(super) async fn run(context: &Context, ids: &[String]) -> Result<(), Failure> {
    let mut ids = ids.to_vec();
    let xml = take_xml(&mut ids);
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    if !terminal::is_interactive() && std::env::var_os("EDITOR").is_none() && std::env::var_os("VISUAL").is_none() {
        return Err(Failure::usage("edit not allowed in batch mode")
            .with_remedy("Use 'hacctl configure set ID.NAME VALUE' or 'hacctl configure load update FILE'."));
    }
    let (cib, base) = current(context).await?;
    must_exist(&cib.configuration, &ids)?;
    let before = if xml { as_xml(&cib, &ids) } else { crm_syntax::show(&cib.configuration, &ids) };
    let kind = if xml { "xml" } else { "crm" };
    let file = std::env::temp_dir().join(format!("hacctl-edit-{}.{kind}", std::process::id()));
    write(&file, &before).map_err(|error| {
        Failure { exit_code: 73, ..Failure::system(&format!("could not write {}", file.display()), &error) }
            .with_remedy("Set TMPDIR to a folder that you may write to.")
    })?;
    let edited = edit(&file);
    let after = edited.and_then(|()| {
        fs::read_to_string(&file)
            .map_err(|error| Failure::system(&format!("could not read {}", file.display()), &error))
    });
    let after = match after {
        Ok(after) => after,
        Err(failure) => {
            // Nothing was typed that would be lost.
            if fs::read_to_string(&file).is_ok_and(|text| text == before) {
                remove(&file);
                return Err(failure);
            }
            return Err(failure.and(&kept(&file)));
        }
    };
    if after == before {
        remove(&file);
        return context.done("nothing was changed", None);
    }
    let changes = if xml { xml_steps(&before, &after) } else { steps(&cib, &before, &after) };
    let result = match changes {
        Ok(changes) => context.change_since(&changes, Some(base), "").await,
        Err(failure) => Err(failure),
    };
    match result {
        Ok(()) => {
            remove(&file);
            Ok(())
        }
        // What was typed is not lost.
        Err(failure) => Err(failure.and(&kept(&file))),
    }
}

fn kept(file: &Path) -> String {
    format!("Your text is in {}.", file.display())
}

/// The objects as one XML document.
fn as_xml(cib: &Cib, ids: &[&str]) -> String {
    let mut cib = Cib { configuration: cib.configuration.clone(), ..Cib::default() };
    if !ids.is_empty() {
        cib.configuration = super::show::only(cib.configuration.into_inner(), ids).into();
    }
    hac_pacemaker::cib_xml::write(&cib)
}

/// The same for XML.
fn xml_steps(before: &str, after: &str) -> Result<Vec<Change>, Failure> {
    let read = |text: &str| {
        crm_syntax::from_xml(text).map_err(|error| {
            Failure::usage(error.to_string()).with_remedy("Put that place right; nothing was changed.")
        })
    };
    Ok(between(&read(before)?, read(after)?))
}

/// What turns `before` into `after`: objects that are gone are deleted, all others are written as they stand.
fn steps(cib: &Cib, before: &str, after: &str) -> Result<Vec<Change>, Failure> {
    let old = crm_syntax::parse(before).map_err(|error| syntax(&error))?;
    let new = crm_syntax::parse(after).map_err(|error| syntax(&error))?;
    // Fencing levels have no ids in crm's words.
    let (before, after) = (levels(&cib.configuration, &old), levels(&cib.configuration, &new));
    let gone = |level: &&FencingLevel| {
        let key = (level.target.clone(), level.index);
        before.contains(&key) && !after.contains(&key)
    };
    let gone = cib.configuration.fencing_topology.iter().filter(gone);
    let deletions = gone.map(|level| Change::Delete { id: level.id.clone(), force: false });
    Ok(deletions.chain(between(&old, new)).collect())
}

/// Target and index of the fencing levels that changes speak of.
fn levels(configuration: &Configuration, changes: &[Change]) -> Vec<(FencingTarget, u8)> {
    let mut found = Vec::new();
    for change in changes {
        let Change::Put { object: Object::FencingLevel(level), .. } = change else { continue };
        match &level.target {
            FencingTarget::Node(name) if name.is_empty() => {
                let nodes = configuration.nodes.iter();
                found.extend(nodes.map(|node| (FencingTarget::Node(node.uname.clone()), level.index)));
            }
            target => found.push((target.clone(), level.index)),
        }
    }
    found
}

fn between(old: &[Change], new: Vec<Change>) -> Vec<Change> {
    let id = |change: &Change| match change {
        Change::Put { object, .. } if !matches!(object, Object::Node(_)) && !object.id().is_empty() => {
            Some(object.id().to_owned())
        }
        _ => None,
    };
    let kept: Vec<String> = new.iter().filter_map(id).collect();
    let gone = old.iter().filter_map(id).filter(|id| !kept.contains(id));
    let deletions = gone.map(|id| Change::Delete { id, force: false });
    deletions.chain(new.into_iter().map(upsert)).collect()
}

fn write(file: &Path, text: &str) -> std::io::Result<()> {
    let mut out = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(file)?;
    out.write_all(text.as_bytes())
}

/// Opens a file in the editor of this user.
pub(crate) fn edit(file: &Path) -> Result<(), Failure> {
    let editor = ["VISUAL", "EDITOR"]
        .iter()
        .find_map(|name| std::env::var(name).ok().filter(|program| !program.trim().is_empty()))
        .unwrap_or_else(|| "vi".into());
    let mut words = editor.split_whitespace();
    let program = words.next().unwrap_or("vi");
    let status = Command::new(program).args(words).arg(file).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(Failure::usage(format!("the editor '{program}' ended with {status}; nothing was changed"))
            .with_remedy("Try again, or set the variable EDITOR to another one.")),
        Err(error) => Err(Failure::system(&format!("could not start the editor '{program}'"), &error)
            .with_remedy("Set the variable EDITOR to one that is installed.")),
    }
}

fn remove(file: &Path) {
    if let Err(error) = fs::remove_file(file) {
        eprintln!("WARNING: {}", hac_model::plain(&format!("could not remove {}: {error}", file.display())));
    }
}

#[cfg(test)]
mod tests {
    use hac_crm::cib::PutMode;

    use super::*;

    #[test]
    fn an_object_that_was_deleted_in_the_editor_is_deleted() {
        let before = "primitive A ocf:heartbeat:Dummy\nprimitive B ocf:heartbeat:Dummy\n";
        let after = "primitive B ocf:heartbeat:Dummy \\\n\tmeta target-role=Stopped\n";
        let steps = steps(&Cib::default(), before, after).expect("both are right");
        assert_eq!(steps.first(), Some(&Change::Delete { id: "A".into(), force: false }));
        assert!(
            matches!(&steps[1..], [Change::Put { object: Object::Primitive(b), mode: PutMode::Upsert }] if b.id == "B")
        );
    }

    #[test]
    fn fencing_levels_that_were_deleted_in_the_editor_are_deleted() {
        use hac_crm::cib::Replicated as _;
        let cluster = "node 1: n1\nnode 2: n2\nprimitive a stonith:x\nprimitive b stonith:x\nfencing_topology a,b b\n";
        let cib = Cib::default().with_unverified(&crm_syntax::parse(cluster).expect("is right")).expect("can be made");
        let after = |text: &str| {
            let steps = steps(&cib, "fencing_topology a,b b\n", text).expect("both are right");
            let after = cib.with_unverified(&steps).expect("can be made");
            crm_syntax::show(&after.configuration, &["fencing_topology"])
        };
        assert_eq!(after("fencing_topology b\n"), "fencing_topology b\n");
        assert_eq!(after(""), "");
        assert_eq!(after("fencing_topology n1: a b\n"), "fencing_topology \\\n\tn1: a b\n");
    }
}
