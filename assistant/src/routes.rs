//! Every route, in one table: what is not in it is not served, and the test of the door goes through it.

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{MethodRouter, get, post};

use crate::server::Shared;
use crate::{openai, web};

/// A batch of 4,096 calls with bodies of 16 KiB on both sides, and room.
const MOST_BATCH: usize = 256 << 20;
/// A conversation that a chat client repeats with each question.
const MOST_CONVERSATION: usize = 4 << 20;
/// Everything else that is sent to us.
const MOST_REQUEST: usize = 1 << 20;

/// Where MCP is spoken. Its service reads methods and bodies by itself, and stands behind the same door.
pub(crate) const MCP: &str = "/mcp";
/// The methods of its transport.
const MCP_METHODS: [&str; 3] = ["GET", "POST", "DELETE"];

/// A method and a path that are answered.
struct Route {
    method: &'static str,
    path: &'static str,
    /// Bytes of a request's body. A longer one is answered 413.
    most_body: usize,
    handler: fn() -> MethodRouter<Shared>,
}

static ROUTES: &[Route] = &[
    read("/", || get(web::page)),
    read("/api/status", || get(web::status)),
    read("/api/datasets", || get(web::datasets)),
    read("/api/captures", || get(web::captures)),
    asked("/api/tools/{name}", MOST_REQUEST, || post(web::tool)),
    asked("/api/query", MOST_REQUEST, || post(web::query)),
    asked("/api/ask", MOST_REQUEST, || post(web::ask)),
    asked("/api/append", MOST_BATCH, || post(web::append)),
    read("/v1/models", || get(openai::models)),
    asked("/v1/chat/completions", MOST_CONVERSATION, || post(openai::complete)),
];

const fn read(path: &'static str, handler: fn() -> MethodRouter<Shared>) -> Route {
    Route { method: "GET", path, most_body: MOST_REQUEST, handler }
}

const fn asked(path: &'static str, most_body: usize, handler: fn() -> MethodRouter<Shared>) -> Route {
    Route { method: "POST", path, most_body, handler }
}

/// Method and path of everything that is served.
pub fn routes() -> impl Iterator<Item = (&'static str, &'static str)> {
    let mcp = MCP_METHODS.iter().map(|method| (*method, MCP));
    ROUTES.iter().map(|route| (route.method, route.path)).chain(mcp)
}

pub(crate) fn router() -> Router<Shared> {
    ROUTES.iter().fold(Router::new(), |router, route| {
        let handler = (route.handler)().layer(DefaultBodyLimit::max(route.most_body));
        router.route(route.path, handler)
    })
}

#[cfg(test)]
mod tests {
    /// A route that is made elsewhere would be served and never tested.
    #[test]
    fn no_other_module_makes_routes() {
        let sources = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/src")).unwrap();
        let files = sources.map(|entry| entry.unwrap().path());
        for file in files.filter(|path| path.is_file() && !path.ends_with("routes.rs")) {
            let text = std::fs::read_to_string(&file).unwrap();
            for maker in [".route(", ".route_service(", ".merge(", ".fallback("] {
                assert!(!text.contains(maker), "{} makes a route with {maker}", file.display());
            }
        }
    }
}
