//! `defenderbeat.yml`, in the manner of Beats.
//!
//! A file goes through three steps: `yaml` reads it as a tree of places and texts, over which overrides are merged;
//! `check` holds the tree against the options there are (`schema`), replaces variables and reports all that is unknown,
//! missing or of the wrong kind; what is left is deserialised and checked for what options mean together. The reference file
//! is made from the same options ([`reference()`]), and so is what may be shown of a file ([`ConfigFile::export`]).

mod check;
mod error;
mod export;
mod http;
mod inventory;
mod logging;
mod model;
mod read;
mod reference;
mod reload;
mod schema;
mod setup;
pub(crate) mod units;
mod variables;
mod yaml;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use check::Checked;
pub use error::{ConfigError, Place, Problem};
pub use http::{HttpOptions, TapOptions};
pub use inventory::{Inventory, InventorySizes};
pub use logging::{LogLevel, LoggingOptions};
pub use model::{Agent, ConsoleOutput, DataStream, FileOutput, GeoipOptions, Input, Kind, Output, Source};
pub use read::ConfigFile;
use read::Written;
pub use reference::{reference, secrets};
pub use reload::ReloadOptions;
pub(crate) use schema::in_order;
pub use setup::{Lifecycle, SetupOptions};
use yaml::Node;

use crate::coordination::AzureBlobSettings;
use crate::dead_letter::Cap;
use crate::oauth::Environment;

/// Looks up an environment variable.
pub type Env<'a> = &'a dyn Fn(&str) -> Option<String>;

/// A configuration that was checked, with all defaults filled in.
#[derive(Clone, Debug)]
pub struct Config {
    /// Name of this collector; none: the host's.
    pub name: Option<String>,
    /// At least one, with ids that are unique. Global processors follow the ones of each.
    pub inputs: Vec<Input>,
    /// Where documents go.
    pub output: Output,
    /// What is made in Elasticsearch.
    pub setup: SetupOptions,
    /// Folder of all state.
    pub data_path: PathBuf,
    /// How several processes share the inputs; none: there are no others.
    pub coordination: Option<AzureBlobSettings>,
    /// Folder of what could not be mapped or delivered.
    pub dead_letter_path: PathBuf,
    /// How much of it there may be.
    pub dead_letter_cap: Cap,
    /// Databases of addresses.
    pub geoip: GeoipOptions,
    /// What is logged, and how.
    pub logging: LoggingOptions,
    /// What the process tells of itself.
    pub http: HttpOptions,
    /// Whether privileges are given up before anything is collected.
    pub seccomp: bool,
    /// When the file is read again.
    pub reload: ReloadOptions,
    /// How long a stop waits.
    pub shutdown_timeout: Duration,
    /// What is to be said of it although it is taken.
    pub warnings: Vec<Problem>,
}

impl Config {
    /// As [`ConfigFile::load`], of a text that was read from `origin`.
    ///
    /// # Errors
    ///
    /// As [`ConfigFile::load`].
    pub fn parse(origin: &str, text: &str, overrides: &[String], env: Env<'_>) -> Result<Self, ConfigError> {
        let file = ConfigFile { path: origin.into(), overrides: overrides.to_vec(), strict_perms: true };
        Self::of(&mut Written::read(text, &file, env)?)
    }

    /// Checks what is written.
    fn of(written: &mut Written<'_>) -> Result<Self, ConfigError> {
        let look_up = |name: &str| written.value(name);
        let Checked { json, problems, warnings } =
            check::check(&written.node, &schema::options::<model::File>(), &look_up);
        written.opened()?;
        if !problems.is_empty() {
            return Err(ConfigError::Options(problems));
        }
        let file: model::File = serde_json::from_value(json).map_err(|error| {
            let mut problems = Problems::of(&written.node);
            problems.wrong("", error.to_string());
            problems.into_error()
        })?;
        Ok(Self { warnings, ..Self::resolve(file, &written.node, written.env)? })
    }

    fn resolve(file: model::File, node: &Node, env: Env<'_>) -> Result<Self, ConfigError> {
        let mut problems = Problems::of(node);
        let mut inputs = file.inputs;
        if inputs.is_empty() {
            problems.wrong("inputs", "is missing. Name at least one input");
        }
        let environment = Environment::read(env);
        let mut ids = BTreeMap::new();
        for (at, input) in inputs.iter_mut().enumerate() {
            let option = |key: &str| format!("inputs.{at}.{key}");
            if let Err(message) = check_id(&input.id) {
                problems.wrong(&option("id"), message);
            }
            // Ids name files, and not every file system tells cases apart.
            if let Some(other) = ids.insert(input.id.to_lowercase(), at) {
                let message = format!("is the id of inputs.{other} too, but names the state of one input; change one");
                problems.wrong(&option("id"), message);
            }
            if let Err(message) = check_namespace(&input.data_stream.namespace) {
                problems.wrong(&option("data_stream.namespace"), message);
            }
            input.source.set_environment(&environment);
            let checked = match &input.source {
                Source::Graph(settings) => {
                    if input.kind != Kind::Incident && !settings.include_alerts {
                        problems.wrong(&option("include_alerts"), "is for inputs of type incident only");
                    }
                    settings.check()
                }
                Source::EventHubs(settings) => settings.check(),
                Source::Defender(settings) => settings.check(),
            };
            match checked {
                Ok(()) => {}
                Err(crate::http::Error::Settings { option: key, message }) => {
                    problems.wrong(&option(key), message);
                }
                Err(error) => {
                    problems.wrong(&format!("inputs.{at}"), error.to_string());
                }
            }
            input.processors.extend(file.processors.iter().cloned());
        }
        let mut checked = |output: &str, checked: Result<(), crate::http::Error>| match checked {
            Ok(()) => {}
            Err(crate::http::Error::Settings { option, message }) => {
                problems.wrong(&format!("output.{output}.{option}"), message);
            }
            Err(error) => problems.wrong(&format!("output.{output}"), error.to_string()),
        };
        let elasticsearch = file.output.elasticsearch.map(|settings| {
            checked("elasticsearch", settings.check());
            Output::Elasticsearch(Box::new(settings))
        });
        let logstash = file.output.logstash.map(|settings| {
            checked("logstash", settings.check());
            Output::Logstash(Box::new(settings))
        });
        let kafka = file.output.kafka.map(|mut settings| {
            settings.auth.environment = environment.clone();
            checked("kafka", settings.check());
            Output::Kafka(Box::new(settings))
        });
        let console = file.output.console.map(Output::Console);
        let to_file = file.output.file.map(Output::File);
        let discard = file.output.discard.map(|_| Output::Discard);
        let mut coordination = file.coordination.azure_blob;
        if let Some(settings) = &mut coordination {
            settings.storage_account_auth.environment = environment;
            match settings.check() {
                Ok(()) => {}
                Err(crate::http::Error::Settings { option, message }) => {
                    problems.wrong(&format!("coordination.azure_blob.{option}"), message);
                }
                Err(error) => problems.wrong("coordination.azure_blob", error.to_string()),
            }
        }
        let mut outputs = [elasticsearch, logstash, kafka, console, to_file, discard].into_iter().flatten();
        let output = match (outputs.next(), outputs.next()) {
            (Some(output), None) => Some(output),
            (None, _) => {
                problems.wrong("output", "is missing. Name one, such as `output.console: {}`");
                None
            }
            (Some(_), Some(_)) => {
                problems.wrong("output", "has more than one; keep one, or take one away with -E output.NAME=null");
                None
            }
        };
        for (at, message) in file.logging.check() {
            problems.wrong(&format!("logging.selectors.{at}"), message);
        }
        if let Err((option, message)) = file.http.check() {
            problems.wrong(option, message);
        }
        let data_path = file.path.data;
        match output {
            Some(output) if problems.found.is_empty() => Ok(Self {
                name: file.name,
                inputs,
                output,
                setup: file.setup,
                dead_letter_cap: Cap { max_size: file.dead_letter.max_size, when_full: file.dead_letter.when_full },
                dead_letter_path: file.dead_letter.path.unwrap_or_else(|| data_path.join("dead-letter")),
                data_path,
                coordination,
                geoip: file.geoip,
                logging: file.logging,
                http: file.http,
                seccomp: file.seccomp.enabled,
                reload: file.config.reload,
                shutdown_timeout: file.shutdown_timeout,
                warnings: Vec::new(),
            }),
            _ => Err(problems.into_error()),
        }
    }
}

/// Problems of a tree, by option.
struct Problems<'a> {
    node: &'a Node,
    found: Vec<Problem>,
}

impl<'a> Problems<'a> {
    fn of(node: &'a Node) -> Self {
        Self { node, found: Vec::new() }
    }

    fn wrong(&mut self, option: &str, message: impl Into<String>) {
        let place = self.node.place(option).clone();
        self.found.push(Problem { place, option: option.to_owned(), message: message.into() });
    }

    fn into_error(self) -> ConfigError {
        ConfigError::Options(self.found)
    }
}

/// An id becomes part of the names of files.
fn check_id(id: &str) -> Result<(), String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || ".-_".contains(c);
    if id.len() > 100 || !id.chars().all(allowed) || id.chars().all(|c| c == '.') {
        return Err("must be of 1 to 100 letters, digits, `.`, `_` and `-`, because it names files".into());
    }
    Ok(())
}

/// What Elasticsearch takes
/// (<https://www.elastic.co/docs/reference/ecs/ecs-data_stream>).
fn check_namespace(namespace: &str) -> Result<(), String> {
    const REFUSED: &str = "\\/*?\"<>|,#:- ";
    if namespace.is_empty() || namespace.len() > 100 {
        return Err("must be of 1 to 100 bytes".into());
    }
    if namespace.chars().any(|c| REFUSED.contains(c)) {
        return Err(r#"must have none of \ / * ? " < > | , # : - and no space"#.into());
    }
    if namespace.chars().any(char::is_uppercase) {
        return Err("must be in lower case".into());
    }
    Ok(())
}
