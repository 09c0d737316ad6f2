//! The shop's store, its assistant, and its server.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use wirewise_assistant::Assistant;
use wirewise_assistant::answer::{Answer, Question};
use wirewise_assistant::model::{Model, ModelConfig, TurnLimits};
use wirewise_assistant::server::{Bound, Listen, Shared, TlsFiles};
use wirewise_assistant::token::Token;
use wirewise_model::Viewer;
use wirewise_redact::{Batch, RecordFields};
use wirewise_store::{Store, StoreOptions};
use wirewise_testkit::model_server::{Heard, ScriptedModel, Step};
use wirewise_testkit::shop;
use wirewise_tools::Toolbox;

/// The data set that questions are about.
pub(crate) const DATASET: &str = "shop";
/// The key of the scripted model.
pub(crate) const KEY: &str = "sk-test-of-the-model";
/// The token of the door.
pub(crate) const TOKEN: &str = "token-of-the-door";

/// A store with the shop in it.
pub(crate) struct Shop {
    pub(crate) store: Arc<Store>,
    pub(crate) directory: TempDir,
}

impl Shop {
    pub(crate) async fn open() -> Self {
        let shop = Self::empty().await;
        shop.store.append(shop::batch(DATASET)).await.unwrap();
        shop
    }

    async fn empty() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let options = StoreOptions { upkeep: false, threads: 1, ..StoreOptions::default() };
        let store = Arc::new(Store::open(directory.path(), options).await.unwrap());
        Self { store, directory }
    }

    /// The shop with its first call told otherwise.
    pub(crate) async fn telling(dataset: &str, tell: impl FnOnce(&mut RecordFields)) -> Self {
        let shop = Self::empty().await;
        shop.add(dataset, tell).await;
        shop
    }

    /// One call more, in a data set of that name.
    pub(crate) async fn add(&self, dataset: &str, tell: impl FnOnce(&mut RecordFields)) {
        let mut batch: Batch = shop::batch(dataset);
        let mut fields: RecordFields = (*batch.calls[0]).clone();
        tell(&mut fields);
        batch.calls[0] = shop::record(&fields);
        self.store.append(batch).await.unwrap();
    }

    pub(crate) fn toolbox(&self) -> Arc<Toolbox> {
        Arc::new(Toolbox::new(Arc::clone(&self.store)))
    }

    /// An assistant that asks this model.
    pub(crate) fn with(&self, model: &ScriptedModel, tune: impl FnOnce(&mut ModelConfig)) -> Assistant {
        let mut config = ModelConfig {
            name: "scripted".to_owned(),
            base_url: model.url(),
            api_key: Some(Token::from_text(KEY)),
            allow_payloads: false,
            limits: TurnLimits::default(),
        };
        tune(&mut config);
        Assistant::new(self.toolbox(), Some(Model::new(config).unwrap()))
    }

    /// Asks a question of a model that plays `script`; gives the answer and what the model heard.
    pub(crate) async fn ask(&self, script: Vec<Step>) -> (Answer, Vec<Heard>) {
        self.ask_tuned(script, |_| {}).await
    }

    pub(crate) async fn ask_tuned(
        &self,
        script: Vec<Step>,
        tune: impl FnOnce(&mut ModelConfig),
    ) -> (Answer, Vec<Heard>) {
        let model = ScriptedModel::start(script).await.unwrap();
        let (question, viewer) = (question("what is going on?"), Viewer::owner());
        let assistant = self.with(&model, tune);
        let asked = assistant.ask(&question, &viewer);
        let answer =
            tokio::time::timeout(Duration::from_secs(60), asked).await.expect("a turn is bounded").unwrap();
        (answer, model.heard())
    }
}

pub(crate) fn question(text: &str) -> Question {
    Question { question: text.to_owned(), dataset: Some(DATASET.to_owned()) }
}

/// A server of the shop. Ends with the test's runtime.
pub(crate) struct Served {
    pub(crate) address: SocketAddr,
    _shop: Shop,
}

impl Served {
    pub(crate) async fn start(shop: Shop, assistant: Assistant) -> Self {
        Self::listen(shop, assistant, "127.0.0.1:0", None).await
    }

    pub(crate) async fn listen(
        shop: Shop,
        assistant: Assistant,
        listen: &str,
        tls: Option<TlsFiles>,
    ) -> Self {
        let listen =
            Listen { address: listen.parse().unwrap(), tls, public_hosts: vec!["wire.example".to_owned()] };
        let bound = Bound::bind(listen).await.unwrap();
        let address = bound.address();
        let shared = Shared {
            assistant,
            store: Arc::clone(&shop.store),
            capture: Arc::new(|| serde_json::json!({"running": false})),
        };
        tokio::spawn(async move {
            bound.serve(shared, Token::from_text(TOKEN), std::future::pending()).await.unwrap();
        });
        Self { address, _shop: shop }
    }

    /// The shop without a model.
    pub(crate) async fn planned() -> Self {
        let shop = Shop::open().await;
        let assistant = Assistant::new(shop.toolbox(), None);
        Self::start(shop, assistant).await
    }
}
