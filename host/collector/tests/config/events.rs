//! Inputs of type `event`: which options they take, and which go together.

use std::time::Duration;

use defenderbeat_collector::config::{Config, Source};
use defenderbeat_collector::source::event_hubs::{AuthType, EventHubSettings, Strategy, Transport};

const NAMESPACE: &str =
    "Endpoint=sb://contoso.servicebus.windows.net/;SharedAccessKeyName=listen;SharedAccessKey=aHVudGVyMg==";

fn load(options: &str) -> Result<EventHubSettings, String> {
    let text = format!("inputs:\n  - {{id: events, type: event, {options}}}\noutput.console: {{}}\n");
    let config = Config::parse("d.yml", &text, &[], &|_| None).map_err(|error| error.to_string())?;
    match &config.inputs[0].source {
        Source::EventHubs(settings) => Ok(settings.clone()),
        _ => panic!("another source"),
    }
}

/// With a connection string.
fn with(options: &str) -> Result<EventHubSettings, String> {
    load(&format!("connection_string: '{NAMESPACE}', {options}"))
}

fn error(options: &str, words: &[&str]) {
    let error = with(options).unwrap_err();
    assert!(words.iter().all(|word| error.contains(word)), "{error}");
    assert!(!error.contains("aHVudGVyMg") && !error.contains("a2V5"), "a secret is shown: {error}");
}

#[test]
fn the_options_are_those_of_filebeat() {
    let settings = with("eventhub: defender").unwrap();
    assert_eq!(settings.eventhub, ["defender"]);
    assert_eq!((settings.consumer_group.as_str(), settings.auth_type), ("$Default", AuthType::ConnectionString));
    assert_eq!(settings.transport, Transport::Amqp);
    assert_eq!(settings.processor_load_balancing_strategy, Strategy::Greedy);
    assert!(!format!("{settings:?}").contains("aHVudGVyMg"));
    let settings = with(
        "eventhub: [one, two], consumer_group: siem, transport: websocket, storage_account: contoso, \
         storage_account_key: a2V5, storage_account_container: mine, migrate_checkpoint: false, \
         processor_update_interval: 30s, processor_start_position: latest, partition_receive_timeout: 5s, \
         partition_receive_count: 10, processor_ownership_expiration: 3m, processor_load_balancing_strategy: balanced",
    )
    .unwrap();
    assert_eq!(settings.eventhub, ["one", "two"]);
    assert_eq!(settings.processor_ownership_expiration, Duration::from_secs(180));
    assert_eq!(settings.transport, Transport::Websocket);
    let identity = "auth_type: managed_identity, eventhub_namespace: contoso.servicebus.windows.net, eventhub: defender, \
                    storage_account: contoso";
    assert_eq!(load(identity).unwrap().auth_type, AuthType::ManagedIdentity);
    let secret = "auth_type: client_secret, eventhub_namespace: contoso.servicebus.windows.net, eventhub: defender, \
                  tenant_id: t, client_id: c, client_secret: s, authority_host: login.microsoftonline.us";
    assert_eq!(load(secret).unwrap().auth_type, AuthType::ClientSecret);
}

#[test]
fn what_does_not_go_together_is_refused() {
    error("consumer_group: siem", &["eventhub", "is missing"]);
    error("eventhub: [defender, Defender]", &["eventhub", "twice"]);
    error("eventhub: []", &["eventhub", "must not be empty"]);
    error("eventhub: defender, processor_update_interval: 100ms", &["processor_update_interval", "1s"]);
    error("eventhub: defender, processor_ownership_expiration: 15s", &["processor_ownership_expiration"]);
    error("eventhub: defender, storage_account: contoso", &["storage_account_key", "is missing"]);
    error("eventhub: defender, storage_account_key: a2V5", &["storage_account", "is missing"]);
    error("eventhub: defender, storage_account: contoso, storage_account_key: '%'", &["storage_account_key", "base64"]);
    error(
        "eventhub: defender, storage_account: contoso, storage_account_key: a2V5, storage_account_container: Mine",
        &["storage_account_container", "lower-case"],
    );
    error("eventhub: defender, custom_endpoint: 'amqp://gateway.example.com'", &["custom_endpoint", "amqps"]);
    error("eventhub: defender, url: 'https://graph.microsoft.com'", &["url", "is no option"]);
    let error = load("eventhub: defender").unwrap_err();
    assert!(error.contains("connection_string") && error.contains("is missing"), "{error}");
    let error = load("eventhub: defender, auth_type: client_secret, eventhub_namespace: a.example.com").unwrap_err();
    assert!(error.contains("tenant_id"), "{error}");
    let entity = format!("connection_string: '{NAMESPACE};EntityPath=other', eventhub: defender");
    let error = load(&entity).unwrap_err();
    assert!(error.contains("EntityPath") && error.contains("other"), "{error}");
}

#[test]
fn an_unknown_type_is_said_without_noise_about_its_options() {
    let text = "inputs:\n  - {id: events, type: events, eventhub: defender, url: u}\noutput.console: {}\n";
    let error = Config::parse("d.yml", text, &[], &|_| None).unwrap_err().to_string();
    assert!(error.contains("did you mean event?"), "{error}");
    assert_eq!(error.lines().count(), 1, "{error}");
}
