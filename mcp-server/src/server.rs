//! What the protocol's requests mean here: `tools/list` is the table, `tools/call` a run.

use std::sync::Arc;

use rmcp::model::{
    CacheScope, CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, Implementation,
    JsonObject, ListToolsResult, PaginatedRequestParams, ServerCapabilities, ServerConfig, Tool,
    ToolAnnotations,
};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer, ServerHandler};
use serde_json::Value;
use wirewise_tools::{TOOLS, ToolError};

use crate::runner::ToolRunner;

/// How long a client may keep the list: it changes with the program alone.
const LIST_TTL_MS: u64 = 3_600_000;

/// One client's server. Holds nothing of its own.
#[derive(Clone)]
pub struct Server {
    runner: Arc<dyn ToolRunner>,
}

impl Server {
    /// A server over this runner.
    pub fn new(runner: Arc<dyn ToolRunner>) -> Self {
        Self { runner }
    }

    fn offers(&self, tool: &wirewise_tools::Tool) -> bool {
        self.runner.payloads() || !tool.payloads
    }
}

fn object(schema: Value) -> Arc<JsonObject> {
    match schema {
        Value::Object(fields) => Arc::new(fields),
        _ => Arc::default(),
    }
}

fn described(tool: &wirewise_tools::Tool) -> Tool {
    let annotations = ToolAnnotations::with_title(tool.title)
        .read_only(tool.read_only)
        .destructive(false)
        .idempotent(true)
        .open_world(false);
    Tool::new(tool.name, tool.description, object((tool.input_schema)()))
        .with_title(tool.title)
        .with_raw_output_schema(object((tool.output_schema)()))
        .with_annotations(annotations)
}

impl ServerHandler for Server {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build()).with_server_info(
            Implementation::new("wirewise", env!("CARGO_PKG_VERSION")).with_title("Wirewise"),
        )
    }

    async fn list_tools(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let tools = TOOLS.iter().filter(|tool| self.offers(tool)).map(|tool| described(tool)).collect();
        Ok(ListToolsResult::with_all_items(tools)
            .with_ttl_ms(LIST_TTL_MS)
            .with_cache_scope(CacheScope::Private))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let known = wirewise_tools::tool(&request.name).filter(|tool| self.offers(tool));
        let Some(tool) = known else {
            return Err(ErrorData::invalid_params(format!("unknown tool: {}", request.name), None));
        };
        let arguments = Value::Object(request.arguments.unwrap_or_default());
        match self.runner.run(tool.name, arguments).await {
            Ok(evidence) => {
                let mut result = CallToolResult::success(vec![ContentBlock::text(evidence.text.clone())]);
                result.structured_content = Some(evidence.structured());
                Ok(result.into())
            }
            Err(ToolError::Tell(text)) => Ok(CallToolResult::error(vec![ContentBlock::text(text)]).into()),
            Err(ToolError::Fail(text)) => {
                tracing::error!(tool = tool.name, error = text, "a tool failed");
                Err(ErrorData::internal_error(text, None))
            }
        }
    }
}
