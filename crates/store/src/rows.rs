//! Rows to columns: a batch becomes one Arrow record batch a table, once, and is never turned back.

use std::fmt::Write as _;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{
    ArrayBuilder, ArrayRef, BooleanBuilder, Float64Builder, Int64Builder, ListBuilder, MapBuilder,
    MapFieldNames, RecordBatch, StringBuilder, TimestampNanosecondBuilder,
};
use wirewise_model::{Coverage, Endpoint, Peers, Timestamp, Workload};
use wirewise_redact::{Batch, FlowRecord, Loss, Open, Payload, Record, RecordFields};

use crate::error::StoreError;
use crate::tables::{Table, Type, UTC};

/// The rows of a batch, by table; tables without rows are absent.
pub(crate) type Columns = Vec<(Table, RecordBatch)>;

/// Everything that a batch holds, as columns. Batches of one source are alike: `sizes` tells how large the columns of
/// the last one were, and learns from this one.
pub(crate) fn of_batch(batch: &Batch, sizes: &mut Sizes) -> Result<Columns, StoreError> {
    let mut columns = of_rows(&batch.dataset, &batch.calls, &batch.flows, sizes)?;
    if !batch.losses.is_empty() {
        columns.push((Table::Losses, losses(&batch.losses)?));
    }
    Ok(columns)
}

/// What is under way, as columns.
pub(crate) fn of_open(dataset: &str, open: &Open) -> Result<Columns, StoreError> {
    of_rows(dataset, &open.calls, &open.flows, &mut Sizes::default())
}

fn of_rows(
    dataset: &str,
    calls: &[Record],
    flows: &[FlowRecord],
    sizes: &mut Sizes,
) -> Result<Columns, StoreError> {
    let mut columns = Columns::new();
    if !calls.is_empty() {
        let mut rows = Rows::new(Table::Calls, calls.len(), &sizes.calls);
        let mut payloads = Rows::new(Table::Payloads, calls.len() * 2, &sizes.payloads);
        for record in calls {
            let id = Text::of(record.id);
            call_row(&mut rows, dataset, &id, record);
            payload_rows(&mut payloads, &id, record);
        }
        sizes.calls = rows.sizes();
        sizes.payloads = payloads.sizes();
        columns.push((Table::Calls, rows.finish()?));
        let payloads = payloads.finish()?;
        if payloads.num_rows() > 0 {
            columns.push((Table::Payloads, payloads));
        }
    }
    if !flows.is_empty() {
        columns.push((Table::Flows, flows_columns(dataset, flows)?));
    }
    Ok(columns)
}

fn call_row(rows: &mut Rows, dataset: &str, id: &Text, record: &RecordFields) {
    rows.text(id.as_str());
    rows.text(dataset);
    rows.text(&record.heard.capture.0);
    rows.time(Some(record.started));
    rows.time(Some(record.observed_until));
    rows.float(record.duration_nanos.map(millis));
    rows.float(record.ttfb_nanos.map(millis));
    rows.text(&record.protocol);
    rows.text(&record.carrier);
    rows.text(record.kind.name());
    rows.text(&record.operation);
    rows.text(&record.target);
    rows.text(&wirewise_shape::endpoint(record));
    rows.maybe(record.host.as_deref());
    rows.maybe(record.status.as_deref());
    rows.int(record.status_code);
    rows.text(record.outcome.name());
    rows.bool(record.outcome.failed());
    rows.maybe(record.error.as_deref());
    ends(rows, record.client, record.server);
    peers(rows, &record.peers);
    rows.text(record.heard.vantage.name());
    rows.hex(record.exchange_key);
    rows.count(record.request_bytes);
    rows.count(record.response_bytes);
    rows.bool(record.encrypted);
    rows.text(record.source.name());
    rows.maybe(record.principal.as_deref());
    rows.maybe(record.trace_id.as_deref());
    rows.maybe(record.span_id.as_deref());
    rows.maybe(record.parent_span_id.as_deref());
    rows.text(Text::of(record.flow).as_str());
    rows.maybe(record.heard.node.as_deref());
    rows.texts(record.redactions.iter().map(String::as_str));
    let partial = record.coverage == Coverage::Partial && record.notes.is_empty();
    rows.texts(record.notes.iter().map(|note| &*note.0).chain(partial.then_some("partial")));
    rows.map(record.attributes.iter().map(|attribute| (&*attribute.name, &attribute.value)));
    rows.ints(record.request_frames.numbers.iter().map(|number| number.0));
    rows.ints(record.response_frames.numbers.iter().map(|number| number.0));
    rows.count(u64::from(record.revision));
    rows.end();
}

fn payload_rows(rows: &mut Rows, id: &Text, record: &RecordFields) {
    for (side, payload) in [("request", &record.request), ("response", &record.response)] {
        let Some(Payload { headers, body, body_bytes, truncated }) = payload else { continue };
        rows.text(id.as_str());
        rows.text(side);
        rows.headers(headers);
        rows.maybe(body.as_deref());
        rows.count(*body_bytes);
        rows.bool(*truncated);
        rows.time(Some(record.started));
        rows.maybe(record.peers.client.namespace.as_deref());
        rows.maybe(record.peers.server.namespace.as_deref());
        rows.end();
    }
}

fn flows_columns(dataset: &str, flows: &[FlowRecord]) -> Result<RecordBatch, StoreError> {
    let mut rows = Rows::new(Table::Flows, flows.len(), &[]);
    for flow in flows {
        flow_row(&mut rows, dataset, flow);
    }
    rows.finish()
}

fn flow_row(rows: &mut Rows, dataset: &str, flow: &FlowRecord) {
    let summary = &flow.summary;
    let (client, server) = (&summary.client_sent, &summary.server_sent);
    rows.text(Text::of(summary.id).as_str());
    rows.text(dataset);
    rows.text(&flow.heard.capture.0);
    rows.time(Some(summary.started));
    rows.time(Some(summary.ended));
    rows.text(summary.transport.name());
    ends(rows, summary.client, summary.server);
    peers(rows, &flow.peers);
    rows.count(client.packets);
    rows.count(server.packets);
    rows.count(client.bytes);
    rows.count(server.bytes);
    rows.count(client.retransmissions);
    rows.count(server.retransmissions);
    rows.count(client.out_of_order.saturating_add(server.out_of_order));
    rows.count(client.zero_windows.saturating_add(server.zero_windows));
    rows.float(summary.handshake.map(span_millis));
    rows.float(summary.rtt_p50.map(span_millis));
    rows.float(summary.rtt_p99.map(span_millis));
    rows.text(summary.state.name());
    rows.maybe(summary.closed_by.name());
    let tls = summary.tls.as_deref();
    rows.maybe(tls.and_then(|tls| tls.sni.as_deref()));
    rows.maybe(tls.and_then(|tls| tls.alpn.as_deref()));
    rows.maybe(tls.and_then(|tls| tls.version.as_deref()));
    rows.maybe(tls.and_then(|tls| tls.cipher.as_deref()));
    rows.maybe(tls.and_then(|tls| tls.ja3.as_deref()));
    rows.maybe(tls.and_then(|tls| tls.ja4.as_deref()));
    let certificate = tls.and_then(|tls| tls.certificate.as_ref());
    rows.maybe(certificate.map(|certificate| certificate.subject.as_str()));
    rows.maybe(certificate.map(|certificate| certificate.issuer.as_str()));
    rows.time(certificate.and_then(|certificate| certificate.expires_at));
    let own = tls.and_then(|tls| tls.client_certificate.as_ref());
    rows.maybe(own.map(|certificate| certificate.subject.as_str()));
    rows.count(summary.calls);
    rows.count(client.missing_bytes.saturating_add(server.missing_bytes));
    rows.texts(summary.notes.iter().map(|note| &*note.0));
    rows.maybe(flow.heard.node.as_deref());
    rows.ints([summary.first_packet.0, summary.last_packet.0]);
    rows.end();
}

fn losses(losses: &[Loss]) -> Result<RecordBatch, StoreError> {
    let mut rows = Rows::new(Table::Losses, losses.len(), &[]);
    for loss in losses {
        rows.time(Some(loss.at));
        rows.maybe(loss.node.as_deref());
        rows.text(&loss.stage);
        rows.text(&loss.reason);
        rows.count(loss.count);
        rows.end();
    }
    rows.finish()
}

fn ends(rows: &mut Rows, client: Endpoint, server: Endpoint) {
    for end in [client, server] {
        rows.ip(end.ip);
        rows.int(Some(i64::from(end.port)));
    }
}

fn peers(rows: &mut Rows, peers: &Peers) {
    for Workload {
        namespace,
        workload,
        kind,
        pod,
        service,
        container,
        process,
        node,
        version,
        name_source,
    } in [&peers.client, &peers.server]
    {
        rows.maybe(namespace.as_deref());
        rows.text(workload);
        rows.maybe(kind.as_deref());
        rows.maybe(pod.as_deref());
        rows.maybe(service.as_deref());
        rows.maybe(container.as_deref());
        rows.maybe(process.as_deref());
        rows.maybe(node.as_deref());
        rows.maybe(version.as_deref());
        rows.text(name_source.name());
    }
}

fn millis(nanos: u64) -> f64 {
    nanos as f64 / 1e6
}

fn span_millis(span: Duration) -> f64 {
    span.as_nanos() as f64 / 1e6
}

/// A short text of ASCII on the stack: the machinery of formatting costs more than an id or an address.
struct Text {
    bytes: [u8; 48],
    len: usize,
}

impl Text {
    const EMPTY: Self = Self { bytes: [0; 48], len: 0 };

    /// A value whose text is short, such as an id.
    fn of(value: impl std::fmt::Display) -> Self {
        let mut text = Self::EMPTY;
        // What does not fit is no id of ours.
        let _ = write!(text, "{value}");
        text
    }

    fn push(&mut self, byte: u8) {
        if let Some(place) = self.bytes.get_mut(self.len) {
            *place = byte;
            self.len += 1;
        }
    }

    fn push_number(&mut self, number: u8) {
        if number >= 100 {
            self.push(b'0' + number / 100);
        }
        if number >= 10 {
            self.push(b'0' + number / 10 % 10);
        }
        self.push(b'0' + number % 10);
    }

    fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..self.len]).unwrap_or_default()
    }
}

impl std::fmt::Write for Text {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        let place = self.bytes.get_mut(self.len..self.len + text.len()).ok_or(std::fmt::Error)?;
        place.copy_from_slice(text.as_bytes());
        self.len += text.len();
        Ok(())
    }
}

enum Cells {
    Text(StringBuilder),
    Int(Int64Builder),
    Float(Float64Builder),
    Bool(BooleanBuilder),
    Time(TimestampNanosecondBuilder),
    Texts(ListBuilder<StringBuilder>),
    Ints(ListBuilder<Int64Builder>),
    Map(MapBuilder<StringBuilder, StringBuilder>),
}

/// How large the columns of the last batch were, so that those of the next are made so large at once: a column that
/// grows is copied, and each time into memory that the kernel must clear.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sizes {
    calls: Vec<Size>,
    payloads: Vec<Size>,
}

/// Of one column, for each row.
#[derive(Clone, Copy, Debug, Default)]
struct Size {
    /// Bytes of its texts; of a map, of its keys.
    text: f32,
    /// Bytes of a map's values.
    values: f32,
    /// Elements of its lists, entries of its maps.
    items: f32,
}

impl Size {
    /// What is guessed where nothing is known.
    const GUESS: Self = Self { text: 12.0, values: 0.0, items: 0.0 };

    fn of(rows: usize, text: usize, values: usize, items: usize) -> Self {
        let each = |sum: usize| sum as f32 / rows.max(1) as f32;
        Self { text: each(text), values: each(values), items: each(items) }
    }
}

/// Columns that are filled cell by cell, in the order of the table's stored schema.
struct Rows {
    table: Table,
    columns: Vec<Cells>,
    at: usize,
}

impl Rows {
    fn new(table: Table, rows: usize, sizes: &[Size]) -> Self {
        // Some room to spare: one byte too many would copy the column.
        let room = |each: f32| (each * 1.05 * rows as f32) as usize + 64;
        let columns = table
            .stored_columns()
            .enumerate()
            .map(|(index, column)| {
                let size = sizes.get(index).copied().unwrap_or(Size::GUESS);
                let items = room(size.items);
                match column.kind {
                    Type::Text => Cells::Text(StringBuilder::with_capacity(rows, room(size.text))),
                    Type::Int => Cells::Int(Int64Builder::with_capacity(rows)),
                    Type::Float => Cells::Float(Float64Builder::with_capacity(rows)),
                    Type::Bool => Cells::Bool(BooleanBuilder::with_capacity(rows)),
                    Type::Time => {
                        Cells::Time(TimestampNanosecondBuilder::with_capacity(rows).with_timezone(UTC))
                    }
                    Type::Texts => {
                        let values = StringBuilder::with_capacity(items, room(size.text));
                        Cells::Texts(ListBuilder::with_capacity(values, rows))
                    }
                    Type::Ints => {
                        Cells::Ints(ListBuilder::with_capacity(Int64Builder::with_capacity(items), rows))
                    }
                    Type::Map => {
                        let names = MapFieldNames {
                            entry: "entries".into(),
                            key: "key".into(),
                            value: "value".into(),
                        };
                        let keys = StringBuilder::with_capacity(items, room(size.text));
                        let values = StringBuilder::with_capacity(items, room(size.values));
                        Cells::Map(MapBuilder::with_capacity(Some(names), keys, values, rows))
                    }
                }
            })
            .collect();
        Self { table, columns, at: 0 }
    }

    /// How large the columns became.
    fn sizes(&mut self) -> Vec<Size> {
        let bytes = |cells: &StringBuilder| cells.values_slice().len();
        let of = |cells: &mut Cells| match cells {
            Cells::Text(cells) => Size::of(cells.len(), bytes(cells), 0, 0),
            Cells::Int(_) | Cells::Float(_) | Cells::Bool(_) | Cells::Time(_) => Size::default(),
            Cells::Texts(cells) => {
                let rows = cells.len();
                let values = cells.values();
                Size::of(rows, bytes(values), 0, values.len())
            }
            Cells::Ints(cells) => {
                let rows = cells.len();
                Size::of(rows, 0, 0, cells.values().len())
            }
            Cells::Map(cells) => {
                let rows = cells.len();
                let (keys, values) = cells.entries();
                Size::of(rows, bytes(keys), bytes(values), keys.len())
            }
        };
        self.columns.iter_mut().map(of).collect()
    }

    fn next(&mut self) -> &mut Cells {
        let cells = &mut self.columns[self.at];
        self.at += 1;
        cells
    }

    fn maybe(&mut self, value: Option<&str>) {
        let Cells::Text(cells) = self.next() else { unreachable!("rows follow the stored schema") };
        match value {
            Some(text) => cells.append_value(text),
            None => cells.append_null(),
        }
    }

    fn text(&mut self, value: &str) {
        self.maybe(Some(value));
    }

    fn display(&mut self, value: impl std::fmt::Display) {
        let Cells::Text(cells) = self.next() else { unreachable!("rows follow the stored schema") };
        write!(cells, "{value}").expect("a builder takes everything");
        cells.append_value("");
    }

    fn ip(&mut self, ip: IpAddr) {
        match ip {
            IpAddr::V4(ip) => {
                let mut text = Text::EMPTY;
                for (index, byte) in ip.octets().into_iter().enumerate() {
                    if index > 0 {
                        text.push(b'.');
                    }
                    text.push_number(byte);
                }
                self.text(text.as_str());
            }
            IpAddr::V6(ip) => self.display(ip),
        }
    }

    fn hex(&mut self, number: u64) {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut text = [0u8; 16];
        for (index, digit) in text.iter_mut().enumerate() {
            *digit = DIGITS[(number >> (60 - 4 * index) & 15) as usize];
        }
        self.text(std::str::from_utf8(&text).expect("digits are ASCII"));
    }

    fn int(&mut self, value: Option<i64>) {
        let Cells::Int(cells) = self.next() else { unreachable!("rows follow the stored schema") };
        cells.append_option(value);
    }

    /// A count; one that does not fit is the largest that does.
    fn count(&mut self, value: u64) {
        self.int(Some(i64::try_from(value).unwrap_or(i64::MAX)));
    }

    fn float(&mut self, value: Option<f64>) {
        let Cells::Float(cells) = self.next() else { unreachable!("rows follow the stored schema") };
        cells.append_option(value);
    }

    fn bool(&mut self, value: bool) {
        let Cells::Bool(cells) = self.next() else { unreachable!("rows follow the stored schema") };
        cells.append_value(value);
    }

    fn time(&mut self, value: Option<Timestamp>) {
        let Cells::Time(cells) = self.next() else { unreachable!("rows follow the stored schema") };
        cells.append_option(value.map(Timestamp::nanos));
    }

    fn texts<'a>(&mut self, values: impl Iterator<Item = &'a str>) {
        let Cells::Texts(cells) = self.next() else { unreachable!("rows follow the stored schema") };
        for value in values {
            cells.values().append_value(value);
        }
        cells.append(true);
    }

    fn ints(&mut self, values: impl IntoIterator<Item = u64>) {
        let Cells::Ints(cells) = self.next() else { unreachable!("rows follow the stored schema") };
        for value in values {
            cells.values().append_value(i64::try_from(value).unwrap_or(i64::MAX));
        }
        cells.append(true);
    }

    fn map<'a, V: std::fmt::Display + 'a>(&mut self, entries: impl Iterator<Item = (&'a str, &'a V)>) {
        let Cells::Map(cells) = self.next() else { unreachable!("rows follow the stored schema") };
        for (key, value) in entries {
            cells.keys().append_value(key);
            write!(cells.values(), "{value}").expect("a builder takes everything");
            cells.values().append_value("");
        }
        cells.append(true).expect("as many keys as values");
    }

    fn headers(&mut self, fields: &[(String, String)]) {
        let Cells::Map(cells) = self.next() else { unreachable!("rows follow the stored schema") };
        for (key, value) in fields {
            cells.keys().append_value(key);
            cells.values().append_value(value);
        }
        cells.append(true).expect("as many keys as values");
    }

    fn end(&mut self) {
        debug_assert_eq!(self.at, self.columns.len(), "a row of {} fills every column", self.table.name());
        self.at = 0;
    }

    fn finish(self) -> Result<RecordBatch, StoreError> {
        let columns: Vec<ArrayRef> = self
            .columns
            .into_iter()
            .map(|cells| -> ArrayRef {
                match cells {
                    Cells::Text(mut cells) => Arc::new(cells.finish()),
                    Cells::Int(mut cells) => Arc::new(cells.finish()),
                    Cells::Float(mut cells) => Arc::new(cells.finish()),
                    Cells::Bool(mut cells) => Arc::new(cells.finish()),
                    Cells::Time(mut cells) => Arc::new(cells.finish()),
                    Cells::Texts(mut cells) => ArrayBuilder::finish(&mut cells),
                    Cells::Ints(mut cells) => ArrayBuilder::finish(&mut cells),
                    Cells::Map(mut cells) => ArrayBuilder::finish(&mut cells),
                }
            })
            .collect();
        RecordBatch::try_new(self.table.stored_schema(), columns)
            .map_err(|error| StoreError::Internal(format!("columns of {}: {error}", self.table.name())))
    }
}
