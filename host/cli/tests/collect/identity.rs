//! Identities without a secret, as they are configured: by files, by the environment of a platform, by the machine.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use defenderbeat_simulator::{AccessOptions, AlertOptions, Options};

use crate::program::{Program, Tenant, log};

/// Passwords, keys and tokens, or parts of them, that must be nowhere.
const SECRETS: [&str; 3] = ["test-password", "simulated-header", "PRIVATE KEY"];

fn certificate(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../collector/tests/certificates").join(name)
}

fn tenant(access: AccessOptions) -> Tenant {
    let alerts = AlertOptions { count: 20, ..AlertOptions::default() };
    Tenant::start(Options { access, alerts, ..Options::default() })
}

/// Collects alerts without the secret.
fn program(tenant: &Tenant, options: &[&str]) -> Program {
    let options: Vec<&str> =
        ["inputs.0.client_secret=null", "logging.level=debug"].into_iter().chain(options.iter().copied()).collect();
    Program::new(tenant, &options)
}

fn shows_no_secret(text: &str, more: &str) {
    assert!(!SECRETS.iter().any(|secret| text.contains(secret)), "{text}");
    assert!(more.is_empty() || !text.contains(more), "{text}");
}

#[test]
fn a_certificate_collects_and_is_replaced_while_the_program_is_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let [registered, ours] = ["registered.crt", "ours"].map(|name| folder.path().join(name));
    fs::copy(certificate("first.crt"), &registered).unwrap();
    fs::copy(certificate("first.pfx"), &ours).unwrap();
    let tenant = tenant(AccessOptions { certificates: vec![registered.clone()], ..AccessOptions::default() });
    let program = program(
        &tenant,
        &[
            "inputs.0.auth.type=certificate",
            &format!("inputs.0.auth.certificate={}", ours.display()),
            "inputs.0.auth.certificate_password=file:FOLDER/password",
        ],
    );
    fs::write(program.folder.path().join("password"), "test-password\n").unwrap();
    let output = program.once();
    assert!(output.status.success(), "{}", log(&output));
    assert_eq!(program.delivered(), tenant.expected());
    shows_no_secret(&log(&output), "");
    let said = program.command(&["test", "input"]).output().unwrap();
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    assert!(said.contains(&format!("with the certificate of {}", ours.display())), "{said}");
    // Another one is registered, then put into its place.
    fs::copy(certificate("second.crt"), &registered).unwrap();
    let output = program.once();
    assert_eq!(output.status.code(), Some(1));
    assert!(log(&output).contains("AADSTS700027"), "{}", log(&output));
    shows_no_secret(&log(&output), "");
    shows_no_secret(&format!("{:?}{}", program.documents(), program.dead_letters()), "");
    fs::copy(certificate("second.pem"), &ours).unwrap();
    let output = program.once();
    assert!(output.status.success(), "{}", log(&output));
}

#[test]
fn kubernetes_says_by_the_environment_who_a_workload_is() {
    let subject = "system:serviceaccount:security:defenderbeat";
    let tenant = tenant(AccessOptions { federated_subjects: vec![subject.into()], ..AccessOptions::default() });
    let program = program(
        &tenant,
        &[
            "inputs.0.auth.type=workload_identity",
            "inputs.0.tenant_id=null",
            "inputs.0.client_id=null",
            "inputs.0.login_url=null",
            "inputs.0.scopes=https://graph.microsoft.com/.default",
        ],
    );
    let output = program.once();
    assert!(log(&output).contains("inputs.0.auth.tenant_id: is missing"), "{}", log(&output));
    let token = tenant.simulator.federated_token(subject, Duration::from_secs(3600));
    let file = program.folder.path().join("token");
    fs::write(&file, &token).unwrap();
    let access = &tenant.simulator.options().access;
    let run = |command: &[&str]| {
        let mut process = program.command(command);
        process.env("AZURE_TENANT_ID", &access.tenant_id).env("AZURE_CLIENT_ID", &access.client_id);
        process.env("AZURE_FEDERATED_TOKEN_FILE", &file).env("AZURE_AUTHORITY_HOST", tenant.simulator.url());
        process.output().unwrap()
    };
    let output = run(&["run", "--once"]);
    assert!(output.status.success(), "{}", log(&output));
    assert_eq!(program.delivered(), tenant.expected());
    shows_no_secret(&log(&output), &token);
    fs::write(&file, "").unwrap();
    let output = run(&["test", "input"]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(1));
    assert!(said.contains("is empty") && said.contains("with the federated token of"), "{said}");
}

#[test]
fn app_service_gives_tokens_to_its_own_and_a_missing_permission_is_named() {
    for missing_role in [false, true] {
        let managed_identities = vec!["user-assigned".into()];
        let tenant = tenant(AccessOptions { managed_identities, missing_role, ..AccessOptions::default() });
        let program = program(
            &tenant,
            &[
                "inputs.0.auth.type=managed_identity",
                "inputs.0.tenant_id=null",
                "inputs.0.client_id=user-assigned",
                "inputs.0.scopes=https://graph.microsoft.com/.default",
            ],
        );
        let mut process = program.command(&["test", "input"]);
        process.env("IDENTITY_ENDPOINT", format!("{}/msi/token", tenant.simulator.url()));
        let output = process.env("IDENTITY_HEADER", "simulated-header").output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(output.status.success(), !missing_role, "{said} {}", log(&output));
        assert!(said.contains("as user-assigned managed identity user-assigned of this App Service"), "{said}");
        assert_eq!(said.contains("lacks the permission SecurityAlert.Read.All: assign it"), missing_role, "{said}");
        shows_no_secret(&(log(&output) + &said), "");
    }
}
