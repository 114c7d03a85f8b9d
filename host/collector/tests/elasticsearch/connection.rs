//! Certificates, proxies, credentials, headers, compression.

use defenderbeat_collector::http::Secret;
use defenderbeat_collector::output::elasticsearch::ElasticsearchSettings;
use defenderbeat_collector::output::{Elasticsearch, Fate, Output};

use crate::authority::Authority;
use crate::fake::{Fake, documents};

async fn send(settings: ElasticsearchSettings) -> Result<Vec<Fate>, String> {
    let output = Elasticsearch::open(settings).map_err(|error| error.to_string())?;
    output.send(&[documents([1])]).await.map(|sent| sent.fates).map_err(|error| error.to_string())
}

#[tokio::test]
async fn who_asks_is_shown_by_a_certificate() {
    let (servers, clients) = (Authority::new(), Authority::new());
    let fake = Fake::start_with(Some(servers.server(&clients))).await;
    let mut settings = fake.settings();
    settings.hosts = vec![format!("https://localhost:{}", fake.address.port())];
    settings.ssl.certificate_authorities = vec![servers.pem.clone()];
    let (certificate, key) = clients.certificate("collector");
    settings.ssl.certificate = Some(certificate.pem());

    let refused = |settings: &ElasticsearchSettings| Elasticsearch::open(settings.clone()).unwrap_err().to_string();
    assert!(refused(&settings).contains("option ssl.key is missing"), "{}", refused(&settings));
    settings.ssl.key = Some(Secret::new(rcgen::KeyPair::generate().unwrap().serialize_pem()));
    assert!(refused(&settings).contains("option ssl.key does not go with"), "{}", refused(&settings));
    settings.ssl.key =
        Some(Secret::new("-----BEGIN ENCRYPTED PRIVATE KEY-----\nMAA=\n-----END ENCRYPTED PRIVATE KEY-----\n"));
    assert!(refused(&settings).contains("not encrypted"), "{}", refused(&settings));

    settings.ssl.key = Some(Secret::new(key.serialize_pem()));
    assert_eq!(send(settings.clone()).await, Ok(vec![Fate::Delivered]));

    // Files do as well as text.
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    settings.ssl.certificate = Some(file("client.pem", &certificate.pem()));
    settings.ssl.key = Some(Secret::new(file("client.key", &key.serialize_pem())));
    assert_eq!(send(settings.clone()).await, Ok(vec![Fate::Duplicate]));

    let (stranger, key) = servers.certificate("stranger");
    settings.ssl.certificate = Some(stranger.pem());
    settings.ssl.key = Some(Secret::new(key.serialize_pem()));
    // In TLS 1.3 a client learns of its refusal after it has sent something.
    match send(settings).await {
        Ok(fates) => assert_eq!(fates, [Fate::Unknown]),
        Err(error) => assert!(error.contains("no answer"), "{error}"),
    }
    assert_eq!(fake.state().bulks().len(), 2);
}

#[tokio::test]
async fn a_server_of_an_unknown_authority_gets_nothing() {
    let (servers, clients) = (Authority::new(), Authority::new());
    let fake = Fake::start_with(Some(servers.server(&clients))).await;
    let mut settings = fake.settings();
    settings.hosts = vec![format!("https://localhost:{}", fake.address.port())];
    settings.ssl.certificate_authorities = vec![clients.pem];
    settings.api_key = Some(Secret::new("id:s3cret"));
    let error = send(settings).await.unwrap_err();
    assert!(error.contains("ssl.certificate_authorities") && !error.contains("s3cret"), "{error}");
    assert!(fake.state().requests.is_empty());
}

#[tokio::test]
async fn credentials_and_headers_go_with_every_request_and_below_the_path() {
    let fake = Fake::start().await;
    let mut settings = fake.settings();
    settings.hosts = vec![format!("http://{}/elastic/", fake.address)];
    settings.username = Some("writer".into());
    settings.password = Some(Secret::new("s3cret"));
    settings.headers.insert("X-Tenant".into(), Secret::new("contoso"));
    assert!(!format!("{settings:?}").contains("s3cret"));
    // The fake has no such path for the list of indices, which does not matter.
    assert_eq!(send(settings).await, Ok(vec![Fate::Delivered]));
    for request in &fake.state().requests {
        assert!(request.path.starts_with("/elastic/"), "{}", request.path);
        assert_eq!(request.headers["authorization"], "Basic d3JpdGVyOnMzY3JldA==");
        assert_eq!(request.headers["x-tenant"], "contoso");
        assert!(request.headers["user-agent"].starts_with("defenderbeat/"));
    }
}

#[tokio::test]
async fn requests_go_through_the_proxy_with_its_credentials() {
    let proxy = Fake::start().await;
    let mut settings = proxy.settings();
    // Only the proxy can be reached: port 9 of loopback discards.
    settings.hosts = vec!["127.0.0.1:9".into()];
    settings.proxy_url = Some(Secret::new(format!("http://user:p%40ss@{}", proxy.address)));
    assert_eq!(send(settings.clone()).await, Ok(vec![Fate::Delivered]));
    assert_eq!(proxy.state().requests[0].headers["proxy-authorization"], "Basic dXNlcjpwQHNz");
    settings.proxy_disable = true;
    assert!(send(settings).await.is_err());
}

#[tokio::test]
async fn requests_are_compressed_as_configured() {
    let (plain, compressed) = (Fake::start().await, Fake::start().await);
    let many = documents(1..=5_000);
    plain.output().send(std::slice::from_ref(&many)).await.unwrap();
    let mut settings = compressed.settings();
    settings.compression_level = 1;
    Elasticsearch::open(settings).unwrap().send(&[many]).await.unwrap();
    let (plain, compressed) = (plain.state(), compressed.state());
    let (plain, compressed) = (plain.bulks()[0], compressed.bulks()[0]);
    assert!(plain.body == compressed.body && plain.body.len() > 500_000);
    assert_eq!(compressed.headers["content-encoding"], "gzip");
    assert!(compressed.length * 4 < plain.length, "{} of {}", compressed.length, plain.length);
}
