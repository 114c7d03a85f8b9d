//! `test output` for Logstash.

use std::time::Duration;

use defenderbeat_collector::config::Output;
use defenderbeat_collector::http::{Secret, SslSettings, VerificationMode};
use defenderbeat_collector::output::logstash::LogstashSettings;

use super::lumberjack::Server;
use crate::authority::Authority;
use crate::test_output;

async fn run(settings: &LogstashSettings) -> (bool, String) {
    test_output(Output::Logstash(Box::new(settings.clone()))).await
}

/// Takes connections and says nothing, as an input for Beats does.
fn listen(server: Server) {
    tokio::spawn(async move {
        let mut connections = Vec::new();
        loop {
            connections.push(server.accept().await);
        }
    });
}

#[tokio::test]
async fn each_step_to_the_server_is_told() {
    let server = Server::start(None).await;
    let mut settings = server.settings();
    settings.hosts = vec![settings.hosts[0].replace("localhost", "127.0.0.1")];
    let expected = format!(
        "logstash: {}...
  connection...
    dns lookup... OK
    addresses: 127.0.0.1
    dial up... OK
  TLS... WARN is not used: documents travel in the clear
  talk to server... OK
",
        settings.hosts[0]
    );
    listen(server);
    assert_eq!(run(&settings).await, (true, expected));
}

#[tokio::test]
async fn what_cannot_be_reached_is_said_for_each_host() {
    let server = Server::start(None).await;
    // Nothing listens on port 1.
    let hosts = vec!["host.invalid".into(), "127.0.0.1:1".into(), server.address()];
    listen(server);
    let (fine, lines) = run(&LogstashSettings { hosts, ..LogstashSettings::default() }).await;
    let said = ["logstash: host.invalid:5044...\n", "dns lookup... ERROR ", "dial up... ERROR "];
    assert!(!fine && said.iter().all(|said| lines.contains(said)), "{lines}");
    assert!(lines.ends_with("talk to server... OK\n"), "{lines}");
}

#[tokio::test]
async fn a_server_that_speaks_or_closes_is_no_input_for_beats() {
    let server = Server::start(None).await;
    let settings = server.settings();
    for greeting in ["220 mail.example.com\r\n", ""] {
        let (answer, connection) = tokio::join!(run(&settings), async {
            let mut connection = server.accept().await;
            connection.say(greeting.as_bytes()).await;
            // One that closes says nothing.
            (!greeting.is_empty()).then_some(connection)
        });
        drop(connection);
        let (fine, lines) = answer;
        assert!(!fine && lines.contains("talk to server... ERROR "), "{lines}");
        assert!(lines.ends_with("is this an input for Beats?\n"), "{lines}");
    }
}

#[tokio::test]
async fn tls_is_tried_with_what_is_trusted_and_shown() {
    let (servers, clients) = (Authority::new(), Authority::new());
    let server = Server::start(Some(servers.server(&clients))).await;
    let mut settings = LogstashSettings { timeout: Duration::from_secs(10), ..server.settings() };
    listen(server);
    let (certificate, key) = clients.certificate("collector");
    let mut ssl = SslSettings { certificate_authorities: vec![clients.pem.clone()], ..SslSettings::default() };
    settings.ssl = Some(ssl.clone());
    let (fine, lines) = run(&settings).await;
    assert!(!fine && lines.contains("handshake... ERROR") && lines.contains("ssl.certificate_authorities"), "{lines}");

    ssl.certificate_authorities = vec![servers.pem.clone()];
    settings.ssl = Some(ssl.clone());
    let (fine, lines) = run(&settings).await;
    assert!(!fine && lines.contains("talk to server... ERROR ") && lines.contains("CertificateRequired"), "{lines}");
    assert!(lines.ends_with("check ssl.certificate and ssl.key\n"), "{lines}");

    ssl.certificate = Some(certificate.pem());
    ssl.key = Some(Secret::new(key.serialize_pem()));
    ssl.verification_mode = VerificationMode::Certificate;
    settings.ssl = Some(ssl);
    let (fine, lines) = run(&settings).await;
    let said = "  TLS...\n    security... WARN the server's name is not checked\n    handshake... OK\n    TLS version: TLSv1_3\n  talk to server... OK\n";
    assert!(fine && lines.ends_with(said), "{lines}");
}
