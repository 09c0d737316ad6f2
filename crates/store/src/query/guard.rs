//! What SQL may ask at all. The text is counted before it is parsed, the tree is searched before it is planned, and
//! joins are looked at before they run: each of these has hung, aborted or overrun some version of the engine.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Arc;

use datafusion::functions_table::generate_series::GenericSeriesState;
use datafusion::physical_plan::joins::{CrossJoinExec, NestedLoopJoinExec};
use datafusion::physical_plan::memory::LazyMemoryExec;
use datafusion::physical_plan::statistics::{StatisticsArgs, StatisticsContext};
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties};
use datafusion::sql::parser::{DFParserBuilder, Statement};
use datafusion::sql::sqlparser::ast::{
    Expr, FunctionArg, FunctionArgExpr, ObjectName, Query, SetExpr, ShowStatementIn, Statement as Sql,
    TableFactor, UnaryOperator, Value, Visit, Visitor,
};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};

use crate::error::StoreError;
use crate::options::Scope;
use crate::tables::Table;

/// Bytes of a query's text.
pub(crate) const TEXT: usize = 16 << 10;
/// Parentheses, brackets and CASEs within each other.
const DEPTH: usize = 48;
/// Operators, of all kinds: the planner recurses over each of a chain.
const OPERATORS: usize = 400;
/// `||` between texts: the planner goes through a chain of them once for each.
const CONCATENATIONS: usize = 64;
/// SELECTs: each may double what the one below it made.
const SELECTS: usize = 32;
/// Subqueries in expressions, within each other: the planner visits each twice as often as the one above it.
const SUBQUERIES: usize = 5;
/// Joins, commas between tables apart.
const JOINS: usize = 12;
/// Tables read, each time that one is named: the planner's work grows with the cube of those that stand in one list.
const TABLES: usize = 24;
/// Rows that `generate_series` and `range` may make.
const SERIES: i128 = 100_000;
/// Words in a row that each take what follows: the parser recurses over them.
const PREFIXES: usize = 8;
/// Pairs of rows that a join without an equality may look at.
const PAIRS: usize = 200_000_000;

/// What was asked.
#[derive(Debug)]
pub(crate) enum Asked {
    /// A query, or the plan of one.
    Query(Statement),
    /// SHOW TABLES.
    Tables,
    /// DESCRIBE TABLE.
    Columns(Table),
}

/// The tables that a scope can name.
pub(crate) fn readable(scope: &Scope) -> impl Iterator<Item = Table> {
    let payloads = scope.payloads();
    Table::ALL.into_iter().filter(move |table| payloads || *table != Table::Payloads)
}

/// Lets one read-only statement through.
pub(crate) fn check(sql: &str, scope: &Scope) -> Result<Asked, StoreError> {
    if sql.len() > TEXT {
        return Err(StoreError::OverLimit(format!(
            "a query is at most {TEXT} bytes long, this one is {}",
            sql.len()
        )));
    }
    count(sql)?;
    let mut statements = DFParserBuilder::new(sql)
        .with_dialect(&GenericDialect {})
        .with_recursion_limit(DEPTH * 4)
        .build()
        .and_then(|mut parser| parser.parse_statements())
        .map_err(|error| crate::query::failure::of(error, &scope.limits))?;
    let statement = match (statements.pop_front(), statements.is_empty()) {
        (Some(statement), true) => statement,
        (None, _) => return Err(StoreError::Invalid("an empty query: write SELECT ... FROM calls".into())),
        (Some(_), false) => return Err(refused("several statements: send one at a time")),
    };
    match &statement {
        Statement::Statement(inner) => match &**inner {
            Sql::Query(query) => {
                search(&**query, scope)?;
                Ok(Asked::Query(statement))
            }
            Sql::ShowTables { .. } => Ok(Asked::Tables),
            Sql::ExplainTable { table_name, .. } => described(table_name, scope),
            Sql::ShowColumns { show_options, .. } => match &show_options.show_in {
                Some(ShowStatementIn { parent_name: Some(name), .. }) => described(name, scope),
                _ => Err(StoreError::Invalid("SHOW COLUMNS FROM which table? write DESCRIBE calls".into())),
            },
            other => Err(refused(&format!("{} is not for reading", first_word(&other.to_string())))),
        },
        Statement::Explain(explain) => {
            if explain.options.analyze {
                return Err(refused("EXPLAIN ANALYZE runs the query: ask EXPLAIN or the query itself"));
            }
            match &*explain.statement {
                Statement::Statement(inner) if matches!(**inner, Sql::Query(_)) => search(inner, scope)?,
                _ => return Err(refused("only a SELECT can be explained")),
            }
            Ok(Asked::Query(statement))
        }
        other => Err(refused(&format!("{} is not for reading", first_word(&other.to_string())))),
    }
}

fn refused(why: &str) -> StoreError {
    StoreError::Refused(format!(
        "refused: {why}. This store runs SELECT, EXPLAIN, SHOW TABLES and DESCRIBE only"
    ))
}

fn first_word(text: &str) -> String {
    text.split_whitespace().next().unwrap_or_default().to_uppercase()
}

fn described(name: &ObjectName, scope: &Scope) -> Result<Asked, StoreError> {
    let name = name.to_string().to_lowercase();
    readable(scope)
        .find(|table| table.name() == name)
        .map(Asked::Columns)
        .ok_or_else(|| no_table(&name, scope))
}

fn no_table(name: &str, scope: &Scope) -> StoreError {
    if name == Table::Payloads.name() {
        return StoreError::Refused(
            "payloads cannot be read by SQL here: ask for the payload of one call (get_call_payload)".into(),
        );
    }
    StoreError::unknown("table", name, readable(scope).map(Table::name))
}

/// Counts tokens, without recursion.
fn count(sql: &str) -> Result<(), StoreError> {
    let tokens = Tokenizer::new(&GenericDialect {}, sql)
        .tokenize()
        .map_err(|error| StoreError::Invalid(format!("not SQL that is understood: {error}")))?;
    let (mut depth, mut operators, mut selects, mut joins) = (0usize, 0, 0, 0);
    let (mut prefixes, mut concatenations) = (0, 0);
    for token in &tokens {
        match token {
            Token::Whitespace(_) => {}
            Token::Word(word) if word.quote_style.is_none() && word.keyword != Keyword::NoKeyword => {
                prefixes += 1;
            }
            _ => prefixes = 0,
        }
        if prefixes > PREFIXES {
            return Err(too("more than", PREFIXES, "keywords in a row", "write it in the ordinary way"));
        }
        match token {
            Token::LParen | Token::LBracket | Token::LBrace => depth += 1,
            Token::RParen | Token::RBracket | Token::RBrace => depth = depth.saturating_sub(1),
            Token::Word(word) if word.quote_style.is_none() => match word.keyword {
                Keyword::CASE => {
                    depth += 1;
                    operators += 1;
                }
                Keyword::END => depth = depth.saturating_sub(1),
                Keyword::SELECT | Keyword::VALUES | Keyword::TABLE => selects += 1,
                Keyword::JOIN => joins += 1,
                Keyword::AND
                | Keyword::OR
                | Keyword::NOT
                | Keyword::LIKE
                | Keyword::ILIKE
                | Keyword::SIMILAR
                | Keyword::BETWEEN
                | Keyword::IN
                | Keyword::IS
                | Keyword::WHEN
                | Keyword::DIV
                | Keyword::COLLATE
                | Keyword::XOR
                | Keyword::AT => operators += 1,
                _ => {}
            },
            Token::Word(_)
            | Token::Whitespace(_)
            | Token::Comma
            | Token::Period
            | Token::SemiColon
            | Token::Number(..)
            | Token::SingleQuotedString(_) => {}
            Token::StringConcat => {
                concatenations += 1;
                operators += 1;
            }
            _ => operators += 1,
        }
        if depth > DEPTH {
            return Err(too("nested more than", DEPTH, "deep", "flatten it"));
        }
    }
    match () {
        () if operators > OPERATORS => {
            Err(too("more than", OPERATORS, "operators", "use IN, or several queries"))
        }
        () if concatenations > CONCATENATIONS => {
            Err(too("more than", CONCATENATIONS, "`||`", "use concat(...)"))
        }
        () if selects > SELECTS => Err(too("more than", SELECTS, "SELECTs", "ask several queries")),
        () if joins > JOINS => Err(too("more than", JOINS, "joins", "ask several queries")),
        () => Ok(()),
    }
}

fn too(what: &str, limit: usize, of: &str, instead: &str) -> StoreError {
    StoreError::OverLimit(format!("the query is too complex: {what} {limit} {of}; {instead}"))
}

fn search(tree: &impl Visit, scope: &Scope) -> Result<(), StoreError> {
    let mut search = Search { scope, tables: Vec::new(), ctes: BTreeSet::new(), subqueries: 0, read: 0 };
    if let ControlFlow::Break(error) = tree.visit(&mut search) {
        return Err(error);
    }
    for name in &search.tables {
        let known = search.ctes.contains(name) || readable(scope).any(|table| table.name() == name);
        if !known {
            return Err(no_table(name, scope));
        }
    }
    Ok(())
}

struct Search<'a> {
    scope: &'a Scope,
    tables: Vec<String>,
    ctes: BTreeSet<String>,
    /// How many subqueries of expressions the place in the tree is in.
    subqueries: usize,
    /// How many tables were named so far.
    read: usize,
}

impl Visitor for Search<'_> {
    type Break = StoreError;

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<StoreError> {
        if let Some(with) = &query.with {
            if with.recursive {
                return ControlFlow::Break(refused("recursive queries"));
            }
            self.ctes.extend(with.cte_tables.iter().map(|cte| normal(&cte.alias.name.to_string())));
        }
        if !query.locks.is_empty() {
            return ControlFlow::Break(refused("FOR UPDATE"));
        }
        read_only(&query.body)
    }

    fn pre_visit_expr(&mut self, expression: &Expr) -> ControlFlow<StoreError> {
        match expression {
            // Each doubles the width of its type, where it is made of itself.
            Expr::Struct { .. } | Expr::Dictionary(_) | Expr::Tuple(_) | Expr::Map(_) => ControlFlow::Break(
                refused("a row or map made of expressions: compare or group by one column after another"),
            ),
            // The planner makes four joins of it.
            Expr::AnyOp { right, .. } | Expr::AllOp { right, .. } if matches!(**right, Expr::Subquery(_)) => {
                ControlFlow::Break(refused("ANY or ALL of a subquery: write IN or EXISTS"))
            }
            Expr::Subquery(_) | Expr::Exists { .. } | Expr::InSubquery { .. } => {
                self.subqueries += 1;
                if self.subqueries > SUBQUERIES {
                    let instead = "join, or ask several queries";
                    return ControlFlow::Break(too(
                        "more than",
                        SUBQUERIES,
                        "subqueries within each other",
                        instead,
                    ));
                }
                ControlFlow::Continue(())
            }
            _ => ControlFlow::Continue(()),
        }
    }

    fn post_visit_expr(&mut self, expression: &Expr) -> ControlFlow<StoreError> {
        if matches!(expression, Expr::Subquery(_) | Expr::Exists { .. } | Expr::InSubquery { .. }) {
            self.subqueries -= 1;
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<StoreError> {
        self.read += 1;
        if self.read > TABLES {
            return ControlFlow::Break(too("more than", TABLES, "tables", "ask several queries"));
        }
        match factor {
            TableFactor::Table { name, args: None, .. } => {
                let text = name.to_string();
                if name.0.len() > 1 {
                    return ControlFlow::Break(no_table(&text, self.scope));
                }
                self.tables.push(normal(&text));
                ControlFlow::Continue(())
            }
            TableFactor::Table { name, args: Some(arguments), .. } => {
                series(&normal(&name.to_string()), &arguments.args)
            }
            TableFactor::Function { name, args, .. } => series(&normal(&name.to_string()), args),
            TableFactor::Derived { .. } | TableFactor::NestedJoin { .. } | TableFactor::UNNEST { .. } => {
                ControlFlow::Continue(())
            }
            _ => ControlFlow::Break(refused("this kind of table")),
        }
    }

    fn pre_visit_statement(&mut self, statement: &Sql) -> ControlFlow<StoreError> {
        match statement {
            Sql::Query(_) => ControlFlow::Continue(()),
            other => {
                ControlFlow::Break(refused(&format!("{} is not for reading", first_word(&other.to_string()))))
            }
        }
    }
}

fn normal(name: &str) -> String {
    match name.strip_prefix('"').and_then(|name| name.strip_suffix('"')) {
        Some(quoted) => quoted.to_owned(),
        None => name.to_lowercase(),
    }
}

fn read_only(body: &SetExpr) -> ControlFlow<StoreError> {
    match body {
        SetExpr::Select(select) if select.into.is_some() => ControlFlow::Break(refused("SELECT INTO")),
        SetExpr::Select(_) | SetExpr::Query(_) | SetExpr::Values(_) => ControlFlow::Continue(()),
        SetExpr::SetOperation { left, right, .. } => {
            read_only(left)?;
            read_only(right)
        }
        SetExpr::Insert(_)
        | SetExpr::Update(_)
        | SetExpr::Delete(_)
        | SetExpr::Merge(_)
        | SetExpr::Table(_) => ControlFlow::Break(refused("this kind of query")),
    }
}

/// `generate_series` and `range` with whole numbers that stand in the text, and few of them.
fn series(name: &str, arguments: &[FunctionArg]) -> ControlFlow<StoreError> {
    if !matches!(name, "generate_series" | "range") {
        return ControlFlow::Break(refused(&format!("the table function {name}")));
    }
    let numbers: Option<Vec<i128>> = arguments.iter().map(whole).collect();
    let rows = match numbers.as_deref() {
        Some([stop]) => Some(*stop),
        Some([start, stop]) => Some(stop - start),
        Some([start, stop, step]) if *step != 0 => Some((stop - start) / step),
        _ => None,
    };
    match rows {
        Some(rows) if rows < SERIES => ControlFlow::Continue(()),
        Some(_) => ControlFlow::Break(StoreError::OverLimit(format!("{name} makes at most {SERIES} rows"))),
        None => ControlFlow::Break(refused(&format!("{name} with anything but one to three whole numbers"))),
    }
}

fn whole(argument: &FunctionArg) -> Option<i128> {
    let FunctionArg::Unnamed(FunctionArgExpr::Expr(expression)) = argument else { return None };
    match expression {
        Expr::Value(value) => match &value.value {
            Value::Number(text, _) => text.parse::<i64>().ok().map(i128::from),
            _ => None,
        },
        Expr::UnaryOp { op: UnaryOperator::Minus, expr } => match &**expr {
            Expr::Value(value) => match &value.value {
                Value::Number(text, _) => text.parse::<i64>().ok().map(|number| -i128::from(number)),
                _ => None,
            },
            _ => None,
        },
        _ => None,
    }
}

/// Refuses joins without an equality over so many pairs that they would run until their time is over.
pub(crate) fn check_joins(plan: &Arc<dyn ExecutionPlan>) -> Result<(), StoreError> {
    rows(plan).map(|_| ())
}

/// At most how many rows a plan makes, where that is known.
fn rows(plan: &Arc<dyn ExecutionPlan>) -> Result<Option<usize>, StoreError> {
    let children = plan.children();
    let mut below = Vec::with_capacity(children.len());
    for child in children {
        below.push(rows(child)?);
    }
    let is_join =
        plan.downcast_ref::<CrossJoinExec>().is_some() || plan.downcast_ref::<NestedLoopJoinExec>().is_some();
    if is_join {
        let pairs =
            below.iter().try_fold(1usize, |pairs, rows| rows.map(|rows| pairs.saturating_mul(rows.max(1))));
        return match pairs {
            Some(pairs) if pairs <= PAIRS => Ok(Some(pairs)),
            Some(pairs) => Err(StoreError::OverLimit(format!(
                "a join without an equality would look at {pairs} pairs of rows, and {PAIRS} is the most: join ON equal columns, or narrow both sides in subqueries with LIMIT"
            ))),
            None => Err(StoreError::OverLimit(
                "a join without an equality, over inputs of unknown size: join ON equal columns, or narrow both sides in subqueries with LIMIT".into(),
            )),
        };
    }
    if let Some(series) = plan.downcast_ref::<LazyMemoryExec>() {
        // It does not know its number of rows; its numbers stand in the text.
        let generators = series.generators().iter().map(|generator| {
            let generator = generator.read();
            let series = generator.as_any().downcast_ref::<GenericSeriesState<i64>>();
            series.map_or(SERIES as usize, |series| {
                let span = series.end().abs_diff(*series.start()) / series.step().unsigned_abs().max(1);
                usize::try_from(span).map_or(usize::MAX, |span| span.saturating_add(1))
            })
        });
        return Ok(Some(generators.fold(0, usize::saturating_add)));
    }
    let own = plan.fetch();
    let known = StatisticsContext::new().compute(plan.as_ref(), &StatisticsArgs::new());
    let statistics = known.ok().and_then(|known| known.num_rows.get_value().copied());
    let from_below = match below.as_slice() {
        [] => statistics,
        [one] => *one,
        _ => None,
    };
    let is_union = plan.name() == "UnionExec" || plan.name() == "InterleaveExec";
    let summed = is_union
        .then(|| below.iter().try_fold(0usize, |sum, rows| rows.map(|rows| sum.saturating_add(rows))));
    let widens = matches!(plan.name(), "UnnestExec" | "HashJoinExec" | "SortMergeJoinExec");
    let most = if widens { None } else { summed.flatten().or(from_below) };
    let _ = plan.output_partitioning();
    Ok(match (own, most) {
        (Some(fetch), Some(most)) => Some(fetch.min(most)),
        (fetch, most) => fetch.or(most),
    })
}

#[cfg(test)]
mod tests {
    use wirewise_model::Viewer;

    use super::*;

    #[track_caller]
    fn refuses(sql: &str, words: &str) {
        let error = check(sql, &Scope::new("live", &Viewer::owner())).expect_err(sql).to_string();
        assert!(error.contains(words), "{sql:.60}: {error}");
    }

    #[test]
    fn lets_reading_through() {
        let scope = Scope::new("live", &Viewer::owner());
        for sql in [
            "SELECT count(*) FROM calls",
            "WITH slow AS (SELECT * FROM calls WHERE duration_ms > 5) SELECT endpoint FROM slow",
            "EXPLAIN SELECT 1",
            "SELECT * FROM generate_series(1, 10)",
            "SELECT * FROM generate_series(10, -10, -1);",
            "SELECT unnest(notes) FROM calls",
        ] {
            assert!(matches!(check(sql, &scope), Ok(Asked::Query(_))), "{sql}");
        }
        assert!(matches!(check("SHOW TABLES", &scope), Ok(Asked::Tables)));
        assert!(matches!(check("describe calls", &scope), Ok(Asked::Columns(Table::Calls))));
        assert!(matches!(check("SHOW COLUMNS FROM flows", &scope), Ok(Asked::Columns(Table::Flows))));
    }

    #[test]
    fn refuses_everything_that_is_not_reading() {
        for sql in [
            "CREATE TABLE x AS SELECT 1",
            "CREATE EXTERNAL TABLE x STORED AS CSV LOCATION '/etc/passwd'",
            "CREATE VIEW v AS SELECT 1",
            "DROP TABLE calls",
            "INSERT INTO calls VALUES (1)",
            "DELETE FROM calls",
            "UPDATE calls SET host = 'x'",
            "COPY calls TO 'x.csv'",
            "COPY (SELECT * FROM calls) TO 'x.parquet'",
            "SET datafusion.execution.batch_size = 1",
            "RESET datafusion.execution.batch_size",
            "PREPARE p AS SELECT 1",
            "EXECUTE p",
            "BEGIN",
            "SELECT 1; SELECT 2",
            "EXPLAIN ANALYZE SELECT 1",
            "EXPLAIN COPY calls TO 'x.csv'",
            "SELECT * INTO x FROM calls",
            "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r) SELECT * FROM r",
            "SELECT * FROM read_csv('/etc/passwd')",
            "SELECT * FROM generate_series(1, (SELECT 5))",
            "SELECT * FROM LATERAL flatten(x)",
            "SHOW ALL",
        ] {
            let error = check(sql, &Scope::new("live", &Viewer::owner())).expect_err(sql);
            assert!(matches!(error, StoreError::Refused(_) | StoreError::Invalid(_)), "{sql}: {error}");
        }
        refuses("SELECT * FROM '/etc/passwd'", "no table");
        refuses("SELECT * FROM 'x.parquet'", "no table");
        refuses("SELECT * FROM \"http://h/x.csv\"", "no table");
        refuses("SELECT * FROM information_schema.tables", "no table");
        refuses("SELECT * FROM generate_series(1, 1000000000)", "at most 100000");
    }

    #[test]
    fn counts_before_it_parses() {
        let nested = format!("SELECT {}1{}", "(".repeat(2000), ")".repeat(2000));
        refuses(&nested, "too complex");
        let sum = format!("SELECT 1{}", "+1".repeat(2000));
        refuses(&sum, "too complex");
        let not = format!("SELECT {} true", "NOT ".repeat(2000));
        refuses(&not, "too complex");
        let minus = format!("SELECT {}1", "- ".repeat(2000));
        refuses(&minus, "too complex");
        let case = "CASE WHEN true THEN ".repeat(500);
        refuses(&format!("SELECT {case} 1 {}", "END ".repeat(500)), "too complex");
        let union = "SELECT 1 UNION ALL ".repeat(200);
        refuses(&format!("{union} SELECT 1"), "too complex");
        refuses(&format!("SELECT '{}'", "x".repeat(TEXT)), "at most");
    }

    #[test]
    fn a_model_cannot_name_payloads() {
        let owner = Scope::new("live", &Viewer::owner());
        assert!(check("SELECT body FROM payloads", &owner).is_ok());
        let error = check("SELECT body FROM payloads", &owner.clone().for_model()).unwrap_err();
        assert!(error.to_string().contains("get_call_payload"), "{error}");
        let error =
            check("SELECT body FROM (SELECT * FROM calls JOIN payloads USING (call_id))", &owner.for_model());
        assert!(error.is_err());
        let blind = Scope::new("live", &Viewer { namespaces: None, payloads: false });
        assert!(check("describe payloads", &blind).is_err());
    }

    #[test]
    fn a_wrong_table_comes_with_the_nearest() {
        refuses("SELECT * FROM call", "nearest known: calls");
        refuses("SELECT * FROM flow", "nearest known: flows");
    }
}
