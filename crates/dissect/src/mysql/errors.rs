//! What the numbers of errors mean: whose fault it is, and what their messages quote.

use wirewise_model::Outcome;

use crate::statement::{Quotes, scrub};

/// Whose fault it is (share/messages_to_clients.txt of the server).
pub(super) fn outcome(code: u16, state: Option<&str>) -> Outcome {
    // Numbers of MariaDB's own are above 1900; the server's since 5.7 above 3000.
    let server = matches!(
        code,
        1021 // disk full
        | 1023..=1027 | 1030 | 1033..=1035 // storage
        | 1037 | 1038 | 1041 // memory
        | 1040 | 1203 | 1226 // too many connections
        | 1053 | 1077 | 1079 | 1080 | 1152 | 1158..=1161 | 1184 // shut down, connections
        | 1105 | 1114 | 1129 | 1135 | 1180 | 1181
        | 1194 | 1195 | 1205 | 1206 | 1213 | 1236 | 1290 | 1297 | 1317 | 1429 | 1430 | 1456 | 1614 | 1637 | 1702
        | 1836 | 1927 | 1969 | 3024 | 3058 | 3100 | 3101 | 3168 | 3572 | 4031
    );
    let class = state.and_then(|state| state.get(..2)).unwrap_or_default();
    match (class, server) {
        (_, true) | ("08" | "40" | "53" | "57" | "XX", false) if code != 1047 => Outcome::ServerError,
        _ => Outcome::ClientError,
    }
}

/// The message without the values that it quotes.
pub(super) fn message(code: u16, message: &[u8]) -> String {
    if matches!(code, 1062 | 1169 | 1586) {
        return duplicate(message);
    }
    scrub(message, quotes(code))
}

/// `Duplicate entry 'a@b.c' for key 'users.email'`: the entry goes, the key's name stays.
fn duplicate(message: &[u8]) -> String {
    let Some(behind) = memchr::memmem::rfind(message, b" for key ") else {
        return scrub(message, Quotes::Values);
    };
    let before =
        memchr::memchr(b'\'', &message[..behind]).map_or(&message[..behind], |quote| &message[..quote]);
    let key = &message[behind + 9..];
    let closed = key.len() >= 2
        && key.starts_with(b"'")
        && key.ends_with(b"'")
        && key[1..].iter().filter(|byte| **byte == b'\'').count() == 1;
    let key = if closed { scrub(key, Quotes::Names) } else { "?".to_owned() };
    format!("{} ? for key {key}", scrub(before, Quotes::Values))
}

/// Errors that quote names of schemas, tables, columns, constraints, and nothing else.
fn quotes(code: u16) -> Quotes {
    match code {
        1008
        | 1007
        | 1049..=1052
        | 1054
        | 1060
        | 1061
        | 1072
        | 1091
        | 1109
        | 1110
        | 1146
        | 1048
        | 1364
        | 1452
        | 1451
        | 1305
        | 1055
        | 1056
        | 1066
        | 1136
        | 1176 => Quotes::Names,
        _ => Quotes::Values,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_keep_names_and_lose_values() {
        let cases: &[(u16, &str, &str)] = &[
            (
                1062,
                "Duplicate entry 'a@b.c' for key 'users.email'",
                "Duplicate entry ? for key 'users.email'",
            ),
            (
                1062,
                "Duplicate entry 'x' for key 'y' for key 'users.email'",
                "Duplicate entry ? for key 'users.email'",
            ),
            (1062, "Duplicate entry 'x' for key 'us", "Duplicate entry ? for key ?"),
            (1062, "Duplicate entry 's3cr3t", "Duplicate entry ?"),
            (1146, "Table 'shop.nope' doesn't exist", "Table 'shop.nope' doesn't exist"),
            (
                1366,
                "Incorrect integer value: 's3cr3t' for column 'n' at row 1",
                "Incorrect integer value: ? at row ?",
            ),
            (1064, "You have an error near 'it's' at line 1", "You have an error near ? at line ?"),
            (
                1045,
                "Access denied for user 'bob'@'10.0.0.1' (using password: YES)",
                "Access denied for user ? (using password: YES)",
            ),
            (1264, "Out of range value for column 'n' at row 12", "Out of range value for column ? at row ?"),
        ];
        for (code, text, expect) in cases {
            assert_eq!(message(*code, text.as_bytes()), *expect);
        }
    }

    #[test]
    fn deadlocks_are_the_servers_and_syntax_is_the_clients() {
        for (code, state, expect) in [
            (1213, Some("40001"), Outcome::ServerError),
            (1205, Some("HY000"), Outcome::ServerError),
            (1040, Some("08004"), Outcome::ServerError),
            (3024, Some("HY000"), Outcome::ServerError),
            (1064, Some("42000"), Outcome::ClientError),
            (1062, Some("23000"), Outcome::ClientError),
            (1045, Some("28000"), Outcome::ClientError),
            (1366, Some("HY000"), Outcome::ClientError),
        ] {
            assert_eq!(outcome(code, state), expect, "{code}");
        }
    }
}
