//! Bytes that are written in many small pieces.

/// Pieces up to this length are copied in registers. WebAssembly's instruction for copies is a call of the host, which
/// takes longer than that.
const SHORT: usize = 128;
/// The least room, in bytes.
const ROOM: usize = 64;

/// Bytes under construction. Room is made ready ahead of what is written, so that a short piece is a few moves.
#[derive(Clone, Default)]
pub(crate) struct Buffer {
    /// What is written, and behind it room.
    bytes: Vec<u8>,
    length: usize,
}

impl Buffer {
    /// Room for so many bytes.
    pub(crate) fn with_capacity(bytes: usize) -> Self {
        Self { bytes: vec![0; bytes], length: 0 }
    }

    /// Adds bytes.
    #[inline]
    pub(crate) fn push<const N: usize>(&mut self, bytes: [u8; N]) {
        match self.bytes.get_mut(self.length..).and_then(|room| room.first_chunk_mut::<N>()) {
            Some(room) => {
                *room = bytes;
                self.length += N;
            }
            None => self.append_longer(&bytes),
        }
    }

    /// Adds the first bytes of some that are followed by others that are not meant.
    #[inline]
    pub(crate) fn push_first<const N: usize>(&mut self, bytes: &[u8; N], count: usize) {
        match self.bytes.get_mut(self.length..).and_then(|room| room.first_chunk_mut::<N>()) {
            Some(room) if count <= N => {
                *room = *bytes;
                self.length += count;
            }
            _ => self.append_longer(bytes.get(..count).unwrap_or_default()),
        }
    }

    /// Adds bytes, however many.
    pub(crate) fn append(&mut self, bytes: &[u8]) {
        let end = self.length + bytes.len();
        match self.bytes.get_mut(self.length..end) {
            Some(room) => copy(bytes, room),
            None => return self.append_longer(bytes),
        }
        self.length = end;
    }

    /// Adds bytes where there is no room.
    #[cold]
    fn append_longer(&mut self, bytes: &[u8]) {
        let end = self.length + bytes.len();
        self.bytes.resize((end + ROOM).max(self.bytes.len() * 2), 0);
        if let Some(room) = self.bytes.get_mut(self.length..end) {
            room.copy_from_slice(bytes);
        }
        self.length = end;
    }

    /// Forgets what is behind a length that it had before.
    #[inline]
    pub(crate) fn truncate(&mut self, length: usize) {
        self.length = self.length.min(length);
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.length
    }

    #[inline]
    pub(crate) fn as_slice(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }

    pub(crate) fn into_vec(mut self) -> Vec<u8> {
        self.bytes.truncate(self.length);
        self.bytes
    }
}

impl From<Vec<u8>> for Buffer {
    fn from(bytes: Vec<u8>) -> Self {
        Self { length: bytes.len(), bytes }
    }
}

/// Copies bytes to as many: short ones in two chunks that overlap, without a loop, each turn of which would look at the
/// deadline.
#[inline]
fn copy(from: &[u8], to: &mut [u8]) {
    match from.len() {
        0 => {}
        1 => ends::<1>(from, to),
        2..4 => ends::<2>(from, to),
        4..8 => ends::<4>(from, to),
        8..16 => ends::<8>(from, to),
        16..32 => ends::<16>(from, to),
        32..64 => ends::<32>(from, to),
        64..=SHORT => ends::<64>(from, to),
        _ => to.copy_from_slice(from),
    }
}

/// Copies the first N and the last N bytes, which are all where there are N to 2 N.
#[inline]
fn ends<const N: usize>(from: &[u8], to: &mut [u8]) {
    if let (Some(from), Some(to)) = (from.first_chunk::<N>(), to.first_chunk_mut()) {
        *to = *from;
    }
    if let (Some(from), Some(to)) = (from.last_chunk::<N>(), to.last_chunk_mut()) {
        *to = *from;
    }
}
