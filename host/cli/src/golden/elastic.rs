//! Cases in the layout of elastic-package's pipeline tests: `<case>.log` (a record a line) or `<case>.json`
//! (`{"events":[..]}`), `<case>-expected.json` beside it, and options in `test-common-config.yml` and
//! `<case>-config.yml`
//! (<https://github.com/elastic/elastic-package/blob/main/docs/howto/pipeline_testing.md>).

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use bytes::Bytes;
use defenderbeat_collector::lookup::Data;
use defenderbeat_runtime::{Component, Document};
use regex::Regex;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::Verdict;
use super::case::{Case, LOOKUPS};
use super::diff;
use super::fields::{Numbers, Rules};
use super::json::Json;
use super::lookups::Lookups;
use super::outcome::{Outcome, Push, Surroundings, make};

/// Options of a case.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Config {
    /// Fields of every event; a component takes its tags only.
    fields: BTreeMap<String, Value>,
    /// Patterns of fields that are not compared.
    dynamic_fields: BTreeMap<String, String>,
    /// Keyword fields that take numbers.
    numeric_keyword_fields: Vec<String>,
    multiline: Option<Value>,
}

impl Config {
    fn load(input: &Path) -> Result<Self> {
        let mut config = Config::default();
        for file in [input.with_file_name("test-common-config.yml"), beside(input, "-config.yml")] {
            if !file.exists() {
                continue;
            }
            let reading = || format!("reading {}", file.display());
            let text = fs::read_to_string(&file).with_context(reading)?;
            let read: Config = serde_saphyr::from_str(&text).map_err(anyhow::Error::msg).with_context(reading)?;
            ensure!(read.multiline.is_none(), "{}: multiline is not supported: write a record a line", file.display());
            config.fields.extend(read.fields);
            config.dynamic_fields.extend(read.dynamic_fields);
            config.numeric_keyword_fields.extend(read.numeric_keyword_fields);
        }
        Ok(config)
    }

    /// Settings of the component.
    fn settings(&self) -> Result<String> {
        if let Some(name) = self.fields.keys().find(|name| *name != "tags") {
            bail!("fields.{name}: a component is given records and settings, of which only `tags` can be said here");
        }
        let tags = self.fields.get("tags").cloned().unwrap_or(Value::Array(Vec::new()));
        let tags = if tags.is_array() { tags } else { Value::Array(vec![tags]) };
        Ok(serde_json::json!({ "tags": tags }).to_string())
    }
}

#[derive(Deserialize)]
struct Events<'a> {
    #[serde(borrow)]
    events: Vec<&'a RawValue>,
}

/// Runs a case; with `blessing`, what it gives is written where that validates.
pub(super) fn check(case: &Case, component: &Component, blessing: Option<&Arc<Data>>) -> Result<Verdict> {
    let config = Config::load(&case.input)?;
    let settings = config.settings()?;
    let listed = config.numeric_keyword_fields.iter().cloned().collect();
    let rules = Rules::new(&case.dataset, &settings, Numbers::Listed(listed))?;
    let records = records(&case.input)?;
    // A payload a record, so that each has its place among what is expected.
    let pushes = [Push { feed: None, payloads: records.clone() }];
    let lookups = Arc::new(Lookups::load(&beside(&case.input, LOOKUPS), blessing)?);
    let surroundings = Surroundings { settings, lookup: lookups.clone() };
    let made = make(component, &surroundings, &pushes, false)?;
    let mut problems = Vec::new();
    if made != make(component, &surroundings, &pushes, false)? {
        problems.push("is not deterministic: running it again gives something else".to_owned());
    }
    for reject in made.receipts.iter().flat_map(|receipt| &receipt.rejects) {
        problems.push(format!("record {} is rejected ({}): {}", reject.payload, reject.code.as_str(), reject.message));
    }
    let documents = by_record(&made, records.len())?;
    let dynamic = patterns(&config)?;
    for (at, document) in documents.iter().enumerate() {
        let Some((line, facts)) = document else { continue };
        let route = component.descriptor().routes.get(facts.route as usize).map_or("", String::as_str);
        let found = match Json::parse(line) {
            Ok(document) => rules
                .check(&document, Some((facts, route)))
                .into_iter()
                .chain(mismatches(&document, &dynamic))
                .collect(),
            Err(cause) => vec![cause],
        };
        problems.extend(found.into_iter().map(|problem| format!("document {at} is not valid: {problem}")));
    }
    let file = beside(&case.input, "-expected.json");
    let lines: Vec<Option<&str>> = documents.iter().map(|document| document.map(|(line, _)| line)).collect();
    if blessing.is_none() {
        problems.extend(differences(&file, &lines, &dynamic)?);
        return Ok(Verdict { problems, ..Verdict::default() });
    }
    let text = expectation(&lines)?;
    let mut verdict = Verdict { problems, ..Verdict::default() };
    if verdict.problems.is_empty() {
        if fs::read_to_string(&file).ok().as_ref() != Some(&text) {
            fs::write(&file, &text).with_context(|| format!("writing {}", file.display()))?;
            verdict.written.push(file);
        }
        verdict.written.extend(lookups.bless()?);
    }
    Ok(verdict)
}

/// The file whose name is that of the input with `suffix` behind it.
fn beside(input: &Path, suffix: &str) -> PathBuf {
    let mut name = input.file_name().unwrap_or_default().to_owned();
    name.push(suffix);
    input.with_file_name(name)
}

fn records(input: &Path) -> Result<Vec<Bytes>> {
    let reading = || format!("reading {}", input.display());
    let text = fs::read_to_string(input).with_context(reading)?;
    if input.extension().is_some_and(|extension| extension == "log") {
        return Ok(text
            .lines()
            .filter(|line| !line.trim().is_empty())
            .map(|line| Bytes::from(line.to_owned()))
            .collect());
    }
    let events: Events<'_> = serde_json::from_str(&text).with_context(reading)?;
    let record = |event: &RawValue| {
        // An event is what an agent sends: the record is the text of its message.
        let members: BTreeMap<String, Value> = serde_json::from_str(event.get()).unwrap_or_default();
        let message = ["message", "event.original"].into_iter().find_map(|key| members.get(key)?.as_str());
        Bytes::from(message.map_or_else(|| event.get().to_owned(), str::to_owned))
    };
    Ok(events.events.into_iter().map(record).collect())
}

/// The document of each record; none where it has none.
fn by_record(made: &Outcome, records: usize) -> Result<Vec<Option<(&str, &Document)>>> {
    let mut documents = vec![None; records];
    for (line, facts) in made.lines()?.into_iter().zip(&made.documents) {
        let place = documents.get_mut(facts.payload as usize).context("a document of no record")?;
        ensure!(place.is_none(), "record {} gives several documents, which this layout cannot say", facts.payload);
        *place = Some((line, facts));
    }
    Ok(documents)
}

fn patterns(config: &Config) -> Result<Vec<(&str, Regex)>> {
    let compile = |(path, pattern): (&'_ String, &'_ String)| {
        Regex::new(pattern).with_context(|| format!("dynamic_fields.{path}"))
    };
    config.dynamic_fields.iter().map(|entry| Ok((entry.0.as_str(), compile(entry)?))).collect()
}

/// Dynamic fields whose value does not match.
fn mismatches(document: &Json, dynamic: &[(&str, Regex)]) -> Vec<String> {
    let mismatch = |(path, pattern): &(&str, Regex)| {
        let value = document.get(path)?;
        let text = value.text().map_or_else(|| value.to_string(), str::to_owned);
        (!pattern.is_match(&text)).then(|| format!("{path}: {value} does not match {pattern}"))
    };
    dynamic.iter().filter_map(mismatch).collect()
}

fn differences(file: &Path, lines: &[Option<&str>], dynamic: &[(&str, Regex)]) -> Result<Vec<String>> {
    let reading = || format!("reading {}", file.display());
    if !file.exists() {
        let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        return Ok(vec![format!("{name} is not there: `defenderbeat golden --bless` writes it")]);
    }
    let text = fs::read_to_string(file).with_context(reading)?;
    let expected = match Json::parse(&text).map_err(anyhow::Error::msg).with_context(reading)?.get("expected") {
        Some(Json::List(documents)) => documents.clone(),
        _ => bail!("{}: there is no list `expected`", file.display()),
    };
    let mut problems = Vec::new();
    if expected.len() != lines.len() {
        problems.push(format!("{} documents are expected of {} records", expected.len(), lines.len()));
    }
    for (at, (mut wanted, line)) in expected.into_iter().zip(lines).enumerate() {
        let mut found = match line {
            Some(line) => Json::parse(line).map_err(anyhow::Error::msg)?,
            None => Json::Null,
        };
        for (path, _) in dynamic {
            wanted.remove(path);
            found.remove(path);
        }
        problems.extend(diff::compare(&wanted, &found).into_iter().map(|line| format!("document {at}: {line}")));
    }
    Ok(problems)
}

/// `{"expected":[..]}` as elastic-package writes it.
fn expectation(lines: &[Option<&str>]) -> Result<String> {
    let documents = lines
        .iter()
        .map(|line| line.map_or(Ok(Value::Null), serde_json::from_str))
        .collect::<Result<Vec<Value>, _>>()
        .context("a document cannot be written in this layout")?;
    let mut text = Vec::new();
    let indent = serde_json::ser::PrettyFormatter::with_indent(b"    ");
    let mut serializer = serde_json::Serializer::with_formatter(&mut text, indent);
    serde::Serialize::serialize(&serde_json::json!({ "expected": documents }), &mut serializer)?;
    text.push(b'\n');
    Ok(String::from_utf8(text)?)
}
