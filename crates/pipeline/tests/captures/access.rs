//! LDAP, RADIUS and Diameter against their truth.

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

pub(crate) fn radius(call: &Call, line: &Value) -> Result<(), String> {
    let exchange = &call.exchange;
    let (asked, answered) = (&line["req"], &line["resp"]);
    let id = number(&asked["id"]).or(number(&answered["id"])).map(|id| id.to_string());
    same("identifier", attribute(exchange, "radius.id"), id)?;
    if asked.is_object() {
        let operation = match number(&asked["code"]) {
            Some(1) => "Access-Request",
            Some(4) => "Accounting-Request",
            Some(12) => "Status-Server",
            Some(40) => "Disconnect-Request",
            Some(43) => "CoA-Request",
            _ => "?",
        };
        same("operation", &*exchange.operation, operation)?;
        for (key, name) in [
            ("user", "user.name"),
            ("nas_ip", "radius.NAS_IP_Address"),
            ("session", "radius.Acct_Session_Id"),
        ] {
            if let Some(theirs) = asked[key].as_str() {
                same(key, attribute(exchange, name).as_deref(), Some(theirs))?;
            }
        }
        if let Some(status) = number(&asked["acct_status"]) {
            let words =
                ["", "Start", "Stop", "Interim-Update", "", "", "", "Accounting-On", "Accounting-Off"];
            let ours = attribute(exchange, "radius.Acct_Status_Type");
            same("status type", ours.as_deref(), words.get(status as usize).copied())?;
        }
        let again = exchange.notes.iter().any(|note| note.0 == "retransmitted");
        same("retransmitted", again, number(&asked["retransmits"]).is_some())?;
        let bytes = exchange.request.as_ref().map(|request| request.track.bytes);
        let malformed = exchange.notes.iter().any(|note| note.0 == "malformed");
        if !malformed {
            same("length", bytes, number(&asked["length"]))?;
        }
    }
    if answered.is_object() {
        same("code", exchange.status_code, answered["code"].as_i64())?;
        let refused = matches!(number(&answered["code"]), Some(3 | 42 | 45));
        same("refused", exchange.error.is_some(), refused)?;
    }
    Ok(())
}

pub(crate) fn diameter(call: &Call, line: &Value) -> Result<(), String> {
    let exchange = &call.exchange;
    let (asked, answered) = (&line["req"], &line["resp"]);
    let either = if asked.is_object() { asked } else { answered };
    for (key, name) in
        [("cmd", "diameter.cmd.code"), ("hop", "diameter.hopbyhopid"), ("end", "diameter.endtoendid")]
    {
        same(key, attribute(exchange, name), number(&either[key]).map(|number| number.to_string()))?;
    }
    if asked.is_object() {
        for (key, name) in [("session", "diameter.Session-Id"), ("origin_host", "diameter.Origin-Host")] {
            if let Some(theirs) = asked[key].as_str() {
                same(key, attribute(exchange, name).as_deref(), Some(theirs))?;
            }
        }
        if let Some(realm) = asked["dest_realm"].as_str() {
            same("realm", &*exchange.target, realm)?;
        }
        let bytes = exchange.request.as_ref().map(|request| request.track.bytes);
        same("length", bytes, number(&asked["length"]))?;
    }
    if let Some(result) = answered["result"].as_i64() {
        same("result", exchange.status_code, Some(result))?;
        same("well", exchange.outcome == Outcome::Ok, result < 3000)?;
    }
    Ok(())
}
