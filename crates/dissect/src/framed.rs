//! Messages in a stream that begin with their length: put together, counted down where they are long, and found again
//! after a gap.
//!
//! A message is shown once, when its last byte has come: the first [`HEAD`] bytes of it, and its whole track. What is
//! longer is counted and not kept, so a claim of gigabytes costs nothing. A gap inside of such a rest costs that message
//! alone; after any other a side is passed over until a segment begins as a message does.

use wirewise_model::{Limits, Reason, Side, Track};

use crate::{Input, Out};

/// Bytes of a message that are kept and shown.
const HEAD: usize = 16 << 10;
/// Bytes that begin no message.
const OUT_OF_STEP: Reason = Reason::loss("out_of_step");

/// What the first bytes say of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Measure {
    /// It has so many bytes, these included.
    Whole(u64),
    /// They are too few to say.
    More,
    /// They begin no message.
    Bad,
}

/// A message.
pub(crate) struct Framed<'a> {
    pub(crate) side: Side,
    /// Its beginning: all of it, where it is no longer than what is kept.
    pub(crate) head: &'a [u8],
    /// Bytes of it were lost.
    pub(crate) holed: bool,
    pub(crate) track: Track,
}

/// One of which the rest is counted down.
#[derive(Debug)]
struct UnderWay {
    head: Vec<u8>,
    track: Track,
    left: u64,
    holed: bool,
}

#[derive(Debug, Default)]
struct Reader {
    under_way: Option<Box<UnderWay>>,
    /// Looking for a message's beginning.
    lost: bool,
}

/// Both sides of a stream.
#[derive(Debug)]
pub(crate) struct Framer {
    measure: fn(&[u8]) -> Measure,
    head: u64,
    sides: [Reader; 2],
}

/// What came of a look at the front of the input.
pub(crate) enum Step<'a> {
    /// A message, and how many bytes of the input it took.
    Message(Framed<'a>, usize),
    /// So many bytes are done with; more are needed.
    Wait(usize),
}

impl Framer {
    pub(crate) fn new(limits: &Limits, measure: fn(&[u8]) -> Measure) -> Self {
        let head = HEAD.min(limits.undissected_bytes / 2).max(64) as u64;
        Self { measure, head, sides: Default::default() }
    }

    /// The next message of `input`, whose front is the first byte that was not taken yet. `rest` holds the head of one
    /// that ends here and began earlier.
    pub(crate) fn next<'a>(&mut self, input: Input<'a>, rest: &'a mut Vec<u8>, out: &mut Out) -> Step<'a> {
        let side = input.side;
        let reader = &mut self.sides[side.index()];
        let available = input.bytes.len();
        if let Some(mut under_way) = reader.under_way.take() {
            let taken = usize::try_from(under_way.left).unwrap_or(usize::MAX).min(available);
            input.cover(&mut under_way.track, 0..taken);
            under_way.left -= taken as u64;
            if under_way.left > 0 {
                reader.under_way = Some(under_way);
                return Step::Wait(taken);
            }
            let UnderWay { head, track, holed, .. } = *under_way;
            *rest = head;
            return Step::Message(Framed { side, head: rest, holed, track }, taken);
        }
        if available == 0 {
            return Step::Wait(0);
        }
        let length = match (self.measure)(input.bytes) {
            Measure::Whole(length) => length.max(1),
            Measure::More => return Step::Wait(0),
            Measure::Bad => {
                reader.lost = true;
                out.skip(OUT_OF_STEP, available as u64);
                return Step::Wait(available);
            }
        };
        if (available as u64) < length.min(self.head) {
            return Step::Wait(0);
        }
        reader.lost = false;
        let mut track = input.begin(0);
        let taken = usize::try_from(length).unwrap_or(usize::MAX).min(available);
        input.cover(&mut track, 0..taken);
        let left = length - taken as u64;
        if left == 0 {
            let head = input.bytes.get(..taken).unwrap_or_default();
            return Step::Message(Framed { side, head, holed: false, track }, taken);
        }
        let kept = taken.min(usize::try_from(self.head).unwrap_or(usize::MAX));
        let head = input.bytes.get(..kept).unwrap_or_default().to_vec();
        reader.under_way = Some(Box::new(UnderWay { head, track, left, holed: false }));
        Step::Wait(taken)
    }

    /// The next `len` bytes of `side` will never come.
    pub(crate) fn gap(&mut self, side: Side, len: u64) -> Gap {
        let reader = &mut self.sides[side.index()];
        if let Some(under_way) = reader.under_way.as_mut().filter(|under_way| under_way.left >= len) {
            under_way.left -= len;
            under_way.holed = true;
            return Gap::Inside;
        }
        reader.lost = true;
        Gap::OutOfStep(reader.under_way.take().map(|under_way| Unfinished { side, under_way }))
    }

    /// One side is over, or both are: what was under way and will never be whole.
    pub(crate) fn end(&mut self, side: Option<Side>) -> impl Iterator<Item = Unfinished> {
        let over = [Side::A, Side::B].map(|of| side.is_none_or(|side| side == of).then_some(of));
        let taken = over.map(|side| {
            let side = side?;
            let under_way = self.sides[side.index()].under_way.take()?;
            Some(Unfinished { side, under_way })
        });
        taken.into_iter().flatten()
    }
}

/// What a gap did.
pub(crate) enum Gap {
    /// It cost the message that goes on behind it, and nothing else.
    Inside,
    /// Messages may be missing; and the end of this one is.
    OutOfStep(Option<Unfinished>),
}

/// A message of which the rest will never come.
pub(crate) struct Unfinished {
    side: Side,
    under_way: Box<UnderWay>,
}

impl Unfinished {
    /// As much of it as there is.
    pub(crate) fn framed(&self) -> Framed<'_> {
        let UnderWay { head, track, .. } = &*self.under_way;
        Framed { side: self.side, head, holed: true, track: track.clone() }
    }
}
