//! Brokers that are connected, and what is known of their topics.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use rskafka::BackoffConfig;
use rskafka::client::partition::{PartitionClient, UnknownTopicHandling};
use rskafka::client::{Client, ClientBuilder};
use tokio::sync::{Mutex, OnceCell};
use tokio::time::{Instant, timeout};

use super::access::Access;
use super::{Error, KafkaSettings};

/// How long it is believed how many partitions a topic has; Java's producers ask after 5 minutes, Beats after 10.
const FRESH: Duration = Duration::from_secs(600);
/// The library tries so long by itself, as when a leader changes. After that delivery does, which logs and backs off.
const BRIEFLY: BackoffConfig = BackoffConfig {
    init_backoff: Duration::from_millis(100),
    max_backoff: Duration::from_secs(1),
    base: 2.0,
    deadline: Some(Duration::from_secs(2)),
};

/// The connection to a partition's leader, opened when it is wanted.
type Leader = Arc<OnceCell<PartitionClient>>;

/// Connections, opened as they are wanted.
pub(super) struct Cluster {
    client: Client,
    timeout: Duration,
    since: Instant,
    /// Partitions of topics.
    topics: Mutex<HashMap<String, u32>>,
    partitions: Mutex<HashMap<(String, i32), Leader>>,
}

impl std::fmt::Debug for Cluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cluster").field("since", &self.since).finish_non_exhaustive()
    }
}

impl Cluster {
    /// Connects, and asks which topics there are.
    pub(super) async fn connect(settings: &KafkaSettings, access: &Access) -> Result<Self, Error> {
        let hosts = settings.addresses().map_err(Error::Settings)?.iter().map(ToString::to_string).collect();
        let mut builder =
            ClientBuilder::new(hosts).client_id(settings.client_id.as_str()).backoff_config(BRIEFLY.clone());
        if let Some(tls) = &access.tls {
            builder = builder.tls_config(tls.clone());
        }
        if let Some(sasl) = access.sasl() {
            builder = builder.sasl_config(sasl);
        }
        let failed = |error| Error::connect(settings, &error);
        let client = builder.build().await.map_err(failed)?;
        let topics = topics(&client).await.map_err(failed)?;
        Ok(Self {
            client,
            timeout: settings.timeout,
            since: Instant::now(),
            topics: Mutex::new(topics),
            partitions: Mutex::default(),
        })
    }

    /// Whether what is known of topics is to be believed.
    pub(super) fn is_fresh(&self) -> bool {
        self.since.elapsed() < FRESH
    }

    /// How many partitions a topic has. Where it is not known, brokers are asked for it, which makes it where they do so.
    pub(super) async fn partitions(&self, topic: &str) -> Result<u32, Error> {
        let mut topics = self.topics.lock().await;
        if let Some(count) = topics.get(topic) {
            return Ok(*count);
        }
        let asking = async {
            self.client.partition_client(topic, 0, UnknownTopicHandling::Retry).await?;
            self::topics(&self.client).await
        };
        let unknown = |message: String| Error::Topic { topic: topic.to_owned(), message, advice: "" };
        *topics = match timeout(self.timeout, asking).await {
            Ok(found) => found.map_err(|error| Error::topic(topic, &error))?,
            Err(_) => return Err(unknown(format!("no answer within {} ms", self.timeout.as_millis()))),
        };
        topics.get(topic).copied().ok_or_else(|| unknown("brokers do not list it yet".into()))
    }

    /// Whether brokers list a topic, without asking for it.
    pub(super) async fn lists(&self, topic: &str) -> Option<u32> {
        self.topics.lock().await.get(topic).copied()
    }

    /// The connection to a partition's leader.
    pub(super) async fn partition(&self, topic: &str, partition: i32) -> Result<Leader, rskafka::client::error::Error> {
        let cell = self.partitions.lock().await.entry((topic.to_owned(), partition)).or_default().clone();
        cell.get_or_try_init(|| self.client.partition_client(topic, partition, UnknownTopicHandling::Error)).await?;
        Ok(cell)
    }
}

async fn topics(client: &Client) -> Result<HashMap<String, u32>, rskafka::client::error::Error> {
    let topics = client.list_topics().await?;
    // A topic without partitions is one that is being made.
    let counted =
        topics.into_iter().filter_map(|topic| Some((topic.name, u32::try_from(topic.partitions.len()).ok()?)));
    Ok(counted.filter(|(_, count)| *count > 0).collect())
}
