//! `export`: the assets as JSON, for those who bring them to their servers themselves; and the configuration, to be shown.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::error::ErrorKind;
use clap::{Args, ValueEnum};
use defenderbeat_collector::config::ConfigFile;
use serde_json::{Value as Json, json};

use super::abilities::Abilities;
use super::assets::{self, Kind};
use super::{choices, kibana};
use crate::run::{DEFAULT_CONFIG, Strict, environment};
use crate::{components, fields};

#[derive(Args)]
pub(crate) struct Arguments {
    /// What is printed.
    what: Exported,
    /// Of one dataset only.
    #[arg(value_parser = components::DATASETS)]
    dataset: Option<String>,
    /// A configuration file: the one that `config` prints, defenderbeat.yml where none is named. For the others its `setup` options and
    /// the intervals of its inputs, and without it the defaults.
    #[arg(short = 'c', long = "config", value_name = "FILE")]
    config: Option<PathBuf>,
    /// Puts a value over one of the file, such as `-E setup.lifecycle=data_stream`.
    #[arg(short = 'E', value_name = "KEY=VALUE")]
    overrides: Vec<String>,
    #[command(flatten)]
    strict: Strict,
}

#[derive(Clone, Copy, ValueEnum)]
enum Exported {
    /// The configuration as it is in force, as YAML, to be shown to others: with the overrides and with variables replaced; secrets as
    /// `<redacted>`, or as `${KEY}` or `file:PATH` where they are written so.
    Config,
    /// Index templates: bodies for `PUT _index_template/<name>`.
    IndexTemplate,
    /// Component templates: bodies for `PUT _component_template/<name>`.
    ComponentTemplate,
    /// Policies of index lifecycle management: bodies for `PUT _ilm/policy/<name>`.
    IlmPolicy,
    /// The pipeline that sets event.ingested: a body for `PUT _ingest/pipeline/<name>`.
    IngestPipeline,
    /// The transform of the latest vulnerabilities: a body for `PUT _transform/<name>`.
    Transform,
    /// Fields that documents may have, with their types.
    Fields,
    /// Data views and dashboards, one saved object a line, for Kibana's import.
    Kibana,
}

impl Exported {
    fn kind(self) -> Option<Kind> {
        match self {
            Self::IndexTemplate => Some(Kind::IndexTemplate),
            Self::ComponentTemplate => Some(Kind::ComponentTemplate),
            Self::IlmPolicy => Some(Kind::IlmPolicy),
            Self::IngestPipeline => Some(Kind::IngestPipeline),
            Self::Transform => Some(Kind::Transform),
            Self::Config | Self::Fields | Self::Kibana => None,
        }
    }
}

impl Arguments {
    fn file(&self) -> ConfigFile {
        let path = self.config.clone().unwrap_or_else(|| DEFAULT_CONFIG.into());
        ConfigFile { path, overrides: self.overrides.clone(), strict_perms: self.strict.perms }
    }
}

/// Prints the configuration, or assets: an object of bodies by their names; for a server that can do everything.
#[allow(clippy::print_stdout, reason = "what was asked for")]
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let datasets = match &arguments.dataset {
        Some(dataset) => vec![dataset.as_str()],
        None => components::names(),
    };
    let json = match (arguments.what, arguments.what.kind()) {
        (Exported::Config, _) => {
            if arguments.dataset.is_some() {
                let message = "the configuration is not of one dataset\n";
                return Err(clap::Error::raw(ErrorKind::ArgumentConflict, message).into());
            }
            let config = arguments.file().export(&environment)?;
            print!("{}", serde_saphyr::to_string(&config).context("printing")?);
            return Ok(ExitCode::SUCCESS);
        }
        (Exported::Kibana, _) => {
            print!("{}", kibana::ndjson(&datasets));
            return Ok(ExitCode::SUCCESS);
        }
        (_, None) => fields_of(&datasets),
        (_, Some(kind)) => {
            let is_named = arguments.config.is_some() || !arguments.overrides.is_empty();
            let config = is_named.then(|| arguments.file().load(&environment)).transpose()?;
            let mut choices = match config {
                Some(config) => choices::of(&config, &Abilities::full()).0,
                None => assets::Choices::default(),
            };
            // Asked for by name, whether or not the file has it.
            choices.ingested |= kind == Kind::IngestPipeline;
            if kind == Kind::IlmPolicy {
                choices.lifecycle = assets::Lifecycle::Ilm;
            }
            let assets = assets::all(&datasets, &Abilities::full(), &choices);
            let of_kind = assets.into_iter().filter(|asset| asset.kind == kind);
            Json::Object(of_kind.map(|asset| (asset.name, asset.body)).collect())
        }
    };
    println!("{}", serde_json::to_string_pretty(&json).context("printing")?);
    Ok(ExitCode::SUCCESS)
}

fn fields_of(datasets: &[&str]) -> Json {
    let of = |dataset: &str| -> Json {
        let all = fields::written(dataset).iter().map(|field| (field, true));
        let all = all.chain(fields::own(dataset).unwrap_or_default().iter().map(|field| (field, false)));
        all.map(|(field, ecs)| json!({ "name": field.path, "type": field.kind, "ecs": ecs })).collect()
    };
    Json::Object(datasets.iter().map(|dataset| ((*dataset).to_owned(), of(dataset))).collect())
}
