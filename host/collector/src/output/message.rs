//! Documents as they leave for readers other than Elasticsearch: each begins with `@metadata`, as Beats write it.

use std::io::{self, Write};

use bytes::Bytes;

use super::Documents;

/// A document with its `@metadata`.
#[derive(Clone, Debug)]
pub(super) struct Message<'a> {
    /// The data stream that it is for.
    pub(super) stream: &'a str,
    /// The document's identity.
    pub(super) id: u128,
    /// `{"@metadata":{..},`
    head: String,
    /// The document without its first brace, with its line feed.
    body: Bytes,
}

/// Members of `@metadata` by which Logstash and others know Beats: `beat`, `type` and `version`, and a comma.
pub(super) fn origin(beat: &str) -> String {
    let beat = serde_json::Value::from(beat);
    format!(r#""beat":{beat},"type":"_doc","version":"{}","#, env!("CARGO_PKG_VERSION"))
}

impl Documents {
    /// Each document with `@metadata`: the members of `origin`, `_id`, by which a reader tells a document that comes again, and
    /// `raw_index`, the data stream it is for.
    pub(super) fn messages<'a>(&'a self, origin: &'a str) -> impl Iterator<Item = Message<'a>> {
        self.part.iter().map(move |(document, bytes)| {
            let stream = self.stream(document).unwrap_or_default();
            let head = format!(r#"{{"@metadata":{{{origin}"_id":"{:032x}","raw_index":"{stream}"}},"#, document.id);
            let body = if bytes.starts_with(b"{") { bytes.slice(1..) } else { bytes };
            Message { stream, id: document.id, head, body }
        })
    }
}

impl Message<'_> {
    /// Writes it as a line.
    pub(super) fn write_line(&self, out: &mut impl Write) -> io::Result<()> {
        out.write_all(self.head.as_bytes())?;
        out.write_all(&self.body)
    }

    /// Its text, without a line feed.
    pub(super) fn parts(&self) -> [&[u8]; 2] {
        [self.head.as_bytes(), self.body.strip_suffix(b"\n").unwrap_or(&self.body)]
    }

    /// Bytes of its text.
    pub(super) fn len(&self) -> usize {
        self.parts().iter().map(|part| part.len()).sum()
    }
}
