//! A session with a source that is behind, and a delivery that has ended.

use std::path::Path;

use defenderbeat_runtime::{Engine, Options};

use super::*;
use crate::checkpoint::LocalCheckpoints;
use crate::config::Config;
use crate::source::{Delivery, Position, graph};

/// Ends once it is known how far it is behind.
struct Behind(Arc<Metrics>);

impl Source for Behind {
    type Error = graph::Error;

    async fn next(&self) -> Result<Option<Delivery>, Self::Error> {
        while self.0.lag.get().is_none() || self.0.lag_messages.get().is_none() {
            sleep(Duration::from_millis(1)).await;
        }
        Ok(None)
    }
    fn fresh(&self, _: u64, _: u128, _: Position) -> bool {
        true
    }
    fn mapped(&self, _: u64, _: &[Position]) {}
    fn settled(&self, _: u64) -> String {
        String::new()
    }
    fn lag(&self) -> Lag {
        Lag { seconds: Some(60.0), messages: Some(7) }
    }
}

#[tokio::test]
async fn how_far_an_input_is_behind_is_not_told_any_more_once_its_session_has_ended() {
    let text = "
inputs:
  - {id: contoso, type: alert, tenant_id: t, client_id: c, client_secret: s, workers: 1}
output.discard: {}
";
    let config = Config::parse("test", text, &[], &|_| None).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let [id, name, version, ephemeral_id] = ["", "", "", ""].map(str::to_owned);
    let shared = Shared {
        once: false,
        agent: Agent { id, name, version, ephemeral_id },
        first_start: 0,
        is_new: true,
        checkpoints: Arc::new(LocalCheckpoints::open(folder.path()).unwrap()),
        letters: DeadLetterFile::open(&folder.path().join("letters")).unwrap(),
        lookup: Arc::new(()),
        memory: Memory::new(folder.path().to_owned(), None),
        coordinator: None,
        metrics: Registry::new(&config),
        taps: None,
        events: mpsc::channel(1).0,
    };
    let (input, metrics) = (&config.inputs[0], shared.metrics.input("contoso"));
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/components/alert.wasm");
    let wasm =
        std::fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}: run `make components`", file.display()));
    let component = Component::compile(&Engine::new(Options::default()).unwrap(), &wasm).unwrap();
    let (_tell, mut stop) = watch::channel(false);
    run_source(&shared, input, &component, &metrics, &mut stop, Behind(metrics.clone()), 0).await.unwrap();
    assert_eq!((metrics.lag.get(), metrics.lag_messages.get()), (None, None));
}
