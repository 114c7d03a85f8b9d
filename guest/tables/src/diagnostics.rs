//! What is wrong with a table, and how to mend it.

use std::fmt;
use std::path::{Path, PathBuf};

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// The file.
    pub file: PathBuf,
    /// The line, from 1; 0 where it is the file.
    pub line: u64,
    /// What is wrong.
    pub message: String,
    /// How to mend it; may be empty.
    pub hint: String,
}

/// All that is wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diagnostics(pub Vec<Diagnostic>);

impl Diagnostics {
    pub(crate) fn one(file: &Path, message: impl Into<String>) -> Self {
        Self(vec![Diagnostic { file: file.to_owned(), line: 0, message: message.into(), hint: String::new() }])
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for diagnostic in &self.0 {
            let name = diagnostic.file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            writeln!(formatter, "{name}:{}: {}", diagnostic.line, diagnostic.message)?;
            if !diagnostic.hint.is_empty() {
                writeln!(formatter, "  {}", diagnostic.hint)?;
            }
        }
        Ok(())
    }
}

impl std::error::Error for Diagnostics {}

/// The name nearest to `wrong`, as a hint.
pub(crate) fn nearest<'n>(wrong: &str, names: impl Iterator<Item = &'n str>) -> String {
    names
        .map(|name| (strsim::damerau_levenshtein(wrong, name), name))
        .min()
        .filter(|(distance, name)| *distance <= 2 + name.len() / 4)
        .map(|(_, name)| format!("did you mean `{name}`?"))
        .unwrap_or_default()
}
