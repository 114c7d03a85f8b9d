//! Answers to the lookups of a case: `<case>.lookups.json`. A case that is run has these and no others, so it gives the same
//! on every machine and in every host; a case that is blessed has its questions answered by the host's own data, and
//! the answers are written down.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result};
use defenderbeat_collector::lookup::Data;
use defenderbeat_runtime::Lookup;
use serde::{Deserialize, Serialize};

use super::files::read;

/// Fragments by kind and question.
type Answers = BTreeMap<(String, String), String>;

/// One answer in the file.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Answer {
    kind: String,
    key: String,
    /// JSON as text, because it is text that a component gets: each host would spell a number its own way.
    fragment: String,
}

/// Who answers the lookups of a case.
pub(super) struct Lookups {
    file: PathBuf,
    /// The text of the file.
    text: Option<String>,
    recorded: Answers,
    blessing: Option<Arc<Data>>,
    /// Answers given.
    given: Mutex<Answers>,
}

impl Lookups {
    /// Reads the answers in a file, which need not be there. With `blessing` these are for what it does not know.
    pub(super) fn load(file: &Path, blessing: Option<&Arc<Data>>) -> Result<Self> {
        let text = read(file)?;
        let answers = text.as_deref().map(serde_json::from_str::<Vec<Answer>>).transpose();
        let answers = answers.with_context(|| format!("reading {}", file.display()))?.unwrap_or_default();
        let recorded = answers.into_iter().map(|Answer { kind, key, fragment }| ((kind, key), fragment)).collect();
        Ok(Self { file: file.to_owned(), text, recorded, blessing: blessing.cloned(), given: Mutex::default() })
    }

    /// Where cases are blessed: writes the answers that were given, unless they are there; gives the file if it did.
    pub(super) fn bless(&self) -> Result<Option<PathBuf>> {
        if self.blessing.is_none() {
            return Ok(None);
        }
        let given = self.given.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let answer = |((kind, key), fragment)| Answer { kind, key, fragment };
        let answers: Vec<Answer> = given.into_iter().map(answer).collect();
        let text = (!answers.is_empty()).then(|| serde_json::to_string_pretty(&answers)).transpose()?;
        let text = text.map(|text| text + "\n");
        if text == self.text {
            return Ok(None);
        }
        let written = text.map_or_else(|| fs::remove_file(&self.file), |text| fs::write(&self.file, text));
        written.with_context(|| format!("writing {}", self.file.display()))?;
        Ok(Some(self.file.clone()))
    }
}

impl Lookup for Lookups {
    fn find(&self, kind: &str, key: &str) -> Option<String> {
        let question = (kind.to_owned(), key.to_owned());
        let fresh = self.blessing.as_ref().and_then(|data| data.find(kind, key));
        let answer = fresh.or_else(|| self.recorded.get(&question).cloned())?;
        self.given.lock().unwrap_or_else(PoisonError::into_inner).insert(question, answer.clone());
        Some(answer)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use bytes::Bytes;
    use defenderbeat_runtime::{Component, Engine, Options};

    use super::super::outcome::{Push, Surroundings, make};
    use super::*;

    static HOSTILE: LazyLock<Component> = LazyLock::new(|| {
        let wasm = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/components/hostile.wasm");
        let wasm = fs::read(wasm).expect("run `make components`");
        Component::compile(&Engine::new(Options::default()).unwrap(), &wasm).unwrap()
    });

    /// What the hostile component makes of commands, with answers from a file.
    fn documents(file: &Path, blessing: Option<&Arc<Data>>, commands: &[&str]) -> (Vec<String>, Option<PathBuf>) {
        let lookups = Arc::new(Lookups::load(file, blessing).unwrap());
        let surroundings = Surroundings { settings: String::new(), lookup: lookups.clone() };
        let push =
            |command: &&str| Push { feed: Some("facts".to_owned()), payloads: vec![Bytes::from(command.to_string())] };
        let pushes: Vec<Push> = commands.iter().map(push).collect();
        let made = make(&HOSTILE, &surroundings, &pushes, false).unwrap();
        (made.lines().unwrap().into_iter().map(str::to_owned).collect(), lookups.bless().unwrap())
    }

    const AGENT: &str = r#"{"do":"lookup","kind":"user-agent","key":"curl/8.5.0"}"#;
    const ADDRESS: &str = r#"{"do":"lookup","kind":"geo","key":"192.0.2.1"}"#;

    #[test]
    fn answers_are_recorded_by_blessing_and_a_run_has_no_others() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("case.lookups.json");
        assert_eq!(documents(&file, None, &[AGENT, ADDRESS]), (vec!["null".to_owned(); 2], None));

        let data = Arc::new(Data::default());
        let (blessed, written) = documents(&file, Some(&data), &[AGENT, ADDRESS]);
        assert!(blessed[0].contains(r#""name":"curl""#) && blessed[1] == "null", "{blessed:?}");
        assert_eq!(written.as_deref(), Some(file.as_path()));
        assert_eq!(documents(&file, None, &[AGENT, ADDRESS]).0, blessed);
        assert_eq!(documents(&file, Some(&data), &[AGENT]).1, None, "nothing has changed");
    }

    #[test]
    fn what_the_host_does_not_know_keeps_its_answer_when_it_is_blessed() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("case.lookups.json");
        let answers = r#"[{"kind":"geo","key":"192.0.2.1","fragment":"{\"location\":{\"lat\":51.0,\"lon\":0.50}}"},
            {"kind":"user-agent","key":"curl/8.5.0","fragment":"{\"name\":\"old\"}"}]"#;
        fs::write(&file, answers).unwrap();
        let expected = r#"{"location":{"lat":51.0,"lon":0.50}}"#;
        assert_eq!(documents(&file, None, &[ADDRESS]).0, [expected]);
        let data = Arc::new(Data::default());
        let (blessed, _) = documents(&file, Some(&data), &[ADDRESS, AGENT]);
        assert_eq!(blessed[0], expected);
        assert!(blessed[1].contains("curl"), "the host knows: {blessed:?}");
        // Answers that nothing asks for go, and with the last of them the file.
        documents(&file, Some(&data), &[AGENT]);
        assert!(!fs::read_to_string(&file).unwrap().contains("192.0.2.1"));
        documents(&file, Some(&data), &["{}"]);
        assert!(!file.exists());
    }

    #[test]
    fn facts_of_a_push_are_learned_before_the_next() {
        let file = Path::new("none.lookups.json");
        let fact = r#"{"do":"all","of":[{"do":"fact","text":"mac"},{"do":"recall"}]}"#;
        let (made, _) = documents(file, None, &[fact, r#"{"do":"recall"}"#]);
        assert_eq!(made[1..], [r#"{"learned":""}"#, r#"{"learned":"mac"}"#]);
    }

    #[test]
    fn a_file_that_is_no_list_of_answers_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("case.lookups.json");
        fs::write(&file, r#"[{"kind":"geo","key":"x","fragment":{}}]"#).unwrap();
        let error = format!("{:#}", Lookups::load(&file, None).err().unwrap());
        assert!(error.contains("case.lookups.json") && error.contains("expected a string"), "{error}");
    }
}
