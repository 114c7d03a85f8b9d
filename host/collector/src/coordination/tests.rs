use std::sync::atomic::{AtomicBool, Ordering};

use tokio::io::copy;
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::azurite::Azurite;
use crate::http::Secret;
use crate::storage::LeaseAction;

/// A way to the storage account on which answers can get lost.
struct Way {
    port: u16,
    loses: Arc<AtomicBool>,
}

impl Way {
    async fn to(azurite: &Azurite) -> Self {
        let to = azurite.port();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let loses = Arc::new(AtomicBool::new(false));
        let lose = loses.clone();
        tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                let (mut asks, mut is_told) = client.into_split();
                let (mut answers, mut is_asked) = TcpStream::connect(("127.0.0.1", to)).await.unwrap().into_split();
                tokio::spawn(async move { copy(&mut asks, &mut is_asked).await });
                let lose = lose.clone();
                tokio::spawn(async move {
                    let mut buffer = [0; 4096];
                    while let Ok(read) = tokio::io::AsyncReadExt::read(&mut answers, &mut buffer).await {
                        // The service has done what it was asked.
                        if read == 0 || lose.load(Ordering::Relaxed) {
                            return;
                        }
                        tokio::io::AsyncWriteExt::write_all(&mut is_told, &buffer[..read]).await.unwrap();
                    }
                });
            }
        });
        Self { port, loses }
    }
}

/// What processes have of one input, `alerts`.
struct Process {
    lease: Arc<Lease>,
    checkpoint: BlobCheckpoint,
}

fn container_at(azurite: &Azurite, port: u16) -> Container {
    let text = azurite.connection_string().replace(&azurite.port().to_string(), &port.to_string());
    let settings = AzureBlobSettings {
        storage_account_connection_string: Some(Secret::new(text)),
        ..AzureBlobSettings::default()
    };
    settings.check().unwrap();
    settings.container(settings.timeout()).unwrap()
}

async fn container(azurite: &Azurite) -> Container {
    let container = container_at(azurite, azurite.port());
    container.ensure().await.unwrap();
    container
}

const BLOB: &str = "defenderbeat/inputs/alerts";
const ONE: &str = "6f0f3a8e-1f0e-4e6c-9b55-0c3f6a1f7d10";
const OTHER: &str = "0d3b7f52-7f2e-4a39-8a49-5f8f6a7f0f11";

impl Process {
    fn new(id: &str, container: &Container) -> Self {
        let (id, duration) = (id.to_owned(), Duration::from_secs(15));
        let lease = Arc::new(Lease::new("alerts", BLOB.to_owned(), id, duration, container.clone()));
        Self { checkpoint: BlobCheckpoint::new(lease.clone(), container.clone()), lease }
    }

    async fn acquire(&self) -> bool {
        self.lease.wait();
        self.lease.acquire(|| Ok(None)).await.unwrap()
    }

    async fn commit(&self, cursor: &str) -> Result<Generation, CheckpointError> {
        self.checkpoint.commit(cursor).await
    }

    async fn cursor(&self) -> (Generation, String) {
        let Checkpoint { generation, cursor, .. } = self.checkpoint.load().await.unwrap();
        (generation, cursor)
    }
}

fn at(generation: Generation, cursor: &str) -> (Generation, String) {
    (generation, cursor.to_owned())
}

#[tokio::test]
async fn one_leads_and_another_goes_on_where_it_is_given_back() {
    let Some(azurite) = Azurite::start() else { return };
    let container = container(&azurite).await;
    let (one, other) = (Process::new(ONE, &container), Process::new(OTHER, &container));
    let began = crate::checkpoint::unix_millis();
    assert!(one.acquire().await && !other.acquire().await);
    let first = one.checkpoint.load().await.unwrap();
    assert!(first.saved_at >= began && (first.generation, first.cursor.as_str()) == (0, ""), "{first:?}");
    assert_eq!(one.commit("{\"n\":1}").await.unwrap(), 1);
    assert_eq!(one.commit("{\"n\":2}").await.unwrap(), 2);
    assert!(!other.acquire().await && other.lease.until().is_none());
    assert!(other.commit("{}").await.unwrap_err().is_lost(), "who does not lead saves nothing");
    one.lease.release().await;
    assert!(other.acquire().await, "it need not wait");
    assert_eq!(other.cursor().await, at(2, "{\"n\":2}"));
    let saved = other.checkpoint.load().await.unwrap();
    assert!(saved.saved_at >= first.saved_at, "it says since when anything may have been delivered");
}

#[tokio::test]
async fn a_leader_that_was_paused_overwrites_nothing_and_steps_back() {
    let Some(azurite) = Azurite::start() else { return };
    let container = container(&azurite).await;
    let (paused, other) = (Process::new(ONE, &container), Process::new(OTHER, &container));
    assert!(paused.acquire().await);
    paused.cursor().await;
    paused.commit("before").await.unwrap();
    // As if it had ended while the clock of the paused one stood still.
    container.lease(BLOB, LeaseAction::Break).await.unwrap();
    assert!(other.acquire().await);
    other.cursor().await;
    other.commit("after").await.unwrap();
    assert!(paused.lease.until().is_some(), "it believes that it leads");
    let error = paused.commit("late").await.unwrap_err();
    assert!(error.is_lost() && !error.is_transient() && error.to_string().contains("alerts"), "{error}");
    assert!(!paused.lease.is_held());
    paused.lease.over().await;
    assert_eq!(other.cursor().await, at(2, "after"));
    assert_eq!(other.commit("on").await.unwrap(), 3);
}

#[tokio::test]
async fn a_lease_that_is_had_when_nobody_waits_for_it_any_more_is_given_back() {
    let Some(azurite) = Azurite::start() else { return };
    let container = container(&azurite).await;
    let (stops, other) = (Process::new(ONE, &container), Process::new(OTHER, &container));
    stops.lease.wait();
    // It is told to stop while the request is under way.
    let (acquired, ()) = tokio::join!(stops.lease.acquire(|| Ok(None)), stops.lease.release());
    assert!(!acquired.unwrap() && !stops.lease.is_held());
    assert!(other.acquire().await);
}

#[tokio::test]
async fn a_lease_that_another_has_taken_is_not_renewed() {
    let Some(azurite) = Azurite::start() else { return };
    let container = container(&azurite).await;
    let (one, other) = (Process::new(ONE, &container), Process::new(OTHER, &container));
    assert!(one.acquire().await);
    container.lease(BLOB, LeaseAction::Break).await.unwrap();
    assert!(other.acquire().await);
    let refused = container.lease(BLOB, LeaseAction::Renew(ONE)).await.unwrap();
    assert_eq!(refused, crate::storage::Written::Refused);
    let kept = container.lease(BLOB, LeaseAction::Renew(OTHER)).await.unwrap();
    assert!(matches!(kept, crate::storage::Written::Done { .. }));
}

#[tokio::test]
async fn after_a_restart_a_process_has_its_inputs_back_and_the_run_before_saves_nothing() {
    let Some(azurite) = Azurite::start() else { return };
    let container = container(&azurite).await;
    let (before, now) = (Process::new(ONE, &container), Process::new(ONE, &container));
    assert!(before.acquire().await);
    before.cursor().await;
    before.commit("first").await.unwrap();
    assert!(now.acquire().await, "it has the same id");
    assert_eq!(now.cursor().await, at(1, "first"));
    now.commit("second").await.unwrap();
    assert!(before.commit("late").await.unwrap_err().is_lost());
    assert_eq!(now.cursor().await, at(2, "second"));
}

#[tokio::test]
async fn a_commit_whose_answer_got_lost_is_gone_on_from() {
    let Some(azurite) = Azurite::start() else { return };
    let way = Way::to(&azurite).await;
    container(&azurite).await;
    let process = Process::new(ONE, &container_at(&azurite, way.port));
    assert!(process.acquire().await);
    process.cursor().await;
    way.loses.store(true, Ordering::Relaxed);
    let error = process.commit("first").await.unwrap_err();
    assert!(error.is_transient(), "{error}");
    way.loses.store(false, Ordering::Relaxed);
    assert_eq!(process.commit("second").await.unwrap(), 2, "the first was saved");
    assert_eq!(process.cursor().await, at(2, "second"));
}

#[tokio::test]
async fn what_a_process_collected_alone_goes_on_with_others() {
    let Some(azurite) = Azurite::start() else { return };
    let container = container(&azurite).await;
    let (one, other) = (Process::new(ONE, &container), Process::new(OTHER, &container));
    let broken = || CheckpointError::Damaged { blob: "alerts".to_owned(), reason: "it is cut short".to_owned() };
    one.lease.wait();
    assert!(one.lease.acquire(|| Err(broken())).await.is_err(), "one that cannot be used is no beginning");
    assert!(container.list(INPUTS).await.unwrap().is_empty());
    let own = Checkpoint { generation: 7, cursor: "alone".to_owned(), saved_at: 1_000 };
    assert!(one.lease.acquire(|| Ok(Some(own.clone()))).await.unwrap());
    assert_eq!(one.checkpoint.load().await.unwrap(), own);
    one.commit("together").await.unwrap();
    one.lease.release().await;
    // A blob that is there counts, whatever lies below path.data.
    other.lease.wait();
    assert!(other.lease.acquire(|| Ok(Some(own))).await.unwrap());
    assert_eq!(other.cursor().await, at(8, "together"));
}

#[tokio::test]
async fn a_checkpoint_that_cannot_be_read_is_no_beginning() {
    let Some(azurite) = Azurite::start() else { return };
    let container = container(&azurite).await;
    let process = Process::new(ONE, &container);
    assert!(process.acquire().await);
    process.cursor().await;
    process.commit("first").await.unwrap();
    container.upload(BLOB, b"torn".to_vec(), Condition::Always, Some(ONE)).await.unwrap();
    assert!(process.commit("second").await.unwrap_err().is_lost(), "it ends nothing but the session");
    let error = process.checkpoint.load().await.unwrap_err();
    assert!(!error.is_transient() && !error.is_lost(), "{error}");
    let message = error.to_string();
    assert!(message.contains(BLOB) && message.contains("an earlier version"), "{message}");
}

#[tokio::test]
async fn facts_of_one_are_known_to_the_other_and_nobody_overwrites_them() {
    let Some(azurite) = Azurite::start() else { return };
    let container = container(&azurite).await;
    let process = |folder: &tempfile::TempDir| {
        let facts = Arc::new(Facts::load(folder.path(), "event"));
        let shared = SharedFacts::new(facts.clone(), format!("{FACTS}event"), container.clone());
        (facts, shared)
    };
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let ((one, mut of_one), (other, mut of_other)) = (process(&folders[0]), process(&folders[1]));
    let known = |facts: &Facts| match facts.since(&mut Default::default()) {
        Some(crate::facts::News::More(bytes) | crate::facts::News::Anew(bytes)) => String::from_utf8(bytes).unwrap(),
        None => String::new(),
    };
    one.add(b"a");
    of_one.exchange().await.unwrap();
    of_other.exchange().await.unwrap();
    assert_eq!(known(&other), "a");
    other.add(b"b");
    of_other.exchange().await.unwrap();
    // It was paused meanwhile.
    one.add(b"c");
    of_one.exchange().await.unwrap();
    assert_eq!(known(&one), "abc");
    of_other.exchange().await.unwrap();
    assert_eq!(known(&other), "abc");
    // With nothing new nothing is written.
    let blobs = container.list(FACTS).await.unwrap();
    of_one.exchange().await.unwrap();
    of_other.exchange().await.unwrap();
    assert_eq!(container.list(FACTS).await.unwrap()[0].etag, blobs[0].etag);

    // What cannot be read is replaced.
    container.upload(&format!("{FACTS}event"), b"torn".to_vec(), Condition::Always, None).await.unwrap();
    one.add(b"d");
    of_one.exchange().await.unwrap();
    of_other.exchange().await.unwrap();
    assert_eq!(known(&other), "abcd");
}

fn input(id: &str) -> Input {
    let text = format!(
        "inputs: [{{id: {id}, type: alert, tenant_id: t, client_id: c, client_secret: s}}]\noutput.console: {{}}\n"
    );
    crate::config::Config::parse("test", &text, &[], &|_| None).unwrap().inputs.remove(0)
}

/// Options of processes that find each other there.
fn settings(azurite: &Azurite, lease_duration: u64) -> AzureBlobSettings {
    AzureBlobSettings {
        storage_account_connection_string: Some(Secret::new(azurite.connection_string())),
        lease_duration: Duration::from_secs(lease_duration),
        ..AzureBlobSettings::default()
    }
}

/// Waits for something while a process would lead, and must not.
async fn until(candidate: &Candidate, so: impl Fn() -> bool) {
    let waits = async {
        while !so() {
            sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::select! {
        () = candidate.elected() => panic!("it must not lead"),
        () = waits => {}
    }
}

#[tokio::test]
async fn a_checkpoint_that_cannot_be_the_first_is_told_until_another_process_has_begun() {
    let Some(azurite) = Azurite::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    let local = Arc::new(LocalCheckpoints::open(folder.path()).unwrap());
    std::fs::write(folder.path().join("checkpoints/alerts.checkpoint"), "torn").unwrap();
    let coordinator = Coordinator::start(&settings(&azurite, 15), ONE, local).unwrap();
    let metrics = Arc::<Metrics>::default();
    let candidate = coordinator.stand(&input("alerts"), metrics.clone());
    until(&candidate, || metrics.health.reasons().iter().any(|reason| reason.contains(FIRST))).await;
    // It must not be faster.
    candidate.standing.lease.release().await;
    let other = Process::new(OTHER, &container(&azurite).await);
    assert!(other.acquire().await);
    until(&candidate, || metrics.health.reasons().is_empty()).await;
}

#[tokio::test]
async fn the_first_to_lead_is_who_has_collected_alone_whoever_starts_first() {
    let Some(azurite) = Azurite::start() else { return };
    let (settings, container) = (settings(&azurite, 15), container(&azurite).await);
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let local = |folder: &tempfile::TempDir| Arc::new(LocalCheckpoints::open(folder.path()).unwrap());
    let early = Coordinator::start(&settings, OTHER, local(&folders[0])).unwrap();
    let waits = early.stand(&input("alerts"), Arc::default());
    let has_looked = async {
        while container.list(MEMBERS).await.unwrap().is_empty() {
            sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::select! {
        () = waits.elected() => panic!("it has no checkpoint"),
        () = has_looked => {}
    }
    let alone = local(&folders[1]);
    alone.commit("alerts", 0, "alone").unwrap();
    let late = Coordinator::start(&settings, ONE, alone).unwrap();
    let leads = late.stand(&input("alerts"), Arc::default());
    tokio::select! {
        () = waits.elected() => panic!("it has no checkpoint"),
        () = leads.elected() => {}
    }
    assert_eq!(late.checkpoints().load("alerts").await.unwrap().unwrap().cursor, "alone");
}

#[tokio::test]
async fn an_input_whose_lease_cannot_be_asked_for_keeps_no_other_from_being_led() {
    let Some(azurite) = Azurite::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    let local = LocalCheckpoints::open(folder.path()).unwrap();
    local.commit("incidents", 0, "alone").unwrap();
    let coordinator = Coordinator::start(&settings(&azurite, 15), ONE, Arc::new(local)).unwrap();
    // No server takes a name that long.
    let metrics = Arc::<Metrics>::default();
    let broken = coordinator.stand(&Input { id: "a".repeat(100_000), ..input("alerts") }, metrics.clone());
    let other = coordinator.stand(&input("incidents"), Arc::default());
    tokio::select! {
        () = broken.elected() => panic!("it cannot"),
        () = other.elected() => {}
    }
    until(&broken, || metrics.health.reasons().iter().any(|reason| reason.contains(COORDINATION))).await;
}

#[tokio::test]
async fn a_container_that_is_removed_is_made_again_and_who_led_leads_again() {
    let Some(azurite) = Azurite::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    let local = LocalCheckpoints::open(folder.path()).unwrap();
    local.commit("alerts", 0, "alone").unwrap();
    let coordinator = Coordinator::start(&settings(&azurite, 15), ONE, Arc::new(local)).unwrap();
    let candidate = coordinator.stand(&input("alerts"), Arc::default());
    candidate.elected().await;
    coordinator.shared.container.remove().await;
    candidate.over().await;
    candidate.step_back().await;
    candidate.elected().await;
    assert_eq!(coordinator.checkpoints().load("alerts").await.unwrap().unwrap().cursor, "alone");
}

#[tokio::test]
async fn a_process_that_comes_alone_leads_all_and_one_that_leaves_is_followed_at_once() {
    let Some(azurite) = Azurite::start() else { return };
    let settings = settings(&azurite, 60);
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let names = ["alerts", "incidents", "more"];
    let start = |id: &str, folder: &tempfile::TempDir| {
        let local = LocalCheckpoints::open(folder.path()).unwrap();
        names.iter().for_each(|name| assert_eq!(local.commit(name, 0, "alone").unwrap(), 1));
        Coordinator::start(&settings, id, Arc::new(local)).unwrap()
    };
    let stand = |coordinator: &Coordinator| names.map(|name| coordinator.stand(&input(name), Arc::default()));
    let first = start(ONE, &folders[0]);
    let led = stand(&first);
    for candidate in &led {
        candidate.elected().await;
    }
    let checkpoints = first.checkpoints();
    assert_eq!(checkpoints.load("alerts").await.unwrap().unwrap().generation, 1);
    assert_eq!(checkpoints.load("alone").await.unwrap(), None, "what nobody stands for lies below path.data");

    // It is told to stop.
    for candidate in &led {
        candidate.step_back().await;
    }
    drop(led);
    let container = first.shared.container.clone();
    assert!(!container.list(MEMBERS).await.unwrap().is_empty());
    first.leave().await;
    assert!(container.list(MEMBERS).await.unwrap().is_empty(), "nobody believes that it lives");
    let inputs = container.list(INPUTS).await.unwrap();
    assert!(inputs.len() == 3 && inputs.iter().all(|input| !input.leased), "nobody waits for a lease: {inputs:?}");
    let second = start(OTHER, &folders[1]);
    for candidate in stand(&second) {
        candidate.elected().await;
    }
}
