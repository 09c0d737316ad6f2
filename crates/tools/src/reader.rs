//! One run's view of the store: a data set, its now, a window, and reading on a viewer's behalf.

use std::time::Duration;

use wirewise_model::{Timestamp, Viewer, Window};
use wirewise_store::{DatasetInfo, Scope, Store, StoreError};

use crate::evidence::LossTold;
use crate::names::{KnownEndpoint, Names};
use crate::table::Table;
use crate::tool::ToolError;
use crate::window::parse_window;

/// What is read of a live capture where no window is named.
const LIVE_WINDOW: Duration = Duration::from_secs(3600);

/// Rows of any one query of a tool.
const MOST_ROWS: usize = 20_000;

/// Endpoints whose names are known, busiest first.
const MOST_ENDPOINTS: usize = 2_000;

pub(crate) struct Reader<'a> {
    store: &'a Store,
    viewer: &'a Viewer,
    pub(crate) info: DatasetInfo,
    pub(crate) now: Timestamp,
    /// All that the data set covers, its end just after now.
    pub(crate) whole: Window,
    pub(crate) window: Window,
}

/// What a store's error means to whoever asked.
pub(crate) fn told(error: StoreError) -> ToolError {
    if error.is_tell() { ToolError::Tell(error.to_string()) } else { ToolError::Fail(error.to_string()) }
}

impl<'a> Reader<'a> {
    pub(crate) fn open(
        store: &'a Store,
        viewer: &'a Viewer,
        dataset: Option<&str>,
        window: Option<&str>,
    ) -> Result<Self, ToolError> {
        let info = store.resolve_dataset(dataset).map_err(told)?;
        let now = info.now();
        let end = now.max(info.last_at.unwrap_or(now)) + Duration::from_nanos(1);
        let from = info.first_at.unwrap_or_else(|| now.before(LIVE_WINDOW)).min(now);
        let whole = Window { from, to: end };
        let window = match window.map(str::trim).filter(|text| !text.is_empty()) {
            Some(text) => {
                parse_window(text, now, whole).map_err(|error| ToolError::Tell(error.to_string()))?
            }
            None if info.live => Window { from: now.before(LIVE_WINDOW).max(from), to: end },
            None => whole,
        };
        Ok(Self { store, viewer, info, now, whole, window })
    }

    pub(crate) fn now_is(&self) -> &'static str {
        if self.info.live { "clock" } else { "last packet" }
    }

    fn scope(&self) -> Scope {
        Scope::new(self.info.name.clone(), self.viewer).rows(MOST_ROWS)
    }

    /// Runs a query of our own.
    pub(crate) async fn read(&self, query: &str) -> Result<Table, ToolError> {
        self.run(query, &self.scope()).await.map(|(table, _)| table)
    }

    /// Runs a query of somebody else's, at most `most` rows of it; whether there were more.
    pub(crate) async fn read_foreign(&self, query: &str, most: usize) -> Result<(Table, bool), ToolError> {
        self.run(query, &self.scope().for_model().rows(most)).await
    }

    async fn run(&self, query: &str, scope: &Scope) -> Result<(Table, bool), ToolError> {
        let rows = self.store.query_rows(query, scope).await.map_err(|error| {
            tracing::debug!(%error, query, "query failed");
            told(error)
        })?;
        let truncated = rows.truncated;
        Ok((Table::from_rows(rows), truncated))
    }

    /// One number.
    pub(crate) async fn count(&self, query: &str) -> Result<u64, ToolError> {
        let table = self.read(query).await?;
        Ok(table.rows.first().and_then(|row| row.first()).and_then(|value| value.as_u64()).unwrap_or(0))
    }

    /// What was lost in a window, most first.
    pub(crate) async fn losses(&self, window: Window) -> Result<Vec<LossTold>, ToolError> {
        let rows = self.store.losses(&self.info.name, window).await.map_err(told)?;
        let mut losses: Vec<LossTold> = Vec::new();
        for row in rows {
            match losses.iter_mut().find(|loss| loss.stage == row.stage && loss.reason == row.reason) {
                Some(loss) => loss.count += row.count,
                None => losses.push(LossTold { stage: row.stage, reason: row.reason, count: row.count }),
            }
        }
        losses.sort_by(|left, right| right.count.cmp(&left.count).then(left.reason.cmp(&right.reason)));
        Ok(losses)
    }

    /// Every name that the data set knows, whatever the window.
    pub(crate) async fn names(&self) -> Result<Names, ToolError> {
        let mut names = Names::default();
        let ends = self
            .read(
                "SELECT client_workload, client_service, server_workload, server_service, protocol, host, \
                 count(*) AS calls FROM calls GROUP BY 1, 2, 3, 4, 5, 6 ORDER BY calls DESC LIMIT 20000",
            )
            .await?;
        for row in ends.iter() {
            for column in ["client_workload", "client_service", "server_workload", "server_service"] {
                let name = row.text(column);
                if !name.is_empty() {
                    names.services.insert(name.to_owned());
                }
            }
            if !matches!(row.text("protocol"), "dns" | "icmp" | "icmpv6" | "tcp" | "udp" | "sctp") {
                names.servers.insert(row.text("server_workload").to_owned());
            }
            if !row.text("host").is_empty() {
                names.hosts.insert(row.text("host").to_owned());
            }
            names.protocols.insert(row.text("protocol").to_owned());
        }
        let endpoints = self
            .read(&format!(
                "SELECT server_workload, protocol, operation, endpoint, count(*) AS calls FROM calls \
                 WHERE kind <> 'connection' GROUP BY 1, 2, 3, 4 ORDER BY calls DESC LIMIT {MOST_ENDPOINTS}"
            ))
            .await?;
        names.endpoints = endpoints
            .iter()
            .map(|row| KnownEndpoint {
                server: row.text("server_workload").to_owned(),
                protocol: row.text("protocol").to_owned(),
                operation: row.text("operation").to_owned(),
                endpoint: row.text("endpoint").to_owned(),
            })
            .collect();
        Ok(names)
    }

    pub(crate) fn captures(&self) -> &[wirewise_redact::CaptureInfo] {
        &self.info.captures
    }
}
