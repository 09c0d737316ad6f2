//! The families of texts that templates are learnt of: where their words begin and end, which words stay, and how
//! many different ones make a parameter.

/// How one kind of text is taken apart and learnt.
#[derive(Debug)]
pub(crate) struct Family {
    /// What stands between words.
    separators: &'static [char],
    /// Names are read from their end: the zone is the parent of the host.
    reversed: bool,
    /// Different words at the first place that make a parameter, by weight.
    pub(crate) first: u32,
    /// The same for the places after it.
    pub(crate) later: u32,
    /// Words that name a place of their own wherever they stand.
    reserved: &'static [&'static str],
}

/// Paths. Services with fifty resources below one parent exist, with more hardly.
pub(crate) static PATH: Family = Family {
    separators: &['/'],
    reversed: false,
    first: 64,
    later: 64,
    reserved: &[
        "me",
        "self",
        "current",
        "mine",
        "new",
        "search",
        "all",
        "latest",
        "count",
        "login",
        "logout",
        "health",
        "healthz",
        "livez",
        "readyz",
        "ready",
        "live",
        "metrics",
        "status",
        "batch",
        "bulk",
        "export",
        "import",
        "ping",
        "version",
        "api",
        "graphql",
        "index.html",
        "favicon.ico",
        "robots.txt",
    ],
};
/// Names of hosts. A resolver is asked for many, and each is worth knowing for longer.
pub(crate) static NAME: Family =
    Family { separators: &['.'], reversed: true, first: 256, later: 256, reserved: &[] };
/// Topics, keys, queues, whatever has no grammar.
pub(crate) static TEXT: Family = Family {
    separators: &[':', '/', '.', ' ', ',', '|'],
    reversed: false,
    first: 64,
    later: 64,
    reserved: &[],
};
/// Words of errors of one service, of one length: the first is seldom a parameter.
pub(crate) static PROSE: Family =
    Family { separators: &[' '], reversed: false, first: 48, later: 8, reserved: &[] };

/// Placeholders that masks and redaction make. Others that look like them came off the wire.
const PLACEHOLDERS: &[&str] = &[
    "{id}",
    "{uuid}",
    "{date}",
    "{ip}",
    "{hash}",
    "{ulid}",
    "{token}",
    "{text}",
    "{email}",
    "{rest}",
    "{quoted}",
    "{user}",
    "{password}",
    "{pin}",
    "{otp}",
    "{card}",
    "{cvv}",
    "{national_id}",
    "{iban}",
    "{private_key}",
    "{basic}",
    "{digest}",
    "{bearer}",
    "{credential}",
    "{api_key}",
    "{jwt}",
    "{session}",
    "{cookie}",
    "{csrf}",
    "{secret}",
    "{signature}",
    "{code}",
    "{nested}",
];

impl Family {
    /// What the endpoint of that protocol is made of; `None` where it is always empty.
    pub(crate) fn of(protocol: &str) -> Option<&'static Self> {
        match protocol {
            protocol if is_http(protocol) => Some(&PATH),
            "dns" | "mdns" | "llmnr" | "tls" => Some(&NAME),
            "icmp" | "icmpv6" | "tcp" | "udp" | "sctp" => None,
            _ => Some(&TEXT),
        }
    }

    /// The words of a text in the order in which they are learnt, and what puts them together again.
    pub(crate) fn split<'a>(&self, text: &'a str) -> Vec<&'a str> {
        let mut words: Vec<&str> = text.split(self.separators).collect();
        if self.reversed {
            words.reverse();
        }
        words
    }

    /// The text with other words in the places of [`Family::split`]. Fewer words than places end the text.
    pub(crate) fn join(&self, text: &str, words: &[&str]) -> String {
        let mut out = String::with_capacity(text.len());
        let mut separators = text.matches(self.separators).collect::<Vec<_>>();
        if self.reversed {
            separators.reverse();
        }
        for (index, word) in words.iter().enumerate() {
            if self.reversed {
                let between = if index == 0 { "" } else { separators.get(index - 1).copied().unwrap_or(".") };
                out.insert_str(0, between);
                out.insert_str(0, word);
            } else {
                if index > 0 {
                    out.push_str(separators.get(index - 1).copied().unwrap_or(" "));
                }
                out.push_str(word);
            }
        }
        out
    }

    /// Whether the word is never a parameter's value: a placeholder is one already, punctuation says where one is, and
    /// reserved words are places of their own.
    pub(crate) fn is_fixed(&self, word: &str) -> bool {
        is_punctuation(word) || is_placeholder(word) || self.reserved.contains(&word)
    }

    /// How much a word speaks for a parameter. Routes are plain words; what has digits, dots, letters beyond ASCII or
    /// many dashes in it is more likely a value.
    pub(crate) fn weight(&self, word: &str) -> u32 {
        let dashes = word.bytes().filter(|byte| matches!(byte, b'-' | b'_')).count();
        let odd =
            !word.is_ascii() || word.bytes().any(|byte| byte.is_ascii_digit() || b"%@+=~".contains(&byte));
        if odd || dashes >= 3 { 3 } else { 1 }
    }
}

pub(crate) fn is_http(protocol: &str) -> bool {
    matches!(protocol, "http1" | "http2" | "http3" | "http")
}

/// Protocols that share their endpoints: what is learnt of one version of HTTP is known of all.
pub(crate) fn kin(protocol: &str) -> &str {
    if is_http(protocol) { "http" } else { protocol }
}

/// A placeholder, with punctuation around it or without.
fn is_placeholder(word: &str) -> bool {
    let Some((open, close)) = word.find('{').zip(word.rfind('}')) else { return false };
    open < close
        && PLACEHOLDERS.contains(&&word[open..=close])
        && is_punctuation(&word[..open])
        && is_punctuation(&word[close + 1..])
}

/// Nothing, or one or two marks: there is no end of longer ones, nor of what is not ASCII.
fn is_punctuation(word: &str) -> bool {
    word.len() <= 2 && word.bytes().all(|byte| byte.is_ascii_punctuation())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_come_apart_and_together() {
        for (family, text) in [
            (&PATH, "/a/b//c/"),
            (&PATH, "*"),
            (&NAME, "www.example.org"),
            (&TEXT, "user:alice/cart.1"),
            (&PROSE, "no such thing"),
            (&PATH, ""),
        ] {
            assert_eq!(family.join(text, &family.split(text)), text);
        }
        assert_eq!(NAME.join("a.example.org", &["org", "example", "{}"]), "{}.example.org");
        assert_eq!(PATH.join("/a/b/c", &["", "a", "{}"]), "/a/{}");
    }

    #[test]
    fn only_known_placeholders_stay() {
        for word in ["{id}", "({id}),", "", "..", "me"] {
            assert!(PATH.is_fixed(word), "{word}");
        }
        for word in ["{evil}", "x{id}", "alice", "{}x", "{id}{evil}", "...", "\u{1f600}"] {
            assert!(!PATH.is_fixed(word), "{word}");
        }
    }
}
