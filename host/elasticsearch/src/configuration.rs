//! The files that a server reads when it starts.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use crate::users::Users;
use crate::{Certificates, Error, Options, Tls};

/// Java's heap: enough for the tests, and small beside a machine that builds.
const HEAP: &str = "-Xms1g\n-Xmx1g\n";

/// Writes the folder `config`. Ports are 0 where the server chooses.
pub(crate) fn write(
    home: &Path,
    folder: &Path,
    options: &Options,
    port: u16,
    users: &Users,
    certificates: &Certificates,
) -> Result<(), Error> {
    let config = folder.join("config");
    let write = |name: &str, text: &str| {
        let path = config.join(name);
        fs::write(&path, text).map_err(Error::file(&path))
    };
    for folder in [folder.join("data"), folder.join("logs"), folder.join("tmp"), config.join("jvm.options.d")] {
        fs::create_dir_all(&folder).map_err(Error::file(&folder))?;
    }
    for name in ["jvm.options", "log4j2.properties"] {
        let from = home.join("config").join(name);
        fs::copy(&from, config.join(name)).map_err(Error::file(&from))?;
    }
    write("jvm.options.d/heap.options", HEAP)?;
    write("users", &users.users())?;
    write("users_roles", &users.users_roles())?;
    write("roles.yml", &Users::roles())?;
    write("elasticsearch.yml", &settings(folder, options, port, certificates))
}

fn settings(folder: &Path, options: &Options, port: u16, certificates: &Certificates) -> String {
    let folder = folder.display();
    let mut settings = format!(
        "cluster.name: defenderbeat
discovery.type: single-node
network.host: 127.0.0.1
http.port: {port}
transport.port: 0
# Writes which ports it took to a file.
node.portsfile: true
path.data: {folder}/data
path.logs: {folder}/logs
xpack.security.enabled: true
# A disk that is nearly full is no reason to refuse a test's documents.
cluster.routing.allocation.disk.threshold_enabled: false
"
    );
    if options.tls != Tls::Off {
        let authentication = if options.tls == Tls::ClientCertificate { "required" } else { "none" };
        let Certificates { authority, server, server_key, .. } = certificates;
        let _ = write!(
            settings,
            "xpack.security.http.ssl:
  enabled: true
  certificate: {}
  key: {}
  certificate_authorities: [\"{}\"]
  client_authentication: {authentication}
",
            server.display(),
            server_key.display(),
            authority.display()
        );
    }
    for (name, value) in &options.settings {
        let _ = writeln!(settings, "{name}: {value}");
    }
    settings
}
