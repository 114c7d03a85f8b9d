//! The files of an application's certificate: PEM or PFX, the key encrypted or not.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use p12_keystore::Pkcs12Archive;
use pkcs8::EncryptedPrivateKeyInfoRef;
use ring::digest::{SHA256, digest};
use ring::rsa::KeyPair;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use zeroize::Zeroizing;

use crate::http::Secret;

const ENCRYPTED: (&str, &str) = ("-----BEGIN ENCRYPTED PRIVATE KEY-----", "-----END ENCRYPTED PRIVATE KEY-----");

/// Where an application's certificate is. The files are read whenever a token is asked for.
#[derive(Clone, Debug)]
pub struct CertificateFiles {
    /// PEM or PFX: the certificate, the certificates between it and its authority in any order, and the key unless `key` has it.
    pub certificate: PathBuf,
    /// PEM with the key.
    pub key: Option<PathBuf>,
    /// The password of the PFX, or of the encrypted key.
    pub password: Option<Secret>,
    /// Whether assertions carry the certificates.
    pub send_chain: bool,
}

/// What files hold that were read at one time.
pub(super) struct Contents {
    certificate: Vec<u8>,
    key: Option<Vec<u8>>,
    password: Option<Arc<Zeroizing<String>>>,
}

/// A key and its certificate.
pub(super) struct Certificate {
    pub(super) key: KeyPair,
    /// The one that the key belongs to, then all others, in DER.
    pub(super) chain: Vec<Vec<u8>>,
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate").finish_non_exhaustive()
    }
}

impl Certificate {
    /// SHA-256 of the certificate.
    pub(super) fn thumbprint(&self) -> Vec<u8> {
        digest(&SHA256, self.chain.first().map_or(&[][..], Vec::as_slice)).as_ref().to_vec()
    }
}

impl Contents {
    /// Tells whether files have changed.
    pub(super) fn digest(&self) -> Vec<u8> {
        let mut all = digest(&SHA256, &self.certificate).as_ref().to_vec();
        let password = self.password.as_ref().map(|password| password.as_bytes());
        for part in [self.key.as_deref(), password] {
            all.extend_from_slice(digest(&SHA256, part.unwrap_or_default()).as_ref());
        }
        all
    }
}

impl CertificateFiles {
    /// Reads the files and finds key and certificate in them.
    ///
    /// # Errors
    ///
    /// What is wrong with which file.
    pub(crate) fn check(&self) -> Result<(), String> {
        self.parse(&self.read()?).map(drop)
    }

    /// Reads the files.
    pub(super) fn read(&self) -> Result<Contents, String> {
        let read =
            |path: &Path| std::fs::read(path).map_err(|error| format!("{} cannot be read: {error}", path.display()));
        Ok(Contents {
            certificate: read(&self.certificate)?,
            key: self.key.as_deref().map(read).transpose()?,
            password: self.password.as_ref().map(Secret::expose),
        })
    }

    /// Finds key and certificate. Takes up to a second where a password is meant to be slow.
    ///
    /// # Errors
    ///
    /// What is wrong with which file; nothing of what it holds.
    pub(super) fn parse(&self, contents: &Contents) -> Result<Certificate, String> {
        let name = self.certificate.display();
        let is_pem = contents.certificate.windows(11).any(|text| text == b"-----BEGIN ");
        let (mut chain, key): (Vec<Vec<u8>>, KeyPair) = if is_pem {
            let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&contents.certificate).collect();
            let chain = chain.map_err(|error| format!("{name} is no valid PEM: {error}"))?;
            let (text, holder) = match (&contents.key, &self.key) {
                (Some(text), Some(path)) => (text, path),
                _ => (&contents.certificate, &self.certificate),
            };
            let key = pem_key(text, holder, contents.password.as_deref())?;
            (chain.into_iter().map(|certificate| certificate.to_vec()).collect(), key)
        } else {
            if self.key.is_some() {
                return Err(format!("{name} is no PEM, and a PFX has its key with it: leave out auth.key"));
            }
            self.pfx(contents)?
        };
        // A key that does not belong is found out here, and the certificate that it belongs to among others.
        let public = key.public().as_ref();
        let own =
            chain.iter().position(|certificate: &Vec<u8>| certificate.windows(public.len()).any(|part| part == public));
        match own {
            _ if chain.is_empty() => Err(format!("{name} holds no certificate")),
            None => Err(format!("the key belongs to no certificate in {name}")),
            Some(at) => {
                chain.get_mut(..=at).unwrap_or_default().rotate_right(1);
                Ok(Certificate { key, chain })
            }
        }
    }

    fn pfx(&self, contents: &Contents) -> Result<(Vec<Vec<u8>>, KeyPair), String> {
        let name = self.certificate.display();
        let password = contents.password.as_deref().map_or("", |password| password.as_str());
        let archive = Pkcs12Archive::from_pkcs12(&contents.certificate, password).map_err(|error| {
            format!("{name} is neither PEM nor a PFX that auth.certificate_password opens ({error})")
        })?;
        let bag = archive.keys.first().ok_or_else(|| format!("{name} holds no private key"))?;
        let key =
            KeyPair::from_pkcs8(bag.key.as_der()).map_err(|error| unusable(&self.certificate, &error.to_string()))?;
        Ok((archive.certs.iter().map(|bag| bag.cert.as_der().to_vec()).collect(), key))
    }
}

fn pem_key(text: &[u8], path: &Path, password: Option<&Zeroizing<String>>) -> Result<KeyPair, String> {
    let name = path.display();
    if let Some(encrypted) = encrypted_section(text) {
        let Some(password) = password else {
            return Err(format!("the key in {name} is encrypted: set auth.certificate_password"));
        };
        let wrong = || format!("the key in {name} cannot be decrypted: check auth.certificate_password");
        let der = STANDARD.decode(encrypted).map_err(|_| wrong())?;
        let info = EncryptedPrivateKeyInfoRef::try_from(der.as_slice()).map_err(|_| wrong())?;
        let key = info.decrypt(password.as_bytes()).map_err(|_| wrong())?;
        return KeyPair::from_pkcs8(key.as_bytes()).map_err(|error| unusable(path, &error.to_string()));
    }
    let key = PrivateKeyDer::from_pem_slice(text)
        .map_err(|_| format!("{name} holds no private key; where it is in another file, set auth.key"))?;
    let key = match &key {
        PrivateKeyDer::Pkcs1(der) => KeyPair::from_der(der.secret_pkcs1_der()),
        PrivateKeyDer::Pkcs8(der) => KeyPair::from_pkcs8(der.secret_pkcs8_der()),
        _ => return Err(unusable(path, "WrongAlgorithm")),
    };
    key.map_err(|error| unusable(path, &error.to_string()))
}

fn unusable(path: &Path, why: &str) -> String {
    format!("the key in {} is no RSA key of 2048 to 4096 bits, which Entra wants ({why})", path.display())
}

/// The base64 of an encrypted key; the reader of PEM passes these over.
fn encrypted_section(text: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(text).ok()?;
    let (_, rest) = text.split_once(ENCRYPTED.0)?;
    let (base64, _) = rest.split_once(ENCRYPTED.1)?;
    Some(base64.split_whitespace().collect())
}
