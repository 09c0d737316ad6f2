//! The fields of one header block: sorted into what the protocol means by them and what is kept of the others.

use smallvec::SmallVec;
use wirewise_model::Exchange;

use super::Bounds;
use super::hpack::{Decoder, Fault};
use crate::http::Coding;
use crate::text::lossy;

/// What stands in for a name, value or target that an unheard table hides.
pub(super) const UNKNOWN: &str = "{unknown}";

/// What a header block says.
#[derive(Debug, Default)]
pub(super) struct Fields {
    pub(super) method: Option<String>,
    pub(super) path: Option<String>,
    pub(super) authority: Option<String>,
    pub(super) scheme: Option<String>,
    /// RFC 8441: what a CONNECT wants to go on with.
    pub(super) protocol: Option<String>,
    /// As it was written; most often a number.
    pub(super) status: Option<String>,
    /// In wire order, names in lower case; what is unknown holds its place.
    pub(super) headers: Vec<(String, String)>,
    pub(super) host: Option<usize>,
    pub(super) agent: Option<usize>,
    pub(super) content_type: Option<usize>,
    pub(super) trace: bool,
    pub(super) length: Option<u64>,
    /// In the order in which they were applied.
    pub(super) codings: SmallVec<[Coding; 2]>,
    /// How many are not known.
    pub(super) unknown: u32,
    /// Bytes of names and values that are kept.
    pub(super) bytes: usize,
    /// It came in very many pieces.
    pub(super) flooded: bool,
    omitted: bool,
    malformed: bool,
    oversized: bool,
    fault: Option<Fault>,
}

impl Fields {
    /// Reads a block; `room` bytes of it are kept.
    pub(super) fn read(decoder: &mut Decoder, block: &[u8], bounds: &Bounds, room: usize) -> Self {
        let mut fields = Self { headers: Vec::with_capacity(12), ..Self::default() };
        let room = room.min(bounds.header_bytes as usize);
        match decoder.decode(block, |name, value| fields.add(name, value, room, bounds.headers as usize)) {
            Ok(decoded) => fields.oversized = decoded.oversized,
            Err(fault) => {
                fields.fault = Some(fault);
                decoder.forget();
            }
        }
        fields
    }

    /// Whether it asks: no response has any of these.
    pub(super) fn asks(&self) -> bool {
        self.method.is_some() || self.path.is_some() || self.scheme.is_some() || self.authority.is_some()
    }

    /// Whether it answers.
    pub(super) fn answers(&self) -> bool {
        self.status.is_some()
    }

    /// The status as a number.
    pub(super) fn code(&self) -> Option<u16> {
        self.status.as_ref()?.parse().ok()
    }

    /// Notes what was odd about the block.
    pub(super) fn tell(&self, exchange: &mut Exchange) {
        if self.unknown > 0 {
            exchange.note("hpack_unknown");
        }
        if self.fault.is_some() {
            exchange.note("hpack_error");
        }
        if self.oversized {
            exchange.note("hpack_table_oversized");
        }
        if self.flooded {
            exchange.note("continuation_flood");
        }
        if self.omitted {
            exchange.note("headers_omitted");
        }
        if self.malformed {
            exchange.note("malformed_header");
        }
    }

    fn add(&mut self, name: Option<&[u8]>, value: Option<&[u8]>, room: usize, most: usize) {
        let (Some(name), Some(value)) = (name, value) else {
            // Not even a known value is kept: under an unknown name it may be a secret.
            self.unknown = self.unknown.saturating_add(1);
            if self.headers.len() < most {
                self.headers.push((UNKNOWN.to_owned(), UNKNOWN.to_owned()));
            }
            return;
        };
        let size = name.len() + value.len();
        if self.bytes + size > room || self.headers.len() >= most {
            self.omitted = true;
            return;
        }
        self.bytes += size;
        if let Some(pseudo) = name.strip_prefix(b":") {
            return self.add_pseudo(pseudo, value);
        }
        let mut name = lossy(name);
        // RFC 9113, 8.2.1.
        if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
            self.malformed = true;
            name.make_ascii_lowercase();
        }
        let value = lossy(value);
        let at = Some(self.headers.len());
        match name.as_str() {
            "host" => self.host = self.host.or(at),
            "user-agent" => self.agent = self.agent.or(at),
            "content-type" => self.content_type = self.content_type.or(at),
            "traceparent" | "b3" | "x-b3-traceid" | "uber-trace-id" => self.trace = true,
            "content-length" => self.length = value.trim().parse().ok(),
            "content-encoding" => {
                self.codings.extend(value.split(',').filter_map(|word| Coding::parse(word.trim())));
            }
            // RFC 9113, 8.2.2.
            "connection" | "proxy-connection" | "keep-alive" | "transfer-encoding" | "upgrade" => {
                self.malformed = true;
            }
            _ => {}
        }
        self.headers.push((name, value));
    }

    fn add_pseudo(&mut self, name: &[u8], value: &[u8]) {
        // RFC 9113, 8.3: before all other fields, and each once.
        self.malformed |= self.headers.iter().any(|(name, _)| name != UNKNOWN);
        let place = match name {
            b"method" => &mut self.method,
            b"path" => &mut self.path,
            b"authority" => &mut self.authority,
            b"scheme" => &mut self.scheme,
            b"status" => &mut self.status,
            b"protocol" => &mut self.protocol,
            _ => {
                self.malformed = true;
                return;
            }
        };
        self.malformed |= place.is_some();
        place.get_or_insert_with(|| lossy(value));
    }
}
