//! Lists and their pages.

use defenderbeat_collector::source::defender::Mode;

use crate::api::{Api, Reply, Request};
use crate::driver::{Driver, records, settings};

const MACHINES: &str = "/api/machines";
const PRODUCTS: &str = "/api/vulnerabilities/machinesVulnerabilities";

/// A list of so many product rows, which gives no page longer than `most`; of the others there are none.
fn products(request: &Request, count: usize, most: usize) -> Reply {
    match request.path.as_str() {
        PRODUCTS => {
            let number = |name: &str| request.query.get(name).map(|text| text.parse::<usize>().unwrap());
            let from = number("$skip").unwrap_or(0).min(count);
            Reply::page(&records(from..(from + number("$top").unwrap().min(most)).min(count)), None)
        }
        MACHINES => Reply::refusal(404),
        _ => Reply::page(&[], None),
    }
}

#[tokio::test]
async fn a_list_is_read_to_its_end_although_pages_are_shorter_than_they_were_asked_for() {
    let api = Api::start(|request, _| products(request, 25, 7)).await;
    let mut driver = Driver::default();
    driver.once(&settings(&api, Mode::Correlated)).await.unwrap();
    assert_eq!(driver.of("products"), records(0..25));
    let asked: Vec<_> = api.requests().into_iter().map(|request| request.path).collect();
    assert_eq!(asked[..2], [MACHINES, "/api/vulnerabilities"], "in the order of the join");
    assert!(api.requests().iter().all(|request| request.token));
}

#[tokio::test]
async fn pages_have_the_size_that_the_api_accepts_or_less() {
    let api = Api::start(|request, _| products(request, 0, 1)).await;
    let tops = |api: &Api| -> Vec<_> { api.requests().iter().map(|request| request.query["$top"].clone()).collect() };
    Driver::default().once(&settings(&api, Mode::Correlated)).await.unwrap();
    assert_eq!(tops(&api), ["10000", "8000", "10000"]);
    let mut smaller = settings(&api, Mode::Correlated);
    smaller.batch_size = 9_000;
    Driver::default().once(&smaller).await.unwrap();
    assert_eq!(tops(&api)[3..], ["9000", "8000", "9000"]);
}

#[tokio::test]
async fn links_are_followed_at_home_only() {
    let api = Api::start(|request, before| match (request.path.as_str(), before) {
        (PRODUCTS, 0) => Reply::page(&records(0..4), Some("?$skiptoken=a")),
        (PRODUCTS, _) if request.query["$skiptoken"] == "a" => Reply::page(&records(4..6), None),
        _ => products(request, 0, 1),
    })
    .await;
    let mut driver = Driver::default();
    driver.once(&settings(&api, Mode::Correlated)).await.unwrap();
    assert_eq!(driver.of("products"), records(0..6));

    let foreign = Api::start(|request, _| match request.path.as_str() {
        PRODUCTS => Reply::page(&records(0..4), Some("https://api.example.com/next")),
        _ => products(request, 0, 1),
    })
    .await;
    let error = Driver::default().once(&settings(&foreign, Mode::Correlated)).await.unwrap_err();
    assert!(error.to_string().contains("where the token must not go"), "{error}");
}

#[tokio::test]
async fn a_list_that_gives_the_same_page_for_ever_ends_with_an_error() {
    let api = Api::start(|request, _| match request.path.as_str() {
        PRODUCTS => Reply::page(&records(0..4), None),
        _ => products(request, 0, 1),
    })
    .await;
    let error = Driver::default().once(&settings(&api, Mode::Correlated)).await.unwrap_err();
    assert!(error.to_string().contains("gives the same page again"), "{error}");
}

#[tokio::test]
async fn a_page_that_breaks_off_goes_on_behind_what_was_handed_on() {
    // Ever further, so that no number of tries is too many.
    let api = Api::start(|request, before| match request.path.as_str() {
        PRODUCTS if before < 12 => products(request, 15, 100).cut_after(30 + 12 * before),
        _ => products(request, 15, 100),
    })
    .await;
    let mut driver = Driver::default();
    driver.once(&settings(&api, Mode::Correlated)).await.unwrap();
    assert_eq!(driver.of("products"), records(0..15));
}

#[tokio::test]
async fn a_page_that_changed_since_it_broke_off_is_handed_on_again_as_a_whole() {
    let api = Api::start(|request, before| match (request.path.as_str(), before) {
        (PRODUCTS, 0) => Reply::page(&records(0..9), None).cut_after(100),
        // The first record is gone, and the page reaches further.
        (PRODUCTS, _) if !request.query.contains_key("$skip") => Reply::page(&records(1..10), None),
        _ => products(request, 0, 1),
    })
    .await;
    let mut driver = Driver::default();
    driver.once(&settings(&api, Mode::Correlated)).await.unwrap();
    let products = driver.of("products");
    let (first, again) = products.split_at(products.len() - 9);
    assert!(!first.is_empty() && records(0..9).starts_with(first), "{first:?}");
    assert_eq!(again, records(1..10));
}

#[tokio::test]
async fn a_page_that_always_breaks_off_fails_the_cycle_which_says_so() {
    let api = Api::start(|request, _| match request.path.as_str() {
        PRODUCTS => products(request, 9, 100).cut_after(60),
        _ => products(request, 0, 1),
    })
    .await;
    let mut driver = Driver::default();
    let error = driver.once(&settings(&api, Mode::Correlated)).await.unwrap_err();
    assert!(error.to_string().contains("broke off"), "{error}");
    let [record] = driver.of("records") else { panic!("{:?}", driver.records) };
    assert!(record.starts_with(r#"{"error":{"code":"body""#), "{record}");
}

#[tokio::test]
async fn a_record_that_is_too_long_is_set_aside_once() {
    let long = format!(r#"{{"id":"long","text":"{}"}}"#, "x".repeat(2_000));
    let told = long.clone();
    let api = Api::start(move |request, before| match (request.path.as_str(), before) {
        (PRODUCTS, 0..2) => {
            let page = Reply::page(&[records(0..2), vec![told.clone()], records(2..6)].concat(), None);
            if before == 0 { page.cut_after(2_150) } else { page }
        }
        _ => products(request, 0, 1),
    })
    .await;
    let mut driver = Driver::default();
    driver.once(&settings(&api, Mode::Correlated)).await.unwrap();
    assert_eq!(driver.of("products"), records(0..6));
    assert_eq!(driver.letters, [long.into_bytes()]);
}

#[tokio::test]
async fn an_empty_link_is_none() {
    let api = Api::start(|request, _| match request.path.as_str() {
        PRODUCTS if request.query.contains_key("$skip") => Reply::page(&[], Some("")),
        PRODUCTS => Reply::page(&records(0..4), Some("")),
        _ => products(request, 0, 1),
    })
    .await;
    let mut driver = Driver::default();
    driver.once(&settings(&api, Mode::Correlated)).await.unwrap();
    assert_eq!(driver.of("products"), records(0..4));
}

#[tokio::test]
async fn machines_may_be_none_but_not_missing_where_their_list_goes_on() {
    let api = Api::start(|request, before| match (request.path.as_str(), before) {
        (MACHINES, 0) => Reply::page(&records(0..4), Some("?$skiptoken=a")),
        _ => products(request, 0, 1),
    })
    .await;
    let error = Driver::default().once(&settings(&api, Mode::Correlated)).await.unwrap_err().to_string();
    assert!(error.contains("404"), "{error}");
}
