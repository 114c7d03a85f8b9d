//! Reads one partition, from where it is held until the hold ends.

use std::sync::Arc;
use std::time::Duration;

use azure_core_amqp::message::AmqpMessageBody;
use azure_core_amqp::{AmqpMessage, AmqpValue};
use azure_messaging_eventhubs::models::ReceivedEventData;
use azure_messaging_eventhubs::{ConsumerClient, OpenReceiverOptions};
use bytes::Bytes;
use futures_util::StreamExt as _;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, timeout};

use super::Shared;
use super::connection::{Connector, close};
use super::error::{Error, Fault};
use super::progress::{Hold, Place, WINDOW};
use crate::http::{Retry, RetrySettings};
use crate::metrics::Metrics;

/// A connection on which nothing comes for so long is made anew: nothing else tells that the other end is gone.
const SILENCE: Duration = Duration::from_secs(300);
/// A receiver that has stood for so long was let in.
const PROVEN: Duration = Duration::from_secs(10);

/// What readers and the tasks of hubs say to the source, in order.
#[derive(Debug)]
pub(super) enum Item {
    /// How many partitions of how many hubs there are to finish; with `once`.
    Hub { eventhub: Arc<str>, partitions: Vec<Arc<str>> },
    /// A place that is to be saved without a message.
    Begin(Arc<Hold>, Place),
    /// A message.
    Message(Message),
    /// Everything of a partition was said that was there at the start; with `once`.
    Finished { eventhub: Arc<str>, partition: Arc<str> },
    /// A failure that trying again will not mend.
    Failed(Error),
}

/// A message of a partition.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) hold: Arc<Hold>,
    pub(super) place: Place,
    pub(super) payload: Bytes,
    /// Since when it may have been delivered by whoever read the partition before.
    pub(super) sent_since: Option<i64>,
}

/// Reads one partition.
pub(super) struct Reader {
    pub(super) connector: Arc<Connector>,
    pub(super) hold: Arc<Hold>,
    pub(super) items: mpsc::Sender<Item>,
    /// What was read last.
    pub(super) place: Place,
    /// What may have been delivered before.
    pub(super) repeats: Option<Repeats>,
    /// That place is to be saved before anything is read.
    pub(super) save: bool,
    /// Messages that may arrive ahead.
    pub(super) credit: u32,
    /// The last message that was there at the start; with `once`.
    pub(super) last: Option<i64>,
    pub(super) retry: RetrySettings,
    pub(super) metrics: Arc<Metrics>,
    pub(super) shared: Arc<Shared>,
    pub(super) once: bool,
    /// Becomes true when everything is to end.
    pub(super) stop: watch::Receiver<bool>,
}

/// Messages that whoever read the partition before may have delivered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Repeats {
    /// Since when, milliseconds since 1970-01-01T00:00:00Z.
    pub(super) since: i64,
    /// The last of them that can be; none before that is known.
    pub(super) last: Option<i64>,
}

/// Why a reader ends before its hold does.
enum End {
    Failed(Error),
    /// It is to end.
    Gone,
}

impl Reader {
    /// Reads until the hold ends, which it does too when somebody else takes the partition.
    pub(super) async fn run(mut self) {
        let (hold, aspect) = (self.hold.clone(), aspect(&self.hold));
        let (shared, metrics) = (self.shared.clone(), self.metrics.clone());
        shared.lags.read(&hold, &self.place, None);
        self.run_on(&hold, &aspect).await;
        shared.lags.forget(&hold);
        // Where it fails for good the input does.
        metrics.health.works(&aspect);
    }

    async fn run_on(&mut self, hold: &Arc<Hold>, aspect: &str) {
        let mut stop = self.stop.clone();
        let settings = RetrySettings { max_attempts: u32::MAX, ..self.retry.clone() };
        let mut retry = Retry::new(&settings);
        let mut failures = 0;
        let mut proven = false;
        if self.save {
            let begin = Item::Begin(hold.clone(), self.place.clone());
            let begun = tokio::select! {
                begun = self.items.send(begin) => begun.is_ok(),
                () = ended(hold, &mut stop) => false,
            };
            if !begun {
                return;
            }
        }
        let credit = self.credit;
        loop {
            let (began, from) = (Instant::now(), self.place.clone());
            let error = match self.read().await {
                End::Gone => return,
                End::Failed(error) => error,
            };
            let (hub, partition) = (&hold.hub, &*hold.partition);
            if error.fault() == Fault::Stolen {
                tracing::warn!(%hub, partition, %error, "another consumer reads this partition now; what is not settled is left to it");
                hold.release();
                return;
            }
            // What had arrived ahead is lost with a connection; where that is all, less is let come ahead.
            self.credit = if self.place == from { (self.credit / 2).max(1) } else { credit };
            if self.place != from || began.elapsed() > PROVEN {
                (retry, failures, proven) = (Retry::new(&settings), 0, true);
            }
            failures += 1;
            let last_try = self.once && failures >= self.retry.max_attempts;
            if last_try || (!proven && !error.may_pass(failures, self.retry.max_attempts)) {
                // Where the source has ended it needs no reason any more.
                let _ = self.items.send(Item::Failed(error)).await;
                return;
            }
            let Some(wait) = retry.failed(None) else { return };
            self.metrics.aspect_failed(aspect, &error);
            tracing::warn!(%hub, partition, %error, ?wait, "reading a partition failed; it goes on after the last message that was read");
            tokio::select! {
                () = sleep(wait) => {}
                () = ended(hold, &mut stop) => return,
            }
        }
    }

    /// Reads on a connection of its own until that fails. Each partition has one, so that what befalls one leaves the
    /// others alone.
    async fn read(&mut self) -> End {
        let (hold, mut stop) = (self.hold.clone(), self.stop.clone());
        let opened = tokio::select! {
            opened = self.connector.open(&hold.hub.eventhub) => opened,
            () = ended(&hold, &mut stop) => return End::Gone,
        };
        let client = match opened {
            Ok(client) => client,
            Err(error) => return End::Failed(error),
        };
        let (shared, metrics, aspect) = (self.shared.clone(), self.metrics.clone(), aspect(&hold));
        let proven = async {
            sleep(PROVEN).await;
            metrics.health.works(&aspect);
            std::future::pending().await
        };
        let end = tokio::select! {
            () = proven => End::Gone,
            end = self.receive(&client) => end,
            () = ended(&hold, &mut stop) => End::Gone,
            () = shared.lags.watch(&hold, &client) => End::Gone,
        };
        close(client).await;
        end
    }

    async fn receive(&mut self, client: &ConsumerClient) -> End {
        let hub = self.hold.hub.clone();
        let partition = self.hold.partition.clone();
        let doing = || format!("reading partition {partition} of {hub}");
        let options = OpenReceiverOptions {
            // As in Microsoft's other libraries: a receiver takes the partition from the one before it.
            owner_level: Some(0),
            prefetch: Some(self.credit),
            start_position: Some(self.place.start()),
            receive_timeout: None,
        };
        let receiver = match client.open_receiver_on_partition(partition.to_string(), Some(options)).await {
            Ok(receiver) => receiver,
            Err(error) => return End::Failed(Error::of(doing(), &error)),
        };
        if let Err(error) = self.find_repeats(client).await {
            return End::Failed(Error::of(doing(), &error));
        }
        let mut events = Box::pin(receiver.stream_events());
        loop {
            let event = match timeout(SILENCE, events.next()).await {
                Ok(Some(Ok(event))) => event,
                Ok(Some(Err(error))) => return End::Failed(Error::of(doing(), &error)),
                Ok(None) => return End::Failed(Error::timeout(doing(), 0)),
                Err(_) => {
                    tracing::debug!(%hub, %partition, "nothing came for long: the connection is made anew");
                    return End::Failed(Error::timeout(doing(), SILENCE.as_secs()));
                }
            };
            let place = Place { offset: event.offset().clone(), sequence_number: event.sequence_number() };
            let enqueued = event.enqueued_time();
            if let Some(number) = place.sequence_number {
                self.hold.within_window(number, self.place.sequence_number).await;
            }
            let sent_since = self.sent_since(&place);
            let message = Message { hold: self.hold.clone(), place: place.clone(), payload: body(event), sent_since };
            if self.items.send(Item::Message(message)).await.is_err() {
                return End::Gone;
            }
            let finished = self.last.is_some_and(|last| place.sequence_number.is_some_and(|number| number >= last));
            self.shared.lags.read(&self.hold, &place, enqueued);
            self.metrics.aspect_works(&aspect(&self.hold));
            self.place = place;
            if finished {
                self.last = None;
                let item = Item::Finished { eventhub: hub.eventhub.as_str().into(), partition: partition.clone() };
                if self.items.send(item).await.is_err() {
                    return End::Gone;
                }
            }
        }
    }
}

impl Reader {
    /// Finds out which messages may have been delivered before: those that are there now, since nobody else receives any
    /// more, up to the window past what was saved.
    async fn find_repeats(&mut self, client: &ConsumerClient) -> azure_messaging_eventhubs::Result<()> {
        let place = &self.place;
        if let Some(repeats) = self.repeats.as_mut().filter(|repeats| repeats.last.is_none()) {
            let properties = client.get_partition_properties(&self.hold.partition).await?;
            let (first, last) = (properties.beginning_sequence_number, properties.last_enqueued_sequence_number);
            // What was saved may have expired, and what follows it then begins with the first that is there.
            let window = match (place.sequence_number, &place.offset) {
                (Some(saved), _) => saved.max(first - 1).saturating_add(WINDOW),
                (None, Some(_)) => last,
                (None, None) => (first - 1).saturating_add(WINDOW),
            };
            repeats.last = Some(last.min(window));
        }
        Ok(())
    }

    /// Since when a message may have been delivered before. Behind the last of these there are none.
    fn sent_since(&mut self, place: &Place) -> Option<i64> {
        let Repeats { since, last } = self.repeats?;
        if place.sequence_number.zip(last).is_some_and(|(number, last)| number > last) {
            self.repeats = None;
            return None;
        }
        Some(since)
    }
}

/// Its name among the aspects of an input.
fn aspect(hold: &Hold) -> String {
    format!("partition {} of {}", hold.partition, hold.hub.eventhub)
}

/// Waits until there is no more to read: the partition is another's, or everything ends.
async fn ended(hold: &Hold, stop: &mut watch::Receiver<bool>) {
    tokio::select! {
        () = hold.released() => {}
        _ = stop.wait_for(|stop| *stop) => {}
    }
}

/// The bytes of a message.
fn body(event: ReceivedEventData) -> Bytes {
    let AmqpMessage { body, .. } = event.raw_amqp_message();
    match body {
        AmqpMessageBody::Binary(parts) => match parts.as_slice() {
            [part] => Bytes::copy_from_slice(part),
            parts => parts.concat().into(),
        },
        AmqpMessageBody::Value(AmqpValue::Binary(bytes)) => Bytes::copy_from_slice(bytes),
        AmqpMessageBody::Value(AmqpValue::String(text)) => Bytes::copy_from_slice(text.as_bytes()),
        // Nothing else can hold JSON; the component says that there is none.
        other => format!("{other:?}").into(),
    }
}
