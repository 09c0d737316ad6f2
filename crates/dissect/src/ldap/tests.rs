//! Directories, asked and answering.

use wirewise_model::{Exchange, Limits, Side, Transport};

use crate::End;
use crate::rehearsal::{Ev, Flow, attribute, c, hear, is_quick, mistreat, overhear, s, texts, told};

const PORT: u16 = 389;

fn tlv(tag: u8, content: impl AsRef<[u8]>) -> Vec<u8> {
    let content = content.as_ref();
    let length = content.len();
    let mut bytes = vec![tag];
    match u8::try_from(length) {
        Ok(short) if short < 0x80 => bytes.push(short),
        _ => {
            bytes.push(0x84);
            bytes.extend(u32::try_from(length).unwrap().to_be_bytes());
        }
    }
    bytes.extend_from_slice(content);
    bytes
}

fn text(text: &str) -> Vec<u8> {
    tlv(4, text)
}

fn message(id: u8, tag: u8, parts: &[Vec<u8>]) -> Vec<u8> {
    tlv(0x30, [tlv(2, [id]), tlv(tag, parts.concat())].concat())
}

fn bind(id: u8, dn: &str, password: &str) -> Vec<u8> {
    message(id, 0x60, &[tlv(2, [3]), text(dn), tlv(0x80, password)])
}

fn result(id: u8, tag: u8, code: u8, words: &str) -> Vec<u8> {
    message(id, tag, &[tlv(10, [code]), text(""), text(words)])
}

fn search(id: u8, base: &str, filter: &[u8]) -> Vec<u8> {
    let wanted = tlv(0x30, [text("cn"), text("mail")].concat());
    let numbers = [tlv(10, [2]), tlv(10, [0]), tlv(2, [5]), tlv(2, [0]), tlv(1, [0])].concat();
    message(id, 0x63, &[text(base), numbers, filter.to_vec(), wanted])
}

fn equals(name: &str, value: &str) -> Vec<u8> {
    tlv(0xa3, [text(name), text(value)].concat())
}

fn entry(id: u8, dn: &str) -> Vec<u8> {
    let value = tlv(0x30, [text("userPassword"), tlv(0x31, text("canary"))].concat());
    message(id, 0x64, &[text(dn), tlv(0x30, value)])
}

fn check(events: &[Ev], expect: &[&str]) -> Vec<Exchange> {
    let heard = hear(PORT, events);
    assert_eq!(told(&heard), expect);
    assert!(!texts(&heard).contains("canary"), "{}", texts(&heard));
    mistreat(PORT, events);
    heard
}

#[test]
fn a_bind_tells_the_name_and_never_the_password() {
    let heard = check(
        &[
            c(bind(1, "uid=bob,ou=People,dc=ex,dc=org", "canary")),
            s(result(1, 0x61, 49, "")),
            c(bind(2, "", "")),
            s(result(2, 0x61, 0, "")),
            c(bind(3, "cn=x", "")),
            s(result(3, 0x61, 53, "unauthenticated bind\0")),
            c(message(4, 0x42, &[])),
        ],
        &[
            "bind uid=bob,ou=People,dc=ex,dc=org invalidCredentials client_error session 1ms",
            "bind success ok session 1ms",
            "bind cn=x unwillingToPerform server_error session 1ms",
            "unbind - one_way session",
        ],
    );
    let ways: Vec<String> = heard.iter().map(|call| attribute(call, "ldap.authentication")).collect();
    assert_eq!(ways, ["simple", "anonymous", "unauthenticated", ""]);
    assert_eq!(heard[0].endpoint.as_deref(), Some("uid=?,ou=People,dc=ex,dc=org"));
    let errors: Vec<Option<&str>> = heard.iter().map(|call| call.error.as_deref()).collect();
    assert_eq!(errors, [Some("invalidCredentials"), None, Some("unauthenticated bind"), None]);
    assert_eq!(heard[0].status_code, Some(49));
}

#[test]
fn of_sasl_the_mechanism_is_told_and_never_the_credentials() {
    let sasl = tlv(0xa3, [text("GSS-SPNEGO"), text("canary")].concat());
    let answer = message(1, 0x61, &[tlv(10, [14]), text(""), text(""), tlv(0x87, "canary")]);
    let heard = check(
        &[c(message(1, 0x60, &[tlv(2, [3]), text("u"), sasl])), s(answer)],
        &["bind u saslBindInProgress ok session 1ms"],
    );
    assert_eq!(attribute(&heard[0], "ldap.mechanism"), "GSS-SPNEGO");
    assert_eq!(attribute(&heard[0], "ldap.authentication"), "sasl");
}

#[test]
fn a_search_counts_entries_and_references_and_masks_its_filter() {
    let present = tlv(0x87, "objectClass");
    let begins =
        tlv(0xa4, [text("cn"), tlv(0x30, [tlv(0x80, "canary"), tlv(0x81, "canary")].concat())].concat());
    let rule = tlv(0xa9, [tlv(0x81, "1.2.3"), tlv(0x82, "member"), tlv(0x83, "canary")].concat());
    let not = tlv(0xa2, tlv(0xa6, [text("age"), text("canary")].concat()));
    let filter = tlv(0xa0, [equals("uid", "canary"), present, begins, rule, not].concat());
    let reference = message(1, 0x73, &[text("ldap://other/dc=ex")]);
    let heard = check(
        &[
            c(search(1, "ou=p,dc=ex", &filter)),
            s([entry(1, "uid=a"), entry(1, "uid=b")].concat()),
            s([entry(1, "uid=c"), reference].concat()),
            s(result(1, 0x65, 4, "")),
        ],
        &["search ou=p,dc=ex sizeLimitExceeded client_error 3ms"],
    );
    let call = &heard[0];
    assert_eq!(
        attribute(call, "ldap.filter"),
        "(&(uid=?)(objectClass=*)(cn=?*?*)(member:1.2.3:=?)(!(age<=?)))"
    );
    assert_eq!(attribute(call, "db.response.returned_rows"), "3");
    assert_eq!(attribute(call, "ldap.references"), "1");
    assert_eq!(attribute(call, "ldap.scope"), "sub");
    assert_eq!(attribute(call, "ldap.attributes"), "cn mail");
    assert_eq!(attribute(call, "ldap.sizeLimit"), "5");
    assert_eq!(call.response.as_ref().map(|response| response.track.frames.numbers.len()), Some(3));
}

#[test]
fn every_operation_is_paired_by_its_id_in_any_order() {
    let change =
        tlv(0x30, [tlv(10, [2]), tlv(0x30, [text("mail"), tlv(0x31, text("canary"))].concat())].concat());
    let attribute_list = tlv(0x30, tlv(0x30, [text("userPassword"), tlv(0x31, text("canary"))].concat()));
    let heard = check(
        &[
            c(message(1, 0x66, &[text("uid=a"), tlv(0x30, change)])),
            c(message(2, 0x68, &[text("uid=b"), attribute_list])),
            c(tlv(0x30, [tlv(2, [3]), tlv(0x4a, "uid=c")].concat())),
            c(message(4, 0x6c, &[text("uid=d"), text("uid=e"), tlv(1, [255]), tlv(0x80, "ou=q")])),
            c(message(5, 0x6e, &[text("uid=f"), tlv(0x30, [text("userPassword"), text("canary")].concat())])),
            c(message(6, 0x77, &[tlv(0x80, "1.3.6.1.4.1.4203.1.11.1"), tlv(0x81, "canary")])),
            s(result(6, 0x78, 2, "no")),
            s(result(5, 0x6f, 5, "")),
            s(result(4, 0x6d, 32, "")),
            s(result(3, 0x6b, 51, "")),
            s(result(2, 0x69, 68, "")),
            s(message(1, 0x67, &[tlv(10, [10]), text(""), text(""), tlv(0xa3, text("ldap://b/"))])),
        ],
        &[
            "extended PasswordModify protocolError client_error 1ms",
            "compare uid=f compareFalse ok 3ms",
            "modifyDN uid=d noSuchObject client_error 5ms",
            "delete uid=c busy server_error 7ms",
            "add uid=b entryAlreadyExists client_error 9ms",
            "modify uid=a referral ok 11ms",
        ],
    );
    assert_eq!(attribute(&heard[5], "ldap.modification"), "replace mail");
    assert_eq!(attribute(&heard[5], "ldap.referral"), "ldap://b/");
    assert_eq!(attribute(&heard[4], "ldap.attributes"), "userPassword");
    assert_eq!(attribute(&heard[2], "ldap.newSuperior"), "ou=q");
    assert_eq!(attribute(&heard[0], "ldap.requestName"), "1.3.6.1.4.1.4203.1.11.1");
}

#[test]
fn an_identifier_that_looks_like_an_address_is_a_kind_of_operation() {
    let ask = |id, oid: &str| c(message(id, 0x77, &[tlv(0x80, oid)]));
    let heard = check(
        &[
            ask(1, "0.1.2.3"),
            s(result(1, 0x78, 2, "no")),
            ask(2, "1.3.6.1.4.1.4203.1.11.3"),
            s(result(2, 0x78, 0, "")),
            ask(3, "somebody's own"),
            s(result(3, 0x78, 2, "no")),
        ],
        &[
            "extended 0.1.2.3 protocolError client_error 1ms",
            "extended WhoAmI success ok 1ms",
            "extended somebody's own protocolError client_error 1ms",
        ],
    );
    let endpoints: Vec<Option<&str>> = heard.iter().map(|exchange| exchange.endpoint.as_deref()).collect();
    assert_eq!(endpoints, [Some("0.1.2.3"), Some("WhoAmI"), None]);
}

#[test]
fn abandoned_unanswered_unasked() {
    let present = tlv(0x87, "objectClass");
    let goodbye = [tlv(10, [52]), text(""), text("bye"), tlv(0x8a, "1.3.6.1.4.1.1466.20036")];
    check(
        &[
            c(search(1, "dc=a", &present)),
            c(tlv(0x30, [tlv(2, [2]), tlv(0x50, [1])].concat())),
            c(search(3, "dc=b", &present)),
            s(entry(3, "dc=c")),
            s(message(0, 0x78, &goodbye)),
            Ev::End(None, End::Reset),
        ],
        &[
            "abandon - one_way",
            "<extended NoticeOfDisconnection unavailable one_way message",
            "search dc=a - no_response +abandoned +reset",
            "search dc=b - aborted 1ms +reset",
        ],
    );
}

#[test]
fn tls_follows_a_start_that_succeeds_and_no_other() {
    let ask = message(1, 0x77, &[tlv(0x80, "1.3.6.1.4.1.1466.20037")]);
    let hello = [0x16, 3, 1, 2, 0, 1, 0, 1];
    for (code, follows, line) in [
        (0, "tls", "extended StartTLS success ok session 1ms"),
        (2, "ldap", "extended StartTLS protocolError client_error session 1ms"),
    ] {
        let mut flow = Flow::new(Limits::default(), PORT, false);
        flow.play(&[c(&ask), s(result(1, 0x78, code, "")), c(hello)], usize::MAX);
        assert_eq!(flow.protocol(), Some(follows));
        assert_eq!(told(&flow.finish())[0], line);
    }
}

#[test]
fn what_a_sasl_layer_signs_is_read_and_what_it_seals_is_passed_over() {
    let wrap = |flags: u8, inside: &[u8]| {
        let token =
            [&[5, 4, flags, 255, 0, 12, 0, 12, 0, 0, 0, 0, 0, 0, 0, 9][..], &[7; 12], inside].concat();
        [&u32::try_from(token.len()).unwrap().to_be_bytes()[..], &token].concat()
    };
    let ntlm = |inside: &[u8]| {
        let token = [&[1, 0, 0, 0][..], &[9; 12], inside].concat();
        [&u32::try_from(token.len()).unwrap().to_be_bytes()[..], &token].concat()
    };
    let present = tlv(0x87, "objectClass");
    check(
        &[
            c(bind(1, "", "")),
            s(result(1, 0x61, 0, "")),
            c(wrap(4, &search(2, "dc=a", &present))),
            s(wrap(5, &[entry(2, "dc=a"), result(2, 0x65, 0, "")].concat())),
            c(wrap(6, &[0x5a; 60])),
            c(ntlm(&search(3, "dc=b", &present))),
            s(ntlm(&result(3, 0x65, 0, ""))),
            c(ntlm(&[0x5a; 60])),
            c(wrap(4, &search(4, "dc=c", &present))),
            s(wrap(7, &[0x5a; 60])),
        ],
        &[
            "bind success ok session 1ms",
            "search dc=a success ok 1ms",
            "search dc=b success ok 1ms",
            "search dc=c - unknown +capture_ended",
        ],
    );
}

#[test]
fn a_long_message_is_counted_down_and_a_gap_inside_of_it_costs_nothing_else() {
    let photo = tlv(0x30, tlv(0x30, [text("jpegPhoto"), tlv(0x31, text(&"x".repeat(100_000)))].concat()));
    let add = message(1, 0x68, &[text("uid=a"), photo]);
    let mut flow = Flow::new(Limits { undissected_bytes: 4 << 10, ..Limits::default() }, PORT, false);
    flow.play(&[c(&add[..60_000]), Ev::Lost(Side::A, 20_000), c(&add[80_000..])], 1400);
    flow.play(&[s(result(1, 0x69, 0, "")), c(&add), s(result(1, 0x69, 0, ""))], 1400);
    let heard = flow.finish();
    assert_eq!(told(&heard), ["add uid=a success ok 3ms +gap", "add uid=a success ok 1ms"]);
    assert_eq!(heard[1].request.as_ref().map(|request| request.track.bytes), Some(add.len() as u64));
}

#[test]
fn a_long_message_that_never_ends_is_told_as_far_as_it_came() {
    let photo = tlv(0x30, tlv(0x30, [text("jpegPhoto"), tlv(0x31, text(&"x".repeat(100_000)))].concat()));
    let add = message(1, 0x68, &[text("uid=a"), photo.clone()]);
    let found = message(2, 0x64, &[text("uid=b"), photo]);
    let events = [
        c(&add[..60_000]),
        Ev::Lost(Side::A, 90_000),
        c(search(2, "dc=a", &tlv(0x87, "objectClass"))),
        s(result(1, 0x69, 0, "")),
        s(&found[..60_000]),
        Ev::End(None, End::Fin),
    ];
    let heard = hear(PORT, &events);
    assert_eq!(told(&heard), ["add uid=a success ok 3ms +gap", "search dc=a - unknown 2ms +gap"]);
}

#[test]
fn ids_find_each_other_behind_a_gap() {
    let present = tlv(0x87, "objectClass");
    let events = [
        c(search(1, "dc=a", &present)),
        c(search(2, "dc=b", &present)),
        Ev::Lost(Side::B, 40),
        s([&b"rest of something"[..], &entry(1, "dc=a")].concat()),
        s(result(2, 0x65, 0, "")),
        c(&search(3, "dc=c", &present)[..20]),
        Ev::Lost(Side::A, 60),
        s(result(3, 0x65, 0, "")),
        c(search(4, "dc=d", &present)),
        s(result(4, 0x65, 0, "")),
    ];
    let heard = hear(PORT, &events);
    assert_eq!(
        told(&heard),
        [
            "search dc=b success ok 3ms +gap",
            "search dc=d success ok 1ms",
            "?search success ok +request_not_seen",
            "search dc=a - unknown +capture_ended +gap",
        ]
    );
}

#[test]
fn it_is_entered_in_the_middle_and_other_bytes_are_left_alone() {
    let heard = overhear(40_001, &[s(entry(7, "dc=a")), s(result(7, 0x65, 0, "")), c(bind(8, "dc=b", "x"))]);
    assert_eq!(
        told(&heard),
        ["?search success ok +request_not_seen", "bind dc=b - unknown session +capture_ended"]
    );
    // SNMP, Kerberos' error, a certificate, half a length.
    for other in [
        &[0x30, 0x26, 2, 1, 1, 4, 6, b'p', b'u', b'b', b'l', b'i', b'c', 0xa0][..],
        &[0x30, 0x82, 3, 8, 0x30, 0x82, 2, 0x70],
        &[0x30, 0x80, 2, 1, 1, 0x60],
        &[0x30, 0x07, 2, 1, 1, 0x60, 0x20, 2, 1],
        &[0x30, 0x0c, 2, 9, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0x60],
    ] {
        let mut flow = Flow::new(Limits::default(), PORT, false);
        flow.play(&[c(other)], usize::MAX);
        assert_eq!(flow.protocol(), None, "{other:x?}");
    }
}

#[test]
fn datagrams_hold_whole_messages() {
    let mut flow = Flow::over(Transport::Udp, Limits::default(), PORT, false);
    let ping = equals("DnsDomain", "ex.org");
    let answer = [entry(1, ""), result(1, 0x65, 0, "")].concat();
    flow.play(
        &[c(search(1, "", &ping)), s(answer), c(search(2, "", &ping)), c("noise"), Ev::Wait(60)],
        usize::MAX,
    );
    let heard = flow.finish();
    assert_eq!(told(&heard), ["search success ok 1ms", "search - no_response +timed_out"]);
    assert_eq!(attribute(&heard[0], "db.response.returned_rows"), "1");
}

#[test]
fn past_the_bounds_the_oldest_is_put_out_and_a_late_answer_is_a_revision() {
    let present = tlv(0x87, "objectClass");
    let mut flow = Flow::new(Limits { pending_calls: 2, ..Limits::default() }, PORT, false);
    let asked: Vec<Ev> = (1..4).map(|id| c(search(id, "dc=a", &present))).collect();
    flow.play(&asked, usize::MAX);
    assert_eq!(flow.open().len(), 2);
    flow.play(&[Ev::Wait(400)], 1);
    assert!(!flow.waiting());
    flow.play(&[s(result(3, 0x65, 0, ""))], 1);
    assert_eq!(
        told(&flow.finish()),
        [
            "search dc=a - unknown +evicted",
            "search dc=a - no_response +timed_out",
            "search dc=a - no_response +timed_out",
            "search dc=a success ok 400002ms again +late_response",
        ]
    );
}

#[test]
fn a_search_that_stays_is_not_given_up() {
    let control = tlv(0xa0, tlv(0x30, text("2.16.840.1.113730.3.4.3")));
    let asked = search(1, "dc=a", &tlv(0x87, "objectClass"));
    // The control stands behind the operation, inside of the message.
    let asked = tlv(0x30, [&asked[2..], &control].concat());
    let mut flow = Flow::new(Limits::default(), PORT, false);
    flow.play(&[c(asked), Ev::Wait(4000), s(entry(1, "dc=b"))], usize::MAX);
    assert!(flow.waiting());
    flow.play(&[Ev::End(None, End::Fin)], 1);
    assert_eq!(told(&flow.finish()), ["search dc=a - aborted stream 4000002ms"]);
}

#[test]
fn deep_filters_and_huge_lengths_end_in_bounds() {
    is_quick(|| {
        let mut deep = equals("a", "b");
        for _ in 0..2000 {
            deep = tlv(0xa2, deep);
        }
        let heard = hear(PORT, &[c(search(1, "dc=a", &deep))]);
        assert_eq!(attribute(&heard[0], "ldap.filter"), format!("{}...{}", "(!".repeat(16), ")".repeat(16)));
        let wide = tlv(0xa1, equals("name", "b").repeat(5000));
        let heard = hear(PORT, &[c(search(1, "dc=a", &wide))]);
        assert!(attribute(&heard[0], "ldap.filter").len() < 600);
        let mut flow = Flow::new(Limits::default(), PORT, false);
        flow.play(&[c([0x30, 0x84, 0x0f, 255, 255, 255, 2, 1, 1, 0x60, 0x84, 0x0f, 255, 0, 0])], 1);
        flow.play(&[c(vec![0x30; 1 << 20])], 60_000);
        assert_eq!(told(&flow.finish()), ["bind - unknown session +gap +capture_ended"]);
    });
}
