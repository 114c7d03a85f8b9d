//! User agents, by the rules of uap-core (`uap-core/README.md`), in the form of Elasticsearch's `user_agent` processor.

use std::sync::LazyLock;

use serde::Serialize;
use ua_parser::{Extractor, Regexes};

const RULES: &str = include_str!("uap-core/regexes.yaml");

/// Longest text that is taken for a user agent, in bytes: what web servers allow for all headers together. Rules take
/// time in proportion to it.
const LONGEST: usize = 8192;

/// What is said where no rule knows the program or the device.
const UNKNOWN: &str = "Other";

/// The rules. They are compiled at the first question, which takes 0.2 s and 26 MiB.
pub(super) struct UserAgents(LazyLock<Option<Extractor<'static>>>);

impl Default for UserAgents {
    fn default() -> Self {
        Self(LazyLock::new(|| match compile() {
            Ok(rules) => Some(rules),
            Err(error) => {
                tracing::error!(error, "the rules for user agents cannot be used; please report this");
                None
            }
        }))
    }
}

fn compile() -> Result<Extractor<'static>, String> {
    let rules: Regexes<'_> = serde_saphyr::from_str(RULES).map_err(|error| error.to_string())?;
    Extractor::try_from(rules).map_err(|error| error.to_string())
}

impl UserAgents {
    /// What a text says of program, system and device; none for a text that is no user agent.
    pub(super) fn find(&self, text: &str) -> Option<String> {
        if text.is_empty() || text.len() > LONGEST {
            return None;
        }
        let (program, system, device) = self.0.as_ref()?.extract(text);
        let os = system.as_ref().map(|system| {
            let parts = [&system.major, &system.minor, &system.patch, &system.patch_minor];
            let version = version(parts.map(|part| part.as_deref()));
            Os { full: version.as_ref().map(|version| format!("{} {version}", system.os)), name: &system.os, version }
        });
        let version = program
            .as_ref()
            .and_then(|program| version([program.major, program.minor, program.patch, program.patch_minor]));
        let found = UserAgent {
            device: Device { name: device.as_ref().map_or(UNKNOWN, |device| &device.device) },
            name: program.as_ref().map_or(UNKNOWN, |program| &program.family),
            os,
            version,
        };
        serde_json::to_string(&found).ok()
    }
}

/// The parts up to the first that is missing, with dots between them.
fn version(parts: [Option<&str>; 4]) -> Option<String> {
    let known: Vec<&str> = parts.into_iter().map_while(|part| part.filter(|part| !part.is_empty())).collect();
    (!known.is_empty()).then(|| known.join("."))
}

#[derive(Serialize)]
struct UserAgent<'a> {
    device: Device<'a>,
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    os: Option<Os<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<String>,
}

#[derive(Serialize)]
struct Device<'a> {
    name: &'a str,
}

#[derive(Serialize)]
struct Os<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    full: Option<String>,
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<String>,
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn programs_systems_and_devices_are_told() {
        let rules = UserAgents::default();
        let found = |text: &str| -> Value { serde_json::from_str(&rules.find(text).unwrap()).unwrap() };
        assert_eq!(
            found(
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.6478.127 Safari/537.36"
            ),
            json!({
                "name": "Chrome", "version": "126.0.6478.127", "device": {"name": "Other"},
                "os": {"name": "Windows", "version": "10", "full": "Windows 10"},
            })
        );
        assert_eq!(
            found(
                "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1"
            ),
            json!({
                "name": "Mobile Safari", "version": "17.5", "device": {"name": "iPhone"},
                "os": {"name": "iOS", "version": "17.5", "full": "iOS 17.5"},
            })
        );
        // A system whose version is not known.
        assert_eq!(
            found("Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"),
            json!({"name": "Firefox", "version": "128.0", "device": {"name": "Other"}, "os": {"name": "Linux"}})
        );
        assert_eq!(found("an unknown program"), json!({"name": "Other", "device": {"name": "Other"}}));
    }

    #[test]
    fn an_answer_is_text_without_white_space_and_with_sorted_keys() {
        let found = UserAgents::default().find("python-requests/2.32.3").unwrap();
        assert_eq!(found, r#"{"device":{"name":"Other"},"name":"Python Requests","version":"2.32"}"#);
    }

    #[test]
    fn what_no_program_sends_is_no_user_agent() {
        let rules = UserAgents::default();
        assert_eq!(rules.find(""), None);
        assert_eq!(rules.find(&"x".repeat(LONGEST + 1)), None);
        assert!(rules.find(&"x".repeat(LONGEST)).is_some());
    }

    #[test]
    fn a_version_ends_where_a_part_is_missing() {
        assert_eq!(version([Some("1"), None, Some("3"), None]), Some("1".to_owned()));
        assert_eq!(version([Some("1"), Some(""), Some("3"), None]), Some("1".to_owned()));
        assert_eq!(version([None, Some("2"), None, None]), None);
    }
}
