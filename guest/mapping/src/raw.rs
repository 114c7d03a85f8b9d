//! Raw text of a place in a record, found by path: for the few paths that the trie cannot hold.

use std::collections::BTreeMap;

use once_cell::unsync::OnceCell;
use serde_json::value::RawValue;

use crate::set::elements;
use crate::value::unescape;

/// A record that JSONPath can be asked of. The tree is built at the first question, and only its paths are used:
/// values are cut out of the record itself, so that no number or escape changes.
pub(crate) struct Queried<'r> {
    record: &'r str,
    tree: OnceCell<Option<serde_json::Value>>,
}

impl<'r> Queried<'r> {
    pub(crate) fn new(record: &'r str) -> Self {
        Self { record, tree: OnceCell::new() }
    }

    /// Whether the record can be asked at all: a tree cannot hold numbers beyond double precision, half a surrogate pair
    /// and more than 127 levels.
    pub(crate) fn is_readable(&self) -> bool {
        self.tree().is_some()
    }

    fn tree(&self) -> Option<&serde_json::Value> {
        self.tree.get_or_init(|| serde_json::from_str(self.record).ok()).as_ref()
    }

    /// The raw values that a path selects, in document order.
    pub(crate) fn select(&self, path: &str) -> Vec<&'r str> {
        let Some(tree) = self.tree() else { return Vec::new() };
        let paths = jsonpath_rust::query::js_path_path(path, tree).unwrap_or_default();
        paths.iter().filter_map(|path| at(self.record, path)).collect()
    }
}

/// Checks that text is a JSONPath (RFC 9535).
///
/// # Errors
///
/// What is wrong with it.
pub fn check(path: &str) -> Result<(), String> {
    if !path.starts_with('$') {
        return Err(format!("`{path}` is no JSONPath: one begins with `$`, such as `$.{path}`"));
    }
    jsonpath_rust::parser::parse_json_path(path).map(drop).map_err(|error| error.to_string())
}

/// The raw value at a normalised JSONPath (RFC 9535, section 2.7): `$['a'][0]`.
fn at<'r>(record: &'r str, path: &str) -> Option<&'r str> {
    let mut value = record;
    let mut rest = path.strip_prefix('$')?;
    while !rest.is_empty() {
        if let Some(quoted) = rest.strip_prefix("['") {
            let end = closing_quote(quoted)?;
            let (name, tail) = quoted.split_at_checked(end)?;
            rest = tail.strip_prefix("']")?;
            let members: BTreeMap<String, &RawValue> = serde_json::from_str(value).ok()?;
            let name = unescape(name);
            value = members.get(name.as_ref()).or_else(|| members.get(quoted.get(..end)?))?.get();
        } else {
            let (index, tail) = rest.strip_prefix('[')?.split_once(']')?;
            rest = tail;
            value = elements(value).get(index.parse::<usize>().ok()?).copied()?;
        }
    }
    Some(value)
}

fn closing_quote(text: &str) -> Option<usize> {
    let mut escaped = false;
    text.bytes().position(|byte| {
        let closes = byte == b'\'' && !escaped;
        escaped = byte == b'\\' && !escaped;
        closes
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_cut_out_unchanged() {
        let record = r#"{"a":[{"b":12345678901234567890123},{"b":1.10}],"x'y":{"b":"\/"}}"#;
        assert_eq!(Queried::new(record).select("$.a[*].b"), ["12345678901234567890123", "1.10"]);
        assert_eq!(Queried::new(record).select("$..b").len(), 3);
        assert_eq!(Queried::new(record).select("$.a[?@.b == 1.1].b"), ["1.10"]);
    }

    #[test]
    fn a_path_that_is_none_is_refused() {
        assert!(check("$.a[").is_err());
        assert!(check("$..a[?@.b > 1]").is_ok());
    }
}
