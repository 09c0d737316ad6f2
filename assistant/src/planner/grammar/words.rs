//! A question cut into words: lower case, contractions opened, punctuation gone; and what became of each word.

use strsim::damerau_levenshtein;

/// Words of a question that are read; more says nothing that a shorter question could not.
const MOST_WORDS: usize = 200;

/// What a word was read as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Nothing yet.
    Free,
    /// It says nothing: articles, auxiliaries, politeness, the plain words of the trade.
    Filler,
    /// It is part of a slot: a time, a status, a limit.
    Slot,
    /// It names a service, an endpoint or a host.
    Name,
    /// It is a cue.
    Cue,
}

/// A word of a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Word {
    /// In lower case.
    pub(crate) text: String,
    /// As it was written.
    pub(crate) raw: String,
    /// What it was read as.
    pub(crate) role: Role,
}

impl Word {
    fn new(raw: &str) -> Self {
        Self { text: raw.to_lowercase(), raw: raw.to_owned(), role: Role::Free }
    }

    /// Whether nothing has read it yet.
    pub(crate) fn is_free(&self) -> bool {
        self.role == Role::Free
    }
}

/// The words of a question.
pub(crate) fn words(question: &str) -> Vec<Word> {
    let mut words: Vec<Word> = Vec::new();
    for piece in question.split_whitespace() {
        for part in parts(piece) {
            if words.len() < MOST_WORDS {
                words.push(Word::new(part));
            }
        }
    }
    words
}

/// A piece between blanks, without what stands around it; opened where it is a contraction or a list.
fn parts(piece: &str) -> Vec<&str> {
    if matches!(piece, "->" | "→" | "=>") {
        return vec!["to"];
    }
    if matches!(piece, ">" | ">=" | "-" | "–") {
        return vec![piece];
    }
    let outside = |letter: char| {
        letter.is_control()
            || matches!(
                letter,
                '?' | '!' | ',' | ';' | '(' | ')' | '"' | '\'' | '`' | '’' | '“' | '”' | '[' | ']'
            )
    };
    let bare = piece.trim_matches(outside).trim_end_matches(['.', ':']).trim_matches(outside);
    if bare.is_empty() {
        return Vec::new();
    }
    if let Some((from, to)) = bare.split_once("->").or_else(|| bare.split_once('→')) {
        return [parts(from), vec!["to"], parts(to)].concat();
    }
    // A path keeps its commas and quotes.
    if bare.starts_with('/') {
        return vec![bare];
    }
    if let Some((left, right)) = bare.split_once(',') {
        return [parts(left), parts(right)].concat();
    }
    for mark in ['\'', '’'] {
        let Some((stem, ending)) = bare.rsplit_once(mark) else { continue };
        return match ending.to_ascii_lowercase().as_str() {
            // `what's` is two words; of `orders's` only the name matters, and `is` says nothing there either.
            "s" => vec![stem, "is"],
            "re" => vec![stem, "are"],
            "t" => vec![stem.trim_end_matches(['n', 'N']), "not"],
            "ve" | "d" | "ll" | "m" => vec![stem],
            _ => vec![bare],
        };
    }
    // `network/server`, but not `shop/orders` of which one half may be a name: the slots see to that.
    vec![bare]
}

/// Whether `word` is `known` with a slip: one in a short word, two in a long one, the first letter kept unless two
/// were swapped.
pub(crate) fn is_slip(word: &str, known: &str) -> bool {
    let letters = word.chars().count();
    let most = match letters {
        0..=4 => return false,
        5..=7 => 1,
        _ => 2,
    };
    if letters.abs_diff(known.chars().count()) > most || known.chars().count() < 5 {
        return false;
    }
    let same_start = word.chars().next() == known.chars().next();
    let swapped = word.chars().take(2).eq(known.chars().take(2).collect::<Vec<_>>().into_iter().rev());
    (same_start || swapped) && damerau_levenshtein(word, known) <= most
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(question: &str, expect: &[&str]) {
        let found: Vec<String> = words(question).into_iter().map(|word| word.text).collect();
        assert_eq!(found, expect, "{question}");
    }

    #[test]
    fn punctuation_goes_and_contractions_open() {
        check("What's going on?", &["what", "is", "going", "on"]);
        check("Why isn’t `orders` up?!", &["why", "is", "not", "orders", "up"]);
        check("p50,p99 of GET /orders/{id}?", &["p50", "p99", "of", "get", "/orders/{id}"]);
        check("latency gateway->orders", &["latency", "gateway", "to", "orders"]);
        check("since 14:05:30.", &["since", "14:05:30"]);
        check("\u{1b}[31m ?", &["31m"]);
    }

    #[test]
    fn slips_are_close_and_begin_alike() {
        assert!(is_slip("latnecy", "latency"));
        assert!(is_slip("sloewst", "slowest"));
        assert!(is_slip("hwat's", "what's"));
        assert!(!is_slip("weather", "whether"));
        assert!(!is_slip("fail", "mail"));
        assert!(!is_slip("poem", "peer"));
    }
}
