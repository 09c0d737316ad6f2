//! A client asks far more often than what it takes in explains, while its calls fail or are slow.

use super::{Around, Detector, Judge, MOST_EVIDENCE, Moment, Parameter, Values, ripe};
use crate::evidence::normal;
use crate::finding::{Class, Verdict};
use crate::graph::Edge;

/// Calls that a client must take in during a window for a quotient to be formed.
const LEAST_TAKEN: f64 = 3.0;

/// The detector.
pub(super) static RETRY_STORM: Detector = Detector {
    word: "retry_storm",
    about: "a client repeats calls that fail or are slow, many times the usual for what it takes in",
    class: Class::Digest,
    parameters: &[
        Parameter { name: "threshold", default: 6.0, about: "evidence in nats that is enough" },
        Parameter { name: "clip", default: 3.0, about: "evidence in nats that one window can add" },
        Parameter { name: "windows", default: 2.0, about: "windows that must speak for it" },
        Parameter { name: "factor", default: 2.0, about: "factor over the usual that is looked for" },
        Parameter {
            name: "suffering",
            default: 6.0,
            about: "evidence of failure or slowness that makes it a storm",
        },
    ],
    judge: Judge::Edge(judge),
};

fn judge(edge: &mut Edge, around: &Around<'_>, moment: &Moment, values: &Values) -> Option<Verdict> {
    let [threshold, clip, windows, factor, suffering, _] = *values;
    if !edge.series.is_known(moment.now) || edge.amplification <= 0.0 {
        return None;
    }
    let calls = f64::from(edge.series.tally.n);
    let (taken, usually_taken) = around.client_calls;
    let expected = if around.client_is_called {
        f64::from(edge.amplification) * taken.max(0.3 * usually_taken).max(LEAST_TAKEN)
    } else {
        f64::from(edge.series.rate)
    };
    let expected = expected.max(0.5);
    let variance = f64::from(edge.dispersion.max(1.0)) / expected + 0.04;
    let ratio = normal((calls.max(0.5) / expected).ln(), variance, factor.ln());
    edge.storm.step(ratio, clip, MOST_EVIDENCE * threshold, moment.begun);
    let score = ripe(&edge.storm, threshold, windows)?;
    if edge.series.errors.sum().max(edge.series.latency.sum()) < suffering {
        return None;
    }
    Some(Verdict {
        score,
        observed: calls / moment.seconds,
        baseline: expected / moment.seconds,
        unit: "calls/s",
        since: edge.storm.since(),
        reason: format!(
            "{:.1} times the calls that the client's own load explains, while they fail or are slow",
            calls / expected
        ),
        calls: edge.series.exemplars.failed.into_iter().flatten().collect(),
    })
}
