//! Functions of files.

use defenderbeat_mapping::{Args, Results, Value};

/// The path of a file from its folder and its name: `/` joins them if the folder has one, else `\`; never doubled. The
/// folder alone where there is no name, nothing for a name alone, which is no path.
pub(crate) fn path<'r>(args: &Args<'_, 'r>, results: &mut Results<'r>) {
    let Some(folder) = args.text(0) else { return };
    let path = match args.text(1) {
        Some(name) => args.arena().write(|path| {
            let separator = if folder.contains('/') { '/' } else { '\\' };
            path.push_str(folder);
            if !folder.ends_with(separator) {
                path.push(separator);
            }
            path.push_str(name);
        }),
        None => folder,
    };
    results.set(0, Value::Text(path));
}
