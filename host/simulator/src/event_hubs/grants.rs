//! What a connection may do: tokens put to `$cbs`, or the key given to SASL.
//!
//! A shared access signature is `SharedAccessSignature sr=RESOURCE&sig=SIGNATURE&se=EXPIRY&skn=KEY-NAME`, values encoded
//! for URLs; the signature is the HMAC-SHA256, with the key's text as it stands, of the encoded resource, a line feed and
//! the expiry in seconds since 1970.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::node;
use super::options::EventHubsOptions;
use super::refusal::Refusal;
use crate::time;

/// The grants of a connection.
#[derive(Debug, Default)]
pub(super) struct Grants(Mutex<Vec<Grant>>);

#[derive(Debug)]
struct Grant {
    /// What it covers with all that is below, in lower case; empty for everything.
    path: String,
    /// None: as long as the connection.
    until: Option<Instant>,
}

/// How long access lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    None,
    Until(Instant),
    Always,
}

impl Grants {
    /// Grants what is at a path and below it.
    pub(super) fn add(&self, path: &str, until: Option<Instant>) {
        let mut grants = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let path = path.to_ascii_lowercase();
        grants.retain(|grant| grant.path != path);
        grants.push(Grant { path, until });
    }

    /// The access to what is at a path; to anything at all where there is no path.
    pub(super) fn access(&self, path: Option<&str>) -> Access {
        let path = path.map(str::to_ascii_lowercase);
        let grants = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let granted = grants.iter().filter(|grant| path.as_deref().is_none_or(|path| covers(&grant.path, path)));
        let latest = granted.map(|grant| grant.until).max_by_key(|until| (until.is_none(), *until));
        match latest {
            Some(None) => Access::Always,
            Some(Some(until)) if until > Instant::now() => Access::Until(until),
            _ => Access::None,
        }
    }
}

/// Whether a path is another one or below it.
pub(super) fn covers(path: &str, other: &str) -> bool {
    path.is_empty() || other.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Checks a shared access signature for a resource; gives when it expires.
pub(super) fn check(token: &str, resource: &str, options: &EventHubsOptions) -> Result<Instant, Refusal> {
    let malformed = || Refusal::unauthorized("MalformedToken: The token is no shared access signature.");
    let fields = token.strip_prefix("SharedAccessSignature ").ok_or_else(malformed)?;
    let field = |name: &str| {
        let named = fields.split('&').filter_map(|field| field.split_once('='));
        named.into_iter().find(|(field, _)| *field == name).map(|(_, value)| value).ok_or_else(malformed)
    };
    let (scope, expiry) = (field("sr")?, field("se")?);
    // A base64 plus sign that was not encoded has become a space.
    let signature = BASE64_STANDARD.decode(decoded(field("sig")?).replace(' ', "+")).map_err(|_| malformed())?;
    let invalid = || Refusal::unauthorized("InvalidSignature: The token has an invalid signature.");
    if decoded(field("skn")?) != options.key_name {
        return Err(invalid());
    }
    let mut mac = Hmac::<Sha256>::new_from_slice(options.key.as_bytes()).map_err(|_| invalid())?;
    mac.update(scope.as_bytes());
    mac.update(b"\n");
    mac.update(expiry.as_bytes());
    mac.verify_slice(&signature).map_err(|_| invalid())?;
    let left = expiry.parse::<i64>().map_err(|_| malformed())?.saturating_sub(time::now() / time::SECOND);
    let left = u64::try_from(left).ok().filter(|left| *left > 0);
    let left = left.ok_or_else(|| Refusal::unauthorized("ExpiredToken: The token is expired."))?;
    let scope = decoded(scope);
    if !covers(&node::path(&scope).to_ascii_lowercase(), &node::path(resource).to_ascii_lowercase()) {
        return Err(Refusal::unauthorized(format!("InvalidAudience: The token is not good for '{resource}'.")));
    }
    // Tokens may be good for centuries.
    Ok(Instant::now() + Duration::from_secs(left.min(100 * 366 * 24 * 3600)))
}

/// A value without its encoding for URLs.
fn decoded(value: &str) -> String {
    url::form_urlencoded::parse(value.as_bytes()).map(|(name, _)| name.into_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Signed with the key `secret` named `policy`; the signature was computed with OpenSSL.
    const TOKEN: &str = "SharedAccessSignature sr=sb%3a%2f%2f127.0.0.1%2fdefender&sig=ugVvGnxjDMYQoMqaTY3SKoarjOTnTKWqiP%2FhHiUYxFk%3D&se=4102444800&skn=policy";

    fn options() -> EventHubsOptions {
        EventHubsOptions { key_name: "policy".into(), key: "secret".into(), ..EventHubsOptions::default() }
    }

    fn signed(scope: &str, expiry: i64) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(b"secret").unwrap();
        mac.update(format!("{scope}\n{expiry}").as_bytes());
        let signature = BASE64_STANDARD.encode(mac.finalize().into_bytes());
        let signature: String = url::form_urlencoded::byte_serialize(signature.as_bytes()).collect();
        format!("SharedAccessSignature sr={scope}&sig={signature}&se={expiry}&skn=policy")
    }

    fn refusal(token: &str, resource: &str) -> String {
        check(token, resource, &options()).unwrap_err().description
    }

    #[test]
    fn a_signature_of_the_key_is_good_for_its_resource_and_what_is_below() {
        for resource in ["sb://127.0.0.1/defender", "amqps://other:5671/Defender/ConsumerGroups/$Default/Partitions/0"]
        {
            assert!(check(TOKEN, resource, &options()).is_ok(), "{resource}");
        }
        assert!(refusal(TOKEN, "sb://127.0.0.1/defender2").starts_with("InvalidAudience"));
        assert!(check(&signed("sb%3a%2f%2fhost", 4_102_444_800), "sb://host/any", &options()).is_ok());
    }

    #[test]
    fn other_tokens_are_refused() {
        let resource = "sb://127.0.0.1/defender";
        assert!(refusal(&TOKEN.replace("4102444800", "4102444801"), resource).starts_with("InvalidSignature"));
        assert!(refusal(&signed("sb%3a%2f%2fhost", 1_000_000_000), resource).starts_with("ExpiredToken"));
        assert!(
            refusal(&signed("sb%3a%2f%2fhost", 4_102_444_800).replace("skn=policy", "skn=x"), resource)
                .starts_with("InvalidSignature")
        );
        for malformed in ["", "eyJ", "SharedAccessSignature ", "SharedAccessSignature sr=a&se=1&skn=policy"] {
            assert!(refusal(malformed, resource).starts_with("MalformedToken"), "{malformed}");
        }
    }

    #[test]
    fn grants_cover_what_is_below_them_while_they_last() {
        let grants = Grants::default();
        assert_eq!(grants.access(None), Access::None);
        let until = Instant::now() + Duration::from_secs(60);
        grants.add("Hub", Some(until));
        assert_eq!(grants.access(Some("hub/ConsumerGroups/a/Partitions/0")), Access::Until(until));
        assert_eq!(grants.access(Some("hub2")), Access::None);
        assert_eq!(grants.access(None), Access::Until(until));
        grants.add("hub", Some(Instant::now()));
        assert_eq!(grants.access(Some("hub")), Access::None);
        grants.add("", None);
        assert_eq!(grants.access(Some("hub")), Access::Always);
    }
}
