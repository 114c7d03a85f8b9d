//! What is said when the storage account is of no use.

use defenderbeat_collector::http::Secret;
use defenderbeat_collector::source::event_hubs::EventHubSettings;
use defenderbeat_simulator::EventHubsOptions;

use crate::azurite::Azurite;
use crate::namespace::{namespace, once};
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
