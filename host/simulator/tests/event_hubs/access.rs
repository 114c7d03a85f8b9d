//! Who may do what.

use std::time::Duration;

use defenderbeat_simulator::{AccessOptions, EventHubsOptions, Options, Simulator};
use fe2o3_amqp::link::receiver::CreditMode;
use fe2o3_amqp::sasl_profile::SaslProfile;
use fe2o3_amqp::types::definitions::AmqpError;
use reqwest::Client as HttpClient;
use serde_json::Value;

use crate::client::{Client, SAS, condition, hub, next, signature, start};

const ADDRESS: &str = "defender/ConsumerGroups/$Default/Partitions/0";
const RESOURCE: &str = "sb://127.0.0.1/defender";
const HOUR: Duration = Duration::from_secs(3600);

#[tokio::test]
async fn without_a_token_nothing_is_given() {
    let simulator = start(EventHubsOptions::default()).await;
    let mut client = Client::anonymous(&simulator).await;
    assert_eq!(client.read("com.microsoft:eventhub", "defender", "").await, Err(401));
    assert_eq!(client.refused(ADDRESS, None, None).await, AmqpError::UnauthorizedAccess.into());
    assert_eq!(simulator.event_hubs().counters().refused, 1);
}

#[tokio::test]
async fn signatures_are_checked() {
    let simulator = start(EventHubsOptions::default()).await;
    let mut client = Client::anonymous(&simulator).await;
    let good = signature(&simulator, RESOURCE, HOUR);
    let (status, description) = client.put_token(RESOURCE, SAS, good.replace("se=", "se=1")).await;
    assert_eq!((status, description.split(':').next()), (401, Some("InvalidSignature")));
    let (status, description) = client.put_token("sb://127.0.0.1/other", SAS, good.clone()).await;
    assert_eq!((status, description.split(':').next()), (401, Some("InvalidAudience")));
    let unknown = "sb://127.0.0.1/unknown";
    assert_eq!(client.put_token(unknown, SAS, signature(&simulator, unknown, HOUR)).await.0, 404);
    assert_eq!(client.put_token(RESOURCE, SAS, good).await.0, 202);
    assert!(client.attach(ADDRESS, None, None, CreditMode::Auto(1)).await.is_ok());
    let counters = simulator.event_hubs().counters();
    assert_eq!((counters.tokens, counters.unauthorized), (1, 3));
}

#[tokio::test]
async fn the_key_serves_for_plain_sasl() {
    let simulator = start(EventHubsOptions::default()).await;
    let options = &simulator.options().event_hubs;
    let plain = |password: &str| SaslProfile::Plain { username: options.key_name.clone(), password: password.into() };
    assert!(Client::with(&simulator, plain("wrong")).await.is_err());
    let mut client = Client::with(&simulator, plain(&options.key)).await.unwrap();
    assert!(client.attach(ADDRESS, None, None, CreditMode::Auto(1)).await.is_ok());
}

/// A token of the simulator's token endpoint for Event Hubs.
async fn token(simulator: &Simulator) -> String {
    // Without TLS it is never used, but the client wants one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let access = &simulator.options().access;
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    form.append_pair("grant_type", "client_credentials")
        .append_pair("client_id", &access.client_id)
        .append_pair("client_secret", &access.client_secret)
        .append_pair("scope", "https://eventhubs.azure.net/.default");
    let url = format!("{}/{}/oauth2/v2.0/token", simulator.url(), access.tenant_id);
    let request = HttpClient::builder().no_proxy().build().unwrap().post(url).body(form.finish());
    let answer = request.send().await.unwrap().bytes().await.unwrap();
    serde_json::from_slice::<Value>(&answer).unwrap()["access_token"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn tokens_of_the_login_server_serve_until_they_expire() {
    let access = AccessOptions { token_lifetime: 1, ..AccessOptions::default() };
    let simulator = Simulator::start(Options { access, ..Options::default() }).await.unwrap();
    let mut client = Client::anonymous(&simulator).await;
    assert_eq!(client.put_token(RESOURCE, "jwt", "eyJ0eXAiOiJKV1QifQ.a.b".into()).await.0, 401);
    assert_eq!(client.put_token(RESOURCE, "jwt", token(&simulator).await).await.0, 202);
    hub(&simulator).publish(0, "first");
    let mut receiver = client.receiver(0, "x-opt-offset > '-1'").await;
    assert_eq!(next(&mut receiver).await.unwrap().text(), "first");
    assert_eq!(condition(next(&mut receiver).await.unwrap_err()), AmqpError::UnauthorizedAccess.into());
}

#[tokio::test]
async fn a_new_token_lengthens_access() {
    let simulator = start(EventHubsOptions::default()).await;
    let mut client = Client::anonymous(&simulator).await;
    let short = signature(&simulator, RESOURCE, Duration::from_secs(2));
    assert_eq!(client.put_token(RESOURCE, SAS, short).await.0, 202);
    let mut receiver = client.receiver(0, "x-opt-offset > '-1'").await;
    assert_eq!(client.put_token(RESOURCE, SAS, signature(&simulator, RESOURCE, HOUR)).await.0, 202);
    tokio::time::sleep(Duration::from_secs(2)).await;
    hub(&simulator).publish(0, "later");
    assert_eq!(next(&mut receiver).await.unwrap().text(), "later");
}
