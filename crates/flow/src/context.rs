//! One flow at work: the flow, what is attached to it, who listens, and what all flows share.

use std::collections::VecDeque;

use wirewise_model::{Books, Limits, Mark, Side, Timestamp};

use crate::{EndReason, Event, Flow, FlowHandle, Listener};

/// What all flows of a table share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) limits: Limits,
    pub(crate) books: Books,
    /// Bytes that wait in all flows together, and what they cost to hold.
    pub(crate) buffered: usize,
    pub(crate) cost: usize,
    /// Holes in the order of their deadlines, each side of a flow once at most.
    pub(crate) holes: VecDeque<(Timestamp, FlowHandle, Side)>,
}

/// One flow at work. What each transport does stands in a file of its own.
pub(crate) struct Context<'a, T, L: Listener<T> + ?Sized> {
    pub(crate) flow: &'a mut Flow,
    pub(crate) attached: &'a mut T,
    pub(crate) shared: &'a mut Shared,
    pub(crate) on: &'a mut L,
}

impl<T, L: Listener<T> + ?Sized> Context<'_, T, L> {
    pub(crate) fn tell(&mut self, event: Event<'_>) {
        self.on.event(self.flow, self.attached, event);
    }

    /// Delivers what waits, with the gaps before it: hole by hole, so that what each side said stands behind what it
    /// answers.
    pub(crate) fn finish_sides(&mut self, at: Timestamp) {
        loop {
            self.settle_both(Side::A, at);
            let Some(rare) = self.flow.known_rare() else { return };
            let waits = |side: &Side| rare.reorder[side.index()].is_some();
            let mut sides = [Side::A, Side::B].into_iter().filter(waits);
            let (first, second) = (sides.next(), sides.next());
            let Some(first) = first else { return };
            // What waits for the other side has no hole of its own to step over.
            let side = if self.is_held(first) { second.unwrap_or(first) } else { first };
            self.give_up_waiting(side, at);
        }
    }

    /// Tells the end of one side, or that of the whole flow, once.
    pub(crate) fn end(&mut self, side: Option<Side>, why: EndReason, mark: Mark) {
        if side.is_none() {
            if self.flow.ended.is_some() {
                return;
            }
            self.flow.ended = Some(why);
        }
        self.tell(Event::End { side, why, mark });
    }
}
