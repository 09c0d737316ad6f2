//! Conversations in, exchanges out, by way of [`crate::Session`], as the pipeline does it.

use std::io::Write;
use std::time::Duration;

use wirewise_model::{
    Coverage, Exchange, Kind, Limits, Mark, Outcome, PacketNumber, Side, Timestamp, Transport,
};

use crate::{End, Out, Session, SessionStart, Switchboard};

/// One event on a flow. Each takes place a millisecond after the one before, in a packet of its own.
#[derive(Clone, Debug)]
enum Ev {
    /// The client (A) sends.
    C(Vec<u8>),
    /// The server (B) sends.
    S(Vec<u8>),
    /// Bytes of a side are lost.
    Lost(Side, u64),
    /// So many seconds pass.
    Wait(u64),
    /// An end.
    End(Option<Side>, End),
}

fn c(text: impl AsRef<[u8]>) -> Ev {
    Ev::C(text.as_ref().to_vec())
}

fn s(text: impl AsRef<[u8]>) -> Ev {
    Ev::S(text.as_ref().to_vec())
}

struct Flow {
    session: Session,
    board: Switchboard,
    out: Out,
    now: i64,
    packet: u64,
}

impl Flow {
    fn new(limits: Limits, mid_stream: bool) -> Self {
        let opener = (!mid_stream).then_some(Side::A);
        let start = SessionStart { transport: Transport::Tcp, ports: [40000, 8080], opener, mid_stream };
        Self {
            session: Session::new(start),
            board: Switchboard::new(limits),
            out: Out::default(),
            now: 0,
            packet: 0,
        }
    }

    fn at(&self) -> Timestamp {
        Timestamp::from_nanos(self.now)
    }

    fn play(&mut self, events: &[Ev], split: Option<usize>) {
        let Self { session, board, out, .. } = self;
        for event in events {
            self.now += 1_000_000;
            let at = Timestamp::from_nanos(self.now);
            match event {
                Ev::C(bytes) | Ev::S(bytes) => {
                    let side = if matches!(event, Ev::C(_)) { Side::A } else { Side::B };
                    self.packet += 1;
                    let mark = Mark { at, packet: PacketNumber(self.packet) };
                    for piece in bytes.chunks(split.unwrap_or(usize::MAX)) {
                        session.bytes(side, piece, mark, board, out);
                    }
                }
                Ev::Lost(side, len) => session.gap(*side, *len, board, out),
                Ev::Wait(seconds) => {
                    self.now += *seconds as i64 * 1_000_000_000;
                    session.tick(Timestamp::from_nanos(self.now), board, out);
                }
                Ev::End(side, why) => {
                    self.packet += 1;
                    let last = Mark { at, packet: PacketNumber(self.packet) };
                    session.end(*side, *why, last, board, out);
                }
            }
        }
    }

    fn finish(mut self) -> Vec<Exchange> {
        let last = Mark { at: self.at(), packet: PacketNumber(self.packet) };
        self.session.end(None, End::CaptureEnded, last, &mut self.board, &mut self.out);
        let books = self.board.books();
        assert_eq!(books.taken_in, books.passed_on + books.reasons.values().sum::<u64>(), "{books:?}");
        assert_eq!(self.board.switched_off().count(), 0);
        self.out.exchanges
    }
}

fn hear(events: &[Ev]) -> Vec<Exchange> {
    let mut flow = Flow::new(Limits::default(), false);
    flow.play(events, None);
    flow.finish()
}

/// One line an exchange: what was asked, what came of it, what was odd.
fn told(exchanges: &[Exchange]) -> Vec<String> {
    let line = |exchange: &Exchange| {
        let asked = match &exchange.request {
            Some(_) => format!("{} {}", exchange.operation, exchange.target),
            None => "?".to_owned(),
        };
        let status = exchange.status.as_deref().unwrap_or("-");
        let mut line = format!("{asked} {status} {}", exchange.outcome);
        if exchange.kind != Kind::Unary {
            line += &format!(" {}", exchange.kind);
        }
        if exchange.revision > 0 {
            line += " again";
        }
        for note in &exchange.notes {
            line += &format!(" +{}", note.0);
        }
        line
    };
    exchanges.iter().map(line).collect()
}

#[track_caller]
fn check(events: &[Ev], expect: &[&str]) -> Vec<Exchange> {
    let exchanges = hear(events);
    assert_eq!(told(&exchanges), expect);
    exchanges
}

fn get(target: &str) -> Ev {
    c(format!("GET {target} HTTP/1.1\r\nHost: shop\r\n\r\n"))
}

fn ok(body: &str) -> Ev {
    s(ok_bytes(body))
}

fn ok_bytes(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

fn kept(exchange: &Exchange) -> &[u8] {
    exchange.response.as_ref().and_then(|response| response.body.as_ref()).map_or(&[], |body| &body.kept)
}

fn attribute(exchange: &Exchange, name: &str) -> Option<String> {
    exchange
        .attributes
        .iter()
        .find(|attribute| attribute.name == name)
        .map(|attribute| attribute.value.to_string())
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn coded(coding: &str, body: &[u8]) -> Ev {
    let mut bytes =
        format!("HTTP/1.1 200 OK\r\nContent-Encoding: {coding}\r\nContent-Length: {}\r\n\r\n", body.len())
            .into_bytes();
    bytes.extend_from_slice(body);
    Ev::S(bytes)
}

/// Conversations without loss, for the tests that hold for all of them.
fn conversations() -> Vec<Vec<Ev>> {
    let fin =
        || [Ev::End(Some(Side::B), End::Fin), Ev::End(Some(Side::A), End::Fin), Ev::End(None, End::Fin)];
    let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
    zlib.write_all(b"zlib zlib zlib").unwrap();
    let mut raw = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
    raw.write_all(b"raw raw raw raw").unwrap();
    let mut samples = vec![
        vec![
            c("GET /a?b=c HTTP/1.1\r\nHost: shop:8080\r\nUser-Agent: curl/8\r\nAccept: */*\r\ntraceparent: \
               00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n\r\n"),
            ok("hello"),
            c("POST /orders HTTP/1.1\r\nHost: shop\r\nContent-Length: 4\r\n\r\n"),
            c("data"),
            s("HTTP/1.1 201 Created\r\nLocation: /orders/7\r\nContent-Length: 0\r\n\r\n"),
        ],
        // Pipelined, answered in one segment.
        vec![
            c(
                "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nHEAD /2 HTTP/1.1\r\nHost: a\r\n\r\nGET /3 HTTP/1.1\r\nHost: a\r\n\r\n",
            ),
            s(ok_bytes("one")
                + "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nHTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n"),
        ],
        // Interim responses.
        vec![
            c("PUT /big HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n"),
            s("HTTP/1.1 100 Continue\r\n\r\n"),
            c("abc"),
            s("HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n"),
        ],
        // Chunked both ways, with extensions and trailers.
        vec![
            c(
                "POST /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n6 \r\n world\r\n0\r\n\r\n",
            ),
            s(
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: Digest\r\n\r\n0003\r\nabc\r\n1;a;b=\"c\"\r\nd\r\n0\r\nDigest: x\r\n\r\n",
            ),
            get("/next"),
            ok("n"),
        ],
        // Until the connection ends.
        [
            vec![
                c("GET /old HTTP/1.0\r\n\r\n"),
                s("HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nsome"),
                s(" more"),
            ],
            fin().to_vec(),
        ]
        .concat(),
        // Odd line ends, folds, blank lines first, odd case.
        vec![
            c("\r\n\r\nGET /lf HTTP/1.1\nHost: a\nX-Fold: one\n  two\n\n"),
            s("HTTP/1.1 200\r\nX: 1\r\n\tfolded\r\nContent-Length: 2\r\n\r\nhi\r\n"),
            c("BREW /pot http/1.1\r\nHost : a\r\n\r\n"),
            s("HTTP/1.1 418 I'm a teapot\r\nContent-Length:0\r\n\r\n"),
        ],
        // An answer before the request is whole.
        vec![
            c("POST /early HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n12345"),
            s("HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n"),
            c("67890GET /after HTTP/1.1\r\nHost: a\r\n\r\n"),
            ok(""),
        ],
        // Smuggling, and lengths that do not agree.
        vec![
            c(
                "POST /s HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n",
            ),
            s("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nab"),
            c("GET /l HTTP/1.1\r\nHost: a\r\nContent-Length: 0, 0\r\n\r\n"),
            s("HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nab"),
        ],
        // Became something else.
        vec![
            c("GET /chat HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"),
            s("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n\x01\x02"),
            c([0x81, 0x80, 1, 2, 3, 4]),
        ],
        // An upgrade that was not taken up.
        vec![
            c("GET /h2 HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"),
            ok("no"),
            get("/still"),
            ok("1.1"),
        ],
        // A tunnel, and HTTP in it.
        vec![
            c("CONNECT db:5432 HTTP/1.1\r\nHost: db:5432\r\n\r\n"),
            s("HTTP/1.1 200 Connection established\r\n\r\n"),
            get("/inside"),
            ok("tunnel"),
        ],
        // Proxied.
        vec![
            c(
                "GET http://user@other.example/p?q HTTP/1.1\r\nHost: proxy\r\n\r\nOPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
            ),
            ok("1"),
            s(
                "HTTP/1.1 500 Internal Server Error\r\nContent-Type: application/problem+json\r\nContent-Length: 42\r\n\r\n{\"title\":\"no stock\",\"detail\":\"shelf 7\",  }",
            ),
        ],
    ];
    let text = b"decoded and decoded and decoded and decoded".as_slice();
    let codings: Vec<(&str, Vec<u8>)> = vec![
        ("gzip", gzip(text)),
        ("x-gzip", [gzip(text), gzip(b" twice")].concat()),
        ("deflate", zlib.finish().unwrap()),
        ("deflate", raw.finish().unwrap()),
        ("zstd", zstd::encode_all(text, 3).unwrap()),
        ("br", BROTLI.to_vec()),
        ("gzip, zstd", zstd::encode_all(gzip(text).as_slice(), 3).unwrap()),
        ("identity", b"as it is".to_vec()),
        ("rot13", b"nf vg vf".to_vec()),
        ("gzip", b"this is no gzip".to_vec()),
    ];
    samples.push(codings.iter().flat_map(|(coding, body)| [get("/z"), coded(coding, body)]).collect());
    samples
}

/// "brotli brotli brotli" by the reference encoder: one literal, uncompressed meta-block form.
const BROTLI: &[u8] = &[
    0x8b, 0x09, 0x80, b'b', b'r', b'o', b't', b'l', b'i', b' ', b'b', b'r', b'o', b't', b'l', b'i', b' ',
    b'b', b'r', b'o', b't', b'l', b'i', 0x03,
];

#[test]
fn any_split_of_the_segments_gives_the_same_exchanges() {
    for events in conversations() {
        let whole = hear(&events);
        assert!(!whole.is_empty());
        for size in 1..=64 {
            let mut flow = Flow::new(Limits::default(), false);
            flow.play(&events, Some(size));
            assert_eq!(flow.finish(), whole, "pieces of {size}: {events:?}");
        }
        // And each segment cut in two, at every place.
        let longest =
            events.iter().map(|event| if let Ev::C(b) | Ev::S(b) = event { b.len() } else { 0 }).max();
        for cut in 1..longest.unwrap_or(0) {
            let mut flow = Flow::new(Limits::default(), false);
            flow.play(&events, Some(cut));
            assert_eq!(flow.finish(), whole, "cut at {cut}: {events:?}");
        }
    }
}

#[test]
fn no_truncation_or_flipped_byte_panics_or_unbalances_the_books() {
    for events in conversations() {
        for (index, event) in events.iter().enumerate() {
            let (Ev::C(bytes) | Ev::S(bytes)) = event else { continue };
            for at in 0..bytes.len() {
                for change in [0, 1, 2] {
                    let mut bytes = bytes.clone();
                    match change {
                        0 => bytes.truncate(at),
                        1 => bytes[at] ^= 0x80,
                        _ => bytes[at] = 0,
                    }
                    let mut events = events.clone();
                    events[index] = if matches!(event, Ev::C(_)) { Ev::C(bytes) } else { Ev::S(bytes) };
                    hear(&events);
                    events.insert(
                        index + 1,
                        Ev::Lost(if matches!(event, Ev::C(_)) { Side::A } else { Side::B }, 7),
                    );
                    hear(&events);
                }
            }
        }
    }
}

#[test]
fn tells_a_simple_exchange_in_full() {
    let exchanges = hear(&conversations()[0]);
    let first = &exchanges[0];
    assert_eq!((first.operation.as_str(), first.target.as_str()), ("GET", "/a?b=c"));
    assert_eq!(first.host.as_deref(), Some("shop:8080"));
    assert_eq!(
        (first.status.as_deref(), first.status_code, first.outcome),
        (Some("200"), Some(200), Outcome::Ok)
    );
    let trace = ("0af7651916cd43dd8448eb211c80319c".to_owned(), "b7ad6b7169203331".to_owned());
    assert_eq!(first.trace, Some(trace));
    assert_eq!(attribute(first, "user_agent.original").as_deref(), Some("curl/8"));
    assert_eq!(attribute(first, "network.protocol.version").as_deref(), Some("1.1"));
    assert_eq!(attribute(first, "http.response.body.size").as_deref(), Some("5"));
    assert_eq!(kept(first), b"hello");
    assert_eq!(first.took(), Some(Duration::from_millis(1)));
    assert!(first.complete);
    let (request, response) = (first.request.as_ref().unwrap(), first.response.as_ref().unwrap());
    assert_eq!(request.headers[0], ("host".to_owned(), "shop:8080".to_owned()));
    assert_eq!((request.track.offset, response.track.offset), (0, 0));
    let second = exchanges[1].request.as_ref().unwrap();
    assert_eq!((second.track.offset, second.track.frames.numbers.len()), (request.track.bytes, 2));
    assert_eq!(exchanges.len(), 2);
}

#[test]
fn tells_the_conversations() {
    let expect: [&[&str]; 13] = [
        &["GET /a?b=c 200 ok", "POST /orders 201 ok"],
        &["GET /1 200 ok", "HEAD /2 200 ok", "GET /3 304 ok"],
        &["PUT /big 204 ok"],
        &["POST /c 200 ok", "GET /next 200 ok"],
        &["GET /old 200 ok"],
        &["GET /lf 200 ok +malformed_header", "BREW /pot 418 client_error +malformed_header"],
        &["POST /early 413 client_error", "GET /after 200 ok"],
        &["POST /s 200 ok +chunked_with_length +content_length_conflict", "GET /l 200 ok"],
        &["GET /chat 101 ok session", "text /chat - one_way message", "? - unknown message +capture_ended"],
        &["GET /h2 200 ok", "GET /still 200 ok"],
        &["CONNECT db:5432 200 ok session", "GET /inside 200 ok"],
        &["GET /p?q 200 ok", "OPTIONS * 500 server_error"],
        &[
            "GET /z 200 ok",
            "GET /z 200 ok",
            "GET /z 200 ok",
            "GET /z 200 ok",
            "GET /z 200 ok",
            "GET /z 200 ok",
            "GET /z 200 ok",
            "GET /z 200 ok",
            "GET /z 200 ok +unknown_coding",
            "GET /z 200 ok +undecodable",
        ],
    ];
    for (events, expect) in conversations().iter().zip(expect) {
        check(events, expect);
    }
}

#[test]
fn undoes_codings() {
    let exchanges = hear(conversations().last().unwrap());
    let bodies: Vec<_> = exchanges.iter().map(|exchange| String::from_utf8_lossy(kept(exchange))).collect();
    let text = "decoded and decoded and decoded and decoded";
    let twice = format!("{text} twice");
    assert_eq!(
        bodies,
        [
            text,
            &twice,
            "zlib zlib zlib",
            "raw raw raw raw",
            text,
            "brotli brotli brotli",
            text,
            "as it is",
            "nf vg vf",
            ""
        ]
    );
}

#[test]
fn keeps_trailers_and_joins_chunks() {
    let exchanges = hear(&conversations()[3]);
    let response = exchanges[0].response.as_ref().unwrap();
    assert_eq!((kept(&exchanges[0]), response.header("digest")), (b"abcd".as_slice(), Some("x")));
    assert_eq!(exchanges[0].request.as_ref().unwrap().body.as_ref().unwrap().kept, b"hello world");
}

#[test]
fn tells_interim_responses_as_an_attribute() {
    let exchanges = hear(&conversations()[2]);
    assert_eq!(attribute(&exchanges[0], "http.response.interim_status").as_deref(), Some("100,103"));
}

#[test]
fn absolute_targets_name_the_host() {
    let exchanges = hear(&conversations()[11]);
    assert_eq!(exchanges[0].host.as_deref(), Some("other.example"));
    assert_eq!(attribute(&exchanges[0], "url.scheme").as_deref(), Some("http"));
}

#[test]
fn errors_speak_in_the_servers_words() {
    let says = |head: &str, body: &str| {
        let head = format!(
            "HTTP/1.1 {head}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        hear(&[get("/"), s(head)])[0].error.clone()
    };
    assert_eq!(says("503 Service Unavailable", "").as_deref(), Some("Service Unavailable"));
    assert_eq!(says("500 Oops", r#"{"error":"db down"}"#).as_deref(), Some("db down"));
    assert_eq!(says("400 Bad", r#"{"error":{"message":"no such field"}}"#).as_deref(), Some("no such field"));
    assert_eq!(
        says("409 Conflict", r#"{"title":"No stock","detail":"shelf 7"}"#).as_deref(),
        Some("No stock: shelf 7")
    );
    assert_eq!(says("200 OK", r#"{"error":"not one"}"#), None);
}

#[test]
fn a_status_that_is_none_is_a_servers_error() {
    check(&[get("/"), s("HTTP/1.1 000 ok\r\nContent-Length: 0\r\n\r\n")], &["GET / 0 server_error"]);
    check(&[get("/"), s("HTTP/1.1 999 no\r\nContent-Length: 0\r\n\r\n")], &["GET / 999 server_error"]);
}

#[test]
fn kinds() {
    let kind = |request: &str, wait: u64, head: &str, body: &str| {
        let events = [
            c(format!("GET {request}\r\n\r\n")),
            Ev::Wait(wait),
            s(format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\n{body}")),
            Ev::End(None, End::Fin),
        ];
        hear(&events)[0].kind
    };
    let chunked = "Transfer-Encoding: chunked";
    assert_eq!(
        kind("/e HTTP/1.1", 0, "Content-Type: text/event-stream;charset=utf-8", "data: 1\n\n"),
        Kind::Stream
    );
    assert_eq!(kind("/p?watch=true HTTP/1.1", 0, chunked, "0\r\n\r\n"), Kind::Stream);
    assert_eq!(kind("/p HTTP/1.1", 0, chunked, "0\r\n\r\n"), Kind::Unary);
    assert_eq!(kind("/p?wait=30s HTTP/1.1", 20, "Content-Length: 0", ""), Kind::LongPoll);
    assert_eq!(kind("/p?wait=30s HTTP/1.1", 0, "Content-Length: 0", ""), Kind::Unary);
    assert_eq!(
        kind("/p HTTP/1.1\r\nPrefer: respond-async, wait=10", 0, "Content-Length: 0", ""),
        Kind::LongPoll
    );
    // Slow, and nothing says that it polls.
    assert_eq!(kind("/slow HTTP/1.1", 20, "Content-Length: 0", ""), Kind::Unary);
}

#[test]
fn an_event_stream_is_open_until_the_connection_ends() {
    let mut flow = Flow::new(Limits::default(), false);
    flow.play(
        &[
            get("/events"),
            s("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n"),
            Ev::Wait(400),
        ],
        None,
    );
    assert!(flow.session.waiting());
    let mut open = Out::default();
    flow.session.open(&mut open);
    assert_eq!(told(&open.exchanges), ["GET /events 200 open stream"]);
    flow.play(&[s("data: 2\n\n"), Ev::End(Some(Side::B), End::Fin)], None);
    assert!(!flow.session.waiting());
    let exchanges = flow.finish();
    assert_eq!(told(&exchanges), ["GET /events 200 ok stream"]);
    assert_eq!(kept(&exchanges[0]), b"data: 1\n\ndata: 2\n\n");
}

#[test]
fn ends_say_what_became_of_the_unanswered() {
    let part = s("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
    check(&[get("/"), Ev::End(None, End::Reset)], &["GET / - no_response +reset"]);
    check(&[get("/"), Ev::End(Some(Side::B), End::Fin)], &["GET / - no_response"]);
    check(&[get("/")], &["GET / - unknown +capture_ended"]);
    check(&[get("/"), Ev::Wait(6)], &["GET / - no_response +capture_ended"]);
    let cut = check(&[get("/"), part.clone(), Ev::End(Some(Side::B), End::Fin)], &["GET / 200 aborted"]);
    assert_eq!((kept(&cut[0]), cut[0].complete), (b"half".as_slice(), false));
    check(&[get("/"), part.clone(), Ev::End(None, End::Reset)], &["GET / 200 aborted +reset"]);
    check(&[get("/"), part], &["GET / 200 unknown +capture_ended"]);
    let until_close = s("HTTP/1.1 200 OK\r\n\r\nhalf");
    check(&[get("/"), until_close.clone(), Ev::End(None, End::Fin)], &["GET / 200 ok"]);
    check(&[get("/"), until_close, Ev::End(None, End::Reset)], &["GET / 200 aborted +reset"]);
    let upload = c("POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\nhalf");
    check(&[upload.clone(), Ev::End(None, End::Reset)], &["POST / - no_response +request_cut +reset"]);
    check(
        &[upload, Ev::End(Some(Side::A), End::Fin), s("HTTP/1.1 400 Bad\r\nContent-Length: 0\r\n\r\n")],
        &["POST / 400 client_error +request_cut"],
    );
}

#[test]
fn a_late_response_is_a_revision_of_the_same_call() {
    let events = [get("/slow"), Ev::Wait(301), Ev::Wait(9), get("/next"), ok("late"), ok("next")];
    let exchanges = check(
        &events,
        &["GET /slow - no_response +timed_out", "GET /slow 200 ok again +late", "GET /next 200 ok"],
    );
    assert_eq!(exchanges[0].request.as_ref().unwrap().track, exchanges[1].request.as_ref().unwrap().track);
    // Past the time that it is remembered the response goes out alone, and the next one is not shifted.
    check(
        &[get("/slow"), Ev::Wait(301), Ev::Wait(1300), get("/next"), ok("late"), ok("next")],
        &["GET /slow - no_response +timed_out", "? 200 ok +mid_stream", "GET /next 200 ok"],
    );
}

#[test]
fn a_flow_picked_up_in_the_middle_begins_with_the_first_start_line() {
    let mut flow = Flow::new(Limits::default(), true);
    flow.play(&[s("...rest of a body"), s("and more"), get("/1"), ok("1"), get("/2"), ok("2")], None);
    assert_eq!(told(&flow.finish()), ["GET /1 200 ok", "GET /2 200 ok"]);
    let mut flow = Flow::new(Limits::default(), true);
    flow.play(&[ok("of what?"), get("/2"), ok("2")], None);
    assert_eq!(told(&flow.finish()), ["? 200 ok +mid_stream", "GET /2 200 ok"]);
    // One direction only.
    let mut flow = Flow::new(Limits::default(), true);
    flow.play(&[ok("1"), ok("2"), Ev::Wait(6)], None);
    assert_eq!(told(&flow.out.exchanges), ["? 200 ok +mid_stream", "? 200 ok +mid_stream"]);
}

#[test]
fn a_gap_in_a_body_of_known_length_costs_its_content_alone() {
    let exchanges = check(
        &[
            get("/"),
            s("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12"),
            Ev::Lost(Side::B, 5),
            s("890"),
            get("/2"),
            ok("2"),
        ],
        &["GET / 200 ok +gap", "GET /2 200 ok"],
    );
    let body = exchanges[0].response.as_ref().unwrap().body.as_ref().unwrap();
    assert_eq!((body.wire_bytes, body.kept.as_slice(), body.truncated), (10, b"12".as_slice(), true));
    assert_eq!((exchanges[0].coverage, exchanges[0].complete), (Coverage::Partial, true));
    check(
        &[
            get("/"),
            s("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12"),
            Ev::Lost(Side::B, 8),
            get("/2"),
            ok("2"),
        ],
        &["GET / 200 ok +gap", "GET /2 200 ok"],
    );
    check(
        &[
            c("POST / HTTP/1.1\r\nContent-Length: 4\r\n\r\n"),
            Ev::Lost(Side::A, 4),
            ok("1"),
            get("/2"),
            ok("2"),
        ],
        &["POST / 200 ok +gap", "GET /2 200 ok"],
    );
}

#[test]
fn a_lost_response_does_not_shift_the_others() {
    // The client waits for each answer: what is found after the gap is the second's.
    check(
        &[get("/1"), Ev::Lost(Side::B, 60), get("/2"), ok("2"), get("/3"), ok("3")],
        &["GET /1 - unknown +gap", "GET /2 200 ok", "GET /3 200 ok"],
    );
    // Its rest comes first.
    check(
        &[get("/1"), Ev::Lost(Side::B, 60), s("rest of the body"), get("/2"), ok("2")],
        &["GET /1 - unknown +gap", "GET /2 200 ok"],
    );
    // The listener waits for the hole while requests go on; then everything comes at once.
    let mut flow = Flow::new(Limits::default(), false);
    flow.play(&[get("/0"), ok("0")], None);
    let feed = |flow: &mut Flow, side: Side, at: i64, text: &str| {
        flow.packet += 1;
        let mark = Mark { at: Timestamp::from_nanos(at), packet: PacketNumber(flow.packet) };
        flow.session.bytes(side, text.as_bytes(), mark, &mut flow.board, &mut flow.out);
    };
    let ask = |n: u32| format!("GET /{n} HTTP/1.1\r\n\r\n");
    for n in 1..=4 {
        feed(&mut flow, Side::A, i64::from(n) * 10_000_000, &ask(n));
    }
    flow.play(&[Ev::Lost(Side::B, 100)], None);
    feed(&mut flow, Side::B, 35_000_000, &ok_bytes("3"));
    feed(&mut flow, Side::B, 45_000_000, &ok_bytes("4"));
    flow.now = 50_000_000;
    assert_eq!(
        told(&flow.finish()),
        ["GET /0 200 ok", "GET /1 - unknown +gap", "GET /2 - unknown +gap", "GET /3 200 ok", "GET /4 200 ok"]
    );
}

#[test]
fn pipelined_requests_around_a_lost_response_are_not_guessed() {
    let three = c("GET /1 HTTP/1.1\r\n\r\nGET /2 HTTP/1.1\r\n\r\nGET /3 HTTP/1.1\r\n\r\n");
    check(
        &[
            three,
            Ev::Lost(Side::B, 60),
            ok("2 or 3"),
            get("/4"),
            ok("3 or 4"),
            Ev::Wait(2),
            get("/5"),
            ok("5"),
        ],
        &[
            "GET /1 - unknown +gap",
            "GET /2 - unknown +gap",
            "GET /3 - unknown +gap",
            "? 200 ok +gap",
            "GET /4 - unknown +gap",
            "? 200 ok +gap",
            "GET /5 200 ok",
        ],
    );
}

#[test]
fn a_lost_request_does_not_shift_the_others() {
    check(
        &[get("/0"), ok("0"), Ev::Lost(Side::A, 40), ok("1"), get("/2"), ok("2")],
        &["GET /0 200 ok", "? 200 ok +gap", "GET /2 200 ok"],
    );
    // Heard while the listener still waits for the hole.
    check(
        &[get("/0"), ok("0"), ok("1"), Ev::Lost(Side::A, 40), get("/2"), ok("2")],
        &["GET /0 200 ok", "? 200 ok +mid_stream", "GET /2 200 ok"],
    );
}

#[test]
fn a_response_heard_before_its_request_finds_it() {
    let mut flow = Flow::new(Limits::default(), false);
    let mark = |at, packet| Mark { at: Timestamp::from_nanos(at), packet: PacketNumber(packet) };
    let Flow { session, board, out, .. } = &mut flow;
    session.bytes(Side::B, ok_bytes("x").as_bytes(), mark(20, 2), board, out);
    assert!(session.waiting());
    session.bytes(Side::A, b"GET /1 HTTP/1.1\r\n\r\n", mark(10, 1), board, out);
    session.bytes(Side::B, b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n", mark(40, 4), board, out);
    session.bytes(Side::A, b"HEAD /2 HTTP/1.1\r\n\r\n", mark(30, 3), board, out);
    assert!(!session.waiting());
    assert_eq!(told(&flow.finish()), ["GET /1 200 ok", "HEAD /2 200 ok"]);
}

#[test]
fn chunked_framing_that_is_lost_ends_with_the_next_message_or_a_last_chunk() {
    let begin = || s("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab");
    let exchanges = check(
        &[get("/1"), begin(), Ev::Lost(Side::B, 9), s("xyz"), get("/2"), ok("2")],
        &["GET /1 200 ok +gap", "GET /2 200 ok"],
    );
    assert_eq!(exchanges[0].response.as_ref().unwrap().track.frames.numbers.len(), 2);
    check(
        &[get("/1"), begin(), Ev::Lost(Side::B, 9), s("xyz\r\n0\r\n\r\n"), get("/2"), ok("2")],
        &["GET /1 200 ok +gap", "GET /2 200 ok"],
    );
    check(
        &[
            get("/1"),
            s("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10000000000000000\r\nabc"),
            Ev::End(None, End::Fin),
        ],
        &["GET /1 200 ok +bad_chunk"],
    );
}

#[test]
fn bombs_are_defused() {
    let zeros = vec![0; 4 << 20];
    let bomb = gzip(&zeros);
    let size = bomb.len() as u64;
    let exchanges = check(
        &[get("/"), coded("gzip", &bomb), get("/2"), ok("")],
        &["GET / 200 ok +decompression_limit", "GET /2 200 ok"],
    );
    let body = exchanges[0].response.as_ref().unwrap().body.as_ref().unwrap();
    assert_eq!((body.wire_bytes, body.kept.len(), body.truncated), (size, 16 << 10, true));
    assert!(body.decoded_bytes <= size * 100);
    let exchanges =
        check(&[get("/"), coded("gzip, gzip", &gzip(&bomb))], &["GET / 200 ok +decompression_limit"]);
    assert!(exchanges[0].response.as_ref().unwrap().body.as_ref().unwrap().decoded_bytes <= 1 << 20);
}

#[test]
fn few_bytes_that_stand_for_some_thousand_are_no_bomb() {
    let exchanges = check(&[get("/"), coded("gzip", &gzip(&[b'a'; 12_000]))], &["GET / 200 ok"]);
    assert_eq!(kept(&exchanges[0]).len(), 12_000);
}

#[test]
fn a_body_that_ends_with_the_connection_lasts_until_then() {
    let events = [get("/"), s("HTTP/1.0 200 OK\r\n\r\nall"), Ev::Wait(2), Ev::End(Some(Side::B), End::Fin)];
    let exchanges = check(&events, &["GET / 200 ok"]);
    assert_eq!(exchanges[0].took(), Some(Duration::from_millis(2003)));
    // FIN is the end of the message, and its packet a part of it.
    let track = &exchanges[0].response.as_ref().unwrap().track;
    assert_eq!(track.frames.numbers.as_slice(), [PacketNumber(2), PacketNumber(3)]);
}

#[test]
fn blanks_that_are_none_do_not_hide_a_framing_field() {
    // The bytes before the colon make these other fields: who frames by them can be deceived.
    for name in ["Transfer-Encoding\x0c", "Transfer-Encoding\r", "\x0bTransfer-Encoding"] {
        let response = s(format!("HTTP/1.1 200 OK\r\n{name}: chunked\r\nContent-Length: 3\r\n\r\n1\r\n"));
        let exchanges = check(&[get("/"), response], &["GET / 200 ok +malformed_header"]);
        assert_eq!(kept(&exchanges[0]), b"1\r\n");
    }
}

#[test]
fn limits_hold() {
    let limits =
        Limits { pending_calls: 3, header_bytes: 256, headers: 2, body_kept: 4, ..Limits::default() };
    let mut flow = Flow::new(limits.clone(), false);
    let asked: Vec<_> = (0..5).map(|n| get(&format!("/{n}"))).collect();
    let answered: Vec<_> = (0..5).map(|n| ok(&format!("{n}23456"))).collect();
    flow.play(&asked, None);
    flow.play(&answered, None);
    let exchanges = flow.finish();
    assert_eq!(
        told(&exchanges),
        [
            "GET /0 - unknown +evicted",
            "GET /1 - unknown +evicted",
            "? 200 ok +mid_stream",
            "? 200 ok +mid_stream",
            "GET /2 200 ok",
            "GET /3 200 ok",
            "GET /4 200 ok"
        ]
    );
    assert_eq!(kept(&exchanges[4]), b"2234".map(|byte| byte).as_slice());
    let mut flow = Flow::new(limits.clone(), false);
    flow.play(&[c("GET / HTTP/1.1\r\nA: 1\r\nB: 2\r\nContent-Length: 2\r\n\r\nhi"), ok("")], None);
    assert_eq!(told(&flow.finish()), ["GET / 200 ok +headers_omitted"]);
    let mut flow = Flow::new(limits, false);
    flow.play(
        &[get("/1"), c(format!("GET / HTTP/1.1\r\nX: {}", "x".repeat(300))), ok(""), get("/3"), ok("")],
        None,
    );
    assert_eq!(
        told(&flow.finish()),
        ["GET /1 - unknown +header_limit", "? 200 ok +mid_stream", "GET /3 200 ok"]
    );
}

#[test]
fn what_is_not_http_is_left_to_others() {
    for head in [
        "SSH-2.0-OpenSSH_9\r\n",
        "*1\r\n$4\r\nPING\r\n",
        "PRI * HTTP/2.0\r\n\r\n",
        "EHLO me\r\n",
        "OPTIONS rtsp://a RTSP/1.0\r\n",
    ] {
        let heard = hear(&[c(head)]);
        assert!(heard.iter().all(|exchange| exchange.protocol != "http1"), "{head}: {heard:?}");
    }
}

#[test]
fn an_idle_flow_is_small() {
    assert!(size_of::<super::Http1>() <= 128, "{}", size_of::<super::Http1>());
    let mut flow = Flow::new(Limits::default(), false);
    flow.play(&[get("/"), ok("x")], None);
    assert!(!flow.session.waiting());
}
