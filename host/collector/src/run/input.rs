//! One input: its component, its source and the sessions with the delivery that all inputs share.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use defenderbeat_runtime::{Component, Diagnostics, Level, Limits, Lookup, Pipeline, Setup, State};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep};

use super::memory::Memory;
use super::{InputCause, InputError, RunError};
use crate::checkpoint::{Checkpoints, Generation};
use crate::config::{Agent, Input, Inventory, Kind, Source as InputSource};
use crate::coordination::{Candidate, Coordinator};
use crate::dead_letter::DeadLetterFile;
use crate::deliver::Event;
use crate::mapper::{Mapper, Open};
use crate::metrics::{Metrics, Registry};
use crate::monitor::Taps;
use crate::source::defender::Defender;
use crate::source::event_hubs::EventHubs;
use crate::source::graph::{ALERTS, Feed, Graph, INCIDENTS};
use crate::source::{Budget, Lag, Source, Start};
use crate::worker::{Crew, Run};

/// How often an input that works says what it has done.
const REPORT_EVERY: Duration = Duration::from_secs(30);

/// How often it is looked how far an input is behind.
const OBSERVE_EVERY: Duration = Duration::from_secs(1);

/// What the sessions of all inputs share.
pub(super) struct Shared {
    pub(super) once: bool,
    pub(super) agent: Agent,
    /// Since when something may have been delivered of an input without a checkpoint, milliseconds since
    /// 1970-01-01T00:00:00Z.
    pub(super) first_start: i64,
    /// Nothing was delivered before this process began.
    pub(super) is_new: bool,
    pub(super) checkpoints: Arc<dyn Checkpoints>,
    pub(super) letters: DeadLetterFile,
    pub(super) lookup: Arc<dyn Lookup>,
    pub(super) memory: Arc<Memory>,
    /// Has one of several processes lead each input; none: this is the only one.
    pub(super) coordinator: Option<Arc<Coordinator>>,
    pub(super) metrics: Arc<Registry>,
    pub(super) taps: Option<Arc<Taps>>,
    pub(super) events: mpsc::Sender<Event>,
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
    Setup::new(input.component_settings(agent, keeps(component, State::Facts), None))
        .with_limits(Limits::default().with_memory(input.memory_limit))
        .with_lookup(lookup)
        .with_diagnostics(Arc::new(Log { input: input.id.clone() }))
}

pub(super) fn component<'a>(input: &Input, components: &'a [(Kind, Component)]) -> Result<&'a Component, RunError> {
    let found = components.iter().find(|(kind, _)| *kind == input.kind);
    let missing = || RunError::NoComponent { input: input.id.clone(), kind: input.kind.name() };
    found.map(|(_, component)| component).ok_or_else(missing)
}

/// Whether a feed of a component keeps a kind of state.
pub(super) fn keeps(component: &Component, state: State) -> bool {
    component.descriptor().feeds.iter().any(|feed| feed.state == state)
}

/// Checks options whose meaning depends on what the component keeps.
pub(super) fn check_options(input: &Input, component: &Component) -> Result<(), RunError> {
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

/// Runs an input whenever this process leads it, until told to stop.
pub(super) async fn run_led(
    shared: Arc<Shared>,
    input: Input,
    component: Component,
    candidate: Candidate,
    again: bool,
    mut stop: watch::Receiver<bool>,
) -> Result<(), InputError> {
    loop {
        let elected = tokio::select! {
            () = candidate.elected() => true,
            _ = stop.wait_for(|stop| *stop) => false,
            () = sleep(candidate.patience()), if shared.once => false,
        };
        if !elected {
            // It may have been elected this moment.
            candidate.step_back().await;
            if shared.once && !*stop.borrow() {
                if !candidate.is_led_by_another() {
                    return Err(InputError { input: input.id.clone(), cause: InputCause::Unled });
                }
                tracing::info!(input = input.id, "another process leads the input, which is left to it");
            }
            return Ok(());
        }
        let (tell, told) = watch::channel(false);
        let mut run = pin!(run_input(shared.clone(), input.clone(), component.clone(), again, told));
        let ended = tokio::select! {
            ended = &mut run => ended,
            () = async {
                tokio::select! {
                    () = candidate.over() => {}
                    _ = stop.wait_for(|stop| *stop) => {}
                }
            } => {
                tell.send_replace(true);
                run.await
            }
        };
        candidate.step_back().await;
        if ended.is_err() || shared.once || *stop.borrow() {
            return ended;
        }
    }
}

/// Runs an input, and starts it again where that may help. `again`: it has run before in this process.
pub(super) async fn run_input(
    shared: Arc<Shared>,
    input: Input,
    component: Component,
    again: bool,
    mut stop: watch::Receiver<bool>,
) -> Result<(), InputError> {
    let metrics = shared.metrics.input(&input.id);
    let mut sent_since = (again || !shared.is_new).then_some(shared.first_start);
    let result = loop {
        let cause = match run_session(&shared, &input, &component, &metrics, sent_since, &mut stop).await {
            Ok(()) => break Ok(()),
            Err(InputCause::Checkpoint(error)) if error.is_lost() => {
                tracing::warn!(input = input.id, %error, "what this process settled last is not saved");
                break Ok(());
            }
            Err(cause) if shared.once || !cause.is_transient() => {
                metrics.health.ended(&cause);
                break Err(InputError { input: input.id.clone(), cause });
            }
            Err(cause) => cause,
        };
        sent_since = Some(shared.first_start);
        let wait = input.interval();
        metrics.run_failed(&cause);
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
    let checkpoint = shared.checkpoints.load(&input.id).await?;
    let generation = checkpoint.as_ref().map_or(0, |checkpoint| checkpoint.generation);
    if let Some(checkpoint) = &checkpoint {
        metrics.checkpoint.0.set(checkpoint.saved_at);
    }
    let start = Start {
        sent_since: checkpoint.as_ref().map_or(sent_since, |checkpoint| Some(checkpoint.saved_at)),
        cursor: checkpoint.map(|checkpoint| checkpoint.cursor).filter(|cursor| !cursor.is_empty()),
        owner: format!("{}/{}", shared.agent.id, input.id),
        once: shared.once,
        budget: Budget::default(),
        max_record_size: input.max_record_size,
        dead_letters: shared.letters.of_input(&input.id, input.max_record_size, metrics.clone()),
        metrics: metrics.clone(),
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
        Pipeline::open(&opened, setup.clone().with_settings(settings))
    });
    let remembers = input.inventory != Inventory::Off && keeps(component, State::Facts);
    let facts = remembers.then(|| shared.memory.of(input.kind));
    let workers = workers(input, component);
    let mappers = (0..workers).map(|_| Mapper::new(open.clone(), facts.clone()));
    let mappers = mappers.collect::<Result<Vec<_>, _>>()?;
    let streams = streams(input, component);
    let run = Run::new(input.id.clone(), streams, metrics.clone(), source, generation, workers);
    let run = Arc::new(run.tapped(shared.taps.clone()));

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
    let observe = async {
        let began = Instant::now();
        loop {
            let Lag { seconds, messages } = run.source.lag();
            metrics.lag.set(seconds);
            metrics.lag_messages.set(messages.map(|messages| messages as f64));
            if began.elapsed() > input.interval() {
                metrics.runs();
            }
            sleep(OBSERVE_EVERY).await;
        }
    };
    let mut early = None;
    let fed: Result<(), S::Error> = tokio::select! {
        fed = feed => fed,
        () = observe => Ok(()),
        _ = stop.wait_for(|stop| *stop) => Ok(()),
        ended = crew.ended() => {
            early = ended.err();
            Ok(())
        }
    };
    // Nobody looks any more.
    metrics.lag.set(None);
    metrics.lag_messages.set(None);
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

#[cfg(test)]
#[path = "input_tests.rs"]
pub(super) mod tests;
