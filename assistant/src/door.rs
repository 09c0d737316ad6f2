//! The one door before every route: Host, Origin and a bearer token, checked before anything is parsed.
//!
//! Host stops DNS rebinding, Origin stops other pages of the same browser, the token stops other users of the
//! machine. A browser may give the token as the password of HTTP Basic authentication, since it cannot be told
//! to send a bearer token before the page is there; no route takes a token in its address.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Request, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use subtle::ConstantTimeEq;

use crate::token::Token;

/// Who may come in.
#[derive(Clone, Debug)]
pub struct Door {
    token: Token,
    hosts: BTreeSet<String>,
}

/// Why somebody may not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The Host header names another machine.
    Host,
    /// The request comes from a page of another origin.
    Origin,
    /// No token, or a wrong one.
    Token,
}

impl Door {
    /// A door that opens for `token`, on requests to the address that is listened on, to this machine by its
    /// loopback names, or to one of `public_hosts`.
    pub fn new(token: Token, listen: SocketAddr, public_hosts: &[String]) -> Self {
        let port = listen.port();
        let mut hosts = BTreeSet::new();
        for name in ["localhost", "127.0.0.1", "[::1]"] {
            hosts.insert(format!("{name}:{port}"));
        }
        if !listen.ip().is_unspecified() {
            hosts.insert(listen.to_string());
        }
        for host in public_hosts {
            let host = host.to_ascii_lowercase();
            if !host.contains(':') {
                hosts.insert(format!("{host}:{port}"));
            }
            hosts.insert(host);
        }
        Self { token, hosts }
    }

    /// The values that Host may have, as `name:port`.
    pub fn hosts(&self) -> impl Iterator<Item = &str> {
        self.hosts.iter().map(String::as_str)
    }

    /// Whether a request with these headers (and this authority in its target, if any) may come in.
    pub fn check(&self, headers: &HeaderMap, authority: Option<&str>) -> Result<(), Refusal> {
        let host = match single(headers, &header::HOST) {
            Some(Ok(host)) => Some(host),
            Some(Err(())) => return Err(Refusal::Host),
            None => authority,
        };
        if !host.is_some_and(|host| self.hosts.contains(&host.to_ascii_lowercase())) {
            return Err(Refusal::Host);
        }
        match single(headers, &header::ORIGIN) {
            None => {}
            Some(Ok(origin)) if self.is_own(origin) => {}
            Some(_) => return Err(Refusal::Origin),
        }
        if headers.get("sec-fetch-site").is_some_and(|site| site == "cross-site") {
            return Err(Refusal::Origin);
        }
        match single(headers, &header::AUTHORIZATION) {
            Some(Ok(given)) if self.holds(given) => Ok(()),
            _ => Err(Refusal::Token),
        }
    }

    fn is_own(&self, origin: &str) -> bool {
        let origin = origin.to_ascii_lowercase();
        let host = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
        host.is_some_and(|host| self.hosts.contains(host))
    }

    fn holds(&self, authorization: &str) -> bool {
        let Some((scheme, given)) = authorization.split_once(' ') else { return false };
        let given = given.trim();
        if scheme.eq_ignore_ascii_case("bearer") {
            return self.token.is(given);
        }
        if scheme.eq_ignore_ascii_case("basic") {
            let decoded = STANDARD.decode(given).ok().and_then(|bytes| String::from_utf8(bytes).ok());
            return decoded
                .as_deref()
                .and_then(|pair| pair.split_once(':'))
                .is_some_and(|(_, password)| self.token.is(password));
        }
        false
    }
}

impl Token {
    /// Compares in a time that does not depend on where the two differ.
    fn is(&self, given: &str) -> bool {
        self.reveal().as_bytes().ct_eq(given.as_bytes()).into()
    }
}

/// The only value of a header; an error where it stands twice or is no text.
fn single<'a>(headers: &'a HeaderMap, name: &header::HeaderName) -> Option<Result<&'a str, ()>> {
    let mut values = headers.get_all(name).iter();
    let first = values.next()?;
    Some(if values.next().is_some() { Err(()) } else { first.to_str().map_err(|_| ()) })
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, message) = match self {
            Self::Host => (
                StatusCode::FORBIDDEN,
                "this Host is not served here: add it to public_hosts if it should be",
            ),
            Self::Origin => (StatusCode::FORBIDDEN, "requests from pages of another origin are refused"),
            Self::Token => (
                StatusCode::UNAUTHORIZED,
                "a token is needed: `Authorization: Bearer TOKEN`; it lies in the data directory, file `token`",
            ),
        };
        let mut response =
            (status, Json(serde_json::json!({"error": {"message": message, "type": "refused"}})))
                .into_response();
        if self == Self::Token {
            let headers = response.headers_mut();
            headers.append(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"wirewise\""));
            headers.append(
                header::WWW_AUTHENTICATE,
                HeaderValue::from_static("Basic realm=\"wirewise: any user, the token as password\""),
            );
        }
        response
    }
}

/// The layer: every route stands behind it.
pub async fn guard(State(door): State<Door>, request: Request<Body>, next: Next) -> Response {
    let authority = request.uri().authority().map(ToString::to_string);
    match door.check(request.headers(), authority.as_deref()) {
        Ok(()) => {
            let mut response = next.run(request).await;
            let headers = response.headers_mut();
            headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
            headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
            headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
            response
        }
        Err(refusal) => {
            tracing::debug!(?refusal, "request refused");
            refusal.into_response()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(headers: &[(&str, &str)]) -> Result<(), Refusal> {
        let listen = "127.0.0.1:8470".parse().expect("an address");
        let door = Door::new(Token::from_text("secret"), listen, &["wire.example".to_owned()]);
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            let name: header::HeaderName = name.parse().expect("a header name");
            map.append(name, HeaderValue::from_str(value).expect("a header value"));
        }
        door.check(&map, None)
    }

    const HOST: (&str, &str) = ("host", "127.0.0.1:8470");
    const TOKEN: (&str, &str) = ("authorization", "Bearer secret");

    #[test]
    fn lets_in_who_names_us_and_holds_the_token() {
        assert_eq!(check(&[HOST, TOKEN]), Ok(()));
        assert_eq!(check(&[("host", "LOCALHOST:8470"), TOKEN, ("origin", "http://localhost:8470")]), Ok(()));
        assert_eq!(check(&[("host", "wire.example"), TOKEN]), Ok(()));
        assert_eq!(check(&[HOST, ("authorization", "Basic YW55OnNlY3JldA==")]), Ok(()));
    }

    #[test]
    fn refuses_foreign_hosts_and_origins_before_it_looks_at_tokens() {
        assert_eq!(check(&[TOKEN]), Err(Refusal::Host));
        assert_eq!(check(&[("host", "evil.example:8470"), TOKEN]), Err(Refusal::Host));
        assert_eq!(check(&[("host", "127.0.0.1:1"), TOKEN]), Err(Refusal::Host));
        assert_eq!(check(&[HOST, HOST, TOKEN]), Err(Refusal::Host));
        assert_eq!(check(&[HOST, ("origin", "http://evil.example"), TOKEN]), Err(Refusal::Origin));
        assert_eq!(check(&[HOST, ("origin", "null"), TOKEN]), Err(Refusal::Origin));
        assert_eq!(check(&[HOST, ("sec-fetch-site", "cross-site"), TOKEN]), Err(Refusal::Origin));
    }

    #[test]
    fn refuses_without_the_one_token() {
        for given in [
            "Bearer wrong",
            "Bearer ",
            "Bearer",
            "secret",
            "Basic c2VjcmV0",
            "Bearer secretsecret",
            "Basic !!",
        ] {
            assert_eq!(check(&[HOST, ("authorization", given)]), Err(Refusal::Token), "{given}");
        }
        assert_eq!(check(&[HOST]), Err(Refusal::Token));
        assert_eq!(check(&[HOST, TOKEN, TOKEN]), Err(Refusal::Token));
    }
}
