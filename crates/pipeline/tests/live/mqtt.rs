//! MQTT: mosquitto, and paho in versions 3.1.1 and 5.

use std::collections::HashMap;

use wirewise_model::Call;

use crate::Scenario;
use crate::ground::{Ground, Need};
use crate::witness::{Pair, Rows};

const PORT: u16 = 1883;

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "mqtt",
    protocols: &["mqtt"],
    needs: &[Need { program: "mosquitto", package: "mosquitto" }],
    serve,
    unasked,
    fields: &["mqtt.msgtype", "mqtt.msgid"],
    pairs,
};

fn serve(ground: &Ground) {
    let passwords = ground.file("passwords", "");
    ground.run(ground.command("mosquitto_passwd").args(["-b", &passwords, "shop", "sesame"]));
    let rules = ground.file("rules", "user shop\ntopic readwrite shop/#\n");
    let mut text = format!("listener {PORT} 127.0.0.1\nuser root\nallow_anonymous false\n");
    text += &format!("password_file {passwords}\nacl_file {rules}\n");
    let mut server = ground.command("mosquitto");
    server.args(["-c", &ground.file("mosquitto.conf", &text)]);
    ground.start("mosquitto", &mut server);
    ground.wait_tcp(PORT);
}

fn unasked(_: &Call) -> bool {
    false
}

/// Packets that ask and those that end it, by identifier; a publication of quality 2 is over with PUBCOMP.
fn pairs(rows: &Rows) -> Vec<Pair> {
    let mut open: HashMap<(Option<u64>, bool, &str, String), u64> = HashMap::new();
    let mut pairs = Vec::new();
    for row in &rows.rows {
        // tshark names an identifier for each packet that has one, in order.
        let mut identifiers = row.all("mqtt.msgid").iter();
        for kind in row.all("mqtt.msgtype") {
            let mut identifier = || identifiers.next().cloned().unwrap_or_default();
            let (asks, kind, identifier) = match kind.as_str() {
                "1" => (true, "connect", String::new()),
                "2" => (false, "connect", String::new()),
                "3" => (true, "publish", identifier()),
                "4" | "7" => (false, "publish", identifier()),
                "8" => (true, "subscribe", identifier()),
                "9" => (false, "subscribe", identifier()),
                "10" => (true, "unsubscribe", identifier()),
                "11" => (false, "unsubscribe", identifier()),
                "12" => (true, "ping", String::new()),
                "13" => (false, "ping", String::new()),
                "5" | "6" => {
                    identifier();
                    continue;
                }
                _ => continue,
            };
            let key = (row.stream, asks == (row.to == PORT), kind, identifier);
            if asks {
                open.insert(key, row.begins);
            } else if let Some(first) = open.remove(&key) {
                pairs.push(Pair { first, last: row.number });
            }
        }
    }
    pairs
}
