//! Lengths and counts that lie, in protocols of lengths and counts.

use wirewise_model::Side;
use wirewise_model::Transport::{Tcp, Udp};

use crate::Alone;

/// AMQP 0-9-1: a table within a table within a table, and a message of a terabyte.
#[test]
fn amqp_tables_and_bodies() {
    let alone = Alone::wait();
    let method =
        |payload: &[u8]| [&[1, 0, 0][..], &(payload.len() as u32).to_be_bytes(), payload, &[0xce]].concat();
    // connection.start, whose server properties are 8,000 tables deep.
    let depth: usize = 8_000;
    let mut table = Vec::new();
    for level in 0..depth {
        let rest = (depth - 1 - level) * 7;
        table.extend((rest as u32).to_be_bytes());
        table.extend(if level + 1 < depth { &[1, b'a', b'F'][..] } else { &[] });
    }
    let start = [&[0, 10, 0, 10, 0, 9][..], &table, &[0, 0, 0, 0, 0, 0, 0, 0]].concat();
    alone.bomb("amqp", (Tcp, 5672), &["channel_limit"], |it| {
        it.client(b"AMQP\0\0\x09\x01");
        (0..50).for_each(|_| it.server(method(&start)));
        // basic.publish, and a header that announces 2^63 bytes.
        for channel in 0..20_000_u16 {
            let publish = [&[0, 60, 0, 40, 0, 0, 1, b'x', 1, b'k', 0][..]].concat();
            let channel = channel.to_be_bytes();
            it.client(
                [&[1, channel[0], channel[1]][..], &(publish.len() as u32).to_be_bytes(), &publish, &[0xce]]
                    .concat(),
            );
            let header = [&[0, 60, 0, 0][..], &(1_u64 << 63).to_be_bytes(), &[0, 0]].concat();
            it.client(
                [&[2, channel[0], channel[1]][..], &(header.len() as u32).to_be_bytes(), &header, &[0xce]]
                    .concat(),
            );
        }
    });
}

/// BSON: documents within documents, and a length of two gigabytes.
#[test]
fn bson_that_is_deep() {
    let alone = Alone::wait();
    let message = |body: &[u8]| {
        let length = (16 + 5 + body.len()) as u32;
        [&length.to_le_bytes()[..], &1_u32.to_le_bytes(), &[0; 4], &2013_u32.to_le_bytes(), &[0; 5], body]
            .concat()
    };
    let depth: usize = 5_000;
    let mut document = Vec::new();
    // Each level: length, type 3, name "a", ..., end; the innermost is empty.
    for level in 0..depth {
        let inside = depth - 1 - level;
        document.extend((5 + inside * 8).to_le_bytes()[..4].iter());
        if inside > 0 {
            document.extend([3, b'a', 0]);
        }
    }
    document.extend(vec![0; depth]);
    alone.bomb("bson", (Tcp, 27017), &["mongodb_out_of_step"], |it| {
        let hello = [&[16, 0, 0, 0, 0x10][..], b"hello\0", &[1, 0, 0, 0, 0]].concat();
        it.client(message(&hello));
        (0..200).for_each(|_| it.client(message(&document)));
        it.client(
            [
                &0x7fff_ffff_u32.to_le_bytes()[..],
                &2_u32.to_le_bytes(),
                &[0; 4],
                &2013_u32.to_le_bytes(),
                &[0; 5],
            ]
            .concat(),
        );
        (0..10_000).for_each(|_| it.client([0; 1400]));
    });
}

/// Kafka: arrays of two billion topics, and requests that nobody answers.
#[test]
fn kafka_counts() {
    let alone = Alone::wait();
    let request = |id: u32, key: u16, body: &[u8]| {
        let length = (2 + 2 + 4 + 2 + 1 + body.len()) as u32;
        [&length.to_be_bytes()[..], &key.to_be_bytes(), &[0, 1], &id.to_be_bytes(), &[0, 1, b'c'], body]
            .concat()
    };
    alone.bomb("kafka", (Tcp, 9092), &["evicted"], |it| {
        it.client(request(0, 3, &[0, 0, 0, 1, 0, 1, b't']));
        for id in 1..300_000 {
            it.client(request(id, 3, &[0x7f, 0xff, 0xff, 0xff, 0, 1, b't']));
        }
        it.client([0x7f, 0xff, 0xff, 0xff, 0, 3, 0, 1, 0, 0, 0, 1, 0, 1, b'c']);
        (0..10_000).for_each(|_| it.client([0; 1400]));
    });
}

/// MQTT: the longest length there is, 100,000 topics by alias, and messages that are never acknowledged.
#[test]
fn mqtt_lengths() {
    let alone = Alone::wait();
    alone.bomb("mqtt", (Tcp, 1883), &["evicted"], |it| {
        it.client([0x10, 13, 0, 4, b'M', b'Q', b'T', b'T', 4, 2, 0, 60, 0, 1, b'c']);
        it.server([0x20, 2, 0, 0]);
        for id in 1..=60_000_u16 {
            it.client([&[0x32, 6, 0, 1, b't'][..], &id.to_be_bytes(), b"x"].concat());
        }
        it.client([0x30, 0xff, 0xff, 0xff, 0x7f, 0, 1, b't']);
        (0..20_000).for_each(|_| it.client([0; 1400]));
    });
}

/// Cassandra, MySQL and Diameter: frames that promise more than will come.
#[test]
fn frames_that_promise_more_than_comes() {
    let alone = Alone::wait();
    alone.bomb("cql", (Tcp, 9042), &["request_cut"], |it| {
        it.client([4, 0, 0, 0, 5, 0, 0, 0, 0]);
        it.server([0x84, 0, 0, 0, 6, 0, 0, 0, 2, 0, 0]);
        (0..40_000_u32).for_each(|number| {
            let stream = (number as u16).to_be_bytes();
            it.client([4, 0, stream[0], stream[1], 7, 0x0f, 0xff, 0xff, 0xff, 0x0f, 0xff, 0xff, 0xff, b's']);
        });
    });
    alone.bomb("mysql", (Tcp, 3306), &[], |it| {
        let version = b"8.0.30\0";
        let mut greeting =
            [&[10][..], version, &[1, 0, 0, 0], b"12345678\0", &[0xff, 0xff, 45, 2, 0, 0xff, 0xdf, 21]]
                .concat();
        greeting.extend([0; 10]);
        greeting.extend(b"123456789012\0mysql_native_password\0");
        it.server([&[greeting.len() as u8, 0, 0, 0][..], &greeting].concat());
        let mut login = vec![35, 0, 0, 1, 0, 0x82, 0, 0, 0, 0, 0, 1, 33];
        login.extend([0; 23]);
        login.extend(b"a\0\0");
        it.client(login);
        it.server([7, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0]);
        // A statement of 16 MiB that goes on in the next packet, which never ends.
        it.client([0xff, 0xff, 0xff, 0, 3]);
        (0..30_000).for_each(|_| it.client([0xff; 1400]));
    });
    alone.bomb("diameter", (Tcp, 3868), &[], |it| {
        for id in 0..100_000_u32 {
            let head = [&[1, 0, 0, 32, 0x80, 0, 1, 24, 0, 0, 0, 0][..], &id.to_be_bytes(), &id.to_be_bytes()]
                .concat();
            it.client([&head[..], &[0, 0, 1, 8, 0x40, 0, 0, 9, b'a', 0, 0, 0]].concat());
        }
        it.client([1, 0xff, 0xff, 0xfc, 0x80, 0, 1, 24, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1]);
        (0..15_000).for_each(|_| it.client([0; 1400]));
    });
}

/// Datagrams of which each begins something: identifiers of QUIC, questions of DNS and RADIUS, echoes.
#[test]
fn datagrams_that_are_never_answered() {
    let alone = Alone::wait();
    alone.bomb("dns questions", (Udp, 53), &["evicted"], |it| {
        for id in 0..200_000_u32 {
            let id = (id as u16).to_be_bytes();
            it.message(Side::A, &[id[0], id[1], 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, b'a', 0, 0, 1, 0, 1]);
        }
    });
    alone.bomb("quic", (Udp, 443), &["unknown_protocol"], |it| {
        for id in 0..50_000_u64 {
            let mut packet = [&[0xc3, 0, 0, 0, 1, 8][..], &id.to_be_bytes(), &[0, 0, 0x44, 0x90]].concat();
            packet.resize(1200, 0x55);
            it.message(Side::A, &packet);
        }
    });
    alone.bomb("radius", (Udp, 1812), &["retransmitted"], |it| {
        for id in 0..200_000_u32 {
            let mut packet = vec![1, id as u8, 0, 20];
            packet.extend([id as u8; 16]);
            it.message(Side::A, &packet);
        }
    });
}

/// TLS records of a handshake that never ends, and WebSocket frames of 2^62 bytes.
#[test]
fn handshakes_and_frames_without_an_end() {
    let alone = Alone::wait();
    alone.bomb("tls", (Tcp, 443), &[], |it| {
        // A ClientHello of 60 KiB, in records of 16 KiB, again and again.
        let record = [&[22, 3, 1, 0x40, 0][..], &[1, 0, 0xf0, 0, 3, 3], &[0x11; 16_378]].concat();
        (0..1000).for_each(|_| it.client(&record));
    });
    alone.bomb("websocket", (Tcp, 80), &[], |it| {
        it.client(
            "GET /s HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
        );
        it.server(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
        );
        // A million fragments of one message, then one frame of 2^62 bytes.
        it.client([0x01, 0x81, 0, 0, 0, 0, b'a']);
        (0..1_000_000).for_each(|_| it.client([0x00, 0x81, 0, 0, 0, 0, b'a']));
        it.client([0x00, 0xff, 0x40, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        (0..10_000).for_each(|_| it.client([b'a'; 1400]));
    });
}
