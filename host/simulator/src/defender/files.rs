//! The files of an export, at the place and with the refusals of Azure Storage.

use std::io::Write;
use std::ops::Range;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use hmac::{Hmac, KeyInit, Mac};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, RETRY_AFTER};
use hyper::{Method, StatusCode, Uri};
use sha2::Sha256;

use super::options::ExportForm;
use super::query::Query;
use crate::answer::{self, Answer};
use crate::faults::Fault;
use crate::generate::Dice;
use crate::generate::vulnerability::object::Style;
use crate::generate::vulnerability::{Vulnerabilities, VulnerabilityRecords};
use crate::options::Options;
use crate::stream::Manner;
use crate::tenant::{Tenant, count};
use crate::time::{self, Ticks};

/// Compressed bytes are passed on when there are so many.
const CHUNK: usize = 16 * 1024;

/// A refusal of Azure Storage: status, code, message, detail.
struct Refusal(StatusCode, &'static str, &'static str, Option<String>);

/// The address of a file, with a signature that is good until a time.
pub(super) fn url(tenant: &Tenant, file: u64, expiry: Ticks) -> String {
    let day = time::text(tenant.vulnerabilities.now());
    let day = day.split('T').next().unwrap_or_default();
    let path = format!("/export/{day}/part-{file:05}.json.gz");
    let expiry = time::text(expiry);
    let encoded: String = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("sv", "2024-11-04")
        .append_pair("se", &expiry)
        .append_pair("sr", "b")
        .append_pair("sp", "r")
        .append_pair("sig", &signature(tenant, &path, &expiry))
        .finish();
    format!("{}{path}?{encoded}", tenant.url)
}

fn signature(tenant: &Tenant, path: &str, expiry: &str) -> String {
    let key = Dice::new(tenant.options.alerts.seed, "storage-key", 0).hex(64);
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key.as_bytes()) else { return String::new() };
    mac.update(path.as_bytes());
    mac.update(b"\n");
    mac.update(expiry.as_bytes());
    BASE64_STANDARD.encode(mac.finalize().into_bytes())
}

/// Answers a request for a file.
pub(super) fn answer(
    tenant: &Tenant,
    number: u64,
    method: &Method,
    uri: &Uri,
    path: &[&str],
    headers: &HeaderMap,
) -> Answer {
    respond(tenant, number, method, uri, path, headers).unwrap_or_else(|refusal| refuse(tenant, number, &refusal))
}

fn respond(
    tenant: &Tenant,
    number: u64,
    method: &Method,
    uri: &Uri,
    path: &[&str],
    headers: &HeaderMap,
) -> Result<Answer, Refusal> {
    let options = &tenant.options;
    if headers.contains_key(AUTHORIZATION) {
        return Err(Refusal(
            StatusCode::BAD_REQUEST,
            "InvalidAuthenticationInfo",
            "Authentication information is not given in the correct format: a signature and a header are one too many.",
            None,
        ));
    }
    if method != Method::GET {
        let message = "The resource doesn't support specified Http Verb.";
        return Err(Refusal(StatusCode::METHOD_NOT_ALLOWED, "UnsupportedHttpVerb", message, None));
    }
    authenticate(tenant, uri)?;
    let file = path.last().and_then(|name| name.strip_prefix("part-")?.strip_suffix(".json.gz")?.parse().ok());
    let defender = &options.defender;
    let file = file.filter(|file: &u64| *file < defender.export_files + defender.export_empty_files).ok_or(Refusal(
        StatusCode::NOT_FOUND,
        "BlobNotFound",
        "The specified blob does not exist.",
        None,
    ))?;
    let broken = match options.faults.draw(options.alerts.seed, number) {
        Some(Fault::Throttled) => {
            count(&tenant.tally.throttled);
            let message = "The server is busy.";
            return Err(Refusal(StatusCode::SERVICE_UNAVAILABLE, "ServerBusy", message, None));
        }
        Some(Fault::Failed) => {
            count(&tenant.tally.failed);
            let message = "Server encountered an internal error. Please try again after some time.";
            return Err(Refusal(StatusCode::INTERNAL_SERVER_ERROR, "InternalError", message, None));
        }
        Some(Fault::Broken(part)) => Some(part),
        // No token is used here.
        Some(Fault::Revoked) | None => None,
    };
    // The first downloads that are made to fail are refused, and those after them are cut.
    let download = count(&tenant.defender.downloads);
    if download < defender.export_expired {
        return Err(expired(time::now()));
    }
    let truncated = download - defender.export_expired < defender.export_truncated;
    Ok(send(tenant, file, truncated, broken))
}

/// Checks the signature.
fn authenticate(tenant: &Tenant, uri: &Uri) -> Result<(), Refusal> {
    let invalid = || Refusal(StatusCode::FORBIDDEN, "AuthenticationFailed", AUTHENTICATION, None);
    let query = Query::parse(uri.query().unwrap_or_default(), &[]).map_err(|_| invalid())?;
    let expiry = query.text("se").ok_or_else(invalid)?;
    if query.text("sig") != Some(&signature(tenant, uri.path(), expiry)) {
        return Err(Refusal(
            StatusCode::FORBIDDEN,
            "AuthenticationFailed",
            AUTHENTICATION,
            Some("Signature did not match.".into()),
        ));
    }
    match time::parse(expiry) {
        Some(end) if end > time::now() => Ok(()),
        Some(end) => Err(expired(end)),
        None => Err(invalid()),
    }
}

const AUTHENTICATION: &str = "Server failed to authenticate the request. Make sure the value of Authorization header is \
                              formed correctly including the signature.";

fn expired(end: Ticks) -> Refusal {
    let (end, now) = (time::text(end), time::text(time::now()));
    let detail = format!("Signature not valid in the specified time frame: Expiry [{end}] - Current [{now}]");
    Refusal(StatusCode::FORBIDDEN, "AuthenticationFailed", AUTHENTICATION, Some(detail))
}

fn refuse(tenant: &Tenant, number: u64, Refusal(status, code, message, detail): &Refusal) -> Answer {
    let id = Dice::new(tenant.options.alerts.seed, "storage-request", number).guid();
    let now = time::text(time::now());
    let detail =
        detail.as_ref().map(|detail| format!("<AuthenticationErrorDetail>{detail}</AuthenticationErrorDetail>"));
    let text = format!(
        "\u{feff}<?xml version=\"1.0\" encoding=\"utf-8\"?><Error><Code>{code}</Code><Message>{message}\nRequestId:{id}\n\
         Time:{now}</Message>{}</Error>",
        detail.unwrap_or_default()
    );
    let mut answer = answer::json(*status, text);
    answer::set(&mut answer, CONTENT_TYPE, "application/xml");
    answer::set(&mut answer, hyper::header::HeaderName::from_static("x-ms-error-code"), *code);
    if *status == StatusCode::SERVICE_UNAVAILABLE {
        answer::set(&mut answer, RETRY_AFTER, tenant.options.faults.retry_after);
    }
    answer
}

fn send(tenant: &Tenant, file: u64, truncated: bool, broken: Option<f64>) -> Answer {
    let Options { defender: options, graph, .. } = &tenant.options;
    let all = &tenant.vulnerabilities;
    let rows = rows_of(file, options.export_files, all.count(VulnerabilityRecords::Export));
    let rows_count = rows.end - rows.start;
    let texts = Texts {
        all: all.clone(),
        form: options.export_form,
        style: Style { spelling: options.export_spelling, pretty: options.export_form == ExportForm::Pretty },
        rows: rows.clone(),
        next: Some(rows.start),
    };
    // By turns an empty file has no byte, or is a gzip file of nothing.
    let bytes = file < options.export_files || !(file - options.export_files).is_multiple_of(2);
    let files = Members {
        texts,
        member: options.export_member_rows,
        in_member: 0,
        encoder: bytes.then(encoder),
        // In the middle of this one it ends.
        cut: truncated.then_some(rows_count / 2),
    };
    // A piece holds about 150 rows.
    let cut_at = broken.map(|part| (part * rows_count as f64) as usize / 150);
    if broken.is_some() {
        count(&tenant.tally.broken);
    }
    let manner = Manner { gzip: false, bytes_per_second: graph.bytes_per_second, cut_at };
    let mut answer = answer::pieces(&tenant.tally, manner, None, rows_count, files);
    answer::set(&mut answer, CONTENT_TYPE, "application/octet-stream");
    answer
}

/// The rows of a file; files after those of an export have none.
fn rows_of(file: u64, files: u64, rows: u64) -> Range<u64> {
    let before = |file: u64| rows * file.min(files) / files.max(1);
    before(file)..before(file + 1)
}

/// The text of a file, row by row, and what surrounds them.
struct Texts {
    all: Vulnerabilities,
    form: ExportForm,
    style: Style,
    rows: Range<u64>,
    /// The row that comes next. None: all is written.
    next: Option<u64>,
}

impl Iterator for Texts {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        let number = self.next?;
        let array = self.form == ExportForm::Array;
        let mut text = Vec::with_capacity(1200);
        if array && number == self.rows.start {
            text.push(b'[');
        }
        if number < self.rows.end {
            if array && number > self.rows.start {
                text.push(b',');
            }
            self.all.write_line(number, self.style, &mut text);
            text.push(b'\n');
            self.next = Some(number + 1);
        } else {
            if array {
                text.push(b']');
            }
            self.next = None;
        }
        Some(text)
    }
}

fn encoder() -> GzEncoder<Vec<u8>> {
    GzEncoder::new(Vec::new(), Compression::fast())
}

/// Texts compressed, as one gzip member or several.
struct Members {
    texts: Texts,
    /// Rows of a member.
    member: Option<u64>,
    in_member: u64,
    /// None: the file has ended.
    encoder: Option<GzEncoder<Vec<u8>>>,
    /// Texts until the one in whose middle the file ends.
    cut: Option<u64>,
}

impl Iterator for Members {
    type Item = Vec<u8>;

    /// Compressing to memory does not fail.
    fn next(&mut self) -> Option<Vec<u8>> {
        let mut encoder = self.encoder.take()?;
        loop {
            let Some(text) = self.texts.next() else { return encoder.finish().ok() };
            if self.cut == Some(0) {
                encoder.write_all(text.get(..text.len() / 2)?).and_then(|()| encoder.flush()).ok()?;
                return Some(std::mem::take(encoder.get_mut()));
            }
            self.cut = self.cut.map(|left| left - 1);
            encoder.write_all(&text).ok()?;
            self.in_member += 1;
            if self.member == Some(self.in_member) {
                self.in_member = 0;
                self.encoder = Some(self::encoder());
                return encoder.finish().ok();
            }
            if encoder.get_ref().len() >= CHUNK {
                let made = std::mem::take(encoder.get_mut());
                self.encoder = Some(encoder);
                return Some(made);
            }
        }
    }
}
