//! The table: shape keys to shapes and learnt endpoints, learnt from the calls as they come.
//!
//! Below its bounds the table is a function of the set of calls: batches in another order, a restart in between, or
//! two tables merged give the same. It follows from how it learns: what is kept are *variants*, the calls' parts after
//! what was put together for good, with counts that add up in any order; trees of words follow from the set of
//! variants, and shapes are the variants that look the same in their light.

mod changes;
mod crowd;
mod image;
mod scope;
mod settle;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use wirewise_model::{Outcome, Peers};
use wirewise_redact::{Record, RecordFields};

pub use changes::{Changes, KeyRow};
pub use image::{BadImage, Image, Row, RowId};

use crate::family;
use crate::parts::{BadKey, Keyed, Parts, ShapeKey};
use crate::stats::Stats;
use crowd::Crowds;
use scope::Scope;

/// Bounds of a table. What is past them still counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Variants kept, each with counts and examples of about a kilobyte. Calls of a new one past it count in the
    /// rest-shape of their outcome.
    pub variants: usize,
    /// Words in places that are kept of all texts. Past it nothing more is learnt of new words.
    pub places: usize,
    /// Keys whose shape is remembered, 12 bytes each. Others are resolved from their parts, with the same result.
    pub keys: usize,
    /// Names of shapes that are no more, with what they have become. Past it further ones are not known any more.
    pub retired: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { variants: 50_000, places: 500_000, keys: 1_000_000, retired: 50_000 }
    }
}

/// The name of a shape: a function of what it is made of, and its key where nothing was learnt of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ShapeId(pub u64);

impl fmt::Display for ShapeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s{:016x}", self.0)
    }
}

impl FromStr for ShapeId {
    type Err = BadKey;

    fn from_str(text: &str) -> Result<Self, BadKey> {
        text.strip_prefix('s').ok_or(BadKey)?.parse::<ShapeKey>().map(|key| Self(key.0))
    }
}

/// A call as the table takes it in. Only what was redacted can become one.
#[derive(Clone, Copy, Debug)]
pub struct Observation<'a> {
    record: &'a RecordFields,
    peers: &'a Peers,
}

impl<'a> Observation<'a> {
    /// Of a record, its ends named as it names them.
    pub fn of(record: &'a Record) -> Self {
        Self { record, peers: &record.peers }
    }

    /// The same with names that are known better by now.
    pub fn with_peers(self, peers: &'a Peers) -> Self {
        Self { peers, ..self }
    }

    /// Its key and what the masks made of it.
    pub fn keyed(self) -> Keyed<'a> {
        Keyed::new(self.record, self.peers)
    }
}

/// What a key stands for by now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Learnt<'a> {
    /// Its shape.
    pub shape: ShapeId,
    /// The endpoint as it was learnt.
    pub endpoint: &'a str,
}

/// A shape, put together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Its name.
    pub id: ShapeId,
    /// What it is made of. [`Parts::text`] says it in words.
    pub parts: Parts,
    /// Its calls.
    pub stats: Stats,
    /// It is where calls were counted that found no place; its text says so.
    pub is_rest: bool,
}

/// See the module.
#[derive(Debug)]
pub struct ShapeTable {
    bounds: Bounds,
    version: u64,
    variants: Vec<Slot>,
    by_parts: HashMap<Arc<Parts>, u32>,
    shapes: HashMap<ShapeId, Group>,
    keys: HashMap<ShapeKey, u32>,
    scopes: HashMap<(String, String), Scope>,
    crowds: Crowds,
    retired: BTreeMap<ShapeId, ShapeId>,
    /// Places of all scopes together.
    places: usize,
    /// Scopes in which parts of variants may have changed; all of them, where there is a new crowd.
    unsettled: BTreeSet<(String, String)>,
    crowded: bool,
    pending: Pending,
}

/// Where a variant is, or which one it became part of.
#[derive(Debug)]
enum Slot {
    Live(Box<Variant>),
    Moved(u32),
}

#[derive(Debug)]
struct Variant {
    parts: Arc<Parts>,
    shape: ShapeId,
    stats: Stats,
    /// It stands in [`Pending::touched`].
    touched: bool,
}

#[derive(Debug)]
struct Group {
    parts: Parts,
    members: Vec<u32>,
}

/// What [`ShapeTable::take_changes`] will tell.
#[derive(Debug, Default)]
struct Pending {
    touched: Vec<u32>,
    created: HashSet<ShapeId>,
    retired: Vec<(ShapeId, ShapeId)>,
    gone: Vec<RowId>,
    keys: Vec<ShapeKey>,
    /// Keys that were told before may mean another shape or row now.
    moved: HashSet<u32>,
}

impl ShapeTable {
    /// Knows nothing yet.
    pub fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            version: 0,
            variants: Vec::new(),
            by_parts: HashMap::new(),
            shapes: HashMap::new(),
            keys: HashMap::new(),
            scopes: HashMap::new(),
            crowds: Crowds::default(),
            retired: BTreeMap::new(),
            places: 0,
            unsettled: BTreeSet::new(),
            crowded: false,
            pending: Pending::default(),
        }
    }

    /// Counts calls, each once: what a store did not take because it had it already is not to be counted again.
    pub fn observe<'a>(&mut self, calls: impl IntoIterator<Item = Observation<'a>>) {
        for call in calls {
            let keyed = call.keyed();
            let slot = match self.keys.get(&keyed.key) {
                Some(slot) => self.live(*slot),
                None => self.meet(keyed),
            };
            self.touch(slot).stats.add(call.record);
        }
        self.settle();
    }

    /// Counts what another table counted, of other calls.
    pub fn merge(&mut self, other: &Self) {
        let mut places: HashMap<u32, u32> = HashMap::new();
        for (index, variant) in other.live_variants() {
            let slot = self.admit(Parts::clone(&variant.parts), false);
            self.touch(slot).stats.merge(&variant.stats);
            places.insert(index, slot);
        }
        for (key, slot) in &other.keys {
            if let Some(slot) = places.get(&other.live(*slot)) {
                self.remember(*key, *slot);
            }
        }
        self.settle();
    }

    /// Rises when a key that was told before means another shape, or a shape another endpoint.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// What the key of a stored row stands for. `None` where the table never met it, or remembers no more keys: then
    /// [`ShapeTable::resolve`] tells from the row's columns.
    pub fn lookup(&self, key: ShapeKey) -> Option<Learnt<'_>> {
        let slot = self.live(*self.keys.get(&key)?);
        let Slot::Live(variant) = self.variants.get(slot as usize)? else { return None };
        self.learnt(variant.shape)
    }

    /// What parts stand for that were made by the masks alone ([`Keyed::into_parts`]). `None` for a shape that is
    /// not in the table, the one of calls that were counted in a rest-shape.
    pub fn resolve(&self, parts: &Parts) -> Option<Learnt<'_>> {
        let mut parts = parts.clone();
        self.crowds.canonical(&mut parts);
        if let Some(scope) = self.scopes.get(&scope_of(&parts)) {
            scope.canonical(&mut parts);
            if let Some(shown) = scope.shown(&parts) {
                parts.endpoint = shown;
            }
        }
        self.learnt(ShapeId(parts.hash()))
    }

    /// The name under which a shape goes on that was put together with others; any other name is its own.
    pub fn current(&self, id: ShapeId) -> ShapeId {
        let mut id = id;
        // Chains are as long as a shape was merged often; a circle would be a shape that is there.
        for _ in 0..=self.retired.len() {
            match self.retired.get(&id) {
                Some(next) if !self.shapes.contains_key(&id) => id = *next,
                Some(_) | None => break,
            }
        }
        id
    }

    /// A shape by its name.
    pub fn shape(&self, id: ShapeId) -> Option<Shape> {
        let group = self.shapes.get(&id)?;
        let mut stats = Stats::default();
        for slot in &group.members {
            if let Some(Slot::Live(variant)) = self.variants.get(*slot as usize) {
                stats.merge(&variant.stats);
            }
        }
        Some(Shape { id, parts: group.parts.clone(), stats, is_rest: group.parts.is_rest() })
    }

    /// The names of all shapes, ascending.
    pub fn ids(&self) -> Vec<ShapeId> {
        let mut ids: Vec<ShapeId> = self.shapes.keys().copied().collect();
        ids.sort_unstable();
        ids
    }

    /// How many shapes there are.
    pub fn n_shapes(&self) -> usize {
        self.shapes.len()
    }

    /// How many variants are kept: what [`Bounds::variants`] bounds, the rest-shapes beside it.
    pub fn n_variants(&self) -> usize {
        self.by_parts.len()
    }

    /// How many words in places are kept: what [`Bounds::places`] bounds.
    pub fn n_places(&self) -> usize {
        self.places
    }

    /// How many keys are remembered.
    pub fn n_keys(&self) -> usize {
        self.keys.len()
    }

    /// Calls that were counted in rest-shapes.
    pub fn rest_calls(&self) -> u64 {
        let rests = Outcome::ALL.iter().filter_map(|outcome| self.by_parts.get(&Parts::rest(*outcome)));
        rests
            .filter_map(|slot| match self.variants.get(*slot as usize) {
                Some(Slot::Live(variant)) => Some(variant.stats.calls),
                Some(Slot::Moved(_)) | None => None,
            })
            .sum()
    }

    fn learnt(&self, id: ShapeId) -> Option<Learnt<'_>> {
        self.shapes.get(&id).map(|group| Learnt { shape: id, endpoint: &group.parts.endpoint })
    }

    fn live_variants(&self) -> impl Iterator<Item = (u32, &Variant)> {
        self.variants.iter().zip(0u32..).filter_map(|(slot, index)| match slot {
            Slot::Live(variant) => Some((index, &**variant)),
            Slot::Moved(_) => None,
        })
    }

    /// Where the variant is by now.
    fn live(&self, mut slot: u32) -> u32 {
        while let Some(Slot::Moved(to)) = self.variants.get(slot as usize) {
            slot = *to;
        }
        slot
    }

    fn touch(&mut self, slot: u32) -> &mut Variant {
        let slot = self.live(slot);
        let Some(Slot::Live(variant)) = self.variants.get_mut(slot as usize) else {
            unreachable!("a chain of moves ends at a variant")
        };
        if !variant.touched {
            variant.touched = true;
            self.pending.touched.push(slot);
        }
        variant
    }

    /// A key for the first time.
    fn meet(&mut self, keyed: Keyed<'_>) -> u32 {
        let key = keyed.key;
        let slot = self.admit(keyed.into_parts(), false);
        self.remember(key, slot);
        slot
    }

    fn remember(&mut self, key: ShapeKey, slot: u32) {
        if self.keys.len() < self.bounds.keys && !self.keys.contains_key(&key) {
            self.keys.insert(key, slot);
            self.pending.keys.push(key);
        }
    }

    /// The variant of these parts, which is made where there is none and room for one. `is_kept` says that the calls
    /// have their place already.
    fn admit(&mut self, mut parts: Parts, is_kept: bool) -> u32 {
        if parts.is_rest() {
            return self.rest(parts.outcome);
        }
        let may_learn = self.places < self.bounds.places || is_kept;
        if may_learn {
            self.crowded |= self.crowds.learn(&parts, self.bounds.variants);
        }
        self.crowds.canonical(&mut parts);
        let place = scope_of(&parts);
        if may_learn {
            let effect = self.scopes.entry(place.clone()).or_default().learn(&parts);
            self.places += effect.added;
            if effect.unsettled {
                self.unsettled.insert(place.clone());
            }
        }
        let scope = self.scopes.get(&place);
        if let Some(scope) = scope {
            scope.canonical(&mut parts);
        }
        if let Some(slot) = self.by_parts.get(&parts) {
            return *slot;
        }
        if self.n_variants() >= self.bounds.variants && !is_kept {
            return self.rest(parts.outcome);
        }
        let shown = scope.and_then(|scope| scope.shown(&parts));
        let slot = self.create(parts, shown);
        self.scopes.entry(place).or_default().members.push(slot);
        slot
    }

    fn rest(&mut self, outcome: Outcome) -> u32 {
        let parts = Parts::rest(outcome);
        match self.by_parts.get(&parts) {
            Some(slot) => *slot,
            None => self.create(parts, None),
        }
    }

    fn create(&mut self, parts: Parts, shown: Option<String>) -> u32 {
        let slot = u32::try_from(self.variants.len()).expect("bounded far below");
        let shown = Parts { endpoint: shown.unwrap_or_else(|| parts.endpoint.clone()), ..parts.clone() };
        let parts = Arc::new(parts);
        let shape = self.join(slot, shown);
        let stats = Stats::default();
        let variant = Variant { parts: Arc::clone(&parts), shape, stats, touched: false };
        self.variants.push(Slot::Live(Box::new(variant)));
        self.by_parts.insert(parts, slot);
        slot
    }

    /// Puts a variant into the shape of these parts.
    fn join(&mut self, slot: u32, shown: Parts) -> ShapeId {
        let id = ShapeId(shown.hash());
        let group = self.shapes.entry(id).or_insert_with(|| {
            self.pending.created.insert(id);
            Group { parts: shown, members: Vec::new() }
        });
        group.members.push(slot);
        self.retired.remove(&id);
        id
    }
}

/// Where what parts teach is kept.
fn scope_of(parts: &Parts) -> (String, String) {
    (parts.server.clone(), family::kin(&parts.protocol).to_owned())
}
