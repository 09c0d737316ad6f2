//! `wirewise doctor`: what this machine allows, the limits in force, the model in use, and what each missing
//! thing costs. Changes nothing.

use anyhow::Result;
use serde_json::{Value, json};
use wirewise_capture::Privileges;
use wirewise_model::Limits;
use wirewise_store::{QueryLimits, Store, StoreError};

use super::runtime;
use crate::config::Config;
use crate::output;

/// One finding.
struct Finding {
    name: &'static str,
    good: bool,
    found: String,
    /// What its lack costs, and what would help.
    costs: Option<String>,
}

pub(crate) fn run(config: &Config) -> Result<()> {
    let findings = findings(config)?;
    let limits = limits(config);
    let value = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "checks": findings.iter().map(|finding| json!({"name": finding.name, "ok": finding.good, "found": finding.found, "costs": finding.costs})).collect::<Vec<_>>(),
        "limits": limits.iter().map(|(name, limit)| ((*name).to_owned(), json!(limit))).collect::<serde_json::Map<String, Value>>(),
        "model": config.model.as_ref().map(|model| json!({"name": model.name, "host": model.host(), "allow_payloads": model.allow_payloads})),
    });
    output::document(config.format(), &value, &told(&findings, &limits))
}

fn told(findings: &[Finding], limits: &[(&str, String)]) -> String {
    let mut text = format!("wirewise {}\n\n", env!("CARGO_PKG_VERSION"));
    for finding in findings {
        text.push_str(&format!(
            "{}  {:18} {}\n",
            if finding.good { "ok " } else { "-- " },
            finding.name,
            finding.found
        ));
        if let Some(costs) = &finding.costs {
            text.push_str(&format!("     {:18} {costs}\n", ""));
        }
    }
    text.push_str("\nlimits in force\n");
    for (name, limit) in limits {
        text.push_str(&format!("     {name:26} {limit}\n"));
    }
    text
}

fn findings(config: &Config) -> Result<Vec<Finding>> {
    let privileges = Privileges::probe();
    let mut findings =
        vec![Finding { name: "kernel", good: true, found: privileges.kernel.clone(), costs: None }];
    let caller = privileges
        .caller
        .as_ref()
        .map_or_else(String::new, |caller| format!(", called by uid {}", caller.uid));
    findings.push(Finding {
        name: "user",
        good: true,
        found: format!("uid {}{caller}; capabilities: {}", privileges.uid, list(&privileges.capabilities)),
        costs: None,
    });
    findings.push(match &privileges.packets {
        Ok(()) => Finding { name: "live capture", good: true, found: "packet sockets can be opened".to_owned(), costs: None },
        Err(why) => Finding {
            name: "live capture",
            good: false,
            found: why.clone(),
            costs: Some("`up` cannot hear packets: run it with sudo (it becomes you again), or `setcap cap_net_raw+ep` on the binary; import works".to_owned()),
        },
    });
    findings.push(match &privileges.namespaces {
        Ok(()) => Finding {
            name: "namespaces",
            good: true,
            found: "network namespaces can be entered".to_owned(),
            costs: None,
        },
        Err(why) => Finding {
            name: "namespaces",
            good: false,
            found: why.clone(),
            costs: Some("--netns does not work, and the demo replays a capture".to_owned()),
        },
    });
    findings.push(data(config)?);
    findings.push(key());
    findings.push(match &config.model {
        Some(model) => Finding { name: "model", good: true, found: format!("{} at {}, payloads {}", model.name, model.host(), if model.allow_payloads { "allowed" } else { "kept here" }), costs: None },
        None => Finding {
            name: "model",
            good: true,
            found: "none: the built-in planner answers, and nothing leaves this machine".to_owned(),
            costs: Some("questions outside of the planner's are refused; WIREWISE_MODEL and OPENAI_BASE_URL name a model".to_owned()),
        },
    });
    Ok(findings)
}

fn list(words: &[&str]) -> String {
    if words.is_empty() { "none of use to capture".to_owned() } else { words.join(", ") }
}

fn data(config: &Config) -> Result<Finding> {
    let place = config.data.display();
    let opened = runtime()?.block_on(Store::open_existing(&config.data, config.store_options()));
    Ok(match opened {
        Ok(store) => {
            let told: Vec<String> = store
                .datasets()
                .iter()
                .map(|dataset| {
                    format!(
                        "{} ({} calls, {} flows, {} lost)",
                        dataset.name, dataset.calls, dataset.flows, dataset.losses
                    )
                })
                .collect();
            Finding {
                name: "data",
                good: true,
                found: format!(
                    "{place}: {}",
                    if told.is_empty() { "empty".to_owned() } else { told.join(", ") }
                ),
                costs: None,
            }
        }
        Err(StoreError::Owned { owner, .. }) => {
            let owner = owner.map_or_else(
                || "another process".to_owned(),
                |owner| format!("process {} at {}", owner.pid, owner.url),
            );
            Finding {
                name: "data",
                good: true,
                found: format!("{place}: owned by {owner}; commands go through it"),
                costs: None,
            }
        }
        Err(StoreError::NoData { .. }) => Finding {
            name: "data",
            good: true,
            found: format!("{place}: nothing yet"),
            costs: Some("`wirewise import FILE` or `wirewise up` makes it".to_owned()),
        },
        Err(error) => Finding {
            name: "data",
            good: false,
            found: error.to_string(),
            costs: Some("no question can be answered from it".to_owned()),
        },
    })
}

fn key() -> Finding {
    match wirewise_agent::key_path(None) {
        Ok(path) if path.is_file() => {
            Finding { name: "redaction key", good: true, found: path.display().to_string(), costs: None }
        }
        Ok(path) => Finding {
            name: "redaction key",
            good: true,
            found: format!("{}: made at the first import or capture", path.display()),
            costs: None,
        },
        Err(error) => Finding {
            name: "redaction key",
            good: false,
            found: error.to_string(),
            costs: Some("nothing can be captured or imported".to_owned()),
        },
    }
}

/// What bounds what, in the units that people use.
fn limits(config: &Config) -> Vec<(&'static str, String)> {
    let (packets, store, query) = (Limits::default(), config.store_options(), QueryLimits::default());
    vec![
        (
            "live calls kept",
            format!("{} h or {} GB", store.keep_for.as_secs() / 3600, store.keep_bytes as f64 / 1e9),
        ),
        ("body kept", format!("{} KiB a side", packets.body_kept >> 10)),
        (
            "decompression",
            format!("{} KiB and {} times", packets.decompressed_bytes >> 10, packets.decompressed_ratio),
        ),
        ("query text", format!("{} KiB", wirewise_store::MOST_SQL >> 10)),
        ("query time", format!("{} s", query.time.as_secs())),
        ("query memory", format!("{} MiB", query.memory >> 20)),
        ("flows tracked", packets.flows.to_string()),
        ("bytes waiting", format!("{} MiB", packets.buffered_bytes >> 20)),
        (
            "response waited for",
            format!(
                "{} s, datagrams {} s",
                packets.response_wait.as_secs(),
                packets.datagram_response_wait.as_secs()
            ),
        ),
        ("API listens on", config.listen.to_string()),
    ]
}
