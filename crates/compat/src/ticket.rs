//! `crm_ticket`: tickets as booth and people change them.

use std::fmt::Write as _;

use hac_api::{CibResponse, Command, route};
use hac_model::{Cib, Constraint, TicketState, parse_bool};

use crate::options::{COMMON, Given, Spec, Value, escaped};
use crate::{Ends, Said, client, exit, facts};

const PROGRAM: &str = "crm_ticket";
const UNREACHABLE: &str = "crm_ticket: Could not connect to the CIB: Transport endpoint is not connected";

const OPTIONS: &[Spec] = &[
    Spec("t", &["ticket"], Value::Yes),
    Spec("l", &["info"], Value::No),
    Spec("L", &["details"], Value::No),
    Spec("w", &["raw"], Value::No),
    Spec("q", &["query-xml"], Value::No),
    Spec("c", &["constraints"], Value::No),
    Spec("g", &["grant"], Value::No),
    Spec("r", &["revoke"], Value::No),
    Spec("s", &["standby"], Value::No),
    Spec("a", &["activate"], Value::No),
    Spec("G", &["get-attr"], Value::Yes),
    Spec("S", &["set-attr"], Value::Yes),
    Spec("D", &["delete-attr"], Value::Yes),
    Spec("C", &["cleanup"], Value::No),
    Spec("v", &["attr-value"], Value::Yes),
    Spec("d", &["default"], Value::Yes),
    Spec("f", &["force"], Value::No),
    Spec("Q", &["quiet"], Value::No),
];

const HELP: &str = "Usage: crm_ticket -l | -L | -w | -q | -c | -g | -r | -s | -a | -G NAME | -S NAME -v VALUE | -D NAME | -C\n       \
    [-t TICKET] [-d DEFAULT] [-f] [-Q]\n\n  -l, --info           tickets and whether they are granted (default)\n  \
    -L, --details        with all attributes\n  -w, --raw            only ids\n  -q, --query-xml      as XML\n  \
    -c, --constraints    constraints that name it\n  -g, --grant; -r, --revoke      only with --force: booth decides\n  \
    -s, --standby; -a, --activate\n  -G, --get-attr; -S, --set-attr; -D, --delete-attr   several in one call are one change\n  \
    -C, --cleanup        forget it";

/// Commands that ask, and those that change.
const ASKS: [&str; 6] = ["info", "details", "raw", "query-xml", "constraints", "get-attr"];
const CHANGES: [&str; 6] = ["grant", "revoke", "standby", "activate", "set-attr", "delete-attr"];

/// Runs with these words.
pub(crate) fn run(words: &[String]) -> Ends<Said> {
    let given = Given::read(PROGRAM, &[OPTIONS, COMMON], words)?;
    if given.has("help") {
        return Ok(Said::printed(HELP));
    }
    if given.xml()? {
        return Err(Said::failed(exit::USAGE, format!("{PROGRAM}: hacd offers XML with -q alone")));
    }
    let ticket = given.value("ticket");
    let changes = given.has("cleanup") || CHANGES.iter().any(|change| given.has(change));
    if ticket.is_none() && (changes || given.has("get-attr")) {
        return Err(Said::failed(exit::USAGE, "Must supply ticket ID with -t"));
    }
    let cib = cib()?;
    let known = ticket.and_then(|id| cib.status.tickets.iter().find(|known| known.id == id));
    if let Some(id) = ticket.filter(|_| changes) {
        return change(&given, id, known);
    }
    ask(&given, &cib, ticket, known)
}

fn cib() -> Ends<Cib> {
    let answer: CibResponse = client::get(PROGRAM, route::CIB, UNREACHABLE)?;
    serde_json::from_value(answer.cib).map_err(|error| Said::failed(exit::ERROR, format!("{PROGRAM}: {error}")))
}

fn unknown(id: &str) -> Said {
    Said::failed(exit::NO_SUCH, format!("{PROGRAM}: No such ticket '{id}'"))
}

/// What Pacemaker's says where the CIB has no such element.
fn missing(what: &str) -> Said {
    Said::failed(exit::NO_SUCH, format!("{PROGRAM}: Could not {what}: No such device or address"))
}

fn is_granted(ticket: &TicketState) -> bool {
    ticket.granted.as_deref().and_then(parse_bool) == Some(true)
}

fn change(given: &Given, id: &str, known: Option<&TicketState>) -> Ends<Said> {
    let granted = known.is_some_and(is_granted);
    let refused = |what: &str| {
        let err = format!(
            "This command cannot help you verify whether '{id}' has been already {what} elsewhere.\n\
             If you really want to {verb} '{id}' to this site now, and you know what you are doing,\n\
             please specify --force.\n{PROGRAM}: Ticket modification not allowed without --force",
            verb = if what == "granted" { "grant" } else { "revoke" },
        );
        Said::failed(exit::UNSAFE, err)
    };
    let force = given.has("force");
    if given.has("cleanup") {
        return match known {
            None => Err(unknown(id)),
            Some(_) if granted && !force => Err(refused("revoked")),
            Some(_) => send(id, Vec::new(), true),
        };
    }
    let (values, of_attribute) = values(given)?;
    let says = |name: &str| values.iter().rev().find(|(known, _)| known == name);
    if let Some((_, value)) = says("granted").filter(|_| !force) {
        let grant = value.as_deref().and_then(parse_bool) == Some(true);
        return Err(refused(if grant { "granted" } else { "revoked" }));
    }
    if known.is_none() && of_attribute && says("granted").is_none() && values.iter().all(|(_, value)| value.is_none()) {
        return Err(unknown(id));
    }
    send(id, values, false)
}

/// What is to be set and removed, in order, and whether an attribute was named.
#[expect(clippy::type_complexity, reason = "names, and values or none, as they are sent")]
fn values(given: &Given) -> Ends<(Vec<(String, Option<String>)>, bool)> {
    let mut values: Vec<(String, Option<String>)> = Vec::new();
    let mut waiting: Option<String> = None;
    let mut named = false;
    let mut set = |name: &str, value: Option<&str>| values.push((name.to_owned(), value.map(str::to_owned)));
    for (option, value) in given.all() {
        match (option, value) {
            ("grant", _) => set("granted", Some("true")),
            ("revoke", _) => set("granted", Some("false")),
            ("standby", _) => set("standby", Some("true")),
            ("activate", _) => set("standby", Some("false")),
            ("delete-attr", Some(name)) => {
                named = true;
                set(name, None);
            }
            ("set-attr", Some(name)) if waiting.is_none() => waiting = Some(name.to_owned()),
            ("attr-value", value) => {
                if let Some(name) = waiting.take() {
                    named = true;
                    set(&name, value);
                }
            }
            _ => {}
        }
    }
    match waiting {
        None => Ok((values, named)),
        Some(name) => Err(Said::failed(exit::USAGE, format!("Must supply attribute value with -v for -S {name}"))),
    }
}

fn send(id: &str, values: Vec<(String, Option<String>)>, forget: bool) -> Ends<Said> {
    facts::order(PROGRAM, Command::Ticket { id: id.to_owned(), values, forget }, true, UNREACHABLE)?;
    Ok(Said::nothing())
}

fn ask(given: &Given, cib: &Cib, ticket: Option<&str>, known: Option<&TicketState>) -> Ends<Said> {
    let command = given.last(&ASKS).unwrap_or("info");
    if command == "constraints" {
        return constraints(cib, ticket);
    }
    if let (Some(id), None) = (ticket, known) {
        return match (command, given.value("default")) {
            ("get-attr", Some(default)) => Ok(Said::printed(default)),
            // As Pacemaker's, without a word.
            ("get-attr", None) => Err(Said::failed(exit::NO_SUCH, String::new())),
            ("query-xml", _) => Err(missing("query ticket XML")),
            _ => Err(unknown(id)),
        };
    }
    let shown: Vec<&TicketState> = known.map_or_else(|| cib.status.tickets.iter().collect(), |ticket| vec![ticket]);
    let lines =
        |line: fn(&TicketState) -> String| Said::printed(shown.iter().map(|ticket| line(ticket)).collect::<String>());
    Ok(match command {
        "get-attr" => {
            let name = given.value("get-attr").unwrap_or_default();
            let value = known.and_then(|ticket| value(ticket, name));
            match value.or_else(|| given.value("default").map(str::to_owned)) {
                Some(value) => Said::printed(format!("{value}\n")),
                None => {
                    let err =
                        format!("{PROGRAM}: Attribute '{name}' not found for ticket '{}'", ticket.unwrap_or_default());
                    return Err(Said::failed(exit::NO_SUCH, err));
                }
            }
        }
        "raw" => lines(|ticket| format!("{}\n", ticket.id)),
        "query-xml" => {
            Said::printed(format!("State XML:\n\n{}", shown.iter().map(|ticket| xml(ticket)).collect::<String>()))
        }
        "details" => lines(|ticket| line(ticket, true)),
        _ => lines(|ticket| line(ticket, false)),
    })
}

fn value(ticket: &TicketState, name: &str) -> Option<String> {
    match name {
        "id" => Some(ticket.id.clone()),
        "granted" => ticket.granted.clone(),
        "standby" => ticket.standby.clone(),
        "last-granted" => ticket.last_granted.clone(),
        _ => ticket.attributes.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone()),
    }
}

fn line(ticket: &TicketState, details: bool) -> String {
    let mut line = format!("{}\t{}", ticket.id, if is_granted(ticket) { "granted" } else { "revoked" });
    if ticket.standby.as_deref().and_then(parse_bool) == Some(true) {
        line.push_str(" [standby]");
    }
    // Writing to a string cannot fail.
    if let Some(secs) = ticket.last_granted.as_deref().and_then(|text| text.parse::<i64>().ok()) {
        let _ = write!(line, " last-granted=\"{}\"", hac_pacemaker::mon::plain_date(secs.saturating_mul(1000)));
    }
    if details && !ticket.attributes.is_empty() {
        let pairs: Vec<String> = ticket.attributes.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let _ = write!(line, " ({})", pairs.join(", "));
    }
    line.push('\n');
    line
}

fn xml(ticket: &TicketState) -> String {
    let mut text = format!("<ticket_state id=\"{}\"", escaped(&ticket.id));
    let known = [("granted", &ticket.granted), ("standby", &ticket.standby), ("last-granted", &ticket.last_granted)];
    let known = known.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?)));
    let others = ticket.attributes.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    for (name, value) in known.chain(others) {
        let _ = write!(text, " {name}=\"{}\"", escaped(value));
    }
    text.push_str("/>\n");
    text
}

fn constraints(cib: &Cib, only: Option<&str>) -> Ends<Said> {
    let mut text = String::new();
    for constraint in &cib.configuration.constraints {
        if let Constraint::Ticket(ticket) = constraint
            && only.is_none_or(|only| only == ticket.ticket)
        {
            text.push_str(&element(constraint));
        }
    }
    if text.is_empty() {
        Err(missing("show ticket constraints"))
    } else {
        Ok(Said::printed(format!("Constraints XML:\n\n{text}")))
    }
}

/// The element of a constraint, with its sets.
fn element(constraint: &Constraint) -> String {
    let mut alone = Cib::default();
    alone.configuration.constraints = vec![constraint.clone()];
    let document = hac_pacemaker::cib_xml::write(&alone);
    let inside = document.split_once("<constraints>").and_then(|(_, rest)| rest.split_once("</constraints>"));
    inside.map(|(inside, _)| format!("{}\n", inside.trim())).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(line: &str) -> Given {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        Given::read(PROGRAM, &[OPTIONS, COMMON], &words).expect("is right")
    }

    #[test]
    fn what_booth_sets_in_one_call_is_one_change() {
        let booth = "-t T -g --force -S owner --attr-value=-1 -S expires --attr-value=99 -S booth-cfg-name --attr-value=b -D old";
        let (values, named) = values(&given(booth)).expect("is right");
        let values: Vec<(&str, Option<&str>)> =
            values.iter().map(|(name, value)| (name.as_str(), value.as_deref())).collect();
        assert_eq!(
            (values, named),
            (
                vec![
                    ("granted", Some("true")),
                    ("owner", Some("-1")),
                    ("expires", Some("99")),
                    ("booth-cfg-name", Some("b")),
                    ("old", None)
                ],
                true
            )
        );
        assert!(super::values(&given("-t T -S owner")).is_err());
    }

    #[test]
    fn a_grant_or_a_revocation_needs_force() {
        let granted = TicketState { id: "T".into(), granted: Some("true".into()), ..TicketState::default() };
        for (line, known) in [
            ("-t T -g", None),
            ("-t T -r", Some(&granted)),
            ("-t T -C", Some(&granted)),
            ("-t T -S granted -v true", None),
        ] {
            let said = change(&given(line), "T", known).expect_err("is refused");
            assert_eq!(said.code, 107, "{line}");
            assert!(said.err.ends_with("crm_ticket: Ticket modification not allowed without --force"), "{}", said.err);
            assert_eq!(said.err.lines().count(), 4, "three lines of warning");
        }
        for line in ["-t T -C", "-t T -D owner"] {
            let said = change(&given(line), "T", None).expect_err("is refused");
            assert_eq!((said.code, said.err.as_str()), (105, "crm_ticket: No such ticket 'T'"), "{line}");
        }
    }

    #[test]
    fn tickets_are_printed_as_booth_and_people_read_them() {
        let mut cib = Cib::default();
        let owner = vec![("owner".to_owned(), "\"1\"".to_owned())];
        cib.status.tickets = vec![
            TicketState { id: "tA".into(), granted: Some("false".into()), ..TicketState::default() },
            TicketState {
                id: "tB".into(),
                granted: Some("true".into()),
                standby: Some("true".into()),
                last_granted: Some("1767520800".into()),
                attributes: owner,
            },
        ];
        let constraint = hac_model::Ticket {
            id: "c".into(),
            ticket: "tB".into(),
            rsc: "web".into(),
            loss_policy: Some("stop".into()),
            ..hac_model::Ticket::default()
        };
        cib.configuration.constraints = vec![Constraint::Ticket(constraint)];
        let asked = |line: &str| {
            let given = given(line);
            let id = given.value("ticket");
            let known = id.and_then(|id| cib.status.tickets.iter().find(|known| known.id == id));
            ask(&given, &cib, id, known).map_or_else(|said| format!("{} {}", said.code, said.err), |said| said.out)
        };
        assert_eq!(asked(""), "tA\trevoked\ntB\tgranted [standby] last-granted=\"Sun Jan  4 10:00:00 2026\"\n");
        assert_eq!(
            asked("-L -t tB"),
            "tB\tgranted [standby] last-granted=\"Sun Jan  4 10:00:00 2026\" (owner=\"1\")\n"
        );
        assert_eq!(asked("-w"), "tA\ntB\n");
        assert_eq!(
            asked("-t tB -q"),
            "State XML:\n\n<ticket_state id=\"tB\" granted=\"true\" standby=\"true\" last-granted=\"1767520800\" \
             owner=\"&quot;1&quot;\"/>\n"
        );
        assert_eq!(asked("-t tB -G owner --quiet"), "\"1\"\n");
        assert_eq!(asked("-t tA -G owner -d 7"), "7\n");
        assert_eq!(asked("-t tA -G owner"), "105 crm_ticket: Attribute 'owner' not found for ticket 'tA'");
        assert_eq!(asked("-t no -G granted"), "105 ");
        assert_eq!(asked("-t no -q"), "105 crm_ticket: Could not query ticket XML: No such device or address");
        assert_eq!(
            asked("-c -t tB"),
            "Constraints XML:\n\n<rsc_ticket id=\"c\" rsc=\"web\" ticket=\"tB\" loss-policy=\"stop\"/>\n"
        );
        let none = "105 crm_ticket: Could not show ticket constraints: No such device or address";
        assert_eq!(asked("-c -t tA"), none);
    }
}
