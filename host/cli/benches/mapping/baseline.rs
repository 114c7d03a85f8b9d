//! The same mapping as a program in VRL, native, in a process of its own: `host/baseline`, which `make bench` builds.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use defenderbeat_runtime::Bytes;

use crate::corpus::Corpus;
use crate::pass::{Pass, root};

/// A process that has read a corpus and maps all of it whenever it is told to.
struct Baseline {
    process: Child,
    tell: ChildStdin,
    answers: BufReader<ChildStdout>,
    corpus: PathBuf,
}

impl Baseline {
    /// None where it is not built.
    fn start(corpus: &Corpus) -> Option<Self> {
        let program = root("target/baseline/release/defenderbeat-baseline");
        if !program.exists() {
            return None;
        }
        let file = std::env::temp_dir().join(format!("defenderbeat-baseline-{}.ndjson", std::process::id()));
        let batches: Vec<&[u8]> = corpus.batches.iter().map(Bytes::as_ref).collect();
        std::fs::write(&file, batches.concat()).unwrap();
        let mut process =
            Command::new(program).arg("run").arg(&file).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let tell = process.stdin.take().unwrap();
        let answers = BufReader::new(process.stdout.take().unwrap());
        Some(Self { process, tell, answers, corpus: file })
    }

    /// Maps the corpus; how many records it has, and the bytes of its documents.
    fn map(&mut self) -> (usize, usize) {
        self.tell.write_all(b"\n").unwrap();
        let mut answer = String::new();
        self.answers.read_line(&mut answer).unwrap();
        let (records, bytes) = answer.trim().split_once(' ').expect("the baseline says what is wrong");
        (records.parse().unwrap(), bytes.parse().unwrap())
    }
}

impl Drop for Baseline {
    fn drop(&mut self) {
        // It waits for nothing but the next line.
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = std::fs::remove_file(&self.corpus);
    }
}

/// A pass over the corpus. None, with a message, where it is not built.
pub(crate) fn pass(corpus: &Corpus) -> Option<Pass> {
    let Some(mut baseline) = Baseline::start(corpus) else {
        println!("skipped: the same mapping in VRL; `make bench` builds it");
        return None;
    };
    let (records, bytes) = (corpus.records, corpus.batches.iter().map(Bytes::len).sum::<usize>());
    Some(Box::new(move |_| {
        let (mapped, documents) = baseline.map();
        assert_eq!(mapped, records);
        assert!(documents > bytes / 2, "documents are about as long as records");
    }))
}
