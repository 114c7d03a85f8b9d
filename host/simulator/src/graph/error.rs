//! What Graph says when it does not give what was asked for.

use std::sync::atomic::AtomicU64;

use hyper::StatusCode;
use hyper::header::{ALLOW, RETRY_AFTER, WWW_AUTHENTICATE};
use serde_json::json;

use crate::answer::{self, Answer};
use crate::generate::Dice;
use crate::tenant::{Tally, Tenant};
use crate::time;
use crate::token::Unauthorized;

/// A request that fails, or is made to.
#[derive(Debug, PartialEq)]
pub(super) enum Error {
    /// No token, or no good one.
    Unauthorized(Unauthorized),
    /// The token was good until now.
    Revoked,
    /// The application lacks its role.
    MissingRole,
    /// Too many requests.
    Throttled { retry_after: u32 },
    /// Something is broken at Microsoft's.
    Failed,
    /// The query is wrong; why.
    Query(String),
    /// More expanded alerts than it bears.
    Overloaded,
    /// There is no such thing: what, and its id.
    NotFound(&'static str, String),
    /// There is no such resource.
    Segment(String),
    /// Only GET is simulated.
    Method,
}

/// The id of an answer.
pub(super) fn request_id(tenant: &Tenant, number: u64) -> String {
    Dice::new(tenant.options.alerts.seed, "request-id", number).guid()
}

impl Error {
    pub(super) fn counter<'a>(&self, tally: &'a Tally) -> Option<&'a AtomicU64> {
        match self {
            Self::Unauthorized(_) => Some(&tally.unauthorized),
            Self::Revoked => Some(&tally.revoked),
            Self::Throttled { .. } => Some(&tally.throttled),
            Self::Failed => Some(&tally.failed),
            Self::Query(_) => Some(&tally.refused),
            Self::Overloaded => Some(&tally.overloaded),
            Self::MissingRole | Self::NotFound(..) | Self::Segment(_) | Self::Method => None,
        }
    }

    /// Status, code and message.
    fn parts(&self) -> (StatusCode, &'static str, String) {
        match self {
            Self::Unauthorized(Unauthorized::Missing) => {
                (StatusCode::UNAUTHORIZED, "InvalidAuthenticationToken", "Access token is empty.".into())
            }
            Self::Unauthorized(Unauthorized::Invalid) => (
                StatusCode::UNAUTHORIZED,
                "InvalidAuthenticationToken",
                "Lifetime validation failed, the token is expired.".into(),
            ),
            Self::Unauthorized(Unauthorized::Audience) => (
                StatusCode::UNAUTHORIZED,
                "InvalidAuthenticationToken",
                "Access token validation failure. Invalid audience.".into(),
            ),
            Self::Revoked => (
                StatusCode::UNAUTHORIZED,
                "InvalidAuthenticationToken",
                "Continuous access evaluation resulted in a challenge: the token was revoked.".into(),
            ),
            Self::MissingRole => (
                StatusCode::FORBIDDEN,
                "Forbidden",
                "Missing application roles. API required roles: SecurityAlert.Read.All,SecurityAlert.ReadWrite.All, \
                 application roles: User.Read.All."
                    .into(),
            ),
            Self::Throttled { .. } => {
                (StatusCode::TOO_MANY_REQUESTS, "TooManyRequests", "Too many requests. Try again later.".into())
            }
            Self::Failed | Self::Overloaded => {
                (StatusCode::INTERNAL_SERVER_ERROR, "InternalServerError", "An internal server error occurred.".into())
            }
            Self::Query(message) => (StatusCode::BAD_REQUEST, "BadRequest", message.clone()),
            Self::NotFound(what, id) => (StatusCode::NOT_FOUND, "NotFound", format!("{what} '{id}' was not found.")),
            Self::Segment(name) => {
                (StatusCode::BAD_REQUEST, "BadRequest", format!("Resource not found for the segment '{name}'."))
            }
            Self::Method => {
                (StatusCode::METHOD_NOT_ALLOWED, "Request_BadRequest", "Specified HTTP method is not allowed.".into())
            }
        }
    }

    pub(super) fn answer(&self, request_id: &str, client_request_id: Option<&str>) -> Answer {
        let (status, code, message) = self.parts();
        let date = time::text(time::now() / time::SECOND * time::SECOND);
        let date = date.trim_end_matches('Z');
        let inner = match self {
            // Graph's own example repeats code, message and status within.
            Self::Throttled { .. } => json!({
                "code": "429", "date": date, "message": message, "request-id": request_id, "status": "429",
            }),
            _ => json!({
                "date": date, "request-id": request_id, "client-request-id": client_request_id.unwrap_or(request_id),
            }),
        };
        let text = json!({ "error": { "code": code, "message": message, "innerError": inner } });
        let mut answer = answer::json(status, text.to_string());
        match self {
            Self::Throttled { retry_after } => answer::set(&mut answer, RETRY_AFTER, *retry_after),
            Self::Unauthorized(_) | Self::Revoked => {
                answer::set(&mut answer, WWW_AUTHENTICATE, "Bearer realm=\"\", error=\"invalid_token\"");
            }
            Self::Method => answer::set(&mut answer, ALLOW, "GET"),
            _ => {}
        }
        answer
    }
}
