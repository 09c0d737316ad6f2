//! A workload whose callers suffer because this edge is slow: both its own callers and the calls that it makes are.

use super::{Around, Detector, Judge, Moment, Parameter, Values};
use crate::finding::{Class, Verdict};
use crate::graph::Edge;

/// The detector.
pub(super) static SLOW_DEPENDENCY: Detector = Detector {
    word: "slow_dependency",
    about: "calls to a workload suffer while a dependency that it calls is slow or fails",
    class: Class::Digest,
    parameters: &[
        Parameter { name: "evidence", default: 18.0, about: "evidence in nats against the dependency" },
        Parameter {
            name: "suffering",
            default: 12.0,
            about: "evidence in nats that the client's callers suffer",
        },
    ],
    judge: Judge::Edge(judge),
};

fn judge(edge: &mut Edge, around: &Around<'_>, moment: &Moment, values: &Values) -> Option<Verdict> {
    let [evidence, suffering, ..] = *values;
    let against = edge.series.latency.sum().max(edge.series.errors.sum());
    if against < evidence || around.client_suffers < suffering {
        return None;
    }
    let worse = if edge.series.latency.sum() >= edge.series.errors.sum() {
        edge.series.latency
    } else {
        edge.series.errors
    };
    Some(Verdict {
        score: (against / evidence).min(around.client_suffers / suffering),
        observed: against,
        baseline: evidence,
        unit: "nats",
        since: worse.since(),
        reason: format!(
            "its {} calls are slow or fail, and so do calls to the workload that makes them ({:.0} s windows)",
            around.protocol, moment.seconds
        ),
        calls: edge.series.exemplars.slow.into_iter().chain(edge.series.exemplars.failed).flatten().collect(),
    })
}
