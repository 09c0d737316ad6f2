//! Files that the tests make themselves, in every order, cut at every byte.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

use std::io::Write;

use wirewise_model::{LinkType, PacketNumber, Reason};

use super::*;
use crate::{OwnedFrame, extract, write_pcapng};

fn file(bytes: &[u8]) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    file
}

fn read(source: &mut FileSource) -> Vec<OwnedFrame> {
    let mut frames = Vec::new();
    while let Some(frame) = source.next().unwrap() {
        frames.push(OwnedFrame::from(frame));
    }
    frames
}

fn balanced(source: &FileSource) -> Books {
    let books = source.books();
    let mut ledger = wirewise_model::Ledger::default();
    ledger.add(&books);
    assert_eq!(ledger.check(), Ok(()));
    books
}

/// Numbers in one byte order.
#[derive(Clone, Copy)]
struct Writer {
    big: bool,
}

impl Writer {
    fn u16(self, value: u16) -> [u8; 2] {
        if self.big { value.to_be_bytes() } else { value.to_le_bytes() }
    }

    fn u32(self, value: u32) -> [u8; 4] {
        if self.big { value.to_be_bytes() } else { value.to_le_bytes() }
    }

    fn u64(self, value: u64) -> [u8; 8] {
        if self.big { value.to_be_bytes() } else { value.to_le_bytes() }
    }

    fn pcap(self, magic: u32, link: u32, records: &[(u32, u32, &[u8], u32)]) -> Vec<u8> {
        let mut bytes = Vec::new();
        bytes.extend(self.u32(magic));
        bytes.extend(self.u16(2));
        bytes.extend(self.u16(4));
        bytes.extend([0; 8]);
        bytes.extend(self.u32(65_535));
        bytes.extend(self.u32(link));
        for &(seconds, fraction, data, original) in records {
            bytes.extend(self.u32(seconds));
            bytes.extend(self.u32(fraction));
            bytes.extend(self.u32(data.len() as u32));
            bytes.extend(self.u32(original));
            if magic == 0xa1b2_cd34 {
                bytes.extend(self.u32(3));
                bytes.extend(self.u16(0x0800));
                bytes.extend([4, 0]);
            }
            bytes.extend(data);
        }
        bytes
    }

    fn block(self, kind: u32, body: &[u8]) -> Vec<u8> {
        let mut body = body.to_vec();
        body.resize(body.len().next_multiple_of(4), 0);
        let length = self.u32(body.len() as u32 + 12);
        [&self.u32(kind)[..], &length, &body, &length].concat()
    }

    fn section(self) -> Vec<u8> {
        let body = [&self.u32(0x1a2b_3c4d)[..], &self.u16(1), &self.u16(0), &[0xff; 8]].concat();
        self.block(0x0a0d_0d0a, &body)
    }

    fn option(self, code: u16, value: &[u8]) -> Vec<u8> {
        let mut bytes = [&self.u16(code)[..], &self.u16(value.len() as u16), value].concat();
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    fn interface(self, link: u16, snaplen: u32, options: &[u8]) -> Vec<u8> {
        self.block(1, &[&self.u16(link)[..], &[0, 0], &self.u32(snaplen), options].concat())
    }

    fn enhanced(self, interface: u32, units: u64, data: &[u8], options: &[u8]) -> Vec<u8> {
        let mut body = [
            &self.u32(interface)[..],
            &self.u32((units >> 32) as u32),
            &self.u32(units as u32),
            &self.u32(data.len() as u32),
            &self.u32(data.len() as u32),
            data,
        ]
        .concat();
        body.resize(body.len().next_multiple_of(4), 0);
        body.extend(options);
        self.block(6, &body)
    }
}

const NANOS: i64 = 1_000_000_000;

/// (time, number, interface, link, bytes, original length)
#[allow(clippy::type_complexity, reason = "a row to compare")]
fn told(frames: &[OwnedFrame]) -> Vec<(i64, u64, u32, u16, &[u8], u32)> {
    let tell = |frame: &OwnedFrame| {
        (frame.at.nanos(), frame.number.0, frame.interface.0, frame.link.0, frame.original_len)
    };
    frames
        .iter()
        .map(|frame| {
            let (at, number, interface, link, original) = tell(frame);
            (at, number, interface, link, &frame.bytes[..], original)
        })
        .collect()
}

#[test]
fn reads_pcap_of_every_order_and_resolution() {
    for big in [false, true] {
        for (magic, a_unit, interface) in
            [(0xa1b2_c3d4, 1_000, 0), (0xa1b2_3c4d, 1, 0), (0xa1b2_cd34, 1_000, 3)]
        {
            let bytes = Writer { big }.pcap(magic, 1, &[(7, 5, b"abc", 3), (8, 6, b"", 9)]);
            let file = file(&bytes);
            let mut source = FileSource::open(file.path()).unwrap();
            let frames = read(&mut source);
            assert_eq!(
                told(&frames),
                [
                    (7 * NANOS + 5 * a_unit, 1, interface, 1, &b"abc"[..], 3),
                    (8 * NANOS + 6 * a_unit, 2, interface, 1, b"", 9)
                ]
            );
            assert_eq!(source.cut_frames(), 1);
            assert_eq!(balanced(&source).passed_on, 2);
            assert_eq!(source.progress(), (bytes.len() as u64, bytes.len() as u64));
        }
    }
}

#[test]
fn old_numbers_of_raw_ip_and_upper_bits_of_the_link_type_are_understood() {
    for (link, expect) in [(12, 101), (14, 101), (0x5400_0001, 1), (147, 147)] {
        let file = file(&Writer { big: false }.pcap(0xa1b2_c3d4, link, &[(0, 0, b"x", 1)]));
        let frames = read(&mut FileSource::open(file.path()).unwrap());
        assert_eq!(frames[0].link, LinkType(expect));
    }
}

/// Two sections of different byte order, with every kind of packet block, names and blocks to pass over.
fn sampler() -> Vec<u8> {
    let (little, big) = (Writer { big: false }, Writer { big: true });
    let mut bytes = little.section();
    bytes.extend(little.interface(1, 4, &[]));
    let options =
        [little.option(9, &[9]), little.option(14, &little.u64(100)), little.option(0, &[])].concat();
    bytes.extend(little.interface(101, 0, &options));
    bytes.extend(little.block(10, &[1; 44]));
    bytes.extend(little.enhanced(0, 5_000_007, b"first", &little.option(2, &little.u32(1))));
    bytes.extend(little.enhanced(1, 3_000_000_001, b"second", &[]));
    bytes.extend(little.block(3, &[&little.u32(6)[..], b"thir"].concat()));
    bytes.extend(little.block(0x0bad, &[0; 20]));
    bytes.extend(big.section());
    let options = [big.option(9, &[0x80 | 10]), big.option(0, &[])].concat();
    bytes.extend(big.interface(276, 0, &options));
    let old = [
        &big.u16(0)[..],
        &big.u16(0),
        &big.u32(0),
        &big.u32(1024 + 512),
        &big.u32(6),
        &big.u32(60),
        b"fourth\0\0",
    ]
    .concat();
    bytes.extend(big.block(2, &old));
    let name = [&[10, 0, 0, 1][..], b"orders\0orders.shop\0"].concat();
    bytes.extend(big.block(4, &[big.option(1, &name), big.option(0, &[])].concat()));
    let drops = [&big.u32(0)[..], &[0; 8], &big.option(5, &big.u64(3)), &big.option(7, &big.u64(1))].concat();
    bytes.extend(big.block(5, &drops));
    bytes
}

#[test]
fn reads_pcapng_of_several_sections_interfaces_and_block_types() {
    let file = file(&sampler());
    let mut source = FileSource::open(file.path()).unwrap();
    let name = |name: &str| NameRecord { ip: [10, 0, 0, 1].into(), name: name.into() };
    assert_eq!(source.names(), [name("orders"), name("orders.shop")], "known before the first packet");
    let frames = read(&mut source);
    assert_eq!(
        told(&frames),
        [
            (5_000_007_000, 1, 0, 1, &b"first"[..], 5),
            (103_000_000_001, 2, 1, 101, b"second", 6),
            (103_000_000_001, 3, 0, 1, b"thir", 6),
            // The custom block before it is number 4.
            (1_500_000_000, 5, 2, 276, b"fourth", 60),
        ]
    );
    assert_eq!(frames[0].direction, Direction::In);
    let books = balanced(&source);
    assert_eq!((books.taken_in, books.passed_on), (9, 4));
    assert_eq!(books.reasons, [(WRITER_DROP, 4), (NO_PACKET, 1)].into());
    assert_eq!(source.warnings(), &[] as &[String]);
}

#[test]
fn a_file_cut_at_any_byte_gives_its_whole_packets_and_a_reason() {
    let pcap = Writer { big: false }.pcap(0xa1b2_c3d4, 1, &[(7, 5, b"abc", 3), (8, 6, b"defgh", 9)]);
    for whole in [pcap, sampler()] {
        let all = read(&mut FileSource::open(file(&whole).path()).unwrap());
        for length in 1..whole.len() {
            let cut = file(&whole[..length]);
            let Ok(mut source) = FileSource::open(cut.path()) else {
                assert!(length < 28, "cut at {length} there is a header");
                continue;
            };
            let frames = read(&mut source);
            assert!(all.starts_with(&frames), "cut at {length}");
            let books = balanced(&source);
            let warned = source.warnings().len();
            assert_eq!(books.reasons.get(&TRUNCATED_TAIL).copied().unwrap_or(0), warned as u64);
        }
    }
}

#[test]
fn gzipped_files_are_read_and_cut_ones_too() {
    for whole in [Writer { big: true }.pcap(0xa1b2_3c4d, 1, &[(7, 5, &[9u8; 5000][..], 5000); 40]), sampler()]
    {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(&whole).unwrap();
        let gzipped = gzip.finish().unwrap();
        let plain_file = file(&whole);
        let gzip_file = file(&gzipped);
        let mut plain = FileSource::open(plain_file.path()).unwrap();
        let mut source = FileSource::open(gzip_file.path()).unwrap();
        assert_eq!(source.names(), plain.names());
        let all = read(&mut plain);
        assert_eq!(read(&mut source), all);
        assert_eq!(source.warnings(), &[] as &[String]);
        assert_ne!(source.digest(), plain.digest());
        assert_eq!(source.progress(), (gzipped.len() as u64, gzipped.len() as u64));
        for length in 1..gzipped.len() {
            let cut = file(&gzipped[..length]);
            let Ok(mut source) = FileSource::open(cut.path()) else { continue };
            let frames = read(&mut source);
            assert!(all.starts_with(&frames));
            balanced(&source);
            // What misses only the trailer's checksum has all its packets; it is still said to be cut.
            assert_eq!(source.warnings().len(), 1, "cut at {length} of {}", gzipped.len());
        }
    }
}

#[test]
fn damage_in_the_middle_ends_the_file_there_and_is_counted() {
    let check = |bytes: &[u8], frames: usize, reason: Reason, words: &str| {
        let file = file(bytes);
        let mut source = FileSource::open(file.path()).unwrap();
        assert_eq!(read(&mut source).len(), frames);
        assert_eq!(balanced(&source).reasons, [(reason, 1)].into());
        assert!(source.warnings()[0].contains(words), "{:?}", source.warnings());
    };
    let little = Writer { big: false };
    let mut pcap = little.pcap(0xa1b2_c3d4, 1, &[(7, 5, b"abc", 3), (8, 6, b"defgh", 9)]);
    let record = 24 + 16 + 3;
    pcap[record + 8..record + 12].copy_from_slice(&u32::MAX.to_le_bytes());
    check(&pcap, 1, GARBAGE, "longer than any frame, after packet 1, at byte 43");

    let start = [little.section(), little.interface(1, 0, &[]), little.enhanced(0, 1, b"one", &[])].concat();
    let with = |more: &[u8]| [&start[..], more].concat();
    let four_gigabytes = |kind: u32| [&little.u32(kind)[..], &little.u32(u32::MAX - 3), &[0; 64]].concat();
    check(&with(&four_gigabytes(6)), 1, TRUNCATED_TAIL, "ends within");
    check(&with(&four_gigabytes(0x0bad)), 1, TRUNCATED_TAIL, "ends within");
    check(&with(&four_gigabytes(1)), 1, GARBAGE, "longer than a megabyte");
    check(&with(&[little.u32(6), little.u32(8), [0; 4]].concat()), 1, GARBAGE, "length is impossible");
    check(&with(&[little.u32(6), little.u32(34), [0; 4]].concat()), 1, GARBAGE, "length is impossible");
    let mut unequal = little.enhanced(0, 1, b"two", &[]);
    *unequal.last_mut().unwrap() ^= 1;
    check(&with(&unequal), 1, GARBAGE, "lengths differ");
    let mut liar = little.enhanced(0, 1, b"two", &[]);
    liar[20..24].copy_from_slice(&little.u32(9_999));
    check(&with(&liar), 1, GARBAGE, "longer than its block");
    check(&with(&[little.u32(SECTION), [1; 4], [2; 4]].concat()), 1, GARBAGE, "byte order");
}
const SECTION: u32 = pcapng::SECTION;

#[test]
fn packets_that_cannot_be_handed_on_keep_their_numbers() {
    let little = Writer { big: false };
    let huge = vec![7; MAX_FRAME_BYTES + 1];
    let enormous = vec![7; 3 << 20];
    let bytes = [
        little.section(),
        little.interface(1, 0, &[]),
        little.enhanced(9, 1, b"nowhere", &[]),
        little.enhanced(0, 1, &huge, &[]),
        little.enhanced(0, 1, &enormous, &[]),
        little.block(0x0bad, &enormous),
        little.enhanced(0, 1, &huge[1..], &[]),
    ]
    .concat();
    let file = file(&bytes);
    let mut source = FileSource::open(file.path()).unwrap();
    let frames = read(&mut source);
    assert_eq!(frames.len(), 1);
    assert_eq!((frames[0].number, frames[0].bytes.len()), (PacketNumber(5), MAX_FRAME_BYTES));
    let books = balanced(&source);
    assert_eq!(books.reasons, [(UNKNOWN_INTERFACE, 1), (OVERSIZED, 2), (NO_PACKET, 1)].into());
    assert_eq!(source.warnings().len(), 3);
}

#[test]
fn what_is_no_capture_says_what_was_expected() {
    let said = |bytes: &[u8]| {
        let file = file(bytes);
        let error = FileSource::open(file.path()).err().expect("no capture");
        error.to_string().replace(&file.path().display().to_string(), "F")
    };
    assert_eq!(said(b""), "F is empty: expected a pcap or pcapng file, plain or gzipped");
    let expected = "F is not a capture: expected pcap or pcapng, plain or gzipped, but";
    assert_eq!(said(b"GIF89a"), format!("{expected} it holds something that begins with bytes 47494638"));
    assert_eq!(said(b"a"), format!("{expected} it holds only 1 bytes that can be read"));
    assert_eq!(
        said(&[0xd4, 0xc3, 0xb2, 0xa1, 2]),
        format!("{expected} it holds a pcap that ends within its header")
    );
    assert_eq!(said(b"\x1f\x8bnonsense"), format!("{expected} the gzip holds only 0 bytes that can be read"));
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(FileSource::open(folder.path()), Err(CaptureError::NotAFile { .. })));
    assert!(matches!(FileSource::open(&folder.path().join("none")), Err(CaptureError::Open { .. })));
    assert!(matches!(FileSource::open("/dev/null".as_ref()), Err(CaptureError::NotAFile { .. })));
}

#[test]
fn noise_behind_a_header_never_panics() {
    // A small generator: the same noise in every run.
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    for _ in 0..2_000 {
        let mut bytes = if state & 1 == 0 {
            sampler()
        } else {
            Writer { big: true }.pcap(0xa1b2_c3d4, 1, &[(1, 2, &b"abcdef"[..], 6); 20])
        };
        for _ in 0..4 {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let at = 4 + (state >> 8) as usize % (bytes.len() - 4);
            bytes[at] = state as u8;
        }
        let file = file(&bytes);
        if let Ok(mut source) = FileSource::open(file.path()) {
            read(&mut source);
            balanced(&source);
        }
    }
}

#[test]
fn extracted_packets_are_those_of_the_file_and_written_ones_read_back() {
    let original = file(&sampler());
    let mut source = FileSource::open(original.path()).unwrap();
    let (id, all) = (source.capture_id(), read(&mut source));
    let numbers = [PacketNumber(5), PacketNumber(2), PacketNumber(2), PacketNumber(77)];
    let frames = extract(original.path(), &id, &numbers).unwrap();
    assert_eq!(frames, [all[1].clone(), all[3].clone()]);

    let mut written = Vec::new();
    write_pcapng(&mut written, frames.iter().map(OwnedFrame::as_frame)).unwrap();
    let back = read(&mut FileSource::open(file(&written).path()).unwrap());
    let expect: Vec<OwnedFrame> = frames
        .iter()
        .zip(1..)
        .map(|(frame, n)| OwnedFrame {
            number: PacketNumber(n),
            interface: InterfaceId(n as u32 - 1),
            ..frame.clone()
        })
        .collect();
    assert_eq!(back, expect);

    let changed = file(&sampler()[4..]);
    assert!(matches!(extract(changed.path(), &id, &numbers), Err(CaptureError::Changed { .. })));
    let gone = original.path().with_extension("gone");
    assert!(matches!(extract(&gone, &id, &numbers), Err(CaptureError::Open { .. })));
}

#[test]
fn digest_is_sha_256_of_the_bytes() {
    let file = file(&Writer { big: false }.pcap(0xa1b2_c3d4, 1, &[]));
    let source = FileSource::open(file.path()).unwrap();
    assert_eq!(source.digest(), digest_of(file.path()).unwrap());
    assert_eq!(source.capture_id().0, source.digest()[..32]);
    assert_eq!(source.digest().len(), 64);
}
