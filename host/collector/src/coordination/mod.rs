//! Several processes with the same inputs, of which one at a time leads each input.
//!
//! All that they share lies in one container of a storage account:
//! - `defenderbeat/inputs/<id>`: the checkpoint of an input. Whoever has the lease on it leads the input (`lease`), and nobody else
//!   can write it (`checkpoints`).
//! - `defenderbeat/members/<process>`: an empty blob whose metadata say which inputs a process would lead and how many it leads. It is
//!   written anew while the process lives, and lives no longer than a lease does.
//! - `defenderbeat/facts/<kind>`: what components have found (`facts`).
//!
//! A process renews its leases each third of their time. Each fifteenth it lists the blobs: that one request tells it which inputs
//! nobody leads, and how many others lead, from which it follows what it takes and what it hands over (`share`). Why members have
//! blobs, and the order is not left to waits that grow with the number of inputs led: waits alone leave all inputs with the process
//! that was there first, since it renews before anybody else may try.
//!
//! Guarantees:
//! - No checkpoint is written by a process that does not lead, or that goes on from another checkpoint than the last.
//! - A process that cannot renew a lease has its input stop when five sixths of the lease's time have passed since it was last sure to
//!   have it, by its monotonic clock. What it had read before that may still be delivered; whoever takes over reads it again,
//!   and the output knows it by its id.
//! - An input whose leader is gone is led again within the time of a lease and a third (the lease, a look, the looks for which it is
//!   left to others, and one more), while any process is left; at once where the leader was told to stop.
//! - While the storage account does not answer nobody leads, and nothing is lost.

mod checkpoints;
mod facts;
mod lease;
mod settings;
mod share;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use futures_util::future::join_all;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use crate::checkpoint::{Checkpoint, CheckpointError, Checkpoints, Generation, LocalCheckpoints};
use crate::config::{Input, Kind};
use crate::facts::Facts;
use crate::http;
use crate::metrics::Metrics;
use crate::storage::{Blob, Condition, Container};
use checkpoints::BlobCheckpoint;
use facts::{Exchange, SharedFacts};
use lease::{AcquireError, Lease};
pub use settings::{AzureBlobSettings, CoordinationOptions};
use share::{Member, is_left_to_others, to_hand_over};

const INPUTS: &str = "defenderbeat/inputs/";
const MEMBERS: &str = "defenderbeat/members/";
const FACTS: &str = "defenderbeat/facts/";
/// The aspect of an input that fails where the storage account does.
const COORDINATION: &str = "coordination";
/// The aspect that fails where what a process collected alone cannot be gone on from.
const FIRST: &str = "first checkpoint";
/// Looks in the time of a lease.
const LOOKS: u32 = 15;
/// For so many looks an input that nobody leads is left to processes that lead fewer.
const LEFT_TO_OTHERS: u32 = 3;
/// Members that are gone for so long are forgotten.
const FORGET: Duration = Duration::from_secs(86_400);
/// How long leaving may take.
const LEAVE: Duration = Duration::from_secs(3);

/// What has this process take part.
#[derive(Debug)]
pub(crate) struct Coordinator {
    shared: Arc<Shared>,
    looking: JoinHandle<()>,
    exchanging: JoinHandle<()>,
    exchange: Arc<Exchange>,
    /// The container for facts, which take longer than a lease may.
    facts: Container,
}

#[derive(Debug)]
struct Shared {
    /// Names this process to others.
    id: String,
    lease_duration: Duration,
    container: Container,
    /// The same over connections of the delivery.
    saving: Container,
    local: Arc<LocalCheckpoints>,
    candidates: Mutex<BTreeMap<String, Standing>>,
    changed: Notify,
}

/// An input that this process leads or would lead.
#[derive(Clone, Debug)]
struct Standing {
    lease: Arc<Lease>,
    checkpoint: Arc<BlobCheckpoint>,
    metrics: Arc<Metrics>,
    /// Handing it over in the middle has it begin anew.
    is_sync: bool,
}

/// An input that waits for this process to lead it.
#[derive(Debug)]
pub(crate) struct Candidate {
    shared: Arc<Shared>,
    standing: Standing,
}

impl Coordinator {
    /// Takes part from now on, under an id that is the same after a restart: its leases are its own again then. Nothing is asked before
    /// this returns. Has to be called within a tokio runtime.
    ///
    /// # Errors
    ///
    /// The option at fault.
    pub(crate) fn start(
        settings: &AzureBlobSettings,
        id: &str,
        local: Arc<LocalCheckpoints>,
    ) -> Result<Self, http::Error> {
        let shared = Arc::new(Shared {
            id: id.to_owned(),
            lease_duration: settings.lease_duration,
            container: settings.container(settings.timeout())?,
            saving: settings.container(settings.timeout())?,
            local,
            candidates: Mutex::default(),
            changed: Notify::new(),
        });
        let exchange = Arc::new(Exchange::default());
        let looking = tokio::spawn(shared.clone().keep_looking());
        let exchanging = tokio::spawn(exchange.clone().keep_exchanging());
        let facts = settings.container(facts::TIMEOUT)?;
        Ok(Self { shared, looking, exchanging, exchange, facts })
    }

    /// Checkpoints of candidates in their blobs, those of others below `path.data`.
    pub(crate) fn checkpoints(&self) -> Arc<dyn Checkpoints> {
        self.shared.clone()
    }

    /// Has this process lead an input when it is its turn, as long as the candidate lives.
    pub(crate) fn stand(&self, input: &Input, metrics: Arc<Metrics>) -> Candidate {
        let shared = &self.shared;
        let (blob, id) = (format!("{INPUTS}{}", input.id), shared.id.clone());
        let lease = Lease::new(&input.id, blob, id, shared.lease_duration, shared.container.clone());
        let lease = Arc::new(lease);
        let checkpoint = Arc::new(BlobCheckpoint::new(lease.clone(), shared.saving.clone()));
        metrics.leads.set(Some(0.0));
        let standing = Standing { lease, checkpoint, metrics, is_sync: input.kind == Kind::Vulnerability };
        shared.candidates().insert(input.id.clone(), standing.clone());
        Candidate { shared: shared.clone(), standing }
    }

    /// Has this process know what others have found of a kind, and others what it has.
    pub(crate) fn share(&self, kind: Kind, facts: Arc<Facts>) {
        let blob = format!("{FACTS}{}", kind.name());
        self.exchange.add(SharedFacts::new(facts, blob, self.facts.clone()));
    }

    /// Gives back what this process has, so that others need not wait. It takes no part any more.
    pub(crate) async fn leave(&self) {
        self.looking.abort();
        self.exchanging.abort();
        let left = async {
            let standings: Vec<Standing> = self.shared.candidates().values().cloned().collect();
            join_all(standings.iter().map(|standing| standing.lease.release())).await;
            if let Err(error) = self.shared.container.delete(&self.shared.member()).await {
                tracing::debug!(%error, "others believe for a while that this process lives");
            }
            self.exchange.exchange().await;
        };
        if timeout(LEAVE, left).await.is_err() {
            tracing::warn!("the storage account does not answer: others wait until leases end");
        }
    }
}

impl Drop for Coordinator {
    fn drop(&mut self) {
        self.looking.abort();
        self.exchanging.abort();
    }
}

impl Candidate {
    /// Waits until this process leads the input.
    pub(crate) async fn elected(&self) {
        self.standing.lease.wait();
        // It may be had at once.
        self.shared.changed.notify_one();
        self.standing.lease.elected().await;
    }

    /// How long an input is waited for that is read once: longer than that of a leader that is gone takes to be led again.
    pub(crate) fn patience(&self) -> Duration {
        self.shared.lease_duration * 3 / 2
    }

    /// Whether another process led the input when that was last asked.
    pub(crate) fn is_led_by_another(&self) -> bool {
        self.standing.lease.is_led_by_another()
    }

    /// Waits until this process must not lead the input any more.
    pub(crate) async fn over(&self) {
        self.standing.lease.over().await;
    }

    /// Gives it back, once all that was under way is settled.
    pub(crate) async fn step_back(&self) {
        self.standing.lease.release().await;
        let metrics = &self.standing.metrics;
        metrics.leads.set(Some(0.0));
        // What fails, and how old the checkpoint is, is the next leader's to tell.
        metrics.health.forget_all_but(COORDINATION);
        metrics.checkpoint.0.set(0);
    }
}

impl Drop for Candidate {
    fn drop(&mut self) {
        self.shared.candidates().remove(&self.standing.lease.input);
    }
}

/// What is remembered from look to look.
#[derive(Default)]
struct Looks {
    opened: bool,
    /// Inputs that were tried although they seem to be led: by this process, before a restart.
    tried: BTreeSet<String>,
    /// Since when nobody leads them.
    free: BTreeMap<String, Instant>,
    /// What was said last, and when.
    said: Option<(Member, Instant)>,
    handed_over: Option<Instant>,
}

impl Shared {
    fn candidates(&self) -> MutexGuard<'_, BTreeMap<String, Standing>> {
        self.candidates.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn member(&self) -> String {
        format!("{MEMBERS}{}", self.id)
    }

    async fn keep_looking(self: Arc<Self>) {
        let mut looks = Looks::default();
        loop {
            let standings: Vec<Standing> = self.candidates().values().cloned().collect();
            let renewed = join_all(standings.iter().map(|standing| standing.lease.renew())).await;
            let looked = match renewed.into_iter().collect::<Result<Vec<()>, _>>() {
                Ok(_) => self.look(&mut looks, &standings).await,
                Err(error) => Err(error),
            };
            for Standing { lease, metrics, .. } in &standings {
                match &looked {
                    Ok(()) => metrics.health.works(COORDINATION),
                    Err(error) => {
                        metrics.health.failed(COORDINATION, error);
                        lease.note_led_by_another(false);
                    }
                }
            }
            if let Err(error) = looked {
                tracing::warn!(%error, "processes cannot be coordinated for now");
            }
            tokio::select! {
                () = sleep(self.lease_duration / LOOKS) => {}
                () = self.changed.notified() => {}
            }
        }
    }

    /// Looks what others do, takes inputs and hands them over.
    async fn look(&self, looks: &mut Looks, standings: &[Standing]) -> Result<(), http::Error> {
        if !looks.opened {
            self.container.ensure().await?;
            looks.opened = true;
        }
        // Where the container is gone it is made again.
        let blobs = self.container.list("defenderbeat/").await.inspect_err(|_| looks.opened = false)?;
        let others = self.others(&blobs).await;
        let mut leads = standings.iter().filter(|standing| standing.lease.is_held()).count();
        let (began, mut failed) = (Instant::now(), None);
        for Standing { lease, metrics, .. } in standings {
            // Those that are held want to be renewed: the others have their turn with the next look.
            if began.elapsed() > self.lease_duration / 6 {
                break;
            }
            if lease.is_held() || !lease.waits() {
                looks.free.remove(&lease.input);
                continue;
            }
            let blob = blobs.iter().find(|blob| blob.name == lease.blob);
            let is_led = blob.is_some_and(|blob| blob.leased);
            lease.note_led_by_another(is_led);
            let is_new = looks.tried.insert(lease.input.clone());
            if is_led {
                looks.free.remove(&lease.input);
                metrics.health.works(FIRST);
                if !is_new {
                    continue;
                }
            } else {
                let since = *looks.free.entry(lease.input.clone()).or_insert_with(Instant::now);
                let is_patient = since.elapsed() < self.lease_duration * LEFT_TO_OTHERS / LOOKS;
                if is_patient && is_left_to_others(&lease.input, leads, &others) {
                    continue;
                }
                // The first blob is made by the process that has collected alone, whoever starts first.
                let has_none = || self.local.load(&lease.input).is_ok_and(|own| own.is_none());
                if blob.is_none() && since.elapsed() < self.lease_duration && has_none() {
                    continue;
                }
            }
            let acquired = match lease.acquire(|| self.local.load(&lease.input)).await {
                Ok(acquired) => acquired,
                Err(AcquireError::Storage(error)) => {
                    failed = Some(error);
                    continue;
                }
                Err(AcquireError::Own(error)) => {
                    metrics.health.failed(FIRST, &error);
                    tracing::error!(input = lease.input, %error, "this process cannot begin with its own checkpoint");
                    continue;
                }
            };
            if acquired {
                leads += 1;
                looks.free.remove(&lease.input);
                metrics.health.works(FIRST);
                metrics.leads.set(Some(1.0));
                metrics.elections.add(1_u64);
                tracing::info!(input = lease.input, "this process leads the input now");
            }
        }
        self.hand_over(looks, standings, &others);
        let inputs = standings.iter().map(|standing| &standing.lease).filter(|lease| lease.is_held() || lease.waits());
        let member = Member::new(inputs.map(|lease| lease.input.as_str()), leads);
        let is_due = |said: &(Member, Instant)| said.0 != member || said.1.elapsed() >= self.lease_duration / 3;
        if looks.said.as_ref().is_none_or(is_due) {
            let now = Instant::now();
            self.container.put(&self.member(), &member.to_metadata(), Condition::Always).await?;
            looks.said = Some((member, now));
        }
        failed.map_or(Ok(()), Err)
    }

    /// What others say that live. Blobs of those who are gone for long are removed.
    async fn others(&self, blobs: &[Blob]) -> Vec<Member> {
        let (mut others, now) = (Vec::new(), SystemTime::now());
        for blob in blobs.iter().filter(|blob| blob.name.starts_with(MEMBERS) && blob.name != self.member()) {
            let age = blob.modified.and_then(|modified| now.duration_since(modified).ok()).unwrap_or_default();
            if age < self.lease_duration {
                others.push(Member::of_metadata(&blob.metadata));
            } else if age > FORGET
                && let Err(error) = self.container.delete(&blob.name).await
            {
                tracing::debug!(%error, member = blob.name, "what a process left behind stays");
            }
        }
        others
    }

    /// Hands one input over where another process leads too few; the next once all have had the time to see it.
    fn hand_over(&self, looks: &mut Looks, standings: &[Standing], others: &[Member]) {
        if looks.handed_over.is_some_and(|at| at.elapsed() < self.lease_duration) {
            return;
        }
        let mut held: Vec<&Standing> = standings.iter().filter(|standing| standing.lease.is_held()).collect();
        if held.iter().any(|standing| standing.lease.is_handed_over()) {
            return;
        }
        held.sort_by_key(|standing| standing.is_sync);
        let leads: Vec<&str> = held.iter().map(|standing| standing.lease.input.as_str()).collect();
        let Some(input) = to_hand_over(&leads, others) else { return };
        if let Some(standing) = held.iter().find(|standing| standing.lease.input == input) {
            tracing::info!(input, "another process leads fewer inputs: this one hands the input over");
            standing.lease.hand_over();
            looks.handed_over = Some(Instant::now());
        }
    }
}

#[async_trait]
impl Checkpoints for Shared {
    async fn load(&self, input: &str) -> Result<Option<Checkpoint>, CheckpointError> {
        let standing = self.candidates().get(input).cloned();
        match standing {
            Some(standing) => standing.checkpoint.load().await.map(Some),
            None => self.local.load(input),
        }
    }

    async fn commit(&self, input: &str, from: Generation, cursor: &str) -> Result<Generation, CheckpointError> {
        let standing = self.candidates().get(input).cloned();
        match standing {
            Some(standing) => standing.checkpoint.commit(cursor).await,
            None => self.local.commit(input, from, cursor),
        }
    }
}

#[cfg(test)]
mod tests;
