//! TLS: versions, ciphers, certificates and when they end, handshakes that failed.

use std::time::Duration;

use wirewise_tools::ToolError;

use crate::planner::compose::{Said, cite, count, listed, moment_text, name, quoted, words};
use crate::planner::conditions::{self, SubjectIs};
use crate::planner::desk::Desk;
use crate::planner::grammar::{Cue, Reading, Slots};

/// What `soon` means of a certificate.
const SOON: Duration = Duration::from_secs(30 * 86_400);

/// Flows that carried TLS.
const SECURED: &str = "(tls_version IS NOT NULL OR sni IS NOT NULL OR ja3 IS NOT NULL)";

/// Versions that are not to be used any more (RFC 8996, RFC 7568).
const WEAK_VERSION: &str = "tls_version IN ('SSL2.0', 'SSL3.0', 'SSLv2', 'SSLv3', 'TLS1.0', 'TLS1.1')";

/// Ciphers without secrecy worth the name.
const WEAK_CIPHER: &str = "(tls_cipher LIKE '%RC4%' OR tls_cipher LIKE '%3DES%' OR tls_cipher LIKE \
    '%_DES_%' OR tls_cipher LIKE '%NULL%' \
                           OR tls_cipher LIKE '%EXPORT%' OR tls_cipher LIKE '%anon%' OR tls_cipher LIKE \
                           '%MD5%')";

pub(crate) async fn run(desk: &mut Desk, reading: &Reading) -> Result<Said, ToolError> {
    let slots = Slots { endpoint: None, status: None, ..reading.slots.clone() };
    let about = conditions::told(&slots);
    let mut said = Said::new(format!("TLS{about}: versions, ciphers, certificates and failed handshakes"));
    let mut condition = format!("{} AND {SECURED}", conditions::flows(desk, &slots));
    if let Some(host) = &slots.host {
        condition.push_str(&format!(" AND lower(sni) = {}", conditions::text(&host.to_lowercase())));
    }
    let totals = desk
        .sql(format!(
            "SELECT count(*) AS flows, count(*) FILTER (WHERE {WEAK_VERSION}) AS weak_version, count(*) \
             FILTER (WHERE {WEAK_CIPHER}) AS weak_cipher, \
             count(*) FILTER (WHERE tls_version IS NULL) AS no_version, count(certificate_subject) AS \
             with_certificate, min(flow_id) AS example \
             FROM flows WHERE {condition}"
        ))
        .await?;
    let Some(row) = totals.first().filter(|row| row.count("flows") > 0) else {
        said.line(format!("No TLS{about} was heard in this window."));
        failed(desk, &mut said, &slots).await?;
        return Ok(said);
    };
    let flows = row.count("flows");
    said.line(format!(
        "{} carried TLS{about}: {} with a weak version, {} with a weak cipher, {} whose handshake told no \
         version{}.",
        count(flows, "flow"),
        row.count("weak_version"),
        row.count("weak_cipher"),
        row.count("no_version"),
        cite(row.text("example"))
    ));
    let with_certificate = row.count("with_certificate");
    let about_certificates = reading.has(Cue::Certificate) || reading.has(Cue::Expire);
    if !about_certificates {
        versions(desk, &mut said, &condition, reading.has(Cue::Weak)).await?;
    }
    if about_certificates
        || !(reading.has(Cue::Cipher) || reading.has(Cue::Version) || reading.has(Cue::Weak))
    {
        certificates(desk, &mut said, &condition, flows, with_certificate).await?;
    }
    failed(desk, &mut said, &slots).await?;
    Ok(said)
}

async fn versions(
    desk: &mut Desk,
    said: &mut Said,
    condition: &str,
    only_weak: bool,
) -> Result<(), ToolError> {
    let narrowed = if only_weak {
        format!(
            " AND ({WEAK_VERSION} OR \
        {WEAK_CIPHER})"
        )
    } else {
        String::new()
    };
    let found = desk
        .sql(format!(
            "SELECT tls_version AS version, tls_cipher AS cipher, count(*) AS flows, count(DISTINCT \
             server_workload) AS servers, \
             min(server_workload) AS server, min(flow_id) AS example FROM flows WHERE \
             {condition}{narrowed} GROUP BY 1, 2 ORDER BY flows DESC LIMIT 10"
        ))
        .await?;
    if found.is_empty() {
        said.line("None of them is weak.");
        return Ok(());
    }
    said.line(if only_weak { "Weak ones:" } else { "Versions and ciphers:" });
    for row in found.iter() {
        let text = |column: &str| {
            if row.text(column).is_empty() { "unknown".to_owned() } else { name(row.text(column)) }
        };
        let servers = match row.count("servers") {
            1 => name(row.text("server")),
            more => format!("{more} servers"),
        };
        said.item(format!(
            "{} with {}: {} to {servers}{}",
            text("version"),
            text("cipher"),
            count(row.count("flows"), "flow"),
            cite(row.text("example"))
        ));
    }
    Ok(())
}

async fn certificates(
    desk: &mut Desk,
    said: &mut Said,
    condition: &str,
    flows: u64,
    visible: u64,
) -> Result<(), ToolError> {
    if visible == 0 {
        said.line(format!(
            "No certificate could be read on {}: TLS 1.3 hides them, and resumed sessions send none.",
            count(flows, "flow")
        ));
        return Ok(());
    }
    let (now, soon) = (desk.now.rfc3339(), (desk.now + SOON).rfc3339());
    let found = desk
        .sql(format!(
            "SELECT certificate_subject AS subject, certificate_issuer AS issuer, certificate_expires_at \
             AS expires_at, min(server_workload) AS server, \
             min(sni) AS sni, count(*) AS flows, min(flow_id) AS example, \
             CASE WHEN certificate_expires_at < TIMESTAMP '{now}' THEN 'expired' WHEN \
             certificate_expires_at < TIMESTAMP '{soon}' THEN 'soon' ELSE 'later' END AS state \
             FROM flows WHERE {condition} AND certificate_subject IS NOT NULL GROUP BY 1, 2, 3 ORDER BY \
             expires_at, flows DESC LIMIT 40"
        ))
        .await?;
    let n = |state: &str| found.iter().filter(|row| row.text("state") == state).count() as u64;
    said.line(format!(
        "{} seen: {} expired, {} within 30 days of their end. Soonest first:",
        count(found.len() as u64, "certificate"),
        n("expired"),
        n("soon")
    ));
    for row in found.iter().take(8) {
        let when = if row.text("expires_at").is_empty() {
            "an unknown time".to_owned()
        } else {
            moment_text(row.text("expires_at"))
        };
        let state = match row.text("state") {
            "expired" => "expired at",
            "soon" => "ends soon, at",
            _ => "ends at",
        };
        said.item(format!(
            "{} of {}: {state} {when}, issued by {}, {}{}",
            quoted(row.text("subject")),
            name(if row.text("sni").is_empty() { row.text("server") } else { row.text("sni") }),
            quoted(row.text("issuer")),
            count(row.count("flows"), "flow"),
            cite(row.text("example"))
        ));
    }
    if visible < flows {
        said.line(format!(
            "On {} none could be read: TLS 1.3 hides them, and resumed sessions send none.",
            count(flows - visible, "flow")
        ));
    }
    Ok(())
}

async fn failed(desk: &mut Desk, said: &mut Said, slots: &Slots) -> Result<(), ToolError> {
    let asked = Slots { protocol: Some("tls".to_owned()), ..slots.clone() };
    let condition = conditions::calls(desk, &asked, SubjectIs::Either);
    let found = desk
        .sql(format!(
            "SELECT client_workload AS client, server_workload AS server, status, outcome, min(error) AS \
             error, count(*) AS calls, min(call_id) AS example \
             FROM calls WHERE {condition} AND outcome IN ('client_error', 'server_error', 'aborted', \
             'no_response') \
             GROUP BY 1, 2, 3, 4 ORDER BY calls DESC LIMIT 5"
        ))
        .await?;
    if found.is_empty() {
        return Ok(());
    }
    said.line("Handshakes that failed:");
    for row in found.iter() {
        let mut why: Vec<String> = Vec::new();
        if !row.text("status").is_empty() {
            why.push(name(row.text("status")));
        }
        if !row.text("error").is_empty() {
            why.push(words(row.text("error")));
        }
        if why.is_empty() {
            why.push(row.text("outcome").replace('_', " "));
        }
        said.item(format!(
            "{} to {}: {} ({}){}",
            name(row.text("client")),
            name(row.text("server")),
            count(row.count("calls"), "handshake"),
            listed(&why),
            cite(row.text("example"))
        ));
    }
    Ok(())
}
