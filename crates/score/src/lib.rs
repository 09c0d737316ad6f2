//! Something is wrong: baselines and detectors, from calls to findings to incidents. Pure: time is an argument, the
//! state is a value that can be written down, and everything that grows has a bound in [`Limits`].
//!
//! A shell feeds [`Scorer::push`] (calls) and [`Scorer::push_flow`] (counters of flows), and calls [`Scorer::tick`]
//! about once a second with its clock. What comes back is to be stored and told: [`Event::Finding`] and
//! [`Event::Incident`]. The clock of windows is the shell's, not the traffic's: a row counts for the window in which it
//! arrives.
//!
//! ```
//! use wirewise_model::Timestamp;
//! use wirewise_score::{Scorer, Settings};
//!
//! let mut scorer = Scorer::new(Settings::default());
//! let events = scorer.tick(Timestamp::from_parts(1_700_000_000, 0));
//! assert!(events.is_empty());
//! let state = scorer.snapshot();
//! assert!(Scorer::restore(Settings::default(), &state).is_ok());
//! ```

mod alarm;
mod detectors;
mod evidence;
mod finding;
mod graph;
mod habits;
mod incident;
mod limits;
mod names;
mod observation;
mod rate;
mod scorer;
mod series;
mod sketch;
mod state;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod window;
mod world;

pub use detectors::{DETECTORS, Detector, MOST_PARAMETERS, Parameter};
pub use finding::{Class, Finding, Subject};
pub use incident::{Change, Entry, Incident, Keep, Kind, Severity, State, Suspect};
pub use limits::{Counters, Limits};
pub use observation::{FlowObservation, Observation, Party};
pub use rate::{RateModel, Surprise, WindowedGaussian};
pub use scorer::{Event, Feedback, Scorer, Settings, SettingsError};
pub use sketch::Sketch;
pub use state::RestoreError;
