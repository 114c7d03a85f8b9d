//! The start of a process.

use std::io::Read;
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::corpus::Corpus;
use crate::median::median;
use crate::pass::root;

/// Starts of a process.
const STARTS: usize = 21;

/// Milliseconds from the start of a process to its first byte of output.
fn first_byte(command: &mut Command) -> f64 {
    let began = Instant::now();
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut byte = [0];
    child.stdout.take().unwrap().read_exact(&mut byte).unwrap();
    let elapsed = began.elapsed().as_secs_f64() * 1e3;
    child.wait().unwrap();
    elapsed
}

/// Maps the first alert with a new process, beside a process that copies it.
pub(crate) fn measure(corpus: &Corpus) {
    let binary = root("target/release/defenderbeat");
    if !binary.exists() {
        println!("skipped: the start of a process; run `make build` first");
        return;
    }
    let file = std::env::temp_dir().join(format!("defenderbeat-bench-{}.ndjson", std::process::id()));
    std::fs::write(&file, corpus.first()).unwrap();
    let mut ours = Vec::new();
    let mut reference = Vec::new();
    for _ in 0..STARTS {
        reference.push(first_byte(Command::new("cat").arg(&file)));
        ours.push(first_byte(Command::new(&binary).args(["transform", corpus.component]).arg(&file)));
    }
    std::fs::remove_file(&file).unwrap();
    println!(
        "start to the first document: {:.1} ms (cat of the same file: {:.1} ms)",
        median(&ours),
        median(&reference)
    );
}
