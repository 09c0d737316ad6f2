//! Files that are no captures, or broken ones: a clear error, or what could be read with what could not.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::Value;

use crate::home::Home;
use crate::scene::{Scene, orders, pcap_header, request, response};

/// A block of pcapng: its kind, and lengths that may lie.
fn block(kind: u32, body: &[u8], first: u32, last: u32) -> Vec<u8> {
    [&kind.to_le_bytes()[..], &first.to_le_bytes(), body, &last.to_le_bytes()].concat()
}

fn honest(kind: u32, body: &[u8]) -> Vec<u8> {
    let length = body.len() as u32 + 12;
    block(kind, body, length, length)
}

/// The head of a pcapng file: a section and an Ethernet interface.
fn pcapng_head() -> Vec<u8> {
    let section = [&0x1a2b_3c4d_u32.to_le_bytes()[..], &1u16.to_le_bytes(), &[0; 2], &[0xff; 8]].concat();
    let interface = [&1u16.to_le_bytes()[..], &[0; 2], &[0; 4]].concat();
    [honest(0x0a0d_0d0a, &section), honest(1, &interface)].concat()
}

/// An enhanced packet of `captured` announced bytes, on an interface.
fn enhanced(interface: u32, captured: u32, bytes: &[u8]) -> Vec<u8> {
    let mut body = interface.to_le_bytes().to_vec();
    body.extend([0; 8]);
    body.extend(captured.to_le_bytes());
    body.extend(captured.to_le_bytes());
    body.extend(bytes);
    body.resize(body.len().next_multiple_of(4), 0);
    honest(6, &body)
}

/// A record of pcap whose lengths may lie.
fn record(captured: u32, original: u32, bytes: &[u8]) -> Vec<u8> {
    [&[0; 8][..], &captured.to_le_bytes(), &original.to_le_bytes(), bytes].concat()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(bytes).unwrap();
    packed.finish().unwrap()
}

/// Bytes without meaning, the same every time.
fn noise(n: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    (0..n).map(|_| next()).collect()
}

#[test]
fn what_is_no_capture_is_told_and_leaves_nothing() {
    let home = Home::new();
    std::fs::create_dir(home.path("folder.pcap")).unwrap();
    home.file("empty.pcap", b"");
    home.file("one.pcap", b"\0");
    home.file("zeros.pcap", [0; 4096]);
    home.file("noise.pcap", noise(4096));
    home.file("text.pcap", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    home.file("noise.pcap.gz", gzip(&noise(4096)));
    home.file("empty.pcap.gz", gzip(b""));
    home.file("half.pcap.gz", &gzip(&orders(10).pcap())[..12]);
    home.file("magic.pcap", &pcap_header()[..4]);
    for (file, words) in [
        ("missing.pcap", &["cannot open missing.pcap", "No such file"][..]),
        ("folder.pcap", &["folder.pcap is a directory"]),
        ("/dev/null", &["/dev/null"]),
        ("empty.pcap", &["empty.pcap is empty", "pcap or pcapng"]),
        ("one.pcap", &["one.pcap is not a capture", "pcap or pcapng"]),
        ("zeros.pcap", &["zeros.pcap is not a capture"]),
        ("noise.pcap", &["noise.pcap is not a capture"]),
        ("text.pcap", &["text.pcap is not a capture"]),
        ("noise.pcap.gz", &["noise.pcap.gz is not a capture"]),
        ("empty.pcap.gz", &["empty.pcap.gz"]),
        ("half.pcap.gz", &["half.pcap.gz"]),
        ("magic.pcap", &["magic.pcap"]),
    ] {
        home.run(&["import", file]).fails(1, words);
        home.run(&["calls", "-r", file]).fails(1, words);
    }
    // One bad file among good ones: nothing of it all is begun.
    home.file("good.pcap", orders(10).pcap());
    home.run(&["import", "good.pcap", "noise.pcap"]).fails(1, &["noise.pcap is not a capture"]);
    assert!(!home.data().exists(), "a wrong name makes no data directory");
}

/// Imports it, and gives what it says; the books balance.
#[track_caller]
fn imported(name: &str, bytes: &[u8]) -> Value {
    let home = Home::new();
    let told = home.import(name, bytes);
    for stage in told["ledger"].as_array().unwrap() {
        let number = |name: &str| stage[name].as_u64().unwrap();
        let reasons: u64 = stage["reasons"].as_object().unwrap().values().filter_map(Value::as_u64).sum();
        assert_eq!(number("in"), number("out") + reasons, "{name}: {stage}");
    }
    assert_eq!(home.count("SELECT count(*) FROM calls"), told["calls"].as_u64().unwrap(), "{name}");
    told
}

#[track_caller]
fn warns(told: &Value, word: &str) {
    let warnings = told["files"][0]["warnings"].to_string();
    assert!(warnings.contains(word), "no warning says `{word}`: {told}");
}

#[test]
fn a_tail_that_is_cut_anywhere_is_told_and_the_rest_is_read() {
    let whole = orders(20).pcap();
    let frames = orders(20).len() as u64;
    for cut in [1, 7, 15, 17, 40, 80] {
        let told = imported("cut.pcap", &whole[..whole.len() - cut]);
        warns(&told, "truncated_tail");
        assert!(told["files"][0]["frames"].as_u64().unwrap() < frames, "{told}");
        assert!(told["calls"].as_u64().unwrap() >= 20, "{told}");
    }
    let packed = gzip(&whole);
    warns(&imported("cut.pcap.gz", &packed[..packed.len() / 2]), "truncated_tail");
    let told = imported("head.pcap", &whole[..24]);
    assert_eq!((told["calls"].as_u64(), told["files"][0]["frames"].as_u64()), (Some(0), Some(0)), "{told}");
}

#[test]
fn lengths_that_lie_end_the_reading_and_nothing_else() {
    let good = orders(5).pcap();
    let frames = orders(5).len() as u64;
    for (captured, original) in [(u32::MAX, u32::MAX), (0x7fff_ffff, 60), (262_145 * 16, 60), (60, 0)] {
        let lie = record(captured, original, &noise(60));
        let told = imported("lie.pcap", &[&good[..], &lie].concat());
        assert!(told["files"][0]["frames"].as_u64().unwrap() >= frames, "{captured}: {told}");
        assert!(told["calls"].as_u64().unwrap() >= 5, "{captured}: {told}");
    }
    // A record of no bytes, and many of them.
    let nothing = [&good[..], &record(0, 0, b"").repeat(1_000)].concat();
    assert!(imported("nothing.pcap", &nothing)["calls"].as_u64().unwrap() >= 5);
}

#[test]
fn broken_blocks_of_pcapng_are_told() {
    let frame = wirewise_testkit::packet::udp("10.0.0.1:1000", "10.0.0.2:2000", b"hello").ethernet();
    let good = [pcapng_head(), enhanced(0, frame.len() as u32, &frame)].concat();
    let told = imported("good.pcapng", &good);
    assert_eq!(told["files"][0]["frames"], 1, "{told}");
    for (name, tail) in [
        ("zero length", block(6, &[0; 20], 0, 0)),
        ("tiny length", block(6, &[0; 20], 4, 4)),
        ("odd length", block(6, &[0; 20], 33, 33)),
        ("huge length", block(6, &[0; 20], u32::MAX - 3, u32::MAX - 3)),
        ("length past the end", block(6, &[0; 20], 1 << 20, 1 << 20)),
        ("lengths that differ", block(6, &[0; 20], 32, 36)),
        ("no interface of that number", enhanced(7, frame.len() as u32, &frame)),
        ("packet longer than its block", enhanced(0, 1 << 20, &frame)),
        ("packet of 4 GiB", enhanced(0, u32::MAX, &frame)),
        ("packet block without fields", honest(6, &[0; 4])),
        ("interface without fields", honest(1, &[0; 4])),
        ("half a section", honest(0x0a0d_0d0a, &[0x4d, 0x3c])),
        ("noise", noise(400)),
        ("half a block", enhanced(0, frame.len() as u32, &frame)[..20].to_vec()),
    ] {
        let home = Home::new();
        home.file("broken.pcapng", [&good[..], &tail].concat());
        let ran = home.run(&["import", "broken.pcapng", "-o", "json"]);
        assert!(!ran.err.contains("panicked"), "{name}: {ran}");
        let told = ran.json();
        assert!(told["files"][0]["frames"].as_u64().unwrap() >= 1, "{name}: {told}");
        assert_ne!(told["files"][0]["warnings"], serde_json::json!([]), "{name} is not told: {told}");
    }
    // A block of a kind that nobody knows is stepped over, as the format says.
    let unknown =
        [good.clone(), honest(0x0bad_b10c, &noise(40)), enhanced(0, frame.len() as u32, &frame)].concat();
    assert_eq!(imported("unknown.pcapng", &unknown)["files"][0]["frames"], 2);
}

#[test]
fn bombs_are_read_in_bounded_memory() {
    if !std::path::Path::new("/bin/sh").exists() {
        return crate::home::skipped("sh", "there is no /bin/sh to bound the memory of a process");
    }
    // A quarter of a gigabyte of nothing in a few hundred kilobytes of gzip: records of no bytes, in members.
    let member = gzip(&vec![0; 16 << 20]);
    let bomb = [gzip(&orders(5).pcap()), member.repeat(16)].concat();
    // Four bodies that would become 64 MiB each, where 1 MiB and 100 times are allowed.
    let packed = gzip(&vec![b' '; 64 << 20]);
    let headers = [("Content-Type", "application/json"), ("Content-Encoding", "gzip")];
    let exchange = (request("POST /bomb", &headers, &packed), response("200 OK", &headers, &packed));
    let mut bodies = Scene::default();
    bodies.talk("10.0.0.2:80", &[exchange.clone(), exchange]);
    for (name, bytes) in [("bomb.pcap.gz", bomb), ("bodies.pcap", bodies.pcap())] {
        let home = Home::new();
        home.file(name, bytes);
        // Address space counts what is mapped for threads, too; a bomb in memory would need far more.
        let line = format!("ulimit -v 3000000; exec \"$0\" import {name} -o json");
        let mut command = std::process::Command::new("/bin/sh");
        home.dress(&mut command);
        let output = command.args(["-c", &line]).arg(crate::home::program()).output().unwrap();
        let told = crate::home::Ran::of(line, &output).json();
        assert!(told["calls"].as_u64().unwrap() >= 1, "{told}");
        if name == "bodies.pcap" {
            let rows = home.query("SELECT side, body_bytes, truncated, length(body) AS kept FROM payloads");
            assert!(rows.iter().all(|row| row["truncated"] == true), "{rows:?}");
            assert!(rows.iter().all(|row| row["kept"].as_u64().unwrap_or(0) <= 16 << 10), "{rows:?}");
        }
    }
}

#[test]
fn enormous_heads_and_odd_requests_do_not_stop_the_next_connection() {
    let long = "x".repeat(1 << 20);
    let many: String = (0..50_000).map(|number| format!("X-{number}: y\r\n")).collect();
    let mut scene = Scene::default();
    let answer = || response("200 OK", &[], b"");
    for request in [
        format!("GET /{long} HTTP/1.1\r\nHost: h\r\n\r\n"),
        format!("GET / HTTP/1.1\r\nHost: {long}\r\n\r\n"),
        format!("GET / HTTP/1.1\r\n{many}\r\n"),
        format!("GET / HTTP/1.1\r\n{long}"),
        "GET / HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n".to_owned(),
        "GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n".to_owned(),
        "GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n".to_owned(),
        format!("{} / HTTP/1.1\r\n\r\n", "G".repeat(100_000)),
        "\0".repeat(100_000),
        "GET ".repeat(100_000),
    ] {
        scene.talk("10.0.0.2:80", &[(request.into_bytes(), answer())]);
    }
    scene.talk("10.0.0.2:80", &[(request("GET /after", &[], b""), answer())]);
    let home = Home::new();
    let told = home.import("odd.pcap", &scene.pcap());
    assert_eq!(
        home.count("SELECT count(*) FROM calls WHERE target = '/after' AND status = '200'"),
        1,
        "{told}"
    );
    let longest = home.count("SELECT max(length(target)) FROM calls");
    assert!(longest <= 65_536, "a target of {longest} letters is kept");
    for command in [&["calls"][..], &["calls", "-o", "json"], &["query", "SELECT * FROM calls"]] {
        home.run(command).done();
    }
}

#[test]
fn importing_twice_adds_nothing_under_any_name() {
    let home = Home::new();
    let first = home.import("shop.pcap", &orders(30).pcap());
    assert_eq!(first["calls"], 30);
    let before = (home.count("SELECT count(*) FROM calls"), home.count("SELECT count(*) FROM flows"));
    for _ in 0..2 {
        let again = home.run(&["import", "shop.pcap", "-o", "json"]).json();
        assert_eq!(
            (&again["calls"], &again["files"][0]["imported_before"]),
            (&0.into(), &true.into()),
            "{again}"
        );
        assert_eq!(again["dataset"], "shop");
    }
    // The same bytes elsewhere, packed or twice on one line, are the same capture.
    std::fs::copy(home.path("shop.pcap"), home.path("copy.pcap")).unwrap();
    let copied = home.run(&["import", "copy.pcap", "shop.pcap", "--dataset", "shop", "-o", "json"]).json();
    assert_eq!(copied["calls"], 0, "{copied}");
    assert_eq!((home.count("SELECT count(*) FROM calls"), home.count("SELECT count(*) FROM flows")), before);
    // Another file of that name is another data set.
    std::fs::create_dir(home.path("other")).unwrap();
    home.file("other/shop.pcap", orders(7).pcap());
    let other = home.run(&["import", "other/shop.pcap", "-o", "json"]).json();
    assert_eq!((&other["dataset"], &other["calls"]), (&"shop-2".into(), &7.into()), "{other}");
}
