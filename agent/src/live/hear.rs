//! The thread that hears: empties the kernel's rings, copies frames into chunks, and never waits for anybody.

use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError};
use std::time::{Duration, Instant};

use wirewise_capture::{CaptureError, Change, LiveSource};

use super::{Shared, WORKER_QUEUE_FULL, lock};
use crate::chunk::Chunk;

/// How long a quiet ring is waited for.
const QUIET: Duration = Duration::from_millis(50);
const SECOND: Duration = Duration::from_secs(1);

/// Hears until it is told to stop. Ends by dropping `chunks`, which tells the next thread.
pub(super) fn run(
    mut source: LiveSource,
    shared: &Shared,
    chunks: &SyncSender<Chunk>,
    empty: &Receiver<Chunk>,
) {
    let mut hearer = Hearer { chunks, empty, chunk: Chunk::default(), dropped: 0, closed: false };
    let mut next = Instant::now() + SECOND;
    while !shared.stop.load(Ordering::Relaxed) && !hearer.closed {
        if let Err(error) = hearer.listen(&mut source, QUIET) {
            shared.fail("cannot hear packets", &error);
            break;
        }
        if Instant::now() >= next {
            next = Instant::now() + SECOND;
            if let Err(error) = look_around(&mut source, shared, &hearer) {
                shared.fail("cannot look at the interfaces", &error);
            }
        }
    }
    // What the rings still hold was heard before the stop.
    while hearer.listen(&mut source, Duration::ZERO).is_ok_and(|count| count > 0) && !hearer.closed {}
    if let Err(error) = look_around(&mut source, shared, &hearer) {
        shared.fail("cannot read the last books", &error);
    }
}

struct Hearer<'a> {
    chunks: &'a SyncSender<Chunk>,
    empty: &'a Receiver<Chunk>,
    chunk: Chunk,
    dropped: u64,
    closed: bool,
}

impl Hearer<'_> {
    fn listen(&mut self, source: &mut LiveSource, timeout: Duration) -> Result<u64, CaptureError> {
        let count = source.hear(timeout, |frame| {
            self.chunk.push(&frame);
            if self.chunk.is_full() {
                self.hand_on();
            }
        })?;
        self.hand_on();
        Ok(count)
    }

    fn hand_on(&mut self) {
        if self.chunk.len() == 0 {
            return;
        }
        let next = self.empty.try_recv().unwrap_or_default();
        match self.chunks.try_send(std::mem::replace(&mut self.chunk, next)) {
            Ok(()) => {}
            Err(TrySendError::Full(mut chunk)) => {
                self.dropped += chunk.len() as u64;
                chunk.clear();
                self.chunk = chunk;
            }
            Err(TrySendError::Disconnected(chunk)) => {
                self.dropped += chunk.len() as u64;
                self.closed = true;
            }
        }
    }
}

/// Books, interfaces and addresses, once a second.
fn look_around(source: &mut LiveSource, shared: &Shared, hearer: &Hearer<'_>) -> Result<(), CaptureError> {
    let mut books = source.books()?;
    books.passed_on = books.passed_on.saturating_sub(hearer.dropped);
    books.drop(WORKER_QUEUE_FULL, hearer.dropped);
    *lock(&shared.heard) = books;
    for change in source.refresh()? {
        match change {
            Change::Up(link) => tracing::info!(interface = link.name, "interface is up"),
            Change::Down(link) => tracing::warn!(interface = link.name, "interface went down"),
            Change::Gone(link) => tracing::warn!(interface = link.name, "interface is gone"),
        }
    }
    lock(&shared.local).clone_from(source.local_addresses());
    let mut status = shared.status();
    status.interfaces = source.interfaces();
    status.freezes = source.freezes();
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::sync_channel;

    use wirewise_model::{Direction, Frame, InterfaceId, LinkType, PacketNumber, Timestamp};

    use super::*;

    #[test]
    fn a_full_queue_drops_frames_and_counts_them() {
        let (chunks, waiting) = sync_channel(1);
        let (_used, empty) = sync_channel(1);
        let mut hearer =
            Hearer { chunks: &chunks, empty: &empty, chunk: Chunk::default(), dropped: 0, closed: false };
        let hear = |hearer: &mut Hearer<'_>, count| {
            for n in 0..count {
                hearer.chunk.push(&Frame {
                    at: Timestamp::from_nanos(0),
                    interface: InterfaceId(1),
                    number: PacketNumber(n),
                    link: LinkType::ETHERNET,
                    direction: Direction::In,
                    bytes: b"frame",
                    original_len: 5,
                });
            }
            hearer.hand_on();
        };
        hear(&mut hearer, 3);
        hear(&mut hearer, 2);
        assert_eq!((hearer.dropped, waiting.try_recv().expect("the first").len()), (2, 3));
        hear(&mut hearer, 4);
        assert_eq!((hearer.dropped, waiting.try_recv().expect("room again").len()), (2, 4));
        drop(waiting);
        hear(&mut hearer, 1);
        assert_eq!((hearer.dropped, hearer.closed), (3, true));
    }
}
