//! The table: protocol, place, and a conversation that holds the secret there.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use wirewise_model::Transport;

use crate::bytes::*;
use crate::{Case, Said, c, s};

fn tcp(
    protocol: &'static str,
    port: u16,
    calls: usize,
    place: &'static str,
    talk: fn(&str) -> Vec<Said>,
) -> Case {
    Case { protocol, calls, place, transport: Transport::Tcp, port, talk }
}

pub(crate) fn all() -> Vec<Case> {
    let mut cases = vec![
        Case {
            transport: Transport::Udp,
            ..tcp("radius", 1812, 2, "passwords and challenges", radius_login)
        },
        tcp("ldap", 389, 4, "bind, filter values, entries and new passwords", ldap_session),
        tcp("diameter", 3868, 1, "User-Password, CHAP and SIP credentials", diameter_login),
        tcp("mysql", 3306, 6, "proof, literals, parameters, rows, errors", mysql_session),
        tcp("postgres", 5432, 4, "password, literals, parameters, rows, errors", pg_session),
        tcp("redis", 6379, 8, "AUTH, HELLO, values, scripts, unknown commands", redis_session),
        tcp("memcached", 11211, 2, "values", memcached_session),
        tcp("mongodb", 27017, 4, "SASL payload, values of documents, errors", mongo_session),
        tcp("cql", 9042, 5, "credentials, literals, bound values, rows, errors", cql_session),
        tcp("mqtt", 1883, 2, "password, will, payload", mqtt_session),
        tcp("nats", 4222, 3, "CONNECT's proofs, payloads, nonce", nats_session),
        tcp("amqp", 5672, 4, "PLAIN's response, bodies, headers", amqp_session),
        tcp("kafka", 9092, 3, "SASL PLAIN, values, error texts", kafka_session),
        tcp("kafka", 9092, 1, "values of configurations", kafka_config),
        tcp("http1", 8080, 1, "headers, cookies, query, JSON", http1_exchange),
        tcp("http2", 8080, 1, "headers, cookies, query, JSON", http2_exchange),
        tcp("grpc", 8080, 1, "metadata, messages, trailers", grpc_exchange),
        tcp("websocket", 8080, 3, "JSON, text and binary", ws_session),
        tcp("graphql", 8080, 1, "literals", |secret| {
            let body =
                format!(r#"{{"query":"mutation {{ login(password: \"{secret}\", pin: {}) {{ id }} }}"}}"#, 1);
            vec![c(json_post("/graphql", &body)), s(json_answer(r#"{"data":{"login":{"id":1}}}"#))]
        }),
        tcp("graphql", 8080, 1, "variables and answers", |secret| {
            let body = format!(
                r#"{{"query":"mutation L($password: String!) {{ login(password: $password) {{ token }} }}","operationName":"L","variables":{{"password":"{secret}","token":"{secret}","pin":"{secret}"}}}}"#
            );
            vec![
                c(json_post("/graphql", &body)),
                s(json_answer(&format!(r#"{{"data":{{"login":{{"token":"{secret}"}}}}}}"#))),
            ]
        }),
        tcp("mcp", 8080, 1, "arguments, session, answers", |secret| {
            let body = format!(
                r#"{{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{{"name":"login","arguments":{{"password":"{secret}"}}}}}}"#
            );
            let headers = [
                ("Host", "a"),
                ("Mcp-Session-Id", secret),
                ("MCP-Protocol-Version", "2025-06-18"),
                ("Content-Type", "application/json"),
            ];
            let answer = format!(
                r#"{{"jsonrpc":"2.0","id":7,"result":{{"structuredContent":{{"token":"{secret}"}}}}}}"#
            );
            vec![c(http("POST /mcp HTTP/1.1", &headers, &body)), s(json_answer(&answer))]
        }),
    ];
    for (place, talk) in [
        ("OpenAI's key", openai as fn(&str) -> Vec<Said>),
        ("Anthropic's key", anthropic),
        ("Gemini's key in the query", gemini),
    ] {
        cases.push(tcp("genai", 8080, 1, place, talk));
    }
    cases
}

fn radius_login(secret: &str) -> Vec<Said> {
    let chap = [b"\x01", secret.as_bytes()].concat();
    let vendor = [b"\0\0\x01\x37\x1a", &tiny(secret)[..]].concat();
    let eap = [&[2, 1, 0, u8::try_from(6 + secret.len()).unwrap(), 4, 1], secret.as_bytes()].concat();
    let asked: &[(u8, &[u8])] = &[
        (1, b"bob"),
        (2, secret.as_bytes()),
        (3, &chap),
        (60, secret.as_bytes()),
        (24, secret.as_bytes()),
        (26, &vendor),
        (69, &chap),
        (79, &eap),
    ];
    let words = format!("your code is {secret}");
    vec![
        c(radius(1, 1, asked)),
        s(radius(11, 1, &[(18, words.as_bytes()), (24, secret.as_bytes())])),
        c(radius(1, 2, asked)),
        s(radius(2, 2, &[(18, words.as_bytes()), (25, secret.as_bytes())])),
    ]
}

fn ldap_session(secret: &str) -> Vec<Said> {
    let result =
        |id, tag, code: u8, words: &str| ldap(id, tag, &[vec![10, 1, code], octets(""), octets(words)]);
    let equals = |name: &str| tlv(0xa3, &[octets(name), octets(secret)]);
    let filter = tlv(0xa0, &[equals("uid"), equals("userPassword"), tlv(0xa2, &[equals("pin")])]);
    let numbers = [10, 1, 2, 10, 1, 0, 2, 1, 5, 2, 1, 0, 1, 1, 0].to_vec();
    let values = tlv(0x30, &[tlv(0x30, &[octets("userPassword"), tlv(0x31, &[octets(secret)])])]);
    let change =
        tlv(0x30, &[vec![10, 1, 2], tlv(0x30, &[octets("userPassword"), tlv(0x31, &[octets(secret)])])]);
    vec![
        c(ldap(1, 0x60, &[vec![2, 1, 3], octets("cn=bob,dc=ex"), tlv(0x80, &[secret.into()])])),
        s(result(1, 0x61, 0, "")),
        c(ldap(2, 0x63, &[octets("dc=ex"), numbers, filter, tlv(0x30, &[octets("cn")])])),
        s([ldap(2, 0x64, &[octets("cn=bob,dc=ex"), values]), result(2, 0x65, 0, "")].concat()),
        c(ldap(3, 0x66, &[octets("cn=bob,dc=ex"), tlv(0x30, &[change])])),
        s(result(3, 0x67, 0, "")),
        c(ldap(4, 0x6e, &[octets("cn=bob,dc=ex"), tlv(0x30, &[octets("pin"), octets(secret)])])),
        s(result(4, 0x6f, 6, "")),
    ]
}

fn diameter_login(secret: &str) -> Vec<Said> {
    let from = |host: &str| [avp(264, host), avp(296, "ex.org")].concat();
    let chap = avp(402, [avp(404, secret), avp(407, secret)].concat());
    let asked = [
        avp(263, "s;1;2"),
        from("nas"),
        avp(1, "bob"),
        avp(2, secret),
        avp(462, secret),
        chap,
        avp(999_999, secret),
    ];
    let result = avp(268, 2001_u32.to_be_bytes());
    vec![
        c(diameter(0xc0, 265, 1, 1, &asked)),
        s(diameter(
            0x40,
            265,
            1,
            1,
            &[avp(263, "s;1;2"), result, from("b"), avp(24, secret), avp(25, secret)],
        )),
    ]
}

fn mysql_session(secret: &str) -> Vec<Said> {
    let greeting = [
        &b"\x0a8.0.33\0\x01\0\0\0abcdefgh\0"[..],
        &[0xff, 0xff, 0xff, 2, 0, 0xff, 0xff, 21],
        &[0; 10],
        b"abcdefghijkl\0mysql_native_password\0",
    ];
    let capabilities: u32 = 1 << 9 | 1 << 15 | 1 << 19 | 1 << 3;
    let login = [
        &capabilities.to_le_bytes()[..],
        &[0; 28],
        b"bob\0",
        &tiny(secret),
        b"shop\0mysql_native_password\0",
    ];
    let ok = |number| mysql(number, [0, 1, 0, 2, 0, 0, 0]);
    let insert = format!("INSERT INTO t VALUES ('{secret}', \"{secret}\", 0x{secret}) -- {secret}");
    let user = format!("ALTER USER 'bob'@'%' IDENTIFIED BY '{secret}'");
    let execute = [&b"\x17\x01\0\0\0\0\x01\0\0\0\0\x01\xfd\0"[..], &tiny(secret)].concat();
    let column = b"\x03def\x04shop\x01t\x01t\x01a\x01a\x0c\x3f\0\x0b\0\0\0\x03\0\0\0\0\0";
    let eof = |number| mysql(number, [0xfe, 0, 0, 2, 0]);
    let rows = [mysql(1, [1]), mysql(2, column), eof(3), mysql(4, tiny(secret)), eof(5)];
    let prepared = [mysql(1, [0, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0]), mysql(2, column), eof(3)];
    vec![
        s(mysql(0, greeting.concat())),
        c(mysql(1, login.concat())),
        s(ok(2)),
        c(mysql(0, [b"\x03", insert.as_bytes()].concat())),
        s(mysql_error(1, 1062, "23000", &format!("Duplicate entry '{secret}' for key 't.a'"))),
        c(mysql(0, [b"\x03", user.as_bytes()].concat())),
        s(ok(1)),
        c(mysql(0, b"\x16UPDATE t SET a = ?")),
        s(prepared.concat()),
        c(mysql(0, execute)),
        s(ok(1)),
        c(mysql(0, format!("\x03SELECT a FROM t WHERE pin = {secret:?}"))),
        s(rows.concat()),
    ]
}

fn pg_session(secret: &str) -> Vec<Said> {
    let done = |tag: &str| [pg(b'C', format!("{tag}\0")), pg(b'Z', "I")].concat();
    let error = format!(
        "SERROR\0VERROR\0C22P02\0Minvalid input syntax for type uuid: \"{secret}\"\0DKey (a)=({secret}) exists.\0\0"
    );
    let dollar = format!("INSERT INTO t VALUES ('{secret}', E'{secret}', $${secret}$$) /* {secret} */\0");
    let bind = [&b"\0\0\0\0\0\x01"[..], &long(secret), &[0, 0]].concat();
    let asked =
        [pg(b'P', "\0SELECT a FROM t WHERE b = $1\0\0\0"), pg(b'B', bind), pg(b'E', [0; 5]), pg(b'S', "")];
    let row = pg(b'D', [&[0, 1], &long(secret)[..]].concat());
    vec![
        c(pg_startup("user\0bob\0database\0shop\0\0")),
        s(pg(b'R', [0, 0, 0, 3])),
        c(pg(b'p', format!("{secret}\0"))),
        s([pg(b'R', [0; 4]), pg(b'Z', "I")].concat()),
        c(pg(b'Q', format!("ALTER ROLE bob PASSWORD '{secret}'\0"))),
        s(done("ALTER ROLE")),
        c(pg(b'Q', dollar)),
        s([pg(b'E', error), pg(b'Z', "I")].concat()),
        c(asked.concat()),
        s([pg(b'1', ""), pg(b'2', ""), row, done("SELECT 1")].concat()),
    ]
}

fn redis_session(secret: &str) -> Vec<Said> {
    let mut talk = Vec::new();
    for (command, answer) in [
        (vec!["AUTH", secret], "-WRONGPASS invalid username-password pair or user is disabled.\r\n"),
        (vec!["AUTH", "bob", secret], "+OK\r\n"),
        (vec!["HELLO", "2", "AUTH", "bob", secret], "*2\r\n$6\r\nserver\r\n$5\r\nredis\r\n"),
        (vec!["SET", "user:1", secret, "EX", "60"], "+OK\r\n"),
        (vec!["CONFIG", "SET", "requirepass", secret], "+OK\r\n"),
        (vec!["ACL", "SETUSER", "bob", &format!(">{secret}")], "+OK\r\n"),
        (vec!["EVAL", &format!("return '{secret}'"), "0", secret], "$-1\r\n"),
    ] {
        talk.push(c(redis(&command)));
        talk.push(s(answer));
    }
    talk.push(c(redis(&["GET", "user:1"])));
    talk.push(s(format!("${}\r\n{secret}\r\n", secret.len())));
    talk
}

fn memcached_session(secret: &str) -> Vec<Said> {
    let length = secret.len();
    vec![
        c(format!("set user:1 0 0 {length}\r\n{secret}\r\n")),
        s("STORED\r\n"),
        c("get user:1\r\n"),
        s(format!("VALUE user:1 0 {length}\r\n{secret}\r\nEND\r\n")),
    ]
}

fn mongo_session(secret: &str) -> Vec<Said> {
    let ok = || bson_number("ok", 1);
    let proof = || bson_bytes("payload", &format!("\0bob\0{secret}"));
    let filter =
        bson_document("filter", &[bson_text("pin", secret), bson_document("b", &[bson_text("$in", secret)])]);
    let create = [bson_text("createUser", "bob"), bson_text("pwd", secret), bson_text("$db", "shop")];
    let update =
        bson_document("updates", &[bson_document("0", &[bson_document("q", &[bson_text("a", secret)])])]);
    let failed = bson_document(
        "writeErrors",
        &[bson_document(
            "0",
            &[bson_number("code", 11000), bson_text("errmsg", &format!("dup key: {{ a: \"{secret}\" }}"))],
        )],
    );
    vec![
        c(mongo(
            1,
            0,
            &[
                bson_number("saslStart", 1),
                bson_text("mechanism", "PLAIN"),
                proof(),
                bson_text("$db", "$external"),
            ],
        )),
        s(mongo(9, 1, &[proof(), ok()])),
        c(mongo(
            2,
            0,
            &[bson_text("find", "users"), filter, bson_text("comment", secret), bson_text("$db", "shop")],
        )),
        s(mongo(
            9,
            2,
            &[bson_document("cursor", &[bson_document("firstBatch", &[bson_text("0", secret)])]), ok()],
        )),
        c(mongo(3, 0, &create)),
        s(mongo(9, 3, &[ok()])),
        c(mongo(4, 0, &[bson_text("update", "users"), update, bson_text("$db", "shop")])),
        s(mongo(9, 4, &[bson_number("n", 0), failed, ok()])),
    ]
}

fn cql_session(secret: &str) -> Vec<Said> {
    let ask = |stream, code, body: &[u8]| c(cql(4, stream, code, body));
    let say = |stream, code, body: &[u8]| s(cql(0x84, stream, code, body));
    let query = |text: &str, more: &[u8]| [&long(text)[..], &[0, 6], more].concat();
    let bound = [&[1, 0, 1][..], &long(secret)].concat();
    let role = format!("CREATE ROLE bob WITH PASSWORD = '{secret}'");
    let insert = format!("INSERT INTO ks.t (a) VALUES ('{secret}')");
    let words = format!("Invalid STRING constant ({secret}) for \"a\" of type int, '{secret}'");
    let rows = [
        &[0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 1][..],
        &short("ks"),
        &short("t"),
        &short("a"),
        &[0, 13, 0, 0, 0, 1],
        &long(secret),
    ];
    vec![
        ask(1, 1, &[&[0, 1][..], &short("CQL_VERSION"), &short("3.0.0")].concat()),
        say(1, 3, &short("org.apache.cassandra.auth.PasswordAuthenticator")),
        ask(2, 15, &long(format!("\0bob\0{secret}"))),
        say(2, 16, &long(secret)),
        ask(3, 7, &query(&role, &[0])),
        say(3, 1 + 7, &[0, 0, 0, 1]),
        ask(4, 7, &query(&insert, &[0])),
        say(4, 0, &[&[0, 0, 0x22, 0][..], &short(words)].concat()),
        ask(5, 7, &query("SELECT a FROM ks.t WHERE a = ?", &bound)),
        say(5, 8, &rows.concat()),
    ]
}

fn mqtt_session(secret: &str) -> Vec<Said> {
    let payload = [short("device-1"), short("will/t"), short(secret), short("bob"), short(secret)].concat();
    vec![
        c(mqtt(0x10, &[short("MQTT"), vec![4, 0xc6, 0, 60], payload])),
        s(mqtt(0x20, &[vec![0, 0]])),
        c(mqtt(0x32, &[short("doors/1"), vec![0, 7], secret.into()])),
        s(mqtt(0x40, &[vec![0, 7]])),
    ]
}

fn nats_session(secret: &str) -> Vec<Said> {
    let proofs: String = ["pass", "auth_token", "jwt", "sig", "nkey"]
        .iter()
        .map(|name| format!(",\"{name}\":\"{secret}\""))
        .collect();
    let length = secret.len();
    vec![
        s(format!("INFO {{\"server_id\":\"N1\",\"version\":\"2.10.9\",\"nonce\":\"{secret}\"}}\r\n")),
        c(format!("CONNECT {{\"verbose\":false,\"user\":\"{secret}\",\"name\":\"shop\"{proofs}}}\r\n")),
        c(format!("PUB orders.new {length}\r\n{secret}\r\n")),
    ]
}

fn amqp_session(secret: &str) -> Vec<Said> {
    let long_text = |text: &str| long(text);
    let start = amqp(0, 10, 10, &[vec![0, 9], long(""), long_text("PLAIN"), long_text("en_US")]);
    let proof = amqp(0, 10, 11, &[long(""), tiny("PLAIN"), long(format!("\0bob\0{secret}")), tiny("en_US")]);
    let tune = amqp(0, 10, 30, &[vec![0, 0, 0, 2, 0, 0, 0, 0]]);
    let table = long([&tiny("authorization")[..], b"S", &long(secret)].concat());
    let length = u64::try_from(secret.len()).unwrap().to_be_bytes();
    let header = amqp_frame(2, 1, &[&[0, 60, 0, 0][..], &length, &[0x20, 0], &table].concat());
    let publish = amqp(1, 60, 40, &[vec![0, 0], tiny("ex"), tiny("key"), vec![0]]);
    vec![
        c(b"AMQP\0\0\x09\x01"),
        s(start),
        c(proof),
        s(tune),
        c([publish, header, amqp_frame(3, 1, secret.as_bytes())].concat()),
    ]
}

fn kafka_session(secret: &str) -> Vec<Said> {
    let refused =
        [&[0, 58][..], &short(format!("Authentication failed: password={secret}")), &long(secret)].concat();
    let batch = kafka_batch(secret);
    let produce = [
        &[0xff, 0xff, 0, 1, 0, 0, 5, 0, 0, 0, 0, 1][..],
        &short("orders"),
        &[0, 0, 0, 1, 0, 0, 0, 7],
        &long(batch),
    ];
    let produced =
        [&[0, 0, 0, 1][..], &short("orders"), &[0, 0, 0, 1, 0, 0, 0, 7, 0, 0], &[0; 8], &[0xff; 8], &[0; 4]];
    vec![
        c(kafka(17, 1, 1, "shop-1", &short("PLAIN"))),
        s(kafka_answer(1, &[0, 0, 0, 0, 0, 1, 0, 5, b'P', b'L', b'A', b'I', b'N'])),
        c(kafka(36, 0, 2, "shop-1", &long(format!("\0bob\0{secret}")))),
        s(kafka_answer(2, &refused)),
        c(kafka(0, 3, 3, "shop-1", &produce.concat())),
        s(kafka_answer(3, &produced.concat())),
    ]
}

fn kafka_config(secret: &str) -> Vec<Said> {
    let entry = [
        &[0, 0, 0, 1, 2][..],
        &short("orders"),
        &[0, 0, 0, 1],
        &short("ssl.key.password"),
        &short(secret),
        &[0],
    ];
    let answer = [&[0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0xff, 0xff, 2][..], &short("orders")];
    vec![c(kafka(33, 0, 5, "shop-1", &entry.concat())), s(kafka_answer(5, &answer.concat()))]
}

fn http1_exchange(secret: &str) -> Vec<Said> {
    let basic = format!("Basic {}", STANDARD.encode(format!("bob:{secret}")));
    let cookie = format!("theme=dark; sid={secret}");
    let headers = [
        ("Host", "shop"),
        ("Authorization", &*basic),
        ("Cookie", &cookie),
        ("X-Api-Key", secret),
        ("Content-Type", "application/json"),
    ];
    let first = format!("POST /login?password={secret}&token={secret} HTTP/1.1");
    let body = format!(r#"{{"user":"bob","password":"{secret}","pin":"{secret}"}}"#);
    vec![
        c(http(&first, &headers, &body)),
        s(http(
            "HTTP/1.1 200 OK",
            &[("Set-Cookie", &format!("sid={secret}; Path=/")), ("Content-Type", "text/plain")],
            secret,
        )),
    ]
}

fn http2_exchange(secret: &str) -> Vec<Said> {
    let asked = [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", &*format!("/login?password={secret}&token={secret}")),
        (":authority", "shop"),
        ("authorization", &format!("Bearer {secret}")),
        ("cookie", "theme=dark"),
        ("cookie", &format!("sid={secret}")),
        ("x-api-key", secret),
        ("content-type", "application/json"),
    ];
    let answered = [
        (":status", "200"),
        ("set-cookie", &*format!("sid={secret}; Path=/")),
        ("content-type", "application/json"),
    ];
    let body = format!(r#"{{"password":"{secret}"}}"#);
    vec![
        c([H2_PREFACE, &h2_headers(4, &asked), &h2_frame(0, 1, 1, &body)].concat()),
        s([H2_SETTINGS, &h2_headers(4, &answered), &h2_frame(0, 1, 1, format!(r#"{{"token":"{secret}"}}"#))]
            .concat()),
    ]
}

fn grpc_exchange(secret: &str) -> Vec<Said> {
    let message = || [vec![0], long([&[0x0a], &tiny(secret)[..]].concat())].concat();
    let asked = [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", "/shop.Cart/Login"),
        (":authority", "shop"),
        ("authorization", &*format!("Bearer {secret}")),
        ("x-password-bin", &STANDARD.encode(secret)),
        ("content-type", "application/grpc"),
    ];
    let words = format!("rejected%3A password={secret}");
    vec![
        c([H2_PREFACE, &h2_headers(4, &asked), &h2_frame(0, 1, 1, message())].concat()),
        s([H2_SETTINGS, &h2_headers(4, &[(":status", "200"), ("content-type", "application/grpc")])]
            .concat()),
        s(h2_frame(0, 0, 1, message())),
        s(h2_headers(5, &[("grpc-status", "16"), ("grpc-message", &words), ("x-token", secret)])),
    ]
}

fn ws_session(secret: &str) -> Vec<Said> {
    let asked = [
        ("Host", "shop"),
        ("Connection", "Upgrade"),
        ("Upgrade", "websocket"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ("Cookie", &*format!("sid={secret}")),
    ];
    let asked: String = asked.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    vec![
        c(format!("GET /chat?token={secret} HTTP/1.1\r\n{asked}\r\n")),
        s("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
           Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"),
        c(ws(0x81, true, &format!(r#"{{"type":"login","password":"{secret}"}}"#))),
        s(ws(0x81, false, &format!("welcome {secret}"))),
        s(ws(0x82, false, secret)),
    ]
}

fn openai(secret: &str) -> Vec<Said> {
    let body = format!(
        r#"{{"model":"gpt-4o","user":"{secret}","messages":[{{"role":"user","content":"my password is: {secret}"}}],"metadata":{{"api_key":"{secret}"}}}}"#
    );
    let headers = [
        ("Host", "api.openai.com"),
        ("Authorization", &*format!("Bearer {secret}")),
        ("Content-Type", "application/json"),
    ];
    let answer = r#"{"id":"chatcmpl-1","model":"gpt-4o","choices":[{"finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":2}}"#;
    vec![c(http("POST /v1/chat/completions HTTP/1.1", &headers, &body)), s(json_answer(answer))]
}

fn anthropic(secret: &str) -> Vec<Said> {
    let body = r#"{"model":"claude-x","max_tokens":9,"messages":[{"role":"user","content":"hi"}]}"#;
    let headers = [
        ("Host", "api.anthropic.com"),
        ("x-api-key", secret),
        ("anthropic-version", "2023-06-01"),
        ("Content-Type", "application/json"),
    ];
    // What a model says to plain text is not kept at all.
    let answer = http("HTTP/1.1 401 Unauthorized", &[("Content-Type", "text/plain")], secret);
    vec![c(http("POST /v1/messages HTTP/1.1", &headers, body)), s(answer)]
}

fn gemini(secret: &str) -> Vec<Said> {
    let path = format!("POST /v1beta/models/gemini-2.0-flash:generateContent?access_token={secret} HTTP/1.1");
    let headers = [
        ("Host", "generativelanguage.googleapis.com"),
        ("x-goog-api-key", secret),
        ("Content-Type", "application/json"),
    ];
    let body = r#"{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}"#;
    let answer = r#"{"candidates":[{"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":3}}"#;
    vec![c(http(&path, &headers, body)), s(json_answer(answer))]
}
