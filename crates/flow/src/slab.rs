//! Where flows live: chunks that never move, free places reused, and a hash table of their numbers.

use std::hash::BuildHasher;
use std::time::Duration;

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use wirewise_model::{FlowKey, Limits, Side};

use crate::Flow;

/// Bytes that a chunk of flows fills nearly. Growing allocates one more chunk and copies nothing, so memory follows the
/// count. A power of two is a size that allocators keep blocks of: in a block of the next size a tenth lies idle.
const CHUNK_BYTES: usize = 256 << 10;
/// No place.
pub(crate) const NOWHERE: u32 = u32::MAX;

/// Names a flow in its table for as long as it is there; never reused within 4 billion flows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FlowHandle {
    pub(crate) index: u32,
    pub(crate) generation: u32,
}

/// A flow with what is attached to it, and its place in its list.
#[derive(Debug)]
pub(crate) struct Slot<T> {
    pub(crate) flow: Flow,
    pub(crate) attached: T,
    pub(crate) list: List,
    pub(crate) older: u32,
    pub(crate) newer: u32,
}

/// The lists in which flows wait for their time-outs, each with one time-out for all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum List {
    /// TCP and SCTP, established.
    Established,
    /// TCP and SCTP, not established or over.
    Brief,
    /// Datagrams.
    Datagram,
}

impl List {
    pub(crate) const ALL: [Self; 3] = [Self::Established, Self::Brief, Self::Datagram];

    /// How long a flow of this list may be silent.
    pub(crate) fn idle(self, limits: &Limits) -> Duration {
        match self {
            Self::Established => limits.tcp_idle,
            Self::Brief => limits.tcp_brief_idle,
            Self::Datagram => limits.datagram_idle,
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Ends {
    oldest: u32,
    newest: u32,
}

/// All flows of a table.
#[derive(Debug)]
pub(crate) struct Slab<T> {
    chunks: Vec<Box<[Option<Slot<T>>]>>,
    free: Vec<u32>,
    next: u32,
    generation: u32,
    index: HashTable<u32>,
    hasher: RandomState,
    lists: [Ends; 3],
}

impl<T> Slab<T> {
    /// Flows of one chunk.
    const CHUNK: usize = {
        let flows = CHUNK_BYTES / size_of::<Option<Slot<T>>>();
        assert!(flows > 0, "what is attached to a flow is small");
        flows
    };

    pub(crate) fn new() -> Self {
        Self {
            chunks: Vec::new(),
            free: Vec::new(),
            next: 0,
            generation: 0,
            index: HashTable::new(),
            hasher: RandomState::default(),
            lists: [Ends { oldest: NOWHERE, newest: NOWHERE }; 3],
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.index.len()
    }

    /// The flow of a packet, and the side that sent it.
    pub(crate) fn find(&self, key: &FlowKey) -> Option<(u32, Side)> {
        let canonical = key.canonical().0;
        let hash = self.hasher.hash_one(canonical);
        let found = self.index.find(hash, |&at| {
            let known = &self.slot(at).flow.key;
            *known == canonical || known.reversed() == canonical
        });
        found.map(|&at| (at, if self.slot(at).flow.key == *key { Side::A } else { Side::B }))
    }

    /// A handle for the flow that is inserted next.
    pub(crate) fn next_handle(&mut self) -> FlowHandle {
        self.generation = self.generation.wrapping_add(1);
        FlowHandle { index: self.free.last().copied().unwrap_or(self.next), generation: self.generation }
    }

    /// Inserts under the handle that [`next_handle`](Self::next_handle) gave.
    pub(crate) fn insert(&mut self, flow: Flow, attached: T, list: List) -> u32 {
        let at = self.free.pop().unwrap_or_else(|| {
            let at = self.next;
            if at as usize / Self::CHUNK == self.chunks.len() {
                self.chunks.push((0..Self::CHUNK).map(|_| None).collect());
            }
            self.next += 1;
            at
        });
        debug_assert_eq!(at, flow.handle.index);
        let hash = self.hasher.hash_one(flow.key.canonical().0);
        let slot = Slot { flow, attached, list, older: NOWHERE, newer: NOWHERE };
        self.chunks[at as usize / Self::CHUNK][at as usize % Self::CHUNK] = Some(slot);
        let Self { index, chunks, hasher, .. } = self;
        index.insert_unique(hash, at, |&at| {
            let slot = chunks[at as usize / Self::CHUNK][at as usize % Self::CHUNK].as_ref();
            hasher.hash_one(slot.expect("the index names flows that are there").flow.key.canonical().0)
        });
        self.append(at, list);
        at
    }

    pub(crate) fn remove(&mut self, at: u32) -> (Flow, T) {
        self.unlink(at);
        let key = self.slot(at).flow.key.canonical().0;
        let hash = self.hasher.hash_one(key);
        if let Ok(entry) = self.index.find_entry(hash, |&known| known == at) {
            entry.remove();
        }
        let slot = self.chunks[at as usize / Self::CHUNK][at as usize % Self::CHUNK].take();
        self.free.push(at);
        let Slot { flow, attached, .. } = slot.expect("the index names flows that are there");
        (flow, attached)
    }

    pub(crate) fn slot(&self, at: u32) -> &Slot<T> {
        let slot = self.chunks[at as usize / Self::CHUNK][at as usize % Self::CHUNK].as_ref();
        slot.expect("the index names flows that are there")
    }

    pub(crate) fn slot_mut(&mut self, at: u32) -> &mut Slot<T> {
        let slot = self.chunks[at as usize / Self::CHUNK][at as usize % Self::CHUNK].as_mut();
        slot.expect("the index names flows that are there")
    }

    pub(crate) fn by_handle(&mut self, handle: FlowHandle) -> Option<&mut Slot<T>> {
        let at = handle.index as usize;
        let slot = self.chunks.get_mut(at / Self::CHUNK)?[at % Self::CHUNK].as_mut()?;
        (slot.flow.handle == handle).then_some(slot)
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Slot<T>> {
        self.chunks.iter_mut().flat_map(|chunk| chunk.iter_mut().flatten())
    }

    /// The flow of a list that was silent longest.
    pub(crate) fn oldest(&self, list: List) -> Option<u32> {
        Some(self.lists[list as usize].oldest).filter(|&at| at != NOWHERE)
    }

    /// Puts a flow at the young end of a list.
    pub(crate) fn touch(&mut self, at: u32, list: List) {
        if self.slot(at).list == list && self.lists[list as usize].newest == at {
            return;
        }
        self.unlink(at);
        self.append(at, list);
    }

    fn append(&mut self, at: u32, list: List) {
        let newest = std::mem::replace(&mut self.lists[list as usize].newest, at);
        let slot = self.slot_mut(at);
        (slot.list, slot.older, slot.newer) = (list, newest, NOWHERE);
        match newest {
            NOWHERE => self.lists[list as usize].oldest = at,
            newest => self.slot_mut(newest).newer = at,
        }
    }

    fn unlink(&mut self, at: u32) {
        let Slot { list, older, newer, .. } = *self.slot(at);
        match older {
            NOWHERE => self.lists[list as usize].oldest = newer,
            older => self.slot_mut(older).newer = newer,
        }
        match newer {
            NOWHERE => self.lists[list as usize].newest = older,
            newer => self.slot_mut(newer).older = older,
        }
    }
}
