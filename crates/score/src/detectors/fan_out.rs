//! A client that tries many servers and is mostly turned away: a scan.

use super::{Detector, Judge, Moment, Parameter, Values};
use crate::finding::{Class, Verdict};
use crate::habits::ServiceHabits;

/// Minutes with calls before a number of servers is usual.
const LEAST_MINUTES: u32 = 10;

/// The detector.
pub(super) static FAN_OUT: Detector = Detector {
    word: "fan_out",
    about: "a client calls many more servers than usual, and most of its calls fail",
    class: Class::Digest,
    parameters: &[
        Parameter { name: "servers", default: 20.0, about: "servers a minute at least" },
        Parameter { name: "factor", default: 4.0, about: "times the usual number of servers" },
        Parameter { name: "failed", default: 0.3, about: "share of failed calls at least" },
    ],
    judge: Judge::ClientMinute(judge),
};

fn judge(habits: &mut ServiceHabits, moment: &Moment, values: &Values) -> Option<Verdict> {
    let [servers, factor, failed, ..] = *values;
    let found = habits.peers.count();
    let usual = f64::from(habits.usual_peers);
    let share = f64::from(habits.failed) / f64::from(habits.calls.max(1));
    if found < servers.max(factor * usual) || share < failed || habits.minutes < LEAST_MINUTES {
        return None;
    }
    Some(Verdict {
        score: (found / servers.max(factor * usual)).min(2.5),
        observed: found,
        baseline: usual,
        unit: "servers/min",
        since: moment.now.before(std::time::Duration::from_secs(60)),
        reason: format!("about {found:.0} servers in a minute, {:.0}% of the calls failed", 100.0 * share),
        calls: habits.example.into_iter().collect(),
    })
}
