//! The options of `defenderbeat.yml`. Their comments are the reference of the user, so they speak of keys, not of types.

use std::path::PathBuf;
use std::time::Duration;

use defenderbeat_runtime::Limits;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use super::http::HttpOptions;
use super::inventory::{Inventory, InventorySizes};
use super::logging::LoggingOptions;
use super::read::KeystoreOptions;
use super::reload::ConfigOptions;
use super::schema::in_order;
use super::setup::SetupOptions;
use super::units;
use crate::coordination::CoordinationOptions;
use crate::dead_letter::{WhenFull, timestamp};
use crate::http::Error;
use crate::oauth::{Environment, Identity};
use crate::output::elasticsearch::ElasticsearchSettings;
use crate::output::kafka::KafkaSettings;
use crate::output::logstash::LogstashSettings;
use crate::source::defender::DefenderSettings;
use crate::source::event_hubs::EventHubSettings;
use crate::source::graph::GraphSettings;

/// The file as it is written.
#[derive(Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(transform = in_order::<Self>)]
pub(super) struct File {
    /// Where records come from. One process serves any number of inputs, also of several tenants.
    pub(super) inputs: Vec<Input>,

    /// Changes of the documents of all inputs, after those of the input itself. As in Beats: `add_tags`, `add_fields`,
    /// `drop_fields`, `drop_event` and `rename`, each with `when` and the conditions `equals`, `contains`, `regexp`, `range`,
    /// `network`, `has_fields`, `and`, `or` and `not`. For example:
    ///
    ///     processors:
    ///       - add_tags: {tags: [production]}
    ///       - drop_event: {when: {equals: {event.severity: 1}}}
    pub(super) processors: Vec<Json>,

    /// Where documents go: exactly one output.
    pub(super) output: Outputs,

    pub(super) setup: SetupOptions,

    pub(super) path: PathOptions,

    pub(super) coordination: CoordinationOptions,

    pub(super) dead_letter: DeadLetterOptions,

    pub(super) geoip: GeoipOptions,

    pub(super) logging: LoggingOptions,

    pub(super) http: HttpOptions,

    pub(super) config: ConfigOptions,

    pub(super) keystore: KeystoreOptions,

    pub(super) seccomp: SeccompOptions,

    /// The name of this collector in `agent.name` of each document. Without it: the name of the host.
    pub(super) name: Option<String>,

    /// How long a stop waits for what is under way to be delivered. What is not delivered by then is read again at the next
    /// start. Raise it for slow outputs, and keep it 5s or more below the time after which your service manager kills: what is
    /// settled is saved after it.
    #[serde(with = "units::Time")]
    pub(super) shutdown_timeout: Duration,
}

impl Default for File {
    fn default() -> Self {
        Self {
            inputs: Vec::new(),
            processors: Vec::new(),
            output: Outputs::default(),
            setup: SetupOptions::default(),
            path: PathOptions::default(),
            coordination: CoordinationOptions::default(),
            dead_letter: DeadLetterOptions::default(),
            geoip: GeoipOptions::default(),
            logging: LoggingOptions::default(),
            http: HttpOptions::default(),
            config: ConfigOptions::default(),
            keystore: KeystoreOptions::default(),
            seccomp: SeccompOptions::default(),
            name: None,
            shutdown_timeout: Duration::from_secs(30),
        }
    }
}

/// One input: what is common to all types, and the options of its own.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(transform = in_order::<Self>, extend("format" = "input"))]
pub struct Input {
    /// Names the input in logs and keys its state, so it must be unique in this file and stay as it is: an input with
    /// another id starts anew. Letters, digits, `.`, `_` and `-`, at most 100.
    #[schemars(length(min = 1), example = "defender-alerts")]
    pub id: String,

    /// What is collected.
    #[serde(rename = "type")]
    #[schemars(example = Kind::Alert)]
    pub kind: Kind,

    /// Whether it runs. An input that does not is checked all the same and keeps its state.
    #[serde(default = "yes")]
    pub enabled: bool,

    /// The options of the type.
    #[schemars(skip)]
    pub source: Source,

    /// Tags of each document.
    #[serde(default)]
    pub tags: Vec<String>,

    /// Keeps the record as it came in `event.original`. Doubles the size of documents; for evidence and debugging.
    #[serde(default)]
    pub preserve_original_event: bool,

    /// Keeps the fields below `m365_defender` that an ECS field repeats. For dashboards that were made on them.
    #[serde(default)]
    pub preserve_duplicate_custom_fields: bool,

    /// Changes of the documents of this input, in the form of the global `processors`, before those.
    #[serde(default)]
    pub processors: Vec<Json>,

    /// Fields of your own: `from` is a JSONPath into the record, `to` the field, `as` the type (copy, keyword, lowercase,
    /// uppercase, long, double, boolean, date, ip, mac, json or list; copy without it). For example:
    ///
    ///     rows:
    ///       - {from: "$.customDetails.site", as: keyword, to: site.name}
    #[serde(default)]
    pub rows: Vec<Json>,

    /// The largest record; a larger one goes to the dead letters unread. Bounds the memory of this input.
    #[serde(default = "max_record_size", with = "units::Bytes")]
    pub max_record_size: usize,

    /// Threads that map this input's records side by side, each with memory of its own. Without it: one for each core where
    /// records come as a stream, and one where they are polled.
    #[schemars(range(min = 1, max = 256))]
    pub workers: Option<usize>,

    /// The memory that each worker's component may take: what it works on and what it remembers. For an input of
    /// vulnerabilities all machines, and the vulnerabilities that they are exposed to.
    #[serde(default = "memory_limit", with = "units::Bytes")]
    pub memory_limit: usize,

    /// What is remembered of devices and files, to tell more about later events than these say themselves: the operating
    /// system of a device, the signer of a file. Or `off`. For inputs of events only; all of them share what they
    /// remember, so give them the same sizes. It is kept below `path.data`.
    #[serde(default)]
    #[schemars(with = "Option<InventorySizes>")]
    pub inventory: Inventory,

    /// The data stream of the documents.
    #[serde(default)]
    #[schemars(description = "")]
    pub data_stream: DataStream,
}

/// Options of the data stream that documents are made for.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(transform = in_order::<Self>)]
pub struct DataStream {
    /// The last part of the data stream's name, such as an environment or a tenant. Lower case, at most 100 bytes, without
    /// `\ / * ? " < > | , # : -` and space.
    pub namespace: String,
}

impl Default for DataStream {
    fn default() -> Self {
        Self { namespace: "default".into() }
    }
}

/// What an input collects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Kind {
    /// Alerts with their evidence, from the Microsoft Graph security API (`alerts_v2`). Takes the application
    /// permission `SecurityAlert.Read.All`.
    Alert,
    /// Incidents, a document for each of their alerts, from the Microsoft Graph security API (`incidents`).
    /// Takes the application permission `SecurityIncident.Read.All`, and `SecurityAlert.Read.All` for incidents
    /// whose alerts are too many to come with them.
    Incident,
    /// The tables of advanced hunting that Defender XDR streams to Azure Event Hubs.
    Event,
    /// Vulnerabilities of software on machines, from the Defender for Endpoint API. Takes the application permission
    /// `Vulnerability.Read.All`, and `Machine.Read.All` for `mode: correlated`.
    Vulnerability,
}

impl Kind {
    /// Its name in the file.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Alert => "alert",
            Kind::Incident => "incident",
            Kind::Event => "event",
            Kind::Vulnerability => "vulnerability",
        }
    }
}

/// Where an input's records are, with the options of that place.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
#[allow(clippy::large_enum_variant, reason = "a configuration has a few of them, which live as long as the process")]
pub enum Source {
    /// The Microsoft Graph security API.
    Graph(GraphSettings),
    /// Azure Event Hubs.
    EventHubs(EventHubSettings),
    /// The Defender for Endpoint API.
    Defender(DefenderSettings),
}

impl Source {
    /// Tells all identities what the platform says.
    pub(super) fn set_environment(&mut self, environment: &Environment) {
        match self {
            Self::Graph(settings) => settings.auth.environment = environment.clone(),
            Self::Defender(settings) => settings.auth.environment = environment.clone(),
            Self::EventHubs(settings) => {
                settings.auth.environment = environment.clone();
                settings.storage_account_auth.environment = environment.clone();
            }
        }
    }

    /// Who asks for what is collected; none: a connection string.
    ///
    /// # Errors
    ///
    /// The option at fault.
    pub fn identity(&self) -> Result<Option<Identity>, Error> {
        match self {
            Self::Graph(settings) => settings.identity().map(Some),
            Self::Defender(settings) => settings.identity().map(Some),
            Self::EventHubs(settings) => settings.identity(),
        }
    }
}

fn yes() -> bool {
    true
}

fn max_record_size() -> usize {
    64 << 20
}

fn memory_limit() -> usize {
    Limits::default().memory
}

/// Who collects: `agent.*` of each document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agent {
    /// The same after a restart.
    pub id: String,
    /// The host, or the `name` of the file.
    pub name: String,
    /// Version of this program.
    pub version: String,
    /// Another one after each start.
    pub ephemeral_id: String,
}

impl Input {
    /// The data stream that its documents go to.
    pub fn stream(&self) -> String {
        format!("logs-m365_defender.{}-{}", self.kind.name(), self.data_stream.namespace)
    }

    /// Whether several processes share what it reads without being coordinated.
    pub(crate) fn is_shared(&self) -> bool {
        matches!(&self.source, Source::EventHubs(settings) if settings.is_shared())
    }

    /// How long it waits before it reads again, after a failure too.
    pub(crate) fn interval(&self) -> Duration {
        match &self.source {
            Source::Graph(settings) => settings.interval,
            Source::EventHubs(settings) => settings.retry.wait_max,
            Source::Defender(settings) => settings.pause(),
        }
    }

    /// The JSON text that the input's component is opened with. Its processors are this input's, which
    /// [`ConfigFile::load`](super::ConfigFile::load) has followed by the global ones. The component checks processors and rows, and
    /// names the one at fault. `facts`: whether the component remembers facts, so that it has an inventory. `sync_start`: when
    /// the sync began that it is opened for, in milliseconds since 1970-01-01T00:00:00Z.
    pub fn component_settings(&self, agent: &Agent, facts: bool, sync_start: Option<i64>) -> String {
        let mut settings = json!({
            "namespace": self.data_stream.namespace,
            "tags": self.tags,
            "preserve_original_event": self.preserve_original_event,
            "preserve_duplicate_custom_fields": self.preserve_duplicate_custom_fields,
            "rows": self.rows,
            "processors": self.processors,
            "max_record_size": self.max_record_size,
            "agent": {
                "id": agent.id,
                "name": agent.name,
                "type": "defenderbeat",
                "version": agent.version,
                "ephemeral_id": agent.ephemeral_id,
            },
        });
        let mut set = |name: &str, value: Json| {
            if let Some(settings) = settings.as_object_mut() {
                settings.insert(name.to_owned(), value);
            }
        };
        if facts {
            set("inventory", json!(self.inventory));
        }
        if let Source::Defender(source) = &self.source {
            set("affected_machines_only", source.affected_machines_only.into());
        }
        if let Some(start) = sync_start {
            set("sync_start", timestamp(start).into());
        }
        settings.to_string()
    }
}

/// The outputs as they are written; one of them is given.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(transform = in_order::<Self>)]
pub(super) struct Outputs {
    pub(super) elasticsearch: Option<ElasticsearchSettings>,
    pub(super) logstash: Option<LogstashSettings>,
    pub(super) kafka: Option<KafkaSettings>,
    pub(super) console: Option<ConsoleOutput>,
    pub(super) file: Option<FileOutput>,
    /// Counts documents and forgets them. For measuring.
    pub(super) discard: Option<DiscardOutput>,
}

/// Where documents go.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Output {
    /// Elasticsearch.
    Elasticsearch(Box<ElasticsearchSettings>),
    /// Logstash.
    Logstash(Box<LogstashSettings>),
    /// Kafka.
    Kafka(Box<KafkaSettings>),
    /// Standard output.
    Console(ConsoleOutput),
    /// Files.
    File(FileOutput),
    /// Nowhere; for measuring.
    Discard,
}

impl Output {
    /// Its name in the file.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Elasticsearch(_) => "elasticsearch",
            Self::Logstash(_) => "logstash",
            Self::Kafka(_) => "kafka",
            Self::Console(_) => "console",
            Self::File(_) => "file",
            Self::Discard => "discard",
        }
    }
}

/// Writes documents to standard output, one a line.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(transform = in_order::<Self>)]
pub struct ConsoleOutput {
    /// Indents documents over several lines. For reading, not for programs.
    pub pretty: bool,

    /// Begins each document with `@metadata`, as Beats do: `_id`, by which a reader tells a document that comes again, and
    /// `raw_index`, the data stream it is for. Turn it off where only fields of the document may stand.
    pub metadata: bool,
}

impl Default for ConsoleOutput {
    fn default() -> Self {
        Self { pretty: false, metadata: true }
    }
}

/// Writes documents to files, one a line, and starts a new file where one is full. A document counts as delivered when it
/// is on the disk.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(transform = in_order::<Self>)]
pub struct FileOutput {
    /// The folder. It is made where there is none.
    #[schemars(length(min = 1), example = &"/var/lib/defenderbeat/output")]
    pub path: PathBuf,

    /// The name that all files begin with.
    #[schemars(length(min = 1))]
    pub filename: String,

    /// The size in KiB at which a new file is started.
    #[schemars(range(min = 1))]
    pub rotate_every_kb: u64,

    /// How many files are kept; the oldest goes first. Make it enough for whatever reads them to keep up.
    #[schemars(range(min = 2, max = 1024))]
    pub number_of_files: usize,

    /// Who may read the files: octal permissions.
    #[serde(with = "units::Permissions")]
    pub permissions: u32,

    /// Starts a new file at each start.
    pub rotate_on_startup: bool,

    /// Begins each document with `@metadata`, as Beats do: `_id`, by which a reader tells a document that comes again, and
    /// `raw_index`, the data stream it is for. Turn it off where only fields of the document may stand.
    pub metadata: bool,
}

impl Default for FileOutput {
    fn default() -> Self {
        Self {
            path: PathBuf::new(),
            filename: "defenderbeat".into(),
            rotate_every_kb: 10_240,
            number_of_files: 7,
            permissions: 0o600,
            rotate_on_startup: true,
            metadata: true,
        }
    }
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(transform = in_order::<Self>)]
pub(super) struct DiscardOutput {}

#[derive(Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(transform = in_order::<Self>)]
pub(super) struct PathOptions {
    /// The folder of all state: where each input goes on after a restart. A relative path is one from the working
    /// directory. Keep it on a disk that survives; without it everything within `initial_interval` is collected again.
    #[schemars(length(min = 1))]
    pub(super) data: PathBuf,
}

impl Default for PathOptions {
    fn default() -> Self {
        Self { data: "data".into() }
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(transform = in_order::<Self>)]
pub(super) struct DeadLetterOptions {
    /// The folder for records that cannot be mapped and documents that the output refuses, each with the reason. Without it:
    /// `dead-letter` below `path.data`.
    pub(super) path: Option<PathBuf>,

    /// The largest file of dead letters.
    #[serde(with = "units::Bytes")]
    pub(super) max_size: usize,

    /// What happens when it is that large. `stop`: delivery stops, with an error in the log, and goes on once the file was
    /// moved away or emptied; nothing is lost. `drop_oldest`: at half the size the file becomes `dead-letters.1.ndjson`, and the
    /// one before it is lost.
    pub(super) when_full: WhenFull,
}

impl Default for DeadLetterOptions {
    fn default() -> Self {
        Self { path: None, max_size: 1 << 30, when_full: WhenFull::default() }
    }
}

/// Databases that tell where addresses are, in the MaxMind DB format. They are read at the start, into memory; a newer one
/// takes a restart.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(transform = in_order::<Self>)]
pub struct GeoipOptions {
    /// The file of a database of cities, such as `GeoLite2-City.mmdb`. Without it documents have no `geo` fields.
    pub city: Option<PathBuf>,

    /// The file of a database of autonomous systems, such as `GeoLite2-ASN.mmdb`. Without it documents have no `as` fields.
    pub asn: Option<PathBuf>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(transform = in_order::<Self>)]
pub(super) struct SeccompOptions {
    /// Gives up, before anything is collected, what collecting does not need: system calls such as exec and ptrace, new privileges,
    /// core dumps, and the capabilities of root but for reading and writing files of others. On Linux (x86_64, aarch64); elsewhere it
    /// does nothing. Turn it off to look into the process with a debugger.
    pub(super) enabled: bool,
}

impl Default for SeccompOptions {
    fn default() -> Self {
        Self { enabled: true }
    }
}
