#![allow(warnings)]

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use wirewise_model::{
    Attribute, Body, Call, CallId, CaptureId, Endpoint, Exchange, FlowId, Limits, Mark, Message, NameSource,
    PacketNumber, Peers, Redaction, Side, Source, Timestamp, Track, Transport, Value, Vantage, Workload,
};
use wirewise_redact::{Attributed, Heard, Key, Record, Redactor};

/// Policies as the table of protocols has them.
fn policy(protocol: &str) -> Option<Redaction> {
    match protocol {
        "http1" => Some(Redaction::Web),
        "dns" | "tls" | "icmp" | "tcp" | "udp" => Some(Redaction::Names),
        "redis" => Some(Redaction::Text),
        _ => None,
    }
}

fn message() -> Message {
    let mark = |at, packet| Mark { at: Timestamp::from_nanos(at), packet: PacketNumber(packet) };
    let mut track = Track::begin(0, mark(1_000, 1));
    track.extend(mark(2_000, 2), 100);
    Message::bare(track)
}

/// A plain GET of `/orders`, answered 200.
fn call() -> Attributed {
    let mut exchange = Exchange::new("http1", Side::A);
    exchange.operation = "GET".to_owned();
    exchange.target = "/orders".to_owned();
    exchange.host = Some("orders.shop".to_owned());
    exchange.status = Some("200".to_owned());
    exchange.request = Some(message());
    exchange.response = Some(message());
    exchange.complete = true;
    let at = Timestamp::from_nanos(1_000);
    let end = |last, port| Endpoint::new(IpAddr::V4(Ipv4Addr::new(10, 0, 0, last)), port);
    Attributed {
        call: Call {
            id: CallId::new(at, 1),
            flow: FlowId::new(at, 1),
            transport: Transport::Tcp,
            client: end(1, 40_000),
            server: end(2, 80),
            source: Source::Packets,
            encrypted: false,
            exchange_key: 7,
            exchange,
        },
        peers: Peers::default(),
        heard: Heard { capture: CaptureId("x".to_owned()), node: None, vantage: Vantage::Between },
    }
}

fn header(name: &str, value: String) -> Attributed {
    let mut attributed = call();
    attributed.call.exchange.request.as_mut().unwrap().headers.push((name.to_owned(), value));
    attributed
}

fn answer_header(name: &str, value: String) -> Attributed {
    let mut attributed = call();
    attributed.call.exchange.response.as_mut().unwrap().headers.push((name.to_owned(), value));
    attributed
}

fn target(target: String) -> Attributed {
    let mut attributed = call();
    attributed.call.exchange.target = target;
    attributed
}

fn body(content_type: &str, text: impl AsRef<[u8]>) -> Attributed {
    let kept = text.as_ref().to_vec();
    let mut attributed = call();
    let length = kept.len() as u64;
    for side in [&mut attributed.call.exchange.request, &mut attributed.call.exchange.response] {
        let message = side.as_mut().unwrap();
        message.headers.push(("content-type".to_owned(), content_type.to_owned()));
        message.body =
            Some(Body { kept: kept.clone(), wire_bytes: length, decoded_bytes: length, truncated: false });
    }
    attributed
}

fn cut(mut attributed: Attributed, keep: usize) -> Attributed {
    for side in [&mut attributed.call.exchange.request, &mut attributed.call.exchange.response] {
        let body = side.as_mut().unwrap().body.as_mut().unwrap();
        body.kept.truncate(keep);
        body.truncated = true;
    }
    attributed
}

fn redact(attributed: Attributed) -> Record {
    Redactor::new(&Key::from_bytes([9; 32]), &Limits::default(), policy).redact(attributed)
}

/// Every form that a record can leave in.
fn forms(record: &Record) -> String {
    let mut forms = String::from_utf8_lossy(&record.encode()).replace(char::is_control, " ");
    forms.push_str(&serde_json::to_string(&**record).unwrap());
    write!(forms, "{record:?} {:?} {:?}", record.principal, record.redactions).unwrap();
    forms
}

fn percent(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02x}")).collect()
}

fn json_string(text: &str) -> String {
    serde_json::to_string(text).unwrap()
}

fn multipart(name: &str, value: &str) -> Attributed {
    body(
        "multipart/form-data; boundary=XX",
        format!("--XX\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n--XX--\r\n"),
    )
}

fn main() {
    let mut plain = call();
    let ex = &mut plain.call.exchange;
    for (n, v) in [
        ("host", "orders.shop:8080"),
        (
            "user-agent",
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36",
        ),
        ("accept", "*/*"),
        ("accept-encoding", "gzip, deflate, br"),
    ] {
        ex.request.as_mut().unwrap().headers.push((n.into(), v.into()));
    }
    for (n, v) in [
        ("date", "Tue, 24 Nov 2026 04:29:48 GMT"),
        ("server", "nginx/1.25.3"),
        ("content-length", "17"),
        ("content-type", "text/plain"),
    ] {
        ex.response.as_mut().unwrap().headers.push((n.into(), v.into()));
    }
    ex.target = "/orders/17?page=2".into();
    let mut bearer = plain.clone();
    bearer
        .call
        .exchange
        .request
        .as_mut()
        .unwrap()
        .headers
        .push(("authorization".into(), "Bearer 3sdkfjhKJHKJ3h4kjhsdf".into()));
    let mut json = plain.clone();
    let text = r#"{"id":17,"name":"lamp","items":[{"sku":"a-1","price":12.5,"at":"2026-11-24T04:29:48Z"},{"sku":"a-2","price":1.5,"note":"handle with care please"}],"customer":{"email":"bob@example.org"}}"#;
    {
        let m = json.call.exchange.response.as_mut().unwrap();
        m.headers[3].1 = "application/json".into();
        m.body = Some(Body {
            kept: text.into(),
            wire_bytes: text.len() as u64,
            decoded_bytes: text.len() as u64,
            truncated: false,
        });
    }
    let mut r = Redactor::new(&Key::from_bytes([9; 32]), &Limits::default(), policy);
    for (name, what) in [("plain", plain), ("bearer", bearer), ("json", json)] {
        let n = 200_000;
        let mut best = (f64::MAX, f64::MAX);
        for _ in 0..5 {
            let t = std::time::Instant::now();
            for _ in 0..n {
                std::hint::black_box(what.clone());
            }
            let c = t.elapsed();
            let t = std::time::Instant::now();
            for _ in 0..n {
                std::hint::black_box(r.redact(std::hint::black_box(what.clone())));
            }
            let e = t.elapsed();
            best.0 = best.0.min((e.as_nanos() as f64 - c.as_nanos() as f64) / n as f64);
            best.1 = best.1.min(c.as_nanos() as f64 / n as f64);
        }
        println!("{name}: {:.0} ns a call (clone+drop {:.0})", best.0, best.1);
    }
    for (name, text) in [
        ("deep", "{\"a\":".repeat(20_000)),
        ("quotes", "\\\"password\\\":".repeat(20_000)),
        ("colons", "password=".repeat(20_000)),
        ("dashes", "1-".repeat(40_000)),
        ("at", "a@".repeat(40_000)),
        ("b64", "QUJD".repeat(40_000)),
        ("sl", "a/".repeat(40_000)),
        ("sch", "x://".repeat(20_000)),
        ("pem", "-----BEGIN ".repeat(10_000)),
        ("auth", "AUTH ".repeat(20_000)),
    ] {
        let t = std::time::Instant::now();
        r.redact(body("application/json", format!("[\"{text}\"]")));
        let a = t.elapsed();
        r.redact(target(format!("/{text}?{text}={text}")));
        let b = t.elapsed() - a;
        r.redact(header("x-note", text));
        println!("{name} {a:?} {b:?} {:?}", t.elapsed() - a - b);
    }
}
