//! Messages that are repeated: said once, and then how often.
//!
//! Two messages are the same if they come from one place in the code and their texts are: the message, the input, the error.
//! Numbers and ids may differ. For ten seconds after a message the same one is only counted; then it is said how often it came,
//! and the next one is said again.

use std::collections::BTreeMap;
use std::fmt::{Debug, Write as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer};

/// How long a message is only counted.
const WINDOW: Duration = Duration::from_secs(10);
/// How often it is looked for messages whose time is over.
const TICK: Duration = Duration::from_secs(1);
/// Messages that are remembered; more are all said.
const MESSAGES: usize = 1000;
/// The target of what this says itself.
pub(super) const REPEATED: &str = "defenderbeat::repeated";

/// Keeps messages back that are repeated.
pub(super) struct Fold(Arc<Messages>);

/// Says what is left to say when it is dropped.
pub(super) struct Folding(Arc<Messages>);

#[derive(Default)]
struct Messages(Mutex<State>);

#[derive(Default)]
struct State {
    /// Those that are only counted for now.
    said: BTreeMap<Key, Said>,
    /// Those whose time was over when they came again, and that were repeated before.
    owed: Vec<Said>,
}

/// The place in the code, by its address, and the texts.
type Key = (usize, String);

struct Said {
    at: Instant,
    level: Level,
    message: String,
    /// How often since.
    repeated: u64,
}

impl Fold {
    /// Keeps back, and says how often what was.
    pub(super) fn new() -> (Self, Folding) {
        let messages = Arc::new(Messages::default());
        let weak = Arc::downgrade(&messages);
        // Without it counts are said at the end only.
        let _ = thread::Builder::new().name("log".to_owned()).spawn(move || watch(&weak));
        (Self(messages.clone()), Folding(messages))
    }
}

fn watch(messages: &Weak<Messages>) {
    while let Some(messages) = messages.upgrade() {
        messages.say(|said| said.at.elapsed() >= WINDOW);
        drop(messages);
        thread::sleep(TICK);
    }
}

impl Messages {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a message is to be said.
    fn takes(&self, key: Key, level: Level, message: impl FnOnce() -> String, now: Instant) -> bool {
        let State { said, owed } = &mut *self.lock();
        if let Some(said) = said.get_mut(&key).filter(|said| now.duration_since(said.at) < WINDOW) {
            said.repeated += 1;
            return false;
        }
        if said.len() < MESSAGES || said.contains_key(&key) {
            let before = said.insert(key, Said { at: now, level, message: message(), repeated: 0 });
            owed.extend(before.filter(|before| before.repeated > 0));
        }
        true
    }

    /// Forgets messages, and gives those that were repeated.
    fn take(&self, which: impl Fn(&Said) -> bool) -> Vec<Said> {
        let State { said, owed } = &mut *self.lock();
        let taken = said.extract_if(.., |_, said| which(said)).map(|(_, said)| said);
        std::mem::take(owed).into_iter().chain(taken.filter(|said| said.repeated > 0)).collect()
    }

    fn say(&self, which: impl Fn(&Said) -> bool) {
        for Said { level, message, repeated, .. } in self.take(which) {
            match level {
                Level::ERROR => tracing::error!(target: REPEATED, "repeated {repeated} times: {message}"),
                Level::WARN => tracing::warn!(target: REPEATED, "repeated {repeated} times: {message}"),
                Level::INFO => tracing::info!(target: REPEATED, "repeated {repeated} times: {message}"),
                _ => tracing::debug!(target: REPEATED, "repeated {repeated} times: {message}"),
            }
        }
    }
}

impl Folding {
    /// Says what is left to say, for a process that ends before this is dropped.
    pub(super) fn rest(&self) -> impl FnOnce() + Send + use<> {
        let messages = self.0.clone();
        move || messages.say(|_| true)
    }
}

impl Drop for Folding {
    fn drop(&mut self) {
        self.rest()();
    }
}

impl<S: Subscriber> Layer<S> for Fold {
    fn event_enabled(&self, event: &Event<'_>, _: Context<'_, S>) -> bool {
        let metadata = event.metadata();
        if metadata.target() == REPEATED {
            return true;
        }
        let mut texts = Texts::default();
        event.record(&mut texts);
        let place = std::ptr::from_ref(metadata).addr();
        let Texts { message, others } = texts;
        let key = (place, format!("{message}{others}"));
        self.0.takes(key, *metadata.level(), || message + &others, Instant::now())
    }
}

/// The texts of an event: the message, and other fields as the log has them.
#[derive(Default)]
struct Texts {
    message: String,
    others: String,
}

impl Visit for Texts {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        match field.name() {
            "message" => self.message = format!("{value:?}"),
            // Of one document among many; and times that differ from one to the next.
            "id" | "wait" => {}
            // Infallible: a String takes any text.
            name => _ = write!(self.others, " {name}={value:?}"),
        }
    }

    fn record_i64(&mut self, _: &Field, _: i64) {}

    fn record_u64(&mut self, _: &Field, _: u64) {}

    fn record_f64(&mut self, _: &Field, _: f64) {}
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    /// Writes down what is said.
    #[derive(Clone, Default)]
    struct Heard(Arc<Mutex<Vec<String>>>);

    impl<S: Subscriber> Layer<S> for Heard {
        fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
            let mut texts = Texts::default();
            event.record(&mut texts);
            self.0.lock().unwrap().push(format!("{} {}{}", event.metadata().level(), texts.message, texts.others));
        }
    }

    #[test]
    fn what_is_repeated_is_said_once_and_then_how_often() {
        let (heard, messages) = (Heard::default(), Arc::new(Messages::default()));
        let subscriber = tracing_subscriber::registry().with(heard.clone()).with(Fold(messages.clone()));
        tracing::subscriber::with_default(subscriber, || {
            for number in 0..5 {
                for input in ["contoso", "fabrikam"] {
                    tracing::warn!(input, id = %number, bytes = number, "not taken");
                }
            }
            tracing::info!("something else");
            drop(Folding(messages));
        });
        let heard = heard.0.lock().unwrap();
        assert_eq!(
            *heard,
            [
                r#"WARN not taken input="contoso""#,
                r#"WARN not taken input="fabrikam""#,
                "INFO something else",
                r#"WARN repeated 4 times: not taken input="contoso""#,
                r#"WARN repeated 4 times: not taken input="fabrikam""#,
            ]
        );
    }

    #[test]
    fn after_its_time_a_message_is_said_again() {
        let (messages, began) = (Messages::default(), Instant::now());
        let takes = |text: &str, seconds| {
            let now = began + Duration::from_secs(seconds);
            messages.takes((1, text.to_owned()), Level::INFO, || text.to_owned(), now)
        };
        assert!(takes("a", 0) && !takes("a", 9) && takes("b", 9));
        assert!(takes("a", 10), "its time is over");
        assert!(!takes("a", 10), "though what was counted before is still to be said");
        let counts: Vec<u64> = messages.take(|_| true).into_iter().map(|said| said.repeated).collect();
        assert_eq!(counts, [1, 1], "what was counted is not forgotten");
        assert!(takes("a", 11) && !takes("a", 12));
    }

    #[test]
    fn no_more_than_a_number_of_messages_is_remembered() {
        let messages = Messages::default();
        for number in 0..2 * MESSAGES {
            assert!(messages.takes((number, String::new()), Level::INFO, String::new, Instant::now()));
        }
        assert_eq!(messages.lock().said.len(), MESSAGES);
    }
}
