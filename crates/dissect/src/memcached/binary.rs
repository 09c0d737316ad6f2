//! The binary protocol (`protocol_binary.h`): a header of 24 bytes, extras, a key, a value.

use std::borrow::Cow;

use wirewise_model::{Kind, Outcome, Track};

use super::message::{Asked, Parsed, Reply};

pub(super) const HEADER: usize = 24;
/// First byte of a request, and of a response.
pub(super) const ASKS: u8 = 0x80;
pub(super) const ANSWERS: u8 = 0x81;
/// Keys are 250 bytes at most.
const LONGEST_KEY: usize = 250;
/// Extras are 20 bytes at most; servers with more commands have some more.
const MOST_EXTRAS: usize = 64;
/// No item is larger than 1 GiB.
const MOST_BODY: usize = 1 << 30;

/// Operations by number: name, bytes of extras of a request, whether it is answered only where there is
/// something to say.
const OPERATIONS: &[(u8, &str, usize, bool)] = &[
    (0x00, "get", 0, false),
    (0x01, "set", 8, false),
    (0x02, "add", 8, false),
    (0x03, "replace", 8, false),
    (0x04, "delete", 0, false),
    (0x05, "incr", 20, false),
    (0x06, "decr", 20, false),
    (0x07, "quit", 0, false),
    (0x08, "flush", 4, false),
    (0x09, "getq", 0, true),
    (0x0a, "noop", 0, false),
    (0x0b, "version", 0, false),
    (0x0c, "getk", 0, false),
    (0x0d, "getkq", 0, true),
    (0x0e, "append", 0, false),
    (0x0f, "prepend", 0, false),
    (0x10, "stat", 0, false),
    (0x11, "setq", 8, true),
    (0x12, "addq", 8, true),
    (0x13, "replaceq", 8, true),
    (0x14, "deleteq", 0, true),
    (0x15, "incrq", 20, true),
    (0x16, "decrq", 20, true),
    (0x17, "quitq", 0, true),
    (0x18, "flushq", 4, true),
    (0x19, "appendq", 0, true),
    (0x1a, "prependq", 0, true),
    (0x1b, "verbosity", 4, false),
    (0x1c, "touch", 4, false),
    (0x1d, "gat", 4, false),
    (0x1e, "gatq", 4, true),
    (0x20, "sasl_list_mechs", 0, false),
    (0x21, "sasl_auth", 0, false),
    (0x22, "sasl_step", 0, false),
    (0x23, "gatk", 4, false),
    (0x24, "gatkq", 4, true),
];
const NOOP: u8 = 0x0a;
const FLUSHES: &[u8] = &[0x08, 0x18];
pub(super) const STAT: u8 = 0x10;

const STATUSES: &[(u16, &str, Outcome)] = &[
    (0x00, "OK", Outcome::Ok),
    (0x01, "KEY_ENOENT", Outcome::Ok),
    (0x02, "KEY_EEXISTS", Outcome::Ok),
    (0x03, "E2BIG", Outcome::ClientError),
    (0x04, "EINVAL", Outcome::ClientError),
    (0x05, "NOT_STORED", Outcome::Ok),
    (0x06, "DELTA_BADVAL", Outcome::ClientError),
    (0x07, "NOT_MY_VBUCKET", Outcome::Ok),
    (0x08, "NO_BUCKET", Outcome::ClientError),
    (0x1f, "AUTH_STALE", Outcome::ClientError),
    (0x20, "AUTH_ERROR", Outcome::ClientError),
    (0x21, "AUTH_CONTINUE", Outcome::Ok),
    (0x22, "ERANGE", Outcome::ClientError),
    (0x24, "EACCESS", Outcome::ClientError),
    (0x81, "UNKNOWN_COMMAND", Outcome::ClientError),
    (0x82, "ENOMEM", Outcome::ServerError),
    (0x83, "NOT_SUPPORTED", Outcome::ClientError),
    (0x84, "EINTERNAL", Outcome::ServerError),
    (0x85, "EBUSY", Outcome::ServerError),
    (0x86, "ETMPFAIL", Outcome::ServerError),
];

/// A header with its key.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head<'a> {
    pub(super) opcode: u8,
    pub(super) status: u16,
    pub(super) opaque: u32,
    pub(super) key: &'a [u8],
    /// Bytes of the body.
    pub(super) body: usize,
}

fn operation(opcode: u8) -> Option<&'static (u8, &'static str, usize, bool)> {
    OPERATIONS.iter().find(|operation| operation.0 == opcode)
}

/// A message's header and key; `usize` is how many bytes they are. `magic` is what it must begin with.
pub(super) fn head(bytes: &[u8], magic: u8) -> Parsed<Head<'_>> {
    let Some(&first) = bytes.first() else { return Parsed::More };
    if first != magic {
        return Parsed::Bad;
    }
    let Some(header) = bytes.first_chunk::<HEADER>() else { return Parsed::More };
    let [_, opcode, key1, key2, extras, kind, status1, status2, b1, b2, b3, b4, o1, o2, o3, o4, ..] = *header;
    let key = usize::from(u16::from_be_bytes([key1, key2]));
    let (extras, body) = (usize::from(extras), u32::from_be_bytes([b1, b2, b3, b4]) as usize);
    if kind != 0 || key > LONGEST_KEY || extras > MOST_EXTRAS || key + extras > body || body > MOST_BODY {
        return Parsed::Bad;
    }
    let end = HEADER + extras + key;
    let Some(key) = bytes.get(HEADER + extras..end) else { return Parsed::More };
    let head = Head {
        opcode,
        status: u16::from_be_bytes([status1, status2]),
        opaque: u32::from_be_bytes([o1, o2, o3, o4]),
        key,
        body,
    };
    Parsed::Whole(head, end)
}

/// Whether bytes begin with a request (or response) as strictly as the table has it; `None` for too few.
pub(super) fn looks_like(bytes: &[u8], magic: u8) -> Option<bool> {
    let Some(header) = bytes.first_chunk::<HEADER>() else {
        return (bytes.first() != Some(&magic)).then_some(false);
    };
    if header[0] != magic {
        return Some(false);
    }
    let Some(&(opcode, _, extras, _)) = operation(header[1]) else { return Some(false) };
    let fits = match magic {
        // The delay of a flush may be left out.
        ASKS => usize::from(header[4]) == extras || (FLUSHES.contains(&opcode) && header[4] == 0),
        _ => header[4] <= 8 && STATUSES.iter().any(|status| status.0.to_be_bytes() == header[6..8]),
    };
    Some(fits && !matches!(head(bytes, magic), Parsed::Bad))
}

impl Asked {
    pub(super) fn binary(head: &Head<'_>, track: Track) -> Self {
        let known = operation(head.opcode);
        let name =
            known.map_or_else(|| Cow::Owned(format!("opcode {}", head.opcode)), |known| known.1.into());
        let mut asked = Self::new(name.into_owned(), track);
        asked.key(head.key);
        asked.quiet = known.is_some_and(|known| known.3);
        asked.binary = Some((head.opcode, head.opaque));
        if head.opcode == NOOP {
            asked.kind = Kind::Probe;
        }
        asked
    }
}

impl Reply {
    pub(super) fn binary(head: &Head<'_>, track: Track) -> Self {
        let mut reply = Self::new(track);
        let known = STATUSES.iter().find(|status| status.0 == head.status);
        (reply.status, reply.outcome) = match known {
            Some((_, name, outcome)) => ((*name).to_owned(), *outcome),
            None => (format!("0x{:04x}", head.status), Outcome::ServerError),
        };
        reply.code = Some(head.status);
        reply.binary = Some((head.opcode, head.opaque));
        if head.status == 1 {
            reply.rows = Some(0);
        }
        if reply.outcome != Outcome::Ok {
            reply.error = Some(reply.status.clone());
        }
        reply
    }
}
