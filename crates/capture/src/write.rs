//! Frames as a pcapng file that any tool opens: one section, an interface for each (interface, link type)
//! pair, enhanced packet blocks in nanoseconds, each with its original number as a comment.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use wirewise_model::{Direction, Frame, InterfaceId, LinkType};

use crate::CaptureError;

/// Writes frames, in the order given. Times before 1970 are written as 1970, since the format has no sign.
pub fn write_pcapng<'a, W: Write>(
    out: &mut W,
    frames: impl IntoIterator<Item = Frame<'a>>,
) -> Result<(), CaptureError> {
    write(out, frames).map_err(CaptureError::Write)
}

/// Writes frames to a new file, whose directory must exist. An existing file is replaced.
pub fn write_pcapng_file<'a>(
    path: &Path,
    frames: impl IntoIterator<Item = Frame<'a>>,
) -> Result<(), CaptureError> {
    let file = File::create(path).map_err(|source| CaptureError::Open { path: path.to_owned(), source })?;
    let mut out = BufWriter::new(file);
    write_pcapng(&mut out, frames)?;
    out.flush().map_err(CaptureError::Write)
}

fn write<'a>(out: &mut impl Write, frames: impl IntoIterator<Item = Frame<'a>>) -> io::Result<()> {
    let mut section = Vec::new();
    section.extend(0x1a2b_3c4d_u32.to_le_bytes());
    section.extend(1u16.to_le_bytes());
    section.extend(0u16.to_le_bytes());
    section.extend(u64::MAX.to_le_bytes());
    option(&mut section, 4, b"wirewise");
    option(&mut section, 0, b"");
    block(out, 0x0a0d_0d0a, &section)?;

    let mut interfaces: Vec<(InterfaceId, LinkType)> = Vec::new();
    for frame in frames {
        let key = (frame.interface, frame.link);
        let known = interfaces.iter().position(|&interface| interface == key);
        let id = match known {
            Some(id) => id,
            None => {
                write_interface(out, frame.link)?;
                interfaces.push(key);
                interfaces.len() - 1
            }
        };
        write_packet(out, id as u32, &frame)?;
    }
    Ok(())
}

fn write_interface(out: &mut impl Write, link: LinkType) -> io::Result<()> {
    let mut body = Vec::new();
    body.extend(link.0.to_le_bytes());
    body.extend(0u16.to_le_bytes());
    body.extend(0u32.to_le_bytes());
    option(&mut body, 9, &[9]);
    option(&mut body, 0, b"");
    block(out, 1, &body)
}

fn write_packet(out: &mut impl Write, interface: u32, frame: &Frame<'_>) -> io::Result<()> {
    let nanos = u64::try_from(frame.at.nanos()).unwrap_or(0);
    let captured = u32::try_from(frame.bytes.len()).map_err(io::Error::other)?;
    let mut body = Vec::with_capacity(frame.bytes.len() + 96);
    body.extend(interface.to_le_bytes());
    body.extend(((nanos >> 32) as u32).to_le_bytes());
    body.extend((nanos as u32).to_le_bytes());
    body.extend(captured.to_le_bytes());
    body.extend(frame.original_len.max(captured).to_le_bytes());
    body.extend(frame.bytes);
    pad(&mut body);
    let direction: u32 = match frame.direction {
        Direction::Unknown => 0,
        Direction::In => 1,
        Direction::Out => 2,
    };
    if direction != 0 {
        option(&mut body, 2, &direction.to_le_bytes());
    }
    option(&mut body, 1, format!("packet {} of the capture", frame.number.0).as_bytes());
    option(&mut body, 0, b"");
    block(out, 6, &body)
}

fn block(out: &mut impl Write, kind: u32, body: &[u8]) -> io::Result<()> {
    let length = u32::try_from(body.len() + 12).map_err(io::Error::other)?;
    out.write_all(&kind.to_le_bytes())?;
    out.write_all(&length.to_le_bytes())?;
    out.write_all(body)?;
    out.write_all(&length.to_le_bytes())
}

fn option(body: &mut Vec<u8>, code: u16, value: &[u8]) {
    body.extend(code.to_le_bytes());
    body.extend((value.len() as u16).to_le_bytes());
    body.extend(value);
    pad(body);
}

fn pad(body: &mut Vec<u8>) {
    body.resize(body.len().next_multiple_of(4), 0);
}
