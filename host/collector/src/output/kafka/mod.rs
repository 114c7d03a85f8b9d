//! Documents to Kafka's topics.
//!
//! A document's key is its `_id`; so are all of one in one partition, that of the hash that Java's producers take, and a topic that is
//! compacted keeps the last of those that came more than once. Records carry the time of sending, because retention goes by it: a document
//! about what happened long ago must not be deleted at once. All replicas that are in sync must have a record (`acks=all`).
//!
//! # The client
//!
//! `rskafka` (InfluxData's, in Rust), compared with `rdkafka` (bindings of librdkafka, in C):
//!
//! | | rskafka 0.6 | rdkafka 0.39 |
//! |---|---|---|
//! | TLS | rustls, the configuration that all outputs share | OpenSSL: a second TLS library, with options of its own |
//! | SASL | PLAIN, SCRAM-SHA-256 and -512, OAUTHBEARER, in Rust | the same; SCRAM and OAUTHBEARER take OpenSSL |
//! | compression | gzip, snappy, lz4, zstd; zstd and lz4 compile C | the same, in C |
//! | build | cargo and a C compiler, which ring takes already | cmake or make besides, perl for a vendored OpenSSL |
//! | threads, queues | none of its own: a send is a future, which memory is bounded by | threads and queues, bounded by options |
//! | `acks`, compression levels | all replicas; the libraries' own | any |
//! | idempotent producer | no | yes, within one process |
//!
//! What rskafka lacks is not wanted here: fewer acknowledgements would lose documents, and idempotence ends with the process, while `_id` does
//! not. It connects once to each partition's leader for each partition. Where TLS is used it takes no addresses of IPv6.
//!
//! Modules: `cluster` connects and finds partitions, `partition` delivers to one, `hash` chooses it, `topic` names topics, `access` says
//! who we are.

mod access;
mod cluster;
mod error;
mod hash;
mod partition;
mod settings;
mod topic;
pub(super) mod trial;

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::future::join_all;
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::message::{Message, origin};
use super::{Documents, Fate, Limits, Output, OutputError, Sent};
use crate::http::RetrySettings;

use access::Access;
use cluster::Cluster;
pub use error::Error;
pub use settings::{Acks, Compression, KafkaSettings, Mechanism, SaslSettings};
use topic::Topic;

/// What `@metadata.beat` says.
const BEAT: &str = "defenderbeat";

/// Sends documents to Kafka.
#[derive(Debug)]
pub struct Kafka {
    settings: KafkaSettings,
    topic: Topic,
    access: Access,
    /// Members of `@metadata` that all documents have.
    origin: String,
    cluster: Mutex<Option<Arc<Cluster>>>,
}

/// Documents for one partition, by their places in the send.
type Places = Vec<usize>;

impl Kafka {
    /// Prepares connections; opens none.
    ///
    /// # Errors
    ///
    /// The option at fault.
    pub fn open(settings: KafkaSettings) -> Result<Self, Error> {
        settings.check().map_err(Error::Settings)?;
        Ok(Self {
            topic: settings.topic().map_err(Error::Settings)?,
            access: Access::new(&settings).map_err(Error::Settings)?,
            origin: origin(BEAT),
            cluster: Mutex::default(),
            settings,
        })
    }

    /// The cluster that is connected, or a new connection where there is none or what is known of topics is old.
    async fn cluster(&self) -> Result<Arc<Cluster>, Error> {
        let mut current = self.cluster.lock().await;
        if let Some(cluster) = current.as_ref().filter(|cluster| cluster.is_fresh()) {
            return Ok(cluster.clone());
        }
        let cluster = Arc::new(Cluster::connect(&self.settings, &self.access).await?);
        *current = Some(cluster.clone());
        Ok(cluster)
    }

    /// Begins with new connections next time.
    async fn lost(&self, cluster: &Arc<Cluster>) {
        let mut current = self.cluster.lock().await;
        if current.as_ref().is_some_and(|current| Arc::ptr_eq(current, cluster)) {
            *current = None;
        }
    }

    /// Finds the partition of each document. Those of topics that cannot be written are left out; the error says why.
    async fn share(
        &self,
        cluster: &Cluster,
        messages: &[Message<'_>],
    ) -> (BTreeMap<(String, i32), Places>, Option<Error>) {
        let (mut shares, mut problem) = (BTreeMap::new(), None);
        let mut streams: BTreeMap<&str, Places> = BTreeMap::new();
        for (at, message) in messages.iter().enumerate() {
            streams.entry(message.stream).or_default().push(at);
        }
        for (stream, places) in streams {
            let topic = self.topic.of(stream);
            match cluster.partitions(&topic).await {
                Ok(count) => {
                    for at in places {
                        let Some(message) = messages.get(at) else { continue };
                        let partition = hash::partition(partition::key(message).as_bytes(), count);
                        shares.entry((topic.clone(), partition)).or_insert_with(Places::new).push(at);
                    }
                }
                Err(error) => problem = Some(error),
            }
        }
        (shares, problem)
    }
}

impl Output for Kafka {
    fn limits(&self) -> Limits {
        Limits {
            documents: self.settings.bulk_max_size,
            bytes: self.settings.max_message_bytes.saturating_mul(8),
            lanes: self.settings.worker,
        }
    }

    fn retry(&self) -> RetrySettings {
        self.settings.backoff.retry()
    }

    async fn send(&self, documents: &[Documents]) -> Result<Sent, OutputError> {
        let messages: Vec<Message<'_>> =
            documents.iter().flat_map(|documents| documents.messages(&self.origin)).collect();
        let patience = self.settings.timeout;
        let connecting = timeout(patience, self.cluster()).await;
        let cluster = connecting.unwrap_or_else(|_| Err(Error::no_answer(&self.settings)))?;
        let (shares, mut problem) = self.share(&cluster, &messages).await;
        let each = shares.iter().map(|((topic, partition), places)| {
            let messages: Vec<&Message<'_>> = places.iter().filter_map(|at| messages.get(*at)).collect();
            let cluster = &cluster;
            async move { (places, cluster.deliver(topic, *partition, messages, &self.settings).await) }
        });
        let mut fates = vec![Fate::Retry; messages.len()];
        for (places, (settled, failed)) in join_all(each).await {
            problem = failed.or(problem);
            for (at, fate) in places.iter().zip(settled) {
                if let Some(place) = fates.get_mut(*at) {
                    *place = fate;
                }
            }
        }
        let Some(error) = problem else { return Ok(Sent { fates, ..Sent::default() }) };
        self.lost(&cluster).await;
        if fates.iter().all(|fate| *fate == Fate::Retry) {
            return Err(error.into());
        }
        tracing::warn!(%error, "not all documents are known to be delivered: the others are sent again");
        Ok(Sent { fates, retry_after: error.retry_after(), throttled: false, problem: Some(error.to_string()) })
    }

    async fn flush(&self) -> Result<(), OutputError> {
        // What is acknowledged is with all replicas in sync.
        Ok(())
    }
}
