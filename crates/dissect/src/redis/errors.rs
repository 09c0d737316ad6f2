//! What an error of Redis says of who is to blame, and its words without what the client had sent.

use wirewise_model::Outcome;

use crate::text::printable as text;

/// Bytes of an error's words that are kept.
const KEPT: usize = 200;

/// Prefixes of errors that the server's own state makes: nothing is wrong with what was asked. READONLY is among
/// them: it shows where a master has become a replica under its clients.
const OF_SERVER: &[&str] = &[
    "BUSY",
    "CLUSTERDOWN",
    "INPROG",
    "IOERR",
    "LOADING",
    "MASTERDOWN",
    "MISCONF",
    "NOGOODSLAVE",
    "NOMASTERLINK",
    "NOREPLICAS",
    "NOTBUSY",
    "OOM",
    "READONLY",
    "TRYAGAIN",
    "UNBLOCKED",
];

/// Prefixes that send the client elsewhere: the cluster does its work, and so does a client that follows.
const REDIRECTIONS: &[&str] = &["ASK", "MOVED"];

/// Beginnings of what follows the prefix ERR where the server could not do its part.
const ERR_OF_SERVER: &[&str] =
    &["max number of clients", "Can't save in background", "Failed opening", "Background"];

/// Prefixes that are no errors of one kind.
const GENERAL: &str = "ERR";

/// The prefix of an error: `WRONGTYPE`; `ERR` where it has none of its own.
pub(super) fn prefix(line: &[u8]) -> &str {
    let end = line.iter().position(|byte| *byte == b' ').unwrap_or(line.len());
    let word = &line[..end];
    let usual = |byte: &u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || *byte == b'_';
    let is_prefix = (2..=32).contains(&word.len()) && word.iter().all(usual) && word[0].is_ascii_uppercase();
    std::str::from_utf8(word).ok().filter(|_| is_prefix).unwrap_or(GENERAL)
}

/// Who is to blame.
pub(super) fn outcome(line: &[u8]) -> Outcome {
    let prefix = prefix(line);
    if REDIRECTIONS.contains(&prefix) {
        return Outcome::Ok;
    }
    let rest = line.strip_prefix(b"ERR ").unwrap_or_default();
    let of_server = OF_SERVER.contains(&prefix)
        || ERR_OF_SERVER.iter().any(|beginning| rest.starts_with(beginning.as_bytes()));
    if of_server { Outcome::ServerError } else { Outcome::ClientError }
}

/// The words of an error in which nothing is quoted but names of commands: Redis likes to repeat arguments.
pub(super) fn words(line: &[u8], operation: &str) -> String {
    let echo = memchr::memmem::find(line, b", with args beginning with:");
    let line = &line[..echo.unwrap_or(line.len()).min(KEPT)];
    let quote = |byte: &u8| matches!(byte, b'\'' | b'"' | b'`');
    // The apostrophe of "can't" opens nothing.
    let opens = |at: &usize| *at == 0 || !line[*at - 1].is_ascii_alphanumeric();
    let Some(first) = (0..line.len()).filter(|at| quote(&line[*at])).find(opens) else {
        return text(line);
    };
    // From the first quote to the last: a quote may stand inside of what is quoted. Without a second, to the end.
    let last = (first + 1..line.len()).rev().find(|at| quote(&line[*at])).unwrap_or(line.len());
    let quoted = &line[first + 1..last];
    let names_command =
        operation.split(' ').chain([operation]).any(|word| quoted.eq_ignore_ascii_case(word.as_bytes()))
            || quoted.eq_ignore_ascii_case(operation.replace(' ', "|").as_bytes());
    if names_command {
        return text(line);
    }
    format!("{}?{}", text(&line[..=first]), text(&line[last..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_who_is_to_blame() {
        for (line, status, expected) in [
            ("WRONGTYPE Operation against a key", "WRONGTYPE", Outcome::ClientError),
            ("NOAUTH Authentication required.", "NOAUTH", Outcome::ClientError),
            ("LOADING Redis is loading the dataset in memory", "LOADING", Outcome::ServerError),
            ("MOVED 3999 127.0.0.1:6381", "MOVED", Outcome::Ok),
            ("ERR value is not an integer or out of range", "ERR", Outcome::ClientError),
            ("ERR max number of clients reached", "ERR", Outcome::ServerError),
            ("something a script said", "ERR", Outcome::ClientError),
            ("", "ERR", Outcome::ClientError),
        ] {
            assert_eq!((prefix(line.as_bytes()), outcome(line.as_bytes())), (status, expected), "{line}");
        }
    }

    #[test]
    fn the_words_of_an_error_quote_names_of_commands_alone() {
        for (line, operation, expected) in [
            (
                "ERR unknown command 'NOSUCH', with args beginning with: 'canary' ",
                "NOSUCH",
                "ERR unknown command 'NOSUCH'",
            ),
            (
                "ERR unknown subcommand 'SETINFO'. Try CLIENT HELP.",
                "CLIENT SETINFO",
                "ERR unknown subcommand 'SETINFO'. Try CLIENT HELP.",
            ),
            (
                "ERR wrong number of arguments for 'client|setname' command",
                "CLIENT SETNAME",
                "ERR wrong number of arguments for 'client|setname' command",
            ),
            (
                "ERR Error in ACL SETUSER modifier '>can'ary': Syntax error",
                "ACL SETUSER",
                "ERR Error in ACL SETUSER modifier '?': Syntax error",
            ),
            (
                "READONLY You can't write against a read only replica.",
                "SET",
                "READONLY You can't write against a read only replica.",
            ),
            (
                "ERR Invalid argument 'canary' for CONFIG SET 'requirepass'",
                "CONFIG SET",
                "ERR Invalid argument '?'",
            ),
            ("ERR near 'canary", "EVAL", "ERR near '?"),
        ] {
            assert_eq!(words(line.as_bytes(), operation), expected);
        }
    }
}
