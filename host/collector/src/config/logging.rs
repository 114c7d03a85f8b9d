//! The options `logging`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::schema::in_order;

/// The log. It goes to standard error; what starts the process keeps it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(transform = in_order::<Self>)]
pub struct LoggingOptions {
    /// What is logged: this level and the ones before it.
    pub level: LogLevel,

    /// Other levels for parts of the program, `module` or `module=level`; without a level it is debug. The module is what
    /// `log.logger` says, or the beginning of it: `http`, `source.graph`, `output.elasticsearch`, `deliver`. `*` is all of it.
    pub selectors: Vec<String>,

    /// JSON in the Elastic Common Schema, one object a line, or text. Without it: text on a terminal, else JSON.
    pub json: Option<bool>,
}

/// How much is logged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// What ends an input or loses a record.
    Error,
    /// What an operator should look at, such as a cycle that failed.
    Warning,
    /// What starts, ends and how much was collected.
    #[default]
    Info,
    /// Each request, without secrets. For finding out.
    Debug,
}

impl LogLevel {
    fn parse(text: &str) -> Option<Self> {
        serde_json::from_value(text.into()).ok()
    }
}

/// Modules that a selector may name, and what is below them.
const MODULES: [&str; 15] = [
    "checkpoint",
    "config",
    "dead_letter",
    "deliver",
    "facts",
    "http",
    "lookup",
    "metrics",
    "monitor",
    "oauth",
    "output",
    "replay",
    "run",
    "source",
    "worker",
];

impl LoggingOptions {
    /// The selectors: each a module, or none for all, and its level. What cannot be read is left out.
    pub fn levels(&self) -> Vec<(Option<&str>, LogLevel)> {
        self.selectors.iter().filter_map(|selector| read(selector).ok()).collect()
    }

    /// What is wrong with a selector, by its place.
    pub(super) fn check(&self) -> impl Iterator<Item = (usize, String)> {
        self.selectors.iter().enumerate().filter_map(|(at, selector)| Some((at, read(selector).err()?)))
    }
}

fn read(selector: &str) -> Result<(Option<&str>, LogLevel), String> {
    let (module, level) = selector.split_once('=').unwrap_or((selector, "debug"));
    let Some(level) = LogLevel::parse(level.trim()) else {
        return Err("wants a level behind `=`: error, warning, info or debug".to_owned());
    };
    match module.trim() {
        "*" => Ok((None, level)),
        module if MODULES.contains(&module.split('.').next().unwrap_or_default()) => Ok((Some(module), level)),
        _ => Err(format!(
            "names no module: wants `*`, or one of {}, or what is below, such as source.graph",
            MODULES.join(", ")
        )),
    }
}
