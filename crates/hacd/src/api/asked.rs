//! What a request asks for, in its query or its body: what cannot be read is refused in the form of every other error.

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{FromRequest, FromRequestParts, Query, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use hac_api::ErrorCode;
use hac_crm::cib::Refusal;
use serde::de::DeserializeOwned;

use super::refusal::Refused;

/// The query of a request.
pub(super) struct Asked<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Asked<T> {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refused> {
        match Query::from_request_parts(parts, state).await {
            Ok(Query(query)) => Ok(Self(query)),
            Err(rejection) => Err(Refused::new(ErrorCode::Usage, rejection.body_text())),
        }
    }
}

/// The body of a request.
pub(super) struct Body<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = Refused;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refused> {
        match Json::from_request(request, state).await {
            Ok(Json(body)) => Ok(Self(body)),
            Err(rejection) => Err(unreadable(&rejection)),
        }
    }
}

fn unreadable(rejection: &JsonRejection) -> Refused {
    if rejection.status() != StatusCode::PAYLOAD_TOO_LARGE {
        return Refused::new(ErrorCode::Usage, rejection.body_text());
    }
    let sentence = format!("the request is above the limit of {} MiB; nothing was changed", hac_api::MAX_REQUEST >> 20);
    Refused::too_large(Refusal::new(sentence, "Make the change in several steps."))
}
