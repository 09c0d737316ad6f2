//! Fragments of IP datagrams, held until their datagram is whole: RFC 791, RFC 8200 section 4.5, RFC 5722.
//!
//! Bytes that come twice must be equal; fragments that contradict each other drop their datagram, as Linux
//! does for both versions, so that nobody here reads what the receiver did not. Bounds: datagrams at once
//! (`Limits::fragmented`), bytes in all, pieces a datagram, and time.

use std::collections::VecDeque;
use std::time::Duration;

use foldhash::fast::RandomState;
use hashbrown::HashMap;
use wirewise_model::{Limits, Mark, Reason, Timestamp};

use crate::ip::{IpHead, Nest};
use crate::reasons::{
    FRAGMENT_BAD, FRAGMENT_CONFLICT, FRAGMENT_CUT, FRAGMENTS_EVICTED, FRAGMENTS_INCOMPLETE,
    FRAGMENTS_TIMED_OUT,
};

/// An IP payload cannot be longer.
const MOST_BYTES: usize = 65_535;
/// Pieces of one datagram; over tunnels of tiny packets a thousand were met (suricata-verify, bug 6942). Past
/// it, it is dropped as malformed.
const MOST_PIECES: usize = 2048;
/// What a piece costs beside its bytes.
const PIECE_OVERHEAD: usize = 64;
/// The share of `Limits::buffered_bytes` that fragments may hold.
const BUFFER_SHARE: usize = 4;

/// A fragment as it was heard.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fragment<'a> {
    pub(crate) ip: IpHead,
    pub(crate) offset: usize,
    pub(crate) more: bool,
    pub(crate) bytes: &'a [u8],
    /// How many bytes it had on the wire.
    pub(crate) wire: usize,
    pub(crate) nest: Nest,
    pub(crate) mark: Mark,
}

/// A datagram made whole.
#[derive(Debug)]
pub(crate) struct Whole {
    pub(crate) ip: IpHead,
    pub(crate) bytes: Vec<u8>,
    pub(crate) first: Mark,
    /// Frames that it took, the last included.
    pub(crate) frames: u64,
    pub(crate) nest: Nest,
}

#[derive(Debug)]
struct Datagram {
    serial: u64,
    /// The header of the fragment at offset 0, whose protocol counts; until then of any.
    ip: IpHead,
    has_head: bool,
    nest: Nest,
    first: Mark,
    frames: u64,
    /// Sorted by offset, without overlaps.
    pieces: Vec<(usize, Box<[u8]>)>,
    held: usize,
    total: Option<usize>,
}

/// What became of frames that will not be part of a packet.
pub(crate) type Dropped = (Reason, u64);

/// All datagrams that wait.
#[derive(Debug)]
pub(crate) struct Fragments {
    most: usize,
    most_bytes: usize,
    wait: Duration,
    waiting: HashMap<IpHead, Datagram, RandomState>,
    /// In the order they began; entries of datagrams that are gone are skipped by their serial.
    order: VecDeque<(IpHead, u64, Timestamp)>,
    serial: u64,
    bytes: usize,
    frames: u64,
}

impl Fragments {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            most: limits.fragmented.max(1),
            most_bytes: limits.buffered_bytes / BUFFER_SHARE,
            wait: limits.fragment_wait,
            waiting: HashMap::default(),
            order: VecDeque::new(),
            serial: 0,
            bytes: 0,
            frames: 0,
        }
    }

    /// Frames that are held now.
    pub(crate) fn held(&self) -> u64 {
        self.frames
    }

    /// Takes a fragment; gives the datagram if that made it whole. Frames that went lost, this one's
    /// included where it is at fault, are added to `dropped`.
    pub(crate) fn push(&mut self, fragment: Fragment<'_>, dropped: &mut Vec<Dropped>) -> Option<Whole> {
        let Fragment { offset, more, bytes, .. } = fragment;
        if bytes.len() < fragment.wire {
            dropped.push((FRAGMENT_CUT, 1));
            return None;
        }
        let end = offset + bytes.len();
        if bytes.is_empty() || end > MOST_BYTES || (more && bytes.len() % 8 != 0) {
            dropped.push((FRAGMENT_BAD, 1));
            return None;
        }
        self.expire(fragment.mark.at, dropped);
        let key = key_of(&fragment.ip);
        if !self.waiting.contains_key(&key) {
            self.begin(key, &fragment, dropped);
        }
        let datagram = self.waiting.get_mut(&key).expect("it was there or has just begun");
        datagram.frames += 1;
        self.frames += 1;
        if offset == 0 {
            (datagram.ip, datagram.has_head, datagram.nest) = (fragment.ip, true, fragment.nest);
        }
        let before = datagram.held;
        let verdict = datagram.add(offset, end, more, bytes);
        self.bytes = (self.bytes + datagram.held).saturating_sub(before);
        match verdict {
            Err(reason) => {
                self.drop(&key, reason, dropped);
                None
            }
            Ok(false) => {
                self.make_room(key, dropped);
                None
            }
            Ok(true) => self.take(&key).map(Datagram::join),
        }
    }

    /// Drops what has waited too long.
    pub(crate) fn expire(&mut self, now: Timestamp, dropped: &mut Vec<Dropped>) {
        while let Some(&(key, serial, began)) = self.order.front() {
            let alive = self.is(&key, serial);
            if alive && now.since(began) <= self.wait {
                break;
            }
            self.order.pop_front();
            if alive {
                self.drop(&key, FRAGMENTS_TIMED_OUT, dropped);
            }
        }
    }

    /// Drops everything: nothing will come any more.
    pub(crate) fn finish(&mut self, dropped: &mut Vec<Dropped>) {
        if self.frames > 0 {
            dropped.push((FRAGMENTS_INCOMPLETE, self.frames));
        }
        self.waiting.clear();
        self.order.clear();
        (self.bytes, self.frames) = (0, 0);
    }

    fn is(&self, key: &IpHead, serial: u64) -> bool {
        self.waiting.get(key).is_some_and(|datagram| datagram.serial == serial)
    }

    fn begin(&mut self, key: IpHead, fragment: &Fragment<'_>, dropped: &mut Vec<Dropped>) {
        if self.waiting.len() >= self.most {
            self.evict_oldest(None, dropped);
        }
        if self.order.len() > 2 * self.waiting.len() + 64 {
            let waiting = &self.waiting;
            self.order.retain(|(key, serial, _)| waiting.get(key).is_some_and(|it| it.serial == *serial));
        }
        self.serial += 1;
        let datagram = Datagram {
            serial: self.serial,
            ip: fragment.ip,
            has_head: false,
            nest: fragment.nest,
            first: fragment.mark,
            frames: 0,
            pieces: Vec::new(),
            held: 0,
            total: None,
        };
        self.waiting.insert(key, datagram);
        self.order.push_back((key, self.serial, fragment.mark.at));
    }

    /// Drops the oldest datagrams until the bytes held are within the bound; `newest` goes last.
    fn make_room(&mut self, newest: IpHead, dropped: &mut Vec<Dropped>) {
        while self.bytes > self.most_bytes {
            if !self.evict_oldest(Some(&newest), dropped) {
                self.drop(&newest, FRAGMENTS_EVICTED, dropped);
                break;
            }
        }
    }

    fn evict_oldest(&mut self, but: Option<&IpHead>, dropped: &mut Vec<Dropped>) -> bool {
        while let Some((key, serial, began)) = self.order.pop_front() {
            if !self.is(&key, serial) {
                continue;
            }
            if but == Some(&key) {
                self.order.push_front((key, serial, began));
                // Only this one is older than all others: take the next instead.
                let next = (1..self.order.len()).find(|&index| {
                    let (key, serial, _) = self.order[index];
                    self.is(&key, serial)
                });
                let Some((key, ..)) = next.and_then(|index| self.order.remove(index)) else { return false };
                self.drop(&key, FRAGMENTS_EVICTED, dropped);
                return true;
            }
            self.drop(&key, FRAGMENTS_EVICTED, dropped);
            return true;
        }
        false
    }

    fn take(&mut self, key: &IpHead) -> Option<Datagram> {
        let datagram = self.waiting.remove(key)?;
        self.bytes = self.bytes.saturating_sub(datagram.held);
        self.frames -= datagram.frames;
        Some(datagram)
    }

    fn drop(&mut self, key: &IpHead, reason: Reason, dropped: &mut Vec<Dropped>) {
        if let Some(datagram) = self.take(key) {
            dropped.push((reason, datagram.frames));
        }
    }
}

/// IPv6 tells datagrams apart by addresses and identification alone (RFC 8200, 4.5), IPv4 by protocol too.
fn key_of(ip: &IpHead) -> IpHead {
    if ip.src.is_ipv6() { IpHead { protocol: 0, ..*ip } } else { *ip }
}

impl Datagram {
    /// Adds a piece; says whether all are here now.
    fn add(&mut self, offset: usize, end: usize, more: bool, bytes: &[u8]) -> Result<bool, Reason> {
        let furthest = self.pieces.last().map_or(0, |(at, piece)| at + piece.len());
        match self.total {
            Some(total) if end > total || (!more && end != total) => return Err(FRAGMENT_CONFLICT),
            None if !more && furthest > end => return Err(FRAGMENT_CONFLICT),
            _ => {}
        }
        if !more {
            self.total = Some(end);
        }
        self.insert(offset, bytes)?;
        Ok(self.is_whole())
    }

    /// Inserts what is new of `bytes`; what is not must be equal to what is there.
    fn insert(&mut self, offset: usize, bytes: &[u8]) -> Result<(), Reason> {
        let (mut at, end) = (offset, offset + bytes.len());
        let mut index = self.pieces.partition_point(|(start, piece)| start + piece.len() <= at);
        while at < end {
            let Some((start, piece)) = self.pieces.get(index) else { break };
            let (start, stop) = (*start, start + piece.len());
            if start >= end {
                break;
            }
            if at < start {
                self.put(index, at, &bytes[at - offset..start - offset])?;
                (at, index) = (start, index + 1);
                continue;
            }
            let until = stop.min(end);
            if piece[at - start..until - start] != bytes[at - offset..until - offset] {
                return Err(FRAGMENT_CONFLICT);
            }
            (at, index) = (until, index + 1);
        }
        if at < end {
            self.put(index, at, &bytes[at - offset..])?;
        }
        Ok(())
    }

    fn put(&mut self, index: usize, at: usize, bytes: &[u8]) -> Result<(), Reason> {
        if self.pieces.len() >= MOST_PIECES {
            return Err(FRAGMENT_BAD);
        }
        self.held += bytes.len() + PIECE_OVERHEAD;
        self.pieces.insert(index, (at, bytes.into()));
        Ok(())
    }

    fn is_whole(&self) -> bool {
        let Some(total) = self.total else { return false };
        let mut at = 0;
        for (start, piece) in &self.pieces {
            if *start != at {
                return false;
            }
            at += piece.len();
        }
        self.has_head && at == total
    }

    fn join(self) -> Whole {
        let mut bytes = Vec::with_capacity(self.total.unwrap_or_default());
        for (_, piece) in &self.pieces {
            bytes.extend_from_slice(piece);
        }
        Whole { ip: self.ip, bytes, first: self.first, frames: self.frames, nest: self.nest }
    }
}
