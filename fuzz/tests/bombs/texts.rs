//! Depth and breadth: JSON, GraphQL, LDAP's BER, BSON, AMQP's tables, Redis' arrays, statements of SQL.

use wirewise_model::Transport::{Tcp, Udp};

use crate::Alone;

fn posted(alone: &Alone, name: &str, path: &str, body: &str) {
    alone.bomb(name, (Tcp, 80), &[], |it| {
        let length = body.len();
        it.client(format!(
            "POST {path} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
        ));
        it.client(body);
        it.server(format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
        ));
        it.server(body);
    });
}

/// Ten thousand brackets overflow the stack of a parser that calls itself.
#[test]
fn json_and_graphql_that_are_deep() {
    let alone = Alone::wait();
    for depth in [1000, 15_000, 4_000_000] {
        let nested = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        posted(&alone, "deep json", "/graphql", &format!("{{\"query\":\"{{a}}\",\"variables\":{nested}}}"));
        let objects = format!("{}1{}", "{\"a\":".repeat(depth), "}".repeat(depth));
        posted(
            &alone,
            "deep objects",
            "/v1/chat/completions",
            &format!("{{\"model\":\"m\",\"messages\":[{objects}]}}"),
        );
        posted(
            &alone,
            "deep mcp",
            "/mcp",
            &format!("{{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{objects}}}"),
        );
        let selection = format!("{}{}", "{a".repeat(depth), "}".repeat(depth));
        posted(&alone, "deep graphql", "/graphql", &format!("{{\"query\":\"query Q {selection}\"}}"));
    }
}

/// LDAP: filters within filters, each in a length that is right (RFC 4511, 4.5.1).
#[test]
fn ber_that_is_deep() {
    let alone = Alone::wait();
    let wrap = |tag: u8, inner: &[u8]| {
        let mut bytes = vec![tag, 0x84];
        bytes.extend((inner.len() as u32).to_be_bytes());
        bytes.extend(inner);
        bytes
    };
    // Built from the inside; 20,000 levels of six bytes each.
    let depth = 20_000;
    let inner = [0x87, 1, b'a'];
    let mut filter = Vec::with_capacity(6 * depth + 3);
    for level in (0..depth).rev() {
        let rest = inner.len() + 6 * (depth - 1 - (depth - 1 - level));
        filter.extend([0xa2, 0x84]);
        filter.extend((rest as u32).to_be_bytes());
    }
    filter.extend(inner);
    let mut search = vec![4, 0, 0x0a, 1, 2, 0x0a, 1, 0, 2, 1, 0, 2, 1, 0, 1, 1, 0];
    search.extend(&filter);
    search.extend([0x30, 0]);
    let request = wrap(0x63, &search);
    let message = wrap(0x30, &[&[2, 1, 1][..], &request].concat());
    alone.bomb("deep ber", (Tcp, 389), &[], |it| {
        for _ in 0..50 {
            it.client(&message);
        }
    });
    // Lengths that promise four gigabytes.
    alone.bomb("long ber", (Tcp, 389), &["unknown_protocol"], |it| {
        it.client([0x30, 0x84, 0xff, 0xff, 0xff, 0xff, 2, 1, 1, 0x63, 0x84, 0xff, 0xff, 0xff, 0xf0]);
        (0..10_000).for_each(|_| it.client([0; 1400]));
    });
}

/// Compression that points at itself, at what points back, and a message of names that each stand for 255 bytes
/// (RFC 1035, 4.1.4).
#[test]
fn dns_names_that_point_in_circles() {
    let alone = Alone::wait();
    let head = |answers: u16| [&[0, 7, 0x81, 0x80, 0, 1][..], &answers.to_be_bytes(), &[0, 0, 0, 0]].concat();
    alone.bomb("dns loops", (Udp, 53), &["malformed"], |it| {
        for (name, answers) in
            [(&[0xc0, 12][..], 0), (&[0xc0, 14, 0xc0, 12][..], 0), (&[1, b'a', 0xc0, 12][..], 0)]
        {
            for _ in 0..10_000 {
                let message = [&head(answers), name, &[0, 1, 0, 1]].concat();
                it.message(wirewise_model::Side::B, &message);
            }
        }
        let label = [&[63][..], &[b'a'; 63]].concat();
        let mut long = [&head(5000)[..], &label, &label, &label, &[0, 0, 1, 0, 1]].concat();
        for _ in 0..5000 {
            long.extend([0xc0, 12, 0, 5, 0, 1, 0, 0, 0, 1, 0, 2, 0xc0, 12]);
        }
        (0..200).for_each(|_| it.message(wirewise_model::Side::B, &long[..long.len().min(65_000)]));
    });
}

/// Arrays that promise more than there is, and arrays within arrays (RESP3).
#[test]
fn redis_arrays() {
    let alone = Alone::wait();
    alone.bomb("redis promises", (Tcp, 6379), &[], |it| {
        it.client("*1\r\n$4\r\nPING\r\n");
        it.server("+PONG\r\n");
        it.client("*1048576\r\n$3\r\nSET\r\n");
        (0..500_000).for_each(|_| it.client("$1\r\na\r\n"));
    });
    alone.bomb("redis depth", (Tcp, 6379), &["out_of_step"], |it| {
        it.client("*1\r\n$4\r\nPING\r\n");
        (0..1_000_000).for_each(|_| it.server("*1\r\n"));
    });
    alone.bomb("redis length", (Tcp, 6379), &[], |it| {
        it.client("*2\r\n$3\r\nGET\r\n$536870912\r\n");
        (0..20_000).for_each(|_| it.client([b'a'; 1400]));
    });
    alone.bomb("redis pipelines", (Tcp, 6379), &["evicted"], |it| {
        (0..500_000).for_each(|_| it.client("*2\r\n$3\r\nGET\r\n$1\r\na\r\n"));
    });
}

/// A statement of megabytes, and one of nothing but brackets.
#[test]
fn statements_without_an_end() {
    let alone = Alone::wait();
    let query =
        |text: &str| [b"Q", &(text.len() as u32 + 5).to_be_bytes()[..], text.as_bytes(), b"\0"].concat();
    alone.bomb("sql", (Tcp, 5432), &["statement_cut"], |it| {
        it.client([0, 0, 0, 16, 0, 3, 0, 0, b'u', b's', b'e', b'r', 0, b'a', 0, 0]);
        for text in ["(".repeat(1 << 20), format!("select {}1", "a,".repeat(1 << 22)), "/*".repeat(1 << 20)] {
            (0..4).for_each(|_| it.client(query(&text)));
        }
        // 1,000,000 prepared statements, each with a name of its own.
        for number in 0..1_000_000_u32 {
            let body = format!("s{number}\0select {number}\0\0\0");
            it.client([b"P", &(body.len() as u32 + 4).to_be_bytes()[..], body.as_bytes()].concat());
        }
    });
}
