//! Functions of URLs.

use crate::args::{Args, Results};
use crate::url;
use crate::value::Value;

/// The parts of a URL; nothing where the text is none.
pub fn parts<'r>(args: &Args<'_, 'r>, results: &mut Results<'r>) {
    if let Some(json) = args.text(0).and_then(url::parts) {
        results.set(0, Value::Json(args.arena().text(&json)));
    }
}

/// The parts of a URL; where the text is none, the text alone as `original`.
pub fn parts_or_original<'r>(args: &Args<'_, 'r>, results: &mut Results<'r>) {
    let Some(text) = args.text(0) else { return };
    let json = url::parts(text).or_else(|| {
        let original = Value::from_text(text).to_json()?;
        Some(format!("{{\"original\":{original}}}"))
    });
    results.set(0, json.map_or(Value::Missing, |json| Value::Json(args.arena().text(&json))));
}
