//! Records that Graph cannot give with what belongs to them.

use std::time::Duration;

use defenderbeat_collector::source::graph::INCIDENTS;
use serde_json::json;

use crate::collector::{Collector, alerts, settings};
use crate::tenant::{Fault, Request, Tenant};

fn incidents() -> Collector {
    Collector { feed: Some(&INCIDENTS), ..Collector::default() }
}

fn is_expanded(request: &Request) -> bool {
    request.query.get("$expand").is_some_and(|property| property == "alerts")
}

fn top(request: &Request) -> usize {
    request.query.get("$top").map_or(0, |top| top.parse().unwrap())
}

/// The id that a request asks for, where it is for one record.
fn by_id(request: &Request) -> Option<&str> {
    request.path.strip_prefix("/v1.0/security/incidents/")
}

fn refused(status: u16, code: &str) -> Fault {
    Fault::Answer(status, "", json!({ "error": { "code": code, "message": "not that" } }).to_string())
}

#[tokio::test]
async fn pages_are_of_fifty_and_expanded() {
    let tenant = Tenant::start(alerts(120, 0)).await;
    let mut collector = incidents();
    collector.whole_cycle(&settings(&tenant)).await.unwrap();
    collector.assert_exactly(&tenant);
    let state = tenant.state();
    assert!(state.requests.iter().all(|request| request.path == "/v1.0/security/incidents"));
    assert!(state.requests.iter().all(|request| is_expanded(request) && top(request) == 50));
}

#[tokio::test]
async fn a_page_that_takes_too_long_is_asked_for_in_parts() {
    let tenant = Tenant::start(alerts(12, 0)).await;
    tenant.script(|request, _| (top(request) > 6).then_some(Fault::Silence));
    let mut settings = settings(&tenant);
    settings.http_client_timeout = Duration::from_millis(200);
    let mut collector = incidents();
    collector.whole_cycle(&settings).await.unwrap();
    collector.assert_exactly(&tenant);
    let tops: Vec<usize> = tenant.state().requests.iter().map(top).collect();
    assert_eq!(tops[..7], [50, 50, 25, 25, 12, 12, 6]);
}

#[tokio::test]
async fn a_page_that_always_breaks_off_is_asked_for_in_parts() {
    let tenant = Tenant::start(alerts(12, 0)).await;
    tenant.script(|request, _| (top(request) > 3).then_some(Fault::CutAfter(40)));
    let mut collector = incidents();
    collector.whole_cycle(&settings(&tenant)).await.unwrap();
    collector.assert_exactly(&tenant);
}

/// A tenant that expands no page, and answers a request for one record and for its alerts as it is told.
async fn unexpanded(
    count: u64,
    single: impl Fn(&str) -> Fault + Send + 'static,
    alerts_of: impl Fn(&str) -> Fault + Send + 'static,
) -> Tenant {
    let tenant = Tenant::start(alerts(count, 0)).await;
    tenant.script(move |request, _| match (by_id(request), request.query.get("$filter")) {
        (Some(id), _) => Some(single(id)),
        (None, Some(filter)) if filter.starts_with("incidentId eq ") => {
            assert_eq!(request.path, "/v1.0/security/alerts_v2");
            Some(alerts_of(filter))
        }
        _ => is_expanded(request).then(|| refused(500, "InternalServerError")),
    });
    tenant
}

#[tokio::test]
async fn a_record_by_its_id_is_taken_only_if_it_is_whole() {
    let whole = |id: &str| Fault::Answer(200, "", json!({ "id": id, "alerts": [{ "id": "by id" }] }).to_string());
    let list = json!({ "value": [{ "id": "by filter" }] }).to_string();
    let of_filter = move |_: &str| Fault::Answer(200, "", list.clone());
    type Single = Box<dyn Fn(&str) -> Fault + Send>;
    let cases: [(Single, &str); 7] = [
        (Box::new(whole), "by id"),
        (Box::new(|_| Fault::CutAfter(10)), "by filter"),
        (Box::new(|id| Fault::Answer(200, "", json!({ "id": id }).to_string())), "by filter"),
        (Box::new(|_| Fault::Answer(200, "", "{\"id\":\"x\",\"alerts\":[".into())), "by filter"),
        (Box::new(|_| Fault::Answer(200, "", "<html>".into())), "by filter"),
        (Box::new(|_| Fault::Answer(200, "", "x".repeat(3 << 20))), "by filter"),
        (Box::new(|_| refused(404, "NotFound")), "by filter"),
    ];
    for (number, (single, expected)) in cases.into_iter().enumerate() {
        let tenant = unexpanded(3, single, of_filter.clone()).await;
        let mut collector = incidents();
        collector.whole_cycle(&settings(&tenant)).await.unwrap();
        collector.assert_exactly(&tenant);
        let ids: Vec<_> =
            collector.joined.iter().map(|line| line.pointer("/alerts/0/id").unwrap_or(&line["id"])).collect();
        assert!(ids.len() >= 3 && ids.iter().all(|id| *id == expected), "{number}: {ids:?}");
    }
}

#[tokio::test]
async fn what_cannot_be_had_is_said_and_remembered() {
    for (fault, expected) in [
        (refused(400, "BadRequest"), "the alerts cannot be had: http"),
        (refused(403, "Forbidden"), "lacks the permission SecurityAlert.Read.All"),
        (refused(410, "Gone"), "answered 410"),
        (refused(502, "BadGateway"), "answered 502"),
        (Fault::Answer(200, "", "{\"value\":[]}".into()), "their list is empty"),
        (Fault::HangUp, "no answer"),
    ] {
        let failing = |_: &str| refused(500, "InternalServerError");
        let tenant = unexpanded(3, failing, move |_| fault.clone()).await;
        let mut collector = incidents();
        collector.whole_cycle(&settings(&tenant)).await.unwrap();
        collector.assert_exactly(&tenant);
        let reasons: Vec<_> = collector.joined.iter().map(|line| line["error"]["message"].as_str().unwrap()).collect();
        assert!(reasons.len() >= 3 && reasons.iter().all(|reason| reason.contains(expected)), "{reasons:?}");
        let again = |collector: &Collector| {
            let cursor: serde_json::Value = serde_json::from_str(collector.cursor.as_ref().unwrap()).unwrap();
            cursor.get("again").cloned()
        };
        let ids = json!([["da0_1", 0], ["da1_1", 0], ["da2_1", 0]]);
        assert_eq!(again(&collector).unwrap(), ids);

        // In the next cycle they are asked for by id, at first without expansion; in vain.
        let before = tenant.state().requests.len();
        collector.whole_cycle(&settings(&tenant)).await.unwrap();
        let asked = |request: &&Request| by_id(request).is_some() && !is_expanded(request);
        let asked = tenant.state().requests[before..].iter().filter(asked).count();
        assert!(asked >= 3, "{asked}");
        assert_eq!(again(&collector).unwrap(), json!([["da0_1", 1], ["da1_1", 1], ["da2_1", 1]]));
    }
}

#[tokio::test]
async fn being_told_to_wait_is_no_reason_to_give_alerts_up() {
    let wait = |_: &str| Fault::Answer(429, "Retry-After: 0\r\n", String::new());
    let tenant = unexpanded(3, |_| refused(500, "InternalServerError"), wait).await;
    let mut collector = incidents();
    let error = collector.whole_cycle(&settings(&tenant)).await.unwrap_err().to_string();
    assert!(error.contains("429"), "{error}");
    assert!(collector.left.is_empty() && collector.joined.is_empty(), "nothing left without its alerts");
}
