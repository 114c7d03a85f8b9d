//! `test output`, against a fake that answers as Elasticsearch with and without security does.

use std::collections::BTreeMap;

use defenderbeat_collector::config::Output;
use defenderbeat_collector::http::{Secret, VerificationMode};
use defenderbeat_collector::output::elasticsearch::ElasticsearchSettings;
use defenderbeat_collector::output::trial::Trial;
use serde_json::{Value as Json, json};
use tokio::net::TcpListener;

use crate::authority::Authority;
use crate::fake::{Fake, Fault, STREAM, error};

const TEMPLATE: &str = "logs-m365_defender.alert@defenderbeat";

/// Answers requests that begin with these paths.
fn answers(fake: &Fake, answers: impl IntoIterator<Item = (&'static str, u16, Json)>) {
    let answers: Vec<_> = answers.into_iter().collect();
    fake.script(move |request| {
        let (_, status, body) = answers.iter().find(|(path, ..)| request.path.starts_with(path))?;
        Some(Fault::Answer(*status, "", body.to_string()))
    });
}

fn user() -> (&'static str, u16, Json) {
    ("/_security/_authenticate", 200, json!({"username": "writer", "roles": ["writer"], "enabled": true}))
}

fn privileges(missing: &[&str]) -> (&'static str, u16, Json) {
    let has: BTreeMap<_, _> =
        ["auto_configure", "create_doc", "read"].map(|name| (name, !missing.contains(&name))).into_iter().collect();
    let body = json!({"username": "writer", "has_all_requested": missing.is_empty(), "index": {STREAM: has}});
    ("/_security/user/_has_privileges", 200, body)
}

fn template(version: &str) -> (&'static str, u16, Json) {
    let template = json!({"name": TEMPLATE, "index_template": {"index_patterns": [], "_meta": {"version": version}}});
    ("/_index_template/", 200, json!({ "index_templates": [template] }))
}

/// Whether all is well, and what is said.
async fn run(settings: ElasticsearchSettings) -> (bool, String) {
    let mut lines = String::new();
    let mut report = |step: &defenderbeat_collector::output::trial::Step| lines += &format!("{step}\n");
    let output = Output::Elasticsearch(Box::new(settings));
    let templates = [(TEMPLATE.to_owned(), "1-abc".to_owned())];
    let fine = Trial::new(&mut report).run(&output, &[STREAM.to_owned()], &templates).await;
    (fine, lines)
}

#[tokio::test]
async fn each_step_to_the_templates_is_told() {
    let fake = Fake::start().await;
    answers(&fake, [user(), privileges(&[]), template("1-abc")]);
    let mut settings = fake.settings();
    settings.username = Some("writer".into());
    settings.password = Some(Secret::new("s3cret"));
    let expected = format!(
        "elasticsearch: http://{}/...
  parse url... OK
  connection...
    dns lookup... OK
    addresses: 127.0.0.1
    dial up... OK
  talk to server... OK
  user: writer
  privileges...
    {STREAM}... OK
  template {TEMPLATE}... OK
",
        fake.address
    );
    assert_eq!(run(settings).await, (true, expected));
    let state = fake.state();
    assert!(state.requests.iter().all(|request| request.path != "/"), "a minimal distribution has no GET /");
    let [template] = [&state.requests.last().unwrap().path];
    assert_eq!(template, "/_index_template/logs-m365_defender.alert%40defenderbeat");
}

#[tokio::test]
async fn missing_privileges_are_named() {
    for (missing, fine, said) in [
        (&["auto_configure", "create_doc"][..], false, "... ERROR lacks auto_configure, create_doc\n"),
        (&["create_doc", "read"], false, "... ERROR lacks create_doc, read\n"),
        (&["read"], true, "... WARN lacks read: documents that may have been delivered before are not looked up"),
    ] {
        let fake = Fake::start().await;
        answers(&fake, [user(), privileges(missing), template("1-abc")]);
        let (was_fine, lines) = run(fake.settings()).await;
        assert!(was_fine == fine && lines.contains(&format!("    {STREAM}{said}")), "{lines}");
    }
}

#[tokio::test]
async fn templates_that_are_missing_or_of_another_version_are_named() {
    let unread = error(403, "security_exception", "action [indices:admin/index_template/get] is unauthorized");
    let missing = error(404, "resource_not_found_exception", "not found");
    for (answer, fine, said) in [
        (template("0-def"), true, "... WARN is of version 0-def, this program's is 1-abc: run `defenderbeat setup`"),
        (("/_index_template/", 404, missing), false, "... ERROR is not installed: run `defenderbeat setup`"),
        (("/_index_template/", 403, unread), true, ": this account may not read templates"),
    ] {
        let fake = Fake::start().await;
        answers(&fake, [user(), privileges(&[]), answer]);
        let (was_fine, lines) = run(fake.settings()).await;
        assert!(was_fine == fine && lines.contains(&format!("  template {TEMPLATE}{said}")), "{lines}");
    }
}

#[tokio::test]
async fn a_refused_account_is_an_error_and_no_secret_is_shown() {
    let fake = Fake::start().await;
    let refused = error(401, "security_exception", "unable to authenticate user [writer]");
    answers(&fake, [("/_security", 401, refused), template("1-abc")]);
    let mut settings = fake.settings();
    settings.api_key = Some(Secret::new("id:s3cret"));
    let (fine, lines) = run(settings).await;
    let said = "talk to server... ERROR http://127.0.0.1";
    assert!(!fine && lines.contains(said) && lines.contains("unable to authenticate"), "{lines}");
    assert!(
        lines.contains("check api_key") && !lines.contains("s3cret") && !lines.contains("privileges..."),
        "{lines}"
    );
}

#[tokio::test]
async fn a_server_without_security_is_told_so() {
    let fake = Fake::start().await;
    answers(&fake, [template("1-abc")]);
    let (fine, lines) = run(fake.settings()).await;
    assert!(fine && lines.contains("authenticate... WARN the server does not say who asks"), "{lines}");
}

#[tokio::test]
async fn what_cannot_be_reached_is_said_for_each_host() {
    let fake = Fake::start().await;
    answers(&fake, [user(), privileges(&[]), template("1-abc")]);
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let mut settings = fake.settings();
    settings.hosts = vec!["host.invalid".into(), nobody.to_string(), fake.address.to_string()];
    let (fine, lines) = run(settings).await;
    assert!(!fine && lines.contains("dns lookup... ERROR") && lines.contains("dial up... ERROR"), "{lines}");
    assert!(lines.ends_with(&format!("template {TEMPLATE}... OK\n")), "{lines}");
}

#[tokio::test]
async fn tls_is_tried_with_what_is_trusted() {
    let (servers, clients) = (Authority::new(), Authority::new());
    let fake = Fake::start_with(Some(servers.server(&clients))).await;
    answers(&fake, [user(), privileges(&[]), template("1-abc")]);
    let mut settings = fake.settings();
    settings.hosts = vec![format!("https://localhost:{}", fake.address.port())];
    let (certificate, key) = clients.certificate("collector");
    settings.ssl.certificate = Some(certificate.pem());
    settings.ssl.key = Some(Secret::new(key.serialize_pem()));
    settings.ssl.certificate_authorities = vec![clients.pem.clone()];
    let (fine, lines) = run(settings.clone()).await;
    assert!(!fine && lines.contains("handshake... ERROR") && lines.contains("ssl.certificate_authorities"), "{lines}");

    settings.ssl.certificate_authorities = vec![servers.pem.clone()];
    let (fine, lines) = run(settings.clone()).await;
    assert!(fine && lines.contains("  TLS...\n    handshake... OK\n    TLS version: TLSv1"), "{lines}");

    settings.ssl.verification_mode = VerificationMode::None;
    let (fine, lines) = run(settings).await;
    assert!(fine && lines.contains("security... WARN the server's certificate is not checked"), "{lines}");
}

#[tokio::test]
async fn a_proxy_stands_for_the_connection() {
    let proxy = Fake::start().await;
    answers(&proxy, [user(), privileges(&[]), template("1-abc")]);
    let mut settings = proxy.settings();
    settings.hosts = vec!["127.0.0.1:9".into()];
    settings.proxy_url = Some(Secret::new(format!("http://{}", proxy.address)));
    let (fine, lines) = run(settings).await;
    assert!(fine && lines.contains("  connection: through a proxy\n  talk to server... OK"), "{lines}");
}

#[tokio::test]
async fn a_folder_is_written_to() {
    let folder = tempfile::tempdir().unwrap();
    let run = async |path: std::path::PathBuf| {
        let mut lines = String::new();
        let mut report = |step: &defenderbeat_collector::output::trial::Step| lines += &format!("{step}\n");
        let settings = defenderbeat_collector::config::FileOutput { path, ..Default::default() };
        (Trial::new(&mut report).run(&Output::File(settings), &[], &[]).await, lines)
    };
    let below = folder.path().join("output");
    assert_eq!(run(below.clone()).await, (true, format!("file: {}...\n  write... OK\n", below.display())));
    assert_eq!(std::fs::read_dir(&below).unwrap().count(), 0);
    std::fs::write(folder.path().join("taken"), "").unwrap();
    let (fine, lines) = run(folder.path().join("taken")).await;
    assert!(!fine && lines.contains("write... ERROR"), "{lines}");
}
