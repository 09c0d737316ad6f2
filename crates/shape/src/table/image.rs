//! The table at rest: rows that a store keeps, and the whole of it as bytes.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Bounds, ShapeId, ShapeTable, Slot};
use crate::parts::{Parts, ShapeKey};
use crate::stats::Stats;

/// Rises when what is written could be taken for something else by older code.
const FORMAT: u32 = 1;

/// Names a row. A function of its parts, so that writing it again replaces it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RowId(pub u64);

impl RowId {
    pub(super) fn of(parts: &Parts) -> Self {
        Self(parts.hash() ^ u64::from(parts.told))
    }
}

/// A variant as it is kept: everything that was learnt follows from the set of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// What it is made of.
    pub parts: Parts,
    /// Its calls.
    pub stats: Stats,
}

impl Row {
    /// Its name.
    pub fn id(&self) -> RowId {
        RowId::of(&self.parts)
    }
}

/// A table at rest.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    /// [`ShapeTable::version`].
    pub version: u64,
    /// The variants, in any order.
    pub rows: Vec<Row>,
    /// Which key belongs to which row.
    pub keys: Vec<(ShapeKey, RowId)>,
    /// Shapes that are no more, and what they have become.
    pub retired: Vec<(ShapeId, ShapeId)>,
}

/// Bytes that hold no table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadImage {
    /// Written in a form that this version does not know.
    Format(u32),
    /// Cut, or never a table's.
    Malformed,
}

impl fmt::Display for BadImage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Format(format) => {
                write!(f, "expected a table of shapes of format {FORMAT}, found {format}")
            }
            Self::Malformed => f.write_str("expected a whole table of shapes"),
        }
    }
}

impl std::error::Error for BadImage {}

impl ShapeTable {
    /// The table at rest. Equal tables have equal images, but for the version and what was retired on the way.
    pub fn image(&self) -> Image {
        let mut rows: Vec<Row> = self
            .live_variants()
            .map(|(_, variant)| Row { parts: Parts::clone(&variant.parts), stats: variant.stats.clone() })
            .collect();
        rows.sort_by(|left, right| left.parts.cmp(&right.parts));
        let mut keys: Vec<(ShapeKey, RowId)> =
            self.keys.iter().filter_map(|(key, slot)| Some((*key, self.row_id(*slot)?))).collect();
        keys.sort_unstable();
        let retired = self.retired.iter().map(|(from, to)| (*from, *to)).collect();
        Image { version: self.version, rows, keys, retired }
    }

    /// A table that goes on where it was left, of rows and keys in any order. Rows past the bounds count in the
    /// rest-shapes.
    pub fn from_image(image: Image, bounds: Bounds) -> Self {
        let mut table = Self::new(bounds);
        let mut slots = std::collections::HashMap::new();
        for row in image.rows {
            let id = row.id();
            let slot = table.admit(row.parts, false);
            table.touch(slot).stats.merge(&row.stats);
            slots.insert(id, slot);
        }
        for (key, row) in image.keys {
            if let Some(slot) = slots.get(&row) {
                table.remember(key, *slot);
            }
        }
        table.unsettled.extend(table.scopes.keys().cloned());
        table.settle();
        table.retired.extend(image.retired.into_iter().take(bounds.retired));
        table.version = image.version;
        table.take_changes();
        table
    }

    /// The whole table as bytes.
    pub fn save(&self) -> Vec<u8> {
        postcard::to_stdvec(&(FORMAT, self.image())).expect("plain data with known lengths")
    }

    /// Reads what [`ShapeTable::save`] wrote.
    pub fn load(bytes: &[u8], bounds: Bounds) -> Result<Self, BadImage> {
        let (format, rest) = postcard::take_from_bytes::<u32>(bytes).map_err(|_| BadImage::Malformed)?;
        if format != FORMAT {
            return Err(BadImage::Format(format));
        }
        match postcard::take_from_bytes::<Image>(rest) {
            Ok((image, [])) => Ok(Self::from_image(image, bounds)),
            Ok(_) | Err(_) => Err(BadImage::Malformed),
        }
    }

    pub(super) fn row_id(&self, slot: u32) -> Option<RowId> {
        match self.variants.get(self.live(slot) as usize)? {
            Slot::Live(variant) => Some(RowId::of(&variant.parts)),
            Slot::Moved(_) => None,
        }
    }
}
