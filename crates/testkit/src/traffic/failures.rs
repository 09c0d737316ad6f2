//! Kinds of errors: their words, their status and how they are told.

use wirewise_redact::Payload;

use super::values::{Param, Piece};

const NOUNS: [&str; 5] = ["order", "account", "shipment", "voucher", "customer"];

#[derive(Clone, Debug)]
pub(super) struct Failure {
    pub(super) words: Vec<Piece>,
    pub(super) status: i64,
    pub(super) form: Form,
}

/// How an error is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// The protocol's own words.
    Words,
    /// RFC 9457 in the body, `title: detail` in the words.
    Problem,
    /// `{"error": {"code": .., "message": ..}}`, the message in the words.
    Nested,
}

/// Two hundred kinds of errors: forty of each of five nouns.
pub(super) fn failures() -> Vec<Failure> {
    use Form::{Nested, Problem, Words};
    use Param::{Address, Country, Date, Email, Hash, Millis, Number, Numbered, Person, Slug, Uuid};
    use Piece::{Value, Word};
    let n = |noun| Word(noun);
    let mut made = Vec::new();
    for noun in NOUNS {
        let kinds: Vec<(i64, Form, Vec<Piece>)> = vec![
            (404, Words, vec![n(noun), Word(" "), Value(Number), Word(" not found")]),
            (404, Problem, vec![Word("Not Found: no "), n(noun), Word(" with id "), Value(Uuid)]),
            (404, Words, vec![Word("unknown "), n(noun), Word(" "), Value(Person)]),
            (404, Nested, vec![n(noun), Word(" '"), Value(Slug), Word("' does not exist")]),
            (
                409,
                Problem,
                vec![Word("Conflict: "), n(noun), Word(" "), Value(Numbered), Word(" was changed meanwhile")],
            ),
            (409, Words, vec![n(noun), Word(" already exists: "), Value(Email)]),
            (409, Words, vec![n(noun), Word(" is locked by "), Value(Person)]),
            (400, Words, vec![Word("invalid "), n(noun), Word(" id: "), Value(Hash)]),
            (400, Nested, vec![Word("missing field `"), Value(Person), Word("` in "), n(noun)]),
            (
                400,
                Words,
                vec![
                    Word("cannot parse "),
                    n(noun),
                    Word(" at line "),
                    Value(Number),
                    Word(" column "),
                    Value(Number),
                ],
            ),
            (401, Words, vec![Word("token of "), n(noun), Word(" expired at "), Value(Date)]),
            (401, Words, vec![n(noun), Word(" needs a login")]),
            (403, Problem, vec![Word("Forbidden: "), Value(Person), Word(" may not see this "), n(noun)]),
            (403, Words, vec![n(noun), Word(" is not for sale in "), Value(Country)]),
            (
                422,
                Problem,
                vec![
                    Word("Validation failed: "),
                    n(noun),
                    Word(" total "),
                    Value(Number),
                    Word(" exceeds "),
                    Value(Number),
                ],
            ),
            (422, Words, vec![Word("quantity of "), n(noun), Word(" must be positive")]),
            (422, Nested, vec![n(noun), Word(" date "), Value(Date), Word(" is in the past")]),
            (429, Words, vec![Word("quota of "), n(noun), Word(" exceeded: retry in "), Value(Millis)]),
            (
                429,
                Problem,
                vec![
                    Word("Too Many Requests: "),
                    Value(Number),
                    Word(" "),
                    n(noun),
                    Word(" requests this minute"),
                ],
            ),
            (402, Words, vec![n(noun), Word(" declined: card of "), Value(Person), Word(" has expired")]),
            (
                500,
                Words,
                vec![
                    Word("panic while saving "),
                    n(noun),
                    Word(": index out of range ["),
                    Value(Number),
                    Word("] with length "),
                    Value(Number),
                ],
            ),
            (
                500,
                Words,
                vec![
                    Word("duplicate key value violates unique constraint \""),
                    n(noun),
                    Word("_pkey\" of "),
                    n(noun),
                ],
            ),
            (500, Words, vec![Word("null reference in "), n(noun), Word(" handler at 0x"), Value(Hash)]),
            (500, Nested, vec![Word("cannot read "), n(noun), Word(" of undefined")]),
            (
                500,
                Words,
                vec![
                    Word("deadlock detected: "),
                    n(noun),
                    Word(" process "),
                    Value(Number),
                    Word(" waits for "),
                    Value(Number),
                ],
            ),
            (500, Problem, vec![Word("Internal Server Error: "), n(noun), Word(" trace "), Value(Uuid)]),
            (502, Words, vec![n(noun), Word(" upstream "), Value(Address), Word(" closed the connection")]),
            (
                502,
                Words,
                vec![
                    Word("bad gateway for "),
                    n(noun),
                    Word(": dial tcp "),
                    Value(Address),
                    Word(": connection refused"),
                ],
            ),
            (502, Words, vec![n(noun), Word(" upstream sent an invalid header")]),
            (503, Words, vec![n(noun), Word(" service is draining")]),
            (
                503,
                Problem,
                vec![
                    Word("Service Unavailable: "),
                    n(noun),
                    Word(" pool of "),
                    Value(Number),
                    Word(" is exhausted"),
                ],
            ),
            (503, Words, vec![n(noun), Word(" circuit open for "), Value(Millis)]),
            (503, Words, vec![n(noun), Word(" replica "), Value(Numbered), Word(" is behind")]),
            (504, Words, vec![n(noun), Word(" timeout after "), Value(Millis)]),
            (504, Words, vec![Word("context deadline exceeded: "), n(noun)]),
            (504, Nested, vec![Word("deadline of "), Value(Millis), Word(" passed waiting for "), n(noun)]),
            (500, Words, vec![Word("worker "), Value(Person), Word(" crashed on "), n(noun)]),
            (
                500,
                Words,
                vec![Word("disk full writing "), n(noun), Word(" to /data/"), Value(Hash), Word("/out.bin")],
            ),
            (
                500,
                Words,
                vec![Word("checksum of "), n(noun), Word(" is "), Value(Hash), Word(" not "), Value(Hash)],
            ),
            (500, Words, vec![n(noun), Word(" migration "), Value(Number), Word(" has not run")]),
        ];
        made.extend(kinds.into_iter().map(|(status, form, words)| Failure { words, status, form }));
    }
    made
}

pub(super) fn body(form: Form, status: i64, words: &str) -> Option<Payload> {
    let words = words.replace('"', "\\\"");
    let text = match form {
        Form::Words => return None,
        Form::Problem => {
            let (title, detail) = words.split_once(": ")?;
            format!(r#"{{"type":"about:blank","title":"{title}","status":{status},"detail":"{detail}"}}"#)
        }
        Form::Nested => format!(r#"{{"error":{{"code":{status},"message":"{words}"}}}}"#),
    };
    Some(Payload { headers: Vec::new(), body_bytes: text.len() as u64, body: Some(text), truncated: false })
}
