//! A search's filter (RFC 4511, 4.5.1.7) in the form of RFC 4515, with `?` for every value, since values are people's.

use std::fmt::Write;

use super::parse::{Element, Elements};
use crate::text::printable;

/// Filters inside of filters. What lies deeper is `...`.
const DEEPEST: usize = 16;
/// Bytes of the text, past which it ends with `...`.
const LONGEST: usize = 512;

/// What is under way at one depth.
struct Level<'a> {
    rest: Elements<'a>,
}

/// Its text.
pub(super) fn filter(element: Element<'_>) -> String {
    let mut text = String::new();
    let mut levels: Vec<Level<'_>> = Vec::new();
    let mut next = Some(element);
    loop {
        if text.len() > LONGEST {
            text += "...";
            return text;
        }
        if let Some(element) = next.take() {
            match element.tag {
                0xa0..=0xa2 if levels.len() >= DEEPEST => text += "...",
                0xa0..=0xa2 => {
                    text.push('(');
                    text.push(match element.tag {
                        0xa0 => '&',
                        0xa1 => '|',
                        _ => '!',
                    });
                    levels.push(Level { rest: element.parts() });
                }
                _ => leaf(element, &mut text),
            }
        }
        let Some(level) = levels.last_mut() else { return text };
        next = level.rest.next();
        if next.is_none() {
            text.push(')');
            levels.pop();
        }
    }
}

fn leaf(element: Element<'_>, text: &mut String) {
    let mut parts = element.parts();
    let mut name = |text: &mut String| {
        let name = parts.next().map_or(&[][..], |part| part.value);
        text.push_str(&super::describe::name(name));
    };
    text.push('(');
    match element.tag {
        0xa3 => {
            name(text);
            text.push_str("=?");
        }
        0xa4 => {
            name(text);
            text.push('=');
            text.push_str(&substrings(parts.next()));
        }
        0xa5 | 0xa6 => {
            name(text);
            text.push_str(if element.tag == 0xa5 { ">=?" } else { "<=?" });
        }
        0x87 => text.push_str(&format!("{}=*", super::describe::name(element.value))),
        0xa8 => {
            name(text);
            text.push_str("~=?");
        }
        0xa9 => {
            let part = |tag| element.parts().find(|part| part.tag == tag).map(|part| part.value);
            text.push_str(&super::describe::name(part(0x82).unwrap_or_default()));
            if let Some(rule) = part(0x81) {
                // Writing to a string cannot fail.
                let _ = write!(text, ":{}", printable(rule.get(..64).unwrap_or(rule)));
            }
            text.push_str(":=?");
        }
        _ => text.push('?'),
    }
    text.push(')');
}

/// `?*`, `*?`, `*?*`, `?*?`.
fn substrings(parts: Option<Element<'_>>) -> String {
    let mut text = String::new();
    for part in parts.into_iter().flat_map(Element::parts).take(8) {
        match part.tag {
            0x80 => text.push('?'),
            0x81 => text.push_str("*?"),
            _ => {
                text.push_str("*?");
                return text;
            }
        }
    }
    text.push('*');
    text
}
