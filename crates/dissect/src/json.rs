//! A few values out of a JSON text, without a tree of it: the text may be cut, and what came before the cut counts.

/// A value as it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Raw<'a> {
    pub(crate) text: &'a [u8],
    /// Its end was seen.
    pub(crate) whole: bool,
}

impl<'a> Raw<'a> {
    /// A text that is one value; `cut` where it ends too early.
    pub(crate) fn new(text: &'a [u8]) -> Self {
        let text = text.trim_ascii_start();
        let (end, whole) = end_of(text);
        Self { text: text.get(..end).unwrap_or(text), whole }
    }

    pub(crate) fn is_object(&self) -> bool {
        self.text.first() == Some(&b'{')
    }

    pub(crate) fn is_array(&self) -> bool {
        self.text.first() == Some(&b'[')
    }

    pub(crate) fn is_string(&self) -> bool {
        self.text.first() == Some(&b'"')
    }

    pub(crate) fn is_null(&self) -> bool {
        self.text == b"null"
    }

    pub(crate) fn is_true(&self) -> bool {
        self.text == b"true"
    }

    /// The values of an array, the last of them perhaps cut.
    pub(crate) fn elements(self) -> impl Iterator<Item = Raw<'a>> {
        let mut rest = self.text.strip_prefix(b"[").unwrap_or_default();
        std::iter::from_fn(move || {
            let value = next_value(&mut rest)?;
            pass(&mut rest, b',');
            Some(value)
        })
    }

    /// The members of an object, the last of them perhaps cut. Keys are as they are written, without their quotes.
    pub(crate) fn members(self) -> impl Iterator<Item = (&'a [u8], Raw<'a>)> {
        let mut rest = self.text.strip_prefix(b"{").unwrap_or_default();
        std::iter::from_fn(move || {
            let key = next_value(&mut rest).filter(|key| key.whole && key.is_string())?;
            pass(&mut rest, b':');
            let value = next_value(&mut rest)?;
            pass(&mut rest, b',');
            Some((key.text.get(1..key.text.len() - 1)?, value))
        })
    }

    /// The member of that name.
    pub(crate) fn get(self, name: &str) -> Option<Raw<'a>> {
        self.members().find(|(key, _)| *key == name.as_bytes()).map(|(_, value)| value)
    }

    /// A member of a member, and so on.
    pub(crate) fn path(self, names: &[&str]) -> Option<Raw<'a>> {
        names.iter().try_fold(self, |value, name| value.get(name))
    }

    /// A string, whole.
    pub(crate) fn string(self) -> Option<String> {
        if !(self.whole && self.is_string()) {
            return None;
        }
        serde_json::from_slice(self.text).ok()
    }

    /// A string as far as it goes.
    pub(crate) fn beginning(self) -> Option<String> {
        if self.whole {
            return self.string();
        }
        // What the cut went through is a character or an escape, of at most two times six bytes.
        (0..=12).find_map(|less| {
            let mut text = self.text.get(..self.text.len().checked_sub(less)?)?.to_vec();
            text.push(b'"');
            serde_json::from_slice(&text).ok()
        })
    }

    /// A whole number.
    pub(crate) fn integer(self) -> Option<i64> {
        if self.whole { serde_json::from_slice(self.text).ok() } else { None }
    }

    /// A number.
    pub(crate) fn float(self) -> Option<f64> {
        if self.whole { serde_json::from_slice(self.text).ok() } else { None }
    }
}

/// Whether the text has that piece anywhere, as it is written: a key with its quotes that it does not hold is no
/// member of anything in it.
pub(crate) fn holds(text: &[u8], piece: &str) -> bool {
    memchr::memmem::find(text, piece.as_bytes()).is_some()
}

fn pass(rest: &mut &[u8], byte: u8) {
    let text = rest.trim_ascii_start();
    *rest = text.strip_prefix(&[byte]).unwrap_or(text);
}

fn next_value<'a>(rest: &mut &'a [u8]) -> Option<Raw<'a>> {
    let text = rest.trim_ascii_start();
    if matches!(text.first(), None | Some(b'}' | b']' | b',' | b':')) {
        return None;
    }
    let (end, whole) = end_of(text);
    let (value, behind) = text.split_at_checked(end)?;
    *rest = behind;
    Some(Raw { text: value, whole })
}

/// Where the value that `text` begins with ends, and whether its end is there.
fn end_of(text: &[u8]) -> (usize, bool) {
    match text.first() {
        Some(b'"') => end_of_string(text),
        Some(b'{' | b'[') => {
            let (mut at, mut depth) = (0, 0_u32);
            while let Some(&byte) = text.get(at) {
                match byte {
                    b'"' => {
                        let (length, whole) = end_of_string(text.get(at..).unwrap_or_default());
                        at += length;
                        if !whole {
                            return (at, false);
                        }
                        continue;
                    }
                    b'{' | b'[' => depth += 1,
                    b'}' | b']' => depth = depth.saturating_sub(1),
                    _ => {}
                }
                at += 1;
                if depth == 0 {
                    return (at, true);
                }
            }
            (at, false)
        }
        _ => {
            let ends = |byte: &u8| matches!(byte, b',' | b'}' | b']') || byte.is_ascii_whitespace();
            text.iter().position(ends).map_or((text.len(), false), |at| (at, true))
        }
    }
}

fn end_of_string(text: &[u8]) -> (usize, bool) {
    let mut at = 1;
    while let Some(&byte) = text.get(at) {
        match byte {
            b'\\' => at += 2,
            b'"' => return (at + 1, true),
            _ => at += 1,
        }
    }
    (text.len(), false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_by_their_names() {
        let text = br#" {"a": 1, "b": {"c": [true, "x\"}", null, -2.5]}, "d": "\u00e4", "e": {}} "#;
        let raw = Raw::new(text);
        assert_eq!(raw.get("a").and_then(Raw::integer), Some(1));
        assert_eq!(raw.get("d").and_then(Raw::string).as_deref(), Some("ä"));
        let listed: Vec<_> = raw.path(&["b", "c"]).unwrap().elements().collect();
        assert!(listed[0].is_true() && listed[2].is_null());
        assert_eq!(listed[1].string().as_deref(), Some("x\"}"));
        assert_eq!(listed[3].float(), Some(-2.5));
        assert_eq!(raw.get("c"), None);
        assert_eq!(raw.get("e").map(|value| value.members().count()), Some(0));
        assert!(raw.whole);
    }

    #[test]
    fn what_is_cut_counts_as_far_as_it_goes() {
        let text = r#"{"model":"m","n":12,"say":"grüße \u00e4 \"there\""}"#.as_bytes();
        for at in 0..text.len() {
            let raw = Raw::new(&text[..at]);
            assert!(!raw.whole);
            if let Some(said) = raw.get("say").and_then(Raw::beginning) {
                assert!("grüße ä \"there\"".starts_with(&said), "{said}");
            }
            assert!(raw.get("n").and_then(Raw::integer).is_none_or(|number| number == 12));
        }
    }

    #[test]
    fn what_is_no_json_ends() {
        for text in ["", "[", "{", "]", "}", "{{{{", "[[,],]", "{\"a\" \"b\"}", "\"\\", "{1:2}", ",,,"] {
            let raw = Raw::new(text.as_bytes());
            assert!(raw.members().count() + raw.elements().count() < 5, "{text}");
        }
    }
}
