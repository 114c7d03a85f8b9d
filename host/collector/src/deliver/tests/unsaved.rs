//! Delivery while cursors cannot be saved.

use super::running::Running;
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

fn start(takes: Duration) -> Running {
    let case = Case::new();
    let output = Scripted {
        journal: case.journal.clone(),
        sends: Mutex::default(),
        flush: Mutex::default(),
        limits: case.limits,
        watch: None,
        seen: Arc::default(),
    };
    let checkpoints = Slow { journal: case.journal.clone(), takes };
    Running::start(case, output, checkpoints)
}

#[tokio::test]
async fn cursors_that_take_long_and_are_not_saved_keep_nobody_from_delivering() {
    let running = start(SETTLE_EVERY * 5 / 4);
    running.give(running.case.mapped(1, Vec::new())).await;
    running.until("commit").await;
    let other = Arc::new(Watched { journal: running.case.journal.clone(), ..Watched::default() });
    running.give(documents(other, &["a"])).await;
    running.until("send a").await;
    running.delivery.abort();
}

#[tokio::test]
async fn told_to_end_it_says_what_is_left_also_where_nothing_can_be_saved() {
    let running = start(Duration::MAX);
    running.give(running.case.mapped(1, Vec::new())).await;
    running.until("commit").await;
    running.give(running.case.documents(&["a", "b"])).await;
    running.end.send(()).unwrap();
    let delivered = tokio::time::timeout(Duration::from_secs(60), running.delivery).await.expect("it ends");
    assert_eq!(delivered.unwrap().unwrap().left, BTreeMap::from([("contoso".to_owned(), 2)]));
}
