//! The pinned list of ECS fields.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::diagnostics::{Diagnostics, nearest};

/// ECS fields and their types.
#[derive(Clone, Debug, Default)]
pub struct Ecs(BTreeMap<String, String>);

impl Ecs {
    /// Reads the lists (`*.tsv`) of a folder: name, type and `array` or nothing, separated by tabs; lines that begin with
    /// `#` are comments.
    ///
    /// # Errors
    ///
    /// A file cannot be read.
    pub fn load(folder: &Path) -> Result<Self, Diagnostics> {
        let unreadable = |error| Diagnostics::one(folder, format!("cannot be read: {error}"));
        let mut text = String::new();
        for entry in fs::read_dir(folder).map_err(unreadable)? {
            let file = entry.map_err(unreadable)?.path();
            if file.extension().is_some_and(|extension| extension == "tsv") {
                text.push_str(&fs::read_to_string(&file).map_err(unreadable)?);
            }
        }
        Ok(Self::parse(&text))
    }

    /// The list in `text`.
    pub fn parse(text: &str) -> Self {
        let fields = text.lines().filter(|line| !line.starts_with('#')).filter_map(|line| {
            let mut columns = line.split('\t');
            Some((columns.next()?.to_owned(), columns.next()?.to_owned()))
        });
        Self(fields.collect())
    }

    /// The type of a field.
    pub fn kind(&self, field: &str) -> Option<&str> {
        self.0.get(field).map(String::as_str)
    }

    /// Every field with its type, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(field, kind)| (field.as_str(), kind.as_str()))
    }

    pub(crate) fn hint(&self, field: &str) -> String {
        nearest(field, self.0.keys().map(String::as_str))
    }
}
