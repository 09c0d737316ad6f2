//! Files become batches: the same every time, with names, losses and balanced books.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

use std::path::Path;

use wirewise_agent::{AgentError, ImportOptions, ImportReport, ShipError, Sink, import};
use wirewise_capture::{CaptureError, FileSource, write_pcapng_file};
use wirewise_model::{Limits, LinkType, NameSource, Outcome, Timestamp, Vantage};
use wirewise_redact::{Batch, Key, Open};
use wirewise_testkit::packet::{frame, tcp, udp};

#[derive(Default)]
struct Kept(Vec<Batch>);

impl Sink for Kept {
    fn ship(&mut self, batch: Batch) -> Result<(), ShipError> {
        self.0.push(batch);
        Ok(())
    }

    fn overlay(&mut self, _: Open) {
        unreachable!("a file has nothing under way");
    }
}

fn options() -> ImportOptions {
    ImportOptions {
        dataset: "shop".into(),
        names: None,
        limits: Limits::default(),
        key: Key::from_bytes([7; 32]),
    }
}

fn imported(path: &Path) -> (Vec<Batch>, ImportReport) {
    let mut kept = Kept::default();
    let report = import(path, FileSource::open(path).unwrap(), &options(), &mut kept, |_| {}).unwrap();
    report.ledger.check().unwrap();
    (kept.0, report)
}

/// A name asked for, then `requests` requests on one connection to its address.
fn shop(folder: &Path, requests: u32) -> std::path::PathBuf {
    let question = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x06orders\x04shop\x00\x00\x01\x00\x01";
    let answer = [
        &b"\x12\x34\x81\x80\x00\x01\x00\x01\x00\x00\x00\x00\x06orders\x04shop\x00\x00\x01\x00\x01"[..],
        b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\x0a\x00\x00\x02",
    ]
    .concat();
    let request =
        b"GET /orders/7 HTTP/1.1\r\nhost: orders.shop\r\nauthorization: Bearer abcdefghijklmnop\r\n\r\n";
    let response = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
    let (client, server) = ("10.0.0.1:40000", "10.0.0.2:80");
    let mut packets = vec![
        udp("10.0.0.1:5353", "10.0.0.53:53", question).ethernet(),
        udp("10.0.0.53:53", "10.0.0.1:5353", &answer).ethernet(),
        tcp(client, server).seq(99).flags("S").ethernet(),
        tcp(server, client).seq(499).ack(100).flags("SA").ethernet(),
        tcp(client, server).seq(100).ack(500).flags("A").ethernet(),
    ];
    let (mut asked, mut answered) = (100, 500);
    for _ in 0..requests {
        packets.push(tcp(client, server).seq(asked).ack(answered).flags("PA").payload(request).ethernet());
        asked += request.len() as u32;
        packets.push(tcp(server, client).seq(answered).ack(asked).flags("PA").payload(response).ethernet());
        answered += response.len() as u32;
    }
    let frames = packets.iter().zip(1..).map(|(bytes, number)| {
        frame(
            LinkType::ETHERNET,
            bytes,
            Timestamp::from_nanos(1_700_000_000_000_000_000 + number as i64 * 1_000_000),
            number,
        )
    });
    let path = folder.join("shop.pcapng");
    write_pcapng_file(&path, frames).unwrap();
    path
}

#[test]
fn calls_have_names_and_no_secrets_and_the_last_batch_completes_the_capture() {
    let folder = tempfile::tempdir().unwrap();
    let path = shop(folder.path(), 1);
    let (batches, report) = imported(&path);
    assert_eq!((report.frames, report.calls, report.flows, report.batches), (7, 2, 2, 1));
    let batch = &batches[0];
    assert_eq!((batch.dataset.as_str(), batch.sequence, batch.capture.complete), ("shop", 0, true));
    assert_eq!(batch.capture.path.as_deref(), path.canonicalize().unwrap().to_str());
    assert_eq!(batch.capture.id, report.capture);
    let call = batch.calls.iter().find(|call| call.protocol == "http1").unwrap();
    assert_eq!(
        (call.outcome, call.heard.vantage, call.status_code),
        (Outcome::Ok, Vantage::Between, Some(200))
    );
    assert_eq!(call.peers.server.name_source, NameSource::Dns);
    assert!(call.peers.server.workload.starts_with("orders"), "{:?}", call.peers.server);
    assert!(!format!("{batch:?}").contains("abcdefghijklmnop"));
    assert_eq!(
        batch
            .flows
            .iter()
            .find(|flow| flow.summary.calls == 1 && flow.summary.server.port == 80)
            .unwrap()
            .peers,
        call.peers
    );
}

#[test]
fn the_same_file_makes_the_same_batches() {
    let folder = tempfile::tempdir().unwrap();
    let path = shop(folder.path(), 10_000);
    let (first, report) = imported(&path);
    let (second, _) = imported(&path);
    assert_eq!(first, second);
    let sizes: Vec<_> =
        first.iter().map(|batch| (batch.sequence, batch.calls.len(), batch.capture.complete)).collect();
    assert_eq!(sizes, [(0, 4096, false), (1, 4096, false), (2, 1809, true)]);
    assert_eq!(report.calls, 10_001);
}

#[test]
fn progress_ends_at_the_file_s_length() {
    let folder = tempfile::tempdir().unwrap();
    let path = shop(folder.path(), 10_000);
    let mut seen = Vec::new();
    import(&path, FileSource::open(&path).unwrap(), &options(), &mut Kept::default(), |progress| {
        seen.push(progress)
    })
    .unwrap();
    let last = seen.last().unwrap();
    assert_eq!(
        (last.bytes, last.total_bytes),
        (path.metadata().unwrap().len(), path.metadata().unwrap().len())
    );
    assert!(seen.len() > 1 && seen.is_sorted_by_key(|progress| progress.bytes));
}

#[test]
fn a_cut_file_is_imported_and_its_loss_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = shop(folder.path(), 3);
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() - 5]).unwrap();
    let (batches, report) = imported(&path);
    assert_eq!(report.frames, 10);
    let told: Vec<_> =
        batches[0].losses.iter().map(|loss| (&*loss.stage, &*loss.reason, loss.count)).collect();
    assert!(told.contains(&("capture", "truncated_tail", 1)), "{told:?}");
    assert_eq!(report.warnings.len(), 1);
}

#[test]
fn a_refusing_store_and_no_capture_end_the_import() {
    struct Refuses;
    impl Sink for Refuses {
        fn ship(&mut self, _: Batch) -> Result<(), ShipError> {
            Err(ShipError::Refused("the disk is full".into()))
        }

        fn overlay(&mut self, _: Open) {}
    }
    let folder = tempfile::tempdir().unwrap();
    let path = shop(folder.path(), 1);
    assert!(matches!(
        import(&path, FileSource::open(&path).unwrap(), &options(), &mut Refuses, |_| {}),
        Err(AgentError::Ship(ShipError::Refused(_)))
    ));
    let error = FileSource::open(folder.path()).err().unwrap();
    assert!(matches!(error, CaptureError::NotAFile { .. }), "{error}");
}

#[test]
fn every_capture_of_the_corpus_is_imported_with_balanced_books() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/captures");
    let Ok(manifest) = std::fs::read_to_string(folder.join("MANIFEST.tsv")) else {
        let missing = format!("no capture corpus at {}", folder.display());
        assert!(std::env::var("WIREWISE_REQUIRE").as_deref() != Ok("all"), "{missing}");
        eprintln!("SKIPPED(captures): {missing}");
        return;
    };
    let (mut calls, mut flows, mut frames) = (0, 0, 0);
    for line in manifest.lines().skip(1) {
        let file = line.split('\t').next().unwrap();
        let (first, report) = imported(&folder.join(file));
        let stage =
            |stage| report.ledger.stage(stage).map_or((0, 0), |books| (books.taken_in, books.passed_on));
        let (heard, wired) = (stage(wirewise_model::Stage::Capture), stage(wirewise_model::Stage::Wire));
        assert_eq!(heard.1, wired.0, "{file}");
        assert_eq!(first, imported(&folder.join(file)).0, "{file}");
        calls += report.calls;
        flows += report.flows;
        frames += report.frames;
    }
    eprintln!("corpus: {frames} frames, {calls} calls, {flows} flows");
}
