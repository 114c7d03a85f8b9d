//! `setup` and `export`: what Elasticsearch has to have, so that documents arrive in data streams with the right types.
//!
//! All of it is made from the fields of documents (`mappings`, `assets`, `latest`, `kibana`), which know no server. A server is
//! asked what it can do (`probe`) and what it has (`plan`) before anything is written. Data streams that are there get their
//! lifecycle last (`lifecycles`).

mod abilities;
mod assets;
mod choices;
mod export;
mod kibana;
mod latest;
mod lifecycles;
mod mappings;
mod plan;
mod probe;
mod server;
#[cfg(test)]
mod tests;

use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::Args;
use defenderbeat_collector::config::{Config, Output};
use defenderbeat_collector::output::elasticsearch::Client;

pub(crate) use assets::{template_name, version};
pub(crate) use export::{Arguments as ExportArguments, run as export};

use abilities::Feature;
use assets::Lifecycle;
use plan::{Change, Step};
use server::Server;

use crate::run::ConfigArguments;

#[derive(Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    config: ConfigArguments,
    /// Says what would be done, and does nothing.
    #[arg(long)]
    dry_run: bool,
    /// Also replaces ILM policies and lifecycles of data streams that were changed by hand.
    #[arg(long)]
    overwrite: bool,
}

/// Makes the assets in the server of the configuration's output.
#[allow(clippy::print_stdout, reason = "what was asked for")]
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let config = arguments.config.load()?;
    let Output::Elasticsearch(settings) = &config.output else {
        bail!(
            "setup is for output.elasticsearch, which the configuration does not have; `export` prints what it would make"
        );
    };
    let client = Client::new(settings)?;
    let options = Options { dry_run: arguments.dry_run, overwrite: arguments.overwrite };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("starting the runtime")?;
    runtime.block_on(set_up(&client, &config, &options, &mut |line| println!("{line}")))?;
    Ok(ExitCode::SUCCESS)
}

/// Sets the server up for the inputs of a configuration, and tells `say` line by line what is done.
async fn set_up(server: &impl Server, config: &Config, arguments: &Options, say: &mut dyn FnMut(String)) -> Result<()> {
    let datasets = datasets(config);
    let abilities = probe::ask(server, &choices::features(config)).await?;
    let (mut choices, remarks) = choices::of(config, &abilities);
    abilities.remarks().into_iter().chain(remarks).for_each(&mut *say);
    if !abilities.has(Feature::MissingComponents) {
        for name in datasets.iter().map(|dataset| assets::custom(dataset)) {
            if plan::is_there(server, &name).await? {
                choices.customs.insert(name);
            }
        }
    }
    let steps = plan::plan(server, assets::all(&datasets, &abilities, &choices), arguments.overwrite).await?;
    for step in &steps {
        if !arguments.dry_run {
            plan::apply(server, step).await?;
        }
        say(line(step, arguments.dry_run));
    }
    if !arguments.dry_run {
        for stream in streams(config) {
            if plan::is_overruled(server, &stream).await? {
                bail!(
                    "another index template makes {stream}: give it a priority below {}, or remove it",
                    assets::PRIORITY
                );
            }
        }
        if steps.iter().any(|step| step.asset.kind == assets::Kind::ComponentTemplate && step.change == Change::Replace)
        {
            say("data streams that are there take mappings and settings that changed when they next roll over; at once: \
                 POST <data stream>/_rollover"
                .to_owned());
        }
        if steps.iter().any(|step| step.asset.name == latest::TEMPLATE && step.change == Change::Replace) {
            say(format!(
                "the index of the latest vulnerabilities keeps its mapping until it is made anew: \
                 DELETE _transform/{}?force=true&delete_dest_index=true, and setup again",
                latest::TRANSFORM
            ));
        }
    }
    if choices.lifecycle == Lifecycle::DataStream {
        for stream in streams(config) {
            if let Some(change) = lifecycles::adopt(server, &stream, arguments).await? {
                say(format!("lifecycle of data stream {stream}: {}", outcome(change, arguments.dry_run)));
            }
        }
    }
    let count = |change| steps.iter().filter(|step| step.change == change).count();
    say(format!(
        "{}created {}, changed {}, unchanged {}, left alone {}",
        if arguments.dry_run { "nothing was written; would be: " } else { "" },
        count(Change::Create),
        count(Change::Replace),
        count(Change::Nothing),
        count(Change::Leave),
    ));
    Ok(())
}

struct Options {
    dry_run: bool,
    overwrite: bool,
}

fn line(Step { asset, change }: &Step, dry_run: bool) -> String {
    format!("{} {}: {}", asset.kind, asset.name, outcome(*change, dry_run))
}

/// What is said of a change.
fn outcome(change: Change, dry_run: bool) -> &'static str {
    match (change, dry_run) {
        (Change::Create, false) => "created",
        (Change::Create, true) => "would be created",
        (Change::Replace, false) => "changed",
        (Change::Replace, true) => "would be changed",
        (Change::Nothing, _) => "unchanged",
        (Change::Leave, _) => "left alone: it is not as this version makes it (--overwrite replaces it)",
    }
}

/// The datasets of a configuration's inputs, each once.
pub(crate) fn datasets(config: &Config) -> Vec<&'static str> {
    let mut kinds: Vec<_> = config.inputs.iter().map(|input| input.kind).collect();
    kinds.sort_unstable();
    kinds.dedup();
    kinds.into_iter().map(|kind| kind.name()).collect()
}

/// The data streams of a configuration's inputs, each once.
fn streams(config: &Config) -> Vec<String> {
    let mut streams: Vec<String> = config.inputs.iter().map(|input| input.stream()).collect();
    streams.sort_unstable();
    streams.dedup();
    streams
}
