//! Calls take longer than usual.

use super::{Detector, Judge, MOST_EVIDENCE, Moment, Parameter, Values, ripe};
use crate::evidence::normal;
use crate::finding::{Class, Verdict};
use crate::series::Series;

/// The detector.
pub(super) static LATENCY: Detector = Detector {
    word: "latency",
    about: "calls take longer than their endpoints usually do",
    class: Class::Symptom,
    parameters: &[
        Parameter { name: "threshold", default: 17.0, about: "evidence in nats that is enough" },
        Parameter { name: "clip", default: 7.0, about: "evidence in nats that one window can add" },
        Parameter { name: "windows", default: 3.0, about: "windows that must speak for it" },
        Parameter {
            name: "factor",
            default: 2.5,
            about: "factor over the usual that is looked for at least",
        },
        Parameter {
            name: "drifts",
            default: 3.0,
            about: "usual drifts of a window that are looked for at least",
        },
    ],
    judge: Judge::Series(judge),
};

fn judge(series: &mut Series, moment: &Moment, values: &Values) -> Option<Verdict> {
    let [threshold, clip, windows, factor, drifts, _] = *values;
    if !series.is_known(moment.now) {
        return None;
    }
    let found = series.departure();
    if let Some((departure, variance)) = found {
        let shift = factor.ln().max(drifts * f64::from(series.drift));
        let ratio = normal(departure, variance, shift);
        series.latency.step(ratio, clip, MOST_EVIDENCE * threshold, moment.begun);
    }
    let score = ripe(&series.latency, threshold, windows)?;
    let departure = match found {
        Some((departure, _)) => departure,
        None => {
            let last = &series.last;
            f64::from(last.residual) / f64::from(last.timed.max(1)) - f64::from(series.center)
        }
    };
    Some(Verdict {
        score,
        observed: departure.exp(),
        baseline: 1.0,
        unit: "times the usual",
        since: series.latency.since(),
        reason: format!(
            "{} calls in {:.0} s took {:.1} times the usual of their endpoints",
            series.tally.timed.max(series.last.timed),
            moment.seconds,
            departure.exp()
        ),
        calls: series.exemplars.slow.into_iter().flatten().collect(),
    })
}
