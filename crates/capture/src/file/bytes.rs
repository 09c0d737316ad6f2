//! Numbers in the byte order of a file.

/// The order in which a file's writer stored its numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Big,
    Little,
}

/// Reads fields one after the other; `None` past the end.
pub(super) struct Cursor<'a> {
    rest: &'a [u8],
    order: Order,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(bytes: &'a [u8], order: Order) -> Self {
        Self { rest: bytes, order }
    }

    #[inline]
    pub(super) fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(head)
    }

    #[inline]
    pub(super) fn u16(&mut self) -> Option<u16> {
        let (head, rest) = self.rest.split_first_chunk()?;
        self.rest = rest;
        Some(match self.order {
            Order::Big => u16::from_be_bytes(*head),
            Order::Little => u16::from_le_bytes(*head),
        })
    }

    #[inline]
    pub(super) fn u32(&mut self) -> Option<u32> {
        let (head, rest) = self.rest.split_first_chunk()?;
        self.rest = rest;
        Some(match self.order {
            Order::Big => u32::from_be_bytes(*head),
            Order::Little => u32::from_le_bytes(*head),
        })
    }

    #[inline]
    pub(super) fn u64(&mut self) -> Option<u64> {
        let (head, rest) = self.rest.split_first_chunk()?;
        self.rest = rest;
        Some(match self.order {
            Order::Big => u64::from_be_bytes(*head),
            Order::Little => u64::from_le_bytes(*head),
        })
    }

    /// A pcapng option or name record: code and value, padding passed over. `None` at the end or past it.
    pub(super) fn option(&mut self) -> Option<(u16, &'a [u8])> {
        let (code, length) = (self.u16()?, usize::from(self.u16()?));
        if code == 0 {
            return None;
        }
        let value = self.take(length)?;
        let padding = length.next_multiple_of(4) - length;
        // The last option's padding may be missing where there is no end-of-options.
        self.take(padding.min(self.rest.len()))?;
        Some((code, value))
    }
}
