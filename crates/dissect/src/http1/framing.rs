//! Where a body ends (RFC 9112, 6.3), and the reading of chunked ones (7.1), byte by byte where it must be: no
//! part of a body ever waits for another.

/// Longest chunk size line, extensions included, that is believed.
const LONGEST_SIZE_LINE: u32 = 4096;
/// Zeros may lead a chunk size; so many digits are none.
const MOST_DIGITS: u32 = 64;

/// How a body ends.
#[derive(Debug)]
pub(super) enum Framing {
    /// After so many more bytes.
    Length(u64),
    /// With the last chunk.
    Chunked(Chunked),
    /// With the connection.
    Close,
    /// Nobody can tell any more: bytes of chunked framing were lost. It ends where the next message begins, or
    /// with a segment that ends as a last chunk does.
    Lost,
}

/// Inside a chunked body.
#[derive(Debug)]
pub(super) struct Chunked {
    state: State,
    /// The trailer section so far.
    pub(super) trailers: Vec<u8>,
    most_trailers: usize,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Size {
        value: u64,
        digits: u32,
    },
    /// The rest of the size line: extensions, CR.
    Rest {
        value: u64,
        length: u32,
    },
    Data(u64),
    /// The line end after the data.
    DataEnd,
    /// In the trailer section, on a line that has so many bytes.
    Trailer {
        line: u32,
    },
}

/// What a piece of a chunked body is.
pub(super) enum Piece {
    /// Framing: nothing of the body.
    Framing(usize),
    /// Body.
    Data(usize),
    /// Framing, and with it the end.
    End(usize),
    /// This cannot be chunked framing.
    Bad,
}

impl Chunked {
    pub(super) fn new(most_trailers: usize) -> Self {
        Self { state: State::Size { value: 0, digits: 0 }, trailers: Vec::new(), most_trailers }
    }

    /// Takes the next piece from the front of `bytes`, which are not empty.
    pub(super) fn next(&mut self, bytes: &[u8]) -> Piece {
        if let State::Data(left) = self.state {
            let take = bytes.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            let left = left - take as u64;
            self.state = if left == 0 { State::DataEnd } else { State::Data(left) };
            return Piece::Data(take);
        }
        for (at, &byte) in bytes.iter().enumerate() {
            let Some(next) = self.step(byte) else { return Piece::Bad };
            self.state = next;
            match next {
                State::Data(_) => return Piece::Framing(at + 1),
                // An empty line ends the trailer section; `line` counts no line end.
                State::Trailer { line: u32::MAX } => return Piece::End(at + 1),
                State::Size { .. } | State::Rest { .. } | State::DataEnd | State::Trailer { .. } => {}
            }
        }
        Piece::Framing(bytes.len())
    }

    fn step(&mut self, byte: u8) -> Option<State> {
        match (self.state, byte) {
            (State::Size { value, digits }, _) if byte.is_ascii_hexdigit() => {
                let digit = u64::from(char::from(byte).to_digit(16)?);
                let value = value.checked_mul(16)?.checked_add(digit)?;
                (digits < MOST_DIGITS).then_some(State::Size { value, digits: digits + 1 })
            }
            (State::Size { digits: 0, .. }, _) => None,
            (State::Size { value, .. } | State::Rest { value, .. }, b'\n') if value == 0 => {
                Some(State::Trailer { line: 0 })
            }
            (State::Size { value, .. } | State::Rest { value, .. }, b'\n') => Some(State::Data(value)),
            (State::Size { value, .. }, b'\r' | b' ' | b'\t' | b';') => {
                Some(State::Rest { value, length: 0 })
            }
            (State::Size { .. }, _) => None,
            (State::Rest { value, length }, _) => {
                (length < LONGEST_SIZE_LINE).then_some(State::Rest { value, length: length + 1 })
            }
            (State::DataEnd, b'\r') => Some(State::DataEnd),
            (State::DataEnd, b'\n') => Some(State::Size { value: 0, digits: 0 }),
            (State::DataEnd | State::Data(_), _) => None,
            (State::Trailer { line: 0 }, b'\n') => Some(State::Trailer { line: u32::MAX }),
            (State::Trailer { line }, _) => {
                if self.trailers.len() >= self.most_trailers {
                    return None;
                }
                if !(line == 0 && byte == b'\r') {
                    self.trailers.push(byte);
                }
                Some(match byte {
                    b'\n' => State::Trailer { line: 0 },
                    b'\r' => State::Trailer { line },
                    _ => State::Trailer { line: line.saturating_add(1).min(u32::MAX - 1) },
                })
            }
        }
    }
}
