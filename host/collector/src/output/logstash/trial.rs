//! `test output`: each server in turn, up to where documents would follow. The protocol has nothing to ask with, so that the server
//! stays silent is all that can be found out.

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
        let silent = match &settings.ssl {
            Some(ssl) => match dial::secure(ssl, &address.host, stream, trial).await {
                Some(stream) => dial::is_silent(stream).await,
                None => continue,
            },
            None => {
                trial.step(1, "TLS", Verdict::Warning("is not used: documents travel in the clear".to_owned()));
                dial::is_silent(stream).await
            }
        };
        let advice = |error: String| {
            let certificate = error.contains("fatal alert");
            let advice = if certificate { "check ssl.certificate and ssl.key" } else { "is this an input for Beats?" };
            format!("{error}; {advice}")
        };
        let _ = trial.result(1, "talk to server", silent.map_err(advice));
    }
}
