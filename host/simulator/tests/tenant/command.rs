//! The command `defenderbeat-simulator`.

use std::collections::BTreeSet;
use std::io::BufRead;
use std::process::{Command, Output};
use std::time::Duration;

use serde_json::Value;

use crate::client::client;

fn run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_defenderbeat-simulator")).args(arguments).output().unwrap()
}

#[test]
fn generate_prints_the_same_lines_for_a_seed() {
    let output = run(&["generate", "alerts", "--count", "20", "--seed", "5"]);
    assert!(output.status.success());
    let lines: Vec<&[u8]> = output.stdout.trim_ascii_end().split(|byte| *byte == b'\n').collect();
    assert_eq!(lines.len(), 20);
    assert!(lines.iter().all(|line| serde_json::from_slice::<Value>(line).unwrap()["id"].is_string()));
    assert_eq!(run(&["generate", "alerts", "--count", "20", "--seed", "5"]).stdout, output.stdout);
    assert_ne!(run(&["generate", "alerts", "--count", "20", "--seed", "6"]).stdout, output.stdout);
}

#[test]
fn generate_prints_records_of_the_event_stream_bare_or_in_envelopes() {
    let events = ["generate", "events", "--count", "50", "--table", "deviceinfo", "--table", "EmailEvents"];
    let bare = run(&events).stdout;
    let records: Vec<Value> = bare.lines().map(|line| serde_json::from_str(&line.unwrap()).unwrap()).collect();
    assert_eq!(records.len(), 50);
    let categories: BTreeSet<&str> = records.iter().map(|record| record["category"].as_str().unwrap()).collect();
    assert_eq!(categories, BTreeSet::from(["AdvancedHunting-DeviceInfo", "AdvancedHunting-EmailEvents"]));

    let envelopes = run(&[&events[..], &["--envelope", "20000"]].concat()).stdout;
    assert!(envelopes.lines().all(|line| line.unwrap().len() <= 20_000));
    let enclosed = envelopes.lines().flat_map(|line| match serde_json::from_str::<Value>(&line.unwrap()).unwrap() {
        Value::Object(mut envelope) => envelope.remove("records").unwrap().as_array().unwrap().clone(),
        other => panic!("{other}"),
    });
    assert!(enclosed.eq(records));

    let unknown = run(&["generate", "events", "--table", "Nothing"]);
    assert!(!unknown.status.success());
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("there is no table Nothing"));
}

#[test]
fn generate_prints_what_the_lists_of_vulnerabilities_hold() {
    for (records, count, name) in [
        ("machines", 7, "computerDnsName"),
        ("vulnerabilities", 30, "exposedMachines"),
        ("products", 45, "productVersion"),
        ("export", 43, "softwareVersion"),
        ("changes", 12, "eventTimestamp"),
    ] {
        let sizes =
            ["--machines", "7", "--vulnerabilities", "30", "--exposed", "9", "--products", "40", "--changes", "12"];
        let injected = ["--unknown-cves", "3", "--duplicates", "2"];
        let arguments = [&["generate", "vulnerabilities", records][..], &sizes, &injected].concat();
        let output = run(&arguments).stdout;
        let lines: Vec<Value> = output.lines().map(|line| serde_json::from_str(&line.unwrap()).unwrap()).collect();
        assert_eq!(lines.len(), count, "{records}");
        assert!(lines.iter().all(|line| line.get(name).is_some() && line["id"].is_string()), "{records}");
        assert_eq!(run(&arguments).stdout, output);
        assert_ne!(run(&[&arguments[..], &["--seed", "2"]].concat()).stdout, output);
    }
}

#[test]
fn options_that_contradict_each_other_are_refused() {
    let output = run(&["generate", "alerts", "--count", "2", "--ties", "3"]);
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("ties (3)"));
}

#[cfg(unix)]
#[test]
fn exec_gives_the_command_a_tenant_and_ends_with_its_status() {
    let script = r#"printf '%s\n' "$SIMULATOR_URL" "$SIMULATOR_TENANT_ID" "$SIMULATOR_CLIENT_ID" "$SIMULATOR_CLIENT_SECRET"; exit 7"#;
    let output = run(&["exec", "--tenant-id", "here", "--", "sh", "-c", script]);
    assert_eq!(output.status.code(), Some(7));
    let text = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].starts_with("http://127.0.0.1:"), "{text}");
    assert_eq!(lines[1], "here");
    assert!(lines[2..].iter().all(|line| !line.is_empty()) && lines.len() == 4, "{text}");
    assert_eq!(run(&["exec", "--", "sh", "-c", "kill -9 $$"]).status.code(), Some(137));
}

#[tokio::test]
async fn serve_says_where_it_listens() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("address");
    let mut server = Command::new(env!("CARGO_BIN_EXE_defenderbeat-simulator"))
        .args(["serve", "--address-file"])
        .arg(&file)
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let url = loop {
        match std::fs::read_to_string(&file) {
            Ok(url) => break url,
            Err(_) => assert!(server.try_wait().unwrap().is_none(), "it ended"),
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    };
    let answer = client().get(format!("{url}/v1.0/security/alerts_v2")).send().await;
    server.kill().unwrap();
    server.wait().unwrap();
    assert_eq!(answer.unwrap().status().as_u16(), 401);
}
