//! A container of blobs: the few requests that checkpoints take.
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
/// What filebeat's older checkpoints have is a few hundred bytes.
const CONTENT: usize = 64 << 10;

/// A blob without its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Blob {
    pub(super) name: String,
    pub(super) etag: String,
    /// By our clock, whatever the difference between the service's and ours.
    pub(super) modified: Option<SystemTime>,
    /// Names in lower case.
    pub(super) metadata: BTreeMap<String, String>,
}

/// What a write depends on.
#[derive(Clone, Copy, Debug)]
pub(super) enum Condition<'a> {
    /// Nothing.
    Always,
    /// There is no such blob.
    Absent,
    /// The blob is as it was with this ETag.
    Unchanged(&'a str),
}

/// What became of a write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Written {
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
pub(super) struct Container {
    account: Account,
    name: String,
    client: Client,
    identity: Option<Arc<dyn TokenCredential>>,
    retry: RetrySettings,
}

impl Container {
    /// A container of an account; nothing is sent yet.
    pub(super) fn new(
        account: Account,
        name: String,
        client: Client,
        identity: Option<Arc<dyn TokenCredential>>,
        retry: RetrySettings,
    ) -> Self {
        Self { account, name, client, identity, retry }
    }

    /// Makes it where there is none.
    pub(super) async fn ensure(&self) -> Result<(), http::Error> {
        let mut probe = self.request(Method::GET, "");
        probe.url_mut().query_pairs_mut().append_pair("restype", "container");
        if !matches!(self.send("reading the properties of", &probe).await?, Reply::Missing) {
            return Ok(());
        }
        let mut request = self.request(Method::PUT, "");
        request.url_mut().query_pairs_mut().append_pair("restype", "container");
        // Another process may have been faster.
        self.send("making", &request).await.map(drop)
    }

    /// All blobs whose names begin with `prefix`.
    pub(super) async fn list(&self, prefix: &str) -> Result<Vec<Blob>, http::Error> {
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
                Reply::Missing | Reply::Refused => return Ok(blobs),
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

    /// The content of a blob, where there is one.
    pub(super) async fn read(&self, name: &str) -> Result<Option<Vec<u8>>, http::Error> {
        match self.send("reading a blob of", &self.request(Method::GET, name)).await? {
            Reply::Answer(response) => Ok(Some(Body::new(response).read_up_to(CONTENT).await?)),
            Reply::Missing | Reply::Refused => Ok(None),
        }
    }

    /// Makes an empty blob, in the place of another where the condition allows.
    pub(super) async fn put(
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
    pub(super) async fn set_metadata(
        &self,
        name: &str,
        metadata: &[(&str, String)],
        condition: Condition<'_>,
    ) -> Result<Written, http::Error> {
        let mut request = self.request(Method::PUT, name);
        request.url_mut().query_pairs_mut().append_pair("comp", "metadata");
        self.write("writing a blob of", request, metadata, condition).await
    }

    /// Puts a blob there that has content.
    #[cfg(test)]
    pub(super) async fn upload(&self, name: &str, content: String) -> Result<(), http::Error> {
        let mut request = self.request(Method::PUT, name);
        header(&mut request, "x-ms-blob-type", "BlockBlob");
        request.headers_mut().insert(CONTENT_LENGTH, content.len().into());
        *request.body_mut() = Some(content.into());
        self.send("writing a blob of", &request).await.map(drop)
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
        let condition = match condition {
            Condition::Always => None,
            Condition::Absent => Some((IF_NONE_MATCH, "*".to_owned())),
            // Lists have ETags without quotes.
            Condition::Unchanged(etag) => Some((IF_MATCH, format!("\"{}\"", etag.trim_matches('"')))),
        };
        if let Some((name, value)) = condition
            && let Ok(value) = HeaderValue::from_str(&value)
        {
            request.headers_mut().insert(name, value);
        }
        Ok(match self.send(doing, &request).await? {
            Reply::Missing => Written::Missing,
            Reply::Refused => Written::Refused,
            Reply::Answer(response) => {
                let value = |name| response.headers().get(name).and_then(|value: &HeaderValue| value.to_str().ok());
                let modified = value(LAST_MODIFIED).and_then(|text| Ahead::of(&response).ours(text));
                Written::Done { etag: value(ETAG).unwrap_or_default().trim_matches('"').to_owned(), modified }
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
                    match (response.status().as_u16(), code.as_str()) {
                        (404, _) => return Ok(Reply::Missing),
                        // A container that is being deleted comes back as a conflict for a while.
                        (409, "ContainerBeingDeleted") => {}
                        (409 | 412, _) => return Ok(Reply::Refused),
                        _ => {}
                    }
                    let (mut answer, _) = read_answer(response).await;
                    answer.advice = self.advice(doing, answer.status);
                    answer.code = code;
                    let wished = answer.retry_after;
                    (http::Error::Refused { answer: Box::new(answer) }, wished)
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

/// An answer that means something.
enum Reply {
    Answer(Response),
    /// 404.
    Missing,
    /// A condition does not hold, or it is there already.
    Refused,
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

fn header(request: &mut Request, name: &'static str, value: &'static str) {
    request.headers_mut().insert(HeaderName::from_static(name), HeaderValue::from_static(value));
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
}

impl Entry {
    fn blob(self, ahead: &Ahead) -> Blob {
        let metadata = self.metadata.unwrap_or_default().into_iter();
        Blob {
            name: self.name,
            etag: self.properties.etag.trim_matches('"').to_owned(),
            modified: ahead.ours(&self.properties.last_modified),
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
<Last-Modified>Tue, 24 Nov 2026 08:00:00 GMT</Last-Modified><Etag>0x8DC</Etag><Content-Length>0</Content-Length></Properties>
<Metadata><Sequencenumber>12</Sequencenumber><offset>34</offset></Metadata><OrMetadata /></Blob>
<Blob><Name>n/ownership/1</Name><Properties><Etag>"0x1"</Etag></Properties><Metadata><ownerid /></Metadata></Blob>
<Blob><Name>2</Name><Properties></Properties><Metadata /></Blob>
</Blobs><NextMarker>more</NextMarker></EnumerationResults>"#;
        let page: Page = quick_xml::de::from_str(text).unwrap();
        assert_eq!(page.next_marker, "more");
        let blobs: Vec<Blob> = page.blobs.blob.into_iter().map(|entry| entry.blob(&Ahead(None))).collect();
        assert_eq!(blobs[0].name, "n/$Default/checkpoint/0");
        assert_eq!((blobs[0].metadata["sequencenumber"].as_str(), blobs[0].metadata["offset"].as_str()), ("12", "34"));
        assert!(blobs[0].modified.is_some());
        assert_eq!((blobs[1].etag.as_str(), blobs[1].metadata["ownerid"].as_str()), ("0x1", ""));
        assert!(blobs[2].metadata.is_empty());
        let empty: Page =
            quick_xml::de::from_str("<EnumerationResults><Blobs /><NextMarker /></EnumerationResults>").unwrap();
        assert!(empty.blobs.blob.is_empty() && empty.next_marker.is_empty());
    }
}
