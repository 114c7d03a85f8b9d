//! An authority of the server's own, with a certificate for the server and one for clients.

use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

use crate::Error;

/// Files in PEM, beside the server's data.
#[derive(Clone, Debug)]
pub struct Certificates {
    /// The certificate of the authority: what a client has to trust.
    pub authority: PathBuf,
    /// A certificate that the server takes from a client.
    pub client: PathBuf,
    /// The key of that.
    pub client_key: PathBuf,
    pub(crate) server: PathBuf,
    pub(crate) server_key: PathBuf,
}

impl Certificates {
    /// Makes them in a folder, which exists.
    pub(crate) fn make(folder: &Path) -> Result<Self, Error> {
        let failed = |error: rcgen::Error| Error::Certificates(error.to_string());
        let write = |name: &str, pem: String| {
            let path = folder.join(name);
            std::fs::write(&path, pem).map_err(Error::file(&path)).map(|()| path)
        };
        let authority_key = KeyPair::generate().map_err(failed)?;
        let mut authority = named("authority", Vec::new())?;
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority_pem = authority.self_signed(&authority_key).map_err(failed)?.pem();
        let issuer = Issuer::new(authority, authority_key);
        let signed = |name: &str, names: Vec<String>| {
            let key = KeyPair::generate().map_err(failed)?;
            let certificate = named(name, names)?.signed_by(&key, &issuer).map_err(failed)?;
            Ok::<_, Error>((
                write(&format!("{name}.pem"), certificate.pem())?,
                write(&format!("{name}.key"), key.serialize_pem())?,
            ))
        };
        let (server, server_key) = signed("server", vec!["127.0.0.1".to_owned(), "localhost".to_owned()])?;
        let (client, client_key) = signed("client", vec!["client".to_owned()])?;
        Ok(Self { authority: write("authority.pem", authority_pem)?, client, client_key, server, server_key })
    }
}

fn named(name: &str, alternatives: Vec<String>) -> Result<CertificateParams, Error> {
    let mut params = CertificateParams::new(alternatives).map_err(|error| Error::Certificates(error.to_string()))?;
    params.distinguished_name.push(DnType::CommonName, name);
    Ok(params)
}
