//! What is found, and what only looks like it.

use super::*;

fn hidden(text: &str) -> Vec<(&str, Kind)> {
    spans(text, Random::Hide).into_iter().map(|span| (&text[span.range], span.kind)).collect()
}

#[test]
fn finds_secrets_by_what_they_look_like() {
    let jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9";
    let cases: &[(&str, &str, Kind)] = &[
        (jwt, jwt, Kind::Jwt),
        ("key AKIAIOSFODNN7EXAMPLE here", "AKIAIOSFODNN7EXAMPLE", Kind::ApiKey),
        (
            "see ghp_16C7e42F292c6912E7710c838347Ae178B4a!",
            "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
            Kind::Token,
        ),
        (
            "xoxb-17653672481-19874698323-pdFZKVeTuE8sk7oOcHrzqqgy",
            "xoxb-17653672481-19874698323-pdFZKVeTuE8sk7oOcHrzqqgy",
            Kind::Token,
        ),
        ("pay with 4111 1111 1111 1111 now", "4111 1111 1111 1111", Kind::Card),
        ("card=5500-0000-0000-0004", "5500-0000-0000-0004", Kind::Card),
        ("ssn 078-05-1120.", "078-05-1120", Kind::NationalId),
        ("to DE89370400440532013000 today", "DE89370400440532013000", Kind::Iban),
        ("password=hunter2&x=1", "hunter2", Kind::Password),
        ("password: correct horse battery; next", "correct horse battery", Kind::Password),
        ("host=db password=a b user_id=5", "a b", Kind::Password),
        (r#"{"password": "x y"}"#, "x y", Kind::Password),
        (r#"{\"token\":\"abc\"}"#, "abc", Kind::Token),
        ("AUTH hunter2", "hunter2", Kind::Password),
        ("AUTH default hunter2\r\nGET x", "default hunter2", Kind::Password),
        ("CREATE USER x IDENTIFIED BY 'pa ss'", "pa ss", Kind::Password),
        ("ALTER ROLE x PASSWORD 'pa ss'", "pa ss", Kind::Password),
        ("sent Bearer abc123def456 to", "abc123def456", Kind::Bearer),
        ("Basic dXNlcjpodW50ZXIy", "dXNlcjpodW50ZXIy", Kind::Basic),
        ("mail bob@example.org.", "bob@example.org", Kind::Email),
        ("data cGFzc3dvcmQ9aHVudGVyMg== end", "cGFzc3dvcmQ9aHVudGVyMg==", Kind::Password),
        (
            "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
            "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
            Kind::Secret,
        ),
        (
            "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY----- tail",
            "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----",
            Kind::PrivateKey,
        ),
    ];
    for (text, secret, kind) in cases {
        assert_eq!(hidden(text), vec![(*secret, *kind)], "{text}");
    }
}

#[test]
fn passwords_in_urls_are_found_with_their_users() {
    let user_and_password = |text| {
        let found = hidden(text);
        assert_eq!(found.iter().map(|found| found.1).collect::<Vec<_>>(), [Kind::User, Kind::Password]);
        (found[0].0, found[1].0)
    };
    assert_eq!(user_and_password("postgres://bob:hunter2@db:5432/shop"), ("bob", "hunter2"));
    assert_eq!(user_and_password("cannot reach amqp://bob:p@ss@mq/ now"), ("bob", "p@ss"));
    assert_eq!(user_and_password("redis://bob:a/b@cache:6379"), ("bob", "a/b"));
    assert_eq!(hidden("http://host:8080/users/@me"), vec![]);
}

#[test]
fn ids_and_prose_stay() {
    for text in [
        "6fa459ea-ee8a-3ca4-894e-db77e160355e",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "d41d8cd98f00b204e9800998ecf8427e",
        "orders-7d9f8b6c5-x2x9z",
        "payment-gateway-service-7d9f8b6c5-x2x9z.shop.svc.cluster.local",
        "01ARZ3NDEKTSV4RRFFQ69G5FAV",
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36",
        "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8",
        "Tue, 24 Nov 2026 04:29:48 GMT",
        "1795494306000000000",
        "t13d1516h2_8daaf6152771_b0da82dd1658",
        "sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824",
        "/api/v1/namespaces/kube-system/pods/coredns-5d78c9869d-abcde/log",
        "io.k8s.api.core.v1.PersistentVolumeClaimCondition2",
        "authentication failed for user",
        "basic authentication required",
        "max-age=31536000; includeSubDomains",
        "2026-11-24T04:29:48.123456789Z",
        "10.0.0.5:8080",
        "[2001:db8::1]:443",
        "[token:abcdefabcdef]",
        "password=[redacted:password]",
        "upstream connect error or disconnect/reset before headers",
    ] {
        assert_eq!(hidden(text), vec![], "{text}");
    }
}
