//! The splitter gives the same pieces as the whole buffer, and its pieces are in order and true to the input.
//!
//! The first byte chooses the size of the chunks, the second the limit of a record; the rest is the input.
#![no_main]

use defenderbeat_records::{Piece, Splitter, member, split};
use libfuzzer_sys::fuzz_target;

const KEYS: &[&str] = &["value", "records"];

/// Kind, offset and length; fragments joined.
type Cut = (u8, u64, u64);

fn add(cuts: &mut Vec<Cut>, open: &mut bool, input: &[u8], piece: Piece<'_>) {
    let (kind, start, bytes, last) = match piece {
        Piece::Record { offset, bytes } => (b'R', offset, bytes, true),
        Piece::Malformed { offset, bytes, .. } => (b'M', offset, bytes, true),
        Piece::Oversized { offset, bytes, last } => (b'O', offset, bytes, last),
    };
    if !*open {
        let end = cuts.last().map_or(0, |(_, offset, length)| offset + length);
        assert!(start >= end, "pieces overlap");
        cuts.push((kind, start, 0));
    }
    let cut = cuts.last_mut().unwrap();
    assert_eq!((cut.0, cut.1), (kind, start), "fragments of one record follow each other");
    let from = (start + cut.2) as usize;
    assert_eq!(&input[from..from + bytes.len()], bytes);
    cut.2 += bytes.len() as u64;
    *open = !last;
}

fuzz_target!(|data: &[u8]| {
    let [size, limit, input @ ..] = data else { return };
    let max = if *limit < 128 { usize::from(*limit) + 1 } else { 1 << 20 };
    let (mut whole, mut chunked, mut open) = (Vec::new(), Vec::new(), false);
    for piece in split(input, KEYS, max) {
        if let Piece::Record { bytes, .. } = piece {
            member(bytes, "id");
        }
        add(&mut whole, &mut open, input, piece);
    }
    assert!(!open);
    let mut splitter = Splitter::new(KEYS).with_max_record_size(max).with_member("@odata.nextLink");
    for chunk in input.chunks(usize::from(*size) + 1) {
        splitter.push(chunk);
        while let Some(piece) = splitter.piece() {
            add(&mut chunked, &mut open, input, piece);
        }
        assert!(splitter.held() <= max + 8);
    }
    splitter.finish();
    while let Some(piece) = splitter.piece() {
        add(&mut chunked, &mut open, input, piece);
    }
    assert!(!open);
    assert_eq!(whole, chunked);
    assert!(whole.iter().all(|(kind, _, length)| (*kind == b'O') == (*length > max as u64)), "{whole:?}");
});
