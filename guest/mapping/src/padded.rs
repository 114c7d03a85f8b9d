//! Text that is known when the program is built.

/// Text that is written often. Most of them are copied as a whole, whatever their length: a few moves, and no branch.
#[derive(Clone, Copy)]
pub struct Padded<const N: usize> {
    text: &'static str,
    /// The text, as far as it goes in, and what is never read behind it.
    padded: [u8; N],
}

impl<const N: usize> Padded<N> {
    /// Text of any length.
    #[must_use]
    pub const fn new(text: &'static str) -> Self {
        let mut padded = [0; N];
        let (mut from, mut to): (&[u8], &mut [u8]) = (text.as_bytes(), &mut padded);
        while let (Some((byte, rest)), Some((place, room))) = (from.split_first(), to.split_first_mut()) {
            *place = *byte;
            (from, to) = (rest, room);
        }
        Self { text, padded }
    }

    #[inline]
    pub(crate) fn text(&self) -> &'static str {
        self.text
    }

    /// The first bytes of the text, and what is behind it where it is shorter.
    #[inline]
    pub(crate) fn padded(&self) -> &[u8; N] {
        &self.padded
    }
}

impl<const N: usize> std::fmt::Debug for Padded<N> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.text.fmt(formatter)
    }
}
