//! The log: records of rows that no file holds yet, synced before an append returns.
//!
//! A log begins with eight bytes that name its form. A record is its length, its CRC-32, how much of the log was synced
//! before it was written, and its body; a body is a header in JSON and the columns of each table as an Arrow stream.
//! Reading stops at the first record that is cut or does not match its sum. If a later one says that it had been
//! synced, the log is damaged and the error names it; else its writer died before it was acknowledged. A log that ends
//! so is never written to again; the next one begins.

use std::io::{Cursor, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use arrow::array::RecordBatch;
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;
use serde::{Deserialize, Serialize};
use wirewise_redact::CaptureInfo;

use crate::disk::{Disk, DiskFile};
use crate::error::StoreError;
use crate::rows::Columns;
use crate::tables::Table;

const MAGIC: &[u8; 8] = b"WWLOG\x00\x00\x02";
/// What its last byte may be in a log that an older or a newer version wrote.
const FORMS: std::ops::RangeInclusive<u8> = 1..=15;
/// Bytes of one record; a longer one is not written, and one that claims to be is not read.
const MOST: usize = 1 << 30;
/// Length, sum, and how much of the log was synced before this record was written.
const FRAME: usize = 16;
/// What a header begins with.
const HEADER: &[u8] = b"{\"dataset\":";

/// What a record says besides its rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Header {
    pub(crate) dataset: String,
    pub(crate) capture: CaptureInfo,
    /// Epoch and sequence of a batch; `None` for news of a capture alone.
    pub(crate) place: Option<(u64, u64)>,
}

/// A record as it goes to the log: header, columns and the bytes of both.
pub(crate) struct Entry {
    pub(crate) header: Header,
    pub(crate) columns: Columns,
    pub(crate) bytes: Vec<u8>,
}

/// Memory of records that are written, for those to come: fresh memory is cleared by the kernel page by page, which
/// costs more than to fill it.
#[derive(Debug, Default)]
pub(crate) struct Buffers(Mutex<Vec<Vec<u8>>>);

impl Buffers {
    /// So many are kept; one of them was as large as a batch of an agent.
    const MOST: usize = 4;
    /// One that became larger is given back.
    const LARGEST: usize = 32 << 20;

    /// An empty buffer.
    pub(crate) fn take(&self) -> Vec<u8> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default()
    }

    /// Takes back what is needed no more.
    pub(crate) fn give(&self, mut bytes: Vec<u8>) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < Self::MOST && bytes.capacity() <= Self::LARGEST {
            bytes.clear();
            kept.push(bytes);
        }
    }
}

impl Entry {
    /// Frames a record into an empty buffer.
    pub(crate) fn encode(header: Header, columns: Columns, mut bytes: Vec<u8>) -> Result<Self, StoreError> {
        let internal =
            |error: &dyn std::fmt::Display| StoreError::Internal(format!("record of the log: {error}"));
        let size: usize = columns.iter().map(|(_, batch)| batch.get_array_memory_size()).sum();
        bytes.reserve(size + 16 * 1024);
        bytes.extend_from_slice(&[0; FRAME]);
        let text = serde_json::to_vec(&header).map_err(|error| internal(&error))?;
        bytes.extend_from_slice(&length(text.len())?);
        bytes.extend_from_slice(&text);
        for (table, batch) in &columns {
            bytes.push(Table::ALL.iter().position(|known| known == table).expect("it is one of them") as u8);
            let at = bytes.len();
            bytes.extend_from_slice(&[0; 4]);
            let mut writer =
                StreamWriter::try_new(&mut bytes, &batch.schema()).map_err(|error| internal(&error))?;
            writer.write(batch).and_then(|()| writer.finish()).map_err(|error| internal(&error))?;
            drop(writer);
            let len = length(bytes.len() - at - 4)?;
            bytes[at..at + 4].copy_from_slice(&len);
        }
        let len = length(bytes.len() - FRAME)?;
        // Of the body alone: the log adds the rest when it knows its place.
        let sum = crc32fast::hash(&bytes[FRAME..]);
        bytes[..4].copy_from_slice(&len);
        bytes[4..8].copy_from_slice(&sum.to_le_bytes());
        Ok(Self { header, columns, bytes })
    }

    fn decode(body: &[u8]) -> Option<(Header, Columns)> {
        let mut rest = body;
        let header = serde_json::from_slice(take(&mut rest)?).ok()?;
        let mut columns = Columns::new();
        while let Some((&table, after)) = rest.split_first() {
            rest = after;
            let table = *Table::ALL.get(usize::from(table))?;
            let reader = StreamReader::try_new(Cursor::new(take(&mut rest)?), None).ok()?;
            for batch in reader {
                columns.push((table, conform(table, &batch.ok()?)?));
            }
        }
        Some((header, columns))
    }
}

/// The columns of today's schema; those that an older version did not write are null.
fn conform(table: Table, batch: &RecordBatch) -> Option<RecordBatch> {
    let schema = table.stored_schema();
    if batch.schema_ref().fields() == schema.fields() {
        return Some(batch.clone());
    }
    let columns = schema
        .fields()
        .iter()
        .map(|field| {
            let found = batch.column_by_name(field.name()).cloned();
            found.unwrap_or_else(|| arrow::array::new_null_array(field.data_type(), batch.num_rows()))
        })
        .collect();
    RecordBatch::try_new(schema, columns).ok()
}

fn length(bytes: usize) -> Result<[u8; 4], StoreError> {
    match u32::try_from(bytes) {
        Ok(len) if bytes <= MOST => Ok(len.to_le_bytes()),
        _ => Err(StoreError::BadBatch(format!("a batch of {bytes} bytes is over {MOST}: send smaller ones"))),
    }
}

fn take<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (len, after) = rest.split_first_chunk::<4>()?;
    let (taken, after) = after.split_at_checked(u32::from_le_bytes(*len) as usize)?;
    *rest = after;
    Some(taken)
}

/// The directory of the logs.
pub(crate) fn directory(dir: &Path) -> PathBuf {
    dir.join("log")
}

/// The logs that exist, by number.
pub(crate) fn list(dir: &Path) -> Result<Vec<(u64, PathBuf)>, StoreError> {
    let logs = directory(dir);
    let entries = match std::fs::read_dir(&logs) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(StoreError::io("cannot list", &logs, error)),
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.map_err(|error| StoreError::io("cannot list", &logs, error))?.path();
        if path.extension().is_some_and(|extension| extension == "log")
            && let Some(number) =
                path.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.parse().ok())
        {
            found.push((number, path));
        }
    }
    found.sort_unstable();
    Ok(found)
}

/// Reads the records of a log in order. Returns how many bytes at its end were no record.
pub(crate) fn replay(path: &Path, mut on: impl FnMut(Header, Columns)) -> Result<u64, StoreError> {
    let error = |error| StoreError::io("cannot read", path, error);
    let mut file = std::io::BufReader::with_capacity(1 << 20, std::fs::File::open(path).map_err(error)?);
    let len = file.get_ref().metadata().map_err(error)?.len();
    let mut magic = [0; MAGIC.len()];
    if file.read_exact(&mut magic).is_err() || magic != *MAGIC {
        find_loss(path, 0)?;
        // Forms are counted from 1. Zeros, or anything, are what a power cut leaves of bytes that never came to the disk.
        if magic[..7] == MAGIC[..7] && FORMS.contains(&magic[7]) {
            return Err(StoreError::Unreadable {
                path: path.to_owned(),
                why: "it has an unknown form".into(),
            });
        }
        return Ok(len);
    }
    let mut good = MAGIC.len() as u64;
    let mut bytes = [0; FRAME];
    while file.read_exact(&mut bytes).is_ok() {
        let frame = Frame::parse(bytes);
        if frame.size > MOST as u64 || frame.size > len - good {
            break;
        }
        let mut body = vec![0; frame.size as usize];
        if file.read_exact(&mut body).is_err() || !frame.matches(&body) {
            break;
        }
        // The sum holds, so we wrote it; what cannot be read then was written by another version.
        let Some((header, columns)) = Entry::decode(&body) else {
            return Err(StoreError::Unreadable {
                path: path.to_owned(),
                why: "a record has an unknown form".into(),
            });
        };
        on(header, columns);
        good += FRAME as u64 + frame.size;
    }
    if good < len {
        find_loss(path, good)?;
    }
    Ok(len - good)
}

/// What stands before the body of a record.
struct Frame {
    size: u64,
    sum: u32,
    synced: u64,
}

impl Frame {
    fn parse(bytes: [u8; FRAME]) -> Self {
        let [a, b, c, d, e, f, g, h, synced @ ..] = bytes;
        Self {
            size: u64::from(u32::from_le_bytes([a, b, c, d])),
            sum: u32::from_le_bytes([e, f, g, h]),
            synced: u64::from_le_bytes(synced),
        }
    }

    fn matches(&self, body: &[u8]) -> bool {
        with_place(crc32fast::hash(body), self.synced) == self.sum
    }
}

/// The sum of a body and of how much was synced before it.
fn with_place(sum: u32, synced: u64) -> u32 {
    let mut hasher = crc32fast::Hasher::new_with_initial(sum);
    hasher.update(&synced.to_le_bytes());
    hasher.finalize()
}

/// Fails where a record behind the first bad one says that what is bad had been synced: that is damage, and no end of
/// a log that was cut.
fn find_loss(path: &Path, good: u64) -> Result<(), StoreError> {
    let bytes = std::fs::read(path).map_err(|error| StoreError::io("cannot read", path, error))?;
    let rest = bytes.get(good as usize..).unwrap_or_default();
    for (at, _) in rest.windows(HEADER.len()).enumerate().filter(|(_, window)| *window == HEADER) {
        let Some(frame) = at.checked_sub(FRAME + 4).and_then(|start| rest[start..].first_chunk()) else {
            continue;
        };
        let frame = Frame::parse(*frame);
        let body = rest[at - 4..].get(..frame.size as usize);
        if frame.synced > good && body.is_some_and(|body| frame.matches(body)) {
            let why =
                format!("it is damaged at byte {good}, and records that were acknowledged are lost there");
            return Err(StoreError::Unreadable { path: path.to_owned(), why });
        }
    }
    Ok(())
}

/// The log that is being written.
pub(crate) struct Log {
    disk: Disk,
    dir: PathBuf,
    /// The number of the next log to be begun.
    next: u64,
    file: Option<DiskFile>,
    synced: u64,
}

impl Log {
    /// A log whose first file, begun with the first record, takes the number `next`.
    pub(crate) fn new(disk: Disk, dir: &Path, next: u64) -> Self {
        Self { disk, dir: dir.to_owned(), next, file: None, synced: 0 }
    }

    /// Writes the records and syncs them. After an error none of them is in the log.
    pub(crate) fn append<'a>(
        &mut self,
        mut records: impl Iterator<Item = &'a mut [u8]>,
    ) -> Result<(), StoreError> {
        let mut file = match self.file.take() {
            Some(file) => file,
            None => self.begin()?,
        };
        let synced = self.synced;
        let place = |bytes: &mut [u8]| {
            if let Some([_, _, _, _, sum @ .., _, _, _, _, _, _, _, _]) = bytes.first_chunk_mut::<FRAME>() {
                *sum = with_place(u32::from_le_bytes(*sum), synced).to_le_bytes();
                bytes[8..FRAME].copy_from_slice(&synced.to_le_bytes());
            }
        };
        let written = records
            .try_for_each(|bytes| {
                place(bytes);
                file.write_all(bytes)
            })
            .and_then(|()| file.sync());
        let error = match written {
            Ok(()) => {
                self.synced = file.len();
                self.file = Some(file);
                return Ok(());
            }
            Err(error) => error,
        };
        let path = file.path().to_owned();
        // What may be there of the refused records must not come back. If it cannot be cut off, the next record goes
        // to a new log: reading stops at the first record that is not whole, and a whole one that comes back is
        // told by its sequence.
        if file.cut(self.synced).and_then(|()| file.sync()).is_ok() {
            self.file = Some(file);
        }
        Err(StoreError::write(&self.dir, "cannot write to", &path, error))
    }

    fn begin(&mut self) -> Result<DiskFile, StoreError> {
        let logs = directory(&self.dir);
        let path = logs.join(format!("{:010}.log", self.next));
        let begun = (|| {
            self.disk.create_dirs(&logs)?;
            let mut file = self.disk.create(&path)?;
            file.write_all(MAGIC)?;
            file.sync()?;
            self.disk.sync_dir(&logs)?;
            Ok(file)
        })();
        let file = begun.map_err(|error| StoreError::write(&self.dir, "cannot begin", &path, error))?;
        self.next += 1;
        self.synced = file.len();
        Ok(file)
    }

    /// Ends the current file. All records so far stand in logs below the number that is returned.
    pub(crate) fn rotate(&mut self) -> u64 {
        self.file = None;
        self.next
    }
}
