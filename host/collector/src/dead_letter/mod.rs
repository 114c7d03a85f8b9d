//! The dead-letter file: what could not become a document or was refused, one JSON object a line, so that nothing is
//! lost and all of it can be sent again once its cause is mended.
//!
//! A line has `@timestamp`, `input`, `code`, `message`, `id`; a record also `feed`, `path` and its bytes: as text in
//! `record` where they are UTF-8, else in `record_base64`; a document is in `document`, and the data stream it was for in
//! `index`. `failure_store` is true where Elasticsearch keeps the document in its failure store.

mod file;
mod oversized;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::source::Origin;
pub(crate) use file::is_same;
pub use file::{Cap, DeadLetterFile, WhenFull};

/// A line of the file.
#[derive(Debug, Serialize)]
pub struct Letter<'a> {
    /// When it was received, or refused: ISO 8601, UTC.
    #[serde(rename = "@timestamp")]
    pub timestamp: String,
    /// The input's id.
    pub input: &'a str,
    /// The feed of a record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub feed: Option<&'a str>,
    /// Where it comes from, where the source says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<&'a Origin>,
    /// The data stream that a document was for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub index: Option<&'a str>,
    /// The kind of fault.
    pub code: &'a str,
    /// Where in the record, as a JSONPath.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub path: &'a str,
    /// The cause.
    pub message: &'a str,
    /// The receiver keeps the document where failures are kept.
    #[serde(skip_serializing_if = "is_false")]
    pub failure_store: bool,
    /// Where in the input the record begins, where that is a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offset: Option<u64>,
    /// Identity of the record's bytes or of the document, 32 hexadecimal digits.
    pub id: String,
    /// What it is about.
    #[serde(flatten)]
    pub content: Content<'a>,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
fn is_false(value: &bool) -> bool {
    !value
}

/// What a letter is about.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Content<'a> {
    /// A record, as text.
    Record(&'a str),
    /// A record that is not UTF-8.
    RecordBase64(String),
    /// A document.
    Document(&'a RawValue),
}

impl<'a> Content<'a> {
    /// Content of a record's bytes.
    pub fn record(bytes: &'a [u8]) -> Self {
        match std::str::from_utf8(bytes) {
            Ok(text) => Self::Record(text),
            Err(_) => Self::RecordBase64(STANDARD.encode(bytes)),
        }
    }
}

/// A time in milliseconds since 1970 as letters have it.
pub fn timestamp(millis: i64) -> String {
    let time = chrono::DateTime::from_timestamp_millis(millis).unwrap_or_default();
    time.to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;
    use std::sync::Arc;

    use super::*;
    use crate::metrics::Metrics;

    fn letter<'a>(content: Content<'a>) -> Letter<'a> {
        Letter {
            timestamp: timestamp(0),
            input: "contoso",
            feed: Some("alerts"),
            origin: None,
            index: None,
            code: "malformed",
            path: "",
            message: "is not JSON",
            failure_store: false,
            offset: None,
            id: "0".repeat(32),
            content,
        }
    }

    fn lines(letters: &DeadLetterFile) -> Vec<serde_json::Value> {
        let text = fs::read_to_string(letters.path()).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn records_come_back_byte_for_byte() {
        let folder = tempfile::tempdir().unwrap();
        let letters = DeadLetterFile::open(&folder.path().join("dead-letters.ndjson")).unwrap();
        letters.append(&letter(Content::record(b"{\"a\": \"\n"))).unwrap();
        letters.append(&letter(Content::record(b"\xff{"))).unwrap();
        letters.sync().unwrap();
        let lines = lines(&letters);
        assert_eq!(lines[0]["record"], "{\"a\": \"\n");
        assert_eq!(lines[0]["@timestamp"], "1970-01-01T00:00:00.000Z");
        assert_eq!(STANDARD.decode(lines[1]["record_base64"].as_str().unwrap()).unwrap(), b"\xff{");
    }

    #[test]
    fn a_record_that_is_too_long_is_kept_whole_and_one_that_is_dropped_leaves_no_trace() {
        let folder = tempfile::tempdir().unwrap();
        let letters = DeadLetterFile::open(&folder.path().join("dead-letters.ndjson")).unwrap();
        let metrics = Arc::new(Metrics::default());
        let oversized = letters.of_input("contoso", 10, metrics.clone());
        let mut dropped = oversized.open("alerts", 0).unwrap();
        dropped.write(b"{\"never\":").unwrap();
        drop(dropped);
        let mut kept = oversized.open("alerts", 1).unwrap();
        let record = format!("{{\"a\":\"{}\"}}", "x".repeat(100_000));
        for chunk in record.as_bytes().chunks(4_001) {
            kept.write(chunk).unwrap();
        }
        // Another letter in the meantime.
        letters.append(&letter(Content::record(b"x"))).unwrap();
        kept.keep().unwrap();
        let lines = lines(&letters);
        assert_eq!((lines.len(), &lines[1]["code"]), (2, &"oversized".into()));
        assert_eq!((metrics.records.get(), metrics.rejected.get(), metrics.dead_letters.get()), (1, 1, 1));
        assert_eq!(STANDARD.decode(lines[1]["record_base64"].as_str().unwrap()).unwrap(), record.as_bytes());
        assert_eq!(lines[1]["id"], format!("{:032x}", xxhash_rust::xxh3::xxh3_128(record.as_bytes())));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside the file");
    }

    #[test]
    fn a_line_that_was_cut_is_removed_at_the_next_start() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("dead-letters.ndjson");
        fs::write(&path, "{\"whole\":1}\n{\"cut").unwrap();
        let letters = DeadLetterFile::open(&path).unwrap();
        letters.append(&letter(Content::record(b"x"))).unwrap();
        assert_eq!(lines(&letters).len(), 2);
    }

    fn capped(folder: &Path, max_size: usize, when_full: WhenFull) -> DeadLetterFile {
        let cap = Cap { max_size, when_full };
        DeadLetterFile::open(&folder.join("dead-letters.ndjson")).unwrap().with_cap(cap)
    }

    #[test]
    fn a_full_file_takes_nothing_until_it_is_moved_away_or_emptied() {
        let folder = tempfile::tempdir().unwrap();
        let letters = capped(folder.path(), 400, WhenFull::Stop);
        let record = letter(Content::record(b"x"));
        letters.append(&record).unwrap();
        letters.append(&record).unwrap();
        let error = letters.append(&record).unwrap_err();
        assert!(error.to_string().contains("dead_letter.max_size") && error.to_string().contains("replay"), "{error}");
        assert_eq!(lines(&letters).len(), 2);
        fs::rename(letters.path(), folder.path().join("moved")).unwrap();
        letters.append(&record).unwrap();
        letters.append(&record).unwrap();
        assert_eq!(lines(&letters).len(), 2);
        letters.append(&record).unwrap_err();
        fs::write(letters.path(), "").unwrap();
        letters.append(&record).unwrap();
        letters.sync().unwrap();
        assert_eq!(lines(&letters).len(), 1);
        assert_eq!(fs::read_to_string(folder.path().join("moved")).unwrap().lines().count(), 2);
    }

    #[test]
    fn a_file_that_is_moved_away_is_left_alone_even_if_it_is_not_full() {
        let folder = tempfile::tempdir().unwrap();
        let letters = DeadLetterFile::open(&folder.path().join("dead-letters.ndjson")).unwrap();
        letters.append(&letter(Content::record(b"x"))).unwrap();
        fs::rename(letters.path(), folder.path().join("moved")).unwrap();
        letters.append(&letter(Content::record(b"y"))).unwrap();
        assert_eq!(lines(&letters)[0]["record"], "y");
        // And one of the same length in its place is another.
        fs::rename(folder.path().join("moved"), letters.path()).unwrap();
        letters.append(&letter(Content::record(b"z"))).unwrap();
        let records: Vec<_> = lines(&letters).iter().map(|line| line["record"].clone()).collect();
        assert_eq!(records, ["x", "z"]);
    }

    #[test]
    fn the_oldest_letters_go_if_asked_to() {
        let folder = tempfile::tempdir().unwrap();
        let letters = capped(folder.path(), 1_000, WhenFull::DropOldest);
        for number in 0..50 {
            letters.append(&letter(Content::record(format!("{number:02}").as_bytes()))).unwrap();
        }
        let older = folder.path().join("dead-letters.1.ndjson");
        let length = |path: &Path| fs::metadata(path).unwrap().len();
        assert!(length(letters.path()) + length(&older) <= 1_000);
        let older = DeadLetterFile::open(&older).unwrap();
        let kept: Vec<_> = [lines(&older), lines(&letters)].concat();
        let expected: Vec<String> = (50 - kept.len()..50).map(|number| format!("{number:02}")).collect();
        assert_eq!(kept.iter().map(|line| line["record"].as_str().unwrap()).collect::<Vec<_>>(), expected);
        assert!(kept.len() >= 3);
    }

    #[test]
    fn one_letter_fits_however_long_it_is() {
        let folder = tempfile::tempdir().unwrap();
        for when_full in [WhenFull::Stop, WhenFull::DropOldest] {
            let letters = capped(folder.path(), 100, when_full);
            fs::write(letters.path(), "").unwrap();
            letters.append(&letter(Content::record(&[b'x'; 500]))).unwrap();
            assert_eq!(lines(&letters).len(), 1);
        }
    }
}
