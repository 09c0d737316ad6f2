//! Bombs: conversations that ask for much more memory or work than they cost their sender. Each is played to a session as
//! the pipeline does it; what is held above what was held before stays under 64 MiB at every moment, and what was not kept is
//! counted: by a note on the call, or under a reason in the books.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test may fail, and prints its table")]

#[path = "bombs/binary.rs"]
mod binary;
#[path = "bombs/coded.rs"]
mod coded;
#[path = "bombs/http.rs"]
mod http;
#[path = "bombs/texts.rs"]
mod texts;

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use peak_alloc::PeakAlloc;
use wirewise_dissect::{Datagram, End, Out, Session, SessionStart, Switchboard};
use wirewise_model::{Limits, Mark, PacketNumber, Side, Timestamp, Transport};

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// Memory is counted for the whole process, so that one test runs at a time, from before it makes what it says.
static ALONE: Mutex<()> = Mutex::new(());

/// The turn of one test.
struct Alone(#[expect(dead_code, reason = "held")] MutexGuard<'static, ()>);

/// What a flow may hold.
const MOST_HELD: usize = 64 << 20;
/// Bytes of a segment.
const SEGMENT: usize = 1400;

/// A flow that is bombed. Exchanges are counted and dropped as they come, as they would be handed on.
struct Bombed {
    session: Session,
    board: Switchboard,
    out: Out,
    transport: Transport,
    ports: [u16; 2],
    packets: u64,
    before: usize,
    told: u64,
    notes: BTreeSet<String>,
    /// Who read it, at any time.
    readers: BTreeSet<&'static str>,
}

impl Bombed {
    fn over(transport: Transport, port: u16) -> Self {
        let ports = [40_000, port];
        let start = SessionStart { transport, ports, opener: Some(Side::A), mid_stream: false };
        MEMORY.reset_peak_usage();
        Self {
            before: MEMORY.current_usage(),
            session: Session::new(start),
            board: Switchboard::new(Limits::default()),
            out: Out::default(),
            transport,
            ports,
            packets: 0,
            told: 0,
            notes: BTreeSet::new(),
            readers: BTreeSet::new(),
        }
    }

    fn mark(&mut self) -> Mark {
        self.packets += 1;
        Mark { at: Timestamp::from_nanos(self.packets as i64 * 1000), packet: PacketNumber(self.packets) }
    }

    fn collect(&mut self) {
        self.readers.extend(self.session.protocol().map(|protocol| protocol.name));
        for mut exchange in self.out.exchanges.drain(..) {
            self.board.refine(&mut exchange);
            self.told += 1;
            self.notes.extend(exchange.notes.iter().map(|note| note.0.clone().into_owned()));
        }
    }

    fn say(&mut self, side: Side, bytes: &[u8]) {
        for segment in bytes.chunks(SEGMENT) {
            let mark = self.mark();
            self.session.bytes(side, segment, mark, &mut self.board, &mut self.out);
            self.collect();
        }
    }

    fn client(&mut self, bytes: impl AsRef<[u8]>) {
        self.say(Side::A, bytes.as_ref());
    }

    fn server(&mut self, bytes: impl AsRef<[u8]>) {
        self.say(Side::B, bytes.as_ref());
    }

    fn message(&mut self, side: Side, bytes: &[u8]) {
        let mark = self.mark();
        let Self { session, board, out, transport, ports, .. } = self;
        let (original_len, ordinal) = (bytes.len(), 0);
        let message = Datagram {
            side,
            bytes,
            original_len,
            mark,
            last: mark,
            ordinal,
            transport: *transport,
            ports: *ports,
        };
        session.message(message, board, out);
        self.collect();
    }

    /// Ends it: who read it, what was told, what was counted.
    fn end(mut self) -> Aftermath {
        let mut open = Out::default();
        self.session.open(&mut open);
        drop(open);
        let last = self.mark();
        self.session.end(None, End::CaptureEnded, last, &mut self.board, &mut self.out);
        self.collect();
        let peak = MEMORY.peak_usage().saturating_sub(self.before);
        let books = self.board.books();
        let dropped: u64 = books.reasons.values().sum();
        assert_eq!(books.taken_in, books.passed_on + dropped, "{books:?}");
        assert_eq!(self.board.switched_off().count(), 0, "it panicked");
        let mut counted = self.notes;
        counted.extend(books.reasons.keys().map(|reason| reason.name.to_owned()));
        Aftermath { readers: self.readers, peak, bytes: books.taken_in, told: self.told, counted }
    }
}

/// What is left of a flow.
struct Aftermath {
    readers: BTreeSet<&'static str>,
    peak: usize,
    bytes: u64,
    told: u64,
    /// Notes of the calls, and reasons in the books.
    counted: BTreeSet<String>,
}

impl Alone {
    fn wait() -> Self {
        Self(ALONE.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A bomb on a port, and the words under one of which what it asks for too much is counted: none, where all of it is read
    /// and no more of it kept than of anything else.
    #[track_caller]
    fn bomb(
        &self,
        name: &str,
        (transport, port): (Transport, u16),
        words: &[&str],
        play: impl FnOnce(&mut Bombed),
    ) {
        let mut bombed = Bombed::over(transport, port);
        play(&mut bombed);
        let Aftermath { readers, peak, bytes, told, counted } = bombed.end();
        println!("{name}: {readers:?}, {bytes} bytes, {} KiB at most, {told} calls, {counted:?}", peak >> 10);
        assert!(!readers.is_empty() || words.contains(&"unknown_protocol"), "{name}: nobody reads it");
        assert!(peak < MOST_HELD, "{name}: {} MiB were held", peak >> 20);
        assert!(
            words.is_empty() || words.iter().any(|word| counted.contains(*word)),
            "{name}: none of {words:?} in {counted:?}"
        );
    }
}
