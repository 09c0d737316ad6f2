//! Users are let in, sessions are counted, ended and changed.

use wirewise_model::{Exchange, Limits, Transport};

use crate::rehearsal::{Ev, Flow, attribute, c, s, texts, told};

const PORT: u16 = 1812;

/// A packet: code, identifier, the byte that fills its authenticator, attributes.
fn packet(code: u8, id: u8, fill: u8, attributes: &[(u8, &[u8])]) -> Vec<u8> {
    let body: Vec<u8> = attributes
        .iter()
        .flat_map(|(kind, value)| [&[*kind, u8::try_from(value.len() + 2).unwrap()], *value].concat())
        .collect();
    let length = u16::try_from(20 + body.len()).unwrap().to_be_bytes();
    [&[code, id][..], &length, &[fill; 16], &body].concat()
}

fn play(port: u16, events: &[Ev]) -> Vec<Exchange> {
    let mut flow = Flow::over(Transport::Udp, Limits::default(), port, false);
    flow.play(events, usize::MAX);
    let heard = flow.finish();
    assert!(!texts(&heard).contains("canary"), "{}", texts(&heard));
    heard
}

#[test]
fn users_are_let_in_refused_and_challenged_and_no_secret_is_told() {
    let user = (1, &b"bob@ex.org"[..]);
    let secrets: [(u8, &[u8]); 6] = [
        (2, b"canary-canary-16"),
        (3, b"\x01canary-canary-16"),
        (60, b"canary"),
        (24, b"canary"),
        (69, b"\x01canary"),
        (26, b"\0\0\x01\x37\x1a\x08canary"),
    ];
    let mut attributes =
        vec![user, (4, &[10, 0, 0, 1]), (5, &[0, 0, 0, 7]), (6, &[0, 0, 0, 2]), (31, b"aa-bb")];
    attributes.extend(secrets);
    attributes.push((79, &[2, 1, 0, 10, 4, b'c', b'a', b'n', b'a', b'r', b'y']));
    let heard = play(
        PORT,
        &[
            c(packet(1, 1, 1, &attributes)),
            s(packet(
                2,
                1,
                2,
                &[(25, b"canary"), (8, &[10, 9, 8, 7]), (27, &[0, 0, 14, 16]), (18, b"canary")],
            )),
            c(packet(1, 2, 3, &[user])),
            s(packet(11, 2, 4, &[(18, b"your code? canary"), (24, b"canary")])),
            c(packet(1, 3, 5, &[(1, b"bob")])),
            s(packet(3, 3, 6, &[(18, b"no such user")])),
            c(packet(1, 4, 7, &[])),
            s(packet(3, 4, 8, &[])),
        ],
    );
    assert_eq!(
        told(&heard),
        [
            "Access-Request ex.org Access-Accept ok 1ms",
            "Access-Request ex.org Access-Challenge ok 1ms",
            "Access-Request Access-Reject client_error 1ms",
            "Access-Request Access-Reject client_error 1ms",
        ]
    );
    for (name, value) in [
        ("user.name", "bob@ex.org"),
        ("radius.NAS_IP_Address", "10.0.0.1"),
        ("radius.NAS_Port", "7"),
        ("radius.Service_Type", "Framed"),
        ("radius.Calling_Station_Id", "aa-bb"),
        ("radius.Framed_IP_Address", "10.9.8.7"),
        ("radius.Session_Timeout", "3600"),
        ("radius.avp.vendor_id", "311"),
        ("eap.type", "MD5-Challenge"),
    ] {
        assert_eq!(attribute(&heard[0], name), value, "{name}");
    }
    let errors: Vec<Option<&str>> = heard.iter().map(|call| call.error.as_deref()).collect();
    assert_eq!(errors, [None, None, Some("no such user"), Some("Access-Reject")]);
    assert_eq!(heard[2].status_code, Some(3));
}

#[test]
fn sessions_are_counted() {
    let start: [(u8, &[u8]); 3] = [(40, &[0, 0, 0, 1]), (44, b"s-1"), (61, &[0, 0, 0, 19])];
    let stop: [(u8, &[u8]); 5] =
        [(40, &[0, 0, 0, 2]), (44, b"s-1"), (46, &[0, 0, 0, 60]), (49, &[0, 0, 0, 4]), (42, &[0, 1, 0, 0])];
    let heard = play(
        1813,
        &[
            c(packet(4, 1, 1, &start)),
            s(packet(5, 1, 2, &[])),
            c(packet(4, 2, 3, &stop)),
            s(packet(5, 2, 4, &[])),
            c(packet(12, 3, 5, &[(80, &[1; 16])])),
            s(packet(5, 3, 6, &[])),
        ],
    );
    assert_eq!(
        told(&heard),
        [
            "Accounting-Request Accounting-Response ok 1ms",
            "Accounting-Request Accounting-Response ok 1ms",
            "Status-Server Accounting-Response ok probe 1ms",
        ]
    );
    for (name, value) in [
        ("radius.Acct_Status_Type", "Stop"),
        ("radius.Acct_Session_Id", "s-1"),
        ("radius.Acct_Session_Time", "60"),
        ("radius.Acct_Terminate_Cause", "Idle-Timeout"),
        ("radius.Acct_Input_Octets", "65536"),
    ] {
        assert_eq!(attribute(&heard[1], name), value, "{name}");
    }
    assert_eq!(attribute(&heard[0], "radius.NAS_Port_Type"), "Wireless-802.11");
}

#[test]
fn sessions_are_changed_and_ended() {
    let vlan: [(u8, &[u8]); 3] = [(64, &[1, 0, 0, 13]), (65, &[1, 0, 0, 6]), (81, b"\x0142")];
    let heard = play(
        3799,
        &[
            c(packet(43, 1, 1, &vlan)),
            s(packet(44, 1, 2, &[])),
            c(packet(40, 2, 3, &[(44, b"s-1")])),
            s(packet(41, 2, 4, &[])),
            c(packet(40, 3, 5, &[(44, b"s-2")])),
            s(packet(42, 3, 6, &[(101, &[0, 0, 1, 247])])),
            c(packet(43, 4, 7, &[])),
            s(packet(45, 4, 8, &[(101, &[0, 0, 1, 146])])),
        ],
    );
    assert_eq!(
        told(&heard),
        [
            "CoA-Request CoA-ACK ok 1ms",
            "Disconnect-Request Disconnect-ACK ok 1ms",
            "Disconnect-Request Disconnect-NAK server_error 1ms",
            "CoA-Request CoA-NAK client_error 1ms",
        ]
    );
    assert_eq!(heard[2].error.as_deref(), Some("Session-Context-Not-Found"));
    assert_eq!(heard[3].error.as_deref(), Some("Missing-Attribute"));
    assert_eq!(attribute(&heard[0], "radius.Tunnel_Type"), "VLAN");
    assert_eq!(attribute(&heard[0], "radius.Tunnel_Private_Group_Id"), "42");
}

#[test]
fn what_comes_again_is_one_call() {
    let (asked, answered) = (packet(1, 1, 1, &[(1, b"bob")]), packet(2, 1, 2, &[]));
    let heard = play(
        PORT,
        &[
            c(&asked),
            Ev::Wait(2),
            c(&asked),
            s(&answered),
            s(&answered),
            c(&asked),
            // The identifier is used again, for another.
            c(packet(1, 1, 9, &[(1, b"eve")])),
            s(packet(3, 1, 8, &[])),
        ],
    );
    assert_eq!(
        told(&heard),
        [
            "Access-Request Access-Accept ok 2003ms +retransmitted",
            "Access-Request Access-Reject client_error 1ms"
        ]
    );
    assert_eq!(heard[0].request.as_ref().map(|request| request.track.frames.numbers.len()), Some(2));
}

#[test]
fn unanswered_unasked_and_late() {
    let heard = play(
        PORT,
        &[
            s(packet(3, 7, 1, &[(18, b"who?")])),
            c(packet(1, 1, 1, &[(1, b"bob")])),
            Ev::Wait(12),
            s(packet(2, 1, 2, &[])),
            c(packet(1, 2, 3, &[(1, b"bob")])),
        ],
    );
    assert_eq!(
        told(&heard),
        [
            "?Access-Request Access-Reject client_error +request_not_seen",
            "Access-Request - no_response +timed_out",
            "Access-Request Access-Accept ok 12002ms again +late_response",
            "Access-Request - unknown +capture_ended",
        ]
    );
}

#[test]
fn other_datagrams_are_left_alone_and_odd_ones_are_noted() {
    let asked = packet(1, 1, 1, &[(1, b"bob")]);
    let mut longer = asked.clone();
    longer[3] += 1;
    let check = |port, datagram: &[u8], expect: Option<&str>| {
        let mut flow = Flow::over(Transport::Udp, Limits::default(), port, false);
        flow.play(&[c(datagram)], usize::MAX);
        assert_eq!(flow.protocol(), expect, "{port} {datagram:?}");
    };
    check(40_001, &asked, Some("radius"));
    check(40_001, &longer, None);
    check(40_001, &packet(1, 1, 1, &[]), None);
    check(40_001, &packet(99, 1, 1, &[(1, b"bob")]), None);
    check(PORT, &asked[..19], None);
    check(PORT, &packet(99, 1, 1, &[(1, b"bob")]), None);
    let heard = play(PORT, &[c(&longer), c(packet(1, 2, 1, &[(4, b"10")])), c("noise")]);
    assert_eq!(
        told(&heard),
        [
            "Access-Request - unknown +malformed +capture_ended",
            "Access-Request - unknown +malformed +capture_ended"
        ]
    );
}

#[test]
fn any_bytes_end_in_balance_and_in_bounds() {
    let asked = packet(1, 1, 1, &[(1, b"bob"), (79, &[2, 1, 0, 5, 4]), (26, &[0, 0, 0, 9, 1, 3, 1])]);
    for at in 0..asked.len() {
        for value in [0, 1, 2, 127, 255] {
            let mut changed = asked.clone();
            changed[at] = value;
            play(PORT, &[c(&asked[..at]), c(&changed), s(&changed), s(&asked[..at])]);
        }
    }
    let limits = Limits { pending_calls: 4, ..Limits::default() };
    let mut flow = Flow::over(Transport::Udp, limits, PORT, false);
    let many: Vec<Ev> = (0..200).map(|id| c(packet(1, id, id, &[(1, b"bob")]))).collect();
    flow.play(&many, usize::MAX);
    assert_eq!(flow.open().len(), 4);
    assert_eq!(flow.finish().len(), 200);
}
