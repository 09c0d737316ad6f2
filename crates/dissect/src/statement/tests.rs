//! What is shown of statements, and what never is.

use super::*;

fn grammar(dialect: Dialect) -> Grammar {
    let backslash = match dialect {
        MySql => Backslash::Escapes,
        Postgres | Cql => Backslash::Plain,
    };
    Grammar { dialect, backslash, cut: false }
}

#[track_caller]
fn check(dialect: Dialect, text: &str, target: &str, endpoint: &str) -> Statement {
    let statement = read(text.as_bytes(), grammar(dialect));
    assert_eq!(statement.target, target, "target of {text:?}");
    assert_eq!(statement.endpoint, endpoint, "endpoint of {text:?}");
    is_fixed(dialect, &statement);
    statement
}

#[track_caller]
fn is_fixed(dialect: Dialect, statement: &Statement) {
    let again = read(statement.target.as_bytes(), grammar(dialect));
    assert_eq!(again.target, statement.target);
    let again = read(statement.endpoint.as_bytes(), grammar(dialect));
    assert_eq!(again.endpoint, statement.endpoint);
}

use Dialect::{Cql, MySql, Postgres};

#[test]
fn literals_go_and_names_stay() {
    let statement = check(
        Postgres,
        "select  id, \"Name\"\n from shop.orders o where o.email = 'a@b.c' and n > -12.5e3 and x = 0xFF limit 10",
        "select id, \"Name\" from shop.orders o where o.email = ? and n > -? and x = ? limit ?",
        "SELECT id, \"Name\" FROM shop.orders o WHERE o.email = ? AND n > ? AND x = ? LIMIT ?",
    );
    assert_eq!(statement.operation, "SELECT");
    assert_eq!(statement.table.as_deref(), Some("shop.orders"));
    assert_eq!(statement.statements, 1);
}

#[test]
fn every_spelling_of_a_string_is_a_literal() {
    for (dialect, text) in [
        (Postgres, "SELECT 'it''s'"),
        (Postgres, r"SELECT E'it\'s'"),
        (Postgres, r"SELECT e'a\\'"),
        (Postgres, "SELECT $$it's$$"),
        (Postgres, "SELECT $tag$it's $$ here$tag$"),
        (Postgres, "SELECT B'1010'"),
        (Postgres, "SELECT X'ff'"),
        (Postgres, r"SELECT U&'d\0061t'"),
        (Postgres, r"SELECT 'C:\'"),
        (Postgres, "SELECT N'x'"),
        (MySql, r"SELECT 'it\'s'"),
        (MySql, r#"SELECT "it's \" here""#),
        (MySql, "SELECT 0xFF"),
        (MySql, "SELECT x'ff'"),
        (MySql, "SELECT 0b01"),
        (MySql, "SELECT 1.5e-10"),
        (MySql, "SELECT .5"),
        (Cql, "SELECT 550e8400-e29b-41d4-a716-446655440000"),
        (Cql, "SELECT abcdef01-e29b-41d4-a716-446655440000"),
        (Cql, "SELECT 0xcafe"),
        (Cql, "SELECT 1y2mo3d"),
        (Cql, "SELECT P1Y2M3D"),
        (Cql, "SELECT $$it's$$"),
    ] {
        check(dialect, text, "SELECT ?", "SELECT ?");
    }
    check(
        Postgres,
        "SELECT DATE '2024-01-01', 'a'::text",
        "SELECT DATE ?, ?::text",
        "SELECT DATE ?, ?::text",
    );
}

#[test]
fn lists_of_values_are_folded_in_the_normal_form() {
    check(
        Postgres,
        "SELECT a FROM t WHERE b IN (1,2, 3)",
        "SELECT a FROM t WHERE b IN (?,?, ?)",
        "SELECT a FROM t WHERE b IN (?)",
    );
    check(
        MySql,
        "insert into it(n,p) values('n0',0.0e0),('n1',-0.3),(NULL,3)",
        "insert into it(n,p) values(?,?),(?,-?),(NULL,?)",
        "INSERT INTO it(n, p) VALUES (?)",
    );
    check(
        Postgres,
        "INSERT INTO t VALUES ($1, now(), $2), ($3, now(), $4) RETURNING id",
        "INSERT INTO t VALUES ($1, now(), $2), ($3, now(), $4) RETURNING id",
        "INSERT INTO t VALUES (?, now(), ?) RETURNING id",
    );
    check(
        Postgres,
        "SELECT * FROM t WHERE (a, b) IN ((1, 2), (3, 4)) AND c = ANY(ARRAY[1,2])",
        "SELECT * FROM t WHERE (a, b) IN ((?, ?), (?, ?)) AND c = ANY(ARRAY[?,?])",
        "SELECT * FROM t WHERE (a, b) IN ((?)) AND c = ANY (ARRAY[?])",
    );
    check(
        MySql,
        "INSERT INTO t (a) VALUES ROW(1), ROW(2) ON DUPLICATE KEY UPDATE a = VALUES(a), b = 2",
        "INSERT INTO t (a) VALUES ROW(?), ROW(?) ON DUPLICATE KEY UPDATE a = VALUES(a), b = ?",
        "INSERT INTO t(a) VALUES ROW(?) ON DUPLICATE KEY UPDATE a = VALUES (a), b = ?",
    );
    check(
        Cql,
        "UPDATE ks.t SET m = {'a': 1, 'b': 2}, l = [1,2,3] WHERE k = ? IF EXISTS",
        "UPDATE ks.t SET m = {?: ?, ?: ?}, l = [?,?,?] WHERE k = ? IF EXISTS",
        "UPDATE ks.t SET m = {? : ? : ?}, l = [?] WHERE k = ? IF EXISTS",
    );
}

#[test]
fn layout_case_and_comments_do_not_make_another_normal_form() {
    let plain = read(b"SELECT a, b FROM t WHERE c = 1 AND d IS NULL", grammar(MySql));
    for text in [
        "select a,b from t where c=2 and d is null;",
        "/* app:shop */ SELECT a ,b -- secret\n FROM t WHERE c= 'x' AND d IS NULL",
        "SELECT a,b FROM t # secret\nWHERE c=NULL AND d IS NULL ;",
        "/*!40101 SELECT */ a, b FROM t WHERE c = TRUE AND d IS NULL",
    ] {
        let statement = read(text.as_bytes(), grammar(MySql));
        assert_eq!(statement.endpoint, plain.endpoint, "{text}");
        assert!(!statement.target.contains("secret"), "{}", statement.target);
        is_fixed(MySql, &statement);
    }
    check(Postgres, "SELECT 1 /* a /* b */ secret */ + x", "SELECT ? + x", "SELECT ? + x");
    check(Cql, "SELECT a // secret\nFROM t", "SELECT a FROM t", "SELECT a FROM t");
    check(MySql, "SELECT 5--3", "SELECT ?--?", "SELECT ? - ?");
}

#[test]
fn the_verb_and_the_table_are_told() {
    let cases: &[(Dialect, &str, &str, Option<&str>)] = &[
        (Postgres, "WITH x AS (SELECT 1 FROM a) INSERT INTO b SELECT * FROM x", "INSERT", Some("b")),
        (Postgres, "with recursive x as (select 1) select * from x join y on true", "SELECT", Some("x")),
        (Postgres, "(SELECT 1 FROM a) UNION SELECT 2 FROM b", "SELECT", Some("b")),
        (Postgres, "BEGIN; UPDATE ONLY s.t SET a = 1; COMMIT", "UPDATE", Some("s.t")),
        (Postgres, "begin", "BEGIN", None),
        (Postgres, "BEGIN; COMMIT", "BEGIN", None),
        (Postgres, "SELECT extract(year FROM x) FROM \"Big T\".\"u\"", "SELECT", Some("Big T.u")),
        (Postgres, "SELECT a IS DISTINCT FROM b", "SELECT", None),
        (Postgres, "SELECT * FROM (SELECT 1) x", "SELECT", None),
        (Postgres, "COPY t (a, b) FROM STDIN", "COPY", Some("t")),
        (Postgres, "CREATE TABLE IF NOT EXISTS shop.t (id int)", "CREATE", Some("shop.t")),
        (Postgres, "TRUNCATE TABLE t", "TRUNCATE", Some("t")),
        (Postgres, "SELECT now()", "SELECT", None),
        (MySql, "INSERT IGNORE INTO `my shop`.`t` VALUES (1)", "INSERT", Some("my shop.t")),
        (MySql, "UPDATE LOW_PRIORITY t SET a = 1", "UPDATE", Some("t")),
        (MySql, "SELECT user FROM user", "SELECT", Some("user")),
        (MySql, "SHOW TABLES FROM shop", "SHOW", None),
        (Cql, "SELECT * FROM ks.t WHERE k = 1", "SELECT", Some("ks.t")),
    ];
    for (dialect, text, operation, table) in cases {
        let statement = read(text.as_bytes(), grammar(*dialect));
        assert_eq!((&*statement.operation, statement.table.as_deref()), (*operation, *table), "{text}");
    }
    assert_eq!(read(b"SELECT 1; SELECT 2;; SELECT 3", grammar(MySql)).statements, 3);
}

#[test]
fn passwords_without_quotes_go_too() {
    for (dialect, text) in [
        (MySql, "CREATE USER bob IDENTIFIED BY hunter2"),
        (MySql, "CREATE USER IF NOT EXISTS bob IDENTIFIED WITH sha256_password BY hunter2"),
        (MySql, "GRANT ALL ON *.* TO bob IDENTIFIED BY PASSWORD hunter2"),
        (MySql, "SET PASSWORD FOR bob = hunter2"),
        (MySql, "SET PASSWORD FOR bob = PASSWORD(\"hunter2\")"),
        (Postgres, "ALTER ROLE bob WITH LOGIN PASSWORD \"hunter2\""),
        (Postgres, "CREATE OR REPLACE USER bob PASSWORD hunter2"),
        (Postgres, "SET app.token TO hunter2"),
        (Postgres, "SET search_path = hunter2, hunter2"),
        (Postgres, "SET LOCAL ROLE hunter2"),
        (Postgres, "hunter2"),
        (Postgres, "SELECT 1; hunter2"),
        (Postgres, "\"hunter2\""),
        (Cql, "ALTER ROLE bob WITH PASSWORD = hunter2 AND LOGIN = true"),
    ] {
        let statement = read(text.as_bytes(), grammar(dialect));
        let told = format!("{statement:?}");
        assert!(!told.contains("hunter2"), "{text}: {told}");
        is_fixed(dialect, &statement);
    }
    check(
        MySql,
        "CREATE TABLE user (password varchar(20))",
        "CREATE TABLE user (password varchar(?))",
        "CREATE TABLE USER (PASSWORD varchar(?))",
    );
}

#[test]
fn what_cannot_be_told_apart_is_dropped() {
    let unknown = |dialect| Grammar { backslash: Backslash::Unknown, ..grammar(dialect) };
    let unsure = |text: &[u8], dialect| read(text, unknown(dialect));
    assert_eq!(unsure(br"SELECT 'C:\', 'secret'", Postgres).target, "SELECT …");
    assert_eq!(unsure(br"SELECT 'a\\', b", Postgres).target, "SELECT ?, b");
    // Shift JIS: the second byte of a letter is a backslash, or a backtick.
    assert_eq!(read(b"SELECT '\x95\x5c', 'secret'", grammar(MySql)).target, "SELECT …");
    assert_eq!(read(b"SELECT `\x95\x60`, 'secret'", grammar(MySql)).target, "SELECT …");
    assert_eq!(read(b"SELECT 'caf\xe9', b", grammar(MySql)).target, "SELECT ?, b");
    assert_eq!(read(b"SELECT a, 'open", grammar(Postgres)).target, "SELECT a, …");
}

#[test]
fn a_comment_may_carry_the_trace() {
    let text =
        "SELECT 1 /*action='x',traceparent='00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'*/";
    let statement = read(text.as_bytes(), grammar(Postgres));
    let (trace, span) = statement.trace.expect("the comment has it");
    assert_eq!((&*trace, &*span), ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"));
}

#[test]
fn long_statements_are_bounded() {
    let text = format!("INSERT INTO t (a) VALUES {}", "(1, 'x'), ".repeat(100_000));
    let statement = read(text.as_bytes(), grammar(MySql));
    assert!(statement.target.len() <= LONGEST_TARGET && statement.target.ends_with(MORE));
    assert_eq!(statement.endpoint, "INSERT INTO t(a) VALUES (?),");
    let columns = (0..1000).map(|n| format!("col{n}")).collect::<Vec<_>>().join(", ");
    let statement = read(format!("SELECT {columns} FROM t").as_bytes(), grammar(Postgres));
    assert!(statement.endpoint.len() <= LONGEST_ENDPOINT && statement.endpoint.ends_with(MORE));
    is_fixed(Postgres, &statement);
    let deep = format!("SELECT {}1{}", "(".repeat(50_000), ")".repeat(50_000));
    is_fixed(Postgres, &read(deep.as_bytes(), grammar(Postgres)));
}

/// Statements with a canary, `s3cr3t`, wherever a value may stand.
const PLANTED: &[(Dialect, &str)] = &[
    (
        Postgres,
        r"SELECT a.b, 's3cr3t', E'x\'s3cr3t', $$s3cr3t$$, $q$ 's3cr3t $q$, U&'s3cr3t' FROM t -- s3cr3t",
    ),
    (
        Postgres,
        "UPDATE \"T\" SET x = 'it''s3cr3t' /* s3cr3t /* 's3cr3t' */ s3cr3t */ WHERE y IN ('s3cr3t', $1)",
    ),
    (Postgres, "CREATE ROLE x PASSWORD 's3cr3t'; SET a TO s3cr3t; ALTER ROLE y WITH PASSWORD s3cr3t"),
    (MySql, r#"INSERT INTO `t` VALUES ("s3cr3t\"s3cr3t", 's3cr3t\\', 's3cr3t''', _utf8's3cr3t') # s3cr3t"#),
    (MySql, r#"SELECT /*!50000 's3cr3t' */ b -- s3cr3t"#),
    (MySql, "CREATE USER 'b'@'h' IDENTIFIED WITH x BY 's3cr3t'; SET PASSWORD = s3cr3t; SET @x = s3cr3t"),
    (Cql, "UPDATE t SET a = {'s3cr3t': ['s3cr3t']}, b = $$s3cr3t$$ WHERE c = 's3''s3cr3t' // s3cr3t"),
    (Cql, "CREATE ROLE x WITH PASSWORD = 's3cr3t' AND OPTIONS = {'k': 's3cr3t'}"),
];

#[test]
fn canaries_survive_no_cut() {
    for (dialect, text) in PLANTED {
        for end in 0..=text.len() {
            for cut in [true, false] {
                let grammar = Grammar { cut, ..grammar(*dialect) };
                let told = format!("{:?}", read(&text.as_bytes()[..end], grammar));
                // A part of it is as bad.
                assert!(!told.contains("s3c"), "{:?}: {told}", &text[..end]);
            }
        }
    }
    let uuid = "SELECT a FROM t WHERE k = a1b2c3d4-e5f6-a7b8-c9d0-e1f2a3b4c5d6 AND b = 1";
    for end in 0..=uuid.len() {
        let told = read(&uuid.as_bytes()[..end], Grammar { cut: true, ..grammar(Cql) });
        for part in ["a1b2", "e5f6", "a7b8", "c9d0", "e1f2"] {
            assert!(!told.target.contains(part), "{:?}: {}", &uuid[..end], told.target);
        }
    }
}

#[test]
fn random_texts_are_read_to_fixed_points() {
    let pieces = [
        "SELECT",
        "INSERT",
        "VALUES",
        "IN",
        "(",
        ")",
        ",",
        "'",
        "\"",
        "`",
        "\\",
        "$$",
        "$a$",
        "--",
        "/*",
        "*/",
        "#",
        "\n",
        " ",
        "x",
        "1",
        "-",
        "+",
        ".",
        ";",
        "E'",
        "NULL",
        "SET",
        "=",
        "TO",
        "[",
        "]",
        "{",
        "}",
        "é",
        "…",
        " …",
        "?",
        "::",
        ":",
        "FROM",
        "t",
        "@",
        "PASSWORD",
        "IDENTIFIED",
        "BY",
        "CREATE USER",
        "WITH",
        "ROW",
        "ARRAY",
        "a1b2c3d4-e5f6-a7b8-c9d0-e1f2a3b4c5d6",
        "P1Y",
        "$1",
        "//",
        "/*!5",
        "\u{0}",
        "U&'",
        "0x1e",
        "5e",
        "~",
        "||",
    ];
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    };
    for _ in 0..60_000 {
        let mut text = String::from("SELECT ");
        for _ in 0..next(14) {
            text += pieces[next(pieces.len())];
            if next(3) == 0 {
                text.push(' ');
            }
        }
        let dialect = [Postgres, MySql, Cql][next(3)];
        let statement = read(text.as_bytes(), grammar(dialect));
        let again = read(statement.target.as_bytes(), grammar(dialect));
        assert_eq!(again.target, statement.target, "target of {text:?} in {dialect:?}");
        let again = read(statement.endpoint.as_bytes(), grammar(dialect));
        assert_eq!(again.endpoint, statement.endpoint, "endpoint of {text:?} in {dialect:?}");
    }
}

#[test]
fn random_bytes_are_read_without_harm() {
    let mut state = 1_u64;
    for length in 0..3000_usize {
        let bytes: Vec<u8> = (0..length % 200)
            .map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (state >> 33) as u8
            })
            .collect();
        for dialect in [Postgres, MySql, Cql] {
            read(&bytes, Grammar { dialect, backslash: Backslash::Unknown, cut: length % 2 == 0 });
            begins(&bytes, dialect);
        }
    }
}

#[test]
fn messages_lose_the_values_that_they_quote() {
    let cases = [
        ("relation \"orders2\" does not exist", Quotes::Names, "relation \"orders2\" does not exist"),
        (
            "invalid input syntax for type integer: \"s3cr3t\"",
            Quotes::Values,
            "invalid input syntax for type integer: ?",
        ),
        ("syntax error at or near \"O'Brien\"", Quotes::Values, "syntax error at or near ?"),
        ("Incorrect value: 'it's', for 'x' at row 17", Quotes::Values, "Incorrect value: ? at row ?"),
        ("value 12345678901 is out of range", Quotes::Names, "value ? is out of range"),
        ("dup key: { email: \"a@b.c\" }", Quotes::Values, "dup key: ?"),
        ("cut inside \"s3cr", Quotes::Values, "cut inside ?"),
        ("Can't find it, it doesn't help", Quotes::Values, "Can't find it, it doesn't help"),
        ("two\nlines", Quotes::Values, "two"),
        ("date 2024-01-02T03:04:05 is odd", Quotes::Values, "date ? is odd"),
    ];
    for (message, quotes, expect) in cases {
        assert_eq!(scrub(message.as_bytes(), quotes), expect);
    }
}
