//! What changed since it was last asked for: for whoever keeps the rows, embeds new shapes, or joins keys.

use std::collections::{BTreeSet, HashSet};

use super::{Row, RowId, ShapeId, ShapeTable, Slot};
use crate::parts::{Parts, ShapeKey};

/// What a key means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyRow {
    /// The key of stored rows.
    pub key: ShapeKey,
    /// The shape that it belongs to.
    pub shape: ShapeId,
    /// The row that counts it.
    pub row: RowId,
}

/// What became different. Written in one transaction, in this order: `gone`, `rows`, `keys`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// [`ShapeTable::version`] by now.
    pub version: u64,
    /// Shapes that were not there before: those to embed.
    pub created: Vec<ShapeId>,
    /// Shapes with other counts or examples, the created among them.
    pub touched: Vec<ShapeId>,
    /// Shapes that are no more, and what they became part of: their vectors go.
    pub retired: Vec<(ShapeId, ShapeId)>,
    /// Rows to write.
    pub rows: Vec<Row>,
    /// Rows to remove.
    pub gone: Vec<RowId>,
    /// Keys to write: new ones, and those that mean another shape now.
    pub keys: Vec<KeyRow>,
}

impl ShapeTable {
    /// Everything that changed since the last time. The counts of a busy shape are told once, however often this would
    /// have been asked meanwhile: every few seconds is a good pace.
    pub fn take_changes(&mut self) -> Changes {
        let pending = std::mem::take(&mut self.pending);
        let mut changes = Changes { version: self.version, ..Changes::default() };
        let mut touched = BTreeSet::new();
        for slot in pending.touched {
            if let Some(Slot::Live(variant)) = self.variants.get_mut(slot as usize) {
                variant.touched = false;
                touched.insert(variant.shape);
                let parts = Parts::clone(&variant.parts);
                changes.rows.push(Row { parts, stats: variant.stats.clone() });
            }
        }
        let kept: HashSet<RowId> = changes.rows.iter().map(Row::id).collect();
        changes.gone = pending.gone.into_iter().filter(|row| !kept.contains(row)).collect();
        changes.touched = touched.into_iter().collect();
        changes.created = pending.created.into_iter().filter(|id| self.shapes.contains_key(id)).collect();
        changes.created.sort_unstable();
        changes.retired =
            pending.retired.into_iter().filter(|(from, _)| !self.shapes.contains_key(from)).collect();
        changes.retired.iter_mut().for_each(|(_, to)| *to = self.current(*to));
        let mut keys: BTreeSet<ShapeKey> = pending.keys.into_iter().collect();
        if !pending.moved.is_empty() {
            let moved = |slot: u32| pending.moved.contains(&self.live(slot));
            keys.extend(self.keys.iter().filter(|(_, slot)| moved(**slot)).map(|(key, _)| *key));
        }
        changes.keys = keys.into_iter().filter_map(|key| self.key_row(key)).collect();
        changes
    }

    fn key_row(&self, key: ShapeKey) -> Option<KeyRow> {
        let slot = *self.keys.get(&key)?;
        let row = self.row_id(slot)?;
        self.lookup(key).map(|learnt| KeyRow { key, shape: learnt.shape, row })
    }
}
