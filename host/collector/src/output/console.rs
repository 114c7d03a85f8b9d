//! Documents on standard output, one a line.

use std::io::{self, BufWriter, Stdout, Write};
use std::sync::Mutex;

use super::{Documents, LINES, Limits, Output, OutputError, Sent, lock};
use crate::config::ConsoleOutput;

/// Standard output. What is settled was handed to whoever reads it; what that does with it is its own affair.
#[derive(Debug)]
pub struct Console {
    settings: ConsoleOutput,
    out: Mutex<BufWriter<Stdout>>,
}

impl Console {
    /// Takes standard output.
    pub fn new(settings: ConsoleOutput) -> Self {
        Self { settings, out: Mutex::new(BufWriter::with_capacity(64 << 10, io::stdout())) }
    }

    fn write(&self, documents: &Documents) -> io::Result<()> {
        let ConsoleOutput { pretty, metadata } = self.settings;
        let mut out = lock(&self.out);
        if !pretty {
            return documents.write(metadata, &mut *out);
        }
        let mut lines = Vec::new();
        documents.write(metadata, &mut lines)?;
        for document in serde_json::Deserializer::from_slice(&lines).into_iter::<serde_json::Value>() {
            serde_json::to_writer_pretty(&mut *out, &document?)?;
            out.write_all(b"\n")?;
        }
        Ok(())
    }
}

fn failed(error: io::Error) -> OutputError {
    if error.kind() == io::ErrorKind::BrokenPipe { OutputError::Closed } else { OutputError::Console(error) }
}

impl Output for Console {
    fn limits(&self) -> Limits {
        LINES
    }

    async fn send(&self, documents: &[Documents]) -> Result<Sent, OutputError> {
        documents.iter().try_for_each(|documents| self.write(documents)).map_err(failed)?;
        Ok(Sent::delivered(documents))
    }

    async fn flush(&self) -> Result<(), OutputError> {
        lock(&self.out).flush().map_err(failed)
    }
}
