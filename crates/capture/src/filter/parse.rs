//! Text to expression.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{Expression, FilterError};

/// Parentheses and `not` deeper than this are refused, since the parser calls itself.
const MAX_DEPTH: usize = 64;
const SUPPORTED: &str = "host, net, port, portrange, src, dst, ip, ip6, arp, tcp, udp, sctp, icmp, icmp6, less, greater, and, or, not, ( )";
const TCP: u8 = 6;
const UDP: u8 = 17;
const SCTP: u8 = 132;

/// Which end of a packet a test looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Source,
    Destination,
    Either,
    Both,
}

/// IP's version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    V4,
    V6,
}

/// A test of one frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Test {
    /// The EtherType below all VLAN tags.
    EtherType(u16),
    /// The protocol in the IP header.
    Protocol { family: Option<Family>, number: u8 },
    /// An address under a mask.
    Net4 { address: u32, mask: u32, way: Way },
    /// The same of IPv6.
    Net6 { address: u128, mask: u128, way: Way },
    /// A port within `from..=to` of one of these transports.
    Port { transports: &'static [u8], way: Way, from: u16, to: u16 },
    /// Frames of at most so many bytes.
    Less(u32),
    /// Frames of at least so many bytes.
    Greater(u32),
}

impl Test {
    pub(super) fn host(ip: IpAddr, way: Way) -> Self {
        match ip {
            IpAddr::V4(ip) => Self::Net4 { address: ip.to_bits(), mask: u32::MAX, way },
            IpAddr::V6(ip) => Self::Net6 { address: ip.to_bits(), mask: u128::MAX, way },
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Host,
    Net,
    Port,
    PortRange,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Proto {
    Ip(Family),
    Arp,
    Transport(&'static [u8]),
    Icmp,
    Icmp6,
}

/// The words before a value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Qualifiers {
    proto: Option<Proto>,
    way: Option<Way>,
    kind: Option<Kind>,
}

#[derive(Clone, Copy, Debug)]
struct Token<'a> {
    at: usize,
    text: &'a str,
}

/// An empty text is every frame.
pub(super) fn parse(text: &str) -> Result<Expression, FilterError> {
    let tokens = tokens(text);
    let mut parser = Parser { tokens: &tokens, end: text.len() + 1, before: Qualifiers::default(), depth: 0 };
    if tokens.is_empty() {
        return Ok(Expression::All);
    }
    let expression = parser.expression()?;
    match parser.tokens.first() {
        None => Ok(expression),
        Some(token) => Err(error(*token, "expected `and` or `or` before it")),
    }
}

fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start();
        let at = text.len() - rest.len() + 1;
        let length = match rest.as_bytes() {
            [] => return tokens,
            [b'&', b'&', ..] | [b'|', b'|', ..] => 2,
            [b'(' | b')' | b'!', ..] => 1,
            _ => rest.find(|c: char| c.is_whitespace() || "()!&|".contains(c)).unwrap_or(rest.len()).max(1),
        };
        // A lone `&` or `|` is one byte, so this is a character boundary.
        let (token, after) = rest.split_at(length);
        tokens.push(Token { at, text: token });
        rest = after;
    }
}

fn error(token: Token<'_>, message: &str) -> FilterError {
    FilterError { at: token.at, message: format!("`{}`: {message}", token.text) }
}

struct Parser<'a, 't> {
    tokens: &'t [Token<'a>],
    end: usize,
    /// Qualifiers of the test before, which a bare value repeats.
    before: Qualifiers,
    depth: usize,
}

impl<'a> Parser<'a, '_> {
    fn take(&mut self, expected: &str) -> Result<Token<'a>, FilterError> {
        let Some((token, rest)) = self.tokens.split_first() else {
            return Err(FilterError {
                at: self.end,
                message: format!("the filter ends: expected {expected}"),
            });
        };
        self.tokens = rest;
        Ok(*token)
    }

    fn peek(&self) -> &'a str {
        self.tokens.first().map_or("", |token| token.text)
    }

    fn expression(&mut self) -> Result<Expression, FilterError> {
        let mut left = self.unary()?;
        loop {
            let join = match self.peek() {
                "and" | "&&" => Expression::and,
                "or" | "||" => Expression::or,
                _ => return Ok(left),
            };
            self.take("a test")?;
            left = join(left, self.unary()?);
        }
    }

    fn unary(&mut self) -> Result<Expression, FilterError> {
        let Some(&token) = self.tokens.first() else { return self.test() };
        if !matches!(token.text, "not" | "!" | "(") {
            return self.test();
        }
        self.tokens = &self.tokens[1..];
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(error(token, "nested too deep"));
        }
        let inner = if token.text == "(" {
            let inner = self.expression()?;
            let close = self.take("`)`")?;
            if close.text != ")" {
                return Err(error(close, "expected `)`, `and` or `or`"));
            }
            inner
        } else {
            Expression::Not(Box::new(self.unary()?))
        };
        self.depth -= 1;
        Ok(inner)
    }

    fn test(&mut self) -> Result<Expression, FilterError> {
        let first = self.take(&format!("a test, made of {SUPPORTED}"))?;
        let mut token = first;
        let mut qualifiers = Qualifiers::default();
        loop {
            if let Some(proto) = proto(token.text) {
                if qualifiers != Qualifiers::default() {
                    return Err(error(
                        token,
                        "a protocol stands before src, dst and host, net, port, portrange",
                    ));
                }
                qualifiers.proto = Some(proto);
            } else if let Some(way) = way(token.text) {
                if qualifiers.way.is_some() || qualifiers.kind.is_some() {
                    return Err(error(token, "src and dst stand once, before host, net, port, portrange"));
                }
                qualifiers.way = Some(self.joined_way(way)?);
            } else if let Some(kind) = kind(token.text) {
                qualifiers.kind = Some(kind);
                token = self.take("a value")?;
                break;
            } else if let "less" | "greater" = token.text {
                return self.length(token);
            } else {
                break;
            }
            // A protocol alone is a test.
            let more = self.tokens.first().is_some_and(|next| continues(next.text));
            if qualifiers.way.is_none() && !more {
                self.before = qualifiers;
                return proto_test(qualifiers.proto.expect("a protocol was read"), first);
            }
            token = self.take("host, net, port, portrange or an address")?;
        }
        if qualifiers == Qualifiers::default() {
            if !looks_like_value(token.text) {
                return Err(error(token, &format!("not supported, expected {SUPPORTED}")));
            }
            qualifiers = self.before;
        }
        self.before = qualifiers;
        self.value(qualifiers, token)
    }

    /// `src or dst` and `src and dst` are one qualifier.
    fn joined_way(&mut self, way: Way) -> Result<Way, FilterError> {
        let [join, other, ..] = self.tokens else { return Ok(way) };
        let joined = match (way, join.text, other.text) {
            (Way::Source, "or" | "||", "dst") | (Way::Destination, "or" | "||", "src") => Way::Either,
            (Way::Source, "and" | "&&", "dst") | (Way::Destination, "and" | "&&", "src") => Way::Both,
            _ => return Ok(way),
        };
        self.tokens = &self.tokens[2..];
        Ok(joined)
    }

    fn length(&mut self, word: Token<'_>) -> Result<Expression, FilterError> {
        let value = self.take("a number of bytes")?;
        let bytes = value.text.parse().map_err(|_| error(value, "expected a number of bytes"))?;
        let test = if word.text == "less" { Test::Less(bytes) } else { Test::Greater(bytes) };
        Ok(Expression::Is(test))
    }

    fn value(&mut self, qualifiers: Qualifiers, token: Token<'a>) -> Result<Expression, FilterError> {
        let way = qualifiers.way.unwrap_or(Way::Either);
        let test = match qualifiers.kind.unwrap_or(Kind::Host) {
            Kind::Port => {
                let port = port(token, token.text)?;
                Test::Port { transports: transports(qualifiers.proto, token)?, way, from: port, to: port }
            }
            Kind::PortRange => {
                let Some((from, to)) = token.text.split_once('-') else {
                    return Err(error(token, "expected a range of ports such as 8000-8080"));
                };
                let (from, to) = (port(token, from)?, port(token, to)?);
                let (from, to) = (from.min(to), from.max(to));
                Test::Port { transports: transports(qualifiers.proto, token)?, way, from, to }
            }
            Kind::Host => {
                if token.text.contains('/') && qualifiers.kind.is_none() {
                    self.net(token, way)?
                } else {
                    let ip = token.text.parse().map_err(|_| {
                        error(token, "expected an IP address; names are not looked up while capturing")
                    })?;
                    Test::host(ip, way)
                }
            }
            Kind::Net => self.net(token, way)?,
        };
        self.within(qualifiers.proto, test, token)
    }

    fn net(&mut self, token: Token<'a>, way: Way) -> Result<Test, FilterError> {
        let expected = "expected a network such as 10.0.0.0/8, 10.1, fd00::/8";
        let (address, length) = match token.text.split_once('/') {
            Some((address, length)) => (address, Some(length)),
            None => (token.text, None),
        };
        let length = match length.map(str::parse::<u32>) {
            None => None,
            Some(Ok(length)) => Some(length),
            Some(Err(_)) => return Err(error(token, expected)),
        };
        if address.contains(':') {
            let address: Ipv6Addr = address.parse().map_err(|_| error(token, expected))?;
            let mask = match length.unwrap_or(128) {
                0 => 0,
                length @ 1..=128 => u128::MAX << (128 - length),
                _ => return Err(error(token, "expected a prefix length of 0 to 128")),
            };
            let address = address.to_bits();
            if address & !mask != 0 {
                return Err(error(token, "the address has bits beyond its prefix"));
            }
            return Ok(Test::Net6 { address, mask, way });
        }
        let (address, parts) = partial_v4(address).ok_or_else(|| error(token, expected))?;
        let mask = if self.peek() == "mask" && length.is_none() {
            self.take("mask")?;
            let mask = self.take("a mask such as 255.255.0.0")?;
            let parsed: Ipv4Addr =
                mask.text.parse().map_err(|_| error(mask, "expected a mask such as 255.255.0.0"))?;
            parsed.to_bits()
        } else {
            match length.unwrap_or(8 * parts) {
                0 => 0,
                length @ 1..=32 => u32::MAX << (32 - length),
                _ => return Err(error(token, "expected a prefix length of 0 to 32")),
            }
        };
        if address & !mask != 0 {
            return Err(error(token, "the address has bits beyond its prefix"));
        }
        Ok(Test::Net4 { address, mask, way })
    }

    /// `tcp host ADDRESS` is both tests, `ip6 host 10.0.0.1` is none.
    fn within(&self, proto: Option<Proto>, test: Test, token: Token<'_>) -> Result<Expression, FilterError> {
        let family = match test {
            Test::Net4 { .. } => Family::V4,
            Test::Net6 { .. } => Family::V6,
            Test::Port { .. } => {
                let port = Expression::Is(test);
                return Ok(match proto {
                    Some(Proto::Ip(family)) => family_test(family).and(port),
                    _ => port,
                });
            }
            _ => return Ok(Expression::Is(test)),
        };
        let test = Expression::Is(test);
        match proto {
            None => Ok(test),
            Some(Proto::Ip(wanted)) if wanted == family => Ok(test),
            Some(Proto::Ip(_)) => Err(error(token, "the address is of the other version of IP")),
            Some(Proto::Arp) => Err(error(token, "addresses of arp are not supported")),
            Some(proto @ (Proto::Transport(_) | Proto::Icmp | Proto::Icmp6)) => {
                Ok(proto_test(proto, token)?.and(test))
            }
        }
    }
}

fn proto(word: &str) -> Option<Proto> {
    Some(match word {
        "ip" => Proto::Ip(Family::V4),
        "ip6" => Proto::Ip(Family::V6),
        "arp" => Proto::Arp,
        "tcp" => Proto::Transport(&[TCP]),
        "udp" => Proto::Transport(&[UDP]),
        "sctp" => Proto::Transport(&[SCTP]),
        "icmp" => Proto::Icmp,
        "icmp6" => Proto::Icmp6,
        _ => return None,
    })
}

fn way(word: &str) -> Option<Way> {
    match word {
        "src" => Some(Way::Source),
        "dst" => Some(Way::Destination),
        _ => None,
    }
}

fn kind(word: &str) -> Option<Kind> {
    Some(match word {
        "host" => Kind::Host,
        "net" => Kind::Net,
        "port" => Kind::Port,
        "portrange" => Kind::PortRange,
        _ => return None,
    })
}

/// Whether this word after a protocol belongs to the same test.
fn continues(word: &str) -> bool {
    way(word).is_some() || kind(word).is_some() || looks_like_value(word)
}

fn looks_like_value(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_digit())
        && word.chars().all(|c| c.is_ascii_hexdigit() || ".:/-".contains(c))
        || word.contains(':') && word.chars().all(|c| c.is_ascii_hexdigit() || ".:/".contains(c))
}

fn family_test(family: Family) -> Expression {
    Expression::Is(Test::EtherType(match family {
        Family::V4 => 0x0800,
        Family::V6 => 0x86dd,
    }))
}

fn proto_test(proto: Proto, token: Token<'_>) -> Result<Expression, FilterError> {
    Ok(match proto {
        Proto::Ip(family) => family_test(family),
        Proto::Arp => Expression::Is(Test::EtherType(0x0806)),
        Proto::Transport(&[number]) => Expression::Is(Test::Protocol { family: None, number }),
        Proto::Transport(_) => return Err(error(token, "expected one transport")),
        Proto::Icmp => Expression::Is(Test::Protocol { family: Some(Family::V4), number: 1 }),
        Proto::Icmp6 => Expression::Is(Test::Protocol { family: Some(Family::V6), number: 58 }),
    })
}

fn transports(proto: Option<Proto>, token: Token<'_>) -> Result<&'static [u8], FilterError> {
    match proto {
        None | Some(Proto::Ip(_)) => Ok(&[TCP, UDP, SCTP]),
        Some(Proto::Transport(transports)) => Ok(transports),
        Some(Proto::Arp | Proto::Icmp | Proto::Icmp6) => Err(error(token, "that protocol has no ports")),
    }
}

fn port(token: Token<'_>, text: &str) -> Result<u16, FilterError> {
    text.parse()
        .map_err(|_| error(token, "expected a port number of 0 to 65535; service names are not looked up"))
}

/// `10.1` is 10.1.0.0 with two parts.
fn partial_v4(text: &str) -> Option<(u32, u32)> {
    let mut address = 0;
    let mut parts = 0;
    for part in text.split('.') {
        let part: u8 = part.parse().ok()?;
        if parts == 4 {
            return None;
        }
        address |= u32::from(part) << (24 - 8 * parts);
        parts += 1;
    }
    Some((address, parts))
}
