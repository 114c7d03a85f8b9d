//! `test output`: each server in turn, up to where documents would follow. The protocol has nothing to ask with.

use super::LogstashSettings;
use crate::output::dial;
use crate::output::trial::{Trial, Verdict};

/// Tries all servers.
pub(in crate::output) async fn run(settings: &LogstashSettings, trial: &mut Trial<'_>) {
    let addresses = match settings.addresses() {
        Ok(addresses) => addresses,
        Err(error) => return trial.step(0, "logstash", Verdict::Failed(error.to_string())),
    };
    for address in addresses {
        trial.step(0, format!("logstash: {address}"), Verdict::Begun);
        let Some(stream) = dial::connect(&address.host, address.port, " and hosts", trial).await else { continue };
        match &settings.ssl {
            Some(ssl) => _ = dial::is_secure(ssl, &address.host, stream, trial).await,
            None => trial.step(1, "TLS", Verdict::Warning("is not used: documents travel in the clear".to_owned())),
        }
    }
}
