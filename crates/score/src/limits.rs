//! Every bound of the scorer in one place, and the counters of what was left out when one was reached.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Bounds of what is remembered. Past each of them the thing is not tracked, and counted in [`Counters`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Length of a window: the grain of every baseline, and the earliest that anything can be noticed.
    pub window: Duration,
    /// Workloads. Past it calls from or to a new one are counted and not scored.
    pub services: usize,
    /// Pairs of workloads.
    pub edges: usize,
    /// Endpoints of all edges.
    pub endpoints: usize,
    /// Endpoints of one edge, so that one client cannot take all of them.
    pub endpoints_an_edge: usize,
    /// Instances of one workload that are told apart.
    pub pods: usize,
    /// Shapes that are remembered as seen. Past it no new shape is told of.
    pub shapes: usize,
    /// Flows whose counters are remembered, to take differences. Past it all are forgotten, and begin anew.
    pub flows: usize,
    /// Bytes of a name; a longer one is cut.
    pub name_bytes: usize,
    /// Alarms that are on, or were lately. Past it a new one is counted and not raised.
    pub alarms: usize,
    /// Findings told in one tick; the rest is counted.
    pub findings_a_tick: usize,
    /// Incidents that are open or may be reopened. Past it the oldest resolved one is forgotten, and where none is
    /// resolved the finding is told without an incident.
    pub incidents: usize,
    /// Findings and timeline entries that one incident keeps; more are counted.
    pub findings_an_incident: usize,
    /// Fingerprints with feedback; past it the oldest is forgotten.
    pub feedback: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            window: Duration::from_secs(5),
            services: 20_000,
            edges: 20_000,
            endpoints: 120_000,
            endpoints_an_edge: 200,
            pods: 64,
            shapes: 1 << 20,
            flows: 1 << 16,
            name_bytes: 256,
            alarms: 4096,
            findings_a_tick: 256,
            incidents: 128,
            findings_an_incident: 64,
            feedback: 4096,
        }
    }
}

/// What was not done, by reason. Cumulative.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// Calls taken in.
    pub calls: u64,
    /// Flows taken in.
    pub flows: u64,
    /// Calls of a workload beyond the bound.
    pub services_full: u64,
    /// Calls of an edge beyond the bound.
    pub edges_full: u64,
    /// Calls of an endpoint beyond the bound; they count for their edge and workload.
    pub endpoints_full: u64,
    /// Calls of an instance beyond the bound; they count for everything else.
    pub pods_full: u64,
    /// Shapes beyond the bound.
    pub shapes_full: u64,
    /// Times that the counters of all flows were forgotten.
    pub flows_forgotten: u64,
    /// Names that were cut.
    pub names_cut: u64,
    /// Alarms beyond the bound.
    pub alarms_full: u64,
    /// Findings beyond the bound of a tick.
    pub findings_full: u64,
    /// Incidents beyond the bound.
    pub incidents_full: u64,
    /// Times that the clock went back.
    pub clock_back: u64,
    /// Times that the clock leapt, or nothing was heard for long: windows in between judge nothing.
    pub clock_leaps: u64,
    /// Windows in which too little was heard to say that anything vanished.
    pub blind_windows: u64,
}
