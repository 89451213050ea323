//! Carries out a [`Configure`]: on a copy, step by step, then looked through for contradictions, then taken over or refused.

mod attributes;
mod delete;
mod group;
mod put;
mod refer;
mod replace;
mod secrets;
mod sharing;

use std::collections::BTreeSet;

use hac_types::WallTime;

use super::contradictions::contradictions;
use super::{Applied, Change, Changes, Configure, Object, Refusal, RefusalKind};
use hac_model::Cib;

/// Most steps in one command. Far above what a person types; keeps a command within what is worth replicating.
const MAX_CHANGES: usize = 10_000;

/// From so many changes on it is worth knowing which ids there are.
const MANY: usize = 16;

type Step = Result<(), Refusal>;

/// A CIB that is being changed.
struct Draft {
    cib: Cib,
    /// Where the status changed too.
    status: bool,
    warnings: Vec<String>,
    /// The ids of all objects, while it is known which those are.
    ids: Option<BTreeSet<String>>,
}

pub(super) fn apply(cib: &mut Cib, command: &Configure, wall: WallTime) -> Applied {
    match draft(cib, command) {
        Err(refusal) => Applied::Refused(refusal),
        Ok(draft) => adopt(cib, draft, command, wall),
    }
}

/// `cib` as this command would leave it, but for the version.
pub(super) fn candidate(cib: &Cib, command: &Configure) -> Result<Cib, Refusal> {
    Ok(draft(cib, command)?.cib)
}

/// `cib` with these changes made, contradictions and all.
pub(super) fn unverified(cib: &Cib, changes: &[Change]) -> Result<Cib, Refusal> {
    let mut draft = Draft::of(cib);
    draft.steps(changes)?;
    Ok(draft.cib)
}

/// The CIB as it would be.
fn draft(cib: &Cib, command: &Configure) -> Result<Draft, Refusal> {
    check_base(cib, command)?;
    if command.changes.len() > MAX_CHANGES {
        return Err(Refusal::new(
            format!("{} changes at once are too many, {MAX_CHANGES} are allowed", command.changes.len()),
            "make them in several steps",
        ));
    }
    let mut draft = Draft::of(cib);
    draft.steps(&command.changes)?;
    secrets::keep_masked(&cib.configuration, &mut draft.cib.configuration)?;
    check_contradictions(cib, &draft)?;
    Ok(draft)
}

fn check_base(cib: &Cib, command: &Configure) -> Step {
    let Some(base) = command.base else { return Ok(()) };
    if (base.admin_epoch, base.epoch) == (cib.version.admin_epoch, cib.version.epoch) {
        return Ok(());
    }
    Err(Refusal::new(
        format!(
            "CIB changed in the meantime: won't touch it! (it was {}.{}, it is {}.{})",
            base.admin_epoch, base.epoch, cib.version.admin_epoch, cib.version.epoch
        ),
        "look at the configuration as it is now and make the change again",
    )
    .of(RefusalKind::Old))
}

/// A new contradiction refuses. One that was there before may stay, so that a bad configuration can be mended bit by bit.
fn check_contradictions(before: &Cib, draft: &Draft) -> Step {
    let after = contradictions(&draft.cib.configuration);
    if after.is_empty() {
        return Ok(());
    }
    let old = contradictions(&before.configuration);
    match after.into_iter().find(|contradiction| !old.contains(contradiction)) {
        None => Ok(()),
        Some(new) => Err(new.into()),
    }
}

fn adopt(cib: &mut Cib, draft: Draft, command: &Configure, wall: WallTime) -> Applied {
    let configuration = draft.cib.configuration != cib.configuration;
    if !configuration && !draft.status {
        return Applied::Unchanged;
    }
    *cib = draft.cib;
    if configuration {
        cib.version.configuration_changed();
        cib.info.last_changed_ms = Some(wall.0);
        cib.info.update_origin = Some(command.origin.clone());
        cib.info.update_client = Some(command.client.clone());
        cib.info.update_user = Some(command.user.clone());
    } else {
        cib.version.status_changed();
    }
    Applied::Changed(Changes { configuration, warnings: draft.warnings, ..Changes::default() })
}

impl Draft {
    fn of(cib: &Cib) -> Self {
        Self { cib: cib.clone(), status: false, warnings: Vec::new(), ids: None }
    }

    /// Whether no object has this id, as far as that is known without looking through all of them.
    fn is_new(&self, id: &str) -> bool {
        self.ids.as_ref().is_some_and(|ids| !ids.contains(id))
    }

    /// Makes the changes. What names an object that only a later change creates waits for that one.
    fn steps(&mut self, changes: &[Change]) -> Step {
        let mut waiting: Vec<&Change> = changes.iter().collect();
        if waiting.len() >= MANY {
            self.ids = Some(refer::ids(&self.cib.configuration));
        }
        loop {
            let before = waiting.len();
            let mut missing = None;
            let mut still = Vec::new();
            for change in waiting {
                match self.step(change) {
                    Ok(()) => {}
                    Err(refusal) if refusal.kind == RefusalKind::NoSuch && creates(change) => {
                        missing.get_or_insert(refusal);
                        still.push(change);
                    }
                    Err(refusal) => return Err(refusal),
                }
            }
            match missing {
                None => break,
                Some(refusal) if still.len() == before => return Err(refusal),
                Some(_) => waiting = still,
            }
        }
        sharing::resolve(&mut self.cib.configuration);
        Ok(())
    }

    fn step(&mut self, change: &Change) -> Step {
        // What may take an object away leaves it open which there are.
        match change {
            Change::Put { object: Object::Bundle(_), .. }
            | Change::Delete { .. }
            | Change::Rename { .. }
            | Change::ModGroup { .. }
            | Change::ReplaceConfiguration(_) => self.ids = None,
            _ => {}
        }
        match change {
            Change::Put { object, mode } => {
                put::put(self, object.clone(), *mode)?;
                if let Some(ids) = &mut self.ids {
                    ids.insert(object.id().to_owned());
                }
                Ok(())
            }
            Change::Delete { id, force } => delete::delete(self, id, *force),
            Change::SetProperties { section, set, pairs } => {
                attributes::set_properties(self, *section, set.as_deref(), pairs);
                Ok(())
            }
            Change::PutSet { section, set } => {
                attributes::put_set(self, *section, set.clone());
                Ok(())
            }
            Change::AddOperation { resource, operation } => {
                attributes::add_operation(self, resource, operation.clone())
            }
            Change::SetMeta { resource, name, value } => attributes::set_meta(self, resource, name, value.as_deref()),
            Change::SetParam { resource, name, value } => attributes::set_param(self, resource, name, value.as_deref()),
            Change::SetNodeAttribute { node, name, value, lifetime } => {
                attributes::set_node_attribute(self, node, name, value.as_deref(), *lifetime)
            }
            Change::Rename { from, to } => refer::rename(self, from, to),
            Change::ModGroup { group, edit } => group::edit(self, group, edit),
            Change::ReplaceConfiguration(configuration) => {
                replace::replace(self, configuration.as_ref().clone());
                Ok(())
            }
            #[cfg(feature = "level2")]
            Change::SetWord(word) => {
                self.cib.configuration.word = hac_model::level_two::Word(word.0.clone());
                Ok(())
            }
        }
    }

    fn warn(&mut self, sentence: String) {
        self.warnings.push(sentence);
    }
}

/// Whether a change makes something that may name what comes later.
const fn creates(change: &Change) -> bool {
    matches!(change, Change::Put { .. } | Change::AddOperation { .. })
}

/// There is no object of this id.
fn unknown(id: &str) -> Refusal {
    Refusal::new(format!("object {id} does not exist"), "'hacctl configure show' lists what there is")
        .of(RefusalKind::NoSuch)
}

#[cfg(test)]
mod tests;
