//! A capture with a secret in every place in which traffic carries one.

use std::io::Write;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use wirewise_testkit::packet::{icmp, udp};

use crate::scene::{Scene, chunked, request, response};

/// Stands in no secret's place, so it must be found: the search works.
pub(crate) const CONTROL: &str = "this-is-no-secret";
/// The token of two calls, whose pseudonyms must be equal.
pub(crate) const SHARED: &str = "SharedBearer-canary-9Kd7Qm2x";
/// What the brotli body holds, compressed by the reference encoder:
/// `{"note":..., "password":"brotli-canary-QmVhdA-Hq3zR8", "list":..., "control":"brotli was read"}`.
const BROTLI: &str = "1bf30000c427b77daabb97b704de685471f9a276b6903becbaa2b1d924a19b2fa93ee4d64234ef5c5070f0bc7da13f50\
                      71eb9f1ee20159edf6220df945e4d65c7cdea4deba18eaae72c1d19b2fbe90432c010aee7f4345796eb7796055b116e7\
                      9b198bdbd71ad30fee63caa09887eb063542fef14a25283c47c405ae4642610a8a79c83dc31f";

/// Secrets, and the capture in which they stand.
#[derive(Default)]
pub(crate) struct Places {
    secrets: Vec<String>,
    exchanges: Vec<(Vec<u8>, Vec<u8>)>,
    pub(crate) scene: Scene,
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::best());
    packed.write_all(bytes).unwrap();
    packed.finish().unwrap()
}

fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut packed = ZlibEncoder::new(Vec::new(), Compression::best());
    packed.write_all(bytes).unwrap();
    packed.finish().unwrap()
}

fn raw_deflate(bytes: &[u8]) -> Vec<u8> {
    let mut packed = DeflateEncoder::new(Vec::new(), Compression::best());
    packed.write_all(bytes).unwrap();
    packed.finish().unwrap()
}

fn ok() -> Vec<u8> {
    response(
        "200 OK",
        &[("Content-Type", "application/json")],
        format!("{{\"note\":\"{CONTROL}\"}}").as_bytes(),
    )
}

impl Places {
    /// A secret of its own for that place: no dictionary word, and nothing that looks like a token by itself.
    fn secret(&mut self, place: &str) -> String {
        let secret = format!("Canary{}.{place}.zQ7", self.secrets.len() + 10);
        self.secrets.push(secret.clone());
        secret
    }

    fn asked(&mut self, request: Vec<u8>) {
        self.exchanges.push((request, ok()));
    }

    fn answered(&mut self, response: Vec<u8>) {
        self.exchanges.push((request(&format!("GET /{CONTROL}"), &[], b""), response));
    }

    fn header(&mut self, place: &str, name: &str, value: impl Fn(&str) -> String) {
        let secret = self.secret(place);
        self.asked(request("GET /h", &[(name, &value(&secret))], b""));
    }

    fn told(&mut self, place: &str, name: &str, value: impl Fn(&str) -> String) {
        let secret = self.secret(place);
        self.answered(response("302 Found", &[(name, &value(&secret))], b""));
    }

    fn target(&mut self, place: &str, target: impl Fn(&str) -> String) {
        let secret = self.secret(place);
        self.asked(request(&format!("GET {}", target(&secret)), &[], b""));
    }

    /// A body, sent by both sides.
    fn body(&mut self, place: &str, kind: &str, body: impl Fn(&str) -> String) {
        let secret = self.secret(place);
        let body = body(&secret).into_bytes();
        let headers = [("Content-Type", kind)];
        self.exchanges.push((request("POST /b", &headers, &body), response("200 OK", &headers, &body)));
    }

    /// A JSON body under an encoding, whole and in chunks.
    fn encoded(&mut self, encoding: &str, pack: impl Fn(&[u8]) -> Vec<u8>) {
        let secret = self.secret(encoding);
        let body = format!("{{\"a\":[{{\"password\":\"{secret}\"}}],\"note\":\"{CONTROL}\"}}");
        let packed = pack(body.as_bytes());
        let headers = [("Content-Type", "application/json"), ("Content-Encoding", encoding)];
        self.exchanges.push((request("POST /e", &headers, &packed), response("200 OK", &headers, &packed)));
        let headers = [headers[0], headers[1], ("Transfer-Encoding", "chunked")];
        let packed = chunked(&packed, "");
        self.exchanges.push((request("POST /e", &headers, &packed), response("200 OK", &headers, &packed)));
    }

    /// Any bytes of a request.
    fn raw(&mut self, place: &str, bytes: impl Fn(&str) -> String) {
        let secret = self.secret(place);
        self.asked(bytes(&secret).into_bytes());
    }

    /// The exchanges so far become one connection.
    fn connection(&mut self, server: &str) {
        let exchanges = std::mem::take(&mut self.exchanges);
        self.scene.talk(server, &exchanges);
    }

    /// All of them.
    pub(crate) fn all() -> (Vec<String>, Scene) {
        let mut places = Self::default();
        places.headers();
        places.addresses();
        places.bodies();
        places.encodings();
        places.values();
        places.oddities();
        places.beside_http();
        for _ in 0..2 {
            let bearer = format!("Bearer {SHARED}");
            places.asked(request("GET /shared", &[("Authorization", &bearer)], b""));
        }
        let login = format!("{{\"access_token\":\"{SHARED}\"}}");
        places.answered(response("200 OK", &[("Content-Type", "application/json")], login.as_bytes()));
        places.secrets.push(SHARED.to_owned());
        places.connection("10.0.0.2:80");
        (places.secrets, places.scene)
    }

    fn headers(&mut self) {
        self.header("bearer", "Authorization", |secret| format!("Bearer {secret}"));
        self.header("basic", "Authorization", |secret| {
            format!("Basic {}", STANDARD.encode(format!("bob:{secret}")))
        });
        self.header("user", "authorization", |secret| {
            format!("basic {}", STANDARD.encode(format!("{secret}:x")))
        });
        self.header("proxy", "Proxy-Authorization", |secret| format!("Bearer {secret}"));
        self.header("digest", "AUTHORIZATION", |secret| {
            format!("Digest username=\"{secret}\", response=\"{secret}\"")
        });
        self.header("cookie", "Cookie", |secret| format!("theme=dark; sid={secret}"));
        self.header("key", "X-Api-Key", str::to_owned);
        self.header("csrf", "X-CSRF-Token", str::to_owned);
        self.header("session", "X-Session-Id", str::to_owned);
        self.told("setcookie", "Set-Cookie", |secret| format!("sid={secret}; Path=/; HttpOnly"));
        self.told("newtoken", "X-Auth-Token", str::to_owned);
        self.connection("10.0.0.2:80");
    }

    fn addresses(&mut self) {
        self.target("query", |secret| format!("/x?a=1&password={secret}&b={CONTROL}"));
        self.target("querytoken", |secret| format!("/x?access_token={secret}"));
        self.target("queryencoded", |secret| {
            let encoded: String = secret.bytes().map(|byte| format!("%{byte:02X}")).collect();
            format!("/x?api_key={encoded}")
        });
        self.target("userinfo", |secret| format!("http://bob:{secret}@orders.shop/x"));
        self.target("matrix", |secret| format!("/x;jsessionid={secret}"));
        self.told("location", "Location", |secret| format!("https://h/cb?a=1&client_secret={secret}#x"));
        self.told("locationuser", "Location", |secret| format!("https://u:{secret}@h/cb"));
        self.told("fragment", "Location", |secret| format!("https://h/cb#id_token={secret}"));
        self.header("referer", "Referer", |secret| format!("https://h/x?session_id={secret}"));
        self.connection("10.0.0.2:80");
    }

    fn bodies(&mut self) {
        let quoted = |text: &str| serde_json::to_string(text).unwrap();
        self.body("json", "application/json", |secret| {
            format!("{{\"user\":\"x\",\"password\":\"{secret}\"}}")
        });
        self.body("nested", "application/json", |secret| {
            let inner = quoted(&format!("{{\"secret\":\"{secret}\"}}"));
            format!("{{\"m\":{}}}", quoted(&format!("{{\"body\":{inner}}}")))
        });
        self.body("deep", "application/vnd.x+json", |secret| {
            format!("{{\"a\":[[{{\"credentials\":{{\"x\":[\"{secret}\"]}}}}]]}}")
        });
        self.body("form", "application/x-www-form-urlencoded", |secret| {
            format!("a=1&user%5Bpassword%5D={secret}")
        });
        self.body("multipart", "multipart/form-data; boundary=XX", |secret| {
            format!(
                "--XX\r\nContent-Disposition: form-data; name=\"client_secret\"\r\n\r\n{secret}\r\n--XX--\r\n"
            )
        });
        self.body("ndjson", "application/x-ndjson", |secret| format!("{{}}\n{{\"token\":\"{secret}\"}}\n"));
        self.body("events", "text/event-stream", |secret| format!("data: {{\"token\":\"{secret}\"}}\n\n"));
        self.body("dsn", "application/json", |secret| {
            format!("{{\"dsn\":\"postgres://shop:{secret}@db/x\"}}")
        });
        self.body("pin", "application/json", |secret| {
            format!("{{\"pin\":\"{secret}\",\"note\":\"{CONTROL}\"}}")
        });
        for kind in
            ["text/plain", "text/html", "application/xml", "application/octet-stream", "image/png", ""]
        {
            self.body("opaque", kind, |secret| format!("password is {secret}"));
        }
        self.body("nojson", "application/json", |secret| format!("{{\"password\":\"{secret}\""));
        // A secret that lies across the length at which bodies are cut, at several places of it.
        for before in [16_330, 16_350, 16_360, 16_370] {
            self.body("cut", "application/json", |secret| {
                format!("{{\"x\":\"{}\",\"password\":\"{secret}\"}}", "y".repeat(before))
            });
        }
        self.connection("10.0.0.2:80");
    }

    fn encodings(&mut self) {
        self.encoded("gzip", gzip);
        self.encoded("deflate", zlib);
        self.encoded("deflate", raw_deflate);
        self.encoded("zstd", |bytes| zstd::encode_all(bytes, 9).unwrap());
        self.encoded("identity", <[u8]>::to_vec);
        self.encoded("gzip, gzip", |bytes| gzip(&gzip(bytes)));
        self.encoded("x-unknown", gzip);
        let brotli = hex::decode(BROTLI).unwrap();
        let headers = [("Content-Type", "application/json"), ("Content-Encoding", "br")];
        self.exchanges.push((request("POST /e", &headers, &brotli), response("200 OK", &headers, &brotli)));
        self.secrets.push("brotli-canary-QmVhdA-Hq3zR8".to_owned());
        let secret = self.secret("trailer");
        let headers = [
            ("Content-Type", "application/json"),
            ("Transfer-Encoding", "chunked"),
            ("Trailer", "X-Api-Key"),
        ];
        let body = chunked(b"{}", &format!("X-Api-Key: {secret}\r\n"));
        self.exchanges.push((request("POST /t", &headers, &body), response("200 OK", &headers, &body)));
        self.connection("10.0.0.2:80");
    }

    /// Values that are secrets wherever they stand.
    fn values(&mut self) {
        let claims = URL_SAFE_NO_PAD.encode(br#"{"sub":"canary-in-claims","iat":1795492800}"#);
        let jwt = format!("eyJhbGciOiJIUzI1NiJ9.{claims}.c2lnbmF0dXJlLWNhbmFyeQ");
        let found = [
            (jwt.clone(), claims),
            ("4111 1111 1111 1111".to_owned(), "4111 1111 1111 1111".to_owned()),
            ("5555555555554444".to_owned(), "5555555555554444".to_owned()),
            ("AKIACANARY7EXAMPLE12".to_owned(), "AKIACANARY7EXAMPLE12".to_owned()),
            (
                "ghp_CanaryCanary0123456789abcdefghijkl".to_owned(),
                "ghp_CanaryCanary0123456789abcdefghijkl".to_owned(),
            ),
        ];
        for (value, secret) in found {
            let body = format!("{{\"note\":\"see {value} there\"}}");
            let json = [("Content-Type", "application/json")];
            self.exchanges.push((
                request("POST /v", &json, body.as_bytes()),
                response("200 OK", &json, body.as_bytes()),
            ));
            let encoded = value.replace(' ', "%20");
            self.asked(request(&format!("GET /v/{encoded}?q={encoded}"), &[("X-Note", &value)], b""));
            self.secrets.push(secret);
        }
        self.asked(request("GET /ws", &[("Sec-WebSocket-Protocol", &format!("access_token, {jwt}"))], b""));
        let secret = self.secret("reason");
        self.answered(response(&format!("500 no login with password={secret}"), &[], b""));
        self.connection("10.0.0.2:80");
    }

    /// What no careful client writes and servers take all the same.
    fn oddities(&mut self) {
        self.raw("spacecolon", |secret| {
            format!("GET /o HTTP/1.1\r\nHost: orders.shop\r\nAuthorization : Bearer {secret}\r\n\r\n")
        });
        self.connection("10.0.0.2:80");
        self.raw("folded", |secret| {
            format!("GET /o HTTP/1.1\r\nHost: orders.shop\r\nAuthorization: Bearer\r\n {secret}\r\n\r\n")
        });
        self.connection("10.0.0.2:80");
        self.raw("barelf", |secret| format!("GET /o HTTP/1.1\nHost: orders.shop\nX-Api-Key: {secret}\n\n"));
        self.connection("10.0.0.2:80");
        self.raw("nocolon", |secret| {
            format!("GET /o HTTP/1.1\r\nHost: orders.shop\r\npassword={secret}\r\n\r\n")
        });
        self.connection("10.0.0.2:80");
        self.raw("version", |secret| {
            format!("GET /o?password={secret} HTTP/1.0\r\nCookie: sid={secret}\r\n\r\n")
        });
        self.connection("10.0.0.2:80");
        self.raw("method", |secret| format!("LOGIN /o?token={secret} HTTP/1.1\r\nHost: h\r\n\r\n"));
        self.connection("10.0.0.2:80");
        // The capture ends in the middle of a header.
        let secret = self.secret("halfheader");
        let half = format!("GET /o HTTP/1.1\r\nHost: orders.shop\r\nAuthorization: Bearer {secret}");
        self.exchanges.push((half.into_bytes(), Vec::new()));
        self.connection("10.0.0.2:80");
        // After an upgrade it is another protocol.
        let upgrade = [
            ("Connection", "Upgrade"),
            ("Upgrade", "websocket"),
            ("Sec-WebSocket-Key", "x3JJHMbDL1EzLkh9GBhXDw=="),
        ];
        let switched = response("101 Switching Protocols", &upgrade[..2], b"");
        self.exchanges.push((request("GET /ws", &upgrade, b""), switched));
        let secret = self.secret("frames");
        let frame = |text: &str| [&[0x81, text.len() as u8][..], text.as_bytes()].concat();
        let text = format!("{{\"token\":\"{secret}\"}}");
        self.exchanges.push((frame(&text), frame(&text)));
        self.connection("10.0.0.2:80");
        // Two requests at once, and the answers after both.
        let (first, second) = (self.secret("pipelined"), self.secret("pipelinedtoo"));
        let both = [
            request("GET /p", &[("X-Api-Key", &first)], b""),
            request("GET /p", &[("X-Api-Key", &second)], b""),
        ]
        .concat();
        self.exchanges.push((both, [ok(), ok()].concat()));
        self.connection("10.0.0.2:80");
    }

    /// Protocols that are not understood, and packets that quote others.
    fn beside_http(&mut self) {
        let secret = self.secret("redis");
        let auth = format!("*2\r\n$4\r\nAUTH\r\n${}\r\n{secret}\r\n", secret.len());
        self.exchanges.push((auth.into_bytes(), b"+OK\r\n".to_vec()));
        self.connection("10.0.0.2:6379");
        let secret = self.secret("smtp");
        self.exchanges.push((
            format!("AUTH PLAIN {}\r\n", STANDARD.encode(format!("\0bob\0{secret}"))).into_bytes(),
            b"235 ok\r\n".to_vec(),
        ));
        self.connection("10.0.0.2:25");
        let secret = self.secret("datagram");
        let syslog = format!("<34>login with password={secret}");
        self.scene.datagram("10.0.0.1:40999", "10.0.0.2:514", syslog.as_bytes());
        let quoted = udp("10.0.0.1:40999", "10.0.0.2:514", syslog.as_bytes()).bytes();
        self.scene.frame(icmp("10.0.0.2", "10.0.0.1", 3, 3, [0; 4], &quoted).ethernet());
        let secret = self.secret("ping");
        self.scene.frame(icmp("10.0.0.1", "10.0.0.2", 8, 0, [0, 7, 0, 1], secret.as_bytes()).ethernet());
        self.scene.frame(icmp("10.0.0.2", "10.0.0.1", 0, 0, [0, 7, 0, 1], secret.as_bytes()).ethernet());
    }
}
