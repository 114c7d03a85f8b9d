//! Files of an export.

use std::sync::{Arc, Mutex};

use defenderbeat_collector::source::defender::Mode;

use crate::api::{Api, Reply, Request, gzip};
use crate::driver::{Driver, records, settings};

const EXPORT: &str = "/api/machines/SoftwareVulnerabilitiesExport";

fn lines(from: usize, to: usize) -> String {
    records(from..to).join("\n") + "\n"
}

/// An API whose exports have these files, by path, on the API's own host.
async fn export(
    paths: &'static [&'static str],
    mut file: impl FnMut(&Request, usize) -> Reply + Send + 'static,
) -> Api {
    let url = Arc::new(Mutex::new(String::new()));
    let own = url.clone();
    let api = Api::start(move |request, before| {
        if request.path == EXPORT {
            let own = own.lock().unwrap();
            let address = |path: &&str| format!("{own}{path}?sig=secret{before}");
            return Reply::files(&paths.iter().map(address).collect::<Vec<_>>());
        }
        file(request, before)
    })
    .await;
    url.lock().unwrap().clone_from(&api.url);
    api
}

#[tokio::test]
async fn files_are_decompressed_or_taken_as_they_are() {
    let api = export(&["/a", "/b", "/c", "/d", "/e", "/f", "/g"], |request, _| match request.path.as_str() {
        "/a" => Reply::text(gzip(&lines(0, 5))),
        // Two members, and the second begins within a record.
        "/b" => Reply::text([gzip(&lines(5, 7)[..5]), gzip(&lines(5, 7)[5..])].concat()),
        "/c" => Reply::text(lines(7, 9)),
        "/d" => Reply::text(gzip(&format!("[{}]", records(9..12).join(",\n  ")))),
        "/e" => Reply::text([gzip(&lines(12, 14)), gzip(&lines(14, 17)), gzip(&lines(17, 18))].concat()).encoded(),
        "/f" => Reply::text([gzip(&lines(18, 19)), gzip(&lines(19, 20)), vec![0; 10_000]].concat()),
        _ => Reply::text(""),
    })
    .await;
    let mut driver = Driver::default();
    driver.once(&settings(&api, Mode::Export)).await.unwrap();
    assert_eq!(driver.of("records"), records(0..20));
    let (files, asked): (Vec<_>, Vec<_>) = api.requests().into_iter().partition(|request| request.path != EXPORT);
    assert!(files.len() == 7 && files.iter().all(|request| !request.token), "no token is sent to storage");
    assert!(asked.len() == 1 && asked[0].token);
}

#[tokio::test]
async fn a_file_that_breaks_off_or_is_cut_goes_on_behind_what_was_handed_on() {
    let api = export(&["/a"], |_, before| {
        let whole = gzip(&(0..20_000).map(|number| format!("{{\"id\":\"{}\"}}\n", number * 7919)).collect::<String>());
        match before {
            0 => Reply::text(whole.clone()).cut_after(whole.len() / 3),
            // Whole as far as HTTP goes.
            1 => Reply::text(&whole[..whole.len() * 2 / 3]),
            2 => Reply::text(&whole[..whole.len() - 4]),
            _ => Reply::text(whole),
        }
    })
    .await;
    let mut driver = Driver::default();
    driver.once(&settings(&api, Mode::Export)).await.unwrap();
    let expected: Vec<String> = (0..20_000).map(|number| format!("{{\"id\":\"{}\"}}", number * 7919)).collect();
    assert_eq!(driver.of("records"), expected);
}

#[tokio::test]
async fn when_signatures_expire_new_ones_are_asked_for_and_what_was_read_is_left_out() {
    let api = export(&["/a", "/b", "/c"], |request, before| {
        match (request.path.as_str(), before, request.query["sig"].as_str()) {
            ("/a", ..) => Reply::text(gzip(&lines(0, 5))),
            ("/b", 0, _) => Reply::text(lines(5, 50)).cut_after(100),
            ("/b", _, "secret0") => Reply::refusal(403),
            ("/b", ..) => Reply::text(lines(5, 50)),
            (_, _, "secret0" | "secret1") => Reply::refusal(404),
            _ => Reply::text(lines(50, 60)),
        }
    })
    .await;
    let mut driver = Driver::default();
    driver.once(&settings(&api, Mode::Export)).await.unwrap();
    assert_eq!(driver.of("records"), records(0..60));
    assert_eq!(api.requests().iter().filter(|request| request.path == "/a").count(), 1);
}

#[tokio::test]
async fn files_elsewhere_are_asked_for_on_known_hosts_over_https_only() {
    for (address, words) in [
        ("https://files.example.com/a?sig=secret", "not among storage_hosts"),
        ("https://a.blob.core.windows.net.example.com/a?sig=secret", "not among storage_hosts"),
        ("http://a.blob.core.windows.net/a?sig=secret", "is not https"),
        ("https://user:secret@a.blob.core.windows.net/a", "holds credentials"),
        ("secret", "no valid address"),
    ] {
        let api = Api::start(move |_, _| Reply::files(&[address.to_owned()])).await;
        let mut driver = Driver::default();
        let error = driver.once(&settings(&api, Mode::Export)).await.unwrap_err().to_string();
        assert!(error.contains(words) && !error.contains("secret"), "{error}");
        assert!(driver.of("records")[0].contains("foreign_link"), "{:?}", driver.records);
    }
}

#[tokio::test]
async fn an_answer_that_is_no_list_of_files_is_an_error_without_its_text() {
    let api = Api::start(|_, _| Reply::text(r#"{"exportFiles":"https://secret"}"#)).await;
    let error = Driver::default().once(&settings(&api, Mode::Export)).await.unwrap_err().to_string();
    assert!(error.contains("no list of files") && !error.contains("secret"), "{error}");
}

#[tokio::test]
async fn a_page_of_a_proxy_is_no_file() {
    let api = export(&["/a"], |_, _| Reply::text("<html>please log in</html>")).await;
    let error = Driver::default().once(&settings(&api, Mode::Export)).await.unwrap_err().to_string();
    assert!(error.contains("a web page"), "{error}");
}

#[tokio::test]
async fn addresses_that_are_refused_from_the_start_are_not_renewed_for_long() {
    let api = export(&["/a"], |_, _| Reply::refusal(403)).await;
    let error = Driver::default().once(&settings(&api, Mode::Export)).await.unwrap_err().to_string();
    assert!(error.contains("403 Refused") && error.contains("firewall"), "{error}");
    assert_eq!(api.requests().iter().filter(|request| request.path == EXPORT).count(), 3);
}
