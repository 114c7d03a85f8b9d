//! Where changes go on.

use std::time::{SystemTime, UNIX_EPOCH};

use defenderbeat_collector::source::defender::Mode;
use serde_json::{Value, json};

use crate::api::{Api, Reply};
use crate::driver::{Driver, records, settings};

const CHANGES: &str = "/api/machines/SoftwareVulnerabilityChangesByMachine";
const HOUR: i64 = 3_600_000;

fn now() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

/// A driver whose last full export was so many hours ago, and whose changes go on at a link.
fn driver(hours: i64, link: &str) -> Driver {
    let (since, full) = (now() - HOUR, now() - hours * HOUR);
    let cursor = json!({
        "version": 1, "mode": "changes", "sync": null, "last": null, "full": full, "since": since, "link": link,
    });
    Driver { cursor: Some(cursor.to_string()), ..Driver::default() }
}

fn link(driver: &Driver) -> Value {
    serde_json::from_str::<Value>(driver.cursor.as_deref().unwrap()).unwrap()["link"].clone()
}

#[tokio::test]
async fn a_saved_link_that_is_of_no_use_leads_back_to_the_beginning() {
    for status in [400, 404, 410, 500] {
        let api = Api::start(move |request, _| match request.query.get("$skiptoken") {
            Some(_) => Reply::refusal(status),
            None => Reply::page(&records(0..4), None),
        })
        .await;
        let mut driver = driver(1, &format!("{}{CHANGES}?$skiptoken=a", api.url));
        driver.once(&settings(&api, Mode::Changes)).await.unwrap();
        assert_eq!(driver.of("records"), records(0..4), "{status}");
        assert_eq!(link(&driver), Value::Null);
    }
}

#[tokio::test]
async fn a_saved_link_to_elsewhere_is_not_followed() {
    let api = Api::start(|_, _| Reply::page(&records(0..4), None)).await;
    let mut driver = driver(1, "https://api.example.com/next?$skiptoken=a");
    driver.once(&settings(&api, Mode::Changes)).await.unwrap();
    assert_eq!(driver.of("records"), records(0..4));
}

#[tokio::test]
async fn a_link_to_itself_is_not_kept() {
    let api = Api::start(|request, _| match request.query.get("$skiptoken") {
        Some(_) => Reply::page(&records(0..1), Some("?$skiptoken=a")),
        None => Reply::page(&records(0..4), None),
    })
    .await;
    let mut saved = driver(1, &format!("{}{CHANGES}?$skiptoken=a", api.url));
    saved.once(&settings(&api, Mode::Changes)).await.unwrap();
    assert_eq!(saved.of("records")[1..], records(0..4));

    let api = Api::start(|_, _| Reply::page(&records(0..1), Some("?$skiptoken=a"))).await;
    let mut fresh = driver(1, "");
    let error = fresh.once(&settings(&api, Mode::Changes)).await.unwrap_err().to_string();
    assert!(error.contains("gives the same page again"), "{error}");
    assert_eq!(link(&fresh), Value::Null);
}

#[tokio::test]
async fn all_findings_are_read_before_the_next_cycle_would_be_too_late() {
    for (hours, full) in [(47, false), (49, true), (-24, true)] {
        let api = Api::start(|request, _| match request.path.as_str() {
            CHANGES => Reply::page(&records(0..4), None),
            _ => Reply::files(&[]),
        })
        .await;
        let mut driver = driver(hours, "");
        driver.once(&settings(&api, Mode::Changes)).await.unwrap();
        assert_eq!(driver.starts().len(), usize::from(full), "{hours}");
    }
}

/// The slot of the newest change is given whole once more in each cycle.
#[tokio::test]
async fn changes_say_since_when_they_may_have_left() {
    let api = Api::start(|_, _| Reply::page(&records(0..4), None)).await;
    let mut driver = driver(1, "");
    let since = |driver: &Driver| {
        serde_json::from_str::<Value>(driver.cursor.as_deref().unwrap()).unwrap()["since"].as_i64().unwrap()
    };
    let newest = since(&driver);
    driver.once(&settings(&api, Mode::Changes)).await.unwrap();
    assert_eq!(driver.since, [Some(newest - 6 * HOUR)]);
}
