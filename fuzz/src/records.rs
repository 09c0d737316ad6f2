//! A call of made-up texts through redaction, and bytes of anybody as a record and as a batch.

use std::net::{IpAddr, Ipv4Addr};

use wirewise_dissect::PROTOCOLS;
use wirewise_model::{
    Attribute, Body, Call, CallId, CaptureId, Endpoint, Exchange, FlowId, Limits, Mark, Message,
    PacketNumber, Peers, Side, Source, Timestamp, Track, Transport, Value, Vantage,
};
use wirewise_redact::{Attributed, Batch, Key, Record, Redactor};

use crate::script::{Script, Step};
use crate::verdict::Heard;

/// A text that nothing may give away, where it stands behind the word `password`.
const CANARY: &str = "hunter2-canary";

pub(crate) fn run(bytes: &[u8]) -> Heard {
    let script = Script::from_bytes(bytes);
    let said: Vec<&[u8]> = script
        .steps
        .iter()
        .filter_map(|step| if let Step::Say(_, said) = step { Some(said.as_slice()) } else { None })
        .collect();
    for bytes in &said {
        // Whoever can send an agent's bytes can send any.
        let _ = Record::decode(bytes);
        let _ = Batch::decode(bytes);
    }
    let protocol = PROTOCOLS[usize::from(script.mode.0) % PROTOCOLS.len()];
    let call = call(protocol.name, &said);
    let mut redactor =
        Redactor::new(&Key::from_bytes([7; 32]), &Limits::default(), wirewise_pipeline::redaction);
    let heard = wirewise_redact::Heard {
        capture: CaptureId("fuzz".to_owned()),
        node: None,
        vantage: Vantage::Between,
    };
    let attributed = Attributed { call, peers: Peers::default(), heard };
    let record = redactor.redact(attributed.clone());
    assert_eq!(redactor.redact(attributed), record, "equal calls give equal records");
    let encoded = record.encode();
    assert_eq!(Record::decode(&encoded).ok().as_ref(), Some(&record), "a record is its bytes");
    let leaks = encoded.windows(CANARY.len()).any(|window| window == CANARY.as_bytes());
    assert!(!leaks, "a header's secret is in the record");
    Heard { protocols: vec![record.protocol.clone()], understood: script.said() as u64 }
}

/// A call whose texts are, in this order, target, operation, status, error, host, endpoint, the request's type and body,
/// the response's type and body, and then names and values of headers and attributes. One header holds a secret.
fn call(protocol: &'static str, said: &[&[u8]]) -> Call {
    let text = |at: usize| said.get(at).map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    let mark = Mark { at: Timestamp::from_nanos(1_000), packet: PacketNumber(1) };
    let mut exchange = Exchange::new(protocol, Side::A);
    exchange.target = text(0).unwrap_or_default();
    exchange.operation = text(1).unwrap_or_default();
    exchange.status = text(2);
    exchange.error = text(3);
    exchange.host = text(4);
    exchange.endpoint = text(5);
    let message = |kind: usize, secret: bool| {
        let mut track = Track::begin(0, mark);
        track.extend(mark, 100);
        let mut message = Message::bare(track);
        message.headers.extend(text(kind).map(|text| ("content-type".to_owned(), text)));
        if secret {
            message.headers.push(("authorization".to_owned(), format!("Bearer {CANARY}")));
        }
        message.body = said.get(kind + 1).map(|bytes| Body {
            kept: bytes.to_vec(),
            wire_bytes: bytes.len() as u64,
            decoded_bytes: bytes.len() as u64,
            truncated: bytes.len() % 2 == 1,
        });
        message
    };
    let (mut request, response) = (message(6, true), message(8, false));
    for pair in said.get(10..).unwrap_or_default().chunks_exact(2).take(32) {
        let [name, value] = [pair[0], pair[1]].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
        request.headers.push((name.to_lowercase(), value.clone()));
        exchange.attributes.push(Attribute { name: name.into(), value: Value::Text(value) });
    }
    exchange.request = Some(request);
    exchange.response = Some(response);
    let end = |last, port| Endpoint::new(IpAddr::V4(Ipv4Addr::new(10, 0, 0, last)), port);
    Call {
        id: CallId::new(mark.at, 1),
        flow: FlowId::new(mark.at, 1),
        transport: Transport::Tcp,
        client: end(1, 40_000),
        server: end(2, 80),
        source: Source::Packets,
        encrypted: false,
        exchange_key: 7,
        exchange,
    }
}
