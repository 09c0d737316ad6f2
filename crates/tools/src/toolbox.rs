//! The tools over one store.

use std::sync::Arc;

use serde_json::Value;
use wirewise_model::Viewer;
use wirewise_store::Store;

use crate::evidence::{Evidence, Span};
use crate::names::{Names, did_you_mean};
use crate::reader::Reader;
use crate::tool::ToolError;
use crate::{TOOLS, tool};

/// Runs tools on a store. Cheap to clone.
#[derive(Clone)]
pub struct Toolbox {
    store: Arc<Store>,
}

/// What a question is about, before it is asked: for prompts and answers that ran no tool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct About {
    /// The data set that is meant.
    pub dataset: String,
    /// Its now, in RFC 3339.
    pub now: String,
    /// What that is: `clock` or `last packet`.
    pub now_is: String,
    /// What it covers: first to last packet, calls, flows.
    pub covers: String,
}

impl Toolbox {
    /// Tools over this store.
    pub fn new(store: Arc<Store>) -> Self {
        Self { store }
    }

    /// The store.
    pub fn store(&self) -> &Arc<Store> {
        &self.store
    }

    /// Runs a tool. Unknown tools and arguments are told with the nearest known ones.
    pub async fn run(&self, name: &str, arguments: Value, viewer: &Viewer) -> Result<Evidence, ToolError> {
        let Some(tool) = tool(name) else {
            let known: Vec<&str> = TOOLS.iter().map(|tool| tool.name).collect();
            return Err(ToolError::tell(format!(
                "there is no tool `{}`{}; there are {}",
                crate::table::plain(name, 40),
                did_you_mean(name, known.iter().copied()),
                known.join(", ")
            )));
        };
        if tool.payloads && !viewer.payloads {
            return Err(ToolError::tell(format!(
                "{name} gives headers and bodies, which this reader may not see (allow_payloads is off); \
                 get_call tells all else of a call"
            )));
        }
        (tool.run)(self, arguments, viewer).await
    }

    /// What a question without a tool is about.
    pub async fn about(&self, dataset: Option<&str>) -> Result<About, ToolError> {
        let viewer = Viewer::model(false);
        let reader = Reader::open(&self.store, &viewer, dataset, None)?;
        let info = &reader.info;
        let covers = match (info.first_at, info.last_at) {
            (Some(first), Some(last)) => {
                format!("{first} to {last}, {} calls and {} flows", info.calls, info.flows)
            }
            (_, None) | (None, _) => "nothing yet".to_owned(),
        };
        Ok(About {
            dataset: info.name.clone(),
            now: reader.now.rfc3339(),
            now_is: reader.now_is().to_owned(),
            covers,
        })
    }

    /// The window that these words name in a data set; its default where they name none.
    pub fn window(&self, dataset: Option<&str>, words: Option<&str>) -> Result<Span, ToolError> {
        let viewer = Viewer::model(false);
        Ok(Reader::open(&self.store, &viewer, dataset, words)?.window.into())
    }

    /// The names that a data set knows: services, endpoints, hosts.
    pub async fn names(&self, dataset: Option<&str>, viewer: &Viewer) -> Result<Names, ToolError> {
        Reader::open(&self.store, viewer, dataset, None)?.names().await
    }
}
