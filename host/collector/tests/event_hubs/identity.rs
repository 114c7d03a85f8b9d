//! Identities that read event hubs and keep checkpoints.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use defenderbeat_collector::http::Secret;
use defenderbeat_collector::oauth::IdentityType;
use defenderbeat_collector::source::event_hubs::{AuthType, EventHubSettings, probe};
use defenderbeat_simulator::{AccessOptions, EventHubsOptions, Options, Simulator};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::namespace::{all, once, publish, settings, with_client_secret};

fn certificate(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/certificates").join(name)
}

async fn simulator() -> Arc<Simulator> {
    let access = AccessOptions {
        certificates: vec![certificate("first.crt")],
        managed_identities: vec!["system".into()],
        ..AccessOptions::default()
    };
    let event_hubs = EventHubsOptions { partitions: 2, ..EventHubsOptions::default() };
    Arc::new(Simulator::start(Options { access, event_hubs, ..Options::default() }).await.unwrap())
}

/// Without a secret.
fn with_certificate(simulator: &Simulator) -> EventHubSettings {
    let mut settings =
        EventHubSettings { auth_type: AuthType::default(), client_secret: None, ..with_client_secret(simulator) };
    settings.auth.kind = Some(IdentityType::Certificate);
    settings.auth.certificate = certificate("first.pem").display().to_string();
    settings
}

/// Without anything but the machine.
fn by_machine(simulator: &Simulator) -> EventHubSettings {
    let mut settings = with_certificate(simulator);
    (settings.tenant_id, settings.client_id) = Default::default();
    settings.auth = Default::default();
    settings.auth.kind = Some(IdentityType::ManagedIdentity);
    settings.auth.endpoint = simulator.url().to_owned();
    settings
}

/// A storage account with an empty container, which lets in who has a token for storage. How many requests it had, and where it is.
async fn account(simulator: &Arc<Simulator>) -> (Arc<AtomicUsize>, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("BlobEndpoint=http://{}/contoso", listener.local_addr().unwrap());
    let requests = Arc::new(AtomicUsize::new(0));
    let (simulator, counted) = (simulator.clone(), requests.clone());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut text = String::new();
            while !text.contains("\r\n\r\n") {
                let mut buffer = [0; 16_384];
                let read = stream.read(&mut buffer).await.unwrap();
                text.push_str(std::str::from_utf8(&buffer[..read]).unwrap());
            }
            let token = text.lines().find_map(|line| line.strip_prefix("authorization: Bearer "));
            let status = if token.is_some_and(|token| simulator.is_for_storage(token)) { 200 } else { 403 };
            counted.fetch_add(usize::from(status == 200), Ordering::Relaxed);
            let body = "<EnumerationResults><Blobs/><NextMarker/></EnumerationResults>";
            let length = body.len();
            let answer = format!("HTTP/1.1 {status} X\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}");
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    (requests, address)
}

#[tokio::test]
async fn certificates_and_managed_identities_read() {
    let simulator = simulator().await;
    publish(&simulator, 3);
    for settings in [with_certificate(&simulator), by_machine(&simulator)] {
        let (read, _) = once(&settings, None).await.unwrap();
        assert_eq!(read, all(2, 3));
    }
}

#[tokio::test]
async fn the_identity_that_reads_asks_the_storage_account_too() {
    let simulator = simulator().await;
    for mut settings in [with_certificate(&simulator), by_machine(&simulator)] {
        let (requests, address) = account(&simulator).await;
        settings.storage_account_connection_string = Some(Secret::new(address));
        probe(&settings).await.unwrap();
        assert_eq!(requests.load(Ordering::Relaxed), 1);
    }
}

#[tokio::test]
async fn the_storage_account_has_an_identity_of_its_own_beside_a_connection_string() {
    let simulator = simulator().await;
    let (requests, address) = account(&simulator).await;
    let access = &simulator.options().access;
    let mut settings = settings(&simulator);
    settings.custom_endpoint = simulator.event_hubs().url();
    settings.storage_account_connection_string = Some(Secret::new(address));
    let error = probe(&settings).await.unwrap_err().to_string();
    assert!(error.contains("storage_account_connection_string"), "{error}");
    settings.authority_host = simulator.url().to_owned();
    let auth = &mut settings.storage_account_auth;
    auth.kind = Some(IdentityType::Certificate);
    auth.tenant_id = access.tenant_id.clone();
    let error = probe(&settings).await.unwrap_err().to_string();
    assert!(error.contains("storage_account_auth client_id is missing"), "{error}");
    let auth = &mut settings.storage_account_auth;
    auth.client_id = access.client_id.clone();
    auth.certificate = certificate("first.pem").display().to_string();
    probe(&settings).await.unwrap();
    assert_eq!(requests.load(Ordering::Relaxed), 1);
}
