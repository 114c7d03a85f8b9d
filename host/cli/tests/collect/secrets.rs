//! Secrets: that a new one is taken while the program runs, and that none is ever shown. Every option that holds a secret is tried.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use defenderbeat_collector::config::secrets;
use defenderbeat_simulator::{AlertOptions, EventHubsOptions, Options};

use crate::planted::{PLANTED, Planted, files};
use crate::program::{Program, Running, Tenant, log, polled, streamed};

/// Further secrets than those of options: one that travels in an address, and those that a platform gives.
const FURTHER: [&str; 4] = [
    "alert.auth.IDENTITY_HEADER",
    "alert.auth.token_file",
    "event.storage_account_connection_string.SharedAccessSignature",
    "coordination.azure_blob.storage_account_connection_string.SharedAccessSignature",
];

fn tenant() -> Tenant {
    let alerts = AlertOptions { count: 20, ..AlertOptions::default() };
    let event_hubs = EventHubsOptions { partitions: 1, ..EventHubsOptions::default() };
    Tenant::start(Options { alerts, event_hubs, ..Options::default() })
}

/// The forms in which something shows a secret: as it is, which is as in an address too, and as base64, wherever in a text it stands.
fn forms(secret: &str) -> BTreeSet<String> {
    let mut forms = BTreeSet::from([secret.to_owned()]);
    for before in 0..3 {
        let text = "x".repeat(before) + secret;
        for base64 in [STANDARD, URL_SAFE] {
            let encoded = base64.encode(&text);
            let encoded = encoded.trim_end_matches('=');
            // The first and the last letters depend on what stands beside it.
            forms.insert(encoded[if before == 0 { 0 } else { 4 }..encoded.len() - 2].to_owned());
        }
    }
    forms
}

/// Refuses what is asked for: as Elasticsearch does, with the number and the words of a wrong key.
fn refusing_server() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            thread::spawn(move || {
                let mut buffer = [0; 65536];
                let body = r#"{"error":{"type":"security_exception","reason":"unable to authenticate"},"status":401}"#;
                while stream.read(&mut buffer).is_ok_and(|read| read > 0) {
                    let answer = format!(
                        "HTTP/1.1 401 Unauthorized\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
                        body.len()
                    );
                    if stream.write_all(answer.as_bytes()).is_err() {
                        return;
                    }
                }
            });
        }
    });
    port
}

#[test]
fn no_secret_of_any_option_is_shown_by_whatever_speaks_of_it() {
    let (tenant, port) = (tenant(), refusing_server());
    let mut options = secrets();
    assert!(options.len() >= 25, "{options:?}");
    options.extend(FURTHER.map(str::to_owned));
    let (tenant, options) = (&tenant, &options);
    thread::scope(|scope| {
        for first in 0..3 {
            scope.spawn(move || {
                for option in options.iter().skip(first).step_by(3) {
                    let planted = Planted::new(option, tenant, port);
                    // A password that opens nothing is refused before.
                    let starts = !option.ends_with("certificate_password");
                    let seen = planted.seen(starts);
                    // Without the storage account nobody leads.
                    let leads = starts && !option.starts_with("coordination.");
                    let id = if option.starts_with("output.") { "\"good\"" } else { "\"planted\"" };
                    let has_started = seen.lines().any(|line| line.contains("input starts") && line.contains(id));
                    assert_eq!(has_started, leads, "{option}: {seen}");
                    let key = planted.secret.lines().nth(3).filter(|_| planted.secret.contains("PRIVATE KEY"));
                    for form in forms(key.unwrap_or(PLANTED)) {
                        let at = seen.find(&form);
                        let around = at.map(|at| &seen[at.saturating_sub(300)..(at + 100).min(seen.len())]);
                        assert_eq!(around, None, "{option}");
                    }
                }
            });
        }
    });
}

#[test]
fn documents_and_dead_letters_hold_no_secret() {
    let tenant = tenant();
    let hub = tenant.simulator.event_hubs().hub("defender").unwrap();
    for text in ["no json", r#"{"records":[{"category":"AdvancedHunting-Unheard","properties":{"A":1}}]}"#] {
        hub.publish(0, text).unwrap();
    }
    let inputs = [("contoso", polled(&tenant, "alert", "1s")), ("hub", streamed(&tenant))];
    let program = Program::of(&tenant, &inputs, &["logging.level=debug"]);
    let output = program.once();
    assert!(output.status.success(), "{}", log(&output));
    assert!(program.dead_letters().contains("no json"));
    let connection = tenant.simulator.event_hubs().connection_string();
    let key = connection.split("SharedAccessKey=").nth(1).unwrap().split(';').next().unwrap();
    fs::remove_file(program.folder.path().join("defenderbeat.yml")).unwrap();
    let seen = log(&output) + &files(program.folder.path());
    for secret in [key, &tenant.simulator.options().access.client_secret] {
        for form in forms(secret) {
            assert!(!seen.contains(&form), "{seen}");
        }
    }
}

#[test]
fn a_secret_on_the_command_line_is_taken_and_warned_about() {
    let tenant = tenant();
    let program = Program::new(&tenant, &[]);
    let secret = tenant.simulator.options().access.client_secret.clone();
    let open = format!("inputs.0.client_secret={secret}");
    let output = program.again(&[&open]);
    let said = log(&output);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("-E inputs.0.client_secret") && said.contains("command line"), "{said}");
    assert!(!said.contains(&secret), "{said}");
    let file = format!("inputs.0.client_secret=file:{}/secret", program.folder.path().display());
    assert!(!log(&program.again(&[&file])).contains("command line"));
}

#[test]
fn a_secret_in_a_file_may_be_replaced_and_taken_away_while_the_program_runs() {
    let tenant = tenant();
    let program = Program::new(&tenant, &["inputs.0.interval=100ms"]);
    let secret = program.folder.path().join("secret");
    let right = fs::read_to_string(&secret).unwrap();
    fs::write(&secret, "wrong\n").unwrap();
    let file = program.folder.path().join("log");
    let mut run = program.command(&["run"]);
    let mut process = Running(run.stdout(Stdio::null()).stderr(File::create(&file).unwrap()).spawn().unwrap());
    let mut until = |what: &str| {
        for _ in 0..3000 {
            if fs::read_to_string(&file).unwrap().contains(what) {
                return;
            }
            assert_eq!(process.0.try_wait().unwrap(), None, "it has ended");
            thread::sleep(Duration::from_millis(20));
        }
        panic!("{what}: {}", fs::read_to_string(&file).unwrap());
    };
    until("AADSTS7000215");
    fs::write(&secret, right).unwrap();
    until("has another secret now");
    for _ in 0..3000 {
        if program.delivered() == tenant.expected() {
            break;
        }
        thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(program.delivered(), tenant.expected());
    // Without the file the last secret is used.
    fs::remove_file(&secret).unwrap();
    tenant.simulator.revoke_tokens();
    until("the secret that was in it is used");
    drop(process);
    let output = program.once();
    assert!(!output.status.success() && log(&output).contains("cannot be read"), "{}", log(&output));
}
