//! Handshake messages out of records: one may lie in many records, many in one.

use std::mem;

use wirewise_model::Side;

use super::parse::{ClientHello, Cursor, ServerHello};
use super::stream::Tls;

// Types of messages that are looked at.
pub(super) const CLIENT_HELLO: u8 = 1;
pub(super) const SERVER_HELLO: u8 = 2;
const DRAFT_RETRY: u8 = 6;
const CERTIFICATE: u8 = 11;
const KEY_EXCHANGE: u8 = 12;
const HELLO_DONE: u8 = 14;

impl Tls {
    /// Takes bytes of handshake messages in the clear. `false` where they cannot be such.
    pub(super) fn messages(&mut self, side: Side, mut bytes: &[u8]) -> bool {
        let index = side.index();
        while !bytes.is_empty() {
            let lane = &mut self.lanes[index];
            if lane.passing > 0 {
                let count = bytes.len().min(lane.passing as usize);
                lane.passing -= count as u32;
                bytes = &bytes[count..];
                continue;
            }
            // The common case: a message lies whole in what is here, and is not copied.
            let held = lane.held.len();
            if held == 0
                && let Some((kind, len)) = message_head(bytes)
                && let Some(body) = bytes.get(4..4 + len as usize)
                && self.wants(side, kind, len)
            {
                self.message(side, kind, body);
                bytes = &bytes[4 + len as usize..];
                continue;
            }
            let lane = &mut self.lanes[index];
            let wanted = match message_head(&lane.held) {
                Some((_, len)) => 4 + len as usize,
                None => 4,
            };
            let count = bytes.len().min(wanted.saturating_sub(held));
            lane.held.extend_from_slice(&bytes[..count]);
            bytes = &bytes[count..];
            let Some((kind, len)) = message_head(&lane.held) else { continue };
            if held < 4 {
                if !is_known(kind) {
                    // What was taken for a message is encrypted: a ChangeCipherSpec was missed.
                    lane.held = Vec::new();
                    lane.sealed = true;
                    return false;
                }
                if !self.wants(side, kind, len) {
                    self.lanes[index].held = Vec::new();
                    self.lanes[index].passing = len;
                    continue;
                }
            }
            let lane = &mut self.lanes[index];
            if lane.held.len() == 4 + len as usize {
                let held = mem::take(&mut lane.held);
                self.message(side, kind, &held[4..]);
            }
        }
        true
    }

    /// Whether a message is to be read rather than counted down.
    fn wants(&mut self, side: Side, kind: u8, len: u32) -> bool {
        let Some(handshake) = &mut self.handshake else { return false };
        let by_server = side != handshake.client;
        if by_server && matches!(kind, CERTIFICATE | KEY_EXCHANGE | HELLO_DONE) {
            handshake.in_full();
        }
        let told = match kind {
            CLIENT_HELLO => !by_server,
            SERVER_HELLO | DRAFT_RETRY => by_server,
            CERTIFICATE => true,
            _ => false,
        };
        if told && len > self.longest_message {
            handshake.note("oversized_message");
        }
        told && len <= self.longest_message
    }

    /// Reads a whole message.
    fn message(&mut self, side: Side, kind: u8, body: &[u8]) {
        let Some(handshake) = &mut self.handshake else { return };
        match kind {
            CLIENT_HELLO => handshake.client_hello(&ClientHello::parse(body)),
            SERVER_HELLO | DRAFT_RETRY => {
                let hello = match kind {
                    SERVER_HELLO => ServerHello::parse(body),
                    _ => ServerHello::parse_draft_retry(body),
                };
                match hello {
                    Some(hello) => handshake.server_hello(&hello),
                    None => handshake.note("malformed"),
                }
            }
            CERTIFICATE => handshake.certificate(side, body),
            _ => {}
        }
    }

    /// `hole` bytes of handshake messages are lost. `false` where nothing tells where the next message begins.
    pub(super) fn pass_hole(&mut self, side: Side, hole: u16) -> bool {
        self.partial_hello(side);
        let lane = &mut self.lanes[side.index()];
        if let Some((_, len)) = message_head(&lane.held) {
            lane.passing = (4 + len).saturating_sub(lane.held.len() as u32);
        }
        lane.held = Vec::new();
        let known = lane.passing >= u32::from(hole);
        lane.passing = lane.passing.saturating_sub(u32::from(hole));
        known
    }

    /// The rest of a client's hello will not come: what is here of it is better than nothing.
    pub(super) fn partial_hello(&mut self, side: Side) {
        let Some(handshake) = &mut self.handshake else { return };
        let held = &self.lanes[side.index()].held;
        if let Some((CLIENT_HELLO, _)) = message_head(held)
            && side == handshake.client
            && !handshake.offered()
        {
            handshake.client_hello(&ClientHello::parse(&held[4..]));
        }
    }
}

/// Whether there is a message of that type in the clear.
fn is_known(kind: u8) -> bool {
    matches!(kind, 0..=6 | 8 | 11..=16 | 20..=25 | 67 | 203)
}

/// Type and length of the message that begins here.
fn message_head(bytes: &[u8]) -> Option<(u8, u32)> {
    let mut bytes = Cursor(bytes);
    Some((bytes.u8()?, bytes.u24()?))
}
