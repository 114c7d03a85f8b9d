//! The request of an application: <https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow>.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use ring::digest::{SHA256, digest};
use url::Url;

use super::assertion;
use super::certificate::{Certificate, CertificateFiles};
use super::identity::{Application, Proof};
use crate::http::{Error, Secret, check_secure};

/// `client_assertion_type` (RFC 7523).
const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// Fields of the form that are no further ones.
const OWN: [&str; 5] = ["client_id", "client_secret", "client_assertion", "client_assertion_type", "scope"];

/// What is sent to the login server.
pub(super) struct Form {
    pub(super) text: Secret,
    /// Digest of what shows who asks, before it is dated and signed.
    proof: Vec<u8>,
    /// Whether it was dated and signed here.
    pub(super) signed: bool,
}

/// A certificate, with what its files were.
type Known = Mutex<Option<(Vec<u8>, Arc<Certificate>)>>;

/// Makes the requests of an application.
pub(super) struct Requests {
    application: Application,
    pub(super) url: Url,
    /// Fields without the proof.
    fields: Vec<(String, Secret)>,
    /// The one that was read last.
    certificate: Arc<Known>,
}

impl Requests {
    /// Prepares requests to `<login_url>/<tenant_id>/oauth2/v2.0/token`.
    pub(super) fn new(
        application: &Application,
        scopes: &[String],
        endpoint_params: &BTreeMap<String, Vec<Secret>>,
    ) -> Result<Self, Error> {
        check_secure("login_url", &application.login_url)?;
        let no_secret = matches!(&application.proof, Proof::Secret(secret) if secret.expose().trim().is_empty());
        for (option, is_empty) in [
            ("tenant_id", application.tenant_id.trim().is_empty()),
            ("client_id", application.client_id.trim().is_empty()),
            ("client_secret", no_secret),
        ] {
            if is_empty {
                return Err(Error::Settings { option, message: "must not be empty".into() });
            }
        }
        let mut url = application.login_url.clone();
        match url.path_segments_mut() {
            Ok(mut path) => _ = path.pop_if_empty().push(&application.tenant_id).extend(["oauth2", "v2.0", "token"]),
            Err(()) => return Err(Error::Settings { option: "login_url", message: "has no path".into() }),
        }
        let field = |name: &str, value: &str| (name.to_owned(), Secret::new(value));
        let mut fields = vec![field("client_id", &application.client_id), field("scope", &scopes.join(" "))];
        if !endpoint_params.contains_key("grant_type") {
            fields.push(field("grant_type", "client_credentials"));
        }
        for (name, values) in endpoint_params {
            if OWN.contains(&name.as_str()) {
                let message = format!("must not hold {name}, which is made of other options");
                return Err(Error::Settings { option: "endpoint_params", message });
            }
            fields.extend(values.iter().map(|value| (name.clone(), value.clone())));
        }
        Ok(Self { application: application.clone(), url, fields, certificate: Arc::default() })
    }

    /// The form of one request. `now` is when it is by the login server's clock, as far as that is known.
    ///
    /// # Errors
    ///
    /// What is wrong with the files. That may pass: one may just be replaced.
    pub(super) async fn form(&self, now: SystemTime) -> Result<Form, String> {
        match &self.application.proof {
            Proof::Secret(secret) => {
                let secret = secret.expose();
                let text = self.encode(&[("client_secret", &secret)]);
                Ok(Form { text, proof: sha256(&secret), signed: false })
            }
            Proof::Federated(file) => {
                let token = read_token(file)?;
                Ok(Form { text: self.asserted(&token), proof: sha256(&token.expose()), signed: false })
            }
            Proof::Certificate(files) => {
                let (read, known) = (files.clone(), self.certificate.clone());
                // A password is slow by intent.
                let reading = tokio::task::spawn_blocking(move || current(&read, &known));
                let (digest, certificate) =
                    reading.await.map_err(|_| "reading the certificate stopped unexpectedly".to_owned())??;
                let client_id = &self.application.client_id;
                let token = assertion::sign(&certificate, self.url.as_str(), client_id, now, files.send_chain)?;
                Ok(Form { text: self.asserted(&token), proof: digest, signed: true })
            }
        }
    }

    /// Whether other files lie there now than those that a form was made of.
    pub(super) fn changed(&self, form: &Form) -> bool {
        let now = match &self.application.proof {
            Proof::Secret(secret) => Some(sha256(&secret.expose())),
            Proof::Certificate(files) => files.read().ok().map(|contents| contents.digest()),
            Proof::Federated(file) => read_token(file).ok().map(|token| sha256(&token.expose())),
        };
        now.is_some_and(|now| now != form.proof)
    }

    fn asserted(&self, assertion: &Secret) -> Secret {
        self.encode(&[("client_assertion_type", JWT_BEARER), ("client_assertion", &assertion.expose())])
    }

    fn encode(&self, proof: &[(&str, &str)]) -> Secret {
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        for (name, value) in &self.fields {
            form.append_pair(name, &value.expose());
        }
        Secret::new(form.extend_pairs(proof).finish())
    }
}

fn sha256(text: &str) -> Vec<u8> {
    digest(&SHA256, text.as_bytes()).as_ref().to_vec()
}

/// The certificate that the files hold now, made anew only where they have changed.
fn current(files: &CertificateFiles, known: &Known) -> Result<(Vec<u8>, Arc<Certificate>), String> {
    let contents = files.read()?;
    let digest = contents.digest();
    let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
    match &*known {
        Some((of, certificate)) if *of == digest => Ok((digest, certificate.clone())),
        _ => {
            let certificate = Arc::new(files.parse(&contents)?);
            *known = Some((digest.clone(), certificate.clone()));
            Ok((digest, certificate))
        }
    }
}

fn read_token(file: &Path) -> Result<Secret, String> {
    let name = file.display();
    let text = std::fs::read_to_string(file).map_err(|error| format!("{name} cannot be read: {error}"))?;
    let text = text.trim();
    if text.is_empty() { Err(format!("{name} is empty")) } else { Ok(Secret::new(text)) }
}
