//! Functions of processes.

use std::borrow::Cow;

use crate::args::{Args, Results};
use crate::value::Value;

/// The path of a program from its folder and its file name: `\` joins them if the folder has one, else `/`; never
/// doubled. The name alone where there is no folder, nothing for a folder alone.
pub fn executable<'r>(args: &Args<'_, 'r>, results: &mut Results<'r>) {
    let Some(name) = args.text(1) else { return };
    let path = match args.text(0) {
        Some(folder) => {
            let separator = if folder.contains('\\') { '\\' } else { '/' };
            if folder.ends_with(separator) { format!("{folder}{name}") } else { format!("{folder}{separator}{name}") }
        }
        None => name.into_owned(),
    };
    results.set(0, Value::Text(Cow::Owned(path)));
}

/// A process id as text, the same for the number and its text; nothing for what is no process id.
pub fn entity_id<'r>(args: &Args<'_, 'r>, results: &mut Results<'r>) {
    if let Some(id) = args.text(0).and_then(|text| text.trim().parse::<i64>().ok()) {
        results.set(0, Value::from_text(id.to_string()));
    }
}

/// Program names: those of the first list or, where it is empty, one from each command line of the second.
pub fn name<'r>(args: &Args<'_, 'r>, results: &mut Results<'r>) {
    let mut names: Vec<Value<'r>> = Vec::new();
    let mut add = |name: Value<'r>| {
        if !name.is_missing() && !names.iter().any(|known| known.text() == name.text()) {
            names.push(name);
        }
    };
    if args.list(0).is_empty() {
        for line in args.list(1).iter().filter_map(Value::text) {
            add(Value::from_text(name_of_command_line(&line)));
        }
    } else {
        args.list(0).iter().cloned().for_each(add);
    }
    if !names.is_empty() {
        results.set(0, Value::List(names));
    }
}

/// The program a command line names: its text before the first space, after the last `/`, without double quotes.
pub fn name_of_command_line(line: &str) -> String {
    let program = line.trim().split(' ').next().unwrap_or_default();
    program.rsplit('/').next().unwrap_or_default().replace('"', "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_of_a_command_line() {
        for (line, name) in [
            ("\"InstallUtil.exe\" /u x", "InstallUtil.exe"),
            ("  /usr/bin/curl -s", "curl"),
            (r"C:\Windows\cmd.exe /c", r"C:\Windows\cmd.exe"),
            ("", ""),
        ] {
            assert_eq!(name_of_command_line(line), name);
        }
    }
}
