//! Documents on standard output, one a line.

use std::io::{self, BufWriter, Stdout, Write};

use super::{Documents, Fate, Output, OutputError};
use crate::config::ConsoleOutput;

/// Standard output. What is settled was handed to whoever reads it; what that does with it is its own affair.
#[derive(Debug)]
pub struct Console {
    settings: ConsoleOutput,
    out: BufWriter<Stdout>,
}

impl Console {
    /// Takes standard output.
    pub fn new(settings: ConsoleOutput) -> Self {
        Self { settings, out: BufWriter::with_capacity(64 << 10, io::stdout()) }
    }

    fn write(&mut self, documents: &Documents) -> io::Result<()> {
        let ConsoleOutput { pretty, metadata } = self.settings;
        if !pretty {
            return documents.write(metadata, &mut self.out);
        }
        let mut lines = Vec::new();
        documents.write(metadata, &mut lines)?;
        for document in serde_json::Deserializer::from_slice(&lines).into_iter::<serde_json::Value>() {
            serde_json::to_writer_pretty(&mut self.out, &document?)?;
            self.out.write_all(b"\n")?;
        }
        Ok(())
    }
}

fn failed(error: io::Error) -> OutputError {
    if error.kind() == io::ErrorKind::BrokenPipe { OutputError::Closed } else { OutputError::Console(error) }
}

impl Output for Console {
    async fn send(&mut self, documents: &Documents) -> Result<Vec<Fate>, OutputError> {
        self.write(documents).map_err(failed)?;
        Ok(vec![Fate::Delivered; documents.part.documents.len()])
    }

    async fn flush(&mut self) -> Result<(), OutputError> {
        self.out.flush().map_err(failed)
    }
}
