//! `wirewise query`: SQL in, rows out as they come.

use std::io::Read;

use anyhow::{Context, Result};
use futures::StreamExt;

use super::runtime;
use crate::arguments::Query;
use crate::config::Config;
use crate::output::Rows;
use crate::reach::Reach;

pub(crate) fn run(config: &Config, query: Query) -> Result<()> {
    let mut sql = query.sql;
    if sql == "-" {
        sql.clear();
        std::io::stdin().read_to_string(&mut sql).context("read SQL from standard input")?;
    }
    runtime()?.block_on(async {
        let reach = Reach::to_read(config).await?;
        let mut queried = reach.query(&sql, config.dataset()).await?;
        let mut printed = Rows::new(config.format(), queried.columns);
        while let Some(row) = queried.rows.next().await {
            printed.push(row?)?;
        }
        printed.finish()
    })
}
