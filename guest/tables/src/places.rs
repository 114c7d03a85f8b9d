//! Where each field comes from: the rows, and what they take.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use crate::Field;
use crate::scope::NONE;

/// Where and how a row gives what it gives.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// The file.
    pub(crate) file: PathBuf,
    /// The line, from 1.
    pub(crate) line: u64,
    /// The conversion or the function, or `const`.
    pub(crate) by: String,
    /// Full source paths; fields and `@names` that rows above gave a value count for what these were made of.
    pub(crate) from: Vec<String>,
}

/// A row of the compiled table: `defenderbeat_mapping::table::Row`.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    /// The file's path below the pipelines' folder.
    pub(crate) file: String,
    pub(crate) line: u64,
    pub(crate) by: String,
    /// Paths of the record.
    pub(crate) from: Vec<String>,
}

/// All rows so far, of which the last is the one at hand.
#[derive(Debug)]
pub(crate) struct Places {
    root: PathBuf,
    rows: Vec<Row>,
    /// Whether a row is at hand.
    begun: bool,
    /// Paths of the record that each field or `@name` was made of.
    given: BTreeMap<String, Vec<String>>,
}

impl Places {
    /// `root` is the folder that names of files are relative to.
    pub(crate) fn new(root: &Path) -> Self {
        Self { root: plain(root), rows: Vec::new(), begun: false, given: BTreeMap::new() }
    }

    /// Begins a row; gives its number.
    pub(crate) fn begin(&mut self, place: Place) -> u16 {
        let Place { file, line, by, from } = place;
        let mut sources: Vec<String> = Vec::new();
        for path in from {
            let origins = self.given.get(&path).cloned().unwrap_or_else(|| vec![path]);
            sources.extend(origins.into_iter().filter(|source| !sources.contains(source)).collect::<Vec<_>>());
        }
        let file = plain(&file);
        let name = file.strip_prefix(&self.root).unwrap_or(&file);
        let name = name.iter().map(|part| part.to_string_lossy()).collect::<Vec<_>>().join("/");
        self.rows.push(Row { file: name, line, by, from: sources });
        self.begun = true;
        self.row()
    }

    /// Ends a row that no other follows at once.
    pub(crate) fn end(&mut self) {
        self.begun = false;
    }

    /// Number of the row at hand.
    pub(crate) fn row(&self) -> u16 {
        self.rows.len().checked_sub(1).and_then(|row| u16::try_from(row).ok()).unwrap_or(NONE)
    }

    /// Paths of the record that the row at hand takes.
    pub(crate) fn sources(&self) -> &[String] {
        self.rows.last().filter(|_| self.begun).map_or(&[], |row| &row.from)
    }

    /// Says that the row at hand gave a field or `@name` its value.
    pub(crate) fn give(&mut self, name: &str) {
        let sources = self.sources().to_vec();
        let known = self.given.entry(name.to_owned()).or_default();
        known.extend(sources.into_iter().filter(|source| !known.contains(source)).collect::<Vec<_>>());
    }

    /// Adds the row at hand and what it takes to a field.
    pub(crate) fn tell(&self, field: &mut Field) {
        let Some(row) = self.rows.last().filter(|_| self.begun) else { return };
        let place = format!("{}:{}", row.file, row.line);
        if !field.rows.contains(&place) {
            field.rows.push(place);
        }
        for source in &row.from {
            if !field.sources.contains(source) {
                field.sources.push(source.clone());
            }
        }
    }

    pub(crate) fn into_rows(self) -> Vec<Row> {
        self.rows
    }
}

/// A path without `..`, as it reads.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir if plain.file_name().is_some() => {
                plain.pop();
            }
            Component::CurDir => {}
            part => plain.push(part),
        }
    }
    plain
}
