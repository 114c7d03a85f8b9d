//! A component that knows what all others of its kind have found.

use std::sync::Arc;

use defenderbeat_runtime::{Batch, Error, Receipt, Result, Sink, Transform};

use crate::facts::{Facts, News, Place};

/// Opens a component anew.
pub(crate) type Open<T> = Arc<dyn Fn() -> Result<T> + Send + Sync>;

/// A component with the log of facts of its kind, where it has one.
pub(crate) struct Mapper<T> {
    open: Open<T>,
    pipeline: T,
    facts: Option<Arc<Facts>>,
    place: Place,
}

impl<T: Transform> Mapper<T> {
    /// Opens a component.
    ///
    /// # Errors
    ///
    /// It refuses its settings, or traps at once.
    pub(crate) fn new(open: Open<T>, facts: Option<Arc<Facts>>) -> Result<Self> {
        let pipeline = open()?;
        Ok(Self { open, pipeline, facts, place: Place::default() })
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

    fn learn(&mut self, facts: &Facts) -> Result<()> {
        while let Some(news) = facts.since(&mut self.place) {
            let learned = match news {
                News::More(news) => self.pipeline.learn(&news),
                News::Anew(all) => {
                    self.pipeline = (self.open)()?;
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
