//! Functions of processes.

use crate::arena::Arena;
use crate::args::{Args, Results};
use crate::text::Text;
use crate::value::Value;
use crate::words::{each, find, position, zeros};

/// The path of a program from its folder and its file name: `\` joins them if the folder has one, else `/`; never
/// doubled. The name alone where there is no folder, nothing for a folder alone.
pub fn executable<'r>(args: &Args<'_, 'r>, results: &mut Results<'r>) {
    let Some(name) = args.text(1) else { return };
    let path = args.arena().write(|path| {
        if let Some(folder) = args.text(0) {
            let separator = if folder.contains('\\') { '\\' } else { '/' };
            path.push_str(folder);
            if !folder.ends_with(separator) {
                path.push(separator);
            }
        }
        path.push_str(name);
    });
    results.set(0, Value::Text(path));
}

/// A process id as text, the same for the number and its text; nothing for what is no process id.
pub fn entity_id<'r>(args: &Args<'_, 'r>, results: &mut Results<'r>) {
    if let Some(id) = args.text(0).and_then(|text| text.trim().parse::<i64>().ok()) {
        results.set(0, Value::Text(args.arena().text(&id.to_string())));
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
            add(name_of_command_line(args.keep(line), args.arena()));
        }
    } else {
        args.list(0).iter().copied().for_each(add);
    }
    if !names.is_empty() {
        results.set(0, Value::List(args.arena().list(&names)));
    }
}

/// The arguments of a command line and how many they are, cut by the rules that Microsoft's C run-time had before 2008
/// ("Parsing C command-line arguments", older edition): outside of quotes spaces and tabs separate; 2n backslashes before
/// a quote are n and the quote begins or ends quoted text, 2n+1 are n and a literal quote; in quoted text two quotes are
/// one and end it. Empty arguments are left out.
pub fn arguments<'r>(args: &Args<'_, 'r>, results: &mut Results<'r>) {
    let Some(line) = args.text(0) else { return };
    let list = split_command_line(line, args.arena());
    if !list.is_empty() {
        results.set(0, Value::List(list));
        results.set(1, Value::Long(i64::try_from(list.len()).unwrap_or(i64::MAX)));
    }
}

/// Of [`arguments`] the first: the program.
pub fn first_argument<'r>(args: &Args<'_, 'r>, results: &mut Results<'r>) {
    if let Value::List(list) = args.value(0)
        && let Some(first) = list.first()
    {
        results.set(0, *first);
    }
}

/// The program that one command line names.
pub fn program<'r>(args: &Args<'_, 'r>, results: &mut Results<'r>) {
    if let Some(line) = args.text(0) {
        results.set(0, name_of_command_line(line, args.arena()));
    }
}

fn split_command_line<'r>(line: &'r str, arena: &'r Arena) -> &'r [Value<'r>] {
    let mut list = arena.new_list(8);
    let mut rest = line.trim_start_matches(SEPARATORS);
    while !rest.is_empty() {
        let (argument, tail) = literal_argument(rest).unwrap_or_else(|| {
            let mut tail = "";
            (arena.write(|argument| tail = write_argument(rest, argument)), tail)
        });
        if !argument.is_empty() {
            list.push(Value::Text(argument));
        }
        rest = tail.trim_start_matches(SEPARATORS);
    }
    list.into_bump_slice()
}

const SEPARATORS: [char; 2] = [' ', '\t'];

/// The argument that a command line begins with, and what follows it, where all of it is meant as it is written, within
/// quotes or without: so are most.
fn literal_argument(line: &str) -> Option<(&str, &str)> {
    let quote = || {
        let inner = line.get(1..)?;
        let (argument, tail) = inner.split_at_checked(position(inner.as_bytes(), b'"')?)?;
        Some((argument, tail.get(1..)?))
    };
    let hits = |word: u64| zeros(word ^ each(b' ')) | zeros(word ^ each(b'\t')) | zeros(word ^ each(b'"'));
    let end = find(line.as_bytes(), 0, hits, |byte| matches!(byte, b' ' | b'\t' | b'"')).unwrap_or(line.len());
    match line.split_at_checked(end)? {
        // A quote.
        ("", _) => quote()
            .filter(|(argument, tail)| !argument.ends_with('\\') && (tail.is_empty() || tail.starts_with(SEPARATORS))),
        (_, tail) if tail.starts_with('"') => None,
        literal => Some(literal),
    }
}

/// Writes the argument that a command line begins with: what follows it.
fn write_argument<'r>(line: &'r str, argument: &mut Text) -> &'r str {
    let mut quoted = false;
    let mut rest = line;
    while !rest.is_empty() {
        // All that needs a thought is ASCII, so that text between is copied whole.
        let end = rest.bytes().position(|byte| matches!(byte, b'\\' | b'"' | b' ' | b'\t')).unwrap_or(rest.len());
        let (plain, tail) = rest.split_at(end);
        argument.push_str(plain);
        let backslashes = tail.bytes().take_while(|byte| *byte == b'\\').count();
        let (slashes, tail) = tail.split_at(backslashes);
        let mut chars = tail.chars();
        match chars.next() {
            Some('"') => {
                argument.push_str(slashes.get(..backslashes / 2).unwrap_or_default());
                if backslashes % 2 == 1 {
                    argument.push('"');
                } else if quoted && chars.as_str().starts_with('"') {
                    argument.push('"');
                    chars.next();
                    quoted = false;
                } else {
                    quoted = !quoted;
                }
            }
            // A character behind backslashes, a separator or the end.
            other => {
                argument.push_str(slashes);
                if !quoted && tail.starts_with(SEPARATORS) {
                    return tail;
                }
                if let Some(other) = other {
                    argument.push(other);
                }
            }
        }
        rest = chars.as_str();
    }
    rest
}

/// The program a command line names: its text before the first space, after the last `/`, without double quotes.
fn name_of_command_line<'r>(line: &'r str, arena: &'r Arena) -> Value<'r> {
    let line = line.trim();
    let end = position(line.as_bytes(), b' ').unwrap_or(line.len());
    let program = line.get(..end).unwrap_or_default();
    let from = program.bytes().rposition(|byte| byte == b'/').map_or(0, |slash| slash + 1);
    let name = program.get(from..).unwrap_or_default().trim_matches('"');
    Value::from_text(if name.contains('"') { arena.text(&name.replace('"', "")) } else { name })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn command_lines_are_cut_as_windows_did() {
        for (line, list) in [
            (r#""a b" c"#, &["a b", "c"][..]),
            (r#"a\"b c"#, &["a\"b", "c"]),
            (r#""a\\" b"#, &["a\\", "b"]),
            (r"C:\x\y z", &[r"C:\x\y", "z"]),
            (r#""a""b" c"#, &["a\"b c"]),
            (r#"  x   ""  y"#, &["x", "y"]),
            (r"ends\", &[r"ends\"]),
            ("\"open end", &["open end"]),
            ("a\tb 'c d'", &["a", "b", "'c", "d'"]),
            (r#"a\\\"b \é"#, &[r#"a\"b"#, r"\é"]),
            (r#"a "b c" d"e f"g "h\"i" j"#, &["a", "b c", "de fg", "h\"i", "j"]),
            ("123456789 \t 1234567\t12345678 é", &["123456789", "1234567", "12345678", "é"]),
            ("", &[]),
        ] {
            let arena = Arena::default();
            let list: Vec<Value<'_>> = list.iter().map(|argument| Value::Text(argument)).collect();
            assert_eq!(split_command_line(line, &arena), list, "{line}");
        }
    }

    #[test]
    fn the_program_of_a_command_line() {
        for (line, name) in [
            ("\"InstallUtil.exe\" /u x", "InstallUtil.exe"),
            ("  /usr/bin/curl -s", "curl"),
            (r"C:\Windows\cmd.exe /c", r"C:\Windows\cmd.exe"),
            ("", ""),
        ] {
            assert_eq!(name_of_command_line(line, &Arena::default()), Value::from_text(name));
        }
    }
}
