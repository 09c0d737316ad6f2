//! One call or flow: what it was, how it went, what its server did meanwhile.

use serde_json::json;
use wirewise_tools::{Evidence, Row, Table, ToolError};

use super::failures::outcome_told;
use super::overview::table;
use crate::planner::compose::{
    Said, bytes, cite, count, endpoint_of, moment_text, ms, ms_of, name, quoted, words,
};
use crate::planner::desk::Desk;
use crate::planner::grammar::Reading;

/// A row that stands upright: fields and their values.
struct Upright(Table);

impl Upright {
    fn of(evidence: &Evidence, name: &str) -> Self {
        Self(table(evidence, name))
    }

    fn row(&self, field: &str) -> Option<Row<'_>> {
        self.0.iter().find(|row| row.text("field") == field)
    }

    fn text(&self, field: &str) -> String {
        self.row(field).map(|row| row.text("value").to_owned()).unwrap_or_default()
    }

    fn number(&self, field: &str) -> Option<f64> {
        self.row(field).and_then(|row| row.number("value"))
    }

    fn count(&self, field: &str) -> u64 {
        self.row(field).map_or(0, |row| row.count("value"))
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

pub(crate) async fn run(desk: &mut Desk, reading: &Reading) -> Result<Said, ToolError> {
    let id = reading.slots.id.clone().unwrap_or_default();
    let mut said = Said::new(format!("all that is known of {}, but its payload", quoted(&id)));
    desk.window = desk.whole;
    let evidence = desk.tool("get_call", json!({"id": id})).await?;
    let call = Upright::of(&evidence, "call");
    if !call.is_empty() {
        tell_call(&mut said, &call);
        let neighbours =
            |title: &str, name: &str, said: &mut Said| neighbours(said, title, &table(&evidence, name));
        neighbours("Meanwhile its server made these calls, longest first:", "meanwhile", &mut said);
        neighbours("Other calls of its trace:", "trace", &mut said);
    }
    let flow = Upright::of(&evidence, "flow");
    if !flow.is_empty() {
        tell_flow(&mut said, &flow);
    }
    neighbours(&mut said, "Its calls:", &table(&evidence, "calls"));
    Ok(said)
}

fn tell_call(said: &mut Said, call: &Upright) {
    let what =
        crate::planner::compose::label(&call.text("operation"), &call.text("target"), &call.text("protocol"));
    said.line(format!(
        "At {} {} asked {} over {} for {}{}.",
        moment_text(&call.text("started_at")),
        name(&call.text("client_workload")),
        name(&call.text("server_workload")),
        name(&call.text("protocol")),
        what,
        cite(&call.text("call_id"))
    ));
    let mut line = format!("It ended as {}", name(&call.text("outcome")).replace('_', " "));
    line.push_str(&outcome_told(&call.text("status"), &call.text("outcome")));
    if !call.text("error").is_empty() {
        line.push_str(&format!(", {}", words(&call.text("error"))));
    }
    match (call.number("duration_ms"), call.number("ttfb_ms")) {
        (Some(duration), Some(first)) => {
            line.push_str(&format!(", after {} ({} to the first byte)", ms(duration), ms(first)))
        }
        (Some(duration), None) => line.push_str(&format!(", after {}", ms(duration))),
        (None, _) => line.push_str(", no response seen"),
    }
    line.push_str(&format!(
        "; {} asked, {} answered.",
        bytes(call.count("request_bytes")),
        bytes(call.count("response_bytes"))
    ));
    said.line(line);
    let version = call.text("server_version");
    let version = if version.is_empty() { String::new() } else { format!(", version {}", name(&version)) };
    said.line(format!(
        "From {}:{} to {}:{}{version}.",
        name(&call.text("client_ip")),
        call.count("client_port"),
        name(&call.text("server_ip")),
        call.count("server_port")
    ));
}

fn tell_flow(said: &mut Said, flow: &Upright) {
    let mut line = format!(
        "Its flow{} is {} between {} and {}, {}: {} and {}, {}",
        cite(&flow.text("flow_id")),
        name(&flow.text("transport")),
        name(&flow.text("client_workload")),
        name(&flow.text("server_workload")),
        name(&flow.text("state")).replace('_', " "),
        count(flow.count("client_packets") + flow.count("server_packets"), "packet"),
        bytes(flow.count("client_bytes") + flow.count("server_bytes")),
        count(flow.count("client_retransmissions") + flow.count("server_retransmissions"), "retransmission"),
    );
    if let Some(handshake) = flow.number("handshake_ms") {
        line.push_str(&format!(", handshake {}", ms(handshake)));
    }
    if let Some(trip) = flow.number("rtt_p50_ms") {
        line.push_str(&format!(", round trip p50 {}", ms(trip)));
    }
    if !flow.text("tls_version").is_empty() {
        line.push_str(&format!(", {}", name(&flow.text("tls_version"))));
    }
    line.push('.');
    said.line(line);
}

fn neighbours(said: &mut Said, title: &str, table: &Table) {
    if table.is_empty() {
        return;
    }
    said.line(title);
    for row in table.iter().take(5) {
        said.item(format!(
            "{} asked {} for {}{}, {}{}",
            name(row.text("client")),
            name(row.text("server")),
            endpoint_of(&row),
            outcome_told(row.text("status"), row.text("outcome")),
            ms_of(&row, "duration_ms"),
            cite(row.text("call_id"))
        ));
    }
    if table.len() > 5 {
        said.item(format!("and {} more", table.len() - 5));
    }
}
