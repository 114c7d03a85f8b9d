//! Proxies, certificates and the life of tokens.

use std::sync::Arc;

use defenderbeat_collector::http::{Client, HttpSettings, Secret, SslSettings, VerificationMode};
use defenderbeat_collector::oauth::{Application, Credentials, Identity, Proof, Tokens};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use url::Url;

use crate::collector::{Collector, alerts, settings};
use crate::tenant::Tenant;

fn tokens(login_url: &str, http: &HttpSettings) -> Tokens {
    let login_url = Url::parse(login_url).unwrap();
    let credentials = Credentials {
        identity: Identity::Application(Application {
            tenant_id: "contoso".into(),
            client_id: "app".into(),
            login_url: login_url.clone(),
            proof: Proof::Secret(Secret::new("s3cret")),
        }),
        scopes: vec!["https://graph.microsoft.com/.default".into()],
        endpoint_params: Default::default(),
    };
    let client = Client::new(http, &login_url).unwrap();
    let retry = defenderbeat_collector::http::RetrySettings { max_attempts: 1, ..http.retry.clone() };
    Tokens::new(client, &HttpSettings { retry, ..http.clone() }, &credentials).unwrap()
}

#[tokio::test]
async fn whoever_needs_a_token_meanwhile_waits_for_the_same_request() {
    let tenant = Tenant::start(Vec::new()).await;
    let tokens = tokens(&tenant.url(), &HttpSettings::default());
    let (a, b, c) = tokio::join!(tokens.token(), tokens.token(), tokens.token());
    let [a, b, c] = [a, b, c].map(|token| token.unwrap().header());
    assert!(a == b && b == c && a.is_sensitive());
    assert_eq!(tenant.state().tokens, 1);
    let shown = format!("{tokens:?} {:?}", tokens.token().await.unwrap());
    assert!(!shown.contains("s3cret") && !shown.contains("token-1"), "{shown}");
}

#[tokio::test]
async fn an_expired_token_is_replaced() {
    let tenant = Tenant::start(Vec::new()).await;
    tenant.state().expires_in = 0;
    let tokens = tokens(&tenant.url(), &HttpSettings::default());
    for expected in 1..=3 {
        tokens.token().await.unwrap();
        assert_eq!(tenant.state().tokens, expected);
    }
}

#[tokio::test]
async fn requests_go_through_the_proxy_with_its_credentials() {
    let tenant = Tenant::start(alerts(10, 0)).await;
    let mut settings = settings(&tenant);
    // Only the proxy can be reached: port 9 of loopback discards.
    settings.url = "http://127.0.0.1:9".into();
    settings.login_url = settings.url.clone();
    settings.proxy_url = Some(Secret::new(format!("http://user:p%40ss@{}", tenant.address)));
    let mut collector = Collector::default();
    collector.whole_cycle(&settings).await.unwrap();
    collector.assert_exactly(&tenant);
    let state = tenant.state();
    assert_eq!(state.requests[0].headers["proxy-authorization"], "Basic dXNlcjpwQHNz");
}

/// A login server with a certificate for `name`, signed by its own authority, whose certificate is given too.
async fn secure_server(name: &str) -> (u16, String) {
    let authority_key = rcgen::KeyPair::generate().unwrap();
    let mut authority = rcgen::CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let pem = authority.self_signed(&authority_key).unwrap().pem();
    let issuer = rcgen::Issuer::new(authority, authority_key);
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der())),
        )
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).await;
            let body = r#"{"access_token":"t","expires_in":"3599"}"#;
            let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
            let _ = stream.write_all(answer.as_bytes()).await;
            let _ = stream.shutdown().await;
        }
    });
    (port, pem)
}

#[tokio::test]
async fn certificates_are_checked_as_strictly_as_configured() {
    let (right, authority) = secure_server("localhost").await;
    let (wrong, authority_of_wrong) = secure_server("elsewhere.example.com").await;
    let file = std::env::temp_dir().join(format!("defenderbeat-authority-{}.pem", std::process::id()));
    std::fs::write(&file, &authority).unwrap();
    let file = file.to_str().unwrap().to_owned();
    use VerificationMode::{Certificate, Full, None};
    for (port, authorities, mode, accepted) in [
        (right, vec![authority.clone()], Full, true),
        (right, vec![file.clone()], Full, true),
        (right, vec![], Full, false),
        (right, vec![], Certificate, false),
        (right, vec![], None, true),
        (wrong, vec![authority_of_wrong.clone()], Full, false),
        (wrong, vec![authority_of_wrong], Certificate, true),
        (wrong, vec![authority], Certificate, false),
    ] {
        let ssl =
            SslSettings { certificate_authorities: authorities, verification_mode: mode, ..SslSettings::default() };
        let tokens = tokens(&format!("https://localhost:{port}"), &HttpSettings { ssl, ..HttpSettings::default() });
        match tokens.token().await {
            Ok(_) => assert!(accepted, "{mode:?} accepted it"),
            Err(error) => {
                assert!(!accepted, "{mode:?}: {error}");
                assert!(error.to_string().contains("ssl.certificate_authorities"), "{error}");
            }
        }
    }
    std::fs::remove_file(file).unwrap();
}
