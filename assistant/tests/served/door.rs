//! Every route there is, tried by everybody who may not come in.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use wirewise_assistant::Assistant;
use wirewise_assistant::routes::routes;
use wirewise_assistant::server::{Bound, Listen, ServeError, TlsFiles};

use crate::shop::{Served, Shop, TOKEN};

/// A route as it is asked for.
fn concrete(path: &str) -> String {
    path.replace("{name}", "get_overview")
}

/// A request as a stranger's program may write it, and the status and text that come back.
async fn send(address: SocketAddr, method: &str, target: &str, headers: &[(&str, &str)]) -> (u16, String) {
    let mut request = format!("{method} {target} HTTP/1.1\r\nConnection: close\r\n");
    for (name, value) in headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    let body = if method == "POST" { "{}" } else { "" };
    request
        .push_str(&format!("Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}", body.len()));
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut response = Vec::new();
    stream.read_to_end(&mut response).await.unwrap();
    let text = String::from_utf8_lossy(&response).into_owned();
    let status = text.split(' ').nth(1).and_then(|status| status.parse().ok());
    (status.unwrap_or_else(|| panic!("no answer to {request}: {text}")), text)
}

fn is_refusal(status: u16) -> bool {
    matches!(status, 401 | 403 | 421)
}

/// Everything that is served, and what is not: the door stands before both.
fn everything() -> Vec<(&'static str, String)> {
    let mut all: Vec<(&str, String)> = routes().map(|(method, path)| (method, concrete(path))).collect();
    for odd in ["/nowhere", "/api", "/api/tools", "/v1", "//", "/mcp/", "/mcp/x", "/api/ask/"] {
        all.push(("GET", odd.to_owned()));
        all.push(("POST", odd.to_owned()));
    }
    for (method, path) in
        [("OPTIONS", "/api/ask"), ("HEAD", "/"), ("PUT", "/api/append"), ("BREW", "/v1/models")]
    {
        all.push((method, path.to_owned()));
    }
    all
}

#[tokio::test]
async fn every_route_is_listed() {
    let all: Vec<String> = routes().map(|(method, path)| format!("{method} {path}")).collect();
    for known in ["GET /", "GET /api/status", "POST /api/ask", "POST /v1/chat/completions", "POST /mcp"] {
        assert!(all.iter().any(|route| route == known), "{known} is not in {all:?}");
    }
}

#[tokio::test]
async fn nobody_comes_in_from_elsewhere_or_without_the_token() {
    let served = Served::planned().await;
    let address = served.address;
    let (here, token) = (address.to_string(), format!("Bearer {TOKEN}"));
    let (host, bearer) = (("Host", here.as_str()), ("Authorization", token.as_str()));
    let foreign_port = format!("127.0.0.1:{}", address.port() ^ 1);
    let own_port = |name: &str| format!("{name}:{}", address.port());
    // Names that a stranger's DNS may point at us.
    let rebound = [
        own_port("evil.example"),
        own_port("127.0.0.1.evil.example"),
        own_port("localhost.evil.example"),
        own_port("0.0.0.0"),
        own_port("[::]"),
        own_port("2130706433"),
        own_port("127.1"),
        foreign_port.clone(),
        "localhost".to_owned(),
        "evil.example".to_owned(),
        String::new(),
        format!("{here}, {here}"),
        format!("{here}@evil.example"),
        format!("evil.example@{here}"),
        format!("{here}."),
    ];
    let origins = [
        "http://evil.example".to_owned(),
        "null".to_owned(),
        format!("http://{foreign_port}"),
        format!("http://{here}.evil.example"),
        format!("http://evil.example@{here}"),
        "http://127.0.0.1".to_owned(),
        format!("ftp://{here}"),
        format!("http://{here}/"),
        "chrome-extension://abcdef".to_owned(),
        here.clone(),
        String::new(),
    ];
    let wrong = ["Bearer wrong", "Bearer", "Bearer ", "Basic d3Jvbmc6d3Jvbmc=", "Digest x", TOKEN];
    let doubled = format!("Bearer {TOKEN}{TOKEN}");
    for (method, path) in everything() {
        let label = format!("{method} {path}");
        let check = |expect: u16, (status, text): (u16, String), why: String| {
            assert_eq!(status, expect, "{label}, {why}: {text}");
            let head = text.to_ascii_lowercase();
            assert!(!head.contains("access-control-allow"), "{label}, {why}: {text}");
            assert!(!text.contains(TOKEN), "{label}, {why}: {text}");
        };
        for rebound in &rebound {
            let answer = send(address, method, &path, &[("Host", rebound), bearer]).await;
            check(403, answer, format!("Host {rebound}"));
        }
        check(403, send(address, method, &path, &[host, host, bearer]).await, "two Hosts".to_owned());
        for origin in &origins {
            let answer = send(address, method, &path, &[host, bearer, ("Origin", origin)]).await;
            check(403, answer, format!("Origin {origin}"));
        }
        let cross = [host, bearer, ("Sec-Fetch-Site", "cross-site")];
        check(403, send(address, method, &path, &cross).await, "a cross-site fetch".to_owned());
        check(401, send(address, method, &path, &[host]).await, "no token".to_owned());
        for wrong in wrong.iter().chain([&doubled.as_str()]) {
            let answer = send(address, method, &path, &[host, ("Authorization", wrong)]).await;
            check(401, answer, format!("Authorization {wrong}"));
        }
        let cookie = format!("token={TOKEN}; Authorization=Bearer {TOKEN}");
        let headers = [host, ("Cookie", cookie.as_str()), ("X-Api-Key", TOKEN)];
        let (status, _) = send(address, method, &path, &headers).await;
        assert_eq!(status, 401, "{label}: a token anywhere but in Authorization");
        for query in ["token", "access_token", "api_key", "key", "authorization"] {
            let (status, _) = send(address, method, &format!("{path}?{query}={TOKEN}"), &[host]).await;
            assert_eq!(status, 401, "{label}: a token as ?{query}=");
        }
        let (status, _) = send(address, method, &path, &[host, bearer, bearer]).await;
        assert_eq!(status, 401, "{label}: two tokens");
    }
}

#[tokio::test]
async fn everybody_else_comes_in_at_every_route() {
    let served = Served::planned().await;
    let address = served.address;
    let (here, token) = (address.to_string(), format!("Bearer {TOKEN}"));
    let (host, bearer) = (("Host", here.as_str()), ("Authorization", token.as_str()));
    let (localhost, own) = (format!("LOCALHOST:{}", address.port()), format!("http://{here}"));
    // `any:TOKEN`, as a browser sends the password that it asked for.
    let basic = "Basic YW55OnRva2VuLW9mLXRoZS1kb29y";
    for (method, path) in routes() {
        let path = concrete(path);
        // What MCP streams to a client without a session is not for this test to wait for.
        let accept = ("Accept", "application/json, text/event-stream");
        for headers in [
            vec![host, bearer, accept],
            vec![("Host", localhost.as_str()), bearer, accept],
            vec![("Host", "wire.example"), bearer, accept],
            vec![host, bearer, accept, ("Origin", own.as_str()), ("Sec-Fetch-Site", "same-origin")],
            vec![host, ("Authorization", basic), accept],
            vec![host, ("authorization", token.as_str()), accept],
        ] {
            let (status, text) = send(address, method, &path, &headers).await;
            assert!(!is_refusal(status) && status != 404, "{method} {path} with {headers:?}: {text}");
            let found =
                matches!((method, path.as_str()), ("GET", path) if path != "/mcp" && path != "/api/captures");
            assert!(!found || status == 200, "{method} {path} with {headers:?}: {text}");
        }
    }
    let (_, page) = send(address, "GET", "/", &[host, bearer]).await;
    assert!(page.contains("content-security-policy: default-src 'none'"), "{page}");
    assert!(page.contains("x-content-type-options: nosniff"), "{page}");
    let (_, refused) = send(address, "GET", "/", &[host]).await;
    assert!(refused.contains("www-authenticate: Bearer"), "{refused}");
}

#[tokio::test]
async fn beyond_loopback_only_tls_is_spoken() {
    for open in ["0.0.0.0:0", "[::]:0"] {
        let listen = Listen { address: open.parse().unwrap(), tls: None, public_hosts: Vec::new() };
        let refused = Bound::bind(listen).await;
        assert!(matches!(&refused, Err(ServeError::NeedsTls(_))), "{refused:?}");
        assert!(refused.unwrap_err().to_string().contains("--tls-cert"));
    }

    let shop = Shop::open().await;
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (certificate, key) = (shop.directory.path().join("cert.pem"), shop.directory.path().join("key.pem"));
    std::fs::write(&certificate, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let assistant = Assistant::new(shop.toolbox(), None);
    let served = Served::listen(shop, assistant, "0.0.0.0:0", Some(TlsFiles { certificate, key })).await;
    let port = served.address.port();

    let trusted = reqwest::Certificate::from_pem(made.cert.pem().as_bytes()).unwrap();
    let client = reqwest::Client::builder().tls_certs_only([trusted]).build().unwrap();
    let url = format!("https://localhost:{port}/api/status");
    let inside = client.get(&url).bearer_auth(TOKEN).send().await.unwrap();
    assert_eq!(inside.status(), 200);
    assert_eq!(client.get(&url).send().await.unwrap().status(), 401);
    let foreign = client.get(&url).bearer_auth(TOKEN).header("host", "evil.example").send().await.unwrap();
    assert_eq!(foreign.status(), 403);
    // A token sent in the clear gets no answer.
    let clear = reqwest::Client::new().get(format!("http://localhost:{port}/api/status")).bearer_auth(TOKEN);
    assert!(clear.send().await.is_err());
}

#[tokio::test]
async fn a_taken_address_and_a_bad_certificate_are_told() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let refused = Bound::bind(Listen { address, tls: None, public_hosts: Vec::new() }).await.unwrap_err();
    assert!(refused.to_string().contains("--listen"), "{refused}");
    let nowhere =
        TlsFiles { certificate: "/nonexistent/cert.pem".into(), key: "/nonexistent/key.pem".into() };
    let listen =
        Listen { address: "127.0.0.1:0".parse().unwrap(), tls: Some(nowhere), public_hosts: Vec::new() };
    let refused = Bound::bind(listen).await.unwrap_err();
    assert!(refused.to_string().contains("/nonexistent/cert.pem"), "{refused}");
}
