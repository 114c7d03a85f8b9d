//! Applications with a certificate or with the token of another issuer, and managed identities: that they collect, that files may change
//! under them, and what is said where they are refused.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use defenderbeat_collector::http::{Client, HttpSettings, RetrySettings, Secret};
use defenderbeat_collector::oauth::{
    Application, CertificateFiles, Credentials, Host, Identity, IdentityType, ManagedIdentity, Proof, Tokens,
};
use defenderbeat_collector::source::graph::GraphSettings;
use defenderbeat_simulator::{AccessOptions, Options, Simulator};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use url::Url;

use crate::collector::Collector;

const PASSWORD: &str = "test-password";

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/certificates").join(name)
}

async fn simulator(access: AccessOptions) -> Simulator {
    Simulator::start(Options { access, ..Options::default() }).await.unwrap()
}

/// A tenant whose application has this certificate.
async fn with_certificate(name: &str) -> Simulator {
    simulator(AccessOptions { certificates: vec![file(name)], ..AccessOptions::default() }).await
}

fn retry(max_attempts: u32) -> RetrySettings {
    RetrySettings { max_attempts, wait_min: Duration::from_millis(1), wait_max: Duration::from_millis(2) }
}

/// An input without a way to show who it is.
fn settings(simulator: &Simulator) -> GraphSettings {
    let access = &simulator.options().access;
    GraphSettings {
        tenant_id: access.tenant_id.clone(),
        client_id: access.client_id.clone(),
        login_url: simulator.url().to_owned(),
        url: simulator.url().to_owned(),
        retry: retry(1),
        ..GraphSettings::default()
    }
}

fn with_files(simulator: &Simulator, certificate: &Path, key: Option<&str>, password: Option<&str>) -> GraphSettings {
    let mut settings = settings(simulator);
    settings.auth.kind = Some(IdentityType::Certificate);
    settings.auth.certificate = certificate.display().to_string();
    settings.auth.key = key.map(|key| file(key).display().to_string()).unwrap_or_default();
    settings.auth.certificate_password = password.map(Secret::new);
    settings
}

async fn collect(simulator: &Simulator, settings: &GraphSettings) {
    let mut collector = Collector::default();
    collector.whole_cycle(settings).await.unwrap();
    assert_eq!(collector.left.len(), simulator.expected().len());
}

/// Why nothing is collected.
async fn refusal(settings: &GraphSettings) -> String {
    let mut collector = Collector::default();
    let error = match collector.whole_cycle(settings).await {
        Err(error) => error.to_string(),
        Ok(()) => collector.errors[0]["message"].as_str().unwrap().to_owned(),
    };
    assert!(!error.contains(PASSWORD), "{error}");
    error
}

fn application(simulator: &Simulator, proof: Proof) -> Identity {
    let access = &simulator.options().access;
    Identity::Application(Application {
        tenant_id: access.tenant_id.clone(),
        client_id: access.client_id.clone(),
        login_url: Url::parse(simulator.url()).unwrap(),
        proof,
    })
}

fn certificate(path: PathBuf) -> Proof {
    Proof::Certificate(CertificateFiles { certificate: path, key: None, password: None, send_chain: false })
}

fn tokens(url: &str, identity: Identity, max_attempts: u32) -> Tokens {
    let scopes = vec!["https://graph.microsoft.com/.default".to_owned()];
    let credentials = Credentials { identity, scopes, endpoint_params: Default::default() };
    let http = HttpSettings { retry: retry(max_attempts), ..HttpSettings::default() };
    let client = Client::new(&http, &Url::parse(url).unwrap()).unwrap();
    Tokens::new(client, &http, &credentials).unwrap()
}

/// Tokens that are asked for anew each time.
fn short_lived() -> AccessOptions {
    AccessOptions { token_lifetime: 0, ..AccessOptions::default() }
}

#[tokio::test]
async fn a_certificate_collects_in_whatever_form_it_is() {
    let simulator = with_certificate("first.crt").await;
    for (name, key, password) in [
        ("first.pem", None, None),
        ("first.crt", Some("first.key"), None),
        ("first.crt", Some("first.pkcs1.key"), None),
        ("first.crt", Some("first.encrypted.key"), Some(PASSWORD)),
        ("first.pfx", None, Some(PASSWORD)),
        ("first.legacy.pfx", None, Some(PASSWORD)),
        ("first.empty.pfx", None, None),
    ] {
        let mut settings = with_files(&simulator, &file(name), key, password);
        collect(&simulator, &settings).await;
        settings.auth.send_certificate_chain = true;
        collect(&simulator, &settings).await;
    }
    assert_eq!(simulator.counters().assertions_refused, 0);
}

#[tokio::test]
async fn what_is_wrong_with_a_certificate_is_said_before_anything_is_sent() {
    let simulator = with_certificate("first.crt").await;
    for (name, key, password, words) in [
        ("nowhere.pem", None, None, "cannot be read"),
        ("first.crt", None, None, "auth.key"),
        ("first.crt", Some("first.encrypted.key"), None, "auth.certificate_password"),
        ("first.crt", Some("first.encrypted.key"), Some("wrong"), "auth.certificate_password"),
        ("first.pfx", None, Some("wrong"), "auth.certificate_password"),
        ("first.pfx", Some("first.key"), Some(PASSWORD), "leave out auth.key"),
        ("first.key", None, None, "holds no certificate"),
        ("second.crt", Some("first.key"), None, "belongs to no certificate"),
        ("ec.pem", None, None, "no RSA key"),
    ] {
        let error = refusal(&with_files(&simulator, &file(name), key, password)).await;
        assert!(error.contains("auth.certificate") && error.contains(words), "{name}: {error}");
    }
    assert_eq!(simulator.counters(), Default::default());
}

#[tokio::test]
async fn a_certificate_that_is_not_registered_is_refused_and_its_successor_taken_up() {
    let folder = tempfile::tempdir().unwrap();
    let [registered, ours] = ["registered.crt", "ours.pem"].map(|name| folder.path().join(name));
    let put = |name: &str, place: &Path| _ = fs::copy(file(name), place).unwrap();
    put("first.crt", &registered);
    put("first.pem", &ours);
    let simulator = simulator(AccessOptions { certificates: vec![registered.clone()], ..short_lived() }).await;
    let tokens = tokens(simulator.url(), application(&simulator, certificate(ours.clone())), 1);
    tokens.token().await.unwrap();
    put("second.crt", &registered);
    let error = tokens.token().await.unwrap_err().to_string();
    assert!(error.contains("AADSTS700027") && error.contains("upload it"), "{error}");
    assert!(error.contains(&format!("the certificate of {}", ours.display())), "{error}");
    put("second.pem", &ours);
    tokens.token().await.unwrap();
    // A file that is being written is read again.
    fs::write(&ours, "-----BEGIN CERTIF").unwrap();
    let error = tokens.token().await.unwrap_err().to_string();
    assert!(error.contains("ours.pem"), "{error}");
    put("second.pem", &ours);
    tokens.token().await.unwrap();
}

/// A login server that refuses the first request, and meanwhile a new file is put into its place.
async fn rotating(ours: PathBuf, next: Vec<u8>) -> (Url, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    let forms = Arc::new(Mutex::new(Vec::new()));
    let kept = forms.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut text = String::new();
            while !text.contains("client_assertion=") {
                let mut buffer = [0; 65_536];
                let read = stream.read(&mut buffer).await.unwrap();
                text.push_str(std::str::from_utf8(&buffer[..read]).unwrap());
            }
            kept.lock().unwrap().push(text);
            let first = kept.lock().unwrap().len() == 1;
            let (status, body) = if first {
                fs::write(&ours, &next).unwrap();
                ("401 Unauthorized", r#"{"error":"invalid_client","error_codes":[700027]}"#)
            } else {
                ("200 OK", r#"{"access_token":"given","expires_in":3600}"#)
            };
            let length = body.len();
            let answer = format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}");
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    (url, forms)
}

#[tokio::test]
async fn a_file_that_changed_meanwhile_is_tried_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let ours = folder.path().join("ours");
    for (before, after, federated) in [
        (fs::read(file("first.pem")).unwrap(), fs::read(file("second.pem")).unwrap(), false),
        (b"first.token".to_vec(), b"second.token".to_vec(), true),
    ] {
        fs::write(&ours, before).unwrap();
        let (login_url, forms) = rotating(ours.clone(), after).await;
        let proof = if federated { Proof::Federated(ours.clone()) } else { certificate(ours.clone()) };
        let identity = Identity::Application(Application {
            tenant_id: "contoso".into(),
            client_id: "app".into(),
            login_url: login_url.clone(),
            proof,
        });
        // One attempt: it is no ordinary retry.
        tokens(login_url.as_str(), identity, 1).token().await.unwrap();
        let forms = forms.lock().unwrap();
        assert_eq!(forms.len(), 2);
        assert!(!federated || forms[0].contains("first.token") && forms[1].contains("second.token"));
    }
}

#[tokio::test]
async fn assertions_are_dated_by_the_login_server_where_clocks_differ() {
    for clock_ahead in [3600, -3600] {
        let access = AccessOptions { certificates: vec![file("first.crt")], clock_ahead, ..short_lived() };
        let simulator = simulator(access).await;
        let tokens = tokens(simulator.url(), application(&simulator, certificate(file("first.pem"))), 1);
        for _ in 0..3 {
            tokens.token().await.unwrap();
        }
        assert_eq!(simulator.counters().assertions_refused, 1, "what was learned is kept");
    }
}

#[tokio::test]
async fn the_token_of_another_issuer_is_read_again_for_each_request() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    let subject = "system:serviceaccount:security:defenderbeat";
    let simulator = simulator(AccessOptions { federated_subjects: vec![subject.into()], ..short_lived() }).await;
    let put = |subject: &str, lifetime| fs::write(&path, simulator.federated_token(subject, lifetime)).unwrap();
    let tokens = tokens(simulator.url(), application(&simulator, Proof::Federated(path.clone())), 1);
    let error = tokens.token().await.unwrap_err().to_string();
    assert!(error.contains("cannot be read"), "{error}");
    let hour = Duration::from_secs(3600);
    put(subject, hour);
    tokens.token().await.unwrap();
    put(subject, Duration::ZERO);
    let error = tokens.token().await.unwrap_err().to_string();
    assert!(error.contains("AADSTS700024") && error.contains("auth.token_file"), "{error}");
    put("system:serviceaccount:security:another", hour);
    let error = tokens.token().await.unwrap_err().to_string();
    assert!(error.contains("AADSTS700213") && error.contains("federated credential"), "{error}");
    let token = fs::read_to_string(&path).unwrap();
    assert!(!error.contains(&token) && !format!("{tokens:?}").contains(&token));
    put(subject, hour);
    tokens.token().await.unwrap();
}

#[tokio::test]
async fn a_managed_identity_outlasts_what_passes() {
    let access = AccessOptions {
        managed_identities: vec!["system".into(), "user-assigned".into()],
        managed_failures: vec![404, 410, 429, 500],
        ..AccessOptions::default()
    };
    let simulator = simulator(access).await;
    let mut settings = GraphSettings { tenant_id: String::new(), client_id: String::new(), ..settings(&simulator) };
    settings.auth.kind = Some(IdentityType::ManagedIdentity);
    settings.auth.endpoint = simulator.url().to_owned();
    settings.scopes = vec!["https://graph.microsoft.com/.default".into()];
    // Nothing of this is asked for through a proxy: port 9 of loopback discards.
    settings.login_url = "http://127.0.0.1:9".into();
    settings.retry = retry(5);
    collect(&simulator, &settings).await;
    assert_eq!(simulator.counters().managed, 5);
    settings.client_id = "user-assigned".into();
    collect(&simulator, &settings).await;
    settings.client_id = "somebody-else".into();
    let error = refusal(&settings).await;
    assert!(error.contains("user-assigned managed identity somebody-else"), "{error}");
    assert!(error.contains("Identity not found") && error.contains("assigned to this machine"), "{error}");
    assert_eq!(simulator.counters().managed, 7, "that it is not there does not pass");
    settings.auth.endpoint = "http://203.0.113.1".into();
    assert!(refusal(&settings).await.contains("loopback"));
}

#[tokio::test]
async fn azure_arc_is_shown_its_own_key_and_no_other_file() {
    let folder = tempfile::tempdir().unwrap();
    let access = AccessOptions {
        managed_identities: vec!["system".into()],
        arc_keys: Some(folder.path().to_owned()),
        ..AccessOptions::default()
    };
    let simulator = simulator(access).await;
    let url = Url::parse(&format!("{}/metadata/identity/oauth2/token", simulator.url())).unwrap();
    let identity = |keys: &Path| {
        Identity::Managed(ManagedIdentity { client_id: None, host: Host::Arc(url.clone(), keys.to_owned()) })
    };
    tokens(simulator.url(), identity(folder.path()), 1).token().await.unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let error = tokens(simulator.url(), identity(elsewhere.path()), 1).token().await.unwrap_err().to_string();
    assert!(error.contains("no key of its own"), "{error}");
}

#[tokio::test]
async fn an_identity_is_shown_without_its_secrets() {
    let simulator = with_certificate("first.crt").await;
    let mut settings = with_files(&simulator, &file("first.pfx"), None, Some(PASSWORD));
    settings.auth.client_secret = Some(Secret::new("s3cret"));
    let shown = format!("{settings:?}");
    assert!(!shown.contains(PASSWORD) && !shown.contains("s3cret"), "{shown}");
    let files = CertificateFiles {
        certificate: file("first.pfx"),
        key: None,
        password: Some(Secret::new(PASSWORD)),
        send_chain: true,
    };
    for proof in [Proof::Certificate(files), Proof::Secret(Secret::new(PASSWORD))] {
        let identity = application(&simulator, proof);
        let shown = format!("{identity} {identity:?} {:?}", tokens(simulator.url(), identity.clone(), 1));
        assert!(!shown.contains(PASSWORD) && shown.contains(&simulator.options().access.client_id), "{shown}");
    }
}
