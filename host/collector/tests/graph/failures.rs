//! What goes wrong, and what is said about it.

use defenderbeat_collector::http::Secret;
use defenderbeat_collector::source::graph::{ALERTS, Graph, GraphSettings};

use crate::collector::{Collector, alerts, settings, start};
use crate::tenant::{Fault, Tenant};

/// Runs a cycle that fails, and gives its error's code and text.
async fn failure(tenant: &Tenant) -> (String, String) {
    let mut collector = Collector::default();
    let error = collector.whole_cycle(&settings(tenant)).await.unwrap_err().to_string();
    assert_eq!(collector.errors.len(), 1, "one record a cycle");
    let record = &collector.errors[0];
    assert_eq!(record["message"], error.as_str());
    for secret in ["s3cret", "token-"] {
        assert!(!error.contains(secret), "{error}");
    }
    (record["code"].as_str().unwrap().to_owned(), error)
}

#[tokio::test]
async fn a_foreign_link_is_refused_and_never_asked() {
    let other = Tenant::start(alerts(1, 0)).await;
    let tenant = Tenant::start(Vec::new()).await;
    for link in [other.url(), format!("https://{}/", tenant.address), format!("http://a:b@{}/", tenant.address)] {
        let body = format!(r#"{{"value":[],"@odata.nextLink":"{link}"}}"#);
        tenant.script(move |_, _| Some(Fault::Answer(200, "", body.clone())));
        let (code, message) = failure(&tenant).await;
        assert_eq!(code, "foreign_link", "{message}");
    }
    assert!(other.state().requests.is_empty());
}

#[tokio::test]
async fn a_redirect_is_followed_at_home_only() {
    let other = Tenant::start(alerts(1, 0)).await;
    let tenant = Tenant::start(alerts(10, 0)).await;
    let location: &'static str = format!("Location: {}/elsewhere\r\n", other.url()).leak();
    tenant.script(move |_, _| Some(Fault::Answer(307, location, String::new())));
    let (code, message) = failure(&tenant).await;
    assert_eq!(code, "foreign_link");
    assert!(message.contains("redirect"), "{message}");
    assert!(other.state().requests.is_empty());

    let home: &'static str = "Location: /moved?$top=1000&$filter=severity%20ne%20''\r\n";
    tenant.script(move |request, _| (request.number % 2 == 0).then(|| Fault::Answer(307, home, String::new())));
    let mut collector = Collector::default();
    collector.whole_cycle(&settings(&tenant)).await.unwrap();
    collector.assert_all(&tenant);
}

#[tokio::test]
async fn errors_say_what_to_do() {
    let tenant = Tenant::start(Vec::new()).await;
    let forbidden = r#"{"error":{"code":"Forbidden","message":"Missing scopes","innererror":{"request-id":"r-2"}}}"#;
    for (fault, code, expected) in [
        (Fault::Answer(403, "", forbidden.into()), "Forbidden", "SecurityAlert.Read.All"),
        (Fault::Answer(403, "", forbidden.into()), "Forbidden", "request-id r-2"),
        (Fault::Answer(401, "", String::new()), "401", "new token was refused"),
        (
            Fault::Answer(400, "", r#"{"error":{"code":"","message":"limit of '1000'"}}"#.into()),
            "400",
            "limit of '1000'",
        ),
        (Fault::Answer(200, "Content-Type: text/html\r\n", "<html>".into()), "content", "a web page (text/html)"),
        (Fault::Answer(200, "", "oops".into()), "content", "proxy_url"),
        (Fault::Answer(200, "", String::new()), "body", "empty"),
        (Fault::Answer(200, "", r#"{"value":[{"id":"a"}"#.into()), "body", "ends in the middle"),
        (Fault::Answer(200, "", r#"{"id":"a"}"#.into()), "content", "JSON without records"),
        (Fault::Answer(200, "", r#"{"value":[],"@odata.ne"#.into()), "body", "ends in the middle"),
        (Fault::Answer(200, "", r#"{"value":[]"#.into()), "body", "ends in the middle"),
        (Fault::Answer(200, "", r#"{"@odata.con"#.into()), "body", "ends in the middle"),
        (Fault::CutGzipAfter(20), "body", "broke off"),
        (Fault::Answer(503, "", "busy".into()), "503", "503"),
        (Fault::HangUp, "connection", "no answer from"),
    ] {
        tenant.script(move |_, _| Some(fault.clone()));
        let (found, message) = failure(&tenant).await;
        assert_eq!(found, code, "{message}");
        assert!(message.contains(expected), "{message}");
    }
}

#[tokio::test]
async fn the_login_servers_errors_become_advice() {
    let tenant = Tenant::start(Vec::new()).await;
    let refusal = |number: u32, text: &str| {
        format!(
            r#"{{"error":"invalid_client","error_description":"AADSTS{number}: {text}\r\nTrace ID: x","error_codes":[{number}]}}"#
        )
    };
    for (number, expected) in [
        (7_000_215, "the secret's value, not its id"),
        (7_000_222, "expired"),
        (90_002, "tenant_id is wrong"),
        (700_016, "client_id is not known"),
        (1, "check tenant_id"),
    ] {
        tenant.state().refusals = vec![(400, refusal(number, "Words of Entra."))];
        let (code, message) = failure(&tenant).await;
        assert_eq!(code, format!("AADSTS{number}"));
        assert!(
            message.contains(expected) && message.contains("Words of Entra.") && !message.contains("Trace"),
            "{message}"
        );
    }
    tenant.state().refusals = vec![(502, "<html>".into()), (429, "{}".into())];
    Collector::default().whole_cycle(&settings(&tenant)).await.unwrap();
}

#[tokio::test]
async fn the_token_is_asked_for_once_and_with_what_was_configured() {
    let tenant = Tenant::start(alerts(3000, 0)).await;
    let mut settings = settings(&tenant);
    settings.batch_size = 100;
    settings.include_unknown_enum_members = true;
    settings.endpoint_params = [("resource".to_owned(), vec![Secret::new("a b")])].into();
    Collector::default().whole_cycle(&settings).await.unwrap();
    let state = tenant.state();
    assert_eq!(state.tokens, 1);
    let form: Vec<(&str, &str)> = state.token_form.iter().map(|(name, value)| (&**name, &**value)).collect();
    let scope = format!("{}/.default", tenant.url());
    assert_eq!(
        form,
        [
            ("client_id", "app"),
            ("client_secret", "s3cret&"),
            ("grant_type", "client_credentials"),
            ("resource", "a b"),
            ("scope", &scope)
        ]
    );
    assert!(state.requests.iter().all(|request| request.headers["prefer"] == "include-unknown-enum-members"));
}

#[tokio::test]
async fn secrets_are_not_sent_in_the_clear() {
    let tenant = Tenant::start(Vec::new()).await;
    for (option, spoil) in [
        ("url", (|settings| settings.url = "http://graph.microsoft.com".into()) as fn(&mut GraphSettings)),
        ("login_url", |settings| settings.login_url = "http://login.microsoftonline.com".into()),
        ("client_secret", |settings| settings.client_secret = Secret::default()),
        ("proxy_url", |settings| settings.proxy_url = Some(Secret::new("::"))),
        ("certificate_authorities", |settings| settings.ssl.certificate_authorities = vec!["/nowhere.pem".into()]),
        ("endpoint_params", |settings| _ = settings.endpoint_params.insert("scope".into(), Vec::new())),
    ] {
        let mut settings = settings(&tenant);
        spoil(&mut settings);
        let error = Graph::open(&ALERTS, &settings, start(None)).unwrap_err().to_string();
        assert!(error.contains(option), "{error}");
    }
}
