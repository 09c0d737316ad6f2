//! What CRYPTO frames carry, put together: RFC 9000, 19.6.

/// Pieces that may wait for others before them. Past it one more is dropped, as one that was lost.
const MOST_PIECES: usize = 64;

/// One side's stream of handshake messages.
#[derive(Debug, Default)]
pub(super) struct Crypto {
    /// From offset 0 on, without a hole.
    bytes: Vec<u8>,
    /// Behind a hole, in the order of arrival.
    ahead: Vec<(usize, Vec<u8>)>,
    waiting: usize,
    /// How much of `bytes` was read.
    read: usize,
    /// More was sent than is held.
    pub(super) over: bool,
}

impl Crypto {
    /// Takes a piece. No more than `most` bytes are held.
    pub(super) fn add(&mut self, offset: u64, data: &[u8], most: usize) {
        let begins = usize::try_from(offset).unwrap_or(usize::MAX);
        let Some(ends) = begins.checked_add(data.len()).filter(|ends| *ends <= most) else {
            self.over = true;
            return;
        };
        if ends <= self.bytes.len() {
            return;
        }
        if begins > self.bytes.len() {
            if self.ahead.len() >= MOST_PIECES || self.waiting + data.len() > most {
                self.over = true;
            } else if !self.ahead.iter().any(|(at, piece)| *at <= begins && ends <= at + piece.len()) {
                self.waiting += data.len();
                self.ahead.push((begins, data.to_vec()));
            }
            return;
        }
        self.bytes.extend_from_slice(&data[self.bytes.len() - begins..]);
        while let Some(next) = self.ahead.iter().position(|(at, _)| *at <= self.bytes.len()) {
            let (at, piece) = self.ahead.swap_remove(next);
            self.waiting -= piece.len();
            if let Some(rest) = piece.get(self.bytes.len() - at..) {
                self.bytes.extend_from_slice(rest);
            }
        }
    }

    /// The next whole handshake message: its type and body.
    pub(super) fn message(&mut self) -> Option<(u8, &[u8])> {
        let begins = self.read;
        let (kind, len) = self.head()?;
        let ends = begins + 4 + len;
        if ends > self.bytes.len() {
            return None;
        }
        self.read = ends;
        self.bytes.get(begins + 4..ends).map(|body| (kind, body))
    }

    /// As much as there is of a message whose rest never came.
    pub(super) fn part(&self) -> Option<(u8, &[u8])> {
        let (kind, _) = self.head()?;
        self.bytes.get(self.read + 4..).map(|body| (kind, body))
    }

    /// Whether a hole is open.
    pub(super) fn has_hole(&self) -> bool {
        !self.ahead.is_empty()
    }

    fn head(&self) -> Option<(u8, usize)> {
        let &[kind, a, b, c] = self.bytes.get(self.read..)?.first_chunk()?;
        Some((kind, u32::from_be_bytes([0, a, b, c]) as usize))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_come_in_any_order_and_over_each_other() {
        let mut crypto = Crypto::default();
        let whole = b"\x01\0\0\x06abcdef\x02\0\0\x01x";
        for range in [6..10, 3..7, 12..15, 0..2, 8..12, 1..4] {
            assert_eq!(crypto.message(), None);
            crypto.add(range.start as u64, &whole[range], 100);
        }
        assert_eq!(crypto.message(), Some((1, &b"abcdef"[..])));
        assert_eq!(crypto.message(), Some((2, &b"x"[..])));
        assert!(crypto.message().is_none() && !crypto.over && !crypto.has_hole() && crypto.waiting == 0);
    }

    #[test]
    fn no_more_is_held_than_allowed() {
        let mut crypto = Crypto::default();
        crypto.add(50, &[0; 50], 100);
        crypto.add(40, &[0; 55], 100);
        crypto.add(u64::MAX, b"x", 100);
        assert!(crypto.over && crypto.waiting <= 100);
        let mut crypto = Crypto::default();
        for at in 0..1000 {
            crypto.add(2 * at + 1, b"x", 10_000);
        }
        assert!(crypto.over && crypto.ahead.len() == MOST_PIECES);
    }
}
