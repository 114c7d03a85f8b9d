//! `test output`: each broker in turn, from its name to who it takes us for; then the topics. Nothing is written.

use std::collections::BTreeSet;

use tokio::time::timeout;

use super::access::Access;
use super::cluster::Cluster;
use super::{Error, KafkaSettings};
use crate::output::dial;
use crate::output::trial::{Trial, Verdict};

/// Tries all brokers, and looks for the topics of these data streams.
pub(in crate::output) async fn run(settings: &KafkaSettings, streams: &[String], trial: &mut Trial<'_>) {
    let prepared = settings.addresses().and_then(|addresses| Ok((addresses, Access::new(settings)?)));
    let (addresses, access) = match prepared {
        Ok(prepared) => prepared,
        Err(error) => return trial.step(0, "kafka", Verdict::Failed(error.to_string())),
    };
    let mut connected = None;
    for (address, host) in addresses.iter().zip(&settings.hosts) {
        trial.step(0, format!("kafka: {address}"), Verdict::Begun);
        let Some(stream) = dial::connect(&address.host, address.port, " and hosts", trial).await else { continue };
        match &settings.ssl {
            Some(ssl) if dial::secure(ssl, &address.host, stream, trial).await.is_none() => continue,
            Some(_) => {}
            None => trial.step(1, "TLS", Verdict::Warning("is not used: documents travel in the clear".to_owned())),
        }
        let settings = KafkaSettings { hosts: vec![host.clone()], ..settings.clone() };
        let cluster = match timeout(settings.timeout, Cluster::connect(&settings, &access)).await {
            Ok(cluster) => cluster,
            Err(_) => Err(Error::no_answer(&settings)),
        };
        let cluster = trial.result(1, "talk to server", cluster.map_err(|error| error.to_string()));
        connected = cluster.or(connected);
    }
    let (Some(cluster), Ok(topic)) = (connected, settings.topic()) else { return };
    trial.step(0, "topics", Verdict::Begun);
    let names: BTreeSet<String> = streams.iter().map(|stream| topic.of(stream)).collect();
    for name in names {
        let verdict = match cluster.lists(&name).await {
            Some(count) => Verdict::Told(format!("{count} partitions")),
            None => Verdict::Warning(
                "is not listed: it does not exist, or this user may not describe it; brokers may make it with the first document"
                    .to_owned(),
            ),
        };
        trial.step(1, name, verdict);
    }
}
