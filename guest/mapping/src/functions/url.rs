//! Functions of URLs.

use crate::args::{Args, Results};
use crate::url;
use crate::value::Value;
use crate::write::string;

/// The parts of a URL; nothing where the text is none.
pub fn parts<'r>(args: &Args<'_, 'r>, results: &mut Results<'r>) {
    if let Some(json) = args.text(0).and_then(|text| url::parts(text, args.arena())) {
        results.set(0, Value::Json(json));
    }
}

/// The parts of a URL; where the text is none, the text alone as `original`.
pub fn parts_or_original<'r>(args: &Args<'_, 'r>, results: &mut Results<'r>) {
    let Some(text) = args.text(0) else { return };
    let json = url::parts(text, args.arena()).unwrap_or_else(|| {
        args.arena().write(|json| {
            json.push_str("{\"original\":");
            string(text, json);
            json.push('}');
        })
    });
    results.set(0, Value::Json(json));
}
