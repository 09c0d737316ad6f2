//! The messages in a body of gRPC, counted as its bytes come: a flag, a length, and so many bytes.

use wirewise_model::Exchange;

/// Bytes before a message.
const HEAD: usize = 5;

/// One direction's messages.
#[derive(Clone, Debug, Default)]
pub(crate) struct Framing {
    head: [u8; HEAD],
    have: usize,
    left: u32,
    messages: u32,
    compressed: u32,
    /// Bytes were lost, or this is no such framing: what was counted is all that can be.
    broken: bool,
}

/// Names of a direction's attributes.
pub(crate) struct Names {
    messages: &'static str,
    compressed: &'static str,
}

/// Of what is asked.
pub(crate) const REQUEST: Names =
    Names { messages: "grpc.request.messages", compressed: "grpc.request.compressed_messages" };
/// Of what is answered.
pub(crate) const RESPONSE: Names =
    Names { messages: "grpc.response.messages", compressed: "grpc.response.compressed_messages" };

/// Whether a body of that `content-type` is framed so.
pub(crate) fn is_grpc(content_type: &str) -> bool {
    const NAME: &str = "application/grpc";
    let (name, rest) = match content_type.get(..NAME.len()) {
        Some(name) => (name, &content_type[NAME.len()..]),
        None => return false,
    };
    name.eq_ignore_ascii_case(NAME) && matches!(rest.as_bytes().first(), None | Some(b'+' | b';' | b' '))
}

impl Framing {
    /// The next bytes.
    pub(crate) fn take(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() && !self.broken {
            if self.have < HEAD {
                let step = bytes.len().min(HEAD - self.have);
                self.head[self.have..self.have + step].copy_from_slice(&bytes[..step]);
                self.have += step;
                bytes = &bytes[step..];
                if self.have < HEAD {
                    return;
                }
                let [flag, length @ ..] = self.head;
                self.broken = flag > 1;
                self.left = u32::from_be_bytes(length);
            }
            let step = bytes.len().min(self.left as usize);
            self.left -= step as u32;
            bytes = &bytes[step..];
            if self.left == 0 && !self.broken {
                self.messages = self.messages.saturating_add(1);
                self.compressed = self.compressed.saturating_add(u32::from(self.head[0]));
                self.have = 0;
            }
        }
    }

    /// Bytes were lost.
    pub(crate) fn break_off(&mut self) {
        self.broken = true;
    }

    /// Says what was counted.
    pub(crate) fn tell(&self, exchange: &mut Exchange, names: &Names) {
        exchange.attribute(names.messages, i64::from(self.messages));
        if self.compressed > 0 {
            exchange.attribute(names.compressed, i64::from(self.compressed));
        }
    }
}
