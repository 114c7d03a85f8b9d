//! Which records leave, and how often.

use std::sync::atomic::Ordering;
use std::time::Duration;

use defenderbeat_collector::source::graph::{ALERTS, Error, Graph, GraphSettings};
use defenderbeat_collector::source::{Source as _, Start};

use crate::collector::{Collector, MINUTE, alerts, now, settings, start};
use crate::tenant::{self, Alert, Fault, Tenant, ticks};

/// A fault now and then, always at the same places.
fn now_and_then(
    percent: usize,
    mut fault: impl FnMut(usize) -> Fault + Send + 'static,
) -> impl FnMut(&tenant::Request, &mut Vec<Alert>) -> Option<Fault> + Send {
    move |request, _| {
        let chance = (request.number.wrapping_mul(2_654_435_761) >> 7) % 100;
        (chance < percent).then(|| fault(request.number))
    }
}

#[tokio::test]
async fn ties_beyond_what_skip_reaches_leave_once_each() {
    let tenant = Tenant::start(alerts(4000, 2500)).await;
    let mut collector = Collector::default();
    collector.whole_cycle(&settings(&tenant)).await.unwrap();
    collector.assert_exactly(&tenant);
    let requests = tenant.state().requests.len();
    assert!(requests < 40, "{requests} requests");
    collector.whole_cycle(&settings(&tenant)).await.unwrap();
    collector.assert_exactly(&tenant);
}

#[tokio::test]
async fn ties_that_skip_reaches_are_not_divided() {
    let tenant = Tenant::start(alerts(2000, 1300)).await;
    let mut collector = Collector::default();
    collector.whole_cycle(&settings(&tenant)).await.unwrap();
    collector.assert_exactly(&tenant);
    let state = tenant.state();
    assert!(state.requests.iter().all(|request| !request.query["$filter"].contains("createdDateTime")));
}

#[tokio::test]
async fn ties_created_together_are_divided_by_their_values() {
    let mut ties = alerts(4000, 4000);
    ties.iter_mut().for_each(|alert| alert.created = alert.updated);
    let tenant = Tenant::start(ties).await;
    let mut collector = Collector::default();
    collector.whole_cycle(&settings(&tenant)).await.unwrap();
    collector.assert_exactly(&tenant);
}

#[tokio::test]
async fn ties_that_nothing_divides_fail_the_cycle_and_the_cursor_stays() {
    let mut ties = alerts(1700, 1600);
    let instant = ties[0].updated;
    ties.iter_mut().for_each(|alert| (alert.created, alert.severity) = (instant, "low"));
    let tenant = Tenant::start(ties).await;
    let mut collector = Collector::default();
    let error = collector.whole_cycle(&settings(&tenant)).await.unwrap_err();
    assert!(matches!(error, Error::Indivisible { .. }), "{error}");
    assert_eq!(collector.errors[0]["code"], "indivisible");
    let cursor: serde_json::Value = serde_json::from_str(collector.cursor.as_deref().unwrap()).unwrap();
    assert_eq!(cursor["boundary"], instant);
    assert!(collector.left.values().all(|count| *count == 1));
}

#[tokio::test]
async fn closed_windows_where_ordering_is_refused() {
    let tenant = Tenant::start(alerts(4000, 2500)).await;
    tenant.state().ordered = false;
    let mut collector = Collector::default();
    collector.whole_cycle(&settings(&tenant)).await.unwrap();
    collector.assert_exactly(&tenant);
    let asked_in_order =
        || tenant.state().requests.iter().filter(|request| request.query.contains_key("$orderby")).count();
    assert_eq!(asked_in_order(), 1);
    collector.whole_cycle(&settings(&tenant)).await.unwrap();
    assert_eq!(asked_in_order(), 1, "the mode is remembered");
    collector.assert_exactly(&tenant);
}

#[tokio::test]
async fn an_order_that_is_accepted_and_not_kept_loses_nothing() {
    let tenant = Tenant::start(alerts(3000, 10)).await;
    // Every other time the newest come first, as without `$orderby`.
    tenant.script(|request, alerts| {
        let reversed = request.query.contains_key("$orderby");
        alerts.sort_by_key(|alert| alert.updated);
        if reversed {
            let body: Vec<String> = alerts
                .iter()
                .rev()
                .take(1000)
                .map(|alert| {
                    format!(
                        r#"{{"id":"{}","lastUpdateDateTime":"{}","x":1}}"#,
                        alert.id,
                        tenant::timestamp(alert.updated)
                    )
                })
                .collect();
            return Some(Fault::Answer(200, "", format!(r#"{{"value":[{}]}}"#, body.join(","))));
        }
        None
    });
    let mut collector = Collector::default();
    collector.whole_cycle(&settings(&tenant)).await.unwrap();
    collector.assert_all(&tenant);
}

#[tokio::test]
async fn a_restart_at_any_delivery_loses_nothing_and_doubles_only_what_was_not_settled() {
    for ordered in [true, false] {
        let tenant = Tenant::start(alerts(1200, 700)).await;
        tenant.state().ordered = ordered;
        let mut settings = settings(&tenant);
        settings.batch_size = 200;
        let mut undisturbed = Collector::default();
        undisturbed.whole_cycle(&settings).await.unwrap();
        undisturbed.assert_exactly(&tenant);
        assert!(undisturbed.deliveries > 5);
        for stop in 1..=undisturbed.deliveries {
            for settle_last in [true, false] {
                let mut collector = Collector::default();
                collector.cycle(&settings, stop, settle_last).await.unwrap();
                collector.whole_cycle(&settings).await.unwrap();
                collector.assert_all(&tenant);
                if settle_last {
                    collector.assert_exactly(&tenant);
                }
            }
        }
    }
}

#[tokio::test]
async fn late_and_updated_alerts_leave_with_the_next_cycle() {
    for ordered in [true, false] {
        let tenant = Tenant::start(alerts(500, 20)).await;
        tenant.state().ordered = ordered;
        let mut settings = settings(&tenant);
        let newest = tenant.state().alerts.iter().map(|alert| alert.updated).max().unwrap();
        if !ordered {
            // In closed windows the boundary is the present.
            settings.overlap = Duration::from_secs(3 * 3600);
        }
        let mut collector = Collector::default();
        collector.whole_cycle(&settings).await.unwrap();
        collector.assert_exactly(&tenant);
        let late = |id: &str, updated| Alert { id: id.into(), updated, created: updated, severity: "low" };
        let updated = Alert { updated: newest + 1, ..tenant.state().alerts[30].clone() };
        tenant.state().alerts.extend([
            late("late", newest - 9 * MINUTE),
            late("tied", newest),
            late("new", newest + MINUTE),
            updated,
        ]);
        collector.whole_cycle(&settings).await.unwrap();
        collector.assert_exactly(&tenant);
    }
}

#[tokio::test]
async fn faults_are_survived() {
    for ordered in [true, false] {
        let tenant = Tenant::start(alerts(3000, 700)).await;
        tenant.state().ordered = ordered;
        tenant.script(now_and_then(15, |number| match number % 6 {
            0 => Fault::Answer(500, "", String::new()),
            1 => Fault::Answer(429, "Retry-After: 0\r\n", r#"{"error":{"code":"TooManyRequests"}}"#.into()),
            2 => Fault::ForgetToken,
            3 => Fault::CutAfter(5_000),
            4 => Fault::CutGzipAfter(1_000),
            _ => Fault::HangUp,
        }));
        let mut settings = settings(&tenant);
        settings.batch_size = 100;
        let mut collector = Collector::default();
        collector.whole_cycle(&settings).await.unwrap();
        collector.assert_exactly(&tenant);
        assert!(tenant.state().tokens > 1000, "a token was renewed");
    }
}

#[tokio::test]
async fn what_came_before_a_break_counts() {
    let tenant = Tenant::start(alerts(1000, 0)).await;
    tenant.script(|request, _| (request.number == 1).then_some(Fault::CutAfter(100_000)));
    let mut collector = Collector::default();
    collector.whole_cycle(&settings(&tenant)).await.unwrap();
    collector.assert_exactly(&tenant);
    let filters: Vec<String> = tenant.state().requests.iter().map(|request| request.query["$filter"].clone()).collect();
    assert!(filters[0] < filters[1], "{filters:?}");
    assert!(collector.records < 1010, "{}", collector.records);
}

#[tokio::test]
async fn links_are_followed_and_those_that_count_records_are_replaced_by_time() {
    for links in ["$skiptoken", "$skip"] {
        for ordered in [true, false] {
            let tenant = Tenant::start(alerts(3000, 1200)).await;
            {
                let mut state = tenant.state();
                (state.links, state.gzip, state.ordered) = (Some(links), true, ordered);
            }
            let mut collector = Collector::default();
            collector.whole_cycle(&settings(&tenant)).await.unwrap();
            collector.assert_exactly(&tenant);
            let followed = tenant.state().requests.iter().any(|request| request.query.contains_key("$skiptoken"));
            assert_eq!(followed, links == "$skiptoken");
        }
    }
}

#[tokio::test]
async fn a_record_that_is_too_long_is_set_aside_once_and_the_rest_leaves() {
    let mut recent = alerts(100, 0);
    (now() - 5 * MINUTE..).zip(&mut recent).for_each(|(time, alert)| alert.updated = time);
    let tenant = Tenant::start(recent).await;
    let long = format!(r#"{{"id":"long","text":"{}"}}"#, "x".repeat(5 << 20));
    let body = {
        let state = tenant.state();
        let alerts: Vec<String> = state.alerts.iter().map(Alert::json).collect();
        format!(r#"{{"value":[{},{long},{}]}}"#, alerts[..50].join(","), alerts[50..].join(","))
    };
    tenant.script(move |_, _| Some(Fault::Answer(200, "", body.clone())));
    let mut collector = Collector::default();
    collector.letters.full.store(true, Ordering::Relaxed);
    collector.whole_cycle(&settings(&tenant)).await.unwrap_err();
    collector.letters.full.store(false, Ordering::Relaxed);
    for _ in 0..2 {
        collector.whole_cycle(&settings(&tenant)).await.unwrap();
        collector.assert_exactly(&tenant);
        assert!(*collector.letters.kept.lock().unwrap() == [long.clone().into_bytes()]);
    }
    let cut = format!(r#"{{"value":[{{"id":"cut","text":"{}"#, "y".repeat(5 << 20));
    tenant.script(move |_, _| Some(Fault::Answer(200, "", cut.clone())));
    collector.whole_cycle(&settings(&tenant)).await.unwrap_err();
    assert_eq!(collector.letters.kept.lock().unwrap().len(), 1, "what is cut off is not kept");
}

#[tokio::test]
async fn a_failed_cycle_is_repeated_from_the_same_place() {
    let tenant = Tenant::start(alerts(2500, 0)).await;
    tenant.script(|request, _| (request.number >= 2).then(|| Fault::Answer(500, "", String::new())));
    let mut collector = Collector::default();
    collector.whole_cycle(&settings(&tenant)).await.unwrap_err();
    assert_eq!((collector.left.len(), collector.errors.len()), (1000, 1));
    tenant.script(|_, _| None);
    collector.whole_cycle(&settings(&tenant)).await.unwrap();
    collector.assert_exactly(&tenant);
}

#[tokio::test]
async fn a_clock_that_is_ahead_hides_nothing() {
    let tenant = Tenant::start(alerts(50, 0)).await;
    {
        let mut state = tenant.state();
        (state.ordered, state.behind) = (false, 3600);
    }
    let mut collector = Collector::default();
    collector.whole_cycle(&settings(&tenant)).await.unwrap();
    let updated = now() - 60 * MINUTE;
    let new = Alert { id: "new".into(), updated, created: updated, severity: "low" };
    tenant.state().alerts.push(new);
    collector.whole_cycle(&settings(&tenant)).await.unwrap();
    collector.assert_exactly(&tenant);
}

/// What an earlier run may have delivered without saving it is in the first whole cycle.
#[tokio::test]
async fn records_say_since_when_they_may_have_left_until_a_whole_cycle_is_read() {
    let tenant = Tenant::start(alerts(20, 1)).await;
    let settings = GraphSettings { interval: Duration::from_millis(10), ..settings(&tenant) };
    let mut failed = false;
    tenant.script(move |_, _| {
        let first = !std::mem::replace(&mut failed, true);
        first.then(|| Fault::Answer(403, "", "{}".to_owned()))
    });
    let start = Start { sent_since: Some(77), once: false, ..start(None) };
    let graph = Graph::open(&ALERTS, &settings, start).unwrap();
    let mut since = Vec::new();
    while since.last() != Some(&None) {
        let delivery = graph.next().await.unwrap().unwrap();
        let position = |payload: &[u8]| {
            let record: serde_json::Value = serde_json::from_slice(payload).unwrap();
            record["lastUpdateDateTime"].as_str().map_or(0, ticks)
        };
        let positions: Vec<u64> = delivery.payloads.iter().map(|payload| position(payload)).collect();
        graph.mapped(delivery.sequence, &positions);
        graph.settled(delivery.sequence);
        since.push(delivery.sent_since);
    }
    // The cycle that failed, and the one that was whole.
    assert!(since.len() > 2 && since[..since.len() - 1].iter().all(|since| *since == Some(77)), "{since:?}");
}
