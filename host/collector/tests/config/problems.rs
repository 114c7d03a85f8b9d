//! What is refused, and what is said about it.

use defenderbeat_collector::config::{ConfigFile, Kind};

use crate::{INPUT, env, error, errors, graph, input, load};

#[test]
fn unknown_options_are_met_with_the_nearest() {
    let text = input(
        "tenantid: x
ssl: {verification_mod: full}
retry.max_attemps: 1
data_stream.namspace: x
verification_mode: full
certifcate: x
frobnicate: x",
    ) + "ouput.console: {}\nlogging: {levle: info}\n";
    let told: Vec<String> =
        errors(&text, &[]).iter().map(|error| error.split_once(' ').unwrap().1.to_owned()).collect();
    assert_eq!(
        told[..5],
        [
            "inputs.0.tenantid: is no option; did you mean `tenant_id`?",
            "inputs.0.ssl.verification_mod: is no option; did you mean `verification_mode`?",
            "inputs.0.retry.max_attemps: is no option; did you mean `max_attempts`?",
            "inputs.0.data_stream.namspace: is no option; did you mean `namespace`?",
            "inputs.0.verification_mode: is no option; did you mean `ssl.verification_mode`?",
        ]
    );
    assert!(told[6].starts_with("inputs.0.frobnicate: is no option; there are id, type, enabled, "), "{}", told[6]);
    assert_eq!(
        told[7..],
        ["ouput: is no option; did you mean `output`?", "logging.levle: is no option; did you mean `level`?",]
    );
}

#[test]
fn what_is_missing_depends_on_the_type() {
    let text = "inputs:\n  - {id: a, type: alert, tenant_id: '', client_id: c}\noutput.console: {}\n";
    assert_eq!(
        errors(text, &[]),
        [
            "d.yml:2: inputs.0.tenant_id: must not be empty",
            "d.yml:2: inputs.0.client_secret: is missing. The application's secret.",
        ]
    );
}

#[test]
fn what_is_wrong_is_told_all_at_once_with_its_line() {
    let text = "\
inputs:
  - type: alrt
    client_id: [a]
    interval: 5
    batch_size: -1
    max_record_size: lots
    enabled: maybe
    retry:
      max_attempts: 0
    ssl: full
    tags: {a: b}
output.file:
  number_of_files: 1
  permissions: rwx
logging.level: warn
";
    assert_eq!(
        errors(text, &[]),
        [
            "d.yml:2: inputs.0.type: wants one of alert, incident, event, vulnerability; did you mean alert?",
            "d.yml:2: inputs.0.id: is missing. Names the input in logs and keys its state, so it must be unique in this file \
         and stay as it is: an input with another id starts anew.",
            "d.yml:3: inputs.0.client_id: wants a text, not a list",
            "d.yml:4: inputs.0.interval: wants a duration with its unit, such as 300ms, 5m, 24h or 1h30m",
            "d.yml:5: inputs.0.batch_size: wants a whole number from 0 on",
            "d.yml:6: inputs.0.max_record_size: wants a size above 0, such as 64MiB, 10mb or a number of bytes",
            "d.yml:7: inputs.0.enabled: wants true or false",
            "d.yml:9: inputs.0.retry.max_attempts: wants a whole number from 1 on",
            "d.yml:10: inputs.0.ssl: wants options below it, such as `certificate_authorities`, not a single value",
            "d.yml:11: inputs.0.tags: wants a list, not options below it",
            "d.yml:12: output.file.path: is missing. The folder.",
            "d.yml:13: output.file.number_of_files: wants a whole number from 2 to 1024",
            "d.yml:14: output.file.permissions: wants octal permissions, such as 0600",
            "d.yml:15: logging.level: wants one of error, warning, info, debug",
        ]
    );
}

#[test]
fn include_alerts_is_for_incidents() {
    let with = |kind: &str, options: &str| input(options).replace("type: alert", &format!("type: {kind}"));
    let config = load(&with("incident", "include_alerts: false"), &[]).unwrap();
    assert_eq!((config.inputs[0].kind, graph(&config).include_alerts), (Kind::Incident, false));
    assert!(graph(&load(&with("incident", ""), &[]).unwrap()).include_alerts);
    let message = error(&with("alert", "include_alerts: false"), &[]);
    assert!(message.contains("d.yml:7: inputs.0.include_alerts: is for inputs of type incident only"), "{message}");
}

#[test]
fn ids_are_unique_and_name_files() {
    let other = |id: &str| format!("  - {{id: {id}, type: alert, tenant_id: t, client_id: c, client_secret: s}}\n");
    let two = |id: &str| format!("{INPUT}{}output.console: {{}}\n", other(id));
    assert!(load(&two("tenant-2_a.b"), &[]).is_ok());
    for id in ["alerts", "Alerts"] {
        assert!(error(&two(id), &[]).starts_with("d.yml:7: inputs.1.id: is the id of inputs.0 too"));
    }
    for id in ["a/b", "..", "\"a b\"", "ä", &"a".repeat(101)] {
        assert!(error(&two(id), &[]).contains("inputs.1.id: must be of 1 to 100 letters"), "{id}");
    }
    assert!(error("output.console: {}", &[]).contains("inputs: is missing"));
    assert!(error("inputs: []\noutput.console: {}", &[]).contains("inputs: is missing"));
}

#[test]
fn namespaces_are_those_that_elasticsearch_takes() {
    let with = |namespace: &str| input(&format!("data_stream.namespace: \"{namespace}\""));
    for namespace in ["default", "tenant_1.eu", "ü", &"a".repeat(100)] {
        assert!(load(&with(namespace), &[]).is_ok(), "{namespace}");
    }
    assert!(error(&with("Prod"), &[]).contains("inputs.0.data_stream.namespace: must be in lower case"));
    for namespace in ["a-b", "a b", "a*", "a:b", "a/b", "a#", "a,b", "a|b", "<a", "a>", "a?", "a\\\\b", "a\\\"b"] {
        assert!(error(&with(namespace), &[]).contains("must have none of"), "{namespace}");
    }
    assert!(error(&with(&"ü".repeat(51)), &[]).contains("1 to 100 bytes"));
    assert!(error(&with(""), &[]).contains("namespace: must be of 1 to 100 bytes"));
}

#[test]
fn options_that_do_not_go_together_are_refused() {
    for (option, message) in [
        ("url: http://graph.microsoft.com", "inputs.0.url: "),
        ("login_url: nowhere", "inputs.0.login_url: is no address"),
        ("interval: 0s", "inputs.0.interval: must be longer than 0"),
        ("retry: {wait_min: 2m, wait_max: 1m}", "inputs.0.retry.wait_min: must not be longer than retry.wait_max"),
    ] {
        assert!(error(&input(option), &[]).contains(message), "{option}");
    }
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let file = ConfigFile { path: "/no/such.yml".into(), overrides: Vec::new(), strict_perms: true };
    let error = file.load(&env).unwrap_err().to_string();
    assert!(error.starts_with("the configuration /no/such.yml cannot be read"), "{error}");
}

/// Otherwise secrets would go into a keystore that the collector does not look at.
#[test]
fn a_variable_that_says_where_the_keystore_is_has_to_be_there() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("d.yml");
    let file = ConfigFile { path: path.clone(), overrides: Vec::new(), strict_perms: false };
    for option in ["path.data", "keystore.path"] {
        std::fs::write(&path, input("") + option + ": ${NONE}\n").unwrap();
        let wanted = format!("d.yml:8: {option}: NONE is not set in the environment");
        for error in [file.keystore_path(&env).unwrap_err(), file.load(&env).unwrap_err()] {
            let error = error.to_string();
            assert!(error.contains(&wanted) && error.contains("`${NONE:default}`"), "{error}");
        }
        std::fs::write(&path, input("") + option + ": /var/${TENANT}\n").unwrap();
        assert!(file.keystore_path(&env).unwrap().starts_with("/var/fabrikam.example"));
    }
}
