//! One handshake: what was learnt of it so far, and the exchange that tells it.

use std::mem;

use wirewise_model::{Coverage, Exchange, Kind, Message, Outcome, Side, Timestamp, TlsInfo};

use super::certificate::{self, Certificate};
use super::names::{self, Version};
use super::parse::{ClientHello, ServerHello, certificates, extension, text};
use super::{PROTOCOL, ja};
use crate::{End, Out, quic};

/// What the client's first hello offered: the hello itself is not kept.
#[derive(Debug)]
struct Offer {
    version: Version,
    versions: Vec<Version>,
    sni: Option<String>,
    alpn: Vec<String>,
    ja3: Option<String>,
    ja4: Option<String>,
}

/// What the server's last hello chose.
#[derive(Debug)]
struct Answer {
    version: Version,
    cipher: u16,
    alpn: Option<String>,
    group: Option<u16>,
    ja3s: String,
    pre_shared_key: bool,
}

/// How a handshake ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// Both have finished.
    Established,
    /// A fatal alert; its number where it was not encrypted.
    Refused { by: Side, alert: Option<u8> },
    /// One side closed before the handshake was over.
    Closed { by: Side },
    /// The server answered with something else.
    NotTls,
    /// The rest of it cannot be seen.
    Unseen,
}

/// A handshake under way.
#[derive(Debug)]
pub(crate) struct Handshake {
    /// `tls`, or what carries its messages in its own way.
    protocol: &'static str,
    pub(crate) client: Side,
    pub(crate) request: Option<Message>,
    pub(super) response: Option<Message>,
    offer: Option<Offer>,
    answer: Option<Answer>,
    server_certificate: Option<Certificate>,
    client_certificate: Option<Certificate>,
    /// How many certificates the server showed.
    n_certificates: u32,
    retried: bool,
    /// Whether the server showed a certificate or key of its own: not a resumed session.
    full: bool,
    /// Whether the server changed to encryption (up to TLS 1.2).
    pub(super) server_ciphered: bool,
    /// Whether the client went on as only a client does that was answered.
    pub(super) client_went_on: bool,
    pub(super) early_data: bool,
    /// Bytes of it were lost, by side.
    pub(crate) gap: [bool; 2],
    notes: Vec<&'static str>,
    /// Whether the flow's [`TlsInfo`] is to be told anew.
    news: bool,
}

impl Handshake {
    /// A handshake of which nothing but the asking side is known.
    pub(super) fn new(client: Side) -> Self {
        Self {
            protocol: PROTOCOL.name,
            client,
            request: None,
            response: None,
            offer: None,
            answer: None,
            server_certificate: None,
            client_certificate: None,
            n_certificates: 0,
            retried: false,
            full: false,
            server_ciphered: false,
            client_went_on: false,
            early_data: false,
            gap: [false; 2],
            notes: Vec::new(),
            news: false,
        }
    }

    /// The same for one whose messages QUIC carries.
    pub(crate) fn over_quic(client: Side) -> Self {
        Self { protocol: quic::PROTOCOL.name, ..Self::new(client) }
    }

    /// Adds a note, once.
    pub(crate) fn note(&mut self, word: &'static str) {
        if !self.notes.contains(&word) {
            self.notes.push(word);
        }
    }

    /// The message that `side` is sending.
    pub(crate) fn message(&mut self, side: Side) -> &mut Option<Message> {
        if side == self.client { &mut self.request } else { &mut self.response }
    }

    /// Whether the client's hello is known, in whole or in part.
    pub(crate) fn offered(&self) -> bool {
        self.offer.is_some()
    }

    /// The negotiated version, once the server has said it for good.
    pub(super) fn agreed(&self) -> Option<Version> {
        self.answer.as_ref().map(|answer| answer.version)
    }

    /// Whether the server's hello is known.
    pub(crate) fn is_answered(&self) -> bool {
        self.answer.is_some()
    }

    /// When anything was last heard of it.
    pub(crate) fn last(&self) -> Option<Timestamp> {
        let end = |message: &Option<Message>| message.as_ref().map(|message| message.track.last.at);
        end(&self.request).max(end(&self.response))
    }

    /// A client's hello. The first counts: the second, which a HelloRetryRequest asks for, is made to order.
    pub(crate) fn client_hello(&mut self, hello: &ClientHello) {
        if self.offer.is_some() {
            return;
        }
        let has = |kind| hello.extensions.contains(&kind);
        if has(extension::EARLY_DATA) {
            self.early_data = true;
            self.note("early_data");
        }
        if has(extension::ENCRYPTED_CLIENT_HELLO) {
            self.note("encrypted_client_hello");
        }
        if has(extension::ENCRYPTED_SNI) {
            self.note("encrypted_sni");
        }
        if hello.ssl2 {
            self.note("ssl2_hello");
        } else if !hello.whole {
            self.note("malformed");
        }
        let printed = hello.whole && !hello.ssl2;
        let carrier = if self.protocol == PROTOCOL.name { 't' } else { 'q' };
        self.offer = Some(Offer {
            version: hello.version,
            versions: hello.versions.clone(),
            sni: hello.sni.clone().filter(|name| !name.is_empty()),
            alpn: hello.alpn.iter().map(|name| text(name)).collect(),
            ja3: printed.then(|| ja::ja3(hello)),
            ja4: printed.then(|| ja::ja4(hello, carrier)),
        });
        self.news = true;
    }

    /// A server's hello.
    pub(crate) fn server_hello(&mut self, hello: &ServerHello) {
        if hello.retry {
            self.retried = true;
            self.note("hello_retry_request");
            return;
        }
        if self.answer.is_some() {
            return;
        }
        self.answer = Some(Answer {
            version: hello.agreed(),
            cipher: hello.cipher,
            alpn: hello.alpn.as_deref().map(text),
            group: hello.group,
            ja3s: ja::ja3s(hello),
            pre_shared_key: hello.extensions.contains(&extension::PRE_SHARED_KEY),
        });
        self.news = true;
    }

    /// A hello that was cut or makes no sense.
    pub(super) fn malformed(&mut self) {
        self.note("malformed");
    }

    /// The server showed what only a full handshake needs.
    pub(super) fn in_full(&mut self) {
        self.full = true;
    }

    /// A list of certificates.
    pub(super) fn certificate(&mut self, by: Side, body: &[u8]) {
        let Some((first, count)) = certificates(body) else {
            self.malformed();
            return;
        };
        let certificate = first.and_then(certificate::parse);
        if first.is_some() && certificate.is_none() {
            self.note("malformed_certificate");
        }
        if by == self.client {
            self.client_certificate = certificate;
        } else {
            self.n_certificates = count;
            self.server_certificate = certificate;
        }
        self.news = true;
    }

    /// Tells the flow what is new.
    pub(crate) fn tell(&mut self, out: &mut Out) {
        if mem::take(&mut self.news) {
            out.tls = Some(Box::new(self.info()));
        }
    }

    /// What the flow's row shows.
    fn info(&self) -> TlsInfo {
        let offer = self.offer.as_ref();
        let answer = self.answer.as_ref();
        let info = |certificate: &Option<Certificate>| certificate.as_ref().map(|shown| shown.info.clone());
        let offered = offer.map(|offer| *offer.versions.iter().max().unwrap_or(&offer.version));
        TlsInfo {
            sni: offer.and_then(|offer| offer.sni.clone()),
            alpn: answer
                .and_then(|answer| answer.alpn.clone())
                .or_else(|| offer.and_then(|offer| offer.alpn.first().cloned())),
            version: answer.map(|answer| answer.version).or(offered).map(|version| version.to_string()),
            cipher: answer.map(|answer| names::cipher(answer.cipher).into_owned()),
            ja3: offer.and_then(|offer| offer.ja3.clone()),
            ja4: offer.and_then(|offer| offer.ja4.clone()),
            certificate: info(&self.server_certificate),
            client_certificate: info(&self.client_certificate),
        }
    }

    /// The exchange so far.
    pub(crate) fn exchange(&self) -> Exchange {
        let mut exchange = Exchange::new(self.protocol, self.client);
        exchange.kind = Kind::Session;
        exchange.operation = "handshake".to_owned();
        exchange.outcome = Outcome::Open;
        exchange.request = self.request.clone();
        exchange.response = self.response.clone();
        for word in &self.notes {
            exchange.note(word);
        }
        if self.gap != [false; 2] {
            exchange.note("gap");
            exchange.coverage = Coverage::Partial;
        }
        if self.request.is_none() {
            exchange.note("request_not_heard");
            exchange.coverage = Coverage::Partial;
        }
        if let Some(offer) = &self.offer {
            tell_offer(offer, &mut exchange);
        }
        if let Some(answer) = &self.answer {
            self.tell_answer(answer, &mut exchange);
        }
        self.tell_certificates(&mut exchange);
        exchange
    }

    fn tell_answer(&self, answer: &Answer, exchange: &mut Exchange) {
        exchange.status = Some(answer.version.to_string());
        let (name, version) = answer.version.parts();
        exchange.attribute("tls.protocol.name", name);
        exchange.attribute("tls.protocol.version", version.as_ref());
        if answer.version.is_weak() {
            exchange.note("weak_version");
        }
        // An SSL 2.0 server only lists ciphers; the client chooses, later.
        if answer.version != Version::SSL2 {
            let cipher = names::cipher(answer.cipher);
            if names::is_weak_cipher(&cipher) {
                exchange.note("weak_cipher");
            }
            exchange.attribute("tls.cipher", cipher.as_ref());
            exchange.attribute("tls.server.ja3s", answer.ja3s.as_str());
        }
        if let Some(alpn) = &answer.alpn {
            exchange.attribute("tls.next_protocol", alpn.as_str());
        }
        if let Some(group) = answer.group {
            exchange.attribute("tls.curve", names::group(group).as_ref());
        }
        let resumed = match answer.version.is_13() {
            true => answer.pre_shared_key,
            false => self.server_ciphered && !self.full && !self.gap[self.client.other().index()],
        };
        exchange.attribute("tls.resumed", resumed);
        if resumed {
            exchange.note("resumed");
        }
    }

    fn tell_certificates(&self, exchange: &mut Exchange) {
        let at = exchange.started();
        if let Some(shown) = &self.server_certificate {
            exchange.attribute("tls.server.subject", shown.info.subject.as_str());
            exchange.attribute("tls.server.issuer", shown.info.issuer.as_str());
            if let Some(from) = shown.not_before {
                exchange.attribute("tls.server.not_before", from.rfc3339());
            }
            if let Some(to) = shown.info.expires_at {
                exchange.attribute("tls.server.not_after", to.rfc3339());
            }
            if shown.self_issued {
                exchange.note("self_signed");
            }
            note_validity(shown, at, "certificate_expired", "certificate_not_yet_valid", exchange);
        }
        if self.n_certificates > 0 {
            exchange.attribute("tls.server.certificates", i64::from(self.n_certificates));
        }
        if let Some(shown) = &self.client_certificate {
            exchange.attribute("tls.client.subject", shown.info.subject.as_str());
            exchange.attribute("tls.client.issuer", shown.info.issuer.as_str());
            if let Some(to) = shown.info.expires_at {
                exchange.attribute("tls.client.not_after", to.rfc3339());
            }
            let (expired, early) = ("client_certificate_expired", "client_certificate_not_yet_valid");
            note_validity(shown, at, expired, early, exchange);
        }
    }

    /// The exchange, ended by what the two sides said.
    pub(crate) fn ended(&self, ending: Ending) -> Exchange {
        let mut exchange = self.exchange();
        exchange.complete = exchange.response.is_some() && ending != Ending::Unseen;
        exchange.attribute("tls.established", ending == Ending::Established);
        let who = |side: Side| if side == self.client { "client" } else { "server" };
        let refused_by = |side: Side| match side == self.client {
            true => Outcome::ClientError,
            false => Outcome::ServerError,
        };
        match ending {
            Ending::Established => exchange.outcome = Outcome::Ok,
            Ending::Unseen => {
                exchange.outcome = Outcome::Unknown;
                exchange.coverage = Coverage::Partial;
                if exchange.response.is_none() {
                    exchange.note("response_not_heard");
                }
            }
            Ending::Refused { by, alert } => {
                let name = alert.map_or("encrypted_alert".into(), names::alert);
                exchange.error = Some(format!("{} sent alert {name}", who(by)));
                exchange.status = Some(name.into_owned());
                exchange.status_code = alert.map(i64::from);
                exchange.outcome = refused_by(by);
            }
            Ending::Closed { by } => {
                exchange.error = Some(format!("{} closed before the handshake was over", who(by)));
                exchange.status = Some(names::alert(0).into_owned());
                exchange.status_code = Some(0);
                exchange.outcome = Outcome::Aborted;
            }
            Ending::NotTls => {
                exchange.note("not_tls");
                exchange.status = Some("not_tls".to_owned());
                exchange.error = Some("server answered with something that is not TLS".to_owned());
                exchange.outcome = Outcome::ServerError;
            }
        }
        exchange
    }

    /// The exchange, ended because nothing more comes.
    pub(crate) fn cut(&self, why: End, at: Timestamp) -> Exchange {
        let deaf = self.gap[self.client.other().index()] || self.client_went_on;
        let unheard = self.request.is_none() || (self.response.is_none() && deaf);
        if unheard {
            return self.ended(Ending::Unseen);
        }
        let mut exchange = self.exchange();
        exchange.attribute("tls.established", false);
        why.close(&mut exchange, at);
        exchange
    }
}

fn tell_offer(offer: &Offer, exchange: &mut Exchange) {
    if let Some(sni) = &offer.sni {
        exchange.target.clone_from(sni);
        exchange.host = Some(sni.clone());
    }
    let versions: Vec<String> = match offer.versions.is_empty() {
        true => vec![offer.version.to_string()],
        false => offer.versions.iter().map(Version::to_string).collect(),
    };
    exchange.attribute("tls.client.supported_versions", versions.join(","));
    if !offer.alpn.is_empty() {
        exchange.attribute("tls.client.supported_protocols", offer.alpn.join(","));
    }
    if let Some(ja3) = &offer.ja3 {
        exchange.attribute("tls.client.ja3", ja3.as_str());
    }
    if let Some(ja4) = &offer.ja4 {
        exchange.attribute("tls.client.ja4", ja4.as_str());
    }
}

fn note_validity(
    shown: &Certificate,
    at: Timestamp,
    expired: &'static str,
    early: &'static str,
    exchange: &mut Exchange,
) {
    if shown.info.expires_at.is_some_and(|to| to < at) {
        exchange.note(expired);
    }
    if shown.not_before.is_some_and(|from| from > at) {
        exchange.note(early);
    }
}
