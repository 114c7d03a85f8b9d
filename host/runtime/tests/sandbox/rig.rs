//! What the tests share: components, a pipeline of the hostile guest, and a sink that keeps what passes.

use std::path::Path;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;
use std::{fs, thread};

use defenderbeat_runtime::{
    Batch, Bytes, Code, Component, Diagnostics, Engine, Level, Limits, Options, Part, Pipeline, Receipt, Reject,
    Result, Setup, Tally, Transform,
};
use serde_json::{Value, json};

/// A guest's memory before it does anything is just above 1 MiB.
pub(crate) const MIB: usize = 1 << 20;

pub(crate) static ENGINE: LazyLock<Engine> = LazyLock::new(|| Engine::new(Options::default()).unwrap());
pub(crate) static HOSTILE: LazyLock<Component> =
    LazyLock::new(|| Component::compile(&ENGINE, &wasm("hostile")).unwrap());

/// A component that `make components` made.
pub(crate) fn wasm(name: &str) -> Vec<u8> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../target/components/{name}.wasm"));
    fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}: run `make components`", file.display()))
}

/// What guests said.
#[derive(Debug, Default)]
pub(crate) struct Said(Mutex<Vec<(Level, String)>>);

impl Diagnostics for Said {
    fn report(&self, level: Level, message: &str) {
        self.0.lock().unwrap().push((level, message.to_owned()));
    }
}

impl Said {
    pub(crate) fn take(&self) -> Vec<(Level, String)> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

/// A pipeline of the hostile guest.
pub(crate) struct Rig {
    pub(crate) pipeline: Pipeline,
    pub(crate) said: Arc<Said>,
}

/// What passed through a sink.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Passed {
    /// Index of the payload, and the document without its line feed.
    pub(crate) documents: Vec<(u32, String)>,
    /// Documents of each part.
    pub(crate) parts: Vec<usize>,
}

impl Passed {
    pub(crate) fn take(&mut self, part: &Part) {
        self.parts.push(part.documents.len());
        for (document, bytes) in part.iter() {
            let line = bytes.strip_suffix(b"\n").unwrap();
            self.documents.push((document.payload, String::from_utf8(line.to_vec()).unwrap()));
        }
    }

    pub(crate) fn lines(&self) -> Vec<&str> {
        self.documents.iter().map(|(_, line)| line.as_str()).collect()
    }
}

impl Rig {
    pub(crate) fn new(limits: Limits) -> Self {
        Self::open(&json!({}), limits).unwrap()
    }

    pub(crate) fn open(settings: &Value, limits: Limits) -> Result<Self> {
        let said = Arc::new(Said::default());
        let settings = settings.to_string();
        let setup = Setup::new(settings).with_limits(limits).with_diagnostics(said.clone());
        Ok(Self { pipeline: Pipeline::open(&HOSTILE, setup)?, said })
    }

    /// Pushes payloads to the feed without state.
    pub(crate) fn push<P: ToString>(&mut self, payloads: &[P]) -> (Result<Receipt>, Passed) {
        self.push_to("records", payloads)
    }

    pub(crate) fn push_to<P: ToString>(&mut self, feed: &str, payloads: &[P]) -> (Result<Receipt>, Passed) {
        let mut passed = Passed::default();
        let receipt = self.pipeline.push(&batch(feed, payloads), &mut |part: Part| {
            passed.take(&part);
            Ok(())
        });
        (receipt, passed)
    }

    pub(crate) fn finish(&mut self) -> (Result<Receipt>, Passed) {
        let mut passed = Passed::default();
        let receipt = self.pipeline.finish(&mut |part: Part| {
            passed.take(&part);
            Ok(())
        });
        (receipt, passed)
    }

    /// Asserts that a command is obeyed.
    pub(crate) fn obeys(&mut self, command: &Value) {
        let (receipt, passed) = self.push(&[command]);
        let receipt = receipt.unwrap();
        assert_eq!(receipt.rejects, [], "{command}");
        assert_eq!(receipt.tallies[0].documents as usize, passed.documents.len(), "{command}");
        assert!(!passed.documents.is_empty(), "{command}");
    }

    /// Asserts that a command costs its own record and neither of its neighbours; gives the reject.
    pub(crate) fn rejects(&mut self, command: &Value) -> Reject {
        let (receipt, passed) = self.push(&[json!({"before": 1}), command.clone(), json!({"after": 1})]);
        let receipt = receipt.unwrap();
        assert_eq!(passed.documents, [(0, json!({"before": 1}).to_string()), (2, json!({"after": 1}).to_string())]);
        assert_eq!(receipt.tallies, [mapped(1), Tally { records: 1, rejected: 1, ..Tally::default() }, mapped(1)]);
        assert_eq!(receipt.rejects.len(), 1);
        let reject = receipt.rejects.into_iter().next().unwrap();
        assert_eq!((reject.payload, reject.offset), (1, 0));
        assert_eq!(reject.length as usize, command.to_string().len());
        reject
    }
}

/// Short, so that violations are found soon; long enough for an overloaded machine to do a little work in.
pub(crate) fn short() -> Limits {
    Limits::default().with_deadline(Duration::from_millis(500)).with_memory(16 * MIB)
}

pub(crate) fn batch<P: ToString>(feed: &str, payloads: &[P]) -> Batch {
    let payloads = payloads.iter().map(|payload| Bytes::from(payload.to_string())).collect();
    Batch { feed: feed.to_owned(), received_at: 1_700_000_000_000, payloads }
}

pub(crate) fn mapped(records: u32) -> Tally {
    Tally { records, mapped: records, documents: records, ..Tally::default() }
}

/// The bytes of a reject.
pub(crate) fn bytes_of<'a>(reject: &Reject, payload: &'a str) -> &'a str {
    &payload[reject.offset as usize..(reject.offset + reject.length) as usize]
}

/// Longer than the deadline of [`short`].
pub(crate) fn dawdle() {
    thread::sleep(Duration::from_millis(700));
}

pub(crate) fn codes(receipt: &Receipt) -> Vec<Code> {
    receipt.rejects.iter().map(|reject| reject.code).collect()
}
