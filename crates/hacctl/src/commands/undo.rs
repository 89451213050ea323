//! `configure undo`: the configuration before the last change that this user made on this node.

use std::fs;
use std::path::PathBuf;

use hac_api::{ErrorCode, Version};
use hac_crm::cib::Change;
use hac_model::Configuration;
use serde::{Deserialize, Serialize};

use super::draft::version;
use super::impact::{Impact, difference};
use super::{Context, cib};
use crate::failure::Failure;
use crate::terminal;

/// What was before a change.
#[derive(Serialize, Deserialize)]
struct Kept {
    /// The version after the change.
    after: Version,
    /// The configuration before it, as root sees it.
    before: Configuration,
    /// What the change was, in crm's words.
    difference: String,
}

fn path() -> PathBuf {
    cib::folder().join("undo.json")
}

/// Keeps what was before a change. Without it there is no undo, and that is all.
pub(super) fn remember(impact: &Impact, after: Version) {
    if impact.difference.is_empty() {
        return;
    }
    let (before, difference) = (impact.before.configuration.clone().into_inner(), impact.difference.clone());
    if let Ok(text) = serde_json::to_string(&Kept { after, before, difference }) {
        let _ = cib::write_private(&path(), &text);
    }
}

/// Takes the last change back, if nothing was changed since.
pub(super) async fn run(context: &Context) -> Result<(), Failure> {
    let none = || {
        Failure::new(ErrorCode::NoSuch, "no change of this user on this node is remembered")
            .with_remedy("Undo it on the node where it was made, or load a saved configuration: 'hacctl configure load replace FILE'.")
    };
    let text = fs::read_to_string(path()).map_err(|_| none())?;
    let kept: Kept = serde_json::from_str(&text).map_err(|_| none())?;
    let now = context.client.cib(false).await?;
    let current = version(&now);
    if (current.admin_epoch, current.epoch) != (kept.after.admin_epoch, kept.after.epoch) && !context.consent.force {
        let mut wanted = now.clone();
        wanted.configuration = kept.before.into();
        eprint!("{}", terminal::harmless(&difference(&now, &wanted)));
        return Err(Failure::new(
            ErrorCode::Old,
            "the configuration was changed since; undoing would take that back too (see above)",
        )
        .with_remedy("Add --force if that is what you want. Nothing was changed."));
    }
    if !context.json {
        eprint!("Taking back:\n{}", terminal::harmless(&kept.difference));
    }
    let change = Change::ReplaceConfiguration(Box::new(kept.before));
    context
        .change_since(&[change], Some(current), "the last change is undone; 'configure undo' again makes it anew")
        .await
}
