//! The certificate that servers are shown.

use std::sync::{Arc, Mutex, PoisonError};

use rustls::SignatureScheme;
use rustls::client::ResolvesClientCert;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

use super::tls::pem;
use super::{Error, Secret};

/// A certificate and its key, which are read for each connection: one that is renewed is shown from the next one on. Where they are of no
/// use, as while one of two files is replaced, those before are shown.
#[derive(Debug)]
pub(super) struct ClientCertificate {
    /// A file, or PEM text.
    certificate: String,
    key: Secret,
    provider: Arc<CryptoProvider>,
    last: Mutex<Arc<CertifiedKey>>,
}

impl ClientCertificate {
    /// Reads them for the first time.
    ///
    /// # Errors
    ///
    /// The option at fault.
    pub(super) fn new(certificate: &str, key: &Secret, provider: Arc<CryptoProvider>) -> Result<Self, Error> {
        let last = Mutex::new(read(certificate, key, &provider)?);
        Ok(Self { certificate: certificate.to_owned(), key: key.clone(), provider, last })
    }
}

impl ResolvesClientCert for ClientCertificate {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        match read(&self.certificate, &self.key, &self.provider) {
            Ok(now) => *last = now,
            Err(error) => tracing::warn!(%error, "the client certificate cannot be used; the one before it is"),
        }
        Some(last.clone())
    }

    fn has_certs(&self) -> bool {
        true
    }
}

fn read(certificate: &str, key: &Secret, provider: &CryptoProvider) -> Result<Arc<CertifiedKey>, Error> {
    let (chain, key) = (chain(certificate)?, private_key(&key.expose())?);
    CertifiedKey::from_der(chain, key, provider).map(Arc::new).map_err(|error| Error::Settings {
        option: "ssl.key",
        message: format!("does not go with ssl.certificate: {error}"),
    })
}

fn chain(entry: &str) -> Result<Vec<CertificateDer<'static>>, Error> {
    let refuse = |message| Error::Settings { option: "ssl.certificate", message };
    let (pem, name) = pem(entry, "the certificate given as text").map_err(refuse)?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let chain = chain.map_err(|error| refuse(format!("{name}: {error}")))?;
    if chain.is_empty() { Err(refuse(format!("{name}: holds no PEM certificate"))) } else { Ok(chain) }
}

fn private_key(entry: &str) -> Result<PrivateKeyDer<'static>, Error> {
    let refuse = |message| Error::Settings { option: "ssl.key", message };
    // What is written there may be a key that lacks its first line, so it is never repeated.
    let (pem, _) = pem(entry, "").map_err(|_| refuse("is neither a file that can be read nor a PEM key".to_owned()))?;
    PrivateKeyDer::from_pem_slice(&pem).map_err(|_| {
        refuse("holds no PEM key that is not encrypted; `openssl pkey -in FILE -out FILE` decrypts one".to_owned())
    })
}
