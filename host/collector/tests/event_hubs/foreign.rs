//! Microsoft's library for Go on the same hub and container: it goes on where we stopped, and we where it did.

use std::path::Path;
use std::process::{Command, Stdio};

use defenderbeat_simulator::EventHubsOptions;

use crate::azurite::{Azurite, has, tools};
use crate::namespace::{namespace, once, publish};
use crate::sharing::shared;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn go_takes_over_our_checkpoints_and_gives_them_back() {
    if !has("go", "version") {
        return;
    }
    let Some(azurite) = Azurite::start() else { return };
    let program = tools().join("azeventhubs");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/event_hubs/foreign");
    let built = Command::new("go").args(["build", "-o"]).arg(&program).arg(".").current_dir(source).status().unwrap();
    assert!(built.success());

    let simulator = namespace(EventHubsOptions::default()).await;
    let settings = shared(&simulator, &azurite);
    publish(&simulator, 5);
    assert_eq!(once(&settings, None).await.unwrap().0.len(), 20);

    publish(&simulator, 3);
    let address = simulator.event_hubs().address();
    let connection = simulator.event_hubs().connection_string().replace(&address.to_string(), "127.0.0.1");
    let mut go = Command::new(program);
    go.env("CONNECTION", connection)
        .env("ENDPOINT", address.to_string())
        .env("EVENTHUB", "defender")
        .env("STORAGE", azurite.connection_string())
        .env("CONTAINER", "azure-eventhub-input-defender")
        .env("COUNT", "12")
        .stderr(Stdio::inherit());
    let output = tokio::task::spawn_blocking(move || go.output().unwrap()).await.unwrap();
    assert!(output.status.success());
    let mut read: Vec<String> = String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect();
    read.sort();
    let expected: Vec<String> =
        (0..4).flat_map(|partition| (5..8).map(move |number| format!("{partition} {number}"))).collect();
    assert_eq!(read, expected, "it goes on after what we have settled");

    publish(&simulator, 2);
    let (read, _) = once(&settings, None).await.unwrap();
    let expected: Vec<(String, i64)> =
        (0..4).flat_map(|partition| [8, 9].map(|number| (format!("{partition}"), number))).collect();
    assert_eq!(read.into_keys().collect::<Vec<_>>(), expected, "we go on after what it has settled");
}
