//! The stored transition graph: which operation must be done before which.

use std::collections::BTreeMap;

/// An operation of the graph.
#[derive(Debug)]
pub(super) struct Action {
    id: String,
    /// The lines by which it may be named in the execution section.
    lines: Vec<String>,
    /// The ids of what must be done before it.
    after: Vec<String>,
}

/// An opening (or empty) tag with its attributes.
#[derive(Debug, Default)]
struct Tag {
    name: String,
    attributes: BTreeMap<String, String>,
}

impl Tag {
    fn get(&self, name: &str) -> &str {
        self.attributes.get(name).map_or("", String::as_str)
    }

    fn is_action(&self) -> bool {
        matches!(self.name.as_str(), "rsc_op" | "pseudo_event" | "crm_event")
    }
}

/// Reads the graph. It is written by a machine: no comments, no sections, only elements and attributes.
pub(super) fn parse(text: &str) -> Vec<Action> {
    let mut actions: Vec<Action> = Vec::new();
    let mut synapse = 0;
    let mut inputs = false;
    let mut current: Vec<Tag> = Vec::new();
    let finish = |current: &mut Vec<Tag>, actions: &mut Vec<Action>| {
        if let Some(head) = current.first() {
            let (id, lines) = (head.get("id").to_owned(), lines(current));
            actions.push(Action { id, lines, after: Vec::new() });
        }
        current.clear();
    };
    for tag in text.split('<').skip(1).map(tag) {
        match tag.name.as_str() {
            "synapse" => (synapse, inputs) = (actions.len(), false),
            "inputs" => {
                finish(&mut current, &mut actions);
                inputs = true;
            }
            _ if inputs && tag.is_action() => {
                for action in &mut actions[synapse..] {
                    action.after.push(tag.get("id").to_owned());
                }
            }
            _ if tag.is_action() => {
                finish(&mut current, &mut actions);
                current.push(tag);
            }
            "primitive" | "attributes" if !current.is_empty() => current.push(tag),
            _ => {}
        }
    }
    finish(&mut current, &mut actions);
    actions
}

/// Reads what follows a `<`.
fn tag(text: &str) -> Tag {
    let body = text.split('>').next().unwrap_or("").trim_end_matches('/');
    let (name, mut rest) = body.split_once(char::is_whitespace).unwrap_or((body, ""));
    let mut tag = Tag { name: name.to_owned(), attributes: BTreeMap::new() };
    while let Some((name, quoted)) = rest.split_once("=\"") {
        let Some((value, more)) = quoted.split_once('"') else {
            break;
        };
        tag.attributes.insert(name.trim().to_owned(), value.to_owned());
        rest = more;
    }
    tag
}

/// The lines by which an action may be named, from its element and the ones within.
fn lines(tags: &[Tag]) -> Vec<String> {
    let (Some(action), none) = (tags.first(), Tag::default()) else {
        return Vec::new();
    };
    let inner = |name: &str| tags.iter().find(|tag| tag.name == name).unwrap_or(&none);
    let (node, task) = (action.get("on_node"), action.get("operation"));
    let (primitive, attributes) = (inner("primitive"), inner("attributes"));
    match action.name.as_str() {
        "pseudo_event" => {
            let line = format!("* Pseudo action: {}", action.get("operation_key"));
            vec![if node.is_empty() { line } else { format!("{line} on {node}") }]
        }
        "crm_event" if task == "stonith" => {
            vec![format!("* Fencing {node} ({})", attributes.get("CRM_meta_stonith_action"))]
        }
        "crm_event" if !primitive.get("id").is_empty() => {
            vec![format!("* Cluster action: {task} for {} on {node}", primitive.get("id"))]
        }
        "crm_event" => vec![format!("* Cluster action: {task} on {node}")],
        _ => {
            let interval = attributes.get("CRM_meta_interval");
            let recurring = !matches!(interval, "" | "0") && task != "delete";
            let task = if recurring { format!("{task}={interval}") } else { task.to_owned() };
            let names = ["id", "long-id"].map(|name| primitive.get(name));
            let names = names.iter().filter(|name| !name.is_empty());
            names.map(|name| format!("* Resource action: {name} {task} on {node}")).collect()
        }
    }
}

/// A pair of lines that were executed against the graph, in words.
///
/// A line that may stand for several actions (instances of an anonymous clone) says nothing about order.
pub(super) fn violation(executed: &[String], graph: &[Action]) -> Option<String> {
    let mut place: BTreeMap<&str, usize> = BTreeMap::new();
    for (index, line) in executed.iter().enumerate() {
        place.entry(line).or_insert(index);
    }
    let mut users: BTreeMap<&str, usize> = BTreeMap::new();
    let mut spot: BTreeMap<&str, &str> = BTreeMap::new();
    for action in graph {
        let mut found = action.lines.iter().map(String::as_str).filter(|line| place.contains_key(line));
        if let Some(line) = found.next() {
            spot.insert(&action.id, line);
            std::iter::once(line).chain(found).for_each(|line| *users.entry(line).or_default() += 1);
        }
    }
    let alone = |id: &str| spot.get(id).copied().filter(|line| users.get(line) == Some(&1));
    for action in graph {
        let Some(line) = alone(&action.id) else {
            continue;
        };
        for first in action.after.iter().filter_map(|id| alone(id)) {
            if first != line && place[first] > place[line] {
                return Some(format!("{first} must come before {line}"));
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::{parse, violation};

    const GRAPH: &str = r#"<transition_graph>
  <synapse id="0">
    <action_set>
      <rsc_op id="3" operation="start" operation_key="a_start_0" on_node="n1">
        <primitive id="a" class="ocf"/><attributes CRM_meta_timeout="20000"/>
      </rsc_op>
    </action_set>
    <inputs><trigger><pseudo_event id="5" operation="start" operation_key="g_start_0"/></trigger></inputs>
  </synapse>
  <synapse id="1">
    <action_set><pseudo_event id="5" operation="start" operation_key="g_start_0"/></action_set>
    <inputs/>
  </synapse>
  <synapse id="2">
    <action_set>
      <rsc_op id="4" operation="monitor" operation_key="a_monitor_10000" on_node="n1">
        <primitive id="a" class="ocf"/><attributes CRM_meta_interval="10000"/>
      </rsc_op>
    </action_set>
    <inputs><trigger><rsc_op id="3" operation="start" operation_key="a_start_0"/></trigger></inputs>
  </synapse>
</transition_graph>"#;

    const LINES: [&str; 3] =
        ["* Pseudo action: g_start_0", "* Resource action: a start on n1", "* Resource action: a monitor=10000 on n1"];

    #[test]
    fn the_order_of_the_graph_is_lawful() {
        let graph = parse(GRAPH);
        assert_eq!(graph.len(), 3);
        assert_eq!(violation(&LINES.map(str::to_owned), &graph), None);
    }

    #[test]
    fn an_operation_before_its_time_is_told() {
        let graph = parse(GRAPH);
        let early = [LINES[1], LINES[0], LINES[2]].map(str::to_owned);
        let told = violation(&early, &graph).unwrap();
        assert_eq!(told, "* Pseudo action: g_start_0 must come before * Resource action: a start on n1");
        let early = [LINES[0], LINES[2], LINES[1]].map(str::to_owned);
        assert!(violation(&early, &graph).is_some());
    }
}
