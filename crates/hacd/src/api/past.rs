//! `GET /v1/past`: which earlier moments this node kept, and how things stood at one of them.

use std::io;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use hac_api::{ErrorCode, Moment, Moments, Past, PastQuery, Place};
use hac_model::Cib;
use hac_types::WallTime;

use super::asked::Asked;
use super::explain::{BUDGET, unplannable};
use super::refusal::Refused;
use super::server::Api;
use super::{convert, routes};

/// Most moments that are told: the newest.
const MOMENTS: usize = 2000;

pub(super) async fn answer(State(api): State<Api>, Asked(query): Asked<PastQuery>) -> Result<Response, Refused> {
    let Some(at) = query.at else {
        let hub = api.hub.clone();
        let read =
            routes::aside(move || hub.states().map_or_else(|| Ok(Vec::new()), |states| states.moments())).await?;
        let mut moments = read.map_err(|error| unread(&error))?;
        let surplus = moments.len().saturating_sub(MOMENTS);
        moments.drain(..surplus);
        return Ok(Json(Moments { node: api.place.name.clone(), moments }).into_response());
    };
    let (moment, cib) = state(&api, &at).await?;
    let wall = WallTime(moment.time_ms);
    let node = api.place.name.clone();
    let past = api.planner.run(BUDGET, move || {
        let view = convert::json(&hac_scheduler::view(&cib, wall))?;
        let readiness = cib.status.readiness.iter().map(convert::readiness).collect();
        let dc = cib.info.dc_uuid.as_ref().and_then(|id| cib.configuration.nodes.iter().find(|node| node.id == *id));
        let (quorate, dc) = (cib.info.have_quorum, dc.map(|node| node.uname.clone()));
        Ok(Past { node, moment, view, quorate, dc, readiness })
    });
    let past: Result<Past, Refused> = past.await.map_err(unplannable)?;
    Ok(Json(past?).into_response())
}

/// The state of a moment: the last one that is kept up to then, secrets and all.
///
/// # Errors
/// It is no moment, nothing of that time is kept, or it cannot be read.
pub(super) async fn state(api: &Api, at: &str) -> Result<(Moment, Cib), Refused> {
    let Some(wanted) = Wanted::read(at) else {
        return Err(Refused::new(ErrorCode::Usage, format!("'{}' is no moment", at.escape_debug()))
            .with_remedy("It is milliseconds since 1970, or a place: RING.REPRESENTATIVE.DELIVERY.NTH."));
    };
    let hub = api.hub.clone();
    let read = routes::aside(move || {
        hub.states().map_or(Ok(None), |states| states.last(|moment| wanted.is_reached_by(moment)))
    });
    let found = read.await?.map_err(|error| unread(&error))?;
    found.ok_or_else(|| {
        let sentence = format!("{} has no state of that time any more, or not yet", api.place.name);
        Refused::new(ErrorCode::NoSuch, sentence)
            .with_remedy("'hacctl explain --at list' prints the moments that it has; other nodes may have more.")
    })
}

fn unread(error: &io::Error) -> Refused {
    Refused::new(ErrorCode::Storage, format!("earlier states cannot be read: {}", crate::storage::words(error)))
}

/// Up to when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    Time(i64),
    Place(Place),
}

impl Wanted {
    fn read(text: &str) -> Option<Self> {
        if let Ok(time) = text.parse() {
            return Some(Self::Time(time));
        }
        let parts: Vec<u64> = text.split('.').map(|part| part.parse().ok()).collect::<Option<_>>()?;
        let [ring, representative, life, delivery, nth] = parts[..] else { return None };
        let representative = u32::try_from(representative).ok()?;
        Some(Self::Place(Place { ring, representative, life, delivery, nth }))
    }

    fn is_reached_by(self, moment: &Moment) -> bool {
        match self {
            Self::Time(time) => moment.time_ms <= time,
            Self::Place(place) => moment.place <= place,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_a_time_or_a_place() {
        assert_eq!(Wanted::read("1700000000000"), Some(Wanted::Time(1_700_000_000_000)));
        let place = Place { ring: 12, representative: 1, life: 7, delivery: 99, nth: 3 };
        assert_eq!(Wanted::read("12.1.7.99.3"), Some(Wanted::Place(place)));
        for wrong in ["", "now", "1.2.3.4", "1.2.3.4.5.6", "1.-2.3.4.5", "1.99999999999.1.1.1", "../etc"] {
            assert_eq!(Wanted::read(wrong), None, "{wrong}");
        }
        let moment = Moment { place, time_ms: 50, ..Moment::default() };
        assert!(Wanted::Time(50).is_reached_by(&moment) && !Wanted::Time(49).is_reached_by(&moment));
        let earlier = Place { nth: 2, ..place };
        assert!(Wanted::Place(place).is_reached_by(&moment) && !Wanted::Place(earlier).is_reached_by(&moment));
    }
}
