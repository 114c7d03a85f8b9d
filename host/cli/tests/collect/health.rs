//! What a running process tells of itself: metrics, health, status, samples; and its log.

use std::io::{BufRead as _, BufReader};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Stdio};

use defenderbeat_simulator::{AccessOptions, AlertOptions, EventHubsOptions, FaultOptions, Options};
use serde_json::Value;

use crate::asked::{Asked, free_port, pause};
use crate::program::{Program, Running, Tenant, log, polled, streamed};

fn alerts(count: usize) -> AlertOptions {
    AlertOptions { count, ..AlertOptions::default() }
}

#[test]
fn a_running_process_tells_what_it_collects() {
    let faults = FaultOptions { throttled: 0.3, retry_after: 0, ..FaultOptions::default() };
    let event_hubs = EventHubsOptions { partitions: 2, ..EventHubsOptions::default() };
    let tenant = Tenant::start(Options { alerts: alerts(300), faults, event_hubs, ..Options::default() });
    let hub = tenant.simulator.event_hubs().hub("defender").unwrap();
    for text in ["no json", r#"{"records":[{"category":"AdvancedHunting-Unheard","properties":{"A":1}}]}"#] {
        hub.publish(1, text).unwrap();
    }
    let inputs = [("alerts", polled(&tenant, "alert", "1s")), ("events", streamed(&tenant))];
    let asked = Asked::new(&tenant, &inputs, &["inputs.0.batch_size=20", "inputs.0.retry.max_attempts=50"]);
    let _process = asked.start();
    let value = |name: &str, input: &str| {
        let (status, text) = asked.get("/metrics");
        assert_eq!(status, 200);
        let begin = format!("defenderbeat_input_{name}{{input=\"{input}\"");
        text.lines().find(|line| line.starts_with(&begin))?.rsplit(' ').next()?.parse::<f64>().ok()
    };
    asked.until("all is delivered and saved", |_| {
        value("delivered_total", "alerts") == Some(300.0)
            && value("in_flight_bytes", "alerts") == Some(0.0)
            && value("checkpoint_age_seconds", "alerts").is_some_and(|age| age < 60.0)
            && value("last_success_timestamp_seconds", "alerts").is_some_and(|time| time > 1.7e9)
            && value("lag_seconds", "alerts").is_some_and(|lag| lag < 60.0)
    });
    assert!(value("throttled_total", "alerts").unwrap() > 0.0, "the tenant answers 429 now and then");
    assert!(value("memory_bytes", "alerts").unwrap() > 1e6 && value("workers", "alerts") == Some(1.0));
    assert!(value("component_seconds_total", "alerts").unwrap() > 0.0);
    // One message is no JSON, and nothing is left in the partitions.
    asked.until("the events are read", |_| {
        value("dead_letters_total", "events") == Some(1.0)
            && value("delivered_total", "events") == Some(1.0)
            && value("lag_messages", "events") == Some(0.0)
    });
    let drift: f64 = {
        let (_, text) = asked.get("/metrics");
        let lines = text.lines().filter(|line| line.starts_with(r#"defenderbeat_input_drift_total{input="events""#));
        lines.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()).sum()
    };
    assert!(drift > 0.0, "a table that nobody has heard of is told by name");

    let stats: Value = serde_json::from_str(&asked.get("/stats").1).unwrap();
    assert_eq!(stats["inputs"]["alerts"]["delivered"], 300);
    assert_eq!((&stats["output"]["type"], &stats["output"]["delivered"]), (&"file".into(), &301.into()));
    let info: Value = serde_json::from_str(&asked.get("/").1).unwrap();
    assert_eq!(info["ephemeral_id"], stats["beat"]["info"]["ephemeral_id"]);
    assert_eq!(asked.get("/livez"), (200, "ok\n".to_owned()));
    assert_eq!(asked.get("/readyz"), (200, "ok\n".to_owned()));

    let status = asked.command(&["status"]);
    let text = String::from_utf8(status.stdout.clone()).unwrap();
    assert!(status.status.success() && text.contains("\nready\n"), "{text}{}", log(&status));
    assert!(text.lines().any(|line| line.starts_with("alerts") && line.contains("300")), "{text}");
    let raw: Value = serde_json::from_slice(&asked.command(&["status", "--json"]).stdout).unwrap();
    assert_eq!(raw["inputs"]["alerts"]["records"], stats["inputs"]["alerts"]["records"]);
}

#[test]
fn an_input_that_fails_for_three_intervals_makes_it_not_ready_until_it_is_mended() {
    let port = free_port();
    let start = |missing_role| {
        let access = AccessOptions { missing_role, ..AccessOptions::default() };
        Tenant::start(Options { port, alerts: alerts(5), access, ..Options::default() })
    };
    let tenant = start(false);
    let asked = Asked::of_alerts(&tenant, &[]);
    let _process = asked.start();
    asked.until("alerts are delivered", |asked| asked.metric("defenderbeat_input_delivered_total") == Some(5.0));
    assert_eq!(asked.get("/readyz").0, 200);
    drop(tenant);
    let refusing = start(true);
    asked.until("it is not ready", |asked| asked.get("/readyz").0 == 503);
    asked.until("the reason is told", |asked| {
        let (status, reasons) = asked.get("/readyz");
        status == 503
            && reasons.starts_with("input contoso has failed for ")
            && reasons.contains("SecurityAlert.Read.All")
    });
    assert!(asked.metric("defenderbeat_input_failures_total").unwrap() >= 2.0);
    assert_eq!(asked.get("/livez").0, 200, "a restart would not help");
    let status = asked.command(&["status"]);
    let text = String::from_utf8_lossy(&status.stdout).into_owned();
    assert_eq!(status.status.code(), Some(1), "{text}");
    assert!(text.contains("not ready:\n  input contoso") && text.contains("SecurityAlert.Read.All"), "{text}");
    drop(refusing);
    let _mended = start(false);
    asked.until("it is ready again", |asked| asked.get("/readyz").0 == 200);
}

#[test]
fn only_questions_that_are_meant_for_this_machine_are_answered() {
    let tenant = Tenant::start(Options { alerts: alerts(1), ..Options::default() });
    let asked = Asked::of_alerts(&tenant, &[]);
    let _process = asked.start();
    let of = |method: &str, host: &str| asked.ask(&format!("{method} /stats HTTP/1.1\r\nHost: {host}\r\n\r\n"));
    for host in ["localhost", "LOCALHOST:1", "127.0.0.1:5066", "[::1]:5066"] {
        assert_eq!(of("GET", host).0, 200, "{host}");
    }
    for host in ["rebound.example.com", "localhost.example.com:5066", "127.0.0.1.example.com", ""] {
        let (status, text) = of("GET", host);
        assert!(status == 403 && !text.contains("inputs"), "{host}: {text}");
    }
    assert_eq!(of("HEAD", "localhost"), (200, String::new()));
    for method in ["POST", "PUT", "DELETE", "OPTIONS"] {
        assert_eq!(of(method, "localhost").0, 405, "{method}");
    }
    assert_eq!(asked.get("/nothing").0, 404);
    let (status, text) = asked.get("/tap");
    assert!(status == 403 && text.contains("http.tap.enabled"), "{text}");
    let tap = asked.command(&["tap"]);
    assert!(tap.status.code() == Some(1) && log(&tap).contains("http.tap.enabled"), "{}", log(&tap));
}

#[test]
fn a_port_that_is_taken_and_a_host_that_is_another_are_said_at_the_start() {
    let tenant = Tenant::start(Options { alerts: alerts(1), ..Options::default() });
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = format!("http.port={}", taken.local_addr().unwrap().port());
    let program = Program::new(&tenant, &["http.enabled=true", &port]);
    let output = program.once();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        log(&output).contains("another process listens there") && log(&output).contains("http.port"),
        "{}",
        log(&output)
    );
    assert!(program.files().is_empty(), "nothing was collected");
    let output = program.again(&["http.host=192.0.2.1"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(log(&output).contains("http.host has to be"), "{}", log(&output));
    let output = program.again(&["http.host=0.0.0.0", "http.tap.enabled=true"]);
    assert!(output.status.code() == Some(1) && log(&output).contains("http.tap.enabled"), "{}", log(&output));
    let output = program.again(&["http.host=0.0.0.0", &format!("http.port={}", free_port())]);
    assert!(output.status.success() && log(&output).contains("http.host is not loopback"), "{}", log(&output));

    for command in ["status", "tap"] {
        let port = format!("http.port={}", free_port());
        let mut process = program.command(&[command]);
        let output = process.args(["-E", &port]).output().unwrap();
        assert!(output.status.code() == Some(1) && log(&output).contains("nobody answers"), "{}", log(&output));
        let output = program.command(&[command]).args(["-E", "http.enabled=false"]).output().unwrap();
        assert!(output.status.code() == Some(1) && log(&output).contains("http.enabled"), "{}", log(&output));
    }
}

#[test]
fn documents_and_rejects_can_be_looked_at_as_they_pass() {
    let event_hubs = EventHubsOptions { partitions: 1, ..EventHubsOptions::default() };
    let tenant = Tenant::start(Options { alerts: alerts(1), event_hubs, ..Options::default() });
    let inputs = [("alerts", polled(&tenant, "alert", "1h")), ("events", streamed(&tenant))];
    let asked = Asked::new(&tenant, &inputs, &["http.tap.enabled=true"]);
    let _process = asked.start();
    let unknown = asked.command(&["tap", "other"]);
    assert!(unknown.status.code() == Some(1) && log(&unknown).contains("alerts, events"), "{}", log(&unknown));
    let mut process = asked.program.command(&["tap", "events", "-n", "2"]);
    let mut tap: Child = process.stdout(Stdio::piped()).spawn().unwrap();
    // Samples are those that pass while somebody looks, and when it begins to look cannot be seen from here.
    let hub = tenant.simulator.event_hubs().hub("defender").unwrap();
    while tap.try_wait().unwrap().is_none() {
        hub.publish(0, "no json").unwrap();
        pause();
    }
    assert!(tap.wait().unwrap().success());
    for line in BufReader::new(tap.stdout.take().unwrap()).lines() {
        let sample: Value = serde_json::from_str(&line.unwrap()).unwrap();
        assert_eq!((&sample["input"], &sample["kind"]), (&"events".into(), &"reject".into()), "{sample}");
        assert_eq!((&sample["code"], &sample["record"]), (&"malformed".into(), &"no json".into()), "{sample}");
    }
}

#[test]
fn the_log_is_ecs_where_no_terminal_is_and_what_is_repeated_is_said_once() {
    let event_hubs = EventHubsOptions { partitions: 1, ..EventHubsOptions::default() };
    let tenant = Tenant::start(Options { event_hubs, ..Options::default() });
    let hub = tenant.simulator.event_hubs().hub("defender").unwrap();
    for _ in 0..50 {
        hub.publish(0, "no json").unwrap();
    }
    let program = Program::of_events(&tenant, &["logging.json=null"]);
    let output = program.once();
    assert!(output.status.success(), "{}", log(&output));
    let text = log(&output);
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(lines.iter().all(|line| line["ecs.version"].is_string() && line["service.name"] == "defenderbeat"));
    let said = |words: &str| -> Vec<&Value> {
        lines.iter().filter(|line| line["message"].as_str().unwrap().starts_with(words)).collect()
    };
    let rejected = said("a record cannot be mapped");
    assert_eq!(rejected.len(), 1, "{text}");
    assert_eq!((&rejected[0]["log.level"], &rejected[0]["log.logger"]), (&"warn".into(), &"deliver.letters".into()));
    let fields = &rejected[0]["defenderbeat"];
    assert_eq!((&fields["input"], &fields["reason"]), (&"contoso".into(), &"not a JSON object".into()));
    let repeated = said("repeated 49 times: a record cannot be mapped");
    assert_eq!((repeated.len(), &repeated[0]["log.level"]), (1, &"warn".into()), "{text}");
    // What ends the process, or keeps it from starting, is a line like the others.
    for option in ["inputs.0.eventhub=other", "geoip.city=/nonexistent.mmdb"] {
        let output = program.again(&[option]);
        let last: Value = serde_json::from_str(log(&output).lines().last().unwrap()).unwrap();
        assert_eq!((output.status.code(), &last["log.level"]), (Some(1), &"error".into()), "{last}");
    }
}

#[test]
fn selectors_make_parts_of_the_program_say_more() {
    let tenant = Tenant::start(Options {
        alerts: alerts(1),
        faults: FaultOptions { failed: 0.9, ..FaultOptions::default() },
        ..Options::default()
    });
    let program = Program::new(&tenant, &["inputs.0.retry.max_attempts=1000", "logging.selectors=[http]"]);
    let output = program.once();
    assert!(output.status.success() && log(&output).contains("request is tried again"), "{}", log(&output));
    let program = Program::new(&tenant, &["logging.selectors=[http, sauce.graph]"]);
    let output = program.once();
    assert!(output.status.code() == Some(1) && log(&output).contains("logging.selectors.1"), "{}", log(&output));
}

#[test]
fn fuel_is_counted_where_that_is_asked_for() {
    let tenant = Tenant::start(Options { alerts: alerts(3), ..Options::default() });
    let asked = Asked::of_alerts(&tenant, &[]);
    let mut process = asked.program.command(&["run", "--fuel"]);
    let _process = Running(process.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
    while TcpStream::connect(("127.0.0.1", asked.port)).is_err() {
        pause();
    }
    asked
        .until("fuel is counted", |asked| asked.metric("defenderbeat_input_fuel_total").is_some_and(|fuel| fuel > 1e4));
}

#[test]
fn shells_and_man_are_given_what_they_read() {
    let tenant = Tenant::start(Options { alerts: alerts(1), ..Options::default() });
    let program = Program::new(&tenant, &[]);
    let run = |arguments: &[&str]| {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_defenderbeat")).args(arguments).output().unwrap();
        assert!(output.status.success(), "{}", log(&output));
        String::from_utf8(output.stdout).unwrap()
    };
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = run(&["completions", shell]);
        assert!(script.contains("defenderbeat") && script.contains("replay"), "{shell}");
    }
    let page = run(&["man"]);
    assert!(page.contains(".TH defenderbeat 1") && page.contains("status"), "{page}");
    let folder = program.folder.path().join("man");
    run(&["man", "--folder", folder.to_str().unwrap()]);
    for name in ["defenderbeat.1", "defenderbeat-run.1", "defenderbeat-tap.1"] {
        assert!(folder.join(name).exists(), "{name}");
    }
}
