//! Blocks of the document's appendix, tables heard from the middle on, and blocks that lie.

use super::*;

fn read(decoder: &mut Decoder, block: &[u8]) -> Result<Vec<String>, Fault> {
    let mut lines = Vec::new();
    decoder.decode(block, |name, value| {
        let text = |bytes: Option<&[u8]>| {
            bytes.map_or("?".into(), |bytes| String::from_utf8_lossy(bytes).into_owned())
        };
        lines.push(format!("{}: {}", text(name), text(value)));
    })?;
    Ok(lines)
}

#[track_caller]
fn check(decoder: &mut Decoder, block: &str, expect: &[&str]) {
    let block = hex::decode(block.replace(' ', "")).unwrap();
    assert_eq!(read(decoder, &block).unwrap(), expect);
}

#[test]
fn requests_of_the_document_are_read() {
    let first = [":method: GET", ":scheme: http", ":path: /", ":authority: www.example.com"];
    let third = [
        ":method: GET",
        ":scheme: https",
        ":path: /index.html",
        ":authority: www.example.com",
        "custom-key: custom-value",
    ];
    let second = [&first[..], &["cache-control: no-cache"]].concat();
    let mut plain = Decoder::new(65536);
    check(&mut plain, "8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d", &first);
    check(&mut plain, "8286 84be 5808 6e6f 2d63 6163 6865", &second);
    check(&mut plain, "8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65", &third);
    let mut coded = Decoder::new(65536);
    check(&mut coded, "8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff", &first);
    check(&mut coded, "8286 84be 5886 a8eb 1064 9cbf", &second);
    check(&mut coded, "8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf", &third);
}

#[test]
fn a_small_table_forgets_its_oldest_entries() {
    let mut decoder = Decoder::new(256);
    check(
        &mut decoder,
        "4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3120 \
         474d 546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
        &[
            ":status: 302",
            "cache-control: private",
            "date: Mon, 21 Oct 2013 20:13:21 GMT",
            "location: https://www.example.com",
        ],
    );
    check(
        &mut decoder,
        "4803 3330 37c1 c0bf",
        &[
            ":status: 307",
            "cache-control: private",
            "date: Mon, 21 Oct 2013 20:13:21 GMT",
            "location: https://www.example.com",
        ],
    );
    check(
        &mut decoder,
        "88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d 54c0 5a04 677a 6970 7738 \
         666f 6f3d 4153 444a 4b48 514b 425a 584f 5157 454f 5049 5541 5851 5745 4f49 553b 206d 6178 2d61 6765 3d33 \
         3630 303b 2076 6572 7369 6f6e 3d31",
        &[
            ":status: 200",
            "cache-control: private",
            "date: Mon, 21 Oct 2013 20:13:22 GMT",
            "location: https://www.example.com",
            "content-encoding: gzip",
            "set-cookie: foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1",
        ],
    );
    // Three entries are left; the fourth is gone.
    check(
        &mut decoder,
        "be bf c0 c1",
        &[
            "set-cookie: foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1",
            "content-encoding: gzip",
            "date: Mon, 21 Oct 2013 20:13:22 GMT",
            "?: ?",
        ],
    );
}

#[test]
fn what_an_unheard_table_hides_is_unknown_and_stays_countable() {
    let mut decoder = Decoder::new(65536);
    // Heard from the middle on: the second of the old entries, a value under the first one's name, and a new name.
    check(
        &mut decoder,
        "82 bf 7e03 666f 6f 4001 6101 62 be bf c0",
        &[":method: GET", "?: ?", "?: foo", "a: b", "a: b", "?: ?", "?: ?"],
    );
    // What is unknown is older than what is known, so it never moves.
    check(&mut decoder, "4001 6301 64 be bf c0", &["c: d", "c: d", "a: b", "?: ?"]);
    decoder.forget();
    check(&mut decoder, "4001 6501 66 be bf", &["e: f", "e: f", "?: ?"]);
}

#[test]
fn size_updates_are_followed_and_bounded() {
    let mut decoder = Decoder::new(8192);
    check(&mut decoder, "4001 6101 62 be", &["a: b", "a: b"]);
    // To nothing, and back to 4096: the entries are gone.
    check(&mut decoder, "20 3fe1 1f be", &["?: ?"]);
    decoder.allow(4096);
    let block = hex::decode("3fe1ff03").unwrap();
    assert_eq!(decoder.decode(&block, |_, _| {}), Ok(Decoded { oversized: true }));
    // A table of a gigabyte is followed as far as ours may grow.
    decoder.allow(1 << 30);
    let block = hex::decode("3fe1ffffff03").unwrap();
    assert_eq!(decoder.decode(&block, |_, _| {}), Ok(Decoded { oversized: false }));
    for nth in 0..1000 {
        let value = vec![b'v'; 100];
        let block = [&[0x40, 1, b'a' + (nth % 26) as u8, 100][..], &value].concat();
        decoder.decode(&block, |_, _| {}).unwrap();
    }
    assert!(decoder.table.held() <= 2 * 8192, "{}", decoder.table.held());
    // An entry that never fits empties the table.
    let huge = [&[0x40, 1, b'a', 0x7f, 0x81, 0x7f][..], &vec![b'v'; 127 + 1 + (127 << 7)]].concat();
    assert_eq!(read(&mut decoder, &huge).map(|lines| lines.len()), Ok(1));
    check(&mut decoder, "be", &["?: ?"]);
}

#[test]
fn a_block_that_lies_is_refused_wherever_it_is_cut() {
    let block =
        hex::decode("828684418cf1e3c2e5f23a6ba0ab90f4ff400a637573746f6d2d6b65790c637573746f6d2d76616c7565")
            .unwrap();
    for at in 0..block.len() {
        // Cut between fields it is a shorter block; nowhere does it panic.
        let _ = read(&mut Decoder::new(65536), &block[..at]);
    }
    assert_eq!(read(&mut Decoder::new(65536), &block[..block.len() - 1]), Err(Fault::Cut));
    for bad in ["80", "ffffffffffff7f", "ff808080808000", "0081f0", "40", "00", "4003", "7fffffffffffffff"] {
        assert!(read(&mut Decoder::new(65536), &hex::decode(bad).unwrap()).is_err(), "{bad}");
    }
    let mut state = 1_u64;
    for _ in 0..2000 {
        let bytes: Vec<u8> = (0..64)
            .map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (state >> 56) as u8
            })
            .collect();
        let _ = read(&mut Decoder::new(65536), &bytes);
    }
}
