//! Delivery while cursors cannot be saved.

use super::*;

/// Has no answer for one input for a time, and saves the cursors of others.
struct Slow {
    journal: Journal,
    takes: Duration,
}

#[async_trait]
impl Checkpoints for Slow {
    async fn load(&self, _: &str) -> Result<Option<Checkpoint>, CheckpointError> {
        Ok(None)
    }
    async fn commit(&self, input: &str, _: Generation, _: &str) -> Result<Generation, CheckpointError> {
        self.journal.lock().unwrap().push("commit".to_owned());
        tokio::time::sleep(self.takes).await;
        Err(CheckpointError::Unanswered { blob: input.to_owned(), within: self.takes })
    }
}

/// A delivery whose cursors cannot be saved.
struct Running {
    case: Case,
    events: mpsc::Sender<Event>,
    end: oneshot::Sender<()>,
    delivery: tokio::task::JoinHandle<Result<Delivered, DeliverError>>,
}

impl Running {
    fn start(takes: Duration) -> Self {
        let case = Case::new();
        let output = Scripted {
            journal: case.journal.clone(),
            sends: Mutex::default(),
            flush: Mutex::default(),
            limits: case.limits,
            watch: None,
            seen: Arc::default(),
        };
        let letters = DeadLetterFile::open(&case.letters()).unwrap();
        let checkpoints = Arc::new(Slow { journal: case.journal.clone(), takes });
        let (events, received) = mpsc::channel(1);
        let (end, ended) = oneshot::channel();
        let told = async { ended.await.unwrap() };
        let delivery = tokio::spawn(Deliver::new(output, letters, checkpoints).run(received, told));
        Self { case, events, end, delivery }
    }

    /// Waits until something is in the journal, for longer than a slow machine needs.
    async fn until(&self, entry: &str) {
        let found = async {
            while !self.case.journal().iter().any(|found| found == entry) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), found).await.unwrap_or_else(|_| panic!("{entry} does not come"));
    }
}

#[tokio::test]
async fn cursors_that_take_long_and_are_not_saved_keep_nobody_from_delivering() {
    let running = Running::start(SETTLE_EVERY * 5 / 4);
    running.events.send(running.case.mapped(1, Vec::new())).await.ok().unwrap();
    running.until("commit").await;
    let other = Arc::new(Watched { journal: running.case.journal.clone(), ..Watched::default() });
    running.events.send(documents(other, &["a"])).await.ok().unwrap();
    running.until("send a").await;
    running.delivery.abort();
}

#[tokio::test]
async fn told_to_end_it_says_what_is_left_also_where_nothing_can_be_saved() {
    let running = Running::start(Duration::MAX);
    running.events.send(running.case.mapped(1, Vec::new())).await.ok().unwrap();
    running.until("commit").await;
    running.events.send(running.case.documents(&["a", "b"])).await.ok().unwrap();
    running.end.send(()).unwrap();
    let delivered = tokio::time::timeout(Duration::from_secs(60), running.delivery).await.expect("it ends");
    assert_eq!(delivered.unwrap().unwrap().left, BTreeMap::from([("contoso".to_owned(), 2)]));
}
