use crate::members::Members;
use crate::scan::Scan;
use crate::{DEFAULT_MAX_RECORD_SIZE, Piece};

/// Capacity that is kept between records.
const IDLE_CAPACITY: usize = 1 << 20;

/// Cuts bytes into pieces as they arrive: [`push`](Self::push) a chunk, then ask for [`piece`](Self::piece) until there
/// is none; after the last chunk [`finish`](Self::finish), and ask again. It holds the record that is being read and
/// the last chunk.
///
/// ```
/// use defenderbeat_records::{Piece, Splitter};
///
/// let mut splitter = Splitter::new(&["value"]).with_member("@odata.nextLink");
/// let mut ids = Vec::new();
/// for chunk in [r#"{"value":[{"id":1},{"#, r#""id":2}],"@odata.nextLink":"https:\/\/next"}"#] {
///     splitter.push(chunk.as_bytes());
///     while let Some(piece) = splitter.piece() {
///         if let Piece::Record { bytes, .. } = piece {
///             ids.extend(defenderbeat_records::member(bytes, "id").map(<[u8]>::to_vec));
///         }
///     }
/// }
/// splitter.finish();
/// assert_eq!(splitter.piece(), None);
/// assert_eq!(ids, [b"1", b"2"]);
/// assert_eq!(splitter.member("@odata.nextLink"), Some("https://next"));
/// ```
#[derive(Debug)]
pub struct Splitter {
    keys: Vec<String>,
    members: Members,
    scan: Scan,
    buffer: Vec<u8>,
    finished: bool,
}

impl Splitter {
    /// A splitter with the default limit. `keys` are the members under which an envelope keeps its records.
    pub fn new<K: AsRef<str>>(keys: &[K]) -> Self {
        Self {
            keys: keys.iter().map(|key| key.as_ref().to_owned()).collect(),
            members: Members::default(),
            scan: Scan::new(DEFAULT_MAX_RECORD_SIZE),
            buffer: Vec::new(),
            finished: false,
        }
    }

    /// Limits the size of a record in bytes; to be called before anything is pushed.
    #[must_use]
    pub fn with_max_record_size(mut self, max: usize) -> Self {
        self.scan = Scan::new(max);
        self
    }

    /// Asks for a scalar member of the envelope, before or behind its records.
    #[must_use]
    pub fn with_member(mut self, name: &str) -> Self {
        self.members.want(name);
        self
    }

    /// Takes the next bytes.
    pub fn push(&mut self, chunk: &[u8]) {
        let spent = self.scan.spent();
        self.buffer.drain(..spent.min(self.buffer.len()));
        self.scan.rebase(spent);
        if self.buffer.is_empty() && self.buffer.capacity() > IDLE_CAPACITY {
            self.buffer = Vec::new();
        }
        self.buffer.extend_from_slice(chunk);
    }

    /// No more bytes will come.
    pub fn finish(&mut self) {
        self.finished = true;
    }

    /// The next piece; none until more is pushed, or for good after [`finish`](Self::finish).
    pub fn piece(&mut self) -> Option<Piece<'_>> {
        let found = self.scan.next(&self.buffer, self.finished, &self.keys, &mut self.members)?;
        Some(Piece::new(&self.scan, &self.buffer, found))
    }

    /// A member asked for, of the envelope read last: the text of a string, or a number or boolean as it is written.
    /// None where it is absent, null, no scalar, no correct string, or longer than 64 KiB. Members may stand behind the records, so
    /// this is certain only after the last piece.
    pub fn member(&self, name: &str) -> Option<&str> {
        self.members.get(name)
    }

    /// Bytes that are held until more are pushed.
    pub fn held(&self) -> usize {
        self.buffer.len().saturating_sub(self.scan.spent())
    }
}
