//! Outputs against servers that are not ours: Kafka's own broker, and the Lumberjack server of Elastic's go-lumber.

#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, its helpers too"
)]

#[path = "../certificates/authority.rs"]
mod authority;
mod kafka;
mod logstash;

use std::collections::BTreeSet;
use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use defenderbeat_collector::config;
use defenderbeat_collector::output::trial::{Step, Trial};
use defenderbeat_collector::output::{Documents, Fate, Output};
use defenderbeat_runtime::{Document, Part};

const STREAM: &str = "logs-m365_defender.alert-default";

/// Says why a test does nothing. A build server has to have what it takes.
fn skipped(cause: &str) {
    assert!(std::env::var_os("CI").is_none(), "{cause}");
    // The macros' output is shown for tests that fail only.
    let _ = writeln!(std::io::stderr(), "skipped: {cause}");
}

fn documents(ids: impl Iterator<Item = u128>) -> Documents {
    let (mut ndjson, mut documents) = (String::new(), Vec::new());
    for id in ids {
        let line = format!("{{\"number\":{id}}}\n");
        documents.push(Document { payload: 0, length: line.len() as u32, route: 0, id, time: 0, position: 0 });
        ndjson += &line;
    }
    let streams = Arc::new([STREAM.to_owned()]);
    Documents { part: Part { ndjson: ndjson.into(), documents }, streams, sent_since: None }
}

/// Whether `test output` finds all well, and what it says.
async fn test_output(output: config::Output) -> (bool, String) {
    let mut lines = String::new();
    let mut report = |step: &Step| lines += &format!("{step}\n");
    let fine = Trial::new(&mut report).run(&output, &[STREAM.to_owned()], &[]).await;
    (fine, lines)
}

/// Sends ids until each is delivered, as delivery does.
async fn deliver(output: &impl Output, ids: impl Iterator<Item = u128>) {
    let mut left: BTreeSet<u128> = ids.collect();
    for _ in 0..600 {
        let sent = documents(left.iter().copied());
        match output.send(&[sent]).await {
            Ok(sent) => {
                let mut fates = sent.fates.into_iter();
                left.retain(|_| fates.next() != Some(Fate::Delivered));
                assert_eq!(sent.problem.is_none(), left.is_empty(), "{:?}", sent.problem);
            }
            Err(error) => assert!(error.is_transient(), "{error}"),
        }
        if left.is_empty() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("{} documents are left", left.len());
}
