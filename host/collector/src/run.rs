//! Runs inputs: each a source, its workers and a session with the delivery that all of them share.

mod error;
mod input;
mod inputs;
mod memory;
mod reload;

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use defenderbeat_runtime::{Component, Lookup, Pipeline};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::timeout;

use crate::agent::{Installation, identify};
use crate::checkpoint::{Checkpoints, LocalCheckpoints};
use crate::config::{Agent, Config, Kind, Source as InputSource};
use crate::coordination::Coordinator;
use crate::dead_letter::DeadLetterFile;
use crate::deliver::{Deliver, Delivered};
use crate::metrics::Registry;
use crate::monitor::Monitor;
use crate::output::{self, AnyOutput, Output as _};
use crate::source::{defender, event_hubs, graph};
pub use error::{InputCause, InputError, RunError};
use input::{Shared, check_options, component};
pub(crate) use input::{feed, setup, streams};
use inputs::{Change, Inputs};
use memory::{Memory, Saver};
use reload::Reloads;
pub use reload::{Components, Load, Reload};

/// Parts on their way to the output. Few, because each may be as large as the largest record.
const EVENTS: usize = 4;
/// How long saving what is settled may take after `shutdown_timeout`.
const SAVE: Duration = Duration::from_secs(5);
/// Name of the file in the folder of dead letters.
pub(crate) const DEAD_LETTERS: &str = "dead-letters.ndjson";

/// What running takes besides the configuration.
pub struct Options {
    /// Every input ends after one cycle.
    pub once: bool,
    /// Components of the inputs' kinds.
    pub components: Vec<(Kind, Component)>,
    /// The host's own data.
    pub lookup: Arc<dyn Lookup>,
    /// What is counted, made of the same configuration.
    pub metrics: Arc<Registry>,
    /// Becomes true when everything is to end.
    pub stop: watch::Receiver<bool>,
    /// How the configuration is read again; none: it is not. Not with `once`.
    pub reload: Option<Reload>,
}

/// Opens the component of every input, to see whether it takes its settings, and prepares its source; collects nothing and
/// sends nothing.
///
/// # Errors
///
/// The first input whose component or source refuses its options.
pub fn check(config: &Config, components: &[(Kind, Component)]) -> Result<(), RunError> {
    let nobody = Agent { id: String::new(), name: String::new(), version: String::new(), ephemeral_id: String::new() };
    for input in &config.inputs {
        let component = component(input, components)?;
        check_options(input, component)?;
        Pipeline::open(component, setup(input, &nobody, component, Arc::new(())))
            .map_err(|source| RunError::Component { input: input.id.clone(), source })?;
        let checked = match &input.source {
            InputSource::Graph(settings) => graph::check(feed(input.kind), settings).map_err(Into::into),
            InputSource::EventHubs(settings) => event_hubs::check(settings).map_err(Into::into),
            InputSource::Defender(settings) => defender::check(settings).map_err(Into::into),
        };
        checked.map_err(|source| RunError::Source { input: input.id.clone(), source })?;
    }
    output::check(&config.output)?;
    Ok(())
}

/// Collects until told to stop; with `once` until every input has ended.
///
/// Must be called within a tokio runtime. Workers and delivery have threads of their own.
///
/// # Errors
///
/// What kept it from starting or going on. State on disk is such that the next start goes on where this one was settled.
pub async fn run(config: &Config, options: Options) -> Result<(), RunError> {
    let Options { once, components, lookup, metrics, stop, reload } = options;
    check(config, &components)?;
    let taps = (config.http.enabled && config.http.tap.enabled).then(Arc::default);
    let _monitor = Monitor::start(&config.http, metrics.clone(), taps.clone()).await?;
    let checkpoints = Arc::new(LocalCheckpoints::open(&config.data_path)?);
    let failed = |path: PathBuf| move |source| RunError::File { path, source };
    let meta = config.data_path.join("meta.json");
    let Installation { agent, first_start, is_new } =
        identify(&config.data_path, config.name.as_deref()).map_err(failed(meta))?;
    let folder = &config.dead_letter_path;
    std::fs::create_dir_all(folder).map_err(failed(folder.clone()))?;
    let path = folder.join(DEAD_LETTERS);
    let letters = DeadLetterFile::open(&path).map_err(failed(path))?.with_cap(config.dead_letter_cap);
    let coordinator = match &config.coordination {
        Some(settings) => {
            let started = Coordinator::start(settings, &agent.id, checkpoints.clone());
            Some(Arc::new(started.map_err(RunError::Coordination)?))
        }
        None => None,
    };
    let checkpoints: Arc<dyn Checkpoints> = match &coordinator {
        Some(coordinator) => coordinator.checkpoints(),
        None => checkpoints,
    };
    let output = AnyOutput::open(&config.output)?;
    let lanes = output.limits().lanes;
    let (events, received) = mpsc::channel(EVENTS);
    let deliver = Deliver::new(output, letters.clone(), checkpoints.clone()).counting(metrics.output().clone());
    metrics.collects_as(&agent);
    let (end_delivery, mut end) = watch::channel(false);
    let delivered = on_thread("delivery".to_owned(), move || {
        let runtime =
            delivery_runtime(lanes).map_err(|error| RunError::Thread(format!("starting delivery: {error}")))?;
        let end = async move {
            // Where nobody can tell any more, it ends with the inputs.
            if end.wait_for(|end| *end).await.is_err() {
                std::future::pending().await
            }
        };
        let delivered = runtime.block_on(deliver.run(received, end)).map_err(RunError::from);
        runtime.shutdown_background();
        delivered
    })
    .map_err(RunError::Thread)?;

    let memory = Memory::new(config.data_path.clone(), coordinator.clone());
    let _saver = Saver::start(memory.clone());
    let shared = Shared {
        once,
        agent,
        first_start,
        is_new,
        checkpoints,
        letters,
        lookup,
        memory,
        coordinator: coordinator.clone(),
        metrics: metrics.clone(),
        taps,
        events,
    };
    let mut inputs = Inputs::new(Arc::new(shared));
    inputs.want(&config.inputs, &components)?;
    let reloads = Reloads::new(reload.filter(|_| !once), &config.reload);
    let result = collect(config, inputs, reloads, &metrics, stop, (delivered, end_delivery)).await;
    if let Some(coordinator) = coordinator {
        coordinator.leave().await;
    }
    result
}

/// What becomes of the delivery, and what has it end.
type Delivery = (oneshot::Receiver<Result<Delivered, RunError>>, watch::Sender<bool>);

/// Waits until the inputs have ended and all is delivered, or until told to stop; has other inputs run where the configuration is
/// read again.
async fn collect(
    config: &Config,
    mut inputs: Inputs,
    mut reloads: Reloads,
    metrics: &Registry,
    stop: watch::Receiver<bool>,
    (mut delivered, end_delivery): Delivery,
) -> Result<(), RunError> {
    if inputs.is_empty() {
        tracing::warn!("all inputs have `enabled: false`: there is nothing to do");
    }

    let mut told = stop;
    // Without inputs it ends, unless others may come.
    while !inputs.is_empty() || reloads.is_watching() && !inputs.has_failed() {
        tokio::select! {
            () = inputs.ended(), if !inputs.is_empty() => {}
            read = reloads.next() => match read {
                Ok((wanted, components)) => apply(config, &wanted, &components, &mut inputs, metrics),
                Err(error) => refused(&error, metrics),
            },
            ended = &mut delivered => {
                // Delivery ends well where the inputs have ended: what became of them is about to be known.
                if let Ok(Ok(_)) = &ended {
                    inputs.all_ended().await;
                }
                return finish(ended, inputs.failures());
            }
            _ = told.wait_for(|stop| *stop) => {
                tracing::info!(timeout = ?config.shutdown_timeout, "stopping: what is under way is delivered");
                inputs.stop();
                let drained = async {
                    inputs.all_ended().await;
                    let failures = inputs.failures();
                    ((&mut delivered).await, failures)
                };
                let mut drained = std::pin::pin!(drained);
                if let Ok((ended, failures)) = timeout(config.shutdown_timeout, &mut drained).await {
                    return finish(ended, failures);
                }
                end_delivery.send_replace(true);
                let left = match timeout(SAVE, drained).await {
                    Ok((Ok(Ok(Delivered { left })), _)) => left,
                    Ok((ended, _)) => return Err(gone(ended)),
                    Err(_) => BTreeMap::new(),
                };
                return Err(RunError::Shutdown { timeout: config.shutdown_timeout, left });
            }
        }
    }
    // The inputs held the last senders of events, so delivery ends when it has delivered all of them.
    let failures = inputs.failures();
    finish(delivered.await, failures)
}

fn refused(error: &dyn fmt::Display, metrics: &Registry) {
    metrics.failed_reloads.add(1_u64);
    tracing::error!(%error, "the configuration was read again and is refused; everything goes on as before");
}

/// Makes the inputs those of a configuration that was read while others run.
fn apply(config: &Config, wanted: &Config, components: &[(Kind, Component)], inputs: &mut Inputs, metrics: &Registry) {
    let differences = config.differences(wanted);
    if !differences.is_empty() {
        let options = differences.join(", ");
        tracing::warn!(options, "these options have changed and are not taken before the next start");
    }
    wanted.warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
    match inputs.want(&wanted.inputs, components) {
        Ok(Change { started, restarted, stopped }) => {
            metrics.reloads.add(1_u64);
            tracing::info!(
                "the configuration was read again: {started} inputs start, {restarted} start anew, {stopped} stop"
            );
        }
        Err(error) => refused(&error, metrics),
    }
}

type EndedDelivery = Result<Result<Delivered, RunError>, oneshot::error::RecvError>;

fn gone(ended: EndedDelivery) -> RunError {
    match ended {
        Ok(Err(error)) => error,
        Ok(Ok(_)) | Err(_) => RunError::Thread("delivery ended too early; please report this".to_owned()),
    }
}

fn finish(ended: EndedDelivery, failures: Vec<InputError>) -> Result<(), RunError> {
    match ended {
        Ok(Ok(_)) if failures.is_empty() => Ok(()),
        Ok(Ok(_)) => Err(RunError::Inputs(failures)),
        ended => Err(gone(ended)),
    }
}

/// What sends run on: side by side where the output takes several.
fn delivery_runtime(lanes: usize) -> io::Result<tokio::runtime::Runtime> {
    if lanes <= 1 {
        return tokio::runtime::Builder::new_current_thread().enable_all().build();
    }
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(lanes);
    tokio::runtime::Builder::new_multi_thread().worker_threads(threads).thread_name("delivery").enable_all().build()
}

/// Runs something on a thread of its own; what comes of it can be awaited.
fn on_thread<T: Send + 'static>(
    name: String,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<oneshot::Receiver<T>, String> {
    let (sender, receiver) = oneshot::channel();
    let failed = format!("starting thread {name}");
    std::thread::Builder::new()
        .name(name)
        .spawn(move || {
            // Nobody waits any more where the process is about to end.
            let _ = sender.send(work());
        })
        .map_err(|error| format!("{failed}: {error}"))?;
    Ok(receiver)
}
