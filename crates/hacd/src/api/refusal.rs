//! Errors as responses.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use hac_api::{ErrorBody, ErrorCode};
use hac_crm::cib::Refusal;

/// An error on its way to a client.
#[derive(Debug)]
pub(super) struct Refused(pub(super) ErrorBody, Option<StatusCode>);

impl Refused {
    pub(super) fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self(ErrorBody::new(code, message), None)
    }

    /// The same with what to do about it.
    pub(super) fn with_remedy(self, remedy: impl Into<String>) -> Self {
        Self(self.0.with_remedy(remedy), self.1)
    }

    /// What the cluster refused, with its remedy.
    pub(super) fn of(code: ErrorCode, refusal: Refusal) -> Self {
        let body = ErrorBody::new(code, refusal.sentence);
        Self(if refusal.remedy.is_empty() { body } else { body.with_remedy(refusal.remedy) }, None)
    }

    /// What is above a limit.
    pub(super) fn too_large(refusal: Refusal) -> Self {
        let Self(body, _) = Self::of(ErrorCode::Invalid, refusal);
        Self(body, Some(StatusCode::PAYLOAD_TOO_LARGE))
    }

    /// The daemon ends.
    pub(super) fn ending() -> Self {
        Self::new(ErrorCode::Unavailable, "hacd is ending")
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let of_code = StatusCode::from_u16(self.0.code.http_status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let status = self.1.unwrap_or(of_code);
        (status, Json(self.0)).into_response()
    }
}
