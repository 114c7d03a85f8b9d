//! A pipeline that outlives its instances.

use std::sync::Arc;

use crate::component::Component;
use crate::error::{Error, Result};
use crate::imports::{Diagnostics, Lookup, Sink};
use crate::instance::Instance;
use crate::limits::Limits;
use crate::search::Run;
use crate::types::{Batch, Descriptor, Feed, Level, Receipt, State, Usage};

/// Bytes of facts that are kept as they came; a longer log is replaced by what the guest makes of it, and then each time
/// it has doubled.
const LOG: usize = 1 << 20;

/// Turns batches into documents. What a [`Pipeline`] does is a trait, so that a host can test its own code with another
/// mapping, or put something in between.
pub trait Transform: Send {
    /// Maps a batch. Documents leave through `sink` as they are made; when this returns, every record has one fate in
    /// the receipt.
    ///
    /// # Errors
    ///
    /// The batch as a whole failed; what was passed on stands, and the same batch gives the same documents again. If it
    /// was part of a sync, all of the sync is gone and begins again with its first batch. While a sync is open, a trap in
    /// a batch of another feed ends it too.
    fn push(&mut self, batch: &Batch, sink: &mut dyn Sink) -> Result<Receipt>;

    /// Ends a sync or the stream: what was held leaves as documents.
    ///
    /// # Errors
    ///
    /// As [`push`](Self::push).
    fn finish(&mut self, sink: &mut dyn Sink) -> Result<Receipt>;

    /// Takes facts, in the order in which receipts gave them.
    ///
    /// # Errors
    ///
    /// The component trapped.
    fn learn(&mut self, facts: &[u8]) -> Result<()>;

    /// All that was learned, compact.
    ///
    /// # Errors
    ///
    /// The component trapped.
    fn facts(&mut self) -> Result<Vec<u8>>;

    /// What it has used so far, and takes now.
    fn usage(&self) -> Usage {
        Usage::default()
    }
}

/// How to open a [`Pipeline`]: with settings, limits, and what the host gives. By default there are no settings, no data
/// of the host, and messages are dropped.
///
/// ```
/// # use std::sync::Arc;
/// # use defenderbeat_runtime::{Diagnostics, Level, Limits, Setup};
/// struct Stderr;
///
/// impl Diagnostics for Stderr {
///     fn report(&self, level: Level, message: &str) {
///         eprintln!("{level:?}: {message}");
///     }
/// }
///
/// let setup = Setup::new(r#"{"namespace":"soc","tags":["preserve_original_event"]}"#)
///     .with_limits(Limits::default().with_memory(256 << 20))
///     .with_diagnostics(Arc::new(Stderr));
/// # assert!(format!("{setup:?}").contains("soc"));
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub struct Setup {
    /// Settings, a JSON object; empty text counts as `{}`.
    pub settings: String,
    /// Limits of each call.
    pub limits: Limits,
    /// The host's own data.
    pub lookup: Arc<dyn Lookup>,
    /// Who hears what guests say.
    pub diagnostics: Arc<dyn Diagnostics>,
}

impl Default for Setup {
    fn default() -> Self {
        Self { settings: String::new(), limits: Limits::default(), lookup: Arc::new(()), diagnostics: Arc::new(()) }
    }
}

impl std::fmt::Debug for Setup {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { settings, limits, .. } = self;
        formatter.debug_struct("Setup").field("settings", settings).field("limits", limits).finish_non_exhaustive()
    }
}

impl Setup {
    /// A setup with these settings: a JSON object, whose keys `docs/embedding.md` lists.
    pub fn new(settings: impl Into<String>) -> Self {
        Self { settings: settings.into(), ..Self::default() }
    }

    /// Sets [`settings`](field@Self::settings).
    #[must_use]
    pub fn with_settings(mut self, settings: impl Into<String>) -> Self {
        self.settings = settings.into();
        self
    }

    /// Sets [`limits`](field@Self::limits).
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets [`lookup`](field@Self::lookup).
    #[must_use]
    pub fn with_lookup(mut self, lookup: Arc<dyn Lookup>) -> Self {
        self.lookup = lookup;
        self
    }

    /// Sets [`diagnostics`](field@Self::diagnostics).
    #[must_use]
    pub fn with_diagnostics(mut self, diagnostics: Arc<dyn Diagnostics>) -> Self {
        self.diagnostics = diagnostics;
        self
    }
}

/// A pipeline in the sandbox. It may be sent to another thread but works for one at a time; a host that wants more opens
/// more. It outlives its instances: after a trap it makes a new one, which learns all facts again.
pub struct Pipeline {
    component: Component,
    pub(crate) setup: Setup,
    pub(crate) instance: Option<Instance>,
    /// The log of facts, compact now and then.
    learned: Vec<u8>,
    /// Length at which the log is compacted next.
    compact_at: usize,
    /// Whether the instance holds records of a sync that is not finished.
    syncing: bool,
    /// What instances used that are gone.
    used: Usage,
}

impl std::fmt::Debug for Pipeline {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { component, setup, syncing, .. } = self;
        let mut debug = formatter.debug_struct("Pipeline");
        debug.field("component", component).field("setup", setup).field("syncing", syncing).finish_non_exhaustive()
    }
}

impl Pipeline {
    /// Opens a pipeline.
    ///
    /// # Errors
    ///
    /// The settings are refused, or the component traps at once.
    pub fn open(component: &Component, setup: Setup) -> Result<Self> {
        let instance = Some(Instance::open(component, &setup)?);
        let (component, learned) = (component.clone(), Vec::new());
        Ok(Self { component, setup, instance, learned, compact_at: LOG, syncing: false, used: Usage::default() })
    }

    /// What the component is.
    pub fn descriptor(&self) -> &Descriptor {
        self.component.descriptor()
    }

    /// Fuel that all instances used so far, where the engine counts it.
    pub fn fuel_used(&self) -> u64 {
        self.usage().fuel
    }

    /// The instance, a new one where there is none.
    pub(crate) fn instance(&mut self) -> Result<&mut Instance> {
        let instance = match self.instance.take() {
            Some(instance) => instance,
            None => self.open_instance()?,
        };
        Ok(self.instance.insert(instance))
    }

    fn open_instance(&mut self) -> Result<Instance> {
        let mut instance = Instance::open(&self.component, &self.setup)?;
        if self.learned.is_empty() {
            return Ok(instance);
        }
        let Err(failure) = instance.replay(&self.learned) else { return Ok(instance) };
        // Facts are a cache: without them some enrichment is missing, with them there would be no instance.
        let (bytes, error) = (self.learned.len(), Error::from(failure));
        let message = format!("{bytes} bytes of facts could not be learned again and were forgotten: {error}");
        self.setup.diagnostics.report(Level::Warn, &message);
        self.used = self.used.with_gone(instance.usage());
        self.learned.clear();
        Instance::open(&self.component, &self.setup)
    }

    pub(crate) fn retire(&mut self) {
        if let Some(instance) = self.instance.take() {
            self.used = self.used.with_gone(instance.usage());
        }
    }

    /// Hands a failure on; the instance is gone, and an open sync with it.
    fn failed<T, E: Into<Error>>(&mut self, result: std::result::Result<T, E>) -> Result<T> {
        if result.is_err() {
            self.retire();
            self.syncing = false;
        }
        result.map_err(Into::into)
    }

    fn push_all(&mut self, batch: &Batch, feed: &Feed, sink: &mut dyn Sink) -> Result<Receipt> {
        self.syncing |= feed.state == State::Sync;
        let mut run = Run::new(batch, &feed.keys);
        let units = run.units();
        if self.syncing {
            self.attempt(&mut run, &units, sink)?;
        } else {
            self.search(&mut run, &units, sink)?;
        }
        run.receipt()
    }
}

impl Transform for Pipeline {
    fn push(&mut self, batch: &Batch, sink: &mut dyn Sink) -> Result<Receipt> {
        let Some(feed) = self.descriptor().feed(&batch.feed).cloned() else {
            return Err(Error::UnknownFeed { component: self.descriptor().name.clone(), feed: batch.feed.clone() });
        };
        let receipt = self.push_all(batch, &feed, sink);
        let receipt = self.failed(receipt)?;
        // At once, so that what it holds is given back while the host waits for the next batch.
        if !self.syncing && self.instance.as_ref().is_some_and(Instance::is_old) {
            self.retire();
        }
        Ok(receipt)
    }

    fn finish(&mut self, sink: &mut dyn Sink) -> Result<Receipt> {
        let receipt = self.instance()?.finish(sink);
        let receipt = self.failed(receipt)?;
        // The next sync begins with nothing of this one.
        self.syncing = false;
        self.retire();
        Ok(receipt)
    }

    fn learn(&mut self, facts: &[u8]) -> Result<()> {
        if facts.is_empty() {
            return Ok(());
        }
        let result = self.instance()?.learn(facts);
        self.failed(result)?;
        self.learned.extend_from_slice(facts);
        if self.learned.len() >= self.compact_at {
            self.facts()?;
        }
        Ok(())
    }

    fn facts(&mut self) -> Result<Vec<u8>> {
        let result = self.instance()?.facts();
        let facts = self.failed(result)?;
        self.learned.clone_from(&facts);
        self.compact_at = LOG.max(facts.len().saturating_mul(2));
        Ok(facts)
    }

    fn usage(&self) -> Usage {
        self.instance.as_ref().map_or(self.used, |instance| self.used.with(instance.usage()))
    }
}
