//! A message that is being sent: its method, then a header, then bodies that are counted down.

use wirewise_model::Track;

use super::describe;
use super::properties::Properties;
use super::wait::Waiting;

/// What a message belongs to.
#[derive(Debug)]
pub(super) enum Carried {
    /// A publish.
    Publish(Waiting),
    /// A delivery that the consumer settles.
    Deliver(Waiting),
    /// A delivery that is settled by being sent.
    Told(Waiting),
    /// The answer to `basic.get`.
    Got(Waiting),
    /// A message that comes back.
    Return(Waiting),
    /// Something that was not heard.
    Nothing,
}

/// One message on its way.
#[derive(Debug)]
pub(super) struct Content {
    pub(super) carried: Carried,
    /// Bytes of the body that are still to come, once the header told how many there are.
    left: Option<u64>,
}

impl Content {
    pub(super) fn new(carried: Carried) -> Self {
        Self { carried, left: None }
    }

    /// The exchange that it is a part of.
    pub(super) fn waiting(&self) -> Option<&Waiting> {
        match &self.carried {
            Carried::Publish(waiting)
            | Carried::Deliver(waiting)
            | Carried::Told(waiting)
            | Carried::Got(waiting) => Some(waiting),
            Carried::Return(_) | Carried::Nothing => None,
        }
    }

    /// The publish that it is.
    pub(super) fn publish(&mut self) -> Option<&mut Waiting> {
        match &mut self.carried {
            Carried::Publish(waiting) => Some(waiting),
            Carried::Deliver(_)
            | Carried::Told(_)
            | Carried::Got(_)
            | Carried::Return(_)
            | Carried::Nothing => None,
        }
    }

    /// The track of the message that brings it.
    pub(super) fn track(&mut self) -> Option<&mut Track> {
        let message = match &mut self.carried {
            Carried::Publish(waiting)
            | Carried::Deliver(waiting)
            | Carried::Told(waiting)
            | Carried::Return(waiting) => waiting.exchange.request.as_mut(),
            Carried::Got(waiting) => waiting.exchange.response.as_mut(),
            Carried::Nothing => None,
        };
        message.map(|message| &mut message.track)
    }

    /// Its header was heard. Whether that was all.
    pub(super) fn header(&mut self, size: u64, properties: &Properties<'_>) -> bool {
        match &mut self.carried {
            Carried::Publish(waiting)
            | Carried::Deliver(waiting)
            | Carried::Told(waiting)
            | Carried::Got(waiting) => describe::content(&mut waiting.exchange, size, properties),
            // The publish told it.
            Carried::Return(_) | Carried::Nothing => {}
        }
        self.left = Some(size);
        size == 0
    }

    /// So many bytes of its body were heard, or lost.
    pub(super) fn body(&mut self, bytes: u64) {
        self.left = self.left.map(|left| left.saturating_sub(bytes));
    }

    /// Whether all of it was heard.
    pub(super) fn is_whole(&self) -> bool {
        self.left == Some(0)
    }

    /// Bytes of it were lost.
    pub(super) fn holed(&mut self) {
        match &mut self.carried {
            Carried::Publish(waiting)
            | Carried::Deliver(waiting)
            | Carried::Told(waiting)
            | Carried::Got(waiting)
            | Carried::Return(waiting) => waiting.holed(),
            Carried::Nothing => {}
        }
    }
}
