//! Faults on the wire.

use defenderbeat_simulator::{AlertOptions, Counters, FaultOptions, Options};
use serde_json::Value;

use crate::client::{Visitor, body};

const PATH: &str = "/v1.0/security/alerts_v2?$top=5";

fn failing(faults: FaultOptions) -> Options {
    Options { faults, ..Options::default() }
}

#[tokio::test]
async fn throttling_says_how_long_to_wait() {
    let visitor = Visitor::new(failing(FaultOptions { throttled: 1.0, retry_after: 0, ..Default::default() })).await;
    let answer = visitor.get(PATH).await;
    assert_eq!(answer.status().as_u16(), 429);
    assert_eq!(answer.headers()["retry-after"], "0");
    let error = &body(answer).await["error"];
    assert_eq!((&error["code"], &error["innerError"]["status"]), (&Value::from("TooManyRequests"), &"429".into()));
}

#[tokio::test]
async fn a_broken_page_ends_within_a_record() {
    let visitor = Visitor::new(failing(FaultOptions { broken: 1.0, ..Default::default() })).await;
    for _ in 0..5 {
        let mut answer = visitor.get(PATH).await;
        assert_eq!(answer.status().as_u16(), 200);
        let mut received = Vec::new();
        let broken = loop {
            match answer.chunk().await {
                Ok(Some(chunk)) => received.extend_from_slice(&chunk),
                Ok(None) => break false,
                Err(_) => break true,
            }
        };
        assert!(broken);
        assert!(received.starts_with(br#"{"@odata.context""#), "what came before the break arrives");
        assert!(serde_json::from_slice::<Value>(&received).is_err());
    }
    assert_eq!(visitor.simulator.counters().broken, 5);
}

/// Asks 400 times and renews the token when needed: statuses, with 0 for a broken answer, and what was counted.
async fn run(seed: u64) -> (Vec<u16>, Counters) {
    let faults = FaultOptions { throttled: 0.05, failed: 0.1, revoked: 0.05, broken: 0.1, retry_after: 0 };
    let alerts = AlertOptions { seed, ..AlertOptions::default() };
    let mut visitor = Visitor::new(Options { faults, alerts, ..Options::default() }).await;
    let mut statuses = Vec::new();
    for _ in 0..400 {
        let answer = visitor.get(PATH).await;
        let status = answer.status().as_u16();
        let whole = answer.bytes().await.is_ok();
        statuses.push(if whole { status } else { 0 });
        if status == 401 {
            visitor.renew().await;
        }
    }
    (statuses, visitor.simulator.counters())
}

#[tokio::test]
async fn faults_come_at_their_rates_and_the_same_for_a_seed() {
    let (statuses, counters) = run(3).await;
    let count = |wanted: u16| statuses.iter().filter(|status| **status == wanted).count() as u64;
    assert_eq!(counters.requests, 400);
    assert_eq!(counters.throttled, count(429));
    assert_eq!(counters.failed, count(500));
    assert_eq!(counters.revoked, count(401));
    assert_eq!(counters.broken, count(0));
    assert_eq!(counters.tokens, 1 + counters.revoked);
    for (count, expected) in [(count(429), 20), (count(500), 40), (count(401), 20), (count(0), 40), (count(200), 280)] {
        assert!((expected / 2..=expected * 2).contains(&count), "{counters:?}");
    }
    assert_eq!(run(3).await.0, statuses);
    assert_ne!(run(4).await.0, statuses);
}

#[tokio::test]
async fn tokens_are_given_whatever_the_api_does() {
    let visitor = Visitor::new(failing(FaultOptions { failed: 1.0, ..Default::default() })).await;
    assert_eq!(visitor.get(PATH).await.status().as_u16(), 500);
    assert_eq!(visitor.ask_for_token(&[]).await.status().as_u16(), 200);
}
