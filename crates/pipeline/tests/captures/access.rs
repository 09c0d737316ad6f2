//! LDAP against its truth.

use serde_json::Value;
use wirewise_model::{Call, Outcome};

use crate::compare::{attribute, number, same, word};

/// What `make_truth.py` cut at so many letters, or wrote with escapes of its own, is compared no further.
fn is_plain(text: &str) -> bool {
    text.len() < 400 && text.bytes().all(|byte| (b' '..0x7f).contains(&byte) && byte != b'\\')
}

pub(crate) fn ldap(call: &Call, line: &Value) -> Result<(), String> {
    let exchange = &call.exchange;
    let (asked, answered) = (&line["req"], &line["resp"]);
    let id = number(&asked["message_id"]).or(number(&answered["message_id"])).filter(|id| *id > 0);
    if let Some(id) = id {
        same("message id", attribute(exchange, "ldap.messageID"), Some(id.to_string()))?;
    }
    if asked.is_object() {
        let operation = match word(asked, "op") {
            "bindRequest" => "bind",
            "searchRequest" => "search",
            "modifyRequest" => "modify",
            "addRequest" => "add",
            "delRequest" => "delete",
            "modDNRequest" => "modifyDN",
            "compareRequest" => "compare",
            "extendedReq" => "extended",
            other => other,
        };
        same("operation", &*exchange.operation, operation)?;
        if let Some(dn) = asked["dn"].as_str().filter(|dn| is_plain(dn)) {
            same("entry", &*exchange.target, dn)?;
        }
        if let Some(oid) = asked["oid"].as_str() {
            same("oid", attribute(exchange, "ldap.requestName").as_deref(), Some(oid))?;
        }
        if let Some(scope) = number(&asked["scope"]) {
            let scopes = ["base", "one", "sub", "subordinates"];
            let theirs = scopes.get(scope as usize).copied();
            same("scope", attribute(exchange, "ldap.scope").as_deref(), theirs)?;
        }
        if operation == "bind" {
            let simple = attribute(exchange, "ldap.authentication").is_some_and(|way| way != "sasl");
            same("simple", simple, number(&asked["auth"]) != Some(3))?;
        }
    }
    if !answered.is_object() {
        return same("answered", exchange.complete, false);
    }
    if let Some(result) = answered["result"].as_i64() {
        same("result", exchange.status_code, Some(result))?;
        let well = matches!(result, 0 | 5 | 6 | 10 | 14) || word(line, "why") == "unsolicited";
        same("well", matches!(exchange.outcome, Outcome::Ok | Outcome::OneWay), well)?;
    }
    if let Some(entries) = number(&line["entries"]) {
        let ours = attribute(exchange, "db.response.returned_rows");
        same("entries", ours, Some(entries.to_string()))?;
    }
    Ok(())
}
