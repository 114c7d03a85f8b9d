//! The options `auth`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use url::Url;

use super::certificate::CertificateFiles;
use super::identity::{Application, Host, Identity, ManagedIdentity, Proof};
use crate::config::{Env, in_order};
use crate::http::{Error, Secret, address, is_loopback};

/// The login server of most tenants.
pub(crate) const LOGIN: &str = "https://login.microsoftonline.com";
/// Where virtual machines of Azure find out about themselves.
const IMDS: &str = "http://169.254.169.254";
const IMDS_PATH: &str = "/metadata/identity/oauth2/token";
/// Where Azure Arc's agent keeps its keys.
#[cfg(not(windows))]
const ARC_KEYS: &str = "/var/opt/azcmagent/tokens";
#[cfg(windows)]
const ARC_KEYS: &str = r"C:\ProgramData\AzureConnectedMachineAgent\Tokens";

/// Who asks Microsoft for tokens, and how it shows who it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(transform = in_order::<Self>)]
pub struct AuthSettings {
    /// Which identity it is.
    #[serde(rename = "type")]
    pub kind: Option<IdentityType>,

    /// Directory (tenant) id, or one of its domains. Not for `managed_identity`. With `workload_identity` the environment's
    /// AZURE_TENANT_ID serves where it is not written.
    pub tenant_id: String,

    /// Application (client) id; for `managed_identity` that of a user-assigned identity, without which the system-assigned one is
    /// used. With `workload_identity` the environment's AZURE_CLIENT_ID serves where it is not written.
    pub client_id: String,

    /// For `client_secret`: the application's secret, from the environment or a file as `client_secret` of the input.
    pub client_secret: Option<Secret>,

    /// For `certificate`: the file of the certificate, PEM or PFX, with an RSA key. It and `auth.key` are read again for each token,
    /// so put a new one in their place.
    pub certificate: String,

    /// For `certificate`: the PEM file of the key, where it is not in that of the certificate.
    pub key: String,

    /// For `certificate`: the password of the PFX or of the encrypted key, from the environment or a file as `client_secret`.
    pub certificate_password: Option<Secret>,

    /// For `certificate`: sends the certificate and those between it and its authority along, for applications that accept a
    /// certificate by its subject and issuer.
    pub send_certificate_chain: bool,

    /// For `workload_identity`: the file of the token that another issuer gives, such as a Kubernetes cluster. It is read again
    /// for each token. Without it: the environment's AZURE_FEDERATED_TOKEN_FILE.
    pub token_file: String,

    /// For `managed_identity`: the root of what answers in place of the Instance Metadata Service, on loopback only. For tests.
    pub endpoint: String,

    #[serde(skip)]
    #[schemars(skip)]
    pub(crate) environment: Environment,
}

/// Which identity asks for tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum IdentityType {
    /// An application and its secret.
    ClientSecret,
    /// An application and its certificate.
    Certificate,
    /// An application or a user-assigned identity that trusts the tokens of another issuer, as in Kubernetes.
    WorkloadIdentity,
    /// The identity of the machine in Azure it runs on: a virtual machine, App Service, or a server with Azure Arc.
    ManagedIdentity,
}

impl IdentityType {
    fn name(self) -> &'static str {
        match self {
            Self::ClientSecret => "client_secret",
            Self::Certificate => "certificate",
            Self::WorkloadIdentity => "workload_identity",
            Self::ManagedIdentity => "managed_identity",
        }
    }
}

/// What a platform says in the environment of its processes, by the names that Microsoft's libraries know.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Environment {
    client_id: Option<String>,
    tenant_id: Option<String>,
    token_file: Option<String>,
    authority_host: Option<String>,
    identity_endpoint: Option<String>,
    identity_header: Option<Secret>,
    service_fabric: bool,
    arc: bool,
}

impl Environment {
    /// Reads it once: it does not change while a process runs.
    pub(crate) fn read(env: Env<'_>) -> Self {
        let value = |name| env(name).filter(|value| !value.is_empty());
        Self {
            client_id: value("AZURE_CLIENT_ID"),
            tenant_id: value("AZURE_TENANT_ID"),
            token_file: value("AZURE_FEDERATED_TOKEN_FILE"),
            authority_host: value("AZURE_AUTHORITY_HOST"),
            identity_endpoint: value("IDENTITY_ENDPOINT"),
            identity_header: value("IDENTITY_HEADER").map(Secret::new),
            service_fabric: value("IDENTITY_SERVER_THUMBPRINT").is_some(),
            arc: value("IMDS_ENDPOINT").is_some(),
        }
    }
}

/// What is written at the input itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Short<'a> {
    pub(crate) tenant_id: &'a str,
    pub(crate) client_id: &'a str,
    pub(crate) client_secret: Option<&'a Secret>,
    /// The login server, and the option that names it.
    pub(crate) login: (&'static str, &'a str),
}

/// A login server's address; filebeat has it with and without the scheme.
pub(crate) fn login_url(authority_host: &str) -> String {
    if authority_host.contains("://") {
        authority_host.trim_end_matches('/').to_owned()
    } else {
        format!("https://{authority_host}")
    }
}

fn wrong<T>(option: &'static str, message: impl Into<String>) -> Result<T, Error> {
    Err(Error::Settings { option, message: message.into() })
}

impl AuthSettings {
    /// The identity that these options and the short form name together; of type `otherwise` where none is written.
    ///
    /// # Errors
    ///
    /// The option that is missing, is written twice, or does not belong to the type.
    pub(crate) fn identity(&self, otherwise: IdentityType, short: Short<'_>) -> Result<Identity, Error> {
        let kind = self.kind.unwrap_or(otherwise);
        self.check_belonging(kind, short)?;
        let tenant_id = either("tenant_id", "auth.tenant_id", short.tenant_id, &self.tenant_id)?;
        let client_id = either("client_id", "auth.client_id", short.client_id, &self.client_id)?;
        let client_secret = match (given(short.client_secret), given(self.client_secret.as_ref())) {
            (Some(_), Some(_)) => return twice("client_secret", "auth.client_secret"),
            (short, long) => short.or(long),
        };
        let environment = match kind {
            IdentityType::ManagedIdentity => return self.managed(client_id).map(Identity::Managed),
            IdentityType::WorkloadIdentity => self.environment.clone(),
            IdentityType::ClientSecret | IdentityType::Certificate => Environment::default(),
        };
        let missing = |option: &'static str, what: &str| {
            // Who uses the short form looks for its names.
            let option = option.strip_prefix("auth.").filter(|_| self.kind.is_none()).unwrap_or(option);
            let message = format!("is missing: {} wants {what}", kind.name());
            Error::Settings { option, message }
        };
        let wanted = |option: &'static str, written: &str, environment: Option<String>, what: &str| {
            let given = Some(written.to_owned()).filter(|written| !written.trim().is_empty()).or(environment);
            given.ok_or_else(|| missing(option, what))
        };
        let tenant_id = wanted("auth.tenant_id", tenant_id, environment.tenant_id, "the directory (tenant) id")?;
        let client_id = wanted("auth.client_id", client_id, environment.client_id, "the application (client) id")?;
        let (option, login) = match (short.login, environment.authority_host) {
            // What the platform says counts where nobody has chosen.
            ((_, LOGIN), Some(host)) => ("AZURE_AUTHORITY_HOST", host),
            ((option, url), _) => (option, url.to_owned()),
        };
        let proof = match kind {
            IdentityType::Certificate => self.certificate(wanted)?,
            IdentityType::WorkloadIdentity => {
                let what = "the file of the token, here or in AZURE_FEDERATED_TOKEN_FILE";
                let file = wanted("auth.token_file", &self.token_file, environment.token_file, what)?;
                Proof::Federated(file.into())
            }
            IdentityType::ClientSecret | IdentityType::ManagedIdentity => {
                let secret = client_secret.filter(|secret| !secret.expose().trim().is_empty());
                let secret = secret.ok_or_else(|| missing("auth.client_secret", "the application's secret"))?;
                Proof::Secret(secret.clone())
            }
        };
        Ok(Identity::Application(Application { tenant_id, client_id, login_url: address(option, &login)?, proof }))
    }

    /// The identity of the option `storage_account_auth`, which the login server at `authority_host` knows.
    ///
    /// # Errors
    ///
    /// As [`identity`](Self::identity).
    pub(crate) fn for_storage(&self, authority_host: &str) -> Result<Identity, Error> {
        let login = login_url(authority_host);
        let short = Short { tenant_id: "", client_id: "", client_secret: None, login: ("authority_host", &login) };
        self.identity(IdentityType::ClientSecret, short).map_err(|error| match error {
            Error::Settings { option, message } => {
                let key = option.strip_prefix("auth.").unwrap_or(option);
                Error::Settings { option: "storage_account_auth", message: format!("{key} {message}") }
            }
            error => error,
        })
    }

    /// Whether any of the options is written.
    pub(crate) fn is_written(&self) -> bool {
        self.kind.is_some() || self.options().iter().any(|(_, written, _)| *written)
    }

    /// Each option, whether it is written, and the types that it is for.
    fn options(&self) -> [(&'static str, bool, &'static [IdentityType]); 9] {
        use IdentityType::{Certificate, ClientSecret, ManagedIdentity, WorkloadIdentity};
        let is_secret = |secret: &Option<Secret>| given(secret.as_ref()).is_some();
        [
            ("auth.tenant_id", !self.tenant_id.is_empty(), &[ClientSecret, Certificate, WorkloadIdentity]),
            (
                "auth.client_id",
                !self.client_id.is_empty(),
                &[ClientSecret, Certificate, WorkloadIdentity, ManagedIdentity],
            ),
            ("auth.client_secret", is_secret(&self.client_secret), &[ClientSecret]),
            ("auth.certificate", !self.certificate.is_empty(), &[Certificate]),
            ("auth.key", !self.key.is_empty(), &[Certificate]),
            ("auth.certificate_password", is_secret(&self.certificate_password), &[Certificate]),
            ("auth.send_certificate_chain", self.send_certificate_chain, &[Certificate]),
            ("auth.token_file", !self.token_file.is_empty(), &[WorkloadIdentity]),
            ("auth.endpoint", !self.endpoint.is_empty(), &[ManagedIdentity]),
        ]
    }

    fn check_belonging(&self, kind: IdentityType, short: Short<'_>) -> Result<(), Error> {
        if self.kind.is_none() && self.is_written() {
            return wrong("auth.type", "is missing: it says which of the options below `auth` count");
        }
        let own = self.options();
        let written_short = [
            ("tenant_id", !short.tenant_id.is_empty(), own[0].2),
            ("client_secret", given(short.client_secret).is_some(), own[2].2),
        ];
        for (option, written, kinds) in own.into_iter().chain(written_short) {
            if written && !kinds.contains(&kind) {
                let names: Vec<&str> = kinds.iter().map(|kind| kind.name()).collect();
                return wrong(option, format!("is for auth.type {}, not for {}", names.join(" or "), kind.name()));
            }
        }
        Ok(())
    }

    fn certificate(
        &self,
        wanted: impl Fn(&'static str, &str, Option<String>, &str) -> Result<String, Error>,
    ) -> Result<Proof, Error> {
        let certificate = wanted("auth.certificate", &self.certificate, None, "the file of the certificate")?;
        let files = CertificateFiles {
            certificate: certificate.into(),
            key: (!self.key.is_empty()).then(|| self.key.clone().into()),
            password: self.certificate_password.clone().filter(|password| !password.expose().is_empty()),
            send_chain: self.send_certificate_chain,
        };
        match files.check() {
            Ok(()) => Ok(Proof::Certificate(files)),
            Err(message) => wrong("auth.certificate", format!("is of no use: {message}")),
        }
    }

    fn managed(&self, client_id: &str) -> Result<ManagedIdentity, Error> {
        let client_id = Some(client_id.trim().to_owned()).filter(|id| !id.is_empty());
        let environment = &self.environment;
        let parsed = |option, text: &str| {
            Url::parse(text).map_err(|error| Error::Settings { option, message: format!("is no address: {error}") })
        };
        let host = match (&environment.identity_endpoint, &environment.identity_header) {
            _ if !self.endpoint.is_empty() => {
                let url = parsed("auth.endpoint", &self.endpoint)?;
                if !is_loopback(&url) {
                    return wrong(
                        "auth.endpoint",
                        "must be on loopback: whoever answers there would learn what it is asked for",
                    );
                }
                Host::Imds(parsed("auth.endpoint", &format!("{}{IMDS_PATH}", self.endpoint.trim_end_matches('/')))?)
            }
            (Some(_), Some(_)) if environment.service_fabric => {
                return wrong("auth.type", "managed_identity is not supported in Service Fabric; use certificate");
            }
            (Some(url), Some(header)) => Host::AppService(parsed("IDENTITY_ENDPOINT", url)?, header.clone()),
            (Some(url), None) if environment.arc => Host::Arc(parsed("IDENTITY_ENDPOINT", url)?, ARC_KEYS.into()),
            _ => Host::Imds(parsed("auth.endpoint", &format!("{IMDS}{IMDS_PATH}"))?),
        };
        if client_id.is_some() && matches!(host, Host::Arc(..)) {
            return wrong("auth.client_id", "is for user-assigned identities, and Azure Arc has none: leave it out");
        }
        Ok(ManagedIdentity { client_id, host })
    }
}

fn given(secret: Option<&Secret>) -> Option<&Secret> {
    secret.filter(|secret| !secret.expose().is_empty())
}

fn twice<T>(short: &'static str, long: &str) -> Result<T, Error> {
    wrong(short, format!("is written twice: as {long} too; keep one"))
}

/// What is written at the input, or below `auth`; not both.
fn either<'a>(short: &'static str, long: &str, at_input: &'a str, below: &'a str) -> Result<&'a str, Error> {
    match (at_input.is_empty(), below.is_empty()) {
        (false, false) => twice(short, long),
        (true, _) => Ok(below),
        (false, true) => Ok(at_input),
    }
}
