//! What a client sees of each fault, and what the server behind sees of it: here one that only answers.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::time::Duration;

use defenderbeat_elasticsearch::{Fault, Faults, Proxy, Sent, Sink};
use reqwest::{Client, Response};
use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};
use serde_json::Value;

/// Documents of a request.
const DOCUMENTS: u64 = 4;

fn client() -> Client {
    let tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    Client::builder().no_proxy().tls_backend_preconfigured(tls).timeout(Duration::from_secs(30)).build().unwrap()
}

/// Sends documents through a proxy with one fault; gives the answer, and how many documents reached the server.
async fn send(fault: Fault) -> (reqwest::Result<Value>, Option<u16>, u64) {
    let sink = Sink::start().await.unwrap();
    let proxy = Proxy::start(sink.url(), client(), 1).await.unwrap();
    proxy.set(Faults { rates: vec![(fault, 1.0)], stall: Duration::from_millis(300) });
    let body = r#"{"create":{"_index":"logs-a-b","_id":"1"}}
{"@timestamp":"2026-01-01T00:00:00Z"}
"#
    .repeat(DOCUMENTS as usize);
    let request = client().post(format!("{}/_bulk", proxy.url())).body(body).send();
    let (answer, status) = match request.await.map(|response: Response| (response.status().as_u16(), response)) {
        Ok((status, response)) => {
            let body = response.bytes().await;
            (body.map(|body| serde_json::from_slice(&body).unwrap()), Some(status))
        }
        Err(error) => (Err(error), None),
    };
    assert_eq!(proxy.counts()[&fault], 1);
    (answer, status, sink.documents())
}

#[tokio::test]
async fn what_is_not_passed_on_is_refused_or_reset() {
    for (fault, code) in [(Fault::TooManyRequests, 429), (Fault::Unavailable, 503)] {
        let (answer, status, taken) = send(fault).await;
        assert_eq!((status, taken), (Some(code), 0));
        assert_eq!(answer.unwrap()["status"], code);
    }
    let (answer, _, taken) = send(Fault::ResetBefore).await;
    assert!(answer.is_err());
    assert_eq!(taken, 0);
}

#[tokio::test]
async fn what_is_done_may_be_answered_in_half_or_not_at_all() {
    for fault in [Fault::ResetAfter, Fault::HalfAnswer] {
        let (answer, _, taken) = send(fault).await;
        assert!(answer.is_err(), "{fault:?}");
        assert_eq!(taken, DOCUMENTS, "{fault:?}");
    }
}

#[tokio::test]
async fn what_stalls_is_done_and_answered() {
    for fault in [Fault::Stalled, Fault::Late] {
        let (answer, status, taken) = send(fault).await;
        assert_eq!((status, taken), (Some(200), DOCUMENTS), "{fault:?}");
        assert_eq!(answer.unwrap()["items"].as_array().unwrap().len() as u64, DOCUMENTS);
    }
}

/// Also where nobody waits for the answer any more.
#[tokio::test]
async fn what_is_late_is_done_although_the_client_has_gone() {
    let sink = Sink::start().await.unwrap();
    let proxy = Proxy::start(sink.url(), client(), 1).await.unwrap();
    proxy.set(Faults { rates: vec![(Fault::Late, 1.0)], stall: Duration::from_millis(500) });
    let request = client().post(format!("{}/_bulk", proxy.url())).body("{}\n{}\n").timeout(Duration::from_millis(200));
    assert!(request.send().await.unwrap_err().is_timeout());
    assert_eq!(sink.documents(), 0);
    while sink.documents() == 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_part_of_the_documents_is_rejected_and_named() {
    let (answer, status, taken) = send(Fault::SomeRejected).await;
    assert_eq!((status, taken), (Some(200), DOCUMENTS / 2));
    let answer = answer.unwrap();
    let statuses: Vec<&Value> =
        answer["items"].as_array().unwrap().iter().map(|item| &item["create"]["status"]).collect();
    assert_eq!(statuses, [201, 429, 201, 429]);
    assert_eq!(answer["items"][1]["create"]["_id"], "1");
    assert_eq!(answer["errors"], true);
}

#[tokio::test]
async fn what_is_not_new_to_who_looks_is_refused() {
    let known = std::sync::Mutex::new(std::collections::BTreeSet::new());
    let looking = move |sent: Sent<'_>| {
        assert_eq!((sent.stream, sent.source), ("logs-a-b", &b"{}"[..]));
        known.lock().unwrap().insert(sent.id.to_owned())
    };
    let sink = Sink::looking(looking).await.unwrap();
    let lines = ["1", "2", "1"].map(|id| format!(r#"{{"create":{{"_index":"logs-a-b","_id":"{id}"}}}}"#) + "\n{}\n");
    let answer = client().post(format!("{}/_bulk", sink.url())).body(lines.concat()).send().await.unwrap();
    let answer: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
    let statuses: Vec<u64> =
        answer["items"].as_array().unwrap().iter().map(|item| item["create"]["status"].as_u64().unwrap()).collect();
    assert_eq!((statuses, sink.documents()), (vec![201, 201, 409], 2));
    assert_eq!(answer["errors"], true);
}
