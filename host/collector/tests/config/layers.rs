//! What is put together: keys in all forms, overrides, variables, files of secrets.

use std::time::Duration;

use defenderbeat_collector::config::{ConsoleOutput, LogLevel, Output};
use defenderbeat_collector::http::Secret;

use crate::{INPUT, error, errors, graph, input, load};

#[test]
fn dotted_keys_and_levels_are_the_same() {
    for text in ["output.console.pretty: true", "output: {console: {pretty: true}}", "output: {console.pretty: true}"] {
        let config = load(&format!("{INPUT}{text}"), &[]).unwrap();
        assert_eq!(
            config.output,
            Output::Console(ConsoleOutput { pretty: true, ..ConsoleOutput::default() }),
            "{text}"
        );
        let config = load(&format!("{INPUT}{text}"), &["output.console={pretty: false}"]).unwrap();
        assert_eq!(config.output, Output::Console(ConsoleOutput::default()), "{text}");
    }
    let split = input("ssl.verification_mode: none\nssl: {certificate_authorities: [a]}");
    assert_eq!(graph(&load(&split, &[]).unwrap()).ssl.certificate_authorities, ["a"]);
}

#[test]
fn a_key_that_is_given_twice_is_refused() {
    assert!(error("name: a\nname: b\n", &[]).starts_with("d.yml:2:1: duplicate mapping key `name`"));
    let twice = input("ssl.verification_mode: none\nssl: {verification_mode: full}");
    let error = error(&twice, &[]);
    assert!(error.contains("inputs.0.ssl.verification_mode: is given twice, the other time at d.yml:"), "{error}");
}

#[test]
fn overrides_are_put_over_the_file() {
    let text = input("tags: [a, b]\nendpoint_params: {x: y}");
    let config = load(
        &text,
        &[
            "inputs.0.interval=1m",
            "inputs.0.tags=[c]",
            "inputs.0.endpoint_params.a.b=c",
            "output.console.pretty=true",
            "name = a=b",
            "logging.level=debug",
            "logging.level=error",
        ],
    )
    .unwrap();
    assert_eq!(graph(&config).interval, Duration::from_secs(60));
    assert_eq!(graph(&config).endpoint_params["a.b"], [Secret::new("c")]);
    assert_eq!(graph(&config).endpoint_params["x"], [Secret::new("y")]);
    assert_eq!(config.inputs[0].tags, ["c"]);
    assert_eq!(config.output, Output::Console(ConsoleOutput { pretty: true, ..ConsoleOutput::default() }));
    assert_eq!(config.name.as_deref(), Some("a=b"));
    assert_eq!(config.logging.level, LogLevel::Error);
    let more = "inputs.1={id: b, type: alert, tenant_id: t, client_id: c, client_secret: s}";
    assert_eq!(load(&text, &[more]).unwrap().inputs.len(), 2);
}

#[test]
fn overrides_that_are_wrong_are_named() {
    assert!(error(&input(""), &["output.console"]).starts_with("-E output.console: wants the form key=value"));
    assert!(error(&input(""), &["=x"]).contains("wants the form key=value"));
    assert_eq!(
        error(&input(""), &["logging.levle=debug"]),
        "-E logging.levle: logging.levle: is no option; did you mean `level`?"
    );
    assert!(error(&input(""), &["inputs.0.client_secret=*hunter2"]).starts_with("-E inputs.0.client_secret:1:1: "));
    assert!(error(&input(""), &["inputs.5.interval=1m"]).contains("inputs: wants a list"));
}

#[test]
fn variables_become_what_is_wanted() {
    let text = input(
        "tenant_id: ${TENANT}
client_secret: ${SECRET}
batch_size: ${NUMBER}
retry.max_attempts: ${NONE:4}
interval: ${NUMBER}m
include_unknown_enum_members: ${TRUE}
tags: [\"${ODD}\", '$${TENANT}', '${NONE:}x']
processors:
  - add_fields:
      fields:
        a: ${NUMBER}
        b: '${NUMBER}'
        c: ${ODD}",
    )
    .replace("    tenant_id: contoso.example\n", "")
    .replace("    client_secret: hunter2\n", "");
    let config = load(&text, &["name=${TENANT}"]).unwrap();
    let settings = graph(&config);
    assert_eq!(settings.tenant_id, "fabrikam.example");
    assert_eq!(settings.client_secret.expose().as_str(), "0123", "a secret stays the text it is");
    assert_eq!((settings.batch_size, settings.retry.max_attempts), (12, 4));
    assert_eq!(settings.interval, Duration::from_secs(720));
    assert!(settings.include_unknown_enum_members);
    assert_eq!(config.inputs[0].tags, ["a: [b, ${TENANT}", "${TENANT}", "x"]);
    assert_eq!(
        config.inputs[0].processors[0].to_string(),
        r#"{"add_fields":{"fields":{"a":12,"b":"12","c":"a: [b, ${TENANT}"}}}"#
    );
    assert_eq!(config.name.as_deref(), Some("fabrikam.example"));
}

#[test]
fn a_missing_variable_is_named_with_its_option() {
    let text =
        input("interval: ${NONE}\nurl: ${NO_URL:?set it to your cloud}\nprocessors: [{add_tags: {tags: [\"${P}\"]}}]");
    let errors = errors(&text, &[]);
    assert_eq!(
        errors,
        [
            "d.yml:7: inputs.0.interval: NONE is neither in the keystore nor set in the environment; `defenderbeat keystore add NONE` \
             puts it into the keystore, and `${NONE:default}` gives a default",
            "d.yml:8: inputs.0.url: NO_URL is neither in the keystore nor set in the environment: set it to your cloud",
            "d.yml:9: inputs.0.processors.0.add_tags.tags.0: P is neither in the keystore nor set in the environment; \
             `defenderbeat keystore add P` puts it into the keystore, and `${P:default}` gives a default",
        ]
    );
}

#[test]
fn a_secret_may_be_in_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secret");
    std::fs::write(&path, "from a file \r\n").unwrap();
    let secret = |value: &str| input("").replace("hunter2", value);
    let text = secret(&format!("file:{}", path.display()));
    assert_eq!(graph(&load(&text, &[]).unwrap()).client_secret.expose().as_str(), "from a file ");
    let variable = secret("${NONE:file:PATH}").replace("PATH", &path.display().to_string());
    assert_eq!(graph(&load(&variable, &[]).unwrap()).client_secret.expose().as_str(), "from a file ");
    let name = load(&input(""), &["name=file:x"]).unwrap().name;
    assert_eq!(name.as_deref(), Some("file:x"), "only secrets are taken from files");
    std::fs::write(&path, "\n").unwrap();
    assert!(error(&text, &[]).contains("client_secret: the file"));
    assert!(error(&secret("file:/no/such/file"), &[]).contains("client_secret: the file /no/such/file cannot be read"));
}

#[test]
fn no_secret_is_shown() {
    let config = load(&input("proxy_url: http://u:hunter2@p:1"), &[]).unwrap();
    let shown = format!("{config:?}");
    assert!(!shown.contains("hunter2") && shown.contains("[redacted]"), "{shown}");
    // `errors` looks for the secret in each message.
    error(&input("client_secret: hunter2"), &[]);
    error(&input("client_secrt: hunter2"), &[]);
    error(&input("").replace("hunter2", "{a: hunter2}"), &[]);
    error(&input("").replace("hunter2", "[hunter2, hunter2]"), &[]);
    error(&input("interval: hunter2"), &[]);
}
