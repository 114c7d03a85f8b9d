//! What `setup` does with a server; a fake one, because the one for tests lacks most of what is written here.

use serde_json::json;

use super::config;
use super::fake::Fake;
use crate::setup::{Options, set_up};

const ALL: &str = "inputs:
  - id: a
    type: alert
    CREDENTIALS
  - id: v
    type: vulnerability
    CREDENTIALS
setup.ingest_pipeline: true";

const OPTIONS: Options = Options { dry_run: false, overwrite: false };

/// The lines that are said, or the error.
fn run_with(server: &Fake, text: &str, options: &Options) -> Result<Vec<String>, String> {
    let mut lines = Vec::new();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let result = runtime.block_on(set_up(server, &config(text), options, &mut |line| lines.push(line)));
    result.map(|()| lines).map_err(|error| format!("{error:#}"))
}

fn run(server: &Fake) -> Result<Vec<String>, String> {
    run_with(server, ALL, &OPTIONS)
}

#[test]
fn a_second_time_changes_nothing_on_a_fake_server() {
    let server = Fake::default();
    let first = run(&server).unwrap();
    let policy = "ILM policy logs-m365_defender.vulnerability@defenderbeat: created".to_owned();
    assert!(first.contains(&policy), "{first:#?}");
    assert_eq!(first.last().unwrap(), "created 11, changed 0, unchanged 0, left alone 0");
    let writes = server.writes.borrow().len();
    let second = run(&server).unwrap();
    assert_eq!(second.last().unwrap(), "created 0, changed 0, unchanged 11, left alone 0", "{second:#?}");
    assert_eq!(server.writes.borrow().len(), writes);
    // Only what the inputs need.
    assert!(server.content.borrow().keys().all(|path| !path.contains("event") && !path.contains("incident")));
}

#[test]
fn a_dry_run_writes_nothing_to_a_fake_server() {
    let server = Fake::default();
    let lines = run_with(&server, ALL, &Options { dry_run: true, overwrite: false }).unwrap();
    assert!(lines.iter().any(|line| line.ends_with("-mappings: would be created")), "{lines:#?}");
    assert!(lines.last().unwrap().starts_with("nothing was written"));
    assert_eq!(*server.writes.borrow(), [""; 0]);
}

#[test]
fn what_is_not_as_it_should_be_is_changed_on_a_fake_server() {
    let server = Fake::default();
    run(&server).unwrap();
    let path = "_component_template/logs-m365_defender.alert@defenderbeat-mappings";
    server.content.borrow_mut().get_mut(path).unwrap()["template"]["mappings"]["properties"]["message"] =
        json!({ "type": "text" });
    let lines = run(&server).unwrap();
    assert_eq!(lines.last().unwrap(), "created 0, changed 1, unchanged 10, left alone 0");
    // Data streams that are there do not know of it.
    assert!(lines.iter().any(|line| line.contains("roll over")), "{lines:#?}");
}

#[test]
fn a_transform_that_changes_is_stopped_and_made_anew_on_a_fake_server() {
    let server = Fake::default();
    run(&server).unwrap();
    server.writes.borrow_mut().clear();
    let text = ALL.replace("setup.ing", "    interval: 12h\nsetup.ing");
    run_with(&server, &text, &OPTIONS).unwrap();
    let path = "_transform/logs-m365_defender.vulnerability_latest-defenderbeat";
    let expected =
        [format!("POST {path}/_stop"), format!("DELETE {path}"), format!("PUT {path}"), format!("POST {path}/_start")];
    assert_eq!(*server.writes.borrow(), expected);
}

#[test]
fn a_transform_that_cannot_be_started_is_made_again_by_the_next_run_on_a_fake_server() {
    let mut server = Fake { refused: ["/_start"].into(), ..Fake::default() };
    let error = run(&server).unwrap_err();
    assert!(error.contains("_start") && error.contains("the account may not"), "{error}");
    server.refused.clear();
    let lines = run(&server).unwrap();
    assert!(lines.last().unwrap().starts_with("created 1, changed 0"), "{lines:#?}");
}

#[test]
fn what_another_manages_stops_everything_on_a_fake_server() {
    for meta in [json!({ "managed_by": "fleet", "managed": true }), json!(null)] {
        let server = Fake::default();
        let path = "_index_template/logs-m365_defender.alert@defenderbeat";
        server.content.borrow_mut().insert(path.to_owned(), json!({ "_meta": meta }));
        let error = run(&server).unwrap_err();
        assert!(error.contains("index template logs-m365_defender.alert@defenderbeat"), "{error}");
        assert_eq!(*server.writes.borrow(), [""; 0]);
    }
}

#[test]
fn an_index_of_another_transform_stops_everything_on_a_fake_server() {
    let alias = "security_solution-m365_defender.vulnerability_latest";
    for dest in [
        // Versions of an integration differ.
        json!({ "index": format!("{alias}-v1") }),
        json!({ "index": format!("{alias}-v3"), "aliases": [{ "alias": alias, "move_on_creation": true }] }),
        json!({ "index": "findings", "aliases": [{ "alias": alias }] }),
    ] {
        let server = Fake::default();
        let other = json!({ "id": "logs-m365_defender.latest-default", "dest": dest });
        server.content.borrow_mut().insert("_transform/logs-m365_defender.latest-default".to_owned(), other);
        let error = run(&server).unwrap_err();
        assert!(error.contains("setup.transform: false"), "{error}");
        assert_eq!(*server.writes.borrow(), [""; 0]);
        run_with(&server, &format!("{ALL}\nsetup.transform: false"), &OPTIONS).unwrap();
    }
}

#[test]
fn transforms_that_write_something_else_are_nobodys_business_on_a_fake_server() {
    let server = Fake::default();
    let index = "security_solution-qualys_vmdr.vulnerability_latest-v1";
    let dest =
        json!({ "index": index, "aliases": [{ "alias": "security_solution-qualys_vmdr.vulnerability_latest" }] });
    let other = json!({ "id": "logs-qualys_vmdr.latest-default", "dest": dest });
    server.content.borrow_mut().insert("_transform/logs-qualys_vmdr.latest-default".to_owned(), other);
    run(&server).unwrap();
}

#[test]
fn a_data_stream_that_is_there_gets_the_lifecycle_of_its_template_on_a_fake_server() {
    let server = Fake::default();
    let stream = "_data_stream/logs-m365_defender.vulnerability-default";
    server.content.borrow_mut().insert(stream.to_owned(), json!({ "generation": 1 }));
    let there = || server.content.borrow()[stream]["lifecycle"].clone();
    let said = |options: &Options| {
        let lines = run_with(&server, &format!("{ALL}\nsetup.lifecycle: data_stream"), options).unwrap();
        lines.into_iter().filter(|line| line.starts_with("lifecycle of")).collect::<Vec<_>>().join("\n")
    };
    run(&server).unwrap();
    assert_eq!(there(), json!(null));
    let dry = said(&Options { dry_run: true, overwrite: false });
    assert!(dry.ends_with("vulnerability-default: would be created") && there() == json!(null), "{dry}");
    assert_eq!(said(&OPTIONS), "lifecycle of data stream logs-m365_defender.vulnerability-default: created");
    assert_eq!(there(), json!({ "enabled": true, "data_retention": "7d" }));
    assert_eq!(said(&OPTIONS), "");

    // How long data stays is the site's decision.
    let longer = json!({ "enabled": true, "data_retention": "90d" });
    server.content.borrow_mut().get_mut(stream).unwrap()["lifecycle"] = longer.clone();
    let left = said(&OPTIONS);
    assert!(left.contains("left alone") && there() == longer, "{left}");
    let changed = said(&Options { dry_run: false, overwrite: true });
    assert!(changed.ends_with(": changed"), "{changed}");
    assert_eq!(there()["data_retention"], "7d");
}

#[test]
fn what_is_not_chosen_any_more_leaves_the_templates_of_a_fake_server() {
    let server = Fake::default();
    run(&server).unwrap();
    let index = || {
        let path = "_component_template/logs-m365_defender.alert@defenderbeat-settings";
        server.content.borrow()[path]["template"]["settings"]["index"].clone()
    };
    assert!(index().get("lifecycle").is_some() && index().get("final_pipeline").is_some(), "{}", index());
    let text = ALL.replace("setup.ingest_pipeline: true", "setup.lifecycle: none");
    run_with(&server, &text, &OPTIONS).unwrap();
    assert!(index().get("lifecycle").is_none() && index().get("final_pipeline").is_none(), "{}", index());
    let again = run_with(&server, &text, &OPTIONS).unwrap();
    assert!(again.last().unwrap().starts_with("created 0, changed 0,"), "{again:#?}");
}

#[test]
fn how_the_index_of_the_latest_vulnerabilities_gets_a_newer_mapping_is_said_on_a_fake_server() {
    let server = Fake::default();
    let first = run(&server).unwrap();
    let is_said = |lines: &[String]| lines.iter().any(|line| line.contains("delete_dest_index"));
    assert!(!is_said(&first), "{first:#?}");
    let path = "_index_template/security_solution-m365_defender.vulnerability_latest@defenderbeat";
    server.content.borrow_mut().get_mut(path).unwrap()["_meta"]["version"] = "0.0.0".into();
    let second = run(&server).unwrap();
    assert!(is_said(&second), "{second:#?}");
}

#[test]
fn a_policy_that_was_changed_by_hand_is_left_alone_on_a_fake_server() {
    let server = Fake::default();
    run(&server).unwrap();
    let path = "_ilm/policy/logs-m365_defender.vulnerability@defenderbeat";
    let age = || server.content.borrow()[path]["policy"]["phases"]["delete"]["min_age"].clone();
    server.content.borrow_mut().get_mut(path).unwrap()["policy"]["phases"]["delete"]["min_age"] = "90d".into();
    let lines = run(&server).unwrap();
    assert_eq!(lines.last().unwrap(), "created 0, changed 0, unchanged 10, left alone 1");
    assert_eq!(age(), "90d");
    run_with(&server, ALL, &Options { dry_run: false, overwrite: true }).unwrap();
    assert_eq!(age(), "7d");
    // A phase more is a change too.
    server.content.borrow_mut().get_mut(path).unwrap()["policy"]["phases"]["warm"] =
        json!({ "actions": { "readonly": {} } });
    let lines = run(&server).unwrap();
    assert!(lines.last().unwrap().ends_with("left alone 1"), "{lines:#?}");
}

#[test]
fn a_fake_server_that_lacks_things_gets_what_it_can_take_and_that_is_said() {
    let server = Fake {
        unknown: ["wildcard", "constant_keyword", "flat_object", "ignore_missing_component_templates"].into(),
        absent: ["_ilm", "_transform", "_ingest"].into(),
        ..Fake::default()
    };
    let custom = "logs-m365_defender.alert@custom";
    server.content.borrow_mut().insert(format!("_component_template/{custom}"), json!({ "template": {} }));
    let lines = run(&server).unwrap().join("\n");
    for said in [
        "lacks the field type wildcard: keyword takes its place",
        "lacks the field type constant_keyword: keyword",
        "lacks ignore_missing_component_templates",
        "lacks index lifecycle management: data streams get a lifecycle of their own",
        "lacks the ingest processor set",
        "lacks transforms",
    ] {
        assert!(lines.contains(said), "{said}: {lines}");
    }
    assert!(!lines.contains("match_only_text"), "{lines}");
    let content = server.content.borrow();
    let template = &content["_index_template/logs-m365_defender.alert@defenderbeat"];
    assert_eq!(template["composed_of"].as_array().unwrap().last().unwrap(), custom);
    let template = &content["_index_template/logs-m365_defender.vulnerability@defenderbeat"];
    assert!(!template.to_string().contains("@custom"), "{template}");
    assert!(content.keys().all(|path| !path.contains("_ilm") && !path.contains("_transform")));
}

#[test]
fn an_account_that_may_not_is_told_what_to_do_by_a_fake_server() {
    for (status, advice) in
        [(401, "Check output.elasticsearch.api_key"), (403, "docs/elasticsearch.md"), (503, "Try again")]
    {
        let error = run(&Fake { refuses: Some(status), ..Fake::default() }).unwrap_err();
        assert!(error.contains(advice) && error.contains("action is unauthorized"), "{error}");
    }
}
