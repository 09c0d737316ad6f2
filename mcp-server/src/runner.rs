//! Where the tools run.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use serde_json::Value;
use wirewise_model::Viewer;
use wirewise_tools::{Evidence, ToolError, Toolbox};

/// A run under way.
pub type RunningTool<'a> = Pin<Box<dyn Future<Output = Result<Evidence, ToolError>> + Send + 'a>>;

/// Runs tools by name.
pub trait ToolRunner: Send + Sync + 'static {
    /// Runs the tool of that name with these arguments.
    fn run<'a>(&'a self, name: &'a str, arguments: Value) -> RunningTool<'a>;

    /// Whether headers and bodies may be read; where not, their tool is not offered.
    fn payloads(&self) -> bool;
}

/// Runs them in this process, for one viewer.
pub struct Local {
    toolbox: Arc<Toolbox>,
    viewer: Viewer,
}

impl Local {
    /// A runner for `viewer`.
    pub fn new(toolbox: Arc<Toolbox>, viewer: Viewer) -> Self {
        Self { toolbox, viewer }
    }
}

impl ToolRunner for Local {
    fn run<'a>(&'a self, name: &'a str, arguments: Value) -> RunningTool<'a> {
        Box::pin(self.toolbox.run(name, arguments, &self.viewer))
    }

    fn payloads(&self) -> bool {
        self.viewer.payloads
    }
}
