//! A receiver that announces that it is full: the end that reads is slower than the one that writes.

use super::{Around, Detector, Judge, Moment, Parameter, Values};
use crate::finding::{Class, Verdict};
use crate::graph::Edge;

/// The detector.
pub(super) static SATURATION: Detector = Detector {
    word: "saturation",
    about: "a receiver announces an empty window again and again while its calls are slow",
    class: Class::Digest,
    parameters: &[
        Parameter {
            name: "announcements",
            default: 5.0,
            about: "announcements of an empty receive window in a window",
        },
        Parameter { name: "suffering", default: 6.0, about: "evidence in nats that the calls are slow" },
    ],
    judge: Judge::Edge(judge),
};

fn judge(edge: &mut Edge, _: &Around<'_>, moment: &Moment, values: &Values) -> Option<Verdict> {
    let [announcements, suffering, ..] = *values;
    let found = f64::from(edge.zero_windows);
    if found < announcements || edge.series.latency.sum() < suffering || !edge.series.is_known(moment.now) {
        return None;
    }
    Some(Verdict {
        score: found / announcements,
        observed: found / moment.seconds,
        baseline: 0.0,
        unit: "announcements/s",
        since: moment.begun,
        reason: format!("{found:.0} times a receiver had no room in {:.0} s", moment.seconds),
        calls: edge.series.exemplars.slow.into_iter().flatten().collect(),
    })
}
