//! Handshakes that fail because of the server's certificate. That does not happen by chance, so two of them are nearly
//! enough: the usual share is next to nothing.

use super::{Detector, Judge, MOST_EVIDENCE, Moment, Parameter, Values, ripe};
use crate::evidence::binomial;
use crate::finding::{Class, Verdict};
use crate::graph::Service;

/// Usual share of handshakes that fail because of a certificate, and the share that is looked for.
const USUAL: f64 = 1e-4;
const WRONG: f64 = 0.3;

/// The detector.
pub(super) static TLS_FAILURES: Detector = Detector {
    word: "tls_failures",
    about: "handshakes with a workload fail because of its certificate",
    class: Class::Symptom,
    parameters: &[
        Parameter { name: "threshold", default: 14.0, about: "evidence in nats that is enough" },
        Parameter { name: "clip", default: 10.0, about: "evidence in nats that one window can add" },
        Parameter { name: "windows", default: 2.0, about: "windows that must speak for it" },
    ],
    judge: Judge::Server(judge),
};

fn judge(service: &mut Service, moment: &Moment, values: &Values) -> Option<Verdict> {
    let [threshold, clip, windows, ..] = *values;
    let (all, refused) = std::mem::take(&mut service.handshakes);
    // As with all evidence, none without a history: a server that never had a good certificate is a finding, not news.
    if !service.series.is_known(moment.now) {
        return None;
    }
    let ratio = if all > 0 { binomial(all, refused, USUAL, WRONG) } else { 0.0 };
    service.refused.step(ratio, clip, MOST_EVIDENCE * threshold, moment.begun);
    let score = ripe(&service.refused, threshold, windows)?;
    if refused == 0 {
        return None;
    }
    Some(Verdict {
        score,
        observed: f64::from(refused) / f64::from(all.max(1)),
        baseline: USUAL,
        unit: "share",
        since: service.refused.since(),
        reason: format!(
            "{refused} of {all} handshakes in {:.0} s failed because of the certificate",
            moment.seconds
        ),
        calls: service.refused_example.into_iter().collect(),
    })
}
