//! A server's certificate that is about to expire, or has.

use super::{Around, Detector, Judge, Moment, Parameter, Values};
use crate::finding::{Class, Verdict};
use crate::graph::Edge;

/// The detector.
pub(super) static CERTIFICATE: Detector = Detector {
    word: "certificate",
    about: "a server's certificate is about to expire, or has",
    class: Class::Digest,
    parameters: &[Parameter { name: "days", default: 14.0, about: "days before the end that are told of" }],
    judge: Judge::EdgeMinute(judge),
};

fn judge(edge: &mut Edge, _: &Around<'_>, moment: &Moment, values: &Values) -> Option<Verdict> {
    let expires = edge.tls.expires?;
    let seconds = (expires.nanos() - moment.now.nanos()) as f64 / 1e9;
    let days = seconds / 86_400.0;
    if days > values[0] {
        return None;
    }
    let told = if days < 0.0 { "expired" } else { "expires" };
    Some(Verdict {
        score: if days < 0.0 { 2.5 } else { 1.0 + (values[0] - days) / values[0] },
        observed: days,
        baseline: values[0],
        unit: "days",
        since: moment.begun,
        reason: format!("the certificate {told} at {}", expires.rfc3339()),
        calls: edge.tls.example.into_iter().collect(),
    })
}
