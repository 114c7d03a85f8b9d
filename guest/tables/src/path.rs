//! Source paths: the part of JSONPath that compiles into the trie.

/// A step of a source path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// A member of an object.
    Key(String),
    /// Each item of a list.
    Items,
}

/// Reads `a.b`, `list[].a`, `['odd.key']`; none where the text is no such path.
pub(crate) fn parse(text: &str) -> Option<Vec<Step>> {
    let mut steps = Vec::new();
    let mut rest = text;
    loop {
        if let Some(quoted) = rest.strip_prefix("['") {
            let (key, tail) = quoted.split_once("']")?;
            steps.push(Step::Key(key.to_owned()));
            rest = tail;
        } else {
            let end = rest.find(['.', '[']).unwrap_or(rest.len());
            let (key, tail) = rest.split_at_checked(end)?;
            let plain = !key.is_empty() && key.chars().all(|letter| letter.is_alphanumeric() || "_-@".contains(letter));
            if !plain {
                return None;
            }
            steps.push(Step::Key(key.to_owned()));
            rest = tail;
        }
        while let Some(tail) = rest.strip_prefix("[]") {
            steps.push(Step::Items);
            rest = tail;
        }
        match rest.strip_prefix('.') {
            Some(tail) => rest = tail,
            None if rest.starts_with("['") => {}
            None if rest.is_empty() => return Some(steps),
            None => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths() {
        let key = |key: &str| Step::Key(key.to_owned());
        assert_eq!(parse("a.b").unwrap(), [key("a"), key("b")]);
        assert_eq!(parse("evidence[].['@odata.type']").unwrap(), [key("evidence"), Step::Items, key("@odata.type")]);
        assert_eq!(parse("['@odata.type']").unwrap(), [key("@odata.type")]);
        assert_eq!(parse("a['b.c'].d").unwrap(), [key("a"), key("b.c"), key("d")]);
        for wrong in ["", "a.", "a..b", "a[0]", "a[*]", "$.a", "a b"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}
