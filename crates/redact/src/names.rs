//! What the name of a field says of its value: `X-Api-Key`, `userPassword`, `pass%77ord`, `card_number`.
//!
//! Names are folded first: percent-encoding undone, full-width letters made plain, invisible characters
//! dropped, upper case and separators understood as word bounds. Long stems count wherever they stand in a
//! name, short words only as whole words (`pin` hides, `shipping` does not).

use std::borrow::Cow;

use crate::kind::Kind;
use crate::text;

/// More of a name is not looked at from the front: what it is stands at its end.
const LONGEST: usize = 256;

/// Stems that count anywhere in the name without its separators. The first that fits holds.
const STEMS: &[(&str, Kind)] = &[
    ("password", Kind::Password),
    ("passwd", Kind::Password),
    ("passphrase", Kind::Password),
    ("passcode", Kind::Password),
    ("passwort", Kind::Password),
    ("kennwort", Kind::Password),
    ("motdepasse", Kind::Password),
    ("contrasena", Kind::Password),
    ("contraseña", Kind::Password),
    ("wachtwoord", Kind::Password),
    ("пароль", Kind::Password),
    ("密码", Kind::Password),
    ("密碼", Kind::Password),
    ("口令", Kind::Password),
    ("パスワード", Kind::Password),
    ("비밀번호", Kind::Password),
    ("userpass", Kind::Password),
    ("dbpass", Kind::Password),
    ("authpass", Kind::Password),
    ("privatekey", Kind::PrivateKey),
    ("csrf", Kind::Csrf),
    ("xsrf", Kind::Csrf),
    ("apikey", Kind::ApiKey),
    ("accesskey", Kind::ApiKey),
    ("subscriptionkey", Kind::ApiKey),
    ("functionskey", Kind::ApiKey),
    ("encryptionkey", Kind::Secret),
    ("signingkey", Kind::Secret),
    ("masterkey", Kind::Secret),
    ("accountkey", Kind::Secret),
    ("sharedkey", Kind::Secret),
    ("authkey", Kind::ApiKey),
    ("secret", Kind::Secret),
    ("authorization", Kind::Credential),
    ("credential", Kind::Credential),
    ("jwt", Kind::Jwt),
    ("bearer", Kind::Bearer),
    ("sessid", Kind::Session),
    ("cookie", Kind::Cookie),
    ("token", Kind::Token),
    ("session", Kind::Session),
    ("samlresponse", Kind::Token),
    ("samlrequest", Kind::Token),
    ("assertion", Kind::Token),
    ("signature", Kind::Signature),
    ("authcode", Kind::Code),
    ("authticket", Kind::Token),
    ("codeverifier", Kind::Code),
    ("oauthverifier", Kind::Code),
    ("onetime", Kind::OneTimeCode),
    ("verificationcode", Kind::OneTimeCode),
    ("recoverycode", Kind::OneTimeCode),
    ("backupcode", Kind::OneTimeCode),
    ("mfacode", Kind::OneTimeCode),
    ("smscode", Kind::OneTimeCode),
    ("securitycode", Kind::CardCode),
    ("cardnumber", Kind::Card),
    ("cardno", Kind::Card),
    ("creditcard", Kind::Card),
    ("debitcard", Kind::Card),
    ("ccnum", Kind::Card),
    ("primaryaccountnumber", Kind::Card),
    ("pinnumber", Kind::Pin),
    ("pincode", Kind::Pin),
    ("socialsecurity", Kind::NationalId),
    ("nationalid", Kind::NationalId),
    ("passportnumber", Kind::NationalId),
];

/// Words that count only where they stand alone.
const WORDS: &[(&str, Kind)] = &[
    ("pass", Kind::Password),
    ("passw", Kind::Password),
    ("pwd", Kind::Password),
    ("pw", Kind::Password),
    ("psw", Kind::Password),
    ("pswd", Kind::Password),
    ("senha", Kind::Password),
    ("haslo", Kind::Password),
    ("parol", Kind::Password),
    ("pin", Kind::Pin),
    ("otp", Kind::OneTimeCode),
    ("totp", Kind::OneTimeCode),
    ("2fa", Kind::OneTimeCode),
    ("tan", Kind::OneTimeCode),
    ("cvv", Kind::CardCode),
    ("cvv2", Kind::CardCode),
    ("cvc", Kind::CardCode),
    ("cvc2", Kind::CardCode),
    ("csc", Kind::CardCode),
    ("ssn", Kind::NationalId),
    ("iban", Kind::Iban),
    ("sid", Kind::Session),
    ("sess", Kind::Session),
    ("auth", Kind::Credential),
    ("sig", Kind::Signature),
    ("hmac", Kind::Signature),
];

/// Names that speak about a secret and do not hold it. Values are still looked at for what they are.
const ABOUT: &[&str] = &[
    "type",
    "expiresin",
    "expiresat",
    "expiry",
    "expires",
    "expiration",
    "expire",
    "ttl",
    "count",
    "limit",
    "length",
    "size",
    "url",
    "uri",
    "endpoint",
    "policy",
    "required",
    "enabled",
    "changedat",
    "updatedat",
    "createdat",
    "status",
    "usage",
    "details",
    "secretname",
    "cookiename",
    "tokenname",
    "keyname",
    "sessionname",
];

/// What a value under this name is, wherever the name stands.
pub(crate) fn classify(name: &str) -> Option<Kind> {
    if name.len() < 2 {
        return None;
    }
    let folded = Folded::new(name);
    let compact = folded.compact();
    if compact.len() < 2 {
        return None;
    }
    let found = folded.secret();
    if found.is_some() && ABOUT.iter().any(|end| compact.ends_with(end)) {
        return None;
    }
    let kind = match found {
        // `x-auth-request-email`: a person's name that passed through authentication.
        None | Some(Kind::Credential) if is_person(compact) => Some(Kind::User),
        found => found,
    };
    // Nearly all names are nothing, and need not be searched for what they are not.
    kind.filter(|_| !compact.contains("tokeniz") && !compact.contains("secretar"))
}

/// The same in a query string, where `code`, `key` and `ticket` are credentials too.
pub(crate) fn classify_query(name: &str) -> Option<Kind> {
    if let Some(kind) = classify(name) {
        return Some(kind);
    }
    match Folded::new(name).compact() {
        "code" | "ticket" | "authuser" => Some(Kind::Code),
        "key" => Some(Kind::ApiKey),
        _ => None,
    }
}

/// The same for a header, where every `...-key` and `...-user` that is not known to be harmless counts.
pub(crate) fn classify_header(name: &str) -> Option<Kind> {
    if let Some(kind) = classify(name) {
        return Some(kind);
    }
    const HARMLESS: &[&str] = &["idempotency-key", "sec-websocket-key", "surrogate-key", "partition-key"];
    if name.ends_with("-key") && !name.contains("cache") && !HARMLESS.contains(&name) {
        return Some(Kind::ApiKey);
    }
    (name.ends_with("-user") || name.ends_with("-userid") || name.ends_with("-user-id")).then_some(Kind::User)
}

/// Whether a number under this name counts tokens of a language model and is none.
pub(crate) fn counts(name: &str) -> bool {
    Folded::new(name).compact().contains("tokens")
}

fn is_person(compact: &str) -> bool {
    matches!(compact, "user" | "login" | "uname" | "loginid" | "userlogin")
        || ["username", "loginname", "email", "emailaddress", "mailaddress", "authrequestuser"]
            .iter()
            .any(|end| compact.ends_with(end))
}

/// Names up to this length that are ASCII are folded without allocation: nearly all.
const SHORT: usize = 64;
/// Words of a name that are told apart.
const MOST_WORDS: usize = 16;

/// A name in lower case without separators, and where its words begin in that.
struct Folded {
    short: [u8; SHORT],
    short_length: usize,
    /// Names that are long, encoded or not ASCII.
    long: Option<String>,
    /// Starts of words, ascending; the first is 0.
    starts: [u16; MOST_WORDS],
    words: usize,
}

impl Folded {
    fn new(name: &str) -> Self {
        let mut folded =
            Self { short: [0; SHORT], short_length: 0, long: None, starts: [0; MOST_WORDS], words: 0 };
        if name.len() <= SHORT && name.bytes().all(|byte| byte.is_ascii() && byte != b'%') {
            folded.fold_short(name.as_bytes());
        } else {
            folded.fold_long(name);
        }
        folded
    }

    fn fold_short(&mut self, name: &[u8]) {
        let (mut boundary, mut lower_before, mut length) = (true, false, 0);
        for &byte in name {
            if !byte.is_ascii_alphanumeric() {
                (boundary, lower_before) = (true, false);
                continue;
            }
            if boundary || (byte.is_ascii_uppercase() && lower_before) {
                self.begin_word(length);
                boundary = false;
            }
            lower_before = !byte.is_ascii_uppercase();
            self.short[length] = byte.to_ascii_lowercase();
            length += 1;
        }
        self.short_length = length;
    }

    fn fold_long(&mut self, name: &str) {
        let name = match name.contains('%') {
            true => text::percent_decode(name).map_or(Cow::Borrowed(name), Cow::Owned),
            false => Cow::Borrowed(name),
        };
        let skipped = text::floor(&name, name.len().saturating_sub(LONGEST));
        let mut compact = String::with_capacity(name.len() - skipped);
        let (mut boundary, mut lower_before) = (true, false);
        for letter in name[skipped..].chars() {
            let letter = match letter {
                // Full-width forms stand at a fixed distance from ASCII.
                '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(letter) - 0xfee0).unwrap_or(letter),
                '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}' => continue,
                other => other,
            };
            if !letter.is_alphanumeric() {
                (boundary, lower_before) = (true, false);
                continue;
            }
            if boundary || (letter.is_uppercase() && lower_before) {
                self.begin_word(compact.len());
                boundary = false;
            }
            lower_before = letter.is_lowercase() || letter.is_numeric();
            compact.extend(letter.to_lowercase());
        }
        self.long = Some(compact);
    }

    fn begin_word(&mut self, at: usize) {
        // What a name is stands at its end: of too many words the last counts.
        if self.words == MOST_WORDS {
            self.starts.copy_within(1.., 0);
            self.words -= 1;
        }
        self.starts[self.words] = u16::try_from(at).unwrap_or(u16::MAX);
        self.words += 1;
    }

    fn compact(&self) -> &str {
        match &self.long {
            Some(long) => long,
            None => std::str::from_utf8(&self.short[..self.short_length]).unwrap_or(""),
        }
    }

    fn secret(&self) -> Option<Kind> {
        let compact = self.compact();
        if let Some(kind) = stem(compact.as_bytes()) {
            return Some(kind);
        }
        let starts = &self.starts[..self.words];
        starts.iter().enumerate().find_map(|(index, &start)| {
            let end = starts.get(index + 1).map_or(compact.len(), |&next| usize::from(next));
            let word = compact.get(usize::from(start)..end)?;
            // The shortest has two letters, the longest five.
            let is_word = |known: &str| known.as_bytes()[0] == word.as_bytes()[0] && known == word;
            let known =
                (2..=5).contains(&word.len()).then(|| WORDS.iter().find(|(known, _)| is_word(known)))?;
            known.map(|(_, kind)| *kind)
        })
    }
}

/// What the first of the stems means that a name holds. Few pairs of letters begin one: elsewhere nothing is compared.
fn stem(compact: &[u8]) -> Option<Kind> {
    const PAIRS: [bool; 1024] = {
        let mut pairs = [false; 1024];
        let mut index = 0;
        while index < STEMS.len() {
            let stem = STEMS[index].0.as_bytes();
            pairs[((stem[0] & 31) as usize) << 5 | (stem[1] & 31) as usize] = true;
            index += 1;
        }
        pairs
    };
    let mut first = STEMS.len();
    for (at, pair) in compact.windows(2).enumerate() {
        if PAIRS[usize::from(pair[0] & 31) << 5 | usize::from(pair[1] & 31)] {
            let is_here =
                |stem: &str| stem.as_bytes()[0] == pair[0] && compact[at..].starts_with(stem.as_bytes());
            first = STEMS[..first].iter().position(|(stem, _)| is_here(stem)).unwrap_or(first);
        }
    }
    STEMS.get(first).map(|(_, kind)| *kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_secrets_are_known_in_every_spelling() {
        let cases = [
            ("password", Kind::Password),
            ("userPassword", Kind::Password),
            ("USER_PASSWORD", Kind::Password),
            ("user[password]", Kind::Password),
            ("pass%77ord", Kind::Password),
            ("pass%2577ord", Kind::Password),
            ("ｐａｓｓｗｏｒｄ", Kind::Password),
            ("pass\u{200b}word", Kind::Password),
            ("spring.datasource.pwd", Kind::Password),
            ("X-Api-Key", Kind::ApiKey),
            ("apiKey", Kind::ApiKey),
            ("aws_secret_access_key", Kind::ApiKey),
            ("client_secret", Kind::Secret),
            ("X-CSRF-Token", Kind::Csrf),
            ("access_token", Kind::Token),
            ("x-amz-security-token", Kind::Token),
            ("JSESSIONID", Kind::Session),
            ("connect.sid", Kind::Session),
            ("X-Amz-Signature", Kind::Signature),
            ("cardNumber", Kind::Card),
            ("cvv", Kind::CardCode),
            ("userPin", Kind::Pin),
            ("proxy-authorization", Kind::Credential),
            ("пароль", Kind::Password),
            ("username", Kind::User),
            ("customerEmail", Kind::User),
            ("x-auth-request-email", Kind::User),
        ];
        for (name, kind) in cases {
            assert_eq!(classify(name), Some(kind), "{name}");
        }
    }

    #[test]
    fn names_that_only_sound_like_it_are_not() {
        for name in [
            "shipping",
            "compass",
            "author",
            "authority",
            "token_type",
            "expires_in",
            "token_endpoint",
            "keyboard",
            "tokenizer",
            "secretary",
            "id",
            "name",
            "status",
            "x-request-id",
            "spinner",
            "q",
            "",
        ] {
            assert_eq!(classify(name), None, "{name}");
        }
    }

    #[test]
    fn queries_and_headers_have_names_of_their_own() {
        assert_eq!(classify_query("code"), Some(Kind::Code));
        assert_eq!(classify("code"), None);
        assert_eq!(classify_header("x-functions-key"), Some(Kind::ApiKey));
        assert_eq!(classify_header("ocp-apim-subscription-key"), Some(Kind::ApiKey));
        assert_eq!(classify_header("idempotency-key"), None);
        assert_eq!(classify_header("x-forwarded-user"), Some(Kind::User));
        assert!(counts("total_tokens"));
    }
}
