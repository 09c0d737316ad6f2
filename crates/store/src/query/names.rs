//! A wrong word is an error, never an empty answer: values that a closed column is compared with must exist.
//! `http` means both `http1` and `http2`.

use std::collections::BTreeSet;

use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, DataFusionError, ScalarValue};
use datafusion::logical_expr::expr::{Case, InList};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::{BinaryExpr, Distinct, Expr, JoinType, LogicalPlan, Operator, lit};

use crate::error::StoreError;
use crate::options::QueryLimits;
use crate::query::failure;
use crate::tables::Table;

const HTTP: &str = "http";
const BOTH: [&str; 2] = ["http1", "http2"];
/// Functions of a column and more that give the column's own words.
const LIKE_ITSELF: [&str; 5] = ["lower", "btrim", "coalesce", "nvl", "nullif"];

/// Checks every comparison of a closed column with a literal, and widens `http`.
pub(crate) fn check(plan: LogicalPlan, seen: &BTreeSet<String>) -> Result<LogicalPlan, StoreError> {
    let checked = plan.transform_up_with_subqueries(|plan| {
        let origins = Origins { plan: &plan.clone(), seen };
        let names = NamePreserver::new(&plan);
        plan.map_expressions(|expression| {
            let name = names.save(&expression);
            let rewritten = expression.transform_up(|expression| origins.rewrite(expression))?;
            Ok(if rewritten.transformed {
                rewritten.update_data(|expression| name.restore(expression))
            } else {
                rewritten
            })
        })
    });
    checked.map(|checked| checked.data).map_err(|error| failure::of(error, &QueryLimits::default()))
}

struct Origins<'a> {
    plan: &'a LogicalPlan,
    seen: &'a BTreeSet<String>,
}

type Rewritten = Result<Transformed<Expr>, DataFusionError>;

impl Origins<'_> {
    fn rewrite(&self, expression: Expr) -> Rewritten {
        match expression {
            Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
                let negated = match op {
                    Operator::Eq | Operator::IsNotDistinctFrom => false,
                    Operator::NotEq | Operator::IsDistinctFrom => true,
                    _ => return Ok(Transformed::no(Expr::BinaryExpr(BinaryExpr { left, op, right }))),
                };
                let found = self.closed(&left).zip(word(&right)).map(|(closed, word)| (closed, word, &left));
                let found = found.or_else(|| {
                    self.closed(&right).zip(word(&left)).map(|(closed, word)| (closed, word, &right))
                });
                if let Some((closed, word, column)) = found
                    && let Some(words) = self.known(closed, &word)?
                {
                    let list = words.iter().map(|word| lit(*word)).collect();
                    return Ok(Transformed::yes(Expr::InList(InList::new(column.clone(), list, negated))));
                }
                Ok(Transformed::no(Expr::BinaryExpr(BinaryExpr { left, op, right })))
            }
            Expr::InList(InList { expr, list, negated }) => {
                let Some(closed) = self.closed(&expr) else {
                    return Ok(Transformed::no(Expr::InList(InList { expr, list, negated })));
                };
                let mut widened = Vec::with_capacity(list.len());
                for item in &list {
                    match word(item).map(|word| self.known(closed, &word)).transpose()?.flatten() {
                        Some(words) => widened.extend(words.iter().map(|word| lit(*word))),
                        None => widened.push(item.clone()),
                    }
                }
                let changed = widened.len() != list.len();
                let rewritten = Expr::InList(InList { expr, list: widened, negated });
                Ok(if changed { Transformed::yes(rewritten) } else { Transformed::no(rewritten) })
            }
            Expr::Case(Case { expr: Some(of), when_then_expr, else_expr }) => {
                let Some(closed) = self.closed(&of) else {
                    let case = Case { expr: Some(of), when_then_expr, else_expr };
                    return Ok(Transformed::no(Expr::Case(case)));
                };
                let mut widened = Vec::with_capacity(when_then_expr.len());
                for (when, then) in &when_then_expr {
                    match word(when).map(|word| self.known(closed, &word)).transpose()?.flatten() {
                        Some(words) => {
                            widened.extend(words.iter().map(|word| (Box::new(lit(*word)), then.clone())))
                        }
                        None => widened.push((when.clone(), then.clone())),
                    }
                }
                let changed = widened.len() != when_then_expr.len();
                let rewritten = Expr::Case(Case { expr: Some(of), when_then_expr: widened, else_expr });
                Ok(if changed { Transformed::yes(rewritten) } else { Transformed::no(rewritten) })
            }
            Expr::ScalarFunction(call) if call.name() == "nullif" => {
                if let Some((closed, word)) = self.closed(&call.args[0]).zip(call.args.get(1).and_then(word))
                {
                    self.known(closed, &word)?;
                }
                Ok(Transformed::no(Expr::ScalarFunction(call)))
            }
            other => Ok(Transformed::no(other)),
        }
    }

    /// Fails for a word that the column never takes; gives the words that `http` stands for.
    fn known(
        &self,
        (table, column): (Table, &str),
        word: &str,
    ) -> Result<Option<&'static [&'static str]>, DataFusionError> {
        let words = table.words(column).unwrap_or_default();
        let open = table == Table::Calls && matches!(column, "protocol" | "carrier");
        if open && word == HTTP {
            return Ok(Some(&BOTH));
        }
        if words.contains(&word) || (open && self.seen.contains(word)) {
            return Ok(None);
        }
        let mut known: BTreeSet<&str> = words.iter().copied().collect();
        if open {
            known.insert(HTTP);
            known.extend(self.seen.iter().map(String::as_str));
        }
        Err(DataFusionError::External(Box::new(StoreError::unknown(column, word, known))))
    }

    /// The closed column that an expression is, cast, renamed or in other letters as it may be.
    fn closed(&self, expression: &Expr) -> Option<(Table, &'static str)> {
        let column = match expression {
            Expr::Column(column) => column,
            Expr::ScalarFunction(call) if LIKE_ITSELF.contains(&call.name()) => {
                return self.closed(call.args.first()?);
            }
            Expr::Cast(cast) => return self.closed(&cast.expr),
            Expr::TryCast(cast) => return self.closed(&cast.expr),
            Expr::Alias(alias) => return self.closed(&alias.expr),
            _ => return None,
        };
        let (table, name) = match self.plan {
            LogicalPlan::TableScan(_) => origin_in(self.plan, column)?,
            _ => self.plan.inputs().into_iter().find_map(|input| origin_in(input, column))?,
        };
        let known = table.columns().find(|known| known.name == name)?;
        table.words(known.name).map(|_| (table, known.name))
    }
}

fn word(expression: &Expr) -> Option<String> {
    match expression {
        Expr::Literal(
            ScalarValue::Utf8(Some(text))
            | ScalarValue::LargeUtf8(Some(text))
            | ScalarValue::Utf8View(Some(text)),
            _,
        ) => Some(text.clone()),
        Expr::Cast(cast) => word(&cast.expr),
        Expr::TryCast(cast) => word(&cast.expr),
        _ => None,
    }
}

fn origin_in(plan: &LogicalPlan, column: &Column) -> Option<(Table, String)> {
    origin(plan, plan.schema().maybe_index_of_column(column)?)
}

/// The stored column that a plan's output column is a copy of.
fn origin(plan: &LogicalPlan, index: usize) -> Option<(Table, String)> {
    let through = |input: &LogicalPlan, expression: &Expr| -> Option<(Table, String)> {
        let mut expression = expression;
        loop {
            match expression {
                Expr::Alias(alias) => expression = &alias.expr,
                Expr::Column(column) => return origin_in(input, column),
                _ => return None,
            }
        }
    };
    match plan {
        LogicalPlan::TableScan(scan) => {
            let table = Table::parse(scan.table_name.table())?;
            Some((table, scan.projected_schema.field(index).name().clone()))
        }
        LogicalPlan::Projection(projection) => through(&projection.input, projection.expr.get(index)?),
        LogicalPlan::SubqueryAlias(alias) => origin(&alias.input, index),
        LogicalPlan::Filter(filter) => origin(&filter.input, index),
        LogicalPlan::Sort(sort) => origin(&sort.input, index),
        LogicalPlan::Limit(limit) => origin(&limit.input, index),
        LogicalPlan::Distinct(Distinct::All(input)) => origin(input, index),
        LogicalPlan::Window(window) => {
            let width = window.input.schema().fields().len();
            (index < width).then(|| origin(&window.input, index)).flatten()
        }
        LogicalPlan::Aggregate(aggregate) => through(&aggregate.input, aggregate.group_expr.get(index)?),
        LogicalPlan::Union(union) => origin(union.inputs.first()?, index),
        LogicalPlan::Join(join) => {
            let left = join.left.schema().fields().len();
            match join.join_type {
                JoinType::Inner | JoinType::Left | JoinType::Right | JoinType::Full if index >= left => {
                    origin(&join.right, index - left)
                }
                JoinType::RightSemi | JoinType::RightAnti | JoinType::RightMark => origin(&join.right, index),
                _ if index < left => origin(&join.left, index),
                _ => None,
            }
        }
        _ => None,
    }
}
