//! What the Defender for Endpoint API says when it does not give what was asked for. Codes and form are those that Microsoft
//! documents (Common REST API error codes).

use std::sync::atomic::AtomicU64;

use hyper::StatusCode;
use hyper::header::{ALLOW, RETRY_AFTER};
use serde_json::json;

use crate::answer::{self, Answer};
use crate::tenant::Tally;
use crate::token::Unauthorized;

/// A request that fails, or is made to.
#[derive(Debug, PartialEq)]
pub(super) enum Error {
    /// No token, or no good one.
    Unauthorized(Unauthorized),
    /// The token was good until now.
    Revoked,
    /// The application lacks this role.
    MissingRole(&'static str),
    /// Too many requests.
    Throttled { retry_after: u32 },
    /// Something is broken at Microsoft's.
    Failed,
    /// The query is wrong; why.
    Query(String),
    /// A parameter of this name is missing.
    Parameter(&'static str),
    /// There is nothing.
    NotFound,
    /// There is no such resource.
    Segment(String),
    /// Only GET is simulated.
    Method,
}

impl Error {
    pub(super) fn counter<'a>(&self, tally: &'a Tally) -> Option<&'a AtomicU64> {
        match self {
            Self::Unauthorized(_) => Some(&tally.unauthorized),
            Self::Revoked => Some(&tally.revoked),
            Self::Throttled { .. } => Some(&tally.throttled),
            Self::Failed => Some(&tally.failed),
            Self::Query(_) | Self::Parameter(_) => Some(&tally.refused),
            Self::MissingRole(_) | Self::NotFound | Self::Segment(_) | Self::Method => None,
        }
    }

    /// Status, code and message.
    fn parts(&self) -> (StatusCode, &'static str, String) {
        let unauthorized = |message: &str| (StatusCode::UNAUTHORIZED, "Unauthorized", message.to_owned());
        match self {
            Self::Unauthorized(Unauthorized::Missing) => unauthorized("The request has no access token."),
            Self::Unauthorized(Unauthorized::Invalid) => unauthorized("The access token is invalid or has expired."),
            Self::Unauthorized(Unauthorized::Audience) => unauthorized("The access token is for another audience."),
            Self::Revoked => unauthorized("The access token was revoked."),
            Self::MissingRole(role) => (
                StatusCode::FORBIDDEN,
                "Forbidden",
                format!("Missing application roles. API required roles: {role}, application roles: User.Read.All."),
            ),
            Self::Throttled { .. } => {
                (StatusCode::TOO_MANY_REQUESTS, "TooManyRequests", "Too many requests. Try again later.".into())
            }
            Self::Failed => {
                (StatusCode::INTERNAL_SERVER_ERROR, "InternalServerError", "An internal server error occurred.".into())
            }
            Self::Query(message) => (StatusCode::BAD_REQUEST, "BadRequest", message.clone()),
            Self::Parameter(name) => (
                StatusCode::BAD_REQUEST,
                "MissingRequiredParameter",
                format!("The required parameter {name} is missing."),
            ),
            Self::NotFound => (StatusCode::NOT_FOUND, "ResourceNotFound", "No resource was found.".into()),
            Self::Segment(name) => {
                (StatusCode::NOT_FOUND, "NotFound", format!("Resource not found for the segment '{name}'."))
            }
            Self::Method => {
                (StatusCode::METHOD_NOT_ALLOWED, "BadRequest", "Specified HTTP method is not allowed.".into())
            }
        }
    }

    /// `target` is the id of the request, by which Microsoft's support finds it.
    pub(super) fn answer(&self, target: &str) -> Answer {
        let (status, code, message) = self.parts();
        let text = json!({ "error": { "code": code, "message": message, "target": target } });
        let mut answer = answer::json(status, text.to_string());
        match self {
            Self::Throttled { retry_after } => answer::set(&mut answer, RETRY_AFTER, *retry_after),
            Self::Method => answer::set(&mut answer, ALLOW, "GET"),
            _ => {}
        }
        answer
    }
}
