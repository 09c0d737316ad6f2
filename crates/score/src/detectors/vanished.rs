//! Steady traffic that stopped. What stopped because its client takes in less or suffers itself, because its client is gone, or because
//! nobody tells of it any more is not told.

use super::{Around, Detector, Judge, Moment, Parameter, Values};
use crate::finding::{Class, Verdict};
use crate::graph::Edge;

/// Evidence in nats that calls to the client fail or are slow, from which it is no wonder that it asks less.
const SUFFERING: f64 = 4.0;

/// The detector.
pub(super) static VANISHED: Detector = Detector {
    word: "vanished",
    about: "steady calls between two workloads have stopped",
    class: Class::Symptom,
    parameters: &[
        Parameter {
            name: "missed",
            default: 25.0,
            about: "calls that should have come, over the usual spread",
        },
        Parameter { name: "silences", default: 3.0, about: "times the longest usual silence" },
        Parameter { name: "seconds", default: 20.0, about: "seconds of silence at least" },
        Parameter { name: "age_hours", default: 2.0, about: "hours that the edge must have been known" },
    ],
    judge: Judge::Edge(judge),
};

fn judge(edge: &mut Edge, around: &Around<'_>, moment: &Moment, values: &Values) -> Option<Verdict> {
    let [missed, silences, seconds, age_hours, ..] = *values;
    if edge.silent == 0 || moment.blind || !around.teller_lives || !edge.series.is_known(moment.now) {
        return None;
    }
    let silent = f64::from(edge.silent) * moment.seconds;
    let age = moment.now.since(edge.series.born).as_secs_f64() / 3600.0;
    let (taken, usual) = around.client_calls;
    let suffers = around.client_suffers >= SUFFERING;
    let is_explained =
        suffers || if around.client_is_called { taken < 0.5 * usual } else { !around.client_lives };
    if silent < seconds || age < age_hours || is_explained {
        return None;
    }
    let expected = f64::from(edge.series.rate) * f64::from(edge.silent) / f64::from(edge.dispersion.max(1.0));
    let longest = f64::from(edge.longest_silence.max(1.0));
    let score = (expected / missed).min(f64::from(edge.silent) / (silences * longest));
    (score >= 1.0).then(|| Verdict {
        score: score.min(2.5),
        observed: 0.0,
        baseline: f64::from(edge.series.rate) / moment.seconds,
        unit: "calls/s",
        since: moment.now.before(std::time::Duration::from_secs_f64(silent)),
        reason: format!("no call for {silent:.0} s where {expected:.0} were to be expected"),
        calls: edge.series.exemplars.usual.into_iter().collect(),
    })
}
