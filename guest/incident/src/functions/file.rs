//! Functions of files.

use std::borrow::Cow;

use defenderbeat_mapping::{Args, Results, Value};

/// The path of a file from its folder and its name: `/` joins them if the folder has one, else `\`; never doubled. The
/// folder alone where there is no name, nothing for a name alone, which is no path.
pub(crate) fn path<'r>(args: &Args<'_, 'r>, results: &mut Results<'r>) {
    let Some(folder) = args.text(0) else { return };
    let path = match args.text(1) {
        Some(name) => {
            let separator = if folder.contains('/') { '/' } else { '\\' };
            if folder.ends_with(separator) { format!("{folder}{name}") } else { format!("{folder}{separator}{name}") }
        }
        None => folder.into_owned(),
    };
    results.set(0, Value::Text(Cow::Owned(path)));
}
