//! A component that knows what all others of its kind have found.

use std::sync::Arc;

use defenderbeat_runtime::{Batch, Error, Part, Receipt, Result, Sink, Transform, Usage};

use crate::facts::{Facts, News, Place};

/// Opens a component anew; for a sync with its start, in milliseconds since 1970-01-01T00:00:00Z.
pub(crate) type Open<T> = Arc<dyn Fn(Option<i64>) -> Result<T> + Send + Sync>;

/// A component with the log of facts of its kind, where it has one.
pub(crate) struct Mapper<T> {
    open: Open<T>,
    pipeline: T,
    facts: Option<Arc<Facts>>,
    place: Place,
    /// What pipelines used that are gone.
    used: Usage,
}

impl<T: Transform> Mapper<T> {
    /// Opens a component.
    ///
    /// # Errors
    ///
    /// It refuses its settings, or traps at once.
    pub(crate) fn new(open: Open<T>, facts: Option<Arc<Facts>>) -> Result<Self> {
        let pipeline = open(None)?;
        Ok(Self { open, pipeline, facts, place: Place::default(), used: Usage::default() })
    }

    /// Maps a batch with all facts that are known by now, and adds those found in it for all to learn.
    ///
    /// # Errors
    ///
    /// As [`Transform::push`]. Facts that the component cannot take are forgotten, which is no error.
    pub(crate) fn push(&mut self, batch: &Batch, sink: &mut dyn Sink) -> Result<Receipt> {
        let Some(facts) = self.facts.clone() else { return self.pipeline.push(batch, sink) };
        self.learn(&facts)?;
        let receipt = self.pipeline.push(batch, sink)?;
        if facts.add(&receipt.facts) {
            self.learn(&facts)?;
            match self.pipeline.facts() {
                Ok(compact) => facts.replace(&mut self.place, compact),
                Err(error) => self.forget(&facts, error)?,
            }
        }
        Ok(receipt)
    }

    /// Opens the component for a sync, or for none: what it held is gone.
    ///
    /// # Errors
    ///
    /// It refuses its settings, or traps at once.
    pub(crate) fn reopen(&mut self, sync_start: Option<i64>) -> Result<()> {
        let pipeline = (self.open)(sync_start)?;
        self.replace(pipeline);
        Ok(())
    }

    fn replace(&mut self, pipeline: T) {
        self.used = self.used.with_gone(self.pipeline.usage());
        self.pipeline = pipeline;
    }

    /// What the component has used so far, and takes now.
    pub(crate) fn usage(&self) -> Usage {
        self.used.with(self.pipeline.usage())
    }

    /// Ends a sync: what was held leaves.
    ///
    /// # Errors
    ///
    /// As [`Transform::finish`].
    pub(crate) fn finish(&mut self, sink: &mut dyn Sink) -> Result<Receipt> {
        self.pipeline.finish(sink)
    }

    /// Tries a batch by itself in a new instance; its documents go nowhere.
    ///
    /// # Errors
    ///
    /// As [`Transform::push`].
    pub(crate) fn try_alone(&mut self, sync_start: i64, batch: &Batch) -> Result<()> {
        let mut alone = (self.open)(Some(sync_start))?;
        let tried = alone.push(batch, &mut |_: Part| Ok(()));
        self.used = self.used.with_gone(alone.usage());
        tried.map(drop)
    }

    fn learn(&mut self, facts: &Facts) -> Result<()> {
        while let Some(news) = facts.since(&mut self.place) {
            let learned = match news {
                News::More(news) => self.pipeline.learn(&news),
                News::Anew(all) => {
                    let pipeline = (self.open)(None)?;
                    self.replace(pipeline);
                    self.pipeline.learn(&all)
                }
            };
            if let Err(error) = learned {
                self.forget(facts, error)?;
            }
        }
        Ok(())
    }

    /// Facts are a cache: those that make the component trap are given up, for all that would learn them.
    fn forget(&mut self, facts: &Facts, error: Error) -> Result<()> {
        if !matches!(error, Error::Trap { .. }) {
            return Err(error);
        }
        tracing::warn!(%error, "facts cannot be learned and are forgotten; they will be gathered anew");
        facts.forget(self.place);
        Ok(())
    }
}
