//! Alerts and notices.

use hac_model::{Alert, Notice, NvSet, Recipient, Select};

use super::attributes::{Referred, Unspeakable, assignment, block, value, word};
use super::paragraph;
use crate::crm_syntax::parse::{BLOCKS, ENDS};
use crate::crm_syntax::xml_form;

/// Writes an alert, as XML if the language has no words for it.
pub(super) fn alert(alert: &Alert, referred: &Referred) -> String {
    match alert_in_words(alert, referred) {
        Ok(lines) => paragraph(&lines),
        Err(Unspeakable) => xml_form::alert(alert),
    }
}

fn alert_in_words(alert: &Alert, referred: &Referred) -> Result<Vec<String>, Unspeakable> {
    if !alert.path.starts_with('/') {
        return Err(Unspeakable);
    }
    let mut lines = vec![format!("alert {} {}", word(&alert.id)?, value(&alert.path)?)];
    lines.extend(described(alert.description.as_ref())?);
    lines.extend(blocks("attributes", &alert.attributes, referred)?);
    lines.extend(blocks("meta", &alert.meta, referred)?);
    lines.extend(select(&alert.select)?);
    for recipient in &alert.recipients {
        lines.push(format!("to {}", recipient_in_words(recipient, referred)?));
    }
    Ok(lines)
}

fn described(description: Option<&String>) -> Result<Option<String>, Unspeakable> {
    description.map(|text| assignment("description", text)).transpose()
}

/// Blocks, each a line. One with a pair that has no value would end before it.
fn blocks(keyword: &str, sets: &[NvSet], referred: &Referred) -> Result<Vec<String>, Unspeakable> {
    if sets.iter().flat_map(|set| &set.pairs).any(|pair| pair.value.is_none() && pair.id_ref.is_none()) {
        return Err(Unspeakable);
    }
    sets.iter().map(|set| block(keyword, set, referred)).collect()
}

fn select(select: &Select) -> Result<Option<String>, Unspeakable> {
    let mut text = "select".to_owned();
    for (name, selected) in [
        ("nodes", select.nodes),
        ("fencing", select.fencing),
        ("resources", select.resources),
        ("attributes", select.attributes),
    ] {
        if selected {
            text.push_str(&format!(" {name}"));
        }
    }
    if select.attributes && !select.names.is_empty() {
        let names = select.names.iter().map(|selected| word(&selected.name));
        let names = names.collect::<Result<Vec<_>, _>>()?;
        if names.iter().any(|name| matches!(*name, "{" | "}")) {
            return Err(Unspeakable);
        }
        text.push_str(&format!(" {{ {} }}", names.join(" ")));
    }
    Ok(Some(text).filter(|_| !select.is_usual()))
}

fn recipient_in_words(recipient: &Recipient, referred: &Referred) -> Result<String, Unspeakable> {
    // Read again, these would begin something else.
    if BLOCKS.contains(&recipient.value.as_str()) || ENDS.contains(&recipient.value.as_str()) {
        return Err(Unspeakable);
    }
    let mut parts = vec![value(&recipient.value)?];
    parts.extend(described(recipient.description.as_ref())?);
    parts.extend(blocks("attributes", &recipient.attributes, referred)?);
    parts.extend(blocks("meta", &recipient.meta, referred)?);
    Ok(parts.join(" "))
}

/// Writes a notice, as XML if the language has no words for it.
pub(super) fn notice(notice: &Notice, referred: &Referred) -> String {
    match notice_in_words(notice, referred) {
        Ok(lines) => paragraph(&lines),
        Err(Unspeakable) => xml_form::notice(notice),
    }
}

fn notice_in_words(notice: &Notice, referred: &Referred) -> Result<Vec<String>, Unspeakable> {
    if !hac_model::NOTICE_FORMS.iter().any(|(form, _, _)| *form == notice.form) {
        return Err(Unspeakable);
    }
    let mut lines = vec![format!("notice {} {}", word(&notice.id)?, notice.form)];
    lines.extend(described(notice.description.as_ref())?);
    for set in &notice.params {
        lines.push(block("params", set, referred)?);
    }
    Ok(lines)
}
