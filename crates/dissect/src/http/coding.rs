//! Content and transfer codings undone as the bytes come, within the bomb limits.

use std::io::{self, Write};

use brotli_decompressor::DecompressorWriter;
use flate2::write::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use zstd::stream::write::Decoder as ZstdDecoder;

/// RFC 9659: a content coding's window is at most 8 MiB.
const ZSTD_WINDOW_LOG: u32 = 23;
/// Codings stacked deeper are not undone.
const DEEPEST: usize = 4;

/// A coding of RFC 9110, 8.4.1 or of the registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Coding {
    Gzip,
    Deflate,
    Brotli,
    Zstd,
    /// One that cannot be undone here.
    Unknown,
}

impl Coding {
    /// The coding of that name; `None` for `identity`, which is none.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        let is = |known: &str| name.eq_ignore_ascii_case(known);
        if is("identity") || name.is_empty() {
            None
        } else if is("gzip") || is("x-gzip") {
            Some(Self::Gzip)
        } else if is("deflate") || is("x-deflate") {
            Some(Self::Deflate)
        } else if is("br") {
            Some(Self::Brotli)
        } else if is("zstd") {
            Some(Self::Zstd)
        } else {
            Some(Self::Unknown)
        }
    }
}

impl Coding {
    /// About how many bytes undoing it holds: windows, of which the largest are rarely asked for.
    pub(crate) fn held(self) -> usize {
        match self {
            Self::Gzip | Self::Deflate => 64 << 10,
            Self::Brotli | Self::Zstd => 512 << 10,
            Self::Unknown => 0,
        }
    }
}

/// Where decoded bytes end up: the first of them are kept, the others counted, and all bounded.
#[derive(Debug, Default)]
pub(crate) struct Sink {
    pub(crate) kept: Vec<u8>,
    pub(crate) keep_most: usize,
    pub(crate) decoded: u64,
    /// How many may be decoded. Set before each write.
    pub(crate) allowed: u64,
    /// More came than that.
    pub(crate) over: bool,
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = self.allowed.saturating_sub(self.decoded);
        let take = bytes.len().min(usize::try_from(room).unwrap_or(usize::MAX));
        self.decoded += take as u64;
        let keep = take.min(self.keep_most.saturating_sub(self.kept.len()));
        self.kept.extend_from_slice(&bytes[..keep]);
        if take < bytes.len() {
            self.over = true;
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        Ok(take)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// One link of a chain of decoders that ends in a [`Sink`].
pub(crate) trait Stage: Write + Send {
    fn sink(&mut self) -> &mut Sink;
}

impl Stage for Sink {
    fn sink(&mut self) -> &mut Sink {
        self
    }
}

impl Stage for MultiGzDecoder<Box<dyn Stage>> {
    fn sink(&mut self) -> &mut Sink {
        self.get_mut().sink()
    }
}

impl Stage for DecompressorWriter<Insists> {
    fn sink(&mut self) -> &mut Sink {
        self.get_mut().0.sink()
    }
}

impl Stage for ZstdDecoder<'static, Box<dyn Stage>> {
    fn sink(&mut self) -> &mut Sink {
        self.get_mut().sink()
    }
}

/// What brotli's decoder writes to. It tries for ever where a writer takes nothing, as that of a deflate stream does
/// behind the stream's end.
struct Insists(Box<dyn Stage>);

impl Write for Insists {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.0.write(bytes)? {
            0 if !bytes.is_empty() => Err(io::ErrorKind::WriteZero.into()),
            taken => Ok(taken),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// "deflate" is zlib by RFC 9110, 8.4.1.2, and bare deflate by many who send it: the first two bytes tell.
enum Deflate {
    Unsure { first: Option<u8>, next: Option<Box<dyn Stage>> },
    Zlib(ZlibDecoder<Box<dyn Stage>>),
    Raw(DeflateDecoder<Box<dyn Stage>>),
}

impl Write for Deflate {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Zlib(decoder) => decoder.write(bytes),
            Self::Raw(decoder) => decoder.write(bytes),
            Self::Unsure { first, next } => {
                let (one, two) = match (*first, bytes) {
                    (Some(one), [two, ..]) => (one, *two),
                    (None, [one, two, ..]) => (*one, *two),
                    (None, [one]) => {
                        *first = Some(*one);
                        return Ok(1);
                    }
                    (_, []) => return Ok(0),
                };
                let held = *first;
                let Some(next) = next.take() else { return Err(io::ErrorKind::InvalidData.into()) };
                let zlib = one & 0x0f == 8 && (u16::from(one) << 8 | u16::from(two)) % 31 == 0;
                *self = if zlib {
                    Self::Zlib(ZlibDecoder::new(next))
                } else {
                    Self::Raw(DeflateDecoder::new(next))
                };
                if let Some(held) = held {
                    self.write_all(&[held])?;
                }
                self.write(bytes)
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Zlib(decoder) => decoder.flush(),
            Self::Raw(decoder) => decoder.flush(),
            Self::Unsure { .. } => Ok(()),
        }
    }
}

impl Stage for Deflate {
    fn sink(&mut self) -> &mut Sink {
        match self {
            Self::Zlib(decoder) => decoder.get_mut().sink(),
            Self::Raw(decoder) => decoder.get_mut().sink(),
            Self::Unsure { next, .. } => next.as_mut().expect("taken only where the variant changes").sink(),
        }
    }
}

/// A chain that undoes `codings`, which were applied in this order. `None` where one of them is not known.
pub(crate) fn chain(codings: &[Coding], sink: Sink) -> Result<Box<dyn Stage>, Sink> {
    if codings.len() > DEEPEST || codings.contains(&Coding::Unknown) {
        return Err(sink);
    }
    let mut stage: Box<dyn Stage> = Box::new(sink);
    for coding in codings {
        stage = match coding {
            Coding::Gzip => Box::new(MultiGzDecoder::new(stage)),
            Coding::Deflate => Box::new(Deflate::Unsure { first: None, next: Some(stage) }),
            Coding::Brotli => Box::new(DecompressorWriter::new(Insists(stage), 4096)),
            Coding::Zstd => match zstd(stage) {
                Ok(decoder) => Box::new(decoder),
                Err(_) => return Err(Sink::default()),
            },
            Coding::Unknown => stage,
        };
    }
    Ok(stage)
}

fn zstd(next: Box<dyn Stage>) -> io::Result<ZstdDecoder<'static, Box<dyn Stage>>> {
    let mut decoder = ZstdDecoder::new(next)?;
    decoder.window_log_max(ZSTD_WINDOW_LOG)?;
    Ok(decoder)
}
