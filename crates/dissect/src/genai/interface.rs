//! Whose interface a path belongs to.

/// What a path says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Interface {
    /// A word of the conventions.
    pub(super) operation: &'static str,
    /// Another one: who is asked, or whose form the request has.
    pub(super) provider: &'static str,
    /// The model, where the path names it.
    pub(super) model: Option<String>,
    /// The path asks for a stream.
    pub(super) streams: bool,
}

/// Providers that have others' interfaces, by their hosts.
const HOSTS: [(&str, &str); 8] = [
    (".openai.azure.com", "azure.ai.openai"),
    ("api.mistral.ai", "mistral_ai"),
    ("api.groq.com", "groq"),
    ("api.deepseek.com", "deepseek"),
    ("api.x.ai", "x_ai"),
    ("api.perplexity.ai", "perplexity"),
    ("api.cohere.com", "cohere"),
    ("aiplatform.googleapis.com", "gcp.vertex_ai"),
];
/// Ends of paths: what they ask, and whose they are.
const ENDS: [(&str, &str, &str); 9] = [
    ("/chat/completions", "chat", "openai"),
    ("/v1/completions", "text_completion", "openai"),
    ("/embeddings", "embeddings", "openai"),
    ("/v1/responses", "chat", "openai"),
    ("/v1/messages", "chat", "anthropic"),
    ("/api/chat", "chat", "ollama"),
    ("/api/generate", "text_completion", "ollama"),
    ("/api/embed", "embeddings", "ollama"),
    ("/api/embeddings", "embeddings", "ollama"),
];
/// Methods of Gemini's that follow a colon.
const METHODS: [(&str, &str, bool); 4] = [
    ("generateContent", "generate_content", false),
    ("streamGenerateContent", "generate_content", true),
    ("embedContent", "embeddings", false),
    ("batchEmbedContents", "embeddings", false),
];
/// Longest model name that is told.
const LONGEST_NAME: usize = 128;

impl Interface {
    /// The interface that has that path.
    pub(super) fn of(path: &str, host: &str) -> Option<Self> {
        let host = host.split(':').next().unwrap_or_default();
        let by_host = || HOSTS.iter().find(|(end, _)| host.ends_with(end)).map(|(_, provider)| *provider);
        // The more particular ends stand behind the others.
        if let Some((_, operation, provider)) = ENDS.iter().rev().find(|(end, _, _)| path.ends_with(end)) {
            let provider = by_host().unwrap_or(provider);
            return Some(Self { operation, provider, model: None, streams: false });
        }
        let (before, last) = path.rsplit_once('/')?;
        if let Some((model, method)) = last.rsplit_once(':')
            && before.ends_with("/models")
            && let Some((_, operation, streams)) = METHODS.iter().find(|(name, _, _)| *name == method)
        {
            let provider = by_host().unwrap_or("gcp.gemini");
            return Some(Self { operation, provider, model: named(model), streams: *streams });
        }
        let (before, model) = before.rsplit_once('/')?;
        let streams = match last {
            "converse" | "invoke" => false,
            "converse-stream" | "invoke-with-response-stream" => true,
            _ => return None,
        };
        (before == "/model").then(|| Self {
            operation: "chat",
            provider: "aws.bedrock",
            model: named(model),
            streams,
        })
    }
}

fn named(model: &str) -> Option<String> {
    (!model.is_empty()).then(|| model.chars().take(LONGEST_NAME).collect())
}
