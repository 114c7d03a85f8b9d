//! Incidents: with alerts or without, and what is too much.

use defenderbeat_simulator::{AlertOptions, GraphOptions, Options};

use crate::client::{Visitor, body, texts};

const PATH: &str = "/v1.0/security/incidents";

async fn visitor(graph: GraphOptions) -> Visitor {
    let alerts = AlertOptions { count: 60, alerts_per_incident: 10, bare_incidents: 1, ..AlertOptions::default() };
    Visitor::new(Options { alerts, graph, ..Options::default() }).await
}

#[tokio::test]
async fn alerts_come_only_where_they_are_asked_for() {
    let visitor = visitor(GraphOptions::default()).await;
    let bare = body(visitor.get(PATH).await).await;
    assert_eq!(texts(&bare, "id").len(), 7);
    assert!(bare["value"].as_array().unwrap().iter().all(|incident| incident.get("alerts").is_none()));
    let whole = body(visitor.get(&format!("{PATH}?$expand=alerts&$top=50&$filter=status ne 'redirected'")).await).await;
    let incidents = whole["value"].as_array().unwrap();
    assert_eq!(incidents.len(), 6);
    for expected in visitor.simulator.expected_incidents().iter().filter(|incident| !incident.alerts.is_empty()) {
        let incident = incidents.iter().find(|incident| incident["id"] == expected.id.as_str()).unwrap();
        let mut ids: Vec<&str> =
            incident["alerts"].as_array().unwrap().iter().map(|alert| alert["id"].as_str().unwrap()).collect();
        ids.sort_unstable();
        assert_eq!(ids, expected.alerts);
        let single = body(visitor.get(&format!("{PATH}/{}?$expand=alerts", expected.id)).await).await;
        assert_eq!(single["alerts"], incident["alerts"]);
        let query = format!("$filter=incidentId eq '{}'", expected.id);
        assert_eq!(texts(&visitor.page(&query).await, "id").len(), 10);
    }
}

#[tokio::test]
async fn too_much_is_refused_or_fails() {
    let graph = GraphOptions {
        max_expanded: Some(20),
        max_expanded_single: Some(9),
        no_incident_filter: true,
        ..GraphOptions::default()
    };
    let visitor = visitor(graph).await;
    for (query, status, reason) in [
        ("?$top=51", 400, "limit of '50'"),
        ("?$expand=evidence", 400, "'evidence'"),
        ("?$filter=serviceSource eq 'unknown'", 400, "'serviceSource'"),
        ("?$expand=alerts", 500, "internal"),
        ("/4000?$expand=alerts", 500, "internal"),
        ("/1", 404, "Incident '1'"),
    ] {
        let (found, _, message) = visitor.refusal(&format!("{PATH}{query}")).await;
        assert_eq!(found, status, "{query}");
        assert!(message.contains(reason), "{query}: {message}");
    }
    assert_eq!(visitor.simulator.counters().overloaded, 2);
    assert_eq!(visitor.get(&format!("{PATH}?$expand=alerts&$top=2")).await.status(), 200);
    assert_eq!(visitor.get(&format!("{PATH}/4000")).await.status(), 200);
    let (status, ..) = visitor.refusal("/v1.0/security/alerts_v2?$filter=incidentId eq '4000'").await;
    assert_eq!(status, 400);
}
