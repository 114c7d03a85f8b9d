//! What is said when the storage account is of no use.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use defenderbeat_collector::http::Secret;
use defenderbeat_collector::oauth::IdentityType;
use defenderbeat_collector::source::event_hubs::EventHubSettings;
use defenderbeat_simulator::EventHubsOptions;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;

use crate::azurite::Azurite;
use crate::namespace::{Collector, all, namespace, once, publish};
use crate::sharing::shared;

#[tokio::test]
async fn a_wrong_key_of_the_storage_account_is_said_and_not_shown() {
    let Some(azurite) = Azurite::start() else { return };
    let simulator = namespace(EventHubsOptions::default()).await;
    let wrong = azurite.connection_string().replace("Eby8vdM02xNOcqFlqUwJ", "AAAAAAAAAAAAAAAAAAAA");
    let settings = EventHubSettings {
        storage_account_connection_string: Some(Secret::new(wrong)),
        ..shared(&simulator, &azurite)
    };
    let error = once(&settings, None).await.unwrap_err();
    let message = error.to_string();
    assert!(!error.is_transient(), "{message}");
    assert!(message.contains("azure-eventhub-input-defender") && message.contains("devstoreaccount1"), "{message}");
    assert!(message.contains("key") && !message.contains("AAAAAAAA"), "{message}");
}

#[tokio::test]
async fn a_storage_account_that_is_not_there_is_said() {
    let simulator = namespace(EventHubsOptions::default()).await;
    let mut settings = crate::namespace::settings(&simulator);
    // Port 9 is for what is to be thrown away; nothing listens there.
    let text = "AccountName=contoso;AccountKey=a2V5;BlobEndpoint=http://127.0.0.1:9/contoso";
    settings.storage_account_connection_string = Some(Secret::new(text));
    settings.retry.max_attempts = 2;
    let error = once(&settings, None).await.unwrap_err();
    assert!(error.is_transient() && error.to_string().contains("127.0.0.1:9"), "{error}");
}

/// A login server that refuses the first request for a token, and a storage account that lets in everybody. How often a token was asked
/// for, and where they are.
async fn hesitant() -> (Arc<AtomicUsize>, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = asked.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let mut stream = BufReader::new(stream);
            let (mut first, mut length) = (String::new(), 0);
            stream.read_line(&mut first).await.unwrap();
            let mut line = String::new();
            while stream.read_line(&mut line).await.unwrap() > 2 {
                if let Some(value) = line.strip_prefix("content-length: ") {
                    length = value.trim().parse().unwrap();
                }
                line.clear();
            }
            stream.read_exact(&mut vec![0; length]).await.unwrap();
            let list = "<EnumerationResults><Blobs/><NextMarker/></EnumerationResults>";
            let refusal = r#"{"error":"invalid_client","error_description":"AADSTS7000222: The keys are expired."}"#;
            let token = r#"{"access_token":"t","expires_in":3600}"#;
            let (status, body) = match first.starts_with("POST") {
                true if counted.fetch_add(1, Ordering::Relaxed) == 0 => (400, refusal),
                true => (200, token),
                false => (200, list),
            };
            let head = format!("HTTP/1.1 {status} X\r\netag: 1\r\nconnection: close\r\ncontent-length: {}", body.len());
            stream.write_all(format!("{head}\r\n\r\n{body}").as_bytes()).await.unwrap();
        }
    });
    (asked, address)
}

#[tokio::test]
async fn an_input_waits_for_a_login_server_that_refuses_at_first() {
    let simulator = namespace(EventHubsOptions { partitions: 2, ..EventHubsOptions::default() }).await;
    publish(&simulator, 3);
    let (asked, address) = hesitant().await;
    let mut settings = crate::namespace::settings(&simulator);
    settings.storage_account_connection_string = Some(Secret::new(format!("BlobEndpoint={address}/contoso")));
    settings.authority_host = address;
    let auth = &mut settings.storage_account_auth;
    auth.kind = Some(IdentityType::ClientSecret);
    (auth.tenant_id, auth.client_id) = ("contoso".into(), "app".into());
    auth.client_secret = Some(Secret::new("s3cret"));
    let mut collector = Collector::open(&settings, "test", None, false).unwrap();
    collector.read_up_to(6).await;
    assert_eq!(collector.read, all(2, 3));
    assert_eq!(asked.load(Ordering::Relaxed), 2);
    // Who reads once does not wait.
    let (_, address) = hesitant().await;
    settings.authority_host = address;
    let error = once(&settings, None).await.unwrap_err().to_string();
    assert!(error.contains("AADSTS7000222"), "{error}");
}
