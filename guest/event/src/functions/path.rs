//! Paths of files.

use defenderbeat_mapping::{Args, Results, Value};

/// `file.path`, `.directory`, `.name` and `.extension` from a path and the file's name where the record has it. The
/// separator is `\` where the path has one, else `/`; nothing is normalised.
pub(crate) fn file<'r>(args: &Args<'_, 'r>, results: &mut Results<'r>) {
    results.set(2, args.value(1));
    let Some(path) = args.text(0) else { return };
    results.set(0, args.value(0));
    if let Some((directory, name)) = cut(path, b'\\').or_else(|| cut(path, b'/'))
        && path.chars().nth(1).is_some()
    {
        results.set(1, Value::from_text(directory));
        if args.value(1).is_missing() {
            results.set(2, Value::from_text(name));
        }
        if let Some((_, extension)) = cut(path, b'.') {
            results.set(3, Value::from_text(extension));
        }
    }
}

/// What is before the last mark, which is ASCII, and what behind it. It is near the end, mostly.
fn cut(path: &str, mark: u8) -> Option<(&str, &str)> {
    let (before, behind) = path.split_at_checked(path.bytes().rposition(|byte| byte == mark)?)?;
    Some((before, behind.get(1..)?))
}
