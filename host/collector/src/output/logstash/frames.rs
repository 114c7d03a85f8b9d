//! Frames of the protocol. Numbers are big-endian; each frame begins with the version, `2`, and its kind.

use std::io::{self, Write};

use flate2::Compression;
use flate2::write::ZlibEncoder;

use super::Message;

/// An acknowledgement: version, kind and a sequence number.
pub(super) const ACKNOWLEDGEMENT: usize = 6;

/// A window of documents: `W` with their number, then for each `J` with its sequence number, from 1 on, and its text; all `J`
/// within one `C`, where they are compressed.
pub(super) fn window(messages: &[Message<'_>], level: u32) -> io::Result<Vec<u8>> {
    let mut frames = b"2W".to_vec();
    frames.extend(number(messages.len())?);
    if level == 0 {
        write(messages, &mut frames)?;
        return Ok(frames);
    }
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::new(level));
    write(messages, &mut encoder)?;
    let compressed = encoder.finish()?;
    frames.extend(b"2C");
    frames.extend(number(compressed.len())?);
    frames.extend(compressed);
    Ok(frames)
}

fn write(messages: &[Message<'_>], out: &mut impl Write) -> io::Result<()> {
    for (message, sequence) in messages.iter().zip(1_usize..) {
        out.write_all(b"2J")?;
        out.write_all(&number(sequence)?)?;
        out.write_all(&number(message.len())?)?;
        message.parts().iter().try_for_each(|part| out.write_all(part))?;
    }
    Ok(())
}

fn number(number: usize) -> io::Result<[u8; 4]> {
    Ok(u32::try_from(number).map_err(io::Error::other)?.to_be_bytes())
}

/// The sequence number of an acknowledgement: how many documents of the oldest open window are taken. 0 says that the server is
/// still at work.
pub(super) fn acknowledged(frame: [u8; ACKNOWLEDGEMENT]) -> Option<usize> {
    let [b'2', b'A', sequence @ ..] = frame else { return None };
    usize::try_from(u32::from_be_bytes(sequence)).ok()
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::sync::Arc;

    use defenderbeat_runtime::{Document, Part};
    use flate2::read::ZlibDecoder;

    use super::*;
    use crate::output::Documents;
    use crate::output::message::origin;

    #[test]
    fn a_window_is_as_the_protocol_says() {
        let document = |length, id| Document { payload: 0, length, route: 0, id, time: 0, position: 0 };
        let part = Part { ndjson: "{\"a\":1}\n{\"b\":2}\n".into(), documents: vec![document(8, 1), document(8, 2)] };
        let documents = Documents { part, streams: Arc::new(["logs-x-y".to_owned()]), sent_since: None };
        let origin = origin("my\"beat");
        let messages: Vec<Message<'_>> = documents.messages(&origin).collect();
        let version = env!("CARGO_PKG_VERSION");
        let text = |id: u8, rest: &str| {
            format!(
                r#"{{"@metadata":{{"beat":"my\"beat","type":"_doc","version":"{version}","_id":"{id:032x}","raw_index":"logs-x-y"}},{rest}"#
            )
        };
        let mut frames = Vec::new();
        for (id, rest) in [(1, "\"a\":1}"), (2, "\"b\":2}")] {
            let text = text(id, rest);
            let length = u8::try_from(text.len()).unwrap();
            frames.extend([b'2', b'J', 0, 0, 0, id, 0, 0, 0, length]);
            frames.extend(text.as_bytes());
        }
        let plain = window(&messages, 0).unwrap();
        assert_eq!(plain, [b"2W\0\0\0\x02", &frames[..]].concat());

        let compressed = window(&messages, 3).unwrap();
        assert_eq!(compressed[..8], *b"2W\0\0\0\x022C");
        assert_eq!(u32::from_be_bytes(compressed[8..12].try_into().unwrap()) as usize, compressed.len() - 12);
        let mut inflated = Vec::new();
        ZlibDecoder::new(&compressed[12..]).read_to_end(&mut inflated).unwrap();
        assert_eq!(inflated, frames);
    }

    #[test]
    fn only_acknowledgements_are_taken_as_such() {
        assert_eq!(acknowledged(*b"2A\0\0\x01\x02"), Some(258));
        assert_eq!(acknowledged(*b"1A\0\0\0\x02"), None);
        assert_eq!(acknowledged(*b"HTTP/1"), None);
    }
}
