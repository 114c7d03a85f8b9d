//! `docs`: what this program says of what it makes. `docs/reference` is generated with it.

mod example;
mod markdown;

use std::io::Write as _;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand, ValueEnum};
use defenderbeat_runtime::{Engine, Options};
use serde_json::{Value, json};

use crate::components::DATASETS;
use crate::fields::{self, Field};

/// The word for all datasets.
const ALL: &str = "all";

#[derive(Subcommand)]
pub(crate) enum Docs {
    /// Lists the fields that documents may have, with an example document.
    Fields(Arguments),
    /// Lists the metrics that a running process tells.
    Metrics,
}

#[derive(Args)]
pub(crate) struct Arguments {
    /// Whose documents.
    #[arg(value_parser = PossibleValuesParser::new(DATASETS.into_iter().chain([ALL])))]
    dataset: String,
    /// How they are listed.
    #[arg(long, value_enum, default_value_t = Format::Markdown)]
    format: Format,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    Markdown,
    Json,
}

/// All that is said of the documents of a dataset.
struct Reference {
    dataset: &'static str,
    /// The data stream's dataset, such as `m365_defender.alert`.
    route: String,
    example: Value,
    /// Fields, sorted by path.
    fields: Vec<&'static Field>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let engine = Engine::new(Options::default())?;
    let wanted = DATASETS.into_iter().filter(|dataset| [ALL, dataset].contains(&arguments.dataset.as_str()));
    let references = wanted.map(|dataset| reference(&engine, dataset)).collect::<Result<Vec<_>>>()?;
    let text = match arguments.format {
        Format::Markdown => references.iter().map(markdown::render).collect::<Vec<_>>().join("\n"),
        Format::Json => {
            let all: Vec<Value> = references.iter().map(Reference::to_json).collect();
            format!("{}\n", serde_json::to_string_pretty(&all)?)
        }
    };
    std::io::stdout().write_all(text.as_bytes()).context("writing the reference")?;
    Ok(ExitCode::SUCCESS)
}

/// Prints `docs/metrics.md`.
pub(crate) fn metrics() -> Result<ExitCode> {
    let text = defenderbeat_collector::metrics::reference();
    std::io::stdout().write_all(text.as_bytes()).context("writing the reference")?;
    Ok(ExitCode::SUCCESS)
}

fn reference(engine: &Engine, dataset: &'static str) -> Result<Reference> {
    let (route, example) = example::make(engine, dataset).with_context(|| format!("the example of {dataset}"))?;
    let own = fields::own(dataset).with_context(|| format!("the fields of {dataset} are not known"))?;
    let mut fields: Vec<&Field> = own.iter().chain(fields::written(dataset)).collect();
    fields.sort_by_key(|field| field.path);
    Ok(Reference { dataset, route, example, fields })
}

impl Reference {
    fn to_json(&self) -> Value {
        let field = |field: &&Field| {
            json!({
                "name": field.path,
                "type": field.kind,
                "description": field.about,
                "of": field.of,
                "from": field.sources,
                "rows": field.rows,
                "open": field.open,
            })
        };
        let fields: Vec<Value> = self.fields.iter().map(field).collect();
        json!({ "dataset": self.dataset, "data_stream": self.route, "example": self.example, "fields": fields })
    }
}
