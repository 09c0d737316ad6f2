//! Small things that are done to text: percent-encoding undone and redone, cuts at a character's bound.

use std::borrow::Cow;

/// How often percent-encoding is undone. Each round is one proxy or form in a form.
const ROUNDS: usize = 3;

/// The nearest character bound at or before `at`.
pub(crate) fn floor(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// Cuts to at most `most` bytes, and says whether that took something away.
pub(crate) fn cut(text: &mut String, most: usize) -> bool {
    let whole = text.len() <= most;
    if !whole {
        text.truncate(floor(text, most));
    }
    !whole
}

/// Undoes percent-encoding until none is left, at most three times. `None` where there is none.
pub(crate) fn percent_decode(text: &str) -> Option<String> {
    let mut decoded: Option<String> = None;
    for _ in 0..ROUNDS {
        let current = decoded.as_deref().unwrap_or(text);
        match once(current) {
            Some(next) => decoded = Some(next),
            None => break,
        }
    }
    decoded
}

fn once(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let encoded = memchr::memchr_iter(b'%', bytes)
        .any(|at| bytes.get(at + 1..at + 3).is_some_and(|pair| pair.iter().all(u8::is_ascii_hexdigit)));
    encoded.then(|| percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned())
}

/// The value of a query or form component: `+` is a space, percent-encoding is undone.
pub(crate) fn component(text: &str) -> Cow<'_, str> {
    let spaced = match text.contains('+') {
        true => Cow::Owned(text.replace('+', " ")),
        false => Cow::Borrowed(text),
    };
    match percent_decode(&spaced) {
        Some(decoded) => Cow::Owned(decoded),
        None => spaced,
    }
}

/// Encodes what would end a component; the rest stays readable.
pub(crate) fn encode_component(text: &str, out: &mut String) {
    for letter in text.chars() {
        match letter {
            '%' | '&' | '#' | '+' | ';' | ' ' | '"' | '\u{0}'..='\u{1f}' | '\u{7f}' => {
                out.push('%');
                out.push(char::from(b"0123456789ABCDEF"[letter as usize >> 4 & 15]));
                out.push(char::from(b"0123456789ABCDEF"[letter as usize & 15]));
            }
            other => out.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nested_percent_encoding_is_undone() {
        assert_eq!(percent_decode("a%2525b").as_deref(), Some("a%b"));
        assert_eq!(percent_decode("100% sure"), None);
        assert_eq!(percent_decode("%41%zz").as_deref(), Some("A%zz"));
        assert_eq!(component("a+b%3D1"), "a b=1");
    }

    #[test]
    fn cuts_never_split_a_character() {
        let mut text = "aéb".to_owned();
        assert!(cut(&mut text, 2));
        assert_eq!(text, "a");
        let mut out = String::new();
        encode_component("a b&c", &mut out);
        assert_eq!(out, "a%20b%26c");
    }
}
