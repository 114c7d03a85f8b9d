//! Each accepted form, each kind of garbage, and what holds for any bytes in any chunks.

use proptest::prelude::*;

use crate::{DEFAULT_MAX_RECORD_SIZE, Piece, Splitter, member, split};

const KEYS: &[&str] = &["value", "records"];

/// A piece as a test wants to see it; fragments joined.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Cut {
    kind: char,
    offset: u64,
    text: Vec<u8>,
}

#[derive(Default)]
struct Cuts {
    done: Vec<Cut>,
    open: Option<Cut>,
}

impl Cuts {
    fn add(&mut self, piece: Piece<'_>) {
        match piece {
            Piece::Oversized { offset, bytes, last } => {
                let cut = self.open.get_or_insert(Cut { kind: 'O', offset, text: Vec::new() });
                assert_eq!(cut.offset, offset, "fragments of one record follow each other");
                cut.text.extend_from_slice(bytes);
                if last {
                    self.done.extend(self.open.take());
                }
            }
            _ => assert!(self.open.is_none(), "a fragment is the last one before another piece"),
        }
        match piece {
            Piece::Record { offset, bytes } => self.done.push(Cut { kind: 'R', offset, text: bytes.to_vec() }),
            Piece::Malformed { offset, bytes, .. } => self.done.push(Cut { kind: 'M', offset, text: bytes.to_vec() }),
            Piece::Oversized { .. } => {}
        }
    }
}

fn whole(input: &[u8], max: usize) -> Vec<Cut> {
    let mut cuts = Cuts::default();
    split(input, KEYS, max).for_each(|piece| cuts.add(piece));
    assert!(cuts.open.is_none());
    cuts.done
}

/// The same through a splitter, and the member `next`.
fn chunked(input: &[u8], max: usize, mut sizes: impl Iterator<Item = usize>) -> (Vec<Cut>, Option<String>) {
    let mut splitter = Splitter::new(KEYS).with_max_record_size(max).with_member("next");
    let mut cuts = Cuts::default();
    let mut rest = input;
    while !rest.is_empty() {
        let (chunk, tail) = rest.split_at(sizes.next().unwrap_or(usize::MAX).clamp(1, rest.len()));
        rest = tail;
        splitter.push(chunk);
        while let Some(piece) = splitter.piece() {
            cuts.add(piece);
        }
        assert!(splitter.held() <= max + 8, "{} bytes held with a limit of {max}", splitter.held());
    }
    splitter.finish();
    while let Some(piece) = splitter.piece() {
        cuts.add(piece);
    }
    assert!(cuts.open.is_none());
    (cuts.done, splitter.member("next").map(str::to_owned))
}

/// Pieces as text such as `R{"a":1}`, after checking that one byte at a time gives the same.
fn pieces(input: impl AsRef<[u8]>) -> Vec<String> {
    pieces_within(input, DEFAULT_MAX_RECORD_SIZE)
}

fn pieces_within(input: impl AsRef<[u8]>, max: usize) -> Vec<String> {
    let cuts = whole(input.as_ref(), max);
    assert_eq!(chunked(input.as_ref(), max, std::iter::repeat(1)).0, cuts);
    cuts.iter().map(|cut| format!("{}{}", cut.kind, String::from_utf8_lossy(&cut.text))).collect()
}

fn next_link(input: &str) -> Option<String> {
    let whole = chunked(input.as_bytes(), 1 << 20, std::iter::empty()).1;
    assert_eq!(chunked(input.as_bytes(), 1 << 20, std::iter::repeat(1)).1, whole);
    whole
}

#[test]
fn nothing_is_in_nothing() {
    for input in ["", " \r\n\t", "\u{feff}", "[]", "{\"value\":[]}", "{\"a\":1,\"records\": [ ] ,\"b\":{}}\n"] {
        assert!(pieces(input).is_empty(), "{input:?}");
    }
}

#[test]
fn an_object_is_a_record() {
    for record in ["{}", r#"{"a":1}"#, r#"{"a":"}\"{","b":[{"value":[1]}]}"#, r#"{"error":{"code":"x","value":[]}}"#] {
        assert_eq!(pieces(record), [format!("R{record}")]);
        assert_eq!(pieces(format!("\u{feff} {record}\r\n")), [format!("R{record}")]);
    }
    let pretty = "{\r\n  \"a\": [\r\n    {\r\n      \"b\": null\r\n    }\r\n  ]\r\n}";
    assert_eq!(pieces(pretty), [format!("R{pretty}")]);
}

#[test]
fn objects_follow_each_other() {
    assert_eq!(pieces("{\"a\":1}\n{\"b\":2}\n"), [r#"R{"a":1}"#, r#"R{"b":2}"#]);
    assert_eq!(pieces("{\"a\":1}\r\n\r\n{\"b\":2}"), [r#"R{"a":1}"#, r#"R{"b":2}"#]);
    assert_eq!(pieces(r#"{"a":1}{"b":2} {"c":3}"#), [r#"R{"a":1}"#, r#"R{"b":2}"#, r#"R{"c":3}"#]);
    assert_eq!(pieces("{\n\"a\":1\n}\n{\n\"b\":2\n}"), ["R{\n\"a\":1\n}", "R{\n\"b\":2\n}"]);
    assert_eq!(pieces("{\"a\":1}\n\u{feff}{\"b\":2}"), [r#"R{"a":1}"#, r#"R{"b":2}"#]);
}

#[test]
fn arrays_and_envelopes_are_opened() {
    let two = ["R{\"a\":[1]}", "R{}"];
    assert_eq!(pieces(r#"[{"a":[1]},{}]"#), two);
    assert_eq!(pieces("[\n{\"a\":[1]},\n{}\n]\n"), two);
    assert_eq!(pieces(r#"{"value":[{"a":[1]},{}]}"#), two);
    assert_eq!(pieces(r#"{"x":{"value":[]},"y":"value","records":[{"a":[1]},{}],"z":[1,{}]}"#), two);
    assert_eq!(pieces(r#"{"v\u0061lue" : [ {"a":[1]} , {} ] , "n":null}"#), two);
    assert_eq!(pieces("{\"value\":[{\"a\":[1]}]}\n{\"records\":[{}]}\n"), two);
    assert_eq!(pieces(r#"{"value":[{"a":[1]}],"records":[{}]}"#), two);
    assert_eq!(pieces("[{\"a\":[1]}][{}]"), two);
}

#[test]
fn only_an_array_under_the_key_makes_an_envelope() {
    for record in
        [r#"{"value":1,"a":[]}"#, r#"{"value":{"value":[]}}"#, r#"{"values":[{}]}"#, r#"{"a":"value","b":[]}"#]
    {
        assert_eq!(pieces(record), [format!("R{record}")]);
    }
    let none: &[&str] = &[];
    assert_eq!(split(br#"{"value":[{}]}"#, none, 99).count(), 1);
    assert_eq!(pieces(r#"[{"value":[{}]}]"#), [r#"R{"value":[{}]}"#]);
}

#[test]
fn members_are_found_wherever_they_stand() {
    assert_eq!(next_link(r#"{"next":"a\/\u00e9","value":[{"next":"no"}]}"#).as_deref(), Some("a/é"));
    assert_eq!(next_link(r#"{"value":[{"next":"no"}],"x":{"next":1},"next": 12 }"#).as_deref(), Some("12"));
    assert_eq!(next_link(r#"{"next":"no"}"#), None, "a record's own member");
    assert_eq!(next_link(r#"{"next":null,"value":[]}"#), None);
    assert_eq!(next_link("{\"next\":\"no\",\n{\"value\":[]}"), None, "of a malformed line");
    assert_eq!(next_link("{\"next\":\"no\",\"value\":[]}\n{\"value\":[]}"), None, "of an earlier envelope");
    let long = format!(r#"{{"value":[],"next":"{}"}}"#, "x".repeat(64 << 10));
    assert_eq!(next_link(&long), None);
}

#[test]
fn a_malformed_line_costs_itself_only() {
    assert_eq!(pieces("{\"a\":1\n{\"b\":2}\n"), [r#"M{"a":1"#, r#"R{"b":2}"#]);
    assert_eq!(pieces("{\"a\":\"x\n{\"b\":2}\n"), [r#"M{"a":"x"#, r#"R{"b":2}"#]);
    assert_eq!(pieces("{\"a\":\r\n{\"b\":2}\r\n{\"c\":3}"), [r#"M{"a":"#, r#"R{"b":2}"#, r#"R{"c":3}"#]);
    assert_eq!(pieces("{\"a\":[{\"x\":1},\n{\"b\":2}"), [r#"M{"a":[{"x":1},"#, r#"R{"b":2}"#]);
    assert_eq!(pieces("oops\n5\nnull\n\"x\"\n{\"b\":2}"), ["Moops", "M5", "Mnull", "M\"x\"", r#"R{"b":2}"#]);
    assert_eq!(pieces("{\"a\" 1, {}}\n{\"b\":2}"), [r#"M{"a" 1, {}}"#, r#"R{"b":2}"#]);
    assert_eq!(pieces("{\"a\":1]} {}\n{\"b\":2}"), [r#"M{"a":1]} {}"#, r#"R{"b":2}"#]);
    assert_eq!(pieces("{\"a\":1} x\n{\"b\":2}"), [r#"R{"a":1}"#, "Mx", r#"R{"b":2}"#]);
}

#[test]
fn parts_of_a_malformed_object_over_lines_are_no_records() {
    let input = "{\n  \"a\": 1\n  \"b\": [\n    {\"c\":1}\n  ]\n}\n{\"d\":4}\n";
    assert_eq!(pieces(input), ["M{\n  \"a\": 1\n  \"b\": [\n    {\"c\":1}\n  ]\n}", r#"R{"d":4}"#]);
}

#[test]
fn a_malformed_element_costs_itself_only() {
    let input = r#"{"value":[5,null,"x,]",[{}],{"a" 1},{"a":[}],{"b":2}]}"#;
    assert_eq!(
        pieces(input),
        ["M5", "Mnull", r#"M"x,]""#, "M[{}]", r#"M{"a" 1}"#, r#"M{"a":[}]"#, r#"R{"b":2}"#,],
        "in a wrong element brackets are only counted"
    );
    assert_eq!(pieces("[{\"a\" 1,\"b\":{\"c\":\"}\\\"\"}},{\"b\":2}]"), [r#"M{"a" 1,"b":{"c":"}\""}}"#, r#"R{"b":2}"#]);
    assert_eq!(pieces("[\n{\"a\":1,\n{\"b\":2},\n{\"c\":3}\n]"), [r#"M{"a":1,"#, r#"R{"b":2}"#, r#"R{"c":3}"#]);
    assert_eq!(pieces("[}:{}]"), ["M}:", "R{}"]);
}

#[test]
fn an_end_that_comes_early_is_told() {
    assert_eq!(pieces(r#"{"a":{"#), [r#"M{"a":{"#]);
    assert_eq!(pieces(r#"{"a":"\"#), [r#"M{"a":"\"#]);
    assert_eq!(pieces(r#"{"value":[{"a":1},{"b"#), [r#"R{"a":1}"#, r#"M{"b"#]);
    assert_eq!(pieces(r#"{"value":[{"a":1}"#), [r#"R{"a":1}"#, "M"]);
    assert_eq!(pieces(r#"{"value":[{"a":1}] , "next":"ht"#), [r#"R{"a":1}"#, r#"M, "next":"ht"#]);
    assert_eq!(pieces(r#"{"value":[]"#), ["M"]);
    assert_eq!(
        pieces("{\"value\":[{\"a\":1}\n{\"value\":[{\"b\":2},{\"c\n{\"value\":[{\"d\":4}]\n{}"),
        [r#"R{"a":1}"#, "M", r#"R{"b":2}"#, r#"M{"c"#, r#"R{"d":4}"#, "M", "R{}"]
    );
}

#[test]
fn strings_end_wherever_their_quote_stands() {
    for (before, after) in (0..40).flat_map(|before| [0, 1, 9, 17, 33].map(|after| (before, after))) {
        let (before, after) = ("x".repeat(before), "y".repeat(after));
        for found in ["", "\\\"", "\\\\", "é", "\t", "}"] {
            let record = format!("{{\"a\":\"{before}{found}{after}\"}}");
            assert_eq!(pieces(format!("{record}\n{{}}")), [format!("R{record}"), "R{}".into()]);
        }
        let line = format!("{{\"a\":\"{before}");
        assert_eq!(pieces(format!("{line}\n{{}}\n")), [format!("M{line}"), "R{}".into()]);
    }
}

#[test]
fn depth_costs_no_stack() {
    let depth = 1_000_000;
    let deep = format!("{{\"a\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
    assert_eq!(whole(deep.as_bytes(), DEFAULT_MAX_RECORD_SIZE).len(), 1);
    assert_eq!(member(deep.as_bytes(), "a").map(<[u8]>::len), Some(2 * depth));
    let open = format!("{{\"a\":{}", "[{\"b\":".repeat(depth));
    assert_eq!(whole(open.as_bytes(), DEFAULT_MAX_RECORD_SIZE).len(), 1);
}

#[test]
fn nested_cut_lines_lose_nothing() {
    let cut = "{\"a\":\n".repeat(20_000);
    let found = whole(format!("{cut}{{\"b\":2}}\n").as_bytes(), DEFAULT_MAX_RECORD_SIZE);
    assert_eq!(found.iter().flat_map(|cut| &cut.text).filter(|&&byte| byte == b'{').count(), 20_001);
    let few = format!("{}{{\"b\":2}}\n", "{\"a\":\n".repeat(5));
    assert_eq!(pieces(few).last().map(String::as_str), Some(r#"R{"b":2}"#));
}

#[test]
fn what_is_beyond_the_limit_passes_by() {
    let long = format!(r#"{{"a":"{}"}}"#, "x".repeat(40));
    assert_eq!(pieces_within(format!("{{}}\n{long}\n{{}}"), 20), ["R{}".into(), format!("O{long}"), "R{}".into()]);
    assert_eq!(pieces_within(format!("[{{}},{long},{{}}]"), 20), ["R{}".into(), format!("O{long}"), "R{}".into()]);
    assert_eq!(pieces_within(&long, long.len()), [format!("R{long}")]);
    assert_eq!(pieces_within(&long, long.len() - 1), [format!("O{long}")]);
    let junk = "j".repeat(40);
    assert_eq!(pieces_within(format!("{junk}\n{{}}"), 20), [format!("O{junk}"), "R{}".into()]);
    assert_eq!(pieces_within(format!("{{\"value\":[{{}}],\"z\":\"{junk}\"}}{{}}"), 20), ["R{}", "R{}"]);
}

#[test]
fn what_ends_right_at_the_limit_is_within_it() {
    assert_eq!(pieces_within("{\"a\":\"b\n{}", 7), ["M{\"a\":\"b", "R{}"]);
    assert_eq!(pieces_within("[1234567,{}]", 7), ["M1234567", "R{}"]);
    assert_eq!(pieces_within("[12345678,{}]", 7), ["O12345678", "R{}"]);
}

#[test]
fn a_list_streams_before_its_end() {
    let mut splitter = Splitter::new(KEYS);
    splitter.push(br#"{"a":1,"value":[{"b":2}"#);
    assert_eq!(splitter.piece(), Some(Piece::Record { offset: 16, bytes: br#"{"b":2}"# }));
    assert_eq!(splitter.piece(), None);
}

#[test]
fn a_member_is_the_records_own() {
    let record = br#" { "a" : {"id":1}, "id" : "x\"y" , "n":12, "l":[1,{"id":2}], "id":3 }"#;
    assert_eq!(member(record, "id"), Some(&br#""x\"y""#[..]));
    assert_eq!(member(record, "a"), Some(&br#"{"id":1}"#[..]));
    assert_eq!(member(record, "n"), Some(&b"12"[..]));
    assert_eq!(member(record, "l"), Some(&br#"[1,{"id":2}]"#[..]));
    assert_eq!(member(record, "b"), None);
    assert_eq!(member(br#"[{"id":1}]"#, "id"), None);
    assert_eq!(member(br#"{"id":1"#, "id"), None);
    assert_eq!(member(br#"{"i\u0064":1}"#, "id"), Some(&b"1"[..]));
}

fn value() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("-1.5e3".to_owned()),
        Just("\"\"".to_owned()),
        "[a-z{}\\[\\],: é]{0,20}".prop_map(|text| format!("\"{text}\"")),
        Just(r#""\\\"\u0041""#.to_owned()),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(|items| format!("[{}]", items.join(","))),
            object(inner),
        ]
    })
}

fn object(value: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    let key = prop_oneof![Just("a"), Just("b"), Just("next")];
    let gap = prop_oneof![4 => Just(""), 1 => Just(" "), 1 => Just("\n  "), 1 => Just("\n")];
    prop::collection::vec((key, value, gap), 0..4).prop_map(|members| {
        let members: Vec<_> =
            members.iter().map(|(key, value, gap)| format!("{gap}\"{key}\":{gap}{value}{gap}")).collect();
        format!("{{{}}}", members.join(","))
    })
}

/// An input of whole forms, and its records.
fn forms() -> impl Strategy<Value = (String, Vec<String>)> {
    let records = prop::collection::vec(object(value()), 0..4);
    let form = (records, 0..5u8, object(value())).prop_map(|(records, form, around)| {
        let list = records.join(if form == 0 { "\n" } else { "," });
        let around = around.trim_matches(['{', '}']).is_empty();
        let text = match form {
            0 => format!("{list}\n"),
            1 => format!("[{list}]"),
            2 => format!("[\n{}\n]\r\n", records.join(",\n")),
            3 if around => format!("{{\"records\" : [{list}]}}\n"),
            _ => format!("{{\"x\":{{\"value\":[]}},\"next\":\"n\",\"value\":[{list}],\"y\":[1,{{}}]}}\n"),
        };
        (text, records)
    });
    prop::collection::vec(form, 0..4).prop_map(|forms| {
        let (texts, records): (Vec<_>, Vec<_>) = forms.into_iter().unzip();
        (texts.concat(), records.concat())
    })
}

fn corrupted() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![
        3 => prop::sample::select(b"{}[],:\"\\\n\r 1\xef\xbb\xbf".to_vec()),
        1 => any::<u8>(),
    ];
    let change = (any::<prop::sample::Index>(), byte, 0..4u8);
    (forms(), prop::collection::vec(change, 0..6)).prop_map(|((text, _), changes)| {
        let mut bytes = text.into_bytes();
        for (at, byte, change) in changes {
            let at = at.index(bytes.len() + 1);
            match change {
                0 => bytes.truncate(at),
                1 => bytes.insert(at, byte),
                _ if at == bytes.len() => {}
                2 => bytes[at] = byte,
                _ => drop(bytes.remove(at)),
            }
        }
        bytes
    })
}

fn check_any(input: &[u8], max: usize, sizes: Vec<usize>) {
    let cuts = whole(input, max);
    assert_eq!(chunked(input, max, sizes.into_iter().cycle()).0, cuts);
    let mut at = 0;
    for cut in &cuts {
        let offset = cut.offset as usize;
        assert!(offset >= at, "pieces are in order and do not overlap");
        assert_eq!(&input[offset..offset + cut.text.len()], cut.text, "a piece has the bytes of its place");
        at = offset + cut.text.len();
        assert_eq!(cut.kind == 'O', cut.text.len() > max);
        assert!(cut.kind != 'R' || cut.text.starts_with(b"{") && cut.text.ends_with(b"}"));
    }
}

/// Bytes of no piece.
fn left_over(input: &[u8], cuts: &[Cut]) -> Vec<u8> {
    let mut rest = input.to_vec();
    for cut in cuts.iter().rev() {
        rest.drain(cut.offset as usize..cut.offset as usize + cut.text.len());
    }
    rest
}

proptest! {
    #[test]
    fn whole_forms_give_their_records((text, records) in forms(), sizes in prop::collection::vec(1..40usize, 1..8)) {
        let found: Vec<_> = whole(text.as_bytes(), 1 << 20);
        let texts: Vec<_> = found.iter().map(|cut| format!("{}{}", cut.kind, String::from_utf8_lossy(&cut.text))).collect();
        prop_assert_eq!(texts, records.iter().map(|record| format!("R{record}")).collect::<Vec<_>>());
        check_any(text.as_bytes(), 1 << 20, sizes);
    }

    #[test]
    fn chunks_make_no_difference(
        input in corrupted(),
        max in prop_oneof![Just(1 << 20), 1..60usize],
        sizes in prop::collection::vec(1..40usize, 1..8),
    ) {
        check_any(&input, max, sizes);
    }

    #[test]
    fn nothing_is_lost(input in corrupted(), max in prop_oneof![Just(1 << 20), 1..60usize]) {
        let none: &[&str] = &[];
        let mut cuts = Cuts::default();
        split(&input, none, max).for_each(|piece| cuts.add(piece));
        let rest = left_over(&input, &cuts.done);
        let syntax = rest.iter().all(|byte| b" \t\r\n[],\xef\xbb\xbf".contains(byte));
        prop_assert!(syntax, "{:?}", String::from_utf8_lossy(&rest));
    }

    #[test]
    fn members_are_cut_out(object in object(value())) {
        if let Some(value) = member(object.as_bytes(), "a") {
            let again = format!("{{\"b\":{{\"a\":1}},\"a\":{}}}", std::str::from_utf8(value).unwrap());
            prop_assert_eq!(member(again.as_bytes(), "a"), Some(value));
        }
    }
}
