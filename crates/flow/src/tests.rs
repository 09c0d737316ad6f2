//! Packets in, events out: handshakes, reordering, gaps, ends.

use std::time::Duration;

use wirewise_model::{
    Books, CaptureId, ClosedBy, FlowState, FlowSummary, Frame, Ledger, Limits, LinkType, Side, Timestamp,
};
use wirewise_testkit::packet::{Datagram, TcpSegment, frame, icmp, sctp, sctp_chunk, sctp_data, tcp, udp};
use wirewise_wire::{Parsed, Parser};

use super::*;

const CLIENT: &str = "10.0.0.1:40000";
const SERVER: &str = "10.0.0.2:80";

/// Writes down what it is told, one short line an event.
#[derive(Default)]
struct Diary {
    lines: Vec<String>,
    summaries: Vec<FlowSummary>,
}

impl Listener<u32> for Diary {
    fn open(&mut self, flow: &Flow) -> u32 {
        let mid = if flow.mid_stream { " mid-stream" } else { "" };
        self.lines.push(format!("open {}>{}{mid}", flow.key.from.port, flow.key.to.port));
        7
    }

    fn event(&mut self, _: &mut Flow, attached: &mut u32, event: Event<'_>) {
        assert_eq!(*attached, 7);
        self.lines.push(match event {
            Event::Bytes { side, bytes, .. } => format!("{side:?} {}", String::from_utf8_lossy(bytes)),
            Event::Message { side, bytes, original_len, .. } => {
                format!("{side:?} message {} of {original_len}", String::from_utf8_lossy(bytes))
            }
            Event::Gap { side, len, .. } => format!("{side:?} gap {len}"),
            Event::End { side: Some(side), why, .. } => format!("{side:?} {why:?}"),
            Event::End { side: None, why, .. } => format!("{why:?}"),
            Event::Refused { by, kind, code, .. } => format!("{by:?} refused {kind}/{code}"),
        });
    }

    fn close(&mut self, _: &Flow, _: u32, summary: FlowSummary) {
        self.lines.push(format!("close {}", summary.state.name()));
        self.summaries.push(summary);
    }
}

/// A table with a parser before it and a diary behind it.
struct Bench {
    parser: Parser,
    table: FlowTable<u32>,
    diary: Diary,
    number: u64,
    now: i64,
}

impl Bench {
    fn new(limits: &Limits) -> Self {
        let table = FlowTable::new(limits, &CaptureId("test".to_owned()));
        Self { parser: Parser::new(limits), table, diary: Diary::default(), number: 0, now: 0 }
    }

    /// One packet, a millisecond after the last.
    fn hear(&mut self, packet: &Datagram) -> &mut Self {
        self.hear_cut(packet, 0)
    }

    /// The same, with the last `cut` bytes taken off by a snap length.
    fn hear_cut(&mut self, packet: &Datagram, cut: usize) -> &mut Self {
        (self.number, self.now) = (self.number + 1, self.now + 1_000_000);
        let bytes = packet.bytes();
        let kept = &bytes[..bytes.len() - cut];
        let frame = frame(LinkType::RAW, kept, Timestamp::from_nanos(self.now), self.number);
        let frame = Frame { original_len: bytes.len() as u32, ..frame };
        if let Parsed::Packet(packet) = self.parser.parse(&frame) {
            self.table.push(&packet, &mut self.diary);
        }
        balanced(&self.table.books());
        self
    }

    fn client(&mut self, flags: &str, seq: u32, ack: u32, payload: &str) -> &mut Self {
        self.hear(&segment(CLIENT, SERVER, flags, seq, ack, payload).ip())
    }

    fn server(&mut self, flags: &str, seq: u32, ack: u32, payload: &str) -> &mut Self {
        self.hear(&segment(SERVER, CLIENT, flags, seq, ack, payload).ip())
    }

    /// SYN, SYN-ACK, ACK: the client's bytes begin at 101, the server's at 501.
    fn handshake(&mut self) -> &mut Self {
        self.client("S", 100, 0, "").server("SA", 500, 101, "").client("A", 101, 501, "")
    }

    fn wait(&mut self, time: Duration) -> &mut Self {
        self.now += time.as_nanos() as i64;
        self.table.tick(Timestamp::from_nanos(self.now), &mut self.diary);
        self
    }

    fn finish(&mut self) -> &mut Self {
        self.table.finish(&mut self.diary);
        balanced(&self.table.books());
        assert!(self.table.books().reasons.keys().all(|reason| reason.name != "buffered"));
        assert!(self.table.is_empty());
        self
    }

    #[track_caller]
    fn told(&mut self, expect: &[&str]) -> &mut Self {
        assert_eq!(std::mem::take(&mut self.diary.lines), expect);
        self
    }

    #[track_caller]
    fn counted(&mut self, name: &str, expect: u64) -> &mut Self {
        let books = self.table.books();
        let found =
            books.reasons.iter().find(|(reason, _)| reason.name == name).map_or(0, |(_, count)| *count);
        assert_eq!(found, expect, "{name} in {books:?}");
        self
    }

    fn summary(&mut self) -> FlowSummary {
        self.finish();
        self.diary.summaries.pop().expect("a flow was closed")
    }
}

fn segment(from: &str, to: &str, flags: &str, seq: u32, ack: u32, payload: &str) -> TcpSegment {
    let segment = tcp(from, to).seq(seq).flags(flags).payload(payload.as_bytes());
    if flags.contains('A') { segment.ack(ack) } else { segment }
}

fn balanced(books: &Books) {
    let mut ledger = Ledger::default();
    ledger.add(books);
    assert_eq!(ledger.check(), Ok(()), "{books:?}");
}

fn bench() -> Bench {
    Bench::new(&Limits::default())
}

/// A bench on which the handshake was heard.
fn established() -> Bench {
    let mut bench = bench();
    bench.handshake().told(&["open 40000>80"]);
    bench
}

#[test]
fn tells_a_connection_from_its_beginning_to_its_end() {
    let mut bench = established();
    bench.client("PA", 101, 501, "ask").server("A", 501, 104, "").server("PA", 501, 104, "answer");
    bench.client("FA", 104, 507, "").server("FA", 507, 105, "").client("A", 105, 508, "");
    bench.told(&["A ask", "B answer", "A Fin", "B Fin", "Fin"]);
    let summary = bench.summary();
    bench.told(&["close closed"]);
    assert_eq!((summary.client.port, summary.server.port), (40000, 80));
    assert_eq!((summary.client_sent.packets, summary.client_sent.bytes), (5, 3));
    assert_eq!((summary.server_sent.packets, summary.server_sent.bytes), (4, 6));
    assert_eq!((summary.first_packet.0, summary.last_packet.0), (1, 9));
    assert_eq!((summary.state, summary.closed_by), (FlowState::Closed, ClosedBy::Client));
    assert_eq!(summary.handshake, Some(Duration::from_millis(2)));
    assert_eq!(
        (summary.rtt_p50, summary.rtt_p99),
        (Some(Duration::from_millis(1)), Some(Duration::from_millis(1)))
    );
    assert_eq!(summary.notes, []);
}

#[test]
fn puts_segments_in_order() {
    let mut bench = established();
    bench.client("A", 107, 501, "three").client("A", 104, 501, "two").told(&[]).counted("buffered", 8);
    bench.client("A", 101, 501, "one").told(&["A one", "A two", "A three"]);
    assert_eq!(bench.summary().client_sent.out_of_order, 2);
}

#[test]
fn retransmitted_bytes_are_told_once_and_first_bytes_win() {
    let mut bench = established();
    bench.client("A", 101, 501, "abcd").client("A", 101, 501, "XXXX").client("A", 103, 501, "YYef");
    bench.told(&["A abcd", "A ef"]).counted("retransmitted", 4).counted("overlapping", 2);
    bench.client("A", 109, 501, "ij").client("A", 107, 501, "ghZZkl").told(&["A gh", "A ij", "A kl"]);
    // A keep-alive is the byte before, sent again
    bench.client("A", 112, 501, "l").told(&[]).counted("retransmitted", 5);
    let sent = bench.summary().client_sent;
    assert_eq!((sent.retransmissions, sent.bytes), (2, 21));
}

#[test]
fn padding_that_was_counted_as_payload_is_not_told() {
    let mut bench = established();
    bench.client("A", 101, 501, "\0\0").client("PA", 101, 501, "ask").told(&["A ask"]).counted("padding", 2);
    bench.client("FA", 104, 501, "\0\0").told(&["A Fin"]).counted("padding", 4);
    let mut bench = self::bench();
    bench.client("S", 100, 0, "").server("SA", 500, 101, "\0\0").client("A", 101, 501, "");
    bench.server("PA", 501, 101, "greeting").told(&["open 40000>80", "B greeting"]).counted("padding", 2);
}

#[test]
fn a_segment_in_fragments_begins_with_the_first_and_ends_with_the_last() {
    #[derive(Default)]
    struct Marks(Vec<(u64, usize)>);
    impl Listener<()> for Marks {
        fn open(&mut self, _: &Flow) {}

        fn event(&mut self, _: &mut Flow, (): &mut (), event: Event<'_>) {
            if let Event::Bytes { bytes, mark, .. } = event {
                self.0.push((mark.packet.0, bytes.len()));
            }
        }

        fn close(&mut self, _: &Flow, (): (), _: FlowSummary) {}
    }
    let whole = segment(CLIENT, SERVER, "PA", 101, 501, &"x".repeat(60)).ip();
    let mut parser = Parser::new(&Limits::default());
    let mut table = FlowTable::new(&Limits::default(), &CaptureId("test".to_owned()));
    let mut marks = Marks::default();
    for (number, fragment) in (1..).zip(whole.fragments(32)) {
        let frame = frame(LinkType::RAW, &fragment, Timestamp::from_nanos(number as i64), number);
        if let Parsed::Packet(packet) = parser.parse(&frame) {
            table.push(&packet, &mut marks);
        }
    }
    assert_eq!(marks.0, [(1, 59), (3, 1)]);
    balanced(&table.books());
}

#[test]
fn sequence_numbers_wrap() {
    let mut bench = bench();
    let isn = u32::MAX - 2;
    bench.client("S", isn, 0, "").server("SA", 500, isn + 1, "").client("A", isn + 1, 501, "ab");
    bench.client("A", 2, 501, "efg").client("A", 0, 501, "cd").client("A", 0, 501, "cd");
    bench.told(&["open 40000>80", "A ab", "A cd", "A efg"]).counted("retransmitted", 2);
}

#[test]
fn a_hole_is_waited_for_and_then_stepped_over() {
    let mut bench = established();
    bench.client("A", 104, 501, "two").told(&[]);
    bench.wait(Duration::from_millis(2_900)).told(&[]);
    bench.wait(Duration::from_millis(200)).told(&["A gap 3", "A two"]);
    // It comes after all
    bench.client("A", 101, 501, "one").told(&[]).counted("after_gap", 3);
    let summary = bench.summary();
    assert_eq!((summary.client_sent.missing_bytes, summary.client_sent.out_of_order), (3, 1));
    assert_eq!(summary.notes, [wirewise_model::Note::from("gap")]);
}

#[test]
fn a_hole_is_waited_for_so_many_packets() {
    let mut bench = Bench::new(&Limits { gap_packets: 4, ..Limits::default() });
    bench.handshake().client("A", 104, 501, "two");
    for at in 0..3 {
        bench.client("A", 107 + at, 501, "x");
    }
    bench.told(&["open 40000>80"]).client("A", 110, 501, "y");
    bench.told(&["A gap 3", "A two", "A x", "A x", "A x", "A y"]);
}

#[test]
fn bytes_that_were_acknowledged_but_not_heard_are_a_gap() {
    let mut bench = established();
    bench.server("A", 501, 104, "");
    for _ in 0..4 {
        bench.server("A", 501, 104, "").client("A", 104, 501, "");
    }
    bench.told(&["A gap 3"]);
    assert_eq!(bench.summary().client_sent.missing_bytes, 3);
}

#[test]
fn an_acknowledgement_that_overtook_its_bytes_is_no_gap() {
    let mut bench = established();
    bench.server("A", 501, 104, "").client("A", 101, 501, "ask").told(&["A ask"]);
    bench.wait(Duration::from_secs(10)).told(&[]);
}

#[test]
fn reordering_is_bounded_for_a_side_and_for_all_flows() {
    let check = |limits: Limits| {
        let mut bench = Bench::new(&limits);
        bench.handshake().client("A", 200, 501, &"x".repeat(600)).told(&["open 40000>80"]);
        bench.client("A", 900, 501, &"y".repeat(600));
        bench.told(&["A gap 99", &format!("A {}", "x".repeat(600))]).counted("buffered", 600);
        bench.finish();
    };
    check(Limits { reorder_bytes: 1000, ..Limits::default() });
    check(Limits { buffered_bytes: 1000, ..Limits::default() });
}

#[test]
fn what_a_snap_length_cut_is_a_gap() {
    let mut bench = established();
    bench.hear_cut(&segment(CLIENT, SERVER, "A", 101, 501, "hello, world").ip(), 7);
    bench.client("A", 113, 501, "!").told(&["A hello", "A gap 7", "A !"]);
    let sent = bench.summary().client_sent;
    assert_eq!((sent.bytes, sent.missing_bytes), (13, 7));
}

#[test]
fn picks_up_in_mid_stream_and_guesses_the_client_by_ports() {
    let mut bench = bench();
    bench.server("PA", 900, 300, "answer").client("PA", 300, 906, "ask");
    bench.told(&["open 80>40000 mid-stream", "A answer", "B ask"]);
    let summary = bench.summary();
    bench.told(&["CaptureEnded", "close mid_stream"]);
    assert_eq!((summary.client.port, summary.client_sent.bytes), (40000, 3));
    assert_eq!(summary.state, FlowState::MidStream);
}

#[test]
fn an_acknowledgement_heard_first_in_mid_stream_hides_nothing() {
    let mut bench = bench();
    bench
        .server("A", 900, 304, "")
        .client("A", 300, 900, "asks")
        .told(&["open 80>40000 mid-stream", "B asks"]);
}

#[test]
fn hearing_one_direction_only_tells_where_the_other_spoke() {
    let mut bench = bench();
    bench.server("SA", 500, 101, "").server("A", 501, 140, "").server("PA", 501, 140, "answer");
    bench.told(&["open 80>40000", "A answer"]);
    bench.wait(Duration::from_secs(3)).told(&["B gap 39"]);
    let summary = bench.summary();
    assert_eq!((summary.client.port, summary.client_sent.missing_bytes), (40000, 39));
}

#[test]
fn a_listener_may_say_who_the_client_is() {
    let mut bench = bench();
    bench.client("A", 300, 900, "x");
    let handle = bench.table.iter_mut().map(|(flow, _)| flow.handle).next().expect("there is a flow");
    let (flow, attached) = bench.table.get_mut(handle).expect("it is there");
    assert_eq!((flow.client(), *attached, flow.first_sequence(Side::A)), (Side::A, 7, Some(300)));
    flow.set_client(Side::B);
    assert_eq!(bench.summary().client.port, 80);
    assert!(bench.table.get_mut(handle).is_none());
}

#[test]
fn reset_ends_a_connection_or_refuses_it() {
    let mut bench = established();
    bench.client("A", 104, 501, "two").server("R", 501, 0, "");
    bench.told(&["A gap 3", "A two", "Reset"]);
    bench.client("A", 107, 501, "late").counted("after_end", 4);
    let summary = bench.summary();
    assert_eq!((summary.state, summary.closed_by), (FlowState::Reset, ClosedBy::Server));
    let mut bench = self::bench();
    bench.client("S", 100, 0, "").server("RA", 0, 101, "").told(&["open 40000>80", "Reset"]);
    let summary = bench.summary();
    bench.told(&["close refused"]);
    assert_eq!(summary.closed_by, ClosedBy::Server);
}

#[test]
fn a_reset_outside_the_window_is_not_believed() {
    let mut bench = established();
    bench.client("A", 101, 501, "ask").server("R", 900_000_000, 0, "").server("PA", 501, 104, "answer");
    bench.told(&["A ask", "B answer"]);
    assert_eq!(bench.summary().notes, [wirewise_model::Note::from("reset_out_of_window")]);
}

#[test]
fn a_segment_outside_the_window_is_dropped() {
    let mut bench = established();
    bench.client("A", 101 + 900_000_000, 501, "bogus").client("A", 101, 501, "ask").told(&["A ask"]);
    bench.counted("out_of_window", 5);
}

#[test]
fn fin_waits_for_the_bytes_before_it_and_nothing_comes_after_it() {
    let mut bench = established();
    bench
        .client("FA", 104, 501, "two")
        .told(&[])
        .client("A", 101, 501, "one")
        .told(&["A one", "A two", "A Fin"]);
    bench.client("A", 108, 501, "more").told(&[]).counted("after_fin", 4);
    bench.server("PA", 501, 108, "half-closed").told(&["B half-closed"]);
}

#[test]
fn packets_after_the_end_still_belong_to_the_flow() {
    let mut bench = established();
    bench.client("FA", 101, 501, "").server("FA", 501, 102, "").client("A", 102, 502, "");
    bench.server("FA", 501, 102, "").client("R", 102, 0, "");
    bench.told(&["A Fin", "B Fin", "Fin"]).wait(Duration::from_secs(61)).told(&["close closed"]);
    assert_eq!(bench.diary.summaries[0].server_sent.packets, 3);
}

#[test]
fn simultaneous_open_is_one_connection() {
    let mut bench = bench();
    bench
        .client("S", 100, 0, "")
        .server("S", 500, 0, "")
        .client("SA", 100, 501, "")
        .server("SA", 500, 101, "");
    bench.client("A", 101, 501, "hello").told(&["open 40000>80", "A hello"]);
    let summary = bench.summary();
    assert_eq!(summary.notes, [wirewise_model::Note::from("simultaneous_open")]);
}

#[test]
fn data_in_syn_is_told() {
    let mut bench = bench();
    bench.client("S", 100, 0, "fast").server("SA", 500, 105, "").client("A", 105, 501, "er");
    bench.told(&["open 40000>80", "A fast", "A er"]);
}

#[test]
fn a_new_syn_on_the_same_ports_is_a_new_flow_and_a_repeated_one_is_not() {
    let mut bench = bench();
    bench.client("S", 100, 0, "").client("S", 100, 0, "").told(&["open 40000>80"]);
    bench.server("SA", 500, 101, "").client("A", 101, 501, "x").told(&["A x"]);
    bench.client("S", 90_000, 0, "").told(&["TimedOut", "close timed_out", "open 40000>80"]);
    bench.finish();
    let [first, second] = &bench.diary.summaries[..] else { panic!("two flows") };
    assert_ne!(first.id, second.id);
    assert_eq!((first.client_sent.packets, first.client_sent.retransmissions), (3, 1));
    assert_eq!(first.notes, [wirewise_model::Note::from("ports_reused")]);
}

#[test]
fn silence_ends_flows_by_their_kind() {
    let limits = Limits::default();
    let mut bench = established();
    bench.hear(&segment(CLIENT, "10.0.0.3:80", "S", 1, 0, "").ip());
    bench.hear(&udp(CLIENT, "10.0.0.2:53", b"?"));
    bench.told(&["open 40000>80", "open 40000>53", "A message ? of 1"]);
    bench.wait(limits.tcp_brief_idle).told(&["TimedOut", "close timed_out"]);
    bench.wait(limits.datagram_idle).told(&["TimedOut", "close closed"]);
    bench.wait(limits.tcp_idle).told(&["TimedOut", "close timed_out"]);
    assert!(bench.table.is_empty());
}

#[test]
fn the_flow_that_was_silent_longest_makes_room() {
    let mut bench = Bench::new(&Limits { flows: 2, ..Limits::default() });
    bench.hear(&udp("10.0.0.1:1", "10.0.0.2:53", b"a")).hear(&udp("10.0.0.1:2", "10.0.0.2:53", b"b"));
    bench.hear(&udp("10.0.0.1:1", "10.0.0.2:53", b"c")).hear(&udp("10.0.0.1:3", "10.0.0.2:53", b"d"));
    assert_eq!(bench.table.len(), 2);
    let summary = bench.diary.summaries.pop().expect("one was evicted");
    assert_eq!(summary.client.port.min(summary.server.port), 2);
    assert_eq!(summary.notes, [wirewise_model::Note::from("evicted")]);
}

#[test]
fn zero_windows_are_counted() {
    let mut bench = established();
    bench.hear(&segment(SERVER, CLIENT, "A", 501, 101, "").window(0).ip());
    assert_eq!(bench.summary().server_sent.zero_windows, 1);
}

#[test]
fn datagrams_are_messages_and_an_answer_heard_first_is_not_the_client() {
    let mut bench = bench();
    bench.hear(&udp("10.0.0.2:53", CLIENT, b"answer")).hear_cut(&udp(CLIENT, "10.0.0.2:53", b"question"), 3);
    bench.told(&["open 53>40000 mid-stream", "A message answer of 6", "B message quest of 8"]);
    let summary = bench.summary();
    assert_eq!((summary.client.port, summary.client_sent.bytes, summary.server_sent.bytes), (40000, 8, 6));
}

#[test]
fn an_icmp_error_goes_to_the_flow_that_it_quotes() {
    let mut bench = bench();
    let asked = udp(CLIENT, "10.0.0.2:53", b"?");
    let error = |asked: &Datagram| icmp("10.0.0.2", "10.0.0.1", 3, 3, [0; 4], &asked.bytes());
    bench.hear(&asked).told(&["open 40000>53", "A message ? of 1"]);
    bench.hear(&error(&asked));
    assert_eq!(bench.diary.lines[2..], ["B refused 3/3"]);
    assert_eq!(bench.diary.lines[0], "open 0>0");
    let syn = segment(CLIENT, SERVER, "S", 100, 0, "").ip();
    bench.hear(&syn).hear(&error(&syn)).finish();
    let states: Vec<_> =
        bench.diary.summaries.iter().map(|it| (it.transport.name(), it.state.name())).collect();
    assert_eq!(states, [("udp", "refused"), ("tcp", "refused"), ("icmp", "open")]);
    // Ways come back: a connection that is told of none goes on trying.
    let mut bench = self::bench();
    bench.hear(&syn).hear(&icmp("10.0.0.2", "10.0.0.1", 3, 1, [0; 4], &syn.bytes())).finish();
    assert_eq!(bench.diary.summaries[0].state, FlowState::Open);
    assert_eq!(bench.diary.summaries[0].notes, ["unreachable".into()]);
    // Who has answered is not refusing, whatever one message says
    let mut bench = established();
    bench.hear(&error(&syn));
    assert_eq!(bench.diary.lines.last().map(String::as_str), Some("B refused 3/3"));
    bench.client("A", 101, 501, "ask");
    assert_eq!(bench.diary.lines.last().map(String::as_str), Some("A ask"));
}

#[test]
fn sctp_messages_are_whole_and_told_once() {
    let mut bench = bench();
    let client = |chunks: &[Vec<u8>]| sctp("10.0.0.1:9", "10.0.0.2:3868", 1, chunks);
    let server = |chunks: &[Vec<u8>]| sctp("10.0.0.2:3868", "10.0.0.1:9", 1, chunks);
    bench.hear(&client(&[sctp_chunk(1, 0, &[0; 16])])).hear(&server(&[sctp_chunk(2, 0, &[0; 16])]));
    bench.hear(&client(&[sctp_chunk(10, 0, &[0; 4])])).hear(&server(&[sctp_chunk(11, 0, &[])]));
    bench.told(&["open 9>3868"]);
    bench.hear(&client(&[sctp_data(3, 7, 0, b"one"), sctp_data(3, 8, 0, b"two")]));
    bench.hear(&client(&[sctp_data(3, 8, 0, b"two")]));
    bench.told(&["A message one of 3", "A message two of 3"]).counted("retransmitted", 3);
    bench.hear(&server(&[sctp_data(1, 12, 0, b"end")])).hear(&server(&[sctp_data(2, 10, 0, b"begin ")]));
    bench.counted("buffered", 9).hear(&server(&[sctp_data(0, 11, 0, b"middle ")]));
    bench.told(&["B message begin middle end of 16"]);
    bench.hear(&client(&[sctp_chunk(7, 0, &[0; 4])])).hear(&client(&[sctp_chunk(14, 0, &[])]));
    let summary = bench.summary();
    bench.told(&["Fin", "close closed"]);
    assert_eq!((summary.client_sent.bytes, summary.server_sent.bytes), (9, 16));
    assert_eq!(summary.closed_by, ClosedBy::Client);
}

#[test]
fn sctp_aborts_and_partial_messages_are_told() {
    let mut bench = bench();
    bench.hear(&sctp("10.0.0.1:9", "10.0.0.2:3868", 0, &[sctp_chunk(1, 0, &[0; 16])]));
    bench.hear(&sctp("10.0.0.2:3868", "10.0.0.1:9", 1, &[sctp_chunk(6, 0, &[])]));
    bench.told(&["open 9>3868", "Reset"]);
    assert_eq!(bench.summary().state, FlowState::Refused);
    let mut bench = self::bench();
    bench.hear(&sctp("10.0.0.1:9", "10.0.0.2:3868", 0, &[sctp_data(2, 1, 0, b"begin")])).finish();
    bench.counted("sctp_partial_message", 5);
}

#[test]
fn sctp_says_why_it_aborts_and_who_answers_no_heartbeats() {
    let client = |chunks: &[Vec<u8>]| sctp("10.0.0.1:9", "10.0.0.2:3868", 1, chunks);
    let server = |chunks: &[Vec<u8>]| sctp("10.0.0.2:3868", "10.0.0.1:9", 1, chunks);
    let (heartbeat, answer) = (sctp_chunk(4, 0, &[0; 8]), sctp_chunk(5, 0, &[0; 8]));
    let notes = |packets: &[Datagram]| {
        let mut bench = bench();
        for packet in packets {
            bench.hear(packet);
        }
        bench.summary().notes
    };
    let data = [client(&[sctp_data(3, 1, 0, b"ask")]), server(&[sctp_data(3, 1, 0, b"answer")])];
    let asks = || client(std::slice::from_ref(&heartbeat));
    let answered = [asks(), asks(), server(&[answer]), asks(), asks()];
    assert_eq!(notes(&[&data[..], &answered].concat()), []);
    assert_eq!(
        notes(&[&data[..], &[asks(), asks(), asks(), asks()]].concat()),
        ["heartbeats_unanswered".into()]
    );
    // Who was never heard may be out of earshot.
    assert_eq!(notes(&[asks(), asks(), asks(), asks()]), []);
    let abort = server(&[sctp_chunk(6, 0, &[0, 12, 0, 8, b'b', b'u', b's', b'y'])]);
    assert_eq!(notes(&[&data[..], &[abort]].concat()), ["sctp_user_initiated_abort".into()]);
    let error = server(&[sctp_chunk(9, 0, &[0, 1, 0, 8, 0, 7, 0, 0])]);
    assert_eq!(notes(&[&data[..], &[error]].concat()), ["sctp_invalid_stream".into()]);
    assert_eq!(notes(&[&data[..], &[server(&[sctp_chunk(6, 0, &[])])]].concat()), []);
}

#[test]
fn ids_are_a_function_of_what_was_heard() {
    let ids = |capture: &str| {
        let mut bench = bench();
        bench.table = FlowTable::new(&Limits::default(), &CaptureId(capture.to_owned()));
        bench.handshake().client("S", 9_000, 0, "").finish();
        bench.diary.summaries.iter().map(|summary| summary.id).collect::<Vec<_>>()
    };
    assert_eq!(ids("one"), ids("one"));
    assert_ne!(ids("one")[0], ids("two")[0]);
    assert_eq!(ids("one")[0].at(), Timestamp::from_nanos(1_000_000));
}

#[test]
fn an_idle_flow_is_small() {
    assert!(size_of::<Flow>() <= 192, "{}", size_of::<Flow>());
    // A million of them with 300 bytes attached take 512 MB, and their index 10
    assert!(size_of::<Option<slab::Slot<[u8; 300]>>>() <= 512);
}

/// A generator of numbers that is the same everywhere: xorshift.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % below as u64) as usize
    }
}

#[test]
fn a_shuffled_stream_with_repeats_comes_out_whole() {
    let text: Vec<u8> = (0..4000u32).flat_map(|number| number.to_be_bytes()).collect();
    let text: String = text.iter().map(|byte| char::from(b'a' + byte % 26)).collect();
    for seed in 1..40 {
        let mut dice = Dice(seed * 0x9e37_79b9);
        let mut parts = Vec::new();
        let mut at = 0;
        while at < text.len() {
            let end = (at + 1 + dice.roll(200)).min(text.len());
            // Some reach back into what was sent before
            parts.push((at.saturating_sub(dice.roll(60)), end));
            at = end;
        }
        for index in 0..parts.len() {
            let other = (index + dice.roll(12)).min(parts.len() - 1);
            parts.swap(index, other);
            if dice.roll(10) == 0 {
                parts.push(parts[index]);
            }
        }
        let mut bench = bench();
        let isn = u32::MAX - 3000;
        bench.client("S", isn, 0, "").server("SA", 500, isn.wrapping_add(1), "");
        for (from, to) in parts {
            bench.client("A", isn.wrapping_add(1 + from as u32), 501, &text[from..to]);
        }
        let heard: String = bench.diary.lines[1..].iter().map(|line| line.trim_start_matches("A ")).collect();
        assert!(heard == text, "seed {seed}");
        bench.finish();
    }
}

#[test]
fn random_segments_never_panic_and_the_books_balance() {
    let limits = Limits {
        flows: 6,
        reorder_bytes: 400,
        buffered_bytes: 900,
        gap_packets: 20,
        gap_wait: Duration::from_millis(40),
        tcp_brief_idle: Duration::from_millis(300),
        ..Limits::default()
    };
    let mut bench = Bench::new(&limits);
    let mut dice = Dice(0xf10e_7e57);
    let payload = "x".repeat(200);
    for round in 0..40_000 {
        let client = format!("10.0.0.1:{}", 40_000 + dice.roll(9));
        let (from, to) =
            if dice.roll(2) == 0 { (client.as_str(), SERVER) } else { (SERVER, client.as_str()) };
        let flags = ["A", "A", "A", "PA", "A", "A", "S", "SA", "FA", "R", "RA", ""][dice.roll(12)];
        let base = [0, u32::MAX - 300, 1 << 31][dice.roll(20).saturating_sub(17)];
        let number = |dice: &mut Dice| base.wrapping_add(dice.roll(900) as u32);
        let (seq, ack) = (number(&mut dice), number(&mut dice));
        let packet = segment(from, to, flags, seq, ack, &payload[..dice.roll(200)]);
        let packet = packet.window(dice.roll(3) as u16 * 400).ip();
        let cut = if dice.roll(10) == 0 { dice.roll(packet.bytes().len() - 40 + 1) } else { 0 };
        bench.hear_cut(&packet, cut);
        if dice.roll(3) == 0 {
            let chunk = sctp_data(dice.roll(4) as u8, dice.roll(80) as u32, 0, &[b'y'; 30]);
            bench.hear(&sctp("10.0.0.1:9", "10.0.0.2:3868", 0, &[chunk]));
        }
        if round % 50 == 0 {
            bench.wait(Duration::from_millis(dice.roll(100) as u64));
            bench.diary.lines.clear();
            assert!(bench.table.len() <= 6);
        }
    }
    bench.finish();
}

#[test]
fn an_answer_heard_before_its_question_waits_for_it() {
    let mut bench = established();
    bench.server("PA", 501, 104, "answer").told(&[]);
    bench.client("PA", 101, 501, "ask").told(&["A ask", "B answer"]);
    bench.client("A", 104, 507, "").finish().told(&["CaptureEnded", "close open"]);
}

/// The first answer is lost: what came after it is told in the order in which the two sides said it, though all of it had
/// been heard when the hole was given up.
#[test]
fn behind_a_hole_questions_stand_before_their_answers() {
    let mut bench = established();
    bench.client("PA", 101, 501, "ask1").told(&["A ask1"]);
    bench.client("PA", 105, 505, "ask2").server("PA", 505, 109, "say2");
    bench.client("PA", 109, 509, "ask3").server("PA", 509, 113, "say3").told(&[]);
    bench.wait(Duration::from_secs(3));
    bench.told(&["B gap 4", "A ask2", "B say2", "A ask3", "B say3"]);
}

#[test]
fn at_the_end_nothing_waits_any_more() {
    let mut bench = established();
    bench.client("PA", 101, 505, "ask2").server("PA", 505, 105, "say2").told(&[]);
    bench.finish().told(&["B gap 4", "A ask2", "B say2", "CaptureEnded", "close open"]);
}

/// Each side acknowledges what the other has not said: nobody tells the truth, and both are told in the end.
#[test]
fn sides_that_wait_for_each_other_are_told_all_the_same() {
    let mut bench = established();
    bench.client("PA", 101, 507, "ask").server("PA", 501, 104, "answer").told(&[]);
    bench.wait(Duration::from_secs(4)).finish();
    let lines = std::mem::take(&mut bench.diary.lines);
    let said = |line: &str| lines.iter().filter(|told| *told == line).count();
    assert_eq!((said("A ask"), said("B answer")), (1, 1), "{lines:?}");
}
