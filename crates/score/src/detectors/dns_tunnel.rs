//! Names that carry data: many different ones, each with a long first label that looks random.

use super::{Detector, Judge, Moment, Parameter, Values};
use crate::finding::{Class, Verdict};
use crate::habits::ServiceHabits;

/// The detector.
pub(super) static DNS_TUNNEL: Detector = Detector {
    word: "dns_tunnel",
    about: "a client asks for many different names whose first labels are long and look random",
    class: Class::Digest,
    parameters: &[Parameter { name: "names", default: 20.0, about: "different names of that kind a minute" }],
    judge: Judge::ClientMinute(judge),
};

fn judge(habits: &mut ServiceHabits, moment: &Moment, values: &Values) -> Option<Verdict> {
    let found = habits.odd_names.count();
    (found >= values[0]).then(|| Verdict {
        score: (found / values[0]).min(2.5),
        observed: found,
        baseline: values[0],
        unit: "names/min",
        since: moment.now.before(std::time::Duration::from_secs(60)),
        reason: format!(
            "about {found:.0} different names of high entropy, {} bytes of them",
            habits.odd_bytes
        ),
        calls: habits.odd_example.into_iter().collect(),
    })
}
