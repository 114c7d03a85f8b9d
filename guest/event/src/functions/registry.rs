//! The Windows registry.

use defenderbeat_mapping::letters::starts_with;
use defenderbeat_mapping::{Args, Results, Value};

/// Hives and their short names.
const HIVES: [(&str, &str); 10] = [
    ("HKEY_CLASSES_ROOT\\", "HKCR"),
    ("HKEY_CURRENT_CONFIG\\", "HKCC"),
    ("HKEY_CURRENT_USER\\", "HKCU"),
    ("HKEY_LOCAL_MACHINE\\", "HKLM"),
    ("HKEY_USERS\\", "HKU"),
    ("HKCR\\", "HKCR"),
    ("HKCC\\", "HKCC"),
    ("HKCU\\", "HKCU"),
    ("HKLM\\", "HKLM"),
    ("HKU\\", "HKU"),
];

/// `registry.hive`, `.key`, `.value` and `.path` from key and value name, each with the previous one as a second choice.
/// Without a value name the path ends with `\`: a default value, or one whose name is hidden.
pub(crate) fn split<'r>(args: &Args<'_, 'r>, results: &mut Results<'r>) {
    let first = |index: usize| args.text(index).or_else(|| args.text(index + 1));
    let value = first(2);
    results.set(2, Value::from_text(value.unwrap_or_default()));
    let Some(text) = first(0) else { return };
    let (hive, key) = match HIVES.iter().find(|(name, _)| starts_with(text, name)) {
        Some((name, short)) => (*short, text.get(name.len()..).unwrap_or_default().trim_start_matches('\\')),
        None => ("", text),
    };
    results.set(0, Value::from_text(hive));
    results.set(1, Value::from_text(key));
    if !key.is_empty() {
        let path = args.arena().write(|path| {
            for part in [hive, "\\", key, "\\", value.unwrap_or_default()] {
                path.push_str(part);
            }
        });
        results.set(3, Value::Text(path));
    }
}

/// The data of a value, as texts.
pub(crate) fn data<'r>(args: &Args<'_, 'r>, results: &mut Results<'r>) {
    if let Some(text) = args.text(0) {
        let value = if args.value(0).string().is_some() { args.value(0) } else { Value::from_text(text) };
        results.set(0, Value::List(args.arena().list(&[value])));
    }
}
