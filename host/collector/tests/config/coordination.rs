//! `coordination`: which options it takes, and which go together.

use std::time::Duration;

use defenderbeat_collector::config::Config;
use defenderbeat_collector::coordination::AzureBlobSettings;

fn load(options: &str) -> Result<AzureBlobSettings, String> {
    let input = "{id: alerts, type: alert, tenant_id: t, client_id: c, client_secret: s}";
    let text = format!("inputs: [{input}]\noutput.console: {{}}\ncoordination.azure_blob: {{{options}}}\n");
    let config = Config::parse("d.yml", &text, &[], &|_| None).map_err(|error| error.to_string())?;
    Ok(config.coordination.unwrap())
}

#[test]
fn an_account_is_all_that_has_to_be_named() {
    let settings = load("storage_account: contoso, storage_account_key: a2V5").unwrap();
    assert_eq!(settings.storage_account_container, "defenderbeat");
    assert_eq!(settings.lease_duration, Duration::from_secs(30));
    assert!(!format!("{settings:?}").contains("a2V5"));
    for by_identity in [
        "storage_account: contoso, storage_account_auth: {type: managed_identity}",
        "storage_account_connection_string: 'BlobEndpoint=https://b.example', storage_account_auth: {type: managed_identity}",
    ] {
        load(by_identity).unwrap();
    }
}

#[test]
fn without_it_a_process_is_alone() {
    let text = "inputs: [{id: a, type: alert, tenant_id: t, client_id: c, client_secret: s}]\noutput.console: {}\n";
    assert!(Config::parse("d.yml", text, &[], &|_| None).unwrap().coordination.is_none());
}

#[test]
fn what_is_wrong_is_said_by_the_option() {
    let account = "storage_account: contoso, storage_account_key: a2V5";
    for (options, option, word) in [
        ("lease_duration: 20s".to_owned(), "storage_account", "is missing"),
        ("storage_account: contoso".to_owned(), "storage_account_key", "is missing"),
        ("storage_account: Contoso, storage_account_key: a2V5".to_owned(), "storage_account", "lower-case"),
        ("storage_account: contoso, storage_account_key: '%'".to_owned(), "storage_account_key", "base64"),
        (format!("{account}, storage_account_container: Mine"), "storage_account_container", "lower-case"),
        (format!("{account}, lease_duration: 10s"), "lease_duration", "15s to 60s"),
        (format!("{account}, lease_duration: 2m"), "lease_duration", "15s to 60s"),
        (format!("{account}, lease_duration: 15500ms"), "lease_duration", "whole seconds"),
        (
            "storage_account: contoso, storage_account_auth: {type: client_secret}".to_owned(),
            "storage_account_auth",
            "tenant_id is missing",
        ),
    ] {
        let error = load(&options).unwrap_err();
        let option = format!("coordination.azure_blob.{option}");
        assert!(error.contains(&option) && error.contains(word) && !error.contains("a2V5"), "{options}: {error}");
    }
}
