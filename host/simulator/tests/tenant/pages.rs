//! Lists of alerts: filters, order, paging, late alerts, long pages.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::time::Duration;

use defenderbeat_simulator::{AlertOptions, GraphOptions, NextLink, Options};
use serde_json::Value;

use crate::client::{Visitor, alerts, body, identities, texts};

fn holding(count: usize) -> Options {
    Options { alerts: AlertOptions { count, ..AlertOptions::default() }, ..Options::default() }
}

#[tokio::test]
async fn the_newest_come_first_unless_asked_otherwise() {
    let visitor = Visitor::new(holding(300)).await;
    let created = texts(&visitor.page("$top=300").await, "createdDateTime");
    // Fractions have no zeros at their end, so texts of one second do not compare as times do.
    let seconds = |times: &[String]| times.iter().map(|time| time[..19].to_owned()).collect::<Vec<_>>();
    assert!(seconds(&created).is_sorted_by(|one, two| one >= two));
    let page = visitor.page("$top=300&$orderby=lastUpdateDateTime asc").await;
    assert!(seconds(&texts(&page, "lastUpdateDateTime")).is_sorted());
    let page = visitor.page("$top=300&$orderby=lastUpdateDateTime%20desc").await;
    assert!(seconds(&texts(&page, "lastUpdateDateTime")).is_sorted_by(|one, two| one >= two));
}

#[tokio::test]
async fn filters_divide_what_there_is() {
    let visitor = Visitor::new(holding(300)).await;
    let all = visitor.page("$top=1000&$orderby=lastUpdateDateTime").await;
    let middle = &texts(&all, "lastUpdateDateTime")[150];
    let before = visitor.page(&format!("$top=1000&$filter=lastUpdateDateTime lt {middle}")).await;
    let after = visitor.page(&format!("$top=1000&$filter=lastUpdateDateTime%20ge%20{middle}&$count=true")).await;
    assert_eq!((alerts(&before).len(), alerts(&after).len()), (150, 150));
    assert_eq!(after["@odata.count"], 150);
    assert_eq!(before.get("@odata.count"), None);
    assert_eq!(identities(&[before, after]), visitor.simulator.expected().into_iter().collect());
    let high = visitor.page("$top=1000&$filter=severity eq 'high' and status ne 'new'").await;
    assert!(!alerts(&high).is_empty());
    assert!(alerts(&high).iter().all(|alert| alert["severity"] == "high" && alert["status"] != "new"));
}

#[tokio::test]
async fn wrong_queries_are_refused() {
    let visitor = Visitor::new(holding(10)).await;
    for (query, reason) in [
        ("$filter=title eq 'x'", "Could not find a property named 'title'"),
        ("$skip=501", "Skip"),
        ("$orderby=title", "Could not find a property named 'title'"),
        ("$expand=evidence", "$expand"),
        ("$top=many", "$top"),
    ] {
        let (status, code, message) = visitor.refusal(&format!("/v1.0/security/alerts_v2?{query}")).await;
        assert_eq!((status, &*code), (400, "BadRequest"), "{query}");
        assert!(message.contains(reason), "{query}: {message}");
    }
    assert_eq!(visitor.simulator.counters().refused, 5);
    assert_eq!(visitor.refusal("/v1.0/security/nothing").await.0, 400);
    assert_eq!(visitor.refusal("/v1.0/security/alerts_v2/da1").await.0, 404);
}

#[tokio::test]
async fn order_is_refused_where_asked_for() {
    let graph = GraphOptions { unordered: true, ..GraphOptions::default() };
    let visitor = Visitor::new(Options { graph, ..holding(10) }).await;
    assert_eq!(visitor.refusal("/v1.0/security/alerts_v2?$orderby=lastUpdateDateTime").await.0, 400);
    assert_eq!(alerts(&visitor.page("").await).len(), 10);
}

#[tokio::test]
async fn pages_are_limited_and_skip_what_is_asked_for() {
    let visitor = Visitor::new(holding(1100)).await;
    assert_eq!(alerts(&visitor.page("").await).len(), 100);
    let page = visitor.page("$top=5000").await;
    assert_eq!(alerts(&page).len(), 1000);
    assert_eq!(page.get("@odata.nextLink"), None, "there is none with $top");
    let skipped = visitor.page("$top=10&$skip=500").await;
    assert_eq!(texts(&skipped, "id"), texts(&page, "id")[500..510]);
}

/// All pages from a query on, by links.
async fn follow(visitor: &Visitor, query: &str) -> Vec<Value> {
    let mut pages = vec![visitor.page(query).await];
    while let Some(link) = pages.last().unwrap().get("@odata.nextLink") {
        pages.push(body(visitor.get(link.as_str().unwrap()).await).await);
    }
    pages
}

#[tokio::test]
async fn links_lead_to_every_alert_once() {
    for (next_link, query, count) in [
        (NextLink::WithoutTop, "$orderby=createdDateTime", 4),
        (NextLink::Skiptoken, "$top=60&$orderby=createdDateTime", 6),
        (NextLink::Skip, "%24top=60&%24orderby=createdDateTime", 6),
    ] {
        let graph = GraphOptions { next_link, ..GraphOptions::default() };
        let visitor = Visitor::new(Options { graph, ..holding(350) }).await;
        let pages = follow(&visitor, query).await;
        assert_eq!(pages.len(), count);
        assert_eq!(pages.iter().map(|page| alerts(page).len()).sum::<usize>(), 350);
        assert_eq!(identities(&pages), visitor.simulator.expected().into_iter().collect());
    }
}

#[tokio::test]
async fn a_link_that_skips_too_far_is_refused() {
    let graph = GraphOptions { next_link: NextLink::Skip, ..GraphOptions::default() };
    let visitor = Visitor::new(Options { graph, ..holding(1100) }).await;
    let page = visitor.page("$top=1000").await;
    let link = page["@odata.nextLink"].as_str().unwrap();
    assert!(link.starts_with(visitor.simulator.url()) && link.ends_with("$skip=1000"), "{link}");
    assert_eq!(visitor.refusal(link).await.0, 400);
}

#[tokio::test]
async fn ties_share_one_update_and_differ_in_creation() {
    let alerts_options = AlertOptions { count: 500, ties: 200, ..AlertOptions::default() };
    let visitor = Visitor::new(Options { alerts: alerts_options, ..Options::default() }).await;
    let page = visitor.page("$top=1000").await;
    let mut instants = BTreeMap::<String, BTreeSet<String>>::new();
    for (updated, created) in texts(&page, "lastUpdateDateTime").into_iter().zip(texts(&page, "createdDateTime")) {
        instants.entry(updated).or_default().insert(created);
    }
    let tied: Vec<_> = instants.iter().filter(|(_, created)| created.len() > 1).collect();
    assert_eq!(tied.len(), 1);
    let instant = visitor.page(&format!("$top=1000&$filter=lastUpdateDateTime eq {}", tied[0].0)).await;
    assert_eq!(alerts(&instant).len(), 200);
}

#[tokio::test]
async fn late_alerts_appear_below_what_was_shown() {
    let alerts_options = AlertOptions { count: 200, late: 20, late_after_requests: 2, ..AlertOptions::default() };
    let visitor = Visitor::new(Options { alerts: alerts_options, ..Options::default() }).await;
    let query = "$top=1000&$orderby=lastUpdateDateTime";
    let (first, second, third) = (visitor.page(query).await, visitor.page(query).await, visitor.page(query).await);
    assert_eq!([&first, &second, &third].map(|page| alerts(page).len()), [180, 180, 200]);
    let newest = texts(&first, "lastUpdateDateTime").pop();
    assert_eq!(texts(&third, "lastUpdateDateTime").pop(), newest);
    assert_eq!(identities(&[third]), visitor.simulator.expected().into_iter().collect());
}

#[tokio::test]
async fn a_chain_of_links_shows_no_alerts_that_came_meanwhile() {
    let alerts_options = AlertOptions { count: 200, late: 20, late_after_requests: 1, ..AlertOptions::default() };
    let visitor = Visitor::new(Options { alerts: alerts_options, ..Options::default() }).await;
    let pages = follow(&visitor, "$orderby=lastUpdateDateTime").await;
    assert_eq!(pages.iter().map(|page| alerts(page).len()).sum::<usize>(), 180);
    assert_eq!(identities(&pages).len(), 180);
}

#[tokio::test]
async fn late_alerts_may_wait_for_a_time() {
    for (late_after, shown) in [(Duration::from_secs(3600), 15), (Duration::ZERO, 20)] {
        let alerts_options =
            AlertOptions { count: 20, late: 5, late_after_requests: 0, late_after, ..AlertOptions::default() };
        let visitor = Visitor::new(Options { alerts: alerts_options, ..Options::default() }).await;
        assert_eq!(alerts(&visitor.page("").await).len(), shown);
    }
}

#[tokio::test]
async fn alerts_and_incidents_come_at_a_rate() {
    let alerts_options =
        AlertOptions { count: 60, alerts_per_incident: 10, per_second: Some(30.0), ..AlertOptions::default() };
    let visitor = Visitor::new(Options { alerts: alerts_options, ..Options::default() }).await;
    let mut counts = vec![alerts(&visitor.page("$top=1000").await).len()];
    while counts.last() != Some(&60) {
        tokio::time::sleep(Duration::from_millis(50)).await;
        counts.push(alerts(&visitor.page("$top=1000").await).len());
    }
    assert!(counts.is_sorted() && counts[0] < 60, "{counts:?}");
    let page = visitor.page("$top=1000").await;
    assert_eq!(identities(&[page]), visitor.simulator.expected().into_iter().collect());
    let incidents = body(visitor.get("/v1.0/security/incidents?$top=50").await).await;
    assert_eq!(alerts(&incidents).len(), 6);
}

#[tokio::test]
async fn one_alert_is_as_in_the_list() {
    let visitor = Visitor::new(holding(20)).await;
    let page = visitor.page("").await;
    let listed = &alerts(&page)[7];
    let path = format!("/v1.0/security/alerts_v2/{}", listed["id"].as_str().unwrap());
    let mut alone = body(visitor.get(&path).await).await;
    assert!(alone.as_object_mut().unwrap().remove("@odata.context").is_some());
    assert_eq!(&alone, listed);
}

#[tokio::test]
async fn newer_members_come_to_who_prefers_them() {
    let visitor = Visitor::new(holding(100)).await;
    let services = |page: &Value| texts(page, "serviceSource").into_iter().collect::<BTreeSet<_>>();
    let plain = services(&visitor.page("").await);
    assert!(plain.contains("unknownFutureValue") && !plain.contains("microsoftDefenderForCloud"));
    let url = format!("{}/v1.0/security/alerts_v2", visitor.simulator.url());
    let request = visitor.client.get(url).bearer_auth(&visitor.token);
    let answer = request.header("prefer", "include-unknown-enum-members").send().await.unwrap();
    assert_eq!(answer.headers()["preference-applied"], "include-unknown-enum-members");
    let preferred = services(&body(answer).await);
    assert!(!preferred.contains("unknownFutureValue") && preferred.contains("microsoftDefenderForCloud"));
}

#[tokio::test]
async fn answers_are_compressed_where_accepted() {
    for (plain, encoding) in [(false, Some("gzip")), (true, None)] {
        let graph = GraphOptions { plain, ..GraphOptions::default() };
        let visitor = Visitor::new(Options { graph, ..holding(50) }).await;
        let url = format!("{}/v1.0/security/alerts_v2", visitor.simulator.url());
        let request = visitor.client.get(url).bearer_auth(&visitor.token).header("accept-encoding", "br, gzip;q=0.8");
        let answer = request.send().await.unwrap();
        assert_eq!(answer.headers().get("content-encoding").map(|value| value.to_str().unwrap()), encoding);
        let bytes = answer.bytes().await.unwrap();
        let mut text = Vec::new();
        match encoding {
            Some(_) => _ = flate2::read::GzDecoder::new(&bytes[..]).read_to_end(&mut text).unwrap(),
            None => text.extend_from_slice(&bytes),
        }
        assert_eq!(alerts(&serde_json::from_slice(&text).unwrap()).len(), 50);
    }
}

#[tokio::test]
async fn a_client_that_stops_reading_stops_the_making_of_a_long_page() {
    // 1000 alerts of 1 MB: the page would be 1 GB long.
    let alerts_options = AlertOptions { count: 1000, alert_size: 1_000_000, ..AlertOptions::default() };
    let visitor = Visitor::new(Options { alerts: alerts_options, ..Options::default() }).await;
    let mut answer = visitor.get("/v1.0/security/alerts_v2?$top=1000").await;
    assert!(answer.content_length().is_none());
    let mut received = 0;
    while received < 3_000_000 {
        received += answer.chunk().await.unwrap().unwrap().len();
    }
    drop(answer);
    assert_eq!(alerts(&visitor.page("$top=1").await).len(), 1);
    visitor.simulator.stop().await;
}
