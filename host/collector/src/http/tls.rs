//! TLS: which certificates are trusted, and how strictly they are checked.

use std::sync::{Arc, OnceLock};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

use super::client_certificate::ClientCertificate;
use super::{Error, SslSettings, VerificationMode};

/// Turns the settings into a configuration. The given authorities replace those of the system, as in Beats.
pub(crate) fn config(settings: &SslSettings) -> Result<ClientConfig, Error> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::Client { message: error.to_string() })?;
    let verifier: Arc<dyn ServerCertVerifier> = match settings.verification_mode {
        VerificationMode::Full => chain_verifier(settings, provider.clone())?,
        VerificationMode::Certificate => {
            let chain = Some(chain_verifier(settings, provider.clone())?);
            Arc::new(Lenient { chain, provider: provider.clone() })
        }
        VerificationMode::None => Arc::new(Lenient { chain: None, provider: provider.clone() }),
    };
    // The verifier is always given, because which one it is depends on the settings; `Full` is rustls' own.
    let builder = builder.dangerous().with_custom_certificate_verifier(verifier);
    let refuse = |option, message: &str| Err(Error::Settings { option, message: message.to_owned() });
    match (&settings.certificate, &settings.key) {
        (None, None) => Ok(builder.with_no_client_auth()),
        (Some(_), None) => refuse("ssl.key", "is missing: ssl.certificate is of no use without it"),
        (None, Some(_)) => refuse("ssl.certificate", "is missing: ssl.key is of no use without it"),
        (Some(certificate), Some(key)) => {
            let shown = ClientCertificate::new(certificate, key, provider)?;
            Ok(builder.with_client_cert_resolver(Arc::new(shown)))
        }
    }
}

/// A file, or the PEM text itself; with the name to call it by.
pub(super) fn pem<'a>(entry: &'a str, what: &'a str) -> Result<(Vec<u8>, &'a str), String> {
    if entry.contains("-----BEGIN") {
        return Ok((entry.as_bytes().to_vec(), what));
    }
    let read = std::fs::read(entry).map_err(|error| format!("{entry}: {error}"))?;
    Ok((read, entry))
}

fn chain_verifier(settings: &SslSettings, provider: Arc<CryptoProvider>) -> Result<Arc<WebPkiServerVerifier>, Error> {
    let roots =
        if settings.certificate_authorities.is_empty() { system_roots() } else { Arc::new(given_roots(settings)?) };
    WebPkiServerVerifier::builder_with_provider(roots, provider).build().map_err(|_| Error::Settings {
        option: "ssl.certificate_authorities",
        message:
            "are none, and this system has none either: install its CA certificates (ca-certificates) or name a file"
                .into(),
    })
}

/// Read once: it takes some 20 ms, and every input has a client.
fn system_roots() -> Arc<RootCertStore> {
    static ROOTS: OnceLock<Arc<RootCertStore>> = OnceLock::new();
    let load = || {
        let mut roots = RootCertStore::empty();
        // Single certificates of a system store may be broken; the rest is used all the same.
        let _ = roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        Arc::new(roots)
    };
    ROOTS.get_or_init(load).clone()
}

/// An entry is a file or the PEM text itself.
fn given_roots(settings: &SslSettings) -> Result<RootCertStore, Error> {
    let mut roots = RootCertStore::empty();
    for entry in &settings.certificate_authorities {
        let wrong = |message| Error::Settings { option: "ssl.certificate_authorities", message };
        let (pem, name) = pem(entry, "a certificate given as text").map_err(wrong)?;
        let refuse = |problem: String| wrong(format!("{name}: {problem}"));
        let before = roots.len();
        for certificate in CertificateDer::pem_slice_iter(&pem) {
            let certificate = certificate.map_err(|error| refuse(error.to_string()))?;
            roots.add(certificate).map_err(|error| refuse(error.to_string()))?;
        }
        if roots.len() == before {
            return Err(refuse("holds no PEM certificate".into()));
        }
    }
    Ok(roots)
}

/// Checks less than rustls does: the chain without the name (`certificate`), or nothing at all (`none`). Signatures of the
/// handshake are checked in any case.
#[derive(Debug)]
struct Lenient {
    /// Absent: any certificate will do; the operator asked for it.
    chain: Option<Arc<WebPkiServerVerifier>>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Lenient {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let Some(chain) = &self.chain else { return Ok(ServerCertVerified::assertion()) };
        // The name is the last thing that is checked, so a wrong one means that the chain is right.
        match chain.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now) {
            Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
