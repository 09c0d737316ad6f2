//! Capture files as a stream of frames, in bounded memory: pcap and pcapng, plain or gzipped.
//!
//! A file is read twice. The first pass makes its SHA-256, which names the capture and so must be known
//! before a call gets its id, and finds the names that a pcapng may carry behind its packets. The second
//! hands out frames. What is cut or damaged ends the file there: a warning, a line in the books, no error.

mod bytes;
mod pcap;
mod pcapng;
#[cfg(test)]
mod tests;
mod window;

use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use wirewise_model::{
    Books, CaptureId, Direction, Frame, InterfaceId, LinkType, PacketNumber, Reason, Stage, Timestamp,
};

use crate::{CaptureError, FrameSource};
pub use pcapng::NameRecord;
use window::{Input, Raw, Stop, Window};

/// The longest frame: `MAXIMUM_SNAPLEN` of libpcap and the bound of Wireshark. A pcapng block that holds a
/// longer one is passed over and counted; in a pcap a longer record means that the place was lost.
pub const MAX_FRAME_BYTES: usize = 256 << 10;

const TRUNCATED_TAIL: Reason = Reason::loss("truncated_tail");
const GARBAGE: Reason = Reason::loss("garbage");
const OVERSIZED: Reason = Reason::loss("oversized");
const UNKNOWN_INTERFACE: Reason = Reason::loss("unknown_interface");
const NO_PACKET: Reason = Reason::skip("not_a_packet");
const WRITER_DROP: Reason = Reason::loss("dropped_by_writer");

/// Warnings that are kept in words; all are counted in the books.
const MAX_WARNINGS: usize = 32;

const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Where a frame lies in the window, and what its header says.
#[derive(Clone, Copy, Debug)]
struct Spot {
    /// `None` where the format has no time for it.
    at: Option<Timestamp>,
    interface: InterfaceId,
    link: LinkType,
    direction: Direction,
    from: usize,
    captured: usize,
    original_len: u32,
    /// Bytes of the window that it takes with its headers.
    total: usize,
}

/// What a reader found next.
enum Step {
    Frame(Spot),
    /// Something that is no packet, consumed.
    Again,
    /// A record with a number that is no packet, consumed.
    NoPacket,
    /// A packet block longer than the window, consumed.
    Oversized,
    /// A packet longer than any frame, in a block of so many bytes.
    TooLong(usize),
    /// A packet of an interface that was not described, in a block of so many bytes.
    UnknownInterface(usize),
    Stop(Stop),
}

enum Format {
    Pcap(pcap::Pcap),
    Pcapng(pcapng::Pcapng),
}

/// A capture file.
///
/// ```no_run
/// use wirewise_capture::{FileSource, FrameSource};
///
/// let mut source = FileSource::open("trace.pcapng".as_ref())?;
/// while let Some(frame) = source.next()? {
///     assert!(frame.bytes.len() <= frame.original_len as usize);
/// }
/// # Ok::<(), wirewise_capture::CaptureError>(())
/// ```
pub struct FileSource {
    path: PathBuf,
    digest: String,
    length: u64,
    done: Arc<AtomicU64>,
    names: Vec<NameRecord>,
    format: Format,
    window: Window,
    /// What the frame handed out last takes of the window.
    pending: usize,
    number: u64,
    last_at: Timestamp,
    cut_frames: u64,
    ended: bool,
    books: Books,
    warnings: Vec<String>,
}

impl FileSource {
    /// Opens a file, makes its digest and finds its names. Costs a pass over the file.
    pub fn open(path: &Path) -> Result<Self, CaptureError> {
        let (mut file, length) = open_file(path)?;
        let done = Arc::new(AtomicU64::new(0));
        let read_error = |source| CaptureError::Read {
            path: path.to_owned(),
            offset: done.load(Ordering::Relaxed),
            source,
        };
        let (mut format, mut window) = begin(path, &mut file, length, Arc::clone(&done), true)?;
        let mut warnings = Vec::new();
        let mut names = Vec::new();
        if let Format::Pcapng(reader) = &mut format {
            scan(reader, &mut window).map_err(read_error)?;
            names = std::mem::take(&mut reader.names);
            if reader.names_omitted > 0 {
                warnings.push(format!(
                    "{} names past the first {} were passed over",
                    reader.names_omitted,
                    names.len()
                ));
            }
        }
        let digest = window.into_input().into_raw().into_digest().map_err(read_error)?;
        done.store(0, Ordering::Relaxed);
        let (format, window) = begin(path, &mut file, length, Arc::clone(&done), false)?;
        Ok(Self {
            path: path.to_owned(),
            digest,
            length,
            done,
            names,
            format,
            window,
            pending: 0,
            number: 0,
            last_at: Timestamp::from_nanos(0),
            cut_frames: 0,
            ended: false,
            books: Books::new(Stage::Capture),
            warnings,
        })
    }

    /// SHA-256 of the file's bytes, 64 digits of lower-case hexadecimal.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// The capture's id: the first 32 digits of the digest.
    pub fn capture_id(&self) -> CaptureId {
        capture_id(&self.digest)
    }

    /// The names of all name resolution blocks, wherever they stand in the file.
    pub fn names(&self) -> &[NameRecord] {
        &self.names
    }

    /// Bytes of the file that were read, and how many there are.
    pub fn progress(&self) -> (u64, u64) {
        (self.done.load(Ordering::Relaxed), self.length)
    }

    /// Frames of which a snap length cut the tail. They were handed on; what is missing of them is a gap.
    pub fn cut_frames(&self) -> u64 {
        self.cut_frames
    }

    /// What was wrong with the file, in words.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    fn warn(&mut self, warning: String) {
        if self.warnings.len() < MAX_WARNINGS {
            self.warnings.push(warning);
        }
    }

    /// Goes to the next frame; `None` at the end.
    #[inline]
    fn advance(&mut self) -> Result<Option<Spot>, CaptureError> {
        self.window.consume(std::mem::take(&mut self.pending));
        while !self.ended {
            let step = match &mut self.format {
                Format::Pcap(reader) => reader.advance(&mut self.window),
                Format::Pcapng(reader) => reader.advance(&mut self.window),
            };
            let step = step.map_err(|source| CaptureError::Read {
                path: self.path.clone(),
                offset: self.done.load(Ordering::Relaxed),
                source,
            })?;
            if let Step::Frame(spot) = step {
                self.pending = spot.total;
                self.number += 1;
                self.books.take(1);
                self.books.pass(1);
                return Ok(Some(spot));
            }
            self.other(step);
        }
        Ok(None)
    }

    #[cold]
    fn other(&mut self, step: Step) {
        if let Format::Pcapng(reader) = &mut self.format {
            reader.names.clear();
            let dropped = std::mem::take(&mut reader.writer_dropped);
            self.books.take(dropped);
            self.books.drop(WRITER_DROP, dropped);
        }
        match step {
            Step::Frame(_) | Step::Again => {}
            Step::NoPacket => {
                self.number += 1;
                self.books.take(1);
                self.books.drop(NO_PACKET, 1);
            }
            Step::Oversized => self.refuse(OVERSIZED, 0, "is longer than any frame"),
            Step::TooLong(total) => self.refuse(OVERSIZED, total, "is longer than any frame"),
            Step::UnknownInterface(total) => {
                self.refuse(UNKNOWN_INTERFACE, total, "names an interface that the file does not describe");
            }
            Step::Stop(stop) => self.stop(stop),
        }
    }

    /// A packet that has a number and cannot be handed on.
    fn refuse(&mut self, reason: Reason, total: usize, why: &str) {
        self.number += 1;
        self.window.consume(total);
        self.books.take(1);
        self.books.drop(reason, 1);
        self.warn(format!("packet {} {why}", self.number));
    }

    fn stop(&mut self, stop: Stop) {
        self.ended = true;
        let (reason, why) = match stop {
            Stop::End => return,
            Stop::Cut => (TRUNCATED_TAIL, "the file ends within a packet or block"),
            Stop::Garbage(why) => (GARBAGE, why),
        };
        // At least one frame is missing; nobody can tell how many.
        self.books.take(1);
        self.books.drop(reason, 1);
        let (after, offset) = (self.number, self.window.offset());
        self.warn(format!(
            "{}: {why}, after packet {after}, at byte {offset}; the rest was not read",
            reason.name
        ));
    }
}

impl FrameSource for FileSource {
    #[inline]
    fn next(&mut self) -> Result<Option<Frame<'_>>, CaptureError> {
        let Some(spot) = self.advance()? else { return Ok(None) };
        // A simple packet block has no time: it came right after the packet before it.
        let at = spot.at.unwrap_or(self.last_at);
        self.last_at = at;
        let bytes = &self.window.bytes()[spot.from..spot.from + spot.captured];
        let original_len = spot.original_len.max(spot.captured as u32);
        if (original_len as usize) > bytes.len() {
            self.cut_frames += 1;
        }
        Ok(Some(Frame {
            at,
            interface: spot.interface,
            number: PacketNumber(self.number),
            link: spot.link,
            direction: spot.direction,
            bytes,
            original_len,
        }))
    }

    fn books(&self) -> Books {
        self.books.clone()
    }
}

/// The id of the capture that has this digest.
pub fn capture_id(digest: &str) -> CaptureId {
    CaptureId(digest.chars().take(32).collect())
}

/// SHA-256 of a file's bytes in hexadecimal.
pub(crate) fn digest_of(path: &Path) -> Result<String, CaptureError> {
    let (file, length) = open_file(path)?;
    let done = Arc::new(AtomicU64::new(0));
    Raw::new(file, length, Arc::clone(&done), true).into_digest().map_err(|source| CaptureError::Read {
        path: path.to_owned(),
        offset: done.load(Ordering::Relaxed),
        source,
    })
}

fn open_file(path: &Path) -> Result<(File, u64), CaptureError> {
    let open_error = |source| CaptureError::Open { path: path.to_owned(), source };
    // Looked at before it is opened: opening a pipe would wait for its writer.
    let metadata = std::fs::metadata(path).map_err(open_error)?;
    if !metadata.is_file() {
        let found = if metadata.is_dir() { "a directory" } else { "a pipe, socket or device" };
        return Err(CaptureError::NotAFile { path: path.to_owned(), found });
    }
    let file = File::open(path).map_err(open_error)?;
    let length = file.metadata().map_err(open_error)?.len();
    if length == 0 {
        return Err(CaptureError::Empty { path: path.to_owned() });
    }
    Ok((file, length))
}

/// Starts a pass: tells the format, and leaves the window at its first record or block.
fn begin(
    path: &Path,
    file: &mut File,
    length: u64,
    done: Arc<AtomicU64>,
    hashed: bool,
) -> Result<(Format, Window), CaptureError> {
    let read_error = |source| CaptureError::Read { path: path.to_owned(), offset: 0, source };
    let not_a_capture = |found: String| CaptureError::NotACapture { path: path.to_owned(), found };
    let mut first = [0; 2];
    file.rewind().map_err(read_error)?;
    let gzipped = file.read_exact(&mut first).is_ok() && first == GZIP;
    file.rewind().map_err(read_error)?;
    let raw = Raw::new(file.try_clone().map_err(read_error)?, length, done, hashed);
    let mut window = Window::new(if gzipped { Input::gzip(raw) } else { Input::Plain(raw) });
    let inside = if gzipped { "the gzip holds" } else { "it holds" };
    if !window.have(4).map_err(read_error)? {
        return Err(not_a_capture(format!("{inside} only {} bytes that can be read", window.bytes().len())));
    }
    let bytes = window.bytes();
    let magic = [bytes[0], bytes[1], bytes[2], bytes[3]];
    if u32::from_be_bytes(magic) == pcapng::SECTION {
        // A section of less than 28 bytes is no section.
        if !window.have(28).map_err(read_error)? {
            return Err(not_a_capture(format!("{inside} a pcapng that ends within its first block")));
        }
        return Ok((Format::Pcapng(pcapng::Pcapng::new()), window));
    }
    if pcap::Pcap::magic(magic).is_none() {
        return Err(not_a_capture(format!(
            "{inside} something that begins with bytes {}",
            hex::encode(magic)
        )));
    }
    let reader = match window.have(pcap::HEADER_BYTES).map_err(read_error)? {
        true => window.bytes().first_chunk().and_then(pcap::Pcap::parse),
        false => None,
    };
    let reader =
        reader.ok_or_else(|| not_a_capture(format!("{inside} a pcap that ends within its header")))?;
    window.consume(pcap::HEADER_BYTES);
    Ok((Format::Pcap(reader), window))
}

/// Reads a pcapng to its end for the names in it.
fn scan(reader: &mut pcapng::Pcapng, window: &mut Window) -> io::Result<()> {
    loop {
        match reader.advance(window)? {
            Step::Frame(Spot { total, .. }) | Step::TooLong(total) | Step::UnknownInterface(total) => {
                window.consume(total);
            }
            Step::Again | Step::NoPacket | Step::Oversized => {}
            Step::Stop(_) => return Ok(()),
        }
    }
}
