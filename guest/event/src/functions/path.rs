//! Paths of files.

use defenderbeat_mapping::{Args, Results, Value};

/// `file.path`, `.directory`, `.name` and `.extension` from a path and the file's name where the record has it. The
/// separator is `\` where the path has one, else `/`; nothing is normalised.
pub(crate) fn file<'r>(args: &Args<'_, 'r>, results: &mut Results<'r>) {
    results.set(2, args.value(1));
    let Some(path) = args.text(0) else { return };
    results.set(0, args.value(0));
    let separator = if path.contains('\\') { '\\' } else { '/' };
    if let Some((directory, name)) = path.rsplit_once(separator)
        && path.chars().nth(1).is_some()
    {
        results.set(1, Value::from_text(directory));
        if args.value(1).is_missing() {
            results.set(2, Value::from_text(name));
        }
        if let Some((_, extension)) = path.rsplit_once('.') {
            results.set(3, Value::from_text(extension));
        }
    }
}
