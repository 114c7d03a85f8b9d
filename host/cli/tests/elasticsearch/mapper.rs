//! A component as `transform` opens it, to map what a tenant holds.

use std::path::Path;
use std::sync::Arc;

use defenderbeat_collector::lookup::Data;
use defenderbeat_runtime::{
    Batch, Bytes, Component, Engine, Options, Part, Pipeline, Setup, SinkError, Transform as _,
};
use serde_json::Value;

/// Records that are mapped at a time.
const BATCH: usize = 256;

/// A component with settings.
pub(crate) struct Mapper {
    pipeline: Pipeline,
}

impl Mapper {
    pub(crate) fn open(component: &str, settings: &Value) -> Self {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/components").join(component);
        let [wasm, code] =
            ["wasm", "cwasm"].map(|kind| std::fs::read(file.with_extension(kind)).expect("run `make components`"));
        let engine = Engine::new(Options::default()).unwrap();
        #[allow(unsafe_code, reason = "the code is what the program embeds")]
        // SAFETY: `make components` made it of the component, by `Engine::precompile`.
        let component = unsafe { Component::precompiled(&engine, &code, &wasm) }.unwrap();
        let setup = Setup::new(settings.to_string()).with_lookup(Arc::new(Data::default()));
        Self { pipeline: Pipeline::open(&component, setup).unwrap() }
    }

    /// Maps records of a feed; `take` is given the id and the bytes of each document.
    pub(crate) fn push(
        &mut self,
        feed: &str,
        records: impl Iterator<Item = Vec<u8>>,
        mut take: impl FnMut(u128, &[u8]),
    ) {
        let mut records = records.map(Bytes::from).peekable();
        while records.peek().is_some() {
            let payloads = records.by_ref().take(BATCH).collect();
            let batch = Batch { feed: feed.to_owned(), received_at: 0, payloads };
            let receipt = self.pipeline.push(&batch, &mut |part| pass(&mut take, &part)).unwrap();
            assert_eq!(receipt.rejects, []);
        }
    }

    /// Ends a sync; `take` is given the documents that come of it.
    pub(crate) fn finish(mut self, mut take: impl FnMut(u128, &[u8])) {
        self.pipeline.finish(&mut |part| pass(&mut take, &part)).unwrap();
    }
}

fn pass(take: &mut impl FnMut(u128, &[u8]), part: &Part) -> Result<(), SinkError> {
    for (document, bytes) in part.iter() {
        take(document.id, &bytes);
    }
    Ok(())
}
