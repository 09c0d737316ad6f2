//! From a question's text to what it asks: cues, slots and names. Pure: the names are an argument.

mod cues;
mod lexicon;
mod names;
mod slots;
mod when;
mod words;

use std::collections::BTreeSet;

use wirewise_tools::Names;

pub(crate) use cues::Cue;
pub(crate) use names::Stranger;
pub(crate) use slots::{By, EndpointAsked, Slots, Stat};
pub(crate) use when::When;

use words::Role;

/// Share of a question's telling words that may be unknown before it is somebody else's question.
const MOST_UNKNOWN: f64 = 0.25;

/// A question, read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reading {
    pub(crate) cues: BTreeSet<Cue>,
    pub(crate) slots: Slots,
    /// Words that stand where a name must, and are none.
    pub(crate) strangers: Vec<Stranger>,
    /// Words that nothing reads, strangers among them.
    pub(crate) unknown: Vec<String>,
    /// Words that were taken for others, with those.
    pub(crate) mended: Vec<(String, &'static str)>,
    /// What it asks to be done, where it asks for doing.
    pub(crate) deed: Option<String>,
    /// Words that say something.
    telling: usize,
}

impl Reading {
    /// A question that names these things, for what one answer asks of another.
    pub(crate) fn about(slots: Slots) -> Self {
        Self { slots, ..Self::default() }
    }

    /// Reads a question with the names that the data set knows.
    pub(crate) fn of(question: &str, names: &Names) -> Self {
        let mut words = words::words(question);
        let mut cues = BTreeSet::new();
        let is_name = |word: &str| names.service(word).is_some();
        let deed = cues::deed(&words, is_name).map(str::to_owned);
        let mut slots = slots::take(&mut words);
        cues::take_phrases(&mut words, &mut cues);
        let strangers = names::take(&mut words, names, &mut slots, &mut cues);
        let like_a_name = |word: &str| {
            strangers
                .iter()
                .any(|stranger| stranger.name.eq_ignore_ascii_case(word) && !stranger.near.is_empty())
        };
        let mended = cues::take_words(&mut words, &mut cues, like_a_name);
        if slots.protocol.as_ref().is_some_and(|protocol| cues.contains(&Cue::Named) && is_name(protocol)) {
            // The service of that name is meant.
            slots.protocol = None;
        }
        for word in words.iter_mut().filter(|word| word.is_free()) {
            if slots.protocol.as_deref() == Some(word.text.as_str()) {
                word.role = Role::Slot;
            }
        }
        add_slot_cues(&slots, &mut cues);
        let unknown: Vec<String> =
            words.iter().filter(|word| word.is_free()).map(|word| word.raw.clone()).collect();
        // A slip that was mended is no stranger.
        let strangers: Vec<Stranger> =
            strangers.into_iter().filter(|stranger| unknown.contains(&stranger.name)).collect();
        if strangers.iter().any(|stranger| stranger.in_place) {
            cues.insert(Cue::Named);
        }
        let telling = words.iter().filter(|word| word.role != Role::Filler).count();
        Self { cues, slots, strangers, unknown, mended, deed, telling }
    }

    /// Whether so much of it is unknown that it asks for something else.
    pub(crate) fn is_foreign(&self) -> bool {
        let strangers = usize::from(self.only_stranger().is_some());
        let unknown = self.unknown.len() - strangers.min(self.unknown.len());
        unknown > 0 && unknown as f64 >= MOST_UNKNOWN * self.telling as f64
    }

    /// The one word that stands where a name must.
    pub(crate) fn only_stranger(&self) -> Option<&Stranger> {
        match self.strangers.as_slice() {
            [only] if only.in_place || !only.near.is_empty() => Some(only),
            several => several.iter().find(|stranger| !stranger.near.is_empty() && stranger.in_place),
        }
    }

    /// Whether a cue stands in it.
    pub(crate) fn has(&self, cue: Cue) -> bool {
        self.cues.contains(&cue)
    }
}

fn add_slot_cues(slots: &Slots, cues: &mut BTreeSet<Cue>) {
    let facts = [
        (!slots.stats.is_empty(), Cue::Stat),
        (slots.status.is_some(), Cue::Status),
        (slots.id.is_some(), Cue::Id),
        (slots.outcome == Some("server_error"), Cue::Fail),
        (slots.outcome == Some("client_error"), Cue::ClientError),
        (slots.at_least_ms.is_some(), Cue::Slow),
        (slots.protocol.is_some() || slots.versions.len() == 1 || slots.name.is_some(), Cue::Named),
        (slots.versions.len() > 1, Cue::Version),
    ];
    cues.extend(facts.into_iter().filter(|(holds, _)| *holds).map(|(_, cue)| cue));
}
