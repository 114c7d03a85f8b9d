//! What is said when something is wrong.

use defenderbeat_collector::http::Secret;
use defenderbeat_collector::source::event_hubs::{Error, EventHubSettings, Fault};
use defenderbeat_simulator::EventHubsOptions;

use crate::namespace::{all, namespace, once, publish, settings, with_client_secret};

async fn error(settings: &EventHubSettings) -> (String, bool, Option<Fault>) {
    let error = once(settings, None).await.expect_err("it fails");
    let fault = match &error {
        Error::Hub { fault, .. } => Some(*fault),
        _ => None,
    };
    (error.to_string(), error.is_transient(), fault)
}

#[tokio::test]
async fn a_hub_that_does_not_exist_is_named() {
    let simulator = namespace(EventHubsOptions::default()).await;
    let settings = EventHubSettings { eventhub: vec!["defendre".into()], ..settings(&simulator) };
    let (message, transient, fault) = error(&settings).await;
    assert_eq!((transient, fault), (false, Some(Fault::Missing)), "{message}");
    assert!(message.contains("defendre") && message.contains("check eventhub"), "{message}");
}

#[tokio::test]
async fn that_no_table_has_a_hub_is_said() {
    let simulator = namespace(EventHubsOptions::default()).await;
    let settings = EventHubSettings { eventhub: vec!["insights-logs-*".into()], ..settings(&simulator) };
    let (message, ..) = error(&settings).await;
    assert!(message.contains("insights-logs-*") && message.contains("Defender XDR streams"), "{message}");
}

#[tokio::test]
async fn a_consumer_group_that_does_not_exist_is_named() {
    let simulator = namespace(EventHubsOptions::default()).await;
    publish(&simulator, 1);
    let settings = EventHubSettings { consumer_group: "siem".into(), ..settings(&simulator) };
    let (message, transient, fault) = error(&settings).await;
    assert_eq!((transient, fault), (false, Some(Fault::Missing)), "{message}");
    assert!(message.contains("siem") && message.contains("consumer_group"), "{message}");
}

#[tokio::test]
async fn a_wrong_key_is_said_and_not_shown() {
    let simulator = namespace(EventHubsOptions::default()).await;
    let right = simulator.event_hubs().connection_string();
    let wrong = right.replace("c2ltdWxhdGVkLWtleQ==", "YW5vdGhlci1rZXk=");
    assert_ne!(right, wrong);
    let settings = EventHubSettings { connection_string: Some(Secret::new(wrong)), ..settings(&simulator) };
    let (message, transient, fault) = error(&settings).await;
    assert_eq!((transient, fault), (false, Some(Fault::Unauthorized)), "{message}");
    assert!(message.contains("right to listen") && !message.contains("YW5vdGhlci1rZXk"), "{message}");
}

/// As where roles and keys change: what is refused now is granted a little later.
#[tokio::test]
async fn access_that_is_refused_now_and_then_is_asked_for_again() {
    let options = EventHubsOptions { tokens_refused: 0.4, drop_connection_after: 5, ..EventHubsOptions::default() };
    let simulator = namespace(options).await;
    publish(&simulator, 20);
    let (read, _) = once(&settings(&simulator), None).await.unwrap();
    assert_eq!(read, all(4, 20));
    assert!(simulator.event_hubs().counters().unauthorized > 0);
}

#[tokio::test]
async fn a_network_that_leads_nowhere_is_tried_again_and_said() {
    let simulator = namespace(EventHubsOptions::default()).await;
    let mut settings = settings(&simulator);
    drop(simulator);
    settings.retry.max_attempts = 2;
    let (message, transient, fault) = error(&settings).await;
    assert_eq!((transient, fault), (true, Some(Fault::Passing)), "{message}");
    assert!(message.contains("connecting to event hub defender") && message.contains("firewall"), "{message}");
}

#[tokio::test]
async fn a_wrong_secret_of_the_application_is_said_and_not_shown() {
    let simulator = namespace(EventHubsOptions::default()).await;
    let settings =
        EventHubSettings { client_secret: Some(Secret::new("another-secret")), ..with_client_secret(&simulator) };
    let (message, transient, fault) = error(&settings).await;
    assert_eq!((transient, fault), (false, Some(Fault::Unauthorized)), "{message}");
    assert!(message.contains("client_secret") && !message.contains("another-secret"), "{message}");
}
