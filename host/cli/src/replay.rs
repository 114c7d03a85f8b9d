//! `replay`: dead letters once more.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use clap::Args;
use defenderbeat_collector::metrics::Counter;
use defenderbeat_collector::replay::{Options, Summary, replay};
use tokio::sync::watch;

use crate::log;
use crate::progress::Progress;
use crate::run::{ConfigArguments, data, give_up_privileges, load, signals};
use crate::stderr::say;

#[derive(Args)]
pub(crate) struct Arguments {
    /// The file of dead letters. Letters that fail again stay in it, those that are delivered leave it, and with the last one
    /// it is deleted. Move it away first while the collector runs.
    #[arg(value_name = "DEADLETTER")]
    file: PathBuf,
    #[command(flatten)]
    config: ConfigArguments,
    /// Sends letters of this input only; may be given several times.
    #[arg(long, value_name = "INPUT")]
    only: Vec<String>,
    /// Also sends documents that Elasticsearch has in its failure store.
    #[arg(long)]
    failure_store: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let config = arguments.config.load()?;
    give_up_privileges(&config)?;
    let progress = Progress::of(&config);
    let log = log::start(&config, &progress);
    if let Some(unknown) = arguments.only.iter().find(|only| !config.inputs.iter().any(|input| input.id == **only)) {
        bail!("--only {unknown}: there is no such input in the configuration");
    }
    let (components, lookup) = (load(&config)?, Arc::new(data(&config)?));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("starting the runtime")?;
    let (tell, stop) = watch::channel(false);
    let file = arguments.file.clone();
    let (only, failure_store) = (arguments.only.clone(), arguments.failure_store);
    let summary = runtime.block_on(async {
        tokio::spawn(signals(tell, log.rest()));
        let read = Arc::<Counter>::default();
        let length = std::fs::metadata(&file).map_or(0, |file| file.len());
        let _shown = progress.replaying(length, &read);
        replay(&config, Options { file, components, lookup, only, failure_store, read, stop }).await
    });
    runtime.shutdown_background();
    let Summary { letters, records, documents, duplicates, failing, left_out } = summary?;
    let file = arguments.file.display();
    // Documents may go to standard output.
    say(format_args!(
        "{letters} letters: {records} records mapped, {documents} documents sent ({duplicates} there already); \
         {failing} failed again, {left_out} left out{}",
        if failing + left_out > 0 { format!(": they are in {file}") } else { format!("; {file} is done and deleted") }
    ));
    Ok(if failing > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
