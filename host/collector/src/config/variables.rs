//! `${KEY}` in texts, as in Beats
//! (<https://www.elastic.co/docs/reference/beats/filebeat/using-environ-vars>).

use super::Env;
use crate::keystore::is_key;

/// Defaults within defaults.
const MAX_DEPTH: usize = 8;

/// Why variables cannot be replaced. It names them, never what they hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum VariableError {
    /// There is none of this name, and no default.
    #[error(
        "{0} is neither in the keystore nor set in the environment; `defenderbeat keystore add {0}` puts it into the keystore, and \
         `${{{0}:default}}` gives a default"
    )]
    Missing(String),
    /// There is none of this name, for which `${NAME:?message}` says what to do.
    #[error("{name} is neither in the keystore nor set in the environment: {message}")]
    Wanted { name: String, message: String },
    #[error("has `${{` without `}}`; write `$${{` where these characters themselves are meant")]
    Open,
    #[error("has `${{` without the name of a variable; write `$${{` where these characters themselves are meant")]
    Nameless,
    #[error("has more than {MAX_DEPTH} defaults within defaults")]
    Deep,
}

/// The text with its variables replaced; none where it has none. What a variable holds is not expanded again.
pub(super) fn expand(text: &str, env: Env<'_>) -> Result<Option<String>, VariableError> {
    if text.contains("${") { replace(text, env, 0).map(Some) } else { Ok(None) }
}

fn replace(text: &str, env: Env<'_>, depth: usize) -> Result<String, VariableError> {
    let mut expanded = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        if let Some(before) = before.strip_suffix('$') {
            expanded.push_str(before);
            expanded.push_str("${");
            rest = after;
            continue;
        }
        let (variable, after) = split_at_close(after).ok_or(VariableError::Open)?;
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
fn value(variable: &str, env: Env<'_>, depth: usize) -> Result<String, VariableError> {
    let (name, alternative) = variable.split_once(':').map_or((variable, None), |(name, text)| (name, Some(text)));
    if !is_key(name) {
        return Err(VariableError::Nameless);
    }
    if let Some(value) = env(name).filter(|value| !value.is_empty()) {
        return Ok(value);
    }
    match alternative.map(|text| (text, text.strip_prefix('?'))) {
        Some((_, Some(message))) => Err(VariableError::Wanted { name: name.to_owned(), message: message.to_owned() }),
        Some((_, None)) if depth == MAX_DEPTH => Err(VariableError::Deep),
        Some((default, None)) => replace(default, env, depth + 1),
        None => Err(VariableError::Missing(name.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(text: &str) -> Result<Option<String>, String> {
        let env = |name: &str| match name {
            "A" => Some("alpha".into()),
            "EMPTY" => Some(String::new()),
            "ODD" => Some("${A} file: 100%".into()),
            _ => None,
        };
        expand(text, &env).map_err(|error| error.to_string())
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
