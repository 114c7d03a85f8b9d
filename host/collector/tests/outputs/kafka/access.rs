//! Whom Kafka's own broker lets in, with TLS and SASL, and what is said to whom it does not.

use std::time::Duration;

use defenderbeat_collector::http::{Secret, SslSettings};
use defenderbeat_collector::oauth::IdentityType;
use defenderbeat_collector::output::Kafka;
use defenderbeat_collector::output::kafka::{KafkaSettings, Mechanism};

use crate::authority::Authority;
use crate::deliver;
use crate::kafka::broker::{AUDIENCE, Broker, Listener, PASSWORD};
use crate::kafka::login::{Login, Signer};
use crate::kafka::{refusal, settings};

fn with_password(broker: &Broker, listener: Listener, mechanism: Mechanism, password: &str) -> KafkaSettings {
    let mut settings = settings(broker, listener);
    settings.username = Some("writer".into());
    settings.password = Some(Secret::new(password));
    settings.sasl.mechanism = Some(mechanism);
    settings
}

fn with_token(broker: &Broker, login: &Login, secret: &str) -> KafkaSettings {
    let mut settings = settings(broker, Listener::Secure);
    settings.sasl.mechanism = Some(Mechanism::OauthBearer);
    settings.auth.kind = Some(IdentityType::ClientSecret);
    settings.auth.tenant_id = "contoso".into();
    settings.auth.client_id = "collector".into();
    settings.auth.client_secret = Some(Secret::new(secret));
    settings.login_url = login.url.clone();
    settings.scope = format!("{AUDIENCE}/.default");
    settings
}

pub(crate) async fn a_password_is_taken_by_each_mechanism_and_a_wrong_one_is_not(broker: &Broker) {
    for (listener, mechanism) in [
        (Listener::Secure, Mechanism::Plain),
        (Listener::Secure, Mechanism::ScramSha256),
        (Listener::Strict, Mechanism::ScramSha512),
    ] {
        let kafka = Kafka::open(with_password(broker, listener, mechanism, PASSWORD)).unwrap();
        deliver(&kafka, 0..100).await;
        let error = refusal(with_password(broker, listener, mechanism, "wr0ng")).await;
        let said = "; check username, password, auth and sasl.mechanism";
        assert!(error.ends_with(said) && !error.contains("wr0ng"), "{mechanism:?}: {error}");
    }
}

pub(crate) async fn a_mechanism_that_the_broker_does_not_take_is_told(broker: &Broker) {
    for (listener, mechanism) in [(Listener::Strict, Mechanism::Plain), (Listener::Secure, Mechanism::ScramSha512)] {
        let error = refusal(with_password(broker, listener, mechanism, PASSWORD)).await;
        assert!(error.ends_with("; the broker does not take this sasl.mechanism"), "{mechanism:?}: {error}");
    }
}

pub(crate) async fn what_is_wrong_with_tls_is_told(broker: &Broker) {
    let secure = || with_password(broker, Listener::Secure, Mechanism::Plain, PASSWORD);
    let strict = || with_password(broker, Listener::Strict, Mechanism::ScramSha512, PASSWORD);
    let others = || SslSettings { certificate_authorities: vec![Authority::new().pem], ..broker.ssl() };
    let nobody = || SslSettings { certificate: None, key: None, ..broker.ssl() };
    for (settings, said) in [
        (KafkaSettings { ssl: Some(others()), ..secure() }, "; check ssl.certificate_authorities"),
        (
            KafkaSettings { ssl: Some(nobody()), ..strict() },
            "; the broker does not take our certificate: check ssl.certificate and ssl.key",
        ),
        (KafkaSettings { ssl: None, ..secure() }, "; is this a port with TLS? `ssl: {}` uses it"),
        (KafkaSettings { ssl: Some(broker.ssl()), ..settings(broker, Listener::Open) }, "; is this a port with TLS?"),
    ] {
        let error = refusal(settings).await;
        assert!(error.ends_with(said), "{error}");
    }
}

pub(crate) async fn a_user_without_rights_is_told_which_are_missing(broker: &Broker) {
    let mut settings = with_password(broker, Listener::Secure, Mechanism::Plain, PASSWORD);
    settings.username = Some("stranger".into());
    let error = refusal(settings).await;
    let said = "output.kafka: topic siem.m365_defender.alert: TopicAuthorizationFailed";
    assert!(
        error.starts_with(said)
            && error.ends_with("; let this user describe and write the topic, and create it where it does not exist"),
        "{error}"
    );
}

/// Tokens are good for seconds; the broker closes connections whose token has expired.
pub(crate) async fn tokens_of_the_login_server_are_taken_and_replaced_when_they_expire(broker: &Broker) {
    let login = Login::start(broker.signer.clone(), 4).await;
    let kafka = Kafka::open(with_token(broker, &login, PASSWORD)).unwrap();
    deliver(&kafka, 0..100).await;
    let before = login.given();
    tokio::time::sleep(Duration::from_secs(5)).await;
    deliver(&kafka, 100..200).await;
    assert!(before > 0 && login.given() > before);
}

pub(crate) async fn a_token_that_is_refused_and_one_that_is_not_given_are_told_apart(broker: &Broker) {
    let login = Login::start(Signer::new().into(), 3600).await;
    let error = refusal(with_token(broker, &login, PASSWORD)).await;
    assert!(error.ends_with("; the broker refuses the token: check auth and scope"), "{error}");
    let error = refusal(with_token(broker, &login, "wr0ng")).await;
    let said = "client_secret is wrong: it is the secret's value, not its id";
    assert!(error.ends_with(said) && !error.contains("wr0ng"), "{error}");
}
