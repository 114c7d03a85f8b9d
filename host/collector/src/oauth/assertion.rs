//! The assertion of an application with a certificate: a JWT in place of a secret (`private_key_jwt`).
//!
//! Form: <https://learn.microsoft.com/entra/identity-platform/certificate-credentials>. It recommends PS256 and the SHA-256
//! thumbprint, and names no algorithm for elliptic curves.

use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::rand::SystemRandom;
use ring::signature::RSA_PSS_SHA256;
use serde_json::json;

use super::certificate::Certificate;
use crate::http::Secret;

/// How long it is good for. Microsoft advises 5 to 10 minutes.
const LIFETIME: Duration = Duration::from_secs(600);

/// Signs an assertion for the token endpoint `audience`, good from `now` on. With `send_chain` it carries the certificate and those
/// between it and its authority, by which Entra accepts a certificate for its subject and issuer.
pub(super) fn sign(
    certificate: &Certificate,
    audience: &str,
    client_id: &str,
    now: SystemTime,
    send_chain: bool,
) -> Result<Secret, String> {
    let seconds = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
    let mut header =
        json!({ "alg": "PS256", "typ": "JWT", "x5t#S256": URL_SAFE_NO_PAD.encode(certificate.thumbprint()) });
    if send_chain && let Some(header) = header.as_object_mut() {
        let chain = certificate.chain.iter().map(|certificate| STANDARD.encode(certificate));
        header.insert("x5c".into(), chain.collect());
    }
    let claims = json!({
        "aud": audience,
        "iss": client_id,
        "sub": client_id,
        "jti": uuid::Uuid::new_v4(),
        "nbf": seconds,
        "exp": seconds + LIFETIME.as_secs(),
    });
    let mut text = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string())).join(".");
    let mut signature = vec![0; certificate.key.public().modulus_len()];
    certificate
        .key
        .sign(&RSA_PSS_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signature)
        .map_err(|_| "the key of the certificate cannot sign".to_owned())?;
    text.push('.');
    text.push_str(&URL_SAFE_NO_PAD.encode(signature));
    Ok(Secret::new(text))
}
