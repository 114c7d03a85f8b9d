//! Users and roles of the server, in files (<https://www.elastic.co/docs/deploy-manage/users-roles/cluster-or-deployment-auth/file-based>).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

/// Somebody whom the server knows.
#[derive(Clone, Debug)]
pub struct User {
    /// The name.
    pub name: &'static str,
    /// The password, made for this server.
    pub password: String,
    role: &'static str,
}

/// The privileges of the roles that are not built in, on the data streams of defenderbeat.
const ROLES: &[(&str, &str)] =
    &[("writer", "auto_configure, create_doc, read"), ("blind", "auto_configure, create_doc")];

/// All users of a server.
#[derive(Clone, Debug)]
pub(crate) struct Users {
    pub(crate) admin: User,
    pub(crate) writer: User,
    pub(crate) blind: User,
    pub(crate) stranger: User,
}

impl Users {
    pub(crate) fn new() -> Self {
        let user = |name, role| User { name, password: format!("{:032x}", fastrand::u128(..)), role };
        Self {
            admin: user("admin", "superuser"),
            writer: user("writer", "writer"),
            blind: user("blind", "blind"),
            stranger: user("stranger", "nothing"),
        }
    }

    fn all(&self) -> [&User; 4] {
        [&self.admin, &self.writer, &self.blind, &self.stranger]
    }

    /// The file `users`. A salted hash that is quick, because passwords are random and tests authenticate often.
    pub(crate) fn users(&self) -> String {
        let line = |user: &User| {
            let salt: [u8; 8] = fastrand::u64(..).to_le_bytes();
            let hash = Sha256::new().chain_update(&user.password).chain_update(salt).finalize();
            format!("{}:{{SSHA256}}{}{}\n", user.name, STANDARD.encode(salt), STANDARD.encode(hash))
        };
        self.all().into_iter().map(line).collect()
    }

    /// The file `users_roles`.
    pub(crate) fn users_roles(&self) -> String {
        self.all().into_iter().map(|user| format!("{}:{}\n", user.role, user.name)).collect()
    }

    /// The file `roles.yml`.
    pub(crate) fn roles() -> String {
        let role = |(name, privileges): &(&str, &str)| {
            format!("{name}:\n  indices:\n    - names: ['logs-m365_defender.*']\n      privileges: [{privileges}]\n")
        };
        ROLES.iter().map(role).collect::<String>() + "nothing: {}\n"
    }
}
