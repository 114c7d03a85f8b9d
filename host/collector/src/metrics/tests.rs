//! What `/metrics` and `/stats` say.

use std::collections::BTreeSet;

use super::*;
use crate::config::Config;

fn registry() -> std::sync::Arc<Registry> {
    let text = "
inputs:
  - {id: contoso, type: alert, tenant_id: t, client_id: c, client_secret: s, interval: 1m}
  - {id: fabrikam, type: alert, tenant_id: t, client_id: c, client_secret: s, enabled: false}
output.discard: {}
";
    Registry::new(&Config::parse("test", text, &[], &|_| None).unwrap())
}

#[test]
fn definitions_keep_to_the_rules_of_prometheus() {
    let mut names = BTreeSet::new();
    for Definition { name, kind, unit, help, labels, own_label } in definitions() {
        assert!(names.insert(name), "{name} is there twice");
        let word = |text: &str| text.chars().all(|c| c.is_ascii_lowercase() || c == '_');
        assert!(word(name) && labels.iter().chain(own_label).all(|label| word(label)), "{name}");
        assert_eq!(name.ends_with("_total"), *kind == Kind::Counter, "{name}");
        let base = name.trim_end_matches("_total");
        assert_eq!(base.ends_with("_seconds"), *unit == "seconds", "{name}");
        assert_eq!(base.ends_with("bytes"), *unit == "bytes", "{name}");
        assert!(help.ends_with('.') && !help.contains(['\n', '|']), "{name}: {help}");
    }
    assert!(names.len() >= 50);
}

#[test]
fn metrics_are_told_as_text_with_their_labels_escaped() {
    let registry = registry();
    let metrics = registry.input("contoso");
    metrics.records.add(7_u32);
    metrics.drift.add("a\"b\\c\nd", 2_u32);
    metrics.throttled_time.add(std::time::Duration::from_millis(1500));
    registry.output.delivered.add(5_u32);
    let text = registry.text();
    for line in [
        "# TYPE defenderbeat_input_records_total counter",
        r#"defenderbeat_input_records_total{input="contoso",type="alert"} 7"#,
        r#"defenderbeat_input_drift_total{input="contoso",type="alert",name="a\"b\\c\nd"} 2"#,
        r#"defenderbeat_input_throttled_seconds_total{input="contoso",type="alert"} 1.5"#,
        r#"defenderbeat_output_delivered_total{output="discard"} 5"#,
        concat!(r#"defenderbeat_build_info{version=""#, env!("CARGO_PKG_VERSION"), r#""} 1"#),
    ] {
        assert!(text.lines().any(|other| other == line), "{line}\n{text}");
    }
    assert!(!text.contains("fabrikam"), "an input that does not run has no metrics");
    assert!(!text.contains("lag_seconds"), "what is not known is left out");
    // Each metric is said once, before its values.
    let types: Vec<&str> = text.lines().filter(|line| line.starts_with("# TYPE")).collect();
    assert_eq!(types.len(), types.iter().collect::<BTreeSet<_>>().len());
}

#[test]
fn stats_are_nested_by_input_and_output() {
    let registry = registry();
    let metrics = registry.input("contoso");
    metrics.records.add(7_u32);
    metrics.drift.add("newColumn", 2_u32);
    metrics.lag.set(Some(1.5));
    let stats = registry.stats();
    assert_eq!(stats["beat"]["info"]["version"], env!("CARGO_PKG_VERSION"));
    let input = &stats["inputs"]["contoso"];
    assert_eq!((&input["type"], &input["records"]), (&"alert".into(), &7.into()));
    assert_eq!((&input["drift"]["newColumn"], &input["lag_seconds"]), (&2.into(), &1.5.into()));
    assert_eq!((&stats["output"]["type"], &stats["output"]["sends"]), (&"discard".into(), &0.into()));
    assert_eq!(input["failing"], serde_json::json!([]));
}

#[test]
fn it_is_not_ready_with_an_output_that_fails_at_once_and_with_an_input_after_three_intervals() {
    let registry = registry();
    registry.input("contoso").cycle_failed(&"no answer");
    assert!(registry.reasons().is_empty(), "three minutes are not over");
    registry.output.health.failed("sending", &"refused");
    assert_eq!(registry.reasons(), ["the output has failed for 0s (sending): refused"]);
    registry.input("contoso").health.ended(&"no right");
    assert_eq!(registry.reasons()[0], "input contoso has ended: no right");
}

#[test]
fn what_an_output_did_is_said_in_a_line_without_what_there_was_none_of() {
    let output = OutputMetrics::default();
    assert_eq!(output.to_string(), "0 documents delivered");
    for (counter, number) in [(&output.delivered, 12_u32), (&output.duplicates, 3), (&output.retried, 2)] {
        counter.add(number);
    }
    assert_eq!(output.to_string(), "12 documents delivered, 3 there already, 2 sent again");
}
