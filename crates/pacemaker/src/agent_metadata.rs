//! What a resource agent says of itself (`meta-data`), as far as people and checks need it.
//!
//! Agents write this by hand, so the reader forgives: what is missing is empty, what is unknown is passed over, a
//! document type is never fetched, and reading ends at the first thing that is no XML.

use std::collections::BTreeSet;

use quick_xml::XmlVersion;
use quick_xml::events::{BytesStart, Event};
use quick_xml::reader::Reader;

use hac_model::parse_bool;

/// Longest text read, bytes. The longest of the shipped agents' has about 60 KiB.
const MAX_BYTES: usize = 1 << 20;

/// An agent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metadata {
    /// One line.
    pub shortdesc: String,
    /// Paragraphs.
    pub longdesc: String,
    /// What it can be told.
    pub parameters: Vec<Parameter>,
    /// What it can do.
    pub actions: Vec<Action>,
}

/// A parameter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parameter {
    /// Its name.
    pub name: String,
    /// Whether it must be given.
    pub required: bool,
    /// Whether two resources must not share a value.
    pub unique: bool,
    /// Whether the agent takes a change in place (`reload-agent`).
    pub reloadable: bool,
    /// `string`, `integer`, `boolean`, `select` …
    pub kind: String,
    /// Used when it is not given.
    pub default: Option<String>,
    /// One line.
    pub shortdesc: String,
    /// Paragraphs.
    pub longdesc: String,
}

/// An action.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Action {
    /// Its name.
    pub name: String,
    /// Advised timeout, as written.
    pub timeout: Option<String>,
    /// Advised interval.
    pub interval: Option<String>,
    /// Level of a monitor.
    pub depth: Option<String>,
    /// Role of a monitor.
    pub role: Option<String>,
    /// Of a fence agent's `on`: a node is to be let in by it before anything starts there (`automatic`, once `required`).
    pub automatic: bool,
}

impl Metadata {
    /// Names of the parameters whose change needs a restart; `None` if the agent takes no change in place.
    #[must_use]
    pub fn restart_params(&self) -> Option<BTreeSet<String>> {
        let reloads = self.actions.iter().any(|action| action.name == "reload-agent");
        if !reloads || !self.parameters.iter().any(|parameter| parameter.reloadable) {
            return None;
        }
        let fixed = self.parameters.iter().filter(|parameter| !parameter.reloadable);
        Some(fixed.map(|parameter| parameter.name.clone()).collect())
    }
}

/// Reads what an agent printed. `None` if there is no `resource-agent` in it.
#[must_use]
pub fn read(text: &str) -> Option<Metadata> {
    if text.len() > MAX_BYTES {
        return None;
    }
    let mut reader = Reader::from_str(text);
    let config = reader.config_mut();
    config.check_end_names = false;
    config.allow_unmatched_ends = true;
    let mut found: Option<Metadata> = None;
    let mut words: Option<String> = None;
    loop {
        match reader.read_event() {
            Ok(Event::Start(start) | Event::Empty(start)) => {
                begin(&start, &mut found);
                if matches!(start.name().as_ref(), "shortdesc" | "longdesc") {
                    words = Some(String::new());
                }
            }
            Ok(Event::Text(text)) => {
                if let Some(words) = &mut words {
                    words.push_str(&text);
                }
            }
            Ok(Event::GeneralRef(name)) => {
                if let Some(words) = &mut words {
                    words.push_str(character(&name));
                }
            }
            Ok(Event::End(end)) => describe(end.name().as_ref(), &mut words, &mut found),
            Ok(Event::Eof) | Err(_) => return found,
            Ok(_) => {}
        }
    }
}

/// The character that a predefined reference stands for.
fn character(name: &str) -> &'static str {
    match name {
        "lt" => "<",
        "gt" => ">",
        "amp" => "&",
        "quot" => "\"",
        "apos" => "'",
        _ => "?",
    }
}

fn begin(start: &BytesStart<'_>, found: &mut Option<Metadata>) {
    let get = |name: &str| {
        let attribute = start.try_get_attribute(name).ok().flatten()?;
        Some(
            attribute
                .normalized_value(XmlVersion::Explicit1_0)
                .map_or_else(|_| attribute.value.to_string(), std::borrow::Cow::into_owned),
        )
    };
    let yes = |name: &str| get(name).is_some_and(|value| value == "1" || value.eq_ignore_ascii_case("true"));
    match (start.name().as_ref(), found.as_mut()) {
        ("resource-agent", None) => *found = Some(Metadata::default()),
        ("parameter", Some(metadata)) => metadata.parameters.push(Parameter {
            name: get("name").unwrap_or_default(),
            required: yes("required"),
            unique: yes("unique") || get("unique-group").is_some(),
            reloadable: yes("reloadable"),
            ..Parameter::default()
        }),
        ("content", Some(metadata)) => {
            if let Some(parameter) = metadata.parameters.last_mut() {
                parameter.kind = get("type").unwrap_or_default();
                parameter.default = get("default").filter(|value| !value.is_empty());
            }
        }
        ("action", Some(metadata)) => metadata.actions.push(Action {
            name: get("name").unwrap_or_default(),
            timeout: get("timeout"),
            interval: get("interval"),
            depth: get("depth"),
            role: get("role"),
            automatic: ["automatic", "required"]
                .iter()
                .any(|name| get(name).and_then(|it| parse_bool(&it)) == Some(true)),
        }),
        _ => {}
    }
}

/// Puts the words of a description where they belong: to the parameter at hand, else to the agent.
fn describe(end: &str, words: &mut Option<String>, found: &mut Option<Metadata>) {
    let Some(metadata) = found else { return };
    let target = match (end, metadata.parameters.last_mut()) {
        ("shortdesc", Some(parameter)) if parameter.shortdesc.is_empty() => &mut parameter.shortdesc,
        ("longdesc", Some(parameter)) if parameter.longdesc.is_empty() => &mut parameter.longdesc,
        ("shortdesc", None) => &mut metadata.shortdesc,
        ("longdesc", None) => &mut metadata.longdesc,
        _ => return,
    };
    if let Some(words) = words.take() {
        words.trim().clone_into(target);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"<?xml version="1.0"?>
<!DOCTYPE resource-agent SYSTEM "ra-api-1.dtd">
<resource-agent name='floatip' version="1.0">
<version>1.1</version>
<longdesc lang="en">Moves an address &amp; more.</longdesc>
<shortdesc lang="en">Address</shortdesc>
<parameters>
<parameter name="floating_ip" required="1" unique-group="address">
<longdesc lang="en">Which.</longdesc><shortdesc lang="en">The address</shortdesc>
<content type="string" default=""/>
</parameter>
<parameter name="limit"><content type="integer" default="3"/></parameter>
</parameters>
<actions>
<action name="start" timeout="40s"/>
<action name="monitor" timeout="30s" interval="10s" depth="0"/>
</actions>
</resource-agent>"#;

    #[test]
    fn parameters_and_actions_are_found() {
        let metadata = read(TEXT).expect("it is one");
        assert_eq!(metadata.shortdesc, "Address");
        assert_eq!(metadata.longdesc, "Moves an address & more.");
        let [ip, limit] = metadata.parameters.as_slice() else { panic!("two: {metadata:?}") };
        assert!(ip.required && ip.unique && ip.default.is_none());
        assert_eq!((ip.shortdesc.as_str(), ip.longdesc.as_str()), ("The address", "Which."));
        assert_eq!((limit.kind.as_str(), limit.default.as_deref(), limit.required), ("integer", Some("3"), false));
        assert_eq!(metadata.actions.len(), 2);
        assert_eq!(metadata.actions[1].interval.as_deref(), Some("10s"));
    }

    #[test]
    fn what_an_agent_takes_in_place_needs_its_action_and_a_parameter() {
        let reloadable = TEXT.replace("name=\"limit\"", "name=\"limit\" reloadable=\"1\"");
        assert_eq!(read(&reloadable).and_then(|m| m.restart_params()), None, "there is no reload-agent");
        let action = "<action name=\"reload-agent\" timeout=\"20s\"/></actions>";
        assert_eq!(
            read(&TEXT.replace("</actions>", action)).and_then(|m| m.restart_params()),
            None,
            "nothing to reload"
        );
        let both = reloadable.replace("</actions>", action);
        let fixed = read(&both).and_then(|m| m.restart_params()).expect("it takes one in place");
        assert_eq!(fixed.into_iter().collect::<Vec<_>>(), ["floating_ip"]);
    }

    #[test]
    fn what_is_no_metadata_gives_nothing_and_half_of_one_gives_half() {
        assert_eq!(read("usage: floatip start|stop"), None);
        let half = &TEXT[..TEXT.find("<actions>").expect("it is there")];
        assert_eq!(read(half).map(|m| m.parameters.len()), Some(2));
    }
}
