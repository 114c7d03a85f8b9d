//! Microsoft Graph v1.0, as far as it is simulated: who may ask, faults, and which resource a path names.

mod alerts;
mod error;
mod filter;
mod incidents;
mod page;
mod query;

use hyper::Method;
use hyper::header::{ACCEPT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName};

use self::error::Error;
use crate::answer::{self, Answer, accepts};
use crate::faults::Fault;
use crate::generate::Members;
use crate::stream::Manner;
use crate::tenant::{Tenant, count};
use crate::token::Audience;

/// The header by which a client asks for members that were added to enumerations, and the one that says it was heard.
const PREFER: HeaderName = HeaderName::from_static("prefer");
const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");
const MEMBERS: &str = "include-unknown-enum-members";
const REQUEST_ID: HeaderName = HeaderName::from_static("request-id");
const CLIENT_REQUEST_ID: HeaderName = HeaderName::from_static("client-request-id");

/// One API request.
struct Call<'a> {
    tenant: &'a Tenant,
    /// 0, 1, 2 .. of all API requests.
    number: u64,
    /// As it was sent.
    query: &'a str,
    members: Members,
    /// How records are sent.
    manner: Manner,
    /// The part of the records, from 0 to 1, after which the answer breaks off.
    broken: Option<f64>,
}

/// Answers a request below `/v1.0/`.
pub(crate) fn answer(tenant: &Tenant, method: &Method, path: &[&str], query: &str, headers: &HeaderMap) -> Answer {
    let number = count(&tenant.tally.requests);
    let request_id = error::request_id(tenant, number);
    let result = respond(tenant, number, method, path, query, headers);
    let mut answer = result.unwrap_or_else(|error| {
        if let Some(counter) = error.counter(&tenant.tally) {
            count(counter);
        }
        error.answer(&request_id, headers.get(CLIENT_REQUEST_ID).and_then(|id| id.to_str().ok()))
    });
    if let Some(id) = headers.get(CLIENT_REQUEST_ID) {
        answer::set(&mut answer, CLIENT_REQUEST_ID, id.clone());
    }
    answer::set(&mut answer, REQUEST_ID, request_id);
    answer
}

fn respond(
    tenant: &Tenant,
    number: u64,
    method: &Method,
    path: &[&str],
    query: &str,
    headers: &HeaderMap,
) -> Result<Answer, Error> {
    let options = &tenant.options;
    tenant.tokens.check(headers, Audience::Graph).map_err(Error::Unauthorized)?;
    let fault = options.faults.draw(options.alerts.seed, number);
    match fault {
        Some(Fault::Throttled) => return Err(Error::Throttled { retry_after: options.faults.retry_after }),
        Some(Fault::Failed) => return Err(Error::Failed),
        Some(Fault::Revoked) => {
            tenant.tokens.revoke();
            return Err(Error::Revoked);
        }
        Some(Fault::Broken(_)) | None => {}
    }
    if options.access.missing_role {
        return Err(Error::MissingRole);
    }
    if method != Method::GET {
        return Err(Error::Method);
    }
    let known = if accepts(headers, PREFER, MEMBERS) { Members::All } else { Members::Old };
    let call = Call {
        tenant,
        number,
        query,
        members: known,
        manner: Manner::asked(&options.graph, accepts(headers, ACCEPT_ENCODING, "gzip")),
        broken: match fault {
            Some(Fault::Broken(part)) => Some(part),
            _ => None,
        },
    };
    let mut answer = match path {
        ["security", "alerts_v2"] => alerts::list(&call)?,
        ["security", "alerts_v2", id] => alerts::single(&call, id)?,
        ["security", "incidents"] => incidents::list(&call)?,
        ["security", "incidents", id] => incidents::single(&call, id)?,
        ["security", other, ..] | [other, ..] => return Err(Error::Segment((*other).to_owned())),
        [] => return Err(Error::Segment(String::new())),
    };
    if known == Members::All {
        answer::set(&mut answer, PREFERENCE_APPLIED, MEMBERS);
    }
    Ok(answer)
}

impl Call<'_> {
    /// An answer of JSON in pieces: a head, records and a tail.
    fn pieces(
        &self,
        records: usize,
        pieces: impl Iterator<Item = Vec<u8>> + Unpin + Send + 'static,
    ) -> Result<Answer, Error> {
        let records = records as u64;
        let mut answer = answer::pieces(&self.tenant.tally, self.manner, self.broken, records, pieces);
        answer::set(
            &mut answer,
            CONTENT_TYPE,
            "application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8",
        );
        Ok(answer)
    }
}
