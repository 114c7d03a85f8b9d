//! `golden`: inputs of a mapping beside what is expected of them. `testdata/README.md` describes the layouts.
//!
//! A case passes if the component makes of its input what is expected, makes the same when it is run again, and every
//! document validates: it has only fields of ECS and of the pipeline, with values that fit their types. What does not
//! validate is not blessed either.

mod case;
mod diff;
mod elastic;
mod fields;
mod files;
mod json;
mod lookups;
mod outcome;
mod receipt;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use clap::Args;
use defenderbeat_collector::lookup::{Data, Geoip};
use defenderbeat_runtime::{Component, Engine, Options};

use crate::components;
use case::{Case, Layout};

/// Lines that are shown of one case.
const SHOWN: usize = 40;

#[derive(Args)]
pub(crate) struct Arguments {
    /// Cases, or folders that are searched for cases.
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Writes what is made now as what is expected, unless it does not validate.
    #[arg(long)]
    bless: bool,
    /// A folder of MaxMind databases that answer when a case is blessed; without it, addresses have the answers they had.
    #[arg(long, value_name = "DIR", requires = "bless")]
    geoip: Option<PathBuf>,
}

impl Arguments {
    /// Who answers lookups when cases are blessed; none where they are only run.
    fn data(&self) -> Result<Option<Arc<Data>>> {
        let geoip = self.geoip.as_deref().map(Geoip::find).transpose().context("--geoip")?;
        Ok(self.bless.then(|| Arc::new(Data::new(geoip.unwrap_or_default()))))
    }
}

/// What came of a case.
#[derive(Default)]
struct Verdict {
    /// Why it fails; empty where it passes.
    problems: Vec<String>,
    /// Files that were blessed.
    written: Vec<PathBuf>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let cases = case::find(&arguments.paths)?;
    ensure!(!cases.is_empty(), "no golden cases there: inputs are *.ndjson, folders of NN-<feed>.json, and *.log");
    let blessing = arguments.data()?;
    let engine = Engine::new(Options::default())?;
    let mut loaded: BTreeMap<&str, Component> = BTreeMap::new();
    let mut out = std::io::stdout().lock();
    let (mut passed, mut failed) = (0, 0);
    for case in &cases {
        let verdict = check(case, &engine, &mut loaded, blessing.as_ref())
            .unwrap_or_else(|error| Verdict { problems: vec![format!("{error:#}")], ..Verdict::default() });
        for file in &verdict.written {
            writeln!(out, "blessed {}", file.display())?;
        }
        if verdict.problems.is_empty() {
            passed += 1;
            continue;
        }
        failed += 1;
        writeln!(out, "FAILED {}", case.input.display())?;
        for problem in verdict.problems.iter().take(SHOWN) {
            writeln!(out, "  {problem}")?;
        }
        if let Some(more) = verdict.problems.len().checked_sub(SHOWN).filter(|more| *more > 0) {
            writeln!(out, "  and {more} more")?;
        }
    }
    writeln!(out, "{passed} passed, {failed} failed")?;
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn check<'c>(
    case: &'c Case,
    engine: &Engine,
    loaded: &mut BTreeMap<&'c str, Component>,
    blessing: Option<&Arc<Data>>,
) -> Result<Verdict> {
    if let Layout::Orphan = case.layout {
        let problem = "has no input: delete it, or bring the input back".to_owned();
        return Ok(Verdict { problems: vec![problem], ..Verdict::default() });
    }
    if !loaded.contains_key(case.dataset.as_str()) {
        loaded.insert(&case.dataset, components::load(engine, &case.dataset, None)?);
    }
    let component = loaded.get(case.dataset.as_str()).context("the component is not loaded")?;
    match case.layout {
        Layout::Elastic => elastic::check(case, component, blessing),
        Layout::File | Layout::Folder | Layout::Orphan => files::check(case, component, blessing),
    }
}
