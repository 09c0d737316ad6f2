//! The tables and columns that people, scripts and models hold on to, and the closed sets of words in them.
//!
//! `stored` columns lie in the files; the others are read as null until something writes them. `hidden` ones lie in
//! the files and are not shown: they serve a viewer's bounds.

use std::sync::{Arc, LazyLock};

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use wirewise_model::{Kind, Outcome, PROTOCOLS, Stage, Vantage};

/// Grows when the meaning of a stored column changes. New columns need no new version: old files read as null.
pub const SCHEMA_VERSION: u32 = 1;

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// UTF-8.
    Text,
    /// Signed, 64 bits.
    Int,
    /// 64 bits.
    Float,
    /// True or false.
    Bool,
    /// Nanoseconds, UTC.
    Time,
    /// A list of texts.
    Texts,
    /// A list of numbers.
    Ints,
    /// Text to text.
    Map,
}

impl Type {
    /// The word for people and models.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Int => "int",
            Self::Float => "float",
            Self::Bool => "bool",
            Self::Time => "timestamp(ns, UTC)",
            Self::Texts => "list of text",
            Self::Ints => "list of int",
            Self::Map => "map<text, text>",
        }
    }

    fn arrow(self, views: bool) -> DataType {
        match self {
            Self::Text if views => DataType::Utf8View,
            Self::Text => DataType::Utf8,
            Self::Int => DataType::Int64,
            Self::Float => DataType::Float64,
            Self::Bool => DataType::Boolean,
            Self::Time => time_type(),
            Self::Texts => DataType::List(Arc::new(Field::new("item", DataType::Utf8, true))),
            Self::Ints => DataType::List(Arc::new(Field::new("item", DataType::Int64, true))),
            Self::Map => DataType::Map(
                Arc::new(Field::new(
                    "entries",
                    DataType::Struct(
                        vec![
                            Field::new("key", DataType::Utf8, false),
                            Field::new("value", DataType::Utf8, true),
                        ]
                        .into(),
                    ),
                    false,
                )),
                false,
            ),
        }
    }
}

/// The type of all times.
pub(crate) fn time_type() -> DataType {
    DataType::Timestamp(TimeUnit::Nanosecond, Some(UTC.into()))
}

/// A zone that needs no table of zones.
pub(crate) const UTC: &str = "+00:00";

/// A column.
#[derive(Clone, Copy, Debug)]
pub struct ColumnInfo {
    /// Its name in SQL.
    pub name: &'static str,
    /// What it holds.
    pub kind: Type,
    /// Whether it may be null.
    pub nullable: bool,
    /// What it means, in a line.
    pub doc: &'static str,
    stored: bool,
    hidden: bool,
}

/// A table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Table {
    /// One row an exchange.
    Calls,
    /// Headers and bodies.
    Payloads,
    /// One row a flow.
    Flows,
    /// What was not seen, or not kept.
    Losses,
}

impl Table {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Calls, Self::Payloads, Self::Flows, Self::Losses];

    /// Its name in SQL.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Calls => "calls",
            Self::Payloads => "payloads",
            Self::Flows => "flows",
            Self::Losses => "losses",
        }
    }

    /// The table of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|table| table.name() == name)
    }

    /// What it holds, in a line.
    pub const fn doc(self) -> &'static str {
        match self {
            Self::Calls => "one row an exchange, or a one-way message",
            Self::Payloads => "headers and body of each side of a call; not readable by a model's SQL",
            Self::Flows => "one row a TCP connection or datagram flow",
            Self::Losses => "what was not seen or not kept, and why",
        }
    }

    /// The column that files are sorted and pruned by.
    pub const fn time(self) -> &'static str {
        match self {
            Self::Calls | Self::Payloads | Self::Flows => "started_at",
            Self::Losses => "at",
        }
    }

    /// Its visible columns, in order.
    pub fn columns(self) -> impl Iterator<Item = &'static ColumnInfo> {
        self.all_columns().iter().filter(|column| !column.hidden)
    }

    pub(crate) fn stored_columns(self) -> impl Iterator<Item = &'static ColumnInfo> {
        self.all_columns().iter().filter(|column| column.stored)
    }

    /// The closed set of words that a column takes, if it is closed. `protocol` and `carrier` also take what the
    /// data hold.
    pub fn words(self, column: &str) -> Option<&'static [&'static str]> {
        WORDS
            .iter()
            .find(|(table, name, _)| *table == self && *name == column)
            .map(|(_, _, words)| words.as_slice())
    }

    /// Whether a namespace of either end bounds who may read its rows.
    pub(crate) const fn has_namespaces(self) -> bool {
        match self {
            Self::Calls | Self::Payloads | Self::Flows => true,
            Self::Losses => false,
        }
    }

    fn all_columns(self) -> &'static [ColumnInfo] {
        match self {
            Self::Calls => &CALLS,
            Self::Payloads => &PAYLOADS,
            Self::Flows => &FLOWS,
            Self::Losses => &LOSSES,
        }
    }

    fn schemas(self) -> &'static Schemas {
        match self {
            Self::Calls => &SCHEMAS[0],
            Self::Payloads => &SCHEMAS[1],
            Self::Flows => &SCHEMAS[2],
            Self::Losses => &SCHEMAS[3],
        }
    }

    /// The columns that are written to log and files.
    pub(crate) fn stored_schema(self) -> SchemaRef {
        self.schemas().stored.clone()
    }

    /// The columns that queries see.
    pub(crate) fn visible_schema(self) -> SchemaRef {
        self.schemas().visible.clone()
    }

    /// The visible columns, then the hidden ones: what a scan can read.
    pub(crate) fn scan_schema(self) -> SchemaRef {
        self.schemas().scan.clone()
    }
}

struct Schemas {
    stored: SchemaRef,
    visible: SchemaRef,
    scan: SchemaRef,
}

static SCHEMAS: LazyLock<[Schemas; 4]> = LazyLock::new(|| {
    Table::ALL.map(|table| {
        let columns = table.all_columns();
        let schema = |views: bool, keep: &dyn Fn(&ColumnInfo) -> bool| -> SchemaRef {
            let fields: Vec<Field> = columns
                .iter()
                .filter(|column| keep(column))
                .map(|column| Field::new(column.name, column.kind.arrow(views), column.nullable))
                .collect();
            Arc::new(Schema::new(fields))
        };
        Schemas {
            stored: schema(false, &|column| column.stored),
            visible: schema(true, &|column| !column.hidden),
            scan: schema(true, &|_| true),
        }
    })
});

const fn must(name: &'static str, kind: Type, doc: &'static str) -> ColumnInfo {
    ColumnInfo { name, kind, nullable: false, doc, stored: true, hidden: false }
}

const fn may(name: &'static str, kind: Type, doc: &'static str) -> ColumnInfo {
    ColumnInfo { name, kind, nullable: true, doc, stored: true, hidden: false }
}

const fn later(name: &'static str, kind: Type, doc: &'static str) -> ColumnInfo {
    ColumnInfo { name, kind, nullable: true, doc, stored: false, hidden: false }
}

const fn hidden(name: &'static str, kind: Type) -> ColumnInfo {
    ColumnInfo { name, kind, nullable: true, doc: "", stored: true, hidden: true }
}

use Type::{Bool, Float, Int, Ints, Map, Text, Texts, Time};

static CALLS: [ColumnInfo; 63] = [
    must("call_id", Text, "sorts by time"),
    must("dataset", Text, "which data set"),
    must("capture_id", Text, "the capture file's digest, or the agent and its epoch"),
    must("started_at", Time, "the request's first byte"),
    must("observed_until", Time, "the last byte seen"),
    may("duration_ms", Float, "first byte of the request to last of the response; null without a response"),
    may("ttfb_ms", Float, "first byte of the request to first of the response"),
    must("protocol", Text, "http1 http2 dns tls redis ...; a filter on `http` means both http1 and http2"),
    must("carrier", Text, "what it rode on: tcp udp sctp http1 http2 ..."),
    must("kind", Text, "unary stream long_poll session message probe connection"),
    must("operation", Text, "GET, query, Produce, SET, handshake ..."),
    must("target", Text, "path, topic, key, queue, statement, name asked for"),
    must("endpoint", Text, "the target templated: /orders/{id}"),
    may("host", Text, "Host, :authority or SNI"),
    may("status", Text, "as the protocol says it: 200, NXDOMAIN, 14"),
    may("status_code", Int, "the status as a number"),
    must("outcome", Text, "ok client_error server_error no_response aborted one_way open unknown"),
    must("failed", Bool, "server_error, no_response or aborted; client errors stand apart"),
    may("error", Text, "the protocol's own words"),
    must("client_ip", Text, "who asked"),
    must("client_port", Int, "who asked"),
    must("server_ip", Text, "who answered"),
    must("server_port", Int, "who answered"),
    may("client_namespace", Text, "Kubernetes namespace of the caller"),
    must("client_workload", Text, "the caller's name; its address where nothing better is known"),
    may("client_kind", Text, "Deployment, process, host ..."),
    may("client_pod", Text, "pod of the caller"),
    may("client_service", Text, "service of the caller"),
    may("client_container", Text, "container of the caller"),
    may("client_process", Text, "process of the caller"),
    may("client_node", Text, "node of the caller"),
    may("client_version", Text, "version of the caller"),
    must("client_name_source", Text, "how the caller's name is known"),
    may("server_namespace", Text, "Kubernetes namespace of the callee"),
    must("server_workload", Text, "the callee's name; its address where nothing better is known"),
    may("server_kind", Text, "Deployment, process, host ..."),
    may("server_pod", Text, "pod of the callee"),
    may("server_service", Text, "service of the callee"),
    may("server_container", Text, "container of the callee"),
    may("server_process", Text, "process of the callee"),
    may("server_node", Text, "node of the callee"),
    may("server_version", Text, "version of the callee"),
    must("server_name_source", Text, "how the callee's name is known"),
    must("vantage", Text, "where it was heard: client server between"),
    must("exchange_key", Text, "equal for one exchange heard at two places"),
    must("request_bytes", Int, "payload of the transport"),
    must("response_bytes", Int, "payload of the transport"),
    must("encrypted", Bool, "it was TLS on the wire"),
    must("source", Text, "packets or tls_probe"),
    may("principal", Text, "pseudonym of the user or token"),
    may("trace_id", Text, "W3C trace id"),
    may("span_id", Text, "W3C span id"),
    may("parent_span_id", Text, "W3C parent span id"),
    must("flow_id", Text, "the flow that carried it"),
    later("shape_id", Text, "the shape that it is an example of"),
    may("node", Text, "node that heard it"),
    later("recording_id", Text, "the recording that holds its packets"),
    must("redactions", Texts, "what was hidden and where"),
    must("notes", Texts, "what was odd: retransmitted gap mid_stream ..."),
    must("attributes", Map, "the protocol's own fields, by OpenTelemetry names"),
    must("request_frames", Ints, "packets of the request in its capture"),
    must("response_frames", Ints, "packets of the response in its capture"),
    must("revision", Int, "0; 1 for a response that came after the call was given up"),
];

static PAYLOADS: [ColumnInfo; 9] = [
    must("call_id", Text, "the call"),
    must("side", Text, "request or response"),
    must("headers", Map, "header fields, keys in lower case"),
    may("body", Text, "the body as text, where it was understood and scrubbed"),
    must("body_bytes", Int, "decoded length of the whole body"),
    must("truncated", Bool, "whether the body is less than the whole"),
    must("started_at", Time, "when its call began"),
    hidden("client_namespace", Text),
    hidden("server_namespace", Text),
];

static FLOWS: [ColumnInfo; 58] = [
    must("flow_id", Text, "sorts by time"),
    must("dataset", Text, "which data set"),
    must("capture_id", Text, "the capture file's digest, or the agent and its epoch"),
    must("started_at", Time, "first packet"),
    must("ended_at", Time, "last packet"),
    must("transport", Text, "tcp udp sctp icmp icmpv6"),
    must("client_ip", Text, "who asked, or was heard first"),
    must("client_port", Int, "who asked"),
    must("server_ip", Text, "the other end"),
    must("server_port", Int, "the other end"),
    may("client_namespace", Text, "Kubernetes namespace of the client"),
    must("client_workload", Text, "the client's name; its address where nothing better is known"),
    may("client_kind", Text, "Deployment, process, host ..."),
    may("client_pod", Text, "pod of the client"),
    may("client_service", Text, "service of the client"),
    may("client_container", Text, "container of the client"),
    may("client_process", Text, "process of the client"),
    may("client_node", Text, "node of the client"),
    may("client_version", Text, "version of the client"),
    must("client_name_source", Text, "how the client's name is known"),
    may("server_namespace", Text, "Kubernetes namespace of the server"),
    must("server_workload", Text, "the server's name; its address where nothing better is known"),
    may("server_kind", Text, "Deployment, process, host ..."),
    may("server_pod", Text, "pod of the server"),
    may("server_service", Text, "service of the server"),
    may("server_container", Text, "container of the server"),
    may("server_process", Text, "process of the server"),
    may("server_node", Text, "node of the server"),
    may("server_version", Text, "version of the server"),
    must("server_name_source", Text, "how the server's name is known"),
    must("client_packets", Int, "packets that the client sent"),
    must("server_packets", Int, "packets that the server sent"),
    must("client_bytes", Int, "payload bytes that the client sent"),
    must("server_bytes", Int, "payload bytes that the server sent"),
    must("client_retransmissions", Int, "segments that the client sent again"),
    must("server_retransmissions", Int, "segments that the server sent again"),
    must("out_of_order", Int, "segments that came after a later one, both sides"),
    must("zero_windows", Int, "announcements of an empty window, both sides"),
    may("handshake_ms", Float, "first SYN to the ACK that completed the handshake"),
    may("rtt_p50_ms", Float, "median round-trip time"),
    may("rtt_p99_ms", Float, "99th percentile of round-trip times"),
    must("state", Text, "open closed reset refused timed_out mid_stream"),
    may("closed_by", Text, "client or server"),
    may("sni", Text, "TLS server name"),
    may("alpn", Text, "protocol agreed by ALPN"),
    may("tls_version", Text, "TLS1.2, TLS1.3 ..."),
    may("tls_cipher", Text, "cipher suite"),
    may("ja3", Text, "JA3 of the client's hello"),
    may("ja4", Text, "JA4 of the client's hello"),
    may("certificate_subject", Text, "server certificate"),
    may("certificate_issuer", Text, "server certificate"),
    may("certificate_expires_at", Time, "server certificate"),
    may("client_certificate_subject", Text, "client certificate"),
    must("calls", Int, "calls that were made of it"),
    must("missing_bytes", Int, "bytes that were never heard, both sides"),
    must("notes", Texts, "what was odd"),
    may("node", Text, "node that heard it"),
    must("packets", Ints, "numbers of its first and last packet in the capture"),
];

static LOSSES: [ColumnInfo; 5] = [
    must("at", Time, "when it was noticed"),
    may("node", Text, "where"),
    must("stage", Text, "which hop of the ledger"),
    must("reason", Text, "why"),
    must("count", Int, "how many of the stage's unit"),
];

type Words = (Table, &'static str, Vec<&'static str>);

static WORDS: LazyLock<Vec<Words>> = LazyLock::new(|| {
    const TRANSPORTS: [&str; 5] = ["tcp", "udp", "sctp", "icmp", "icmpv6"];
    const NAME_SOURCES: [&str; 10] =
        ["address", "host", "process", "script", "dns", "unit", "container", "capture", "file", "kubernetes"];
    const STAGES: [Stage; 6] =
        [Stage::Capture, Stage::Wire, Stage::Flow, Stage::Dissect, Stage::Calls, Stage::Store];
    vec![
        (Table::Calls, "protocol", PROTOCOLS.to_vec()),
        (Table::Calls, "carrier", PROTOCOLS.to_vec()),
        (Table::Calls, "kind", Kind::ALL.iter().map(|kind| kind.name()).collect()),
        (Table::Calls, "outcome", Outcome::ALL.iter().map(|outcome| outcome.name()).collect()),
        (Table::Calls, "vantage", Vantage::ALL.iter().map(|vantage| vantage.name()).collect()),
        (Table::Calls, "source", vec!["packets", "tls_probe"]),
        (Table::Calls, "client_name_source", NAME_SOURCES.to_vec()),
        (Table::Calls, "server_name_source", NAME_SOURCES.to_vec()),
        (Table::Payloads, "side", vec!["request", "response"]),
        (Table::Flows, "transport", TRANSPORTS.to_vec()),
        (Table::Flows, "state", vec!["open", "closed", "reset", "refused", "timed_out", "mid_stream"]),
        (Table::Flows, "closed_by", vec!["client", "server"]),
        (Table::Flows, "client_name_source", NAME_SOURCES.to_vec()),
        (Table::Flows, "server_name_source", NAME_SOURCES.to_vec()),
        (Table::Losses, "stage", STAGES.iter().map(|stage| stage.name()).collect()),
    ]
});
