//! Documents in files that rotate, one a line; options as in Beats' `output.file`.
//!
//! Files are named `<filename>-<date>.ndjson`, then `<filename>-<date>-1.ndjson` and so on. What is settled was synced to
//! disk. A line that was cut when the process was killed was not settled: it is removed at the next start, and its
//! document comes again.

use std::fs::{self, OpenOptions};
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use super::{Documents, LINES, Limits, Output, OutputError, Sent, lock};
use crate::checkpoint::sync_folder;
use crate::config::FileOutput;

/// Bytes written at a time.
const BUFFER: usize = 64 << 10;

/// A name without its fixed parts: date as a number, and number.
type Place = (u32, u32);

/// The file output.
#[derive(Debug)]
pub struct File {
    settings: FileOutput,
    /// UTC date as a number, such as 20261124.
    today: fn() -> u32,
    current: Mutex<Option<Current>>,
}

#[derive(Debug)]
struct Current {
    file: fs::File,
    path: PathBuf,
    /// Bytes of whole parts.
    length: u64,
    /// Something was written since the last sync.
    dirty: bool,
    /// There is more than whole parts, and it could not be removed yet.
    torn: bool,
}

fn today() -> u32 {
    chrono::Utc::now().format("%Y%m%d").to_string().parse().unwrap_or_default()
}

impl File {
    /// Prepares the folder and mends the file written last.
    ///
    /// # Errors
    ///
    /// The folder cannot be made or read, or the file cannot be mended.
    pub fn open(settings: FileOutput) -> Result<Self, OutputError> {
        let mut output = Self { settings, today, current: Mutex::default() };
        let folder = output.settings.path.clone();
        let failed = |source| OutputError::Open { file: folder.clone(), source };
        fs::create_dir_all(&folder).map_err(failed)?;
        if let Some(place) = output.places().map_err(failed)?.pop() {
            let path = output.path(place);
            let failed = |source| OutputError::Open { file: path.clone(), source };
            let (file, length) = mend(&path).map_err(failed)?;
            if length == 0 || !output.settings.rotate_on_startup {
                let current = Current { file, path, length, dirty: false, torn: false };
                output.current = Mutex::new(Some(current));
            }
        }
        Ok(output)
    }

    fn path(&self, (date, number): Place) -> PathBuf {
        let name = &self.settings.filename;
        let number = if number == 0 { String::new() } else { format!("-{number}") };
        self.settings.path.join(format!("{name}-{date:08}{number}.ndjson"))
    }

    /// The places of all files of this output, ascending.
    fn places(&self) -> io::Result<Vec<Place>> {
        let mut places = Vec::new();
        for entry in fs::read_dir(&self.settings.path)? {
            let name = entry?.file_name();
            let place = name.to_str().and_then(|name| {
                let rest = name.strip_prefix(&self.settings.filename)?.strip_prefix('-')?.strip_suffix(".ndjson")?;
                let (date, number) = rest.split_once('-').unwrap_or((rest, "0"));
                (date.len() == 8).then_some((date.parse().ok()?, number.parse().ok()?))
            });
            places.extend(place);
        }
        places.sort_unstable();
        Ok(places)
    }

    /// The file for the next `bytes`: the open one, or a new one where that is full.
    fn current<'a>(&self, open: &'a mut Option<Current>, bytes: u64) -> Result<&'a mut Current, OutputError> {
        let limit = self.settings.rotate_every_kb.saturating_mul(1024);
        let full = |current: &Current| current.length > 0 && current.length + bytes > limit;
        if let Some(current) = open.as_mut().filter(|current| full(current)) {
            current.sync()?;
            *open = None;
        }
        let current = match open.take() {
            Some(current) => current,
            None => self.begin().map_err(|source| OutputError::File { file: self.settings.path.clone(), source })?,
        };
        Ok(open.insert(current))
    }

    /// Begins a new file and deletes those that are too many.
    fn begin(&self) -> io::Result<Current> {
        let mut places = self.places()?;
        let today = (self.today)();
        // A clock that was set back must not sort the new file before old ones.
        let place = match places.last() {
            Some((date, number)) if *date >= today => (*date, number + 1),
            _ => (today, 0),
        };
        let path = self.path(place);
        let mut options = OpenOptions::new();
        options.create_new(true).append(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, self.settings.permissions);
        let file = options.open(&path)?;
        if let Err(error) = sync_folder(&self.settings.path) {
            // A file that is not used would count as one of those to keep.
            let _ = fs::remove_file(&path);
            return Err(error);
        }
        places.push(place);
        let excess = places.len().saturating_sub(self.settings.number_of_files);
        for old in places.into_iter().take(excess).map(|old| self.path(old)) {
            if let Err(error) = fs::remove_file(&old)
                && error.kind() != io::ErrorKind::NotFound
            {
                let file = old.display();
                tracing::warn!(%file, %error, "an old file cannot be deleted; this is tried again with the next one");
            }
        }
        Ok(Current { file, path, length: 0, dirty: false, torn: false })
    }
}

impl Current {
    fn sync(&mut self) -> Result<(), OutputError> {
        if self.dirty {
            self.file.sync_data().map_err(|source| OutputError::Sync { file: self.path.clone(), source })?;
            self.dirty = false;
        }
        Ok(())
    }

    /// Appends all or nothing.
    fn append(&mut self, documents: &Documents, metadata: bool) -> io::Result<()> {
        if self.torn {
            truncate(&self.path, self.length)?;
            self.torn = false;
        }
        let mut out = BufWriter::with_capacity(BUFFER, &self.file);
        let written = documents.write(metadata, &mut out).and_then(|()| out.flush());
        // What is left in the buffer after an error must not be written by its drop.
        drop(out.into_parts());
        if let Err(error) = written {
            self.torn = truncate(&self.path, self.length).is_err();
            return Err(error);
        }
        self.length = self.file.metadata()?.len();
        self.dirty = true;
        Ok(())
    }
}

/// Opens a file for appending, without the beginning of a line at its end.
pub(crate) fn mend(path: &Path) -> io::Result<(fs::File, u64)> {
    const BLOCK: u64 = 64 << 10;
    let mut file = OpenOptions::new().read(true).append(true).open(path)?;
    let length = file.metadata()?.len();
    let mut end = length;
    while end > 0 {
        let begin = end.saturating_sub(BLOCK);
        let mut block = Vec::new();
        file.seek(SeekFrom::Start(begin))?;
        Read::by_ref(&mut file).take(end - begin).read_to_end(&mut block)?;
        if let Some(at) = block.iter().rposition(|byte| *byte == b'\n') {
            end = begin + at as u64 + 1;
            break;
        }
        end = begin;
    }
    if end < length {
        tracing::warn!(
            file = %path.display(),
            bytes = length - end,
            "the last line was cut when the process ended: it is removed, and its document comes again"
        );
        truncate(path, end)?;
    }
    Ok((file, end))
}

/// Cuts a file, through a handle of its own: on Windows one that is open for appending may not.
pub(crate) fn truncate(path: &Path, length: u64) -> io::Result<()> {
    OpenOptions::new().write(true).open(path)?.set_len(length)
}

impl Output for File {
    fn limits(&self) -> Limits {
        LINES
    }

    async fn send(&self, documents: &[Documents]) -> Result<Sent, OutputError> {
        let mut open = lock(&self.current);
        for documents in documents {
            let current = self.current(&mut open, documents.part.ndjson.len() as u64)?;
            current
                .append(documents, self.settings.metadata)
                .map_err(|source| OutputError::File { file: current.path.clone(), source })?;
        }
        Ok(Sent::delivered(documents))
    }

    async fn flush(&self) -> Result<(), OutputError> {
        lock(&self.current).as_mut().map_or(Ok(()), Current::sync)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use defenderbeat_runtime::{Bytes, Document, Part};

    use super::super::Fate;
    use super::*;

    fn settings(folder: &Path) -> FileOutput {
        FileOutput {
            path: folder.join("out"),
            filename: "alerts".to_owned(),
            rotate_every_kb: 1,
            number_of_files: 3,
            permissions: 0o600,
            rotate_on_startup: false,
            metadata: false,
        }
    }

    fn documents(text: &str) -> Documents {
        let document = Document { payload: 0, length: text.len() as u32, route: 0, id: 1, time: 0, position: 0 };
        Documents {
            part: Part { ndjson: Bytes::copy_from_slice(text.as_bytes()), documents: vec![document] },
            streams: Arc::new([]),
            sent_since: None,
        }
    }

    async fn send(output: &File, text: &str) {
        assert_eq!(output.send(&[documents(text)]).await.unwrap().fates, [Fate::Delivered]);
        output.flush().await.unwrap();
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder.join("out")).unwrap();
        let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[tokio::test]
    async fn files_rotate_by_size_and_the_oldest_go() {
        let folder = tempfile::tempdir().unwrap();
        let mut output = File::open(settings(folder.path())).unwrap();
        output.today = || 20261124;
        let line = format!("{}\n", "x".repeat(600));
        for _ in 0..5 {
            send(&output, &line).await;
        }
        assert_eq!(
            names(folder.path()),
            ["alerts-20261124-2.ndjson", "alerts-20261124-3.ndjson", "alerts-20261124-4.ndjson"]
        );
        output.today = || 20261123;
        send(&output, &line).await;
        assert_eq!(names(folder.path()).last().unwrap(), "alerts-20261124-5.ndjson", "the clock was set back");
        output.today = || 20261125;
        send(&output, &line).await;
        assert_eq!(names(folder.path()).last().unwrap(), "alerts-20261125.ndjson");
    }

    #[tokio::test]
    async fn a_line_that_was_cut_is_removed_at_the_next_start() {
        let folder = tempfile::tempdir().unwrap();
        let output = File::open(settings(folder.path())).unwrap();
        send(&output, "{\"a\":1}\n").await;
        let path = lock(&output.current).as_ref().unwrap().path.clone();
        drop(output);
        let mut torn = fs::read(&path).unwrap();
        torn.extend_from_slice(b"{\"b\":2");
        fs::write(&path, &torn).unwrap();
        let output = File::open(settings(folder.path())).unwrap();
        send(&output, "{\"c\":3}\n").await;
        assert_eq!(fs::read_to_string(&path).unwrap(), "{\"a\":1}\n{\"c\":3}\n");
        drop(output);
        // Longer than a block, and without any line.
        fs::write(&path, vec![b'x'; 200_000]).unwrap();
        File::open(settings(folder.path())).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().len(), 0);
    }

    #[tokio::test]
    async fn metadata_names_the_document_and_its_data_stream() {
        let folder = tempfile::tempdir().unwrap();
        let settings = FileOutput { metadata: true, ..settings(folder.path()) };
        let output = File::open(settings).unwrap();
        let streams = Arc::new(["logs-m365_defender.alert-default".to_owned()]);
        output.send(&[Documents { streams, ..documents("{\"a\":1}\n") }]).await.unwrap();
        let text = fs::read_to_string(folder.path().join("out").join(&names(folder.path())[0])).unwrap();
        let id = format!("{:032x}", 1);
        let metadata =
            format!(r#"{{"@metadata":{{"_id":"{id}","raw_index":"logs-m365_defender.alert-default"}},"a":1}}"#);
        assert_eq!(text, format!("{metadata}\n"));
    }

    #[tokio::test]
    async fn a_start_begins_a_new_file_if_asked_to() {
        let folder = tempfile::tempdir().unwrap();
        for _ in 0..2 {
            let settings = FileOutput { rotate_on_startup: true, ..settings(folder.path()) };
            send(&File::open(settings).unwrap(), "{}\n").await;
        }
        assert_eq!(names(folder.path()).len(), 2);
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn new_files_have_the_permissions_asked_for() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let output = File::open(settings(folder.path())).unwrap();
        send(&output, "{}\n").await;
        let file = folder.path().join("out").join(&names(folder.path())[0]);
        assert_eq!(fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[tokio::test]
    async fn what_cannot_be_written_is_an_error_that_may_pass() {
        let folder = tempfile::tempdir().unwrap();
        let output = File::open(settings(folder.path())).unwrap();
        fs::remove_dir_all(folder.path().join("out")).unwrap();
        let error = output.send(&[documents("{}\n")]).await.unwrap_err();
        assert!(error.is_transient() && error.to_string().contains("output.file"), "{error}");
        fs::create_dir(folder.path().join("out")).unwrap();
        send(&output, "{}\n").await;
    }
}
