//! From the wire's bytes to records, as an agent makes them: a secret planted in every place of a protocol that holds
//! one is in no form of a record. How each text is scrubbed stands in the tests of `redact`; here stands what the
//! dissectors hand over, and that the table's policies reach it.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod bytes;
mod cases;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use wirewise_model::{CaptureId, Limits, LinkType, Peers, Timestamp, Transport, Vantage};
use wirewise_pipeline::{Output, Pipeline};
use wirewise_redact::{Attributed, Heard, Key, Record, Redactor};
use wirewise_testkit::packet::{frame, tcp, udp};

/// A password, a PIN, and one that is shorter than anything that looks like a secret.
const SECRETS: [&str; 3] = ["canary-Zq9-17", "739164", "xk7"];

const CLIENT: &str = "10.0.0.1:40000";

/// What one side says at once.
enum Said {
    Client(Vec<u8>),
    Server(Vec<u8>),
}

fn c(bytes: impl AsRef<[u8]>) -> Said {
    Said::Client(bytes.as_ref().to_vec())
}

fn s(bytes: impl AsRef<[u8]>) -> Said {
    Said::Server(bytes.as_ref().to_vec())
}

/// A conversation with a secret in it.
struct Case {
    /// The protocol that its calls are of, and how many of them there are.
    protocol: &'static str,
    calls: usize,
    /// What holds the secret.
    place: &'static str,
    transport: Transport,
    port: u16,
    talk: fn(&str) -> Vec<Said>,
}

/// The frames of a conversation, from the connection's opening to its end.
fn frames(case: &Case, secret: &str) -> Vec<Vec<u8>> {
    let server = format!("10.0.0.2:{}", case.port);
    let talk = (case.talk)(secret);
    if case.transport == Transport::Udp {
        let datagram = |said: &Said| match said {
            Said::Client(bytes) => udp(CLIENT, &server, bytes).bytes(),
            Said::Server(bytes) => udp(&server, CLIENT, bytes).bytes(),
        };
        return talk.iter().map(datagram).collect();
    }
    let mut next = [1_u32, 1];
    let mut frames = vec![
        tcp(CLIENT, &server).flags("S").ip().bytes(),
        tcp(&server, CLIENT).flags("S").ack(1).ip().bytes(),
        tcp(CLIENT, &server).seq(1).ack(1).ip().bytes(),
    ];
    for said in &talk {
        let (from, to, at, bytes) = match said {
            Said::Client(bytes) => (CLIENT, &*server, 0, bytes),
            Said::Server(bytes) => (&*server, CLIENT, 1, bytes),
        };
        frames.push(tcp(from, to).flags("P").seq(next[at]).ack(next[1 - at]).payload(bytes).ip().bytes());
        next[at] += u32::try_from(bytes.len()).unwrap();
    }
    frames.push(tcp(CLIENT, &server).flags("F").seq(next[0]).ack(next[1]).ip().bytes());
    frames.push(tcp(&server, CLIENT).flags("F").seq(next[1]).ack(next[0] + 1).ip().bytes());
    frames
}

/// All records of a conversation that is heard until its frame `upto`: of what is over and of what is open.
fn records(frames: &[Vec<u8>]) -> Vec<Record> {
    let capture = CaptureId("x".to_owned());
    let mut pipeline = Pipeline::new(Limits::default(), capture.clone());
    let mut output = Output::default();
    let mut open = Vec::new();
    for (number, bytes) in (1_u32..).zip(frames) {
        let at = Timestamp::from_nanos(i64::from(number) * 1_000_000);
        pipeline.push(&frame(LinkType::RAW, bytes, at, u64::from(number)), &mut output);
        open.extend(pipeline.open(at, std::time::Duration::ZERO, 100).calls);
    }
    pipeline.finish(&mut output);
    assert_eq!(pipeline.switched_off(), Vec::<&str>::new());
    output.calls.extend(open);
    let mut redactor =
        Redactor::new(&Key::from_bytes([9; 32]), &Limits::default(), wirewise_pipeline::redaction);
    let heard = Heard { capture, node: None, vantage: Vantage::Between };
    let attributed = |call| Attributed { call, peers: Peers::default(), heard: heard.clone() };
    output.calls.into_iter().map(|call| redactor.redact(attributed(call))).collect()
}

/// Every form that a record can leave in, in lower case; times and addresses of the capture are not its own.
fn forms(record: &Record) -> String {
    let encoded = String::from_utf8_lossy(&record.encode()).into_owned();
    format!("{encoded} {} {record:?}", serde_json::to_string(&**record).unwrap()).to_lowercase()
}

/// What is wrong with the records of a case.
fn faults(case: &Case, secret: &str) -> Vec<String> {
    let frames = frames(case, secret);
    let records = records(&frames);
    let mut faults = Vec::new();
    let n_calls = records
        .iter()
        .filter(|record| record.protocol == case.protocol && record.outcome != wirewise_model::Outcome::Open)
        .count();
    if n_calls != case.calls {
        let told: Vec<String> =
            records.iter().map(|it| format!("{} {}", it.protocol, it.operation)).collect();
        faults.push(format!("{} ({}): {n_calls} calls: {told:?}", case.protocol, case.place));
    }
    let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
    let encoded = STANDARD.encode(secret).trim_end_matches('=').to_lowercase();
    for record in &records {
        let forms = forms(record);
        for shape in [&secret.to_lowercase(), &hex, &encoded] {
            if let Some(at) = forms.find(shape.as_str()) {
                let around: String =
                    forms.chars().skip(forms[..at].chars().count().saturating_sub(60)).take(100).collect();
                faults.push(format!("{} ({}): {shape} is in {around:?}", case.protocol, case.place));
                break;
            }
        }
    }
    faults.dedup();
    faults
}

#[test]
fn no_secret_of_any_protocol_is_in_any_form_of_its_records() {
    let cases = cases::all();
    let faults: Vec<String> =
        cases.iter().flat_map(|case| SECRETS.iter().flat_map(|secret| faults(case, secret))).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// A protocol that is added to the table without a case here fails; those that carry no secrets are named.
#[test]
fn every_protocol_of_the_table_has_a_case() {
    let without = ["dns", "icmp", "llmnr", "mdns", "quic", "tls"];
    let cases = cases::all();
    let missing: Vec<&str> = wirewise_dissect::PROTOCOLS
        .iter()
        .map(|protocol| protocol.name)
        .filter(|name| !without.contains(name) && !cases.iter().any(|case| case.protocol == *name))
        .collect();
    assert_eq!(missing, Vec::<&str>::new());
}
