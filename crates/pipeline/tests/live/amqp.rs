//! AMQP 0-9-1: RabbitMQ, and pika with confirmed publications.

use std::collections::HashMap;

use wirewise_model::{Call, Outcome};

use crate::Scenario;
use crate::ground::{Ground, Need};
use crate::witness::{Pair, Rows};

/// Class and method.
type Method = (u64, u64);
/// Connection and channel.
type Place = (Option<u64>, String);

const PORT: u16 = 5672;
/// The one in PATH would become another user.
const SERVER: &str = "/usr/lib/rabbitmq/bin/rabbitmq-server";
/// The protocol's header, which is no method.
const HEADER: Method = (0, 0);
const CONFIRM_SELECT_OK: Method = (85, 11);
const PUBLISH: Method = (60, 40);
const DELIVER: Method = (60, 60);
const SETTLED: &[Method] = &[(60, 80), (60, 90), (60, 120)];
/// Questions with their answers, by class and method (AMQP 0-9-1, 1.4 and RabbitMQ's confirm.select).
const ANSWERED: &[(Method, &[Method])] = &[
    (HEADER, &[(10, 10)]),
    ((10, 10), &[(10, 11)]),
    ((10, 30), &[(10, 31)]),
    ((10, 40), &[(10, 41)]),
    ((10, 50), &[(10, 51)]),
    ((20, 10), &[(20, 11)]),
    ((20, 40), &[(20, 41)]),
    ((40, 10), &[(40, 11)]),
    ((40, 20), &[(40, 21)]),
    ((50, 10), &[(50, 11), (20, 40)]),
    ((50, 20), &[(50, 21), (20, 40)]),
    ((50, 30), &[(50, 31)]),
    ((50, 40), &[(50, 41)]),
    ((60, 10), &[(60, 11)]),
    ((60, 20), &[(60, 21), (20, 40)]),
    ((60, 30), &[(60, 31)]),
    ((60, 70), &[(60, 71), (60, 72)]),
    ((85, 10), &[CONFIRM_SELECT_OK]),
];

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "amqp",
    protocols: &["amqp"],
    needs: &[Need { program: SERVER, package: "rabbitmq-server" }],
    serve,
    unasked,
    fields: &[
        "amqp.init.protocol",
        "amqp.channel",
        "amqp.type",
        "amqp.method.class",
        "amqp.method.method",
        "amqp.method.arguments.delivery_tag",
    ],
    pairs,
};

fn serve(ground: &Ground) {
    let mut text = format!("listeners.tcp.1 = 127.0.0.1:{PORT}\nloopback_users = none\n");
    text += "default_user = shop\ndefault_pass = sesame\nlog.file = false\nlog.console = true\n";
    let configuration = ground.file("rabbitmq.conf", &text);
    let mut server = ground.command(SERVER);
    server
        .env("RABBITMQ_CONFIG_FILE", &configuration)
        .env("RABBITMQ_MNESIA_BASE", ground.folder("mnesia", None))
        .env("RABBITMQ_LOG_BASE", ground.folder("logs", None))
        .env("RABBITMQ_ENABLED_PLUGINS_FILE", ground.file("enabled_plugins", "[].\n"))
        .env("RABBITMQ_NODENAME", "shop@localhost")
        .env("RABBITMQ_PID_FILE", ground.path("rabbitmq.pid"));
    ground.start("rabbitmq", &mut server);
    ground.wait_said("rabbitmq", "completed with");
    ground.wait_tcp(PORT);
}

/// The connection's own conversation, which pika holds.
fn unasked(call: &Call) -> bool {
    let operation = &*call.exchange.operation;
    let own = operation.starts_with("connection.") || matches!(operation, "protocol-header" | "channel.close");
    own && !matches!(call.exchange.outcome, Outcome::ClientError | Outcome::ServerError)
}

/// Methods by connection and channel: a question and its answer; a confirmed publication and what settles its number; a
/// delivery and what settles its tag.
fn pairs(rows: &Rows) -> Vec<Pair> {
    let mut questions: HashMap<Place, (Method, u64)> = HashMap::new();
    let mut confirmed: HashMap<Place, u64> = HashMap::new();
    let mut messages: HashMap<(Place, bool, String), u64> = HashMap::new();
    let mut pairs = Vec::new();
    for row in &rows.rows {
        let by_client = row.to == PORT;
        if row.has("amqp.init.protocol") {
            questions.insert((row.stream, "0".to_owned()), (HEADER, row.begins));
        }
        let kinds = row.all("amqp.type").iter().zip(row.all("amqp.channel"));
        let channels = kinds.filter(|(kind, _)| *kind == "1").map(|(_, channel)| channel.clone());
        let classes = row.all("amqp.method.class").iter().zip(row.all("amqp.method.method"));
        let mut tags = row.all("amqp.method.arguments.delivery_tag").iter();
        for ((class, method), channel) in classes.zip(channels) {
            let method = (class.parse::<u64>().unwrap(), method.parse::<u64>().unwrap());
            let place = (row.stream, channel);
            let has_tag = matches!(method, (60, 60 | 71 | 80 | 90 | 120));
            let tag = if has_tag { tags.next().cloned().unwrap_or_default() } else { String::new() };
            if let Some((asked, first)) = questions.get(&place)
                && ANSWERED.iter().any(|(question, answers)| question == asked && answers.contains(&method))
            {
                pairs.push(Pair { first: *first, last: row.number });
                questions.remove(&place);
            }
            if ANSWERED.iter().any(|(question, _)| *question == method) {
                questions.insert(place.clone(), (method, row.begins));
            }
            if method == CONFIRM_SELECT_OK {
                confirmed.insert(place.clone(), 0);
            }
            if method == PUBLISH
                && let Some(number) = confirmed.get_mut(&place)
            {
                *number += 1;
                messages.insert((place.clone(), true, number.to_string()), row.begins);
            }
            if method == DELIVER {
                messages.insert((place.clone(), false, tag.clone()), row.begins);
            }
            if SETTLED.contains(&method) {
                let first = messages.remove(&(place, !by_client, tag));
                pairs.extend(first.map(|first| Pair { first, last: row.number }));
            }
        }
    }
    pairs
}
