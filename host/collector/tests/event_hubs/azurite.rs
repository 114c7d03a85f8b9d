//! Azurite, Microsoft's emulator of a storage account (<https://github.com/Azure/Azurite>), where npm is there to install it.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

/// Pinned, so that a test fails for a reason of our own.
const VERSION: &str = "3.37.0";

/// A storage account on loopback; ends when dropped.
pub(crate) struct Azurite {
    process: Child,
    port: u16,
}

impl Azurite {
    /// Starts one; none, with a message, where npm is absent. A build server has to have it.
    pub(crate) fn start() -> Option<Self> {
        let program = installed()?;
        let mut process = Command::new("node")
            .arg(program)
            .args(["--blobHost", "127.0.0.1", "--blobPort", "0", "--inMemoryPersistence", "--skipApiVersionCheck"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .expect("node starts");
        let mut said = BufReader::new(process.stdout.take().unwrap()).lines();
        let port = said
            .by_ref()
            .map_while(Result::ok)
            .find_map(|line| line.split_once("http://127.0.0.1:").and_then(|(_, port)| port.trim().parse().ok()));
        // It goes on talking, and must not be stopped by a pipe that is full.
        std::thread::spawn(move || said.for_each(drop));
        Some(Self { process, port: port.expect("Azurite says where it listens") })
    }

    /// Where it listens on loopback.
    #[allow(dead_code, reason = "not all tests that share this need it")]
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// The id of its process.
    #[allow(dead_code, reason = "not all tests that share this need it")]
    pub(crate) fn process_id(&self) -> u32 {
        self.process.id()
    }

    /// The connection string of its account, whose key is public.
    pub(crate) fn connection_string(&self) -> String {
        format!(
            "DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;AccountKey=Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==;BlobEndpoint=http://127.0.0.1:{}/devstoreaccount1;",
            self.port
        )
    }
}

impl Drop for Azurite {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Whether a program is there. Where a build server lacks it, the test fails instead of being skipped.
pub(crate) fn has(program: &str, argument: &str) -> bool {
    let there = Command::new(program).arg(argument).stdout(Stdio::null()).stderr(Stdio::null()).status();
    let there = there.is_ok_and(|status| status.success());
    assert!(there || std::env::var_os("CI").is_none(), "{program} is needed on a build server");
    if !there {
        println!("skipped: {program} is not installed");
    }
    there
}

/// Where things are installed that tests need, once for all runs.
pub(crate) fn tools() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tmp")
}

/// The script that starts it.
fn installed() -> Option<PathBuf> {
    static INSTALLED: OnceLock<Option<PathBuf>> = OnceLock::new();
    let install = || {
        if !has("npm", "--version") {
            return None;
        }
        let folder = tools().join(format!("azurite-{VERSION}"));
        let program = folder.join("node_modules/azurite/dist/src/blob/main.js");
        if !program.exists() {
            std::fs::create_dir_all(&folder).unwrap();
            let installed = Command::new("npm")
                .args(["install", "--no-audit", "--no-fund", "--silent", "--prefix"])
                .arg(&folder)
                .arg(format!("azurite@{VERSION}"))
                .status()
                .expect("npm starts");
            assert!(installed.success(), "npm cannot install azurite@{VERSION}");
        }
        Some(program)
    };
    INSTALLED.get_or_init(install).clone()
}
