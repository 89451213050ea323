//! Alerts and notices.

use super::Findings;
use hac_model::{
    Alert, Configuration, NOTICE_EVENTS, NOTICE_FORMS, Notice, NvSet, nearest, parse_bool, parse_duration_ms,
};

/// Meta-attributes of alerts.
const META: &[&str] = &["enabled", "timeout", "timestamp-format"];

pub(super) fn check(configuration: &Configuration, findings: &mut Findings) {
    configuration.alerts.iter().for_each(|alert| check_alert(alert, findings));
    configuration.notices.iter().for_each(|notice| check_notice(notice, findings));
}

fn check_alert(alert: &Alert, findings: &mut Findings) {
    if !alert.path.starts_with('/') {
        findings.error(&alert.id, format!("{} is no path of a program", alert.path), "write the whole path");
    }
    check_meta(&alert.id, &alert.meta, findings);
    alert.recipients.iter().for_each(|recipient| check_meta(&alert.id, &recipient.meta, findings));
}

fn check_meta(id: &str, sets: &[NvSet], findings: &mut Findings) {
    for pair in sets.iter().flat_map(|set| &set.pairs).filter(|pair| pair.id_ref.is_none()) {
        let value = pair.value.as_deref().unwrap_or_default();
        match pair.name.as_str() {
            "enabled" if parse_bool(value).is_none() => {
                findings.error(id, format!("enabled is neither true nor false: {value}"), "write true or false");
            }
            "timeout" if parse_duration_ms(value).is_none() => {
                findings.error(id, format!("timeout is no time: {value}"), "write one such as 30s");
            }
            name if !META.contains(&name) => {
                let sentence = format!("unknown meta-attribute {name}");
                match nearest(name, META.iter().copied()) {
                    Some(near) => findings.slip(id, sentence, format!("did you mean {near}?")),
                    None => findings.warning(id, sentence, format!("there are {}", META.join(", "))),
                }
            }
            _ => {}
        }
    }
}

fn check_notice(notice: &Notice, findings: &mut Findings) {
    let id = notice.id.as_str();
    let Some((form, must, may)) = NOTICE_FORMS.iter().find(|(form, ..)| *form == notice.form) else {
        let forms: Vec<&str> = NOTICE_FORMS.iter().map(|(form, ..)| *form).collect();
        let sentence = format!("{} is nothing that a notice can be sent as", notice.form);
        return findings.error(id, sentence, format!("choose one of {}", forms.join(", ")));
    };
    for name in must.iter().filter(|name| notice.get(name).is_none_or(str::is_empty)) {
        findings.error(id, format!("{form} needs {name}"), format!("write {name}=..."));
    }
    let known = || must.iter().chain(*may).copied();
    for pair in notice.params.iter().flat_map(|set| &set.pairs).filter(|pair| pair.id_ref.is_none()) {
        let (name, value) = (pair.name.as_str(), pair.value.as_deref().unwrap_or_default());
        if !known().any(|known| known == name) {
            let near = nearest(name, known());
            let remedy = near.map_or_else(
                || format!("there are {}", known().collect::<Vec<_>>().join(", ")),
                |near| format!("did you mean {near}?"),
            );
            findings.error(id, format!("{form} has no parameter {name}"), remedy);
        }
        let is_address = ["http://", "https://", "secret:"].iter().any(|begin| value.starts_with(begin));
        if name == "url" && !is_address && value != hac_model::MASK {
            findings.error(id, "its url is no address of the web", "write https://..., or secret:NAME");
        }
        if name == "events" {
            let words = value.split([',', ' ']).filter(|word| !word.is_empty());
            for word in words.filter(|word| !NOTICE_EVENTS.contains(word)) {
                let sentence = format!("there are no events of kind {word}");
                findings.error(id, sentence, format!("choose of {}", NOTICE_EVENTS.join(", ")));
            }
        }
        if matches!(name, "to" | "from") && (value.starts_with('-') || value.chars().any(char::is_control)) {
            findings.error(id, format!("{name} is no address of mail"), "write NAME@HOST");
        }
    }
}
