//! Where golden cases are.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::components::DATASETS;

/// What follows the name of an input of elastic-package in the name of its lookups.
pub(super) const LOOKUPS: &str = "-lookups.json";

/// A case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Case {
    /// File or folder of the input.
    pub(super) input: PathBuf,
    /// Name of the data stream: that of the nearest folder above that is one.
    pub(super) dataset: String,
    pub(super) layout: Layout,
}

/// How a case is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Layout {
    /// `<case>.ndjson`
    File,
    /// `<case>/NN-<feed>.json`
    Folder,
    /// `<case>.log` or `<case>.json` of elastic-package.
    Elastic,
    /// An expectation without input.
    Orphan,
}

/// All cases below the paths, sorted.
pub(super) fn find(paths: &[PathBuf]) -> Result<Vec<Case>> {
    let mut inputs = Vec::new();
    for path in paths {
        if path.is_dir() {
            search(path, &mut inputs)?;
        } else if path.is_file() {
            let layout = match classify(path) {
                Some(layout) => layout,
                None if path.extension() == Some(OsStr::new("json")) => Layout::Elastic,
                None => bail!("{} is no input of a golden case", path.display()),
            };
            inputs.push((path.clone(), layout));
        } else {
            bail!("{}: there is no such file or folder", path.display());
        }
    }
    let mut cases = inputs
        .into_iter()
        .map(|(input, layout)| Ok(Case { dataset: dataset(&input)?, input, layout }))
        .collect::<Result<Vec<_>>>()?;
    cases.sort();
    cases.dedup();
    Ok(cases)
}

fn search(folder: &Path, inputs: &mut Vec<(PathBuf, Layout)>) -> Result<()> {
    let reading = || format!("reading folder {}", folder.display());
    let mut entries = Vec::new();
    for entry in fs::read_dir(folder).with_context(reading)? {
        entries.push(entry.with_context(reading)?.path());
    }
    entries.sort();
    if entries.iter().any(|entry| feed(entry).is_some()) {
        inputs.push((folder.to_owned(), Layout::Folder));
        return Ok(());
    }
    for entry in entries {
        if entry.is_dir() {
            search(&entry, inputs)?;
        } else if let Some(layout) = classify(&entry) {
            inputs.push((entry, layout));
        }
    }
    Ok(())
}

fn classify(file: &Path) -> Option<Layout> {
    let name = file.file_name()?.to_str()?;
    if let Some(case) = name.strip_suffix(".expected.ndjson") {
        return (!file.with_file_name(format!("{case}.ndjson")).exists()).then_some(Layout::Orphan);
    }
    if name.ends_with(".ndjson") {
        return Some(Layout::File);
    }
    if let Some(case) = name.strip_suffix("-expected.json") {
        return (!file.with_file_name(case).exists()).then_some(Layout::Orphan);
    }
    if name.ends_with(LOOKUPS) {
        return None;
    }
    let expected = || file.with_file_name(format!("{name}-expected.json")).exists();
    let elastic = name.ends_with(".log") || name.ends_with(".json") && (name.starts_with("test-") || expected());
    elastic.then_some(Layout::Elastic)
}

/// The feed of a file of a folder: `NN-<feed>.json`.
pub(super) fn feed(file: &Path) -> Option<&str> {
    let (number, feed) = file.file_name()?.to_str()?.strip_suffix(".json")?.split_once('-')?;
    (!number.is_empty() && number.bytes().all(|digit| digit.is_ascii_digit()) && !feed.is_empty()).then_some(feed)
}

fn dataset(input: &Path) -> Result<String> {
    let absolute = input.canonicalize().with_context(|| format!("looking for {}", input.display()))?;
    let found = absolute
        .ancestors()
        .skip(1)
        .filter_map(|folder| folder.file_name()?.to_str())
        .find(|name| DATASETS.contains(name))
        .with_context(|| {
            let names = DATASETS.join(", ");
            format!("{}: a case lies below a folder named for its data stream: {names}", input.display())
        })?;
    Ok(found.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cases_are_found_in_every_layout() {
        let root = tempfile::tempdir().unwrap();
        let alert = root.path().join("alert");
        for (file, text) in [
            ("one.ndjson", ""),
            ("one.expected.ndjson", ""),
            ("one.settings.json", "{}"),
            ("gone.expected.ndjson", ""),
            ("sync/01-machines.json", ""),
            ("sync/expected.ndjson", ""),
            ("pipeline/test-a.log", ""),
            ("pipeline/test-a.log-expected.json", ""),
            ("pipeline/test-a.log-lookups.json", ""),
            ("pipeline/test-a.log-config.yml", ""),
            ("pipeline/test-common-config.yml", ""),
            ("pipeline/test-b.json", ""),
            ("pipeline/test-c.log-expected.json", ""),
        ] {
            let file = alert.join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        }
        let found = find(&[root.path().to_owned()]).unwrap();
        let names: Vec<(String, Layout)> = found
            .iter()
            .map(|case| (case.input.strip_prefix(&alert).unwrap().display().to_string(), case.layout))
            .collect();
        assert_eq!(
            names.iter().map(|(name, layout)| (name.as_str(), *layout)).collect::<Vec<_>>(),
            [
                ("gone.expected.ndjson", Layout::Orphan),
                ("one.ndjson", Layout::File),
                ("pipeline/test-a.log", Layout::Elastic),
                ("pipeline/test-b.json", Layout::Elastic),
                ("pipeline/test-c.log-expected.json", Layout::Orphan),
                ("sync", Layout::Folder),
            ]
        );
        assert!(found.iter().all(|case| case.dataset == "alert"));
        assert!(find(&[root.path().join("none")]).is_err());
    }
}
