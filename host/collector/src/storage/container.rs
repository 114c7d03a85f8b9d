//! A container of blobs: the few requests that are made of it.
//!
//! Microsoft's crate azure_storage_blob (1.1) is not used: it wants another version of azure_core than
//! azure_messaging_eventhubs (0.16), and Cargo admits one; and it takes neither account keys nor connection strings, by
//! which most of these containers are reached.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use azure_core::credentials::TokenCredential;
use reqwest::header::{CONTENT_LENGTH, DATE, ETAG, HeaderName, HeaderValue, IF_MATCH, IF_NONE_MATCH, LAST_MODIFIED};
use reqwest::{Method, Request, Response};
use serde::Deserialize;

use super::account::Account;
use crate::http::{self, Body, Client, Retry, RetrySettings, read_answer};

/// A list of 5,000 blobs, the most that one answer has, is about 5 MB.
const LIST: usize = 32 << 20;

/// A blob without its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Blob {
    pub(crate) name: String,
    pub(crate) etag: String,
    /// By our clock, whatever the difference between the service's and ours.
    pub(crate) modified: Option<SystemTime>,
    /// Somebody holds a lease on it.
    pub(crate) leased: bool,
    /// Names in lower case.
    pub(crate) metadata: BTreeMap<String, String>,
}

/// What is done with the lease on a blob
/// (<https://learn.microsoft.com/rest/api/storageservices/lease-blob>).
#[derive(Clone, Copy, Debug)]
pub(crate) enum LeaseAction<'a> {
    /// Takes it for so many seconds, 15 to 60, under an id. Who has it under this id already has it anew.
    Acquire(&'a str, u64),
    /// Has it for as long once more.
    Renew(&'a str),
    /// Gives it back.
    Release(&'a str),
    /// Ends it at once, whoever has it.
    #[cfg(test)]
    Break,
}

/// What a write depends on.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Condition<'a> {
    /// Nothing.
    Always,
    /// There is no such blob.
    Absent,
    /// The blob is as it was with this ETag.
    Unchanged(&'a str),
}

/// What became of a write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Written {
    /// It was made; what the blob is like now.
    Done {
        /// Its ETag.
        etag: String,
        /// When it was made, by our clock.
        modified: Option<SystemTime>,
    },
    /// The condition does not hold.
    Refused,
    /// There is no such blob.
    Missing,
}

/// A container of blobs.
#[derive(Clone, Debug)]
pub(crate) struct Container {
    account: Account,
    name: String,
    client: Client,
    identity: Option<Arc<dyn TokenCredential>>,
    retry: RetrySettings,
}

impl Container {
    /// A container of an account; nothing is sent yet.
    pub(crate) fn new(
        account: Account,
        name: String,
        client: Client,
        identity: Option<Arc<dyn TokenCredential>>,
        retry: RetrySettings,
    ) -> Self {
        Self { account, name, client, identity, retry }
    }

    /// Makes it where there is none.
    pub(crate) async fn ensure(&self) -> Result<(), http::Error> {
        let mut probe = self.request(Method::GET, "");
        probe.url_mut().query_pairs_mut().append_pair("restype", "container");
        if !matches!(self.send("reading the properties of", &probe).await?, Reply::Missing(_)) {
            return Ok(());
        }
        let mut request = self.request(Method::PUT, "");
        request.url_mut().query_pairs_mut().append_pair("restype", "container");
        // Another process may have been faster.
        self.send("making", &request).await.map(drop)
    }

    /// All blobs whose names begin with `prefix`. An error where there is no container.
    pub(crate) async fn list(&self, prefix: &str) -> Result<Vec<Blob>, http::Error> {
        let (mut blobs, mut marker) = (Vec::new(), String::new());
        loop {
            let mut request = self.request(Method::GET, "");
            request
                .url_mut()
                .query_pairs_mut()
                .append_pair("restype", "container")
                .append_pair("comp", "list")
                .append_pair("include", "metadata")
                .append_pair("prefix", prefix);
            if !marker.is_empty() {
                request.url_mut().query_pairs_mut().append_pair("marker", &marker);
            }
            let response = match self.send("listing", &request).await? {
                Reply::Answer(response) => response,
                // Without a container there is no list, and an empty one would mean something.
                Reply::Missing(error) | Reply::Refused(error) => return Err(error),
            };
            let ahead = Ahead::of(&response);
            let text = Body::new(response).read_up_to(LIST).await?;
            let page: Page = quick_xml::de::from_reader(text.as_slice()).map_err(|error| http::Error::Content {
                host: self.host(),
                found: format!("a list that cannot be read ({error})"),
                advice: "; check that storage_account names a storage account",
            })?;
            blobs.extend(page.blobs.blob.into_iter().map(|entry| entry.blob(&ahead)));
            if page.next_marker.is_empty() {
                return Ok(blobs);
            }
            marker = page.next_marker;
        }
    }

    /// The content of a blob, up to so many bytes, and its ETag; where there is one, and it has another ETag than `known`.
    pub(crate) async fn read(
        &self,
        name: &str,
        limit: usize,
        known: Option<&str>,
    ) -> Result<Option<(Vec<u8>, String)>, http::Error> {
        let mut request = self.request(Method::GET, name);
        if let Some(etag) = known {
            set(&mut request, IF_NONE_MATCH, &quoted(etag));
        }
        match self.send("reading a blob of", &request).await? {
            Reply::Answer(response) => {
                let etag = etag(&response);
                Ok(Some((Body::new(response).read_up_to(limit).await?, etag)))
            }
            Reply::Missing(_) | Reply::Refused(_) => Ok(None),
        }
    }

    /// Makes an empty blob, in the place of another where the condition allows.
    pub(crate) async fn put(
        &self,
        name: &str,
        metadata: &[(&str, String)],
        condition: Condition<'_>,
    ) -> Result<Written, http::Error> {
        let mut request = self.request(Method::PUT, name);
        header(&mut request, "x-ms-blob-type", "BlockBlob");
        self.write("writing a blob of", request, metadata, condition).await
    }

    /// Replaces the metadata of a blob.
    pub(crate) async fn set_metadata(
        &self,
        name: &str,
        metadata: &[(&str, String)],
        condition: Condition<'_>,
    ) -> Result<Written, http::Error> {
        let mut request = self.request(Method::PUT, name);
        request.url_mut().query_pairs_mut().append_pair("comp", "metadata");
        self.write("writing a blob of", request, metadata, condition).await
    }

    /// Makes a blob of this content, in the place of another where the condition allows; under the lease on it, where there is
    /// one.
    pub(crate) async fn upload(
        &self,
        name: &str,
        content: Vec<u8>,
        condition: Condition<'_>,
        lease: Option<&str>,
    ) -> Result<Written, http::Error> {
        let mut request = self.request(Method::PUT, name);
        header(&mut request, "x-ms-blob-type", "BlockBlob");
        if let Some(lease) = lease {
            header(&mut request, LEASE_ID, lease);
        }
        request.headers_mut().insert(CONTENT_LENGTH, content.len().into());
        *request.body_mut() = Some(content.into());
        self.write("writing a blob of", request, &[], condition).await
    }

    /// Takes, keeps or gives back the lease on a blob. Refused where another holds it.
    pub(crate) async fn lease(&self, name: &str, action: LeaseAction<'_>) -> Result<Written, http::Error> {
        let mut request = self.request(Method::PUT, name);
        request.url_mut().query_pairs_mut().append_pair("comp", "lease");
        let action = match action {
            LeaseAction::Acquire(id, seconds) => {
                header(&mut request, "x-ms-proposed-lease-id", id);
                header(&mut request, "x-ms-lease-duration", &seconds.to_string());
                "acquire"
            }
            LeaseAction::Renew(id) => {
                header(&mut request, LEASE_ID, id);
                "renew"
            }
            LeaseAction::Release(id) => {
                header(&mut request, LEASE_ID, id);
                "release"
            }
            #[cfg(test)]
            LeaseAction::Break => {
                header(&mut request, "x-ms-lease-break-period", "0");
                "break"
            }
        };
        header(&mut request, "x-ms-lease-action", action);
        self.write("leasing a blob of", request, &[], Condition::Always).await
    }

    /// Removes the container itself.
    #[cfg(test)]
    pub(crate) async fn remove(&self) {
        let mut request = self.request(Method::DELETE, "");
        request.url_mut().query_pairs_mut().append_pair("restype", "container");
        assert!(matches!(self.send("removing", &request).await.unwrap(), Reply::Answer(_)));
    }

    /// Removes a blob, where there is one.
    pub(crate) async fn delete(&self, name: &str) -> Result<(), http::Error> {
        self.send("removing a blob of", &self.request(Method::DELETE, name)).await.map(drop)
    }

    async fn write(
        &self,
        doing: &'static str,
        mut request: Request,
        metadata: &[(&str, String)],
        condition: Condition<'_>,
    ) -> Result<Written, http::Error> {
        for (key, value) in metadata {
            let name = HeaderName::try_from(format!("x-ms-meta-{key}"));
            if let (Ok(name), Ok(value)) = (name, HeaderValue::from_str(value)) {
                request.headers_mut().insert(name, value);
            }
        }
        match condition {
            Condition::Always => {}
            Condition::Absent => set(&mut request, IF_NONE_MATCH, "*"),
            Condition::Unchanged(etag) => set(&mut request, IF_MATCH, &quoted(etag)),
        }
        Ok(match self.send(doing, &request).await? {
            Reply::Missing(_) => Written::Missing,
            Reply::Refused(_) => Written::Refused,
            Reply::Answer(response) => {
                let modified = response.headers().get(LAST_MODIFIED).and_then(|value| value.to_str().ok());
                let modified = modified.and_then(|text| Ahead::of(&response).ours(text));
                Written::Done { etag: etag(&response), modified }
            }
        })
    }

    fn request(&self, method: Method, blob: &str) -> Request {
        let mut url = self.account.url.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().push(&self.name);
            if !blob.is_empty() {
                path.extend(blob.split('/'));
            }
        }
        let mut request = Request::new(method.clone(), url);
        if method == Method::PUT {
            request.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        }
        request
    }

    /// Sends a request until there is an answer worth having.
    async fn send(&self, doing: &'static str, request: &Request) -> Result<Reply, http::Error> {
        let mut retry = Retry::new(&self.retry);
        loop {
            let Some(mut signed) = request.try_clone() else {
                return Err(http::Error::Client { message: "a request cannot be repeated; please report this".into() });
            };
            self.account.sign(&mut signed, self.identity.as_ref()).await.map_err(|error| self.no_token(&error))?;
            let (error, wished) = match self.client.execute(signed).await {
                Ok(response) if response.status().is_success() => return Ok(Reply::Answer(response)),
                Ok(response) => {
                    let code = response.headers().get("x-ms-error-code").and_then(|code| code.to_str().ok());
                    let code = code.unwrap_or_default().to_owned();
                    let (mut answer, _) = read_answer(response).await;
                    answer.advice = self.advice(doing, answer.status);
                    let (status, wished) = (answer.status, answer.retry_after);
                    // A container that is being deleted comes back as a conflict for a while.
                    let is_going = code == "ContainerBeingDeleted";
                    answer.code = code;
                    let error = http::Error::Refused { answer: Box::new(answer) };
                    match status {
                        404 => return Ok(Reply::Missing(error)),
                        304 | 409 | 412 if !is_going => return Ok(Reply::Refused(error)),
                        _ => (error, wished),
                    }
                }
                Err(error) => (error, None),
            };
            let wait = if error.is_transient() { retry.failed(wished) } else { None };
            let Some(wait) = wait else { return Err(error) };
            tracing::debug!(container = self.name, doing, %error, "request is tried again");
            tokio::time::sleep(wait).await;
        }
    }

    fn no_token(&self, error: &azure_core::Error) -> http::Error {
        http::Error::Token {
            identity: format!("storage account {}", self.account),
            host: "the login server".into(),
            code: "identity".into(),
            message: error.to_string(),
            advice: "",
        }
    }

    /// What an operator can do about a refusal.
    fn advice(&self, doing: &str, status: u16) -> String {
        let container = format!("{doing} container {} of storage account {}", self.name, self.account);
        match status {
            403 => format!(
                "{container} is not allowed: check the key or the signature, or give the identity the role Storage Blob Data Contributor; and check the account's firewall"
            ),
            400 | 401 => format!("{container} is refused: check storage_account and its key"),
            _ => container,
        }
    }

    fn host(&self) -> String {
        self.account.url.origin().ascii_serialization()
    }
}

/// An answer that means something, and what it is where it must not come.
enum Reply {
    Answer(Response),
    /// 404.
    Missing(http::Error),
    /// A condition does not hold, or it is there already.
    Refused(http::Error),
}

/// How far the service's clock is ahead of ours: an age must not depend on the difference.
struct Ahead(Option<(SystemTime, SystemTime)>);

impl Ahead {
    fn of(response: &Response) -> Self {
        let date = response.headers().get(DATE).and_then(|date| date.to_str().ok());
        Self(date.and_then(|date| httpdate::parse_http_date(date).ok()).map(|theirs| (theirs, SystemTime::now())))
    }

    /// A time by our clock.
    fn ours(&self, time: &str) -> Option<SystemTime> {
        let time = httpdate::parse_http_date(time).ok()?;
        let Some((theirs, ours)) = self.0 else { return Some(time) };
        match theirs.duration_since(time) {
            Ok(age) => ours.checked_sub(age),
            Err(_) => Some(ours),
        }
    }
}

const LEASE_ID: &str = "x-ms-lease-id";

fn header(request: &mut Request, name: &'static str, value: &str) {
    set(request, HeaderName::from_static(name), value);
}

fn set(request: &mut Request, name: HeaderName, value: &str) {
    // Ids, numbers and ETags are ASCII.
    if let Ok(value) = HeaderValue::from_str(value) {
        request.headers_mut().insert(name, value);
    }
}

/// As conditions want it: lists have ETags without quotes.
fn quoted(etag: &str) -> String {
    format!("\"{}\"", etag.trim_matches('"'))
}

fn etag(response: &Response) -> String {
    let etag = response.headers().get(ETAG).and_then(|etag| etag.to_str().ok()).unwrap_or_default();
    etag.trim_matches('"').to_owned()
}

/// Whether a container may be called so
/// (<https://learn.microsoft.com/rest/api/storageservices/naming-and-referencing-containers--blobs--and-metadata>).
pub(crate) fn is_container_name(name: &str) -> bool {
    (3..=63).contains(&name.len())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
        && !name.starts_with('-')
        && !name.ends_with('-')
        && !name.contains("--")
}

/// An answer to a list
/// (<https://learn.microsoft.com/rest/api/storageservices/list-blobs>).
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Page {
    #[serde(default)]
    blobs: Blobs,
    #[serde(default)]
    next_marker: String,
}

#[derive(Default, Deserialize)]
struct Blobs {
    #[serde(default, rename = "Blob")]
    blob: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Entry {
    name: String,
    properties: Properties,
    #[serde(default)]
    metadata: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize)]
struct Properties {
    #[serde(default, rename = "Last-Modified")]
    last_modified: String,
    #[serde(default, rename = "Etag")]
    etag: String,
    #[serde(default, rename = "LeaseStatus")]
    lease_status: String,
}

impl Entry {
    fn blob(self, ahead: &Ahead) -> Blob {
        let metadata = self.metadata.unwrap_or_default().into_iter();
        Blob {
            name: self.name,
            etag: self.properties.etag.trim_matches('"').to_owned(),
            modified: ahead.ours(&self.properties.last_modified),
            leased: self.properties.lease_status == "locked",
            metadata: metadata.map(|(name, value)| (name.to_lowercase(), value)).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_read_whatever_the_case_of_its_metadata() {
        let text = r#"<?xml version="1.0" encoding="utf-8"?>
<EnumerationResults ServiceEndpoint="https://a/" ContainerName="c"><Prefix>p</Prefix><Blobs>
<Blob><Name>n/$Default/checkpoint/0</Name><Properties><Creation-Time>x</Creation-Time>
<Last-Modified>Tue, 24 Nov 2026 08:00:00 GMT</Last-Modified><Etag>0x8DC</Etag><LeaseStatus>locked</LeaseStatus></Properties>
<Metadata><Sequencenumber>12</Sequencenumber><offset>34</offset></Metadata><OrMetadata /></Blob>
<Blob><Name>n/ownership/1</Name><Properties><Etag>"0x1"</Etag></Properties><Metadata><ownerid /></Metadata></Blob>
<Blob><Name>2</Name><Properties></Properties><Metadata /></Blob>
</Blobs><NextMarker>more</NextMarker></EnumerationResults>"#;
        let page: Page = quick_xml::de::from_str(text).unwrap();
        assert_eq!(page.next_marker, "more");
        let blobs: Vec<Blob> = page.blobs.blob.into_iter().map(|entry| entry.blob(&Ahead(None))).collect();
        assert_eq!(blobs[0].name, "n/$Default/checkpoint/0");
        assert_eq!((blobs[0].metadata["sequencenumber"].as_str(), blobs[0].metadata["offset"].as_str()), ("12", "34"));
        assert!(blobs[0].modified.is_some() && blobs[0].leased && !blobs[1].leased);
        assert_eq!((blobs[1].etag.as_str(), blobs[1].metadata["ownerid"].as_str()), ("0x1", ""));
        assert!(blobs[2].metadata.is_empty());
        let empty: Page =
            quick_xml::de::from_str("<EnumerationResults><Blobs /><NextMarker /></EnumerationResults>").unwrap();
        assert!(empty.blobs.blob.is_empty() && empty.next_marker.is_empty());
    }
}
