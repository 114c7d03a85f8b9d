//! Runs inputs: each a source, its workers and a session with the delivery that all of them share.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use defenderbeat_runtime::{Component, Diagnostics, Level, Limits, Lookup, Pipeline, Setup, State};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::agent::{Installation, identify};
use crate::checkpoint::{CheckpointError, Checkpoints, Generation, LocalCheckpoints};
use crate::config::{Agent, Config, Input, Inventory, Kind, Source as InputSource};
use crate::dead_letter::DeadLetterFile;
use crate::deliver::{Deliver, DeliverError, Delivered, Event};
use crate::facts::Facts;
use crate::mapper::{Mapper, Open};
use crate::metrics::Metrics;
use crate::output::{AnyOutput, Output as _, OutputError};
use crate::source::defender::{self, Defender};
use crate::source::event_hubs::{self, EventHubs};
use crate::source::graph::{self, ALERTS, Feed, Graph, INCIDENTS};
use crate::source::{Budget, Source, Start};
use crate::worker::{Crew, Run, WorkerError};

/// Parts on their way to the output. Few, because each may be as large as the largest record.
const EVENTS: usize = 4;
/// How often an input that works says what it has done.
const REPORT_EVERY: Duration = Duration::from_secs(30);
/// How often facts are saved: so much of them a crash loses.
const SAVE_FACTS_EVERY: Duration = Duration::from_secs(30);
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
    /// Becomes true when everything is to end.
    pub stop: watch::Receiver<bool>,
}

/// Why a run ended otherwise than by being told to.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The state under `path.data` cannot be used.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// A file of this program cannot be used.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The output cannot be used.
    #[error(transparent)]
    Output(#[from] OutputError),
    /// The component of an input refuses its settings, or fails at once.
    #[error("input {input}: {source}")]
    Component {
        /// The input's id.
        input: String,
        /// The cause.
        source: defenderbeat_runtime::Error,
    },
    /// An option of an input's source is wrong.
    #[error("input {input}: {source}")]
    Source {
        /// The input's id.
        input: String,
        /// The cause.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// An option does not go with the type of its input.
    #[error("input {input}: {option} {message}")]
    Option {
        /// The input's id.
        input: String,
        /// The option.
        option: &'static str,
        /// What is wrong.
        message: &'static str,
    },
    /// There is no component for an input.
    #[error("input {input}: there is no component for type {kind}")]
    NoComponent {
        /// The input's id.
        input: String,
        /// Its type.
        kind: &'static str,
    },
    /// Delivery ended.
    #[error("delivery ended")]
    Deliver(#[from] DeliverError),
    /// Inputs failed.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Inputs(Vec<InputError>),
    /// Stopping took too long. What is settled is saved.
    #[error(
        "after {timeout:?} (shutdown_timeout) not all was delivered{}; what was not is read again at the next start",
        describe(.left)
    )]
    Shutdown {
        /// How long it was waited.
        timeout: Duration,
        /// Documents that were not delivered, by input.
        left: BTreeMap<String, usize>,
    },
    /// A thread cannot be started, or ended in a way that it must not.
    #[error("{0}")]
    Thread(String),
}

fn describe(left: &BTreeMap<String, usize>) -> String {
    if left.is_empty() {
        return String::new();
    }
    let inputs = left.iter().map(|(input, documents)| format!("{documents} of input {input}"));
    format!(": documents left are {}", inputs.collect::<Vec<_>>().join(", "))
}

/// Why an input ended.
#[derive(Debug, thiserror::Error)]
#[error("input {input}: {cause}")]
pub struct InputError {
    /// The input's id.
    pub input: String,
    /// The cause.
    pub cause: InputCause,
}

/// Why an input ended.
#[derive(Debug, thiserror::Error)]
pub enum InputCause {
    /// Its checkpoint cannot be used.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// Its component failed.
    #[error(transparent)]
    Component(#[from] defenderbeat_runtime::Error),
    /// Its source failed.
    #[error(transparent)]
    Source(#[from] graph::Error),
    /// Its source failed.
    #[error(transparent)]
    EventHubs(#[from] event_hubs::Error),
    /// Its source failed.
    #[error(transparent)]
    Defender(#[from] defender::Error),
    /// A worker of it failed.
    #[error(transparent)]
    Worker(#[from] WorkerError),
    /// It is gone: a defect of this program.
    #[error("{0}")]
    Thread(String),
}

impl InputCause {
    /// Whether starting the input again may help.
    fn is_transient(&self) -> bool {
        match self {
            Self::Checkpoint(error) => error.is_transient(),
            Self::Source(graph::Error::Http(error)) | Self::Defender(defender::Error::Http(error)) => {
                error.is_transient()
            }
            Self::Source(graph::Error::Cursor(_)) | Self::Defender(defender::Error::Cursor(_)) => false,
            Self::EventHubs(error) => error.is_transient(),
            Self::Source(_) | Self::Defender(_) | Self::Component(_) | Self::Thread(_) => true,
            Self::Worker(WorkerError::Mapping(_) | WorkerError::Thread(_)) => true,
            Self::Worker(WorkerError::Gone) => false,
        }
    }
}

/// What the sessions of all inputs share.
struct Shared {
    once: bool,
    agent: Agent,
    /// Since when something may have been delivered of an input without a checkpoint, milliseconds since
    /// 1970-01-01T00:00:00Z.
    first_start: i64,
    /// Nothing was delivered before this process began.
    is_new: bool,
    checkpoints: Arc<dyn Checkpoints>,
    letters: DeadLetterFile,
    lookup: Arc<dyn Lookup>,
    facts: BTreeMap<Kind, Arc<Facts>>,
    events: mpsc::Sender<Event>,
}

/// Passes on what a guest says.
struct Log {
    input: String,
}

impl Diagnostics for Log {
    fn report(&self, level: Level, message: &str) {
        let input = &self.input;
        match level {
            Level::Error => tracing::error!(input, "component: {message}"),
            Level::Warn => tracing::warn!(input, "component: {message}"),
            Level::Info => tracing::info!(input, "component: {message}"),
            Level::Debug => tracing::debug!(input, "component: {message}"),
        }
    }
}

pub(crate) fn setup(input: &Input, agent: &Agent, component: &Component, lookup: Arc<dyn Lookup>) -> Setup {
    Setup {
        settings: input.component_settings(agent, keeps(component, State::Facts), None),
        limits: Limits { memory: input.memory_limit, ..Limits::default() },
        lookup,
        diagnostics: Arc::new(Log { input: input.id.clone() }),
    }
}

fn component<'a>(input: &Input, components: &'a [(Kind, Component)]) -> Result<&'a Component, RunError> {
    let found = components.iter().find(|(kind, _)| *kind == input.kind);
    let missing = || RunError::NoComponent { input: input.id.clone(), kind: input.kind.name() };
    found.map(|(_, component)| component).ok_or_else(missing)
}

/// Whether a feed of a component keeps a kind of state.
fn keeps(component: &Component, state: State) -> bool {
    component.descriptor().feeds.iter().any(|feed| feed.state == state)
}

/// Checks options whose meaning depends on what the component keeps.
fn check_options(input: &Input, component: &Component) -> Result<(), RunError> {
    let wrong = |option, message| Err(RunError::Option { input: input.id.clone(), option, message });
    if input.inventory != Inventory::default() && !keeps(component, State::Facts) {
        return wrong("inventory", "is an option of events only: take it away");
    }
    if input.workers.is_some_and(|workers| workers > 1) && keeps(component, State::Sync) {
        return wrong("workers", "must be 1 where records build on each other: take it away");
    }
    Ok(())
}

/// Threads that map an input's records. Components that gather facts read streams, the others what is polled.
fn workers(input: &Input, component: &Component) -> usize {
    let cores = || std::thread::available_parallelism().map_or(1, usize::from);
    input.workers.unwrap_or_else(|| if keeps(component, State::Facts) { cores() } else { 1 })
}

/// The data streams of an input by route.
pub(crate) fn streams(input: &Input, component: &Component) -> Arc<[String]> {
    let namespace = &input.data_stream.namespace;
    component.descriptor().routes.iter().map(|dataset| format!("logs-{dataset}-{namespace}")).collect()
}

/// What inputs of a type read from Graph.
pub(crate) fn feed(kind: Kind) -> &'static Feed {
    if kind == Kind::Incident { &INCIDENTS } else { &ALERTS }
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
    let Options { once, components, lookup, stop } = options;
    check(config, &components)?;
    let checkpoints = Arc::new(LocalCheckpoints::open(&config.data_path)?);
    let failed = |path: PathBuf| move |source| RunError::File { path, source };
    let meta = config.data_path.join("meta.json");
    let Installation { agent, first_start, is_new } =
        identify(&config.data_path, config.name.as_deref()).map_err(failed(meta))?;
    let folder = &config.dead_letter_path;
    std::fs::create_dir_all(folder).map_err(failed(folder.clone()))?;
    let path = folder.join(DEAD_LETTERS);
    let letters = DeadLetterFile::open(&path).map_err(failed(path))?.with_cap(config.dead_letter_cap);
    let output = AnyOutput::open(&config.output)?;
    let lanes = output.limits().lanes;
    let (events, received) = mpsc::channel(EVENTS);
    let deliver = Deliver::new(output, letters.clone(), checkpoints.clone());
    let (end_delivery, mut end) = watch::channel(false);
    let mut delivered = on_thread("delivery".to_owned(), move || {
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

    let mut facts = BTreeMap::new();
    for (kind, _) in components.iter().filter(|(_, component)| keeps(component, State::Facts)) {
        facts.insert(*kind, Arc::new(Facts::load(&config.data_path, kind.name())));
    }
    let _saver = Saver::start(facts.values().cloned().collect());
    let shared = Arc::new(Shared { once, agent, first_start, is_new, checkpoints, letters, lookup, facts, events });
    let mut inputs = JoinSet::new();
    for input in config.inputs.iter().filter(|input| input.enabled) {
        let component = component(input, &components)?.clone();
        inputs.spawn(run_input(shared.clone(), input.clone(), component, stop.clone()));
    }
    drop(shared);
    if inputs.is_empty() {
        tracing::warn!("all inputs have `enabled: false`: there is nothing to do");
    }

    let mut failures = Vec::new();
    let mut gather = async || {
        while let Some(ended) = inputs.join_next().await {
            match ended {
                Ok(Ok(())) => {}
                Ok(Err(error)) => {
                    if !inputs.is_empty() {
                        tracing::error!(%error, "an input has ended; the others go on");
                    }
                    failures.push(error);
                }
                Err(error) => {
                    tracing::error!(%error, "an input has ended in a way that it must not; please report this");
                    let cause = InputCause::Thread(error.to_string());
                    failures.push(InputError { input: "(unknown)".to_owned(), cause });
                }
            }
        }
    };
    let mut told = stop.clone();
    tokio::select! {
        () = gather() => {}
        ended = &mut delivered => {
            // Delivery ends well where the inputs have ended: what became of them is about to be known.
            if let Ok(Ok(_)) = &ended {
                gather().await;
            }
            return finish(ended, failures);
        }
        _ = told.wait_for(|stop| *stop) => {
            tracing::info!(timeout = ?config.shutdown_timeout, "stopping: what is under way is delivered");
            let drained = async {
                gather().await;
                (&mut delivered).await
            };
            if let Ok(ended) = timeout(config.shutdown_timeout, drained).await {
                return finish(ended, failures);
            }
            end_delivery.send_replace(true);
            let saved = async {
                let ended = (&mut delivered).await;
                gather().await;
                ended
            };
            let left = match timeout(SAVE, saved).await {
                Ok(Ok(Ok(Delivered { left, .. }))) => left,
                Ok(ended) => return Err(gone(ended)),
                Err(_) => BTreeMap::new(),
            };
            return Err(RunError::Shutdown { timeout: config.shutdown_timeout, left });
        }
    }
    // The inputs held the last senders of events, so delivery ends when it has delivered all of them.
    finish(delivered.await, failures)
}

/// Saves facts now and then, and when it is dropped.
struct Saver {
    facts: Vec<Arc<Facts>>,
    task: tokio::task::JoinHandle<()>,
}

impl Saver {
    fn start(facts: Vec<Arc<Facts>>) -> Self {
        let all = facts.clone();
        let task = tokio::spawn(async move {
            loop {
                sleep(SAVE_FACTS_EVERY).await;
                let all = all.clone();
                // Its result is that it panicked, which is logged.
                let _ = tokio::task::spawn_blocking(move || all.iter().for_each(|facts| facts.save())).await;
            }
        });
        Self { facts, task }
    }
}

impl Drop for Saver {
    fn drop(&mut self) {
        self.task.abort();
        self.facts.iter().for_each(|facts| facts.save());
    }
}

type EndedDelivery = Result<Result<Delivered<AnyOutput>, RunError>, oneshot::error::RecvError>;

fn gone(ended: EndedDelivery) -> RunError {
    match ended {
        Ok(Err(error)) => error,
        Ok(Ok(_)) | Err(_) => RunError::Thread("delivery ended too early; please report this".to_owned()),
    }
}

fn finish(ended: EndedDelivery, failures: Vec<InputError>) -> Result<(), RunError> {
    match ended {
        Ok(Ok(Delivered { output, .. })) => {
            if let Some(summary) = output.summary() {
                tracing::info!("{summary}");
            }
            if failures.is_empty() { Ok(()) } else { Err(RunError::Inputs(failures)) }
        }
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

/// Runs an input, and starts it again where that may help.
async fn run_input(
    shared: Arc<Shared>,
    input: Input,
    component: Component,
    mut stop: watch::Receiver<bool>,
) -> Result<(), InputError> {
    let metrics = Arc::new(Metrics::default());
    let mut sent_since = (!shared.is_new).then_some(shared.first_start);
    let result = loop {
        let cause = match run_session(&shared, &input, &component, &metrics, sent_since, &mut stop).await {
            Ok(()) => break Ok(()),
            Err(cause) if shared.once || !cause.is_transient() => {
                break Err(InputError { input: input.id.clone(), cause });
            }
            Err(cause) => cause,
        };
        sent_since = Some(shared.first_start);
        let wait = match &input.source {
            InputSource::Graph(settings) => settings.interval,
            InputSource::EventHubs(settings) => settings.retry.wait_max,
            InputSource::Defender(settings) => settings.pause(),
        };
        tracing::error!(input = input.id, error = %cause, ?wait, "the input failed; it starts again where it was settled");
        tokio::select! {
            () = sleep(wait) => {}
            _ = stop.wait_for(|stop| *stop) => break Ok(()),
        }
    };
    tracing::info!(input = input.id, "{metrics}");
    result
}

/// Runs an input's source from its checkpoint on, until it ends or is told to.
async fn run_session(
    shared: &Shared,
    input: &Input,
    component: &Component,
    metrics: &Arc<Metrics>,
    sent_since: Option<i64>,
    stop: &mut watch::Receiver<bool>,
) -> Result<(), InputCause> {
    let checkpoint = shared.checkpoints.load(&input.id)?;
    let generation = checkpoint.as_ref().map_or(0, |checkpoint| checkpoint.generation);
    let start = Start {
        sent_since: checkpoint.as_ref().map_or(sent_since, |checkpoint| Some(checkpoint.saved_at)),
        cursor: checkpoint.map(|checkpoint| checkpoint.cursor),
        owner: format!("{}/{}", shared.agent.id, input.id),
        once: shared.once,
        budget: Budget::default(),
        max_record_size: input.max_record_size,
        dead_letters: shared.letters.of_input(&input.id, input.max_record_size, metrics.clone()),
    };
    match &input.source {
        InputSource::Graph(settings) => {
            let source = Graph::open(feed(input.kind), settings, start)?;
            run_source(shared, input, component, metrics, stop, source, generation).await
        }
        InputSource::EventHubs(settings) => {
            let source = EventHubs::open(settings, start)?;
            run_source(shared, input, component, metrics, stop, source, generation).await
        }
        InputSource::Defender(settings) => {
            let source = Defender::open(settings, start)?;
            run_source(shared, input, component, metrics, stop, source, generation).await
        }
    }
}

/// Maps and delivers what a source gives, until it ends or is told to; what was mapped is settled then.
async fn run_source<S>(
    shared: &Shared,
    input: &Input,
    component: &Component,
    metrics: &Arc<Metrics>,
    stop: &mut watch::Receiver<bool>,
    source: S,
    generation: Generation,
) -> Result<(), InputCause>
where
    S: Source,
    InputCause: From<S::Error>,
{
    let setup = setup(input, &shared.agent, component, shared.lookup.clone());
    let (opened, settings, agent) = (component.clone(), input.clone(), shared.agent.clone());
    let open: Open<Pipeline> = Arc::new(move |sync_start| {
        let settings = settings.component_settings(&agent, keeps(&opened, State::Facts), sync_start);
        Pipeline::open(&opened, Setup { settings, ..setup.clone() })
    });
    let facts = shared.facts.get(&input.kind).filter(|_| input.inventory != Inventory::Off);
    let workers = workers(input, component);
    let mappers = (0..workers).map(|_| Mapper::new(open.clone(), facts.cloned()));
    let mappers = mappers.collect::<Result<Vec<_>, _>>()?;
    let streams = streams(input, component);
    let run = Arc::new(Run::new(input.id.clone(), streams, metrics.clone(), source, generation, workers));

    let (sender, deliveries) = mpsc::channel(1);
    let mut crew = Crew::start(mappers, &run, deliveries, &shared.events)?;
    tracing::info!(input = input.id, kind = input.kind.name(), generation, workers, "input starts");

    let feed = async {
        let mut said = 0;
        let mut report = tokio::time::interval(REPORT_EVERY);
        report.reset();
        loop {
            let delivery = tokio::select! {
                delivery = run.source.next() => delivery?,
                _ = report.tick() => {
                    let now = metrics.records.get() + metrics.delivered.get();
                    if std::mem::replace(&mut said, now) != now {
                        tracing::info!(input = input.id, "{metrics}");
                    }
                    continue;
                }
            };
            match delivery {
                Some(delivery) => {
                    if sender.send(delivery).await.is_err() {
                        // The workers have ended, and say why.
                        return Ok(());
                    }
                }
                None => return Ok(()),
            }
        }
    };
    let mut early = None;
    let fed: Result<(), S::Error> = tokio::select! {
        fed = feed => fed,
        _ = stop.wait_for(|stop| *stop) => Ok(()),
        ended = crew.ended() => {
            early = ended.err();
            Ok(())
        }
    };
    drop(sender);
    let worked = loop {
        match (crew.ended().await, &early) {
            (Ok(()), _) => break early.map_or(Ok(()), Err),
            (Err(error), None) => early = Some(error),
            // The first has caused the others, or will be met again without them.
            (Err(_), Some(_)) => {}
        }
    };
    let (done, settled) = oneshot::channel();
    // Where delivery has ended it says itself why.
    let saved = match shared.events.send(Event::Settle(run.clone(), done)).await {
        Ok(()) => settled.await.unwrap_or(Ok(())),
        Err(_) => Ok(()),
    };
    run.source.close().await;
    worked?;
    fed?;
    Ok(saved?)
}
