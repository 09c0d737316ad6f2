//! Header compression, RFC 7541, as a listener needs it: what an unheard part of the table hides is told as unknown,
//! and stays countable.

mod huffman;
mod table;

#[cfg(test)]
pub(crate) use huffman::encode as huffman_encode;
use table::Table;

/// SETTINGS_HEADER_TABLE_SIZE, unless said otherwise (RFC 9113, 6.5.2).
pub(super) const DEFAULT_TABLE: u32 = 4096;

/// Why a block cannot be read to its end. The table is out of step from there on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// It ends inside a field.
    Cut,
    /// An index of 0, a number past all bounds, a string that is no Huffman code.
    Malformed,
}

/// What was odd about a block that was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Decoded {
    /// Its encoder lets the table grow past what its peer allowed.
    pub(super) oversized: bool,
}

/// One side's header blocks to fields.
#[derive(Debug)]
pub(super) struct Decoder {
    table: Table,
    /// What the other side allows the table to grow to, as far as that was heard.
    allowed: Option<u32>,
    /// What we let it grow to, whatever is allowed: past it the oldest entries are unknown again.
    most: u32,
}

impl Decoder {
    /// A decoder whose table takes `most` bytes or less.
    pub(super) fn new(most: u32) -> Self {
        Self { table: Table::new(DEFAULT_TABLE.min(most) as usize), allowed: None, most }
    }

    /// The other side allows a table of `size`. One that it allowed before may still be in use.
    pub(super) fn allow(&mut self, size: u32) {
        self.allowed = Some(self.allowed.unwrap_or(DEFAULT_TABLE).max(size));
    }

    /// Blocks were lost: nothing in the table can be found by its index any more.
    pub(super) fn forget(&mut self) {
        self.table.forget();
    }

    /// Reads a whole block. `field` is told each name and value, `None` for what is not known.
    pub(super) fn decode(
        &mut self,
        block: &[u8],
        mut field: impl FnMut(Option<&[u8]>, Option<&[u8]>),
    ) -> Result<Decoded, Fault> {
        let mut at = Cursor { bytes: block };
        let (mut name_room, mut value_room) = (Vec::new(), Vec::new());
        let mut decoded = Decoded::default();
        while let Some(first) = at.peek() {
            // 6.1: an indexed field.
            if first & 0x80 != 0 {
                let index = at.number(7)?;
                let (name, value) = self.table.get(index).ok_or(Fault::Malformed)?;
                field(name, value.filter(|_| name.is_some()));
                continue;
            }
            // 6.3: a size update.
            if first & 0xe0 == 0x20 {
                let size = at.number(5)?;
                decoded.oversized |= self.allowed.is_some_and(|allowed| size > allowed);
                self.table.resize(size.min(self.most) as usize);
                continue;
            }
            // 6.2: a literal; with an index for its name, or with a name.
            let indexed = first & 0x40 != 0;
            let index = at.number(if indexed { 6 } else { 4 })?;
            let spelt = match index {
                0 => Some(at.string(&mut name_room)?),
                _ => None,
            };
            let value = at.string(&mut value_room)?;
            match spelt {
                Some(name) => field(Some(name), Some(value)),
                None => field(self.table.get(index).ok_or(Fault::Malformed)?.0, Some(value)),
            }
            match spelt {
                _ if !indexed => {}
                Some(name) => self.table.insert(Some(name), value),
                None => self.table.insert_after(index, value),
            }
        }
        Ok(decoded)
    }
}

struct Cursor<'a> {
    bytes: &'a [u8],
}

impl<'a> Cursor<'a> {
    fn peek(&self) -> Option<u8> {
        self.bytes.first().copied()
    }

    fn byte(&mut self) -> Result<u8, Fault> {
        let (&first, rest) = self.bytes.split_first().ok_or(Fault::Cut)?;
        self.bytes = rest;
        Ok(first)
    }

    /// 5.1: a number whose first `bits` bits stand in the next byte.
    fn number(&mut self, bits: u32) -> Result<u32, Fault> {
        let mask = (1_u32 << bits) - 1;
        let mut number = u32::from(self.byte()?) & mask;
        if number < mask {
            return Ok(number);
        }
        let mut shift = 0;
        loop {
            let byte = self.byte()?;
            let more = u32::from(byte & 0x7f)
                .checked_shl(shift)
                .filter(|more| more >> shift == u32::from(byte & 0x7f));
            number = more.and_then(|more| number.checked_add(more)).ok_or(Fault::Malformed)?;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
            shift += 7;
        }
    }

    /// 5.2: a string; `room` takes it where it has to be decoded.
    fn string<'b>(&mut self, room: &'b mut Vec<u8>) -> Result<&'b [u8], Fault>
    where
        'a: 'b,
    {
        let coded = self.peek().ok_or(Fault::Cut)? & 0x80 != 0;
        let length = self.number(7)? as usize;
        let (string, rest) = self.bytes.split_at_checked(length).ok_or(Fault::Cut)?;
        self.bytes = rest;
        if !coded {
            return Ok(string);
        }
        room.clear();
        if huffman::decode(string, room) { Ok(room) } else { Err(Fault::Malformed) }
    }
}

#[cfg(test)]
mod tests;
