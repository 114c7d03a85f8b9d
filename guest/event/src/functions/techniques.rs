//! ATT&CK techniques.

use std::borrow::Cow;

use defenderbeat_mapping::{Args, Results, Value};

/// Techniques such as `Masquerading (T1036)`, as JSON text or a list: all of them, their ids and their names, each
/// sorted. Where one has no id, none has.
pub(crate) fn split<'r>(args: &Args<'_, 'r>, results: &mut Results<'r>) {
    let value = args.value(0);
    if value.is_missing() {
        return;
    }
    let arena = args.arena();
    let text = value.string().or_else(|| value.raw().map(Cow::Borrowed)).unwrap_or_default();
    let mut techniques = match serde_json::from_str::<Option<Vec<String>>>(&text) {
        Ok(techniques) => techniques.unwrap_or_default(),
        Err(_) => {
            results.fail(value, "is not the JSON text of a list");
            return;
        }
    };
    techniques.retain(|technique| !technique.is_empty());
    techniques.sort();
    let split: Option<Vec<(&str, &str)>> = techniques.iter().map(|technique| parts(technique)).collect();
    if let Some(parts) = split {
        let sorted = |mut texts: Vec<&str>| {
            texts.sort_unstable();
            let texts: Vec<Value<'r>> = texts.into_iter().map(|text| Value::from_text(arena.text(text))).collect();
            Value::List(arena.list(&texts))
        };
        results.set(1, sorted(parts.iter().map(|(id, _)| *id).collect()));
        results.set(2, sorted(parts.iter().map(|(_, name)| *name).collect()));
    }
    let all: Vec<Value<'r>> = techniques.iter().map(|technique| Value::Text(arena.text(technique))).collect();
    results.set(0, Value::List(arena.list(&all)));
}

/// The id between the parentheses, and the name before the last space.
fn parts(technique: &str) -> Option<(&str, &str)> {
    let id = technique.split_once('(')?.1.split_once(')')?.0;
    Some((id, technique.rsplit_once(' ').map_or("", |(name, _)| name)))
}
