//! A scorer as bytes, and back: baselines, alarms, incidents and feedback survive a restart. The window that ran is
//! part of it. State of another version is refused, and learning begins anew.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use thiserror::Error;
use wirewise_model::Timestamp;

use crate::alarm::{Alarm, AlarmState};
use crate::graph::{Edge, Endpoint, Service};
use crate::incident::Book;
use crate::limits::Counters;
use crate::names::{Name, Names};
use crate::scorer::{Scorer, Settings};

/// Changes with every change of what is written.
const VERSION: u32 = 1;

/// Why bytes are no state.
#[derive(Debug, Error)]
pub enum RestoreError {
    /// They were written by another version.
    #[error("state of version {found}, expected {VERSION}")]
    Version {
        /// The version that they say.
        found: u32,
    },
    /// They are torn, or something else.
    #[error("not a scorer's state")]
    Torn(#[from] postcard::Error),
    /// They speak of things that they do not have.
    #[error("a scorer's state that contradicts itself")]
    Inconsistent,
}

#[derive(Serialize, Deserialize)]
struct Written {
    names: Vec<Box<str>>,
    services: Vec<Service>,
    edges: Vec<Edge>,
    endpoints: Vec<Endpoint>,
    shapes: Vec<u64>,
    tellers: Vec<(Name, Timestamp)>,
    active: Vec<u32>,
    alarms: Vec<AlarmState>,
    book: Book,
    counters: Counters,
    window: Option<i64>,
    minute: i64,
    is_tainted: bool,
    is_partial: bool,
    born: Option<Timestamp>,
    usual_calls: (f32, u32),
    calls_in_window: u32,
    blind_at: Option<Timestamp>,
    tolerance: BTreeMap<u64, f32>,
}

impl Scorer {
    /// Everything that it knows, but the counters of flows that are told anew anyway.
    pub fn snapshot(&self) -> Vec<u8> {
        let mut shapes: Vec<u64> = self.world.shapes.iter().copied().collect();
        shapes.sort_unstable();
        let written = Written {
            names: self.world.names.texts().to_vec(),
            services: self.world.services.clone(),
            edges: self.world.edges.clone(),
            endpoints: self.world.endpoints.clone(),
            shapes,
            tellers: self.world.tellers.clone(),
            active: self.world.active.clone(),
            alarms: self.alarms.values().map(Alarm::state).collect(),
            book: self.book.clone(),
            counters: self.counters.clone(),
            window: self.window,
            minute: self.minute,
            is_tainted: self.is_tainted,
            is_partial: self.is_partial,
            born: self.born,
            usual_calls: self.usual_calls,
            calls_in_window: self.calls_in_window,
            blind_at: self.blind_at,
            tolerance: self.tolerance.clone(),
        };
        postcard::to_stdvec(&(VERSION, written)).expect("plain data with known lengths")
    }

    /// Goes on from [`Scorer::snapshot`].
    pub fn restore(settings: Settings, bytes: &[u8]) -> Result<Self, RestoreError> {
        let (found, rest) = postcard::take_from_bytes::<u32>(bytes)?;
        if found != VERSION {
            return Err(RestoreError::Version { found });
        }
        let written: Written = postcard::from_bytes(rest)?;
        if !is_consistent(&written) {
            return Err(RestoreError::Inconsistent);
        }
        let mut scorer = Self::new(settings);
        let (seed, most) = (
            scorer.settings.seed,
            scorer.settings.limits.endpoints + 8 * scorer.settings.limits.services + 1024,
        );
        let world = &mut scorer.world;
        world.names = Names::from_texts(written.names, seed, most);
        world.services = written.services;
        world.edges = written.edges;
        world.endpoints = written.endpoints;
        world.shapes.extend(written.shapes);
        world.tellers = written.tellers;
        world.active = written.active;
        world.index();
        scorer.alarms = written
            .alarms
            .into_iter()
            .filter_map(Alarm::from_state)
            .map(|alarm| (alarm.fingerprint, alarm))
            .collect();
        scorer.book = written.book;
        scorer.counters = written.counters;
        scorer.window = written.window;
        scorer.minute = written.minute;
        scorer.is_tainted = written.is_tainted;
        scorer.is_partial = written.is_partial;
        scorer.born = written.born;
        scorer.usual_calls = written.usual_calls;
        scorer.calls_in_window = written.calls_in_window;
        scorer.blind_at = written.blind_at;
        scorer.tolerance = written.tolerance;
        Ok(scorer)
    }
}

/// Whether every place that is spoken of exists.
fn is_consistent(written: &Written) -> bool {
    let service = |index: u32| (index as usize) < written.services.len();
    let edge = |index: u32| (index as usize) < written.edges.len();
    let endpoint = |index: u32| (index as usize) < written.endpoints.len();
    let mut alarms = written.alarms.iter().map(AlarmState::place);
    written.edges.iter().all(|found| service(found.client) && service(found.server))
        && written.endpoints.iter().all(|found| edge(found.edge))
        && written
            .services
            .iter()
            .all(|found| found.callers.iter().chain(&found.callees).all(|&index| edge(index)))
        && written.active.iter().all(|&index| endpoint(index))
        && written.book.incidents.iter().all(|found| found.services.iter().all(|&index| service(index)))
        && alarms.all(|place| match place {
            crate::alarm::Target::Endpoint(index) => endpoint(index),
            crate::alarm::Target::Edge(index) => edge(index),
            crate::alarm::Target::Service(index)
            | crate::alarm::Target::Pod(index, _)
            | crate::alarm::Target::Client(index) => service(index),
        })
}
