//! What options become, written or not.

use std::path::Path;
use std::time::Duration;

use defenderbeat_collector::config::{ConsoleOutput, FileOutput, Kind, LogLevel, Output};
use defenderbeat_collector::http::{Secret, VerificationMode};

use crate::{INPUT, error, graph, input, load};

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
    assert_eq!(settings.endpoint_params["a.b"], [Secret::new("x")]);
    assert_eq!(settings.endpoint_params["c"], ["y", "2"].map(Secret::new));
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
