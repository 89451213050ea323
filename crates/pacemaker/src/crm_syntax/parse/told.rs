//! Alerts and notices.

use hac_model::{Alert, NOTICE_FORMS, Notice, NvSet, Recipient, Select, SelectedAttribute};

use super::attributes::{BLOCKS, named_pair, peek_pair, take_option};
use super::{Words, attributes};
use crate::crm_syntax::SyntaxError;

/// Words that end a block of an alert, besides those that begin another one.
pub(in crate::crm_syntax) const ENDS: [&str; 5] = ["select", "to", "{", "}", "description"];

/// Reads `ID PATH [attributes ...] [meta ...] [select ...] [to ...]`.
pub(super) fn alert(words: &mut Words) -> Result<Alert, SyntaxError> {
    let id = words.id("the id of the alert")?;
    let path = words.expect("the program that is run")?;
    if !path.text.starts_with('/') {
        return Err(path.error(
            format!("{} is no path of a program", path.quoted()),
            "Write the whole path, such as /usr/share/pacemaker/alerts/alert_file.sh.",
        ));
    }
    let mut alert = Alert { id, path: path.text, ..Alert::default() };
    alert.description = take_option(words, "description");
    while let Some(token) = words.next() {
        match token.text.as_str() {
            "attributes" | "params" => alert.attributes.push(block(words)?),
            "meta" => alert.meta.push(block(words)?),
            "select" => select(words, &mut alert.select)?,
            "to" => recipients(words, &mut alert.recipients)?,
            _ => {
                return Err(token.error(
                    format!("{} has no place here", token.quoted()),
                    "An alert has attributes, meta, select and to.",
                ));
            }
        }
    }
    Ok(alert)
}

/// What is selected: kinds, and after `attributes` perhaps names in braces.
fn select(words: &mut Words, select: &mut Select) -> Result<(), SyntaxError> {
    let mut any = false;
    loop {
        match words.peek() {
            Some("nodes") => select.nodes = true,
            Some("fencing") => select.fencing = true,
            Some("resources") => select.resources = true,
            // A block of attributes has a value in it.
            Some("attributes") if !words.peek_second().is_some_and(|word| word.contains('=')) => {
                select.attributes = true;
            }
            _ if any => return Ok(()),
            _ => return Err(words.error("nothing is selected", "Write nodes, fencing, resources or attributes.")),
        }
        let attributes = words.peek() == Some("attributes");
        words.skip();
        any = true;
        if attributes && words.take("{") {
            while !words.take("}") {
                let name = words.expect("the name of an attribute, or }")?.text;
                select.names.push(SelectedAttribute { id: String::new(), name });
            }
        }
    }
}

/// Who is told: one after the other, each perhaps in braces with blocks of its own.
fn recipients(words: &mut Words, recipients: &mut Vec<Recipient>) -> Result<(), SyntaxError> {
    let before = recipients.len();
    while let Some(word) = words.peek() {
        let braces = word == "{";
        if braces {
            words.skip();
        } else if recipients.len() > before && BLOCKS.contains(&word) || ENDS.contains(&word) {
            break;
        }
        let id = take_option(words, "$id").unwrap_or_default();
        let value = words.expect("a recipient")?.text;
        let mut recipient = Recipient { id, value, ..Recipient::default() };
        recipient.description = take_option(words, "description");
        loop {
            match words.peek() {
                Some("attributes" | "params") => {
                    words.skip();
                    recipient.attributes.push(block(words)?);
                }
                Some("meta") => {
                    words.skip();
                    recipient.meta.push(block(words)?);
                }
                _ => break,
            }
        }
        if braces && !words.take("}") {
            return Err(words.error("the braces around a recipient are not closed", "Write '}' after it."));
        }
        recipients.push(recipient);
    }
    if recipients.len() == before {
        return Err(words.error("nobody is named", "Write a recipient after 'to', or leave 'to' out."));
    }
    Ok(())
}

/// A block that ends before a word of the alert. Its values are all there: a recipient may follow.
fn block(words: &mut Words) -> Result<NvSet, SyntaxError> {
    let mut set = attributes::block_head(words)?;
    while let Some((name, value)) = peek_pair(words) {
        if ENDS.contains(&name.as_str()) && value.is_none() || value.is_none() && !name.starts_with(['@', '$']) {
            break;
        }
        words.skip();
        set.pairs.push(named_pair(name, value));
    }
    Ok(set)
}

/// Reads `ID FORM [description=...] [params ...]`, or the parameters at once.
pub(super) fn notice(words: &mut Words) -> Result<Notice, SyntaxError> {
    let id = words.id("the id of the notice")?;
    let form = words.expect("what it is sent as: webhook, slack, ntfy or mail")?;
    if !NOTICE_FORMS.iter().any(|(name, _, _)| *name == form.text) {
        return Err(form.error(
            format!("{} is nothing that a notice can be sent as", form.quoted()),
            "Write webhook, slack, ntfy or mail.",
        ));
    }
    let mut notice = Notice { id, form: form.text, ..Notice::default() };
    notice.description = take_option(words, "description");
    words.take("params");
    notice.params.push(attributes::block(words)?);
    while words.take("params") {
        notice.params.push(attributes::block(words)?);
    }
    notice.params.retain(|set| *set != NvSet::default());
    Ok(notice)
}
