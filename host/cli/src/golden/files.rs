//! Cases in our own layout: `<case>.ndjson`, or a folder of `NN-<feed>.json`; what is expected lies beside it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use bytes::Bytes;
use defenderbeat_collector::lookup::Data;
use defenderbeat_runtime::Component;

use super::Verdict;
use super::case::{Case, Layout, feed};
use super::diff;
use super::fields::{Numbers, Rules};
use super::json::Json;
use super::lookups::Lookups;
use super::outcome::{Outcome, Push, Surroundings, make};
use super::receipt;

/// Runs a case; with `blessing`, what it gives is written where that validates.
pub(super) fn check(case: &Case, component: &Component, blessing: Option<&Arc<Data>>) -> Result<Verdict> {
    let inputs = inputs(case)?;
    let beside = |name: &str| match case.layout {
        Layout::Folder => case.input.join(name),
        _ => case.input.with_extension(name),
    };
    let settings = read(&beside("settings.json"))?.unwrap_or_default();
    let lookups = Arc::new(Lookups::load(&beside("lookups.json"), blessing)?);
    let mut pushes = Vec::new();
    let mut names = Vec::new();
    for input in &inputs {
        let bytes = fs::read(input).with_context(|| format!("reading {}", input.display()))?;
        let feed = feed(input).filter(|_| case.layout == Layout::Folder).map(str::to_owned);
        pushes.push(Push { feed, payloads: vec![Bytes::from(bytes)] });
        names.push(input.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default());
    }
    let rules = Rules::new(&case.dataset, &settings, Numbers::AsKeywords)?;
    let surroundings = Surroundings { settings, lookup: lookups.clone() };
    let finish = case.layout == Layout::Folder;
    let made = make(component, &surroundings, &pushes, finish)?;
    let again = make(component, &surroundings, &pushes, finish)?;

    let mut problems = validate(&rules, &made, component)?;
    problems.extend(repeat(&made, &again)?);
    let receipt = receipt::text(&made, &names)?;
    let mut verdict = Verdict::default();
    for (file, text) in [("expected.ndjson", made.lines()?.join("\n")), ("receipt.json", receipt)] {
        let text = if text.is_empty() || text.ends_with('\n') { text } else { text + "\n" };
        let file = beside(file);
        let expected = read(&file)?;
        if expected.as_ref() == Some(&text) {
            continue;
        }
        if blessing.is_none() {
            problems.extend(differences(&file, expected.as_deref(), &text)?);
        } else if problems.is_empty() {
            fs::write(&file, &text).with_context(|| format!("writing {}", file.display()))?;
            verdict.written.push(file);
        }
    }
    if problems.is_empty() {
        verdict.written.extend(lookups.bless()?);
    }
    Ok(Verdict { problems, ..verdict })
}

/// The files of a case's input, in order.
fn inputs(case: &Case) -> Result<Vec<PathBuf>> {
    if case.layout != Layout::Folder {
        return Ok(vec![case.input.clone()]);
    }
    let reading = || format!("reading folder {}", case.input.display());
    let mut files = Vec::new();
    for entry in fs::read_dir(&case.input).with_context(reading)? {
        let file = entry.with_context(reading)?.path();
        if feed(&file).is_some() {
            files.push(file);
        }
    }
    files.sort();
    Ok(files)
}

/// The text of a file that need not be there.
pub(super) fn read(file: &Path) -> Result<Option<String>> {
    match fs::read_to_string(file) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("reading {}", file.display())),
    }
}

fn validate(rules: &Rules, made: &Outcome, component: &Component) -> Result<Vec<String>> {
    let mut problems = Vec::new();
    for (at, (line, facts)) in made.lines()?.into_iter().zip(&made.documents).enumerate() {
        let route = component.descriptor().routes.get(facts.route as usize).map_or("", String::as_str);
        let found = match Json::parse(line) {
            Ok(document) => rules.check(&document, Some((facts, route))),
            Err(cause) => vec![cause],
        };
        problems.extend(found.into_iter().map(|problem| format!("document {at} is not valid: {problem}")));
    }
    Ok(problems)
}

/// Whether running a case again gave the same.
fn repeat(made: &Outcome, again: &Outcome) -> Result<Vec<String>> {
    if made == again {
        return Ok(Vec::new());
    }
    let mut problems = vec!["is not deterministic: running it again gives something else".to_owned()];
    for (at, (one, other)) in made.lines()?.into_iter().zip(again.lines()?).enumerate().filter(|(_, (a, b))| a != b) {
        problems.extend(document(at, one, other));
    }
    Ok(problems)
}

/// How a file that was made differs from the one that is there.
fn differences(file: &Path, expected: Option<&str>, made: &str) -> Result<Vec<String>> {
    let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let Some(expected) = expected else {
        return Ok(vec![format!("{name} is not there: `defenderbeat golden --bless` writes it")]);
    };
    if name.ends_with("receipt.json") {
        let parse = |text: &str| Json::parse(text).map_err(anyhow::Error::msg);
        let lines =
            diff::compare(&parse(expected).with_context(|| format!("reading {}", file.display()))?, &parse(made)?);
        return Ok(lines.into_iter().map(|line| format!("receipt: {line}")).collect());
    }
    let (wanted, found): (Vec<&str>, Vec<&str>) = (expected.lines().collect(), made.lines().collect());
    let mut problems = Vec::new();
    if wanted.len() != found.len() {
        problems.push(format!("{} documents are expected, {} were made", wanted.len(), found.len()));
    }
    for (at, (one, other)) in wanted.iter().zip(&found).enumerate().filter(|(_, (one, other))| one != other) {
        problems.extend(document(at, one, other));
    }
    if problems.is_empty() {
        problems.push(format!("{name} differs in its line ends"));
    }
    Ok(problems)
}

fn document(at: usize, expected: &str, made: &str) -> Vec<String> {
    let (expected, made) = match (Json::parse(expected), Json::parse(made)) {
        (Ok(expected), Ok(made)) => (expected, made),
        (Err(cause), _) => return vec![format!("document {at}: what is expected {cause}")],
        (_, Err(cause)) => return vec![format!("document {at}: what was made {cause}")],
    };
    let mut lines = diff::compare(&expected, &made);
    if lines.is_empty() {
        lines.push("differs in spelling only: order of keys, white space, escapes or digits".to_owned());
    }
    lines.into_iter().map(|line| format!("document {at}: {line}")).collect()
}
