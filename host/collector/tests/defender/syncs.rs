//! What a sync keeps over crashes and traps.

use defenderbeat_collector::source::defender::{Error, Mode};
use defenderbeat_collector::source::{Step, Trapped};

use crate::api::{Api, Reply};
use crate::driver::{Driver, records, settings};

const PRODUCTS: &str = "/api/vulnerabilities/machinesVulnerabilities";

async fn api() -> Api {
    Api::start(|request, _| match request.path.as_str() {
        PRODUCTS if !request.query.contains_key("$skip") => Reply::page(&records(0..9), None),
        _ => Reply::page(&[], None),
    })
    .await
}

#[tokio::test]
async fn nothing_is_asked_for_before_the_start_is_saved_and_a_crash_keeps_it() {
    let api = api().await;
    let settings = settings(&api, Mode::Correlated);
    let mut driver = Driver { crash_at: Some(1), ..Driver::default() };
    driver.once(&settings).await.unwrap();
    assert!(api.requests().is_empty() && driver.cursor.is_none());
    for crash_at in [2, 3, 4, 5, 6] {
        driver.crash_at = Some(crash_at);
        driver.once(&settings).await.unwrap();
    }
    driver.crash_at = None;
    driver.once(&settings).await.unwrap();
    let starts = driver.starts();
    assert!(starts.len() == 6 && starts.iter().all(|start| *start == starts[0]), "{starts:?}");
    assert_eq!(driver.steps.last(), Some(&Step::End));
    assert_eq!(driver.since, [None, Some(starts[0])], "begun again, it says since when it may have left");
    // The next one is another.
    driver.once(&settings).await.unwrap();
    assert!(driver.starts()[6] > starts[0]);
    assert_eq!(driver.since, [None, Some(starts[0]), None]);
}

#[tokio::test]
async fn a_sync_begins_again_under_its_start_when_records_trapped() {
    let api = api().await;
    let mut left = 2;
    let trap = move |record: &str| {
        let traps = left > 0 && record.contains("\"4\"");
        left -= usize::from(traps);
        traps.then_some(Trapped::Records(1))
    };
    let mut driver = Driver { trap: Some(Box::new(trap)), ..Driver::default() };
    driver.once(&settings(&api, Mode::Correlated)).await.unwrap();
    let starts = driver.starts();
    assert!(starts.len() == 3 && starts.iter().all(|start| *start == starts[0]), "{starts:?}");
    assert!(driver.of("products").ends_with(&records(0..9)));
    assert_eq!(driver.since, [None, Some(starts[0])]);
    assert_eq!(driver.steps.last(), Some(&Step::End));
}

#[tokio::test]
async fn a_sync_that_traps_as_a_whole_is_over() {
    let api = api().await;
    let settings = settings(&api, Mode::Correlated);
    let trap = |record: &str| record.contains("\"8\"").then(|| Trapped::Whole("raise memory_limit".to_owned()));
    let mut driver = Driver { trap: Some(Box::new(trap)), ..Driver::default() };
    let error = driver.once(&settings).await.unwrap_err();
    assert!(matches!(error, Error::Trapped(_)) && error.to_string().contains("raise memory_limit"), "{error}");
    assert_eq!(driver.steps.last(), Some(&Step::GiveUp));
    assert!(driver.of("records")[0].contains("raise memory_limit"));
    driver.trap = None;
    driver.once(&settings).await.unwrap();
    let starts = driver.starts();
    assert!(starts.len() == 2 && starts[1] > starts[0], "{starts:?}");
}

#[tokio::test]
async fn a_sync_is_not_begun_without_end() {
    let api = api().await;
    let mut driver = Driver { trap: Some(Box::new(|_| Some(Trapped::Records(1)))), ..Driver::default() };
    let error = driver.once(&settings(&api, Mode::Correlated)).await.unwrap_err();
    assert!(matches!(error, Error::Attempts { attempts: 10 }), "{error}");
}

#[tokio::test]
async fn a_short_outage_repeats_a_page_and_not_the_sync() {
    let api = Api::start(|request, before| match request.path.as_str() {
        PRODUCTS if before < 8 => Reply::refusal(503),
        PRODUCTS if !request.query.contains_key("$skip") => Reply::page(&records(0..9), None),
        _ => Reply::page(&[], None),
    })
    .await;
    let settings = settings(&api, Mode::Correlated);
    let mut driver = Driver::default();
    driver.until_end(&settings).await.unwrap();
    assert_eq!((driver.starts().len(), driver.of("products")), (1, records(0..9).as_slice()));
    assert!(driver.of("records").is_empty(), "no failure is told of");
    // Somebody waits for this one.
    let down = Api::start(|_, _| Reply::refusal(503)).await;
    let settings = crate::driver::settings(&down, Mode::Correlated);
    Driver::default().once(&settings).await.unwrap_err();
    assert_eq!(down.requests().len(), 3);
}
