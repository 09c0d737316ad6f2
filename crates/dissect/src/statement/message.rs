//! What servers say of errors, without the values that they quote back.
//!
//! A message quotes names (`relation "orders" does not exist`), which tell what is wrong, and values (`invalid input
//! syntax for type uuid: "..."`), which nobody may keep. Which of both depends on the error, so a protocol says it
//! for those codes that it knows; of all others everything between the first and the last quote goes. A quote inside
//! a value is not escaped by servers, so what stands between two quotes is never taken for text.

/// Bytes of a message that are kept.
const LONGEST: usize = 512;

/// What the quotes of a message hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Quotes {
    /// Names of tables, columns, constraints: they stay.
    Names,
    /// Values, or nobody knows: they go.
    Values,
}

/// A message without values: quoted texts (unless they are names), numbers, and whatever stands in braces or square
/// brackets, which is how documents and rows are shown.
pub(crate) fn scrub(message: &[u8], quotes: Quotes) -> String {
    let text = String::from_utf8_lossy(message);
    let text = text.lines().next().unwrap_or_default();
    let text = match quotes {
        Quotes::Names => text.to_owned(),
        Quotes::Values => without_quoted(text),
    };
    without_numbers(&text)
}

fn without_quoted(text: &str) -> String {
    let is_quote =
        |letter: char| matches!(letter, '"' | '\'' | '`' | '“' | '”' | '«' | '»' | '„' | '‘' | '’');
    // "can't", "doesn't": a quote between letters opens nothing.
    let opens = |(at, letter): &(usize, char)| {
        is_quote(*letter)
            && !(matches!(letter, '\'' | '’')
                && text[..*at].ends_with(|before: char| before.is_alphabetic())
                && text[*at + letter.len_utf8()..].starts_with("t "))
    };
    let quote = text.char_indices().find(opens);
    let bracket = text.find(['{', '[']);
    let first = match (quote, bracket) {
        (Some((at, _)), Some(bracket)) => at.min(bracket),
        (Some((at, _)), None) => at,
        (None, Some(bracket)) => bracket,
        (None, None) => return text.to_owned(),
    };
    let closes = |letter: char| is_quote(letter) || matches!(letter, '}' | ']');
    let after = text.char_indices().rev().find(|(_, letter)| closes(*letter));
    let (before, mut rest) = (&text[..first], "");
    if let Some((at, letter)) = after
        && at > first
    {
        rest = &text[at + letter.len_utf8()..];
    }
    format!("{before}?{rest}")
}

/// Numbers are values too: `value 1234567890123 is out of range`. Digits inside a word are part of its name.
fn without_numbers(text: &str) -> String {
    let mut scrubbed = String::with_capacity(text.len().min(LONGEST));
    let mut in_word = false;
    let mut in_number = false;
    for letter in text.chars() {
        if scrubbed.len() + letter.len_utf8() > LONGEST {
            break;
        }
        let digit = letter.is_numeric();
        if in_number && (letter.is_alphanumeric() || matches!(letter, '.' | '-' | ':' | '_')) {
            // The rest of a date, of a float, of a hexadecimal value.
            continue;
        }
        in_number = digit && !in_word;
        scrubbed.push(if in_number { '?' } else { letter });
        in_word = (letter.is_alphanumeric() || letter == '_') && !in_number;
    }
    scrubbed.trim_end().to_owned()
}
