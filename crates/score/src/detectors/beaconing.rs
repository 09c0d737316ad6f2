//! Calls to somewhere outside that come as regularly as a clock: what implants do, and some updaters.

use super::{Around, Detector, Judge, Moment, Parameter, Values};
use crate::finding::{Class, Verdict};
use crate::graph::Edge;

/// The detector.
pub(super) static BEACONING: Detector = Detector {
    word: "beaconing",
    about: "calls to a server outside of the cluster come with hardly any jitter",
    class: Class::Digest,
    parameters: &[
        Parameter {
            name: "jitter",
            default: 0.1,
            about: "usual distance of an interval from the mean, over the mean",
        },
        Parameter { name: "calls", default: 30.0, about: "calls at least" },
        Parameter { name: "least_seconds", default: 5.0, about: "seconds between two calls at least" },
        Parameter { name: "most_seconds", default: 7200.0, about: "seconds between two calls at most" },
    ],
    judge: Judge::EdgeMinute(judge),
};

fn judge(edge: &mut Edge, around: &Around<'_>, moment: &Moment, values: &Values) -> Option<Verdict> {
    let [jitter, calls, least_seconds, most_seconds, ..] = *values;
    let (habits, interval) = (&edge.habits, f64::from(edge.habits.interval));
    let is_regular = f64::from(habits.jitter) < jitter * interval && f64::from(habits.calls) >= calls;
    if !around.server_is_outside || !is_regular || !(least_seconds..=most_seconds).contains(&interval) {
        return None;
    }
    let found = f64::from(habits.jitter) / interval;
    Some(Verdict {
        score: (jitter / found.max(0.01)).min(2.5),
        observed: found,
        baseline: jitter,
        unit: "jitter over interval",
        since: moment.begun,
        reason: format!("a call every {interval:.0} s, within {:.1}%, {} times", 100.0 * found, habits.calls),
        calls: habits.example.into_iter().collect(),
    })
}
