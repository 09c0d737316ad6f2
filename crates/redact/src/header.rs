//! Header fields: which hide all of their value, which hold URLs, cookies or credentials with a grammar of
//! their own (RFC 9110, 6265, 7617, 6750), and which are looked at only for what their values look like.

use crate::clean::Search;
use crate::detect::{self, Random};
use crate::kind::Kind;
use crate::scrub::{Place, Scrub, says_nothing};
use crate::{names, url};

/// How sure a header is of who asked; lower is better.
const BY_USER: u8 = 0;
const BY_BEARER: u8 = 1;
const BY_KEY: u8 = 2;
const BY_SESSION: u8 = 3;
const BY_FORWARDED_USER: u8 = 5;

/// A token's claims longer than this are not read.
const LONGEST_CLAIMS: usize = 16 << 10;

/// What is done with a header's value.
enum Policy {
    /// Looked at for what it looks like.
    Text,
    /// The same, but random-looking ids are at home here.
    Ids,
    Url,
    Authorization,
    Cookie,
    SetCookie,
    /// Hidden whole.
    Hidden(Kind),
}

fn policy(name: &str) -> Policy {
    match name {
        "host"
        | "user-agent"
        | "accept"
        | "accept-encoding"
        | "accept-language"
        | "cache-control"
        | "connection"
        | "content-length"
        | "date"
        | "server"
        | "transfer-encoding"
        | "vary"
        | "content-encoding"
        | "keep-alive"
        | "expires"
        | "age"
        | "allow"
        | "via"
        | "x-powered-by"
        | "upgrade-insecure-requests"
        | "access-control-allow-origin"
        | "access-control-allow-headers"
        | "x-forwarded-for"
        | "x-real-ip"
        | "x-forwarded-proto"
        | "x-forwarded-host"
        | "pragma"
        | "access-control-allow-credentials"
        | "www-authenticate"
        | "proxy-authenticate" => Policy::Text,
        "content-type"
        | "etag"
        | "if-none-match"
        | "if-match"
        | "last-modified"
        | "if-modified-since"
        | "traceparent"
        | "tracestate"
        | "b3"
        | "x-request-id"
        | "x-correlation-id"
        | "x-b3-traceid"
        | "x-b3-spanid"
        | "x-b3-parentspanid"
        | "x-b3-sampled"
        | "x-amzn-trace-id"
        | "x-amz-request-id"
        | "x-amz-id-2"
        | "x-amz-cf-id"
        | "x-amz-content-sha256"
        | "x-cloud-trace-context"
        | "cf-ray"
        | "x-envoy-upstream-service-time"
        | "sec-websocket-key"
        | "sec-websocket-accept"
        | "content-md5"
        | "digest"
        | "content-digest"
        | "repr-digest"
        | "range"
        | "content-range"
        | "accept-ranges" => Policy::Ids,
        "location"
        | "referer"
        | "content-location"
        | "origin"
        | "link"
        | "refresh"
        | "x-original-url"
        | "x-original-uri"
        | "x-forwarded-uri"
        | "x-rewrite-url"
        | "x-envoy-original-path"
        | "destination" => Policy::Url,
        "authorization" | "proxy-authorization" => Policy::Authorization,
        "cookie" | "cookie2" => Policy::Cookie,
        "set-cookie" | "set-cookie2" => Policy::SetCookie,
        other => match names::classify_header(other) {
            Some(Kind::Credential) if other.contains("authorization") => Policy::Authorization,
            Some(kind) => Policy::Hidden(kind),
            None => Policy::Text,
        },
    }
}

/// Scrubs one header field in place.
pub(crate) fn scrub(name: &mut String, value: &mut String, side: &'static str, state: &mut Scrub<'_>) {
    if state.clean.knows(Search::Header, name, value) {
        return;
    }
    let place = Place::new(side, "header").at(name.as_str());
    let policy = policy(name);
    let is_text = matches!(policy, Policy::Text | Policy::Ids);
    let scrubbed = match policy {
        Policy::Text => state.text(value, Random::Hide, place),
        Policy::Ids => state.text(value, Random::Keep, place),
        Policy::Url => url::scrub(value, place, state),
        Policy::Authorization => Some(authorization(value, name, place, state)),
        Policy::Cookie => Some(cookie(value, place, state)),
        Policy::SetCookie => Some(set_cookie(value, place, state)),
        Policy::Hidden(kind) => hidden(kind, name, value, place, state),
    };
    let mut changed = scrubbed.is_some();
    if let Some(scrubbed) = scrubbed {
        *value = scrubbed;
    }
    // A name of this length was not written by a person.
    if name.len() >= 24
        && let Some(scrubbed) = state.text(name, Random::Hide, Place::new(side, "header"))
    {
        *name = scrubbed;
        changed = true;
    }
    if is_text && !changed {
        state.clean.learn(Search::Header, name, value);
    }
}

fn hidden(kind: Kind, name: &str, value: &str, place: Place<'_>, state: &mut Scrub<'_>) -> Option<String> {
    let value = value.trim();
    let counts =
        kind == Kind::Token && names::counts(name) && value.bytes().all(|byte| byte.is_ascii_digit());
    if says_nothing(kind, value) || counts {
        return None;
    }
    if place.side == "request." {
        match kind {
            Kind::ApiKey | Kind::Token | Kind::Jwt | Kind::Bearer => token(BY_KEY, kind, value, state),
            Kind::Session => state.identify(BY_SESSION, "token", kind, value),
            Kind::User | Kind::Email => state.identify(BY_FORWARDED_USER, "user", kind, value),
            _ => {}
        }
    }
    Some(state.hide(kind, value, place))
}

/// `scheme credentials`. Nothing of the credentials stays, whatever the scheme.
fn authorization(value: &str, name: &str, place: Place<'_>, state: &mut Scrub<'_>) -> String {
    let value = value.trim();
    let Some((scheme, credentials)) = value.split_once([' ', '\t']) else {
        if value.is_empty() {
            return String::new();
        }
        token(BY_BEARER, Kind::Credential, value, state);
        return state.hide(Kind::Credential, value, place);
    };
    let credentials = credentials.trim();
    let is_scheme = scheme.len() <= 24
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    if !is_scheme || !detect::spans(scheme, Random::Hide).is_empty() {
        return state.hide(Kind::Credential, value, place);
    }
    // Credentials for a proxy say who uses the proxy.
    let rank_of = |rank| if name == "authorization" { rank } else { rank + 10 };
    match scheme.to_ascii_lowercase().as_str() {
        "basic" => {
            let decoded = detect::decode(credentials);
            let Some((user, password)) = decoded.as_deref().and_then(|text| text.split_once(':')) else {
                return format!("{scheme} {}", state.hide(Kind::Basic, credentials, place));
            };
            state.identify(rank_of(BY_USER), "user", Kind::User, user);
            state.remember(Kind::Basic, place);
            let user = match user {
                "" => String::new(),
                user => state.pseudonyms.placeholder(Kind::User, user),
            };
            let password = state.pseudonyms.placeholder(Kind::Password, password);
            format!("{scheme} {user}:{password}")
        }
        "bearer" | "token" | "jwt" | "apikey" | "api-key" | "key" => {
            token(rank_of(BY_BEARER), Kind::Bearer, credentials, state);
            format!("{scheme} {}", state.hide(Kind::Bearer, credentials, place))
        }
        "digest" => {
            if let Some(user) = quoted(credentials, "username=\"") {
                state.identify(rank_of(BY_USER), "user", Kind::User, user);
            }
            format!("{scheme} {}", state.hide(Kind::Digest, credentials, place))
        }
        aws if aws.starts_with("aws4-") => {
            let id = credentials.split_once("Credential=").map_or(credentials, |(_, after)| after);
            let id = id.split(['/', ',', ' ']).next().unwrap_or("");
            state.identify(rank_of(BY_BEARER), "token", Kind::ApiKey, id);
            format!("{scheme} {}", state.hide(Kind::ApiKey, id, place))
        }
        _ => {
            state.identify(rank_of(BY_BEARER), "token", Kind::Credential, credentials);
            format!("{scheme} {}", state.hide(Kind::Credential, credentials, place))
        }
    }
}

fn quoted<'v>(text: &'v str, before: &str) -> Option<&'v str> {
    text.split_once(before)?.1.split('"').next()
}

/// A token tells its user where it is a JWT with a subject, else itself.
fn token(rank: u8, kind: Kind, value: &str, state: &mut Scrub<'_>) {
    match subject(value) {
        Some(user) => state.identify(rank.saturating_sub(1), "user", Kind::User, &user),
        None => state.identify(rank, "token", kind, value),
    }
}

/// The `sub` of a JWT (RFC 7519, 4.1.2).
fn subject(token: &str) -> Option<String> {
    let mut parts = token.split('.');
    let (head, claims) = (parts.next()?, parts.next()?);
    if !head.starts_with("eyJ") || claims.len() > LONGEST_CLAIMS {
        return None;
    }
    let claims: serde_json::Value = serde_json::from_str(&detect::decode(claims)?).ok()?;
    claims.get("sub")?.as_str().filter(|user| !user.is_empty()).map(str::to_owned)
}

/// Names stay, values go.
fn cookie(value: &str, place: Place<'_>, state: &mut Scrub<'_>) -> String {
    let mut out = String::with_capacity(value.len());
    for (index, pair) in value.split(';').enumerate() {
        if index > 0 {
            out.push_str("; ");
        }
        pair_of_cookie(pair.trim(), place, state, &mut out);
    }
    out
}

fn pair_of_cookie(pair: &str, place: Place<'_>, state: &mut Scrub<'_>, out: &mut String) {
    let Some((name, value)) = pair.split_once('=') else {
        if !pair.is_empty() {
            out.push_str(&state.hide(Kind::Cookie, pair, place));
        }
        return;
    };
    let (name, value) = (name.trim(), value.trim());
    out.push_str(state.text(name, Random::Hide, place).as_deref().unwrap_or(name));
    out.push('=');
    if value.is_empty() {
        return;
    }
    if place.side == "request."
        && matches!(names::classify(name), Some(Kind::Session | Kind::Token | Kind::Jwt | Kind::Credential))
    {
        token(BY_SESSION, Kind::Session, value, state);
    }
    out.push_str(&state.hide(Kind::Cookie, value, place));
}

fn set_cookie(value: &str, place: Place<'_>, state: &mut Scrub<'_>) -> String {
    const KNOWN: &[&str] = &[
        "expires",
        "max-age",
        "domain",
        "path",
        "secure",
        "httponly",
        "samesite",
        "partitioned",
        "priority",
        "version",
        "comment",
    ];
    let mut out = String::with_capacity(value.len());
    for (index, part) in value.split(';').enumerate() {
        let part = part.trim();
        if index > 0 {
            out.push_str("; ");
        }
        let name = part.split('=').next().unwrap_or("").trim().to_ascii_lowercase();
        if index > 0 && (part.is_empty() || KNOWN.contains(&name.as_str())) {
            out.push_str(state.text(part, Random::Hide, place).as_deref().unwrap_or(part));
        } else {
            pair_of_cookie(part, place, state, &mut out);
        }
    }
    out
}
