//! Changes of vulnerabilities since a time.

use defenderbeat_simulator::{Options, VulnerabilityOptions, VulnerabilityRecords};
use serde_json::Value;

use crate::client::{Visitor, body};

const PATH: &str = "/api/machines/SoftwareVulnerabilityChangesByMachine";
const NOW: &str = "2025-06-15T13:00:00Z";

async fn changing(changes: u64) -> Visitor {
    let vulnerabilities = VulnerabilityOptions { changes, ..VulnerabilityOptions::default() };
    let alerts = defenderbeat_simulator::AlertOptions { now: Some(NOW.parse().unwrap()), ..Default::default() };
    Visitor::of_defender(Options { vulnerabilities, alerts, ..Options::default() }).await
}

/// All changes by links, and how many pages they took.
async fn read(visitor: &Visitor, query: &str) -> (Vec<Value>, usize) {
    let (mut changes, mut pages) = (Vec::new(), 0);
    let mut next = Some(format!("{PATH}?{query}"));
    while let Some(path) = next {
        let page = body(visitor.get(&path).await).await;
        changes.extend(page["value"].as_array().unwrap().iter().cloned());
        pages += 1;
        next = page["@odata.nextLink"].as_str().map(str::to_owned);
    }
    (changes, pages)
}

fn held(visitor: &Visitor) -> Vec<Value> {
    let records = visitor.simulator.vulnerabilities().records(VulnerabilityRecords::Changes);
    records.map(|json| serde_json::from_slice(&json).unwrap()).collect()
}

#[tokio::test]
async fn all_changes_since_a_time_come_page_by_page() {
    let visitor = changing(200).await;
    let (all, pages) = read(&visitor, "sinceTime=2025-06-01T13:00:00Z&pageSize=30").await;
    assert_eq!((all.len(), pages), (200, 7));
    assert_eq!(all, held(&visitor));
    let times: Vec<&str> = all.iter().map(|change| change["eventTimestamp"].as_str().unwrap()).collect();
    assert!(times.is_sorted() && times[199] == NOW);
    let statuses = |wanted: &str| all.iter().filter(|change| change["status"] == wanted).count();
    assert_eq!((statuses("New"), statuses("Updated"), statuses("Fixed")), (100, 50, 50));
    // An upgrade that stays vulnerable.
    let (old, new) = (&all[2], &all[3]);
    assert_eq!((&old["status"], &new["status"]), (&"Fixed".into(), &"New".into()));
    for name in ["deviceId", "cveId", "softwareName"] {
        assert_eq!(old[name], new[name]);
    }
    assert_ne!(old["softwareVersion"], new["softwareVersion"]);
}

#[tokio::test]
async fn whole_slots_of_six_hours_are_returned() {
    let visitor = changing(1000).await;
    let (some, _) = read(&visitor, "sinceTime=2025-06-10T11%3A59%3A59.5Z").await;
    let expected: Vec<Value> = held(&visitor)
        .into_iter()
        .filter(|change| change["eventTimestamp"].as_str().unwrap() >= "2025-06-10T06:00:00Z")
        .collect();
    assert!(!some.is_empty());
    assert_eq!(some, expected);
}

#[tokio::test]
async fn top_limits_and_leaves_the_link_out() {
    let visitor = changing(200).await;
    let page = body(visitor.get(&format!("{PATH}?sinceTime=2025-06-10T00:00:00Z&$top=5")).await).await;
    assert_eq!(page["value"].as_array().unwrap().len(), 5);
    assert_eq!(page.get("@odata.nextLink"), None);
}

#[tokio::test]
async fn what_is_found_later_comes_later() {
    let visitor = changing(10).await;
    let query = format!("sinceTime={NOW}&pageSize=4");
    let first = body(visitor.get(&format!("{PATH}?sinceTime=2025-06-01T13:00:00Z&pageSize=4")).await).await;
    visitor.simulator.publish_changes(3);
    visitor.simulator.publish_changes(2);
    let (rest, _) = read(&visitor, first["@odata.nextLink"].as_str().unwrap().split_once('?').unwrap().1).await;
    assert_eq!(rest.len(), 6, "a chain of links ends where it would have ended");
    let (new, pages) = read(&visitor, &query).await;
    assert_eq!((new.len(), pages), (6, 2), "the newest of the first ten is in this slot too");
    assert!(new.iter().all(|change| change["eventTimestamp"] == NOW));
    assert_eq!(read(&visitor, "sinceTime=2025-06-01T13:00:00Z").await.0.len(), 15);
}

#[tokio::test]
async fn a_time_is_needed_and_must_not_be_too_old() {
    let visitor = changing(10).await;
    for (query, code) in [
        ("", "MissingRequiredParameter"),
        ("sinceTime=yesterday", "BadRequest"),
        ("sinceTime=2025-06-01T12:59:59Z", "BadRequest"),
        ("sinceTime=2025-06-10T00:00:00Z&pageSize=200001", "BadRequest"),
        ("sinceTime=2025-06-10T00:00:00Z&$skiptoken=x", "BadRequest"),
    ] {
        let answer = visitor.get(&format!("{PATH}?{query}")).await;
        assert_eq!(answer.status().as_u16(), 400, "{query}");
        assert_eq!(body(answer).await["error"]["code"], code, "{query}");
    }
}
