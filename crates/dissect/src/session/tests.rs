//! What sessions do for every protocol alike.

use wirewise_model::{Exchange, Limits, Mark, PacketNumber, Side, Timestamp, Transport};

use crate::{Datagram, End, Out, Session, SessionStart, Switchboard};

const PORTS: [u16; 2] = [40_000, 80];

fn mark(packet: u64) -> Mark {
    Mark { at: Timestamp::from_parts(packet as i64, 0), packet: PacketNumber(packet) }
}

/// One message: who, in which packets it came, what it says, and how much a snap length cut off.
type Said<'a> = (Side, (u64, u64), &'a [u8], usize);

/// The calls of a flow of messages, and how many of its bytes were lost on the way.
fn hear(transport: Transport, said: &[Said<'_>]) -> (Vec<Exchange>, u64) {
    let mut board = Switchboard::new(Limits::default());
    let start = SessionStart { transport, ports: PORTS, opener: None, mid_stream: false };
    let (mut session, mut out) = (Session::new(start), Out::default());
    for &(side, (first, last), bytes, cut) in said {
        let message = Datagram {
            side,
            bytes,
            original_len: bytes.len() + cut,
            mark: mark(first),
            last: mark(last),
            ordinal: 0,
            transport,
            ports: PORTS,
        };
        session.message(message, &mut board, &mut out);
    }
    session.end(None, End::Fin, mark(99), &mut board, &mut out);
    let books = board.books();
    assert_eq!(books.taken_in, said.iter().map(|(_, _, bytes, _)| bytes.len() as u64).sum::<u64>());
    assert_eq!(books.taken_in, books.passed_on + books.reasons.values().sum::<u64>(), "{books:?}");
    (out.exchanges, books.reasons.values().sum())
}

const REQUEST: &[u8] = b"GET /a HTTP/1.1\r\nHost: shop\r\n\r\n";
const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n";

#[test]
fn messages_of_sctp_are_a_stream_where_nobody_claims_them() {
    let said = [
        (Side::A, (1, 1), REQUEST, 0),
        (Side::B, (2, 2), HEAD, 0),
        // One message in several packets: its first byte came with the first, its last with the last.
        (Side::B, (3, 5), &b"answer"[..], 0),
    ];
    let (calls, lost) = hear(Transport::Sctp, &said);
    let [call] = calls.as_slice() else { panic!("one call, not {calls:?}") };
    assert_eq!((call.protocol.as_ref(), call.status_code, call.complete), ("http1", Some(200), true));
    let track = &call.response.as_ref().unwrap().track;
    let packets: Vec<_> = track.frames.numbers.iter().map(|number| number.0).collect();
    assert_eq!((packets.as_slice(), track.bytes, track.last), (&[2, 3, 5][..], 44, mark(5)));
    assert_eq!(lost, 0);
}

#[test]
fn what_a_snap_length_cut_of_a_message_is_a_gap_in_the_stream() {
    let said = [(Side::A, (1, 1), REQUEST, 0), (Side::B, (2, 2), HEAD, 0), (Side::B, (3, 3), &b"ans"[..], 3)];
    let (calls, _) = hear(Transport::Sctp, &said);
    assert_eq!(calls.len(), 1);
    assert!(calls[0].notes.contains(&"gap".into()), "{:?}", calls[0].notes);
    let body = calls[0].response.as_ref().unwrap().body.as_ref().unwrap();
    assert!(body.truncated);
}

#[test]
fn datagrams_are_never_joined() {
    let said = [(Side::A, (1, 1), REQUEST, 0), (Side::B, (2, 2), HEAD, 0)];
    let (calls, lost) = hear(Transport::Udp, &said);
    assert!(calls.is_empty(), "{calls:?}");
    assert_eq!(lost as usize, REQUEST.len() + HEAD.len());
}
