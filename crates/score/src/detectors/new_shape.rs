//! A shape that was never seen before: another status or error of a known endpoint. Nothing is new to a scorer that has only begun to listen, nor on an edge that is new itself.

use super::{Around, Detector, Judge, Moment, Parameter, Values};
use crate::finding::{Class, Verdict};
use crate::graph::{Novel, Novelty};

/// The detector.
pub(super) static NEW_SHAPE: Detector = Detector {
    word: "new_shape",
    about: "a known endpoint answers in a way that it never did before",
    class: Class::Digest,
    parameters: &[Parameter {
        name: "learn_hours",
        default: 24.0,
        about: "hours after which something can be new",
    }],
    judge: Judge::New(judge),
};

fn judge(novelty: &Novelty, around: &Around<'_>, moment: &Moment, values: &Values) -> Option<Verdict> {
    let hours = |since| moment.now.since(since).as_secs_f64() / 3600.0;
    if novelty.kind != Novel::Shape || hours(moment.born) < values[0] || hours(around.client_born) < values[0]
    {
        return None;
    }
    Some(Verdict {
        score: 1.0,
        observed: 1.0,
        baseline: 0.0,
        unit: "calls",
        since: novelty.at,
        reason: format!(
            "first call of this shape in {:.0} hours: {} {}",
            hours(moment.born),
            around.protocol,
            around.endpoint
        ),
        calls: vec![novelty.call],
    })
}
