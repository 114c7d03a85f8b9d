//! The command `defenderbeat-simulator`, as far as it is about Event Hubs.

use std::process::{Command, Stdio};
use std::time::Duration;

fn simulator() -> Command {
    Command::new(env!("CARGO_BIN_EXE_defenderbeat-simulator"))
}

#[cfg(unix)]
#[test]
fn exec_gives_the_command_a_namespace() {
    let script = r#"printf '%s\n' "$SIMULATOR_EVENT_HUBS_URL" "$SIMULATOR_EVENT_HUBS_CONNECTION_STRING""#;
    let output = simulator().args(["exec", "--events", "10", "--", "sh", "-c", script]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let (url, connection) = text.trim().split_once('\n').unwrap();
    let address = url.strip_prefix("amqp://").unwrap();
    assert!(connection.starts_with(&format!("Endpoint=sb://{address};SharedAccessKeyName=RootManageSharedAccessKey;")));
    assert!(connection.ends_with(";UseDevelopmentEmulator=true"));
}

#[test]
fn serve_writes_the_connection_string() {
    let folder = tempfile::tempdir().unwrap();
    let [address, connection] = ["address", "connection"].map(|name| folder.path().join(name));
    let mut server = simulator()
        .args(["serve", "--event-hubs", "one,two", "--partitions", "32", "--address-file"])
        .arg(&address)
        .arg("--connection-string-file")
        .arg(&connection)
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    while !address.exists() {
        assert!(server.try_wait().unwrap().is_none(), "it ended");
        std::thread::sleep(Duration::from_millis(10));
    }
    let written = std::fs::read_to_string(&connection);
    server.kill().unwrap();
    server.wait().unwrap();
    assert!(written.unwrap().starts_with("Endpoint=sb://127.0.0.1:"));
}

#[test]
fn options_that_contradict_each_other_are_refused() {
    for (arguments, reason) in [
        (["--partitions", "0"], "partitions (0)"),
        (["--event-hubs", "a/b"], "'a/b'"),
        (["--records-per-message", "0"], "records_per_message"),
        (["--events-per-second", "0"], "events_per_second"),
    ] {
        let output = simulator().arg("exec").args(arguments).args(["--", "true"]).output().unwrap();
        assert!(!output.status.success());
        assert!(String::from_utf8_lossy(&output.stderr).contains(reason), "{reason}");
    }
}
