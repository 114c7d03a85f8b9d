//! The full export: a list of files, and what is in them.

use std::collections::BTreeSet;

use chrono::{DateTime, NaiveDateTime};
use reqwest::header::HeaderMap;
use reqwest::{Method, Request};
use serde::Deserialize;
use tokio::time::sleep;
use url::Url;

use super::Error;
use super::cycle::{Collector, RECORDS, Stop};
use super::gunzip::Gunzip;
use super::patience::Patience;
use super::read::{Prefix, Read};
use crate::http::{self, Body, Retry, is_loopback, is_transient, read_answer};
use crate::source::records::{Form, Records};

/// <https://learn.microsoft.com/defender-endpoint/api/get-assessment-software-vulnerabilities>.
const PATH: &str = "/api/machines/SoftwareVulnerabilitiesExport";

/// The longest list of files that is read: an address has some hundred bytes.
const LIST: usize = 64 << 20;

/// How often new addresses are asked for within one sync. The API allows 20 exports an hour.
const RENEWALS: u32 = 8;

/// How often, where nothing was read between: it is not the signature then.
const VAIN_RENEWALS: u32 = 2;

/// What the API says of an export.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Export {
    export_files: Vec<String>,
    #[serde(default)]
    generated_time: Option<String>,
}

/// How reading a file ended.
enum Ended {
    Whole,
    /// The storage refuses the address, as it does when its signature has expired.
    Refused(Box<http::Answer>),
}

impl Collector {
    /// Reads all files of an export; gives the time of the oldest that is in them, in milliseconds, where the API says
    /// it.
    pub(super) async fn export(&mut self) -> Result<Option<i64>, Stop> {
        let mut done = BTreeSet::new();
        let mut half: Option<(String, Prefix)> = None;
        let (mut renewals, mut vain) = (0, 0);
        // Of whole files, and of all at the last renewal.
        let (mut records, mut before) = (0, 0);
        let mut oldest: Option<i64> = None;
        'addresses: loop {
            let Export { export_files, generated_time } = self.exported().await?;
            let files = export_files.iter().map(|file| self.address(file)).collect::<Result<Vec<_>, _>>()?;
            let generated = generated_time.as_deref().and_then(time);
            oldest = oldest.into_iter().chain(generated).min();
            let count = files.len();
            for (number, url) in (1..).zip(&files) {
                // Without the signature, which is another one each time.
                let name = format!("{}{}", url.authority(), url.path());
                if done.contains(&name) {
                    continue;
                }
                let mut handed_on =
                    half.take_if(|(half, _)| *half == name).map(|(_, prefix)| prefix).unwrap_or_default();
                match self.file(url, &mut handed_on).await? {
                    Ended::Whole => {
                        tracing::debug!(number, count, records = handed_on.records, "file of the export read");
                        records += handed_on.records;
                        done.insert(name);
                    }
                    Ended::Refused(answer) => {
                        let now = records + handed_on.records;
                        vain = if now > before { 1 } else { vain + 1 };
                        before = now;
                        renewals += 1;
                        if renewals > RENEWALS || vain > VAIN_RENEWALS {
                            return Err(Error::Expired { answer: answer.to_string() }.into());
                        }
                        tracing::warn!(
                            number,
                            count,
                            %answer,
                            "the address of a file is refused, most likely because its signature has expired: new \
                             addresses are asked for; raise sas_valid_hours if this happens often"
                        );
                        half = Some((name, handed_on));
                        continue 'addresses;
                    }
                }
            }
            return Ok(oldest);
        }
    }

    /// Asks for the addresses of an export's files.
    async fn exported(&self) -> Result<Export, Stop> {
        let mut url = self.service.url(PATH);
        url.query_pairs_mut().append_pair("sasValidHours", &self.settings.sas_valid_hours.to_string());
        let mut retry = Retry::new(&self.settings.retry);
        loop {
            let body = self.service.get(&url, &HeaderMap::new()).await?;
            match body.read_up_to(LIST).await {
                Ok(text) => {
                    // Its message would hold an address, which is a secret.
                    let export = serde_json::from_slice(&text).map_err(|error| Error::Answer {
                        path: PATH,
                        message: format!("line {}, column {}", error.line(), error.column()),
                    })?;
                    return Ok(export);
                }
                Err(error) => match retry.failed(None) {
                    Some(wait) => sleep(wait).await,
                    None => return Err(error.into()),
                },
            }
        }
    }

    /// Reads the address of a file, and checks that it may be asked.
    fn address(&self, file: &str) -> Result<Url, Error> {
        let refused = |host: String, reason| Error::Storage { host, reason };
        let Ok(url) = Url::parse(file) else { return Err(refused("no valid address".into(), "which is not asked")) };
        let origin = url.origin().ascii_serialization();
        let host = url.host_str().unwrap_or_default();
        let own = self.service.url("").host_str() == Some(host);
        if !own && !self.settings.storage_hosts.iter().any(|pattern| matches(pattern, host)) {
            return Err(refused(origin, "which is not among storage_hosts: add it there if it is Microsoft's"));
        }
        if url.scheme() != "https" && !(url.scheme() == "http" && is_loopback(&url)) {
            return Err(refused(origin, "which is not asked because that is not https"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(refused(origin, "which is not asked because the address holds credentials"));
        }
        Ok(url)
    }

    /// Reads a file, again where it breaks off.
    async fn file(&mut self, url: &Url, handed_on: &mut Prefix) -> Result<Ended, Stop> {
        let settings = self.settings.retry.clone();
        let (mut patience, mut furthest) = (Patience::new(&settings, self.patience()), handed_on.records);
        loop {
            // No token: whoever has the address may read.
            let (error, wished) = match self.storage.execute(Request::new(Method::GET, url.clone())).await {
                Ok(response) if response.status().is_success() => {
                    let (chunks, letters) = (Gunzip::new(Body::new(response)), self.dead_letters.clone());
                    let records = Records::new(chunks, Form::File, RECORDS, self.max_record_size, letters);
                    match self.read(records, handed_on, RECORDS).await? {
                        Read::Whole(_) => return Ok(Ended::Whole),
                        Read::Differs => {
                            tracing::info!("a file has changed since it broke off: all of it is read again");
                            continue;
                        }
                        Read::Broken(error) => {
                            if handed_on.records > furthest {
                                furthest = handed_on.records;
                                patience.renew();
                            }
                            (error, None)
                        }
                    }
                }
                Ok(response) => {
                    let code = response.headers().get("x-ms-error-code").and_then(|code| code.to_str().ok());
                    let code = code.unwrap_or_default().to_owned();
                    let (mut answer, _) = read_answer(response).await;
                    if answer.code.is_empty() {
                        answer.code = code;
                    }
                    if matches!(answer.status, 401 | 403 | 404 | 410) {
                        return Ok(Ended::Refused(Box::new(answer)));
                    }
                    let (transient, wished) = (is_transient(answer.status), answer.retry_after);
                    let error = http::Error::Refused { answer: Box::new(answer) };
                    if !transient {
                        return Err(error.into());
                    }
                    (error, wished)
                }
                Err(error) => (error, None),
            };
            let Some(wait) = patience.failed(wished) else { return Err(error.into()) };
            tracing::debug!(%error, handed_on = handed_on.records, "a file is asked for again");
            sleep(wait).await;
        }
    }
}

/// Whether a host is one that a pattern allows.
fn matches(pattern: &str, host: &str) -> bool {
    match pattern.strip_prefix("*.") {
        Some(rest) => {
            let host = host.to_lowercase();
            host.strip_suffix(&rest.to_lowercase())
                .and_then(|name| name.strip_suffix('.'))
                .is_some_and(|name| !name.is_empty())
        }
        None => pattern.eq_ignore_ascii_case(host),
    }
}

/// A time as the API writes it, with a zone or, being UTC, without.
fn time(text: &str) -> Option<i64> {
    let zoned = DateTime::parse_from_rfc3339(text).map(|time| time.to_utc());
    let plain =
        || NaiveDateTime::parse_from_str(&text.replace(' ', "T"), "%Y-%m-%dT%H:%M:%S%.f").map(|time| time.and_utc());
    zoned.or_else(|_| plain()).ok().map(|time| time.timestamp_millis())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_a_name_before_the_rest() {
        for (pattern, host, matched) in [
            ("*.blob.core.windows.net", "tvmexport.blob.core.windows.net", true),
            ("*.blob.core.windows.net", "TVM.Blob.Core.Windows.NET", true),
            ("*.blob.core.windows.net", ".blob.core.windows.net", false),
            ("*.blob.core.windows.net", "blob.core.windows.net", false),
            ("*.blob.core.windows.net", "a.blob.core.windows.net.example.com", false),
            ("*.blob.core.windows.net", "evilblob.core.windows.net", false),
            ("storage.example.com", "storage.example.com", true),
            ("storage.example.com", "a.storage.example.com", false),
        ] {
            assert_eq!(matches(pattern, host), matched, "{pattern} {host}");
        }
    }

    #[test]
    fn times_of_an_export_may_lack_the_zone() {
        let expected = time("2026-11-24T08:00:00.25Z").unwrap();
        assert_eq!(expected, 1_795_507_200_250);
        for text in ["2026-11-24T08:00:00.250", "2026-11-24 08:00:00.2500000", "2026-11-24T10:00:00.25+02:00"] {
            assert_eq!(time(text), Some(expected), "{text}");
        }
        assert_eq!(time("yesterday"), None);
    }
}
