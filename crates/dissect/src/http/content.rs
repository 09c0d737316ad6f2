//! The content of one body as it comes: decoded, its head kept and the rest counted.

use std::io::Write;

use wirewise_model::{Body, Limits};

use super::coding::{Coding, Sink, Stage, chain};

/// The limits that concern bodies, in few bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BodyBounds {
    pub(crate) kept: u32,
    pub(crate) decompressed_bytes: u32,
    pub(crate) decompressed_ratio: u32,
}

impl BodyBounds {
    pub(crate) fn new(limits: &Limits) -> Self {
        let fit = |limit: usize| u32::try_from(limit).unwrap_or(u32::MAX);
        Self {
            kept: fit(limits.body_kept),
            decompressed_bytes: fit(limits.decompressed_bytes),
            decompressed_ratio: fit(limits.decompressed_ratio),
        }
    }
}

/// The content of a body that is being read.
pub(crate) struct Content {
    form: Form,
    /// Bytes on the wire, framing apart.
    wire: u64,
    bounds: BodyBounds,
    /// Bytes that its decoders may hold.
    decoders: usize,
    /// Some of it will not be seen.
    holed: bool,
    /// What to note on the call.
    pub(crate) note: Option<&'static str>,
}

enum Form {
    /// As it stands.
    Plain(Sink),
    /// Coded.
    Coded(Box<dyn Stage>),
    /// What was decoded before that became impossible.
    Broken(Sink),
}

impl Content {
    /// Content to which `codings` were applied in this order.
    pub(crate) fn new(codings: &[Coding], bounds: BodyBounds) -> Self {
        let sink = Sink { keep_most: bounds.kept as usize, allowed: u64::MAX, ..Sink::default() };
        let mut note = None;
        let form = if codings.is_empty() {
            Form::Plain(sink)
        } else {
            chain(codings, sink).map_or_else(
                |sink| {
                    // Often no coding at all but a character set or "none": the bytes are kept as they are.
                    note = Some("unknown_coding");
                    Form::Plain(sink)
                },
                Form::Coded,
            )
        };
        let decoders = codings.iter().map(|coding| coding.held()).sum();
        Self { form, wire: 0, bounds, decoders, holed: false, note }
    }

    /// Bytes of it on the wire so far.
    pub(crate) fn wire(&self) -> u64 {
        self.wire
    }

    /// Bytes that it holds, decoders included.
    pub(crate) fn held(&self) -> usize {
        match &self.form {
            Form::Plain(sink) | Form::Broken(sink) => sink.kept.len(),
            Form::Coded(..) => self.decoders,
        }
    }

    /// The next bytes of it.
    pub(crate) fn take(&mut self, bytes: &[u8]) {
        self.wire += bytes.len() as u64;
        match &mut self.form {
            Form::Plain(sink) => {
                sink.decoded += bytes.len() as u64;
                let keep = bytes.len().min(sink.keep_most.saturating_sub(sink.kept.len()));
                sink.kept.extend_from_slice(&bytes[..keep]);
            }
            Form::Coded(stage) => {
                let ratio = u64::from(self.bounds.decompressed_ratio);
                // What a body may grow to whatever its ratio: no more than is kept of any other. A few bytes that
                // stand for a few thousand are no bomb.
                let grown = self.wire.saturating_mul(ratio).max(u64::from(self.bounds.kept));
                stage.sink().allowed = u64::from(self.bounds.decompressed_bytes).min(grown);
                // Decoders hold output back until flushed.
                if stage.write_all(bytes).and_then(|()| stage.flush()).is_err() {
                    let sink = std::mem::take(stage.sink());
                    let note = if sink.over { "decompression_limit" } else { "undecodable" };
                    self.note = self.note.or(Some(note));
                    self.form = Form::Broken(sink);
                }
            }
            Form::Broken(_) => {}
        }
    }

    /// `count` more bytes of it went by, of which nothing is known.
    pub(crate) fn count(&mut self, count: u64) {
        self.wire += count;
    }

    /// What follows does not join on to what was kept.
    pub(crate) fn break_off(&mut self) {
        self.holed = true;
        let sink = match &mut self.form {
            Form::Plain(sink) | Form::Broken(sink) => std::mem::take(sink),
            Form::Coded(stage) => std::mem::take(stage.sink()),
        };
        self.form = Form::Broken(sink);
    }

    /// What was kept. `None` for an empty one.
    pub(crate) fn finish(mut self, whole: bool) -> Option<Body> {
        if self.wire == 0 && !self.holed {
            return None;
        }
        let sink = match &mut self.form {
            Form::Plain(sink) | Form::Broken(sink) => std::mem::take(sink),
            Form::Coded(stage) => std::mem::take(stage.sink()),
        };
        let broken = matches!(self.form, Form::Broken(_));
        let truncated = self.holed || broken || !whole || (sink.kept.len() as u64) < sink.decoded;
        Some(Body { kept: sink.kept, wire_bytes: self.wire, decoded_bytes: sink.decoded, truncated })
    }
}
