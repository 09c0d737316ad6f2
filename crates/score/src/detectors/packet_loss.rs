//! More retransmissions than usual between two workloads, and calls that are slow as well: losses that nobody feels are
//! not told. The two are evidence of one thing, so less of each is enough.

use super::{Around, Detector, Judge, MOST_EVIDENCE, Moment, Parameter, Values, ripe};
use crate::evidence::binomial;
use crate::finding::{Class, Verdict};
use crate::graph::Edge;

/// Windows with packets before a share is usual.
const LEAST_WINDOWS: u32 = 24;
/// Losses come in bursts: as many packets count as one that is independent of the others.
const BURST: f64 = 3.0;
/// Least usual share.
const LEAST_SHARE: f64 = 0.001;

/// The detector.
pub(super) static PACKET_LOSS: Detector = Detector {
    word: "packet_loss",
    about: "a larger share of packets is sent again than is usual, and calls are slow",
    class: Class::Symptom,
    parameters: &[
        Parameter { name: "threshold", default: 14.0, about: "evidence in nats that is enough" },
        Parameter { name: "clip", default: 7.0, about: "evidence in nats that one window can add" },
        Parameter { name: "windows", default: 2.0, about: "windows that must speak for it" },
        Parameter {
            name: "least_share",
            default: 0.01,
            about: "share of retransmissions that is looked for at least",
        },
        Parameter {
            name: "suffering",
            default: 4.0,
            about: "evidence in nats that the calls are slow or fail",
        },
    ],
    judge: Judge::Edge(judge),
};

fn judge(edge: &mut Edge, _: &Around<'_>, moment: &Moment, values: &Values) -> Option<Verdict> {
    let [threshold, clip, windows, least_share, suffering, _] = *values;
    let (packets, again) = edge.packets;
    if packets > 0 && edge.loss_windows >= LEAST_WINDOWS {
        let usual = f64::from(edge.loss_share).max(LEAST_SHARE);
        let wrong = (5.0 * usual).clamp(least_share, 0.9);
        let ratio = binomial(packets.max(again), again, usual, wrong) / BURST;
        edge.loss.step(ratio, clip, MOST_EVIDENCE * threshold, moment.begun);
    }
    let score = ripe(&edge.loss, threshold, windows)?;
    if edge.series.latency.sum().max(edge.series.errors.sum()) < suffering {
        return None;
    }
    let observed = f64::from(again) / f64::from(packets.max(1));
    Some(Verdict {
        score,
        observed,
        baseline: f64::from(edge.loss_share),
        unit: "share",
        since: edge.loss.since(),
        reason: format!(
            "{again} of {packets} packets were sent again in {:.0} s; usual are {:.2}%",
            moment.seconds,
            100.0 * edge.loss_share
        ),
        calls: edge.series.exemplars.slow.into_iter().flatten().collect(),
    })
}
