//! A client that is not ours: Python's azure-eventhub, as it speaks with the Event Hubs emulator. It is installed into a
//! virtual environment in the target folder; where that cannot be, the test says so and passes, except in continuous
//! integration.

use std::path::{Path, PathBuf};
use std::process::Command;

use defenderbeat_simulator::EventHubsOptions;
use serde_json::{Value, json};

use crate::client::{hub, start};

const PACKAGE: &str = "azure-eventhub==5.15.1";
const SCRIPT: &str = include_str!("foreign.py");

/// A Python that has the package; why there is none.
fn python() -> Result<PathBuf, String> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(PACKAGE.replace("==", "-"));
    let python = folder.join(if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" });
    let run = |command: &mut Command| {
        let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        if output.status.success() { Ok(()) } else { Err(format!("{command:?}: {text}")) }
    };
    if run(Command::new(&python).args(["-c", "import azure.eventhub"])).is_err() {
        run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder))?;
        run(Command::new(&python).args(["-m", "pip", "install", "--quiet", PACKAGE]))?;
    }
    Ok(python)
}

#[tokio::test(flavor = "multi_thread")]
async fn pythons_client_reads_the_same_messages() {
    let python = match tokio::task::spawn_blocking(python).await.unwrap() {
        Ok(python) => python,
        Err(reason) => {
            assert!(std::env::var_os("CI").is_none(), "{reason}");
            eprintln!("skipped, because {PACKAGE} cannot be installed: {reason}");
            return;
        }
    };
    let options = EventHubsOptions { events: 60, records_per_message: 5, ..EventHubsOptions::default() };
    let simulator = start(options).await;
    hub(&simulator).publish_made(0, 1, |_| vec![b'x'; 1_000_000]);
    let mut command = tokio::process::Command::new(python);
    command.args(["-c", SCRIPT]).env("CONNECTION_STRING", simulator.event_hubs().connection_string());
    let output = command.kill_on_drop(true).output().await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();

    // 12 envelopes, the long message, and what the script sends: two to partition 1, one by its key.
    assert_eq!(answer["partitions"], json!(["0", "1", "2", "3"]));
    let events = hub(&simulator).events().unwrap();
    for partition in 0..4_usize {
        let received = answer["received"][partition.to_string()].as_array().unwrap();
        for (number, message) in received.iter().enumerate() {
            assert_eq!(message["sequence"], number);
            assert_eq!(message["offset"], (number * 1000).to_string());
            assert!(message["enqueued"].as_f64().unwrap() > 1.7e9);
        }
        for (number, message) in received.iter().take(3).enumerate() {
            let first = (number * 4 + partition) as u64 * 5;
            let records: Vec<String> = (first..first + 5).map(|number| events.record(number)).collect();
            assert_eq!(message["body"], format!("{{\"records\":[{}]}}", records.join(",")), "{partition} {number}");
        }
        let last = hub(&simulator).last_sequence_number(u32::try_from(partition).unwrap()).unwrap();
        assert_eq!(answer["last"][partition.to_string()], last);
        assert_eq!(received.len() as u64, last + 1);
        assert_eq!(answer["resumed"][partition.to_string()], received[1..].len());
    }
    assert_eq!(answer["received"]["0"][3]["body"].as_str().unwrap().len(), 1_000_000);
    assert_eq!(answer["received"]["1"][3]["body"], "sent 0");
    assert_eq!(answer["received"]["1"][4]["body"], "sent 1");
    let keyed = answer["received"].as_object().unwrap().values().flat_map(|messages| messages.as_array().unwrap());
    let keyed: Vec<&Value> = keyed.filter(|message| message["key"] == "a key").collect();
    assert_eq!(keyed.iter().map(|message| &message["body"]).collect::<Vec<_>>(), ["keyed"]);

    assert_eq!(answer["unknown_group"], "amqp:not-found");
    assert_eq!(answer["stolen"], "amqp:link:stolen");
    assert_eq!(answer["wrong_key"], "AuthenticationError");
}
