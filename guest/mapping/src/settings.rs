//! Settings of a pipeline: the JSON object that `open` takes. Unknown keys are refused, so that a new option is no
//! new contract and a spelling mistake is no silent default.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::processors::{Processor, SiteRow};

/// Tag that keeps `event.original`.
pub(crate) const PRESERVE_ORIGINAL: &str = "preserve_original_event";
/// Tag that keeps own fields which an ECS field repeats.
pub(crate) const PRESERVE_DUPLICATES: &str = "preserve_duplicate_custom_fields";

/// What a pipeline is opened with.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Namespace of the data stream; `default` where absent.
    pub namespace: Option<String>,
    /// Tags of every document. Two of them are switches: `preserve_original_event` and
    /// `preserve_duplicate_custom_fields`.
    pub tags: Vec<String>,
    /// The same as the tag of this name.
    pub preserve_original_event: bool,
    /// The same as the tag of this name.
    pub preserve_duplicate_custom_fields: bool,
    /// `agent.*` of every document: an object, copied as it is.
    pub agent: Option<Box<RawValue>>,
    /// A site's own rows.
    pub(crate) rows: Vec<SiteRow>,
    /// Processors, applied in order.
    pub(crate) processors: Vec<Processor>,
    /// Largest record in bytes; a longer one is rejected. The driver applies it.
    pub max_record_size: Option<usize>,
    /// Whether an explanation of each document leaves in its place: which row made each of its fields.
    pub explain: bool,
    /// When the sync began that records belong to, ISO 8601: the time of records that have none of their own.
    pub sync_start: Option<String>,
}

/// Why settings were refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("settings, {path}: {message}")]
pub struct SettingsError {
    /// The key at fault, as a JSONPath.
    pub path: String,
    /// The cause.
    pub message: String,
}

impl Settings {
    /// Reads settings. Empty text counts as `{}`.
    ///
    /// # Errors
    ///
    /// Names the key at fault.
    pub fn parse(json: &str) -> Result<Self, SettingsError> {
        let json = if json.trim().is_empty() { "{}" } else { json };
        let mut parser = serde_json::Deserializer::from_str(json);
        let mut settings: Self = serde_path_to_error::deserialize(&mut parser).map_err(|error| SettingsError {
            path: match error.path().to_string().as_str() {
                "." => "$".to_owned(),
                path => format!("$.{path}"),
            },
            message: error.inner().to_string(),
        })?;
        if settings.agent.as_ref().is_some_and(|agent| !agent.get().starts_with('{')) {
            return Err(SettingsError { path: "$.agent".to_owned(), message: "is not an object".to_owned() });
        }
        if settings.sync_start.as_deref().is_some_and(|start| crate::time::parse(start).is_none()) {
            let message = "is no time, such as 2025-01-31T08:00:00Z".to_owned();
            return Err(SettingsError { path: "$.sync_start".to_owned(), message });
        }
        for (index, row) in settings.rows.iter().enumerate() {
            row.check().map_err(|message| SettingsError { path: format!("$.rows[{index}]"), message })?;
        }
        for (tag, set) in [
            (PRESERVE_ORIGINAL, settings.preserve_original_event),
            (PRESERVE_DUPLICATES, settings.preserve_duplicate_custom_fields),
        ] {
            if set && !settings.tags.iter().any(|known| known == tag) {
                settings.tags.push(tag.to_owned());
            }
        }
        settings.preserve_original_event = settings.tags.iter().any(|tag| tag == PRESERVE_ORIGINAL);
        settings.preserve_duplicate_custom_fields = settings.tags.iter().any(|tag| tag == PRESERVE_DUPLICATES);
        Ok(settings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_and_switches_say_the_same() {
        let settings =
            Settings::parse(r#"{"tags":["a","preserve_original_event"],"preserve_duplicate_custom_fields":true}"#)
                .unwrap();
        assert!(settings.preserve_original_event);
        assert_eq!(settings.tags, ["a", "preserve_original_event", "preserve_duplicate_custom_fields"]);
    }

    #[test]
    fn the_key_at_fault_is_named() {
        let error = |json: &str| Settings::parse(json).unwrap_err();
        assert!(error(r#"{"tgas":[]}"#).message.contains("unknown field `tgas`"));
        assert_eq!(error(r#"{"tags":[1]}"#).path, "$.tags[0]");
        assert_eq!(error(r#"{"agent":1}"#).path, "$.agent");
        assert_eq!(error(r#"{"sync_start":"now"}"#).path, "$.sync_start");
        assert_eq!(error(r#"{"rows":[{"from":"$.a[","to":"a"}]}"#).path, "$.rows[0]");
        assert_eq!(error("[").path, "$");
    }
}
