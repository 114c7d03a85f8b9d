//! Secrets in files that are replaced while documents are delivered.

use std::fs;
use std::path::Path;

use defenderbeat_collector::http::Secret;
use defenderbeat_collector::output::{Elasticsearch, Fate, Output};

use crate::authority::Authority;
use crate::fake::{Fake, Fault, documents};

fn in_file(path: &Path, text: &str) -> Secret {
    fs::write(path, text).unwrap();
    Secret::try_from(format!("file:{}", path.display())).unwrap()
}

async fn send(output: &Elasticsearch, id: u128) -> Result<Vec<Fate>, String> {
    output.send(&[documents([id])]).await.map(|sent| sent.fates).map_err(|error| error.to_string())
}

#[tokio::test]
async fn a_key_that_was_replaced_is_used_at_once_after_a_refusal_and_for_the_next_request() {
    let fake = Fake::start().await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("api_key");
    let mut settings = fake.settings();
    settings.api_key = Some(in_file(&path, "id:old\n"));
    let output = Elasticsearch::open(settings).unwrap();
    let old = "ApiKey aWQ6b2xk";
    let file = path.clone();
    // The key is replaced while the request that carries the old one is under way.
    fake.script(move |request| {
        let is_old = request.headers["authorization"] == old;
        fs::write(&file, "id:new\n").unwrap();
        is_old.then(|| Fault::Answer(401, "", "{}".into()))
    });
    assert_eq!(send(&output, 1).await, Ok(vec![Fate::Delivered]));
    // One that is of no use changes nothing, nor does a file that is gone.
    fake.script(|_| None);
    fs::write(&path, "neither one nor the other").unwrap();
    assert_eq!(send(&output, 2).await, Ok(vec![Fate::Delivered]));
    fs::remove_file(&path).unwrap();
    assert_eq!(send(&output, 3).await, Ok(vec![Fate::Delivered]));
    let state = fake.state();
    let keys: Vec<&str> = state.bulks().iter().map(|request| request.headers["authorization"].as_str()).collect();
    assert_eq!(keys[keys.len() - 3..], ["ApiKey aWQ6bmV3"; 3]);
    assert!(keys.iter().filter(|key| **key == old).count() <= 1);
}

#[tokio::test]
async fn a_proxys_new_password_is_used_for_the_next_request() {
    let proxy = Fake::start().await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("proxy");
    let mut settings = proxy.settings();
    settings.hosts = vec!["127.0.0.1:9".into()];
    settings.proxy_url = Some(in_file(&path, &format!("http://user:old@{}", proxy.address)));
    let output = Elasticsearch::open(settings).unwrap();
    for (id, text, wanted) in [
        (1, format!("http://user:new@{}", proxy.address), "Basic dXNlcjpuZXc="),
        (2, "no address".to_owned(), "Basic dXNlcjpuZXc="),
    ] {
        fs::write(&path, text).unwrap();
        assert_eq!(send(&output, id).await, Ok(vec![Fate::Delivered]));
        assert_eq!(proxy.state().requests.last().unwrap().headers["proxy-authorization"], wanted);
    }
}

#[tokio::test]
async fn a_client_certificate_that_was_renewed_is_shown_to_the_next_connection() {
    let (servers, clients) = (Authority::new(), Authority::new());
    let fake = Fake::start_with(Some(servers.server(&clients))).await;
    let folder = tempfile::tempdir().unwrap();
    let [certificate_file, key_file] = ["client.pem", "client.key"].map(|name| folder.path().join(name));
    let (stranger, key) = servers.certificate("stranger");
    fs::write(&certificate_file, stranger.pem()).unwrap();
    let mut settings = fake.settings();
    settings.hosts = vec![format!("https://localhost:{}", fake.address.port())];
    settings.ssl.certificate_authorities = vec![servers.pem.clone()];
    settings.ssl.certificate = Some(certificate_file.display().to_string());
    settings.ssl.key = Some(in_file(&key_file, &key.serialize_pem()));
    let output = Elasticsearch::open(settings).unwrap();
    assert_ne!(send(&output, 1).await, Ok(vec![Fate::Delivered]));
    let (certificate, key) = clients.certificate("collector");
    fs::write(&certificate_file, certificate.pem()).unwrap();
    fs::write(&key_file, key.serialize_pem()).unwrap();
    assert_eq!(send(&output, 1).await, Ok(vec![Fate::Delivered]));
}
