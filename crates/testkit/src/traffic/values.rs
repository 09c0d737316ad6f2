//! Values of parameters: names, numbers and ids, and the dice that choose them.

/// How many people there are.
const PEOPLE: u64 = 4_000;

/// What stands in a route or an error for a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Param {
    Number,
    Uuid,
    Hash,
    Person,
    Slug,
    Country,
    Email,
    Date,
    Numbered,
    Address,
    Millis,
}

#[derive(Clone, Debug)]
pub(super) enum Piece {
    Word(&'static str),
    Text(String),
    Value(Param),
}

pub(super) fn filled(pieces: &[Piece], dice: &mut Dice) -> String {
    let mut out = String::with_capacity(48);
    for piece in pieces {
        match piece {
            Piece::Word(word) => out.push_str(word),
            Piece::Text(text) => out.push_str(text),
            Piece::Value(param) => value(*param, dice, &mut out),
        }
    }
    out
}

fn value(param: Param, dice: &mut Dice, out: &mut String) {
    use std::fmt::Write as _;
    // A String takes everything.
    let _ = match param {
        Param::Number => write!(out, "{}", dice.below(1_000_000)),
        Param::Uuid => {
            let (high, low) = (dice.next(), dice.next());
            write!(
                out,
                "{:08x}-{:04x}-4{:03x}-a{:03x}-{:012x}",
                high >> 32,
                high >> 16 & 0xffff,
                high & 0xfff,
                low >> 52,
                low & 0xffff_ffff_ffff
            )
        }
        Param::Hash => write!(out, "{:016x}", dice.next() | 1 << 63 | 0xa),
        Param::Person => {
            let index = dice.skewed(PEOPLE);
            out.write_str(&person(index))
        }
        Param::Slug => {
            let index = dice.skewed(PEOPLE);
            write!(out, "{}-{}-and-{}", person(index), person(index / 7), person(index / 3))
        }
        Param::Country => {
            let index = dice.skewed(200);
            write!(out, "{}{}", char::from(b'A' + (index / 26) as u8), char::from(b'A' + (index % 26) as u8))
        }
        Param::Email => {
            let index = dice.skewed(PEOPLE);
            write!(out, "{}@example.org", person(index))
        }
        Param::Date => write!(out, "2026-{:02}-{:02}", 1 + dice.below(12), 1 + dice.below(28)),
        Param::Numbered => write!(out, "ref-{}", dice.below(1_000_000)),
        Param::Address => write!(out, "10.{}.{}.{}:8080", dice.below(4), dice.below(256), dice.below(256)),
        Param::Millis => write!(out, "{}ms", 1 + dice.below(30_000)),
    };
}

/// Somebody's name: letters alone.
fn person(index: u64) -> String {
    const SYLLABLES: [&str; 20] = [
        "an", "be", "cor", "da", "el", "fi", "gus", "ha", "ir", "jo", "ka", "lu", "mar", "ni", "ol", "pe",
        "ro", "sa", "ti", "vel",
    ];
    let syllable = |at: u64| SYLLABLES[(at % 20) as usize];
    format!("{}{}{}", syllable(index), syllable(index / 20), syllable(index / 400 + 3))
}

/// SplitMix64, begun anew for each call.
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64, number: u64) -> Self {
        Self(seed.wrapping_mul(0xd134_2543_de82_ef95) ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(super) fn below(&mut self, n: u64) -> u64 {
        self.next() % n.max(1)
    }

    pub(super) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Small numbers are likelier: the first of a hundred about twenty times as likely as the last.
    pub(super) fn skewed(&mut self, n: u64) -> u64 {
        let unit = self.unit();
        ((n as f64 * unit * unit) as u64).min(n.saturating_sub(1))
    }
}
