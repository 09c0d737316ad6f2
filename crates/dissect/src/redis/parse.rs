//! The tokens of RESP, from bytes: pure, and none looks further than it must.
//!
//! <https://redis.io/docs/latest/develop/reference/protocol-spec/>, and for streamed types the RESP3 specification.

/// The longest number in a header: 64 bits and a sign.
const LONGEST_NUMBER: usize = 20;

/// What parsing the front of some bytes gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Parsed<T> {
    /// This, from so many bytes.
    Whole(T, usize),
    /// The bytes are a beginning of it.
    More,
    /// It cannot be that.
    Bad,
}

/// One token of a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token<'a> {
    /// `+OK`, `-ERR ...`, `:1`, `#t`, `,1.5`, `(123`, `_`: a type and the rest of its line.
    Line(u8, &'a [u8]),
    /// `$5`, `=15`, `!21`: a type and the length of what follows with CRLF.
    Bulk(u8, u64),
    /// `*3`, `~3`, `>3`, `%3`, `|3`: a type and how many replies follow; pairs count twice.
    Aggregate(u8, u32),
    /// `$-1`, `*-1`: null, as RESP2 says it.
    Null,
    /// `$?`: chunks follow.
    Chunks,
    /// `;4`: a chunk of that length; 0 is the last.
    Chunk(u64),
    /// `*?`, `%?`: replies follow until [`Token::End`].
    Streamed(u8),
    /// `.`
    End,
}

/// A line up to CRLF, which is not longer than `most`. Carriage returns inside it are its own.
pub(super) fn line(bytes: &[u8], most: usize) -> Parsed<&[u8]> {
    let window = &bytes[..bytes.len().min(most)];
    match memchr::memchr(b'\n', window) {
        Some(at) => match window[..at].strip_suffix(b"\r") {
            Some(line) => Parsed::Whole(line, at + 1),
            None => Parsed::Bad,
        },
        None if window.len() < most => Parsed::More,
        None => Parsed::Bad,
    }
}

/// A decimal number up to CRLF.
pub(super) fn number(bytes: &[u8]) -> Parsed<i64> {
    let (negative, start) = match bytes.first() {
        Some(b'-') => (true, 1),
        Some(_) => (false, 0),
        None => return Parsed::More,
    };
    let (mut value, mut at) = (0i64, start);
    loop {
        match bytes.get(at) {
            Some(byte @ b'0'..=b'9') if at < LONGEST_NUMBER => {
                let Some(next) =
                    value.checked_mul(10).and_then(|value| value.checked_add(i64::from(byte - b'0')))
                else {
                    return Parsed::Bad;
                };
                value = next;
                at += 1;
            }
            Some(b'\r') if at > start => break,
            Some(_) => return Parsed::Bad,
            None => return Parsed::More,
        }
    }
    match bytes.get(at + 1) {
        Some(b'\n') => Parsed::Whole(if negative { -value } else { value }, at + 2),
        Some(_) => Parsed::Bad,
        None => Parsed::More,
    }
}

/// `*3` or `$5` of a command: the number that follows the type.
pub(super) fn header(kind: u8, bytes: &[u8]) -> Parsed<i64> {
    match bytes.split_first() {
        None => Parsed::More,
        Some((first, rest)) if *first == kind => match number(rest) {
            Parsed::Whole(value, used) => Parsed::Whole(value, used + 1),
            Parsed::More => Parsed::More,
            Parsed::Bad => Parsed::Bad,
        },
        Some(_) => Parsed::Bad,
    }
}

/// The next token of a reply. Lines are not longer than `most`.
pub(super) fn token(bytes: &[u8], most: usize) -> Parsed<Token<'_>> {
    let Some((&kind, rest)) = bytes.split_first() else { return Parsed::More };
    match kind {
        b'+' | b'-' | b',' | b'(' => within(line(rest, most), |line| Some(Token::Line(kind, line))),
        b':' => match number(rest.strip_prefix(b"+").unwrap_or(rest)) {
            Parsed::Whole(..) => within(line(rest, most), |line| Some(Token::Line(kind, line))),
            Parsed::More => Parsed::More,
            Parsed::Bad => Parsed::Bad,
        },
        b'#' => within(line(rest, most.min(3)), |line| {
            matches!(line, b"t" | b"f").then_some(Token::Line(kind, line))
        }),
        b'_' => within(line(rest, most.min(2)), |line| line.is_empty().then_some(Token::Null)),
        b'.' => within(line(rest, most.min(2)), |line| line.is_empty().then_some(Token::End)),
        b'$' | b'=' | b'!' | b'*' | b'~' | b'>' | b'%' | b'|' | b';' => {
            if rest.first() == Some(&b'?') {
                let streamed = match kind {
                    b'$' => Token::Chunks,
                    b'*' | b'~' | b'%' => Token::Streamed(kind),
                    _ => return Parsed::Bad,
                };
                return within(line(rest, most.min(3)), |line| (line == b"?").then_some(streamed));
            }
            within(number(rest), |value| counted(kind, value))
        }
        _ => Parsed::Bad,
    }
}

fn counted(kind: u8, value: i64) -> Option<Token<'static>> {
    if value == -1 && matches!(kind, b'$' | b'*') {
        return Some(Token::Null);
    }
    let value = u64::try_from(value).ok()?;
    match kind {
        b'$' | b'=' | b'!' => Some(Token::Bulk(kind, value)),
        b';' => Some(Token::Chunk(value)),
        _ => {
            let pairs = matches!(kind, b'%' | b'|');
            let count = u32::try_from(value).ok()?.checked_mul(if pairs { 2 } else { 1 })?;
            Some(Token::Aggregate(kind, count))
        }
    }
}

/// The token that stands one byte further left.
fn within<'a, T>(parsed: Parsed<T>, make: impl FnOnce(T) -> Option<Token<'a>>) -> Parsed<Token<'a>> {
    match parsed {
        Parsed::Whole(value, used) => match make(value) {
            Some(token) => Parsed::Whole(token, used + 1),
            None => Parsed::Bad,
        },
        Parsed::More => Parsed::More,
        Parsed::Bad => Parsed::Bad,
    }
}

/// The words of an inline command, as `sdssplitargs` of Redis takes them apart: blanks part words, quotes hold them
/// together. An open quote runs to the end, which Redis refuses. At most `most` words.
pub(super) fn words(line: &[u8], most: usize) -> Vec<Vec<u8>> {
    let mut words = Vec::new();
    let mut rest = line.trim_ascii();
    while !rest.is_empty() && words.len() < most {
        let (word, after) = word(rest);
        words.push(word);
        rest = after.trim_ascii_start();
    }
    words
}

fn word(bytes: &[u8]) -> (Vec<u8>, &[u8]) {
    let (mut word, mut quote, mut at) = (Vec::new(), None, 0);
    while let Some(&byte) = bytes.get(at) {
        at += 1;
        match (quote, byte) {
            (Some(open), byte) if byte == open => quote = None,
            (Some(_), b'\\') => {
                word.extend(bytes.get(at));
                at += 1;
            }
            (Some(_), byte) => word.push(byte),
            (None, b'"' | b'\'') => quote = Some(byte),
            (None, byte) if byte.is_ascii_whitespace() => break,
            (None, byte) => word.push(byte),
        }
    }
    (word, bytes.get(at..).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_of_every_type_are_read() {
        let cases: &[(&[u8], Token<'_>)] = &[
            (b"+OK\r\n", Token::Line(b'+', b"OK")),
            (b":-12\r\n", Token::Line(b':', b"-12")),
            (b"#t\r\n", Token::Line(b'#', b"t")),
            (b",inf\r\n", Token::Line(b',', b"inf")),
            (b"_\r\n", Token::Null),
            (b"$-1\r\n", Token::Null),
            (b"*-1\r\n", Token::Null),
            (b"$5\r\n", Token::Bulk(b'$', 5)),
            (b"=15\r\n", Token::Bulk(b'=', 15)),
            (b"%2\r\n", Token::Aggregate(b'%', 4)),
            (b">3\r\n", Token::Aggregate(b'>', 3)),
            (b"$?\r\n", Token::Chunks),
            (b";4\r\n", Token::Chunk(4)),
            (b"*?\r\n", Token::Streamed(b'*')),
            (b".\r\n", Token::End),
        ];
        for (bytes, expected) in cases {
            assert_eq!(token(bytes, 64), Parsed::Whole(*expected, bytes.len()));
            for cut in 0..bytes.len() {
                assert_eq!(token(&bytes[..cut], 64), Parsed::More, "{bytes:?} cut at {cut}");
            }
        }
    }

    #[test]
    fn what_is_no_token_is_refused() {
        for bytes in [
            &b"$-2\r\n"[..],
            b"$5x\r\n",
            b"*99999999999999999999999\r\n",
            b"%4294967295\r\n",
            b"#x\r\n",
            b":abc\r\n",
            b">?\r\n",
            b"HTTP/1.1",
            b"+no carriage return\n",
            b"_x\r\n",
        ] {
            assert_eq!(token(bytes, 64), Parsed::Bad, "{bytes:?}");
        }
        let endless = [b'+'; 100];
        assert_eq!(token(&endless, 64), Parsed::Bad);
    }

    #[test]
    fn inline_words_are_parted_as_redis_does() {
        let check = |line: &[u8], expected: &[&str]| {
            let found: Vec<String> =
                words(line, 8).into_iter().map(|word| String::from_utf8_lossy(&word).into_owned()).collect();
            assert_eq!(found, expected);
        };
        check(b"SET key \"my value\"", &["SET", "key", "my value"]);
        check(b" SET  'a b' \"c\\\"d\" ", &["SET", "a b", "c\"d"]);
        check(b"SET bad \"unclosed double", &["SET", "bad", "unclosed double"]);
        check(b"a b c d e f g h i j", &["a", "b", "c", "d", "e", "f", "g", "h"]);
    }
}
