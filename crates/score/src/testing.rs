//! Small things for the tests of detectors.

use wirewise_model::Timestamp;

use crate::detectors::{Around, Moment};
use crate::graph::Edge;

/// A window of five seconds that ends at `now`.
pub(crate) fn moment(now: Timestamp) -> Moment {
    let begun = now.before(std::time::Duration::from_secs(5));
    Moment { begun, now, seconds: 5.0, blind: false, born: Timestamp::MIN }
}

/// An edge of which nothing is known.
pub(crate) fn edge(at: Timestamp) -> Edge {
    Edge { series: crate::series::Series::begin(at), heard: at, ..Edge::empty() }
}

/// Surroundings in which everything is alive and nothing is known.
pub(crate) fn around(at: Timestamp) -> Around<'static> {
    Around {
        protocol: "http1",
        tls_version: "",
        endpoint: "",
        client_calls: (10.0, 10.0),
        client_is_called: true,
        client_suffers: 0.0,
        client_born: at,
        client_lives: true,
        teller_lives: true,
        server_is_outside: false,
    }
}
