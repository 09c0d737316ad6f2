//! Cues: reading the words of a question by the lexicon, slips in them included.

use std::collections::BTreeSet;

use super::lexicon::{DEEDS, FILLERS, PHRASES, POLITE, WORDS};
use super::words::{Role, Word, is_slip};

/// What a word points to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Cue {
    Overview,
    Slow,
    Latency,
    Fail,
    ClientError,
    Why,
    Who,
    Caller,
    When,
    Start,
    Call,
    Depend,
    Service,
    Endpoint,
    Host,
    Map,
    Count,
    Much,
    Bytes,
    Traffic,
    Rate,
    Top,
    Change,
    Compare,
    New,
    Fault,
    Network,
    Server,
    Packet,
    Retransmit,
    Loss,
    Unseen,
    Dns,
    Name,
    Tls,
    Certificate,
    Expire,
    Cipher,
    Weak,
    Version,
    Instance,
    Connection,
    Refused,
    Reset,
    Timeout,
    Ping,
    Health,
    List,
    Dataset,
    Protocol,
    Code,
    /// A statistic, a status, an id, a direction: what the slots found, as a cue.
    Stat,
    Status,
    Id,
    /// A name that is asked about as the one who calls.
    Calling,
    /// A name that is called.
    Called,
    /// Any name.
    Named,
}

/// Whether `word` is one of those in `list`, which blanks separate.
fn holds(list: &str, word: &str) -> bool {
    list.split(' ').any(|known| known == word)
}

/// The deed that the question asks for, where it asks for one.
pub(crate) fn deed(words: &[Word], is_name: impl Fn(&str) -> bool) -> Option<&str> {
    let verb = words.iter().find(|word| !holds(POLITE, &word.text))?.text.as_str();
    (holds(DEEDS, verb) && !is_name(verb)).then_some(verb)
}

/// Whether the word says nothing here.
pub(crate) fn is_filler(word: &str) -> bool {
    holds(FILLERS, word)
}

/// The cue of one word, exactly.
pub(crate) fn cue_of(word: &str) -> Option<Cue> {
    WORDS.iter().find(|(_, words)| holds(words, word)).map(|(cue, _)| *cue)
}

/// The cue of one word with a slip in it: the one whose word is nearest; none where two cues are as near.
fn slipped(word: &str) -> Option<(Cue, &'static str)> {
    let mut found: Option<(Cue, &'static str)> = None;
    for (cue, words) in WORDS {
        for known in words.split(' ').filter(|known| is_slip(word, known)) {
            match found {
                Some((other, _)) if other != *cue => return None,
                _ => found = Some((*cue, known)),
            }
        }
    }
    found
}

/// Reads phrases, wherever they stand.
pub(crate) fn take_phrases(words: &mut [Word], cues: &mut BTreeSet<Cue>) {
    let split = |(cue, phrases): &(Cue, &'static str)| {
        let cue = *cue;
        phrases
            .split(", ")
            .map(move |phrase| (phrase.split(' ').collect::<Vec<_>>(), cue))
            .collect::<Vec<_>>()
    };
    let mut phrases: Vec<(Vec<&str>, Cue)> = PHRASES.iter().flat_map(split).collect();
    phrases.sort_by_key(|(parts, _)| std::cmp::Reverse(parts.len()));
    for (parts, cue) in phrases {
        for at in 0..(words.len() + 1).saturating_sub(parts.len()) {
            let here = &words[at..at + parts.len()];
            if here.iter().all(Word::is_free)
                && here.iter().zip(&parts).all(|(word, part)| word.text == *part)
            {
                words[at..at + parts.len()].iter_mut().for_each(|word| word.role = Role::Cue);
                cues.insert(cue);
            }
        }
    }
}

/// Whether `when` there asks for a time: elsewhere it joins sentences (`slow when calling inventory`).
fn opens_a_question(words: &[Word], at: usize) -> bool {
    const BEFORE: &[&str] = &["since", "and", "know", "me", "exactly", "say", "so", "hey", "but"];
    at == 0 || BEFORE.contains(&words[at - 1].text.as_str())
}

/// Reads the words that are left: cues, fillers, and cues with a slip in them. Gives the slips that were mended.
pub(crate) fn take_words(
    words: &mut [Word],
    cues: &mut BTreeSet<Cue>,
    is_name: impl Fn(&str) -> bool,
) -> Vec<(String, &'static str)> {
    let mut mended = Vec::new();
    let asks_when: Vec<bool> = (0..words.len()).map(|at| opens_a_question(words, at)).collect();
    for (at, word) in words.iter_mut().enumerate().filter(|(_, word)| word.is_free()) {
        let singles: Vec<&str> = match word.text.split_once('/') {
            // `network/server`.
            Some((left, right)) if cue_of(left).is_some() && cue_of(right).is_some() => vec![left, right],
            _ => vec![word.text.as_str()],
        };
        let known: Vec<Cue> = singles.iter().filter_map(|single| cue_of(single)).collect();
        if known == [Cue::When] && !asks_when[at] {
            word.role = Role::Filler;
        } else if !known.is_empty() {
            cues.extend(known);
            word.role = Role::Cue;
        } else if is_filler(&word.text) {
            word.role = Role::Filler;
        } else if !is_name(&word.text)
            && let Some((cue, known)) = slipped(&word.text)
        {
            cues.insert(cue);
            mended.push((word.raw.clone(), known));
            word.role = Role::Cue;
        }
    }
    mended
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_word_means_two_things() {
        let mut seen = BTreeSet::new();
        for word in WORDS.iter().flat_map(|(_, words)| words.split(' ')) {
            assert!(seen.insert(word), "{word} stands twice");
        }
    }

    #[test]
    fn slips_of_cues_are_mended_where_they_mean_one_thing() {
        assert_eq!(slipped("latnecy").map(|(cue, _)| cue), Some(Cue::Latency));
        assert_eq!(slipped("sloewst").map(|(cue, _)| cue), Some(Cue::Slow));
        assert_eq!(slipped("weather"), None);
        assert_eq!(slipped("poem"), None);
    }
}
