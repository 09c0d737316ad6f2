//! Far more bytes go out to somewhere outside than come back, and more than this edge usually sends.

use super::{Around, Detector, Judge, Moment, Parameter, Values};
use crate::finding::{Class, Verdict};
use crate::graph::Edge;

/// Minutes with traffic before an amount is usual.
const LEAST_MINUTES: u32 = 10;

/// The detector.
pub(super) static EXFILTRATION: Detector = Detector {
    word: "exfiltration",
    about: "a client sends far more to a server outside of the cluster than it gets back, and than is usual",
    class: Class::Digest,
    parameters: &[
        Parameter { name: "bytes", default: 5e6, about: "bytes sent in a minute at least" },
        Parameter { name: "ratio", default: 10.0, about: "bytes sent over bytes received" },
        Parameter { name: "factor", default: 10.0, about: "times the usual bytes sent in a minute" },
    ],
    judge: Judge::EdgeMinute(judge),
};

fn judge(edge: &mut Edge, around: &Around<'_>, moment: &Moment, values: &Values) -> Option<Verdict> {
    let [bytes, ratio, factor, ..] = *values;
    let (sent, received) = edge.habits.bytes;
    let usual = f64::from(edge.habits.usual_sent).exp();
    let is_known = edge.habits.minutes >= LEAST_MINUTES;
    if !around.server_is_outside
        || !is_known
        || sent < bytes
        || sent < ratio * received
        || sent < factor * usual
    {
        return None;
    }
    Some(Verdict {
        score: (sent / bytes).min(2.5),
        observed: sent,
        baseline: usual,
        unit: "bytes/min",
        since: moment.now.before(std::time::Duration::from_secs(60)),
        reason: format!("{sent:.0} bytes went out in a minute and {received:.0} came back"),
        calls: edge.habits.example.into_iter().collect(),
    })
}
