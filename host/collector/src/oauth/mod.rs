//! Tokens of Microsoft Entra: who asks for them, and how it shows who it is.
//!
//! An [`Identity`] is an application with a secret, a certificate or the token of another issuer, or the managed identity of
//! the machine. All inputs and the storage account of checkpoints get their [`Tokens`] here, by one code path.
//!
//! - `answer`: what login servers say, and what to do about it.
//! - `application`: the request of an application; `certificate` reads files, `assertion` signs.
//! - `managed`: the request of a managed identity to the machine's own endpoint.
//! - `credential`: the same tokens in the form of Microsoft's libraries, for Event Hubs and storage.
//!
//! Files (certificate, key, federated token) are read again for each request, so a new one is taken up without a restart; and
//! a refusal is tried again at once where a file has changed since it was read. Assertions have the times of our clock until
//! the login server refuses them for that; then they have those of the server's `Date`.
//!
//! Why not azure_identity, whose credentials are these: its certificates take OpenSSL, which is no part of this program; its
//! `managed_identity` has a fixed address and its authority hosts must be https, so neither can be tried on loopback; it dates assertions
//! by our clock alone; and its errors do not say what an operator can do. Names of environment variables, versions of interfaces and
//! retries are as in Microsoft's libraries.

mod answer;
mod application;
mod assertion;
mod certificate;
mod credential;
mod identity;
mod managed;
mod settings;
mod tokens;

pub use certificate::CertificateFiles;
pub(crate) use credential::Credential;
pub use identity::{Application, Credentials, Host, Identity, ManagedIdentity, Proof};
pub use settings::{AuthSettings, IdentityType};
pub(crate) use settings::{Environment, LOGIN, Short, login_url};
pub use tokens::{Token, Tokens};
