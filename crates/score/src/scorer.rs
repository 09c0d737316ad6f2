//! The scorer: takes calls and flows, closes windows when the clock says so, and tells what came of it.

use std::collections::BTreeMap;

use hashbrown::HashTable;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use wirewise_model::{CallId, Timestamp};

use crate::alarm::{Alarm, Target};
use crate::detectors::{DETECTORS, Detector, Values};
use crate::finding::{Finding, Verdict};
use crate::incident::{Book, Change, Incident, Scene, troubled};
use crate::limits::{Counters, Limits};
use crate::names::Names;
use crate::observation::{FlowObservation, Observation};
use crate::world::World;

/// Windows that may lie between two ticks; more is a leap of the clock, and judges nothing.
const MOST_WINDOWS: i64 = 12;
/// Windows without a word after which an alarm of a symptom is off.
const OFF_AFTER_WINDOWS: u64 = 6;
/// Seconds after which an alarm that is off is forgotten, so that its return is a new finding.
const FORGOTTEN_AFTER: u64 = 1800;
/// The same of what goes to the digest: once a day is often enough.
const DIGEST_FORGOTTEN_AFTER: u64 = 86_400;
/// What noise multiplies a threshold by, and useful divides it by; and the range.
const FEEDBACK: f32 = 1.5;
const TOLERANCE: (f32, f32) = (0.7, 8.0);

/// How a scorer is run.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Bounds.
    pub limits: Limits,
    /// A secret number, for names in tables are somebody else's.
    pub seed: u64,
    values: BTreeMap<String, f64>,
}

/// A setting that does not exist.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum SettingsError {
    /// No detector's parameter has that name.
    #[error("no parameter is called {name}: expected detector.parameter, such as errors.threshold")]
    Unknown {
        /// The name that was given.
        name: String,
    },
}

impl Settings {
    /// Every parameter at its default.
    pub fn new(limits: Limits, seed: u64) -> Self {
        Self { limits, seed, values: BTreeMap::new() }
    }

    /// Sets `detector.parameter`.
    pub fn set(&mut self, name: &str, value: f64) -> Result<(), SettingsError> {
        let unknown = || SettingsError::Unknown { name: name.to_owned() };
        let (word, parameter) = name.split_once('.').ok_or_else(unknown)?;
        let detector = DETECTORS.iter().find(|detector| detector.word == word).ok_or_else(unknown)?;
        detector.parameters.iter().find(|known| known.name == parameter).ok_or_else(unknown)?;
        self.values.insert(name.to_owned(), value);
        Ok(())
    }

    pub(crate) fn values_of(&self, detector: &Detector) -> Values {
        let mut values = Values::default();
        for (value, parameter) in values.iter_mut().zip(detector.parameters) {
            let name = format!("{}.{}", detector.word, parameter.name);
            *value = self.values.get(&name).copied().unwrap_or(parameter.default);
        }
        values
    }
}

/// What the scorer has to tell.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A row of `findings`.
    Finding(Box<Finding>),
    /// An incident, as it stands after the change.
    Incident(Change, Box<Incident>),
}

/// What a person said of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Feedback {
    /// It was worth telling.
    Useful,
    /// It was not.
    Noise,
}

/// Baselines, alarms and incidents of one data set.
#[derive(Clone, Debug)]
pub struct Scorer {
    pub(crate) settings: Settings,
    pub(crate) values: Vec<Values>,
    pub(crate) world: World,
    pub(crate) alarms: BTreeMap<u64, Alarm>,
    pub(crate) book: Book,
    pub(crate) counters: Counters,
    /// The window that runs, by its number since the epoch.
    pub(crate) window: Option<i64>,
    pub(crate) minute: i64,
    /// Whether the clock went back in the window that runs: it holds too many calls.
    pub(crate) is_tainted: bool,
    /// Whether a part of the minute that runs was not counted.
    pub(crate) is_partial: bool,
    pub(crate) born: Option<Timestamp>,
    /// Calls of a window, and windows.
    pub(crate) usual_calls: (f32, u32),
    pub(crate) calls_in_window: u32,
    pub(crate) blind_at: Option<Timestamp>,
    /// How much more evidence a fingerprint needs than others.
    pub(crate) tolerance: BTreeMap<u64, f32>,
}

impl Scorer {
    /// A scorer that knows nothing yet.
    pub fn new(settings: Settings) -> Self {
        let limits = &settings.limits;
        let most_names = limits.endpoints + 8 * limits.services + 1024;
        let hasher = foldhash::quality::FixedState::with_seed(settings.seed);
        let world = World {
            names: Names::new(settings.seed, most_names),
            services: Vec::new(),
            edges: Vec::new(),
            endpoints: Vec::new(),
            service_table: HashTable::new(),
            edge_table: HashTable::new(),
            endpoint_table: HashTable::new(),
            shapes: hashbrown::HashSet::with_hasher(hasher.clone()),
            flows: hashbrown::HashMap::with_hasher(hasher),
            tellers: Vec::new(),
            novelties: Vec::new(),
            active: Vec::new(),
        };
        Self {
            values: DETECTORS.iter().map(|detector| settings.values_of(detector)).collect(),
            settings,
            world,
            alarms: BTreeMap::new(),
            book: Book::default(),
            counters: Counters::default(),
            window: None,
            minute: 0,
            is_tainted: false,
            is_partial: false,
            born: None,
            usual_calls: (0.0, 0),
            calls_in_window: 0,
            blind_at: None,
            tolerance: BTreeMap::new(),
        }
    }

    /// Takes a call.
    pub fn push(&mut self, call: &Observation<'_>) {
        self.born.get_or_insert(call.at);
        self.calls_in_window = self.calls_in_window.saturating_add(1);
        self.world.push(call, &self.settings.limits, &mut self.counters);
    }

    /// Takes a flow's counters.
    pub fn push_flow(&mut self, flow: &FlowObservation<'_>) {
        self.world.push_flow(flow, &self.settings.limits, &mut self.counters);
    }

    /// Says what time it is. Closes the windows that are over, judges them, and returns what came of it. A clock that
    /// goes back is counted, and nothing happens until it has caught up.
    pub fn tick(&mut self, now: Timestamp) -> Vec<Event> {
        let length = i64::try_from(self.settings.limits.window.as_nanos()).unwrap_or(i64::MAX).max(1);
        let current = now.nanos().div_euclid(length);
        let Some(window) = self.window else {
            self.window = Some(current);
            return Vec::new();
        };
        if current < window {
            self.counters.clock_back += 1;
            self.is_tainted = true;
            // Far back: the clock was wrong before, or is now. Begin there.
            if window - current > MOST_WINDOWS {
                self.window = Some(current);
            }
            return Vec::new();
        }
        let mut events = Vec::new();
        if current - window > MOST_WINDOWS {
            self.counters.clock_leaps += 1;
            self.skip_window(now);
        } else {
            let mut window = window;
            if current > window && std::mem::take(&mut self.is_tainted) {
                self.skip_window(now);
                window += 1;
            }
            for number in window..current {
                let begun = Timestamp::from_nanos(number.saturating_mul(length));
                events.extend(self.close_window(begun, begun + self.settings.limits.window));
            }
        }
        self.window = Some(current);
        events
    }

    /// Closes a window and turns verdicts into events.
    fn close_window(&mut self, begun: Timestamp, now: Timestamp) -> Vec<Event> {
        let verdicts = self.judge(begun, now);
        let mut raised = Vec::new();
        for (index, target, verdict) in verdicts {
            self.hear(DETECTORS[index], target, verdict, now, &mut raised);
        }
        self.settle_alarms(now);
        let troubled = troubled(&self.world, &self.alarms);
        let coverage = self.coverage(now);
        let scene = Scene {
            world: &self.world,
            alarms: &self.alarms,
            troubled: &troubled,
            now,
            threshold: self.values[0][0],
            coverage: &coverage,
        };
        let told = self.book.tick(&scene, &mut raised, &self.settings.limits, &mut self.counters);
        let findings = raised.into_iter().map(|finding| Event::Finding(Box::new(finding)));
        let incidents =
            told.into_iter().map(|(change, incident)| Event::Incident(change, Box::new(incident)));
        findings.chain(incidents).collect()
    }

    /// A detector's word: keeps its alarm on, or raises it.
    fn hear(
        &mut self,
        detector: &'static Detector,
        target: Target,
        verdict: Verdict,
        now: Timestamp,
        raised: &mut Vec<Finding>,
    ) {
        let (fingerprint, subject) = self.subject(detector.word, target, &verdict);
        let tolerance = f64::from(self.tolerance.get(&fingerprint).copied().unwrap_or(1.0));
        if verdict.score < tolerance {
            return;
        }
        if let Some(alarm) = self.alarms.get_mut(&fingerprint) {
            let was_off = !alarm.is_on && detector.class == crate::Class::Symptom;
            alarm.active_at = now;
            alarm.score = verdict.score;
            if !alarm.is_on {
                alarm.since = verdict.since;
                alarm.is_on = true;
            }
            if !was_off {
                return;
            }
        } else if self.alarms.len() >= self.settings.limits.alarms {
            self.counters.alarms_full += 1;
            return;
        }
        if raised.len() >= self.settings.limits.findings_a_tick {
            self.counters.findings_full += 1;
            return;
        }
        let alarm = Alarm {
            fingerprint,
            word: detector.word,
            class: detector.class,
            target,
            since: verdict.since,
            active_at: now,
            is_on: true,
            score: verdict.score,
        };
        self.alarms.insert(fingerprint, alarm);
        let mut evidence: Vec<CallId> = Vec::new();
        for call in verdict.calls {
            if !evidence.contains(&call) {
                evidence.push(call);
            }
        }
        raised.push(Finding {
            id: wirewise_model::stable_hash(&[&fingerprint.to_le_bytes(), &now.nanos().to_le_bytes()]),
            fingerprint,
            at: now,
            since: verdict.since,
            detector: detector.word.to_owned(),
            class: detector.class,
            subject,
            score: verdict.score,
            observed: verdict.observed,
            baseline: verdict.baseline,
            unit: verdict.unit.to_owned(),
            reason: verdict.reason,
            evidence,
            incident: None,
        });
    }

    /// Alarms that nothing spoke for lately are off; those that are off for long are forgotten.
    fn settle_alarms(&mut self, now: Timestamp) {
        let off = self.settings.limits.window.as_secs_f64() * OFF_AFTER_WINDOWS as f64;
        for alarm in self.alarms.values_mut() {
            let silent = now.since(alarm.active_at).as_secs_f64();
            let grace = if alarm.class == crate::Class::Symptom { off } else { 2.0 * off + 60.0 };
            alarm.is_on &= silent < grace;
        }
        self.alarms.retain(|_, alarm| {
            let forgotten =
                if alarm.class == crate::Class::Symptom { FORGOTTEN_AFTER } else { DIGEST_FORGOTTEN_AFTER };
            alarm.is_on || now.since(alarm.active_at).as_secs() < forgotten
        });
    }

    /// Takes what a person said of findings with this fingerprint. Noise raises its threshold by half, up to eight
    /// times, past which no evidence reaches; useful lowers it.
    pub fn feedback(&mut self, fingerprint: u64, feedback: Feedback) {
        let limits = &self.settings.limits;
        if self.tolerance.len() >= limits.feedback && !self.tolerance.contains_key(&fingerprint) {
            self.tolerance.pop_first();
        }
        let tolerance = self.tolerance.entry(fingerprint).or_insert(1.0);
        let moved = match feedback {
            Feedback::Useful => *tolerance / FEEDBACK,
            Feedback::Noise => *tolerance * FEEDBACK,
        };
        *tolerance = moved.clamp(TOLERANCE.0, TOLERANCE.1);
    }

    /// Incidents that are open, or may be reopened.
    pub fn incidents(&self) -> &[Incident] {
        &self.book.incidents
    }

    /// What was left out, by reason.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// How many workloads, edges and endpoints are known.
    pub fn sizes(&self) -> (usize, usize, usize) {
        (self.world.services.len(), self.world.edges.len(), self.world.endpoints.len())
    }

    /// What could not be seen lately, in words; empty where nothing is known to be missing.
    fn coverage(&self, now: Timestamp) -> String {
        match self.blind_at {
            Some(at) if now.since(at).as_secs() < 300 => {
                format!("too little was heard at {} to say what stopped then", at.rfc3339())
            }
            Some(_) | None => String::new(),
        }
    }
}
