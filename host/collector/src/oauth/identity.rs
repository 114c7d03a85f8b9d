//! Who asks for a token, and for what.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use url::Url;

use super::certificate::CertificateFiles;
use crate::http::Secret;

/// Who asks for a token, and for what.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// Who asks.
    pub identity: Identity,
    /// What the token is for, such as `https://graph.microsoft.com/.default`.
    pub scopes: Vec<String>,
    /// Further form fields of an application's request. `grant_type` may be replaced, the other fields may not.
    pub endpoint_params: BTreeMap<String, Vec<Secret>>,
}

/// Who asks for tokens. Displayed for the operator, without secrets.
#[derive(Clone, Debug)]
pub enum Identity {
    /// An application that is registered in a tenant.
    Application(Application),
    /// The identity of the machine.
    Managed(ManagedIdentity),
}

/// An application that is registered in a tenant; also a user-assigned identity that trusts another issuer.
#[derive(Clone, Debug)]
pub struct Application {
    /// Directory (tenant) id, or one of its domains.
    pub tenant_id: String,
    /// Application (client) id.
    pub client_id: String,
    /// The login server, such as `https://login.microsoftonline.com`.
    pub login_url: Url,
    /// How it shows that it is this application.
    pub proof: Proof,
}

/// How an application shows who it is.
#[derive(Clone, Debug)]
pub enum Proof {
    /// By a secret that both sides know.
    Secret(Secret),
    /// By a signature whose certificate is registered with it.
    Certificate(CertificateFiles),
    /// By a token of an issuer that it trusts, in this file.
    Federated(PathBuf),
}

/// The identity that Azure gives to a machine.
#[derive(Clone, Debug)]
pub struct ManagedIdentity {
    /// The client id of a user-assigned identity; none: the system-assigned one.
    pub client_id: Option<String>,
    /// What the machine is.
    pub host: Host,
}

/// Where the tokens of a managed identity are asked for.
#[derive(Clone, Debug)]
pub enum Host {
    /// A virtual machine, by the Instance Metadata Service.
    Imds(Url),
    /// App Service, Functions or Container Apps, which want a header of the process's environment.
    AppService(Url, Secret),
    /// A server outside of Azure with Azure Arc's agent, which shows by a file in this folder that it may ask.
    Arc(Url, PathBuf),
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Application(Application { tenant_id, client_id, proof, .. }) => {
                write!(f, "application {client_id} of tenant {tenant_id} with ")?;
                match proof {
                    Proof::Secret(_) => f.write_str("a client secret"),
                    Proof::Certificate(files) => write!(f, "the certificate of {}", files.certificate.display()),
                    Proof::Federated(file) => write!(f, "the federated token of {}", file.display()),
                }
            }
            Self::Managed(ManagedIdentity { client_id, host }) => {
                match client_id {
                    Some(id) => write!(f, "user-assigned managed identity {id}")?,
                    None => f.write_str("system-assigned managed identity")?,
                }
                match host {
                    Host::Imds(_) => f.write_str(" of this machine"),
                    Host::AppService(..) => f.write_str(" of this App Service"),
                    Host::Arc(..) => f.write_str(" of this server, by Azure Arc"),
                }
            }
        }
    }
}
