//! Delivery with an output, a session and checkpoints that write down what is asked of them.

use std::collections::VecDeque;
use std::fs;
use std::path::PathBuf;
use std::sync::Mutex;

use defenderbeat_runtime::{Document, Part};
use tokio::sync::Semaphore;

use super::*;
use crate::checkpoint::{Checkpoint, Generation};
use crate::output::{Fate, Refusal, Sent};

/// What happened, in order.
type Journal = Arc<Mutex<Vec<String>>>;

/// Answers as a script says; what is not in it is delivered.
struct Scripted {
    journal: Journal,
    sends: Mutex<VecDeque<Result<Vec<Fate>, OutputError>>>,
    flush: Mutex<Option<OutputError>>,
    limits: Limits,
}

impl Output for Scripted {
    fn limits(&self) -> Limits {
        self.limits
    }

    fn retry(&self) -> RetrySettings {
        RetrySettings { max_attempts: 1, wait_min: Duration::ZERO, wait_max: Duration::ZERO }
    }

    async fn send(&self, documents: &[Documents]) -> Result<Sent, OutputError> {
        let text = text(documents);
        self.journal.lock().unwrap().push(format!("send {text}"));
        let fates = self.sends.lock().unwrap().pop_front();
        let fates = fates.unwrap_or(Ok(vec![Fate::Delivered; text.split(' ').count()]))?;
        Ok(Sent { fates, retry_after: None })
    }

    async fn flush(&self) -> Result<(), OutputError> {
        self.journal.lock().unwrap().push("flush".to_owned());
        self.flush.lock().unwrap().take().map_or(Ok(()), Err)
    }
}

fn text(documents: &[Documents]) -> String {
    let texts = documents.iter().map(|documents| String::from_utf8_lossy(&documents.part.ndjson).into_owned());
    texts.collect::<String>().trim().replace('\n', " ")
}

#[derive(Default)]
struct Watched {
    journal: Journal,
    metrics: Metrics,
}

impl Session for Watched {
    fn input(&self) -> &str {
        "contoso"
    }
    fn metrics(&self) -> &Metrics {
        &self.metrics
    }
    fn settle(&self, sequence: u64, checkpoints: &dyn Checkpoints) -> Result<(), CheckpointError> {
        checkpoints.commit("contoso", 0, &sequence.to_string()).map(drop)
    }
}

/// Fails as often as told.
struct Store {
    journal: Journal,
    failures: Mutex<Vec<CheckpointError>>,
}

impl Checkpoints for Store {
    fn load(&self, _: &str) -> Result<Option<Checkpoint>, CheckpointError> {
        Ok(None)
    }
    fn commit(&self, _: &str, _: Generation, cursor: &str) -> Result<Generation, CheckpointError> {
        if let Some(error) = self.failures.lock().unwrap().pop() {
            return Err(error);
        }
        self.journal.lock().unwrap().push(format!("settle {cursor}"));
        Ok(1)
    }
}

fn documents(session: Arc<dyn Session>, lines: &[&str]) -> Event {
    let entry = |line: &&str| Document {
        payload: 0,
        length: line.len() as u32 + 1,
        route: 0,
        id: u128::from(line.as_bytes()[0]),
        time: 0,
        position: 0,
    };
    let ndjson: String = lines.iter().map(|line| format!("{line}\n")).collect();
    let part = Part { ndjson: ndjson.into(), documents: lines.iter().map(entry).collect() };
    let streams = Arc::new(["logs-m365_defender.alert-default".to_owned()]);
    Event::Documents(session, Documents { part, streams, sent_since: None })
}

struct Case {
    folder: tempfile::TempDir,
    journal: Journal,
    session: Arc<Watched>,
    sends: Vec<Result<Vec<Fate>, OutputError>>,
    flush: Option<OutputError>,
    commits: Vec<CheckpointError>,
    limits: Limits,
}

impl Case {
    fn new() -> Self {
        let session = Arc::new(Watched::default());
        Self {
            folder: tempfile::tempdir().unwrap(),
            journal: session.journal.clone(),
            session,
            sends: Vec::new(),
            flush: None,
            commits: Vec::new(),
            limits: Limits { documents: 100, bytes: 1 << 20, lanes: 1 },
        }
    }

    fn documents(&self, lines: &[&str]) -> Event {
        documents(self.session.clone(), lines)
    }

    fn mapped(&self, sequence: u64, rejects: Vec<Reject>) -> Event {
        Event::Mapped { session: self.session.clone(), sequence, rejects }
    }

    async fn run(&mut self, events: Vec<Event>) -> Result<(), DeliverError> {
        let letters = DeadLetterFile::open(&self.letters()).unwrap();
        let (sends, flush) = (Mutex::new(self.sends.drain(..).collect()), Mutex::new(self.flush.take()));
        let output = Scripted { journal: self.journal.clone(), sends, flush, limits: self.limits };
        let failures = Mutex::new(std::mem::take(&mut self.commits));
        let checkpoints = Arc::new(Store { journal: self.journal.clone(), failures });
        let (sender, receiver) = mpsc::channel(events.len().max(1));
        for event in events {
            sender.try_send(event).ok().unwrap();
        }
        drop(sender);
        Deliver::new(output, letters, checkpoints).run(receiver, std::future::pending()).await.map(drop)
    }

    fn letters(&self) -> PathBuf {
        self.folder.path().join("dead-letters.ndjson")
    }

    fn journal(&self) -> Vec<String> {
        self.journal.lock().unwrap().clone()
    }
}

fn file_error() -> OutputError {
    OutputError::File { file: PathBuf::from("out"), source: io::ErrorKind::StorageFull.into() }
}

fn refused() -> Fate {
    Fate::Refused(Refusal { code: "400".to_owned(), message: "mapper_parsing_exception".to_owned() })
}

#[tokio::test]
async fn a_cursor_is_saved_after_its_documents_are_flushed() {
    let mut case = Case::new();
    let events = vec![
        case.documents(&["1"]),
        case.documents(&["2"]),
        case.mapped(1, Vec::new()),
        case.documents(&["3"]),
        case.mapped(2, Vec::new()),
    ];
    case.run(events).await.unwrap();
    assert_eq!(case.journal(), ["send 1", "send 2 3", "flush", "settle 2"]);
    assert_eq!(case.session.metrics.delivered.get(), 3);
}

#[tokio::test]
async fn documents_of_a_delivery_that_is_not_mapped_yet_settle_nothing() {
    let mut case = Case::new();
    let events = vec![case.documents(&["1"]), case.mapped(1, Vec::new()), case.documents(&["2"])];
    case.run(events).await.unwrap();
    assert_eq!(case.journal().last().unwrap(), "settle 1");
}

#[tokio::test]
async fn what_the_output_puts_off_is_sent_again_alone() {
    let mut case = Case::new();
    case.sends = vec![
        Ok(vec![Fate::Delivered, Fate::Retry, Fate::Duplicate, Fate::Retry]),
        Ok(vec![Fate::Retry, Fate::Delivered]),
    ];
    let events = vec![case.documents(&["1", "2", "3", "4"]), case.mapped(1, Vec::new())];
    case.run(events).await.unwrap();
    assert_eq!(case.journal(), ["send 1 2 3 4", "send 2 4", "send 2", "flush", "settle 1"]);
    let metrics = &case.session.metrics;
    assert_eq!((metrics.delivered.get(), metrics.duplicates.get(), metrics.retried.get()), (3, 1, 3));
}

#[tokio::test]
async fn a_refused_document_settles_from_the_dead_letter_file() {
    let mut case = Case::new();
    case.sends = vec![Ok(vec![refused(), Fate::Delivered])];
    let events = vec![case.documents(&["{\"n\":1.10}", "2"]), case.mapped(1, Vec::new())];
    case.run(events).await.unwrap();
    let letter = fs::read_to_string(case.letters()).unwrap();
    assert!(letter.contains(r#""code":"400","message":"mapper_parsing_exception""#), "{letter}");
    assert!(
        letter.contains(r#""index":"logs-m365_defender.alert-default""#) && letter.contains("@timestamp"),
        "{letter}"
    );
    assert!(letter.contains(r#""document":{"n":1.10}}"#), "the document is kept as it is: {letter}");
    assert_eq!(case.journal().last().unwrap(), "settle 1");
    assert_eq!(case.session.metrics.dead_letters.get(), 1);
}

#[tokio::test]
async fn a_reject_settles_from_the_dead_letter_file() {
    let mut case = Case::new();
    let reject = Reject {
        feed: "alerts".to_owned(),
        received_at: 0,
        origin: Some(crate::source::Origin {
            eventhub: "events".to_owned(),
            partition: "3".to_owned(),
            sequence_number: Some(12),
            offset: None,
        }),
        id: 7,
        code: "trap",
        path: String::new(),
        message: "unreachable".to_owned(),
        bytes: Bytes::from_static(b"{\"id\":\"x\"}"),
    };
    let events = vec![case.mapped(1, vec![reject])];
    case.run(events).await.unwrap();
    let letter: serde_json::Value = serde_json::from_str(&fs::read_to_string(case.letters()).unwrap()).unwrap();
    assert_eq!(letter["record"], "{\"id\":\"x\"}");
    assert_eq!(letter["origin"], serde_json::json!({"eventhub": "events", "partition": "3", "sequence_number": 12}));
    assert_eq!(
        (&letter["input"], &letter["feed"], &letter["code"]),
        (&"contoso".into(), &"alerts".into(), &"trap".into())
    );
    assert_eq!(case.journal(), ["flush", "settle 1"]);
}

#[tokio::test]
async fn an_output_that_fails_for_a_while_gets_the_same_documents() {
    let mut case = Case::new();
    case.sends = vec![Err(file_error()), Err(file_error())];
    let events = vec![case.documents(&["1", "2"]), case.mapped(1, Vec::new())];
    case.run(events).await.unwrap();
    assert_eq!(case.journal(), ["send 1 2", "send 1 2", "send 1 2", "flush", "settle 1"]);
}

#[tokio::test]
async fn an_output_that_fails_for_good_settles_nothing() {
    let mut case = Case::new();
    case.sends = vec![Err(OutputError::Closed)];
    let events = vec![case.documents(&["1"]), case.mapped(1, Vec::new())];
    let error = case.run(events).await.unwrap_err();
    assert!(matches!(error, DeliverError::Output(OutputError::Closed)), "{error}");
    assert_eq!(case.journal(), ["send 1"]);
}

#[tokio::test]
async fn what_could_not_be_flushed_is_not_settled() {
    let mut case = Case::new();
    case.flush = Some(file_error());
    let events = vec![case.documents(&["1"]), case.mapped(1, Vec::new())];
    case.run(events).await.unwrap_err();
    assert_eq!(case.journal(), ["send 1", "flush"]);
}

fn unsaved() -> CheckpointError {
    CheckpointError::Io { file: PathBuf::from("c"), source: io::ErrorKind::StorageFull.into() }
}

#[tokio::test]
async fn a_cursor_that_could_not_be_saved_is_tried_again_when_its_session_ends() {
    let mut case = Case::new();
    case.commits = vec![unsaved()];
    let (done, mut saved) = oneshot::channel();
    let events = vec![case.mapped(1, Vec::new()), Event::Settle(case.session.clone(), done)];
    case.run(events).await.unwrap();
    assert_eq!(case.journal(), ["flush", "settle 1"]);
    assert!(saved.try_recv().unwrap().is_ok());
}

#[tokio::test]
async fn a_session_that_ends_unsaved_is_told_and_not_saved_later() {
    let mut case = Case::new();
    case.commits = vec![unsaved(), unsaved()];
    let (done, mut saved) = oneshot::channel();
    let events = vec![case.mapped(1, Vec::new()), Event::Settle(case.session.clone(), done)];
    case.run(events).await.unwrap();
    assert_eq!(case.journal(), ["flush"]);
    assert!(saved.try_recv().unwrap().unwrap_err().is_transient());
}

#[tokio::test]
async fn delivery_ends_where_another_process_saves_the_same_cursor() {
    let mut case = Case::new();
    case.commits = vec![CheckpointError::Overtaken { file: PathBuf::from("c"), expected: 1, found: 2 }];
    let events = vec![case.mapped(1, Vec::new())];
    let error = case.run(events).await.unwrap_err();
    assert!(matches!(error, DeliverError::Checkpoint(_)), "{error}");
}

#[tokio::test]
async fn an_output_that_gives_too_few_fates_is_found_out() {
    let mut case = Case::new();
    case.sends = vec![Ok(vec![Fate::Delivered])];
    let events = vec![case.documents(&["1", "2"])];
    let error = case.run(events).await.unwrap_err();
    assert!(matches!(error, DeliverError::Fates { fates: 1, documents: 2 }), "{error}");
}

#[tokio::test]
async fn what_the_failure_store_has_is_settled_and_listed() {
    let mut case = Case::new();
    let refusal = Refusal { code: "mapper_parsing_exception".to_owned(), message: "no date".to_owned() };
    case.sends = vec![Ok(vec![Fate::FailureStore(refusal), Fate::Delivered])];
    let events = vec![case.documents(&["1", "2"]), case.mapped(1, Vec::new())];
    case.run(events).await.unwrap();
    let letter: serde_json::Value = serde_json::from_str(&fs::read_to_string(case.letters()).unwrap()).unwrap();
    assert_eq!((&letter["failure_store"], &letter["document"]), (&true.into(), &1.into()));
    assert_eq!(case.journal(), ["send 1 2", "flush", "settle 1"]);
    assert_eq!((case.session.metrics.failure_store.get(), case.session.metrics.delivered.get()), (1, 1));
}

#[tokio::test]
async fn a_send_has_no_more_documents_and_bytes_than_the_output_takes() {
    let mut case = Case::new();
    case.limits = Limits { documents: 3, bytes: 9, lanes: 1 };
    let events = vec![
        case.documents(&["1", "2", "3", "4", "5", "6", "7"]),
        case.documents(&["aaaa", "bbbb", "cccc"]),
        case.documents(&["longer-than-all"]),
        case.documents(&["8"]),
        case.documents(&["9"]),
        case.mapped(1, Vec::new()),
    ];
    case.run(events).await.unwrap();
    let sends = ["send 1 2 3", "send 4 5 6", "send 7", "send aaaa", "send bbbb", "send cccc"];
    let journal = case.journal();
    assert_eq!(journal[..6], sends);
    assert_eq!(journal[6..], ["send longer-than-all", "send 8 9", "flush", "settle 1"]);
}

/// Takes what it is let, and says since when each may have been sent before.
struct Gated {
    journal: Journal,
    /// One permit lets one send pass whose documents begin with this letter.
    gates: Vec<(&'static str, Arc<Semaphore>)>,
    fates: Mutex<VecDeque<(&'static str, Vec<Fate>)>>,
    lanes: usize,
}

impl Output for Arc<Gated> {
    fn limits(&self) -> Limits {
        Limits { documents: 2, bytes: 1 << 20, lanes: self.lanes }
    }

    fn retry(&self) -> RetrySettings {
        RetrySettings { max_attempts: 1, wait_min: Duration::ZERO, wait_max: Duration::ZERO }
    }

    async fn send(&self, documents: &[Documents]) -> Result<Sent, OutputError> {
        let text = text(documents);
        let since = if documents.iter().any(|documents| documents.sent_since.is_some()) { " again" } else { "" };
        self.journal.lock().unwrap().push(format!("send {text}{since}"));
        if let Some((_, gate)) = self.gates.iter().find(|(begin, _)| text.starts_with(begin)) {
            gate.acquire().await.unwrap().forget();
        }
        let mut fates = self.fates.lock().unwrap();
        let scripted = fates.iter().position(|(begin, _)| text.starts_with(begin)).and_then(|at| fates.remove(at));
        let delivered = || vec![Fate::Delivered; text.split(' ').count()];
        Ok(Sent { fates: scripted.map_or_else(delivered, |(_, fates)| fates), retry_after: None })
    }

    async fn flush(&self) -> Result<(), OutputError> {
        Ok(())
    }
}

/// A delivery that runs while a test looks on.
struct Running {
    case: Case,
    events: mpsc::Sender<Event>,
    end: oneshot::Sender<()>,
    delivery: tokio::task::JoinHandle<Result<Delivered<Arc<Gated>>, DeliverError>>,
}

impl Running {
    fn start(lanes: usize, gates: Vec<(&'static str, Arc<Semaphore>)>, fates: Vec<(&'static str, Vec<Fate>)>) -> Self {
        let case = Case::new();
        let output = Gated { journal: case.journal.clone(), gates, fates: Mutex::new(fates.into()), lanes };
        let letters = DeadLetterFile::open(&case.letters()).unwrap();
        let checkpoints = Arc::new(Store { journal: case.journal.clone(), failures: Mutex::default() });
        let (events, receiver) = mpsc::channel(1);
        let (end, ended) = oneshot::channel();
        let end_told = async { ended.await.unwrap() };
        let delivery = tokio::spawn(Deliver::new(Arc::new(output), letters, checkpoints).run(receiver, end_told));
        Self { case, events, end, delivery }
    }

    async fn give(&self, event: Event) {
        self.events.send(event).await.ok().unwrap();
    }

    /// Waits until something is in the journal.
    async fn until(&self, entry: &str) {
        while !self.case.journal().iter().any(|found| found == entry) {
            tokio::task::yield_now().await;
        }
    }

    async fn finish(self) -> Vec<String> {
        drop(self.events);
        self.delivery.await.unwrap().unwrap();
        self.case.journal()
    }
}

#[tokio::test]
async fn lanes_end_in_any_order_and_deliveries_settle_in_theirs() {
    let gate = Arc::new(Semaphore::new(0));
    let running = Running::start(2, vec![("a", gate.clone())], Vec::new());
    let (done, mut saved) = oneshot::channel();
    running.give(running.case.documents(&["a"])).await;
    running.give(running.case.mapped(1, Vec::new())).await;
    running.give(running.case.documents(&["b"])).await;
    running.give(running.case.mapped(2, Vec::new())).await;
    running.until("send b").await;
    running.give(Event::Settle(running.case.session.clone(), done)).await;
    running.until("send a").await;
    assert!(saved.try_recv().is_err() && !running.case.journal().iter().any(|entry| entry.starts_with("settle")));
    gate.add_permits(1);
    saved.await.unwrap().unwrap();
    let journal = running.finish().await;
    assert_eq!(journal.last().unwrap(), "settle 2");
    assert_eq!(journal.iter().filter(|entry| entry.starts_with("settle")).count(), 1);
}

#[tokio::test]
async fn one_document_is_sent_again_while_those_of_others_settle() {
    let (first, gate) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(1)));
    let fates = vec![("a", vec![Fate::Unknown, Fate::Delivered])];
    let running = Running::start(1, vec![("first", first.clone()), ("a", gate.clone())], fates);
    let other = Arc::new(Watched { journal: running.case.journal.clone(), ..Watched::default() });
    // Both gather while another is under way.
    running.give(running.case.documents(&["first"])).await;
    running.until("send first").await;
    running.give(running.case.documents(&["a"])).await;
    running.give(documents(other.clone(), &["b"])).await;
    first.add_permits(1);
    running.until("send a b").await;
    running.give(Event::Mapped { session: other.clone(), sequence: 7, rejects: Vec::new() }).await;
    let (done, saved) = oneshot::channel();
    running.give(Event::Settle(other, done)).await;
    running.until("send a again").await;
    saved.await.unwrap().unwrap();
    assert_eq!(running.case.journal().last().unwrap(), "settle 7", "the first is still under way");
    gate.add_permits(1);
    running.give(running.case.mapped(1, Vec::new())).await;
    let journal = running.finish().await;
    assert_eq!(journal.last().unwrap(), "settle 1");
}

#[tokio::test]
async fn while_all_lanes_are_busy_and_the_next_send_is_full_nothing_is_taken() {
    let gate = Arc::new(Semaphore::new(0));
    let running = Running::start(2, vec![("a", gate.clone()), ("b", gate.clone())], Vec::new());
    for lines in [["a", "1"], ["b", "2"], ["c", "3"]] {
        running.give(running.case.documents(&lines)).await;
    }
    running.until("send b 2").await;
    // The channel has room for one; a second has to wait.
    running.events.send(running.case.documents(&["d"])).await.ok().unwrap();
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert!(running.events.try_send(running.case.documents(&["e"])).is_err(), "nothing is taken");
    gate.add_permits(2);
    running.until("send c 3").await;
    running.finish().await;
}

#[tokio::test]
async fn told_to_end_it_saves_what_is_settled_and_says_what_is_left() {
    let gate = Arc::new(Semaphore::new(0));
    let running = Running::start(1, vec![("stuck", gate)], Vec::new());
    running.give(running.case.documents(&["1"])).await;
    running.give(running.case.mapped(1, Vec::new())).await;
    running.until("send 1").await;
    running.give(running.case.documents(&["stuck", "2"])).await;
    running.give(running.case.mapped(2, Vec::new())).await;
    running.until("send stuck 2").await;
    let (done, answer) = oneshot::channel();
    running.give(running.case.documents(&["3"])).await;
    running.give(Event::Settle(running.case.session.clone(), done)).await;
    let Running { case, events, end, delivery } = running;
    end.send(()).unwrap();
    let delivered = delivery.await.unwrap().unwrap();
    assert_eq!(delivered.left, BTreeMap::from([("contoso".to_owned(), 3)]));
    assert_eq!(case.journal().last().unwrap(), "settle 1");
    assert!(answer.await.is_err(), "a session that waits learns that there is no answer");
    assert!(events.send(case.documents(&["4"])).await.is_err(), "and workers that nobody takes anything");
}
