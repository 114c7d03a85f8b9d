//! A storage account, and how requests to it are signed.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use azure_core::credentials::TokenCredential;
use azure_core::error::ErrorKind;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Request;
use reqwest::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue, IF_MATCH, IF_NONE_MATCH};
use ring::hmac;
use url::Url;

use crate::http::{Error, Secret, check_secure};

/// What a token for storage is asked for.
const SCOPE: &str = "https://storage.azure.com/.default";
/// The version of the service's interface that requests are written for.
const VERSION: &str = "2021-12-02";
/// The account of a local emulator, whose key is public
/// (<https://learn.microsoft.com/azure/storage/common/storage-connect-azurite>).
const EMULATOR: (&str, &str) =
    ("devstoreaccount1", "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==");

/// Where an account is and by what it lets in.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    name: String,
    /// The root of its blobs.
    pub(crate) url: Url,
    access: Access,
}

#[derive(Clone, Debug)]
enum Access {
    /// A connection string, which holds one of the others.
    ConnectionString(Secret),
    /// The account's key in base64.
    Key(Secret),
    /// A shared access signature: the query that carries it.
    Signature(Secret),
    /// Tokens of an identity.
    Identity,
}

/// The options that name an account. They are called the same wherever they stand.
pub(crate) struct AccountOptions<'a> {
    /// `storage_account`.
    pub(crate) name: &'a str,
    /// `storage_account_key`.
    pub(crate) key: Option<&'a Secret>,
    /// `storage_account_connection_string`.
    pub(crate) connection_string: Option<&'a Secret>,
    /// Whether there is an identity, for an account without a key.
    pub(crate) by_identity: bool,
    /// The domain of storage in the cloud that a name is in.
    pub(crate) suffix: &'static str,
}

impl Account {
    /// Reads it from the options; none where they name none.
    pub(crate) fn of(options: &AccountOptions<'_>) -> Result<Option<Self>, Error> {
        if let Some(text) = options.connection_string.filter(|text| !text.expose().is_empty()) {
            let account = Self::of_connection_string(&text.expose(), options.by_identity)?;
            let access = match account.access {
                Access::Identity => Access::Identity,
                _ => Access::ConnectionString(text.clone()),
            };
            return Ok(Some(Self { access, ..account }));
        }
        let name = options.name.trim();
        if name.is_empty() {
            return Ok(None);
        }
        let option = "storage_account";
        let valid =
            (3..=24).contains(&name.len()) && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
        if !valid {
            let message = "must be of 3 to 24 lower-case letters and digits".into();
            return Err(Error::Settings { option, message });
        }
        let access = match options.key {
            Some(key) if !key.expose().is_empty() => {
                check_key("storage_account_key", &key.expose())?;
                Access::Key(key.clone())
            }
            _ if !options.by_identity => {
                let message = "is missing: nothing gives access to the storage account, so name its key, its connection string or storage_account_auth";
                return Err(Error::Settings { option: "storage_account_key", message: message.into() });
            }
            _ => Access::Identity,
        };
        let url = address(option, &format!("https://{name}.blob.{}", options.suffix))?;
        Ok(Some(Self { name: name.to_owned(), url, access }))
    }

    /// Reads a connection string
    /// (<https://learn.microsoft.com/azure/storage/common/storage-configure-connection-string>).
    fn of_connection_string(text: &str, by_identity: bool) -> Result<Self, Error> {
        let option = "storage_account_connection_string";
        let wrong = |message: &str| Error::Settings { option, message: message.into() };
        let mut parts = BTreeMap::new();
        for part in text.split(';').map(str::trim).filter(|part| !part.is_empty()) {
            let (key, value) = part.split_once('=').ok_or_else(|| wrong("is not of the form Key=Value;Key=Value"))?;
            parts.insert(key.to_ascii_lowercase(), value);
        }
        let part = |key: &str| parts.get(key).copied().filter(|value| !value.is_empty());
        if part("usedevelopmentstorage").is_some_and(|value| value.eq_ignore_ascii_case("true")) {
            let (name, key) = EMULATOR;
            let url = address(option, &format!("http://127.0.0.1:10000/{name}"))?;
            return Ok(Self { name: name.to_owned(), url, access: Access::Key(Secret::new(key)) });
        }
        let name = part("accountname").unwrap_or_default();
        let url = match part("blobendpoint") {
            Some(endpoint) => endpoint.to_owned(),
            None if name.is_empty() => return Err(wrong("has neither AccountName nor BlobEndpoint")),
            None => {
                let scheme = part("defaultendpointsprotocol").unwrap_or("https");
                format!("{scheme}://{name}.blob.{}", part("endpointsuffix").unwrap_or(PUBLIC))
            }
        };
        let url = address(option, &url)?;
        let access = match (part("accountkey"), part("sharedaccesssignature")) {
            (Some(key), _) if !name.is_empty() => {
                check_key(option, key)?;
                Access::Key(Secret::new(key))
            }
            (_, Some(signature)) => Access::Signature(Secret::new(signature.trim_start_matches('?'))),
            (None, None) if by_identity => Access::Identity,
            _ => return Err(wrong("has neither AccountName with AccountKey nor SharedAccessSignature")),
        };
        Ok(Self { name: name.to_owned(), url, access })
    }

    /// Its name, for messages.
    pub(crate) fn name(&self) -> &str {
        if self.name.is_empty() { self.url.host_str().unwrap_or_default() } else { &self.name }
    }

    /// Dates a request and shows that it may be made. `identity` is asked where the account has no key.
    pub(crate) async fn sign(
        &self,
        request: &mut Request,
        identity: Option<&Arc<dyn TokenCredential>>,
    ) -> Result<(), azure_core::Error> {
        let date = httpdate::fmt_http_date(SystemTime::now());
        set(request, "x-ms-date", &date);
        set(request, "x-ms-version", VERSION);
        let access = match &self.access {
            // A new key may be in it. One that is not whole must not be left away: an account may answer 404 or 409 to a request
            // without a key, and these mean something.
            Access::ConnectionString(text) => match Self::of_connection_string(&text.expose(), false) {
                Ok(account) => &account.access.clone(),
                Err(error) => {
                    return Err(azure_core::Error::with_message(ErrorKind::Credential, error.to_string()));
                }
            },
            access => access,
        };
        match access {
            Access::ConnectionString(_) => {}
            Access::Key(key) => {
                let text = string_to_sign(request, &self.name);
                let key =
                    hmac::Key::new(hmac::HMAC_SHA256, &STANDARD.decode(key.expose().as_str()).unwrap_or_default());
                let signature = STANDARD.encode(hmac::sign(&key, text.as_bytes()));
                secret(request, &format!("SharedKey {}:{signature}", self.name));
            }
            Access::Signature(signature) => {
                let url = request.url_mut();
                let query = match url.query() {
                    Some(query) => format!("{query}&{}", signature.expose().as_str()),
                    None => signature.expose().to_string(),
                };
                url.set_query(Some(&query));
            }
            Access::Identity => {
                if let Some(identity) = identity {
                    let token = identity.get_token(&[SCOPE], None).await?;
                    secret(request, &format!("Bearer {}", token.token.secret()));
                }
            }
        }
        Ok(())
    }
}

/// The domain of storage in most clouds.
pub(crate) const PUBLIC: &str = "core.windows.net";

fn address(option: &'static str, text: &str) -> Result<Url, Error> {
    let url = Url::parse(text)
        .map_err(|error| Error::Settings { option, message: format!("leads to no address: {error}") })?;
    check_secure(option, &url)?;
    Ok(url)
}

fn check_key(option: &'static str, key: &str) -> Result<(), Error> {
    match STANDARD.decode(key) {
        Ok(bytes) if !bytes.is_empty() => Ok(()),
        _ => Err(Error::Settings { option, message: "holds a key that is not base64".into() }),
    }
}

fn set(request: &mut Request, name: &'static str, value: &str) {
    // Dates and versions are ASCII.
    if let Ok(value) = HeaderValue::from_str(value) {
        request.headers_mut().insert(HeaderName::from_static(name), value);
    }
}

fn secret(request: &mut Request, value: &str) {
    if let Ok(mut value) = HeaderValue::from_str(value) {
        value.set_sensitive(true);
        request.headers_mut().insert(AUTHORIZATION, value);
    }
}

/// What a shared key signs
/// (<https://learn.microsoft.com/rest/api/storageservices/authorize-with-shared-key>).
fn string_to_sign(request: &Request, account: &str) -> String {
    let headers = request.headers();
    let header = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let length = Some(header(CONTENT_LENGTH)).filter(|length| *length != "0").unwrap_or_default();
    // Without encoding, language, MD5, date, conditions by time and range, which no request here has.
    let mut text = format!(
        "{}\n\n\n{length}\n\n{}\n\n\n{}\n{}\n\n\n",
        request.method(),
        header(CONTENT_TYPE),
        header(IF_MATCH),
        header(IF_NONE_MATCH)
    );
    let named: BTreeMap<&str, &HeaderValue> = headers
        .iter()
        .map(|(name, value)| (name.as_str(), value))
        .filter(|(name, _)| name.starts_with("x-ms-"))
        .collect();
    for (name, value) in named {
        text += &format!("{name}:{}\n", value.to_str().unwrap_or_default().trim());
    }
    let url = request.url();
    text += &format!("/{account}{}", url.path());
    let mut query: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in url.query_pairs() {
        query.entry(name.to_lowercase()).or_default().push(value.into_owned());
    }
    for (name, mut values) in query {
        values.sort();
        text += &format!("\n{name}:{}", values.join(","));
    }
    text
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(text: &str) -> Result<Account, String> {
        Account::of_connection_string(text, false).map_err(|error| error.to_string())
    }

    #[test]
    fn a_connection_string_says_where_the_account_is() {
        for (text, url) in [
            ("AccountName=contoso;AccountKey=a2V5", "https://contoso.blob.core.windows.net/"),
            ("AccountName=contoso;AccountKey=a2V5;EndpointSuffix=core.example", "https://contoso.blob.core.example/"),
            ("UseDevelopmentStorage=true", "http://127.0.0.1:10000/devstoreaccount1"),
            ("BlobEndpoint=https://blobs.example.com;SharedAccessSignature=sv=1&sig=2", "https://blobs.example.com/"),
        ] {
            assert_eq!(account(text).unwrap().url.as_str(), url);
        }
        for wrong in [
            "nonsense",
            "AccountName=contoso",
            "AccountKey=a2V5",
            "AccountName=contoso;AccountKey=%%%",
            "BlobEndpoint=http://blobs.example.com;AccountName=a;AccountKey=a2V5",
        ] {
            let error = account(wrong).unwrap_err();
            assert!(error.contains("storage_account_connection_string") && !error.contains("a2V5"), "{error}");
        }
    }

    #[tokio::test]
    async fn nothing_is_asked_with_a_connection_string_that_is_torn() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(&file, "AccountName=contoso;AccountKey=a2V5").unwrap();
        let text = Secret::try_from(format!("file:{}", file.path().display())).unwrap();
        let options =
            AccountOptions { name: "", key: None, connection_string: Some(&text), by_identity: false, suffix: PUBLIC };
        let account = Account::of(&options).unwrap().unwrap();
        let mut request = Request::new(reqwest::Method::GET, account.url.clone());
        account.sign(&mut request, None).await.unwrap();
        for torn in ["AccountName=contoso;AccountKey=a2V", "AccountName=contoso;Acco"] {
            std::fs::write(&file, torn).unwrap();
            let error = account.sign(&mut request, None).await.unwrap_err().to_string();
            assert!(error.contains("storage_account_connection_string") && !error.contains("a2V"), "{error}");
        }
    }

    #[test]
    fn what_is_signed_has_method_condition_headers_path_and_query() {
        let url = Url::parse("http://127.0.0.1:10000/account/container/a/%24Default/0?comp=metadata&B=2").unwrap();
        let mut request = Request::new(reqwest::Method::PUT, url);
        set(&mut request, "x-ms-version", "1");
        set(&mut request, "x-ms-date", "now");
        request.headers_mut().insert(IF_MATCH, HeaderValue::from_static("\"0x1\""));
        request.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        assert_eq!(
            string_to_sign(&request, "account"),
            "PUT\n\n\n\n\n\n\n\n\"0x1\"\n\n\n\nx-ms-date:now\nx-ms-version:1\n\
             /account/account/container/a/%24Default/0\nb:2\ncomp:metadata"
        );
    }
}
