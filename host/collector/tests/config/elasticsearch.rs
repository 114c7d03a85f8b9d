//! Options of `output.elasticsearch`.

use std::time::Duration;

use defenderbeat_collector::config::{Config, Output};
use defenderbeat_collector::http::Secret;
use defenderbeat_collector::output::Backoff;
use defenderbeat_collector::output::elasticsearch::ElasticsearchSettings;

fn load(options: &str) -> Result<ElasticsearchSettings, String> {
    let text = format!(
        "inputs: [{{id: a, type: alert, tenant_id: b, client_id: c, client_secret: d}}]\noutput.elasticsearch:\n{options}"
    );
    let env = |name: &str| (name == "API_KEY").then(|| "id:s3cret".to_owned());
    match Config::parse("d.yml", &text, &[], &env) {
        Ok(Config { output: Output::Elasticsearch(settings), .. }) => Ok(*settings),
        Ok(config) => panic!("{:?}", config.output),
        Err(error) => Err(error.to_string()),
    }
}

#[test]
fn options_are_named_as_in_beats() {
    let settings = load(
        "  hosts: [https://a:9200, b]
  username: writer
  password: pass
  headers: {X-A.b: c}
  pipeline: mine
  bulk_max_size: 50
  bulk_max_bytes: 1mb
  worker: 2
  compression_level: 0
  timeout: 10s
  backoff: {init: 2s, max: 3s}
  proxy_url: http://proxy:3128
  proxy_disable: true
  ssl: {certificate_authorities: ca.pem, verification_mode: certificate, certificate: c.pem, key: c.key}
",
    );
    // A password goes to https, or to this machine.
    assert!(settings.unwrap_err().contains("d.yml:3: output.elasticsearch.hosts: must be https"));
    let settings = load("  hosts: localhost\n  headers.X-A.b: c\n  backoff.init: 2s\n").unwrap();
    let backoff = Backoff { init: Duration::from_secs(2), ..Backoff::default() };
    let mut expected =
        ElasticsearchSettings { hosts: vec!["localhost".into()], backoff, ..ElasticsearchSettings::default() };
    expected.headers.insert("X-A.b".into(), Secret::new("c"));
    assert_eq!(settings, expected);
}

#[test]
fn what_is_wrong_is_told_by_option_and_line() {
    for (options, expected) in [
        ("  {}\n", "output.elasticsearch.hosts: is missing"),
        ("  hosts: []\n", "d.yml:3: output.elasticsearch.hosts: must not be empty"),
        ("  hosts: a\n  api_key: ${API_KEY}\n", "d.yml:3: output.elasticsearch.hosts: must be https"),
        ("  hosts: localhost\n  username: b\n", "output.elasticsearch.password: is missing"),
        ("  hosts: a\n  workers: 2\n", "d.yml:4: output.elasticsearch.workers: is no option; did you mean `worker`?"),
        (
            "  hosts: a\n  compression_level: 10\n",
            "d.yml:4: output.elasticsearch.compression_level: wants a whole number",
        ),
        ("  hosts: a\n  timeout: 0s\n", "d.yml:4: output.elasticsearch.timeout: must be longer than 0"),
        ("  hosts: a\n  backoff.max: 0s\n", "output.elasticsearch.backoff.init: must not be longer than backoff.max"),
    ] {
        let error = load(options).unwrap_err();
        assert!(error.contains(expected) && !error.contains("s3cret"), "{error}");
    }
    let shown = format!("{:?}", load("  hosts: localhost\n  api_key: ${API_KEY}\n").unwrap());
    assert!(!shown.contains("s3cret"), "{shown}");
}
