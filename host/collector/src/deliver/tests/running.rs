//! A delivery that runs while a test looks on.

use super::*;

pub(super) struct Running {
    pub(super) case: Case,
    pub(super) events: mpsc::Sender<Event>,
    pub(super) end: oneshot::Sender<()>,
    pub(super) delivery: tokio::task::JoinHandle<Result<Delivered, DeliverError>>,
}

impl Running {
    pub(super) fn start<O: Output>(case: Case, output: O, checkpoints: impl Checkpoints + 'static) -> Self {
        let letters = DeadLetterFile::open(&case.letters()).unwrap();
        let (events, receiver) = mpsc::channel(1);
        let (end, ended) = oneshot::channel();
        let end_told = async { ended.await.unwrap() };
        let deliver = Deliver::new(output, letters, Arc::new(checkpoints)).counting(case.metrics.clone());
        let delivery = tokio::spawn(deliver.run(receiver, end_told));
        Self { case, events, end, delivery }
    }

    pub(super) async fn give(&self, event: Event) {
        self.events.send(event).await.ok().unwrap();
    }

    /// Waits until something is in the journal, for longer than a slow machine needs.
    pub(super) async fn until(&self, entry: &str) {
        let found = async {
            while !self.case.journal().iter().any(|found| found == entry) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), found).await.unwrap_or_else(|_| panic!("{entry} does not come"));
    }

    pub(super) async fn finish(self) -> Vec<String> {
        drop(self.events);
        self.delivery.await.unwrap().unwrap();
        self.case.journal()
    }
}
