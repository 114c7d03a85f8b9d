//! `defenderbeat.yml`: what is read, what is refused, and what is said about it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, its helpers too"
)]

use std::path::Path;
use std::time::Duration;

use defenderbeat_collector::config::{
    Agent, Config, ConfigError, ConfigFile, ConsoleOutput, FileOutput, GeoipOptions, Inventory, InventorySizes, Kind,
    LogLevel, Output, Source,
};
use defenderbeat_collector::http::VerificationMode;
use defenderbeat_collector::source::graph::GraphSettings;

const INPUT: &str = "\
inputs:
  - id: alerts
    type: alert
    tenant_id: contoso.example
    client_id: app
    client_secret: hunter2
";

fn env(name: &str) -> Option<String> {
    Some(
        match name {
            "TENANT" => "fabrikam.example",
            "NUMBER" => "12",
            "SECRET" => "0123",
            "TRUE" => "true",
            "ODD" => "a: [b, ${TENANT}",
            _ => return None,
        }
        .to_owned(),
    )
}

fn load(text: &str, overrides: &[&str]) -> Result<Config, ConfigError> {
    let overrides: Vec<String> = overrides.iter().map(|text| (*text).to_owned()).collect();
    Config::parse("d.yml", text, &overrides, &env)
}

/// The input above, its further options, and a console.
fn input(options: &str) -> String {
    let options: String = options.lines().map(|line| format!("    {line}\n")).collect();
    format!("{INPUT}{options}output.console: {{}}\n")
}

fn graph(config: &Config) -> &GraphSettings {
    match &config.inputs[0].source {
        Source::Graph(settings) => settings,
        _ => panic!("another source"),
    }
}

fn errors(text: &str, overrides: &[&str]) -> Vec<String> {
    let error = load(text, overrides).expect_err("the configuration is refused").to_string();
    assert!(!error.contains("hunter2"), "a secret is shown: {error}");
    error.lines().map(str::to_owned).collect()
}

fn error(text: &str, overrides: &[&str]) -> String {
    let mut errors = errors(text, overrides);
    assert_eq!(errors.len(), 1, "{errors:#?}");
    errors.remove(0)
}

#[test]
fn what_is_not_written_is_the_default() {
    let config = load(&input(""), &[]).unwrap();
    let input = &config.inputs[0];
    assert_eq!((input.id.as_str(), input.kind, input.enabled), ("alerts", Kind::Alert, true));
    assert_eq!(input.data_stream.namespace, "default");
    assert_eq!(input.max_record_size, 64 << 20);
    assert_eq!(config.output, Output::Console(ConsoleOutput::default()));
    assert_eq!(config.data_path, Path::new("data"));
    assert_eq!(config.dead_letter_path, Path::new("data/dead-letter"));
    assert_eq!(config.logging.level, LogLevel::Info);
    assert_eq!(config.shutdown_timeout, Duration::from_secs(30));
    assert_eq!(config.name, None);
    let settings = graph(&config);
    assert_eq!(settings.client_secret.expose().as_str(), "hunter2");
    assert_eq!(settings.url, "https://graph.microsoft.com");
    assert_eq!(settings.initial_interval, Duration::from_secs(24 * 3600));
    assert_eq!(settings.retry.max_attempts, 5);
    assert!(settings.proxy_url.is_none());
}

#[test]
fn every_kind_of_value_is_read() {
    let text = input(
        "enabled: false
tags: [a, b]
preserve_original_event: true
max_record_size: 10mb
data_stream.namespace: prod
login_url: https://login.microsoftonline.us
scopes: one
endpoint_params: {a.b: x, c: [y, 2]}
proxy_url: http://user:hunter2@proxy:3128
ssl: {certificate_authorities: [ca.pem], verification_mode: certificate}
http_client_timeout: 1m30s
retry:
  max_attempts: \"3\"
  wait_min: 300ms
include_unknown_enum_members: true
interval: 1h30m
batch_size: 50
overlap: 0s",
    ) + "name: collector-1
path.data: /var/lib/defenderbeat
dead_letter.path: /var/log/dead
logging.level: warning
shutdown_timeout: 5s
";
    let config = load(&text, &[]).unwrap();
    let first = &config.inputs[0];
    assert!(!first.enabled && first.preserve_original_event && !first.preserve_duplicate_custom_fields);
    assert_eq!(first.tags, ["a", "b"]);
    assert_eq!(first.max_record_size, 10_000_000);
    assert_eq!(first.data_stream.namespace, "prod");
    let settings = graph(&config);
    assert_eq!(settings.scopes, ["one"]);
    assert_eq!(settings.endpoint_params["a.b"], ["x"]);
    assert_eq!(settings.endpoint_params["c"], ["y", "2"]);
    assert_eq!(settings.proxy_url.as_ref().unwrap().expose().as_str(), "http://user:hunter2@proxy:3128");
    assert_eq!(settings.ssl.certificate_authorities, ["ca.pem"]);
    assert_eq!(settings.ssl.verification_mode, VerificationMode::Certificate);
    assert_eq!(settings.http_client_timeout, Duration::from_secs(90));
    assert_eq!(settings.retry.max_attempts, 3);
    assert_eq!(settings.retry.wait_min, Duration::from_millis(300));
    assert_eq!(settings.interval, Duration::from_secs(5400));
    assert_eq!((settings.batch_size, settings.overlap), (50, Duration::ZERO));
    assert!(settings.include_unknown_enum_members);
    assert_eq!(config.name.as_deref(), Some("collector-1"));
    assert_eq!(config.data_path, Path::new("/var/lib/defenderbeat"));
    assert_eq!(config.dead_letter_path, Path::new("/var/log/dead"));
    assert_eq!((config.logging.level, config.shutdown_timeout), (LogLevel::Warning, Duration::from_secs(5)));
    assert_eq!(
        graph(&load(&input("ssl.verification_mode: strict"), &[]).unwrap()).ssl.verification_mode,
        VerificationMode::Full
    );
}

#[test]
fn each_output_has_its_options() {
    let file = |options: &str| load(&format!("{INPUT}output.file: {{{options}}}"), &[]).unwrap().output;
    let defaults = FileOutput {
        path: "/out".into(),
        filename: "defenderbeat".into(),
        rotate_every_kb: 10_240,
        number_of_files: 7,
        permissions: 0o600,
        rotate_on_startup: true,
        metadata: true,
    };
    assert_eq!(file("path: /out"), Output::File(defaults.clone()));
    assert_eq!(
        file(
            "path: /out, filename: x, rotate_every_kb: 1, number_of_files: 1024, permissions: 0640, \
             rotate_on_startup: false, metadata: false"
        ),
        Output::File(FileOutput {
            filename: "x".into(),
            rotate_every_kb: 1,
            number_of_files: 1024,
            permissions: 0o640,
            rotate_on_startup: false,
            metadata: false,
            ..defaults
        })
    );
    assert_eq!(load(&format!("{INPUT}output.discard: {{}}"), &[]).unwrap().output, Output::Discard);
}

#[test]
fn exactly_one_output() {
    assert!(error(INPUT, &[]).contains("output: is missing. Name one, such as `output.console: {}`"));
    let two = input("") + "output.file.path: /out\n";
    assert!(error(&two, &[]).contains("d.yml:7: output: has more than one"));
    assert!(matches!(load(&two, &["output.console=null"]).unwrap().output, Output::File(_)));
}

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
    assert_eq!(graph(&config).endpoint_params["a.b"], ["c"]);
    assert_eq!(graph(&config).endpoint_params["x"], ["y"]);
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
fn a_component_gets_the_settings_of_its_input() {
    let text = input(
        "tags: [a]
preserve_duplicate_custom_fields: true
max_record_size: 1MiB
rows: [{from: $.a.b, to: site.name}]
processors: [{drop_event: {when: {equals: {a.b: 1}}}}]",
    ) + "processors: [{add_tags: {tags: [b]}}]\n";
    let config = load(&text, &[]).unwrap();
    let agent = Agent { id: "i".into(), name: "n".into(), version: "1".into(), ephemeral_id: "e".into() };
    let settings = |facts| config.inputs[0].component_settings(&agent, facts, None);
    let mut expected = serde_json::json!({
            "namespace": "default",
            "tags": ["a"],
            "preserve_original_event": false,
            "preserve_duplicate_custom_fields": true,
            "rows": [{"from": "$.a.b", "to": "site.name"}],
            "processors": [{"drop_event": {"when": {"equals": {"a.b": 1}}}}, {"add_tags": {"tags": ["b"]}}],
            "max_record_size": 1 << 20,
            "agent": {"id": "i", "name": "n", "type": "defenderbeat", "version": "1", "ephemeral_id": "e"},
    });
    assert_eq!(serde_json::from_str::<serde_json::Value>(&settings(false)).unwrap(), expected);
    expected["inventory"] = serde_json::json!({"devices": 50_000, "signatures": 100_000});
    assert_eq!(serde_json::from_str::<serde_json::Value>(&settings(true)).unwrap(), expected);
}

#[test]
fn an_inventory_has_sizes_or_is_off() {
    let sizes = |devices, signatures| Inventory::Sizes(InventorySizes { devices, signatures });
    for (option, expected, setting) in [
        ("inventory: off", Inventory::Off, "false"),
        ("inventory: false", Inventory::Off, "false"),
        ("inventory: ${OFF:off}", Inventory::Off, "false"),
        ("inventory: {devices: 7}", sizes(7, 100_000), r#"{"devices":7,"signatures":100000}"#),
        ("inventory.signatures: 8", sizes(50_000, 8), r#"{"devices":50000,"signatures":8}"#),
        ("inventory:", Inventory::default(), r#"{"devices":50000,"signatures":100000}"#),
    ] {
        let config = load(&input(option), &[]).unwrap();
        assert_eq!(config.inputs[0].inventory, expected, "{option}");
        assert_eq!(serde_json::to_string(&expected).unwrap(), setting);
    }
    for (option, message) in [
        ("inventory: some", "inputs.0.inventory: wants off, or options below it, such as `devices`"),
        ("inventory: [off]", "inputs.0.inventory: wants options below it, such as `devices`, not a list"),
        ("inventory: {device: 7}", "inputs.0.inventory.device: is no option; did you mean `devices`?"),
        ("inventory: {devices: 0}", "inputs.0.inventory.devices: wants a whole number from 1 on"),
        ("workers: 0", "inputs.0.workers: wants a whole number from 1 to 256"),
    ] {
        let error = error(&input(option), &[]);
        assert!(error.contains(message), "{option}: {error}");
    }
}

#[test]
fn databases_of_addresses_are_named_by_their_files() {
    let config = load(&format!("{}geoip.city: c.mmdb\n", input("workers: 3")), &["geoip.asn=a.mmdb"]).unwrap();
    assert_eq!(config.geoip, GeoipOptions { city: Some("c.mmdb".into()), asn: Some("a.mmdb".into()) });
    assert_eq!(config.inputs[0].workers, Some(3));
    assert_eq!(load(&input(""), &[]).unwrap().geoip, GeoipOptions::default());
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let file = ConfigFile { path: "/no/such.yml".into(), overrides: Vec::new(), strict_perms: true };
    let error = file.load(&env).unwrap_err().to_string();
    assert!(error.starts_with("the configuration /no/such.yml cannot be read"), "{error}");
}
