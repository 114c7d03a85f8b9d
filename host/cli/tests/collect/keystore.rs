//! The keystore as it is filled and used, and files that others could change.

use std::fs::{self, Permissions};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Output, Stdio};

use defenderbeat_simulator::{AlertOptions, Options};

use crate::program::{Program, Tenant, log};

fn tenant() -> Tenant {
    Tenant::start(Options { alerts: AlertOptions { count: 20, ..AlertOptions::default() }, ..Options::default() })
}

/// Runs `keystore`, with something on standard input and further variables.
fn keystore(program: &Program, command: &[&str], input: &str, variables: &[(&str, &str)]) -> Output {
    let mut process = program.command(&[&["keystore"], command].concat());
    process.envs(variables.iter().copied()).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = process.spawn().unwrap();
    // It may have ended without reading.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &log(output)
}

#[test]
fn a_secret_of_the_keystore_comes_before_the_environment_and_is_nowhere_in_the_clear() {
    let tenant = tenant();
    let secret = tenant.simulator.options().access.client_secret.clone();
    let program = Program::new(&tenant, &["inputs.0.client_secret=${CLIENT.SECRET-1}"]);
    let of = |command: &[&str], input: &str| keystore(&program, command, input, &[]);

    let missing = program.once();
    assert!(log(&missing).contains("`defenderbeat keystore add CLIENT.SECRET-1`"), "{}", log(&missing));
    let early = of(&["add", "CLIENT.SECRET-1", "--stdin"], &secret);
    assert!(!early.status.success() && said(&early).contains("`defenderbeat keystore create`"), "{}", said(&early));
    assert!(of(&["create"], "").status.success());
    assert!(said(&of(&["create"], "")).contains("--force"));

    assert!(of(&["add", "CLIENT.SECRET-1", "--stdin"], "wrong").status.success());
    let again = of(&["add", "CLIENT.SECRET-1", "--stdin"], &secret);
    assert!(!again.status.success() && said(&again).contains("--force replaces"), "{}", said(&again));
    let refused = program.once();
    assert!(log(&refused).contains("AADSTS7000215"), "{}", log(&refused));
    assert!(of(&["add", "CLIENT.SECRET-1", "--stdin", "--force"], &format!("{secret}\r\n\n")).status.success());
    let mut process = program.command(&["run", "--once"]);
    let output = process.env("CLIENT.SECRET-1", "not this one").output().unwrap();
    assert!(output.status.success(), "{}", log(&output));
    assert_eq!(program.delivered(), tenant.expected());

    for key in ["a b", "a/b", ""] {
        let output = of(&["add", key, "--stdin"], "x");
        assert!(!output.status.success() && said(&output).contains("is no key"), "{}", said(&output));
    }
    assert!(said(&of(&["add", "other"], "x")).contains("--stdin"), "there is no terminal");
    assert!(said(&of(&["add", "other", "--stdin"], "\n")).contains("is empty"));
    assert!(of(&["add", "other", "--stdin"], "x").status.success());
    assert_eq!(said(&of(&["list"], "")), "CLIENT.SECRET-1\nother\n");
    assert!(of(&["remove", "other"], "").status.success());
    assert!(said(&of(&["remove", "other"], "")).contains("is not in the keystore"));
    assert_eq!(said(&of(&["list"], "")), "CLIENT.SECRET-1\n");

    let file = program.folder.path().join("data/defenderbeat.keystore");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let text = fs::read_to_string(&file).unwrap();
    assert!(!text.contains(&secret) && !text.contains("CLIENT"), "{text}");
    fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
    let open = program.once();
    assert!(log(&open).contains("chmod 600"), "{}", log(&open));
    let mut process = program.command(&["run", "--once", "--strict.perms=false"]);
    assert!(process.output().unwrap().status.success());
}

#[test]
fn a_password_is_read_from_a_file() {
    let tenant = tenant();
    let secret = tenant.simulator.options().access.client_secret.clone();
    let program = Program::new(&tenant, &["inputs.0.client_secret=${SECRET}", "keystore.path=FOLDER/keys"]);
    let file = program.folder.path().join("password");
    fs::write(&file, "correct horse\n").unwrap();
    let password = [("DEFENDERBEAT_KEYSTORE_PASSWORD_FILE", file.to_str().unwrap())];
    assert!(keystore(&program, &["create"], "", &password).status.success());
    assert!(keystore(&program, &["add", "SECRET", "--stdin"], &secret, &password).status.success());
    let with = program.command(&["run", "--once"]).envs(password).output().unwrap();
    assert!(with.status.success(), "{}", log(&with));
    let without = program.once();
    assert!(log(&without).contains("cannot be decrypted"), "{}", log(&without));
    let nowhere = [("DEFENDERBEAT_KEYSTORE_PASSWORD_FILE", "/no/such/file")];
    assert!(said(&keystore(&program, &["list"], "", &nowhere)).contains("/no/such/file"));
}

#[test]
fn a_configuration_that_others_can_write_is_refused() {
    let tenant = tenant();
    let program = Program::new(&tenant, &[]);
    let file = program.folder.path().join("defenderbeat.yml");
    for mode in [0o622, 0o664] {
        fs::set_permissions(&file, Permissions::from_mode(mode)).unwrap();
        for command in [&["run", "--once"][..], &["test", "config"], &["export", "config"]] {
            let output = program.command(command).output().unwrap();
            let refused = log(&output).contains("chmod go-w") && log(&output).contains("--strict.perms=false");
            assert!(!output.status.success() && refused, "{}", log(&output));
        }
        let output = program.command(&["test", "config", "--strict.perms=false"]).output().unwrap();
        assert!(output.status.success(), "{}", log(&output));
    }
    fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
    assert!(program.command(&["test", "config"]).output().unwrap().status.success());
}
