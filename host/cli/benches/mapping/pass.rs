//! One pass over a corpus, in different ways.

use std::hint::black_box;
use std::path::{Path, PathBuf};

use defenderbeat_runtime::{Bytes, Component, Engine, Lookup, Options, Part, Pipeline, Setup, SinkError, Transform};
use defenderbeat_sdk::{Document, Driver, Guest, Host};

use crate::corpus::{Corpus, DATA};

/// One pass over the batches of a corpus.
pub(crate) type Pass = Box<dyn FnMut(&[Bytes]) + Send>;

/// A host that takes documents and forgets them.
struct Forget;

impl Host for Forget {
    fn write(&mut self, ndjson: &[u8], documents: &[Document]) {
        black_box((ndjson, documents));
    }

    fn find(&mut self, kind: &str, key: &str) -> Option<String> {
        DATA.find(kind, key)
    }
}

/// A path in the project.
pub(crate) fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

/// Parses into a tree and prints it again: what any mapping over a tree pays before it begins.
pub(crate) fn reference(batches: &[Bytes]) {
    for batch in batches {
        for line in batch.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let tree: serde_json::Value = serde_json::from_slice(line).unwrap();
            black_box(serde_json::to_vec(&tree).unwrap());
        }
    }
}

/// The guest as part of this program.
pub(crate) fn native<G: Guest + Send>(corpus: &Corpus) -> Pass {
    let mut driver = Driver::<G>::open("{}").unwrap();
    let feed = G::DESCRIPTOR.feeds.iter().position(|feed| feed.name == corpus.feed).unwrap();
    Box::new(move |batches| {
        for batch in batches {
            let batch = defenderbeat_sdk::Batch { feed, received_at: 0, payloads: std::slice::from_ref(batch) };
            let receipt = driver.push(&batch, &mut Forget);
            driver.learn(&receipt.facts);
        }
    })
}

/// The component in the sandbox, with its facts.
pub(crate) fn sandboxed(corpus: &Corpus, interruption: bool) -> Pass {
    with_settings(corpus, interruption, "")
}

/// The component in the sandbox, interruptible; own fields that an ECS field repeats are written too.
pub(crate) fn with_duplicates(corpus: &Corpus) -> Pass {
    with_settings(corpus, true, r#"{"preserve_duplicate_custom_fields":true}"#)
}

fn with_settings(corpus: &Corpus, interruption: bool, settings: &str) -> Pass {
    let engine = Engine::new(Options::default().with_interruption(interruption)).unwrap();
    let file = root("target/components").join(corpus.component).with_extension("wasm");
    let component = Component::compile(&engine, &std::fs::read(file).expect("run `make components`")).unwrap();
    let setup = Setup::new(settings).with_lookup(DATA.clone());
    let mut pipeline = Pipeline::open(&component, setup).unwrap();
    let feed = corpus.feed;
    Box::new(move |batches| {
        for batch in batches {
            let batch =
                defenderbeat_runtime::Batch { feed: feed.to_owned(), received_at: 0, payloads: vec![batch.clone()] };
            let mut sink = |part: Part| -> Result<(), SinkError> {
                black_box(part);
                Ok(())
            };
            let receipt = pipeline.push(&batch, &mut sink).unwrap();
            if !receipt.facts.is_empty() {
                pipeline.learn(&receipt.facts).unwrap();
            }
        }
    })
}

/// Two of a kind at the same time, each over half of the batches.
pub(crate) fn twice(make: impl Fn() -> Pass) -> Pass {
    let mut passes = [make(), make()];
    Box::new(move |batches| {
        let halves = batches.split_at(batches.len() / 2);
        std::thread::scope(|scope| {
            for (pass, half) in passes.iter_mut().zip([halves.0, halves.1]) {
                scope.spawn(move || pass(half));
            }
        });
    })
}
