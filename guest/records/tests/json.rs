//! The readers take what is JSON and nothing else, and cut it as serde_json does.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

use defenderbeat_records::{Broken, Cursor, Json, Member, Outline, plain_length, split};
use proptest::prelude::*;
use serde_json::value::RawValue;

/// Whether a cursor passes over text as one value.
fn is_passed(text: &str) -> bool {
    let mut cursor = Cursor::new(text);
    cursor.value().is_ok() && cursor.is_at_end()
}

/// Whether a cursor walks through all of text.
fn is_walked(text: &str) -> bool {
    fn walk(cursor: &mut Cursor<'_>, depth: usize) -> Result<(), Broken> {
        match cursor.peek() {
            Some(b'{') if depth < 64 => {
                cursor.open();
                while cursor.key()?.is_some() {
                    walk(cursor, depth + 1)?;
                }
            }
            Some(b'[') if depth < 64 => {
                cursor.open();
                while cursor.element()? {
                    walk(cursor, depth + 1)?;
                }
            }
            _ => drop(cursor.value()?),
        }
        Ok(())
    }
    let mut cursor = Cursor::new(text);
    walk(&mut cursor, 0).is_ok() && cursor.is_at_end()
}

/// The members of an object by a cursor.
fn members(text: &str) -> Vec<(String, &str)> {
    let mut cursor = Cursor::new(text);
    assert_eq!(cursor.peek(), Some(b'{'));
    cursor.open();
    let mut members = Vec::new();
    while let Some(key) = cursor.key().unwrap() {
        assert_eq!(key.escaped, key.inner().contains('\\'));
        let value = cursor.value().unwrap();
        assert_eq!(value.plain, value.text.starts_with('"') && !value.text.contains('\\'));
        members.push((key.inner().to_owned(), value.text));
    }
    members
}

/// The members that an outline lists directly, and those below each.
fn listed<'a>(outline: &Outline, text: &'a str) -> Vec<(String, &'a str)> {
    let mut rest = outline.members().unwrap();
    let mut members = Vec::new();
    while let Some((member, after)) = rest.split_first() {
        let Json { text: value, plain } = member.value(text);
        assert_eq!(plain, value.starts_with('"') && !value.contains('\\'));
        members.push((member.key(text).to_owned(), value));
        assert_eq!(member.inner.is_some(), value.starts_with('{'));
        let (inner, after) = after.split_at(member.inner.unwrap_or(0));
        rest = after;
        if member.inner.is_some() {
            let of = |member: &Member| (member.key(text).to_owned(), member.value(text).text);
            assert_eq!(inner.iter().map(of).collect::<Vec<_>>(), self::members(value));
        }
    }
    members
}

/// As text is, and before much else, where readers look at many bytes together.
fn check(text: &str) {
    check_alone(text);
    check_alone(&format!("{{\"k\":{text},\"l\":\"{}\"}}", "x".repeat(150)));
}

fn check_alone(text: &str) {
    let is_json = serde_json::from_str::<&RawValue>(text).is_ok();
    assert_eq!(is_passed(text), is_json, "{text:?}");
    assert_eq!(is_walked(text), is_json, "{text:?}");
    let mut outline = Outline::default();
    let object = text.trim_matches([' ', '\n', '\r', '\t']);
    let is_object = is_json && object.starts_with('{');
    assert_eq!(outline.read(object.as_bytes()), is_object, "{text:?}");
    if is_object {
        assert_eq!(listed(&outline, object), members(object));
    }
}

#[test]
fn what_is_json_passes_and_nothing_else() {
    for text in [
        "0",
        "-0",
        "-",
        "01",
        "1.",
        "1.5e",
        "1.5E+9",
        "1e99999",
        ".5",
        "+1",
        "1x",
        "nul",
        "null",
        "nulll",
        "true",
        "truE",
        "false",
        "falsE",
        "falsy",
        "nuls",
        "10",
        "00",
        "1234567890123456789",
        "\"\"",
        "\"",
        "\"\\\"",
        "\"\\u12G4\"",
        "\"\\u+123\"",
        "\"\\ud83d\"",
        "\"\\x\"",
        "\"\u{7f}\u{80}é😀\"",
        "\"a\tb\"",
        "\"1234567\nb\"",
        "[]",
        "[ ]",
        "[,]",
        "[1,]",
        "[1 2]",
        "[1,2]",
        "[[],{}]",
        "[}",
        "{]",
        "{}",
        "{ }",
        "{,}",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\",1}",
        "{\"a\",\"b\"}",
        "{\"a\"=null}",
        "{\"a\":1,}",
        "{\"a\":1 \"b\":2}",
        "{\"a\" : 1 , \"b\":[ ] }",
        "{a:1}",
        "{1:1}",
        "",
        " ",
        " 1 ",
        "\u{a0}1",
        "\u{feff}1",
        "{\"a\":{\"b\":{\"c\":[{\"d\":null}]}}}",
        "{\"a\":1}}",
        "{\"a\":1}{",
        "\u{c}1",
        "{\"a\":1,\"a\":2}",
        "{\"a\\u0062\":1}",
    ] {
        check(text);
        check(&format!("[{text}]"));
        check(&format!("{{\"k\":{text}}}"));
        check(&format!("{{\"k\":{{\"k\":{text}}} , \"l\" : {text} }}"));
    }
}

/// What ends plain text, and what is near to it: neighbours of those bytes, the same ones with the highest bit set.
const AROUND_PLAIN: &[&str] = &[
    "",
    "\"",
    "\\",
    "\\\\",
    "\\\"",
    "\\n",
    "\\u00e9",
    "\\u00e",
    "\\\\\\\"\\\\",
    "\0",
    "\t",
    "\n",
    "\u{1f}",
    " ",
    "!",
    "#",
    "[",
    "]",
    "^",
    "\u{7f}",
    "\u{80}",
    "\u{9f}",
    "\u{a0}",
    "\u{e2}",
    "\u{dc}",
    "\u{700}",
    "\u{800}",
    "\u{10ffff}",
];

#[test]
fn text_is_plain_up_to_the_first_byte_that_is_not_wherever_it_stands() {
    for (before, after) in (0..40).flat_map(|before| (0..40).map(move |after| (before, after))) {
        for found in AROUND_PLAIN {
            let text = ["x".repeat(before).as_str(), found, &"y".repeat(after)].concat();
            let plain =
                text.bytes().position(|byte| byte < 0x20 || byte == b'"' || byte == b'\\').unwrap_or(text.len());
            assert_eq!(plain_length(text.as_bytes()), plain, "{text:?}");
        }
    }
}

#[test]
fn strings_end_at_their_quote_wherever_it_stands() {
    for (before, after) in (0..40).flat_map(|before| [0, 1, 9, 17, 33].map(|after| (before, after))) {
        for found in AROUND_PLAIN {
            let text = format!("\"{}{found}{}\"", "x".repeat(before), "y".repeat(after));
            check(&text);
            check(&format!("{{{text}:{text}}}"));
            check(&format!("{{{text} : 12,\"k\":{text},{text}:null, {text}:[{text}],\"l\":{{{text}:{text}}}}}"));
            let start = before.min(text.len() - 1);
            if text.is_char_boundary(start) {
                check(&text[..start]);
                check(&format!("{{\"k\":{}", &text[..start]));
            }
        }
    }
}

#[test]
fn depth_costs_no_stack() {
    let deep = format!("{{\"a\":{}{}}}", "[{\"b\":".repeat(100_000) + "1", "}]".repeat(100_000));
    assert!(is_passed(&deep));
    assert!(!is_passed(&deep[1..]));
    assert!(Outline::default().read(deep.as_bytes()));
}

#[test]
fn an_object_with_very_many_members_is_not_listed() {
    let many: Vec<String> = (0..5000).map(|number| format!("\"{number}\":{number}")).collect();
    let text = format!("{{{}}}", many.join(","));
    let mut outline = Outline::default();
    assert!(outline.read(text.as_bytes()));
    assert!(outline.members().is_none());
    let keys: &[&str] = &[];
    let mut pieces = split(text.as_bytes(), keys, usize::MAX);
    assert!(pieces.next().is_some() && pieces.outline().members().is_none() && pieces.next().is_none());
}

fn json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        "-?(0|[1-9][0-9]{0,3})(\\.[0-9]{1,3})?([eE][+-]?[0-9]{1,2})?",
        "[a-z{}\\[\\],: é\u{7f}]{0,20}".prop_map(|text| format!("\"{text}\"")),
        "(\\\\[\"\\\\/bfnrt]|\\\\u[0-9a-fA-F]{4}|[a-z]{0,9}){0,6}".prop_map(|text| format!("\"{text}\"")),
    ];
    leaf.prop_recursive(4, 40, 5, |inner| {
        let key = "([a-z]{0,12}|\\\\u006[0-9])".prop_map(|key| format!("\"{key}\""));
        let gap = prop_oneof![4 => Just(""), 1 => Just(" "), 1 => Just("\r\n\t ")];
        prop_oneof![
            prop::collection::vec((inner.clone(), gap.clone()), 0..5).prop_map(|items| {
                let items: Vec<_> = items.iter().map(|(item, gap)| format!("{gap}{item}{gap}")).collect();
                format!("[{}]", items.join(","))
            }),
            prop::collection::vec((key, inner, gap), 0..5).prop_map(|members| {
                let members: Vec<_> =
                    members.iter().map(|(key, value, gap)| format!("{gap}{key}{gap}:{gap}{value}{gap}")).collect();
                format!("{{{}}}", members.join(","))
            }),
        ]
    })
}

proptest! {
    #[test]
    fn readers_agree_with_serde_json(
        text in json(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), "[{}\\[\\],:\"\\\\\n 01eu.a-]", 0..3u8), 0..4),
    ) {
        let mut text = text;
        check(&text);
        for (at, change, how) in changes {
            let at = at.index(text.len() + 1);
            let at = (0..=at).rev().find(|at| text.is_char_boundary(*at)).unwrap();
            match how {
                0 => text.insert_str(at, &change),
                1 => text.truncate(at),
                _ if at < text.len() => drop(text.remove(at)),
                _ => {}
            }
            check(&text);
        }
    }
}
