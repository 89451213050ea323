//! Tickets: granted, revoked, changed and forgotten.

use super::super::{Applied, Command, Replicated as _, StatusChange};
use hac_model::{Cib, TicketState};
use hac_types::WallTime;

fn change(cib: &mut Cib, secs: i64, values: &[(&str, Option<&str>)], forget: bool) -> Applied {
    let owned = |(name, value): &(&str, Option<&str>)| ((*name).to_owned(), value.map(str::to_owned));
    let values = values.iter().map(owned).collect();
    let change = StatusChange::Ticket { id: "t".into(), values, forget };
    cib.apply(&Command::Status(change), WallTime::from_secs(secs))
}

fn ticket(granted: &str, last: &str, attributes: &[(&str, &str)]) -> Vec<TicketState> {
    vec![TicketState {
        id: "t".into(),
        granted: Some(granted.into()),
        standby: None,
        last_granted: Some(last.into()),
        attributes: attributes.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
    }]
}

#[test]
fn a_grant_with_its_attributes_is_one_change_and_dated() {
    let mut cib = Cib::default();
    let booth = [("granted", Some("true")), ("owner", Some("7")), ("term", Some("1"))];
    assert!(matches!(change(&mut cib, 100, &booth, false), Applied::Changed(_)));
    assert_eq!(cib.status.tickets, ticket("true", "100", &[("owner", "7"), ("term", "1")]));
    // The same again, at the same time, is none.
    assert_eq!(change(&mut cib, 100, &booth, false), Applied::Unchanged);
    assert!(matches!(change(&mut cib, 200, &[("granted", Some("0")), ("term", None)], false), Applied::Changed(_)));
    assert_eq!(cib.status.tickets, ticket("false", "100", &[("owner", "7")]));
    change(&mut cib, 300, &[("standby", Some("yes"))], false);
    assert_eq!(cib.status.tickets.first().and_then(|ticket| ticket.standby.as_deref()), Some("true"));
    assert!(matches!(change(&mut cib, 400, &[], true), Applied::Changed(_)));
    assert_eq!((cib.status.tickets.len(), change(&mut cib, 400, &[], true)), (0, Applied::Unchanged));
}

#[test]
fn what_is_too_much_is_refused_and_changes_nothing() {
    let mut cib = Cib::default();
    for number in 0..super::MOST {
        change(&mut cib, 1, &[(&number.to_string(), Some("x"))], false);
    }
    let before = cib.clone();
    assert!(matches!(
        change(&mut cib, 1, &[("granted", Some("true")), ("more", Some("x"))], false),
        Applied::Refused(_)
    ));
    assert_eq!(cib, before);
}
