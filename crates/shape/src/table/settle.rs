//! After a batch: variants whose parts changed by what was learnt meanwhile go where they belong now.

use super::{ShapeTable, Slot};
use crate::parts::Parts;

/// Moved variants that may stand about before the table is packed, beside as many as there are live ones.
const MOST_MOVED: usize = 4096;

impl ShapeTable {
    /// Ends when no place waits: moving teaches nothing that was not known, but in the scope of a server that became
    /// one of a crowd, and of those there are finitely many.
    pub(super) fn settle(&mut self) {
        let mut changed = false;
        loop {
            if std::mem::take(&mut self.crowded) {
                self.unsettled.extend(self.scopes.keys().cloned());
            }
            let Some(place) = self.unsettled.pop_first() else { break };
            changed |= self.settle_scope(&place);
        }
        if changed {
            self.version += 1;
        }
        let moved = self.variants.len() - self.by_parts.len();
        if moved > MOST_MOVED.max(self.by_parts.len()) {
            self.pack();
        }
    }

    /// Says whether a variant was moved or shows as another shape.
    fn settle_scope(&mut self, place: &(String, String)) -> bool {
        let Some(scope) = self.scopes.get_mut(place) else { return false };
        let members = std::mem::take(&mut scope.members);
        self.places -= scope.n_places().min(self.places);
        scope.forget_tried();
        for slot in &members {
            if let Some(Slot::Live(variant)) = self.variants.get(*slot as usize) {
                scope.learn(&variant.parts);
            }
        }
        self.places += scope.n_places();
        let mut changed = false;
        for slot in members {
            changed |= self.settle_variant(place, slot);
        }
        if self.scopes.get(place).is_some_and(|scope| scope.members.is_empty())
            && let Some(scope) = self.scopes.remove(place)
        {
            self.places -= scope.n_places().min(self.places);
        }
        changed
    }

    fn settle_variant(&mut self, place: &(String, String), slot: u32) -> bool {
        let Some(Slot::Live(variant)) = self.variants.get(slot as usize) else { return false };
        let mut parts = Parts::clone(&variant.parts);
        self.crowds.canonical(&mut parts);
        let stays = (&parts.server, &place.0) == (&variant.parts.server, &parts.server);
        if stays && let Some(scope) = self.scopes.get(place) {
            scope.canonical(&mut parts);
        }
        if parts != *variant.parts {
            self.rehome(slot, parts);
            return true;
        }
        let Some(scope) = self.scopes.get_mut(place) else { return false };
        scope.members.push(slot);
        let shown = scope.shown(&parts);
        self.reshape(slot, Parts { endpoint: shown.unwrap_or_else(|| parts.endpoint.clone()), ..parts })
    }

    /// A variant becomes part of another, or one of other parts.
    fn rehome(&mut self, slot: u32, parts: Parts) {
        let Some(Slot::Live(variant)) = self.variants.get_mut(slot as usize) else { return };
        let old = std::mem::replace(&mut variant.parts, std::sync::Arc::new(parts.clone()));
        self.by_parts.remove(&old);
        self.pending.gone.push(super::RowId::of(&old));
        let to = self.admit(parts, true);
        self.pending.moved.insert(to);
        let moved = std::mem::replace(&mut self.variants[slot as usize], Slot::Moved(to));
        let Slot::Live(variant) = moved else { return };
        let target = self.touch(to);
        target.stats.merge(&variant.stats);
        let now = target.shape;
        self.leave(slot, variant.shape, now);
    }

    /// A variant shows as the shape of these parts. Says whether it did not before.
    fn reshape(&mut self, slot: u32, shown: Parts) -> bool {
        let Some(Slot::Live(variant)) = self.variants.get(slot as usize) else { return false };
        let before = variant.shape;
        if before.0 == shown.hash() {
            return false;
        }
        let now = self.join(slot, shown);
        self.touch(slot).shape = now;
        self.pending.moved.insert(slot);
        self.leave(slot, before, now);
        true
    }

    fn leave(&mut self, slot: u32, shape: super::ShapeId, now: super::ShapeId) {
        let Some(group) = self.shapes.get_mut(&shape) else { return };
        group.members.retain(|member| *member != slot);
        if !group.members.is_empty() {
            // What is left of it changed too.
            let member = group.members[0];
            self.touch(member);
            return;
        }
        self.shapes.remove(&shape);
        self.pending.created.remove(&shape);
        self.pending.retired.push((shape, now));
        if self.retired.len() < self.bounds.retired {
            self.retired.insert(shape, now);
        }
    }

    /// Gives up the slots of variants that were moved.
    fn pack(&mut self) {
        let ends: Vec<u32> = (0..self.variants.len() as u32).map(|slot| self.live(slot)).collect();
        let mut places = vec![0u32; ends.len()];
        let mut packed = Vec::with_capacity(self.by_parts.len());
        for (slot, at) in std::mem::take(&mut self.variants).into_iter().zip(0usize..) {
            if let Slot::Live(_) = slot {
                places[at] = packed.len() as u32;
                packed.push(slot);
            }
        }
        self.variants = packed;
        let place = |slot: &mut u32| *slot = places[ends[*slot as usize] as usize];
        self.keys.values_mut().for_each(place);
        self.by_parts.values_mut().for_each(place);
        self.shapes.values_mut().flat_map(|group| &mut group.members).for_each(place);
        self.scopes.values_mut().flat_map(|scope| &mut scope.members).for_each(place);
        let mut touched = std::mem::take(&mut self.pending.touched);
        touched.iter_mut().for_each(place);
        touched.sort_unstable();
        touched.dedup();
        self.pending.touched = touched;
        self.pending.moved =
            self.pending.moved.iter().map(|slot| places[ends[*slot as usize] as usize]).collect();
    }
}
