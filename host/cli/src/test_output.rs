//! `test output`: whether documents can be delivered as a configuration says.

use std::process::ExitCode;

use anyhow::{Context, Result};
use defenderbeat_collector::config::Config;
use defenderbeat_collector::output::trial::{Step, Trial};

use crate::run::ConfigArguments;
use crate::setup;

#[allow(clippy::print_stdout, reason = "what was asked for")]
pub(crate) fn run(arguments: &ConfigArguments) -> Result<ExitCode> {
    let config = arguments.load()?;
    let mut streams: Vec<String> = config.inputs.iter().map(|input| input.stream()).collect();
    streams.sort_unstable();
    streams.dedup();
    let mut report = |step: &Step| println!("{step}");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("starting the runtime")?;
    let fine = runtime.block_on(Trial::new(&mut report).run(&config.output, &streams, &templates(&config)));
    Ok(if fine { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Index templates of the inputs' datasets, with the version that this program makes.
fn templates(config: &Config) -> Vec<(String, String)> {
    let version = setup::version();
    setup::datasets(config).into_iter().map(|dataset| (setup::template_name(dataset), version.clone())).collect()
}
