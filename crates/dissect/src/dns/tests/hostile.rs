//! Messages that lie, loop or break off.

use wirewise_model::{Side, Transport};

use super::{ANSWER, ASKED, QUERY, Wire, briefs, framed, message, name, with};
use crate::End;

#[test]
fn counts_that_lie_and_pointers_that_loop_are_malformed() {
    let query = message(7, QUERY, "a.example", 1);
    let check = |answer: &[u8], expect: &str| {
        let calls = Wire::udp().say(1, Side::A, &query).say(1, Side::B, answer).take();
        assert_eq!(briefs(&calls), [format!("dns query a.example NOERROR ok [1][2] [{expect}]")]);
    };
    let mut lies = message(7, ANSWER, "a.example", 1);
    lies[6..8].copy_from_slice(&[0xFF, 0xFF]);
    check(&lies, "malformed");
    let itself = [0xC0, message(7, ANSWER, "a.example", 1).len() as u8];
    check(&with(message(7, ANSWER, "a.example", 1), 0, &itself, 1, 60, &[192, 0, 2, 1]), "malformed");
    check(&with(message(7, ANSWER, "a.example", 1), 0, ASKED, 5, 60, &[0xC0, 0xFF]), "malformed");
    check(&with(message(7, ANSWER, "a.example", 1), 0, ASKED, 1, 60, &[192, 0]), "malformed");
    check(
        &[&with(message(7, ANSWER, "a.example", 1), 0, ASKED, 1, 60, &[192, 0, 2, 1])[..], b"x"].concat(),
        "trailing_bytes",
    );
}

/// Messages of every kind that the tests above know.
fn samples() -> Vec<Vec<u8>> {
    let answer = with(message(7, ANSWER, "www.example.com", 1), 0, ASKED, 5, 60, &name("web.example.net"));
    let answer = with(answer, 0, ASKED, 15, 60, &[&[0, 10][..], &name("mail")].concat());
    let answer = with(answer, 0, ASKED, 16, 60, b"\x03abc\x02de");
    let answer = with(answer, 0, ASKED, 35, 60, &[&b"\0\x01\0\x02\x01s\x03SIP\0"[..], &name("sip")].concat());
    let answer = with(
        answer,
        0,
        ASKED,
        65,
        60,
        b"\0\x01\0\0\x01\0\x03\x02h2\0\x03\0\x02\x01\xbb\0\x06\0\x10aaaaaaaaaaaaaaaa",
    );
    let answer = with(answer, 1, ASKED, 6, 60, &[name("ns"), name("root"), vec![0; 20]].concat());
    let answer = with(answer, 2, &[0], 41, 0x8000, b"\0\x0f\0\x04\0\x12no");
    vec![message(7, QUERY, "www.example.com", 1), answer, message(0, 0x8400, "_ipp._tcp.local", 12)]
}

#[test]
fn no_truncation_and_no_flipped_byte_panics() {
    for sample in samples() {
        for ports in [[40_000, 53], [5353, 5353], [40_000, 5355], [40_000, 9_999]] {
            for length in 0..=sample.len() {
                for original_len in [length, sample.len()] {
                    let mut wire = Wire::new(Transport::Udp, ports);
                    wire.say(1, Side::A, &message(7, QUERY, "www.example.com", 1));
                    wire.say_cut(1, Side::B, &sample[..length], original_len)
                        .tick(30)
                        .end(None, End::TimedOut)
                        .take();
                }
            }
        }
        for at in 0..sample.len() {
            for value in [0, 1, 0x3F, 0x40, 0x7F, 0xC0, 0xFF] {
                let mut bytes = sample.clone();
                bytes[at] = value;
                Wire::udp().say(1, Side::B, &bytes).end(None, End::TimedOut).take();
                let stream = framed(&bytes);
                let half = stream.len() / 2;
                Wire::tcp()
                    .say(1, Side::B, &stream[..half])
                    .say(1, Side::B, &stream[half..])
                    .end(None, End::Reset)
                    .take();
            }
        }
    }
}
