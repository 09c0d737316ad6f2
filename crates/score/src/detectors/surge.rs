//! An edge carries far more bytes than usual: what a noisy neighbour does.

use super::{Around, Detector, Judge, MOST_EVIDENCE, Moment, Parameter, Values, ripe};
use crate::evidence::normal;
use crate::finding::{Class, Verdict};
use crate::graph::Edge;

/// Variance of the logarithm of bytes in a window.
const VARIANCE: f64 = 0.5;

/// The detector.
pub(super) static SURGE: Detector = Detector {
    word: "surge",
    about: "far more bytes than usual go between two workloads",
    class: Class::Digest,
    parameters: &[
        Parameter { name: "threshold", default: 12.0, about: "evidence in nats that is enough" },
        Parameter { name: "clip", default: 6.0, about: "evidence in nats that one window can add" },
        Parameter { name: "windows", default: 2.0, about: "windows that must speak for it" },
        Parameter { name: "factor", default: 4.0, about: "factor over the usual that is looked for" },
    ],
    judge: Judge::Edge(judge),
};

fn judge(edge: &mut Edge, _: &Around<'_>, moment: &Moment, values: &Values) -> Option<Verdict> {
    let [threshold, clip, windows, factor, ..] = *values;
    let tally = edge.series.tally;
    let bytes = f64::from(tally.request_bytes) + f64::from(tally.response_bytes);
    if !edge.series.is_known(moment.now) || tally.n == 0 {
        edge.surge.step(-1.0, clip, MOST_EVIDENCE * threshold, moment.begun);
        return None;
    }
    let departure = bytes.max(1.0).ln() - f64::from(edge.usual_bytes);
    edge.surge.step(normal(departure, VARIANCE, factor.ln()), clip, MOST_EVIDENCE * threshold, moment.begun);
    let score = ripe(&edge.surge, threshold, windows)?;
    Some(Verdict {
        score,
        observed: bytes / moment.seconds,
        baseline: f64::from(edge.usual_bytes).exp() / moment.seconds,
        unit: "bytes/s",
        since: edge.surge.since(),
        reason: format!("{:.0} times the usual bytes", departure.exp()),
        calls: edge.series.exemplars.usual.into_iter().collect(),
    })
}
