//! JSON strings.

/// Whether a quoted JSON string says `text`.
pub(crate) fn is(quoted: &[u8], text: &str) -> bool {
    let Some(inner) = inner(quoted) else { return false };
    if inner == text.as_bytes() {
        return true;
    }
    memchr::memchr(b'\\', inner).is_some() && decode(quoted).is_some_and(|decoded| decoded == text)
}

fn inner(quoted: &[u8]) -> Option<&[u8]> {
    quoted.strip_prefix(b"\"")?.strip_suffix(b"\"")
}

/// The text of a quoted JSON string; a lone surrogate becomes U+FFFD. None if it is no string or not UTF-8.
pub(crate) fn decode(quoted: &[u8]) -> Option<String> {
    let mut rest = std::str::from_utf8(inner(quoted)?).ok()?;
    let mut text = String::with_capacity(rest.len());
    while let Some((plain, escape)) = rest.split_once('\\') {
        text.push_str(plain);
        let mut after = escape.chars();
        text.push(match after.next()? {
            c @ ('"' | '\\' | '/') => c,
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => {
                let (unit, tail) = code_unit(after.as_str())?;
                after = tail.chars();
                let low = tail.strip_prefix("\\u").and_then(code_unit);
                match (unit, low) {
                    (0xd800..0xdc00, Some((low @ 0xdc00..0xe000, tail))) => {
                        after = tail.chars();
                        char::from_u32(0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00))?
                    }
                    _ => char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER),
                }
            }
            _ => return None,
        });
        rest = after.as_str();
    }
    text.push_str(rest);
    Some(text)
}

/// Four hexadecimal digits and what follows them.
fn code_unit(text: &str) -> Option<(u32, &str)> {
    let (digits, rest) = text.split_at_checked(4)?;
    if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    Some((u32::from_str_radix(digits, 16).ok()?, rest))
}

#[cfg(test)]
mod tests {
    use super::{decode, is};

    #[test]
    fn escapes_are_undone() {
        assert_eq!(decode(br#""a\/b\u0026\n\ud83d\ude00\ud800x""#).as_deref(), Some("a/b&\n😀\u{fffd}x"));
        assert_eq!(decode(br#""\x""#), None);
        assert_eq!(decode(br#""\u00+1""#), None);
        assert_eq!(decode(b"\"\xff\""), None);
        assert!(is(br#""v\u0061lue""#, "value"));
        assert!(!is(br#""values""#, "value"));
    }
}
