//! Tickets: what a cluster of several sites was granted. Who decides about them is elsewhere (booth, or a person).

use hac_types::WallTime;

use super::observed::Wrong;
use hac_model::{Cib, TicketState, parse_bool};

/// Most tickets, and most values of one that hacd does not know.
pub(super) const MOST: usize = 1000;

/// Changes or forgets a ticket. A grant is dated with `wall`, if it says no date itself.
pub(super) fn change(
    cib: &mut Cib,
    id: &str,
    values: &[(String, Option<String>)],
    forget: bool,
    wall: WallTime,
) -> Result<bool, Wrong> {
    let tickets = &mut cib.status.tickets;
    if forget {
        let before = tickets.len();
        tickets.retain(|ticket| ticket.id != id);
        return Ok(tickets.len() != before);
    }
    let place = tickets.iter().position(|ticket| ticket.id == id);
    let mut ticket = place.and_then(|place| tickets.get(place).cloned());
    let ticket = ticket.get_or_insert_with(|| TicketState { id: id.to_owned(), ..TicketState::default() });
    let was = ticket.clone();
    let truth = |value: &Option<String>| value.as_deref().map(|text| parse_bool(text).unwrap_or(false).to_string());
    for (name, value) in values {
        match name.as_str() {
            "granted" => {
                ticket.granted = truth(value);
                if ticket.granted.as_deref() == Some("true") {
                    ticket.last_granted = Some(wall.as_secs().to_string());
                }
            }
            "standby" => ticket.standby = truth(value),
            "last-granted" => ticket.last_granted.clone_from(value),
            // Its id is its own.
            "id" => {}
            _ => {
                ticket.attributes.retain(|(known, _)| known != name);
                if let Some(value) = value {
                    if ticket.attributes.len() >= MOST {
                        return Err(Wrong::TooManyTickets);
                    }
                    ticket.attributes.push((name.clone(), value.clone()));
                }
            }
        }
    }
    if place.is_some() && *ticket == was {
        return Ok(false);
    }
    let count = tickets.len();
    match tickets.iter_mut().find(|known| known.id == id) {
        Some(there) => *there = ticket.clone(),
        None if count >= MOST => return Err(Wrong::TooManyTickets),
        None => tickets.push(ticket.clone()),
    }
    Ok(true)
}

#[cfg(test)]
mod tests;
