//! One event to be sent, and the forms in which it is.

use std::time::Instant;

use hac_model::OperationKey;
use hac_model::fencing::{End, Record};
use hac_node::{Event, Told};
use hac_types::WallTime;
use serde_json::json;

/// Longest sentence, characters.
const TEXT_MAX: usize = 1500;

/// Something that happened.
#[derive(Clone, Debug)]
pub(crate) struct Item {
    /// Its name, the same on all nodes that know of it.
    pub(super) id: String,
    /// One of [`NOTICE_EVENTS`](hac_model::NOTICE_EVENTS), or `test`.
    pub(super) kind: &'static str,
    /// `warning` if somebody should look, else `info`.
    pub(super) level: &'static str,
    /// The node that it is about.
    pub(super) node: Option<String>,
    /// The resource that it is about.
    pub(super) resource: Option<String>,
    /// One sentence.
    pub(super) text: String,
    /// What to type to learn more.
    pub(super) command: String,
    /// When it happened.
    pub(super) wall: WallTime,
    /// When this node learned of it.
    pub(super) seen: Instant,
}

impl Item {
    fn new(id: String, kind: &'static str, level: &'static str, text: String, command: String, wall: WallTime) -> Self {
        let text = text.chars().take(TEXT_MAX).collect();
        Self { id, kind, level, node: None, resource: None, text, command, wall, seen: Instant::now() }
    }

    fn of_node(self, node: &str) -> Self {
        Self { node: Some(node.to_owned()), ..self }
    }

    /// For programs.
    pub(super) fn json(&self, cluster: &str, why: &str, sender: &str) -> String {
        let Self { id, kind, level, node, resource, text, command, wall, .. } = self;
        let time = hac_pacemaker::mon::plain_date(wall.0);
        json!({
            "id": id, "kind": kind, "level": level, "cluster": cluster, "node": node, "resource": resource, "text": text,
            "explanation": why, "command": command, "time_ms": wall.0, "time": time, "sent_by": sender,
        })
        .to_string()
    }

    /// For a channel of Slack, and of what takes the same.
    pub(super) fn slack(&self, cluster: &str, why: &str) -> String {
        // Three characters have a meaning of their own there.
        let plain = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        let mark = if self.level == "warning" { ":warning: " } else { "" };
        let why = if why.is_empty() { String::new() } else { format!("\n> {}", plain(why).replace('\n', "\n> ")) };
        let text = format!("{mark}*{}*: {}{why}\n`{}`", plain(cluster), plain(&self.text), plain(&self.command));
        json!({ "text": text }).to_string()
    }

    /// For a topic of ntfy: its headers and its text.
    pub(super) fn ntfy(&self, cluster: &str, why: &str) -> (Vec<(&'static str, String)>, String) {
        let warning = self.level == "warning";
        let headers = vec![
            ("title", one_line(&format!("{cluster}: {}", self.kind))),
            ("priority", if warning { "4" } else { "3" }.to_owned()),
            ("tags", if warning { "warning" } else { "information_source" }.to_owned()),
        ];
        (headers, self.plain(why))
    }

    /// A whole mail.
    pub(super) fn mail(&self, cluster: &str, to: &str, from: Option<&str>, why: &str, sender: &str) -> String {
        let from = from.map(|from| format!("From: {}\n", one_line(from))).unwrap_or_default();
        let subject: String = one_line(&self.text).chars().take(150).collect();
        format!(
            "To: {}\n{from}Subject: [{}] {subject}\nX-Hacd-Event: {}\nAuto-Submitted: auto-generated\nMIME-Version: 1.0\n\
             Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n{}\n\nAt {}, sent by {sender}.\n",
            one_line(to),
            one_line(cluster),
            one_line(&self.id),
            self.plain(why),
            hac_pacemaker::mon::plain_date(self.wall.0),
        )
    }

    fn plain(&self, why: &str) -> String {
        let why = if why.is_empty() { String::new() } else { format!("\n\n{why}") };
        format!("{}{why}\n\n{}", self.text, self.command)
    }
}

/// A text that can be a header's.
fn one_line(text: &str) -> String {
    text.chars().filter(|c| c.is_ascii_graphic() || *c == ' ').collect()
}

/// What is sent of an event that the node `own` told.
pub(super) fn of_event(told: &Told, own: &str, wall: WallTime) -> Vec<Item> {
    let place = format!("{}.{}.{}", told.place.ring.seq, told.place.ring.rep, told.place.delivery);
    let item = |id: String, kind, level, command: String| {
        Item::new(format!("{place}.{id}"), kind, level, told.event.to_string(), command, wall)
    };
    let nodes = |names: &[String], level, what: &str| -> Vec<Item> {
        let of = |name: &String| {
            let text = format!("{name} {what}");
            let command = format!("hacctl explain {name}");
            Item::new(format!("{place}.node.{name}"), "node", level, text, command, wall).of_node(name)
        };
        names.iter().map(of).collect()
    };
    match &told.event {
        Event::View { joined, left, lost, .. } => {
            // Whoever comes to a cluster was not there when the others came.
            let came = if joined.iter().any(|name| name == own) { &[][..] } else { joined };
            let mut all = nodes(lost, "warning", "is lost: it is no member of the cluster any more");
            all.extend(nodes(left, "info", "left the cluster in good order"));
            all.extend(nodes(came, "info", "is a member of the cluster now"));
            all
        }
        Event::Quorum { quorate, .. } => {
            let level = if *quorate { "info" } else { "warning" };
            vec![item("quorum".to_owned(), "quorum", level, "hacctl quorum".to_owned())]
        }
        Event::Result { node, operation, expected: false, .. } => {
            let resource = OperationKey::parse(operation).map(|key| key.resource.to_owned());
            let command = format!("hacctl explain {}", resource.as_deref().unwrap_or_default());
            let item = item(format!("{node}.{operation}"), "failure", "warning", command.trim_end().to_owned());
            vec![Item { resource, ..item.of_node(node) }]
        }
        Event::Transition { number, decisions, .. } if !decisions.is_empty() => {
            let command = "hacctl history --last 20".to_owned();
            let text = decisions.join("; ");
            let id = format!("{place}.{own}.transition.{number}");
            vec![Item::new(id, "recovery", "info", text, command, wall)]
        }
        _ => Vec::new(),
    }
}

/// What is sent when a node was fenced, or could not be.
pub(super) fn of_fencing(record: &Record, wall: WallTime) -> Item {
    let Record { id, target, action, delegate, completed, end, .. } = record;
    let by = delegate.as_ref().map(|by| format!(" by {by}")).unwrap_or_default();
    let text = match end {
        End::Succeeded => format!("{target} was fenced ({action}){by}"),
        End::Failed { reason, .. } => format!("{target} could not be fenced ({action}){by}: {reason}"),
    };
    let id = format!("fencing.{id}.{completed}.{target}");
    Item::new(id, "fencing", "warning", text, format!("hacctl fence history {target}"), wall).of_node(target)
}

/// What says that it is a test.
pub(super) fn test(node: &str, wall: WallTime) -> Item {
    let text = format!("this is a test from {node}: nothing has happened");
    let id = format!("test.{node}.{}", wall.0);
    Item::new(id, "test", "info", text, "hacctl alert list".to_owned(), wall).of_node(node)
}

#[cfg(test)]
mod tests {
    use hac_node::Place;
    use hac_types::RingId;

    use super::*;

    fn told(event: Event) -> Told {
        let ring = RingId { seq: 8, ..RingId::default() };
        Told { event, number: 3, place: Place { ring, delivery: 12, nth: 4 }, cause: None }
    }

    fn view(joined: &[&str], left: &[&str], lost: &[&str]) -> Event {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Event::View {
            ring: RingId::default(),
            members: Vec::new(),
            joined: names(joined),
            left: names(left),
            lost: names(lost),
        }
    }

    #[test]
    fn an_event_has_one_name_on_all_nodes_and_who_comes_tells_of_nobody() {
        let of = |event, own| of_event(&told(event), own, WallTime(0));
        let (one, other) = (of(view(&[], &["n3"], &["n2"]), "n1"), of(view(&[], &["n3"], &["n2"]), "n4"));
        let ids = |items: &[Item]| items.iter().map(|item| item.id.clone()).collect::<Vec<_>>();
        assert_eq!(ids(&one), ids(&other));
        let told: Vec<_> = one.iter().map(|item| (item.kind, item.level, item.text.as_str())).collect();
        assert_eq!(
            told,
            [
                ("node", "warning", "n2 is lost: it is no member of the cluster any more"),
                ("node", "info", "n3 left the cluster in good order"),
            ]
        );
        assert!(of(view(&["n1", "n2"], &[], &[]), "n1").is_empty());
        assert_eq!(of(view(&["n2"], &[], &[]), "n1").len(), 1);
        let failed = |expected| Event::Result {
            node: "n2".into(),
            operation: "web_monitor_10000".into(),
            rc: 7,
            expected,
            took_ms: None,
            exit_reason: None,
        };
        let items = of(failed(false), "n1");
        assert_eq!(items[0].resource.as_deref(), Some("web"));
        assert_eq!(items[0].command, "hacctl explain web");
        assert!(of(failed(true), "n1").is_empty());
    }

    #[test]
    fn no_form_lets_a_text_out_of_its_place() {
        let evil = "x\nBcc: victim@example.org\r\n<!channel> & \"y\"";
        let item =
            Item::new("8.1\n".into(), "failure", "warning", evil.into(), "hacctl explain web".into(), WallTime(0));
        let mail = item.mail("c\nX: y", "a@example.org\nBcc: b", Some("c\nd"), "why", "n1");
        let (head, body) = mail.split_once("\n\n").expect("a head and a body");
        assert!(head.lines().all(|line| !line.starts_with("Bcc") && !line.starts_with("X:")), "{head}");
        assert!(body.contains("hacctl explain web") && body.contains("why"), "{body}");
        let (headers, _) = item.ntfy("c\r\nX: y", "");
        assert!(headers.iter().all(|(_, value)| !value.contains(['\r', '\n'])), "{headers:?}");
        let slack: serde_json::Value = serde_json::from_str(&item.slack("c", "")).expect("is JSON");
        assert!(slack["text"].as_str().is_some_and(|text| text.contains("&lt;!channel&gt; &amp;")), "{slack}");
        let json: serde_json::Value = serde_json::from_str(&item.json("c", "why", "n1")).expect("is JSON");
        assert_eq!((json["text"].as_str(), json["explanation"].as_str()), (Some(evil), Some("why")));
    }
}
