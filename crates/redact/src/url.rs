//! URLs, absolute or not: user and password, path, query, fragment (RFC 3986).

use std::borrow::Cow;

use crate::detect::{self, Random};
use crate::kind::{Kind, is_weak};
use crate::scrub::{Place, Scrub, query_kind};
use crate::{names, text};

/// Scrubs a URL. `None` where nothing had to be hidden.
pub(crate) fn scrub(url: &str, place: Place<'_>, scrub: &mut Scrub<'_>) -> Option<String> {
    let Some(end) = url.find(['?', '#']) else { return base(url, place, scrub) };
    let scrubbed_base = base(&url[..end], place, scrub);
    let rest = &url[end..];
    let (query, fragment) = match rest.find('#') {
        Some(hash) => (&rest[..hash], &rest[hash..]),
        None => (rest, ""),
    };
    let place = if place.part == "target" { Place::new(place.side, "query") } else { place };
    let scrubbed_query = match query.strip_prefix('?') {
        Some(query) => pairs(query, place, scrub),
        None => None,
    };
    let scrubbed_fragment = match fragment.strip_prefix('#') {
        Some(inside) if inside.contains('=') => pairs(inside, place, scrub),
        Some(inside) => scrub.text(inside, Random::Hide, place),
        None => None,
    };
    if scrubbed_base.is_none() && scrubbed_query.is_none() && scrubbed_fragment.is_none() {
        return None;
    }
    let mut out = scrubbed_base.unwrap_or_else(|| url[..end].to_owned());
    match scrubbed_query {
        Some(scrubbed) => {
            out.push('?');
            out.push_str(&scrubbed);
        }
        None => out.push_str(query),
    }
    match scrubbed_fragment {
        Some(scrubbed) => {
            out.push('#');
            out.push_str(&scrubbed);
        }
        None => out.push_str(fragment),
    }
    Some(out)
}

/// Scheme, authority and path.
fn base(base: &str, place: Place<'_>, scrub: &mut Scrub<'_>) -> Option<String> {
    let announced = announced_segment(base);
    let Some((range, kind)) = announced else { return path(base, place, scrub) };
    let hidden = scrub.hide(kind, &base[range.clone()], place);
    let mut out = String::with_capacity(base.len());
    out.push_str(
        &scrub
            .text(&base[..range.start], Random::Hide, place)
            .unwrap_or_else(|| base[..range.start].to_owned()),
    );
    out.push_str(&hidden);
    out.push_str(
        &scrub.text(&base[range.end..], Random::Hide, place).unwrap_or_else(|| base[range.end..].to_owned()),
    );
    Some(out)
}

/// As text; where it is percent-encoded then each segment by itself too, since `%2F` is part of a segment.
fn path(base: &str, place: Place<'_>, scrub: &mut Scrub<'_>) -> Option<String> {
    let whole = scrub.text(base, Random::Hide, place);
    let current = whole.as_deref().unwrap_or(base);
    if !detect::is_percent_encoded(current) {
        return whole;
    }
    let mut changed = false;
    let segments: Vec<Cow<'_, str>> = current
        .split('/')
        .map(|segment| match scrub.text(segment, Random::Hide, place) {
            Some(scrubbed) => {
                changed = true;
                Cow::Owned(scrubbed)
            }
            None => Cow::Borrowed(segment),
        })
        .collect();
    if changed { Some(segments.join("/")) } else { whole }
}

/// A segment that the one before it announces: `/reset-password/3f9c...`, `/token/...`. Only what a machine
/// made counts, since `/secrets/db-credentials` names a thing.
fn announced_segment(base: &str) -> Option<(std::ops::Range<usize>, Kind)> {
    let mut before = "";
    let mut at = 0;
    for segment in base.split('/') {
        let made = segment.len() >= 16 && detect::is_made(segment) && !is_weak(segment);
        if made
            && !before.is_empty()
            && let Some(kind) = names::classify(before).filter(|kind| !kind.is_person())
        {
            let kind = if kind == Kind::Password { Kind::Token } else { kind };
            return Some((at..at + segment.len(), kind));
        }
        before = segment;
        at += segment.len() + 1;
    }
    None
}

/// `name=value` pairs between `&`: queries, fragments of OAuth, forms. `None` where nothing had to be hidden.
pub(crate) fn pairs(query: &str, place: Place<'_>, scrub: &mut Scrub<'_>) -> Option<String> {
    let mut out: Option<String> = None;
    let mut at = 0;
    for pair in query.split('&') {
        let scrubbed = one(pair, place, scrub);
        match (&mut out, scrubbed) {
            (None, None) => {}
            (None, Some(scrubbed)) => out = Some([&query[..at], &scrubbed].concat()),
            (Some(out), scrubbed) => {
                out.push('&');
                out.push_str(scrubbed.as_deref().unwrap_or(pair));
            }
        }
        at += pair.len() + 1;
    }
    out
}

fn one(pair: &str, place: Place<'_>, scrub: &mut Scrub<'_>) -> Option<String> {
    let Some((raw_name, raw_value)) = pair.split_once('=') else {
        let whole = text::component(pair);
        return scrub.value(&whole, place).map(|scrubbed| encoded(&scrubbed));
    };
    let (name, value) = (text::component(raw_name), text::component(raw_value));
    let kind = query_kind(&name, &value);
    if let Some(kind) = kind
        && place.side == "request."
        && place.part == "query"
        && !matches!(kind, Kind::Code | Kind::Csrf | Kind::Signature | Kind::Password)
    {
        let (rank, family) = if kind.is_person() { (6, "user") } else { (4, "token") };
        scrub.identify(rank, family, kind, &value);
    }
    let here = if place.part == "body" || place.name.is_empty() { place.at(&name) } else { place };
    let scrubbed_value = scrub.named(kind, &value, here);
    let scrubbed_name = scrub.text(&name, Random::Hide, place);
    if scrubbed_value.is_none() && scrubbed_name.is_none() {
        return None;
    }
    let mut out =
        scrubbed_name.map_or_else(|| raw_name.to_owned(), |name| encoded(&name).replace('=', "%3D"));
    out.push('=');
    out.push_str(&scrubbed_value.map_or_else(|| raw_value.to_owned(), |value| encoded(&value)));
    Some(out)
}

fn encoded(component: &str) -> String {
    let mut out = String::with_capacity(component.len());
    text::encode_component(component, &mut out);
    out
}

#[cfg(test)]
mod tests {
    use wirewise_model::Limits;

    use super::*;
    use crate::clean::Clean;
    use crate::kind::{Key, Pseudonyms};

    fn check(url: &str, expect: Option<&str>) {
        let pseudonyms = Pseudonyms::new(&Key::from_bytes([1; 32]));
        let limits = Limits::default();
        let mut clean = Clean::new();
        let mut state = Scrub::new(&pseudonyms, &limits, &mut clean);
        assert_eq!(scrub(url, Place::new("request.", "target"), &mut state).as_deref(), expect, "{url}");
    }

    #[test]
    fn urls_keep_all_but_their_secrets() {
        check("/orders/17?page=2&sort=asc", None);
        check(
            "/login?user_id=5&password=hunter2&x=%20y",
            Some("/login?user_id=5&password=[redacted:password]&x=%20y"),
        );
        check("/login?a=1&pass%77ord=hunter2", Some("/login?a=1&pass%77ord=[redacted:password]"));
        check("/x?next=%2Flogin%3Fpin%3D1234", Some("/x?next=/login?pin=[redacted:pin]"));
        check("/x?%7B%22pin%22%3A1234%7D", Some("/x?{%22pin%22:%22[redacted:pin]%22}"));
        check(
            "http://h/x#access_token=abc&state=1",
            Some("http://h/x#access_token=[redacted:token]&state=1"),
        );
        check("/cb?code=abcd&code=12345678", Some("/cb?code=abcd&code=[redacted:code]"));
        check("/a;jsessionid=77?b", Some("/a;jsessionid=[redacted:session]?b"));
        check("/secrets/db-credentials-2", None);
    }
}
