//! More failures than usual.

use super::{Detector, Judge, MOST_EVIDENCE, Moment, Parameter, Values, ripe};
use crate::evidence::binomial;
use crate::finding::{Class, Verdict};
use crate::series::Series;

/// Least usual share: below it, a single failure among thousands of calls would weigh too much.
const LEAST_SHARE: f64 = 0.004;

/// The detector.
pub(super) static ERRORS: Detector = Detector {
    word: "errors",
    about: "a larger share of calls fails than is usual",
    class: Class::Symptom,
    parameters: &[
        Parameter { name: "threshold", default: 15.0, about: "evidence in nats that is enough" },
        Parameter { name: "clip", default: 7.0, about: "evidence in nats that one window can add" },
        Parameter { name: "windows", default: 3.0, about: "windows that must speak for it" },
        Parameter {
            name: "least_share",
            default: 0.1,
            about: "share of failures that is looked for at least",
        },
        Parameter {
            name: "odds",
            default: 5.0,
            about: "odds of failing over the usual odds that are looked for",
        },
    ],
    judge: Judge::Series(judge),
};

fn judge(series: &mut Series, moment: &Moment, values: &Values) -> Option<Verdict> {
    let [threshold, clip, windows, least_share, odds, _] = *values;
    if !series.is_known(moment.now) {
        return None;
    }
    let tally = series.tally;
    if tally.n > 0 {
        let usual = (f64::from(series.share) + 2.0 * f64::from(series.share_drift)).clamp(LEAST_SHARE, 0.9);
        let wrong_odds = odds * usual / (1.0 - usual);
        let wrong = (wrong_odds / (1.0 + wrong_odds)).max(least_share).clamp(usual + 0.02, 0.98);
        let ratio = binomial(tally.n, tally.failed, usual, wrong);
        series.errors.step(ratio, clip, MOST_EVIDENCE * threshold, moment.begun);
    }
    let score = ripe(&series.errors, threshold, windows)?;
    let shown = if tally.n > 0 { &tally } else { &series.last };
    let observed = f64::from(shown.failed) / f64::from(shown.n.max(1));
    Some(Verdict {
        score,
        observed,
        baseline: f64::from(series.share),
        unit: "share",
        since: series.errors.since(),
        reason: format!(
            "{} of {} calls failed in {:.0} s, {} of them unanswered; usual are {:.2}%",
            shown.failed,
            shown.n,
            moment.seconds,
            shown.unanswered,
            100.0 * series.share
        ),
        calls: series.exemplars.failed.into_iter().flatten().collect(),
    })
}
