//! `test input`: whether inputs can be collected.

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use clap::Args;
use defenderbeat_collector::probe::{Probed, probe};
use defenderbeat_collector::run::check;

use crate::log;
use crate::progress::Progress;
use crate::run::{ConfigArguments, data, give_up_privileges, load};

#[derive(Args)]
pub(crate) struct Arguments {
    /// The id of an input. Without it: all that are enabled.
    id: Option<String>,
    #[command(flatten)]
    config: ConfigArguments,
}

#[allow(clippy::print_stdout, reason = "what was asked for")]
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let config = arguments.config.load()?;
    give_up_privileges(&config)?;
    let _log = log::start(&config, &Progress::none());
    let components = load(&config)?;
    check(&config, &components)?;
    let lookup = Arc::new(data(&config)?);
    let asked_for = |id: &str, enabled| arguments.id.as_ref().map_or(enabled, |asked| asked == id);
    let inputs: Vec<_> = config.inputs.iter().filter(|input| asked_for(&input.id, input.enabled)).collect();
    if inputs.is_empty() {
        match &arguments.id {
            Some(id) => bail!("there is no input {id} in the configuration"),
            None => bail!("all inputs have `enabled: false`; name one to test it all the same"),
        }
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("starting the runtime")?;
    let mut failed = false;
    for input in inputs {
        let (id, kind) = (&input.id, input.kind.name());
        let Some((_, component)) = components.iter().find(|(kind, _)| *kind == input.kind) else { continue };
        match runtime.block_on(probe(input, component, lookup.clone())) {
            Ok(Probed::Records { records, documents, rejected }) => {
                let rejected = if rejected > 0 { format!(", {rejected} of them rejected") } else { String::new() };
                println!(
                    "{id} ({kind})... OK: {records} records read{rejected}, {documents} documents made; nothing saved"
                );
            }
            Ok(Probed::EventHubs(hubs)) => {
                println!("{id} ({kind})... OK: nothing received, nothing saved");
                for hub in hubs {
                    println!(
                        "  event hub {}: {} partitions, {} with messages",
                        hub.eventhub, hub.partitions, hub.filled
                    );
                }
            }
            Err(error) => {
                failed = true;
                println!("{id} ({kind})... ERROR: {error}");
            }
        }
        if let Ok(Some(identity)) = input.source.identity() {
            println!("  as {identity}");
        }
    }
    runtime.shutdown_background();
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
