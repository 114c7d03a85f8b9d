//! The host's own data: here what a golden case says.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use defenderbeat_runtime::Lookup;
use serde_json::Value;

/// Fragments by kind and key.
#[derive(Default)]
pub(crate) struct Lookups(BTreeMap<(String, String), String>);

impl Lookups {
    /// Reads a list of `{"kind":"geo","key":"192.0.2.1","fragment":"{..}"}`.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let answers: Vec<Value> = serde_json::from_str(text)?;
        let answer = |answer: &Value| {
            let member = |name| answer.get(name)?.as_str().map(str::to_owned);
            Some(((member("kind")?, member("key")?), member("fragment")?))
        };
        let answers = answers.iter().map(answer).collect::<Option<_>>();
        Ok(Self(answers.context("an answer has a kind, a key and a fragment")?))
    }
}

impl Lookup for Lookups {
    fn find(&self, kind: &str, key: &str) -> Option<String> {
        self.0.get(&(kind.to_owned(), key.to_owned())).cloned()
    }
}
