//! The tables that header fields are looked up in: RFC 7541, 2.3 and Appendix A.

use std::collections::VecDeque;

/// What an entry takes besides its bytes, by the document's count (4.1).
const OVERHEAD: usize = 32;

/// Appendix A.
#[rustfmt::skip]
static STATIC: [(&str, &str); 61] = [
    (":authority", ""), (":method", "GET"), (":method", "POST"), (":path", "/"), (":path", "/index.html"),
    (":scheme", "http"), (":scheme", "https"), (":status", "200"), (":status", "204"), (":status", "206"),
    (":status", "304"), (":status", "400"), (":status", "404"), (":status", "500"), ("accept-charset", ""),
    ("accept-encoding", "gzip, deflate"), ("accept-language", ""), ("accept-ranges", ""), ("accept", ""),
    ("access-control-allow-origin", ""), ("age", ""), ("allow", ""), ("authorization", ""), ("cache-control", ""),
    ("content-disposition", ""), ("content-encoding", ""), ("content-language", ""), ("content-length", ""),
    ("content-location", ""), ("content-range", ""), ("content-type", ""), ("cookie", ""), ("date", ""),
    ("etag", ""), ("expect", ""), ("expires", ""), ("from", ""), ("host", ""), ("if-match", ""),
    ("if-modified-since", ""), ("if-none-match", ""), ("if-range", ""), ("if-unmodified-since", ""),
    ("last-modified", ""), ("link", ""), ("location", ""), ("max-forwards", ""), ("proxy-authenticate", ""),
    ("proxy-authorization", ""), ("range", ""), ("referer", ""), ("refresh", ""), ("retry-after", ""),
    ("server", ""), ("set-cookie", ""), ("strict-transport-security", ""), ("transfer-encoding", ""),
    ("user-agent", ""), ("vary", ""), ("via", ""), ("www-authenticate", ""),
];

/// A name and a value, as far as they are known.
pub(super) type Found<'a> = (Option<&'a [u8]>, Option<&'a [u8]>);

/// An entry of the dynamic table; its bytes lie together in the table's.
#[derive(Clone, Copy, Debug)]
struct Entry {
    at: u32,
    name: u32,
    value: u32,
    /// Whether its name is known: it may be that of an entry from before we listened.
    named: bool,
}

impl Entry {
    fn bytes(&self) -> usize {
        (self.name + self.value) as usize
    }
}

/// The part of the dynamic table that was seen being made.
///
/// Entries are found by how many came after them, so what is older than the oldest known one may be anything without
/// harm to what is newer: a table that is heard from the middle on fills up with known entries. Bytes lie in one
/// buffer, because a connection that is idle keeps its tables.
#[derive(Debug)]
pub(super) struct Table {
    bytes: Vec<u8>,
    /// Newest first.
    entries: VecDeque<Entry>,
    size: usize,
    most: usize,
}

impl Table {
    /// A table that may grow to `most`.
    pub(super) fn new(most: usize) -> Self {
        Self { bytes: Vec::new(), entries: VecDeque::new(), size: 0, most }
    }

    /// What stands at an index of both tables: a name where that is known, and a value where that is. `None` for
    /// index 0, which stands for nothing.
    pub(super) fn get(&self, index: u32) -> Option<Found<'_>> {
        let index = (index as usize).checked_sub(1)?;
        if let Some((name, value)) = STATIC.get(index) {
            return Some((Some(name.as_bytes()), Some(value.as_bytes())));
        }
        let Some(entry) = self.entries.get(index - STATIC.len()) else { return Some((None, None)) };
        let (from, middle) = (entry.at as usize, (entry.at + entry.name) as usize);
        let name = self.bytes.get(from..middle).filter(|_| entry.named);
        Some((name, self.bytes.get(middle..middle + entry.value as usize)))
    }

    /// Adds an entry; the oldest make room for it. `name` is `None` where it is not known.
    pub(super) fn insert(&mut self, name: Option<&[u8]>, value: &[u8]) {
        let bytes = name.map_or(0, <[u8]>::len) + value.len();
        let size = bytes + OVERHEAD;
        if size > self.most {
            // 4.4: an entry that never fits empties the table, and that is no error.
            return self.forget();
        }
        self.shrink_to(self.most - size);
        if self.bytes.len() + bytes > 2 * self.most {
            self.compact();
        }
        let at = self.bytes.len() as u32;
        self.bytes.extend_from_slice(name.unwrap_or_default());
        self.bytes.extend_from_slice(value);
        self.entries.push_front(Entry {
            at,
            name: name.map_or(0, <[u8]>::len) as u32,
            value: value.len() as u32,
            named: name.is_some(),
        });
        self.size += size;
    }

    /// Adds an entry that is named as the one at `index` is.
    pub(super) fn insert_after(&mut self, index: u32, value: &[u8]) {
        let nth = (index as usize).saturating_sub(1);
        if let Some((name, _)) = STATIC.get(nth) {
            return self.insert(Some(name.as_bytes()), value);
        }
        // It may have to make room for the new one.
        let name = self.get(index).and_then(|(name, _)| name).map(<[u8]>::to_vec);
        self.insert(name.as_deref(), value);
    }

    /// The table may grow to `most` from here on.
    pub(super) fn resize(&mut self, most: usize) {
        self.most = most;
        self.shrink_to(most);
    }

    /// Nothing of it is known any more.
    pub(super) fn forget(&mut self) {
        self.bytes = Vec::new();
        self.entries = VecDeque::new();
        self.size = 0;
    }

    /// The bytes that it takes.
    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.bytes.len()
    }

    fn shrink_to(&mut self, most: usize) {
        while self.size > most {
            let Some(oldest) = self.entries.pop_back() else { break };
            self.size -= oldest.bytes() + OVERHEAD;
        }
    }

    /// Moves the bytes of the entries that are left to the front.
    fn compact(&mut self) {
        let from = self.entries.back().map_or(self.bytes.len() as u32, |oldest| oldest.at);
        self.bytes.drain(..from as usize);
        for entry in &mut self.entries {
            entry.at -= from;
        }
    }
}
