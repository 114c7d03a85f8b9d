//! `${KEY}` in texts, as in Beats
//! (<https://www.elastic.co/docs/reference/beats/filebeat/using-environ-vars>).

use super::Env;
use crate::keystore::is_key;

/// Defaults within defaults.
const MAX_DEPTH: usize = 8;

/// The text with its variables replaced; none where it has none. What a variable holds is not expanded again.
///
/// Errors name variables, never what they hold.
pub(super) fn expand(text: &str, env: Env<'_>) -> Result<Option<String>, String> {
    if text.contains("${") { replace(text, env, 0).map(Some) } else { Ok(None) }
}

fn replace(text: &str, env: Env<'_>, depth: usize) -> Result<String, String> {
    let mut expanded = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        if let Some(before) = before.strip_suffix('$') {
            expanded.push_str(before);
            expanded.push_str("${");
            rest = after;
            continue;
        }
        let (variable, after) = split_at_close(after)
            .ok_or("has `${` without `}`; write `$${` where these characters themselves are meant")?;
        expanded.push_str(before);
        expanded.push_str(&value(variable, env, depth)?);
        rest = after;
    }
    expanded.push_str(rest);
    Ok(expanded)
}

/// Splits at the `}` that closes what was opened before the text.
fn split_at_close(text: &str) -> Option<(&str, &str)> {
    let mut open = 0_usize;
    let mut previous = ' ';
    for (at, c) in text.char_indices() {
        match c {
            '{' if previous == '$' => open += 1,
            '}' if open == 0 => return Some((text.get(..at)?, text.get(at + 1..)?)),
            '}' => open -= 1,
            _ => {}
        }
        previous = c;
    }
    None
}

/// What `NAME`, `NAME:default` or `NAME:?message` stands for. An empty variable counts as not set, as in Beats.
fn value(variable: &str, env: Env<'_>, depth: usize) -> Result<String, String> {
    let (name, alternative) = variable.split_once(':').map_or((variable, None), |(name, text)| (name, Some(text)));
    if !is_key(name) {
        return Err("has `${` without the name of a variable; write `$${` where these characters themselves are \
                    meant"
            .into());
    }
    if let Some(value) = env(name).filter(|value| !value.is_empty()) {
        return Ok(value);
    }
    match alternative.map(|text| (text, text.strip_prefix('?'))) {
        Some((_, Some(message))) => {
            Err(format!("{name} is neither in the keystore nor set in the environment: {message}"))
        }
        Some((_, None)) if depth == MAX_DEPTH => Err(format!("has more than {MAX_DEPTH} defaults within defaults")),
        Some((default, None)) => replace(default, env, depth + 1),
        None => Err(format!(
            "{name} is neither in the keystore nor set in the environment; `defenderbeat keystore add {name}` puts it into the \
             keystore, and `${{{name}:default}}` gives a default"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(text: &str) -> Result<Option<String>, String> {
        expand(text, &|name| match name {
            "A" => Some("alpha".into()),
            "EMPTY" => Some(String::new()),
            "ODD" => Some("${A} file: 100%".into()),
            _ => None,
        })
    }

    #[test]
    fn variables_defaults_and_escapes() {
        for (text, wanted) in [
            ("${A}", "alpha"),
            ("x-${A}-${A}.y", "x-alpha-alpha.y"),
            ("${NONE:beta}", "beta"),
            ("${NONE:}", ""),
            ("${EMPTY:beta}", "beta"),
            ("${NONE:http://${A}:80/}", "http://alpha:80/"),
            ("${A:?tell}", "alpha"),
            ("$${A}", "${A}"),
            ("a $${ b", "a ${ b"),
            ("${ODD}", "${A} file: 100%"),
            ("${a.b-c:d}", "d"),
        ] {
            assert_eq!(expanded(text).as_ref().map(Option::as_deref), Ok(Some(wanted)), "{text}");
        }
        assert_eq!(expanded("plain $A {}"), Ok(None));
    }

    #[test]
    fn what_is_wrong_is_said() {
        assert!(expanded("${NONE}").unwrap_err().contains("NONE is neither in the keystore nor set"));
        assert!(expanded("${NONE:?ask the admin}").unwrap_err().ends_with("in the environment: ask the admin"));
        assert!(expanded("${A").unwrap_err().contains("without `}`"));
        assert!(expanded("${}").unwrap_err().contains("name of a variable"));
        let deep = format!("{}x{}", "${N:".repeat(10_000), "}".repeat(10_000));
        assert!(expanded(&deep).unwrap_err().contains("within defaults"));
    }
}
