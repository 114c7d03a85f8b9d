//! The Defender for Endpoint API, as far as it is simulated: who may ask, faults, and which resource a path names.

mod changes;
mod error;
mod export;
mod files;
mod lists;
pub(crate) mod log;
pub(crate) mod options;
mod query;

use std::ops::Range;
use std::sync::atomic::AtomicU64;

use hyper::header::{ACCEPT_ENCODING, AUTHORIZATION, CONTENT_TYPE, HeaderMap};
use hyper::{Method, Uri};

pub(crate) use self::changes::Published;
use self::error::Error;
use self::log::{DefenderRequest, Log};
use crate::answer::{self, Answer, accepts};
use crate::faults::Fault;
use crate::generate::Dice;
use crate::generate::vulnerability::VulnerabilityRecords;
use crate::stream::Manner;
use crate::tenant::{Tenant, count};
use crate::token::Audience;

/// Where the description of an answer is.
const CONTEXT: &str = "https://api.securitycenter.microsoft.com/api/$metadata#";

/// What has happened at the API.
#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) log: Log,
    /// Downloads of files so far.
    downloads: AtomicU64,
}

/// One API request.
struct Call<'a> {
    tenant: &'a Tenant,
    /// As it was sent.
    path: &'a str,
    query: &'a str,
    /// How records are sent.
    manner: Manner,
    /// The part of the records, from 0 to 1, after which the answer breaks off.
    broken: Option<f64>,
}

/// Answers a request below `/api/`.
pub(crate) fn answer(tenant: &Tenant, method: &Method, uri: &Uri, path: &[&str], headers: &HeaderMap) -> Answer {
    let number = count(&tenant.tally.requests);
    let answer = respond(tenant, number, method, uri, path, headers).unwrap_or_else(|error| {
        if let Some(counter) = error.counter(&tenant.tally) {
            count(counter);
        }
        error.answer(&Dice::new(tenant.options.alerts.seed, "target", number).guid())
    });
    record(tenant, uri, headers, &answer);
    answer
}

/// Answers a request below `/export/`: for a file, as Azure Storage does.
pub(crate) fn download(tenant: &Tenant, method: &Method, uri: &Uri, path: &[&str], headers: &HeaderMap) -> Answer {
    let number = count(&tenant.tally.requests);
    let answer = files::answer(tenant, number, method, uri, path, headers);
    record(tenant, uri, headers, &answer);
    answer
}

fn record(tenant: &Tenant, uri: &Uri, headers: &HeaderMap, answer: &Answer) {
    tenant.defender.log.add(DefenderRequest {
        path: uri.path().to_owned(),
        query: uri.query().unwrap_or_default().to_owned(),
        authorization: headers.contains_key(AUTHORIZATION),
        status: answer.status().as_u16(),
    });
}

fn respond(
    tenant: &Tenant,
    number: u64,
    method: &Method,
    uri: &Uri,
    path: &[&str],
    headers: &HeaderMap,
) -> Result<Answer, Error> {
    let options = &tenant.options;
    tenant.tokens.check(headers, Audience::Defender).map_err(Error::Unauthorized)?;
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
    if method != Method::GET {
        return Err(Error::Method);
    }
    let call = Call {
        tenant,
        path: uri.path(),
        query: uri.query().unwrap_or_default(),
        manner: Manner::asked(&options.graph, accepts(headers, ACCEPT_ENCODING, "gzip")),
        broken: match fault {
            Some(Fault::Broken(part)) => Some(part),
            _ => None,
        },
    };
    // Without a version it is the newest, which is this one.
    let resource = path.strip_prefix(&["v1.0"]).unwrap_or(path);
    let role =
        |missing, role| if options.access.missing_role || missing { Err(Error::MissingRole(role)) } else { Ok(()) };
    let of_machines = || role(options.defender.missing_machine_role, "Machine.Read.All,Machine.ReadWrite.All");
    let of_vulnerabilities = || role(options.defender.missing_vulnerability_role, "Vulnerability.Read.All");
    match resource {
        ["machines"] => of_machines().and_then(|()| lists::list(&call, VulnerabilityRecords::Machines)),
        ["vulnerabilities"] => {
            of_vulnerabilities().and_then(|()| lists::list(&call, VulnerabilityRecords::Vulnerabilities))
        }
        ["vulnerabilities", "machinesVulnerabilities"] => {
            of_vulnerabilities().and_then(|()| lists::list(&call, VulnerabilityRecords::Products))
        }
        ["machines", "SoftwareVulnerabilitiesExport"] => of_vulnerabilities().and_then(|()| export::answer(&call)),
        ["machines", "SoftwareVulnerabilityChangesByMachine"] => {
            of_vulnerabilities().and_then(|()| changes::list(&call))
        }
        ["machines" | "vulnerabilities", other, ..] | [other, ..] => Err(Error::Segment((*other).to_owned())),
        [] => Err(Error::Segment(String::new())),
    }
}

impl Call<'_> {
    /// A page of these records, and the query of the next page where there is one.
    fn page(
        &self,
        context: &str,
        numbers: Range<u64>,
        write: impl Fn(u64, &mut Vec<u8>) + Send + Unpin + 'static,
        link: Option<String>,
    ) -> Answer {
        let head = format!(r#"{{"@odata.context":"{CONTEXT}{context}","value":["#).into_bytes();
        let tail = match link {
            None => "]}".to_owned(),
            Some(link) => {
                let link = serde_json::Value::from(format!("{}{}?{link}", self.tenant.url, self.path));
                format!(r#"],"@odata.nextLink":{link}}}"#)
            }
        };
        let (first, count) = (numbers.start, numbers.end - numbers.start);
        let records = numbers.map(move |number| {
            let mut piece = Vec::with_capacity(512);
            if number > first {
                piece.push(b',');
            }
            write(number, &mut piece);
            piece
        });
        let pieces = std::iter::once(head).chain(records).chain(std::iter::once(tail.into_bytes()));
        let mut answer = answer::pieces(&self.tenant.tally, self.manner, self.broken, count, pieces);
        answer::set(&mut answer, CONTENT_TYPE, "application/json; odata.metadata=minimal; odata.streaming=true");
        answer
    }
}
