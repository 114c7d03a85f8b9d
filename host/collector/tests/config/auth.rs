//! The options `auth`: which of them go together, and what the environment of a platform says.

use std::path::Path;

use defenderbeat_collector::config::Config;

const CONNECTION: &str =
    "Endpoint=sb://contoso.servicebus.windows.net/;SharedAccessKeyName=listen;SharedAccessKey=aHVudGVyMg==";

/// Who asks, for operators; or what is wrong.
fn identity(kind: &str, options: &str, environment: &[(&str, &str)]) -> Result<String, String> {
    let text = format!("inputs:\n  - {{id: a, type: {kind}, {options}}}\noutput.console: {{}}\n");
    let env = |name: &str| {
        let found = environment.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| (*value).to_owned())
    };
    let config = Config::parse("d.yml", &text, &[], &env).map_err(|error| error.to_string())?;
    assert!(!format!("{config:?}").contains("hunter2"), "a secret is shown");
    let identity = config.inputs[0].source.identity().unwrap();
    Ok(identity.map_or_else(|| "connection string".to_owned(), |identity| identity.to_string()))
}

fn certificate(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/certificates").join(name).display().to_string()
}

#[test]
fn the_short_form_and_the_long_one_mean_the_same() {
    for (kind, options) in [
        ("alert", "tenant_id: t, client_id: c, client_secret: hunter2"),
        ("alert", "auth: {type: client_secret, tenant_id: t, client_id: c, client_secret: hunter2}"),
        ("vulnerability", "tenant_id: t, auth.type: client_secret, auth.client_id: c, auth.client_secret: hunter2"),
        (
            "event",
            "eventhub: e, eventhub_namespace: a.example.com, auth_type: client_secret, tenant_id: t, client_id: c, \
             client_secret: hunter2",
        ),
        (
            "event",
            "eventhub: e, eventhub_namespace: a.example.com, \
             auth: {type: client_secret, tenant_id: t, client_id: c, client_secret: hunter2}",
        ),
    ] {
        let expected = "application c of tenant t with a client secret";
        assert_eq!(identity(kind, options, &[]).as_deref(), Ok(expected), "{options}");
    }
}

#[test]
fn options_that_do_not_belong_are_refused() {
    let pem = certificate("first.pem");
    let application = "tenant_id: t, client_id: c";
    for (kind, options, words) in [
        ("alert", format!("{application}, auth.type: certificate"), "inputs.0.auth.certificate: is missing"),
        ("alert", format!("{application}, auth.type: client_secret"), "inputs.0.auth.client_secret: is missing"),
        ("alert", format!("{application}, auth.token_file: /token"), "inputs.0.auth.type: is missing"),
        (
            "alert",
            format!("{application}, auth: {{type: certificate, certificate: {pem}, token_file: /token}}"),
            "inputs.0.auth.token_file: is for auth.type workload_identity, not for certificate",
        ),
        (
            "alert",
            format!("{application}, client_secret: hunter2, auth: {{type: certificate, certificate: {pem}}}"),
            "inputs.0.client_secret: is for auth.type client_secret, not for certificate",
        ),
        (
            "vulnerability",
            "tenant_id: t, auth.type: managed_identity".into(),
            "inputs.0.tenant_id: is for auth.type client_secret or certificate or workload_identity",
        ),
        (
            "alert",
            format!("{application}, auth: {{type: certificate, certificate: {pem}, tenant_id: u}}"),
            "inputs.0.tenant_id: is written twice: as auth.tenant_id too",
        ),
        ("alert", format!("{application}, auth.type: certifcate"), "did you mean certificate?"),
        ("alert", "auth: {type: managed_identity, endpoint: 'http://192.0.2.1'}".into(), "must be on loopback"),
        (
            "event",
            format!("eventhub: e, connection_string: '{CONNECTION}', auth.type: managed_identity"),
            "inputs.0.connection_string: is written beside auth.type",
        ),
        (
            "event",
            "eventhub: e, eventhub_namespace: a.example.com, auth_type: managed_identity, auth.type: managed_identity"
                .into(),
            "inputs.0.auth_type: is the short form of auth.type",
        ),
        (
            "event",
            format!("eventhub: e, connection_string: '{CONNECTION}', storage_account_auth.type: managed_identity"),
            "inputs.0.storage_account: is missing",
        ),
        (
            "event",
            format!(
                "eventhub: e, connection_string: '{CONNECTION}', storage_account: contoso, storage_account_auth.type: certificate"
            ),
            "inputs.0.storage_account_auth: tenant_id is missing",
        ),
    ] {
        let error = identity(kind, &options, &[]).unwrap_err();
        assert!(error.contains(words) && !error.contains("hunter2"), "{options}: {error}");
    }
}

#[test]
fn the_environment_of_a_platform_serves_where_nothing_is_written() {
    let pod = [
        ("AZURE_TENANT_ID", "t"),
        ("AZURE_CLIENT_ID", "c"),
        ("AZURE_FEDERATED_TOKEN_FILE", "/var/run/token"),
        ("AZURE_AUTHORITY_HOST", "https://login.microsoftonline.us/"),
    ];
    let expected = "application c of tenant t with the federated token of /var/run/token";
    assert_eq!(identity("alert", "auth.type: workload_identity", &pod).as_deref(), Ok(expected));
    let expected = "application d of tenant t with the federated token of /token";
    let written = "client_id: d, auth: {type: workload_identity, token_file: /token}";
    assert_eq!(identity("alert", written, &pod).as_deref(), Ok(expected));
    let error = identity("alert", "auth.type: workload_identity", &pod[..2]).unwrap_err();
    assert!(error.contains("auth.token_file") && error.contains("AZURE_FEDERATED_TOKEN_FILE"), "{error}");
    let error = identity("alert", "tenant_id: t, client_id: c, auth.type: certificate", &pod).unwrap_err();
    assert!(error.contains("auth.certificate: is missing"), "{error}");

    let app_service = [("IDENTITY_ENDPOINT", "http://127.0.0.1:1/msi/token"), ("IDENTITY_HEADER", "hunter2")];
    let arc = [app_service[0], ("IMDS_ENDPOINT", "http://127.0.0.1:1")];
    for (environment, expected) in [
        (&[][..], "system-assigned managed identity of this machine"),
        (&app_service[..], "system-assigned managed identity of this App Service"),
        (&arc[..], "system-assigned managed identity of this server, by Azure Arc"),
    ] {
        assert_eq!(identity("alert", "auth.type: managed_identity", environment).as_deref(), Ok(expected));
    }
    let error = identity("alert", "auth: {type: managed_identity, client_id: c}", &arc).unwrap_err();
    assert!(error.contains("auth.client_id") && error.contains("Azure Arc has none"), "{error}");
}
