//! Delivery with an output, a session and checkpoints that write down what is asked of them.

mod lanes;
mod running;
mod unsaved;

use std::collections::VecDeque;
use std::fs;
use std::path::PathBuf;
use std::sync::Mutex;

use async_trait::async_trait;
use defenderbeat_runtime::{Document, Part};

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
    watch: Option<Watch>,
    seen: Arc<Mutex<Vec<(usize, i64)>>>,
}

/// Looks at something before each send.
type Watch = Box<dyn Fn() -> (usize, i64) + Send + Sync>;

impl Output for Scripted {
    fn limits(&self) -> Limits {
        self.limits
    }

    fn retry(&self) -> RetrySettings {
        RetrySettings { max_attempts: 1, wait_min: Duration::ZERO, wait_max: Duration::ZERO }
    }

    async fn send(&self, documents: &[Documents]) -> Result<Sent, OutputError> {
        let text = text(documents);
        self.seen.lock().unwrap().extend(self.watch.as_ref().map(|watch| watch()));
        self.journal.lock().unwrap().push(format!("send {text}"));
        let fates = self.sends.lock().unwrap().pop_front();
        let fates = fates.unwrap_or(Ok(vec![Fate::Delivered; text.split(' ').count()]))?;
        Ok(Sent { fates, ..Sent::default() })
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

#[async_trait]
impl Session for Watched {
    fn input(&self) -> &str {
        "contoso"
    }
    fn metrics(&self) -> &Metrics {
        &self.metrics
    }
    async fn settle(&self, sequence: u64, checkpoints: &dyn Checkpoints) -> Result<(), CheckpointError> {
        checkpoints.commit("contoso", 0, &sequence.to_string()).await.map(drop)
    }
}

/// Fails as often as told.
struct Store {
    journal: Journal,
    failures: Mutex<Vec<CheckpointError>>,
}

#[async_trait]
impl Checkpoints for Store {
    async fn load(&self, _: &str) -> Result<Option<Checkpoint>, CheckpointError> {
        Ok(None)
    }
    async fn commit(&self, _: &str, _: Generation, cursor: &str) -> Result<Generation, CheckpointError> {
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
    /// A sync of the dead letters has failed, and the file was moved away since.
    lost: bool,
    metrics: Arc<OutputMetrics>,
    watch: Option<Watch>,
    seen: Arc<Mutex<Vec<(usize, i64)>>>,
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
            lost: false,
            metrics: Arc::default(),
            watch: None,
            seen: Arc::default(),
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
        if self.lost {
            letters.lose();
            fs::rename(self.letters(), self.folder.path().join("moved")).unwrap();
        }
        let (sends, flush) = (Mutex::new(self.sends.drain(..).collect()), Mutex::new(self.flush.take()));
        let (watch, seen) = (self.watch.take(), self.seen.clone());
        let output = Scripted { journal: self.journal.clone(), sends, flush, limits: self.limits, watch, seen };
        let failures = Mutex::new(std::mem::take(&mut self.commits));
        let checkpoints = Arc::new(Store { journal: self.journal.clone(), failures });
        let (sender, receiver) = mpsc::channel(events.len().max(1));
        for event in events {
            sender.try_send(event).ok().unwrap();
        }
        drop(sender);
        let deliver = Deliver::new(output, letters, checkpoints).counting(self.metrics.clone());
        deliver.run(receiver, std::future::pending()).await.map(drop)
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
async fn a_storage_account_that_lets_nobody_in_for_a_while_ends_nothing() {
    let mut case = Case::new();
    let no_token = crate::http::Error::Token {
        identity: "storage account contoso".to_owned(),
        host: "the login server".to_owned(),
        code: "AADSTS90033".to_owned(),
        message: "A transient error has occurred".to_owned(),
        advice: "",
    };
    let unsaved = |source| CheckpointError::Storage { blob: "contoso".to_owned(), source: Box::new(source) };
    case.commits = vec![unsaved(no_token)];
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

#[tokio::test]
async fn delivery_ends_where_dead_letters_may_be_lost() {
    let mut case = Case::new();
    case.lost = true;
    case.sends = vec![Ok(vec![refused()])];
    let events = vec![case.documents(&["1"]), case.mapped(1, Vec::new())];
    let error = case.run(events).await.unwrap_err();
    assert!(matches!(error, DeliverError::DeadLetters(_)), "{error}");
    assert_eq!(case.journal(), ["send 1"], "nothing is settled");
}

#[tokio::test]
async fn an_output_that_refuses_is_told_until_it_takes_something_and_all_is_counted() {
    let mut case = Case::new();
    case.sends = vec![
        Err(file_error()),
        Ok(vec![Fate::Retry; 3]),
        Ok(vec![Fate::Delivered, Fate::Retry, refused()]),
        Ok(vec![Fate::Delivered]),
    ];
    let metrics = case.metrics.clone();
    let session = case.session.clone();
    case.watch = Some(Box::new(move || (metrics.health.reasons().len(), session.metrics.in_flight.get())));
    let events = vec![case.documents(&["1", "2", "3"]), case.mapped(1, Vec::new())];
    case.run(events).await.unwrap();
    // Before each send: whether the output fails, and what is not settled.
    assert_eq!(*case.seen.lock().unwrap(), [(0, 6), (1, 6), (1, 6), (0, 6)]);
    let metrics = &case.metrics;
    assert_eq!((metrics.sends.get(), metrics.failures.get(), metrics.bytes.get()), (4, 2, 6 + 6 + 6 + 2));
    assert_eq!((metrics.delivered.get(), metrics.refused.get(), metrics.retried.get()), (2, 1, 3 + 1));
    assert_eq!((metrics.in_flight.get(), case.session.metrics.in_flight.get(), metrics.sending.get()), (0, 0, 0));
    assert!(metrics.success.get().is_some() && case.session.metrics.checkpoint.0.get().is_some());
}
