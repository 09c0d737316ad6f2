//! A spike or a drop in the calls of an edge, minute by minute, against its history and the hour of the day.

use super::{Around, Detector, Judge, Moment, Parameter, Values};
use crate::finding::{Class, Verdict};
use crate::graph::Edge;

/// The detector.
pub(super) static RATE: Detector = Detector {
    word: "rate",
    about: "a minute's calls are far outside of the history of their edge",
    class: Class::Digest,
    parameters: &[
        Parameter { name: "threshold", default: 8.0, about: "surprise in nats of rarity that is enough" },
        Parameter {
            name: "calls",
            default: 30.0,
            about: "calls a minute, seen or usual, below which nothing is told",
        },
    ],
    judge: Judge::EdgeMinute(judge),
};

fn judge(edge: &mut Edge, _: &Around<'_>, moment: &Moment, values: &Values) -> Option<Verdict> {
    let [threshold, calls, ..] = *values;
    if moment.blind || !edge.series.is_known(moment.now) {
        return None;
    }
    let heard = f64::from(edge.minute);
    let surprise = edge.rate.get_or_insert_default().push(moment.now, heard);
    if surprise.score < threshold || heard.max(surprise.usual) < calls {
        return None;
    }
    let word = if heard > surprise.usual { "spike" } else { "drop" };
    Some(Verdict {
        score: surprise.score / threshold,
        observed: heard / 60.0,
        baseline: surprise.usual / 60.0,
        unit: "calls/s",
        since: moment.now.before(std::time::Duration::from_secs(60)),
        reason: format!("{word}: {heard:.0} calls in a minute, where {:.0} are usual", surprise.usual),
        calls: edge.habits.example.into_iter().collect(),
    })
}
