//! What the server will never take goes to the dead letters, with its reason.

use defenderbeat_simulator::EventHubsOptions;
use reqwest::Method;
use serde_json::{Value, json};

use crate::delivery::{alerts, tenant};
use crate::program::log;
use crate::server::server;
use crate::stream::name;

#[test]
fn documents_that_do_not_fit_the_mapping_are_dead_letters_and_the_others_arrive() {
    let Some(server) = server() else { return };
    let template = json!({
        "index_patterns": ["logs-m365_defender.alert-refusing"],
        "data_stream": {},
        "priority": 500,
        // Severities are 21, 47 and 73; hours of a day end with 23.
        "template": {"mappings": {"dynamic": false, "properties": {"event": {"properties": {"severity": {"type": "date", "format": "HH"}}}}}},
    });
    server.ask(Method::PUT, "/_index_template/refusing", &template.to_string());
    let tenant = tenant(600, EventHubsOptions::default());
    let output = server.output(server.elasticsearch.writer());
    let program = alerts(&tenant, "refusing", &output);
    let said = program.once();
    assert!(said.status.success(), "{}", log(&said));
    let letters: Vec<Value> = program.dead_letters().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let arrived = server.count(&name("alert", "refusing"));
    assert!(arrived > 0 && !letters.is_empty(), "{arrived} arrived");
    assert_eq!(arrived + letters.len() as u64, 100);
    for letter in letters {
        assert!(letter["message"].as_str().unwrap().contains("event.severity"), "{letter}");
        assert!(letter["document"]["@timestamp"].is_string(), "{letter}");
        assert_eq!(letter["index"], name("alert", "refusing"), "{letter}");
    }
}
