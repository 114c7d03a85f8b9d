//! Who gets a token, and what it is good for.

use defenderbeat_simulator::{AccessOptions, Options};

use crate::client::{Visitor, body};

#[tokio::test]
async fn a_token_is_given_and_counted() {
    let visitor = Visitor::new(Options::default()).await;
    let answer = body(visitor.ask_for_token(&[]).await).await;
    assert_eq!(answer["token_type"], "Bearer");
    assert_eq!(answer["expires_in"], 3599);
    assert_ne!(answer["access_token"], visitor.token.as_str());
    let own = format!("{}/.default", visitor.simulator.url());
    assert!(body(visitor.ask_for_token(&[("scope", &own)]).await).await["access_token"].is_string());
    assert_eq!(visitor.simulator.counters().tokens, 3);
}

#[tokio::test]
async fn wrong_requests_are_refused_as_entra_does() {
    let visitor = Visitor::new(Options::default()).await;
    for (change, status, error, number) in [
        (("tenant", "fabrikam.com"), 400, "invalid_request", 90_002),
        (("grant_type", ""), 400, "invalid_request", 900_144),
        (("grant_type", "password"), 400, "unsupported_grant_type", 70_003),
        (("client_id", "somebody"), 400, "unauthorized_client", 700_016),
        (("client_secret", "guessed"), 401, "invalid_client", 7_000_215),
        (("client_secret", ""), 400, "invalid_request", 900_144),
        (("scope", "https://graph.microsoft.com/User.Read"), 400, "invalid_scope", 1_002_012),
        (("scope", "https://elsewhere.example/.default"), 400, "invalid_resource", 500_011),
    ] {
        let answer = visitor.ask_for_token(&[change]).await;
        assert_eq!(answer.status().as_u16(), status, "{change:?}");
        let body = body(answer).await;
        assert_eq!(body["error"], error);
        assert_eq!(body["error_codes"][0], number);
        let description = body["error_description"].as_str().unwrap();
        assert!(description.starts_with(&format!("AADSTS{number}: ")), "{description}");
        assert!(!description.contains("guessed"));
    }
    assert_eq!(visitor.simulator.counters().tokens, 1);
}

#[tokio::test]
async fn without_a_good_token_there_is_nothing() {
    let access = AccessOptions { token_lifetime: 0, ..AccessOptions::default() };
    let mut visitor = Visitor::new(Options { access, ..Options::default() }).await;
    let path = "/v1.0/security/alerts_v2";
    let (status, code, message) = visitor.refusal(path).await;
    assert_eq!((status, &*code), (401, "InvalidAuthenticationToken"));
    assert!(message.contains("expired"), "{message}");
    visitor.token = "made-up".into();
    assert_eq!(visitor.refusal(path).await.0, 401);
    visitor.token = String::new();
    assert_eq!(visitor.refusal(path).await.2, "Access token is empty.");
    assert_eq!(visitor.simulator.counters().unauthorized, 3);
}

#[tokio::test]
async fn revoked_tokens_are_good_no_more() {
    let mut visitor = Visitor::new(Options::default()).await;
    visitor.simulator.revoke_tokens();
    assert_eq!(visitor.refusal("/v1.0/security/alerts_v2").await.0, 401);
    visitor.renew().await;
    assert_eq!(visitor.get("/v1.0/security/alerts_v2").await.status().as_u16(), 200);
}

#[tokio::test]
async fn a_missing_role_is_named() {
    let access = AccessOptions { missing_role: true, ..AccessOptions::default() };
    let visitor = Visitor::new(Options { access, ..Options::default() }).await;
    let (status, code, message) = visitor.refusal("/v1.0/security/alerts_v2").await;
    assert_eq!((status, &*code), (403, "Forbidden"));
    assert!(message.contains("SecurityAlert.Read.All"), "{message}");
}

#[tokio::test]
async fn assertions_are_looked_at() {
    let federated_subjects = vec!["pod".to_owned()];
    let visitor = Visitor::new(Options {
        access: AccessOptions { federated_subjects, ..AccessOptions::default() },
        ..Options::default()
    })
    .await;
    let hour = std::time::Duration::from_secs(3600);
    let [good, other] = ["pod", "another"].map(|subject| visitor.simulator.federated_token(subject, hour));
    let (signed, _) = good.rsplit_once('.').unwrap();
    let (_, signature) = other.rsplit_once('.').unwrap();
    let forged = format!("{signed}.{signature}");
    let jwt = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
    for (kind, assertion, number) in [
        (jwt, &*good, None),
        ("password", &good, Some(50_027)),
        (jwt, "a.b.c", Some(50_027)),
        (jwt, &forged, Some(700_213)),
        (jwt, &other, Some(700_213)),
    ] {
        let fields = [("client_secret", ""), ("client_assertion_type", kind), ("client_assertion", assertion)];
        let answer = body(visitor.ask_for_token(&fields).await).await;
        assert_eq!(answer["error_codes"][0].as_u64(), number, "{kind} {assertion}: {answer}");
        assert_eq!(answer["access_token"].is_string(), number.is_none());
    }
    assert_eq!(visitor.simulator.counters().assertions_refused, 4);
}

#[tokio::test]
async fn managed_identities_are_asked_for_as_azure_has_it() {
    let access = AccessOptions { managed_identities: vec!["system".into()], ..AccessOptions::default() };
    let visitor = Visitor::new(Options { access, ..Options::default() }).await;
    let header = visitor.simulator.options().access.identity_header.clone();
    let imds = "/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https://graph.microsoft.com";
    let app_service = "/msi/token?api-version=2019-08-01&resource=https://graph.microsoft.com";
    for (path, (name, value), status) in [
        (imds, ("metadata", "true"), 200),
        (imds, ("accept", "*/*"), 400),
        (&format!("{imds}&client_id=another"), ("metadata", "true"), 400),
        (&imds.replace("2018", "2017"), ("metadata", "true"), 400),
        (app_service, ("x-identity-header", &header), 200),
        (app_service, ("x-identity-header", "guessed"), 401),
    ] {
        let url = format!("{}{path}", visitor.simulator.url());
        let answer = visitor.client.get(url).header(name, value).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), status, "{path} {name}");
        assert_eq!(body(answer).await["access_token"].is_string(), status == 200);
    }
}
