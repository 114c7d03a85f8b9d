//! The Debian package, installed where there is nothing but the system's essential packages and what it depends on.

use std::fs;
use std::path::Path;
use std::process::Command;

use defenderbeat_simulator::{AlertOptions, Options, Simulator};

use crate::{is_there, root, skip, succeed};

/// What writes bills of materials.
const SBOM: &str = "target/sbom/release/defenderbeat-sbom";

/// What is missing for it.
fn missing() -> Option<&'static str> {
    let id = Command::new("id").arg("-u").output().unwrap();
    if !is_there("cargo", "deb") && !is_there("cargo-deb", "--version") {
        Some("cargo-deb (cargo install cargo-deb --locked)")
    } else if !root(SBOM).exists() {
        Some("the tool for bills of materials (make sbom)")
    } else if !is_there("mmdebstrap", "--version") {
        Some("mmdebstrap")
    } else if !is_there("dpkg-shlibdeps", "--version") {
        Some("dpkg-dev")
    } else if id.stdout != b"0\n" {
        Some("the rights of root")
    } else {
        None
    }
}

/// Essential packages of the distribution that the program was built on, whose libraries it wants, and authorities for TLS.
fn make_root(folder: &Path) -> Result<(), String> {
    let release = fs::read_to_string("/etc/os-release").unwrap();
    let suite = release.lines().find_map(|line| line.strip_prefix("VERSION_CODENAME=")).unwrap_or("stable");
    let made = Command::new("mmdebstrap")
        .args(["--quiet", "--mode=root", "--variant=essential", "--include=ca-certificates", suite])
        .arg(folder)
        .output()
        .unwrap();
    if made.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&made.stderr).into_owned()) }
}

#[test]
fn a_clean_system_collects_with_nothing_but_the_package() {
    if let Some(missing) = missing() {
        return skip(&format!("the Debian package is not tested without {missing}"));
    }
    let folder = tempfile::tempdir().unwrap();
    let clean = folder.path().join("root");
    if let Err(cause) = make_root(&clean) {
        return skip(&format!("the Debian package is not tested without a mirror of Debian: {cause}"));
    }
    let package = folder.path().join("defenderbeat.deb");
    let contents = [env!("CARGO_BIN_EXE_defenderbeat"), "target/packages", SBOM];
    succeed(Command::new("host/packages/contents.sh").args(contents).current_dir(root("")));
    let mut build = Command::new("cargo");
    build.args(["deb", "--locked", "--package", "defenderbeat", "--no-build", "--output"]).arg(&package);
    succeed(build.current_dir(root("")));
    fs::copy(&package, clean.join("defenderbeat.deb")).unwrap();
    let in_root = |command: &[&str]| {
        let mut process = Command::new("chroot");
        process.arg(&clean).args(command).env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        process
    };
    succeed(&mut in_root(&["dpkg", "--install", "/defenderbeat.deb"]));
    let listed = succeed(&mut in_root(&["dpkg-query", "--showformat=${Conffiles}", "--show", "defenderbeat"]));
    assert!(listed.contains("/etc/defenderbeat/defenderbeat.yml"), "{listed}");
    for file in ["man/man1/defenderbeat-run.1.gz", "bash-completion/completions/defenderbeat"] {
        assert!(clean.join("usr/share").join(file).exists(), "{file}");
    }
    let unit = ["usr/lib", "lib"].map(|lib| clean.join(lib).join("systemd/system/defenderbeat.service"));
    assert!(unit.iter().any(|unit| unit.exists()));
    assert!(
        !clean.join("etc/systemd/system/multi-user.target.wants/defenderbeat.service").exists(),
        "it is not enabled"
    );

    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let alerts = AlertOptions { count: 40, ..AlertOptions::default() };
    let simulator = runtime.block_on(Simulator::start(Options { alerts, ..Options::default() })).unwrap();
    let access = &simulator.options().access;
    // As the service is given them, and the installed configuration wants them.
    let credentials = clean.join("run/credentials");
    fs::create_dir_all(&credentials).unwrap();
    fs::write(credentials.join("client_secret"), &access.client_secret).unwrap();
    fs::write(credentials.join("api_key"), "id:key").unwrap();
    let mut collect = in_root(&["/usr/bin/defenderbeat", "run", "--once", "-c", "/etc/defenderbeat/defenderbeat.yml"]);
    collect.env("CREDENTIALS_DIRECTORY", "/run/credentials");
    for option in [
        format!("inputs.0.url={}", simulator.url()),
        format!("inputs.0.login_url={}", simulator.url()),
        format!("inputs.0.tenant_id={}", access.tenant_id),
        format!("inputs.0.client_id={}", access.client_id),
        "output.elasticsearch=null".to_owned(),
        "output.file.path=/var/lib/defenderbeat/output".to_owned(),
    ] {
        collect.args(["-E", &option]);
    }
    succeed(&mut collect);
    let data = clean.join("var/lib/defenderbeat");
    let files =
        fs::read_dir(data.join("output")).unwrap().map(|file| fs::read_to_string(file.unwrap().path()).unwrap());
    assert_eq!(files.map(|text| text.lines().count()).sum::<usize>(), 40);
    assert!(data.join("checkpoints/defender-alerts.checkpoint").exists());

    fs::write(clean.join("etc/defenderbeat/client_secret"), "as docs/install.md has it made").unwrap();
    succeed(&mut in_root(&["dpkg", "--purge", "defenderbeat"]));
    assert!(!data.exists() && !clean.join("etc/defenderbeat").exists() && !clean.join("usr/bin/defenderbeat").exists());
}
