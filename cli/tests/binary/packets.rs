//! `show ID`, and the packets that it gives back: those of the call and no others, as any tool reads them.

use std::process::Command;

use serde_json::Value;
use wirewise_capture::{FileSource, FrameSource};

use crate::home::{Home, has, skipped};
use crate::scene::orders;

/// The frames of a capture, by their bytes.
fn frames(path: &std::path::Path) -> Vec<Vec<u8>> {
    let mut source = FileSource::open(path).unwrap();
    let mut frames = Vec::new();
    while let Some(frame) = source.next().unwrap() {
        frames.push(frame.bytes.to_vec());
    }
    frames
}

fn imported() -> Home {
    let home = Home::new();
    home.import("shop.pcap", &orders(60).pcap());
    home
}

fn some_call(home: &Home) -> Value {
    home.query("SELECT call_id, flow_id, target, request_frames, response_frames FROM calls WHERE target = '/orders/17?page=2'")[0].clone()
}

#[test]
fn the_packets_of_a_call_are_its_own_and_no_others() {
    let home = imported();
    let call = some_call(&home);
    let id = call["call_id"].as_str().unwrap();
    home.run(&["show", id, "--pcap", "out.pcapng"]).done();
    let numbers =
        ["request_frames", "response_frames"].map(|column| call[column].as_array().unwrap().clone()).concat();
    let all = frames(&home.path("shop.pcap"));
    let named: Vec<Vec<u8>> =
        numbers.iter().map(|number| all[number.as_u64().unwrap() as usize - 1].clone()).collect();
    assert_eq!(frames(&home.path("out.pcapng")), named);
    let text: Vec<String> = named.iter().map(|frame| String::from_utf8_lossy(frame).into_owned()).collect();
    assert!(text[0].contains("GET /orders/17?page=2 HTTP/1.1"), "{text:?}");
    assert!(text.last().unwrap().contains("\"id\": 17"), "{text:?}");

    let flow = call["flow_id"].as_str().unwrap();
    home.run(&["show", flow, "--pcap", "flow.pcapng"]).done();
    let of_flow = home.query(&format!(
        "SELECT client_packets + server_packets AS n, client_port FROM flows WHERE flow_id = '{flow}'"
    ));
    let port = (of_flow[0]["client_port"].as_u64().unwrap() as u16).to_be_bytes();
    let written = frames(&home.path("flow.pcapng"));
    assert_eq!(written.len() as u64, of_flow[0]["n"].as_u64().unwrap());
    assert!(written.iter().all(|frame| frame[34..36] == port || frame[36..38] == port));
}

#[test]
fn tshark_reads_the_packets_of_a_call() {
    if !has("tshark") {
        return skipped("tshark", "there is no tshark to read the packets");
    }
    let home = imported();
    let call = some_call(&home);
    home.run(&["show", call["call_id"].as_str().unwrap(), "--pcap", "out.pcapng"]).done();
    let fields =
        ["-T", "fields", "-e", "http.request.uri", "-e", "http.response.code", "-e", "frame.time_epoch"];
    let output = Command::new("tshark").arg("-r").arg(home.path("out.pcapng")).args(fields).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split('\t').collect()).collect();
    assert_eq!(lines.len(), 2, "{text}");
    assert_eq!((lines[0][0], lines[1][1]), ("/orders/17?page=2", "200"), "{text}");
    let started = home.query(&format!(
        "SELECT to_unixtime(started_at) AS at FROM calls WHERE call_id = {}",
        quoted(&call["call_id"])
    ));
    assert!(lines[0][2].starts_with(&started[0]["at"].to_string()), "{text} against {started:?}");
}

fn quoted(id: &Value) -> String {
    format!("'{}'", id.as_str().unwrap())
}

#[test]
fn a_unique_prefix_is_enough_and_a_common_one_is_told() {
    let home = imported();
    let ids: Vec<String> = home
        .query("SELECT call_id FROM calls ORDER BY call_id")
        .iter()
        .map(|row| row["call_id"].as_str().unwrap().to_owned())
        .collect();
    let alike = |left: &str, right: &str| {
        left.bytes().zip(right.bytes()).take_while(|(left, right)| left == right).count()
    };
    let unique = alike(&ids[0], &ids[1]) + 1;
    let shown = home.run(&["show", &ids[0][..unique], "-o", "json"]).json();
    assert_eq!(shown["call_id"], ids[0].as_str());
    assert_eq!(shown["evidence"]["matched"], 1);
    assert_eq!(shown["payload"]["body"]["sides"][0]["side"], "request", "{shown}");
    home.run(&["show", &ids[0][..2]]).fails(1, &["several calls", &ids[0], &ids[1]]);
    home.run(&["show", "c0000"]).fails(1, &["no call has an id that begins with c0000"]);
    home.run(&["show", "f0000"]).fails(1, &["no flow has an id"]);
    for wrong in ["c", "x123", "", "c01'; DROP TABLE calls", "../../etc/passwd"] {
        home.run(&["show", wrong]).fails(2, &["is no id"]);
    }
    home.run(&["show", &ids[0], "--dataset", "shp"]).fails(1, &["shop"]);
}

#[test]
fn packets_that_cannot_be_given_are_told_and_the_capture_is_kept() {
    let home = imported();
    let id = some_call(&home)["call_id"].as_str().unwrap().to_owned();
    let before = std::fs::read(home.path("shop.pcap")).unwrap();
    std::os::unix::fs::symlink(home.path("shop.pcap"), home.path("link.pcap")).unwrap();
    for out in ["shop.pcap", "./shop.pcap", "link.pcap"] {
        home.run(&["show", &id, "--pcap", out]).fails(2, &["is the capture itself"]);
    }
    assert_eq!(std::fs::read(home.path("shop.pcap")).unwrap(), before);
    home.run(&["show", &id, "--pcap", "no/such/folder/out.pcapng"]).fails(1, &["no/such/folder/out.pcapng"]);
    let other = orders(3).pcap();
    std::fs::write(home.path("shop.pcap"), other).unwrap();
    home.run(&["show", &id, "--pcap", "out.pcapng"]).fails(1, &["changed since it was imported"]);
    std::fs::remove_file(home.path("shop.pcap")).unwrap();
    home.run(&["show", &id, "--pcap", "out.pcapng"]).fails(1, &["shop.pcap"]);
    assert!(!home.path("out.pcapng").exists(), "what failed leaves no file");
    // The call itself is in the store.
    home.run(&["show", &id]).done();
}
