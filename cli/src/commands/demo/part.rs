//! The shop's services: real servers and clients over HTTP, DNS and Redis, each a process of its own.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::dns::ShopDns;
use super::shop::DNS;

/// Requests of the shoppers a second.
const PACE: u64 = 12;
/// What inventory takes longer when it is slow.
const SLOWNESS: Duration = Duration::from_millis(520);
const REDIS: &str = "10.77.0.60:6379";

/// What a service needs to do its part.
#[derive(Clone)]
struct Part {
    client: reqwest::Client,
    fault: PathBuf,
    version: &'static str,
}

impl Part {
    /// The fault that is on, if one is.
    fn fault(&self) -> String {
        std::fs::read_to_string(&self.fault).unwrap_or_default()
    }

    /// Calls another service of the shop by its name.
    async fn call(&self, method: Method, url: &str, body: Option<Value>) -> Reply {
        let mut request = self.client.request(method, url);
        if let Some(body) = body {
            request = request.json(&body);
        }
        match request.send().await {
            Ok(response) => {
                let status =
                    StatusCode::from_u16(response.status().as_u16()).unwrap_or(StatusCode::BAD_GATEWAY);
                (status, Json(response.json().await.unwrap_or(Value::Null)))
            }
            Err(error) => {
                let host = reqwest::Url::parse(url)
                    .ok()
                    .and_then(|url| url.host_str().map(str::to_owned))
                    .unwrap_or_default();
                let why = if error.is_timeout() { "timed out" } else { "cannot be reached" };
                (StatusCode::BAD_GATEWAY, Json(json!({"error": format!("upstream {host} {why}")})))
            }
        }
    }
}

type Reply = (StatusCode, Json<Value>);

/// Plays one part until the process is ended.
pub(super) async fn play(part: &str, arguments: &[String]) -> Result<()> {
    let [address, fault] = arguments else {
        bail!("a part takes an address and the file that names the fault")
    };
    // Orders asks for payments anew each time, so that both of its versions are met.
    let kept = if part == "orders" { 0 } else { 8 };
    let client = reqwest::Client::builder()
        .dns_resolver(Arc::new(ShopDns::new(DNS)))
        .no_proxy()
        .timeout(Duration::from_secs(5))
        .pool_max_idle_per_host(kept)
        .pool_idle_timeout(Duration::from_millis(700))
        .user_agent(concat!("shop/", env!("CARGO_PKG_VERSION")))
        .build()
        .context("make the service's client")?;
    let version = if part == "payments2" { "v2" } else { "v1" };
    let state = Part { client, fault: PathBuf::from(fault), version };
    let router = match part {
        "gateway" => gateway(),
        "orders" => orders(),
        "payments1" | "payments2" => {
            Router::new().route("/charges", post(charge)).route("/health", get(health))
        }
        "inventory" => Router::new()
            .route("/stock/{sku}", get(stock))
            .route("/reservations", post(reserve))
            .route("/health", get(health)),
        "shoppers" => return shop(state).await,
        part => bail!("the shop has no part {part}"),
    };
    let listener = tokio::net::TcpListener::bind(format!("{address}:8080"))
        .await
        .with_context(|| format!("listen on {address}"))?;
    axum::serve(listener, router.with_state(state)).await.context("serve")
}

async fn health(State(part): State<Part>) -> Json<Value> {
    Json(json!({"status": "ok", "version": part.version}))
}

fn gateway() -> Router<Part> {
    Router::new()
        .route(
            "/orders",
            get(|State(part): State<Part>| async move {
                part.call(Method::GET, "http://orders.shop:8080/orders", None).await
            }),
        )
        .route(
            "/orders/{id}",
            get(|State(part): State<Part>, Path(id): Path<String>| async move {
                part.call(Method::GET, &format!("http://orders.shop:8080/orders/{id}"), None).await
            }),
        )
        .route(
            "/checkout",
            post(|State(part): State<Part>, Json(body): Json<Value>| async move {
                part.call(Method::POST, "http://orders.shop:8080/orders", Some(body)).await
            }),
        )
        .route(
            "/catalog/{sku}",
            get(|State(part): State<Part>, Path(sku): Path<String>| async move {
                part.call(Method::GET, &format!("http://inventory.shop:8080/stock/{sku}"), None).await
            }),
        )
}

fn orders() -> Router<Part> {
    Router::new().route("/orders", get(list_orders).post(make_order)).route("/orders/{id}", get(order))
}

async fn list_orders() -> Json<Value> {
    let order = |id: u64| json!({"id": id, "state": "paid", "total": 1000 + id * 7 % 900});
    Json(json!({"orders": (1..=10).map(order).collect::<Vec<_>>()}))
}

async fn order(Path(id): Path<String>) -> Reply {
    match id.parse::<u64>() {
        Ok(id) if id % 50 != 0 => (StatusCode::OK, Json(json!({"id": id, "state": "paid"}))),
        _ => (StatusCode::NOT_FOUND, Json(json!({"error": "no such order"}))),
    }
}

async fn make_order(State(part): State<Part>, Json(body): Json<Value>) -> Reply {
    // The fault of a release: a name that nobody serves.
    let inventory = if part.fault() == "nxdomain" { "inventory-v2.shop" } else { "inventory.shop" };
    let reserved = part
        .call(
            Method::POST,
            &format!("http://{inventory}:8080/reservations"),
            Some(json!({"sku": body["sku"], "count": 1})),
        )
        .await;
    if !reserved.0.is_success() {
        return reserved;
    }
    let charged = part
        .call(
            Method::POST,
            "http://payments.shop:8080/charges",
            Some(json!({"card": body["card"], "amount": body["amount"]})),
        )
        .await;
    if !charged.0.is_success() {
        return (StatusCode::BAD_GATEWAY, charged.1);
    }
    (StatusCode::CREATED, Json(json!({"state": "paid"})))
}

async fn charge(State(part): State<Part>) -> Reply {
    tokio::time::sleep(Duration::from_millis(8)).await;
    if part.version == "v2" && part.fault() == "errors" {
        return (
            StatusCode::INTERNAL_SERVER_ERROR,
            Json(json!({"error": "ledger schema 2 has no column fee"})),
        );
    }
    (StatusCode::CREATED, Json(json!({"state": "charged", "version": part.version})))
}

async fn stock(State(part): State<Part>, Path(sku): Path<String>) -> Reply {
    if part.fault() == "slow" {
        tokio::time::sleep(SLOWNESS).await;
    }
    match redis(&["GET", &format!("stock:{sku}")]).await {
        Ok(count) => (StatusCode::OK, Json(json!({"sku": sku, "count": count}))),
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, Json(json!({"error": "stock is not known"}))),
    }
}

async fn reserve(State(part): State<Part>, Json(body): Json<Value>) -> Reply {
    if part.fault() == "slow" {
        tokio::time::sleep(SLOWNESS).await;
    }
    let sku = body["sku"].as_str().unwrap_or("none").to_owned();
    match redis(&["DECR", &format!("stock:{sku}")]).await {
        Ok(left) => (StatusCode::CREATED, Json(json!({"sku": sku, "left": left}))),
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, Json(json!({"error": "stock is not known"}))),
    }
}

/// One command to Redis, and the first line of its answer.
async fn redis(words: &[&str]) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(REDIS).await?;
    let mut command = format!("*{}\r\n", words.len());
    for word in words {
        command.push_str(&format!("${}\r\n{word}\r\n", word.len()));
    }
    stream.write_all(command.as_bytes()).await?;
    let mut answer = [0u8; 256];
    let length = stream.read(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer[..length]).lines().next().unwrap_or_default().to_owned())
}

/// The shoppers: steady load, each request by itself, whether or not the one before was answered.
async fn shop(part: Part) -> Result<()> {
    let count = Arc::new(AtomicU64::new(0));
    let mut beat = tokio::time::interval(Duration::from_millis(1000 / PACE));
    loop {
        beat.tick().await;
        let (part, count) = (part.clone(), Arc::clone(&count));
        tokio::spawn(async move {
            let number = count.fetch_add(1, Ordering::Relaxed);
            let order =
                json!({"sku": format!("sku-{}", number % 7), "amount": 1999, "card": "4111111111111111"});
            match number % 4 {
                0 => part.call(Method::GET, "http://gateway.shop:8080/orders", None).await,
                1 => {
                    part.call(
                        Method::GET,
                        &format!("http://gateway.shop:8080/orders/{}", 1000 + number % 97),
                        None,
                    )
                    .await
                }
                2 => part.call(Method::POST, "http://gateway.shop:8080/checkout", Some(order)).await,
                _ => {
                    part.call(
                        Method::GET,
                        &format!("http://gateway.shop:8080/catalog/sku-{}", number % 7),
                        None,
                    )
                    .await
                }
            }
        });
    }
}
