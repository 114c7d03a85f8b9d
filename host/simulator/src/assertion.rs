//! Assertions of the application: signed with one of its certificates, or given by another issuer that it trusts.
//!
//! Form: <https://learn.microsoft.com/entra/identity-platform/certificate-credentials>. The tenant itself plays the other issuer.

use std::path::Path;
use std::sync::PoisonError;
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use hyper::StatusCode;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, SignatureVerificationAlgorithm};
use serde::Deserialize;
use serde_json::json;
use sha2::{Digest, Sha256};
use webpki::{EndEntityCert, ring};

use crate::login::Refusal;
use crate::tenant::{Tenant, count};

const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// Whom tokens of other issuers must be for.
const EXCHANGE: &str = "api://AzureADTokenExchange";
/// Entra takes clocks that differ by this.
const SKEW: u64 = 300;

#[derive(Deserialize)]
struct Header {
    alg: String,
    #[serde(default, rename = "x5t#S256")]
    thumbprint: Option<String>,
    #[serde(default)]
    x5c: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct Claims {
    aud: String,
    iss: String,
    sub: String,
    #[serde(default)]
    jti: Option<String>,
    #[serde(default)]
    nbf: u64,
    exp: u64,
}

/// Refuses an assertion that does not show that it comes from the application.
pub(crate) fn check(tenant: &Tenant, directory: &str, kind: &str, assertion: &str) -> Result<(), Refusal> {
    let checked = check_all(tenant, directory, kind, assertion);
    if checked.is_err() {
        count(&tenant.tally.assertions_refused);
    }
    checked
}

fn check_all(tenant: &Tenant, directory: &str, kind: &str, assertion: &str) -> Result<(), Refusal> {
    let bad = |number, message: &str| Refusal(StatusCode::BAD_REQUEST, "invalid_request", number, message.to_owned());
    if kind != JWT_BEARER {
        return Err(bad(50_027, "The client_assertion_type is not supported."));
    }
    let malformed = || bad(50_027, "JWT token is invalid or malformed.");
    let (signed, signature) = assertion.rsplit_once('.').ok_or_else(malformed)?;
    let (header, claims) = signed.split_once('.').ok_or_else(malformed)?;
    let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| malformed());
    let header: Header = serde_json::from_slice(&decode(header)?).map_err(|_| malformed())?;
    let claims: Claims = serde_json::from_slice(&decode(claims)?).map_err(|_| malformed())?;
    let signature = decode(signature)?;
    if claims.iss == issuer(tenant) {
        check_federated(tenant, &claims, signed, &signature)?;
    } else {
        check_signed(tenant, directory, &header, &claims, signed, &signature)?;
    }
    let now = seconds(tenant.login_time());
    if claims.nbf > now + SKEW || claims.exp + SKEW <= now {
        let message = format!("Client assertion is not within its valid time range. Current time: {now}");
        return Err(invalid(700_024, message));
    }
    Ok(())
}

fn check_signed(
    tenant: &Tenant,
    directory: &str,
    header: &Header,
    claims: &Claims,
    signed: &str,
    signature: &[u8],
) -> Result<(), Refusal> {
    let access = &tenant.options.access;
    let algorithm: &dyn SignatureVerificationAlgorithm = match header.alg.as_str() {
        "PS256" => ring::RSA_PSS_2048_8192_SHA256_LEGACY_KEY,
        "RS256" => ring::RSA_PKCS1_2048_8192_SHA256,
        _ => return Err(invalid(5_002_738, "Invalid JWT token. The algorithm is not supported.")),
    };
    let thumbprint = header.thumbprint.as_deref().unwrap_or_default();
    let unknown = || {
        let message = format!(
            "The certificate with identifier '{thumbprint}' used to sign the client assertion is not registered on application."
        );
        invalid(700_027, message)
    };
    let mut registered = access.certificates.iter().filter_map(|file| read(file));
    let certificate = registered
        .find(|certificate| URL_SAFE_NO_PAD.encode(Sha256::digest(certificate)) == thumbprint)
        .ok_or_else(unknown)?;
    let key = EndEntityCert::try_from(&certificate).map_err(|_| unknown())?;
    if key.verify_signature(algorithm, signed.as_bytes(), signature).is_err() {
        return Err(invalid(700_027, "Client assertion failed signature validation."));
    }
    if header.x5c.as_ref().is_some_and(|chain| chain.first() != Some(&STANDARD.encode(&certificate))) {
        return Err(invalid(700_027, "The first certificate of x5c is not the one that signed."));
    }
    if claims.aud != format!("{}/{directory}/oauth2/v2.0/token", tenant.url) {
        return Err(invalid(700_023, "Client assertion audience claim does not match Realm issuer."));
    }
    if claims.iss != access.client_id || claims.sub != access.client_id {
        return Err(invalid(700_021, "Client assertion application identifier doesn't match 'client_id' parameter."));
    }
    let id = claims.jti.clone().unwrap_or_default();
    let mut seen = tenant.assertions.lock().unwrap_or_else(PoisonError::into_inner);
    if id.is_empty() || !seen.insert(id) {
        return Err(invalid(50_027, "JWT token is invalid: its id is missing or was used before."));
    }
    Ok(())
}

fn check_federated(tenant: &Tenant, claims: &Claims, signed: &str, signature: &[u8]) -> Result<(), Refusal> {
    let valid = sealed(tenant, signed) == signature;
    let known = tenant.options.access.federated_subjects.contains(&claims.sub);
    if !valid || !known || claims.aud != EXCHANGE {
        let message =
            format!("No matching federated identity record found for presented assertion subject '{}'.", claims.sub);
        return Err(invalid(700_213, message));
    }
    Ok(())
}

/// A token as another issuer gives it.
pub(crate) fn federated_token(tenant: &Tenant, subject: &str, lifetime: Duration) -> String {
    let now = seconds(tenant.login_time());
    let claims = json!({
        "iss": issuer(tenant),
        "sub": subject,
        "aud": EXCHANGE,
        "nbf": now.saturating_sub(3600),
        // Clocks that differ make no token of a test last longer.
        "exp": now.saturating_sub(SKEW) + lifetime.as_secs(),
    });
    let header = json!({ "alg": "simulated", "typ": "JWT" });
    let signed = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string())).join(".");
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(sealed(tenant, &signed)))
}

fn issuer(tenant: &Tenant) -> String {
    format!("{}/cluster", tenant.url)
}

/// What stands for the other issuer's signature, which clients do not look at.
fn sealed(tenant: &Tenant, signed: &str) -> Vec<u8> {
    Sha256::new().chain_update(&tenant.options.access.client_secret).chain_update(signed).finalize().to_vec()
}

fn invalid(number: u32, message: impl Into<String>) -> Refusal {
    Refusal(StatusCode::UNAUTHORIZED, "invalid_client", number, message.into())
}

fn read(file: &Path) -> Option<CertificateDer<'static>> {
    CertificateDer::from_pem_file(file).ok()
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs()
}
