//! A loop that posts requests as they were sent before, and does nothing else.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use defenderbeat_elasticsearch::{Elasticsearch, User};

use crate::pin;

/// Posts every file of a folder, in the order of their names, over one connection.
pub(crate) fn post(folder: &Path, server: &Elasticsearch, user: &User, core: usize) {
    let mut files: Vec<PathBuf> = folder.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let mut config = String::new();
    for file in files {
        let _ = write!(
            config,
            "next
url = {}/_bulk?filter_path=errors
data-binary = @{}
header = \"Content-Type: application/x-ndjson\"
header = \"Content-Encoding: gzip\"
header = \"Expect:\"
user = {}:{}
silent
show-error
fail
",
            server.url(),
            file.display(),
            user.name,
            user.password
        );
    }
    let list = folder.with_extension("curl");
    std::fs::write(&list, config.trim_start_matches("next\n")).unwrap();
    let mut command = Command::new("curl");
    command.arg("--config").arg(&list);
    let said = pin::on(core, &command).stderr(Stdio::inherit()).output().unwrap();
    assert!(said.status.success(), "curl posts every request");
    let said = String::from_utf8(said.stdout).unwrap();
    assert!(!said.contains("true"), "every document is taken: {said}");
}
