//! Where Java and the distribution come from.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::Error;

/// The version that is fetched.
pub const VERSION: &str = "8.19.21";

/// Names a zip file of the distribution, for machines without Maven.
const VARIABLE: &str = "DEFENDERBEAT_ELASTICSEARCH";
/// The oldest Java that it starts with.
const JAVA: u32 = 17;

/// The home of a Java that is new enough: `ES_JAVA_HOME`, `JAVA_HOME` or that of the `java` on the path.
pub(crate) fn java() -> Result<PathBuf, Error> {
    let named = ["ES_JAVA_HOME", "JAVA_HOME"].into_iter().filter_map(env::var_os).map(PathBuf::from);
    let on_path = env::var_os("PATH").unwrap_or_default();
    let found = env::split_paths(&on_path).map(|folder| folder.join("java")).find(|java| java.is_file());
    // Distributions make it a link to a link.
    let found = found.and_then(|java| Some(fs::canonicalize(java).ok()?.parent()?.parent()?.to_owned()));
    named.chain(found).find(|home| version(home).is_some_and(|version| version >= JAVA)).ok_or_else(|| Error::Missing {
        what: "Java",
        remedy: format!("install version {JAVA} or newer, or let JAVA_HOME name it"),
    })
}

/// The major version of a Java.
fn version(home: &Path) -> Option<u32> {
    // It says `openjdk version "17.0.15" 2025-04-15`, on standard error.
    let said = Command::new(home.join("bin/java")).arg("-version").output().ok()?.stderr;
    let said = String::from_utf8(said).ok()?;
    said.split('"').nth(1)?.split(['.', '-']).next()?.parse().ok()
}

/// The folder of the unpacked distribution, which everybody may read.
pub(crate) fn home() -> Result<PathBuf, Error> {
    let name = format!("elasticsearch-{VERSION}");
    let below = folder();
    let home = below.join(&name);
    if home.exists() {
        return Ok(home);
    }
    fs::create_dir_all(&below).map_err(Error::file(&below))?;
    let begun = tempfile::Builder::new().prefix(".elasticsearch").tempdir_in(&below).map_err(Error::file(&below))?;
    let archive = archive(begun.path())?;
    unpack(&archive, begun.path())?;
    // Whole at once; of processes that do this side by side, one is first and the others find it there.
    match fs::rename(begun.path().join(&name), &home) {
        Err(_) if home.exists() => Ok(home),
        renamed => renamed.map_err(Error::file(&home)).map(|()| home),
    }
}

/// What the folders of servers are called, before the process they belong to.
const RUN: &str = "elasticsearch-of-";

/// A folder for the files of one server, which goes with it. Those of processes that were killed, or that kept a server to their end, are
/// removed now.
pub(crate) fn own_folder() -> Result<TempDir, Error> {
    let below = folder();
    fs::create_dir_all(&below).map_err(Error::file(&below))?;
    for entry in fs::read_dir(&below).map_err(Error::file(&below))?.flatten() {
        let name = entry.file_name();
        let process = name.to_str().and_then(|name| name.strip_prefix(RUN)?.split('-').next()?.parse().ok());
        if process.is_some_and(|process: u32| !is_alive(process)) {
            // Somebody else may do the same.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
    let prefix = format!("{RUN}{}-", std::process::id());
    tempfile::Builder::new().prefix(&prefix).tempdir_in(&below).map_err(Error::file(&below))
}

/// Whether there is such a process, as far as can be told.
fn is_alive(process: u32) -> bool {
    !cfg!(target_os = "linux") || Path::new("/proc").join(process.to_string()).exists()
}

/// Unpacks with what is there: `unzip`, or what every JDK has.
fn unpack(archive: &Path, into: &Path) -> Result<(), Error> {
    for (program, arguments) in [("unzip", ["-q"].as_slice()), ("jar", ["--extract", "--file"].as_slice())] {
        let Ok(ended) = Command::new(program).args(arguments).arg(archive).current_dir(into).output() else { continue };
        if ended.status.success() {
            return Ok(());
        }
        let message = String::from_utf8_lossy(&ended.stderr).trim().to_owned();
        return Err(Error::Unpack { path: archive.to_owned(), message });
    }
    Err(Error::Missing { what: "unzip", remedy: "install it, or a JDK with jar".into() })
}

/// Where it is unpacked: below `target`, unless the server would run as somebody who may not go there.
fn folder() -> PathBuf {
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tmp");
    let target = fs::create_dir_all(&target).and_then(|()| fs::canonicalize(&target)).unwrap_or(target);
    if crate::process::is_root() && !is_open(&target) { env::temp_dir().join("defenderbeat") } else { target }
}

/// Whether everybody may enter a folder.
fn is_open(folder: &Path) -> bool {
    #[cfg(unix)]
    let open = |folder: &Path| {
        use std::os::unix::fs::PermissionsExt as _;
        fs::metadata(folder).is_ok_and(|metadata| metadata.permissions().mode() & 0o001 != 0)
    };
    #[cfg(not(unix))]
    let open = |_: &Path| true;
    folder.ancestors().all(open)
}

/// The zip file: the environment's, what Maven fetched before, or what it fetches now.
fn archive(into: &Path) -> Result<PathBuf, Error> {
    if let Some(named) = env::var_os(VARIABLE) {
        // Unpacking goes on in another folder.
        return std::path::absolute(&named).map_err(Error::file(named));
    }
    let name = format!("elasticsearch-{VERSION}.zip");
    let group = "org/elasticsearch/distribution/integ-test-zip/elasticsearch";
    let fetched = env::home_dir().map(|home| home.join(".m2/repository").join(group).join(VERSION).join(&name));
    if let Some(fetched) = fetched.filter(|fetched| fetched.is_file()) {
        return Ok(fetched);
    }
    eprintln!("fetching Elasticsearch {VERSION} (107 MB) from Maven Central");
    let copied = Command::new("mvn")
        .args(["--batch-mode", "--quiet", "dependency:copy"])
        .arg(format!("-Dartifact=org.elasticsearch.distribution.integ-test-zip:elasticsearch:{VERSION}:zip"))
        .arg(format!("-DoutputDirectory={}", into.display()))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status();
    let file = into.join(name);
    if copied.is_ok_and(|status| status.success()) && file.is_file() {
        return Ok(file);
    }
    Err(Error::Missing {
        what: "the distribution of Elasticsearch",
        remedy: format!("install Maven, which fetches it, or let {VARIABLE} name its zip file"),
    })
}
