//! The lease on the blob of one input: whoever holds it leads the input.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};

use crate::checkpoint::{Checkpoint, CheckpointError, format, unix_millis};
use crate::http;
use crate::storage::{Condition, Container, LeaseAction, Written};

/// Why it is not known whether a lease can be had.
#[derive(Debug, thiserror::Error)]
pub(super) enum AcquireError {
    /// The storage account does not say.
    #[error(transparent)]
    Storage(#[from] http::Error),
    /// The checkpoint that would be the first cannot be used, and to begin without it would lose its place.
    #[error(transparent)]
    Own(#[from] CheckpointError),
}

/// An input that this process may lead.
#[derive(Debug)]
pub(super) struct Lease {
    pub(super) input: String,
    /// The blob, which holds the checkpoint too.
    pub(super) blob: String,
    /// What this process holds leases by, the same after a restart.
    pub(super) id: String,
    duration: Duration,
    container: Container,
    stand: watch::Sender<Stand>,
    is_led_by_another: AtomicBool,
}

/// Where an input stands in this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stand {
    /// Not to be led: it is told to stop, or what it had under way is not settled yet.
    Aside,
    /// To be led as soon as this process has the lease.
    Waits,
    /// This process has the lease, or has not given it back.
    Leads(Hold),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Hold {
    /// When the request was begun that was answered last: the lease ends its duration after that, or later.
    renewed: Instant,
    /// Another process is to have it.
    handing_over: bool,
}

impl Lease {
    pub(super) fn new(input: &str, blob: String, id: String, duration: Duration, container: Container) -> Self {
        Self {
            input: input.to_owned(),
            blob,
            id,
            duration,
            container,
            stand: watch::Sender::new(Stand::Aside),
            is_led_by_another: AtomicBool::new(false),
        }
    }

    /// Until when this process leads, by its own clock: well before the lease ends, so that nothing is under way then. None
    /// where it does not.
    pub(super) fn until(&self) -> Option<Instant> {
        Some(self.end_of(self.hold()?)).filter(|end| *end > Instant::now())
    }

    fn hold(&self) -> Option<Hold> {
        match *self.stand.borrow() {
            Stand::Leads(hold) => Some(hold),
            Stand::Aside | Stand::Waits => None,
        }
    }

    /// Changes the hold where there is one.
    fn change(&self, change: impl FnOnce(&mut Hold)) {
        self.stand.send_if_modified(|stand| match stand {
            Stand::Leads(hold) => {
                change(hold);
                true
            }
            Stand::Aside | Stand::Waits => false,
        });
    }

    fn end_of(&self, hold: Hold) -> Instant {
        hold.renewed + self.duration * 5 / 6
    }

    /// Whether this process has it, or has not given it back.
    pub(super) fn is_held(&self) -> bool {
        self.hold().is_some()
    }

    /// Whether the input runs as soon as this process has it.
    pub(super) fn waits(&self) -> bool {
        *self.stand.borrow() == Stand::Waits
    }

    /// Has it run then.
    pub(super) fn wait(&self) {
        self.stand.send_if_modified(|stand| {
            let aside = *stand == Stand::Aside;
            if aside {
                *stand = Stand::Waits;
            }
            aside
        });
    }

    /// Whether another process had it when that was last asked.
    pub(super) fn is_led_by_another(&self) -> bool {
        self.is_led_by_another.load(Ordering::Relaxed)
    }

    /// Notes whether it has.
    pub(super) fn note_led_by_another(&self, is_led: bool) {
        self.is_led_by_another.store(is_led, Ordering::Relaxed);
    }

    /// Whether another process is to have it.
    pub(super) fn is_handed_over(&self) -> bool {
        self.hold().is_some_and(|hold| hold.handing_over)
    }

    /// Tries to take it. Makes the blob where there is none: of the checkpoint that this process has of a time without others, else of
    /// one without a cursor, which says since when anything may have been delivered. Gives whether this process leads now.
    pub(super) async fn acquire(
        &self,
        own: impl FnOnce() -> Result<Option<Checkpoint>, CheckpointError>,
    ) -> Result<bool, AcquireError> {
        let action = LeaseAction::Acquire(&self.id, self.duration.as_secs());
        let mut renewed = Instant::now();
        let mut written = self.container.lease(&self.blob, action).await?;
        if written == Written::Missing {
            let now = unix_millis();
            let first = own()?.unwrap_or(Checkpoint { generation: 0, cursor: String::new(), saved_at: now });
            let text = format::write(first.generation, first.saved_at, None, &first.cursor);
            // Where another was faster it is his.
            self.container.upload(&self.blob, text.into_bytes(), Condition::Absent, None).await?;
            renewed = Instant::now();
            written = self.container.lease(&self.blob, action).await?;
        }
        if !matches!(written, Written::Done { .. }) {
            return Ok(false);
        }
        let leads = self.stand.send_if_modified(|stand| {
            let waits = *stand == Stand::Waits;
            if waits {
                *stand = Stand::Leads(Hold { renewed, handing_over: false });
            }
            waits
        });
        if !leads {
            // It was told to stop meanwhile.
            self.give_back().await;
        }
        Ok(leads)
    }

    /// Renews it where a third of its time has passed. Without an answer it is tried again, as long as it lasts.
    pub(super) async fn renew(&self) -> Result<(), http::Error> {
        let Some(hold) = self.hold() else { return Ok(()) };
        if hold.renewed.elapsed() < self.duration / 3 {
            return Ok(());
        }
        let renewed = Instant::now();
        let request = self.container.lease(&self.blob, LeaseAction::Renew(&self.id));
        let Ok(written) = timeout(self.duration / 3, request).await else {
            tracing::warn!(input = self.input, "the lease is not renewed yet: no answer from the storage account");
            return Ok(());
        };
        match written? {
            Written::Done { .. } => self.change(|hold| hold.renewed = renewed),
            Written::Refused | Written::Missing => self.lose(),
        }
        Ok(())
    }

    /// Notes that another has it, or nobody.
    pub(super) fn lose(&self) {
        if self.step_aside() {
            tracing::warn!(input = self.input, "another process leads the input now, or nobody: this one steps back");
        }
    }

    /// Leads no more; gives whether it did.
    fn step_aside(&self) -> bool {
        self.stand.send_if_modified(|stand| {
            let leads = matches!(stand, Stand::Leads(_));
            if leads {
                *stand = Stand::Aside;
            }
            leads
        })
    }

    /// Has this process step back, so that another can take it.
    pub(super) fn hand_over(&self) {
        self.change(|hold| hold.handing_over = true);
    }

    /// Waits for it no more, and gives it back where this process has it.
    pub(super) async fn release(&self) {
        if matches!(self.stand.send_replace(Stand::Aside), Stand::Leads(_)) {
            self.give_back().await;
        }
    }

    async fn give_back(&self) {
        let request = self.container.lease(&self.blob, LeaseAction::Release(&self.id));
        if let Ok(Err(error)) = timeout(self.duration / 3, request).await {
            tracing::warn!(input = self.input, %error, "the lease is not given back: others wait until it ends");
        }
    }

    /// Waits until this process leads.
    pub(super) async fn elected(&self) {
        // The sender lives as long as this.
        let _ = self.stand.subscribe().wait_for(|stand| matches!(stand, Stand::Leads(_))).await;
    }

    /// Waits until this process must not go on to lead: the lease is lost, to be handed over, or about to end unrenewed.
    pub(super) async fn over(&self) {
        let mut stand = self.stand.subscribe();
        loop {
            let Stand::Leads(now) = *stand.borrow_and_update() else { return };
            if now.handing_over {
                return;
            }
            tokio::select! {
                // The sender lives as long as this.
                _ = stand.changed() => {}
                () = sleep_until(self.end_of(now)) => {
                    tracing::warn!(
                        input = self.input,
                        "the lease cannot be renewed: this process steps back before another takes over"
                    );
                    self.step_aside();
                    return;
                }
            }
        }
    }
}
