//! Handshakes that agree on a version that RFC 8996 deprecates.

use super::{Around, Detector, Judge, Moment, Parameter, Values};
use crate::finding::{Class, Verdict};
use crate::graph::Edge;

/// The detector.
pub(super) static OLD_TLS: Detector = Detector {
    word: "old_tls",
    about: "a handshake agreed on TLS 1.1 or older",
    class: Class::Digest,
    parameters: &[Parameter {
        name: "minor",
        default: 1.0,
        about: "the newest minor version of TLS 1 that is deprecated",
    }],
    judge: Judge::EdgeMinute(judge),
};

fn judge(_: &mut Edge, around: &Around<'_>, moment: &Moment, values: &Values) -> Option<Verdict> {
    let version = around.tls_version.to_ascii_lowercase();
    let digits = version.trim_start_matches(|letter: char| !letter.is_ascii_digit());
    // `TLSv1` has no minor version; SSL 2 and 3 are older than any TLS.
    let minor = match digits.split_once('.') {
        _ if version.starts_with("ssl") => -1.0,
        Some(("1", minor)) => minor.parse().ok()?,
        None if digits == "1" => 0.0,
        Some(_) | None => return None,
    };
    (minor <= values[0]).then(|| Verdict {
        score: 1.0,
        observed: minor,
        baseline: values[0] + 1.0,
        unit: "minor version",
        since: moment.begun,
        reason: format!("{} was agreed on, which RFC 8996 deprecates", around.tls_version),
        calls: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use wirewise_model::Timestamp;

    use super::*;
    use crate::testing;

    #[test]
    fn versions_are_read_in_the_forms_that_exist() {
        let at = Timestamp::from_parts(0, 0);
        let moment = testing::moment(at);
        let check = |version: &str| {
            let around = Around { tls_version: version, ..testing::around(at) };
            judge(&mut testing::edge(at), &around, &moment, &[1.0; 6]).is_some()
        };
        let found: Vec<bool> =
            ["TLS1.0", "TLSv1.1", "TLSv1", "SSL3.0", "TLS1.2", "TLS 1.3", "", "DTLS1.2"].map(check).to_vec();
        assert_eq!(found, [true, true, true, true, false, false, false, false]);
    }
}
