//! `export`: the assets as JSON, for those who bring them to their servers themselves.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use defenderbeat_collector::config::ConfigFile;
use serde_json::{Value as Json, json};

use super::abilities::Abilities;
use super::assets::{self, Kind};
use super::{choices, kibana};
use crate::run::{Strict, environment};
use crate::{components, fields};

#[derive(Args)]
pub(crate) struct Arguments {
    /// What is printed.
    asset: Exported,
    /// Of one dataset only.
    #[arg(value_parser = components::DATASETS)]
    dataset: Option<String>,
    /// A configuration file, for its `setup` options and the intervals of its inputs. Without it: the defaults.
    #[arg(short = 'c', long = "config", value_name = "FILE")]
    config: Option<PathBuf>,
    /// Puts a value over one of the file, such as `-E setup.lifecycle=data_stream`.
    #[arg(short = 'E', value_name = "KEY=VALUE", requires = "config")]
    overrides: Vec<String>,
    #[command(flatten)]
    strict: Strict,
}

#[derive(Clone, Copy, ValueEnum)]
enum Exported {
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
            Self::Fields | Self::Kibana => None,
        }
    }
}

/// Prints assets: an object of bodies by their names; for a server that can do everything.
#[allow(clippy::print_stdout, reason = "what was asked for")]
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let datasets = match &arguments.dataset {
        Some(dataset) => vec![dataset.as_str()],
        None => components::names(),
    };
    let json = match (arguments.asset, arguments.asset.kind()) {
        (Exported::Kibana, _) => {
            print!("{}", kibana::ndjson(&datasets));
            return Ok(ExitCode::SUCCESS);
        }
        (_, None) => fields_of(&datasets),
        (_, Some(kind)) => {
            let file = arguments.config.clone().map(|path| ConfigFile {
                path,
                overrides: arguments.overrides.clone(),
                strict_perms: arguments.strict.perms,
            });
            let config = file.map(|file| file.load(&environment));
            let mut choices = match config.transpose()? {
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
