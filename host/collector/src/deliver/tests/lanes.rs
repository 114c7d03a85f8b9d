//! Sends side by side, with an output that takes what it is let.

use tokio::sync::Semaphore;

use super::running::Running;
use super::*;

/// Takes what it is let, and says since when each may have been sent before.
struct Gated {
    journal: Journal,
    /// One permit lets one send pass whose documents begin with this letter.
    gates: Gates,
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
        let fates = scripted.map_or_else(delivered, |(_, fates)| fates);
        let problem = fates.contains(&Fate::Unknown).then(|| "no shard answers".to_owned());
        Ok(Sent { fates, problem, ..Sent::default() })
    }

    async fn flush(&self) -> Result<(), OutputError> {
        Ok(())
    }
}

type Gates = Vec<(&'static str, Arc<Semaphore>)>;

fn start(lanes: usize, gates: Gates, fates: Vec<(&'static str, Vec<Fate>)>) -> Running {
    let case = Case::new();
    let output = Gated { journal: case.journal.clone(), gates, fates: Mutex::new(fates.into()), lanes };
    let checkpoints = Store { journal: case.journal.clone(), failures: Mutex::default() };
    Running::start(case, Arc::new(output), checkpoints)
}

#[tokio::test]
async fn lanes_end_in_any_order_and_deliveries_settle_in_theirs() {
    let gate = Arc::new(Semaphore::new(0));
    let running = start(2, vec![("a", gate.clone())], Vec::new());
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
async fn documents_that_wait_leave_the_only_lane_to_others() {
    let put_off = std::iter::repeat_n(("a", vec![Fate::Retry]), 1000).collect();
    let running = start(1, Vec::new(), put_off);
    running.give(running.case.documents(&["a"])).await;
    running.until("send a").await;
    running.give(running.case.documents(&["b"])).await;
    running.until("send b").await;
    let journal = running.finish().await;
    let before = journal.iter().take_while(|entry| *entry != "send b").count();
    assert!(before < 100, "a was sent {before} times before b");
}

#[tokio::test]
async fn one_document_is_sent_again_while_those_of_others_settle() {
    let (first, gate) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(1)));
    let fates = vec![("a", vec![Fate::Unknown, Fate::Delivered])];
    let running = start(1, vec![("first", first.clone()), ("a", gate.clone())], fates);
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
    assert!(running.case.journal().contains(&"settle 7".to_owned()), "while the first is still under way");
    gate.add_permits(1);
    running.give(running.case.mapped(1, Vec::new())).await;
    let journal = running.finish().await;
    assert_eq!(journal.last().unwrap(), "settle 1");
}

#[tokio::test]
async fn while_all_lanes_are_busy_and_the_next_send_is_full_nothing_is_taken() {
    let gate = Arc::new(Semaphore::new(0));
    let running = start(2, vec![("a", gate.clone()), ("b", gate.clone())], Vec::new());
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
    let running = start(1, vec![("stuck", gate)], Vec::new());
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

#[tokio::test]
async fn what_keeps_all_documents_of_a_send_waiting_is_the_reason_that_is_told() {
    let gate = Arc::new(Semaphore::new(1));
    let fates = vec![("a", vec![Fate::Unknown])];
    let running = start(1, vec![("a", gate.clone())], fates);
    running.give(running.case.documents(&["a"])).await;
    running.until("send a again").await;
    let metrics = running.case.metrics.clone();
    assert_eq!(metrics.health.reasons(), ["has failed for 0s (sending): no shard answers"]);
    gate.add_permits(1);
    running.finish().await;
    assert!(metrics.health.reasons().is_empty());
}
