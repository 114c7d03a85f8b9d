//! What is different between two documents, leaf by leaf.

use super::json::Json;

/// Characters that are shown of a value.
const SHOWN: usize = 160;

/// Lines that say what differs, each with its path. Empty where both are the same.
pub(super) fn compare(expected: &Json, actual: &Json) -> Vec<String> {
    let mut lines = Vec::new();
    walk("", expected, actual, &mut lines);
    lines
}

fn walk(path: &str, expected: &Json, actual: &Json, lines: &mut Vec<String>) {
    match (expected, actual) {
        (Json::Object(wanted), Json::Object(found)) => {
            for (key, value) in wanted {
                let path = join(path, key);
                match found.get(key) {
                    Some(other) => walk(&path, value, other, lines),
                    None => leaves("missing", &path, value, lines),
                }
            }
            for (key, value) in found.iter().filter(|(key, _)| !wanted.contains_key(*key)) {
                leaves("extra  ", &join(path, key), value, lines);
            }
        }
        (Json::List(wanted), Json::List(found)) if holds_objects(wanted) || holds_objects(found) => {
            for (index, pair) in (0..wanted.len().max(found.len())).map(|at| (at, (wanted.get(at), found.get(at)))) {
                let path = format!("{path}[{index}]");
                match pair {
                    (Some(value), Some(other)) => walk(&path, value, other, lines),
                    (Some(value), None) => leaves("missing", &path, value, lines),
                    (None, Some(value)) => leaves("extra  ", &path, value, lines),
                    (None, None) => {}
                }
            }
        }
        _ if expected.same(actual) => {}
        _ => lines.push(format!("changed {path}: {} -> {}", shown(expected), shown(actual))),
    }
}

fn leaves(what: &str, path: &str, value: &Json, lines: &mut Vec<String>) {
    match value {
        Json::Object(members) if !members.is_empty() => {
            members.iter().for_each(|(key, value)| leaves(what, &join(path, key), value, lines));
        }
        Json::List(items) if holds_objects(items) => {
            items.iter().enumerate().for_each(|(at, item)| leaves(what, &format!("{path}[{at}]"), item, lines));
        }
        leaf => lines.push(format!("{what} {path}: {}", shown(leaf))),
    }
}

fn holds_objects(items: &[Json]) -> bool {
    items.iter().any(|item| matches!(item, Json::Object(_)))
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

fn shown(value: &Json) -> String {
    let text = value.to_string();
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}.. ({} bytes)", text.get(..end).unwrap_or_default(), text.len()),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_leaf_that_differs_is_one_line() {
        let expected = Json::parse(r#"{"a":{"b":1,"c":{"d":"x"}},"l":[{"x":1},{"x":2}],"s":["p","q"]}"#).unwrap();
        let actual = Json::parse(r#"{"a":{"b":2,"e":true},"l":[{"x":1}],"s":["q","p"]}"#).unwrap();
        assert_eq!(
            compare(&expected, &actual),
            [
                "changed a.b: 1 -> 2",
                "missing a.c.d: \"x\"",
                "extra   a.e: true",
                "missing l[1].x: 2",
                r#"changed s: ["p","q"] -> ["q","p"]"#,
            ]
        );
        assert!(compare(&expected, &expected.clone()).is_empty());
    }
}
