//! The configuration as it is shown: what is in force, read again as the same, without secrets.

use defenderbeat_collector::config::{ConfigFile, Output};
use defenderbeat_collector::keystore::Keystore;
use serde_json::{Value, json};

use crate::{INPUT, env, graph, load};

/// What is shown of a text, with a keystore that has KEPT.
fn export(text: &str, overrides: &[&str]) -> Result<Value, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("d.yml");
    let keys = folder.path().join("keys");
    std::fs::write(&path, format!("{text}keystore.path: {}\n", keys.display())).unwrap();
    let mut keystore = Keystore::new(keys, String::new().into());
    keystore.add("KEPT", "hunter2".to_owned().into()).unwrap();
    keystore.save(true).unwrap();
    let overrides = overrides.iter().map(|text| (*text).to_owned()).collect();
    let file = ConfigFile { path, overrides, strict_perms: false };
    let mut shown = file.export(&env).map_err(|error| error.to_string())?;
    assert!(shown["keystore"].take()["path"].is_string());
    shown.as_object_mut().unwrap().remove("keystore");
    Ok(shown)
}

#[test]
fn what_is_in_force_is_shown_in_levels_and_without_secrets() {
    let text = "\
inputs:
  - id: alerts
    type: ${NONE:alert}
    tenant_id: ${TENANT}
    client_id: ${KEPT}
    client_secret: hunter2
    batch_size: ${NUMBER}
    interval: 5m
    preserve_original_event: ${TRUE}
    ssl.verification_mode: none
    proxy_url: http://user:hunter2@proxy:3128
    tags: one
    inventory: off
    endpoint_params: {a.b: [hunter2, '${KEPT}']}
    processors:
      - add_fields:
          fields:
            a.b: ${NUMBER}
            c: '12'
            d: ${KEPT}
            e: $${x}
            f:
            g: https://u:hunter2@h/
  - {id: more, type: alert, enabled: false, auth: {type: client_secret, tenant_id: t, client_id: c, client_secret: 'file:Cargo.toml'}}
output.console.pretty: true
output.elasticsearch: {hosts: [localhost], headers: {x.y: hunter2, z: '${KEPT}'}, api_key: 'id:${KEPT}'}
name: 0123
";
    let shown = export(text, &["output.console=null", "name=012", "logging.level=debug"]).unwrap();
    let wanted = json!({
        "inputs": [
            {
                "id": "alerts", "type": "alert", "tenant_id": "fabrikam.example", "client_id": "${KEPT}",
                "client_secret": "<redacted>", "batch_size": 12, "interval": "5m", "preserve_original_event": true,
                "ssl": {"verification_mode": "none"}, "proxy_url": "<redacted>", "tags": "one", "inventory": "off",
                "endpoint_params": {"a.b": ["<redacted>", "${KEPT}"]},
                "processors": [{"add_fields": {"fields": {
                    "a.b": 12, "c": "12", "d": "${KEPT}", "e": "$${x}", "f": null, "g": "https://<redacted>@h/",
                }}}],
            },
            {
                "id": "more", "type": "alert", "enabled": false,
                "auth": {"type": "client_secret", "tenant_id": "t", "client_id": "c", "client_secret": "file:Cargo.toml"},
            },
        ],
        "output": {"elasticsearch": {
            "hosts": ["localhost"], "headers": {"x.y": "<redacted>", "z": "${KEPT}"}, "api_key": "<redacted>",
        }},
        "name": "012",
        "logging": {"level": "debug"},
    });
    assert_eq!(shown, wanted);
}

#[test]
fn what_is_shown_is_read_again_as_the_same() {
    let text = format!(
        "{INPUT}    batch_size: 12\n    interval: 1h30m\n    tags: ['yes', '012', 'a: b', '- c', '\u{201c}ü\\n', '', '#d', '$${{e}}']
    max_record_size: 1048576\noutput.file: {{path: /x, permissions: 0640}}\n"
    );
    let yaml = serde_saphyr::to_string(&export(&text, &[]).unwrap()).unwrap();
    let (first, again) = (load(&text, &[]).unwrap(), load(&yaml.replace("<redacted>", "hunter2"), &[]).unwrap());
    assert_eq!(format!("{:?}", first.inputs), format!("{:?}", again.inputs), "{yaml}");
    assert_eq!(graph(&again).client_secret.expose().as_str(), "hunter2");
    assert!(matches!(&again.output, Output::File(file) if file.permissions == 0o640), "{yaml}");
}

#[test]
fn what_is_wrong_is_said_as_ever() {
    let error = export(&format!("{INPUT}    intervall: 1m\noutput.console: {{}}\nname: ${{NONE}}\n"), &[]).unwrap_err();
    assert!(error.contains("did you mean `interval`?") && error.contains("NONE is neither in the keystore"), "{error}");
    assert!(!error.contains("hunter2"), "{error}");
}
