//! Words that mean something: verbs that begin statements, keywords that are written in capitals.

/// Verbs, sorted. A text that begins with another word is not shown.
const VERBS: &[&str] = &[
    "ABORT",
    "ALTER",
    "ANALYZE",
    "APPLY",
    "BACKUP",
    "BATCH",
    "BEGIN",
    "BINLOG",
    "CACHE",
    "CALL",
    "CHANGE",
    "CHECK",
    "CHECKPOINT",
    "CHECKSUM",
    "CLOSE",
    "CLUSTER",
    "COMMENT",
    "COMMIT",
    "COPY",
    "CREATE",
    "DEALLOCATE",
    "DECLARE",
    "DELETE",
    "DESC",
    "DESCRIBE",
    "DISCARD",
    "DO",
    "DROP",
    "END",
    "EXECUTE",
    "EXPLAIN",
    "FETCH",
    "FLUSH",
    "GET",
    "GRANT",
    "HANDLER",
    "HELP",
    "IDENTIFY_SYSTEM",
    "IMPORT",
    "INSERT",
    "INSTALL",
    "KILL",
    "LIST",
    "LISTEN",
    "LOAD",
    "LOCK",
    "MERGE",
    "MOVE",
    "NOTIFY",
    "OPEN",
    "OPTIMIZE",
    "PREPARE",
    "PURGE",
    "REASSIGN",
    "REFRESH",
    "REINDEX",
    "RELEASE",
    "RENAME",
    "REPAIR",
    "REPLACE",
    "RESET",
    "RESIGNAL",
    "REVOKE",
    "ROLLBACK",
    "SAVEPOINT",
    "SECURITY",
    "SELECT",
    "SET",
    "SHOW",
    "SHUTDOWN",
    "SIGNAL",
    "START",
    "START_REPLICATION",
    "STOP",
    "TABLE",
    "TRUNCATE",
    "UNINSTALL",
    "UNLISTEN",
    "UNLOCK",
    "UPDATE",
    "USE",
    "VACUUM",
    "VALUES",
    "WITH",
    "XA",
];

/// Other keywords, sorted. A normal form has them in capitals.
const KEYWORDS: &[&str] = &[
    "ADD",
    "ALL",
    "ALLOW",
    "AND",
    "ANY",
    "ARRAY",
    "AS",
    "ASC",
    "ASYMMETRIC",
    "AUTHORIZATION",
    "BETWEEN",
    "BOTH",
    "BY",
    "CASCADE",
    "CASE",
    "CAST",
    "COLLATE",
    "COLUMN",
    "COLUMNS",
    "CONFLICT",
    "CONSTRAINT",
    "CROSS",
    "CURRENT",
    "DATABASE",
    "DATABASES",
    "DEFAULT",
    "DISTINCT",
    "DUPLICATE",
    "ELSE",
    "ESCAPE",
    "EXCEPT",
    "EXISTS",
    "FALSE",
    "FILTERING",
    "FOR",
    "FOREIGN",
    "FROM",
    "FULL",
    "FUNCTION",
    "GROUP",
    "HAVING",
    "IDENTIFIED",
    "IF",
    "IGNORE",
    "ILIKE",
    "IN",
    "INDEX",
    "INNER",
    "INTERSECT",
    "INTERVAL",
    "INTO",
    "IS",
    "ISOLATION",
    "JOIN",
    "KEY",
    "KEYSPACE",
    "LATERAL",
    "LEFT",
    "LEVEL",
    "LIKE",
    "LIMIT",
    "LOCKED",
    "MATERIALIZED",
    "NATURAL",
    "NOT",
    "NOTHING",
    "NOWAIT",
    "NULL",
    "NULLS",
    "OF",
    "OFFSET",
    "ON",
    "ONLY",
    "OR",
    "ORDER",
    "OUTER",
    "OVER",
    "PARTITION",
    "PASSWORD",
    "PRIMARY",
    "PROCEDURE",
    "RECURSIVE",
    "REFERENCES",
    "REGEXP",
    "RETURNING",
    "RIGHT",
    "ROLE",
    "ROWS",
    "SCHEMA",
    "SHARE",
    "SIMILAR",
    "SKIP",
    "SOME",
    "TABLES",
    "TEMPORARY",
    "THEN",
    "TO",
    "TRANSACTION",
    "TRIGGER",
    "TRUE",
    "UNION",
    "UNIQUE",
    "USER",
    "USING",
    "VARIABLES",
    "VIEW",
    "WHEN",
    "WHERE",
    "WINDOW",
];

/// Longest of them.
const LONGEST: usize = 17;

fn find(word: &[u8], words: &'static [&'static str]) -> Option<&'static str> {
    let mut upper = [0; LONGEST];
    let upper = upper.get_mut(..word.len())?;
    upper.copy_from_slice(word);
    upper.make_ascii_uppercase();
    words.binary_search_by(|known| known.as_bytes().cmp(upper)).ok().map(|at| words[at])
}

/// The verb that a word is.
pub(super) fn verb(word: &[u8]) -> Option<&'static str> {
    find(word, VERBS)
}

/// The keyword that a word is, verbs among them.
pub(super) fn keyword(word: &[u8]) -> Option<&'static str> {
    find(word, KEYWORDS).or_else(|| find(word, VERBS))
}

/// Verbs that only begin or end a transaction: of a text with others they are not what it is about.
pub(super) fn is_transaction(verb: &str) -> bool {
    matches!(
        verb,
        "BEGIN" | "START" | "COMMIT" | "END" | "ROLLBACK" | "ABORT" | "SAVEPOINT" | "RELEASE" | "SET"
    )
}

/// Words between a verb and its table that are no keywords elsewhere.
pub(super) fn is_modifier(word: &[u8]) -> bool {
    ["LOW_PRIORITY", "HIGH_PRIORITY", "DELAYED", "QUICK", "OVERWRITE", "CONCURRENTLY"]
        .iter()
        .any(|modifier| word.eq_ignore_ascii_case(modifier.as_bytes()))
}

/// Words behind PASSWORD that are none.
pub(super) fn follows_password(word: &[u8]) -> bool {
    [
        "PASSWORD", "FOR", "BY", "EXPIRE", "NULL", "RANDOM", "REQUIRE", "HISTORY", "REUSE", "OPTIONAL",
        "DEFAULT",
    ]
    .iter()
    .any(|other| word.eq_ignore_ascii_case(other.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_are_sorted_and_no_word_is_longer_than_the_longest() {
        for list in [VERBS, KEYWORDS] {
            assert!(list.is_sorted(), "{list:?}");
            assert!(list.iter().all(|word| word.len() <= LONGEST));
        }
    }

    #[test]
    fn words_are_known_in_any_case() {
        assert_eq!(verb(b"sElect"), Some("SELECT"));
        assert_eq!(keyword(b"from"), Some("FROM"));
        assert_eq!(keyword(b"update"), Some("UPDATE"));
        assert_eq!(verb(b"hunter2"), None);
        assert_eq!(verb(b"a_word_that_is_longer_than_any"), None);
    }
}
