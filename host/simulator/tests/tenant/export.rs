//! Exports of vulnerabilities, and their files.

use std::io::Read;
use std::time::Duration;

use defenderbeat_simulator::{
    DefenderOptions, ExportForm, FaultOptions, Options, Spelling, VulnerabilityOptions, VulnerabilityRecords,
};
use flate2::read::{GzDecoder, MultiGzDecoder};
use serde_json::Value;

use crate::client::{Visitor, body};

const PATH: &str = "/api/machines/SoftwareVulnerabilitiesExport";

async fn exporting(defender: DefenderOptions) -> Visitor {
    let vulnerabilities = VulnerabilityOptions {
        products: 500,
        null_cves: 3,
        other_versions: 5,
        other_kbs: 5,
        duplicates: 5,
        ..VulnerabilityOptions::default()
    };
    Visitor::of_defender(Options { defender, vulnerabilities, ..Options::default() }).await
}

async fn links(visitor: &Visitor, query: &str) -> Vec<String> {
    let answer = body(visitor.get(&format!("{PATH}{query}")).await).await;
    assert!(answer["generatedTime"].is_string());
    answer["exportFiles"].as_array().unwrap().iter().map(|link| link.as_str().unwrap().to_owned()).collect()
}

/// A file, with no token.
async fn download(visitor: &Visitor, link: &str) -> reqwest::Response {
    visitor.client.get(link).send().await.unwrap()
}

async fn files(visitor: &Visitor) -> Vec<Vec<u8>> {
    let mut files = Vec::new();
    for link in links(visitor, "").await {
        let answer = download(visitor, &link).await;
        assert_eq!(answer.status().as_u16(), 200);
        assert!(!answer.headers().contains_key("content-encoding"), "it is a file that is compressed, not an answer");
        files.push(answer.bytes().await.unwrap().to_vec());
    }
    files
}

fn text(file: &[u8]) -> String {
    let mut text = String::new();
    MultiGzDecoder::new(file).read_to_string(&mut text).unwrap();
    text
}

fn held(visitor: &Visitor) -> Vec<Value> {
    let records = visitor.simulator.vulnerabilities().records(VulnerabilityRecords::Export);
    records.map(|json| serde_json::from_slice(&json).unwrap()).collect()
}

#[tokio::test]
async fn files_together_hold_all_rows_once() {
    let visitor = exporting(DefenderOptions::default()).await;
    let files = files(&visitor).await;
    assert_eq!(files.len(), 3);
    let texts: Vec<String> = files.iter().map(|file| text(file)).collect();
    let rows: Vec<Value> =
        texts.iter().flat_map(|text| text.lines()).map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rows, held(&visitor));
    let mut ids: Vec<&str> = rows.iter().map(|row| row["id"].as_str().unwrap()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 508, "one a machine, product, version and vulnerability");
    assert!(rows.iter().any(|row| row["cveId"].is_null()));
}

#[tokio::test]
async fn rows_may_be_pretty_or_an_array_and_spelled_as_in_tables() {
    let pretty = DefenderOptions { export_form: ExportForm::Pretty, ..DefenderOptions::default() };
    let visitor = exporting(pretty).await;
    let mut rows = Vec::new();
    for file in files(&visitor).await {
        let text = text(&file);
        assert!(text.starts_with("{\n  \"id\": "), "{text}");
        rows.extend(serde_json::Deserializer::from_str(&text).into_iter::<Value>().map(Result::unwrap));
    }
    assert_eq!(rows, held(&visitor));

    let array = DefenderOptions { export_form: ExportForm::Array, ..DefenderOptions::default() };
    let visitor = exporting(array).await;
    let mut rows = Vec::new();
    for file in files(&visitor).await {
        rows.extend(serde_json::from_str::<Vec<Value>>(&text(&file)).unwrap());
    }
    assert_eq!(rows, held(&visitor));

    let pascal = DefenderOptions { export_spelling: Spelling::Pascal, ..DefenderOptions::default() };
    let file = files(&exporting(pascal).await).await.remove(0);
    let row: Value = serde_json::from_str(text(&file).lines().next().unwrap()).unwrap();
    assert!(["Id", "DeviceId", "CveId", "OSPlatform", "OSVersion"].iter().all(|name| row.get(name).is_some()), "{row}");
}

#[tokio::test]
async fn a_file_may_have_several_members_and_others_nothing() {
    let defender =
        DefenderOptions { export_member_rows: Some(50), export_empty_files: 2, ..DefenderOptions::default() };
    let visitor = exporting(defender).await;
    let files = files(&visitor).await;
    let mut first = String::new();
    GzDecoder::new(&files[0][..]).read_to_string(&mut first).unwrap();
    assert_eq!(first.lines().count(), 50, "the first member alone");
    let all: usize = files[..3].iter().map(|file| text(file).lines().count()).sum();
    assert_eq!(all, 508);
    assert!(files[3].is_empty());
    assert!(!files[4].is_empty() && text(&files[4]).trim().is_empty());
}

#[tokio::test]
async fn the_first_downloads_expire_and_end_early_where_asked_for() {
    let defender = DefenderOptions { export_expired: 1, export_truncated: 1, ..DefenderOptions::default() };
    let visitor = exporting(defender).await;
    let link = &links(&visitor, "").await[0];
    assert_eq!(download(&visitor, link).await.status().as_u16(), 403);
    let cut = download(&visitor, link).await.bytes().await.unwrap();
    let mut part = Vec::new();
    MultiGzDecoder::new(&cut[..]).read_to_end(&mut part).unwrap_err();
    let whole = text(&download(&visitor, link).await.bytes().await.unwrap());
    assert!(!part.is_empty() && whole.as_bytes().starts_with(&part) && !part.ends_with(b"\n"));
}

#[tokio::test]
async fn signatures_expire_and_cannot_be_made_up() {
    let visitor = exporting(DefenderOptions::default()).await;
    for hours in ["0", "7", "two"] {
        assert_eq!(visitor.get(&format!("{PATH}?sasValidHours={hours}")).await.status().as_u16(), 400, "{hours}");
    }
    let (one, six) = (links(&visitor, "").await.remove(0), links(&visitor, "?sasValidHours=6").await.remove(0));
    assert_ne!(one, six);
    assert_eq!(download(&visitor, &six).await.status().as_u16(), 200);
    let url = url::Url::parse(&one).unwrap();
    let expiry = url.query_pairs().find(|(name, _)| name == "se").unwrap().1.into_owned();
    let longer = one.replace(
        &url::form_urlencoded::byte_serialize(expiry.as_bytes()).collect::<String>(),
        "2100-01-01T00%3A00%3A00Z",
    );
    assert_ne!(longer, one);
    assert_eq!(download(&visitor, &longer).await.status().as_u16(), 403);
    let other = one.replace("part-00000", "part-00001");
    assert_eq!(download(&visitor, &other).await.status().as_u16(), 403);

    let visitor = exporting(DefenderOptions { sas_lifetime: Some(Duration::ZERO), ..DefenderOptions::default() }).await;
    let answer = download(&visitor, &links(&visitor, "").await[0]).await;
    assert_eq!(answer.status().as_u16(), 403);
    assert_eq!(answer.headers()["content-type"], "application/xml");
    let xml = answer.text().await.unwrap();
    assert!(xml.contains("<Code>AuthenticationFailed</Code>") && xml.contains("time frame"), "{xml}");
}

#[tokio::test]
async fn a_token_is_refused_and_remembered() {
    let visitor = exporting(DefenderOptions::default()).await;
    let link = &links(&visitor, "").await[0];
    assert_eq!(visitor.get(link).await.status().as_u16(), 400);
    assert_eq!(download(&visitor, link).await.status().as_u16(), 200);
    let requests = visitor.simulator.defender_requests();
    let told: Vec<(bool, u16)> = requests[1..].iter().map(|one| (one.authorization, one.status)).collect();
    assert_eq!(told, [(true, 400), (false, 200)]);
    assert!(requests[1].path.starts_with("/export/"));
}

#[tokio::test]
async fn faults_befall_downloads_in_the_form_of_azure_storage() {
    let failing = async |faults| {
        // The fault of the API itself comes by the number of the request, so that the link is from a tenant without faults.
        let alerts = defenderbeat_simulator::AlertOptions {
            now: Some("2025-06-01T12:00:00Z".parse().unwrap()),
            ..Default::default()
        };
        let sound = Visitor::of_defender(Options { alerts: alerts.clone(), ..Options::default() }).await;
        let link = links(&sound, "").await.remove(0);
        let visitor = Visitor::of_defender(Options { alerts, faults, ..Options::default() }).await;
        let link = link.replace(sound.simulator.url(), visitor.simulator.url());
        let answer = download(&visitor, &link).await;
        (answer.status().as_u16(), answer.headers().get("retry-after").cloned(), answer.text().await)
    };
    let (status, wait, text) = failing(FaultOptions { throttled: 1.0, retry_after: 3, ..Default::default() }).await;
    assert_eq!((status, wait.unwrap().to_str().unwrap()), (503, "3"));
    assert!(text.unwrap().contains("<Code>ServerBusy</Code>"));
    let (status, _, text) = failing(FaultOptions { failed: 1.0, ..Default::default() }).await;
    assert_eq!(status, 500);
    assert!(text.unwrap().contains("<Code>InternalError</Code>"));
    let (status, _, text) = failing(FaultOptions { broken: 1.0, ..Default::default() }).await;
    assert_eq!(status, 200);
    text.unwrap_err();
}
